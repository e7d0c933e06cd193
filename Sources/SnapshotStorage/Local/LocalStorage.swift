internal import Glibc
public import StreamModel

/// The file system of this machine. Deadlines are not kept: a disk that hangs holds its caller.
public struct LocalStorage: SnapshotStorage {
    public init() {}

    private static let pageMax = 1000
    private static let pieceMax = 1 << 20

    public func status(of location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) -> StorageEntry {
        var facts = stat()
        guard stat(location.localPath, &facts) == 0 else { throw Self.failure(errno, location, .status) }
        return Self.entry(location, facts)
    }

    private static func entry(_ location: StorageLocation, _ facts: stat) -> StorageEntry {
        let modified = WallTime(milliseconds: Int64(facts.st_mtim.tv_sec) &* 1000 &+ Int64(facts.st_mtim.tv_nsec) / 1_000_000)
        switch facts.st_mode & S_IFMT {
        case S_IFREG: return StorageEntry(location, .file, size: ByteCount(Int64(facts.st_size)), modified: modified)
        case S_IFDIR: return StorageEntry(location, .directory, modified: modified)
        default: return StorageEntry(location, .other, modified: modified)
        }
    }

    public func read(
        _ location: StorageLocation, _ range: StorageRange, by deadline: EngineInstant, _ take: (ArraySlice<UInt8>) -> Bool
    ) throws(StorageFailure) {
        let descriptor = open(location.localPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(errno, location, .read) }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0 else { throw Self.failure(errno, location, .read) }
        guard facts.st_mode & S_IFMT == S_IFREG else { throw StorageFailure(.notAFile, location, .read, "no plain file") }
        var position = range.start, left = range.count ?? .max
        var piece = [UInt8](repeating: 0, count: Int(min(Int64(Self.pieceMax), max(1, min(left, Int64(facts.st_size))))))
        while left > 0 {
            let wanted = Int(min(left, Int64(piece.count)))
            let count = piece.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, wanted, off_t(position)) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.failure(errno, location, .read) }
            guard count > 0, take(piece[..<count]) else { return }
            position += Int64(count)
            left -= Int64(count)
        }
    }

    public func list(
        _ directory: StorageLocation, _ depth: ListingDepth, after cursor: StorageCursor?, by deadline: EngineInstant
    ) throws(StorageFailure) -> StoragePage {
        try TreeWalk.page(directory, depth, after: cursor) { (inner, after) throws(StorageFailure) in
            let names = try Self.names(in: inner).sorted().drop { name in after.map { name <= $0 } ?? false }
            // A file may go between its name and its facts.
            let entries = names.prefix(Self.pageMax).compactMap { Self.child(inner.appending($0)) }
            // The last name of a page tells where the next one begins, so it must not be one that went.
            guard names.count > Self.pageMax, !entries.isEmpty else { return TreeWalk.Part(entries: entries, isLast: true) }
            return TreeWalk.Part(entries: entries, isLast: false)
        }
    }

    /// Links are followed to files only: one to a directory above would make a circle.
    private static func child(_ location: StorageLocation) -> StorageEntry? {
        var facts = stat()
        guard lstat(location.localPath, &facts) == 0 else { return nil }
        guard facts.st_mode & S_IFMT == S_IFLNK else { return entry(location, facts) }
        var target = stat()
        guard stat(location.localPath, &target) == 0, target.st_mode & S_IFMT == S_IFREG else { return StorageEntry(location, .other) }
        return entry(location, target)
    }

    private static func names(in directory: StorageLocation) throws(StorageFailure) -> [String] {
        guard let stream = opendir(directory.localPath) else { throw failure(errno, directory, .list) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw failure(errno, directory, .list) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }

    public func delete(_ location: StorageLocation, by deadline: EngineInstant) throws(StorageFailure) {
        guard unlink(location.localPath) != 0 else { return }
        let code = errno
        guard code == EISDIR || code == EPERM, rmdir(location.localPath) == 0 else {
            throw Self.failure(code == EISDIR ? errno : code, location, .delete)
        }
    }

    private static func failure(_ code: Int32, _ location: StorageLocation, _ verb: StorageFailure.Verb) -> StorageFailure {
        let said = String(cString: strerror(code))
        switch code {
        case ENOENT: return StorageFailure(.notFound, location, verb, "nothing is there")
        case ENOTDIR where verb != .list: return StorageFailure(.notFound, location, verb, "nothing is there")
        case EACCES, EPERM: return StorageFailure(.denied, location, verb, said, remedy: "ask as a user who may")
        case ENOTDIR, EISDIR, ENOTEMPTY, EEXIST: return StorageFailure(.notAFile, location, verb, said)
        default: return StorageFailure(.unavailable, location, verb, said)
        }
    }
}
