/// An immutable snapshot of one job at one moment, as shown by consoles and commands.
public struct JobReport: Codable, Sendable, Equatable {
    public var id: JobID
    public var name: String
    public var state: JobState
    /// The engine's own state name if it is not one of `state`'s, which is then the nearest.
    public var stateWord: String?
    /// State as reported.
    public var stateText: String { stateWord ?? state.rawValue }
    public var stateSince: WallTime
    public var submittedAt: WallTime
    /// Number of executions: 1 for the first; each automatic restart adds one.
    public var attempt: Int
    public var restarts: Int
    /// Cause of the last restart or failure.
    public var lastFailure: FailureReport?
    /// Start of the next attempt, while restarting.
    public var restartsAt: WallTime?
    /// Wait before it, set by the restart strategy (or by the engine after its own crashes), while restarting.
    public var restartDelay: Milliseconds?
    /// Cause of the restart in one line, while restarting.
    public var restartReason: String?
    public var parallelism: Int
    public var maxParallelism: Int
    public var vertices: [VertexReport]
    public var throughput: Throughput
    public var configuration: CheckpointConfiguration
    public var restartStrategy: RestartStrategy
    /// The engine's own words, where `restartStrategy` cannot express them.
    public var restartStrategyWords: String?
    public var counts: CheckpointCounts
    public var budget: FailureBudget
    /// Checkpoints in flight, oldest first.
    public var inProgress: [CheckpointReport]
    public var latestCompleted: CheckpointReport?
    public var latestSavepoint: CheckpointReport?
    public var latestFailed: CheckpointReport?
    /// Due time of the next periodic trigger; nil = none is scheduled.
    public var nextTriggerAt: WallTime?
    /// Revision that rises with every change of the checkpoint list, so that clients fetch it only then.
    public var checkpointsRevision: UInt64
    /// Origin of the state of this submission or attempt.
    public var restored: RestoreReport?
    /// Sequence-number accounting, for jobs with numbered records.
    public var audit: SequenceAudit?
    public var recipe: JobRecipe?
    /// Set if the engine counts checkpoints but does not list any; nil = it lists them.
    public var lacksCheckpointList: Bool?
    /// Times when parts of the report were obtained, if it combines several answers; nil = all at once.
    public var freshness: ReportFreshness?

    public init(
        id: JobID, name: String, state: JobState, stateSince: WallTime, submittedAt: WallTime, attempt: Int = 1, restarts: Int = 0,
        lastFailure: FailureReport? = nil, restartsAt: WallTime? = nil, restartDelay: Milliseconds? = nil, restartReason: String? = nil,
        parallelism: Int, maxParallelism: Int, vertices: [VertexReport] = [], throughput: Throughput = Throughput(), configuration: CheckpointConfiguration,
        restartStrategy: RestartStrategy = .none,
        counts: CheckpointCounts = CheckpointCounts(), budget: FailureBudget, inProgress: [CheckpointReport] = [],
        latestCompleted: CheckpointReport? = nil, latestSavepoint: CheckpointReport? = nil, latestFailed: CheckpointReport? = nil,
        nextTriggerAt: WallTime? = nil, checkpointsRevision: UInt64 = 0, restored: RestoreReport? = nil, audit: SequenceAudit? = nil,
        recipe: JobRecipe? = nil
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.stateSince = stateSince
        self.submittedAt = submittedAt
        self.attempt = attempt
        self.restarts = restarts
        self.lastFailure = lastFailure
        self.restartsAt = restartsAt
        self.restartDelay = restartDelay
        self.restartReason = restartReason
        self.parallelism = parallelism
        self.maxParallelism = maxParallelism
        self.vertices = vertices
        self.throughput = throughput
        self.configuration = configuration
        self.restartStrategy = restartStrategy
        self.counts = counts
        self.budget = budget
        self.inProgress = inProgress
        self.latestCompleted = latestCompleted
        self.latestSavepoint = latestSavepoint
        self.latestFailed = latestFailed
        self.nextTriggerAt = nextTriggerAt
        self.checkpointsRevision = checkpointsRevision
        self.restored = restored
        self.audit = audit
        self.recipe = recipe
    }

    public var runningSubtasks: Int { vertices.reduce(0) { $0 + $1.runningSubtasks } }
    public var totalSubtasks: Int { vertices.reduce(0) { $0 + $1.parallelism } }
}

/// The subtask that takes most of a vertex's records. Tells one hot key from a vertex that is too small.
public struct HottestSubtask: Codable, Sendable, Equatable {
    public var index: Int
    /// Its share of the vertex's records in the last few seconds, in 1/1000.
    public var recordsPermille: Int
    public var busyPermille: Int

    public init(index: Int, recordsPermille: Int, busyPermille: Int) {
        self.index = index
        self.recordsPermille = recordsPermille
        self.busyPermille = busyPermille
    }
}

