import CellGrid
import StreamModel

/// How bad something is, the worst last.
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
    case failed(String)
    case failing(String)
    case restarting(attempt: Int, at: WallTime?, cause: String)
    case starting
    case cancelling
    case canceled(restorable: Bool)
    case finished
    case suspended
    case budgetExhausted(counted: Int, tolerable: Int)
    case checkpointLate(CheckpointID, used: Milliseconds, timeout: Milliseconds)
    case nothingToGoBackTo(Milliseconds)
    case checkpointOld(CheckpointID, Milliseconds)
    case budgetUsed(counted: Int, tolerable: Int)
    case backPressure(permille: Int, vertex: String)
    case suspect(Diagnosis)

    /// The condition of a job, from what is known at `now`.
    static func of(_ job: JobReport, in context: ContextState, at now: WallTime) -> Condition {
        if case .down(let reason, let retryAt, let attempts) = context.link {
            return .linkDown(reason: reason, retryAt: retryAt, attempts: attempts)
        }
        if let age = context.age(at: now), age > ContextState.freshness { return .stale(age) }
        if let audit = job.audit, audit.duplicates > 0 || audit.lost > 0 {
            return .outputsWrong(duplicates: audit.duplicates, lost: audit.lost)
        }
        let suspect = Diagnosis.of(job, in: context, at: now)
        if case .crashLoop = suspect { return suspect.map { .suspect($0) } ?? .fine }
        // What was not looked at since may have completed: it is judged as of when it was.
        let time = context.engineTime(at: now), known = job.freshness.map { min(time, $0.checkpoints ?? job.stateSince) } ?? time
        return ofState(job) ?? ofCheckpoints(job, at: known) ?? suspect.map { .suspect($0) } ?? ofFlow(job)
    }

    private static func ofState(_ job: JobReport) -> Condition? {
        let cause = job.restartReason ?? job.lastFailure?.message ?? "no cause was reported"
        return switch job.state {
        case .failed: .failed(cause)
        case .failing: .failing(cause)
        case .restarting: .restarting(attempt: job.attempt + 1, at: job.restartsAt, cause: cause)
        case .initializing: .starting
        case .cancelling: .cancelling
        case .canceled: .canceled(restorable: newestRestorable(job) != nil)
        case .finished: .finished
        case .suspended: .suspended
        case .running: nil
        }
    }

    private static func ofCheckpoints(_ job: JobReport, at now: WallTime) -> Condition? {
        if let tolerable = job.budget.tolerable, job.budget.isExhausted {
            return .budgetExhausted(counted: job.budget.counted, tolerable: tolerable)
        }
        if let oldest = job.inProgress.first {
            let timeout = oldest.timeoutAt - oldest.triggeredAt
            let used = now - oldest.triggeredAt
            if timeout.count > 0, used.count * 10 >= timeout.count * 8 { return .checkpointLate(oldest.id, used: used, timeout: timeout) }
        }
        if let interval = job.configuration.interval, job.configuration.storageDirectory != nil {
            let limit = max(interval.count * 3, interval.count + 10_000)
            if let newest = newestRestorable(job) {
                let age = now - (newest.endedAt ?? newest.triggeredAt)
                if age.count > limit, (now - job.stateSince).count > limit { return .checkpointOld(newest.id, age) }
            } else if (now - job.stateSince).count > limit {
                return .nothingToGoBackTo(now - job.stateSince)
            }
        }
        if let tolerable = job.budget.tolerable, job.budget.counted > 0 { return .budgetUsed(counted: job.budget.counted, tolerable: tolerable) }
        return nil
    }

    private static func ofFlow(_ job: JobReport) -> Condition {
        guard let worst = job.mostBackPressured, let permille = worst.backPressuredPermille, permille >= 500 else { return .fine }
        return .backPressure(permille: permille, vertex: worst.name)
    }

    /// What a restart without a choice would use, as far as the report shows.
    static func newestRestorable(_ job: JobReport) -> CheckpointReport? {
        let completed = job.latestCompleted.flatMap { $0.isRestorable ? $0 : nil }
        guard let savepoint = job.latestSavepoint, savepoint.isRestorable else { return completed }
        guard let completed, savepoint.id < completed.id else { return savepoint }
        return completed
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
        case .canceled, .suspended, .stale: .unknown
        case .restarting, .checkpointLate, .nothingToGoBackTo, .checkpointOld, .budgetUsed, .backPressure: .warn
        case .linkDown, .outputsWrong, .failed, .failing, .budgetExhausted, .suspect(.crashLoop): .crit
        case .suspect: .warn
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
            return "OUTPUT \(duplicates) duplicates and \(lost) lost records were counted"
        case .failed(let cause): return "FAILED \(cause)"
        case .failing(let cause): return "FAILING \(cause)"
        case .restarting(let attempt, let at, let cause):
            let wait = at.map { $0 > now ? " in \(Figures.seconds($0 - now))" : " now" } ?? ""
            return "RESTARTING attempt \(attempt)\(wait): \(cause)"
        case .starting: return "INITIALIZING: tasks are being started"
        case .cancelling: return "CANCELLING: tasks are being ended"
        case .canceled(let restorable):
            return restorable ? "CANCELED: checkpoints are kept, \(keys.label(.restart)) restarts from one" : "CANCELED: no checkpoint is known to be kept"
        case .finished: return "FINISHED: the input has ended"
        case .suspended: return "SUSPENDED: the engine was shut down with the job alive"
        case .budgetExhausted(let counted, let tolerable):
            return "CKPT \(counted)/\(tolerable) tolerated failures used: the next counted failure fails the job"
        case .checkpointLate(let id, let used, let timeout):
            return "CKPT #\(id) has used \(Figures.duration(used)) of \(Figures.setting(timeout)) before it expires"
        case .nothingToGoBackTo(let age): return "CKPT none completed in \(Figures.age(age)): there is nothing to go back to"
        case .checkpointOld(let id, let age): return "CKPT the newest completed one, #\(id), is \(Figures.age(age)) old"
        case .budgetUsed(let counted, let tolerable): return "CKPT \(counted) of \(tolerable) tolerated failures in a row used"
        case .suspect(let diagnosis): return diagnosis.text
        case .backPressure(let permille, let vertex): return "FLOW \(vertex) is back-pressured \(Figures.percent(permille: permille)) of the time"
        }
    }

    /// The screen that tells more, as a key.
    func screenKey(_ keys: KeyMap) -> SafeText { screenCommand.map { "\(keys.label($0))>" } ?? "" }

    private var screenCommand: Command? {
        switch self {
        case .failed, .failing, .restarting, .budgetExhausted, .budgetUsed, .suspect(.crashLoop): .failures
        case .suspect(.slowStorage), .checkpointLate, .checkpointOld, .nothingToGoBackTo: .checkpoints
        default: nil
        }
    }
}
