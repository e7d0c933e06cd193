public import StreamModel

/// Counts consecutive checkpoint failures of one job (rule 2): Flink's `CheckpointFailureManager` as a value. Owned by the coordinator; lives
/// as long as the job, across all its restarts (rule 2.2).
public struct FailureCounter: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        /// The counter is unchanged.
        case ignored
        case counted
        /// The count exceeded the tolerable number: the job fails with these failures. The counter is 0 again.
        case exceeded(CountedFailures)
        /// A task declined a synchronous savepoint: the job fails regardless of the counter (rule 2.3).
        case failsJob
    }

    /// nil = nothing is counted.
    public let tolerable: Int?
    /// Number of consecutive counted failures.
    public var count: Int { counted.count }
    /// Newest counted reason since the last success.
    public private(set) var lastReason: CheckpointFailureReason?
    /// Number of counted failures that failed the job; nil after a success or a new attempt. A job that ended by its budget is shown with it.
    public private(set) var exceededCount: Int?
    private var counted = CountedFailures()
    private var countedIDs: Set<CheckpointID> = []
    private var lastSucceeded: CheckpointID?

    public init(tolerable: Int?) { self.tolerable = tolerable }

    /// Records the failure of a checkpoint. `task` is the subtask whose message failed it; nil = the coordinator itself.
    public mutating func recordFailure(
        of id: CheckpointID, kind: CheckpointKind, reason: CheckpointFailureReason, message: String = "", task: SubtaskID?
    ) -> Verdict {
        // Rule 2.3: savepoints are skipped at job level; only the synchronous one is special at task level.
        if task == nil || reason.isPreflight {
            if kind.isSavepoint { return .ignored }
        } else if kind == .synchronousSavepoint {
            return .failsJob
        }
        return count(CountedFailure(checkpoint: id, reason: reason, message: message))
    }

    /// Resets the count after a completed checkpoint or savepoint, unless a newer one already did (rule 2.2).
    public mutating func recordSuccess(of id: CheckpointID) {
        if let lastSucceeded, id <= lastSucceeded { return }
        lastSucceeded = id
        lastReason = nil
        exceededCount = nil
        clear()
    }

    /// A new attempt starts with the budget that the reset has left.
    mutating func forgetExceeded() { exceededCount = nil }

    private mutating func count(_ failure: CountedFailure) -> Verdict {
        guard let tolerable, failure.reason.isCounted else { return .ignored }
        if let lastSucceeded, failure.checkpoint <= lastSucceeded { return .ignored }
        guard countedIDs.insert(failure.checkpoint).inserted else { return .ignored }
        counted.append(failure)
        lastReason = failure.reason
        guard counted.count > tolerable else { return .counted }
        defer { clear() }
        exceededCount = counted.count
        return .exceeded(counted)
    }

    private mutating func clear() {
        counted = CountedFailures()
        countedIDs.removeAll()
    }
}

/// A failure that raised the counter.
public struct CountedFailure: Sendable, Hashable {
    public let checkpoint: CheckpointID
    public let reason: CheckpointFailureReason
    /// Text of the failure, and the failed checkpoint.
    public let message: String

    public init(checkpoint: CheckpointID, reason: CheckpointFailureReason, message: String) {
        self.checkpoint = checkpoint
        self.reason = reason
        self.message = message
    }
}

/// Counted failures since the last success: their number and the newest of them.
public struct CountedFailures: Sendable, Hashable {
    /// Limits on the number of failures kept and the characters per message: the list becomes one message for an operator.
    static let kept = 8, messageLength = 200

    public private(set) var count = 0
    /// Newest failures, oldest first.
    public private(set) var newest: [CountedFailure] = []

    public init() {}

    mutating func append(_ failure: CountedFailure) {
        count += 1
        newest.append(failure)
        if newest.count > Self.kept { newest.removeFirst() }
    }

    /// List such as "checkpoint 5 CHECKPOINT_EXPIRED: ...; checkpoint 6 ...", oldest first, with the number of omitted ones.
    public var list: String {
        let earlier = count - newest.count
        let texts = newest.map { failure in
            let message = failure.message.count > Self.messageLength ? failure.message.prefix(Self.messageLength) + "..." : failure.message[...]
            return "checkpoint \(failure.checkpoint) \(failure.reason.rawValue)" + (message.isEmpty ? "" : ": \(message)")
        }
        return (earlier > 0 ? "\(earlier) earlier ones; " : "") + texts.joined(separator: "; ")
    }
}
