import CellGrid
import StreamModel

/// The severity of a condition, the worst last.
enum Severity: Int, Sendable, Comparable {
    case ok, run, unknown, warn, crit

    static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }

    var role: StyleRole {
        switch self {
        case .ok: .severityOK
        case .run: .severityRun
        case .unknown: .severityUnknown
        case .warn: .severityWarn
        case .crit: .severityCrit
        }
    }
}

/// The single worst thing about a job: row 2 of its screen, and its place in the overview.
enum Condition: Sendable, Equatable {
    case fine
    case linkDown(reason: String, retryAt: WallTime?, attempts: Int)
    case neverConnected
    case stale(Milliseconds)
    case outputsWrong(duplicates: UInt64, lost: UInt64)
    /// Not in the list of its cluster any more: for a while, or for good.
    case missing(Milliseconds)
    case gone
    case failed(String)
    case failing(String)
    case restarting(attempt: Int, at: WallTime?, cause: String)
    case starting
    case cancelling
    case canceled(restorable: Bool, JobEnd? = nil)
    case finished(by: SafeText)
    /// It was ended for a restart whose process ended before the launch.
    case neverLaunched(name: String, OperationID, JobState)
    case upgrading(UpgradeReport)
    case suspended
    /// Failures have a cause that an operator can remove; so many checkpoints in a row have failed of it.
    case blocked(Obstacle, checkpoints: Int)
    case budgetExhausted(counted: Int, tolerable: Int)
    case checkpointLate(CheckpointID, used: Milliseconds, timeout: Milliseconds)
    case nothingToGoBackTo(Milliseconds)
    /// None of its own has completed in this time: it goes back to the one that it came from.
    case noneOfItsOwn(WayBack, Milliseconds)
    case checkpointOld(CheckpointID, Milliseconds)
    case budgetUsed(counted: Int, tolerable: Int)
    case backPressure(permille: Int, vertex: String)
    case suspect(Diagnosis)
    /// It runs again after a failure.
    case restarted(Milliseconds, cause: String)
    /// None of its tasks runs, whatever its state says.
    case noTasks(state: String, tasks: Int, ClusterCapacity?)
    /// It takes no checkpoints and has none.
    case cannotGoBack
    /// Nobody has told anything of its checkpoints.
    case notKnown

    /// The condition of a job, from what is known at `now`.
    static func of(_ job: JobReport, in context: ContextState, at now: WallTime) -> Condition {
        if case .down(let reason, let retryAt, let attempts) = context.link {
            return .linkDown(reason: reason, retryAt: retryAt, attempts: attempts)
        }
        if let age = context.age(at: now), age > ContextState.freshness { return .stale(age) }
        if let since = context.missing[job.id] { return context.isGone(job) ? .gone : .missing(now - since) }
        if let audit = job.audit, audit.duplicates > 0 || audit.lost > 0 {
            return .outputsWrong(duplicates: audit.duplicates, lost: audit.lost)
        }
        if let restart = context.brokenRestart(of: job) { return .neverLaunched(name: job.name, restart, job.state) }
        let upgrade = context.upgrade(of: job)
        if let upgrade, upgrade.severity == .crit { return .upgrading(upgrade) }
        if let (obstacle, checkpoints) = Obstacle.of(job, at: context.engineTime(at: now), context.thresholds, { context.reading($0, of: job) }) {
            return .blocked(obstacle, checkpoints: checkpoints)
        }
        let suspect = Diagnosis.of(job, in: context, at: now)
        if case .crashLoop = suspect { return suspect.map { .suspect($0) } ?? .fine }
        if let upgrade { return .upgrading(upgrade) }
        // A checkpoint may have completed since the last look: it is judged as of that look.
        let time = context.engineTime(at: now), known = job.freshness.map { min(time, $0.checkpoints ?? job.stateSince) } ?? time
        if job.state == .finished { return .finished(by: end(of: job, context.ends[job.id])) }
        return ofTasks(job, context.report?.engine.capacity, at: time) ?? ofState(job, in: context) ?? ofRestart(job, in: context, at: time)
            ?? ofCheckpoints(job, in: context, at: known) ?? suspect.map { .suspect($0) } ?? ofFlow(job, context.thresholds)
    }

