import CellGrid
import StreamModel

/// The triage page of a job: vitals, the failure budget, checkpoints, the last failures. Below 80x24 without the failures.
struct JobScreen {
    let facts: JobFacts
    private var model: ConsoleModel { facts.model }
    private var job: JobReport { facts.job }

    init(_ facts: JobFacts) { self.facts = facts }

    private enum Part { case title, condition, next, budget, checkpoint, input, output, tasks, audit, list, failures, line, footer }

    /// Too few rows for the failures, and for a row to each vital.
    static func isShort(_ size: Size) -> Bool { size.rows < 24 }

    private func stack(_ size: Size, _ next: NextStep) -> RowStack<Part> {
        let hasAudit = job.audit != nil || job.restored != nil, isShort = Self.isShort(size)
        return RowStack(
            rows: size.rows,
            [
                (.title, .fixed(1)), (.condition, .either(facts.conditionRows(size.columns), or: 1, leaving: isShort ? 7 : 8)),
                (.next, .fixed(next.isEmpty ? 0 : 1)),
                (.budget, .fixed(1)), (.checkpoint, .fixed(1)), (.input, .fixed(1)), (.output, .fixed(isShort ? 0 : 1)),
                (.tasks, .fixed(isShort ? 0 : 1)), (.audit, isShort ? .either(hasAudit ? 1 : 0, or: 0, leaving: 7) : .fixed(hasAudit ? 1 : 0)),
                (.list, .rest), (.failures, isShort ? .fixed(0) : .either(5, or: 3, leaving: 11)),
                (.line, isShort ? .fixed(0) : .either(1, or: 0, leaving: 8)), (.footer, .fixed(Chrome.footerRows(size.rows))),
            ])
    }

