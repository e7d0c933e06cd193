import CellGrid
public import StreamModel

/// Takes one event in. Pure: the same model, event and time give the same model and effects.
public func update(_ model: inout ConsoleModel, _ event: ConsoleEvent, at now: WallTime) -> [ConsoleEffect] {
    var effects: [ConsoleEffect] = []
    model.now = now
    // What is typed or pointed at is about the rows as they are now, painted or not.
    if event.isInput { model.arrange() }
    switch event {
    case .key(let key): model.press(key, &effects)
    case .mouse(let mouse): model.take(mouse, &effects)
    case .mouseIsMissing:
        model.options.usesMouse = false
        model.say("this terminal tells nothing of a mouse", .warn)
    case .contextAdded(let description): model.add(description)
    case .paste(let text): model.paste(text)
    case .resize(let size): model.options.size = size
    case .tick: model.tick(&effects)
    case .audit(let records):
        model.auditRecords = records
        model.auditIsLoaded = true
    case .history(let question, let rows, let total): model.take(history: question, rows, total: total)
    case .engine(let context, let event): model.observe(event, in: context, &effects)
    case .clockWasSet(let offset): model.takeClock(offset)
    case .resumedFromSuspend: effects.append(.repaint)
    case .themeLoaded(let theme, let warnings):
        model.options.theme = theme
        model.say("theme \(theme.name)\(warnings.first.map { ": \($0)" } ?? "")", warnings.isEmpty ? .ok : .warn)
        effects.append(.repaint)
    case .themeFailed(let problem): model.say("theme kept out: \(problem)", .warn)
    case .notice(let text): model.say(SafeText(text))
    case .caption(let caption): model.caption = caption
    case .reattached(let reports): model.reattach(reports)
    case .recipe(let context, let job, let recipe): model.take(recipe, of: job, in: context)
    case .terminate: effects.append(.quit)
    }
    model.tellFocus(&effects)
    if !event.isNews || model.screen != .overview { model.arrange() }
    model.requestPast(&effects)
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

    /// Many come between two frames; what they change in the order of jobs is made anew when the next one is painted.
    fileprivate var isNews: Bool {
        switch self {
        case .tick, .engine: true
        default: false
        }
    }
}

extension ConsoleModel {
    /// Time passed: what waits for a moment is done.
    mutating func tick(_ effects: inout [ConsoleEffect]) {
        // What is worst depends on ages.
        lists.overview = nil
        for index in live.contexts.indices {
            if let until = live.contexts[index].unlockedUntil, until <= now {
                live.contexts[index].unlockedUntil = nil
                say("\(live.contexts[index].name) is locked again", .warn)
            }
        }
        if let until = openSheet?.armedUntil, until <= now { release(&effects) }
        finishSecondLook(&effects)
        requestWhatIsShown(&effects)
    }

    /// Ages go on as before; what is told is what the operator sees jump.
    mutating func takeClock(_ offset: Milliseconds) {
        let step = offset - clockOffset
        clockOffset = offset
        // Two clocks are never read at the same moment: an hour is not to be told as 59 minutes.
        let told = Milliseconds((abs(step.count) + 50) / 100 * 100)
        say("the machine's clock was set \(step > 0 ? "forward" : "back") by \(Figures.duration(told))", .warn)
    }

    /// Tells each engine what the screen shows of it, when that has changed. An engine that was told nothing takes the overview for granted.
    mutating func tellFocus(_ effects: inout [ConsoleEffect]) {
        let shown = jobOfScreen
        for index in live.contexts.indices {
            let name = live.contexts[index].name
            let focus: EngineFocus = shown.flatMap { $0.context == name ? engineFocus(on: $0.job) : nil } ?? .overview
            guard live.contexts[index].focus != focus else { continue }
            live.contexts[index].focus = focus
            effects.append(.look(context: name, focus))
        }
    }

    private func engineFocus(on job: JobID) -> EngineFocus {
        switch screen {
        case .checkpoint(let id), .subtasks(let id, _): .checkpoint(job, id)
        default: .job(job)
        }
    }

    mutating func paste(_ text: String) {
        switch modals.last {
        case .command(var field, let recalled):
            field.insert(text)
            modals[modals.count - 1] = .command(field, recalled: recalled)
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

    mutating func reattach(_ reports: [OperationReport]) {
        for report in reports {
            if let index = live.operations.firstIndex(where: { $0.id == report.request.id }) {
                live.operations[index].isReattached = true
                live.operations[index].observe(report)
            } else {
                let context = live.contexts.first { $0.job(report.request.job) != nil } ?? live.contexts.first
                var operation = TrackedOperation(
                    report.request, context: context?.name ?? "", jobName: report.jobName, since: report.acceptedAt, isOwn: false)
                operation.isReattached = true
                operation.observe(report)
                insert(operation)
            }
            say("re-attached to op \(report.request.id.short)", .run)
        }
    }

    mutating func insert(_ operation: TrackedOperation) {
        let index = live.operations.firstIndex { $0.since <= operation.since } ?? live.operations.count
        live.operations.insert(operation, at: index)
        while live.operations.count > 200, let oldest = live.operations.lastIndex(where: \.isSettled) { live.operations.remove(at: oldest) }
    }
}
