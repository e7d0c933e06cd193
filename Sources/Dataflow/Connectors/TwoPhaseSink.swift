public import CheckpointStore
public import StreamModel

/// A sink whose output becomes visible exactly once, in two phases. The contract is the article <doc:Connectors>; `ConnectorConformance`
/// checks it.
///
/// A writer in every subtask collects the records between two barriers. At a barrier it gives up what it has as *committables*: small
/// descriptions of output that is durable and not visible. They become part of the checkpoint. Once the checkpoint is durable, `commit`
/// makes them visible; after a restart it is called again with all that the restored checkpoint lists.
public protocol TwoPhaseSink<Element>: Sendable {
    associatedtype Element: Sendable
    /// What `prepare` tells the writers of an attempt.
    associatedtype Shared: Sendable
    associatedtype Writer: TwoPhaseWriter where Writer.Element == Element

    /// Names the encoding of the committables in checkpoints.
    static var committableType: String { get }
    /// Names the encoding of the sink's own state in checkpoints; nil = it has none.
    static var stateType: String? { get }

    /// Before the first attempt of the job, once: makes the sink's place the job's own, until the job has ended. An error, which should be
    /// `JobError.outputOwned`, refuses the launch when another owns the place; nothing of the other's may have been touched then. A sink
    /// that cannot tell who is alive takes the place and lets the ownership's `check` fail for the one before. The default owns nothing: two
    /// jobs at one place are not kept apart. On the thread that launches the job, or the job's.
    func claim(_ claim: SinkClaim) throws -> OutputOwnership
    /// Before an attempt of the job, once: gives up what earlier attempts began and `preparation.uncommitted` does not list. What is listed
    /// is committed next. May be repeated after a crash. Begins with `preparation.ownership.check()`. On the job's thread; an error fails
    /// the attempt.
    func prepare(_ preparation: SinkPreparation) throws -> Shared
    /// On the job's thread, before the subtasks run.
    func makeWriter(_ subtask: SinkSubtask, _ shared: Shared) throws -> Writer
    /// Makes the output of these committables visible and durable. They may have been committed before, all or some of them: that is no
    /// error and changes nothing. One that is unknown, of another sink, or whose output is gone **is an error**: it must never be taken
    /// for one that was committed. `context.ownership.check()` comes right before anything is made visible. On the job's file worker, or,
    /// before an attempt, on the job's thread; never twice at a time.
    func commit(_ committables: [Committable], _ context: CommitContext) throws
    /// What of the job's output is visible, from what lies at the sink's place. A recovery that finds its newest checkpoint damaged asks it
    /// and never goes back further by itself. The default, `unknown`, counts as everything that any checkpoint completed. On the thread that
    /// launches the job, or the job's; an error stops the recovery, which is tried again.
    func published(_ inquiry: SinkInquiry) throws -> PublishedOutput
}

extension TwoPhaseSink {
    public static var stateType: String? { nil }
    public func claim(_ claim: SinkClaim) throws -> OutputOwnership { .none }
    public func published(_ inquiry: SinkInquiry) throws -> PublishedOutput { .unknown }
}

/// What of a job's output a sink has made visible.
public enum PublishedOutput: Sendable, Hashable {
    case none
    /// The newest: no snapshot from this checkpoint on lacks a record that is visible.
    case upTo(CheckpointID)
    case unknown
}

/// What a sink is told when it is asked what it has published.
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
    /// The records stay the caller's. An error fails the task; the attempt is over.
    mutating func write(_ records: UnsafeMutableBufferPointer<Element>) throws
    /// A barrier: everything that was written since the last one is given up; what is written from now on belongs to the next checkpoint.
    /// The engine lists it in this checkpoint, and in later ones until one is complete.
    mutating func prepareCommit(at checkpoint: CheckpointID) throws -> [PreparedOutput]
    /// The sink's own state as of this barrier, the same in every subtask; a restart gives it to `prepare`. Called after `prepareCommit`.
    func state(at checkpoint: CheckpointID) -> [[UInt8]]
    /// Everything up to this checkpoint was committed.
    mutating func committed(_ checkpoint: CheckpointID)
    /// Once, last, whatever happened. What was not prepared is not output.
    mutating func close()
}

extension TwoPhaseWriter {
    public func state(at checkpoint: CheckpointID) -> [[UInt8]] { [] }
    public mutating func committed(_ checkpoint: CheckpointID) {}
    public mutating func close() {}
}

/// Output that a writer gave up at a barrier, on its way to being durable.
public struct PreparedOutput: Sendable {
    @usableFromInline let makeDurable: @Sendable () throws -> [[UInt8]]

    /// Payloads of committables whose output is durable already.
    public init(_ payloads: [[UInt8]]) { makeDurable = { payloads } }

    /// - Parameter makeDurable: called at most once, on the job's file worker. Its failure is final: the task fails, and a new attempt
    ///   writes the records again.
    public init(makeDurable: @escaping @Sendable () throws -> [[UInt8]]) { self.makeDurable = makeDurable }

    /// Makes it durable, as the job's file worker does: at most once.
    public func payloads() throws -> [[UInt8]] { try makeDurable() }
}

/// Who the job is, for file names and records.
public struct JobIdentity: Sendable {
    public let id: JobID
    /// The first submission of the line of restarts that this one continues.
    public let lineage: JobID
    public let name: String

    public init(id: JobID, lineage: JobID, name: String) {
        self.id = id
        self.lineage = lineage
        self.name = name
    }
}

/// What a sink is told before an attempt starts.
public struct SinkPreparation: Sendable {
    public let uid: String
    public let job: JobIdentity
    /// The sink's state in the restored checkpoint; empty = the job starts from the beginning.
    public let state: [[UInt8]]
    /// The number that the attempt's first checkpoint will have at the least.
    public let nextCheckpoint: CheckpointID
    /// What the restored checkpoint lists of this sink. It is committed after the preparation.
    public let uncommitted: [Committable]
    public let host: any EngineHost
    /// What `claim` returned.
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

/// Where a sink's writer runs.
public struct SinkSubtask: Sendable {
    public let uid: String
    /// 0 ..< parallelism.
    public let index: Int
    public let parallelism: Int
    /// Rises with every execution of the job, also over restarts of the engine.
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

/// Why a sink is asked to commit.
public struct CommitContext: Sendable {
    public let uid: String
    /// The complete checkpoint that lists the committables.
    public let checkpoint: CheckpointID
    /// The first commit after a restart: what an earlier process did is not known.
    public let isRecovery: Bool
    public let host: any EngineHost
    /// What `claim` returned.
    public let ownership: OutputOwnership

    public init(uid: String, checkpoint: CheckpointID, isRecovery: Bool, host: any EngineHost, ownership: OutputOwnership = .none) {
        self.ownership = ownership
        self.uid = uid
        self.checkpoint = checkpoint
        self.isRecovery = isRecovery
        self.host = host
    }
}
