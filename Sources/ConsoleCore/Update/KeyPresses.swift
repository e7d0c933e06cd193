import CellGrid
import StreamModel

extension ConsoleModel {
    mutating func press(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
        input.noteKey(at: now)
        if isForConsole(key) {
            switch options.keyMap[key] {
            case .repaint: return effects.append(.repaint)
            case .suspend: return effects.append(.suspend)
            case .interrupt: return interrupt(&effects)
            default: break
            }
        }
        switch modals.last {
        case .command(let prompt): pressInCommand(key, prompt, &effects)
        case .filter(let field): pressInFilter(key, field)
        case .sheet(let sheet): pressInSheet(key, sheet, &effects)
        case .chooser(let chooser): pressInChooser(key, chooser, &effects)
        case .themes(let index, let before): pressInThemes(key, index, before, &effects)
        case .columns(let index, let before): pressInColumns(key, index, before, &effects)
        case .help(let page): pressInHelp(key, page)
        case .messages(let top): pressInMessages(key, top, &effects)
        case .actions: pressInActions(key, &effects)
        case .quit: pressInQuit(key, &effects)
        case nil:
            if let command = options.keyMap[key] { perform(command, &effects) }
        }
        requestWhatIsShown(&effects)
    }

    /// Whether a key may reach the console past an open box: in a box the keys that edit, choose and answer keep their meaning.
    private func isForConsole(_ key: KeyPress) -> Bool {
        if modals.isEmpty { return true }
        switch key {
        case .control: return !(isTakingText && TextField.edits(key))
        case .function: return true
        case .character, .named: return false
        }
    }

    /// The command of a key in a box without a text field: the arrows, Enter and Esc are the same in all of them.
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
    mutating func interrupt(_ effects: inout [ConsoleEffect]) {
        if let modal = modals.last {
            if case .sheet = modal { say("backed out, nothing was sent") }
            if case .themes(_, let before) = modal { restoreTheme(before, &effects) }
            if case .columns(_, let before) = modal { options.hiddenColumns = before }
            modals.removeLast()
            return
        }
        if let last = input.interruptedAt, now - last <= Milliseconds.seconds(3) { return effects.append(.quit) }
        input.interruptedAt = now
        say("\(options.keyMap.label(.interrupt)) again to quit", .warn)
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
        case .log: openLog()
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
        case .commandLine: modals.append(.command(CommandPrompt()))
        case .filter: openFilter()
        case .freeze: toggleFreeze()
        case .refresh: refresh(&effects)
        case .copy: copy(&effects)
        case .copyCommand: copyCommand(&effects)
        case .themes:
            let index = options.themeNames.firstIndex(of: options.theme.name) ?? 0
            modals.append(.themes(index: index, before: options.theme))
        case .columns: openColumns()
        case .actions:
            if case .contexts = screen {
                modals.append(.command(CommandPrompt("connect ")))
            } else {
                modals.append(.actions)
            }
        case .repaint: effects.append(.repaint)
        case .suspend: effects.append(.suspend)
        case .interrupt: interrupt(&effects)
        }
    }

    // MARK: Boxes with keys of their own

    mutating func openFilter() {
        guard let kind = listKind else { return say("there is no list to filter here", .warn) }
        modals.append(.filter(TextField(listViews[kind].filter ?? "")))
    }

    mutating func applyFilter(_ text: String) {
        guard let kind = listKind else { return }
        listViews[kind].filter = text.isEmpty ? nil : text
    }

    mutating func pressInFilter(_ key: KeyPress, _ field: TextField) {
        var field = field
        switch key {
        case .named(.escape):
            applyFilter("")
            modals.removeLast()
        case .named(.enter):
            if let kind = listKind, !field.text.isEmpty { listViews[kind].lastFilter = field.text }
            modals.removeLast()
        case .named(.tab): completeField(field)
        default:
            guard field.take(key) else { return }
            modals[modals.count - 1] = .filter(field)
            applyFilter(field.text)
        }
    }

    /// Completes the name of a field where only one is left; all of them stand above the prompt.
    mutating func completeField(_ field: TextField) {
        guard let kind = listKind else { return }
        let start = field.text.lastIndex(of: " ").map { field.text.index(after: $0) } ?? field.text.startIndex
        let word = field.text[start...].drop { $0 == "!" }
        let names = fieldNames(kind).filter { $0.hasPrefix(word.lowercased()) }
        guard names.count == 1, !word.isEmpty else { return }
        var completed = field
        completed.insert(String(names[0].dropFirst(word.count)) + ":")
        modals[modals.count - 1] = .filter(completed)
        applyFilter(completed.text)
    }

    mutating func pressInHelp(_ key: KeyPress, _ page: HelpPage) {
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

    mutating func pressInQuit(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
        switch key {
        case .character("y"), .named(.enter): effects.append(.quit)
        default: modals.removeLast()
        }
    }

    mutating func pressInActions(_ key: KeyPress, _ effects: inout [ConsoleEffect]) {
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

    mutating func restoreTheme(_ theme: Theme, _ effects: inout [ConsoleEffect]) {
        guard options.theme != theme else { return }
        options.theme = theme
        effects.append(.repaint)
    }
}
