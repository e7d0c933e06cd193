/// A checkpoint or savepoint as recorded in the ledger, even after its engine has forgotten it.
public struct RememberedCheckpoint: Codable, Sendable, Equatable {
    /// Fate as far as observed.
    public enum Fate: String, Codable, Sendable, CaseIterable {
        /// In flight when last seen.
        case running
        case failed
        /// Complete, and listed by its engine with its files.
        case kept
        /// Its files were deleted, or found missing.
        case gone
        /// No longer listed by its engine, without a reason: only the files show whether it exists.
        case unlisted
    }

    /// Name of the context where it was first seen.
    public var context: String
    public var job: JobID
    public var jobName: String
    /// Last report, without operators.
    public var report: CheckpointReport
    public var fate: Fate
    public var firstSeenAt: WallTime
    /// Time when its engine last listed it.
    public var lastSeenAt: WallTime

    public init(
        context: String, job: JobID, jobName: String, report: CheckpointReport, fate: Fate, firstSeenAt: WallTime, lastSeenAt: WallTime
    ) {
        self.context = context
        self.job = job
        self.jobName = jobName
        self.report = report
        self.fate = fate
        self.firstSeenAt = firstSeenAt
        self.lastSeenAt = lastSeenAt
    }

    /// Whether a restart from it may be tried.
    public var mayBeRestored: Bool { (fate == .kept || fate == .unlisted) && report.status == .completed && report.path != nil }
}

extension CheckpointReport {
    /// Fate of a checkpoint listed by its engine.
    public var fate: RememberedCheckpoint.Fate {
        switch status {
        case .inProgress: .running
        case .failed: .failed
        case .completed: discarded ? .gone : .kept
        }
    }
}
