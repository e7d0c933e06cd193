import CellGrid
import StreamModel

/// The ways to alert an operator who looks elsewhere.
public struct AlertOptions: Sendable, Equatable {
    /// The terminal's bell.
    public var rings: Bool
    /// A notification of the desktop, by OSC 9.
    public var notifies: Bool

    public init(rings: Bool = true, notifies: Bool = false) {
        self.rings = rings
        self.notifies = notifies
    }
}

/// Tells when a condition has become bad: once, and again only after it was better for a while. So
/// what flaps rings once.
///
///     level ok ── seen warn ──► rings, level warn ── seen crit ──► rings, level crit
///       ▲                            │                                │
///       └──── better for `calm` ─────┴────────── better for `calm` ───┘   the level falls to the worst that was seen meanwhile
struct Alarm: Sendable, Equatable {
    static let calm = Milliseconds.seconds(15)

    /// The severity that was last alerted: ok, warn or crit.
    private(set) var level: Severity
    private var betterSince: WallTime?
    private var worstSince = Severity.ok

    /// `level` is how things are now: no news.
    init(at severity: Severity = .ok) { level = Self.level(severity) }

    private static func level(_ severity: Severity) -> Severity { severity >= .warn ? severity : .ok }

    /// Takes in how bad it is now; whether that is news.
    mutating func observe(_ severity: Severity, at now: WallTime) -> Bool {
        let seen = Self.level(severity)
        if seen >= level {
            betterSince = nil
            defer { level = seen }
            return seen > level
        }
        // A clock that was set back counts from anew.
        guard let since = betterSince, since <= now else {
            (betterSince, worstSince) = (now, seen)
            return false
        }
        worstSince = max(worstSince, seen)
        guard now - since >= Self.calm else { return false }
        (level, betterSince) = (worstSince, nil)
        return false
    }
}

/// The alarms of all jobs.
struct Alarms: Sendable {
    var states: [JobKey: Alarm] = [:]
    /// Jobs that do not ring.
    var muted: Set<JobKey> = []
    /// Contexts that have reported.
    var heardContexts: Set<String> = []
}

extension ConsoleModel {
    /// Checks the conditions of a context's jobs, and alerts where one has become bad. A job that was bad when the console first saw it
    /// is no news.
    mutating func soundAlarms(_ index: Int, _ effects: inout [ConsoleEffect]) {
        let context = live.contexts[index]
        guard let report = context.report else { return }
        let isFirst = alarms.heardContexts.insert(context.name).inserted
        var news: [(job: JobReport, condition: Condition)] = []
        for job in report.jobs {
            let condition = Condition.of(job, in: context, at: now)
            // Nothing is known of it now: neither better nor worse.
            if case .stale = condition { continue }
            let key = JobKey(context: context.name, job: job.id)
            if isFirst {
                alarms.states[key] = Alarm(at: condition.severity)
            } else if alarms.states[key, default: Alarm()].observe(condition.severity, at: now), !alarms.muted.contains(key) {
                news.append((job, condition))
            }
        }
        let known = Set(report.jobs.map(\.id))
        alarms.states = alarms.states.filter { $0.key.context != context.name || known.contains($0.key.job) }
        guard let worst = news.max(by: { $0.condition.rank < $1.condition.rank }) else { return }
        let what: SafeText = news.count == 1 ? SafeText(worst.job.name) : "\(Figures.plural(news.count, "job")), \(worst.job.name)"
        let text: SafeText = "\(what) (\(context.name)): \(worst.condition.text(at: now, keys: options.keyMap))"
        effects.append(.bell)
        if options.alerts.notifies { effects.append(.notify(text.string)) }
        // The screen of a job shows its condition, and a lost link has been announced.
        if case .linkDown = worst.condition { return }
        if jobOfScreen != JobKey(context: context.name, job: worst.job.id) || news.count > 1 { tell(text, worst.condition.severity) }
    }
}
