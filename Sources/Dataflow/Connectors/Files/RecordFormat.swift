internal import Synchronization

/// The encoding of records in a file: lines, rows, JSON. Pure: independent of files and clocks.
public protocol RecordFormat<Record>: Sendable {
    associatedtype Record: Sendable
    associatedtype Parser: RecordParser where Parser.Record == Record
    /// Word for a record in messages: "line", "row".
    static var recordName: String { get }
    /// Whether files begin with a header that every reader of the file needs.
    static var hasHeader: Bool { get }
    /// Makes a parser, one per file.
    func makeParser() -> Parser
}

extension RecordFormat {
    @inlinable public static var hasHeader: Bool { false }
}

/// Cuts the bytes of one file into records, independently of how the bytes are split into pieces.
public protocol RecordParser<Record> {
    associatedtype Record
    /// Parses the header at the start of a file, if the format has one.
    /// - Returns: its length in bytes and in lines, nil when incomplete. Incomplete bytes are given again, with more.
    mutating func parseHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)?
    /// Emits the records at the start of `bytes`, at most `limit`, and advances `progress`. Unconsumed bytes are given again, with more behind
    /// them. An error concerns the bytes after `progress`.
    /// - Parameter isAtEnd: nothing follows `bytes`.
    mutating func parse(
        _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, limit: Int, into out: Emitter<Record>, progress: inout ParseProgress
    ) throws(BadRecord)
}

extension RecordParser {
    @inlinable
    public mutating func parseHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)? { (0, 0) }
}

/// Position reached by a parser.
public struct ParseProgress: Sendable, Hashable {
    public var bytes = 0
    public var lines = 0
    public var records = 0
    @inlinable public init() {}
}

/// An unreadable record: the position of the fault, and its reason.
public struct BadRecord: Error, Sendable, Hashable {
    /// Lines between the start of the record and the fault.
    public var line: Int
    /// Field, in the format's words: `column 3 (price)`, `field items[2].price`. nil = the whole record.
    public var field: String?
    /// Finding and expectation.
    public var problem: String
    /// Bytes and lines to skip before reading on.
    public var skip: (bytes: Int, lines: Int)

    public init(line: Int = 0, field: String? = nil, problem: String, skip: (bytes: Int, lines: Int)) {
        self.line = line
        self.field = field
        self.problem = problem
        self.skip = skip
    }

    public static func == (left: BadRecord, right: BadRecord) -> Bool {
        left.line == right.line && left.field == right.field && left.problem == right.problem && left.skip == right.skip
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(problem)
        hasher.combine(skip.bytes)
    }
}

/// Treatment of unreadable records.
public enum BadRecordPolicy: Sendable {
    /// Fail the job at the first one, with an error that names its position.
    case fail
    /// Skip and log them. The number per file is part of the checkpoint.
    case skip(BadRecordLog)
}

/// Log of the records skipped since the start of the process: their number, and the positions of the first. One that is read again after a restart
/// counts again.
public final class BadRecordLog: Sendable {
    private let state = Mutex<(count: UInt64, first: [String])>((0, []))
    private let limit: Int

    /// - Parameter limit: maximum number of messages kept.
    public init(limit: Int = 20) { self.limit = limit }

    public var count: UInt64 { state.withLock { $0.count } }
    public var first: [String] { state.withLock { $0.first } }

    func add(_ message: String) {
        state.withLock { state in
            state.count += 1
            if state.first.count < limit { state.first.append(message) }
        }
    }
}
