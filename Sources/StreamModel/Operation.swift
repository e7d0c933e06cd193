/// One asynchronous request of an operator, as sent.
public struct OperationRequest: Codable, Sendable, Equatable {
    public enum Kind: Codable, Sendable, Equatable {
        /// Take a savepoint and go on.
        case savepoint(directory: String?)
        /// Take a checkpoint now.
        case checkpoint
        /// Savepoint and finish, in one atomic step. `drain` emits the end of input first.
        case stop(drain: Bool, directory: String?)
        case cancel(CancelRetention)
        /// Launch the job again from a checkpoint. The job itself must have ended (or be ended by this request if `cancelFirst`).
        case restart(RestartOptions)
        /// Launch a job that was none before, on a Flink cluster. `OperationRequest.job` is the id that it gets.
        case launch(RestartOptions)
        /// Delete a savepoint, or a checkpoint that was retained, with its files, on a Flink cluster.
        case dispose(path: String)
        /// Make the job misbehave on purpose (demo jobs only): "slow 5s", "fail 3", "sync-fail 1", "stall", "crash", "crash-loop 5s", "off".
        case fault(String)
    }
    public var id: OperationID
    public var kind: Kind
    public var job: JobID
    /// The state that the client believes the job to be in; the engine refuses when it is another. nil = do not check.
    public var expectedState: JobState?
    public var reason: String
    /// Who asks, for the record: "user@host".
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

/// On the wire and in files: {"verb":"cancel","retention":"keep"}, with the verb and field names of the control protocol.
extension OperationRequest.Kind {
    private enum Key: String, CodingKey { case verb, directory, drain, retention, options, path, spec }
    /// Before launches had a word of their own, one without a snapshot was a restart that begins empty.
    private enum FormerKey: String, CodingKey { case empty }

    /// The verb on the wire, in files and in records.
    public var verb: String {
        switch self {
        case .savepoint: "savepoint"
        case .checkpoint: "checkpoint_now"
        case .stop: "stop"
        case .cancel: "cancel"
        case .restart: "restart"
        case .launch: "launch"
        case .dispose: "dispose"
        case .fault: "fault"
        }
    }

    /// How a new job is launched; nil = none is.
    public var launch: RestartOptions? {
        switch self {
        case .restart(let options), .launch(let options): options
        case .savepoint, .checkpoint, .stop, .cancel, .dispose, .fault: nil
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
        case .fault(let spec): try container.encode(spec, forKey: .spec)
        }
    }
}

/// What a cancel does with the completed checkpoints.
public enum CancelRetention: String, Codable, Sendable {
    /// As the job's retention says.
    case byPolicy
    /// Keep them whatever the policy is.
    case keep
    /// Delete them whatever the policy is.
    case discard
}

/// How a job is launched: again by a restart, or for the first time.
public struct RestartOptions: Codable, Sendable, Equatable {
    public enum Claim: String, Codable, Sendable {
        /// The snapshot stays the operator's; the new job never deletes it.
        case noClaim
        /// The new job owns the snapshot and deletes it when it is subsumed.
        case claim
    }
    /// Directory of the checkpoint or savepoint; nil = the newest restorable of the job, and for a job that was none before no state.
    public var path: String?
    public var claim: Claim = .noClaim
    /// Start although the checkpoint has state of an operator that the job does not have.
    public var allowsUnmatchedState = false
    /// nil = as recorded.
    public var parallelism: Int?
    /// End the job first if it still runs (keeping its checkpoints).
    public var cancelsFirst = false
    /// What to launch, on a Flink cluster; nil = as recorded. Weir's own engine knows its programs.
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

/// An operation as the engine knows it. Survives the client that asked.
public struct OperationReport: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        case accepted, running, completed, failed
        /// The engine ended while it ran and cannot tell.
        case unknown
        public var isTerminal: Bool { self != .accepted && self != .running }
    }
    public var request: OperationRequest
    public var jobName: String
    public var state: State
    public var acceptedAt: WallTime
    public var endedAt: WallTime?
    /// The checkpoint that the operation waits for, once it has a number.
    public var checkpoint: CheckpointID?
    public var acknowledgedSubtasks: Int?
    public var totalSubtasks: Int?
    /// Path of the savepoint, or of the checkpoint that was restored.
    public var path: String?
    /// The job that a restart launched.
    public var newJob: JobID?
    /// One line: what went wrong and what to do.
    public var error: String?
    /// The engine's own name for it, under which it can be asked for again; nil = the operation's id serves.
    public var reference: String?
    /// The jar that a launch on a Flink cluster ran, and whether it was uploaded for it or used again.
    public var jar: String?
    /// The engine could not say what became of it; this line says from what the outcome was concluded. nil = the engine said it.
    public var inference: String?

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

/// The outcome of reading a snapshot's manifest and files, before a restart is offered.
public struct SnapshotInspection: Codable, Sendable, Equatable {
    public enum Verdict: String, Codable, Sendable {
        case ok, damaged, missing, foreign
        /// On a file system that whoever looked does not see (`s3:`, another host): nothing is known to be wrong.
        case unreachable

        /// Nothing speaks against a restore.
        public var allowsRestore: Bool { self == .ok || self == .unreachable }
    }
    public var path: String
    public var verdict: Verdict
    /// What is wrong, naming the file; nil when ok.
    public var problem: String?
    public var checkpoint: CheckpointID?
    public var kind: CheckpointKind?
    public var job: JobID?
    public var jobName: String?
    /// What a restore reads.
    public var stateSize: ByteCount?
    /// What the snapshot itself wrote; less than the state if it refers to files of older ones.
    public var checkpointedSize: ByteCount?
    public var completedAt: WallTime?
    public var maxParallelism: Int?
    public var operators: [String]

    public init(
        path: String, verdict: Verdict, problem: String? = nil, checkpoint: CheckpointID? = nil, kind: CheckpointKind? = nil, job: JobID? = nil,
        jobName: String? = nil, stateSize: ByteCount? = nil, checkpointedSize: ByteCount? = nil,
        completedAt: WallTime? = nil, maxParallelism: Int? = nil, operators: [String] = []
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
    }
}
