import CellGrid
import StreamModel

extension ConsoleModel {
    /// Number of snapshots below the cursor that are read ahead, so that their verdicts are ready when the cursor comes.
    private static let readAhead = 2

    /// Resumes an interrupted restart: the chooser opens at its last step, with the recorded choices. Esc starts the choice again.
    private mutating func goOn(with restart: TrackedOperation, on key: JobKey, _ effects: inout [ConsoleEffect]) -> Bool {
        guard let index = live.index(of: key.context), let job = live.contexts[index].job(key.job), case .restart(var options) = restart.request.kind
        else { return false }
        options.path = restart.report?.path ?? options.path
        options.cancelsFirst = false
        if let path = options.path { inspect(path, index, &effects) }
        let action = Action.restart(options, chosen: restart.report?.checkpoint)
        var sheet = ActionSheet(
            action, author.nextID(), on: PinnedTarget(job, context: key.context), rule: action.tier.rule(in: live.contexts[index].description.guardClass),
            at: now)
        sheet.continues = restart.request
        var chooser = RestartChooser(key, selected: options.path)
        if let recipe = options.recipe, live.contexts[index].recipes[key.job]?.recipe == nil { live.contexts[index].recipes[key.job] = .recorded(recipe) }
        (chooser.options, chooser.sheet, chooser.step) = (options, sheet, .confirm)
        modals.append(.chooser(chooser))
        effects.append(.flushInput)
        return true
    }

    /// Opens the chooser on the selected checkpoint where one can be restored, else on the newest.
    mutating func openChooser(on key: JobKey, path: String? = nil, _ effects: inout [ConsoleEffect]) {
        if path == nil, let restart = interruptedRestart(key), goOn(with: restart, on: key, &effects) { return }
        var selected: String?
        if key == currentJob {
            switch screen {
            case .job, .checkpoints: selected = cursors.checkpoint == nil ? nil : selectedCheckpoint?.path
            case .checkpoint(let id), .subtasks(let id, _): selected = detail(id).flatMap { $0.isRestorable ? $0.path : nil }
            default: break
            }
        }
        var chooser = RestartChooser(key, selected: selected, otherPath: path)
        if selected == nil, let usable = chooser.firstUsable(self) { chooser = RestartChooser(key, selected: usable.path, otherPath: path) }
        if let context = live.context(key.context), let job = context.job(key.job), job.state.isTerminal, let other = context.secondCopy(of: job) {
            chooser.answer = "this run has ended, and \(job.name) lives as job \(other.id.short): restart that one"
        }
        if selected != nil { chooser.pinShown(self) }
        modals.append(.chooser(chooser))
        effects.append(.flushInput)
        seekRecipe(key, &effects)
        inspectAhead(chooser, &effects)
    }

    private mutating func inspectAhead(_ chooser: RestartChooser, _ effects: inout [ConsoleEffect]) {
        guard let index = live.index(of: chooser.key.context) else { return }
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
        chooser.pinShown(self)
        let rows = chooser.candidates(self)
        let index = chooser.index(in: rows)
        func select(_ next: Int) { if !rows.isEmpty { chooser.pin(rows[max(0, min(next, rows.count - 1))]) } }
        switch commandInBox(key) {
        case .moveDown: select(index + 1)
        case .moveUp: select(index - 1)
        case .first: select(0)
        case .last: select(rows.count - 1)
        case .pageDown: select(index + 5)
        case .pageUp: select(index - 5)
        case .commandLine: return modals.append(.command(CommandPrompt("restore ")))
        case .refresh: forgetVerdict(rows.isEmpty ? nil : rows[index].path, chooser)
        case .copy:
            if !rows.isEmpty, !rows[index].isNewestAtEnd { effects.append(.copy(SafeText(rows[index].path).string)) }
        case .quit, .back:
            modals.removeLast()
            return say("backed out, nothing was sent")
        case .open: toOptions(rows.isEmpty ? nil : rows[index], &chooser)
        default: chooser.answer = "\(options.keyMap.label(.moveDown, .moveUp)) choose, Enter continues, Esc backs out"
        }
        replace(chooser)
        inspectAhead(chooser, &effects)
    }

    /// Keeps the chosen row of an open chooser once all of its rows are there.
    mutating func settleChooser() {
        guard case .chooser(var chooser) = modals.last, chooser.step == .choose, pastIsLoaded(of: chooser.key) else { return }
        chooser.pinShown(self)
        replace(chooser)
    }

