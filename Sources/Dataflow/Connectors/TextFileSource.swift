internal import Glibc
public import StreamModel

/// Lines of text files, in order within a file. A file is a split; its offset, in bytes at the start of a line, is the checkpointed place.
/// A line ends at a newline, of which a carriage return before it is a part, or at the end of the file; bytes that are not UTF-8 become
/// U+FFFD.
public struct TextFileSource: Source {
    let paths: [String]
    let rate: Double?

    /// - Parameter rate: lines a second over all subtasks; nil = as fast as they are taken.
    public init(paths: [String], rate: Double? = nil) {
        self.paths = paths
        self.rate = rate
    }

    public static var splitType: String { "text-file-split-1" }

    /// A line longer than this is an error, so that a file without newlines cannot eat the memory.
    static let maximumLineBytes = 64 << 20

    public func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
        let own = stride(from: subtask, to: paths.count, by: parallelism).map { TextFileSplit(path: paths[$0], offset: 0, lines: 0) }
        return Reader(own: own, rate: rate.map { $0 / Double(min(parallelism, max(paths.count, 1))) })
    }

    public struct Reader: SourceReader {
        private var own: [TextFileSplit]
        private var current = 0
        private var limiter: RateLimiter
        private var open: OpenTextFile?

        init(own: [TextFileSplit], rate: Double?) {
            self.own = own
            limiter = RateLimiter(perSecond: rate)
        }

        public mutating func read(into out: Emitter<String>, at now: EngineInstant) throws -> SourceStatus {
            while current < own.count {
                let file = try open ?? OpenTextFile(own[current])
                open = file
                let (granted, retryAt) = limiter.grant(512, at: now)
                guard granted > 0 else { return .waiting(until: retryAt) }
                var lines = 0
                while lines < granted, let line = try file.nextLine() {
                    out.emit(line)
                    lines += 1
                }
                own[current].offset = file.offset
                own[current].lines += UInt64(lines)
                if lines > 0 { return .more }
                open = nil
                current += 1
            }
            return .ended
        }

        public func splits() -> [[UInt8]] { own.map(\.encoded) }

        public mutating func restore(_ splits: [[UInt8]]) throws {
            own = try splits.map(TextFileSplit.init(encoded:))
            current = 0
            open = nil
        }

        public var position: UInt64 { own.reduce(0) { $0 + $1.lines } }

        public var progress: InputProgress? {
            // Files may grow while they are read; the sizes are those at the moment.
            own.reduce(into: InputProgress(read: 0, total: 0)) { sum, split in
                sum.read += split.offset
                sum.total += max(fileSize(split.path) ?? 0, split.offset)
            }
        }
    }
}

struct TextFileSplit: Sendable {
    let path: String
    /// Bytes before the next line.
    var offset: UInt64
    /// Lines before it.
    var lines: UInt64

    var encoded: [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        path.encode(into: &writer)
        writer.write(offset)
        writer.write(lines)
        return Array(writer.bytes)
    }

    init(path: String, offset: UInt64, lines: UInt64) {
        self.path = path
        self.offset = offset
        self.lines = lines
    }

    init(encoded: [UInt8]) throws(StateDecodingError) {
        let result: Result<TextFileSplit, StateDecodingError> = encoded.withUnsafeBytes { bytes in
            var reader = StateReader(bytes)
            do throws(StateDecodingError) {
                return .success(TextFileSplit(path: try String(from: &reader), offset: try reader.read(), lines: try reader.read()))
            } catch { return .failure(error) }
        }
        self = try result.get()
    }
}

/// One file being read, through a buffer.
private final class OpenTextFile {
    private let path: String
    private let descriptor: Int32
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    /// Unread bytes: buffer[start..<end].
    private var start = 0, end = 0
    private(set) var offset: UInt64
    private var isAtEnd = false

    init(_ split: TextFileSplit) throws {
        path = split.path
        offset = split.offset
        // Not blocking: a pipe that nobody writes to would hold the thread for ever.
        descriptor = Glibc.open(split.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        // All is initialised by now, so `deinit` runs for a half-opened file too.
        guard descriptor >= 0 else {
            throw JobError.source("cannot read input file \(split.path): \(errorText(errno)); check the path and its permissions")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw JobError.source("input \(split.path) is not a regular file: a restart could not read it again; copy it to a file")
        }
        let size = UInt64(max(0, status.st_size))
        guard size >= split.offset else {
            throw JobError.source(
                "input file \(split.path) has \(size) bytes, fewer than the \(split.offset) that the checkpoint had read: restore the file")
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        buffer.deallocate()
    }

    func nextLine() throws -> String? {
        var scanned = start
        while true {
            if scanned < end, let found = memchr(buffer.baseAddress! + scanned, 10, end - scanned) {
                let length = UnsafeRawPointer(found) - UnsafeRawPointer(buffer.baseAddress! + start)
                return take(length, skipping: 1)
            }
            scanned = end
            if isAtEnd { return end > start ? take(end - start, skipping: 0) : nil }
            let before = start
            try fill()
            scanned -= before - start
        }
    }

    private func take(_ length: Int, skipping extra: Int) -> String {
        let hasReturn = extra > 0 && length > 0 && buffer[start + length - 1] == UInt8(ascii: "\r")
        let text = buffer[start..<start + length - (hasReturn ? 1 : 0)]
        let line = String(decoding: UnsafeRawBufferPointer(rebasing: text), as: UTF8.self)
        start += length + extra
        offset += UInt64(length + extra)
        return line
    }

    private func fill() throws {
        if start > 0 {
            memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
            end -= start
            start = 0
        }
        if end == buffer.count {
            guard buffer.count < TextFileSource.maximumLineBytes else {
                throw JobError.source("input file \(path) has a line of more than \(TextFileSource.maximumLineBytes) bytes at offset \(offset): split it")
            }
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[0..<end]))
            buffer.deallocate()
            buffer = larger
        }
        var got: Int
        repeat {
            got = pread(descriptor, buffer.baseAddress! + end, buffer.count - end, Int(offset) + end)
        } while got < 0 && errno == EINTR
        guard got >= 0 else { throw JobError.source("cannot read input file \(path) at offset \(Int(offset) + end): \(errorText(errno))") }
        if got == 0 { isAtEnd = true }
        end += got
    }
}

private func fileSize(_ path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(max(0, status.st_size)) : nil
}

func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
