import CellGrid
public import StreamModel

/// Takes one event in. Pure: the same model, event and time give the same model and effects.
public func update(_ model: inout ConsoleModel, _ event: ConsoleEvent, at now: WallTime) -> [ConsoleEffect] {
    var effects: [ConsoleEffect] = []
    model.now = now
    // Input refers to the rows as they are now, painted or not.
    if event.isInput { model.arrange() }
    switch event {
    case .key(let key): model.press(key, &effects)
    case .mouse(let mouse): model.take(mouse, &effects)
    case .mouseIsMissing:
        model.options.usesMouse = false
        model.say("this terminal does not report the mouse", .warn)
    case .contextAdded(let description): model.add(description)
    case .paste(let text): model.paste(text)
    case .resize(let size): model.options.size = size
    case .tick: model.tick(&effects)
    case .audit(let records):
        model.auditRecords = records
        model.takeUp(records)
    case .history(let question, let rows, let total): model.take(history: question, rows, total: total)
    case .engine(let context, let event): model.observe(event, in: context, &effects)
    case .clockWasSet(let offset): model.takeClock(offset)
    case .resumedFromSuspend: effects.append(.repaint)
    case .themeLoaded(let theme, let warnings):
        model.options.theme = theme
        model.say("theme \(theme.name)\(warnings.first.map { ": \($0)" } ?? "")", warnings.isEmpty ? .ok : .warn)
        effects.append(.repaint)
    case .themeFailed(let problem): model.say("theme not loaded: \(problem)", .warn)
    case .notice(let text): model.tell(SafeText(text))
    case .answer(let text): model.say(SafeText(text))
    case .caption(let caption): model.caption = caption
    case .reattached(let reports, let context): model.reattach(reports, context, &effects)
    case .recorded(let reports, let context): model.take(recorded: reports, context)
    case .upgrades(let upgrades, let context): if let index = model.live.index(of: context) { model.live.contexts[index].upgrades = upgrades }
    case .remembered(let jobs, let context): if let index = model.live.index(of: context) { model.live.contexts[index].remembered = jobs }
    case .recipe(let context, let job, let recipe): model.take(recipe, of: job, in: context)
    case .terminate: effects.append(.quit)
    }
    model.tellFocus(&effects)
    if !event.isNews || model.screen != .overview { model.arrange() }
    model.requestPast(&effects)
    model.settleChooser()
    if !event.isNews || model.screen != .overview { model.arrange() }
    if !model.options.alerts.rings { effects.removeAll { $0 == .bell } }
    return effects
}

extension ConsoleEvent {
    fileprivate var isInput: Bool {
        switch self {
        case .key, .mouse, .paste: true
        default: false
        }
    }

    /// Many come between two frames; the order of jobs is recomputed when the next one is painted.
    fileprivate var isNews: Bool {
        switch self {
        case .tick, .engine: true
        default: false
        }
    }
}

extension ConsoleModel {
    /// Does everything due by now.
    mutating func tick(_ effects: inout [ConsoleEffect]) {
        time.ticks &+= 1
        for index in live.contexts.indices {
            if let until = live.contexts[index].unlockedUntil, until <= now {
                live.contexts[index].unlockedUntil = nil
                tell("\(live.contexts[index].name) is locked again", .warn)
            }
        }
        if let until = openSheet?.armedUntil, until <= now { release(&effects) }
        finishSecondLook(&effects)
        requestWhatIsShown(&effects)
        requestRecord(&effects)
    }

    /// Notes that the wall clock was set, and tells the operator. Ages do not jump.
    mutating func takeClock(_ offset: Milliseconds) {
        let step = offset - clockOffset
        time.offset = offset
        // Two clocks are never read at the same moment: round, so that an hour does not read as 59 minutes.
        let told = Milliseconds((abs(step.count) + 50) / 100 * 100)
        tell("the machine's clock was set \(step > 0 ? "forward" : "back") by \(Figures.duration(told))", .warn)
    }

    /// Tells each engine its focus when that has changed. The default is the overview.
    mutating func tellFocus(_ effects: inout [ConsoleEffect]) {
        let shown = jobOfScreen
        for index in live.contexts.indices {
            let name = live.contexts[index].name
            let focus: EngineFocus =
                if let shown { shown.context == name ? engineFocus(on: shown.job) : .elsewhere } else { rowsFocus(of: index) }
            guard live.contexts[index].focus != focus else { continue }
            live.contexts[index].focus = focus
            effects.append(.look(context: name, focus))
        }
    }

    /// Among very many jobs, those in sight are refreshed more often.
    private func rowsFocus(of index: Int) -> EngineFocus {
        let context = live.contexts[index]
        guard context.report?.jobs.count ?? 0 > Self.rowsMax else { return .overview }
        let rows = overviewRows
        let cursor = rows.firstIndex { $0.id == cursors.overview } ?? 0
        let inSight = rows[max(0, cursor - Self.rowsMax / 2)...].prefix(Self.rowsMax)
        return .rows(inSight.filter { $0.id.context == context.name }.compactMap(\.id.job).sorted())
    }

