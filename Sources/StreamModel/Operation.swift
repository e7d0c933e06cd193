/// One asynchronous request of an operator, as sent.
public struct OperationRequest: Codable, Sendable, Equatable {
    public enum Kind: Codable, Sendable, Equatable {
        /// Take a savepoint and keep running.
        case savepoint(directory: String?)
        /// Take a checkpoint now.
        case checkpoint
        /// Take a savepoint and finish, in one atomic step. `drain` emits the end of input first.
        case stop(drain: Bool, directory: String?)
        case cancel(CancelRetention)
        /// Launch the job again from a checkpoint. The job must have ended (or this request ends it, with `cancelFirst`).
        case restart(RestartOptions)
        /// Launch a new job on a Flink cluster. `OperationRequest.job` is its id.
        case launch(RestartOptions)
        /// Delete a savepoint or a retained checkpoint with its files, on a Flink cluster.
        case dispose(path: String)
        /// Send a jar file to a Flink cluster. `OperationRequest.job` is `.none`.
        case uploadJar(file: String)
        /// Delete a jar from a Flink cluster. `OperationRequest.job` is `.none`.
        case deleteJar(id: String)
        /// Inject a fault (demo jobs only): "slow 5s", "fail 3", "sync-fail 1", "stall", "crash", "crash-loop 5s", "off".
        case fault(String)
    }
    public var id: OperationID
    public var kind: Kind
    public var job: JobID
    /// Job state that the client expects; the engine refuses in any other. nil = no check.
    public var expectedState: JobState?
    public var reason: String
    /// Author of the request, for the record: "user@host".
    public var by: String

    public init(id: OperationID, kind: Kind, job: JobID, expectedState: JobState? = nil, reason: String = "", by: String = "") {
        self.id = id
        self.kind = kind
        self.job = job
        self.expectedState = expectedState
        self.reason = reason
        self.by = by
    }
}

/// Encoding on the wire and in files: {"verb":"cancel","retention":"keep"}, with the verb and field names of the control protocol.
extension OperationRequest.Kind {
    private enum Key: String, CodingKey { case verb, directory, drain, retention, options, path, file, jar, spec }
    /// Key of older records, which encode a launch without a snapshot as a restart that begins empty.
    private enum FormerKey: String, CodingKey { case empty }

    /// Verb on the wire, in files and in records.
    public var verb: String {
        switch self {
        case .savepoint: "savepoint"
        case .checkpoint: "checkpoint_now"
        case .stop: "stop"
        case .cancel: "cancel"
        case .restart: "restart"
        case .launch: "launch"
        case .dispose: "dispose"
        case .uploadJar: "upload_jar"
        case .deleteJar: "delete_jar"
        case .fault: "fault"
        }
    }

    /// Launch of a new job; nil = none.
    public var launch: RestartOptions? {
        switch self {
        case .restart(let options), .launch(let options): options
        case .savepoint, .checkpoint, .stop, .cancel, .dispose, .uploadJar, .deleteJar, .fault: nil
        }
    }

