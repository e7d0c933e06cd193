internal import NIOPosix

/// The one thread that carries every control connection of this process, server or client. Started when first used, never stopped.
let sharedEventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
