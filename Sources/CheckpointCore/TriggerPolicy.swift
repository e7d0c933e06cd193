public import StreamModel

/// Decides which queued request starts, if any (rule 1.3, Flink's `CheckpointRequestDecider`). Knows the limits, holds no state.
public struct TriggerPolicy: Sendable, Hashable {
    /// What the decision depends on besides the queue.
    public struct Situation: Sendable, Hashable {
        /// A checkpoint is being set up: one at a time, whatever the limit of concurrent ones is (rule 1.5).
        public var isTriggering = false
        /// Checkpoints and savepoints in flight.
        public var pendingCount = 0
        /// Deletions that are not finished.
        public var cleaningCount = 0
        /// When a checkpoint or savepoint last completed.
        public var lastCompletion: EngineInstant?

        public init() {}
    }

    public enum Decision: Sendable, Equatable {
        /// Nothing starts now; the queue is unchanged.
        case wait
        /// This one starts; it has left the queue.
        case start(TriggerRequest)
        /// The tick at the head came too early and has left the queue; the next one is due then.
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
        // Slow deletes hold back all new ones (step 2), forced ones too.
        if situation.isTriggering || situation.cleaningCount > maximumConcurrent { return .wait }
        if situation.pendingCount >= maximumConcurrent && !head.isForced { return .wait }
        _ = queue.removeHead()
        // Rule 1.4: from the last success to the next periodic one. Failures do not restart the pause.
        if head.isPeriodic, let lastCompletion = situation.lastCompletion, now < lastCompletion + minimumPause {
            return .postpone(until: lastCompletion + minimumPause)
        }
        return .start(head)
    }
}
