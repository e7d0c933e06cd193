import CellGrid
import StreamModel

/// The restart chooser: list, options and proof on one screen.
struct RestartChooserView {
    let model: ConsoleModel
    let chooser: RestartChooser

    func draw(_ canvas: inout Canvas) {
        canvas.clear(CellRect(canvas.size))
        title(&canvas)
        steps(row: 1, &canvas)
        let body = canvas.size.rows - 2 - 3
        // Before the launch the steps of the proof give their place to the list where rows are few.
        let isVerifying = if case .verify = chooser.step { true } else { false }
        let verifyRows = isVerifying || canvas.size.rows >= 30 ? 8 : 1
        let listRows = max(5, body - 6 - verifyRows)
        let columns = canvas.size.columns
        canvas.inside(CellRect(column: 0, row: 2, columns: columns, rows: listRows)) { list(&$0) }
        canvas.inside(CellRect(column: 0, row: 2 + listRows, columns: columns, rows: 6)) { options(&$0) }
        // A long verdict goes on in the row of the answer, which is empty by then.
        canvas.inside(CellRect(column: 0, row: 8 + listRows, columns: columns, rows: verifyRows + (isVerifying ? 1 : 0))) { verify(&$0) }
        canvas.put(" \(chooser.answer)", column: 0, row: canvas.size.rows - 3, role: .severityWarn)
        hints(row: canvas.size.rows - 2, &canvas)
        Chrome(model).message(row: canvas.size.rows - 1, &canvas)
    }

    private var job: JobReport? { model.live.job(chooser.key) }

    private func title(_ canvas: inout Canvas) {
        guard let context = model.live.context(chooser.key.context) else { return }
        let clock = Chrome(model).clock
        let spans = [Span(" "), Span(SafeText(context.name), .title), Span(" ")] + Chrome(model).badges(context)
        let column = canvas.line(spans, row: 0)
        let state = job.map { "\($0.name) \($0.id.short)  \($0.state.rawValue)" } ?? "\(chooser.key.job.short) is not in the last report"
        canvas.put("  \(state)", column: column, row: 0, role: .titleJob, columns: max(0, canvas.size.columns - column - 10))
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
        var column = canvas.line([Span("[restart from: ", .header)], row: row, column: 2)
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
            canvas.put("   no checkpoint of this job can be restored", column: 0, row: 1, role: .severityWarn)
        }
        let space = canvas.size.rows - 2
        for (line, index) in listWindow(count: rows.count, cursor: cursor, rows: space).enumerated() {
            draw(rows[index], row: line + 1, &canvas)
            if index == cursor {
                canvas.put(">", column: 0, row: line + 1, role: .mark)
                canvas.overlay(
                    CellRect(column: 0, row: line + 1, columns: canvas.size.columns, rows: 1),
                    role: chooser.step == .choose ? .select : .selectUnfocused)
            }
        }
        let star: SafeText = rows.contains { $0.remembered != nil } ? "   * only the ledger has it" : ""
        canvas.put("   other: type or paste a path with :restore PATH\(star)", column: 0, row: canvas.size.rows - 1, role: .textDim)
    }

    private func draw(_ row: RestartChooser.Candidate, row line: Int, _ canvas: inout Canvas) {
        if row.isNewestAtEnd {
            canvas.put("newest  ckpt  what there is once the job is canceled, as it is first", column: 2, row: line)
            return
        }
        let context = model.live.context(chooser.key.context)
        let inspection = context?.inspections[row.path]
        var known: SnapshotInspection?
        if case .done(let done) = inspection { known = done }
        let time = context?.engineTime(at: model.now) ?? model.now
        let id = row.checkpoint?.id ?? known?.checkpoint
        let kind = row.checkpoint?.kind ?? known?.kind
        let completed = row.checkpoint.map { $0.endedAt ?? $0.triggeredAt } ?? known?.completedAt
        let size = row.checkpoint?.stateSize ?? known?.stateSize
        canvas.put(id.map { "\($0)" }.map { SafeText($0).padded(leading: 6) } ?? "     ?", column: 0, row: line)
        canvas.put(
            kind.map { $0.isSavepoint ? "save" : "ckpt" } ?? "?", column: 8, row: line,
            role: kind?.isSavepoint ?? false ? .checkpointSavepoint : .text)
        if row.remembered != nil { canvas.put("*", column: 6, row: line, role: .textStale) }
        canvas.put(completed.map { Figures.age(time - $0) } ?? "?", column: 14, row: line)
        canvas.put(size.map { Figures.bytes($0) } ?? "?", endingAt: 30, row: line)
        let (text, role) = check(inspection, context)
        canvas.put(text, column: 32, row: line, role: role, columns: 12)
        let room = canvas.size.columns - 46
        canvas.put(SafeText(row.path).suffix(columns: room, beginning: "..."), column: 45, row: line)
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
            case .damaged, .missing, .foreign: return ("XX \(done.verdict.rawValue)", .severityCrit)
            }
        }
    }

    // MARK: Options

    private func options(_ canvas: inout Canvas) {
        canvas.rule("options", row: 0, isFocused: chooser.step == .options)
        let claim = chooser.options.claim == .claim
        let allows = chooser.options.allowsUnmatchedState
        func choice(_ isOn: Bool) -> SafeText { isOn ? "(*)" : "( )" }
        let lines: [(RestartChooser.Option, SafeText, SafeText)] = [
            (.claim, "claim mode", "\(choice(!claim)) no-claim  \(choice(claim)) claim    no-claim leaves it yours"),
            (.unmatched, "unmatched state", "\(choice(!allows)) refuse    \(choice(allows)) allow    allow only if an operator was cut"),
        ]
        for (index, (option, name, text)) in lines.enumerated() { row(option, name, text, row: index + 1, &canvas) }
        let typed: SafeText = chooser.parallelism.text.isEmpty ? "\(job?.parallelism ?? 0) (as recorded)" : chooser.parallelism.safe
        row(.parallelism, "parallelism", "\(typed)   max-parallelism \(job?.maxParallelism ?? 0) unchanged", row: 3, &canvas)
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
        var words: SafeText = known.map { "program \($0.program)" } ?? "no relaunch recipe is known"
        if context?.capabilities.needsJarRecipe == true {
            switch context?.recipes[chooser.key.job] {
            case .recorded(let recipe): words = "as recorded: \(Secrets.masked(recipe))"
            case .given(let recipe): words = Secrets.masked(recipe)
            case .sought: words = "the record is being read"
            case .unknown, nil: words = "not on record: :recipe JAR [--class NAME] [-- ARGUMENT...]"
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
        ProofView(proof: proof, theme: model.theme).draw(&canvas, isTitled: false)
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
        for (key, text) in hints {
            column = canvas.line([Span(key, .hintKey), Span(" "), Span(text, .hintText), Span("   ")], row: row, column: column)
        }
    }
}
