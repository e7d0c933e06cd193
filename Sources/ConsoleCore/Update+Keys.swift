import CellGrid
import StreamModel

extension ConsoleModel {
    /// So many keys within `burstSpan` are no fingers: they do not act.
    private static let burstCount = 6
    private static let burstSpan = Milliseconds(150)

    var isBurst: Bool { keyTimes.count >= Self.burstCount && now - keyTimes[keyTimes.count - Self.burstCount] < Self.burstSpan }

    mutating func press(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
        keyTimes.append(now)
        if keyTimes.count > Self.burstCount { keyTimes.removeFirst() }
        if isForConsole(key) {
            switch options.keyMap[key] {
            case .repaint: return effects.append(.repaint)
            case .suspend: return effects.append(.suspend)
            case .interrupt: return interrupt(&effects)
            default: break
            }
        }
        switch modals.last {
        case .command(let field, let recalled): pressInCommand(key, field, recalled, &effects)
        case .filter(let field): pressInFilter(key, field)
        case .sheet(let sheet): pressInSheet(key, sheet, &effects)
        case .chooser(let chooser): pressInChooser(key, chooser, &effects)
        case .themes(let index, let before): pressInThemes(key, index, before, &effects)
        case .help(let page): pressInHelp(key, page)
        case .messages(let top): pressInMessages(key, top, &effects)
        case .actions: pressInActions(key, &effects)
        case .quit: pressInQuit(key, &effects)
        case nil:
            if let command = options.keyMap[key] { perform(command, &effects) }
        }
        requestWhatIsShown(&effects)
    }

    /// Whether a key can mean the console itself and not the box that is open: in a box the keys that edit, choose and answer stay what they are.
    private func isForConsole(_ key: KeyPress) -> Bool {
        if modals.isEmpty { return true }
        switch key {
        case .control: return !(isTakingText && TextField.edits(key))
        case .function: return true
        case .character, .named: return false
        }
    }

    /// What a key means in a box without a text field: the arrows, Enter and Esc are the same in all of them.
    func commandInBox(_ key: KeyPress) -> Command? {
        switch key {
        case .named(.up): .moveUp
        case .named(.down): .moveDown
        case .named(.enter): .open
        case .named(.escape): .back
        default: options.keyMap[key]
        }
    }

    /// Ctrl-C leaves whatever is open; on a bare screen the second one quits.
    private mutating func interrupt(_ effects: inout [ConsoleEffect]) {
        if let modal = modals.last {
            if case .sheet = modal { say("backed out, nothing was sent") }
            if case .themes(_, let before) = modal { restoreTheme(before, &effects) }
            modals.removeLast()
            return
        }
        if let last = interruptedAt, now - last <= Milliseconds.seconds(3) { return effects.append(.quit) }
        interruptedAt = now
        say("\(options.keyMap.label(.interrupt)) again quits", .warn)
    }

    mutating func perform(_ command: Command, _ effects: inout [ConsoleEffect]) {
        switch command {
        case .savepoint, .cancel, .restart, .stop, .checkpoint, .dispose: act(command, &effects)
        case .moveUp: move(by: -1)
        case .moveDown: move(by: 1)
        case .first: select(0)
        case .last: select(listPosition.count - 1)
        case .pageUp: move(by: -max(1, size.rows - 10))
        case .pageDown: move(by: max(1, size.rows - 10))
        case .scrollLeft: scrollSideways(-1)
        case .scrollRight: scrollSideways(1)
        case .open: open()
        case .back: back(&effects, isQuit: false)
        case .quit: back(&effects, isQuit: true)
        case .previousJob: changeJob(by: -1)
        case .nextJob: changeJob(by: 1)
        case .previousCheckpoint: changeCheckpoint(by: 1)
        case .nextCheckpoint: changeCheckpoint(by: -1)
        case .overview: screens = [.overview]
        case .job: go(to: .job)
        case .checkpoints: go(to: .checkpoints)
        case .failures: go(to: .failures)
        case .metrics: go(to: .metrics)
        case .configuration: go(to: .configuration)
        case .operations: screens = [.overview, .operations]
        case .contexts: screens = [.overview, .contexts]
        case .audit:
            screens = [.overview, .audit]
            effects.append(.loadAudit)
        case .nextMatch: goToMatch(forward: true)
        case .previousMatch: goToMatch(forward: false)
        case .sort: sortByNextField()
        case .flipOrder: flipOrder()
        case .nextPane: changePane(by: 1)
        case .previousPane: changePane(by: -1)
        case .zoom: zoom(&effects)
        case .wide: widen()
        case .scrubBack: scrub(forward: false)
        case .scrubForward: scrub(forward: true)
        case .now: goLive()
        case .write: write(&effects)
        case .mouse: toggleMouse(&effects)
        case .help: modals.append(.help(HelpPage()))
        case .messages: modals.append(.messages(top: 0))
        case .commandLine: modals.append(.command(TextField(), recalled: nil))
        case .filter: openFilter()
        case .freeze: toggleFreeze()
        case .refresh: refresh(&effects)
        case .copy: copy(&effects)
        case .copyCommand: copyCommand(&effects)
        case .themes:
            let index = options.themeNames.firstIndex(of: options.theme.name) ?? 0
            modals.append(.themes(index: index, before: options.theme))
        case .actions:
            if case .contexts = screen {
                modals.append(.command(TextField("connect "), recalled: nil))
            } else {
                modals.append(.actions)
            }
        case .repaint: effects.append(.repaint)
        case .suspend: effects.append(.suspend)
        case .interrupt: interrupt(&effects)
        }
    }

