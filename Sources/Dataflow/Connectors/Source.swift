public import StreamModel

/// Status of a reader after one step.
public enum SourceStatus: Sendable {
    /// More may be available now.
    case more
    /// Nothing until this time (nil: until another event wakes the subtask).
    case waiting(until: EngineInstant?)
    /// The input has ended for good.
    case ended
}

/// A source with one reader per subtask.
public protocol Source: Sendable {
    associatedtype Reader: SourceReader
    /// Name of the encoding of a split in checkpoints.
    static var splitType: String { get }
    /// Distribution of a checkpoint's splits on restore.
    var splitSharing: SplitSharing { get }
    /// Guarantee of the source after a restart; screens show one weaker than exactly-once.
    var guarantee: SourceGuarantee { get }
    func makeReader(subtask: Int, parallelism: Int) throws -> Reader
    /// Makes a reader that needs threads or randomness of the engine's host.
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

/// Assignment of the splits of a restored checkpoint.
public enum SplitSharing: Sendable, Hashable {
    /// Every subtask its own at the same parallelism, otherwise a contiguous run.
    case dealtOut
    /// Every subtask gets all of them, and keeps its own by a rule of the source.
    case givenToAll
}

/// Effect of a restart on the records of a source.
public enum SourceGuarantee: Sendable, Hashable {
    /// Reading continues from the checkpointed offset: nothing is lost, nothing counted twice.
    case exactlyOnce
    /// Records cannot be read again: those between the checkpoint and the restart are lost.
    case atMostOnce
}

/// Reads a share of the input. Its position is a list of splits, which are checkpointed and, when the parallelism changes, redistributed. Used on one
/// thread.
public protocol SourceReader<Element> {
    associatedtype Element: Sendable
    /// Obtains states in addition to the splits; once, before `restore` and the first `read`.
    mutating func open(_ states: OperatorStates) throws
    /// Determines the extent of the input, so that every checkpoint knows it. Called once, on the subtask's thread, after `restore` and before the
    /// first `read` and the first checkpoint.
    mutating func start(at now: EngineInstant) throws
    /// Emits at most about one batch and returns.
    mutating func read(into out: Emitter<Element>, at now: EngineInstant) throws -> SourceStatus
    /// Present splits with their offsets.
    func splits() -> [[UInt8]]
    /// Replaces the reader's splits. Called before the first `read` when the job starts from a snapshot.
    mutating func restore(_ splits: [[UInt8]]) throws
    /// Number of records read from these splits since the beginning, over all restarts.
    var position: UInt64 { get }
    /// Progress in a bounded input; nil = unbounded.
    var progress: InputProgress? { get }
}

extension SourceReader {
    @inlinable public mutating func open(_ states: OperatorStates) throws {}
    @inlinable public mutating func start(at now: EngineInstant) throws {}
}

/// A reader's progress in a bounded input, in a unit of the source's choice (bytes, records): summed over the subtasks.
public struct InputProgress: Sendable, Equatable {
    public var read: UInt64
    public var total: UInt64
    public init(read: UInt64, total: UInt64) { (self.read, self.total) = (read, total) }
}

/// Limits the records per second; nil = unlimited. Counts from the first call.
struct RateLimiter {
    private let perSecond: Double?
    private var start: EngineInstant?
    private var passed: Double = 0

    init(perSecond: Double?) { self.perSecond = perSecond }

    /// Number of records of `wanted` that may pass now, and the next time to ask if none may.
    mutating func grant(_ wanted: Int, at now: EngineInstant) -> (count: Int, retryAt: EngineInstant) {
        guard let perSecond else { return (wanted, now) }
        let start = self.start ?? now
        self.start = start
        let due = Double(now.nanoseconds - start.nanoseconds) * 1e-9 * perSecond - passed
        // A reader that was delayed catches up by at most a second.
        if due > perSecond { passed += due - perSecond }
        let count = min(wanted, Int(clamping: max(0, due)))
        passed += Double(count)
        let next = max(Double(1) / perSecond, 0.01)
        return (count, EngineInstant(nanoseconds: now.nanoseconds + Int64(clamping: min(next, 1) * 1e9)))
    }
}
