import CellGrid
import StreamModel

/// The restart chooser: list, options and proof on one screen.
struct RestartChooserView {
    let model: ConsoleModel
    let chooser: RestartChooser

    func draw(_ canvas: inout Canvas) {
        canvas.clear(CellRect(canvas.size))
        title(&canvas)
        let isVerifying = if case .verify = chooser.step { true } else { false }
        let stack = isVerifying ? verifyStack(canvas.size.rows) : stack(canvas.size.rows)
        steps(row: stack[.steps].lowerBound, &canvas)
        canvas.inside(stack[.list]) { list(&$0) }
        canvas.inside(stack[.options]) { options(&$0) }
        // A long verdict goes on in the row of the answer, which is empty by then.
        canvas.inside(stack[.verify].lowerBound..<(isVerifying ? stack[.answer] : stack[.verify]).upperBound) { verify(&$0) }
        canvas.put(" \(chooser.answer)", column: 0, row: stack[.answer].lowerBound, role: .severityWarn)
        hints(row: stack[.hints].lowerBound, &canvas)
        Chrome(model).message(row: stack[.message].lowerBound, &canvas)
    }

    private enum Part { case title, steps, list, options, verify, answer, hints, message }

    /// Too few rows for all steps at once: there each has the screen to itself.
    private static func isShort(_ rows: Int) -> Bool { rows < 24 }

    private func stack(_ rows: Int) -> RowStack<Part> {
        let isShort = Self.isShort(rows)
        return RowStack(
            rows: rows,
            [
                (.title, .fixed(1)), (.steps, .fixed(1)), (.list, .rest), (.options, .fixed(isShort && chooser.step == .choose ? 0 : 6)),
                // Before the launch the steps of the proof make room for the list where rows are few.
                (.verify, isShort ? .fixed(0) : .either(8, or: 1, leaving: 11)), (.answer, .fixed(1)), (.hints, .fixed(1)), (.message, .fixed(1)),
            ])
    }

    private func verifyStack(_ rows: Int) -> RowStack<Part> {
        let isShort = Self.isShort(rows)
        return RowStack(
            rows: rows,
            [
                (.title, .fixed(1)), (.steps, .fixed(1)), (.list, isShort ? .fixed(0) : .rest), (.options, .fixed(isShort ? 0 : 6)),
                (.verify, isShort ? .rest : .fixed(8)), (.answer, .fixed(1)), (.hints, .fixed(1)), (.message, .fixed(1)),
            ])
    }

    private static func isNarrow(_ canvas: Canvas) -> Bool { canvas.size.columns < 80 }

    private var job: JobReport? { model.live.job(chooser.key) }

    private func title(_ canvas: inout Canvas) {
        guard let context = model.live.context(chooser.key.context) else { return }
        let clock = Chrome(model).clock
        let spans = [Span(" "), Span(SafeText(context.name), .title), Span(" ")] + Chrome(model).badges(context)
        let column = canvas.line(spans, row: 0)
        let room = max(0, canvas.size.columns - column - 12)
        let state = job.map { job in
            let rest: SafeText = " \(job.id.short)  \(job.state.rawValue)"
            return SafeText(job.name).middle(columns: max(8, room - rest.columns)) + rest
        }
        canvas.put("  \(state ?? "\(chooser.key.job.short) is not in the last report")", column: column, row: 0, role: .titleJob, columns: room + 2)
        canvas.line([clock], row: 0, column: canvas.size.columns - clock.text.columns)
    }

    private func steps(row: Int, _ canvas: inout Canvas) {
        canvas.horizontalLine(row: row)
        let current =
            switch chooser.step {
            case .choose: 1
            case .options: 2
            case .confirm: 3
            case .verify: 4
            }
        var column = canvas.line([Span(Self.isNarrow(canvas) ? "[restart: " : "[restart from: ", .header)], row: row, column: 2)
        for (number, name) in [(1, "choose"), (2, "options"), (3, "confirm"), (4, "verify")] as [(Int, SafeText)] {
            column = canvas.line(
                [Span("\(number) \(name)", number == current ? .headerSort : .textDim), Span(number < 4 ? " > " : "]", .header)], row: row,
                column: column)
        }
    }

    // MARK: List

