internal import Dataflow
internal import StreamModel

/// What the engine remembers of one submission, running or ended: enough to launch it again and to show it.
struct JobRecord: Codable, Sendable, Equatable {
    var format = 1
    var id: JobID
    var lineage: JobID
    var name: String
    var recipe: JobRecipe
    var submittedAt: WallTime
    /// The operation that launched it; nil in records of older engines.
    var launchedBy: OperationID?
    /// The snapshot it was launched from.
    var restore: StoredRestore?
    /// The newest picture. Its state says whether the job comes back.
    var report: JobReport
    /// Oldest first, without detail.
    var checkpoints: [CheckpointReport] = []
    /// Oldest first.
    var failures: [FailureReport] = []
    /// Records that the sources of this and the earlier executions have read, at the highest.
    var position: UInt64?
    /// The position is that of the end, not one that was passed on the way to a kill.
    var isPositionExact = false

    /// Starts by the engine that have come to nothing so far; nil = none.
    var recovery: RecoveryAttempts?

    /// Rows that a record keeps; restorable ones are kept beyond that.
    static let keptCheckpoints = 500

    var isTerminal: Bool { report.state.isTerminal }

    /// The newest snapshot that a restart can begin with.
    var newestRestorable: CheckpointReport? { checkpoints.last { $0.isRestorable } }

    mutating func take(_ rows: [CheckpointReport]) {
        guard rows.count > Self.keptCheckpoints else {
            checkpoints = rows
            return
        }
        let old = rows.dropLast(Self.keptCheckpoints).filter(\.isRestorable)
        checkpoints = old + rows.suffix(Self.keptCheckpoints)
    }
}

struct StoredRestore: Codable, Sendable, Equatable {
    var path: String
    var claim: RestartOptions.Claim
    var allowsUnmatchedState: Bool

    var request: RestoreRequest { RestoreRequest(path: path, claim: claim, allowsUnmatchedState: allowsUnmatchedState) }
}