    /// Rows that are taken to be in sight, on a terminal of any height.
    private static let rowsMax = 50

    private func engineFocus(on job: JobID) -> EngineFocus {
        switch screen {
        case .checkpoint(let id): .checkpoint(job, id)
        case .subtasks(let id, let uid): .subtasks(job, id, uid)
        default: .job(job)
        }
    }

    mutating func paste(_ text: String) {
        switch modals.last {
        case .command(var prompt):
            prompt.field.insert(text)
            prompt.cycle = nil
            modals[modals.count - 1] = .command(prompt)
        case .filter(var field):
            field.insert(text)
            modals[modals.count - 1] = .filter(field)
            applyFilter(field.text)
        case .help(var page) where page.isTyping:
            page.search.insert(text)
            page.top = 0
            modals[modals.count - 1] = .help(page)
        case .sheet(var sheet) where sheet.isTyping:
            sheet.paste(text)
            modals[modals.count - 1] = .sheet(sheet)
        case .chooser(var chooser) where chooser.step == .confirm && chooser.sheet?.isTyping == true:
            chooser.sheet?.paste(text)
            modals[modals.count - 1] = .chooser(chooser)
        default: say("\(Figures.plural(text.count, "pasted or flooded key")) dropped: nothing here takes text", .warn)
        }
    }

    mutating func reattach(_ reports: [OperationReport], _ name: String?, _ effects: inout [ConsoleEffect]) {
        for report in reports {
            let context = name ?? live.contexts.first { $0.job(report.request.job) != nil }?.name ?? live.contexts.first?.name ?? ""
            let known = live.operations.firstIndex { $0.id == report.request.id }
            let before = known.map { live.operations[$0].stage }, wasReattached = known.map { live.operations[$0].isReattached } ?? false
            if let known {
                live.operations[known].isReattached = true
                live.operations[known].observe(report)
            } else {
                var operation = TrackedOperation(report.request, context: context, jobName: report.jobName, since: report.acceptedAt, isOwn: false)
                operation.isReattached = true
                operation.observe(report)
                if operation.jobName.isEmpty { operation.jobName = live.context(context)?.job(report.request.job)?.name ?? "" }
                insert(operation)
            }
            noteOutcomes(in: context)
            guard let now = live.operations.first(where: { $0.id == report.request.id }) else { continue }
            if now.stage == .interrupted, before != .interrupted {
                tell(SafeText(report.error ?? ""), .crit)
                effects.append(.bell)
            } else if !wasReattached {
                tell("re-attached to op \(report.request.id.short)", .run)
            }
        }
    }

    /// Operations of other processes: shown, and not followed.
    mutating func take(recorded reports: [OperationReport], _ context: String) {
        for report in reports {
            if let known = live.operations.firstIndex(where: { $0.id == report.request.id }) {
                live.operations[known].observe(report)
                continue
            }
            let name = live.context(context)?.job(report.request.job)?.name ?? report.jobName
            var operation = TrackedOperation(report.request, context: context, jobName: name, since: report.acceptedAt, isOwn: false)
            operation.observe(report)
            insert(operation)
        }
        noteOutcomes(in: context)
    }

    /// The effect of operations on the jobs of a context: interrupted restarts, and restarts that ended a job.
    mutating func noteOutcomes(in name: String) {
        guard let index = live.index(of: name) else { return }
        var broken: [JobID: OperationID] = [:], ends: [JobID: JobEnd] = [:]
        for operation in live.operations.reversed() where operation.context == name {
            if let end = JobEnd(operation) { ends[operation.request.job] = ends[operation.request.job] ?? end }
            switch (operation.request.kind, operation.stage) {
            case (.restart, .interrupted): broken[operation.request.job] = operation.id
            // Launched by another: nobody goes on with the one before.
            case (.restart, .completed), (.restart, .observed), (.restart, .proven): broken[operation.request.job] = nil
            default: break
            }
        }
        (live.contexts[index].interrupted, live.contexts[index].ends) = (broken, ends)
    }

    /// The restart of a job that was interrupted before its launch; nil = none, or the job runs by other means.
    func interruptedRestart(_ key: JobKey) -> TrackedOperation? {
        guard let context = live.context(key.context), let job = context.job(key.job), let id = context.brokenRestart(of: job) else { return nil }
        return live.operations.first { $0.id == id }
    }

    mutating func insert(_ operation: TrackedOperation) {
        let index = live.operations.firstIndex { $0.since <= operation.since } ?? live.operations.count
        live.operations.insert(operation, at: index)
        while live.operations.count > 200, let oldest = live.operations.lastIndex(where: \.isSettled) { live.operations.remove(at: oldest) }
    }
}
