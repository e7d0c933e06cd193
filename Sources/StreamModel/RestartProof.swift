/// The observed facts that a restart resumed from the chosen checkpoint. Pure: reports in, verdict out; the console, the
/// commands and the demo share it. A step is `done` only when a report showed it.
public struct RestartProof: Sendable, Equatable {
    public enum StepState: String, Sendable, Codable { case waiting, done, failed, unproven }
    public enum Verdict: String, Sendable, Codable {
        case waiting = "WAITING"
        case launched = "LAUNCHED"
        case resumed = "RESUMED"
        case resumedDurable = "RESUMED+DURABLE"
        case mismatch = "MISMATCH"
        case failed = "FAILED"
    }
    public enum Step: Int, Sendable, CaseIterable, Codable {
        /// The engine reports a new job id.
        case launched = 1
        /// The engine's restored id and path equal the chosen ones.
        case restored
        /// All subtasks run.
        case tasks
        /// The first checkpoint of the new job, with an id above the chosen one, completed.
        case firstCheckpoint
        /// The sources read on from the restored offsets.
        case progress
        /// The engine's counters show no gap and no repeat.
        case outputs
    }
    public struct Line: Sendable, Equatable {
        public var step: Step
        public var state: StepState
        public var evidence: String
    }

    /// What the operator chose.
    public let chosenID: CheckpointID?
    public let chosenPath: String
    public private(set) var lines: [Line]
    public private(set) var newJob: JobID?
    /// Wall time of the report that completed the last step.
    public private(set) var provenAt: WallTime?

    public init(chosenID: CheckpointID?, chosenPath: String) {
        self.chosenID = chosenID
        self.chosenPath = chosenPath
        lines = Step.allCases.map { Line(step: $0, state: .waiting, evidence: "") }
    }

    public subscript(_ step: Step) -> Line { lines[step.rawValue - 1] }

    public var verdict: Verdict {
        if self[.restored].state == .failed { return .mismatch }
        if lines.contains(where: { $0.state == .failed }) { return .failed }
        guard self[.launched].state == .done else { return .waiting }
        guard self[.restored].state == .done, self[.tasks].state == .done else { return .launched }
        guard self[.firstCheckpoint].state == .done, self[.progress].state == .done else { return .resumed }
        return .resumedDurable
    }

    /// No later report can change the verdict for the better.
    public var isSettled: Bool { [.resumedDurable, .mismatch, .failed].contains(verdict) }

    /// Takes in the operation that launched the job. Its error fails the first step.
    public mutating func observe(_ operation: OperationReport) {
        if let job = operation.newJob, newJob == nil {
            newJob = job
            set(.launched, .done, "new job id \(job.short)")
        }
        if operation.state == .failed, self[.launched].state != .done { set(.launched, .failed, operation.error ?? "refused") }
    }

    /// Takes in a report of the new job; reports of other jobs are ignored.
    public mutating func observe(_ job: JobReport, at now: WallTime) {
        guard job.id == newJob else { return }
        if job.state == .failed || job.state == .canceled {
            if !isSettled { set(.tasks, .failed, "job is \(job.state.rawValue): \(job.lastFailure?.message ?? "")") }
            return
        }
        if let restored = job.restored, self[.restored].state == .waiting {
            let isThere = SnapshotLocation(restored.path) == SnapshotLocation(chosenPath)
            let matches = isThere && (chosenID == nil || chosenID == restored.checkpoint)
            set(
                .restored, matches && !restored.tookNothing ? .done : .failed,
                "engine reports \(restored.checkpoint), chosen \(chosenID.map(\.description) ?? "by path"), "
                    + (isThere ? "path matches" : "path is \(restored.path)") + Self.state(restored))
        }
        guard self[.restored].state == .done, let restored = job.restored else { return }
        let finished = job.vertices.reduce(0) { $0 + $1.finishedSubtasks }
        if self[.tasks].state == .waiting, job.state == .finished || job.runningSubtasks + finished == job.totalSubtasks && job.totalSubtasks > 0 {
            set(.tasks, .done, "\(job.totalSubtasks)/\(job.totalSubtasks) running")
        }
        if self[.firstCheckpoint].state == .waiting {
            if let completed = job.latestCompleted, completed.id > restored.checkpoint {
                set(.firstCheckpoint, .done, "#\(completed.id) completed")
            } else if job.state == .finished {
                set(.firstCheckpoint, .done, "the job finished")
            }
        }
        if self[.progress].state == .waiting, job.throughput.recordsRead > 0 || job.state == .finished {
            set(.progress, .done, "\(job.throughput.recordsRead) records read since the restore")
        }
        observeOutputs(job)
        if verdict == .resumedDurable, provenAt == nil { provenAt = now }
    }

    /// What of the snapshot was left out, if anything was.
    private static func state(_ restored: RestoreReport) -> String {
        guard let dropped = restored.droppedOperators, !dropped.isEmpty else { return "" }
        let names = dropped.prefix(5).joined(separator: ", ") + (dropped.count > 5 ? " and \(dropped.count - 5) more" : "")
        return restored.tookNothing ? ", but NO operator of the job took state from it (it has \(names))" : "; the state of \(names) was dropped"
    }

    private mutating func observeOutputs(_ job: JobReport) {
        guard let audit = job.audit else {
            set(.outputs, .unproven, "the job's records carry no sequence numbers")
            return
        }
        let clean = audit.duplicates == 0 && audit.lost == 0
        let replay = audit.toReplay.map { "\(audit.replayed)/\($0)" } ?? "\(audit.replayed)"
        set(
            .outputs, clean ? (audit.verified > 0 ? .done : .waiting) : .failed,
            "\(audit.duplicates) duplicates, \(audit.lost) lost in \(audit.verified) records; replayed \(replay)")
    }

    private mutating func set(_ step: Step, _ state: StepState, _ evidence: String) {
        lines[step.rawValue - 1] = Line(step: step, state: state, evidence: evidence)
    }
}