    // MARK: Moving about

    mutating func move(by rows: Int) {
        let position = listPosition
        guard position.count > 0 else { return }
        select(position.index + rows)
    }

    private mutating func open() {
        if openInPane() { return }
        switch screen {
        case .overview:
            guard let row = selectedOverviewRow else { return }
            guard let key = row.key else { return say("\(row.id.context) has no job to open; \(row.condition.text(at: now, keys: options.keyMap))", .warn) }
            enter(key)
            screens = [.overview, .job]
        case .job, .checkpoints:
            guard let checkpoint = selectedCheckpoint else { return say("there is no checkpoint yet", .warn) }
            cursors.operatorUID = nil
            screens.append(.checkpoint(checkpoint.id))
        case .checkpoint(let id):
            let rows = operatorRows(id)
            guard let row = rows.first(where: { $0.uid == cursors.operatorUID }) ?? rows.first else {
                return say("the operators of #\(id) are not known yet", .warn)
            }
            cursors.subtask = nil
            screens.append(.subtasks(id, row.uid))
        case .operations:
            if let operation = selectedOperation { screens.append(.operation(operation.id)) }
        case .metrics: metrics.toggle()
        case .contexts:
            guard let context = selectedContext else { return }
            cursors.overview = OverviewRow.ID(context: context.name, job: nil)
            filters[.overview] = "context:\(context.name)"
            screens = [.overview]
        case .history: openRemembered()
        case .audit:
            if let row = selectedAudit, live.operations.contains(where: { $0.id == row.id }) { screens.append(.operation(row.id)) }
        case .subtasks, .failures, .operation, .configuration: break
        }
    }

    /// Opens what the focused pane has selected, where that is another than the screen's own list.
    private mutating func openInPane() -> Bool {
        switch (screen, focusedPane) {
        case (.overview, .operations), (.job, .operations):
            if let operation = selectedOperation { screens.append(.operation(operation.id)) }
        case (.overview, .trend): go(to: .metrics)
        case (.job, .failures): screens.append(.failures)
        default: return false
        }
        return true
    }

    private mutating func changePane(by step: Int) {
        let panes = panes
        guard panes.count > 1, let index = panes.firstIndex(of: focusedPane) else { return say("there is one pane here") }
        chosenPane = panes[(index + step + panes.count) % panes.count]
    }

    /// The focused pane as a screen of its own.
    private mutating func zoom(_ effects: inout [ConsoleEffect]) {
        switch (screen, focusedPane) {
        case (.overview, .trend): go(to: .metrics)
        case (.overview, .operations), (.job, .operations): screens.append(.operations)
        case (.job, .list): screens.append(.checkpoints)
        case (.job, .failures): screens.append(.failures)
        default: say("this pane has the screen already")
        }
    }

    private mutating func widen() {
        guard case .metrics = screen else { return say("there is no chart here", .warn) }
        metrics.span = metrics.span == .fine ? .coarse : .fine
    }

