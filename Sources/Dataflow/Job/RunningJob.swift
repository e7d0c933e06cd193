public import StreamModel
internal import CheckpointCore
public import CheckpointStore
internal import Synchronization

/// All data needed to start a job.
public struct JobLaunch: Sendable {
    public var id: JobID
    /// First submission of the lineage; its own id for a new job.
    public var lineage: JobID
    public var name: String
    public var job: any StreamJob
    public var parallelism: Int
    public var recipe: JobRecipe?
    /// Snapshot to start from.
    public var restore: RestoreRequest?
    /// Whether the job ran before under this id (the engine was killed): it continues from its newest restorable checkpoint.
    public var recovers = false
    public var submittedAt: WallTime
    /// Root for the checkpoints of a job without directory.
    public var storageRoot: String
    /// Checkpoints known from earlier runs under this id, oldest first; savepoints among them are found for recovery.
    public var history: [CheckpointReport] = []
    /// Further directories, in addition to its own, where a recovery looks for savepoints unknown to `history`.
    public var savepointDirectories: [String] = []
    /// Number of attempts before this launch.
    public var previousAttempts = 0
    /// Records read by the sources at the end of the previous execution; nil = unknown. For counting the replay.
    public var previousPosition: UInt64?
    /// Machine of the job.
    public var host: any EngineHost = MachineHost()
    /// Called on the job's thread with the report of the imminent terminal state, before it is published and before retention deletes anything:
    /// make it durable. When it throws, the job stays as it is, keeps its checkpoints, and retries every second.
    public var onTerminal: @Sendable (JobReport) throws -> Void = { _ in }

    public init(
        id: JobID, lineage: JobID? = nil, name: String? = nil, job: any StreamJob, parallelism: Int, storageRoot: String, submittedAt: WallTime
    ) {
        self.id = id
        self.lineage = lineage ?? id
        self.name = name ?? job.name
        self.job = job
        self.parallelism = parallelism
        self.storageRoot = storageRoot
        self.submittedAt = submittedAt
    }
}

/// A snapshot chosen by an operator.
public struct RestoreRequest: Sendable, Equatable {
    public var path: String
    public var claim: RestartOptions.Claim
    public var allowsUnmatchedState: Bool

    public init(path: String, claim: RestartOptions.Claim = .noClaim, allowsUnmatchedState: Bool = false) {
        self.path = path
        self.claim = claim
        self.allowsUnmatchedState = allowsUnmatchedState
    }
}

/// A launched job, until it ends. Safe from any thread: requests go to the job's own thread, reports come from its last published state.
public final class RunningJob: Sendable {
    public let id: JobID
    private let master: JobMaster

    private init(id: JobID, master: JobMaster) {
        self.id = id
        self.master = master
    }

    /// Builds the graph, checks the parameters, verifies the snapshot to start from and starts the job's thread. Throws `JobError` if one of these
    /// fails, or another job owns the place of a sink (`outputOwned`); it leaves no trace then. Calls `onChange` on the job's thread whenever the
    /// report changed.
    public static func launch(_ launch: JobLaunch, onChange: @escaping @Sendable (RunningJob) -> Void) throws -> RunningJob {
        do {
            let blueprint = try JobBlueprint(launch)
            do {
                var outputs = try OutputClaims(blueprint)
                do {
                    let master = try JobMaster(blueprint, outputs: outputs)
                    let job = RunningJob(id: launch.id, master: master)
                    try master.start { onChange(job) }
                    return job
                } catch {
                    outputs.release()
                    throw error
                }
            } catch {
                blueprint.directory.close()
                throw error
            }
        } catch {
            launch.host.tablesAreFilled()
            throw error
        }
    }

    /// Throws like `launch` if the job, as built now, cannot take the state of its snapshot. Checks only the manifest, before anything is ended for
    /// it; the files and an output elsewhere may still refuse.
    public static func check(_ launch: JobLaunch, against manifest: CheckpointManifest, at path: String) throws {
        try JobBlueprint.check(launch, against: manifest, at: path)
    }

    public func report() -> JobReport { master.published.withLock { $0.report } }

    /// Whether the job's threads are gone, the retention is applied and its directory is free for others. Later than a terminal state.
    public var hasEnded: Bool { master.published.withLock { $0.hasEnded } }

    /// Checkpoints, newest first.
    public func checkpoints(limit: Int) -> [CheckpointReport] { master.published.withLock { Array($0.history.suffix(limit).reversed()) } }

    /// Row of a checkpoint, with detail per operator.
    public func checkpoint(_ id: CheckpointID) -> CheckpointReport? {
        master.published.withLock { state in state.details[id] ?? state.history.last { $0.id == id } }
    }

    /// Failures, newest first.
    public func failures() -> [FailureReport] { master.published.withLock { $0.failures.reversed() } }

    /// Records read by the sources since the beginning of the lineage.
    public func sourcePosition() -> UInt64 { master.published.withLock { $0.position } }

    public typealias CheckpointCompletion = @Sendable (Result<CheckpointReport, JobError>) -> Void

    public func savepoint(
        directory: String?, by: String, started: @escaping @Sendable (CheckpointID) -> Void, completion: @escaping CheckpointCompletion
    ) {
        master.post(.request(CheckpointRequest(kind: .savepoint, directory: directory, by: by, started: started, completion: completion)))
    }

    public func checkpointNow(by: String, started: @escaping @Sendable (CheckpointID) -> Void, completion: @escaping CheckpointCompletion) {
        master.post(.request(CheckpointRequest(kind: .checkpoint, directory: nil, by: by, started: started, completion: completion)))
    }

    /// Takes a savepoint and finishes in one step: no record is processed after the savepoint. Completes when the job has FINISHED.
    public func stop(
        drain: Bool, directory: String?, by: String, started: @escaping @Sendable (CheckpointID) -> Void,
        completion: @escaping CheckpointCompletion
    ) {
        var request = CheckpointRequest(kind: .synchronousSavepoint, directory: directory, by: by, started: started, completion: completion)
        request.drains = drain
        master.post(.request(request))
    }

    /// Cancels the job. Completes when it is CANCELED and the retention is applied.
    public func cancel(_ retention: CancelRetention, completion: @escaping @Sendable (Result<JobReport, JobError>) -> Void) {
        master.post(.cancel(retention, completion))
    }

    public func fault(_ spec: String) throws(JobError) { try master.faults.apply(spec, jobName: report().name) }

    /// Ends the job's threads and leaves everything on disk: the engine is shutting down, and the job resumes at its next start.
    public func suspend(completion: @escaping @Sendable (Result<JobReport, JobError>) -> Void) { master.post(.suspend(completion)) }
}

/// A user's unanswered request for a checkpoint or savepoint.
struct CheckpointRequest: Sendable {
    var kind: CheckpointKind
    var directory: String?
    var by: String
    var drains = false
    var started: @Sendable (CheckpointID) -> Void
    var completion: RunningJob.CheckpointCompletion
}
