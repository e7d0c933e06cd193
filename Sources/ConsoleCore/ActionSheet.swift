import CellGrid
import StreamModel

/// What an operator can do to a job.
enum Action: Sendable, Equatable {
    case savepoint(directory: String?)
    case checkpoint
    case stop(drain: Bool)
    case cancel(CancelRetention)
    case restart(RestartOptions, chosen: CheckpointID?)
    /// The first launch of a job: no key does it, but the record has it.
    case launch(RestartOptions)
    /// Delete a snapshot; `CheckpointReport` is its row, where there is one.
    case dispose(path: String, CheckpointReport?)
    case fault(String)

    var tier: GuardTier {
        switch self {
        case .savepoint, .checkpoint: .reversible
        case .fault: .reversible
        case .stop, .cancel(.byPolicy), .cancel(.keep): .ending
        case .cancel(.discard), .restart, .launch, .dispose: .replacing
        }
    }

    /// What it takes away nothing brings back.
    var destroys: Bool {
        switch self {
        case .cancel(.discard), .dispose: true
        default: false
        }
    }

    var command: Command? {
        switch self {
        case .savepoint: .savepoint
        case .checkpoint: .checkpoint
        case .stop: .stop
        case .cancel: .cancel
        case .restart: .restart
        case .dispose: .dispose
        case .launch, .fault: nil
        }
    }

    var title: SafeText {
        switch self {
        case .savepoint: "SAVEPOINT"
        case .checkpoint: "CHECKPOINT NOW"
        case .stop(let drain): drain ? "STOP WITH SAVEPOINT, DRAIN" : "STOP WITH SAVEPOINT"
        case .cancel(.discard): "CANCEL AND DISCARD ALL STATE"
        case .cancel: "CANCEL, KEEP CHECKPOINTS"
        case .restart: "RESTART FROM A CHECKPOINT"
        case .launch: "LAUNCH"
        case .dispose(_, let chosen): chosen?.kind.isSavepoint ?? true ? "DELETE A SAVEPOINT" : "DELETE A RETAINED CHECKPOINT"
        case .fault: "FAULT"
        }
    }

    /// The exact request, in the engine's words.
    func request(_ job: JobID, in dialect: EngineCapabilities.Dialect) -> SafeText {
        switch dialect {
        case .controlSocket: request(job)
        case .flinkREST: restRequest(job)
        }
    }

    /// In the words of Flink's REST API.
    private func restRequest(_ job: JobID) -> SafeText {
        switch self {
        case .savepoint(let directory): "POST /jobs/\(job)/savepoints\(directory.map { " target-directory \($0)" } ?? "")"
        case .checkpoint: "POST /jobs/\(job)/checkpoints"
        case .stop(let drain): "POST /jobs/\(job)/stop drain \(drain)"
        case .cancel: "PATCH /jobs/\(job)?mode=cancel"
        case .restart(let options, _):
            "\(options.cancelsFirst ? "PATCH /jobs/\(job)?mode=cancel, then " : "")\(Self.restLaunch(options, from: options.path.map(Self.end) ?? "the newest"))"
        case .launch(let options): Self.restLaunch(options, from: options.path.map(Self.end))
        case .dispose(let path, _): "POST /savepoint-disposal savepoint-path \(path)"
        case .fault(let text): "nothing: \(text)"
        }
    }

    /// What it begins from comes first, by the end of its path: that must not be cut where room is short.
    private static func restLaunch(_ options: RestartOptions, from snapshot: SafeText?) -> SafeText {
        var words: SafeText = "POST /jars/\(options.recipe?.jarName ?? "<jar>")/run \(snapshot.map { "savepointPath \($0)" } ?? "without a savepointPath")"
        words = "\(words), allowNonRestoredState \(options.allowsUnmatchedState)"
        if case .file(let path) = options.recipe?.jar { words = "\(words), with the file \(path)" }
        if options.claim == .claim { words = "\(words), CLAIM" }
        if let name = options.recipe?.entryClass { words = "\(words), entryClass \(name)" }
        if let parallelism = options.parallelism ?? options.recipe?.parallelism { words = "\(words), parallelism \(parallelism)" }
        if let arguments = options.recipe?.arguments, !arguments.isEmpty {
            words = "\(words), programArgs \(Secrets.masked(arguments: arguments))"
        }
        return words
    }

    /// The last two parts of a path.
    private static func end(_ path: String) -> SafeText {
        let parts = path.split(separator: "/")
        return parts.count <= 2 ? SafeText(path) : "...\(parts.suffix(2).map { "/\($0)" }.joined())"
    }