/// A chain of operators that runs as one task, with sums over its subtasks.
public struct VertexReport: Codable, Sendable, Equatable {
    /// OperatorID of the head of the chain, as in Flink.
    public var id: OperatorID
    /// uid of the head of the chain.
    public var uid: String
    /// "lines -> words", the names of the chained operators.
    public var name: String
    public var parallelism: Int
    public var runningSubtasks: Int
    public var finishedSubtasks: Int
    public var recordsIn: UInt64
    public var recordsOut: UInt64
    /// Records per second over the last reporting period; nil = not measured.
    public var recordsInPerSecond: Double?
    public var recordsOutPerSecond: Double?
    /// Shares of the last period in 1/1000, averaged over the subtasks; busy + backPressured + idle = 1000. nil = not measured.
    public var busyPermille: Int?
    public var backPressuredPermille: Int?
    public var idlePermille: Int?
    /// Bytes of keyed state held in memory.
    public var stateBytes: ByteCount
    /// Lowest event time among its subtasks; `.max` at the end of the input. nil = no watermark yet.
    public var watermark: EventTime?
    /// Lag of the watermark behind the wall clock; nil without a watermark and at the end of the input.
    public var watermarkLag: Milliseconds?
    /// Hottest subtask; nil = it has one subtask, took no records, or the engine does not report it.
    public var hottest: HottestSubtask?

    public init(
        id: OperatorID, uid: String, name: String, parallelism: Int, runningSubtasks: Int = 0, finishedSubtasks: Int = 0, recordsIn: UInt64 = 0,
        recordsOut: UInt64 = 0, recordsInPerSecond: Double? = 0, recordsOutPerSecond: Double? = 0, busyPermille: Int? = nil,
        backPressuredPermille: Int? = nil, idlePermille: Int? = nil, stateBytes: ByteCount = 0, watermark: EventTime? = nil, watermarkLag: Milliseconds? = nil,
        hottest: HottestSubtask? = nil
    ) {
        self.id = id
        self.uid = uid
        self.name = name
        self.parallelism = parallelism
        self.runningSubtasks = runningSubtasks
        self.finishedSubtasks = finishedSubtasks
        self.recordsIn = recordsIn
        self.recordsOut = recordsOut
        self.recordsInPerSecond = recordsInPerSecond
        self.recordsOutPerSecond = recordsOutPerSecond
        self.busyPermille = busyPermille
        self.backPressuredPermille = backPressuredPermille
        self.idlePermille = idlePermille
        self.stateBytes = stateBytes
        self.watermark = watermark
        self.watermarkLag = watermarkLag
        self.hottest = hottest
    }
}

/// Records through the whole job: read by sources, written by sinks.
public struct Throughput: Codable, Sendable, Equatable {
    public var recordsRead: UInt64
    public var recordsWritten: UInt64
    /// nil = not measured.
    public var recordsReadPerSecond: Double?
    public var recordsWrittenPerSecond: Double?
    /// Fraction of a bounded input already read, 0...1; nil = unbounded or unknown.
    public var inputFraction: Double?

    public init(
        recordsRead: UInt64 = 0, recordsWritten: UInt64 = 0, recordsReadPerSecond: Double? = 0, recordsWrittenPerSecond: Double? = 0,
        inputFraction: Double? = nil
    ) {
        self.recordsRead = recordsRead
        self.recordsWritten = recordsWritten
        self.recordsReadPerSecond = recordsReadPerSecond
        self.recordsWrittenPerSecond = recordsWrittenPerSecond
        self.inputFraction = inputFraction
    }
}

/// Checkpoints by outcome since submission.
public struct CheckpointCounts: Codable, Sendable, Equatable {
    public var total, inProgress, completed, failed, restored: Int
    public init(total: Int = 0, inProgress: Int = 0, completed: Int = 0, failed: Int = 0, restored: Int = 0) {
        self.total = total
        self.inProgress = inProgress
        self.completed = completed
        self.failed = failed
        self.restored = restored
    }
}

/// A failure of a task or of the whole job.
public struct FailureReport: Codable, Sendable, Equatable {
    public var at: WallTime
    /// Event and subject in one line.
    public var message: String
    /// uid of the operator chain and subtask, if one is to blame.
    public var vertex: String?
    public var subtask: Int?
    /// Attempt that failed.
    public var attempt: Int
    /// Machine of the failure, for engines on several machines.
    public var host: String?
    /// Full text of the engine, such as a stack trace; nil = only `message`.
    public var fullText: String?

    public init(
        at: WallTime, message: String, vertex: String? = nil, subtask: Int? = nil, attempt: Int, host: String? = nil, fullText: String? = nil
    ) {
        self.at = at
        self.message = message
        self.vertex = vertex
        self.subtask = subtask
        self.attempt = attempt
        self.host = host
        self.fullText = fullText
    }
}

/// Times when the parts of a job's report were obtained, on the clock of `EngineReport.at`; nil = not yet.
public struct ReportFreshness: Codable, Sendable, Equatable {
    /// State and tasks.
    public var state: WallTime?
    public var checkpoints: WallTime?
    /// Throughput, busy times and watermarks: the oldest of all vertices.
    public var flow: WallTime?
    public var configuration: WallTime?
    public var failures: WallTime?