    /// To the next row that the last filter finds, round the ends.
    private mutating func goToMatch(forward: Bool) {
        guard let kind = listKind, let text = filters[kind] ?? lastFilters[kind] else { return say("there is no filter to go by; \(options.keyMap.label(.filter)) sets one", .warn) }
        let matches = matchIndices(kind, text)
        guard !matches.isEmpty else { return say("nothing here matches /\(text)", .warn) }
        let current = listPosition.index
        let next = forward ? matches.first { $0 > current } ?? matches[0] : matches.last { $0 < current } ?? matches[matches.count - 1]
        select(next)
    }

    // MARK: Time

    /// The least that a step goes.
    private static let scrubStep = Milliseconds.seconds(5)

    mutating func scrub(forward: Bool) {
        let from = shownAt
        let moment =
            forward
            ? history.moment(after: from + Milliseconds(Self.scrubStep.count - 1000))
            : history.moment(before: from + (1000 - Self.scrubStep)) ?? history.oldest.flatMap { $0.at < from ? $0 : nil }
        guard let moment else {
            if forward { return frozen == nil ? say("this is now") : goLive() }
            return say("nothing older is on record", .warn)
        }
        guard !forward || frozen != nil else { return say("this is now") }
        show(moment)
    }

    mutating func show(_ moment: History.Moment) {
        frozen = Frozen(observations: live.asOf(moment), at: moment.at)
        let keys = options.keyMap
        say("\(Figures.duration(now - moment.at)) ago; \(keys.label(.scrubBack, .scrubForward)) step, \(keys.label(.now)) returns to now", .warn)
    }

    private mutating func goLive() {
        guard frozen != nil else { return say("this is now") }
        frozen = nil
        say("live again", .ok)
    }

    // MARK: Files

    private mutating func write(_ effects: inout [ConsoleEffect]) {
        guard case .operation(let id) = screen, let operation = shown.operations.first(where: { $0.id == id }) else {
            // A picture of the screen; its name is proposed, and its ending says as what.
            let time = Figures.clock(now, offset: options.utcOffsetSeconds).string.filter { $0 != ":" }
            modals.append(.command(TextField("dump weir-\(screenName)-\(time).txt"), recalled: nil))
            return
        }
        writeEvidence(operation, &effects)
    }

    mutating func writeEvidence(_ operation: TrackedOperation, _ effects: inout [ConsoleEffect]) {
        effects.append(.save(name: "\(operation.verb)-\(operation.id).txt", text: evidenceReport(operation)))
        say("writing the evidence")
    }

    /// Makes a job the one that screens are about.
    mutating func enter(_ key: JobKey) {
        guard currentJob != key else { return }
        currentJob = key
        let row = cursors.overview
        cursors = Cursors()
        cursors.overview = row
        cursors.overview = OverviewRow.ID(context: key.context, job: key.job)
        filters[.checkpoints] = nil
        filters[.failures] = nil
        filters[.configuration] = nil
    }

    private mutating func go(to screen: Screen) {
        if case .overview = self.screen, let key = focusedJob { enter(key) }
        if currentJob == nil, let row = overviewRows.first(where: { $0.key != nil }), let key = row.key { enter(key) }
        guard currentJob != nil else { return say("there is no job to show yet", .warn) }
        screens = screen == .job ? [.overview, .job] : [.overview, .job, screen]
    }

    private mutating func back(_ effects: inout [ConsoleEffect], isQuit: Bool) {
        if let kind = listKind, filters[kind] != nil, !isQuit {
            filters[kind] = nil
            return
        }
        if screens.count > 1 {
            screens.removeLast()
        } else if isQuit {
            modals.append(.quit)
        }
    }

    private mutating func changeJob(by step: Int) {
        let keys = overviewRowsByName
        guard !keys.isEmpty else { return say("there is no job", .warn) }
        guard let index = keys.firstIndex(where: { $0 == focusedJob }) else { return enter(keys[0]) }
        let next = keys[(index + step + keys.count) % keys.count]
        if case .overview = screen {
            cursors.overview = OverviewRow.ID(context: next.context, job: next.job)
        } else {
            enter(next)
            switch screen {
            case .checkpoint, .subtasks: screens = [.overview, .job, .checkpoints]
            default: break
            }
        }
    }

