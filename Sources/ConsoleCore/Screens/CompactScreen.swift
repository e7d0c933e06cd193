import CellGrid
import StreamModel

/// The screen below 60x15: the vitals of one job, or the worst jobs, as many as there are rows. Nothing acts here.
struct CompactScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        let size = canvas.size
        guard size.columns > 0, size.rows > 0 else { return }
        var lines: [[Span]] = []
        if case .overview = model.screen { lines = overview } else if let facts = JobFacts(model) { lines = job(facts) } else { lines = overview }
        let tail: [[Span]] = [
            [Span(" need \(ConsoleModel.fullSize.text) for lists (now \(size.text))", .textDim)],
            [Span(" no actions at this size  \(model.options.keyMap.label(.help)) help  \(model.options.keyMap.label(.quit)) quit", .hintText)],
        ]
        let room = size.rows >= 6 ? size.rows - tail.count : size.rows
        for (row, line) in lines.prefix(room).enumerated() { canvas.line(line, row: row) }
        if size.rows >= 6 { for (index, line) in tail.enumerated() { canvas.line(line, row: size.rows - tail.count + index) } }
        message(&canvas)
    }

    /// A prompt or a fresh message takes the last row.
    private func message(_ canvas: inout Canvas) {
        let row = canvas.size.rows - 1
        let isFresh = model.hasFreshMessage
        let isPrompting =
            switch model.modals.last {
            case .command, .filter, .quit: true
            default: false
            }
        let isBoxed = !model.modals.isEmpty && !isPrompting
        if isBoxed {
            canvas.clear(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1))
            let isNarrow = canvas.size.columns < 56
            canvas.put(
                isNarrow ? " confirmation open: Esc, or enlarge" : " a confirmation is open: enlarge to \(ConsoleModel.fullSize.text), or press Esc", column: 0,
                row: row,
                role: .severityWarn)
        } else if isPrompting || (isFresh || model.configurationProblem != nil) && canvas.size.rows > 1 {
            canvas.clear(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1))
            Chrome(model).message(row: row, &canvas)
        }
    }

    private var overview: [[Span]] {
        let rows = model.overviewRows
        let counts = model.overviewCounts(rows)
        let down = model.shown.downContexts, downText: SafeText = down > 0 ? "  \(down) \(model.theme.mark(.linkDown))" : ""
        var lines: [[Span]] = [
            [Span(" \(counts.text(model.theme.mark))\(downText) "), Chrome(model).clock]
        ]
        let cursor = rows.firstIndex { $0.id == model.cursors.overview } ?? 0
        let first = max(0, cursor - max(0, model.size.rows - 4))
        for (index, row) in rows.enumerated().dropFirst(first).prefix(model.size.rows) {
            let name = row.jobName.isEmpty ? row.id.context : row.jobName
            let state = row.state?.rawValue ?? ""
            let role = row.condition.severity.role
            let text = row.condition.text(at: model.shownAt, keys: model.options.keyMap)
            lines.append([
                Span(index == cursor ? ">" : " ", .mark), Span(model.theme.mark(role), role), Span(" \(name) ", .titleJob),
                Span(text.isEmpty ? SafeText(state) : text, role),
            ])
        }
        return lines
    }

    private func job(_ facts: JobFacts) -> [[Span]] {
        let job = facts.job
        let context = facts.context
        let condition = Condition.of(job, in: context, at: model.shownAt)
        let role = condition.severity.role
        let old: SafeText = facts.isStale ? "~" : ""
        func mark(_ part: ContextState.Part) -> SafeText { context.oldAge(of: part, job, at: model.shownAt).map { "~\(Figures.age($0))" } ?? old }
        let text = condition.text(at: model.shownAt, keys: model.options.keyMap)
        var lines: [[Span]] = [
            [
                Span(" \(SafeText(context.name).prefix(columns: 10)) "), Span(SafeText(job.name).prefix(columns: 12, ending: .cut), .titleJob),
                Span(" \(job.state.rawValue)", Chrome(model).stateRole(job.state)),
                Span(context.age(at: model.shownAt).map { " age \(Figures.age($0))" } ?? ""),
            ],
            [Span(" "), Span(model.theme.mark(role), role), Span(" \(text.isEmpty ? "no problem" : text)", role)],
        ]
        let newest =
            facts.newestRestorable.map { "#\($0.checkpoint.id) \($0.age) ago" } ?? WayBack.of(job, in: context).map { "none, back to #\($0.id)" } ?? "none"
        let flight = facts.flight.map { "   run \($0.used)/\($0.timeout)" } ?? ""
        lines.append([Span(" CKPT\(mark(\.checkpoints)) \(newest)\(flight)")])
        lines.append([
            Span(
                " IN\(mark(\.flow)) \(facts.input.rate)  OUT \(facts.output.rate)  FAIL \(Figures.used(job.budget))"
            )
        ])
        if let audit = job.audit {
            lines.append([Span(" SEQ\(old) dup \(audit.duplicates) lost \(audit.lost) replayed \(Figures.count(audit.replayed))")])
        }
        lines.append([Span(" TASKS\(mark(\.state)) \(job.runningSubtasks)/\(job.totalSubtasks)  restarts \(job.restarts)")])
        return lines
    }
}