    /// A cluster says RUNNING from the first moment of a deployment: it is news only when tasks take longer to start.
    private static let deployment = Milliseconds.seconds(5)

    /// A cluster says RUNNING of a job that waits for slots.
    private static func ofTasks(_ job: JobReport, _ capacity: ClusterCapacity?, at now: WallTime) -> Condition? {
        guard job.freshness != nil, !job.state.isTerminal, job.state != .cancelling else { return nil }
        let isAlone = capacity?.taskManagers == 0
        let isIdle =
            job.state == .running && now - job.stateSince >= deployment && job.totalSubtasks > 0
            && job.vertices.allSatisfy { $0.runningSubtasks == 0 && $0.finishedSubtasks == 0 }
        return isAlone || isIdle ? .noTasks(state: job.stateText, tasks: job.totalSubtasks, capacity) : nil
    }

    /// A restart takes seconds, and a cluster is looked at every few: for a while it is said what happened.
    private static func ofRestart(_ job: JobReport, in context: ContextState, at now: WallTime) -> Condition? {
        guard job.freshness != nil, job.state == .running, !job.budget.isExhausted, let failure = job.lastFailure else { return nil }
        let ago = now - failure.at
        return ago < context.thresholds.restartNews ? .restarted(max(0, ago), cause: context.reading(failure.message, of: job).cause) : nil
    }

    /// The last savepoint before the end was a stop's, if it was complete at most so long before.
    private static let stopReach: Milliseconds = .seconds(10)

    /// What ended a finished job, as far as it is known.
    private static func end(of job: JobReport, _ end: JobEnd?) -> SafeText {
        if let stop = end?.stop { return stop }
        if let saved = job.latestSavepoint, saved.kind == .synchronousSavepoint { return "stopped with savepoint #\(saved.id)" }
        guard let saved = job.latestSavepoint, let end = saved.endedAt, (job.stateSince - end).count.magnitude <= stopReach.count else {
            return "the input has ended"
        }
        return "stopped with savepoint #\(saved.id), it seems: that was complete as the job ended"
    }

    private static func ofState(_ job: JobReport, in context: ContextState) -> Condition? {
        guard job.state != .running else { return nil }
        let cause = (job.restartReason ?? job.lastFailure?.message).map { context.reading($0, of: job).cause } ?? "no cause was reported"
        return switch job.state {
        case .failed: .failed(cause)
        case .failing: .failing(cause)
        case .restarting: .restarting(attempt: job.attempt.addingClamped(1), at: job.restartsAt, cause: cause)
        case .initializing: .starting
        case .cancelling: .cancelling
        case .canceled: .canceled(restorable: WayBack.of(job, in: context) != nil, context.ends[job.id])
        case .finished: .finished(by: "the input has ended")
        case .suspended: .suspended
        case .running: nil
        }
    }

    private static func ofCheckpoints(_ job: JobReport, in context: ContextState, at now: WallTime) -> Condition? {
        if let tolerable = job.budget.tolerable, job.budget.isExhausted {
            return .budgetExhausted(counted: job.budget.counted, tolerable: tolerable)
        }
        if let oldest = job.inProgress.first {
            let timeout = oldest.timeoutAt - oldest.triggeredAt
            let used = now - oldest.triggeredAt
            let late = timeout.count.multipliedClamped(by: Int64(context.thresholds.latePermille)) / 1000
            if timeout.count > 0, used.count >= late { return .checkpointLate(oldest.id, used: used, timeout: timeout) }
        }
        if let interval = job.configuration.interval, job.configuration.storageDirectory != nil || !job.configuration.tells(.storageDirectory) {
            let limit = context.thresholds.oldCheckpoint(interval).count
            let way = WayBack.of(job, in: context)
            if let newest = way?.own {
                let age = now - (newest.endedAt ?? newest.triggeredAt)
                if age.count > limit, (now - job.stateSince).count > limit { return .checkpointOld(newest.id, age) }
            } else if (now - job.stateSince).count > limit {
                return way.map { .noneOfItsOwn($0, now - job.stateSince) } ?? .nothingToGoBackTo(now - job.stateSince)
            }
        }
        if let tolerable = job.budget.tolerable, job.budget.counted > 0 { return .budgetUsed(counted: job.budget.counted, tolerable: tolerable) }
        guard let freshness = job.freshness else { return nil }
        if freshness.checkpoints == nil, freshness.configuration == nil { return .notKnown }
        let isOff = freshness.configuration != nil && job.configuration.interval == nil
        return isOff && freshness.checkpoints != nil && WayBack.of(job, in: context) == nil && job.inProgress.isEmpty ? .cannotGoBack : nil
    }

