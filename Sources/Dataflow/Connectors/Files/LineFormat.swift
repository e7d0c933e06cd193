internal import Glibc

/// Lines of text. A line ends at a newline, with any carriage return before it, or at the end of the file; invalid UTF-8 becomes U+FFFD.
public struct LineFormat: RecordFormat {
    public init() {}
    public static var recordName: String { "line" }
    public func makeParser() -> LineParser { LineParser() }
}

public struct LineParser: RecordParser {
    private var finder = LineFinder()

    public init() {}

    public mutating func parse(
        _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, limit: Int, into out: Emitter<String>, progress: inout ParseProgress
    ) throws(BadRecord) {
        while progress.records < limit, let line = finder.next(in: bytes, from: progress.bytes, isAtEnd: isAtEnd) {
            out.emit(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[progress.bytes..<line.end]), as: UTF8.self))
            progress.bytes = line.next
            progress.lines += 1
            progress.records += 1
        }
    }
}

/// Finds the ends of lines, scanning each byte once, however the bytes arrive.
struct LineFinder {
    /// Scanned bytes of the unfinished line, without newline.
    private var scanned = 0

    /// End of the line that starts at `start`, and start of the next one. nil = incomplete, or none.
    mutating func next(in bytes: UnsafeRawBufferPointer, from start: Int, isAtEnd: Bool) -> (end: Int, next: Int)? {
        guard start < bytes.count, let base = bytes.baseAddress else { return nil }
        let from = start + scanned
        if from < bytes.count, let found = memchr(base + from, 10, bytes.count - from) {
            scanned = 0
            let end = UnsafeRawPointer(found) - base
            let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
            return (hasReturn ? end - 1 : end, end + 1)
        }
        scanned = bytes.count - start
        guard isAtEnd else { return nil }
        scanned = 0
        return (bytes.count, bytes.count)
    }
}