    /// Whether it is about the cluster itself and none of its jobs. A snapshot may be disposed of without naming its job.
    public var isOfCluster: Bool {
        switch self {
        case .dispose, .uploadJar, .deleteJar: true
        case .savepoint, .checkpoint, .stop, .cancel, .restart, .launch, .fault: false
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        switch try container.decode(String.self, forKey: .verb) {
        case "savepoint": self = .savepoint(directory: try container.decodeIfPresent(String.self, forKey: .directory))
        case "checkpoint_now": self = .checkpoint
        case "stop":
            self = .stop(
                drain: try container.decode(Bool.self, forKey: .drain), directory: try container.decodeIfPresent(String.self, forKey: .directory))
        case "cancel": self = .cancel(try container.decode(CancelRetention.self, forKey: .retention))
        case "restart":
            let options = try container.decode(RestartOptions.self, forKey: .options)
            let former = try container.nestedContainer(keyedBy: FormerKey.self, forKey: .options)
            self = try former.decodeIfPresent(Bool.self, forKey: .empty) == true ? .launch(options) : .restart(options)
        case "launch": self = .launch(try container.decode(RestartOptions.self, forKey: .options))
        case "dispose": self = .dispose(path: try container.decode(String.self, forKey: .path))
        case "upload_jar": self = .uploadJar(file: try container.decode(String.self, forKey: .file))
        case "delete_jar": self = .deleteJar(id: try container.decode(String.self, forKey: .jar))
        case "fault": self = .fault(try container.decode(String.self, forKey: .spec))
        case let other:
            throw DecodingError.dataCorruptedError(forKey: .verb, in: container, debugDescription: "unknown operation '\(other)'")
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(verb, forKey: .verb)
        switch self {
        case .savepoint(let directory): try container.encodeIfPresent(directory, forKey: .directory)
        case .checkpoint: break
        case .stop(let drain, let directory):
            try container.encode(drain, forKey: .drain)
            try container.encodeIfPresent(directory, forKey: .directory)
        case .cancel(let retention): try container.encode(retention, forKey: .retention)
        case .restart(let options), .launch(let options): try container.encode(options, forKey: .options)
        case .dispose(let path): try container.encode(path, forKey: .path)
        case .uploadJar(let file): try container.encode(file, forKey: .file)
        case .deleteJar(let id): try container.encode(id, forKey: .jar)
        case .fault(let spec): try container.encode(spec, forKey: .spec)
        }
    }
}

/// Treatment of completed checkpoints by a cancel.
public enum CancelRetention: String, Codable, Sendable {
    /// Follow the job's retention.
    case byPolicy
    /// Keep them regardless of the policy.
    case keep
    /// Delete them regardless of the policy.
    case discard

    /// Whether a cancel deletes the checkpoints of a job with this retention.
    public func discards(_ policy: CheckpointConfiguration.Retention) -> Bool {
        switch self {
        case .byPolicy: policy != .retainOnCancellation
        case .keep: false
        case .discard: true
        }
    }
}

/// Options for launching a job, by a restart or for the first time.
public struct RestartOptions: Codable, Sendable, Equatable {
    public enum Claim: String, Codable, Sendable {
        /// The snapshot stays the operator's; the new job never deletes it.
        case noClaim
        /// The new job owns the snapshot and deletes it once subsumed.
        case claim
    }
    /// Directory of the checkpoint or savepoint; nil = the job's newest restorable one, or no state for a new job.
    public var path: String?
    public var claim: Claim = .noClaim
    /// Whether to start although the checkpoint has state of a missing operator.
    public var allowsUnmatchedState = false
    /// Parallelism; nil = as recorded.
    public var parallelism: Int?
    /// Whether to end a running job first (keeping its checkpoints).
    public var cancelsFirst = false
    /// Recipe for the launch on a Flink cluster; nil = as recorded. Weir's own engine knows its programs.
    public var recipe: JarRecipe?

    public init(path: String? = nil) { self.path = path }

    private enum CodingKeys: String, CodingKey {
        case path = "from"
        case claim
        case allowsUnmatchedState = "allowUnmatched"
        case parallelism
        case cancelsFirst = "cancelFirst"
        case recipe
    }
}

/// An operation as reported by the engine. Survives its client.
public struct OperationReport: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        case accepted, running, completed, failed
        /// Its client ended between two of its steps. The rest is not done, and can be gone on with.
        case interrupted
        /// The engine ended during the operation and cannot determine the outcome.
        case unknown
        public var isTerminal: Bool { self != .accepted && self != .running }
    }
    public var request: OperationRequest
    public var jobName: String
    public var state: State
    public var acceptedAt: WallTime
    public var endedAt: WallTime?
    /// Checkpoint of the operation, once it has a number.
    public var checkpoint: CheckpointID?
    public var acknowledgedSubtasks: Int?
    public var totalSubtasks: Int?
    /// Path of the savepoint, or of the restored checkpoint.
    public var path: String?
    /// Job launched by a restart.
    public var newJob: JobID?
    /// Problem and remedy in one line.
    public var error: String?
    /// The engine's own name for later queries; nil = the operation's id.
    public var reference: String?
    /// Jar run by a launch on a Flink cluster, and whether it was uploaded or reused.
    public var jar: String?
    /// How far its client has come with it; nil = its client does not carry it out, or has sent nothing yet.
    public var step: OperationStep?
    /// What goes on now, as it was found by a look at it; nil = the state says it all.
    public var activity: String?
    /// Evidence for an outcome that the engine could not report; nil = the engine reported it.
    public var inference: String?
    /// Completed checkpoints that a cancel deleted; nil = it was none of its business.
    public var deletedCheckpoints: Int?
    /// Verdict that the proof of a restart has reached. It stays, whatever becomes of the job.
    public var verdict: RestartProof.Verdict?

