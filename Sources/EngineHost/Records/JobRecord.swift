internal import Dataflow
internal import StreamModel

/// The engine's record of one submission, running or ended, with the data to launch and show it again.
struct JobRecord: Codable, Sendable, Equatable {
    var format = 1
    var id: JobID
    var lineage: JobID
    var name: String
    var recipe: JobRecipe
    var submittedAt: WallTime
    /// Operation that launched it; nil in records of older engines.
    var launchedBy: OperationID?
    /// Snapshot it was launched from.
    var restore: StoredRestore?
    /// Newest report. Its state decides whether the job is recovered.
    var report: JobReport
    /// Checkpoints, oldest first, without detail.
    var checkpoints: [CheckpointReport] = []
    /// Failures, oldest first.
    var failures: [FailureReport] = []
    /// Highest number of records read by the sources of this and earlier executions.
    var position: UInt64?
    /// Whether the position is that of the end, and not one passed before a kill.
    var isPositionExact = false

    /// Unsuccessful starts by the engine; nil = none.
    var recovery: RecoveryAttempts?

    /// Maximum number of rows in a record; restorable ones are kept beyond that.
    static let keptCheckpoints = 500

    var isTerminal: Bool { report.state.isTerminal }

    /// Newest snapshot for a restart.
    var newestRestorable: CheckpointReport? { checkpoints.last { $0.isRestorable } }

    mutating func take(_ rows: [CheckpointReport]) {
        guard rows.count > Self.keptCheckpoints else {
            checkpoints = rows
            return
        }
        let old = rows.dropLast(Self.keptCheckpoints).filter(\.isRestorable)
        checkpoints = old + rows.suffix(Self.keptCheckpoints)
    }

    /// Takes the rows of a job that nothing runs of: its report has none of its own to tell.
    mutating func takeReviewed(_ rows: [CheckpointReport]) {
        take(rows)
        report.latestCompleted = rows.last { $0.status == .completed }
        report.latestSavepoint = rows.last { $0.status == .completed && $0.kind.isSavepoint }
    }
}

struct StoredRestore: Codable, Sendable, Equatable {
    var path: String
    var claim: RestartOptions.Claim
    var allowsUnmatchedState: Bool

    var request: RestoreRequest { RestoreRequest(path: path, claim: claim, allowsUnmatchedState: allowsUnmatchedState) }
}