    private func list(_ canvas: inout Canvas) {
        let rows = chooser.candidates(model)
        let cursor = chooser.index(in: rows)
        canvas.put("    ID  KIND  AGE         SIZE  CHECKS", column: 0, row: 0, role: .header)
        canvas.put("PATH", column: 45, row: 0, role: .header)
        if rows.isEmpty {
            let silence = model.shown.job(chooser.key).flatMap { CheckpointTable.silence(of: $0) }
            canvas.put("   \(silence ?? "no checkpoint of this job can be restored")", column: 0, row: 1, role: .severityWarn)
        }
        let space = canvas.size.rows - 2
        let window = listWindow(count: rows.count, cursor: cursor, rows: space)
        for (line, index) in window.enumerated() {
            draw(rows[index], row: line + 1, &canvas)
            if index == cursor {
                canvas.put(">", column: 0, row: line + 1, role: .mark)
                canvas.overlay(
                    CellRect(column: 0, row: line + 1, columns: canvas.size.columns, rows: 1),
                    role: chooser.step == .choose ? .select : .selectUnfocused)
            }
        }
        let star: SafeText = rows.contains { $0.remembered != nil } ? "   * in the ledger only" : ""
        let other: SafeText = Self.isNarrow(canvas) ? ":restore PATH" : "type or paste a path with :restore PATH"
        let column = canvas.put("   other: \(other)\(star)", column: 0, row: canvas.size.rows - 1, role: .textDim)
        let hidden = [(window.lowerBound, "above"), (rows.count - window.upperBound, "below")].filter { $0.0 > 0 }.map { "\($0.0) more \($0.1)" }
        guard !hidden.isEmpty else { return }
        let more = SafeText(hidden.joined(separator: ", "))
        // Not seen is not the same as not there.
        canvas.put(more, column: max(column + 2, canvas.size.columns - more.columns - 1), row: canvas.size.rows - 1, role: .severityWarn)
    }

    private func draw(_ row: RestartChooser.Candidate, row line: Int, _ canvas: inout Canvas) {
        if row.isNewestAtEnd {
            let origin = job.flatMap { job in model.live.context(chooser.key.context).flatMap { WayBack.of(job, in: $0) } }.flatMap {
                $0.own == nil ? $0.id : nil
            }
            let words: SafeText =
                origin.map { "#\($0), where it came from, unless a checkpoint completes first" } ?? "the newest one once the job has been canceled"
            let problem = chooser.problem(row, model)
            canvas.put("newest  \(origin == nil ? "ckpt" : "    ")  \(problem ?? words)", column: 2, row: line, role: problem == nil ? .text : .severityCrit)
            return
        }
        let context = model.live.context(chooser.key.context)
        let inspection = context?.inspections[row.path]
        var known: SnapshotInspection?
        if case .done(let done) = inspection { known = done }
        let time = context?.engineTime(at: model.now) ?? model.now
        let id = row.checkpoint?.id ?? row.origin?.checkpoint ?? known?.checkpoint
        let kind = row.checkpoint?.kind ?? known?.kind ?? row.origin?.kind
        let completed = row.checkpoint.map { $0.endedAt ?? $0.triggeredAt } ?? known?.completedAt
        let size = row.checkpoint?.stateSize ?? known?.stateSize
        canvas.put(id.map { CheckpointTable.number($0) } ?? "     ?", column: 0, row: line)
        canvas.put(
            kind.map { $0.isSavepoint ? "save" : "ckpt" } ?? "?", column: 8, row: line,
            role: kind?.isSavepoint ?? false ? .checkpointSavepoint : .text)
        if row.remembered != nil { canvas.put("*", column: 6, row: line, role: .textStale) }
        canvas.put(completed.map { Figures.elapsed(time - $0) } ?? "?", column: 14, row: line)
        canvas.put(size.map { Figures.bytes($0) } ?? "?", endingAt: 30, row: line)
        let (text, role) = row.isGone ? ("XX subsumed", .severityCrit) : check(inspection, context)
        canvas.put(text, column: 32, row: line, role: role, columns: 12)
        let room = canvas.size.columns - 46
        canvas.put(
            Self.isNarrow(canvas) ? SafeText(row.path).suffix(columns: room, beginning: .cut) : SafeText(row.path).middle(columns: room), column: 45, row: line)
    }

    private func check(_ inspection: ContextState.Inspection?, _ context: ContextState?) -> (SafeText, StyleRole) {
        guard context?.capabilities.verifiesFiles ?? false else { return ("unchecked", .severityUnknown) }
        switch inspection {
        case nil: return ("not read yet", .textDim)
        case .pending: return (".. reading", .severityRun)
        case .failed: return ("?? no answer", .severityUnknown)
        case .done(let done):
            switch done.verdict {
            case .ok: return ("ok files", .severityOK)
            case .unreachable: return ("?? not here", .severityUnknown)
            case .unchecked: return ("?? unchecked", .severityUnknown)
            case .damaged, .missing, .foreign, .abandoned, .tooNew: return ("XX \(done.verdict.rawValue)", .severityCrit)
            }
        }
    }

    // MARK: Options

