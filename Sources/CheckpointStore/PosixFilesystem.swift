internal import Glibc
internal import StreamModel

/// The filesystem of the operating system. The only file of this module that makes system calls. Stateless, so any thread may use it.
public struct PosixFilesystem: Filesystem {
    private let calls: SystemCalls

    public init() { calls = .machine }

    /// Creates one with system calls that fall short, for tests.
    init(calls: SystemCalls) { self.calls = calls }

    public var processID: Int32 { getpid() }

    public var hostName: String? {
        var bytes = [CChar](repeating: 0, count: 256)
        guard gethostname(&bytes, bytes.count - 1) == 0 else { return nil }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile {
        try open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, .create)
    }

    public func openForReading(_ path: String) throws(FilesystemError) -> OpenFile {
        try openRegular(path, O_RDONLY)
    }

    public func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile {
        try openRegular(path, O_RDWR | O_CREAT)
    }

    private func openRegular(_ path: String, _ flags: Int32) throws(FilesystemError) -> OpenFile {
        var information = stat()
        // Checked before, because opening a device may have an effect, and after, because the name may have changed its target. `open` refuses an
        // entry without a status, and a link too.
        if lstat(path, &information) == 0, information.st_mode & S_IFMT != S_IFLNK { try requireRegular(information) }
        // O_NONBLOCK: a fifo must not hang the reader. It has no effect on regular files.
        let file = try open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, .open)
        do throws(FilesystemError) {
            _ = try retrying(.examine) { fstat(file.descriptor, &information) }
            try requireRegular(information)
        } catch {
            _ = Glibc.close(file.descriptor)
            throw error
        }
        return file
    }

    private func requireRegular(_ information: stat) throws(FilesystemError) {
        let found: IrregularFile
        switch information.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: found = .directory
        case S_IFIFO: found = .pipe
        case S_IFSOCK: found = .socket
        case S_IFCHR: found = .characterDevice
        case S_IFBLK: found = .blockDevice
        default: found = .unknown
        }
        throw FilesystemError(.open, errno: found == .directory ? EISDIR : EINVAL, found: found)
    }

    public func willRead(_ file: OpenFile) {
        // Advisory: its only effect is on the time of the reads.
        _ = posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_WILLNEED)
    }

    private func open(_ path: String, _ flags: Int32, _ operation: FileOperation) throws(FilesystemError) -> OpenFile {
        OpenFile(descriptor: try retrying(operation) { calls.open(path, flags, 0o600) })
    }

    public func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool { try lock(file, LOCK_EX) }

    public func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool { try lock(file, LOCK_SH) }

    private func lock(_ file: OpenFile, _ mode: Int32) throws(FilesystemError) -> Bool {
        do throws(FilesystemError) {
            _ = try retrying(.lock) { flock(file.descriptor, mode | LOCK_NB) }
            return true
        } catch {
            if error.errno == EWOULDBLOCK { return false }
            throw error
        }
    }

    public func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = calls.write(file.descriptor, rest.baseAddress, rest.count)
            if count > 0 {
                written += count
            } else if count == 0 {
                // No progress and no reason: treated as a full disk rather than retried forever.
                throw FilesystemError(.write, errno: ENOSPC)
            } else if errno != EINTR {
                throw FilesystemError(.write, errno: errno)
            }
        }
    }

    public func read(
        into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64
    ) throws(FilesystemError) -> Int {
        guard offset <= UInt64(Int64.max) - UInt64(buffer.count) else { throw FilesystemError(.read, errno: EINVAL) }
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = calls.pread(file.descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw FilesystemError(.read, errno: errno)
            }
        }
        return done
    }

    public func size(of file: OpenFile) throws(FilesystemError) -> UInt64 {
        var information = stat()
        _ = try retrying(.examine) { fstat(file.descriptor, &information) }
        try requireRegular(information)
        return UInt64(clamping: information.st_size)
    }

    public func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError) {
        guard let end = off_t(exactly: length) else { throw FilesystemError(.truncate, errno: EFBIG) }
        _ = try retrying(.truncate) { ftruncate(file.descriptor, end) }
        guard lseek(file.descriptor, end, SEEK_SET) == end else { throw FilesystemError(.truncate, errno: errno) }
    }

    public func sync(_ file: OpenFile) throws(FilesystemError) {
        // Not repeated on EINTR either: the state of the pages is unknown after any failure.
        guard calls.fsync(file.descriptor) == 0 else { throw FilesystemError(.sync, errno: errno) }
    }

    public func close(_ file: OpenFile) throws(FilesystemError) {
        // Linux releases the descriptor even when close reports EINTR, so it is never repeated.
        guard calls.close(file.descriptor) == 0 || errno == EINTR else { throw FilesystemError(.close, errno: errno) }
    }

    public func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError) {
        guard !replacing else {
            _ = try retrying(.rename) { Glibc.rename(old, new) }
            return
        }
        // A hard link never replaces, whatever others do. Directories and filesystems without links have none.
        if link(old, new) == 0 {
            _ = try retrying(.rename) { Glibc.unlink(old) }
            return
        }
        guard [EPERM, EOPNOTSUPP, EMLINK].contains(errno) else { throw FilesystemError(.rename, errno: errno) }
        guard try status(new) == nil else { throw FilesystemError(.rename, errno: EEXIST) }
        _ = try retrying(.rename) { Glibc.rename(old, new) }
    }

    public func makeDirectory(_ path: String) throws(FilesystemError) {
        _ = try retrying(.makeDirectory) { mkdir(path, 0o700) }
    }

    public func list(_ path: String) throws(FilesystemError) -> [String] {
        let descriptor = try openDirectory(path, .list)
        guard let stream = fdopendir(descriptor) else {
            let number = errno
            _ = Glibc.close(descriptor)
            throw FilesystemError(.list, errno: number)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw FilesystemError(.list, errno: errno) }
        return names
    }

    public func unlink(_ path: String) throws(FilesystemError) { try remove(path, 0) }

    public func removeDirectory(_ path: String) throws(FilesystemError) { try remove(path, AT_REMOVEDIR) }

    /// Removes an entry relative to the parent's descriptor, opened without following a link. A parent replaced by a link meanwhile cannot redirect
    /// the removal.
    private func remove(_ path: String, _ flags: Int32) throws(FilesystemError) {
        let parent = try openDirectory(StorePath.parent(path), .remove)
        defer { _ = Glibc.close(parent) }
        let name = StorePath.lastComponent(path)
        _ = try retrying(.remove) { unlinkat(parent, name, flags) }
    }

    private func openDirectory(_ path: String, _ operation: FileOperation) throws(FilesystemError) -> Int32 {
        try retrying(operation) { calls.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }
    }

    public func status(_ path: String) throws(FilesystemError) -> FileStatus? {
        var information = stat()
        guard lstat(path, &information) == 0 else {
            if errno == ENOENT { return nil }
            throw FilesystemError(.examine, errno: errno)
        }
        let kind: FileStatus.Kind =
            switch information.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .other
            }
        let seconds = Int64(information.st_mtim.tv_sec)
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000).partialValue &+ Int64(information.st_mtim.tv_nsec) / 1_000_000
        return FileStatus(kind: kind, size: UInt64(clamping: information.st_size), modifiedAt: WallTime(milliseconds: milliseconds))
    }

    public func syncDirectory(_ path: String) throws(FilesystemError) {
        let descriptor = try openDirectory(path, .open)
        let failure = calls.fsync(descriptor) == 0 ? nil : FilesystemError(.syncDirectory, errno: errno)
        _ = Glibc.close(descriptor)
        if let failure { throw failure }
    }

    public func freeBytes(_ path: String) throws(FilesystemError) -> UInt64 {
        var information = statvfs()
        _ = try retrying(.measureFreeSpace) { statvfs(path, &information) }
        let (bytes, overflow) = UInt64(information.f_bavail).multipliedReportingOverflow(by: UInt64(information.f_frsize))
        return overflow ? .max : bytes
    }

    public func canonicalPath(_ path: String) throws(FilesystemError) -> String {
        guard let resolved = realpath(path, nil) else { throw FilesystemError(.examine, errno: errno) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Repeats a call interrupted by a signal.
    private func retrying(_ operation: FileOperation, _ call: () -> Int32) throws(FilesystemError) -> Int32 {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw FilesystemError(operation, errno: errno) }
        }
    }
}

