/// The observed proof that a restart resumed from the chosen checkpoint. Pure: reports in, verdict out; shared by the console, the commands and the
/// demo. A step is `done` only when a report showed it. A step that the engine cannot show is `unproven`, with the reason, until it is shown after
/// all; it does not block the other steps.
public struct RestartProof: Sendable, Equatable {
    public enum StepState: String, Sendable, Codable { case waiting, done, failed, unproven }
    public enum Verdict: String, Sendable, Codable {
        case waiting = "WAITING"
        /// A new job exists.
        case launched = "LAUNCHED"
        /// It took the chosen state, and all of it runs.
        case resumed = "RESUMED"
        /// It has also completed its own checkpoint: progress since the restart is safe too.
        case resumedDurable = "RESUMED+DURABLE"
        /// It has also read again the input read before: see `CatchUp` for the evidence.
        case caughtUp = "CAUGHT UP"
        /// It runs from other state.
        case mismatch = "MISMATCH"
        case failed = "FAILED"

        public var isProven: Bool { self == .resumedDurable || self == .caughtUp }
    }
    public enum Step: Int, Sendable, CaseIterable, Codable {
        /// The engine reported a new job id.
        case launched = 1
        /// The engine's restored id and path equal the chosen ones.
        case restored
        /// All subtasks run.
        case tasks
        /// The first checkpoint of the new job, with an id above the chosen one, completed.
        case firstCheckpoint
        /// The sources continue from the restored offsets.
        case progress
        /// The engine's counters show no gap and no repeat.
        case outputs
    }
    public struct Line: Sendable, Equatable {
        public var step: Step
        public var state: StepState
        public var evidence: String
    }

    /// Chosen checkpoint. The number is nil where only a path is known.
    public let chosenID: CheckpointID?
    public let chosenPath: String
    public private(set) var lines: [Line]
    public private(set) var newJob: JobID?
    /// Another job of the new one's name that runs beside it; nil = none is known.
    public private(set) var secondCopy: JobID?
    /// Wall time of the report that completed the proof.
    public private(set) var provenAt: WallTime?
    /// The restarted job: the new one has to catch up with its progress.
    private let origin: JobID?
    private let allowsUnmatchedState: Bool
    private var catchUp = CatchUp()
    /// Time when all tasks were first seen running.
    private var runningAt: WallTime?
    /// Whether the new job was seen to have ended without finishing.
    private var hasEnded = false
    /// Verdict on record; nil = none, or not a proven one.
    private var recorded: Verdict?

    /// Running time without a report of the restored snapshot after which the engine is assumed not to report it.
    static let restorePatience = Milliseconds.seconds(60)
    /// The same for records counted by sources.
    static let progressPatience = Milliseconds.seconds(15)

    /// - Parameters:
    ///   - origin: the restarted job; its reports are taken in too.
    ///   - allowsUnmatchedState: whether unmatched state may be dropped, even all of it; the chosen path alone is then no proof.
    public init(chosenID: CheckpointID?, chosenPath: String, origin: JobID? = nil, allowsUnmatchedState: Bool = false) {
        self.chosenID = chosenID
        self.chosenPath = chosenPath
        self.origin = origin
        self.allowsUnmatchedState = allowsUnmatchedState
        lines = Step.allCases.map { Line(step: $0, state: .waiting, evidence: "") }
    }

    public subscript(_ step: Step) -> Line { lines[step.rawValue - 1] }

    /// As the steps show it, or as it was recorded by somebody who saw them.
    public var verdict: Verdict {
        let shown = shownVerdict
        guard let recorded, ![.mismatch, .failed].contains(shown), !shown.isProven else { return shown }
        return recorded
    }

    private var shownVerdict: Verdict {
        if self[.restored].state == .failed { return .mismatch }
        if lines.contains(where: { $0.state == .failed }) { return .failed }
        guard self[.launched].state == .done else { return .waiting }
        guard self[.restored].state == .done, self[.tasks].state == .done else { return .launched }
        guard self[.firstCheckpoint].state == .done, self[.progress].state != .waiting else { return .resumed }
        return self[.progress].state == .done && catchUp.evidence != nil ? .caughtUp : .resumedDurable
    }

    /// Evidence that the job has caught up; nil = not observed.
    public var caughtUp: String? { catchUp.evidence }

    /// Whether no later report can improve the verdict.
    public var isSettled: Bool { hasEnded || [.caughtUp, .mismatch, .failed].contains(verdict) }

    /// Takes in the operation that launched the job. Its error fails the first step; a verdict on record stands.
    public mutating func observe(_ operation: OperationReport) {
        if let job = operation.newJob, newJob == nil {
            newJob = job
            set(.launched, .done, "new job id \(job.short)")
        }
        if operation.state == .failed, self[.launched].state != .done { set(.launched, .failed, operation.error ?? "refused") }
        if let verdict = operation.verdict, verdict.isProven { recorded = verdict }
    }

    /// Steps that can no longer be seen, of a proof that is on record.
    private mutating func fillFromRecord() {
        guard recorded != nil else { return }
        for step in [Step.restored, .tasks, .firstCheckpoint, .progress] where self[step].state == .waiting { set(step, .done, "observed, as recorded") }
    }

    /// Takes in a report of the restarted job or of the new one; reports of other jobs are ignored.
    public mutating func observe(_ job: JobReport, at now: WallTime) {
        if job.id == origin, job.id != newJob, newJob == nil || job.state.isTerminal { catchUp.observe(before: job) }
        guard job.id == newJob else { return }
        if job.state == .failed || job.state == .canceled { return observeEnd(of: job, at: now) }
        observeTasks(job, at: now)
        observeRestored(job, at: now)
        guard self[.restored].state == .done || self[.restored].state == .unproven else { return }
        observeFirstCheckpoint(job)
        observeProgress(job, at: now)
        observeOutputs(job)
        if verdict.isProven, provenAt == nil { provenAt = now }
    }

    /// An end takes back nothing that was reached before it. What its last report still shows counts: it names the restored snapshot, and a
    /// completed checkpoint needed every task. A cancel is an operator's doing and fails no step.
    private mutating func observeEnd(of job: JobReport, at now: WallTime) {
        hasEnded = true
        guard !verdict.isProven else { return fillFromRecord() }
        observeRestored(job, at: now)
        if self[.restored].state == .done {
            observeFirstCheckpoint(job)
            if self[.firstCheckpoint].state == .done { set(.tasks, .done, "all of them acknowledged \(job.latestCompleted.map { "#\($0.id)" } ?? "it")") }
            observeProgress(job, at: now)
            observeOutputs(job)
        }
        if verdict.isProven { return provenAt = now }
        let cause = job.state == .failed ? job.lastFailure.map { ": \($0.message)" } ?? "" : ", and was not observed to run before"
        set(.tasks, job.state == .failed ? .failed : .unproven, "job is \(job.state.rawValue)\(cause)")
    }

    /// Takes in all jobs of the engine: whether the new one is the only live one of its name.
    public mutating func observe(runs: [JobReport]) {
        guard let newJob, let new = runs.first(where: { $0.id == newJob }), !new.state.isTerminal else {
            fillFromRecord()
            return secondCopy = nil
        }
        secondCopy = runs.liveRun(named: new.name, besides: [newJob])?.id
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
        // An engine that came back begins a new attempt of the job, which counts as no restart.
        if isThere == false || isNumbered == false, !restored.chosen, job.restarts > 0 || job.attempt > 1 {
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

    /// State of the snapshot that was dropped, if any.
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
