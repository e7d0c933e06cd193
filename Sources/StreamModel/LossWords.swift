/// Why the files of a completed checkpoint are gone, from its place in the list: *subsumed* by as many newer ones as the job keeps, or *discarded*
/// with the job, at its end. A savepoint is the operator's, who had it *deleted*.
public struct LossWords: Sendable, Equatable {
    /// The oldest checkpoint that a job without an end would keep; nil = it keeps all of the list.
    private let oldestKept: CheckpointID?
    /// Whether the job has ended, and says how many it kept.
    private let tells: Bool

    /// - Parameter checkpoints: of the job, newest first.
    public init(_ checkpoints: some Sequence<CheckpointReport>, of job: JobReport?) {
        tells = job.map { $0.state.isTerminal && $0.configuration.tells(.retainedCheckpoints) } ?? false
        let kept = max(1, job?.configuration.retainedCheckpoints ?? 1)
        oldestKept = checkpoints.lazy.filter { $0.status == .completed && !$0.kind.isSavepoint }.prefix(kept).suffix(1).first?.id
    }

    public func word(_ checkpoint: CheckpointReport) -> String {
        // No job deletes a savepoint: an operator had it disposed of.
        if checkpoint.kind.isSavepoint { return "deleted" }
        guard tells else { return "subsumed" }
        let isSubsumed = oldestKept.map { checkpoint.id < $0 } ?? false
        return isSubsumed ? "subsumed" : "discarded"
    }
}