    public init(
        state: WallTime? = nil, checkpoints: WallTime? = nil, flow: WallTime? = nil, configuration: WallTime? = nil, failures: WallTime? = nil
    ) {
        self.state = state
        self.checkpoints = checkpoints
        self.flow = flow
        self.configuration = configuration
        self.failures = failures
    }
}

/// State from which the running attempt started.
public struct RestoreReport: Codable, Sendable, Equatable {
    public var checkpoint: CheckpointID
    public var path: String
    public var kind: CheckpointKind
    /// Job that wrote it.
    public var fromJob: JobID
    public var at: WallTime
    /// Bytes of state read.
    public var stateSize: ByteCount
    /// Whether an operator chose it (true) or the engine's recovery (false).
    public var chosen: Bool
    /// uids of the operators that took state from it; nil = not reported.
    public var restoredOperators: [String]?
    /// uids of missing operators, whose state was dropped as the operator allowed.
    public var droppedOperators: [String]?

    /// Whether it is at a path: not in the memory of an engine, and not unnamed.
    public var hasPlace: Bool { !path.isEmpty && !path.hasPrefix("<") }

    /// Whether no operator took any state although the snapshot had some: the job started empty.
    public var tookNothing: Bool { restoredOperators?.isEmpty == true && droppedOperators?.isEmpty == false }

    public init(
        checkpoint: CheckpointID, path: String, kind: CheckpointKind, fromJob: JobID, at: WallTime, stateSize: ByteCount, chosen: Bool,
        restoredOperators: [String]? = nil, droppedOperators: [String]? = nil
    ) {
        self.checkpoint = checkpoint
        self.path = path
        self.kind = kind
        self.fromJob = fromJob
        self.at = at
        self.stateSize = stateSize
        self.chosen = chosen
        self.restoredOperators = restoredOperators
        self.droppedOperators = droppedOperators
    }
}

/// Exactly-once accounting by sequence numbers in the records, kept in checkpointed state and counted by the engine.
public struct SequenceAudit: Codable, Sendable, Equatable {
    /// Records verified so far (part of the restored state).
    public var verified: UInt64
    /// Records with a sequence number already counted.
    public var duplicates: UInt64
    /// Skipped sequence numbers.
    public var lost: UInt64
    /// Records already read by an earlier execution and read again since the restore.
    public var replayed: UInt64
    /// Total number of records to replay; nil = unknown.
    public var toReplay: UInt64?

    public init(verified: UInt64 = 0, duplicates: UInt64 = 0, lost: UInt64 = 0, replayed: UInt64 = 0, toReplay: UInt64? = nil) {
        self.verified = verified
        self.duplicates = duplicates
        self.lost = lost
        self.replayed = replayed
        self.toReplay = toReplay
    }
}

/// The data to launch a job again.
public struct JobRecipe: Codable, Sendable, Hashable {
    /// Name of a program known to the engine.
    public var program: String
    /// Arguments by name.
    public var arguments: [String: String]
    public var parallelism: Int

    public init(program: String, arguments: [String: String] = [:], parallelism: Int) {
        self.program = program
        self.arguments = arguments
        self.parallelism = parallelism
    }
}

/// The engine process and all its jobs at one moment: one message of the report stream.
public struct EngineReport: Codable, Sendable, Equatable {
    public var engine: EngineInfo
    /// Wall clock of the engine at the time of the report.
    public var at: WallTime
    public var jobs: [JobReport]
    /// Operations in flight and recently ended, newest first.
    public var operations: [OperationReport]
    /// Sequence number of the newest line of the engine's log; nil = it has none to ask for.
    public var logEnd: UInt64?

    public init(engine: EngineInfo, at: WallTime, jobs: [JobReport], operations: [OperationReport], logEnd: UInt64? = nil) {
        self.logEnd = logEnd
        self.engine = engine
        self.at = at
        self.jobs = jobs
        self.operations = operations
    }
}

public struct EngineInfo: Codable, Sendable, Equatable {
    public var name: String
    public var version: String
    public var processID: Int32
    public var startedAt: WallTime
    /// Directory of the engine's own records.
    public var stateDirectory: String
    /// nil = not told, or an engine that has all in one process.
    public var capacity: ClusterCapacity?

    public init(name: String, version: String, processID: Int32, startedAt: WallTime, stateDirectory: String) {
        self.name = name
        self.version = version
        self.processID = processID
        self.startedAt = startedAt
        self.stateDirectory = stateDirectory
    }
}

/// The machines of a cluster, as it counts them.
public struct ClusterCapacity: Codable, Sendable, Equatable {
    public var taskManagers: Int
    public var slots: Int
    public var freeSlots: Int

    public init(taskManagers: Int, slots: Int, freeSlots: Int) {
        self.taskManagers = taskManagers
        self.slots = slots
        self.freeSlots = freeSlots
    }
}
