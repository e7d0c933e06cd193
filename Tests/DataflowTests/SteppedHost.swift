import CheckpointStore
import Dataflow
import StreamModel
import Synchronization

/// The machine with a clock that the test moves.
final class SteppedHost: EngineHost {
    private let machine = MachineHost()
    private let instant = Mutex(EngineInstant(nanoseconds: 1_000_000_000))

    func advance(milliseconds: Int64) { instant.withLock { $0 = EngineInstant(nanoseconds: $0.nanoseconds + milliseconds * 1_000_000) } }

    func now() -> EngineInstant { instant.withLock { $0 } }
    func wall() -> WallTime { machine.wall() }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { machine.filesystem }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }
    func makeParker() -> any Parker { machine.makeParker() }
}
