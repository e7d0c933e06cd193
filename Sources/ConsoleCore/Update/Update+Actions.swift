import CellGrid
import StreamModel

extension ConsoleModel {
    // MARK: May a key act?

    /// Why the action is unavailable, or nil. The same answer locks the key in the action row.
    func refusal(_ command: Command, on key: JobKey?) -> Refusal? {
        if isSmall { return .tooSmall(size) }
        if frozen != nil { return .frozen }
        guard let key, let context = live.context(key.context) else { return .noJob }
        if options.isReadOnly || context.description.isReadOnly { return .readOnly(context: context.name) }
        if context.capabilities.isViewer { return .viewer(context: context.name) }
        if context.capabilities.isHistoryServer { return .historyServer(context: context.name) }
        guard context.link.isUp else { return .noLink(context: context.name) }
        guard let job = context.job(key.job) else { return .notReported(context: context.name) }
        // What is gone can be launched again; what is only missing may come back.
        if context.missing[job.id] != nil, command != .restart || !context.isGone(job) { return .missing(job: job.name) }
        switch command {
        case .checkpoint where !context.capabilities.canCheckpointNow: return .cannotCheckpoint(engine: context.report?.engine.version ?? "this engine")
        case .savepoint, .stop, .checkpoint: return job.state == .running ? nil : .notRunning(job: job.name, job.state)
        case .dispose where !context.capabilities.canDispose:
            return .cannotDispose(engine: context.report.map { "\($0.engine.name) \($0.engine.version)" } ?? "this engine")
        case .dispose: return selectedSnapshot?.path == nil ? .noSnapshot : nil
        case .cancel: return job.state.isTerminal ? .ended(job: job.name, job.state) : nil
        default: return nil
        }
    }

    /// Opens the sheet of an action, or sends at once where the class of the context allows it.
    mutating func act(_ command: Command, _ effects: inout [ConsoleEffect]) {
        if input.isBurst(at: now) {
            effects.append(.flushInput)
            return say("too many keys at once: nothing was done", .warn)
        }
        if command == .dispose { return runDispose("", &effects) }
        let key = focusedJob
        if let refusal = refusal(command, on: key) { return say(refusal.text(options.keyMap), .warn) }
        guard let key else { return }
        switch command {
        case .savepoint: begin(.savepoint(directory: nil), on: key, &effects)
        case .checkpoint: begin(.checkpoint, on: key, &effects)
        case .stop: begin(.stop(drain: false), on: key, &effects)
        case .cancel: begin(.cancel(.byPolicy), on: key, &effects)
        case .restart: openChooser(on: key, &effects)
        default: break
        }
    }

    /// Opens the sheet of an action that may be opened.
    mutating func begin(_ action: Action, on key: JobKey, _ effects: inout [ConsoleEffect]) {
        guard let context = live.context(key.context), let job = context.job(key.job) else { return }
        let target = PinnedTarget(job, context: key.context)
        let rule = action.tier.rule(in: context.description.guardClass)
        if rule == .immediate {
            if let other = live.operations.first(where: { $0.isInFlight && $0.request.job == job.id && isSameKind($0.request.kind, action.kind) }) {
                return say("\(other.verb) op \(other.id.short) is already in progress", .warn)
            }
            let stop = preflight(action, target.key, rule).first { $0.verdict == .stop }
            return send(action, author.nextID(), to: target, reason: "", isReady: stop?.text, &effects)
        }
        var sheet = ActionSheet(action, author.nextID(), on: target, rule: rule, at: now)
        switch action {
        case .cancel, .stop: seekRecipe(key, &effects)
        default: break
        }
        // The ways out (savepoint first, keep) are letters: nothing is typed before one of them is taken.
        if PreflightCheck.losesState(action, job) { sheet.focus = .none }
        modals.append(.sheet(sheet))
        effects.append(.flushInput)
    }

    private func isSameKind(_ left: OperationRequest.Kind, _ right: OperationRequest.Kind) -> Bool {
        switch (left, right) {
        case (.savepoint, .savepoint), (.checkpoint, .checkpoint): true
        default: left == right
        }
    }

    // MARK: The open sheet

    /// The sheet that has the keyboard, alone or inside the restart chooser.
    var openSheet: ActionSheet? {
        switch modals.last {
        case .sheet(let sheet): sheet
        case .chooser(let chooser): chooser.sheet
        default: nil
        }
    }

    /// Closes the sheet; a chooser stays, one step back.
    mutating func closeSheet() {
        switch modals.last {
        case .sheet: modals.removeLast()
        case .chooser(var chooser):
            chooser.sheet = nil
            chooser.step = .options
            modals[modals.count - 1] = .chooser(chooser)
        default: break
        }
    }

