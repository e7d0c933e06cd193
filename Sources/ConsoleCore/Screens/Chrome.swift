import CellGrid
import StreamModel

/// The common rows of full screens: the title above; actions, hints and message below.
struct Chrome {
    let model: ConsoleModel

    init(_ model: ConsoleModel) { self.model = model }

    /// Rows at the bottom that belong to it. Where rows are few, hints and messages share one.
    static func footerRows(_ rows: Int) -> Int { rows < 20 ? 2 : 3 }

    private func mark(_ role: StyleRole) -> SafeText { model.theme.mark(role) }

    // MARK: Title

    /// The title of a screen about a job.
    func jobTitle(_ canvas: inout Canvas) {
        guard let key = model.currentJob, let context = model.shown.context(key.context) else { return plainTitle("no job", &canvas) }
        let job = model.shown.job(key)
        var right = link(context) + [Span(" "), clock]
        var rightColumns = right.reduce(0) { $0 + $1.text.columns }
        var room = canvas.size.columns - rightColumns - 1
        // A short row drops the state's age first, then the digits of the id, then most of the context's name.
        let forms = [(16, true, true), (16, false, true), (16, false, false), (6, false, false)].map { names, age, digits in
            jobParts(key, job, context, contextColumns: names, withAge: age, withDigits: digits)
        }
        let name = SafeText(job?.name ?? key.job.short)
        func columns(_ parts: (left: [Span], tail: [Span])) -> Int { (parts.left + parts.tail).reduce(0) { $0 + $1.text.columns } }
        guard let parts = forms.first(where: { room - columns($0) >= min(name.columns, 8) }) ?? forms.last else { return }
        if room - columns(parts) < min(name.columns, 4), let word = link(context).last {
            // The age alone, or that it is down: when it tries again stands in the row below.
            right = [context.link.isUp ? word : Span(word.text.prefix(columns: 4), word.role), Span(" "), clock]
            rightColumns = right.reduce(0) { $0 + $1.text.columns }
            room = canvas.size.columns - rightColumns - 1
        }
        canvas.line(parts.left + [Span(name.middle(columns: max(4, room - columns(parts))), .titleJob)] + parts.tail, row: 0)
        canvas.line(right, row: 0, column: canvas.size.columns - rightColumns)
    }

    /// The spans before and after the name of the job.
    private func jobParts(
        _ key: JobKey, _ job: JobReport?, _ context: ContextState, contextColumns: Int, withAge: Bool, withDigits: Bool
    ) -> (left: [Span], tail: [Span]) {
        let left = [Span(" "), Span(SafeText(context.name).prefix(columns: contextColumns, ending: .cut), .title), Span(" ")] + badges(context) + [Span("  ")]
        guard let job else { return (left, []) }
        let isWide = model.size.columns >= 120
        var tail = [Span(withDigits ? " \(String(key.job.description.prefix(isWide ? 6 : 4)))  " : " ", .titleJob)]
        tail.append(Span(SafeText(job.stateText, limit: 20), stateRole(job.state)))
        if withAge {
            let time = context.engineTime(at: model.shownAt)
            tail.append(Span(" \(Figures.age(time - job.stateSince))", .title))
        }
        if isWide { tail.append(Span("  p=\(job.parallelism)/\(job.maxParallelism)", .title)) }
        return (left, tail)
    }

    /// The title of a screen about no job.
    func plainTitle(_ text: SafeText, _ canvas: inout Canvas) {
        let room = canvas.size.columns - clock.text.columns - 2
        canvas.put(text.prefix(columns: room, ending: .cut), column: 1, row: 0, role: .title)
        canvas.line([clock], row: 0, column: canvas.size.columns - clock.text.columns)
    }

    var clock: Span {
        let time = Figures.clock(model.wall(model.shownAt), offset: model.options.utcOffsetSeconds)
        return model.frozen == nil ? Span(time, .title) : Span("\(time) FROZEN", .titleLock)
    }

    func stateRole(_ state: JobState) -> StyleRole {
        switch state {
        case .running, .finished: .severityOK
        case .initializing, .cancelling: .severityRun
        case .restarting: .severityWarn
        case .failing, .failed: .severityCrit
        case .canceled, .suspended: .severityUnknown
        }
    }

    func badges(_ context: ContextState) -> [Span] {
        var spans = [badge(context.description.class)]
        if model.options.isReadOnly || context.description.isReadOnly || context.capabilities.isViewer || context.capabilities.isHistoryServer {
            spans.append(Span("[RO]", .titleLock))
        } else if context.description.guardClass == .prod {
            let left = context.unlockedUntil.map { $0 - model.shownAt }
            spans.append(context.isUnlocked(at: model.shownAt) ? Span("[OPEN \(Figures.age(left ?? 0))]", .severityWarn) : Span("[LOCK]", .titleLock))
        }
        return spans
    }

