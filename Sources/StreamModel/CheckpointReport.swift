public enum CheckpointKind: String, Codable, Sendable {
    case checkpoint, savepoint
    /// A savepoint that ends the job (stop with savepoint).
    case synchronousSavepoint

    public var isSavepoint: Bool { self != .checkpoint }
}

/// One checkpoint or savepoint as reported, in flight or ended: a row of the Checkpoints screen.
public struct CheckpointReport: Codable, Sendable, Equatable {
    public enum Status: String, Codable, Sendable { case inProgress = "IN_PROGRESS", completed = "COMPLETED", failed = "FAILED" }

    public struct Failure: Codable, Sendable, Equatable {
        /// Reason of the failure; nil = an unknown reason, described by `message`.
        public var reason: CheckpointFailureReason?
        public var message: String
        /// Whether it raised the failure counter.
        public var counted: Bool
        /// The operator's uid, where one is to blame, and its subtask.
        public var operatorUID: String?
        public var subtask: Int?
        public var at: WallTime

        public init(
            reason: CheckpointFailureReason?, message: String, counted: Bool, operatorUID: String? = nil, subtask: Int? = nil, at: WallTime
        ) {
            self.reason = reason
            self.message = message
            self.counted = counted
            self.operatorUID = operatorUID
            self.subtask = subtask
            self.at = at
        }

        /// Name of the reason, in Flink's words.
        public var reasonName: String { reason?.rawValue ?? "OTHER" }
    }

    public var id: CheckpointID
    public var kind: CheckpointKind
    public var status: Status
    public var triggeredAt: WallTime
    /// Time of the end; nil while in flight.
    public var endedAt: WallTime?
    /// Time from trigger to completion (or to the newest acknowledgement while in flight).
    public var duration: Milliseconds?
    /// Time of expiry.
    public var timeoutAt: WallTime
    public var acknowledgedSubtasks: Int
    public var totalSubtasks: Int
    /// Size of the whole state, as read by a restore.
    public var stateSize: ByteCount
    /// Bytes written by this checkpoint itself: less than `stateSize` if it is incremental. nil = unknown (Flink before 1.15).
    public var checkpointedSize: ByteCount?
    /// Directory named in a restart; nil until complete.
    public var path: String?
    /// Whether the files were deleted by retention (or found missing).
    public var discarded: Bool
    public var failure: Failure?
    /// Author of the request, if an operator's.
    public var requestedBy: String?
    /// Detail per operator; nil in lists.
    public var operators: [OperatorCheckpointReport]?

    public init(
        id: CheckpointID, kind: CheckpointKind, status: Status, triggeredAt: WallTime, endedAt: WallTime? = nil, duration: Milliseconds? = nil,
        timeoutAt: WallTime, acknowledgedSubtasks: Int = 0, totalSubtasks: Int, stateSize: ByteCount = 0, checkpointedSize: ByteCount? = nil,
        path: String? = nil, discarded: Bool = false, failure: Failure? = nil, requestedBy: String? = nil, operators: [OperatorCheckpointReport]? = nil
    ) {
        self.id = id
        self.kind = kind
        self.status = status
        self.triggeredAt = triggeredAt
        self.endedAt = endedAt
        self.duration = duration
        self.timeoutAt = timeoutAt
        self.acknowledgedSubtasks = acknowledgedSubtasks
        self.totalSubtasks = totalSubtasks
        self.stateSize = stateSize
        self.checkpointedSize = checkpointedSize
        self.path = path
        self.discarded = discarded
        self.failure = failure
        self.requestedBy = requestedBy
        self.operators = operators
    }

    /// Whether it is complete and its files still exist, as far as the engine knows.
    public var isRestorable: Bool { status == .completed && !discarded && path != nil }
}

