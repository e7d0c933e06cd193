internal import Glibc

/// Small files written by a user: configuration and themes.
public enum SmallFile {
    public enum Failure: Error, Equatable {
        case missing
        case notPlain
        case tooLong(limit: Int)
        case system(errno: Int32)

        public var reason: String {
            switch self {
            case .missing: "there is no such file"
            case .notPlain: "is no plain file (links are not followed)"
            case .tooLong(let limit): "is longer than \(limit) bytes"
            case .system(let code): String(cString: strerror(code))
            }
        }
    }

    /// Reads a plain file. Does not follow links, and does not block on a pipe or a device.
    public static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR: throw .missing
            case ELOOP: throw .notPlain
            default: throw .system(errno: errno)
            }
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notPlain }
        var bytes = [UInt8](repeating: 0, count: limit + 1), count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                return Glibc.read(descriptor, rest.baseAddress!, rest.count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(errno: errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else { throw .tooLong(limit: limit) }
        return Array(bytes.prefix(count))
    }
}