/// The system calls behind `PosixFilesystem` that may be partial or interrupted. A table, so that a test can provoke this, which the kernel
/// does rarely.
final class SystemCalls: Sendable {
    /// Calls that return like their namesakes: a count or a descriptor, or -1 with the reason in `errno`.
    let write: @Sendable (Int32, UnsafeRawPointer?, Int) -> Int
    let pread: @Sendable (Int32, UnsafeMutableRawPointer?, Int, off_t) -> Int
    let open: @Sendable (UnsafePointer<CChar>, Int32, mode_t) -> Int32
    let fsync: @Sendable (Int32) -> Int32
    let close: @Sendable (Int32) -> Int32

    static let machine = SystemCalls()

    init(
        write: @escaping @Sendable (Int32, UnsafeRawPointer?, Int) -> Int = { Glibc.write($0, $1, $2) },
        pread: @escaping @Sendable (Int32, UnsafeMutableRawPointer?, Int, off_t) -> Int = { Glibc.pread($0, $1, $2, $3) },
        open: @escaping @Sendable (UnsafePointer<CChar>, Int32, mode_t) -> Int32 = { Glibc.open($0, $1, $2) },
        fsync: @escaping @Sendable (Int32) -> Int32 = { Glibc.fsync($0) },
        close: @escaping @Sendable (Int32) -> Int32 = { Glibc.close($0) }
    ) {
        (self.write, self.pread, self.open) = (write, pread, open)
        (self.fsync, self.close) = (fsync, close)
    }
}
