public import StreamModel

/// Decides which queued request starts, if any (rule 1.3, Flink's `CheckpointRequestDecider`). Has limits but no state.
public struct TriggerPolicy: Sendable, Hashable {
    /// Facts for the decision, apart from the queue.
    public struct Situation: Sendable, Hashable {
        /// Whether a checkpoint is being set up: one at a time, whatever the concurrency limit (rule 1.5).
        public var isTriggering = false
        /// Number of checkpoints and savepoints in flight.
        public var pendingCount = 0
        /// Number of unfinished deletions.
        public var cleaningCount = 0
        /// Time of the last completion of a checkpoint or savepoint.
        public var lastCompletion: EngineInstant?

        public init() {}
    }

    public enum Decision: Sendable, Equatable {
        /// Start nothing now; the queue is unchanged.
        case wait
        /// Start this request, which has left the queue.
        case start(TriggerRequest)
        /// Postpone to this time: the tick at the head came too early and has left the queue.
        case postpone(until: EngineInstant)
    }

    public let maximumConcurrent: Int
    public let minimumPause: Milliseconds

    public init(maximumConcurrent: Int, minimumPause: Milliseconds) {
        self.maximumConcurrent = maximumConcurrent
        self.minimumPause = minimumPause
    }

    public func decide(_ queue: inout TriggerQueue, _ situation: Situation, at now: EngineInstant) -> Decision {
        guard let head = queue.head else { return .wait }
        // Slow deletions delay all new checkpoints (step 2), even forced ones.
        if situation.isTriggering || situation.cleaningCount > maximumConcurrent { return .wait }
        if situation.pendingCount >= maximumConcurrent && !head.isForced { return .wait }
        _ = queue.removeHead()
        // Rule 1.4: from the last success to the next periodic trigger. Failures do not restart the pause.
        if head.isPeriodic, let lastCompletion = situation.lastCompletion, now < lastCompletion + minimumPause {
            return .postpone(until: lastCompletion + minimumPause)
        }
        return .start(head)
    }
}