    private static func ofFlow(_ job: JobReport, _ limits: DiagnosisThresholds) -> Condition {
        guard let worst = job.mostBackPressured, let permille = worst.backPressuredPermille, permille >= limits.backPressurePermille else { return .fine }
        return .backPressure(permille: permille, vertex: worst.name)
    }

    /// The newest snapshot of the job itself that a restart can begin from, as far as the report and looks at files show.
    static func newestRestorable(_ job: JobReport, in context: ContextState? = nil) -> CheckpointReport? {
        func isUsable(_ checkpoint: CheckpointReport) -> Bool { checkpoint.isRestorable && context?.isUnusable(checkpoint, of: job) != true }
        let reported = [job.latestCompleted, job.latestSavepoint].compactMap { $0 }.filter(\.isRestorable)
        if let newest = reported.max(by: { $0.id < $1.id }), isUsable(newest) { return newest }
        guard !reported.isEmpty else { return nil }
        // Files of the newest are missing: an older one may be whole.
        return (reported + (context?.memories[job.id]?.checkpoints ?? [])).filter(isUsable).max { $0.id < $1.id }
    }

    /// The condition of a context without any job.
    static func of(_ context: ContextState, at now: WallTime) -> Condition {
        switch context.link {
        case .down(let reason, let retryAt, let attempts): .linkDown(reason: reason, retryAt: retryAt, attempts: attempts)
        case .connecting: .neverConnected
        case .up: context.age(at: now).map { $0 > ContextState.freshness ? .stale($0) : .fine } ?? .neverConnected
        }
    }

    var severity: Severity {
        switch self {
        case .fine, .finished: .ok
        case .starting, .cancelling, .neverConnected: .run
        case .canceled, .suspended, .stale, .cannotGoBack, .notKnown: .unknown
        case .missing, .restarted, .restarting, .checkpointLate, .nothingToGoBackTo, .noneOfItsOwn, .checkpointOld, .budgetUsed, .backPressure: .warn
        case .gone, .linkDown, .outputsWrong, .neverLaunched, .failed, .failing, .blocked, .budgetExhausted, .noTasks, .suspect(.crashLoop): .crit
        case .suspect: .warn
        case .upgrading(let upgrade): upgrade.severity
        }
    }

    /// Place in the overview, the worst highest. Jobs that have ended as asked come last.
    var rank: Int {
        switch self {
        case .finished, .canceled: 0
        case .fine: 1
        default: 1 + severity.rawValue
        }
    }

