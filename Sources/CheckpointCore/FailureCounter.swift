public import StreamModel

/// Consecutive counted checkpoint failures of one job (rule 2): Flink's `CheckpointFailureManager` as a value. Owned by the
/// coordinator, lives as long as the job, over all its restarts (rule 2.2).
public struct FailureCounter: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        /// The failure leaves the counter alone.
        case ignored
        case counted
        /// It was counted, and more than the tolerable number: the job fails. The counter is 0 again.
        case exceeded
        /// A task declined a synchronous savepoint: the job fails whatever the counter says (rule 2.3).
        case failsJob
    }

    /// nil = nothing is counted.
    public let tolerable: Int?
    public private(set) var count = 0
    /// The newest counted reason since the last success.
    public private(set) var lastReason: CheckpointFailureReason?
    private var countedIDs: Set<CheckpointID> = []
    private var lastSucceeded: CheckpointID?

    public init(tolerable: Int?) { self.tolerable = tolerable }

    /// Takes in the failure of a checkpoint. `task` is the subtask whose message failed it; nil = the coordinator itself did.
    public mutating func recordFailure(
        of id: CheckpointID, kind: CheckpointKind, reason: CheckpointFailureReason, task: SubtaskID?
    ) -> Verdict {
        // Rule 2.3: at the level of the job savepoints are skipped; at the level of a task only the synchronous one is special.
        if task == nil || reason.isPreflight {
            if kind.isSavepoint { return .ignored }
        } else if kind == .synchronousSavepoint {
            return .failsJob
        }
        return count(id, reason)
    }

    /// A completed checkpoint or savepoint begins a new series, unless a newer one already did (rule 2.2).
    public mutating func recordSuccess(of id: CheckpointID) {
        if let lastSucceeded, id <= lastSucceeded { return }
        lastSucceeded = id
        lastReason = nil
        clear()
    }

    private mutating func count(_ id: CheckpointID, _ reason: CheckpointFailureReason) -> Verdict {
        guard let tolerable, reason.isCounted else { return .ignored }
        if let lastSucceeded, id <= lastSucceeded { return .ignored }
        guard countedIDs.insert(id).inserted else { return .ignored }
        count += 1
        lastReason = reason
        guard count > tolerable else { return .counted }
        clear()
        return .exceeded
    }

    private mutating func clear() {
        count = 0
        countedIDs.removeAll()
    }
}
