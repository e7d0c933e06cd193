public import CellGrid
public import StreamModel

// The console without a keyboard: a screen is opened by its name and printed once it is complete.
extension ConsoleModel {
    /// The screens that can be opened by name.
    public static let screenNames = CommandLine.screens.map(\.name)

    /// Opens a screen, of a job by its name or the start of its id if one is given. Says why it cannot be.
    public mutating func open(_ screen: String, job name: String?, at now: WallTime, _ effects: inout [ConsoleEffect]) -> SafeText? {
        self.now = now
        guard Self.screenNames.contains(screen), let entry = CommandLine.screens.first(where: { $0.name == screen }) else {
            return "there is no screen \"\(SafeText(screen, limit: 40))\"; screens: \(Self.screenNames.joined(separator: ", "))"
        }
        if let name {
            guard let key = jobKey(name) else { return "there is no job \"\(SafeText(name, limit: 60))\"" }
            enter(key)
        }
        perform(entry.command, &effects)
        if entry.command != .overview, screens == [.overview] { return messages.last?.text ?? "there is nothing to show" }
        messages = []
        requestWhatIsShown(&effects)
        tellFocus(&effects)
        return nil
    }

    /// Whether every engine has reported, or is known to be down.
    public var hasHeardFromAll: Bool { live.contexts.allSatisfy { $0.report != nil || $0.isDown } }

    /// Whether any engine has reported.
    public var hasReports: Bool { live.contexts.contains { $0.report != nil } }

    /// Why there is no link, context by context.
    public var silence: SafeText {
        SafeText(
            live.contexts.filter { $0.report == nil }.map { context in
                if case .down(let reason, _, _) = context.link { "\(context.name): \(reason)" } else { "\(context.name): no answer" }
            }.joined(separator: "; "))
    }

    /// Whether the screen is complete: reported since a moment, and no question unanswered.
    public func isComplete(since moment: WallTime) -> Bool {
        if screen == .audit, auditRecords == nil { return false }
        if let name = logContext, let context = live.context(name) {
            return context.isDown || context.report.map { $0.logEnd == nil || context.log.isLoaded && context.log.askedAt == nil } ?? false
        }
        guard let key = jobOfScreen, let context = live.context(key.context), screens != [.overview] else { return hasHeardFromAll }
        if context.isDown { return true }
        guard let received = context.receivedAt, received > moment, let job = context.job(key.job) else { return false }
        let memory = live.memory(key)
        return memory.checkpointsAskedAt == nil && memory.failuresAskedAt == nil && memory.detailAskedAt.isEmpty
            && job.isWholeReport
    }
}

extension JobReport {
    /// A cluster is not asked for everything at once; an embedded engine reports all.
    fileprivate var isWholeReport: Bool { freshness.map { $0.checkpoints != nil && (state.isTerminal || $0.flow != nil) } ?? true }
}

extension ContextState {
    fileprivate var isDown: Bool {
        if case .down = link { true } else { false }
    }
}