    /// Jobs in an order that does not change with their state, so that stepping through them is predictable.
    private var overviewRowsByName: [JobKey] {
        shown.contexts.flatMap { context in
            (context.report?.jobs ?? []).sorted { ($0.name, $0.id) < ($1.name, $1.id) }.map { JobKey(context: context.name, job: $0.id) }
        }
    }

    private mutating func changeCheckpoint(by step: Int) {
        let id: CheckpointID
        switch screen {
        case .checkpoint(let shown), .subtasks(let shown, _): id = shown
        default: return move(by: step)
        }
        let rows = checkpointRows
        guard let index = rows.firstIndex(where: { $0.id == id }), rows.indices.contains(index + step) else {
            return say(step > 0 ? "#\(id) is the oldest that is known" : "#\(id) is the newest", .warn)
        }
        let next = rows[index + step].id
        cursors.checkpoint = next
        if case .subtasks(_, let uid) = screen {
            screens[screens.count - 1] = .subtasks(next, uid)
            if let below = screens.indices.dropLast().last, case .checkpoint = screens[below] { screens[below] = .checkpoint(next) }
        } else {
            screens[screens.count - 1] = .checkpoint(next)
        }
    }

    private mutating func toggleFreeze() {
        if frozen == nil {
            frozen = Frozen(observations: live, at: now)
            say("frozen at \(Figures.clock(wall(now), offset: options.utcOffsetSeconds)); \(options.keyMap.label(.freeze)) returns to live", .warn)
        } else {
            goLive()
        }
    }

    private mutating func refresh(_ effects: inout [ConsoleEffect]) {
        let key = focusedJob
        let contexts = live.contexts.filter { key == nil || $0.name == key?.context }
        for context in contexts where !context.link.isUp { effects.append(.retryNow(context: context.name)) }
        if let key, let index = live.contexts.firstIndex(where: { $0.name == key.context }), live.contexts[index].link.isUp {
            live.contexts[index].memories[key.job]?.revision = nil
            live.contexts[index].memories[key.job]?.checkpointsAskedAt = nil
            live.contexts[index].memories[key.job]?.failuresMark = nil
            live.contexts[index].memories[key.job]?.failuresAskedAt = nil
        }
        forgetPast()
        say(effects.isEmpty ? "asking again" : "trying to connect again")
    }

    // MARK: Boxes with keys of their own

    private mutating func openFilter() {
        guard let kind = listKind else { return say("there is no list to filter here", .warn) }
        modals.append(.filter(TextField(filters[kind] ?? "")))
    }

    mutating func applyFilter(_ text: String) {
        guard let kind = listKind else { return }
        filters[kind] = text.isEmpty ? nil : text
    }

    private mutating func pressInFilter(_ key: KeyPress, _ field: TextField) {
        var field = field
        switch key {
        case .named(.escape):
            applyFilter("")
            modals.removeLast()
        case .named(.enter):
            if let kind = listKind, !field.text.isEmpty { lastFilters[kind] = field.text }
            modals.removeLast()
        case .named(.tab): completeField(field)
        default:
            guard field.take(key) else { return }
            modals[modals.count - 1] = .filter(field)
            applyFilter(field.text)
        }
    }

    /// Completes the name of a field, or tells what names there are.
    private mutating func completeField(_ field: TextField) {
        guard let kind = listKind else { return }
        let start = field.text.lastIndex(of: " ").map { field.text.index(after: $0) } ?? field.text.startIndex
        let word = field.text[start...].drop { $0 == "!" }
        let names = fieldNames(kind).filter { $0.hasPrefix(word.lowercased()) }
        guard names.count == 1, !word.isEmpty else { return say("fields: \(names.joined(separator: "  "))") }
        var completed = field
        completed.insert(String(names[0].dropFirst(word.count)) + ":")
        modals[modals.count - 1] = .filter(completed)
        applyFilter(completed.text)
    }

