internal import Glibc

/// Starts a detached thread that runs `body` and ends.
public func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread: pthread_t = 0
    let argument = Unmanaged.passRetained(ThreadBody(run: body)).toOpaque()
    let failure = pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
        }, argument)
    precondition(failure == 0, "the system refuses a thread (\(failure))")
    pthread_detach(thread)
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
}
