internal import Crypto
internal import Glibc

/// The SHA-256 of a file's content (FIPS 180-4): files with the same one are the same.
public struct FileDigest: Sendable, Hashable, CustomStringConvertible {
    /// 64 hexadecimal digits.
    public let description: String

    /// Reads the file once, piece by piece.
    public init(of path: String) throws(FlinkFailure) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw FlinkFailure(.misconfigured, "\(path) is no plain file") }
        var hash = SHA256()
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
            guard count > 0 else { break }
            piece.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        description = Self.hexadecimal(hash.finalize())
    }

    init(_ bytes: [UInt8]) { description = Self.hexadecimal(SHA256.hash(data: bytes)) }

    private static func hexadecimal(_ digest: SHA256.Digest) -> String {
        digest.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