    private func badge(_ contextClass: ContextClass) -> Span {
        switch contextClass {
        case .lab: Span("[LAB]", .envLab)
        case .staging: Span("[STAGE]", .envStage)
        case .prod: Span("[PROD]", .envProd)
        case .demo: Span("[DEMO]", .envDemo)
        }
    }

    /// Two letters for a class, for lists.
    static func shortBadge(_ contextClass: ContextClass) -> (SafeText, StyleRole) {
        switch contextClass {
        case .lab: ("LB", .envLab)
        case .staging: ("ST", .envStage)
        case .prod: ("PR", .envProd)
        case .demo: ("DE", .envDemo)
        }
    }

    /// State of the link, and the age of what is shown.
    private func link(_ context: ContextState) -> [Span] {
        let now = model.shownAt
        switch context.link {
        case .connecting: return [Span("connecting", .linkStale)]
        case .down(_, let retryAt, let attempts):
            let retry = retryAt.map { ", retry in \(Figures.seconds($0 - now)) (\(Figures.ordinal(attempts + 1)) try)" } ?? ""
            return [Span("down\(retry)", .linkDown)]
        case .up(let roundTrip):
            var spans: [Span] = []
            if let roundTrip { spans.append(Span("rtt \(Figures.duration(roundTrip)) ", roundTrip.count > 200 ? .linkSlow : .linkOK)) }
            guard let age = context.age(at: now) else { return spans + [Span("no report yet", .linkStale)] }
            let isStale = age > ContextState.freshness
            spans.append(Span("\(isStale ? mark(.linkStale) + " " : "")age \(Figures.age(age))", isStale ? .linkStale : .title))
            return spans
        }
    }

    // MARK: Footer

    /// Actions, hints and message, in the last three rows.
    func footer(_ canvas: inout Canvas) {
        let bottom = canvas.size.rows
        guard Self.footerRows(bottom) == 2 else {
            actions(row: bottom - 3, &canvas)
            hints(row: bottom - 2, &canvas)
            message(row: bottom - 1, &canvas)
            return
        }
        if isTyping { hints(row: bottom - 2, &canvas) } else { actions(row: bottom - 2, &canvas) }
        if hasNews { message(row: bottom - 1, &canvas) } else { hints(row: bottom - 1, &canvas) }
    }

    /// The hints give way to what the text can go on with.
    private var isTyping: Bool {
        switch model.modals.last {
        case .command, .filter: true
        default: false
        }
    }

    /// Whether the row of the messages has more to say than an old one.
    private var hasNews: Bool {
        model.hasFreshMessage || model.configurationProblem != nil || model.live.operations.contains { $0.isFollowed && $0.isInFlight }
    }

    /// The keys that act, and why they are locked if they all are.
    private func actions(row: Int, _ canvas: inout Canvas) {
        let key = model.focusedJob
        let wide = canvas.size.columns >= 110
        let names: [(Command, SafeText)] =
            canvas.size.columns < 80
            ? [(.savepoint, "save"), (.cancel, "cancel"), (.restart, "restart"), (.stop, "stop"), (.checkpoint, "ckpt")]
            : [
                (.savepoint, "savepoint"), (.cancel, "cancel+keep"), (.restart, "restart-from"), (.stop, wide ? "stop+savepoint" : "stop+sp"),
                (.checkpoint, wide ? "checkpoint now" : "ckpt"),
            ]
        let refusals = names.map { model.refusal($0.0, on: key) }
        var column = 1
        for ((command, name), refusal) in zip(names, refusals) where model.options.keyMap.hasKey(command) {
            let isLocked = refusal != nil
            column = canvas.line(
                [
                    Span(model.options.keyMap.label(command), isLocked ? .hintLocked : .hintKey), Span(" "),
                    Span(name, isLocked ? .hintLocked : .hintText), Span(wide ? "   " : "  "),
                ], row: row, column: column)
        }
        var reason: SafeText
        // Where the whole reason has no place.
        var brief: SafeText?
        if refusals.allSatisfy({ $0 != nil }), let first = refusals[2] ?? refusals[0] {
            reason = "locked: \(first.short)"
            brief = first.short
        } else if let context = key.flatMap({ model.live.context($0.context) }), context.description.guardClass == .prod,
            !context.isUnlocked(at: model.now)
        {
            let keys = model.options.keyMap
            reason = "\(keys.label(.stop)) \(keys.label(.cancel, .restart)) locked: :unlock"
            let locked: SafeText = "\(keys.label(.stop))\(keys.label(.cancel))\(keys.label(.restart))"
            brief = canvas.size.columns < 80 ? ":unlock \(locked)" : ":unlock for \(locked)"
        } else {
            return
        }
        let room = canvas.size.columns - column - 1
        if reason.columns > room, let brief { reason = brief }
        canvas.put(reason.prefix(columns: room, ending: .cut), endingAt: canvas.size.columns - 1, row: row, role: .hintLocked)
    }

