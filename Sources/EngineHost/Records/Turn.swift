internal import Dataflow
internal import Synchronization

/// Mutual exclusion for work that waits for the disk. A mutex is unsuitable: its waiters block outside the host, where a simulated machine cannot
/// let the holder continue.
final class Turn: Sendable {
    private struct State {
        var isTaken = false
        var waiting: [any Parker] = []
    }

    private let state = Mutex(State())
    private let host: any EngineHost

    init(host: any EngineHost) { self.host = host }

    func take<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        begin()
        defer { end() }
        return try body()
    }

    private func begin() {
        while true {
            let parker = state.withLock { state -> (any Parker)? in
                guard state.isTaken else {
                    state.isTaken = true
                    return nil
                }
                let parker = host.makeParker()
                state.waiting.append(parker)
                return parker
            }
            guard let parker else { return }
            parker.park(until: nil) { state.withLock { !$0.isTaken } }
        }
    }

    /// Ends the turn and wakes all waiters, which try again.
    private func end() {
        let waiting = state.withLock { state in
            state.isTaken = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for parker in waiting { parker.unpark() }
    }
}
