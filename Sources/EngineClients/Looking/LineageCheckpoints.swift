public import StreamModel

/// A checkpoint of a job or of one of its earlier runs, and whether a restart can use it.
public struct LineageCheckpoint: Encodable, Equatable, Sendable {
    public enum Source: String, Encodable, Sendable {
        case engine
        /// Only the ledger has it.
        case ledger
    }
    public var report: CheckpointReport
    public var job: JobID
    /// 0 = the job that was asked for, 1 = the run before it.
    public var run: Int
    public var source: Source
    /// Why no restart can use it; nil = no reason is known.
    public var problem: String?
    /// Whether its files are known to exist.
    public var isKnownToBeThere: Bool

    /// Rank among the others: the later, the greater.
    fileprivate var place: (WallTime, Int, CheckpointID) { (report.triggeredAt, -run, report.id) }

    private enum CodingKeys: String, CodingKey { case job, run, source, problem, isKnownToBeThere }

    /// The fields of the report, and those of the lineage.
    public func encode(to encoder: any Encoder) throws {
        try report.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(job, forKey: .job)
        try container.encode(run, forKey: .run)
        try container.encode(source, forKey: .source)
        try container.encodeIfPresent(problem, forKey: .problem)
        try container.encode(isKnownToBeThere, forKey: .isKnownToBeThere)
    }
}

/// The runs of a job, as an engine lists them, and their checkpoints. Pure.
public struct Lineage: Sendable {
    public struct Run: Sendable {
        public var job: JobReport
        /// Newest first.
        public var checkpoints: [CheckpointReport]

        public init(_ job: JobReport, checkpoints: [CheckpointReport]) { (self.job, self.checkpoints) = (job, checkpoints) }
    }

    /// The job that was asked for, then its earlier runs, newest first.
    public let runs: [Run]

    public init(_ runs: [Run]) { self.runs = runs }

    /// All checkpoints of the requested job, the restorable ones of its earlier runs, and those that only the ledger has; newest trigger first.
    /// - Parameter isThere: whether the files of a path exist; nil = that cannot be told from here.
    public func rows(remembered: [RememberedCheckpoint], isThere: (String) -> Bool?) -> [LineageCheckpoint] {
        var rows: [LineageCheckpoint] = []
        for (index, run) in runs.enumerated() {
            let losses = LossWords(run.checkpoints, of: run.job)
            for report in run.checkpoints where index == 0 || report.isRestorable {
                rows.append(
                    LineageCheckpoint(
                        report: report, job: run.job.id, run: index, source: .engine, problem: Self.problem(report, losses),
                        isKnownToBeThere: report.isRestorable))
            }
        }
        return (rows + extra(remembered, isThere)).sorted { $1.place < $0.place }
    }

    /// The remembered checkpoints that no engine lists. A live job subsumes its checkpoints, so only its savepoints count.
    private func extra(_ remembered: [RememberedCheckpoint], _ isThere: (String) -> Bool?) -> [LineageCheckpoint] {
        let listed = Set(runs.flatMap(\.checkpoints).compactMap(\.path).map { SnapshotLocation($0) })
        let told = Dictionary(runs.enumerated().map { ($1.job.id, $0) }, uniquingKeysWith: { first, _ in first })
        return remembered.filter { row in
            guard row.mayBeRestored, let path = row.report.path, !listed.contains(SnapshotLocation(path)) else { return false }
            guard let run = told[row.job] else { return true }
            let isKnownGone = runs[run].checkpoints.contains { $0.id == row.report.id }
            return !isKnownGone && (row.report.kind.isSavepoint || runs[run].job.state.isTerminal)
        }.map { row in
            let exists = row.report.path.flatMap(isThere)
            return LineageCheckpoint(
                report: row.report, job: row.job, run: told[row.job] ?? runs.count, source: .ledger,
                problem: exists == false ? "its files are gone" : nil, isKnownToBeThere: exists == true)
        }
    }

    private static func problem(_ report: CheckpointReport, _ losses: LossWords) -> String? {
        switch report.status {
        case .inProgress: "in progress"
        case .failed: "failed"
        case .completed: report.discarded ? losses.word(report) : report.path == nil ? "no path is known" : nil
        }
    }
}
