internal import ControlProtocol
internal import FlinkREST
internal import HostEnvironment
internal import Ledger
public import StreamModel

/// Carries an upgrade out, from whatever stage it has reached: each change of stage is on record before the next step is taken, and each step is an
/// operation whose id follows from the upgrade's, so that the same step twice is the same operation.
///
/// What nobody has decided (the cluster did not answer, a process ended before it had sent anything) is tried again, as another operation; only a
/// rule, or Flink's own answer, takes an upgrade back.
public struct UpgradeRun {
    public private(set) var upgrade: Upgrade
    private let link: FlinkLink
    private let say: (String) -> Void

    /// Between looks at the new job, and at whether an operator wants the old one back.
    private static let glance = Milliseconds.seconds(1)
    /// Between two tries of what the cluster could not be asked for.
    private static let pauseOfRetry = Milliseconds.seconds(2)
    /// For so long a cluster answers from its memory (`web.refresh-interval`), with a margin.
    private static let memory = Milliseconds.seconds(5)
    /// Looks for the run that somebody else launches, a second apart.
    private static let othersLooks = 30
    /// So often is tried again what fails before the launch is sent.
    private static let triesMax = 10
    /// A job that has failed so often since its proof is in a crash loop.
    static let restartsMax = 3
    /// So many checkpoints may fail one after the other while the new job is watched.
    static let failuresMax = 2

    public init(_ upgrade: Upgrade, on link: FlinkLink, say: @escaping (String) -> Void) {
        (self.upgrade, self.link, self.say) = (upgrade, link, say)
        link.knownNames[upgrade.job] = upgrade.jobName
    }

    /// Goes on until the upgrade has ended.
    /// - Throws: `.unproven` when the time is over first, or the cluster does not answer: the upgrade stays where it is, and can be gone on with.
    public mutating func carryOut(before deadline: Deadline) throws(ClientFailure) {
        guard link.ledger.claim(upgrade.id) else {
            throw ClientFailure(.unproven, "upgrade \(upgrade.id) is being carried out by another process: 'weir upgrades' shows it")
        }
        defer { link.ledger.release(upgrade.id) }
        // That process may have come further before it let go.
        upgrade = try link.ledger.upgrade(upgrade.id) ?? upgrade
        while !upgrade.stage.isFinal {
            say(upgrade.words)
            if let job = upgrade.newJob { link.knownNames[job] = upgrade.jobName }
            let event = try next(before: deadline)
            var moved = upgrade
            moved.take(event, at: .now())
            // An abort may come in before the end is written down; then it holds.
            try save(moved)
        }
    }

    private mutating func save(_ changed: Upgrade) throws(ClientFailure) {
        do throws(ClientFailure) {
            if try link.ledger.record(changed) { upgrade = changed }
        } catch {
            throw stays(error.message ?? "the ledger cannot be written")
        }
    }

    private mutating func next(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        switch upgrade.stage {
        case .stopping: return try stop(before: deadline)
        case .launching:
            if let abort {
                // A launch that was sent before may have arrived.
                if let job = try launchedJob(.launch, isPatient: true, before: deadline) { return .launched(job) }
                return .failed(abort)
            }
            return try launch(.launch, upgrade.new, instead: upgrade.job, cancelsFirst: false, before: deadline)
        case .returning:
            return try launch(.back, upgrade.old, instead: upgrade.newJob ?? upgrade.job, cancelsFirst: upgrade.newJob != nil, before: deadline)
        case .proving: return try prove(.launch, before: deadline)
        case .provingReturn: return try prove(.back, before: deadline)
        case .watching: return try watch(before: deadline)
        case .upgraded, .rolledBack, .kept, .stranded, .superseded: return .watched
        }
    }

    /// Words for an operator's wish to have the old program back; nil = nobody has said so.
    private var abort: String? { link.ledger.isAborted(upgrade.id) ? "an operator wants the old program back" : nil }

    private func id(_ part: Upgrade.Part) throws(ClientFailure) -> OperationID {
        guard let id = upgrade.operation(part) else { throw ClientFailure(.refused, "\(upgrade.id) is too long to be the id of an upgrade") }
        return id
    }

    private func stays(_ problem: String) -> ClientFailure {
        ClientFailure(.unproven, "\(problem); upgrade \(upgrade.id) is \(upgrade.stage.rawValue): 'weir resume \(upgrade.id)' goes on with it")
    }