    func draw(_ canvas: inout Canvas) {
        let next = facts.nextStep, stack = stack(canvas.size, next)
        Chrome(model).jobTitle(&canvas)
        canvas.inside(stack[.condition]) { facts.condition(&$0) }
        if !next.isEmpty { canvas.inside(stack[.next]) { facts.draw(next, &$0) } }
        vital(stack[.budget], "FAIL", \.checkpoints, &canvas, budget)
        vital(stack[.checkpoint], "CKPT", \.checkpoints, &canvas, checkpoint)
        vital(stack[.input], "IN", \.flow, &canvas) { canvas in
            if stack[.output].isEmpty { flows(&canvas) } else { flow(facts.input, "read", part: facts.inputFraction, &canvas) }
        }
        vital(stack[.output], "OUT", \.flow, &canvas) { flow(facts.output, "written", part: nil, &$0) }
        vital(stack[.tasks], "TASKS", \.state, &canvas, tasks)
        vital(stack[.audit], "SEQ", nil, &canvas) { $0.line(facts.auditSpans, row: 0, column: Self.vitalColumn) }
        if let line = stack[.line].first { canvas.horizontalLine(row: line) }
        canvas.inside(stack[.list]) { canvas in
            CheckpointTable(model, job: job, at: facts.knownUntil).draw(
                &canvas, title: model.options.keyMap.title(.checkpoints, "checkpoints"), isStale: facts.isStale || facts.hasOldCheckpoints)
        }
        canvas.inside(stack[.failures], failures)
        if facts.isStale { canvas.restyle(stack[.budget].lowerBound..<stack[.failures].upperBound, role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    // MARK: Vitals

    /// Where a vital begins, after its name.
    private static let vitalColumn = 8

    /// A row of vitals, marked where its numbers are old.
    private func vital(_ rows: Range<Int>, _ name: SafeText, _ part: ContextState.Part?, _ canvas: inout Canvas, _ draw: (inout Canvas) -> Void) {
        guard !rows.isEmpty else { return }
        canvas.inside(rows) { canvas in
            canvas.put(" \(name)\(facts.isStale ? "~" : "")", column: 0, row: 0, role: .header)
            draw(&canvas)
            if let part { facts.markAge(part, row: 0, from: Self.vitalColumn, &canvas) }
        }
    }

    private func budget(_ canvas: inout Canvas) {
        let budget = job.budget
        var column = Self.vitalColumn
        if budget.source == .unknown {
            canvas.put("not known yet", column: column, row: 0, role: .textDim)
            return
        }
        if let tolerable = budget.tolerable, let fraction = facts.budgetFraction {
            column = canvas.line([Span("counted "), Span("\(Figures.counted(budget))/\(tolerable)", facts.budgetRole), Span(" ")], row: 0, column: column)
            canvas.bar(fraction, column: column, row: 0, columns: 11, role: facts.budgetRole)
            column += 12
        } else {
            column = canvas.line([Span("not counted ")], row: 0, column: column)
        }
        column = canvas.line([Span(SafeText(budget.source.rawValue), .textDim), Span("  cum \(budget.cumulative)"), Span("  ")], row: 0, column: column)
        if let failed = job.latestFailed, let failure = failed.failure {
            let place = failure.operatorUID.map { uid in " \(uid)\(failure.subtask.map { " sub \($0)" } ?? "")" } ?? ""
            canvas.put("last #\(failed.id) \(failure.shortReason)\(place)", column: column, row: 0, role: .text)
        }
    }

    private func checkpoint(_ canvas: inout Canvas) {
        var spans: [Span] = []
        if let (newest, age) = facts.newestRestorable {
            spans = [
                Span(model.theme.mark(.checkpointOK), .checkpointOK), Span(" #\(newest.id) \(age) ago"),
                Span(newest.duration.map { " \(Figures.duration($0))" } ?? ""),
            ]
            if let percentiles = facts.percentiles { spans.append(Span(" (p50 \(percentiles.p50) p99 \(percentiles.p99))", .textDim)) }
        } else {
            spans = [Span(facts.withoutOwn, .severityWarn)]
        }
        spans.append(Span("  "))
        if let flight = facts.flight {
            spans.append(Span("now #\(flight.id) \(flight.acknowledged) \(flight.used)/\(flight.timeout)", .checkpointRun))
        } else if let next = facts.nextTrigger, !facts.isStale {
            spans.append(Span("next in \(next)", .textDim))
        }
        canvas.line(spans, row: 0, column: Self.vitalColumn)
    }

    /// Columns from which on the scale of a trend is told.
    private static let notedFrom = 100

    /// A rate, its trend and its total, and as much of the rest as there is room for: the part of the input, and the scale of the trend.
    private func flow(_ flow: JobFacts.Flow, _ verb: SafeText, part: SafeText?, _ canvas: inout Canvas) {
        canvas.line([Span(flow.rate.padded(leading: 6), .textStrong), Span(" rec/s")], row: 0, column: Self.vitalColumn)
        let start = Self.vitalColumn + 14, columns = max(8, min(60, canvas.size.columns - 52))
        let trend = canvas.sparkline((flow.samples, facts.memory.sampleCount), columns: columns)
        trend.draw(column: start, row: 0, &canvas)
        var column = start + columns + 2
        for text in ["\(verb) \(flow.total)\(flow.since)", part.map { "  \($0)" } ?? ""] as [SafeText] where column + text.columns <= canvas.size.columns {
            column += canvas.put(text, column: column, row: 0)
        }
        // On the smallest screen a whole paint has no bytes to spare for it.
        guard canvas.size.columns >= Self.notedFrom else { return }
        canvas.put(
            trend.note(columns: canvas.size.columns - column - 3) { Figures.count($0) }, endingAt: canvas.size.columns - 1, row: 0, role: .textDim)
    }

    /// Rates and tasks in one row.
    private func flows(_ canvas: inout Canvas) {
        let isWhole = job.runningSubtasks == job.totalSubtasks
        canvas.line(
            [
                Span(facts.input.rate, .textStrong), Span("  OUT ", .header), Span(facts.output.rate, .textStrong), Span(" rec/s  TASKS ", .header),
                Span("\(job.runningSubtasks)/\(job.totalSubtasks)", isWhole ? .text : .severityWarn),
                Span(facts.busy.map { "  busy \($0)" } ?? ""), Span("  \(facts.restarts)", job.restarts > 0 ? .severityWarn : .text),
            ], row: 0, column: Self.vitalColumn)
    }

    private func tasks(_ canvas: inout Canvas) {
        let running = job.runningSubtasks, total = job.totalSubtasks
        let finished = job.vertices.reduce(0) { $0 + $1.finishedSubtasks }
        var spans = [Span("\(running)/\(total) run", running + finished == total ? .text : .severityWarn)]
        if finished > 0 { spans.append(Span(" \(finished) done")) }
        if let busy = facts.busy { spans.append(Span("   busy \(busy)")) }
        if let pressure = facts.backPressure {
            let place: SafeText = pressure.place.map { " @\($0.prefix(columns: 20, ending: .cut))" } ?? ""
            spans.append(Span("   backpr \(pressure.share)\(place)", pressure.role))
        }
        if let watermark = facts.watermark { spans.append(Span("   wm -\(Figures.age(watermark.lag))", watermark.role)) }
        spans.append(Span("   \(facts.restarts)", job.restarts > 0 ? .severityWarn : .text))
        canvas.line(spans, row: 0, column: Self.vitalColumn)
    }

    // MARK: Failures

    private func failures(_ canvas: inout Canvas) {
        let rows = model.failureRows
        let suspect = facts.homelessSuspect(canvas.size.columns)
        canvas.rule(
            "\(model.options.keyMap.title(.failures, "failures"))\(model.listNote(.failures))", row: 0,
            note: suspect == nil && rows.count > canvas.size.rows - 1 ? "\(rows.count) in all" : "", isFocused: model.focusedPane == .failures)
        if let suspect {
            canvas.put(" \(suspect.prefix(columns: canvas.size.columns - 18, ending: .cut)) ", endingAt: canvas.size.columns - 1, row: 0, role: .severityWarn)
        }
        if rows.isEmpty { canvas.put(" none known", column: 0, row: 1, role: .textDim) }
        for (index, row) in rows.prefix(canvas.size.rows - 1).enumerated() { facts.failureLine(row, row: index + 1, &canvas) }
    }
}
