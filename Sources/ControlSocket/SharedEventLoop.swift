internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// The threads of control connections: one for all clients of this process, one for all servers. Each starts at its first use and never stops.
enum ControlLoops {
    private static let clients = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private static let servers: MultiThreadedEventLoopGroup = {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // Control work runs beside the data path: it uses the time the jobs leave, and a small share if they leave none. Linux keeps a nice
        // value for each thread, and 0 means the calling one. Raising it is always allowed.
        group.next().execute { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, servingNiceness) }
        return group
    }()

    /// A tenth of the weight of a thread that processes records.
    private static let servingNiceness: Int32 = 10

    static func forClients() throws(LoopFailure) -> any EventLoop {
        try start(.clients) { clients.next() }
    }

    static func forServers() throws(LoopFailure) -> any EventLoop {
        try start(.servers) { servers.next() }
    }

    struct LoopFailure: Error { var errno: Int32 }

    private enum Kind { case clients, servers }
    private static let started = Mutex<Set<Kind>>([])

    /// Starts a loop. It takes three descriptors, and the process would end if it got none, so they are requested first.
    private static func start(_ kind: Kind, _ loop: () -> any EventLoop) throws(LoopFailure) -> any EventLoop {
        if !started.withLock({ $0.contains(kind) }) { try ensureDescriptors() }
        let loop = loop()
        started.withLock { _ = $0.insert(kind) }
        return loop
    }

    private static func ensureDescriptors() throws(LoopFailure) {
        var taken: [Int32] = []
        defer { for descriptor in taken { close(descriptor) } }
        for _ in 0..<4 {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw LoopFailure(errno: errno) }
            taken.append(descriptor)
        }
    }
}
