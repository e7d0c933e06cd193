import CellGrid
import StreamModel

/// Failures of tasks and of checkpoints by root cause, the newest first, what they have in common, and the whole of the selected one.
struct FailuresScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        let stack = RowStack.list(canvas.size.rows, condition: 1, summary: 1, detail: canvas.size.rows < 20 ? .fixed(4) : .either(10, or: 6, leaving: 14))
        if let facts = JobFacts(model) {
            canvas.inside(stack[.condition]) { facts.condition(&$0) }
            canvas.inside(stack[.summary]) { summary(facts.job, &$0) }
        }
        let rows = model.failureRows
        let cursor = model.listPosition.index
        canvas.inside(stack[.list]) { list(rows, cursor, &$0) }
        canvas.inside(stack[.detail]) { inner in
            guard rows.indices.contains(cursor) else { return inner.rule("root cause", row: 0) }
            whole(rows[cursor], &inner)
        }
        Chrome(model).footer(&canvas)
    }

    /// One root cause: when and where it struck, and its whole text.
    private func whole(_ row: FailureRow, _ canvas: inout Canvas) {
        let offset = model.options.utcOffsetSeconds
        let count: SafeText = row.folded > 0 ? "\(row.failures.count) times since \(Figures.clock(row.firstAt, offset: offset))" : "once"
        canvas.rule(
            "root cause, \(count)", row: 0,
            note: row.hosts.isEmpty ? "" : "hosts: \(row.hosts.prefix(4).joined(separator: " "))\(row.hosts.count > 4 ? " \(SafeText.cut)" : "")")
        var line = 1
        if let factor = CommonFactor.words(row.failures) {
            canvas.put(" these: \(factor)", column: 0, row: line, role: .textStrong)
            line += 1
        }
        let counted: SafeText = row.isCounted.map { $0 ? " (counted)" : " (not counted)" } ?? ""
        let cause = row.failures[0].rootCause
        let text = SafeText(cause) == row.message ? row.message : "\(cause)  <- \(row.message)"
        let lines = ["\(row.subject)\(counted): \(text)"] + row.failures[0].causes.map { SafeText($0, limit: 1000) }
        for (index, part) in lines.flatMap({ wrapped($0, columns: canvas.size.columns - 2) }).enumerated() {
            canvas.put(part, column: 1, row: line + index)
        }
    }

    private func summary(_ job: JobReport, _ canvas: inout Canvas) {
        // The next attempt, its wait and its cause stand in the line of the condition while the job restarts.
        let words: SafeText =
            " attempt \(job.attempt)  restarts \(job.restarts)  strategy \(RestartWords.strategy(of: job))  failed ckpts \(job.counts.failed)/\(job.counts.total)"
        canvas.fitting([Span(words, .textDim)], row: 0)
    }

    private func list(_ rows: [FailureRow], _ cursor: Int, _ canvas: inout Canvas) {
        let all = rows.flatMap(\.failures)
        canvas.rule(
            "\(model.options.keyMap.title(.failures, "failures"))\(model.listNote(.failures))", row: 0,
            note: "\(Figures.plural(all.count, "failure")), \(Figures.plural(rows.count, "root cause"))")
        canvas.put(
            "   \(SafeText("WHEN").padded(10))\(SafeText("COUNT").padded(7))WHAT AND WHERE", column: 0, row: 1,
            role: model.listViews[.failures].order?.field == nil ? .header : .headerSort)
        if let factor = CommonFactor.words(all) {
            canvas.put(
                SafeText("common factor: \(factor)").prefix(columns: max(0, canvas.size.columns - 42), ending: .cut), endingAt: canvas.size.columns - 1, row: 1,
                role: .textStrong)
        }
        if rows.isEmpty {
            canvas.put(
                model.listViews[.failures].filter == nil ? "   none known" : "   none matches the filter; \(model.options.keyMap.label(.back)) clears it",
                column: 0, row: 2, role: .textDim)
        }
        canvas.list(rows.count, cursor: cursor, from: 2) { index, place, canvas in
            let row = rows[index]
            let time = Figures.moment(row.at, now: model.shownAt, offset: model.options.utcOffsetSeconds)
            let role: StyleRole = row.isCheckpoint ? .checkpointFailed : .severityWarn
            let count: SafeText = row.folded > 0 ? "x\(row.failures.count)" : ""
            let hosts: SafeText = row.hosts.count > 1 ? " on \(Figures.plural(row.hosts.count, "host"))" : ""
            canvas.line(
                [
                    Span("   \(time.padded(9)) ", .textDim), Span(count.padded(7), .textStrong), Span(row.subject, role), Span(hosts, .textDim),
                    Span(": \(SafeText(CauseFirst.words(row.failures[0].message)))"),
                ], row: place)
        }
    }
}
