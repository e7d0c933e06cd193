internal import ControlProtocol
internal import FlinkREST
internal import HostEnvironment
public import StreamModel

/// Carries an upgrade out, from whatever stage it has reached: each change of stage is on record before the next step is taken, and each step is an
/// operation whose id follows from the upgrade's, so that the same step twice is the same operation.
public struct UpgradeRun {
    public private(set) var upgrade: Upgrade
    private let link: FlinkLink
    private let say: (String) -> Void

    /// Between looks at the new job, and at whether an operator wants the old one back.
    private static let glance = Milliseconds.seconds(1)
    /// A job that has failed so often since its proof is in a crash loop.
    static let restartsMax = 3
    /// So many checkpoints may fail one after the other while the new job is watched.
    static let failuresMax = 2

    public init(_ upgrade: Upgrade, on link: FlinkLink, say: @escaping (String) -> Void) {
        (self.upgrade, self.link, self.say) = (upgrade, link, say)
    }

    /// Goes on until the upgrade has ended.
    /// - Throws: `.unproven` when the time is over first, or the cluster does not answer: the upgrade stays where it is, and can be gone on with.
    public mutating func carryOut(before deadline: Deadline) throws(ClientFailure) {
        guard link.ledger.claim(upgrade.id) else {
            throw ClientFailure(.refused, "upgrade \(upgrade.id) is being carried out by another process: 'weir upgrades' shows it")
        }
        defer { link.ledger.release(upgrade.id) }
        while !upgrade.stage.isFinal {
            say(upgrade.words)
            let event = try next(before: deadline)
            upgrade.take(event, at: .now())
            link.ledger.record(upgrade)
        }
    }

