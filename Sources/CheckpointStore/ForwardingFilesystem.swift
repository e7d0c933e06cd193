/// A filesystem that passes every call on to another one. A conforming type implements the calls that it changes.
package protocol ForwardingFilesystem: Filesystem {
    var base: any Filesystem { get }
}

extension ForwardingFilesystem {
    package func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile { try base.createExclusive(path) }
    package func openForReading(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForReading(path) }
    package func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile { try base.openForUpdating(path) }
    package func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLock(file) }
    package func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { try base.tryLockShared(file) }
    package func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) { try base.write(bytes, to: file) }
    package func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        try base.read(into: buffer, from: file, at: offset)
    }
    package func size(of file: OpenFile) throws(FilesystemError) -> UInt64 { try base.size(of: file) }
    package func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) { try base.truncate(file, to: length) }
    package func sync(_ file: OpenFile) throws(FilesystemError) { try base.sync(file) }
    package func willRead(_ file: OpenFile) { base.willRead(file) }
    package func close(_ file: OpenFile) throws(FilesystemError) { try base.close(file) }
    package func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) { try base.rename(old, to: new, replacing: replacing) }
    package func makeDirectory(_ path: String) throws(FilesystemError) { try base.makeDirectory(path) }
    package func list(_ path: String) throws(FilesystemError) -> [String] { try base.list(path) }
    package func unlink(_ path: String) throws(FilesystemError) { try base.unlink(path) }
    package func removeDirectory(_ path: String) throws(FilesystemError) { try base.removeDirectory(path) }
    package func status(_ path: String) throws(FilesystemError) -> FileStatus? { try base.status(path) }
    package func syncDirectory(_ path: String) throws(FilesystemError) { try base.syncDirectory(path) }
    package func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 { try base.freeBytes(path) }
    package func canonicalPath(_ path: String) throws(FilesystemError) -> String { try base.canonicalPath(path) }
    package var processID: Int32 { base.processID }
    package var hostName: String? { base.hostName }
}
