/// The observed facts that a restart resumed from the chosen checkpoint. Pure: reports in, verdict out; the console, the
/// commands and the demo share it. A step is `done` only when a report showed it. A step that the engine cannot show is `unproven`, with the
/// reason, until it is shown after all; it does not stand in the way of the steps that were.
public struct RestartProof: Sendable, Equatable {
    public enum StepState: String, Sendable, Codable { case waiting, done, failed, unproven }
    public enum Verdict: String, Sendable, Codable {
        case waiting = "WAITING"
        /// There is a new job.
        case launched = "LAUNCHED"
        /// It took the chosen state, and all of it runs.
        case resumed = "RESUMED"
        /// And it has completed a checkpoint of its own: what it did since is safe too.
        case resumedDurable = "RESUMED+DURABLE"
        /// And it has read again what had been read before: see `CatchUp` for how that is seen.
        case caughtUp = "CAUGHT UP"
        /// It runs from something else.
        case mismatch = "MISMATCH"
        case failed = "FAILED"

        public var isProven: Bool { self == .resumedDurable || self == .caughtUp }
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

    /// What the operator chose. The number is nil where only a path is known.
    public let chosenID: CheckpointID?
    public let chosenPath: String
    public private(set) var lines: [Line]
    public private(set) var newJob: JobID?
    /// Wall time of the report that made the restart proven.
    public private(set) var provenAt: WallTime?
    /// The job that was restarted: what it had come to is what the new one has to catch up with.
    private let origin: JobID?
    private let allowsUnmatchedState: Bool
    private var catchUp = CatchUp()
    /// When all tasks were first seen to run.
    private var runningAt: WallTime?

    /// Running for this long without a word of what was restored, an engine is taken not to tell.
    static let restorePatience = Milliseconds.seconds(60)
    /// The same for records that sources count.
    static let progressPatience = Milliseconds.seconds(15)

    /// - Parameters:
    ///   - origin: the job that is restarted; its reports are taken in too.
    ///   - allowsUnmatchedState: state that no operator wants may be dropped, all of it included: the chosen path alone proves nothing then.
    public init(chosenID: CheckpointID?, chosenPath: String, origin: JobID? = nil, allowsUnmatchedState: Bool = false) {
        self.chosenID = chosenID
        self.chosenPath = chosenPath
        self.origin = origin
        self.allowsUnmatchedState = allowsUnmatchedState
        lines = Step.allCases.map { Line(step: $0, state: .waiting, evidence: "") }
    }

    public subscript(_ step: Step) -> Line { lines[step.rawValue - 1] }

    public var verdict: Verdict {
        if self[.restored].state == .failed { return .mismatch }
        if lines.contains(where: { $0.state == .failed }) { return .failed }
        guard self[.launched].state == .done else { return .waiting }
        guard self[.restored].state == .done, self[.tasks].state == .done else { return .launched }
        guard self[.firstCheckpoint].state == .done, self[.progress].state != .waiting else { return .resumed }
        return self[.progress].state == .done && catchUp.evidence != nil ? .caughtUp : .resumedDurable
    }

    /// What showed that the job has caught up; nil = that was not seen.
    public var caughtUp: String? { catchUp.evidence }

    /// No later report can change the verdict for the better.
    public var isSettled: Bool { [.caughtUp, .mismatch, .failed].contains(verdict) }

    /// Takes in the operation that launched the job. Its error fails the first step.
    public mutating func observe(_ operation: OperationReport) {
        if let job = operation.newJob, newJob == nil {
            newJob = job
            set(.launched, .done, "new job id \(job.short)")
        }
        if operation.state == .failed, self[.launched].state != .done { set(.launched, .failed, operation.error ?? "refused") }
    }

    /// Takes in a report of the job that is restarted or of the new one; reports of other jobs are ignored.
    public mutating func observe(_ job: JobReport, at now: WallTime) {
        if job.id == origin, job.id != newJob, newJob == nil || job.state.isTerminal { catchUp.observe(before: job) }
        guard job.id == newJob else { return }
        if job.state == .failed || job.state == .canceled {
            if !verdict.isProven { set(.tasks, .failed, "job is \(job.state.rawValue): \(job.lastFailure?.message ?? "")") }
            return
        }
        observeTasks(job, at: now)
        observeRestored(job, at: now)
        guard self[.restored].state == .done || self[.restored].state == .unproven else { return }
        observeFirstCheckpoint(job)
        observeProgress(job, at: now)
        observeOutputs(job)
        if verdict.isProven, provenAt == nil { provenAt = now }
    }

