import CellGrid
import StreamModel

extension ConsoleModel {
    /// How many snapshots below the cursor are read ahead, so that their verdict is there when the cursor comes.
    private static let readAhead = 2

    /// Opens the chooser on the selected checkpoint where one can be restored, else on the newest.
    mutating func openChooser(on key: JobKey, path: String? = nil, _ effects: inout [ConsoleEffect]) {
        var selected: String?
        if key == currentJob {
            switch screen {
            case .job, .checkpoints: selected = cursors.checkpoint == nil ? nil : selectedCheckpoint?.path
            case .checkpoint(let id), .subtasks(let id, _): selected = detail(id).flatMap { $0.isRestorable ? $0.path : nil }
            default: break
            }
        }
        let chooser = RestartChooser(key, selected: selected, otherPath: path)
        modals.append(.chooser(chooser))
        effects.append(.flushInput)
        seekRecipe(key, &effects)
        inspectAhead(chooser, &effects)
    }

    private mutating func inspectAhead(_ chooser: RestartChooser, _ effects: inout [ConsoleEffect]) {
        guard let index = live.contexts.firstIndex(where: { $0.name == chooser.key.context }) else { return }
        let rows = chooser.candidates(self)
        let first = chooser.index(in: rows)
        for row in rows.dropFirst(first).prefix(1 + Self.readAhead) where !row.isNewestAtEnd { inspect(row.path, index, &effects) }
    }

    mutating func pressInChooser(_ key: KeyPress, _ chooser: RestartChooser, _ effects: inout [ConsoleEffect]) {
        var chooser = chooser
        chooser.answer = ""
        switch chooser.step {
        case .choose: choose(key, &chooser, &effects)
        case .options: setOptions(key, &chooser, &effects)
        case .confirm: confirm(key, &chooser, &effects)
        case .verify(let id): watch(key, id, &chooser, &effects)
        }
    }

    private mutating func replace(_ chooser: RestartChooser) {
        guard let index = modals.lastIndex(where: { if case .chooser = $0 { true } else { false } }) else { return }
        modals[index] = .chooser(chooser)
    }

    // MARK: 1 choose

    private mutating func choose(_ key: KeyPress, _ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        let rows = chooser.candidates(self)
        let index = chooser.index(in: rows)
        func select(_ next: Int) { if !rows.isEmpty { chooser.selected = rows[max(0, min(next, rows.count - 1))].path } }
        switch commandInBox(key) {
        case .moveDown: select(index + 1)
        case .moveUp: select(index - 1)
        case .first: select(0)
        case .last: select(rows.count - 1)
        case .pageDown: select(index + 5)
        case .pageUp: select(index - 5)
        case .commandLine: return modals.append(.command(TextField("restore "), recalled: nil))
        case .refresh: forgetVerdict(rows.isEmpty ? nil : rows[index].path, chooser)
        case .copy:
            if !rows.isEmpty, !rows[index].isNewestAtEnd { effects.append(.copy(SafeText(rows[index].path).string)) }
        case .quit, .back:
            modals.removeLast()
            return say("backed out, nothing was sent")
        case .open: toOptions(rows.isEmpty ? nil : rows[index], &chooser)
        default: chooser.answer = "\(options.keyMap.label(.moveDown, .moveUp)) choose, Enter goes on, Esc backs out"
        }
        replace(chooser)
        inspectAhead(chooser, &effects)
    }

    private mutating func forgetVerdict(_ path: String?, _ chooser: RestartChooser) {
        guard let path, let index = live.contexts.firstIndex(where: { $0.name == chooser.key.context }) else { return }
        if live.contexts[index].inspections[path] != .pending { live.contexts[index].inspections[path] = nil }
    }

    private func toOptions(_ row: RestartChooser.Candidate?, _ chooser: inout RestartChooser) {
        guard let row else {
            chooser.answer = "there is nothing to restart from; :restore PATH takes any path"
            return
        }
        if case .done(let inspection) = live.context(chooser.key.context)?.inspections[row.path], !inspection.verdict.allowsRestore {
            chooser.answer = "cannot be chosen, \(inspection.verdict.rawValue): \(inspection.problem ?? "no details")"
            return
        }
        chooser.selected = row.path
        chooser.step = .options
    }

    // MARK: 2 options

    private mutating func setOptions(_ key: KeyPress, _ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        let rows = RestartChooser.Option.allCases
        if chooser.optionRow == .parallelism, isDigit(key) || key == .named(.backspace) && !chooser.parallelism.text.isEmpty {
            _ = chooser.parallelism.take(key)
            return replace(chooser)
        }
        let index = chooser.optionRow.rawValue
        switch commandInBox(key) {
        case .commandLine:
            let known = live.context(chooser.key.context)?.recipes[chooser.key.job]?.recipe?.line ?? ""
            return modals.append(.command(TextField("recipe \(known)"), recalled: nil))
        case .moveDown: chooser.optionRow = rows[min(index + 1, rows.count - 1)]
        case .moveUp: chooser.optionRow = rows[max(index - 1, 0)]
        case .quit, .back: chooser.step = .choose
        case .open: toConfirm(&chooser, &effects)
        default: change(key, &chooser)
        }
        replace(chooser)
    }