    private mutating func pressInHelp(_ key: KeyPress, _ page: HelpPage) {
        var page = page
        if page.isTyping {
            switch key {
            case .named(.enter): page.isTyping = false
            case .named(.escape): page = HelpPage()
            default:
                _ = page.search.take(key)
                page.top = 0
            }
            modals[modals.count - 1] = .help(page)
            return
        }
        let help = HelpScreen(self, search: page.search)
        let top = page.top
        func scroll(to top: Int, _ model: inout ConsoleModel) {
            page.top = help.clamped(top)
            model.modals[model.modals.count - 1] = .help(page)
        }
        switch commandInBox(key) {
        case .filter:
            page.isTyping = true
            modals[modals.count - 1] = .help(page)
        case .back where !page.search.text.isEmpty: modals[modals.count - 1] = .help(HelpPage())
        case .moveDown: scroll(to: top + 1, &self)
        case .moveUp: scroll(to: top - 1, &self)
        case .pageDown: scroll(to: top + HelpScreen.rows(size), &self)
        case .pageUp: scroll(to: top - HelpScreen.rows(size), &self)
        case .last: scroll(to: help.lines.count, &self)
        case .first: scroll(to: 0, &self)
        case .quit, .back, .help, .open: modals.removeLast()
        default: break
        }
    }

    private mutating func pressInQuit(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
        switch key {
        case .character("y"), .named(.enter): effects.append(.quit)
        default: modals.removeLast()
        }
    }

    private mutating func pressInActions(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
        modals.removeLast()
        guard let command = options.keyMap[key], command.isActing || command == .commandLine else { return }
        perform(command, &effects)
    }

    /// Moving previews a theme on the live screen; Enter keeps it, Esc goes back.
    mutating func pressInThemes(_ key: KeyPress, _ index: Int, _ before: Theme, _ effects: inout [ConsoleEffect]) {
        func preview(_ next: Int, _ model: inout ConsoleModel) {
            guard model.options.themeNames.indices.contains(next), next != index else { return }
            model.modals[model.modals.count - 1] = .themes(index: next, before: before)
            effects.append(.loadTheme(model.options.themeNames[next]))
        }
        switch commandInBox(key) {
        case .moveDown: preview(index + 1, &self)
        case .moveUp: preview(index - 1, &self)
        case .open: modals.removeLast()
        case .quit, .back:
            modals.removeLast()
            restoreTheme(before, &effects)
        default: break
        }
    }

    private mutating func restoreTheme(_ theme: Theme, _ effects: inout [ConsoleEffect]) {
        guard options.theme != theme else { return }
        options.theme = theme
        effects.append(.repaint)
    }

    // MARK: Copying

    private mutating func copy(_ effects: inout [ConsoleEffect]) {
        if screen == .job, let key = currentJob, case let lines = incidentSummary(key), !lines.isEmpty {
            effects.append(.copy(lines.map(\.string).joined(separator: "\n")))
            return say("copied the incident summary: \(Figures.plural(lines.count, "line")), \(lines[1].prefix(columns: 60, ending: "..."))")
        }
        if screen == .contexts, let description = selectedContext?.description, description.isAdded {
            effects.append(.copy(description.configuration.joined(separator: "\n") + "\n"))
            return say("copied the lines that keep \(description.name) in config.toml")
        }
        let copied: (what: SafeText, text: SafeText)? =
            switch screen {
            case .overview: focusedJob.map { ("job id", "\($0.job)") }
            case .job: nil
            case .checkpoints: selectedCheckpoint.map(pathOrID)
            case .checkpoint(let id), .subtasks(let id, _): detail(id).map(pathOrID)
            case .failures: selectedFailure.map { ("failure", $0.subject + ": " + $0.message) }
            case .metrics:
                currentJob.flatMap { shown.job($0) }.map { ("value", "\(metrics.selected.title) \(metrics.selected.text(metrics.selected.value($0)))") }
            case .configuration:
                configurationRows.indices.contains(listPosition.index)
                    ? ("setting", "\(configurationRows[listPosition.index].name) = \(configurationRows[listPosition.index].value)") : nil
            case .contexts: selectedContext.map { ("address", SafeText($0.description.address)) }
            case .history: selectedRemembered.map { pathOrID($0.report) }
            case .audit:
                selectedAudit.map {
                    (
                        "record",
                        "\($0.verb) op \($0.id) by \($0.request.by) on \($0.context)/\($0.jobName) at \(Figures.clock($0.at, offset: options.utcOffsetSeconds)): \($0.outcome) \($0.result); reason: \($0.request.reason)"
                    )
                }
            case .operations: selectedOperation.map { ("operation", evidence($0)) }
            case .operation(let id): shown.operations.first { $0.id == id }.map { ("evidence", evidence($0)) }
            }
        guard let copied else { return say("there is nothing to copy here", .warn) }
        effects.append(.copy(copied.text.string))
        say("copied the \(copied.what): \(copied.text.prefix(columns: 60, ending: "..."))")
    }

