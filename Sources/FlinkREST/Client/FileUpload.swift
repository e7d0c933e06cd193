internal import AsyncHTTPClient
internal import Glibc
internal import NIOCore
internal import Synchronization

/// A file as the only part of a `multipart/form-data` body, which is what `/jars/upload` takes. It is read piece by piece while it is sent.
struct FileUpload {
    let boundary: String
    private let file: OpenFile
    private let head: String
    private let tail: String

    static let jarType = "application/x-java-archive"
    private static let pieceMax = 128 << 10

    init(path: String, name: String, contentType: String) throws(FlinkFailure) {
        file = try OpenFile(path)
        // A cluster takes any file of this name, and says so only when it is to be run.
        guard contentType != Self.jarType || file.beginsAsArchive else {
            throw FlinkFailure(.misconfigured, "\(path) is no jar: it does not begin as a zip archive does. Nothing was uploaded")
        }
        var generator = SystemRandomNumberGenerator()
        boundary = "weir-" + String(UInt64.random(in: .min ... .max, using: &generator), radix: 16)
        let quoted = String(name.map { $0 == "\"" || $0 == "\\" || $0.isNewline ? "_" : $0 })
        head = "--\(boundary)\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"\(quoted)\"\r\nContent-Type: \(contentType)\r\n\r\n"
        tail = "\r\n--\(boundary)--\r\n"
    }

    var body: HTTPClient.Body {
        let length = Int64(head.utf8.count) + file.size + Int64(tail.utf8.count)
        return .stream(contentLength: length) { [file, head, tail] writer in
            writer.write(.byteBuffer(ByteBuffer(string: head))).flatMap { Self.send(file, to: writer) }
                .flatMap { writer.write(.byteBuffer(ByteBuffer(string: tail))) }
        }
    }

    /// The event loop reads the pieces itself: they are small, and nothing else waits for it but other questions to clusters.
    private static func send(_ file: OpenFile, to writer: HTTPClient.Body.StreamWriter) -> EventLoopFuture<Void> {
        let piece = file.next(max: pieceMax)
        let sent = writer.write(.byteBuffer(ByteBuffer(bytes: piece)))
        // A file that became shorter meanwhile ends the request as one whose length is wrong.
        return piece.isEmpty ? sent : sent.flatMap { send(file, to: writer) }
    }
}

/// A plain file that is open for reading until it is let go.
private final class OpenFile: Sendable {
    let size: Int64
    private let descriptor: CInt
    private let left: Mutex<Int64>

    init(_ path: String) throws(FlinkFailure) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FlinkFailure(.misconfigured, "cannot read \(path): \(String(cString: strerror(errno)))") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FlinkFailure(.misconfigured, "\(path) is no plain file")
        }
        size = Int64(status.st_size)
        left = Mutex(size)
    }

    deinit { close(descriptor) }

    var beginsAsArchive: Bool {
        var bytes: [UInt8] = [0, 0, 0, 0]
        return pread(descriptor, &bytes, bytes.count, 0) == bytes.count && bytes == [0x50, 0x4b, 3, 4]
    }

    func next(max: Int) -> [UInt8] {
        left.withLock { left in
            var bytes = [UInt8](repeating: 0, count: Int(min(Int64(max), left)))
            guard !bytes.isEmpty else { return [] }
            let got = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard got > 0 else { return [] }
            left -= Int64(got)
            return Array(bytes.prefix(got))
        }
    }
}
