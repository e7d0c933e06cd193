import CellGrid
import StreamModel

/// An operation that the console shows: what was asked, what the engine said, and what was observed since. The words are kept
/// apart: *sent*, *accepted*, *completed* (says the engine), *observed* (a report shows it), *proven* (a restart's whole proof).
struct TrackedOperation: Sendable {
    enum Stage: String, Sendable {
        /// Handed to the link; nothing came back yet.
        case sent
        /// The engine did not take it.
        case refused
        /// The engine took it.
        case accepted
        case running
        /// The engine says that it is done.
        case completed
        /// A report of the job shows the effect.
        case observed
        /// A restart whose proof is complete.
        case proven
        case failed
        /// The engine cannot tell, or does not know the operation after the link came back.
        case unknown
        /// Its process ended in the middle of it: it can be gone on with.
        case interrupted
    }

    let request: OperationRequest
    let context: String
    var jobName: String
    /// When it was sent, or accepted for those of others.
    var since: WallTime
    /// Asked for by this console in this run.
    var isOwn: Bool
    /// Asked for by this console in an earlier run.
    var isReattached = false
    /// What was heard of it.
    private(set) var heard = OperationProgress()
    /// What a report showed; nil = not yet.
    private(set) var evidence: SafeText?
    /// The files that a cancel left are being read, or were.
    var isKeptChecked = false
    private(set) var observedAt: WallTime?
    private(set) var proof: RestartProof?

    /// Whether a proof can still be observed.
    private let isProvable: Bool

    init(
        _ request: OperationRequest, context: String, jobName: String, since: WallTime, isOwn: Bool, chosen: CheckpointID? = nil, isProvable: Bool = true
    ) {
        self.isProvable = isProvable
        self.request = request
        self.context = context
        self.jobName = jobName
        self.since = since
        self.isOwn = isOwn
        if isProvable, let options = request.kind.launch, let path = options.path {
            proof = RestartProof(
                chosenID: chosen, chosenPath: path, origin: request.job, allowsUnmatchedState: options.allowsUnmatchedState)
        }
    }

    var id: OperationID { request.id }
    var report: OperationReport? { heard.report }
    var refusal: String? { heard.refusal }
    /// The engine does not name it although it should be under way.
    var isLost: Bool { heard.stage == .unknown && heard.report?.state != .unknown }

    /// Followed on every screen.
    var isFollowed: Bool { isOwn || isReattached }

    var stage: Stage {
        switch heard.stage {
        case .recorded, .sent: .sent
        case .refused: .refused
        case .accepted: .accepted
        case .running: .running
        case .failed: .failed
        case .unknown: isLost || evidence == nil ? .unknown : .observed
        case .interrupted: .interrupted
        case .completed: completedStage
        }
    }

    private var completedStage: Stage {
        guard let proof else { return report?.verdict?.isProven == true ? .proven : evidence == nil ? .completed : .observed }
        return switch proof.verdict {
        case .resumedDurable, .caughtUp: .proven
        case .mismatch, .failed: .failed
        case .resumed: .observed
        case .waiting, .launched: .completed
        }
    }

    /// Nothing more is expected to happen.
    var isSettled: Bool {
        switch stage {
        case .sent, .accepted, .running: false
        case .refused, .failed, .proven, .interrupted: true
        case .completed: request.kind.isOfCluster || (proof?.isSettled ?? !isProvable)
        case .observed, .unknown: proof?.isSettled ?? true
        }
    }

    /// Seen by the engine as under way, or not answered yet.
    var isInFlight: Bool { [.sent, .accepted, .running].contains(stage) }

    var severity: Severity {
        switch stage {
        case .sent, .accepted, .running, .completed: .run
        case .observed, .proven: .ok
        case .refused, .failed, .interrupted: .crit
        case .unknown: .unknown
        }
    }

    /// Takes in what the engine says of it.
    mutating func observe(_ report: OperationReport) {
        guard heard.take(.reported(report)) != .none else { return }
        if !report.jobName.isEmpty { jobName = report.jobName }
        // Asked to begin from the newest, the engine has chosen.
        if isProvable, proof == nil, let options = request.kind.launch, let path = report.path {
            proof = RestartProof(
                chosenID: report.checkpoint, chosenPath: path, origin: request.job, allowsUnmatchedState: options.allowsUnmatchedState)
        }
        proof?.observe(report)
    }

