public import StreamModel

/// An open file. Owned by its opener, who closes it once.
public struct OpenFile: Hashable, Sendable {
    public let descriptor: Int32
    public init(descriptor: Int32) { self.descriptor = descriptor }
}

/// Kind of entry at a path; links are not followed.
public struct FileStatus: Hashable, Sendable {
    public enum Kind: Sendable { case file, directory, link, other }
    public var kind: Kind
    /// Size in bytes.
    public var size: UInt64
    public var modifiedAt: WallTime

    public init(kind: Kind, size: UInt64, modifiedAt: WallTime) {
        self.kind = kind
        self.size = size
        self.modifiedAt = modifiedAt
    }
}

/// Operation refused by the operating system.
public enum FileOperation: String, Sendable {
    case create, open, read, write, sync, truncate, lock, close, rename
    case makeDirectory = "make directory"
    case list, remove, examine
    case syncDirectory = "sync directory"
    case measureFreeSpace = "measure free space"
}

/// Kind of an entry that is found in place of a regular file.
public enum IrregularFile: String, Sendable {
    case directory = "a directory"
    case pipe = "a named pipe"
    case socket = "a socket"
    case characterDevice = "a character device"
    case blockDevice = "a block device"
    case link = "a symbolic link"
    case unknown = "a file of unknown type"
}

/// A refused system call. The store adds the path and turns it into a `StoreError`.
public struct FilesystemError: Error, Hashable, Sendable {
    public let operation: FileOperation
    /// Error number of the operating system, as on Linux.
    public let errno: Int32
    /// Entry found in place of a regular file, if that is the reason.
    public let found: IrregularFile?

    public init(_ operation: FileOperation, errno: Int32, found: IrregularFile? = nil) {
        self.operation = operation
        self.errno = errno
        self.found = found
    }

    /// Text of an error number for operators.
    public static func text(_ errno: Int32) -> String { SystemErrorNumber.text(errno) }

    /// Reason for operators: the obstructing entry, or the system's message.
    public var reason: String { found.map { "it is \($0.rawValue), not a regular file" } ?? SystemErrorNumber.text(errno) }
}

/// The system calls used by the store, one method each. `PosixFilesystem` makes them; tests replace it to refuse them, to lie, or to lose
/// power. Called from several threads at once. Paths are absolute or relative to the process.
public protocol Filesystem: Sendable {
    /// Makes a new file, mode 0600, and opens it for writing. An existing file or link is `EEXIST`.
    func createExclusive(_ path: String) throws(FilesystemError) -> OpenFile
    /// Opens an existing regular file for reading without blocking; a link is refused with `ELOOP`, anything else by its kind.
    func openForReading(_ path: String) throws(FilesystemError) -> OpenFile
    /// Opens a file for reading and writing; a missing one is created (mode 0600).
    func openForUpdating(_ path: String) throws(FilesystemError) -> OpenFile
    /// Takes the exclusive advisory lock of an open file (`flock`). false = held by another open file. Released by `close`.
    func tryLock(_ file: OpenFile) throws(FilesystemError) -> Bool
    /// Takes the shared lock, held by any number of open files but never beside the exclusive one. false = that one is held.
    func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool
    /// Writes all the bytes after the last write through this handle.
    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError)
    /// Reads at an offset until the buffer is full or the file ends; returns the number of bytes read.
    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int
    func size(of file: OpenFile) throws(FilesystemError) -> UInt64
    /// Cuts the file to this length; the next `write` continues there.
    func truncate(_ file: OpenFile, to length: UInt64) throws(FilesystemError)
    /// Makes the bytes durable. A failure is final for the file: the kernel may have dropped unwritten bytes.
    func sync(_ file: OpenFile) throws(FilesystemError)
    /// Announces a read of the whole file, which the disk may begin now. Advisory.
    func willRead(_ file: OpenFile)
    /// Releases the handle, even when it throws.
    func close(_ file: OpenFile) throws(FilesystemError)

    /// Renames within one filesystem. Unless `replacing`, an existing target is `EEXIST` and stays.
    func rename(_ old: String, to new: String, replacing: Bool) throws(FilesystemError)
    /// Makes one directory, mode 0700.
    func makeDirectory(_ path: String) throws(FilesystemError)
    /// Names in a directory, without `.` and `..`, in no order.
    func list(_ path: String) throws(FilesystemError) -> [String]
    /// Removes a file or a link, never a link's target. The last directory of the path must not be a link.
    func unlink(_ path: String) throws(FilesystemError)
    /// Removes an empty directory.
    func removeDirectory(_ path: String) throws(FilesystemError)
    /// Status of an entry; nil = no such entry.
    func status(_ path: String) throws(FilesystemError) -> FileStatus?
    /// Makes the names in a directory durable.
    func syncDirectory(_ path: String) throws(FilesystemError)
    /// Bytes still available to this process.
    func freeBytes(_ path: String) throws(FilesystemError) -> UInt64
    /// Absolute path without links and trailing slash; `ENOENT` if there is no entry.
    func canonicalPath(_ path: String) throws(FilesystemError) -> String
    /// Process id for messages, written into lock files.
    var processID: Int32 { get }
    /// Name of the machine, for messages to operators of several; nil = unknown.
    var hostName: String? { get }
}

extension Filesystem {
    public func willRead(_ file: OpenFile) {}
    public var hostName: String? { nil }

    /// Reports no shared locks, for filesystems written before they existed.
    public func tryLockShared(_ file: OpenFile) throws(FilesystemError) -> Bool {
        throw FilesystemError(.lock, errno: SystemErrorNumber.notSupported)
    }
}

/// Error numbers on which the store's decisions depend, as on Linux.
enum SystemErrorNumber {
    static let noEntry: Int32 = 2
    static let inputOutput: Int32 = 5
    static let badDescriptor: Int32 = 9
    static let accessDenied: Int32 = 13
    static let exists: Int32 = 17
    static let notDirectory: Int32 = 20
    static let notEmpty: Int32 = 39
    static let loop: Int32 = 40
    static let noLocks: Int32 = 37
    static let notImplemented: Int32 = 38
    static let notSupported: Int32 = 95

    /// Whether the filesystem or its mount has no locks of this kind. NFS refuses an exclusive one on a file opened for reading.
    static func meansNoLocks(_ number: Int32) -> Bool { [badDescriptor, noLocks, notImplemented, notSupported].contains(number) }

    /// Text of an error number for operators.
    static func text(_ number: Int32) -> String {
        let known: [Int32: String] = [
            1: "operation not permitted", 2: "no such file or directory", 4: "interrupted", 5: "input/output error", 9: "bad file descriptor",
            12: "out of memory", 13: "permission denied", 16: "device busy", 17: "file exists", 18: "different filesystem",
            20: "not a directory", 21: "is a directory", 22: "invalid argument", 23: "too many open files in the system",
            24: "too many open files", 26: "file busy", 27: "file too large", 28: "no space left on device", 30: "read-only filesystem",
            36: "file name too long", 37: "no locks available", 38: "not implemented by this filesystem",
            39: "directory not empty", 40: "symbolic link refused", 95: "not supported by this filesystem", 116: "stale file handle",
            122: "disk quota exceeded",
        ]
        return known[number].map { "\($0) (errno \(number))" } ?? "errno \(number)"
    }
}
