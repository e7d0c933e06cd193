public import StreamModel

/// What a reader has to say after one step.
public enum SourceStatus: Sendable {
    /// There may be more at once.
    case more
    /// Nothing until then (nil: until something else wakes the subtask).
    case waiting(until: EngineInstant?)
    /// The input has ended for good.
    case ended
}

/// A source: makes one reader a subtask.
public protocol Source: Sendable {
    associatedtype Reader: SourceReader
    /// Names the encoding of a split in checkpoints.
    static var splitType: String { get }
    func makeReader(subtask: Int, parallelism: Int) throws -> Reader
}

/// Reads its share of the input. Its place in the input is a list of splits, which are checkpointed and, when the parallelism changes,
/// dealt out anew. Used on one thread.
public protocol SourceReader<Element> {
    associatedtype Element: Sendable
    /// Asks for states besides the splits; once, before `restore` and the first `read`.
    mutating func open(_ states: OperatorStates) throws
    /// Emits at most about a batch and returns.
    mutating func read(into out: Emitter<Element>, at now: EngineInstant) throws -> SourceStatus
    /// The splits with their offsets as of now.
    func splits() -> [[UInt8]]
    /// Replaces the reader's splits. Called before the first `read` when the job starts from a snapshot.
    mutating func restore(_ splits: [[UInt8]]) throws
    /// Records read from these splits since the beginning, over all restarts.
    var position: UInt64 { get }
    /// How much of a bounded input has been read; nil = unbounded.
    var progress: InputProgress? { get }
}

extension SourceReader {
    @inlinable public mutating func open(_ states: OperatorStates) throws {}
}

/// How much of a bounded input a reader has behind it, in a unit of the source's choice (bytes, records): summed over the subtasks.
public struct InputProgress: Sendable, Equatable {
    public var read: UInt64
    public var total: UInt64
    public init(read: UInt64, total: UInt64) { (self.read, self.total) = (read, total) }
}

/// Lets at most so many records a second through; nil = any number. Counts from the first call.
struct RateLimiter {
    private let perSecond: Double?
    private var start: EngineInstant?
    private var passed: Double = 0

    init(perSecond: Double?) { self.perSecond = perSecond }

    /// How many of `wanted` may pass now, and when to ask again if none may.
    mutating func grant(_ wanted: Int, at now: EngineInstant) -> (count: Int, retryAt: EngineInstant) {
        guard let perSecond else { return (wanted, now) }
        let start = self.start ?? now
        self.start = start
        let due = Double(now.nanoseconds - start.nanoseconds) * 1e-9 * perSecond - passed
        // A reader that was held up does not make up for more than a second of it.
        if due > perSecond { passed += due - perSecond }
        let count = min(wanted, Int(max(0, due)))
        passed += Double(count)
        let next = max(Double(1) / perSecond, 0.01)
        return (count, EngineInstant(nanoseconds: now.nanoseconds + Int64(min(next, 1) * 1e9)))
    }
}
