public import CheckpointStore

/// A filesystem that passes every call on to another one; a test's own implements the calls that it changes.
public protocol ForwardingFilesystem: Filesystem {
    var base: PosixFilesystem { get }
}

extension ForwardingFilesystem {
    public var base: PosixFilesystem { PosixFilesystem() }

    public func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile { try base.createExclusive(path) }
    public func openForReading(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForReading(path) }
    public func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForUpdating(path) }
    public func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLock(file) }
    public func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLockShared(file) }
    public func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) { try base.write(bytes, to: file) }
    public func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        try base.read(into: buffer, from: file, at: offset)
    }
    public func size(of file: OpenFile) throws(FilesystemError) -> UInt64 { try base.size(of: file) }
    public func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) { try base.truncate(file, to: length) }
    public func sync(_ file: OpenFile) throws(FilesystemError) { try base.sync(file) }
    public func willRead(_ file: OpenFile) { base.willRead(file) }
    public func close(_ file: OpenFile) throws(FilesystemError) { try base.close(file) }
    public func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) { try base.rename(old, to: new, replacing: replacing) }
    public func makeDirectory(_ path: String) throws(FilesystemError) { try base.makeDirectory(path) }
    public func list(_ path: String) throws(FilesystemError) -> [String] { try base.list(path) }
    public func unlink(_ path: String) throws(FilesystemError) { try base.unlink(path) }
    public func removeDirectory(_ path: String) throws(FilesystemError) { try base.removeDirectory(path) }
    public func status(_ path: String) throws(FilesystemError) -> FileStatus? { try base.status(path) }
    public func syncDirectory(_ path: String) throws(FilesystemError) { try base.syncDirectory(path) }
    public func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { try base.freeBytes(path) }
    public func canonicalPath(_ path: String) throws(FilesystemError) -> String { try base.canonicalPath(path) }
    public var processID: Int32 { base.processID }
    public var hostName: String? { base.hostName }
}
