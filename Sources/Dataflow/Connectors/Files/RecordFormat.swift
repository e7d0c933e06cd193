internal import Synchronization

/// How the bytes of a file are records: lines, rows, JSON. Pure: knows no file and no clock.
public protocol RecordFormat<Record>: Sendable {
    associatedtype Record: Sendable
    associatedtype Parser: RecordParser where Parser.Record == Record
    /// What a record is called in messages: "line", "row".
    static var recordName: String { get }
    /// Files begin with something that is no record and that every reader of the file has to know.
    static var hasHeader: Bool { get }
    /// One for every file.
    func makeParser() -> Parser
}

extension RecordFormat {
    @inlinable public static var hasHeader: Bool { false }
}

/// Cuts the bytes of one file into records. Where the bytes are cut into pieces makes no difference.
public protocol RecordParser<Record> {
    associatedtype Record
    /// Reads the header from the start of a file, where the format has one.
    /// - Returns: its length in bytes and in lines, nil when it is not all there. Bytes that are not all there are given again, with more.
    mutating func parseHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)?
    /// Emits the records at the start of `bytes`, at most `limit`, and says in `progress` how far it came. Bytes that it did not get through
    /// are given again, with more behind them. An error is about what lies behind `progress`.
    /// - Parameter isAtEnd: nothing follows `bytes`.
    mutating func parse(
        _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, limit: Int, into out: Emitter<Record>, progress: inout ParseProgress
    ) throws(BadRecord)
}

extension RecordParser {
    @inlinable
    public mutating func parseHeader(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool) throws(BadRecord) -> (bytes: Int, lines: Int)? { (0, 0) }
}

/// How far a parser came.
public struct ParseProgress: Sendable, Hashable {
    public var bytes = 0
    public var lines = 0
    public var records = 0
    @inlinable public init() {}
}

/// A record that cannot be read: where in it, and why.
public struct BadRecord: Error, Sendable, Hashable {
    /// Lines between the start of the record and the fault.
    public var line: Int
    /// Which field, in the format's words: `column 3 (price)`, `field items[2].price`. nil = the record as a whole.
    public var field: String?
    /// What was found and what was expected.
    public var problem: String
    /// The bytes and lines after which reading can go on.
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

/// What becomes of records that cannot be read.
public enum BadRecordPolicy: Sendable {
    /// The first one fails the job, with an error that names the place.
    case fail
    /// They are left out, and counted in the log. How many a file had is a part of the checkpoint.
    case skip(BadRecordLog)
}

/// The records that were left out since the process started: how many, and the places of the first. One that is read again after a restart
/// counts again.
public final class BadRecordLog: Sendable {
    private let state = Mutex<(count: UInt64, first: [String])>((0, []))
    private let limit: Int

    /// - Parameter limit: so many messages are kept.
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