    /// In the words of the control protocol.
    private func request(_ job: JobID) -> SafeText {
        switch self {
        case .savepoint(let directory): "savepoint \(job)\(directory.map { " into \($0)" } ?? "")"
        case .checkpoint: "checkpoint \(job)"
        case .stop(let drain): "stop \(job) with a savepoint\(drain ? ", drain" : ", no drain")"
        case .cancel(let retention): "cancel \(job), checkpoints: \(retention == .byPolicy ? "by policy" : retention.rawValue)"
        case .restart(let options, _):
            "restart \(job) from \(options.path ?? "the newest"), \(options.claim == .claim ? "claim" : "no claim")"
                + "\(options.allowsUnmatchedState ? ", unmatched state allowed" : "")"
                + "\(options.parallelism.map { ", parallelism \($0)" } ?? "")\(options.cancelsFirst ? ", cancel first (keep)" : "")"
        case .launch(let options): "launch \(job)\(options.path.map { " from \($0)" } ?? "")"
        case .dispose(let path, _): "dispose \(job) of \(path)"
        case .fault(let text): "fault \(job): \(text)"
        }
    }

    var kind: OperationRequest.Kind {
        switch self {
        case .savepoint(let directory): .savepoint(directory: directory)
        case .checkpoint: .checkpoint
        case .stop(let drain): .stop(drain: drain, directory: nil)
        case .cancel(let retention): .cancel(retention)
        case .restart(let options, _): .restart(options)
        case .launch(let options): .launch(options)
        case .dispose(let path, _): .dispose(path: path)
        case .fault(let text): .fault(text)
        }
    }
}

/// How much harm an action can do: T1, T2 and T3.
enum GuardTier: Sendable {
    case reversible
    case ending
    case replacing

    /// What it takes in a context of this class.
    func rule(in contextClass: ContextClass) -> AcceptRule {
        switch (self, contextClass) {
        case (.reversible, .lab), (.reversible, .demo): .immediate
        case (.reversible, .staging): .key
        case (.reversible, .prod): .keyWhenClean
        case (_, .lab), (_, .demo): .key
        case (_, .staging): .typedName
        case (_, .prod): .unlockedNameReasonWindow
        }
    }
}

enum AcceptRule: Sendable, Equatable {
    /// Sent at once, without a sheet.
    case immediate
    /// `y`.
    case key
    /// `y`, and nothing in the preflight to warn of.
    case keyWhenClean
    /// The job's name, then Enter.
    case typedName
    /// An unlocked context, the job's name, a reason, Enter, and 5 s in which Esc takes it back.
    case unlockedNameReasonWindow

    var needsName: Bool { self == .typedName || self == .unlockedNameReasonWindow }
}

/// The job that an action was opened on. Read again right before sending: when the job is not in this state or attempt any more,
/// nothing is sent.
struct PinnedTarget: Sendable, Equatable {
    let key: JobKey
    let name: String
    let state: JobState
    let attempt: Int

    init(_ job: JobReport, context: String) {
        key = JobKey(context: context, job: job.id)
        name = job.name
        state = job.state
        attempt = job.attempt
    }
}

/// One line of what was checked before an action.
struct Preflight: Sendable, Equatable {
    enum Verdict: Sendable { case ok, warn, stop, pending }
    var verdict: Verdict
    var text: SafeText

    static func ok(_ text: SafeText) -> Preflight { Preflight(verdict: .ok, text: text) }
    static func warn(_ text: SafeText) -> Preflight { Preflight(verdict: .warn, text: text) }
    static func stop(_ text: SafeText) -> Preflight { Preflight(verdict: .stop, text: text) }
    static func pending(_ text: SafeText) -> Preflight { Preflight(verdict: .pending, text: text) }

    var badge: SafeText {
        switch verdict {
        case .ok: "[ok]"
        case .warn: "[!!]"
        case .stop: "[XX]"
        case .pending: "[..]"
        }
    }

    var role: StyleRole {
        switch verdict {
        case .ok: .severityOK
        case .warn: .severityWarn
        case .stop: .severityCrit
        case .pending: .severityRun
        }
    }
}

/// An action that is open for decision: its target, what is typed into it, and how it can be accepted. It decides nothing by
/// itself; the model asks it what a key means and sends when it says so.
struct ActionSheet: Sendable {
    /// After opening, keys other than Esc are ignored for this long.
    static let settle = Milliseconds(300)
    /// How long an armed action in production waits for Esc.
    static let abortWindow = Milliseconds.seconds(5)
    /// How long the second look may take: large snapshots are read as a whole. Esc ends it at any time, and so does a lost link.
    static let lookPatience = Milliseconds.minutes(10)

    /// What is looked at again right before a job is replaced or its state deleted: the job, by the next report, and the files, which are
    /// read anew.
    struct SecondLook: Sendable, Equatable {
        let since: WallTime
        /// Where the files are; nil = there are none to look at.
        let path: String?
        /// What the first look found; nil = it could not tell.
        let first: SnapshotInspection?
    }