/// An operator's part of a checkpoint.
public struct OperatorCheckpointReport: Codable, Sendable, Equatable {
    public var uid: String
    public var name: String
    public var operatorID: OperatorID
    public var parallelism: Int
    public var stateSize: ByteCount
    public var checkpointedSize: ByteCount?
    public var subtasks: [SubtaskCheckpointReport]
    /// nil = `subtasks` tells.
    public var acknowledgedCount: Int?

    public init(
        uid: String, name: String, operatorID: OperatorID, parallelism: Int, stateSize: ByteCount, checkpointedSize: ByteCount? = nil,
        subtasks: [SubtaskCheckpointReport]
    ) {
        self.uid = uid
        self.name = name
        self.operatorID = operatorID
        self.parallelism = parallelism
        self.stateSize = stateSize
        self.checkpointedSize = checkpointedSize
        self.subtasks = subtasks
    }

    /// Subtasks that have acknowledged it; where those are not listed, the engine's own count.
    public var acknowledged: Int { subtasks.isEmpty ? acknowledgedCount ?? 0 : subtasks.count { $0.acknowledgedAt != nil } }
}

/// A subtask's part of a checkpoint, with Flink's phases.
public struct SubtaskCheckpointReport: Codable, Sendable, Equatable {
    public var index: Int
    /// Time of the acknowledgement; nil = outstanding.
    public var acknowledgedAt: WallTime?
    public var stateSize: ByteCount
    public var checkpointedSize: ByteCount?
    /// Time from the trigger to the first barrier, in microseconds; the same unit for the phases below.
    public var startDelayMicroseconds: Int64
    public var alignmentMicroseconds: Int64
    public var syncMicroseconds: Int64
    public var asyncMicroseconds: Int64
    /// Machine of the subtask, for engines on several machines.
    public var host: String?

    public init(
        index: Int, acknowledgedAt: WallTime? = nil, stateSize: ByteCount = 0, checkpointedSize: ByteCount? = nil,
        startDelayMicroseconds: Int64 = 0, alignmentMicroseconds: Int64 = 0, syncMicroseconds: Int64 = 0, asyncMicroseconds: Int64 = 0,
        host: String? = nil
    ) {
        self.index = index
        self.acknowledgedAt = acknowledgedAt
        self.stateSize = stateSize
        self.checkpointedSize = checkpointedSize
        self.startDelayMicroseconds = startDelayMicroseconds
        self.alignmentMicroseconds = alignmentMicroseconds
        self.syncMicroseconds = syncMicroseconds
        self.asyncMicroseconds = asyncMicroseconds
        self.host = host
    }
}

/// Consecutive counted checkpoint failures against the tolerable number. The job fails when `counted` would exceed `tolerable`.
public struct FailureBudget: Codable, Sendable, Equatable {
    public enum Source: String, Codable, Sendable {
        /// The engine's own counter.
        case exact
        /// Derived from a checkpoint history that may be too short.
        case estimated
        /// Not known yet: its source data has not arrived.
        case unknown
    }
    /// The counter, or its most likely value.
    public var counted: Int
    /// Tolerable number; nil = failures are not counted at all.
    public var tolerable: Int?
    public var source: Source
    /// All failed checkpoints since submission. Never compared with `tolerable`.
    public var cumulative: Int
    public var lastReason: CheckpointFailureReason?
    /// Least and greatest possible value of an estimated counter; nil = it is `counted`.
    public var atLeast: Int?
    public var atMost: Int?

    public init(counted: Int, tolerable: Int?, source: Source, cumulative: Int, lastReason: CheckpointFailureReason? = nil) {
        self.counted = counted
        self.tolerable = tolerable
        self.source = source
        self.cumulative = cumulative
        self.lastReason = lastReason
    }

    /// Bounds of a counter that is not known exactly.
    public var bounds: ClosedRange<Int>? {
        guard let atLeast, let atMost, atLeast < atMost else { return nil }
        return atLeast...atMost
    }

    /// Whether the next counted failure fails the job.
    public var isExhausted: Bool { tolerable.map { counted >= $0 && counted > 0 } ?? false }
}