    private func options(_ canvas: inout Canvas) {
        canvas.rule("options", row: 0, isFocused: chooser.step == .options)
        let claim = chooser.options.claim == .claim
        let allows = chooser.options.allowsUnmatchedState
        func choice(_ isOn: Bool) -> SafeText { isOn ? "(*)" : "( )" }
        let isNarrow = Self.isNarrow(canvas)
        let lines: [(RestartChooser.Option, SafeText, SafeText)] = [
            (.claim, "claim mode", "\(choice(!claim)) no-claim  \(choice(claim)) claim\(isNarrow ? "" : "    no-claim leaves it yours")"),
            (
                .unmatched, "unmatched state",
                "\(choice(!allows)) refuse    \(choice(allows)) allow\(isNarrow ? "" : "    allow if an operator was removed")"
            ),
        ]
        for (index, (option, name, text)) in lines.enumerated() { row(option, name, text, row: index + 1, &canvas) }
        let typed: SafeText = chooser.parallelism.text.isEmpty ? "\(job?.parallelism ?? 0) (as recorded)" : chooser.parallelism.safe
        row(.parallelism, "parallelism", "\(typed)   max-parallelism \(job?.maxParallelism ?? 0)\(isNarrow ? "" : " unchanged")", row: 3, &canvas)
        code(row: 4, &canvas)
        replay(row: 5, &canvas)
    }

    private func row(_ option: RestartChooser.Option, _ name: SafeText, _ text: SafeText, row: Int, _ canvas: inout Canvas) {
        canvas.line([Span("   \(name.padded(16))", .textDim), Span(text)], row: row)
        if chooser.step == .options, chooser.optionRow == option {
            canvas.put(">", column: 0, row: row, role: .mark)
            canvas.overlay(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1), role: .select)
        }
    }

    private func code(row: Int, _ canvas: inout Canvas) {
        let context = model.live.context(chooser.key.context)
        let known = job.flatMap { context?.recipe(of: $0) }
        var words: SafeText = known.map { "program \($0.program)" } ?? "no relaunch recipe"
        if context?.capabilities.needsJarRecipe == true {
            switch context?.recipes[chooser.key.job] {
            case .recorded(let recipe): words = "as recorded: \(Secrets.masked(recipe))"
            case .given(let recipe): words = Secrets.masked(recipe)
            case .sought: words = "looking up the relaunch recipe"
            case .unknown, nil: words = "not recorded: :recipe JAR [--class NAME] [-- ARGUMENT...]"
            }
        }
        canvas.fitting([Span("   code            ", .textDim), Span(words, known == nil ? .severityWarn : .text)], row: row)
    }

    private func replay(row: Int, _ canvas: inout Canvas) {
        guard let check = model.check(chooser.key), let checkpoint = chooser.chosen(model)?.checkpoint else { return }
        canvas.fitting([Span("   replays         ", .textDim), Span(check.replay(since: checkpoint))], row: row)
    }

    // MARK: Verify

    private func verify(_ canvas: inout Canvas) {
        guard case .verify(let id) = chooser.step, let operation = model.live.operations.first(where: { $0.id == id }), let proof = operation.proof
        else {
            canvas.rule("verify (filled in after launch)", row: 0)
            for step in RestartProof.Step.allCases {
                canvas.put(" [  ] \(step.rawValue) \(RestartWords.name(step))", column: 0, row: step.rawValue, role: .textDim)
            }
            return
        }
        canvas.rule("verify", row: 0, note: "op \(operation.id.short) by \(operation.request.by): \(operation.stage.rawValue)", isFocused: true)
        ProofView(proof: proof, theme: model.theme).draw(&canvas)
        let words = operation.refusal.map { SafeText("REFUSED: \($0)") } ?? RestartWords.verdict(proof)
        let role = operation.severity == .crit ? .severityCrit : RestartWords.role(proof)
        canvas.put(" VERDICT", column: 0, row: 7, role: .header)
        for (line, text) in wrapped(words, columns: canvas.size.columns - 10, lines: canvas.size.rows - 7).enumerated() {
            canvas.put(text, column: 10, row: 7 + line, role: role)
        }
    }

    private func hints(row: Int, _ canvas: inout Canvas) {
        let keys = model.options.keyMap
        let rows = keys.label(.moveDown, .moveUp)
        let hints: [(SafeText, SafeText)] =
            switch chooser.step {
            case .choose:
                [
                    (rows, "choose"), ("Enter", "options"), (keys.label(.commandLine), "restore PATH"), (keys.label(.refresh), "read again"),
                    (keys.label(.copy), "copy"), (keys.label(.quit), "out"),
                ]
            case .options: [(rows, "move"), ("Space", "change"), ("Enter", "confirm"), ("Esc", "back")]
            case .confirm: [("Esc", "back to the options")]
            case .verify:
                [
                    (keys.label(.copy), "copy evidence"), (keys.label(.write), "write it"), (keys.label(.quit), "leave it running"),
                    (keys.label(.cancel), "cancel on mismatch"),
                ]
            }
        var column = 1
        for (key, text) in hints where column + key.columns + 1 + text.columns <= canvas.size.columns {
            column = canvas.line([Span(key, .hintKey), Span(" "), Span(text, .hintText), Span("   ")], row: row, column: column)
        }
    }
}
