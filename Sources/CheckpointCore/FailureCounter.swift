public import StreamModel

/// Consecutive counted checkpoint failures of one job (rule 2): Flink's `CheckpointFailureManager` as a value. Owned by the
/// coordinator, lives as long as the job, over all its restarts (rule 2.2).
public struct FailureCounter: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        /// The failure leaves the counter alone.
        case ignored
        case counted
        /// It was counted, and more than the tolerable number: the job fails, for these failures. The counter is 0 again.
        case exceeded(CountedFailures)
        /// A task declined a synchronous savepoint: the job fails whatever the counter says (rule 2.3).
        case failsJob
    }

    /// nil = nothing is counted.
    public let tolerable: Int?
    /// Consecutive counted failures.
    public var count: Int { counted.count }
    /// The newest counted reason since the last success.
    public private(set) var lastReason: CheckpointFailureReason?
    private var counted = CountedFailures()
    private var countedIDs: Set<CheckpointID> = []
    private var lastSucceeded: CheckpointID?

    public init(tolerable: Int?) { self.tolerable = tolerable }

    /// Takes in the failure of a checkpoint. `task` is the subtask whose message failed it; nil = the coordinator itself did.
    public mutating func recordFailure(
        of id: CheckpointID, kind: CheckpointKind, reason: CheckpointFailureReason, message: String = "", task: SubtaskID?
    ) -> Verdict {
        // Rule 2.3: at the level of the job savepoints are skipped; at the level of a task only the synchronous one is special.
        if task == nil || reason.isPreflight {
            if kind.isSavepoint { return .ignored }
        } else if kind == .synchronousSavepoint {
            return .failsJob
        }
        return count(CountedFailure(checkpoint: id, reason: reason, message: message))
    }

    /// A completed checkpoint or savepoint begins a new series, unless a newer one already did (rule 2.2).
    public mutating func recordSuccess(of id: CheckpointID) {
        if let lastSucceeded, id <= lastSucceeded { return }
        lastSucceeded = id
        lastReason = nil
        clear()
    }

    private mutating func count(_ failure: CountedFailure) -> Verdict {
        guard let tolerable, failure.reason.isCounted else { return .ignored }
        if let lastSucceeded, failure.checkpoint <= lastSucceeded { return .ignored }
        guard countedIDs.insert(failure.checkpoint).inserted else { return .ignored }
        counted.append(failure)
        lastReason = failure.reason
        guard counted.count > tolerable else { return .counted }
        defer { clear() }
        return .exceeded(counted)
    }

    private mutating func clear() {
        counted = CountedFailures()
        countedIDs.removeAll()
    }
}

/// One failure that raised the counter.
public struct CountedFailure: Sendable, Hashable {
    public let checkpoint: CheckpointID
    public let reason: CheckpointFailureReason
    /// What happened, to what.
    public let message: String

    public init(checkpoint: CheckpointID, reason: CheckpointFailureReason, message: String) {
        self.checkpoint = checkpoint
        self.reason = reason
        self.message = message
    }
}

/// The counted failures since the last success: how many, and the newest of them.
public struct CountedFailures: Sendable, Hashable {
    /// The failures that are kept, and the characters of each message: the list becomes one message for an operator.
    static let kept = 8, messageLength = 200

    public private(set) var count = 0
    /// Oldest first.
    public private(set) var newest: [CountedFailure] = []

    public init() {}

    mutating func append(_ failure: CountedFailure) {
        count += 1
        newest.append(failure)
        if newest.count > Self.kept { newest.removeFirst() }
    }

    /// "checkpoint 5 CHECKPOINT_EXPIRED: ...; checkpoint 6 ...", oldest first, with the number of those that are left out.
    public var list: String {
        let earlier = count - newest.count
        let texts = newest.map { failure in
            let message = failure.message.count > Self.messageLength ? failure.message.prefix(Self.messageLength) + "..." : failure.message[...]
            return "checkpoint \(failure.checkpoint) \(failure.reason.rawValue)" + (message.isEmpty ? "" : ": \(message)")
        }
        return (earlier > 0 ? "\(earlier) earlier ones; " : "") + texts.joined(separator: "; ")
    }
}