    private func next(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        if upgrade.stage.canAbort, let abort { return .failed(abort) }
        return switch upgrade.stage {
        case .stopping: try stop(before: deadline)
        case .launching: try launch(.launch, upgrade.new, instead: upgrade.job, cancelsFirst: false, before: deadline)
        case .returning: try launch(.back, upgrade.old, instead: upgrade.newJob ?? upgrade.job, cancelsFirst: upgrade.newJob != nil, before: deadline)
        case .proving: try prove(.launch, before: deadline)
        case .provingReturn: try prove(.back, before: deadline)
        case .watching: try watch(before: deadline)
        case .upgraded, .rolledBack, .kept, .stranded: .watched
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

    // MARK: The old job

    private func stop(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        let id = try id(.stop)
        let command = JobCommand(
            operation: id, job: JobReference(upgrade.job), action: .stop(drain: false, directory: upgrade.directory), reason: upgrade.reason,
            by: upgrade.by)
        let end: OperationReport?
        do throws(ClientFailure) {
            let report = try link.operate(command, before: deadline)
            end = report.state.isTerminal ? report : try link.wait(for: id, before: deadline) { _ in }
        } catch {
            guard error.status == .refused else { throw stays(error.message ?? "the cluster does not answer") }
            return try afterStop(nil, error.message ?? "the stop was refused")
        }
        guard let end else { throw stays("the old job has not stopped yet") }
        if end.state == .completed, let path = end.path { return .stopped(path: path) }
        return try afterStop(end.path, end.error ?? "the end of the stop is not known")
    }

    /// A stop may fail with its savepoint taken, and the job may have ended or not.
    private func afterStop(_ path: String?, _ problem: String) throws(ClientFailure) -> Upgrade.Event {
        switch try link.stateNow(of: upgrade.job) {
        case .finished?: path.map { .stopped(path: $0) } ?? .notStopped("\(problem); the job has ended", isRunning: false)
        case let state?: .notStopped("\(problem); the job is \(state.rawValue)", isRunning: !state.isTerminal)
        case nil: .notStopped("\(problem); the cluster does not know the job any more", isRunning: false)
        }
    }

    // MARK: Launches

    private func launch(
        _ part: Upgrade.Part, _ recipe: JarRecipe, instead job: JobID, cancelsFirst: Bool, before deadline: Deadline
    ) throws(ClientFailure) -> Upgrade.Event {
        var options = RestartOptions(path: upgrade.path)
        options.recipe = recipe
        options.cancelsFirst = cancelsFirst
        options.allowsUnmatchedState = part == .launch && upgrade.allowsUnmatched
        let command = JobCommand(
            operation: try id(part), job: JobReference(job), action: .restart(options), reason: upgrade.reason, by: upgrade.by)
        var report: OperationReport
        do throws(ClientFailure) {
            report = try link.operate(command, before: deadline)
            if report.state == .interrupted { report = try link.goOn(report.request.id, before: deadline) }
        } catch {
            guard error.status == .refused else { throw stays(error.message ?? "the cluster does not answer") }
            return .refused(error.message ?? "the launch was refused")
        }
        switch report.state {
        case .completed:
            guard let newJob = report.newJob else { return .refused("the cluster did not say which job it launched") }
            return part == .launch ? .launched(newJob) : .launchedAgain(newJob)
        case .failed: return .refused(report.error ?? "the launch failed")
        case .accepted, .running, .unknown, .interrupted: throw stays(report.error ?? "the end of the launch is not known")
        }
    }

    /// Proves that a launched job has resumed from the savepoint, within the patience of the upgrade.
    private func prove(_ part: Upgrade.Part, before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        let operation = try link.operation(try id(part)), end = upgrade.stageAt + upgrade.patience
        var watch = ProofWatch(operation, say: say)
        while true {
            let job = try watch.follow(operation.request.id, on: link, before: slice(deadline))
            switch watch.proof.verdict {
            case .resumedDurable, .caughtUp: return .proven
            case .mismatch, .failed: return .failed(Self.failure(of: watch.proof))
            case .waiting, .launched, .resumed: break
            }
            if part == .launch, let abort { return .failed(abort) }
            // The old program has shown what it can do: its way back is not given up for a checkpoint that failed.
            let problem = job.flatMap { part == .launch ? Self.problem(of: $0, since: nil) : Self.end(of: $0) }
            if let problem { return .failed(problem) }
            if .now() >= end { return .failed("not proven within \(Int(upgrade.patience.count / 1000)) s: \(Self.waiting(watch.proof))") }
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

    /// Watches the new job after its proof. Both its checkpoints and the time count from the first look.
    private func watch(before deadline: Deadline) throws(ClientFailure) -> Upgrade.Event {
        guard let newJob = upgrade.newJob else { return .failed("the new job is not on record") }
        let operation = try id(.launch)
        var first: JobReport?
        while true {
            if let abort { return .failed(abort) }
            let seen = try link.follow(operation, before: slice(deadline)) { report in report.jobs.first { $0.id == newJob } }
            if let seen {
                let since = first ?? seen
                first = since
                if let problem = Self.problem(of: seen, since: since) { return .failed(problem) }
                if isWatched(seen, since: since) { return .watched }
            }
            if deadline.isOver { throw stays("the time of the command is over") }
            // Reports come as often as the cluster is asked; looking more often at the same one tells nothing.
            pause(milliseconds: 200)
        }
    }

    private func isWatched(_ job: JobReport, since first: JobReport) -> Bool {
        switch upgrade.watch {
        case .checkpoints(let count): job.counts.completed - first.counts.completed >= count
        case .span(let span): .now() - upgrade.stageAt >= span
        }
    }

    /// Why a job that has just been launched is not kept; nil = nothing is known against it.
    /// - Parameter since: an earlier report to compare with; nil = the job's beginning.
    static func problem(of job: JobReport, since: JobReport?) -> String? {
        if let end = end(of: job) { return end }
        let restarts = job.restarts - (since?.restarts ?? 0)
        if restarts >= restartsMax { return "crash loop: \(restarts) restarts\(reason(job.lastFailure?.message))" }
        guard job.counts.completed <= since?.counts.completed ?? 0 else { return nil }
        let failed = job.counts.failed - (since?.counts.failed ?? 0), last = job.latestFailed?.failure
        // The first one decides, unless it failed because the job was still starting; later, one that fails may be bad luck.
        if since == nil, failed > 0, last?.counted == true { return "the first checkpoint failed\(reason(last?.message))" }
        return failed >= failuresMax ? "\(failed) checkpoints failed and none completed\(reason(last?.message))" : nil
    }

    private static func end(of job: JobReport) -> String? {
        guard job.state == .failed || job.state == .canceled else { return nil }
        return "job \(job.id.short) is \(job.stateText)\(reason(job.lastFailure?.message))"
    }

    private static func reason(_ message: String?) -> String { message.map { ": \($0)" } ?? "" }

    private func slice(_ deadline: Deadline) -> Deadline { Deadline(after: min(Self.glance, max(1, deadline.left))) }
}