    public init(
        request: OperationRequest, jobName: String, state: State, acceptedAt: WallTime, endedAt: WallTime? = nil, checkpoint: CheckpointID? = nil,
        acknowledgedSubtasks: Int? = nil, totalSubtasks: Int? = nil, path: String? = nil, newJob: JobID? = nil, error: String? = nil,
        reference: String? = nil, inference: String? = nil, jar: String? = nil
    ) {
        self.jar = jar
        self.request = request
        self.jobName = jobName
        self.state = state
        self.acceptedAt = acceptedAt
        self.endedAt = endedAt
        self.checkpoint = checkpoint
        self.acknowledgedSubtasks = acknowledgedSubtasks
        self.totalSubtasks = totalSubtasks
        self.path = path
        self.newJob = newJob
        self.error = error
        self.reference = reference
        self.inference = inference
    }
}

/// Result of reading a snapshot's manifest and files, before a restart is offered.
public struct SnapshotInspection: Codable, Sendable, Equatable {
    public enum Verdict: String, Codable, Sendable {
        case ok, damaged, missing, foreign
        /// On a file system not visible from here (`s3:`, another host): no problem is known.
        case unreachable
        /// In a later version of its format than can be read here: no problem is known.
        case unchecked
        /// In a version of its format that no engine restores any more.
        case abandoned
        /// In a version of its format that is later than the engine's own.
        case tooNew = "too new"

        /// Whether a restore may be tried.
        public var allowsRestore: Bool {
            switch self {
            case .ok, .unreachable, .unchecked: true
            case .damaged, .missing, .foreign, .abandoned, .tooNew: false
            }
        }
    }
    public var path: String
    public var verdict: Verdict
    /// Problem, naming the file; nil when ok.
    public var problem: String?
    public var checkpoint: CheckpointID?
    public var kind: CheckpointKind?
    public var job: JobID?
    public var jobName: String?
    /// Bytes read by a restore.
    public var stateSize: ByteCount?
    /// Bytes written by the snapshot itself; less than the state if it refers to files of older ones.
    public var checkpointedSize: ByteCount?
    public var completedAt: WallTime?
    public var maxParallelism: Int?
    public var operators: [String]
    /// Bound of the parallelism of a restored job; nil = no keyed state, or not known.
    public var keyedLimit: KeyedLimit?
    /// nil = not asked for.
    public var needs: Needs?

    /// The jobs that need the files of a snapshot to be deleted.
    public struct Needs: Codable, Sendable, Equatable {
        /// A line for each live job.
        public var jobs: [String]
        /// Why that cannot be told; nil = it can.
        public var problem: String?

        public init(jobs: [String], problem: String? = nil) { (self.jobs, self.problem) = (jobs, problem) }
    }

    /// An operator with keyed state, and the most subtasks that its key groups can be shared out to.
    public struct KeyedLimit: Codable, Sendable, Equatable {
        public var operatorName: String
        public var maxParallelism: Int

        public init(operatorName: String, maxParallelism: Int) { (self.operatorName, self.maxParallelism) = (operatorName, maxParallelism) }
    }

    public init(
        path: String, verdict: Verdict, problem: String? = nil, checkpoint: CheckpointID? = nil, kind: CheckpointKind? = nil, job: JobID? = nil,
        jobName: String? = nil, stateSize: ByteCount? = nil, checkpointedSize: ByteCount? = nil,
        completedAt: WallTime? = nil, maxParallelism: Int? = nil, operators: [String] = [], keyedLimit: KeyedLimit? = nil
    ) {
        self.path = path
        self.verdict = verdict
        self.problem = problem
        self.checkpoint = checkpoint
        self.kind = kind
        self.job = job
        self.jobName = jobName
        self.stateSize = stateSize
        self.checkpointedSize = checkpointedSize
        self.completedAt = completedAt
        self.maxParallelism = maxParallelism
        self.operators = operators
        self.keyedLimit = keyedLimit
    }
}