    private mutating func observeTasks(_ job: JobReport, at now: WallTime) {
        guard self[.tasks].state == .waiting else { return }
        let finished = job.vertices.reduce(0) { $0 + $1.finishedSubtasks }
        guard job.state == .finished || job.runningSubtasks + finished == job.totalSubtasks && job.totalSubtasks > 0 else { return }
        runningAt = now
        set(.tasks, .done, "\(job.totalSubtasks)/\(job.totalSubtasks) running")
    }

    private mutating func observeRestored(_ job: JobReport, at now: WallTime) {
        guard self[.restored].state == .waiting || self[.restored].state == .unproven else { return }
        guard let restored = job.restored else {
            if let runningAt, now - runningAt >= Self.restorePatience { set(.restored, .unproven, "the engine does not tell what the job was restored from") }
            return
        }
        let isThere = restored.path.isEmpty || chosenPath.isEmpty ? nil : SnapshotLocation(restored.path) == SnapshotLocation(chosenPath)
        let isNumbered = chosenID.map { $0 == restored.checkpoint }
        if isThere == false || isNumbered == false, !restored.chosen, job.restarts > 0 {
            return set(.restored, .unproven, "the job has recovered by itself since, from \(restored.checkpoint): its first restore was not seen")
        }
        let place = isThere.map { $0 ? "path matches" : "path is \(restored.path)" } ?? "no path to compare"
        let evidence = "engine reports \(restored.checkpoint), chosen \(chosenID.map(\.description) ?? "by path"), \(place)" + Self.state(restored)
        if isThere == false || isNumbered == false || restored.tookNothing { return set(.restored, .failed, evidence) }
        guard isThere ?? isNumbered ?? false else { return set(.restored, .unproven, evidence) }
        guard restored.restoredOperators != nil || !allowsUnmatchedState else {
            return set(.restored, .unproven, evidence + "; unmatched state was allowed, and the engine does not tell which operators took any")
        }
        set(.restored, .done, evidence)
    }

    private mutating func observeFirstCheckpoint(_ job: JobReport) {
        guard self[.firstCheckpoint].state != .done else { return }
        let known = [chosenID, job.restored?.checkpoint].compactMap { $0 }.max()
        if let completed = job.latestCompleted, let known, completed.id > known {
            set(.firstCheckpoint, .done, "#\(completed.id) completed")
        } else if job.state == .finished {
            set(.firstCheckpoint, .done, "the job finished")
        } else if job.configuration.interval == nil, job.freshness == nil || job.freshness?.configuration != nil {
            set(.firstCheckpoint, .unproven, "the job takes no checkpoints by itself")
        }
    }

    private mutating func observeProgress(_ job: JobReport, at now: WallTime) {
        let counted = job.vertices.reduce(0 as UInt64) { max($0, $1.recordsIn, $1.recordsOut) }
        if job.throughput.recordsRead > 0 || counted > 0 || job.state == .finished {
            if newJob != origin { catchUp.observe(after: job, isOwnSnapshot: job.restored?.fromJob == origin) }
            let isRead = job.throughput.recordsRead > 0 || counted == 0
            let count = isRead ? "\(job.throughput.recordsRead) records read" : "\(counted) records between the operators"
            set(.progress, .done, count + (catchUp.distance.map { ", \($0)" } ?? " since the restore"))
        } else if self[.progress].state == .waiting, self[.firstCheckpoint].state != .waiting, let runningAt, now - runningAt >= Self.progressPatience {
            let seconds = Self.progressPatience.count / 1000
            set(.progress, .unproven, "no record was counted in \(seconds) s: there is no input, or the sources do not count")
        }
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
            "\(audit.duplicates) duplicates, \(audit.lost) lost of \(audit.verified); replayed \(replay)")
    }

    private mutating func set(_ step: Step, _ state: StepState, _ evidence: String) {
        lines[step.rawValue - 1] = Line(step: step, state: state, evidence: evidence)
    }
}
