import CellGrid
import StreamModel

/// The job that an action was opened on. Read again right before sending: if its state or attempt has changed,
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

/// An action that is open for decision: its target, what is typed into it, and how it can be accepted. It decides nothing by
/// itself; the model asks it what a key means and sends when it says so.
struct ActionSheet: Sendable {
    /// After opening, keys other than Esc are ignored for this long.
    static let settle = Milliseconds(300)
    /// A key this soon after one that was ignored is of the same paste, however slowly the line brings it.
    static let pasteGap = Milliseconds(150)
    /// The time that an armed action in production waits for Esc.
    static let abortWindow = Milliseconds.seconds(5)
    /// The limit of the second look: large snapshots are read as a whole. Esc ends it at any time, and so does a lost link.
    static let lookPatience = Milliseconds.minutes(10)

    /// The final check, right before a job is replaced or its state deleted: the job, by the next report, and the files, which are
    /// read anew.
    struct SecondLook: Sendable, Equatable {
        let since: WallTime
        /// Where the files are; nil = there are none to look at.
        let path: String?
        /// The result of the first look; nil = it had none.
        let first: SnapshotInspection?
    }

    enum Focus: Sendable { case none, name, reason }
    /// The pages of the box.
    enum Page: Sendable { case overview, request, preflight }
    enum Outcome: Sendable, Equatable {
        case stay
        case backOut
        /// The operator accepted; what the model knows decides.
        case accept
        case savepointInstead
        case keep
        /// The text moves by a line, or a page, down where positive.
        case scroll(Int, isPage: Bool)
    }

    var action: Action
    let target: PinnedTarget
    let rule: AcceptRule
    let openedAt: WallTime
    /// When a key was last ignored.
    private var ignoredAt: WallTime?
    /// Of the operation, drawn as the sheet opens: what it shows is what is sent.
    let id: OperationID
    var name = TextField()
    var reason = TextField()
    var focus = Focus.none
    var page = Page.overview
    /// The first line of each page's text, where it does not all fit.
    var tops: [Page: Int] = [:]
    /// The warnings when it was last scrolled, without figures that count on: where there are others now, it is read from the top again.
    var warningsRead: [String]?
    /// When the abort window ends.
    var armedUntil: WallTime?
    /// The operation that it goes on with; nil = it is a new one.
    var continues: OperationRequest?
    /// The action is accepted and is sent when this finds nothing changed.
    var secondLook: SecondLook?
    /// Why the last key did nothing.
    var answer: SafeText = ""

    init(_ action: Action, _ id: OperationID, on target: PinnedTarget, rule: AcceptRule, at now: WallTime) {
        self.id = id
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

    /// Where the guard asks for the name, a job is checked again before it is replaced.
    var needsSecondLook: Bool { action.tier == .replacing && rule.needsName }

    mutating func paste(_ text: String) {
        switch focus {
        case .name: name.insert(text)
        case .reason: reason.insert(text)
        case .none: break
        }
    }

    /// Takes a key. `losesState`: the policy would delete the checkpoints, so the sheet offers ways out.
    mutating func take(_ key: KeyPress, at now: WallTime, losesState: Bool) -> Outcome {
        if key == .named(.escape) || key == .control("c") { return .backOut }
        answer = ""
        if now - openedAt < Self.settle || ignoredAt.map({ now - $0 < Self.pasteGap }) ?? false {
            ignoredAt = now
            answer = now - openedAt < Self.settle ? "ignored: the sheet has just opened" : "ignored: the keys come as fast as a paste; pause, then press again"
            return .stay
        }
        if isOnItsWay {
            answer = "only Esc works now: it aborts"
            return .stay
        }
        switch key {
        case .named(.up): return .scroll(-1, isPage: false)
        case .named(.down): return .scroll(1, isPage: false)
        case .named(.pageUp): return .scroll(-1, isPage: true)
        case .named(.pageDown): return .scroll(1, isPage: true)
        default: break
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
    /// How the snapshot has changed; nil = not at all.
    func change(to second: SnapshotInspection) -> SafeText? {
        if !second.verdict.allowsRestore { return "the snapshot is \(second.verdict.rawValue) now: \(second.problem ?? "no details")" }
        guard let first else { return nil }
        if second.verdict != first.verdict { return "the snapshot could be checked before but not now: \(second.problem ?? "no details")" }
        func facts(_ inspection: SnapshotInspection) -> SnapshotInspection {
            var copy = inspection
            copy.problem = nil
            return copy
        }
        func name(_ inspection: SnapshotInspection) -> SafeText { inspection.checkpoint.map { "#\($0)" } ?? "unnumbered" }
        return facts(first) == facts(second) ? nil : "a different snapshot is at this path now (\(name(first)) before, \(name(second)) now)"
    }
}