    private mutating func forgetVerdict(_ path: String?, _ chooser: RestartChooser) {
        guard let path, let index = live.index(of: chooser.key.context) else { return }
        if live.contexts[index].inspections[path] != .pending { live.contexts[index].inspections[path] = nil }
    }

    private func toOptions(_ row: RestartChooser.Candidate?, _ chooser: inout RestartChooser) {
        guard let row else {
            chooser.answer =
                live.memory(chooser.key).checkpointsAskedAt == nil
                ? "nothing to restart from; :restore PATH takes any path" : "the list of checkpoints has not arrived yet"
            return
        }
        if row.isGone {
            chooser.answer = "\(row.checkpoint.map { "#\($0.id)" } ?? "the chosen one") has been subsumed since it was chosen: choose another"
            return
        }
        if let problem = chooser.problem(row, self) {
            chooser.answer = "cannot be restored, \(problem)"
            return
        }
        chooser.pin(row)
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
            return modals.append(.command(CommandPrompt("recipe \(known)")))
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
                chooser.answer = "\(live.context(chooser.key.context)?.report?.engine.version ?? "this engine") cannot claim snapshots: this one stays yours"
            case .claim: chooser.options.claim = chooser.options.claim == .claim ? .noClaim : .claim
            case .unmatched: chooser.options.allowsUnmatchedState.toggle()
            case .parallelism: chooser.answer = "type a number; empty keeps the recorded one"
            }
        default: chooser.answer = "\(options.keyMap.label(.moveDown, .moveUp)) move, Space changes, Enter continues, Esc goes back"
        }
    }

    private func isDigit(_ key: KeyPress) -> Bool {
        if case .character(let scalar) = key { ("0"..."9").contains(scalar) } else { false }
    }

    private mutating func toConfirm(_ chooser: inout RestartChooser, _ effects: inout [ConsoleEffect]) {
        guard let index = live.index(of: chooser.key.context), let job = live.contexts[index].job(chooser.key.job) else {
            chooser.answer = "the job is no longer in the last report"
            return
        }
        let context = live.contexts[index]
        guard let row = chooser.chosen(self) else {
            chooser.answer = "the chosen checkpoint has been subsumed: choose again, or cancel the job first"
            chooser.step = .choose
            return
        }
        if !row.isNewestAtEnd { inspect(row.path, index, &effects) }
        guard var options = chooser.finalOptions(path: row.isNewestAtEnd ? nil : row.path, cancelsFirst: !job.state.isTerminal) else {
            chooser.answer = "\"\(chooser.parallelism.text)\" is not a parallelism"
            return
        }
        if context.capabilities.needsJarRecipe {
            guard let recipe = context.recipes[job.id]?.recipe else {
                chooser.answer = "no relaunch recipe: type : and then recipe JAR [--class NAME] [-- ARGUMENT...]"
                return
            }
            options.recipe = recipe
        }
        let action = Action.restart(options, chosen: row.checkpoint?.id ?? row.origin?.checkpoint ?? inspected(row.path, context))
        chooser.sheet = ActionSheet(
            action, author.nextID(), on: PinnedTarget(job, context: context.name), rule: action.tier.rule(in: context.description.guardClass), at: now)
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
            if sheet.isOnItsWay { say("aborted, nothing was sent") }
            chooser.sheet = nil
            chooser.step = .options
            replace(chooser)
        case .accept:
            let isAccepted = accept(&sheet)
            chooser.sheet = sheet
            replace(chooser)
            if isAccepted { release(&effects) }
        case .scroll(let step, let isPage):
            scroll(&sheet, by: step, isPage: isPage)
            chooser.sheet = sheet
            replace(chooser)
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
                chooser.answer = "\(options.keyMap.label(.cancel)) is offered only on a mismatch"
                return replace(chooser)
            }
            let target = JobKey(context: chooser.key.context, job: job)
            modals.removeLast()
            enter(target)
            screens = [.overview, .job]
            act(.cancel, &effects)
        case .quit, .back, .open: leave(operation, chooser)
        default:
            chooser.answer =
                "\(options.keyMap.label(.quit)) leaves it running; \(options.keyMap.label(.copy)) copies the evidence, \(options.keyMap.label(.write)) writes it"
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
