/// A checkpoint or savepoint as the ledger remembers it, also after its engine has forgotten it.
public struct RememberedCheckpoint: Codable, Sendable, Equatable {
    /// What became of it, as far as anybody saw.
    public enum Fate: String, Codable, Sendable, CaseIterable {
        /// In flight when it was last seen.
        case running
        case failed
        /// Complete, and listed by its engine with its files.
        case kept
        /// Its files were deleted, or found missing.
        case gone
        /// The engine lists it no longer and did not say why: only a look at the files tells.
        case unlisted
    }

    /// Name of the context in which it was first seen.
    public var context: String
    public var job: JobID
    public var jobName: String
    /// As last reported, without operators.
    public var report: CheckpointReport
    public var fate: Fate
    public var firstSeenAt: WallTime
    /// When its engine last listed it.
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

    /// A restart can be tried from it.
    public var mayBeRestored: Bool { (fate == .kept || fate == .unlisted) && report.status == .completed && report.path != nil }
}

extension CheckpointReport {
    /// What became of a checkpoint that its engine lists.
    public var fate: RememberedCheckpoint.Fate {
        switch status {
        case .inProgress: .running
        case .failed: .failed
        case .completed: discarded ? .gone : .kept
        }
    }
}