    func preflight(_ action: Action, _ key: JobKey, _ rule: AcceptRule) -> [Preflight] {
        check(key)?.lines(action, at: rule) ?? [.stop("the job is not in the last report")]
    }

    func check(_ key: JobKey) -> PreflightCheck? {
        guard let context = live.context(key.context), let job = context.job(key.job) else { return nil }
        return PreflightCheck(job: job, context: context, memory: live.memory(key), operations: live.operations, now: now)
    }

    /// Why the sheet cannot be sent as it stands, or nil.
    func sheetProblem(_ sheet: ActionSheet) -> SafeText? {
        if isSmall { return "the terminal is too small for actions: \(Self.fullSize.text) is needed" }
        let lines = preflight(sheet.action, sheet.target.key, sheet.rule)
        if let stop = lines.first(where: { $0.verdict == .stop }) { return stop.text }
        if let pending = lines.first(where: { $0.verdict == .pending }) { return "wait: \(pending.text)" }
        if sheet.rule == .keyWhenClean, let warning = lines.first(where: { $0.verdict == .warn }) {
            return "production requires a clean preflight: \(warning.text)"
        }
        if sheet.rule.needsName, !sheet.isNameMatched { return "the name does not match \"\(sheet.target.name)\" yet" }
        if sheet.rule == .unlockedNameReasonWindow, sheet.reason.text.isEmpty { return "production requires a reason: press Tab" }
        return SheetLayout.problem(self, sheet, size)
    }

    mutating func pressInSheet(_ key: KeyPress, _ sheet: ActionSheet, _ effects: inout [ConsoleEffect]) {
        var sheet = sheet
        let losesState = check(sheet.target.key).map { PreflightCheck.losesState(sheet.action, $0.job) } ?? false
        let wasArmed = sheet.isOnItsWay
        switch sheet.take(key, at: now, losesState: losesState) {
        case .stay: modals[modals.count - 1] = .sheet(sheet)
        case .backOut:
            modals.removeLast()
            say(wasArmed ? "aborted, nothing was sent" : "backed out, nothing was sent")
        case .keep:
            keep(&sheet)
            modals[modals.count - 1] = .sheet(sheet)
        case .savepointInstead:
            modals.removeLast()
            act(.savepoint, on: sheet.target.key, &effects)
        case .accept:
            let isAccepted = accept(&sheet)
            modals[modals.count - 1] = .sheet(sheet)
            if isAccepted { release(&effects) }
        case .scroll(let step, let isPage):
            scroll(&sheet, by: step, isPage: isPage)
            modals[modals.count - 1] = .sheet(sheet)
        }
    }

    func scroll(_ sheet: inout ActionSheet, by step: Int, isPage: Bool) {
        let layout = SheetLayout(self, sheet, size)
        sheet.tops[sheet.page] = layout.scrolled(by: step, isPage: isPage)
        if sheet.page == .overview { sheet.warningsRead = layout.warningTexts }
    }

    private mutating func act(_ command: Command, on key: JobKey, _ effects: inout [ConsoleEffect]) {
        if let refusal = refusal(command, on: key) { return say(refusal.text(options.keyMap), .warn) }
        begin(.savepoint(directory: nil), on: key, &effects)
    }

    private func keep(_ sheet: inout ActionSheet) {
        guard live.context(sheet.target.key.context)?.capabilities.canOverrideRetention ?? false else {
            sheet.answer = "this engine cannot override the retention policy: take a savepoint first (s)"
            return
        }
        sheet.action = .cancel(.keep)
        sheet.focus = sheet.rule.needsName ? .name : .none
    }

    /// Whether an accepted sheet can be sent now. Gives the reason in the sheet, or starts the abort window.
    func accept(_ sheet: inout ActionSheet) -> Bool {
        if let problem = sheetProblem(sheet) {
            sheet.answer = problem
            return false
        }
        if sheet.rule == .unlockedNameReasonWindow, sheet.armedUntil == nil {
            sheet.armedUntil = now + ActionSheet.abortWindow
            return false
        }
        return true
    }

    // MARK: Sending

    /// Sends the accepted action of the open sheet after its abort window; a due second look comes first.
    mutating func release(_ effects: inout [ConsoleEffect]) {
        guard let sheet = openSheet else { return }
        guard sheet.needsSecondLook, sheetProblem(sheet) == nil, change(of: sheet.target) == nil,
            let index = live.index(of: sheet.target.key.context)
        else {
            closeSheet()
            return send(sheet, isReady: sheetProblem(sheet), &effects)
        }
        var path: String?, first: SnapshotInspection?
        if case .restart(let options, _) = sheet.action, live.contexts[index].capabilities.verifiesFiles { path = options.path }
        if let path {
            if case .done(let inspection) = live.contexts[index].inspections[path] { first = inspection }
            live.contexts[index].inspections[path] = nil
            inspect(path, index, &effects)
        }
        let look = ActionSheet.SecondLook(since: now, path: path, first: first)
        changeOpenSheet { sheet in (sheet.armedUntil, sheet.secondLook) = (nil, look) }
    }