    /// In words, for the operator; empty when all is well.
    func text(at now: WallTime, keys: KeyMap) -> SafeText {
        switch self {
        case .fine: return ""
        case .linkDown(let reason, let retryAt, let attempts):
            let retry = retryAt.map { "; retry in \(Figures.seconds($0 - now)) (\(Figures.ordinal(attempts + 1)) try)" } ?? ""
            return "no link: \(reason)\(retry)"
        case .neverConnected: return "connecting"
        case .stale(let age): return "the last report is \(Figures.age(age)) old: the engine does not answer"
        case .outputsWrong(let duplicates, let lost):
            return "OUTPUT \(duplicates) duplicate and \(lost) lost records counted"
        case .missing(let age): return "not in the cluster's list for \(Figures.age(age)): a failover?"
        case .gone: return "GONE (JobManager restarted?): \(keys.label(.restart)) restarts it from a kept checkpoint"
        case .failed(let cause): return "FAILED \(cause)"
        case .failing(let cause): return "FAILING \(cause)"
        case .restarting(let attempt, let at, let cause):
            let wait = at.map { $0 > now ? " in \(Figures.seconds($0 - now))" : " now" } ?? ""
            return "RESTARTING attempt \(attempt)\(wait): \(cause)"
        case .starting: return "INITIALIZING: tasks are starting"
        case .cancelling: return "CANCELLING: tasks are stopping"
        case .canceled(let restorable, let end):
            let rest: SafeText = restorable ? "checkpoints are kept, \(keys.label(.restart)) restarts from one" : "no retained checkpoint is known"
            return end?.canceled(rest) ?? "CANCELED: \(rest)"
        case .finished(let cause): return "FINISHED: \(cause)"
        case .neverLaunched(let name, let id, let state):
            let ended: SafeText = state == .canceled ? "was canceled for restart \(id.short) and" : "is \(state.rawValue), and restart \(id.short)"
            return "\(name) \(ended) never launched\(state == .canceled ? "" : " it"): \(keys.label(.restart)) goes on with it"
        case .upgrading(let upgrade): return upgrade.text
        case .suspended: return "SUSPENDED: the engine was shut down while the job ran"
        case .blocked(let obstacle, let checkpoints):
            return checkpoints > 0
                ? "\(obstacle.text) (\(Figures.plural(checkpoints, "checkpoint")) failed\(checkpoints > 1 ? " in a row" : ""))" : obstacle.text
        case .budgetExhausted(let counted, let tolerable):
            return "CKPT \(counted)/\(tolerable) tolerated failures used: the next counted failure fails the job"
        case .checkpointLate(let id, let used, let timeout):
            return "CKPT #\(id) has used \(Figures.duration(used)) of its \(Figures.setting(timeout)) timeout"
        case .nothingToGoBackTo(let age): return "CKPT none completed in \(Figures.age(age)): nothing to restore"
        case .noneOfItsOwn(let way, let age): return "CKPT none of its own completed in \(Figures.age(age)): it \(way.originWords)"
        case .checkpointOld(let id, let age): return "CKPT newest completed #\(id) is \(Figures.age(age)) old"
        case .budgetUsed(let counted, let tolerable): return "CKPT \(counted) of \(tolerable) tolerated consecutive failures used"
        case .suspect(let diagnosis): return diagnosis.text
        case .restarted(let ago, let cause): return "RESTARTED \(Figures.age(ago)) ago: \(cause)"
        case .noTasks(let state, let tasks, let capacity):
            let cause: SafeText =
                switch capacity {
                case let capacity? where capacity.taskManagers == 0: "0 TaskManagers, \(capacity.slots) slots"
                case let capacity?: "\(capacity.freeSlots) of \(capacity.slots) slots free, \(Figures.plural(capacity.taskManagers, "TaskManager"))"
                case nil: "no slots?"
                }
            return "\(state), but none of \(Figures.plural(tasks, "task")) runs: \(cause)"
        case .cannotGoBack: return "CKPT checkpointing is off and there is no savepoint: the job cannot go back, a failure begins it anew"
        case .notKnown: return "nothing is known of its checkpoints yet"
        case .backPressure(let permille, let vertex): return "FLOW \(vertex) is back-pressured \(Figures.percent(permille: permille)) of the time"
        }
    }

    /// The screen that tells more, as a key.
    func screenKey(_ keys: KeyMap) -> SafeText { screenCommand.map { "\(keys.label($0))>" } ?? "" }

    private var screenCommand: Command? {
        switch self {
        case .failed, .failing, .restarting, .restarted, .blocked, .budgetExhausted, .budgetUsed, .suspect(.crashLoop): .failures
        case .suspect(.slowStorage), .suspect(.slowCheckpoint), .checkpointLate, .checkpointOld, .nothingToGoBackTo, .noneOfItsOwn: .checkpoints
        default: nil
        }
    }
}