    private func change(_ key: KeyPress, _ chooser: inout RestartChooser) {
        switch key {
        case .named(.left), .named(.right), .character(" "), .character("h"), .character("l"):
            switch chooser.optionRow {
            case .claim where live.context(chooser.key.context)?.capabilities.canClaim == false:
                chooser.answer = "\(live.context(chooser.key.context)?.report?.engine.version ?? "this engine") cannot claim a snapshot: it stays yours"
            case .claim: chooser.options.claim = chooser.options.claim == .claim ? .noClaim : .claim
            case .unmatched: chooser.options.allowsUnmatchedState.toggle()
            case .parallelism: chooser.answer = "type a number; empty is as recorded"
            }
        default: chooser.answer = "\(options.keyMap.label(.moveDown, .moveUp)) move, Space changes, Enter goes on, Esc goes back"
        }
    }

    private func isDigit(_ key: KeyPress) -> Bool {
        if case .character(let scalar) = key { ("0"..."9").contains(scalar) } else { false }
    }

    private mutating func toConfirm(_ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        guard let index = live.contexts.firstIndex(where: { $0.name == chooser.key.context }), let job = live.contexts[index].job(chooser.key.job) else {
            chooser.answer = "the job is not in the last report any more"
            return
        }
        let context = live.contexts[index]
        guard let row = chooser.chosen(self) else {
            chooser.answer = "what was chosen has been subsumed meanwhile: choose again, or cancel the job first"
            (chooser.step, chooser.selected) = (.choose, nil)
            return
        }
        if !row.isNewestAtEnd { inspect(row.path, index, &effects) }
        guard var options = chooser.finalOptions(path: row.isNewestAtEnd ? nil : row.path, cancelsFirst: !job.state.isTerminal) else {
            chooser.answer = "\"\(chooser.parallelism.text)\" is not a parallelism"
            return
        }
        if context.capabilities.needsJarRecipe {
            guard let recipe = context.recipes[job.id]?.recipe else {
                chooser.answer = "how the job was launched is not known: type : and then recipe JAR [--class NAME] [-- ARGUMENT...]"
                return
            }
            options.recipe = recipe
        }
        let action = Action.restart(options, chosen: row.checkpoint?.id ?? inspected(row.path, context))
        chooser.sheet = ActionSheet(
            action, on: PinnedTarget(job, context: context.name), rule: action.tier.rule(in: context.description.guardClass), at: now)
        chooser.step = .confirm
        effects.append(.flushInput)
    }

    private func inspected(_ path: String, _ context: ContextState) -> CheckpointID? {
        if case .done(let inspection) = context.inspections[path] { inspection.checkpoint } else { nil }
    }

    // MARK: 3 confirm

    private mutating func confirm(_ key: KeyPress, _ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        guard var sheet = chooser.sheet else { return }
        switch sheet.take(key, at: now, losesState: false) {
        case .backOut:
            if sheet.isOnItsWay { say("taken back, nothing was sent") }
            chooser.sheet = nil
            chooser.step = .options
            replace(chooser)
        case .accept:
            let isAccepted = accept(&sheet)
            chooser.sheet = sheet
            replace(chooser)
            if isAccepted { release(&effects) }
        default:
            chooser.sheet = sheet
            replace(chooser)
        }
    }

    /// The restart is on its way: the chooser turns to its proof.
    mutating func followRestart(_ id: OperationID) {
        guard case .chooser(var chooser) = modals.last else { return }
        chooser.step = .verify(id)
        chooser.sheet = nil
        modals[modals.count - 1] = .chooser(chooser)
    }

    // MARK: 4 verify

    private mutating func watch(_ key: KeyPress, _ id: OperationID, _ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        let operation = live.operations.first { $0.id == id }
        switch commandInBox(key) {
        case .copy:
            guard let operation else { return }
            effects.append(.copy(evidence(operation).string))
            say("copied the evidence")
        case .write:
            if let operation { writeEvidence(operation, &effects) }
        case .cancel:
            guard let job = operation?.proof?.newJob, operation?.proof?.verdict == .mismatch else {
                chooser.answer = "\(options.keyMap.label(.cancel)) is offered only when the job runs from something else"
                return replace(chooser)
            }
            let target = JobKey(context: chooser.key.context, job: job)
            modals.removeLast()
            enter(target)
            screens = [.overview, .job]
            act(.cancel, &effects)
        case .quit, .back, .open: leave(operation, chooser)
        default:
            chooser.answer = "\(options.keyMap.label(.quit)) leaves it running; \(options.keyMap.label(.copy)) copies the evidence, \(options.keyMap.label(.write)) writes it"
            replace(chooser)
        }
    }

    private mutating func leave(_ operation: TrackedOperation?, _ chooser: RestartChooser) {
        modals.removeLast()
        guard let job = operation?.proof?.newJob else { return }
        enter(JobKey(context: chooser.key.context, job: job))
        screens = [.overview, .job]
    }
}
