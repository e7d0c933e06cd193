internal import StreamModel

/// Consecutive counted checkpoint failures, derived from a history that the REST API cuts off (its counter is not exposed).
///
/// Method: every value that the counter may have is carried through the checkpoints since the last success, oldest first, by Flink's rules:
/// a counted failure raises it, beyond the tolerable number the job fails and the counter starts anew, what is not counted leaves it. Where the
/// history hides a checkpoint, or its text does not tell, both ways are carried on. What is left in the end are the bounds.
///
/// A trigger that failed before it had a number leaves no row (an I/O error while the directory is made, say); it is not seen here. Pure.
public struct BudgetEstimate: Sendable, Equatable {
    /// The least and the most that the counter can be.
    public var bounds: ClosedRange<Int>
    /// The most likely value: hidden checkpoints since the last success are taken for counted failures, as those that are seen mostly are.
    public var likely: Int
    /// Checkpoints since the last success that the history no longer shows.
    public var hidden: Int

    /// Counters beyond this are not told apart: nobody tolerates as many, but for "all".
    private static let counterMax = 1000

    /// - Parameter tolerable: failures in a row that do not fail the job.
    public init(_ checkpoints: FlinkCheckpoints, tolerable: Int, version: FlinkVersion?) {
        let success = Self.lastSuccess(checkpoints)
        let failed = checkpoints.history.filter { $0.status.known == .failed && $0.id > success }.sorted { $0.id < $1.id }
        hidden = Self.hiddenCount(checkpoints, since: success)
        let ceiling = min(tolerable, Self.counterMax)
        var possible: Set<Int> = [0]
        var likely = 0
        func raised(_ counter: Int) -> Int { counter >= ceiling ? (tolerable > ceiling ? ceiling : 0) : counter + 1 }
        // After as many steps as there are values, nothing new comes.
        for _ in 0..<min(hidden, ceiling + 1) { possible.formUnion(possible.map(raised)) }
        for _ in 0..<min(hidden, (ceiling + 1) * 2 + hidden % (ceiling + 1)) { likely = raised(likely) }
        for checkpoint in failed {
            switch FlinkFailureReason.counting(checkpoint.failureMessage ?? "", isSavepoint: checkpoint.isSavepoint, version: version) {
            case .yes:
                possible = Set(possible.map(raised))
                likely = raised(likely)
            case .no: break
            case .unknown: possible.formUnion(possible.map(raised))
            }
        }
        bounds = (possible.min() ?? 0)...(possible.max() ?? 0)
        self.likely = likely
    }

    /// The newest that completed: it set the counter to 0. A restored one did not: a new coordinator began with 0.
    private static func lastSuccess(_ checkpoints: FlinkCheckpoints) -> CheckpointID {
        let known = [checkpoints.latestCompleted, checkpoints.latestSavepoint].compactMap { $0 } + checkpoints.history
        return known.filter { $0.status.known == .completed }.map(\.id).max() ?? CheckpointID(0)
    }

    private static func hiddenCount(_ checkpoints: FlinkCheckpoints, since success: CheckpointID) -> Int {
        guard let oldest = checkpoints.history.last?.id, oldest > success else { return 0 }
        // Numbers go on after a restore, so the count of triggers bounds them too.
        let between = oldest.rawValue - success.rawValue - 1
        let unseen = max(0, checkpoints.counts.total - checkpoints.history.count)
        return Int(min(between, UInt64(unseen)))
    }
}

extension FailureBudget {
    /// As an estimate, with what of it is certain.
    init(_ checkpoints: FlinkCheckpoints, configuration: FlinkCheckpointConfiguration, version: FlinkVersion?) {
        let reason = checkpoints.latestFailed?.failureMessage.flatMap { FlinkFailureReason.reason(of: $0) }
        let failed = checkpoints.counts.failed
        // Integer.MAX_VALUE is Flink's way of not counting at all.
        guard let tolerable = configuration.tolerableFailures, tolerable < Int(Int32.max) else {
            self.init(counted: 0, tolerable: nil, source: .estimated, cumulative: failed, lastReason: reason)
            return
        }
        let estimate = BudgetEstimate(checkpoints, tolerable: tolerable, version: version)
        self.init(counted: estimate.likely, tolerable: tolerable, source: .estimated, cumulative: failed, lastReason: reason)
        (atLeast, atMost) = (estimate.bounds.lowerBound, estimate.bounds.upperBound)
    }
}