    enum Focus: Sendable { case none, name, reason }
    /// What the box shows of the action.
    enum Page: Sendable { case overview, request, preflight }
    enum Outcome: Sendable, Equatable {
        case stay
        case backOut
        /// The operator accepted; what the model knows decides.
        case accept
        case savepointInstead
        case keep
    }

    var action: Action
    let target: PinnedTarget
    let rule: AcceptRule
    let openedAt: WallTime
    var name = TextField()
    var reason = TextField()
    var focus = Focus.none
    var page = Page.overview
    /// When the abort window ends.
    var armedUntil: WallTime?
    /// The action is accepted and is sent when this finds nothing changed.
    var secondLook: SecondLook?
    /// Why the last key did nothing.
    var answer: SafeText = ""

    init(_ action: Action, on target: PinnedTarget, rule: AcceptRule, at now: WallTime) {
        self.action = action
        self.target = target
        self.rule = rule
        openedAt = now
        if rule.needsName { focus = .name }
    }

    var isNameMatched: Bool { name.text == SafeText(target.name).string }

    /// Whether typing goes into a field, so that a paste is welcome.
    var isTyping: Bool { focus != .none && !isOnItsWay }

    /// Accepted and not sent yet: only Esc is read.
    var isOnItsWay: Bool { armedUntil != nil || secondLook != nil }

    /// Where a name has to be typed, a job is not replaced by what was known when the sheet was opened.
    var needsSecondLook: Bool { action.tier == .replacing && rule.needsName }

    mutating func paste(_ text: String) {
        switch focus {
        case .name: name.insert(text)
        case .reason: reason.insert(text)
        case .none: break
        }
    }

    /// What a key means here. `losesState`: the policy would delete the checkpoints, so the sheet offers ways out.
    mutating func take(_ key: KeyPress, at now: WallTime, losesState: Bool) -> Outcome {
        if key == .named(.escape) || key == .control("c") { return .backOut }
        answer = ""
        if now - openedAt < Self.settle {
            answer = "ignored: the box has just opened"
            return .stay
        }
        if isOnItsWay {
            answer = "Esc takes it back; nothing else is read now"
            return .stay
        }
        if key == .named(.tab) || key == .named(.backTab) {
            moveFocus()
            return .stay
        }
        if key == .named(.enter) {
            if focus == .reason, !rule.needsName {
                focus = .none
                return .stay
            }
            return rule.needsName ? .accept : refuseEnter()
        }
        switch focus {
        case .name: if name.take(key) { return .stay }
        case .reason: if reason.take(key) { return .stay }
        case .none: return free(key, losesState: losesState)
        }
        answer = "Esc backs out"
        return .stay
    }

    private mutating func free(_ key: KeyPress, losesState: Bool) -> Outcome {
        switch key {
        case .character("y") where !rule.needsName: return .accept
        case .character("s") where losesState: return .savepointInstead
        case .character("k") where losesState: return .keep
        case .character("q"), .named(.backspace): return .backOut
        case .character("d"): page = page == .request ? .overview : .request
        case .character("v"): page = page == .preflight ? .overview : .preflight
        default:
            answer = rule.needsName ? "Tab goes to the fields; Esc backs out" : "y sends; Tab goes to the reason; Esc backs out"
        }
        return .stay
    }

    private mutating func refuseEnter() -> Outcome {
        answer = "Enter does not send here: press y, or Esc to back out"
        return .stay
    }

    private mutating func moveFocus() {
        switch focus {
        case .none: focus = rule.needsName ? .name : .reason
        case .name: focus = .reason
        // Out of the fields letters are keys: the pages of the box.
        case .reason: focus = .none
        }
    }
}

extension ActionSheet.SecondLook {
    /// What is different about the snapshot now; nil = nothing.
    func change(to second: SnapshotInspection) -> SafeText? {
        if !second.verdict.allowsRestore { return "the snapshot is \(second.verdict.rawValue) now: \(second.problem ?? "no details")" }
        guard let first else { return nil }
        if second.verdict != first.verdict { return "the snapshot could be checked before and cannot now: \(second.problem ?? "no details")" }
        func facts(_ inspection: SnapshotInspection) -> SnapshotInspection {
            var copy = inspection
            copy.problem = nil
            return copy
        }
        func name(_ inspection: SnapshotInspection) -> SafeText { inspection.checkpoint.map { "#\($0)" } ?? "unnumbered" }
        return facts(first) == facts(second) ? nil : "there is another snapshot at this path now (\(name(first)) before, \(name(second)) now)"
    }
}
