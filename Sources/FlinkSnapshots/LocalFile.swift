internal import Glibc
internal import StreamModel

/// Looks at files of this machine, and reads those that are small enough.
enum LocalFile {
    enum Status {
        case plain(ByteCount, modified: WallTime)
        case directory
        case other
        case missing
        /// It may be there; this process cannot tell.
        case hidden(errno: Int32)
    }

    enum Failure: Error {
        case missing
        case notPlain
        case tooLong(ByteCount)
        case system(errno: Int32)
        /// It ended before the part that was asked for.
        case short
    }

    static func status(_ path: String) -> Status {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno == ENOENT || errno == ENOTDIR ? .missing : .hidden(errno: errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            let modified = WallTime(milliseconds: Int64(status.st_mtim.tv_sec) &* 1000 &+ Int64(status.st_mtim.tv_nsec) / 1_000_000)
            return .plain(ByteCount(Int64(status.st_size)), modified: modified)
        case S_IFDIR: return .directory
        default: return .other
        }
    }

    /// A part of a plain file; `count` nil = up to its end. Anything else than a plain file is refused without waiting for it.
    static func read(_ path: String, from offset: Int64 = 0, count: Int64? = nil, limit: Int64) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw errno == ENOENT || errno == ENOTDIR ? .missing : .system(errno: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notPlain }
        let size = Int64(status.st_size)
        guard offset >= 0, offset <= size, count ?? 0 <= size - offset else { throw .short }
        let wanted = count ?? (size - offset)
        guard wanted <= limit, wanted >= 0 else { throw .tooLong(ByteCount(wanted)) }
        return try read(descriptor, from: offset, count: Int(wanted))
    }

    private static func read(_ descriptor: Int32, from offset: Int64, count: Int) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count), done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress?.advanced(by: done), count - done, off_t(offset) + off_t(done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno: errno) }
            guard got > 0 else { throw .short }
            done += got
        }
        return bytes
    }

    /// The names in a directory, at most `limit`; none where it cannot be read.
    static func names(in path: String, limit: Int) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Absolute, by the working directory.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let current = getcwd(nil, 0) else { return path }
        defer { free(current) }
        return String(cString: current) + "/" + path
    }

    /// Without links and without `.`, `..` and doubled slashes; nil when nothing is there.
    static func canonical(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    static func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