    private func hints(row: Int, _ canvas: inout Canvas) {
        switch model.modals.last {
        case .command(let prompt): return choices(prompt, row: row, &canvas)
        case .filter:
            guard let kind = model.listKind else { return }
            let words: SafeText = "word  ~expression  !not  fields, with Tab: \(model.fieldNames(kind).map { $0 + ":" }.joined(separator: " "))"
            canvas.put(words.prefix(columns: canvas.size.columns - 2, ending: .cut), column: 1, row: row, role: .textDim)
            return
        default: break
        }
        var column = 1
        for (keys, text) in hintList {
            let columns = keys.columns + text.columns + 3
            guard column + columns <= canvas.size.columns + 2 else { break }
            column = canvas.line([Span(keys, .hintKey), Span(" "), Span(text, .hintText), Span("  ")], row: row, column: column)
        }
    }

    /// The completions of the command line, in the place of the hints; the one that Tab has chosen is marked, and stays in sight.
    private func choices(_ prompt: CommandPrompt, row: Int, _ canvas: inout Canvas) {
        let labels = (prompt.cycle?.choices ?? model.completions(of: prompt.field.text)).map(\.label)
        guard !labels.isEmpty else { return _ = canvas.put("Enter runs it  Esc leaves", column: 1, row: row, role: .textDim) }
        let room = canvas.size.columns - 2
        var column = 1 + canvas.put("Tab: ", column: 1, row: row, role: .textDim)
        let start = Self.pageStart(labels.map(\.columns), chosen: prompt.cycle?.index ?? 0, room: room - column - 2)
        for (index, label) in labels.enumerated().dropFirst(start) {
            let isWhole = column + label.columns <= room - (index < labels.count - 1 ? 1 : 0)
            let shown = isWhole ? label : label.prefix(columns: max(0, room - column), ending: .cut)
            let role: StyleRole = index == prompt.cycle?.index ? .select : .textDim
            column += canvas.put(shown, column: column, row: row, role: role)
            guard isWhole else { return }
            column += 2
        }
    }

    /// Where a page of labels begins that has the chosen one in it.
    private static func pageStart(_ widths: [Int], chosen: Int, room: Int) -> Int {
        var start = 0, used = 0
        for index in 0...chosen {
            if used + widths[index] > room, index > start { (start, used) = (index, 0) }
            used += widths[index] + 2
        }
        return start
    }

    /// The keys that are good for something on this screen, the most needed first; from the key map.
    private var hintList: [(SafeText, SafeText)] { screenHints.compactMap { $0 } }

    /// nil where the command has no key.
    private var screenHints: [(SafeText, SafeText)?] {
        let map = model.options.keyMap
        func hint(_ command: Command, _ text: SafeText) -> (SafeText, SafeText)? { map.hasKey(command) ? (map.label(command), text) : nil }
        func hint(_ first: Command, _ second: Command, _ text: SafeText) -> (SafeText, SafeText)? {
            map.hasKey(first) && map.hasKey(second) ? (map.label(first, second), text) : nil
        }
        let jobs = hint(.previousJob, .nextJob, "job")
        let past = hint(.scrubBack, .scrubForward, "past")
        let general = [hint(.help, "help"), hint(.commandLine, "cmd")]
        switch model.screen {
        case .overview:
            return general + [
                hint(.open, "open"), hint(.filter, "filter"), hint(.sort, "sort"), past, hint(.contexts, "contexts"), hint(.quit, "quit"),
                hint(.freeze, "freeze"), hint(.audit, "audit"), hint(.nextPane, "pane"), hint(.zoom, "zoom"), hint(.themes, "theme"),
            ]
        case .job:
            return general + [
                hint(.open, "detail"), jobs, past, hint(.filter, "filter"), hint(.copy, "copy"), hint(.quit, "back"), hint(.freeze, "freeze"),
                hint(.sort, "sort"), hint(.nextPane, "pane"), hint(.zoom, "zoom"), hint(.refresh, "refresh"), hint(.themes, "theme"),
            ]
        case .checkpoints:
            return general + [
                hint(.open, "detail"), hint(.filter, "filter"), hint(.sort, "sort"), jobs, hint(.copy, "path"), hint(.copyCommand, "command"),
                hint(.quit, "back"),
            ]
        case .checkpoint:
            let steps = hint(.previousCheckpoint, .nextCheckpoint, "checkpoint")
            return general + [hint(.open, "subtasks"), steps, hint(.copy, "path"), hint(.quit, "back")]
        case .subtasks:
            let steps = hint(.previousCheckpoint, .nextCheckpoint, "checkpoint")
            return general + [steps, hint(.copy, "path"), hint(.quit, "back")]
        case .failures: return general + [hint(.filter, "filter"), jobs, hint(.copy, "copy"), hint(.quit, "back")]
        case .operations: return general + [hint(.open, "evidence"), hint(.filter, "filter"), hint(.copy, "copy"), hint(.quit, "back")]
        case .operation: return general + [hint(.copy, "copy evidence"), hint(.write, "write it"), hint(.quit, "back")]
        case .metrics: return general + [hint(.open, "chart"), hint(.wide, "span"), past, jobs, hint(.copy, "value"), hint(.quit, "back")]
        case .configuration: return general + [hint(.filter, "filter"), jobs, hint(.copy, "copy"), hint(.quit, "back")]
        case .contexts:
            return general + [
                hint(.open, "its jobs"), hint(.refresh, "reconnect"), hint(.actions, "add"), hint(.filter, "filter"), hint(.copy, "address"),
                hint(.quit, "back"),
            ]
        case .history:
            return general + [
                hint(.open, "detail"), hint(.filter, "filter"), hint(.sort, "sort"), hint(.copy, "path"), hint(.copyCommand, "command"), hint(.quit, "back"),
            ]
        case .log(let scope):
            let other = hint(.log, scope == .job ? "all jobs" : "this job")
            return general + [
                hint(.filter, "filter"), scope == .job || model.currentJob != nil ? other : nil, hint(.last, "newest"), hint(.copy, "copy"), jobs,
                hint(.quit, "back"),
            ]
        case .audit: return general + [hint(.open, "evidence"), hint(.filter, "filter"), hint(.sort, "sort"), hint(.copy, "copy"), hint(.quit, "back")]
        }
    }

