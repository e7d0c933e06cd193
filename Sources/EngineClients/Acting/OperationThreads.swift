internal import HostEnvironment
public import StreamModel
internal import Synchronization

/// A few threads that carry out operations on a cluster, one each, since an operation mostly waits. Further operations queue. `stop` ends them all at
/// once.
public final class OperationThreads: Sendable {
    public static let limit = 16

    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
        var isStopped = false
    }
    private let state = Mutex(State())
    /// Rung by `stop`.
    private let stopped = WakeTimer()

    /// False = it is over: nothing will run.
    @discardableResult
    public func run(_ body: @escaping @Sendable () -> Void) -> Bool {
        let begins: Bool? = state.withLock { state in
            if state.isStopped { return nil }
            guard state.running < Self.limit else {
                state.waiting.append(body)
                return false
            }
            state.running += 1
            return true
        }
        if begins == true { startThread { self.work(body) } }
        return begins != nil
    }

    private func work(_ first: @Sendable () -> Void) {
        first()
        while let next = takeNext() { next() }
    }

    private func takeNext() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.isStopped, !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
    }

    /// Waits, on one of the threads. False = go no further.
    public func pause(_ span: Milliseconds) -> Bool { !stopped.isWoken(within: span) }

    public var isRunning: Bool { state.withLock { !$0.isStopped } }

    public func stop() {
        state.withLock { ($0.isStopped, $0.waiting) = (true, []) }
        stopped.wake()
    }
}
