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
    /// What a restore does with the splits of a checkpoint.
    var splitSharing: SplitSharing { get }
    /// What the source can promise after a restart; names it on screens when that is not everything.
    var guarantee: SourceGuarantee { get }
    func makeReader(subtask: Int, parallelism: Int) throws -> Reader
    /// For sources that need threads or chance of the engine's host.
    func makeReader(subtask: Int, parallelism: Int, host: any EngineHost) throws -> Reader
}

extension Source {
    public var splitSharing: SplitSharing { .dealtOut }
    public var guarantee: SourceGuarantee { .exactlyOnce }
    @inlinable
    public func makeReader(subtask: Int, parallelism: Int, host: any EngineHost) throws -> Reader {
        try makeReader(subtask: subtask, parallelism: parallelism)
    }
}

/// Who gets which splits of a restored checkpoint.
public enum SplitSharing: Sendable, Hashable {
    /// At the same parallelism every subtask its own, otherwise a run of all of them.
    case dealtOut
    /// Every subtask gets all of them, and keeps those that are its own by a rule of the source.
    case givenToAll
}

/// What a restart does to the records of a source.
public enum SourceGuarantee: Sendable, Hashable {
    /// It reads on from the checkpointed place: nothing is lost, nothing counted twice.
    case exactlyOnce
    /// Records cannot be read again: those between the checkpoint and the restart are lost.
    case atMostOnce
}

/// Reads its share of the input. Its place in the input is a list of splits, which are checkpointed and, when the parallelism changes,
/// dealt out anew. Used on one thread.
public protocol SourceReader<Element> {
    associatedtype Element: Sendable
    /// Asks for states besides the splits; once, before `restore` and the first `read`.
    mutating func open(_ states: OperatorStates) throws
    /// Once, on the subtask's thread, after `restore` and before the first `read` and the first checkpoint: what there is to read is found
    /// out here, so that every checkpoint knows it.
    mutating func start(at now: EngineInstant) throws
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
    @inlinable public mutating func start(at now: EngineInstant) throws {}
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
        let count = min(wanted, Int(clamping: max(0, due)))
        passed += Double(count)
        let next = max(Double(1) / perSecond, 0.01)
        return (count, EngineInstant(nanoseconds: now.nanoseconds + Int64(clamping: min(next, 1) * 1e9)))
    }
}
