import CheckpointStore
import StreamModel
import Synchronization

@testable import Dataflow

/// The real machine with a clock of the test's own: nothing waits for time, the test moves it. Wall and monotonic clock go together.
final class ManualHost: EngineHost {
    private let nanoseconds: Atomic<Int64>
    private let machine = MachineHost()
    private let parkers = Mutex<[ManualParker]>([])

    /// Milliseconds on the wall clock.
    init(at milliseconds: Int64 = 1_000_000) { nanoseconds = Atomic(milliseconds * 1_000_000) }

    var milliseconds: Int64 { nanoseconds.load(ordering: .acquiring) / 1_000_000 }

    /// Sets both clocks to this wall time and wakes everybody who may wait for it.
    func set(to milliseconds: Int64) {
        nanoseconds.store(milliseconds * 1_000_000, ordering: .sequentiallyConsistent)
        for parker in parkers.withLock({ $0 }) { parker.unpark() }
    }

    func advance(by milliseconds: Int64) { set(to: self.milliseconds + milliseconds) }

    func now() -> EngineInstant { EngineInstant(nanoseconds: nanoseconds.load(ordering: .acquiring)) }
    func wall() -> WallTime { WallTime(milliseconds: milliseconds) }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { machine.filesystem }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }

    func makeParker() -> any Parker {
        let parker = ManualParker(self)
        parkers.withLock { $0.append(parker) }
        return parker
    }

    private final class ManualParker: Parker {
        private let thread = ThreadParker()
        private unowned let host: ManualHost
        init(_ host: ManualHost) { self.host = host }

        func park(until deadline: EngineInstant?, unless hasWork: () -> Bool) {
            thread.park(until: nil) {
                if let deadline, host.now() >= deadline { return true }
                return hasWork()
            }
        }
        func unpark() { thread.unpark() }
    }
}