    private mutating func changeOpenSheet(_ body: (inout ActionSheet) -> Void) {
        switch modals.last {
        case .sheet(var sheet):
            body(&sheet)
            modals[modals.count - 1] = .sheet(sheet)
        case .chooser(var chooser):
            guard var sheet = chooser.sheet else { return }
            body(&sheet)
            chooser.sheet = sheet
            modals[modals.count - 1] = .chooser(chooser)
        default: break
        }
    }

    /// Sends when the second look found no change; sends nothing when it found one, or did not end in time.
    mutating func finishSecondLook(_ effects: inout [ConsoleEffect]) {
        guard let sheet = openSheet, let look = sheet.secondLook else { return }
        let problem: SafeText?
        switch outcome(of: look, sheet.target) {
        case .waiting:
            guard now - look.since >= ActionSheet.lookPatience else { return }
            problem = "the final check did not finish within \(Figures.setting(ActionSheet.lookPatience))"
        case .changed(let what): problem = what
        case .same: problem = sheetProblem(sheet)
        }
        closeSheet()
        send(sheet, isReady: problem, &effects)
    }

    private enum LookOutcome { case waiting, same, changed(SafeText) }

    private func outcome(of look: ActionSheet.SecondLook, _ target: PinnedTarget) -> LookOutcome {
        if let change = change(of: target) { return .changed(change) }
        guard let context = live.context(target.key.context) else { return .waiting }
        if let path = look.path {
            switch context.inspections[path] {
            case .pending: return .waiting
            // Not known to the first look either: the sheet has warned of that.
            case nil, .failed: if look.first != nil { return .changed("the files could not be read again") }
            case .done(let inspection): if let change = look.change(to: inspection) { return .changed(change) }
            }
        }
        return (context.receivedAt ?? look.since) > look.since ? .same : .waiting
    }

    /// Sends an accepted action, unless the job is not what it was when the action was opened. `isReady` is what a second look at
    /// the preflight found; nil = nothing.
    mutating func send(
        _ action: Action, _ id: OperationID, to target: PinnedTarget, reason: String, isReady problem: SafeText?, _ effects: inout [ConsoleEffect]
    ) {
        if let problem = problem ?? change(of: target) {
            say("nothing was sent: \(problem)", .warn)
            effects.append(.bell)
            return
        }
        let request = OperationRequest(
            id: id, kind: action.kind, job: target.key.job, expectedState: target.state, reason: SafeText(reason).string, by: author.name)
        var chosen: CheckpointID?
        if case .restart(_, let checkpoint) = action { chosen = checkpoint }
        var operation = TrackedOperation(request, context: target.key.context, jobName: target.name, since: now, isOwn: true, chosen: chosen)
        // The job's position before the restart is the one to catch up with.
        if let job = live.job(target.key) { operation.observe(job, at: now) }
        insert(operation)
        effects.append(.send(context: target.key.context, .operate(request)))
        say(operation.progress(at: now))
        if case .restart = action { followRestart(id) }
    }

    /// Sends an accepted sheet: a new operation, or what goes on with an earlier one.
    private mutating func send(_ sheet: ActionSheet, isReady problem: SafeText?, _ effects: inout [ConsoleEffect]) {
        guard let earlier = sheet.continues else {
            return send(sheet.action, sheet.id, to: sheet.target, reason: sheet.reason.text, isReady: problem, &effects)
        }
        guard let position = live.operations.firstIndex(where: { $0.id == earlier.id }) else { return }
        if let problem = problem ?? change(of: sheet.target) {
            say("nothing was sent: \(problem)", .warn)
            effects.append(.bell)
            return
        }
        live.operations[position].isOwn = true
        if let job = live.job(sheet.target.key) { live.operations[position].observe(job, at: now) }
        effects.append(.send(context: sheet.target.key.context, .goOn(earlier)))
        say("resuming op \(earlier.id.short)")
        followRestart(earlier.id)
    }

    /// How a pinned job has changed; nil = not at all.
    private func change(of target: PinnedTarget) -> SafeText? {
        guard let context = live.context(target.key.context), context.link.isUp else { return "there is no link to \(target.key.context)" }
        guard let job = context.job(target.key.job) else { return "\(target.name) is no longer in the last report" }
        if job.state != target.state { return "\(target.name) was \(target.state.rawValue) when this sheet opened and is \(job.state.rawValue) now" }
        if job.attempt != target.attempt {
            return "\(target.name) has restarted since this sheet opened (attempt \(target.attempt), now \(job.attempt))"
        }
        return nil
    }
}
