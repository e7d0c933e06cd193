import CellGrid
import StreamModel

/// The triage page of a job: vitals, the failure budget, checkpoints, the last failures. For terminals from 80x24.
struct JobScreen {
    let model: ConsoleModel
    let context: ContextState
    let job: JobReport
    let memory: JobMemory

    init?(_ model: ConsoleModel) {
        guard let key = model.currentJob, let context = model.shown.context(key.context), let job = context.job(key.job) else { return nil }
        self.model = model
        self.context = context
        self.job = job
        memory = model.shown.memory(key)
    }

    /// What is known of the checkpoints is old, though the report is not.
    var hasOldCheckpoints: Bool { context.oldAge(of: \.checkpoints, job, at: model.shownAt) != nil }
    var isStale: Bool { context.isStale(at: model.shownAt) }
    /// The engine's clock now, for ages.
    var time: WallTime { context.engineTime(at: model.shownAt) }
    /// The engine's clock up to which things are known, for what runs.
    var knownUntil: WallTime { isStale ? context.report?.at ?? time : time }

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        condition(row: 1, &canvas)
        let columns = canvas.size.columns
        let hasAudit = job.audit != nil || job.restored != nil
        budget(row: 2, &canvas)
        checkpoint(row: 3, &canvas)
        input(row: 4, &canvas)
        output(row: 5, &canvas)
        tasks(row: 6, &canvas)
        for (row, part) in [(2, \.checkpoints), (3, \.checkpoints), (4, \.flow), (5, \.flow), (6, \.state)] as [(Int, ContextState.Part)] {
            markAge(part, row: row, from: 8, &canvas)
        }
        if hasAudit { audit(row: 7, &canvas) }
        let top = hasAudit ? 8 : 7
        // The line above the actions is the first thing to go when room is short.
        let bottom = canvas.size.rows - Chrome.footerRows - (hasAudit && canvas.size.rows < 26 ? 0 : 1)
        if bottom < canvas.size.rows - Chrome.footerRows { canvas.horizontalLine(row: bottom) }
        let failures = canvas.size.rows >= 30 ? 4 : 2
        let list = CellRect(column: 0, row: top, columns: columns, rows: bottom - top - failures - 1)
        canvas.inside(list) { CheckpointTable(model, job: job, at: knownUntil).draw(&$0, title: model.options.keyMap.title(.checkpoints, "checkpoints"), isStale: isStale || hasOldCheckpoints) }
        canvas.inside(CellRect(column: 0, row: list.rows.upperBound, columns: columns, rows: failures + 1)) { failureLines(&$0) }
        if isStale { canvas.restyle(CellRect(column: 0, row: 2, columns: columns, rows: bottom - 2), role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    func condition(row: Int, _ canvas: inout Canvas) {
        let condition = Condition.of(job, in: context, at: model.shownAt)
        let text = condition.text(at: model.shownAt, keys: model.options.keyMap)
        guard !text.isEmpty else { return }
        let role = condition.severity.role
        let key = condition.screenKey(model.options.keyMap)
        let room = canvas.size.columns - 5 - (key.isEmpty ? 0 : key.columns + 1)
        let column = canvas.line([Span(" "), Span(model.theme.mark(role), role), Span(" "), Span(text.prefix(columns: room, ending: "..."), role)], row: row)
        if let suspect = suspect(beside: condition), column + suspect.columns + 2 <= room + 4 {
            canvas.put("  \(suspect)", column: column, row: row, role: .severityWarn)
        }
        canvas.put(key, endingAt: canvas.size.columns - 1, row: row, role: .hintKey)
    }

    /// What may be behind a condition that does not say it itself.
    private func suspect(beside condition: Condition) -> SafeText? {
        if case .suspect = condition { return nil }
        return Diagnosis.of(job, in: context, at: model.shownAt)?.text
    }

    /// The suspect, where the row of the condition has no room for it.
    func homelessSuspect(_ columns: Int) -> SafeText? {
        let condition = Condition.of(job, in: context, at: model.shownAt)
        guard let suspect = suspect(beside: condition) else { return nil }
        let key = condition.screenKey(model.options.keyMap)
        let isAtHome = 4 + condition.text(at: model.shownAt, keys: model.options.keyMap).columns + suspect.columns + 2 <= columns - 1 - (key.isEmpty ? 0 : key.columns + 1)
        return isAtHome ? nil : suspect
    }

    /// The name of a row of vitals, marked where its numbers are old.
    private func label(_ text: SafeText, row: Int, _ canvas: inout Canvas) {
        canvas.put(" \(text)\(isStale ? "~" : "")", column: 0, row: row, role: .header)
    }

    // MARK: Vitals

    private func budget(row: Int, _ canvas: inout Canvas) {
        label("FAIL", row: row, &canvas)
        let budget = job.budget
        var column = 8
        if budget.source == .unknown {
            canvas.put("not known yet", column: column, row: row, role: .textDim)
            return
        }
        if let tolerable = budget.tolerable {
            let role: StyleRole = budget.isExhausted ? .severityCrit : budget.counted > 0 ? .severityWarn : .severityOK
            column = canvas.line([Span("counted "), Span("\(Figures.counted(budget))/\(tolerable)", role), Span(" ")], row: row, column: column)
            canvas.bar(
                tolerable == 0 ? (budget.counted > 0 ? 1 : 0) : Double(budget.counted) / Double(tolerable), column: column, row: row, columns: 11,
                role: role)
            column += 12
        } else {
            column = canvas.line([Span("not counted ")], row: row, column: column)
        }
        column = canvas.line(
            [Span(SafeText(budget.source.rawValue), .textDim), Span("  cum \(budget.cumulative)"), Span("  ")], row: row,
            column: column)
        if let failed = job.latestFailed, let failure = failed.failure {
            let place = failure.operatorUID.map { uid in " \(uid)\(failure.subtask.map { " sub \($0)" } ?? "")" } ?? ""
            canvas.put("last #\(failed.id) \(failure.shortReason)\(place)", column: column, row: row, role: .text)
        }
    }

    private func checkpoint(row: Int, _ canvas: inout Canvas) {
        label("CKPT", row: row, &canvas)
        var spans: [Span] = []
        if let newest = Condition.newestRestorable(job) {
            let age = time - (newest.endedAt ?? newest.triggeredAt)
            spans = [
                Span(model.theme.mark(.checkpointOK), .checkpointOK), Span(" #\(newest.id) \(Figures.age(age)) ago"),
                Span(newest.duration.map { " \(Figures.duration($0))" } ?? ""),
            ]
            if let percentiles { spans.append(Span(" (p50 \(percentiles.p50) p99 \(percentiles.p99))", .textDim)) }
        } else {
            spans = [Span("none restorable", .severityWarn)]
        }
        spans.append(Span("  "))
        if let flying = job.inProgress.first {
            let timeout = flying.timeoutAt - flying.triggeredAt
            spans.append(Span("now #\(flying.id) \(flying.acknowledgedSubtasks)/\(flying.totalSubtasks) ", .checkpointRun))
            spans.append(Span("\(Figures.duration(knownUntil - flying.triggeredAt))/\(Figures.setting(timeout))", .checkpointRun))
        } else if let next = job.nextTriggerAt, next > knownUntil, !isStale {
            spans.append(Span("next in \(Figures.seconds(next - knownUntil))", .textDim))
        }
        canvas.line(spans, row: row, column: 8)
    }

    /// Of the completed checkpoints that are known; nil below three.
    var percentiles: (p50: SafeText, p99: SafeText)? {
        let durations = memory.checkpoints.prefix(100).filter { $0.status == .completed && $0.kind == .checkpoint }.compactMap(\.duration).sorted()
        guard durations.count >= 3 else { return nil }
        func at(_ part: Double) -> SafeText { Figures.duration(durations[min(Int(clamping: Double(durations.count) * part), durations.count - 1)]) }
        return (at(0.5), at(0.99))
    }

    private func input(row: Int, _ canvas: inout Canvas) {
        label("IN", row: row, &canvas)
        let flow = job.throughput
        let end = flowLine(flow.recordsReadPerSecond, memory.samples(.read).values, row: row, &canvas)
        let fraction = flow.inputFraction.map { "  \(Figures.percent(fraction: $0)) of the input" } ?? ""
        canvas.put("read \(Figures.count(flow.recordsRead))\(fraction)", column: end, row: row)
    }

    private func output(row: Int, _ canvas: inout Canvas) {
        label("OUT", row: row, &canvas)
        let end = flowLine(job.throughput.recordsWrittenPerSecond, memory.samples(.written).values, row: row, &canvas)
        canvas.put("written \(Figures.count(job.throughput.recordsWritten))", column: end, row: row)
    }

    private func flowLine(_ rate: Double, _ samples: [Float], row: Int, _ canvas: inout Canvas) -> Int {
        canvas.line([Span(Figures.count(rate).padded(leading: 6), .textStrong), Span(" rec/s")], row: row, column: 8)
        let columns = max(8, min(60, canvas.size.columns - 52))
        canvas.sparkline(samples, count: memory.sampleCount, column: 22, row: row, columns: columns)
        return 22 + columns + 2
    }

    private func tasks(row: Int, _ canvas: inout Canvas) {
        label("TASKS", row: row, &canvas)
        let running = job.runningSubtasks
        let total = job.totalSubtasks
        let finished = job.vertices.reduce(0) { $0 + $1.finishedSubtasks }
        var spans = [Span("\(running)/\(total) run", running + finished == total ? .text : .severityWarn)]
        if finished > 0 { spans.append(Span(" \(finished) done")) }
        if let busy = job.vertices.compactMap(\.busyPermille).max() { spans.append(Span("   busy \(Figures.percent(permille: busy))")) }
        if let pressed = job.mostBackPressured, let permille = pressed.backPressuredPermille {
            let role: StyleRole = permille >= 500 ? .severityWarn : .text
            let place: SafeText = permille >= 100 ? " @\(SafeText(pressed.name).prefix(columns: 20, ending: "~"))" : ""
            spans.append(Span("   backpr \(Figures.percent(permille: permille))\(place)", role))
        }
        let last = job.lastFailure.map { " (\(Figures.age(time - $0.at)) ago)" } ?? ""
        if let watermark { spans.append(Span("   wm -\(Figures.age(watermark.lag))", watermark.role)) }
        spans.append(Span("   restarts \(job.restarts)\(job.restarts > 0 ? last : "")", job.restarts > 0 ? .severityWarn : .text))
        canvas.line(spans, row: row, column: 8)
    }

    /// How far event time is behind, at the vertex where it is worst; nil without watermarks.
    var watermark: (lag: Milliseconds, place: SafeText, role: StyleRole)? {
        guard let worst = job.vertices.filter({ $0.watermarkLag != nil }).max(by: { ($0.watermarkLag ?? 0) < ($1.watermarkLag ?? 0) }),
            let lag = worst.watermarkLag
        else { return nil }
        return (lag, SafeText(worst.name).prefix(columns: 24, ending: "~"), lag > .minutes(5) ? .severityWarn : .text)
    }

    private func audit(row: Int, _ canvas: inout Canvas) {
        label("SEQ", row: row, &canvas)
        canvas.line(auditSpans, row: row, column: 8)
    }

    /// Exactly-once accounting, and where the state came from.
    var auditSpans: [Span] {
        var spans: [Span] = []
        if let audit = job.audit {
            let isClean = audit.duplicates == 0 && audit.lost == 0
            spans += [
                Span("duplicates \(audit.duplicates)  lost \(audit.lost)", isClean ? .severityOK : .severityCrit),
                Span("  replayed \(Figures.count(audit.replayed))\(audit.toReplay.map { "/\(Figures.count($0))" } ?? "")"),
                Span("  verified \(Figures.count(audit.verified))  "),
            ]
        }
        if let restored = job.restored { spans.append(Span("from #\(restored.checkpoint)", .textDim)) }
        return spans
    }

    // MARK: Failures

    private func failureLines(_ canvas: inout Canvas) {
        let rows = model.failureRows
        let suspect = homelessSuspect(canvas.size.columns)
        canvas.rule(
            "\(model.options.keyMap.title(.failures, "failures"))\(model.listNote(.failures))", row: 0, note: suspect == nil && rows.count > canvas.size.rows - 1 ? "\(rows.count) in all" : "",
            isFocused: model.focusedPane == .failures)
        if let suspect { canvas.put(" \(suspect.prefix(columns: canvas.size.columns - 18, ending: "...")) ", endingAt: canvas.size.columns - 1, row: 0, role: .severityWarn) }
        if rows.isEmpty { canvas.put(" none known", column: 0, row: 1, role: .textDim) }
        for (index, row) in rows.prefix(canvas.size.rows - 1).enumerated() { failureLine(row, row: index + 1, &canvas) }
    }

    func failureLine(_ failure: FailureRow, row: Int, _ canvas: inout Canvas) {
        let fold: SafeText = failure.folded > 0 ? " [\(failure.folded) more folded]" : ""
        let time = Figures.moment(failure.at, now: self.time, offset: model.options.utcOffsetSeconds)
        let room = max(0, canvas.size.columns - 10 - fold.columns)
        canvas.line(
            [
                Span(" \(time) ", .textDim), Span(SafeText("\(failure.subject): \(failure.message)").prefix(columns: room, ending: "...")),
                Span(fold, .textDim),
            ], row: row)
    }
}
