internal import Dispatch
internal import StreamModel
internal import Synchronization

/// The threads that carry out operations on a cluster: each waits for answers, so each has one of its own, and there are few. What comes
/// beyond their number waits for its turn. All are told at once to go no further.
final class OperationThreads: Sendable {
    static let limit = 16

    private struct State {
        var running = 0
        var waiting: [@Sendable () -> Void] = []
        var isStopped = false
    }
    private let state = Mutex(State())
    /// Signalled once, by `stop`; whoever wakes up by it passes it on.
    private let stopped = DispatchSemaphore(value: 0)

    /// False = it is over: nothing will run.
    @discardableResult
    func run(_ body: @escaping @Sendable () -> Void) -> Bool {
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
    func pause(_ span: Milliseconds) -> Bool {
        guard stopped.wait(timeout: .now() + .milliseconds(Int(span.count))) == .success else { return true }
        stopped.signal()
        return false
    }

    func stop() {
        let isFirst = state.withLock { state in
            defer { (state.isStopped, state.waiting) = (true, []) }
            return !state.isStopped
        }
        if isFirst { stopped.signal() }
    }
}