    mutating func refuse(_ message: String) { heard.take(.refused(message)) }

    /// The engine does not name the operation in its reports although it should be under way.
    mutating func lose() { heard.take(.lost) }

    /// Takes in a report of a job of its context: looks for the effect.
    mutating func observe(_ job: JobReport, at now: WallTime) {
        proof?.observe(job, at: now)
        guard evidence == nil, let report, report.state == .completed || report.state == .unknown, job.id == request.job else { return }
        if let seen = effect(on: job, report) {
            evidence = seen
            observedAt = now
        }
    }

    /// Takes in all jobs of its context.
    mutating func observe(runs: [JobReport]) { proof?.observe(runs: runs) }

    private func effect(on job: JobReport, _ report: OperationReport) -> SafeText? {
        switch request.kind {
        case .savepoint:
            return savepoint(job, report)
        case .stop:
            guard let saved = savepoint(job, report), job.state == .finished else { return nil }
            return "\(saved), job is FINISHED"
        case .checkpoint:
            guard let newest = job.latestCompleted, report.checkpoint.map({ newest.id >= $0 }) ?? (newest.triggeredAt >= report.acceptedAt) else {
                return nil
            }
            return "checkpoint #\(report.checkpoint ?? newest.id) completed"
        case .cancel:
            guard job.state == .canceled else { return nil }
            return "job is CANCELED"
        case .restart, .dispose, .uploadJar, .deleteJar: return nil
        case .launch: return job.state == .running ? "job is RUNNING, \(job.runningSubtasks)/\(job.totalSubtasks) tasks" : nil
        case .fault: return "applied"
        }
    }

    private func savepoint(_ job: JobReport, _ report: OperationReport) -> SafeText? {
        guard let saved = job.latestSavepoint, saved.isRestorable else { return nil }
        let isIt = report.checkpoint.map { $0 == saved.id } ?? (report.path == saved.path)
        return isIt || report.path != nil && report.path == saved.path ? "savepoint #\(saved.id) is in the job's list" : nil
    }

    /// Adds to what was observed: the files of what a cancel kept.
    mutating func addEvidence(_ text: SafeText) { evidence = evidence.map { $0 + ", " + text } ?? text }

    var verb: SafeText { Self.verb(request.kind) }

    /// The job, or the end of the path of what it is about.
    var subject: String { jobName.isEmpty ? request.subject : jobName }

    static func verb(_ kind: OperationRequest.Kind) -> SafeText { SafeText(kind.title) }

    /// One line for the message row: what it is and how far it has come.
    func progress(at now: WallTime) -> SafeText {
        let start: SafeText = "\(isReattached ? "re-attached: " : "")\(verb) op \(id.short) of \(jobName)"
        switch stage {
        case .sent: return "\(start): sent, not accepted yet"
        case .interrupted: return "\(start): interrupted: \(failure)"
        case .refused: return "\(start): refused: \(refusal ?? "")"
        case .accepted: return "\(start): \(report?.activity.map { SafeText($0) } ?? "accepted")"
        case .running:
            if let activity = report?.activity { return "\(start): \(activity)" }
            guard let report, let acknowledged = report.acknowledgedSubtasks, let total = report.totalSubtasks else { return "\(start): running" }
            return "\(start): acked \(acknowledged)/\(total), \(Figures.duration(roundedDown(now - since)))"
        case .completed:
            if let proof { return "\(start): \(verdictWords(proof))" }
            return "\(start): the engine says completed; not observed yet"
        case .observed:
            if let proof { return "\(start): \(verdictWords(proof))" }
            return "\(start): observed: \(evidence ?? "")"
        case .proven: return "\(start): proven: \(proof.map(verdictWords) ?? "")"
        case .failed: return "\(start): failed: \(failure)"
        case .unknown:
            return "\(start): outcome unknown: \(whyUnknown); look at 3"
        }
    }

    private var whyUnknown: SafeText {
        if let error = report?.error, !isLost { return SafeText(error) }
        return isLost ? "the engine does not know it" : "the engine ended while it ran"
    }

