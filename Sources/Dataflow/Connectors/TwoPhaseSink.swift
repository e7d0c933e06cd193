public import CheckpointStore
public import StreamModel

/// A sink with exactly-once output in two phases. The contract is the article <doc:Connectors>; `ConnectorConformance` checks it.
///
/// A writer in every subtask collects the records between two barriers. It hands them over at a barrier as *committables*: small descriptions of
/// output that is durable but not visible. They become part of the checkpoint. `commit` makes them visible once the checkpoint is durable; after a
/// restart it is called again with all committables that the restored checkpoint lists.
public protocol TwoPhaseSink<Element>: Sendable {
    associatedtype Element: Sendable
    /// Value passed by `prepare` to the writers of an attempt.
    associatedtype Shared: Sendable
    associatedtype Writer: TwoPhaseWriter where Writer.Element == Element

    /// Name of the encoding of the committables in checkpoints.
    static var committableType: String { get }
    /// Name of the encoding of the sink's own state in checkpoints; nil = it has none.
    static var stateType: String? { get }

    /// Claims the sink's place for the job until its end, once, before the first attempt. An error, normally `JobError.outputOwned`, refuses the
    /// launch when another owns the place, whose output must be untouched. A sink that cannot tell who is alive takes the place, and the `check` of
    /// the previous owner fails. The default owns nothing: two jobs at one place are not kept apart. Called on the thread that launches the job, or
    /// the job's.
    func claim(_ claim: SinkClaim) throws -> OutputOwnership
    /// Discards output of earlier attempts that `preparation.uncommitted` does not list, once before each attempt. The listed output is committed
    /// next. May be repeated after a crash. Begins with `preparation.ownership.check()`. Called on the job's thread; an error fails the attempt.
    func prepare(_ preparation: SinkPreparation) throws -> Shared
    /// Makes a writer, on the job's thread, before the subtasks run.
    func makeWriter(_ subtask: SinkSubtask, _ shared: Shared) throws -> Writer
    /// Makes the output of these committables visible and durable. Some or all may have been committed before: that is no error and has no effect.
    /// A committable that is unknown, of another sink, or without its output **is an error**: it must never be taken for a committed one.
    /// `context.ownership.check()` comes right before anything is made visible. Called on the job's file worker or, before an attempt, on the job's
    /// thread; never concurrently.
    func commit(_ committables: [Committable], _ context: CommitContext) throws
    /// Finds the job's visible output at the sink's place. A recovery with a damaged newest checkpoint queries it and never goes back further
    /// automatically. The default, `unknown`, counts as the output of every completed checkpoint. Called on the thread that launches the job, or the
    /// job's; an error stops the recovery, which is retried.
    func published(_ inquiry: SinkInquiry) throws -> PublishedOutput
}

extension TwoPhaseSink {
    public static var stateType: String? { nil }
    public func claim(_ claim: SinkClaim) throws -> OutputOwnership { .none }
    public func published(_ inquiry: SinkInquiry) throws -> PublishedOutput { .unknown }
}

/// Extent of a job's output made visible by a sink.
public enum PublishedOutput: Sendable, Hashable {
    case none
    /// The newest checkpoint: no snapshot from it on lacks a visible record.
    case upTo(CheckpointID)
    case unknown
}

/// A query to a sink for its published output.
public struct SinkInquiry: Sendable {
    public let uid: String
    public let job: JobID
    public let host: any EngineHost

    public init(uid: String, job: JobID, host: any EngineHost) {
        self.uid = uid
        self.job = job
        self.host = host
    }
}

extension TwoPhaseSink where Shared == Void {
    public func prepare(_ preparation: SinkPreparation) throws {}
}

/// Writes the records of one subtask. Used on the subtask's thread.
public protocol TwoPhaseWriter<Element> {
    associatedtype Element
    /// Writes records, which remain the caller's. An error fails the task and ends the attempt.
    mutating func write(_ records: UnsafeMutableBufferPointer<Element>) throws
    /// Hands over everything written since the last barrier; later records belong to the next checkpoint. The engine lists it in this checkpoint,
    /// and in later ones until one is complete.
    mutating func prepareCommit(at checkpoint: CheckpointID) throws -> [PreparedOutput]
    /// The sink's own state at this barrier, the same in every subtask; a restart passes it to `prepare`. Called after `prepareCommit`.
    func state(at checkpoint: CheckpointID) -> [[UInt8]]
    /// Notes that everything up to this checkpoint was committed.
    mutating func committed(_ checkpoint: CheckpointID)
    /// Closes the writer, once, as the last call in any case. Unprepared records are no output.
    mutating func close()
}

