import CellGrid
import StreamModel

/// Failures of tasks and of checkpoints, the newest first, and the whole text of the selected one.
struct FailuresScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        if let screen = JobScreen(model) {
            screen.condition(row: 1, &canvas)
            summary(screen.job, row: 2, &canvas)
        }
        let rows = model.failureRows
        let cursor = min(model.cursors.failure, max(rows.count - 1, 0))
        let text = canvas.size.rows >= 30 ? 7 : 5
        let list = CellRect(column: 0, row: 3, columns: canvas.size.columns, rows: canvas.size.rows - 3 - text - Chrome.footerRows)
        canvas.inside(list) { self.list(rows, cursor, &$0) }
        canvas.inside(CellRect(column: 0, row: list.rows.upperBound, columns: canvas.size.columns, rows: text)) { inner in
            inner.rule("whole text", row: 0)
            guard rows.indices.contains(cursor) else { return }
            let row = rows[cursor]
            let counted: SafeText = row.isCounted.map { $0 ? " (counted)" : " (not counted)" } ?? ""
            for (index, line) in wrapped("\(row.subject)\(counted): \(row.message)", columns: inner.size.columns - 2).enumerated() {
                inner.put(line, column: 1, row: index + 1)
            }
        }
        Chrome(model).footer(&canvas)
    }

    private func summary(_ job: JobReport, row: Int, _ canvas: inout Canvas) {
        // The next attempt, its wait and its cause stand in the line of the condition while the job restarts.
        canvas.put(
            " attempt \(job.attempt)   restarts \(job.restarts)   \(strategy(job.restartStrategy))   failed ckpts \(job.counts.failed) of \(job.counts.total)", column: 0,
            row: row,
            role: .textDim)
    }

    private func strategy(_ strategy: RestartStrategy) -> SafeText {
        switch strategy {
        case .none: "no restart"
        case .fixedDelay(let attempts, let delay):
            attempts >= Int(Int32.max) ? "without limit, after \(Figures.setting(delay))" : "at most \(attempts), after \(Figures.setting(delay))"
        case .exponentialDelay(let initial, let maximum, let multiplier, _, _):
            "after \(Figures.setting(initial)), x\(Figures.factor(multiplier)) up to \(Figures.setting(maximum))"
        case .failureRate(let failures, let interval, let delay):
            "after \(Figures.setting(delay)), below \(failures) in \(Figures.setting(interval))"
        }
    }

    private func list(_ rows: [FailureRow], _ cursor: Int, _ canvas: inout Canvas) {
        let filter = model.filters[.failures].map { "  /\($0)" } ?? ""
        canvas.rule("5 failures\(filter)", row: 0, note: "\(rows.count) rows, newest first")
        canvas.put("   WHEN      WHAT AND WHERE", column: 0, row: 1, role: .header)
        if rows.isEmpty {
            canvas.put(
                model.filters[.failures] == nil ? "   none known" : "   none matches the filter; Esc clears it", column: 0, row: 2, role: .textDim)
        }
        for (line, index) in listWindow(count: rows.count, cursor: cursor, rows: canvas.size.rows - 2).enumerated() {
            let row = rows[index]
            let time = Figures.moment(row.at, now: model.shownAt, offset: model.options.utcOffsetSeconds)
            let role: StyleRole = row.isCheckpoint ? .checkpointFailed : .severityWarn
            let fold: SafeText = row.folded > 0 ? " [\(row.folded) more folded]" : ""
            canvas.line(
                [
                    Span("   \(time.padded(9)) ", .textDim), Span(row.subject, role), Span(fold, .textDim),
                    Span(": \(row.message)"),
                ], row: line + 2)
            if index == cursor {
                canvas.put(">", column: 0, row: line + 2, role: .mark)
                canvas.overlay(CellRect(column: 0, row: line + 2, columns: canvas.size.columns, rows: 1), role: .select)
            }
        }
    }
}
