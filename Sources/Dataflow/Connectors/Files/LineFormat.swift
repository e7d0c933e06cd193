internal import Glibc

/// Lines of text. A line ends at a newline, of which a carriage return before it is a part, or at the end of the file; bytes that are not
/// UTF-8 become U+FFFD.
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

/// Finds the ends of lines, and looks at no byte twice however the bytes come.
struct LineFinder {
    /// Bytes of the unfinished line that hold no newline.
    private var scanned = 0

    /// The line that starts at `start`: where its text ends, and where the next one starts. nil = it is not all there, or there is none.
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