    private func pathOrID(_ checkpoint: CheckpointReport) -> (what: SafeText, text: SafeText) {
        checkpoint.path.map { ("path", SafeText($0)) } ?? ("checkpoint id", "\(checkpoint.id)")
    }

    func evidence(_ operation: TrackedOperation) -> SafeText {
        var text: SafeText = "\(operation.progress(at: shownAt)); by \(operation.request.by) in \(operation.context)"
        if !operation.request.reason.isEmpty { text = "\(text); reason \(operation.request.reason)" }
        if let path = operation.report?.path { text = "\(text); path \(path)" }
        if let proof = operation.proof { text = "\(text); VERDICT \(RestartWords.verdict(proof))" }
        for line in operation.proof?.lines ?? [] {
            text = "\(text); \(line.step.rawValue) \(RestartWords.name(line.step)) \(line.state.rawValue) \(line.evidence)"
        }
        return text
    }

    /// The whole of what is known about an operation, a fact a line, for a file.
    func evidenceReport(_ operation: TrackedOperation) -> String {
        let offset = options.utcOffsetSeconds
        var lines = [
            "operation  \(operation.id)", "what       \(operation.action.request(operation.request.job, in: live.dialect(of: operation.context)))", "job        \(operation.jobName)",
            "context    \(operation.context)  \(live.context(operation.context)?.description.address ?? "")", "by         \(operation.request.by)",
            "reason     \(operation.request.reason.isEmpty ? "none given" : operation.request.reason)",
            "sent       \(Figures.clock(operation.since, offset: offset)), \(operation.since.milliseconds) ms since 1970",
            "stage      \(operation.stage.rawValue)",
        ]
        if let report = operation.report {
            lines.append("engine     says \(report.state.rawValue)\(report.endedAt.map { " at \(Figures.clock($0, offset: offset))" } ?? "")")
            if let path = report.path { lines.append("path       \(path)") }
            if let jar = report.jar { lines.append("jar        \(jar)") }
            if let job = report.newJob { lines.append("new job    \(job)") }
            if let error = report.error { lines.append("error      \(error)") }
            if let inference = report.inference { lines.append("inferred   \(inference)") }
        }
        if let seen = operation.evidence { lines.append("observed   \(seen)") }
        if let proof = operation.proof {
            lines += ["", "chosen     \(proof.chosenID.map { "#\($0) " } ?? "")\(proof.chosenPath)"]
            for line in proof.lines {
                lines.append("  \(line.step.rawValue) \(RestartWords.name(line.step).padded(15)) \(line.state.rawValue.uppercased()) \(line.evidence)")
            }
            lines.append("VERDICT    \(RestartWords.verdict(proof))")
        }
        // Each line is made safe by itself: what came from outside cannot add lines.
        return lines.map { SafeText($0).string }.joined(separator: "\n") + "\n"
    }

    private mutating func copyCommand(_ effects: inout [ConsoleEffect]) {
        if case .history = screen, let row = selectedRemembered {
            let command = "weir checkpoints \(ShellWord(row.jobName)) --history"
            effects.append(.copy(command))
            return say("copied: \(command)")
        }
        guard let key = focusedJob else { return say("there is no job to make a command for", .warn) }
        var command: String
        switch screen {
        case .checkpoints, .checkpoint, .subtasks:
            if let path = selectedCheckpoint?.path {
                command = "weir restart \(key.job) --from \(ShellWord(path))"
            } else {
                command = "weir checkpoints \(key.job)"
            }
        case .operations, .operation: command = "weir operations"
        case .overview, .job, .failures, .metrics, .configuration, .contexts, .audit, .history: command = "weir checkpoints \(key.job)"
        }
        // With one engine there is nothing to tell apart.
        if live.contexts.count > 1 { command += " --context \(ShellWord(key.context))" }
        effects.append(.copy(command))
        say("copied: \(command)")
    }
}

/// A string as one word of a POSIX shell. What a terminal would obey is not in it.
struct ShellWord: CustomStringConvertible {
    let description: String

    init(_ text: String) {
        let safe = SafeText(text).string
        let isPlain =
            !safe.isEmpty
            && safe.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "-_./:@%+=,".utf8.contains(byte)
            }
        description = isPlain ? safe : "'" + safe.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