    var failure: SafeText {
        if let error = report?.error { return SafeText(error) }
        if let refusal { return SafeText(refusal) }
        if let line = proof?.lines.first(where: { $0.state == .failed }) { return SafeText(line.evidence) }
        return "no cause was reported"
    }

    private func verdictWords(_ proof: RestartProof) -> SafeText { RestartWords.verdict(proof) }

    private func roundedDown(_ value: Milliseconds) -> Milliseconds { Milliseconds(value.count / 1000 * 1000) }

    /// For a column: the path, the error, or what was seen.
    var result: SafeText {
        if stage == .failed || stage == .refused || stage == .interrupted { return failure }
        if stage == .unknown { return whyUnknown }
        if let activity = report?.activity { return SafeText(activity) }
        if stage == .completed, let line = proof?[.tasks], line.state == .unproven { return "not observed: \(line.evidence)" }
        if report?.deletedCheckpoints != nil, let deleted = report?.result { return SafeText(deleted) }
        if let path = report?.path { return SafeText(path) }
        if let evidence { return evidence }
        return stage == .sent ? "no answer yet" : ""
    }
}

/// The words of a restart's proof.
enum RestartWords {
    static func role(_ proof: RestartProof) -> StyleRole {
        switch proof.verdict {
        case .mismatch, .failed: .severityCrit
        case _ where proof.secondCopy != nil: .severityCrit
        case let verdict: verdict.isProven ? .severityOK : .severityRun
        }
    }

    static func verdict(_ proof: RestartProof) -> SafeText {
        guard let other = proof.secondCopy else { return ownVerdict(proof) }
        return "A SECOND COPY RUNS: job \(other.short) has the same name; \(ownVerdict(proof))"
    }

    private static func ownVerdict(_ proof: RestartProof) -> SafeText {
        let from: SafeText = proof.chosenID.map { "FROM #\($0)" } ?? "FROM THE CHOSEN PATH"
        switch proof.verdict {
        case .waiting: return "WAITING for the engine to launch the job"
        case .launched:
            let unproven = [proof[.restored], proof[.tasks]].first { $0.state == .unproven }
            return unproven.map { "LAUNCHED - not proven to have resumed: \($0.evidence)" } ?? "LAUNCHED - not yet known to have resumed"
        case .resumed:
            let pending = proof.lines.filter { $0.state == .waiting && $0.step != .outputs }.map { "\($0.step.rawValue)" }
            if pending.isEmpty { return "RESUMED \(from) - not proven durable: \(proof[.firstCheckpoint].evidence)" }
            return "RESUMED \(from) - not yet proven durable (step \(pending.joined(separator: ", ")) pending)"
        case .resumedDurable: return "RESUMED+DURABLE \(from)"
        case .caughtUp: return "RESUMED+DURABLE \(from), CAUGHT UP: \(proof.caughtUp ?? "")"
        case .mismatch: return "MISMATCH: the job runs from something else; cancel it, and keep the checkpoints"
        case .failed: return "FAILED: \(proof.lines.first { $0.state == .failed }?.evidence ?? "")"
        }
    }

    /// In the engine's words where it has some of its own.
    static func strategy(of job: JobReport) -> SafeText { job.restartStrategyWords.map { SafeText($0, limit: 60) } ?? strategy(job.restartStrategy) }

    static func strategy(_ strategy: RestartStrategy) -> SafeText {
        switch strategy {
        case .none: "no restart"
        case .fixedDelay(let attempts, let delay):
            attempts >= Int(Int32.max)
                ? "fixed delay: no limit, \(Figures.setting(delay)) apart"
                : "fixed delay: up to \(Figures.plural(attempts, "attempt")), \(Figures.setting(delay)) apart"
        case .exponentialDelay(let initial, let maximum, let multiplier, _, _):
            "after \(Figures.setting(initial)), x\(Figures.factor(multiplier)) up to \(Figures.setting(maximum))"
        case .failureRate(let failures, let interval, let delay):
            "after \(Figures.setting(delay)), below \(failures) in \(Figures.setting(interval))"
        }
    }

    static func name(_ step: RestartProof.Step) -> SafeText {
        switch step {
        case .launched: "launched"
        case .restored: "restored id"
        case .tasks: "tasks"
        case .firstCheckpoint: "first new ckpt"
        case .progress: "progress"
        case .outputs: "outputs"
        }
    }
}
