import CheckpointStore
import Dataflow
import StreamModel
import Synchronization
import TestKit

/// The real machine with a disk that refuses to open chosen files for reading.
final class RefusingHost: EngineHost {
    private let machine = MachineHost()
    private let refusals: Refusals

    final class Refusals: Sendable {
        fileprivate let isRefused = Mutex<(@Sendable (String) -> Bool)?>(nil)
    }

    init() { refusals = Refusals() }

    /// From now on opening such a path for reading is an input/output error; nil = everything is readable again.
    func refuse(_ paths: (@Sendable (String) -> Bool)?) { refusals.isRefused.withLock { $0 = paths } }

    func now() -> EngineInstant { machine.now() }
    func wall() -> WallTime { machine.wall() }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { RefusingFilesystem(refusals: refusals) }
    func makeParker() -> any Parker { machine.makeParker() }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }
}

private struct RefusingFilesystem: ForwardingFilesystem {
    let refusals: RefusingHost.Refusals

    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        if refusals.isRefused.withLock({ $0?(path) ?? false }) { throw FilesystemError(.open, errno: 5) }
        return try base.openForReading(path)
    }
}