    /// Nothing was sent for a part: the next try is on record, and waits for its turn.
    private mutating func tryAgain(_ part: Upgrade.Part, after problem: String, before deadline: Deadline) throws(ClientFailure) {
        say("\(problem); it is tried again")
        var changed = upgrade
        changed.tryAgain(part)
        try save(changed)
        guard !deadline.isOver else { throw stays("the time of the command is over") }
        pause(milliseconds: Int32(clamping: min(Self.pauseOfRetry, max(1, deadline.left)).count))
    }

    // MARK: Operations

    /// How an operation of an upgrade has ended.
    private enum Ending {
        case ended(OperationReport)
        /// By a rule, or by Flink.
        case refused(String)
        /// Nothing was sent, and nobody has decided that.
        case notSent(String)
    }

    private func carryOut(_ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> Ending {
        let end: OperationReport?
        do throws(ClientFailure) {
            var report: OperationReport? = try link.operate(command, before: deadline)
            if let known = report, !known.state.isTerminal, known.state != .interrupted {
                report = try link.wait(for: command.operation, before: deadline, progress: { _ in })
            }
            if report?.state == .interrupted { report = try link.goOn(command.operation, before: deadline) }
            end = report
        } catch {
            let problem = error.message ?? "the cluster does not answer"
            if error.status == .noLink || link.mayPass(command.operation) { return .notSent(problem) }
            guard error.status == .refused, !link.ledger.isCarriedOutElsewhere(command.operation) else { throw stays(problem) }
            return .refused(problem)
        }
        guard let end else { throw stays("the \(command.action.verb) is under way") }
        return .ended(end)
    }

    // MARK: The old job

    private mutating func stop(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        while true {
            let command = JobCommand(
                operation: try id(.stop), job: JobReference(upgrade.job), action: .stop(drain: false, directory: upgrade.directory), reason: upgrade.reason,
                by: upgrade.by)
            switch try carryOut(command, before: deadline) {
            case .ended(let end) where end.state == .completed && end.path != nil: return .stopped(path: end.path ?? "")
            case .ended(let end):
                let problem = end.error ?? "the end of the stop is not known"
                let state = try stateAfterStop(before: deadline)
                // It may have been sent, and may end the job yet.
                if end.state == .unknown, let state, !state.isTerminal { throw stays("\(problem); the job is \(state.rawValue)") }
                // The job is over, and its savepoint whole: sinks may not have committed, and do so when a job begins from it.
                if let path = end.path, state?.isTerminal ?? true { return .stopped(path: path) }
                return try notStopped(problem, state, before: deadline)
            case .refused(let problem): return try notStopped(problem, try stateAfterStop(before: deadline), before: deadline)
            case .notSent(let problem): try tryAgain(.stop, after: problem, before: deadline)
            }
        }
    }

    /// The state that the old job has come to. What the cluster tells right away may be as old as its memory, and name a job RUNNING that is ending.
    private func stateAfterStop(before deadline: Deadline) throws(ClientFailure) -> JobState? {
        pause(milliseconds: Int32(clamping: min(Self.memory, max(1, deadline.left)).count))
        while true {
            let state = try state(of: upgrade.job, before: deadline)
            guard let state, state != .running, !state.isTerminal, !deadline.isOver else { return state }
            pause(milliseconds: Int32(clamping: min(Self.glance, max(1, deadline.left)).count))
        }
    }

    /// A job that somebody else has stopped is launched again by them, perhaps in a moment.
    private func notStopped(_ problem: String, _ state: JobState?, before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        if let state, !state.isTerminal { return .notStopped("\(problem); the job is \(state.rawValue)", isRunning: true) }
        let words = state.map { "the job is \($0.rawValue)" } ?? "the cluster does not know the job any more"
        for _ in 0..<Self.othersLooks {
            if let other = try otherRun() { return .superseded("\(problem); \(words), and job \(other) lives") }
            guard !deadline.isOver else { throw stays("\(problem); \(words)") }
            pause(milliseconds: Int32(clamping: min(1000, max(1, deadline.left)).count))
        }
        return .notStopped("\(problem); \(words)", isRunning: false)
    }

    private func state(of job: JobID, before deadline: Deadline) throws(ClientFailure) -> JobState? {
        do throws(ClientFailure) { return try link.settledState(of: job, before: deadline) } catch { throw stays(error.message ?? "no answer") }
    }

    // MARK: Launches

    private mutating func launch(
        _ part: Upgrade.Part, _ recipe: JarRecipe, instead job: JobID, cancelsFirst: Bool, before deadline: Deadline
    ) throws(ClientFailure) -> Upgrade.Event {
        var options = RestartOptions(path: upgrade.path)
        options.recipe = recipe
        options.cancelsFirst = cancelsFirst
        options.allowsUnmatchedState = part == .launch && upgrade.allowsUnmatched
        func launched(_ job: JobID) -> Upgrade.Event { part == .launch ? .launched(job) : .launchedAgain(job) }
        while true {
            let command = JobCommand(
                operation: try id(part), job: JobReference(job), action: .restart(options), reason: upgrade.reason, by: upgrade.by)
            let problem: String
            switch try carryOut(command, before: deadline) {
            case .ended(let report):
                if report.state == .completed, let newJob = report.newJob { return launched(newJob) }
                problem = report.error ?? "the end of the launch is not known"
                // The launch itself was refused by Flink; whatever came before that can be done again.
                guard report.state == .failed, report.step?.name == .launching || upgrade.launches(part).count > Self.triesMax else {
                    if let newJob = try launchedJob(part, isPatient: report.step?.name == .launching, before: deadline) { return launched(newJob) }
                    try tryAgain(part, after: problem, before: deadline)
                    continue
                }
            case .refused(let why): problem = why
            case .notSent(let why):
                try tryAgain(part, after: why, before: deadline)
                continue
            }
            if let newJob = try launchedJob(part, isPatient: false, before: deadline) { return launched(newJob) }
            if let other = try otherRun() { return .superseded("\(problem): job \(other) lives") }
            return .refused(problem)
        }
    }

    /// The job that a launch of this upgrade has brought; nil = none has arrived, and none will.
    /// - Parameter isPatient: one may be on its way, or a JobManager taking over.
    private func launchedJob(_ part: Upgrade.Part, isPatient: Bool, before deadline: Deadline) throws(ClientFailure) -> JobID? {
        for operation in upgrade.launches(part).reversed() {
            guard let entry = try link.ledger.entry(operation), entry.step?.name == .launching || entry.outcome == .completed else { continue }
            let job = entry.newJob ?? entry.reference.flatMap { JobID($0) } ?? FlinkLink.launchedJob(of: operation)
            let state: JobState?
            do throws(ClientFailure) { state = try link.settledState(of: job, denials: isPatient ? 60 : 3, before: deadline) } catch {
                throw stays(error.message ?? "no answer")
            }
            // The id may be that of another's launch, too.
            if let state, !state.isTerminal, try link.isRestored(job, from: upgrade.path) { return job }
        }
        return nil
    }

    /// A live job of the same name that is none of this upgrade's.
    private func otherRun() throws(ClientFailure) -> JobID? {
        let own = [upgrade.job, upgrade.newJob, upgrade.returned]
        do throws(ClientFailure) { return try link.liveJobs(named: upgrade.jobName).first { !own.contains($0) } } catch {
            throw stays(error.message ?? "no answer")
        }
    }

    // MARK: Proof

    /// Proves that a launched job has resumed from the savepoint. Its time is that in which the cluster answers: nobody is judged unseen.
    private func prove(_ part: Upgrade.Part, before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        guard let job = part == .launch ? upgrade.newJob : upgrade.returned else { return .failed("the launched job is not on record") }
        var launched: OperationReport?
        for id in upgrade.launches(part) {
            let report = try link.operation(id)
            if report.newJob == job || launched == nil { launched = report }
        }
        guard var operation = launched else { return .failed("the launch is not on record") }
        operation.newJob = job
        var watch = ProofWatch(operation, say: say), sight = JobSight()
        while true {
            let seen = try watch.follow(operation.request.id, on: link, before: slice(deadline))
            if let other = watch.proof.secondCopy { throw stays("a second copy runs: job \(other) has the same name") }
            switch watch.proof.verdict {
            case .resumedDurable, .caughtUp: return .proven
            case .mismatch: return .failed(Self.failure(of: watch.proof))
            // An end that is seen in an old report is no end.
            case .failed where try state(of: job, before: deadline)?.isTerminal ?? true: return .failed(Self.failure(of: watch.proof))
            case .waiting, .launched, .resumed, .failed: break
            }
            if part == .launch, let abort { return .failed(abort) }
            if let seen, sight.take(seen) {
                // The old program has shown what it can do: its way back is not given up for a checkpoint that failed, or one that is late.
                if let problem = part == .launch ? Self.problem(of: seen, since: nil) : Self.end(of: seen) { return .failed(problem) }
                if part == .launch, sight.watched >= upgrade.patience {
                    return .failed("not proven within \(Int(upgrade.patience.count / 1000)) s: \(Self.waiting(watch.proof))")
                }
            } else if seen == nil, try state(of: job, before: deadline) == nil {
                return .failed("the cluster does not know job \(job.short) any more")
            }
            if deadline.isOver { throw stays("the time of the command is over") }
        }
    }

    private static func failure(of proof: RestartProof) -> String {
        let line = proof.lines.first { $0.state == .failed }
        return line.map { "\(proof.verdict.rawValue): \($0.evidence)" } ?? proof.verdict.rawValue
    }

    private static func waiting(_ proof: RestartProof) -> String {
        guard let line = proof.lines.first(where: { $0.state == .waiting }) else { return proof.verdict.rawValue }
        switch line.step {
        case .launched: return "no new job was seen"
        case .restored: return "what the job was restored from was not told"
        case .tasks: return "not all of its tasks run"
        case .firstCheckpoint: return "its first checkpoint is not complete"
        case .progress, .outputs: return proof.verdict.rawValue
        }
    }

    // MARK: The new job

    /// Watches the new job after its proof: checkpoints count from the first look, which is on record; a span is time in which the job was seen.
    private mutating func watch(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        guard let newJob = upgrade.newJob else { return .failed("the new job is not on record") }
        let operation = try id(.launch)
        var sight = JobSight()
        while true {
            if let abort { return .failed(abort) }
            let seen = try link.follow(operation, before: slice(deadline)) { report in report.jobs.first { $0.id == newJob } }
            if let seen, sight.take(seen) {
                let since = try baseline(seen)
                if let problem = Self.problem(of: seen, since: since) { return .failed(problem) }
                if seen.state == .finished || seen.state == .running && isWatched(seen, since, sight) { return .watched }
            } else if seen == nil, try state(of: newJob, before: deadline) == nil {
                return .failed("the cluster does not know job \(newJob.short) any more")
            }
            if deadline.isOver { throw stays("the time of the command is over") }
            // Reports come as often as the cluster is asked; looking more often at the same one tells nothing.
            pause(milliseconds: 200)
        }
    }

    /// A JobManager that has taken over counts anew.
    private mutating func baseline(_ job: JobReport) throws(ClientFailure) -> Upgrade.Baseline {
        if let known = upgrade.baseline, known.completed <= job.counts.completed, known.restarts <= job.restarts, known.failed <= job.counts.failed {
            return known
        }
        let now = Upgrade.Baseline(restarts: job.restarts, completed: job.counts.completed, failed: job.counts.failed)
        var changed = upgrade
        changed.baseline = now
        try save(changed)
        return now
    }

    private func isWatched(_ job: JobReport, _ since: Upgrade.Baseline, _ sight: JobSight) -> Bool {
        switch upgrade.watch {
        case .checkpoints(let count): job.counts.completed - since.completed >= count
        case .span(let span): sight.watched >= span
        }
    }

    /// Why a job that has just been launched is not kept; nil = nothing is known against it.
    /// - Parameter since: what to compare with; nil = the job's beginning.
    static func problem(of job: JobReport, since: Upgrade.Baseline?) -> String? {
        if let end = end(of: job) { return end }
        let restarts = job.restarts - (since?.restarts ?? 0)
        if restarts >= restartsMax { return "crash loop: \(restarts) restarts\(reason(job.lastFailure?.message))" }
        guard job.counts.completed <= since?.completed ?? 0 else { return nil }
        let failed = job.counts.failed - (since?.failed ?? 0), last = job.latestFailed?.failure
        // The first one decides, unless it failed because the job was still starting; later, one that fails may be bad luck.
        if since == nil, failed > 0, last?.counted == true { return "the first checkpoint failed\(reason(last?.message))" }
        return since != nil && failed >= failuresMax ? "\(failed) checkpoints failed and none completed\(reason(last?.message))" : nil
    }

    private static func end(of job: JobReport) -> String? {
        guard job.state == .failed || job.state == .canceled else { return nil }
        return "job \(job.id.short) is \(job.stateText)\(reason(job.lastFailure?.message))"
    }

    private static func reason(_ message: String?) -> String { message.map { ": \($0)" } ?? "" }

    private func slice(_ deadline: Deadline) -> Deadline { Deadline(after: min(Self.glance, max(1, deadline.left))) }
}

/// How long a job was seen: reports that say nothing new about its state do not count, nor does the time of a process that was not there.
struct JobSight {
    private var stateAt: WallTime?
    private var lookedAt: EngineInstant?
    private(set) var watched: Milliseconds = 0

    /// The longest time between two looks that counts as having seen the job.
    private static let gap = Milliseconds.seconds(10)

    /// False = the report is as old as the one before.
    mutating func take(_ job: JobReport) -> Bool {
        let at = job.freshness?.state
        if let at, let stateAt, at <= stateAt { return false }
        let now = EngineInstant.now()
        if let lookedAt { watched = watched + min(now - lookedAt, Self.gap) }
        (stateAt, lookedAt) = (at ?? stateAt, now)
        return true
    }
}