    /// The text being typed, or the operation in progress, or the last message.
    func message(row: Int, _ canvas: inout Canvas) {
        switch model.modals.last {
        case .command(let command): return prompt(":", command.field, suggestion: model.suggestion(command.field), row: row, &canvas)
        case .filter(let field):
            let words = model.listKind.map { kind in model.filterProblem(kind).map { SafeText($0) } ?? model.filterCount(kind) }
            return prompt("/", field, suggestion: words.map { "   \($0)" } ?? "", row: row, &canvas)
        case .quit:
            // A demonstration's engine belongs to the console that shows it.
            let isDemo = model.live.contexts.allSatisfy { $0.description.class == .demo }
            let consequence: SafeText =
                model.options.isReplay ? "this is a recording, nothing else ends" : isDemo ? "the demo engine ends too" : "jobs and operations keep running"
            canvas.put(" quit? y quits; \(consequence)", column: 0, row: row, role: .toast)
            return
        default: break
        }
        let last = model.rowMessage
        let isRecent = model.hasFreshMessage
        if !isRecent, let operation = model.live.operations.first(where: { $0.isFollowed && $0.isInFlight }) {
            let text = cut(operation.progress(at: model.now), columns: canvas.size.columns - 4, whole: .operations)
            canvas.put(" .. \(text)", column: 0, row: row, role: .severityRun)
            return
        }
        if !isRecent, let problem = model.configurationProblem {
            canvas.put(" \(cut(problem, columns: canvas.size.columns - 1, whole: .messages))", column: 0, row: row, role: .severityCrit)
            return
        }
        guard let last else { return }
        let time = Figures.clock(model.wall(last.at), offset: model.options.utcOffsetSeconds)
        let role: StyleRole = last.severity >= .warn ? last.severity.role : .toast
        let beside = model.newsBeside
        let more: SafeText = beside > 0 ? " +\(beside) \(model.options.keyMap.label(.messages))" : ""
        let room = canvas.size.columns - time.columns - 2 - more.columns
        canvas.line([Span(" \(time) ", .textDim), Span(cut(last.text, columns: room, whole: .messages), role)], row: row)
        canvas.put(more, endingAt: canvas.size.columns, row: row, role: .hintKey)
    }

    /// The text, or as much of it as there is room for and the key under which the whole stands.
    private func cut(_ text: SafeText, columns: Int, whole: Command) -> SafeText {
        text.prefix(columns: max(0, columns), ending: "\(SafeText.cut) \(model.options.keyMap.label(whole))")
    }

    private func prompt(_ sign: SafeText, _ field: TextField, suggestion: SafeText, row: Int, _ canvas: inout Canvas) {
        let room = max(1, canvas.size.columns - 4)
        let end = canvas.line([Span(" "), Span(sign, .hintKey), Span(field.safe.suffix(columns: room), .input)], row: row)
        canvas.put(" ", column: end, row: row, role: .inputCursor)
        // The cursor stands on the first letter of what could follow.
        canvas.put(suggestion, column: end, row: row, role: .textDim)
        if !suggestion.isEmpty { canvas.overlay(CellRect(column: end, row: row, columns: 1, rows: 1), role: .inputCursor) }
    }
}
