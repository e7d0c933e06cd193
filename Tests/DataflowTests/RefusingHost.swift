import CheckpointStore
import Dataflow
import StreamModel
import Synchronization

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

private struct RefusingFilesystem: Filesystem {
    let refusals: RefusingHost.Refusals
    private let disk = PosixFilesystem()

    init(refusals: RefusingHost.Refusals) { self.refusals = refusals }

    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        if refusals.isRefused.withLock({ $0?(path) ?? false }) { throw FilesystemError(.open, errno: 5) }
        return try disk.openForReading(path)
    }

    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile { try disk.createExclusive(path) }
    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile { try disk.openForUpdating(path) }
    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { try disk.tryLock(file) }
    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { try disk.tryLockShared(file) }
    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) { try disk.write(bytes, to: file) }
    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        try disk.read(into: buffer, from: file, at: offset)
    }
    func size(of file: OpenFile) throws(FilesystemError) -> UInt64 { try disk.size(of: file) }
    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) { try disk.truncate(file, to: length) }
    func sync(_ file: OpenFile) throws(FilesystemError) { try disk.sync(file) }
    func close(_ file: OpenFile) throws(FilesystemError) { try disk.close(file) }
    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) { try disk.rename(old, to: new, replacing: replacing) }
    func makeDirectory(_ path: String) throws(FilesystemError) { try disk.makeDirectory(path) }
    func list(_ path: String) throws(FilesystemError) -> [String] { try disk.list(path) }
    func unlink(_ path: String) throws(FilesystemError) { try disk.unlink(path) }
    func removeDirectory(_ path: String) throws(FilesystemError) { try disk.removeDirectory(path) }
    func status(_ path: String) throws(FilesystemError) -> FileStatus? { try disk.status(path) }
    func syncDirectory(_ path: String) throws(FilesystemError) { try disk.syncDirectory(path) }
    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { try disk.freeBytes(path) }
    func canonicalPath(_ path: String) throws(FilesystemError) -> String { try disk.canonicalPath(path) }
    var processID: Int32 { disk.processID }
}
