internal import CheckpointStore
internal import StreamModel

/// A filesystem that asks for permission before each file read. A long read of a snapshot can so be paced, paused or ended between two chunks. Other
/// calls pass through.
struct PacedFilesystem: Filesystem {
    let base: any Filesystem
    /// Called before each read with the number of bytes. May block. false = the result is no longer needed.
    let mayRead: @Sendable (_ count: Int) -> Bool

    /// ECANCELED.
    private static let cancelled: Int32 = 125

    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        guard mayRead(buffer.count) else { throw FilesystemError(.read, errno: Self.cancelled) }
        return try base.read(into: buffer, from: file, at: offset)
    }

    /// Disabled: the kernel would prefetch the whole file without pacing.
    func willRead(_ file: OpenFile) {}

    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile { try base.createExclusive(path) }
    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForReading(path) }
    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForUpdating(path) }
    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLock(file) }
    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLockShared(file) }
    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) { try base.write(bytes, to: file) }
    func size(of file: OpenFile) throws(FilesystemError) -> UInt64 { try base.size(of: file) }
    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) { try base.truncate(file, to: length) }
    func sync(_ file: OpenFile) throws(FilesystemError) { try base.sync(file) }
    func close(_ file: OpenFile) throws(FilesystemError) { try base.close(file) }
    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) { try base.rename(old, to: new, replacing: replacing) }
    func makeDirectory(_ path: String) throws(FilesystemError) { try base.makeDirectory(path) }
    func list(_ path: String) throws(FilesystemError) -> [String] { try base.list(path) }
    func unlink(_ path: String) throws(FilesystemError) { try base.unlink(path) }
    func removeDirectory(_ path: String) throws(FilesystemError) { try base.removeDirectory(path) }
    func status(_ path: String) throws(FilesystemError) -> FileStatus? { try base.status(path) }
    func syncDirectory(_ path: String) throws(FilesystemError) { try base.syncDirectory(path) }
    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { try base.freeBytes(path) }
    func canonicalPath(_ path: String) throws(FilesystemError) -> String { try base.canonicalPath(path) }
    var processID: Int32 { base.processID }
}