extension TwoPhaseWriter {
    public func state(at checkpoint: CheckpointID) -> [[UInt8]] { [] }
    public mutating func committed(_ checkpoint: CheckpointID) {}
    public mutating func close() {}
}

/// Output handed over by a writer at a barrier, about to become durable.
public struct PreparedOutput: Sendable {
    @usableFromInline let makeDurable: @Sendable () throws -> [[UInt8]]

    /// Creates it from payloads of committables whose output is already durable.
    public init(_ payloads: [[UInt8]]) { makeDurable = { payloads } }

    /// - Parameter makeDurable: called at most once, on the job's file worker. Its failure is final: the task fails, and a new attempt writes the
    ///   records again.
    public init(makeDurable: @escaping @Sendable () throws -> [[UInt8]]) { self.makeDurable = makeDurable }

    /// Makes it durable, as the job's file worker does, at most once.
    public func payloads() throws -> [[UInt8]] { try makeDurable() }
}

/// The identity of a job, for file names and records.
public struct JobIdentity: Sendable {
    public let id: JobID
    /// First submission of the lineage.
    public let lineage: JobID
    public let name: String

    public init(id: JobID, lineage: JobID, name: String) {
        self.id = id
        self.lineage = lineage
        self.name = name
    }
}

/// Information for a sink before an attempt.
public struct SinkPreparation: Sendable {
    public let uid: String
    public let job: JobIdentity
    /// The sink's state in the restored checkpoint; empty = the job starts from the beginning.
    public let state: [[UInt8]]
    /// Lower bound of the number of the attempt's first checkpoint.
    public let nextCheckpoint: CheckpointID
    /// Committables of this sink in the restored checkpoint, committed after the preparation.
    public let uncommitted: [Committable]
    public let host: any EngineHost
    /// Result of `claim`.
    public let ownership: OutputOwnership

    public init(
        uid: String, job: JobIdentity, state: [[UInt8]], nextCheckpoint: CheckpointID, uncommitted: [Committable], host: any EngineHost,
        ownership: OutputOwnership = .none
    ) {
        self.ownership = ownership
        self.uid = uid
        self.job = job
        self.state = state
        self.nextCheckpoint = nextCheckpoint
        self.uncommitted = uncommitted
        self.host = host
    }
}

/// Location of a sink's writer.
public struct SinkSubtask: Sendable {
    public let uid: String
    /// Index in 0 ..< parallelism.
    public let index: Int
    public let parallelism: Int
    /// Number of the execution, which grows over restarts of the engine too.
    public let attempt: Int
    public let job: JobIdentity
    public let host: any EngineHost

    public init(uid: String, index: Int, parallelism: Int, attempt: Int, job: JobIdentity, host: any EngineHost) {
        self.uid = uid
        self.index = index
        self.parallelism = parallelism
        self.attempt = attempt
        self.job = job
        self.host = host
    }

    @usableFromInline
    init(_ site: OperatorSite) {
        self.init(
            uid: site.uid, index: site.context.index, parallelism: site.context.parallelism, attempt: site.attempt, job: site.context.job,
            host: site.context.host)
    }
}

/// Circumstances of a commit.
public struct CommitContext: Sendable {
    public let uid: String
    /// Complete checkpoint that lists the committables.
    public let checkpoint: CheckpointID
    /// Whether it is the first commit after a restart: the commits of an earlier process are unknown.
    public let isRecovery: Bool
    public let host: any EngineHost
    /// Result of `claim`.
    public let ownership: OutputOwnership

    public init(uid: String, checkpoint: CheckpointID, isRecovery: Bool, host: any EngineHost, ownership: OutputOwnership = .none) {
        self.ownership = ownership
        self.uid = uid
        self.checkpoint = checkpoint
        self.isRecovery = isRecovery
        self.host = host
    }
}
