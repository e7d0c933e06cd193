import CellGrid
import StreamModel

/// The Job screen from 120x40: panels for the budget, a strip of durations, the phases of the slowest subtasks, the last operation
/// and what a failure now would cost.
struct WideJobScreen {
    let base: JobScreen
    private var model: ConsoleModel { base.model }
    private var job: JobReport { base.job }

    init(_ base: JobScreen) { self.base = base }

    static func fits(_ size: Size) -> Bool { size.columns >= 120 && size.rows >= 40 }

    /// Rows of the checkpoint list.
    static func listRows(_ size: Size) -> Int { max(1, size.rows - 29) }

    func draw(_ canvas: inout Canvas) {
        let columns = canvas.size.columns
        let rows = canvas.size.rows
        let split = columns * 64 / 120
        let listTop = 9 + 4
        let listBottom = listTop + 1 + Self.listRows(canvas.size)
        Chrome(model).jobTitle(&canvas)
        base.condition(row: 1, &canvas)
        let frame = CellRect(column: 0, row: 2, columns: columns, rows: rows - 2 - Chrome.footerRows)
        canvas.box(frame)
        divider(row: 2, split: split, top: true, titles: ("vitals", "failure budget"), &canvas)
        panel(column: 1, row: 3, columns: split - 1, rows: 6, &canvas, vitals)
        verticals(rows: 3..<9, column: split, &canvas)
        panel(column: split + 1, row: 3, columns: columns - split - 2, rows: 6, &canvas, budget)
        joint(row: 9, model.options.keyMap.title(.checkpoints, "checkpoints: duration of the last ones, log scale, S savepoint, ! failed"), split: split, ends: true, &canvas)
        panel(column: 1, row: 10, columns: columns - 2, rows: 3, &canvas, strip)
        // The table brings its own rule; the frame's sides are drawn over its ends.
        panel(column: 1, row: listTop, columns: columns - 2, rows: listBottom - listTop, &canvas) { inner in
            CheckpointTable(model, job: job, at: base.knownUntil).draw(&inner, title: "list", isStale: base.isStale || base.hasOldCheckpoints)
        }
        canvas.put(glyph: canvas.glyphs.line(.teeLeft), column: 0, row: listTop, role: .border)
        canvas.put(glyph: canvas.glyphs.line(.teeRight), column: columns - 1, row: listTop, role: .border)
        joint(row: listBottom, detailTitle, split: split, ends: false, &canvas)
        canvas.put("[\(model.options.keyMap.title(.failures, "failures"))]", column: split + 2, row: listBottom, role: .header)
        panel(column: 1, row: listBottom + 1, columns: split - 1, rows: 6, &canvas, detail)
        verticals(rows: listBottom + 1..<listBottom + 7, column: split, &canvas)
        panel(column: split + 1, row: listBottom + 1, columns: columns - split - 2, rows: 6, &canvas, failures)
        joint(row: listBottom + 7, model.options.keyMap.title(.operations, "operations"), split: split, ends: true, &canvas)
        if let suspect = base.homelessSuspect(columns) {
            canvas.put(" \(suspect.prefix(columns: columns - 24, ending: "...")) ", endingAt: columns - 2, row: listBottom + 7, role: .severityWarn)
        }
        panel(column: 1, row: listBottom + 8, columns: columns - 2, rows: 1, &canvas, operations)
        joint(row: listBottom + 9, replayTitle, split: split, ends: nil, &canvas)
        panel(column: 1, row: listBottom + 10, columns: columns - 2, rows: 1, &canvas, replay)
        if base.isStale { canvas.restyle(CellRect(column: 1, row: 3, columns: columns - 2, rows: frame.size.rows - 2), role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    // MARK: Frame

    private func panel(column: Int, row: Int, columns: Int, rows: Int, _ canvas: inout Canvas, _ draw: (inout Canvas) -> Void) {
        canvas.inside(CellRect(column: column, row: row, columns: columns, rows: rows), draw)
    }

    private func divider(row: Int, split: Int, top: Bool, titles: (SafeText, SafeText), _ canvas: inout Canvas) {
        canvas.put(glyph: canvas.glyphs.line(.teeTop), column: split, row: row, role: .border)
        canvas.put("[\(titles.0)]", column: 2, row: row, role: .header)
        canvas.put("[\(titles.1)]", column: split + 2, row: row, role: .header)
    }

    /// A line across the frame. `ends`: whether the middle line ends here (true), begins (false), or is not there (nil).
    private func joint(row: Int, _ title: SafeText, split: Int, ends: Bool?, _ canvas: inout Canvas) {
        let last = canvas.size.columns - 1
        canvas.horizontalLine(row: row)
        canvas.put(glyph: canvas.glyphs.line(.teeLeft), column: 0, row: row, role: .border)
        canvas.put(glyph: canvas.glyphs.line(.teeRight), column: last, row: row, role: .border)
        if let ends { canvas.put(glyph: canvas.glyphs.line(ends ? .teeBottom : .teeTop), column: split, row: row, role: .border) }
        canvas.put("[\(title)]", column: 2, row: row, role: .header)
    }

    private func verticals(rows: Range<Int>, column: Int, _ canvas: inout Canvas) {
        for row in rows { canvas.put(glyph: canvas.glyphs.line(.vertical), column: column, row: row, role: .border) }
    }

    // MARK: Panels

    private func vitals(_ canvas: inout Canvas) {
        let flow = job.throughput
        let memory = base.memory
        let spark = max(8, canvas.size.columns - 36)
        func flowLine(_ name: SafeText, _ rate: Double, _ samples: [Float], _ total: SafeText, row: Int) {
            canvas.line(
                [Span(SafeText(" \(name)").padded(7), .header), Span(Figures.count(rate).padded(leading: 6), .textStrong), Span(" rec/s  ")], row: row
            )
            canvas.put(total, column: 21, row: row)
            canvas.sparkline(samples, count: memory.sampleCount, column: 35, row: row, columns: spark)
        }
        flowLine("IN", flow.recordsReadPerSecond, memory.samples(.read).values, "\(Figures.count(flow.recordsRead)) read", row: 0)
        flowLine("OUT", flow.recordsWrittenPerSecond, memory.samples(.written).values, "\(Figures.count(flow.recordsWritten)) written", row: 1)
        let busy: SafeText = job.vertices.compactMap(\.busyPermille).max().map { Figures.percent(permille: $0) } ?? "-"
        let pressed = job.mostBackPressured
        let permille = pressed?.backPressuredPermille
        let place = pressed.map { (permille ?? 0) >= 100 ? " at \(SafeText($0.name).prefix(columns: 24, ending: "~"))" : "" } ?? ""
        canvas.line(
            [
                Span(" BUSY  ", .header), Span(busy.padded(5)), Span("  BACKPR ", .header),
                Span(
                    "\(permille.map { Figures.percent(permille: $0) } ?? "-")\(place)",
                    (permille ?? 0) >= 500 ? .severityWarn : .text),
            ], row: 2)
        let last = job.lastFailure.map { " (\(Figures.age(base.time - $0.at)) ago)" } ?? ""
        canvas.line(
            [
                Span(" TASKS ", .header),
                Span("\(job.runningSubtasks)/\(job.totalSubtasks) running   restarts \(job.restarts)\(job.restarts > 0 ? last : "")"),
                Span(flow.inputFraction.map { "   \(Figures.percent(fraction: $0)) of the input" } ?? ""),
            ], row: 3)
        var spans = [Span(" STATE ", .header), Span(job.stateInMemory.map { "\(Figures.bytes($0)) in memory" } ?? "its size in memory is not told")]
        if let mark = base.watermark { spans += [Span("   WM ", .header), Span("-\(Figures.age(mark.lag))", mark.role), Span(" at \(mark.place)", .textDim)] }
        canvas.line(spans, row: 4)
        canvas.line(
            [Span(" SEQ   ", .header)] + (base.auditSpans.isEmpty ? [Span("records carry no sequence numbers", .textDim)] : base.auditSpans), row: 5)
        for (row, part) in [(0, \.flow), (1, \.flow), (2, \.flow), (3, \.state), (4, \.flow)] as [(Int, ContextState.Part)] {
            base.markAge(part, row: row, from: 7, &canvas)
        }
    }

    private func budget(_ canvas: inout Canvas) {
        let budget = job.budget
        let columns = canvas.size.columns
        func line(_ name: SafeText, _ text: SafeText, _ role: StyleRole = .text, row: Int) {
            canvas.line([Span(SafeText(" \(name)").padded(12), .header), Span(text, role)], row: row)
        }
        if budget.source == .unknown {
            line("counted", "not known yet", .textDim, row: 0)
        } else if let tolerable = budget.tolerable {
            let role: StyleRole = budget.isExhausted ? .severityCrit : budget.counted > 0 ? .severityWarn : .severityOK
            line("counted", "\(Figures.counted(budget)) / \(tolerable)", role, row: 0)
            canvas.bar(
                tolerable == 0 ? (budget.counted > 0 ? 1 : 0) : Double(budget.counted) / Double(tolerable), column: 22, row: 0, columns: columns - 24,
                role: role)
        } else {
            line("counted", "failures are not counted for this job", row: 0)
        }
        line("source", Figures.source(budget), row: 1)
        line("reset by", "the next completed checkpoint", row: 2)
        line("cumulative", "\(budget.cumulative) of \(job.counts.total) since submit", row: 3)
        if let failed = job.latestFailed, let failure = failed.failure {
            line(
                "last",
                "#\(failed.id) \(failure.shortReason)\(failure.operatorUID.map { " \($0)" } ?? ""), \(failure.counted ? "counted" : "not counted")",
                row: 4)
        } else {
            line("last", budget.cumulative > 0 ? "older than the history" : "no failed checkpoint", row: 4)
        }
        if let flying = job.inProgress.first {
            let timeout = flying.timeoutAt - flying.triggeredAt
            line(
                "in flight",
                "#\(flying.id) at \(Figures.duration(base.knownUntil - flying.triggeredAt)) of \(Figures.setting(timeout)), \(flying.acknowledgedSubtasks)/\(flying.totalSubtasks) acked",
                row: 5)
        } else if let next = job.nextTriggerAt, next > base.knownUntil {
            line("next due", "in \(Figures.seconds(next - base.knownUntil))", row: 5)
        }
        for row in [0, 3, 4, 5] { base.markAge(\.checkpoints, row: row, from: 12, &canvas) }
    }

    /// One column pair a checkpoint, the newest at the right; height is the logarithm of the duration.
    private func strip(_ canvas: inout Canvas) {
        let capacity = (canvas.size.columns - 10) / 2
        let shown = base.memory.checkpoints.prefix(capacity).filter { $0.status != .inProgress }
        let durations = shown.compactMap { $0.duration?.count }.map { max($0, 1) }
        guard let longest = durations.max(), let shortest = durations.min() else {
            canvas.put(" no checkpoint has ended yet", column: 0, row: 1, role: .textDim)
            return
        }
        let steps = [shortest, shortest * 3 < longest ? Self.middle(shortest, longest) : longest, longest]
        canvas.put(Figures.duration(Milliseconds(longest)).padded(leading: 7), column: 0, row: 0, role: .textDim)
        canvas.put(Figures.duration(Milliseconds(shortest)).padded(leading: 7), column: 0, row: 2, role: .textDim)
        for (index, checkpoint) in shown.enumerated() {
            let duration = max(checkpoint.duration?.count ?? 1, 1)
            let height = checkpoint.status == .failed ? 3 : duration >= steps[2] && longest > shortest ? 3 : duration >= steps[1] ? 2 : 1
            let column = canvas.size.columns - 2 - index * 2
            for level in 0..<height {
                let isTop = level == height - 1
                let role = CheckpointTable.status(checkpoint).role
                let text: SafeText = checkpoint.status == .failed ? "!" : checkpoint.kind.isSavepoint && isTop ? "S" : isTop ? "." : ":"
                canvas.put(text, column: column, row: 2 - level, role: role)
            }
        }
    }

    /// The geometric mean of two durations.
    private static func middle(_ low: Int64, _ high: Int64) -> Int64 { Int64(clamping: (Double(low) * Double(high)).squareRoot()) }

    private var detailTitle: SafeText { model.selectedCheckpoint.map { "detail #\($0.id): slowest subtasks first" } ?? "detail" }

    private func detail(_ canvas: inout Canvas) {
        guard let checkpoint = model.selectedCheckpoint else { return }
        guard let operators = model.detail(checkpoint.id)?.operators else {
            canvas.put(" not known yet", column: 0, row: 0, role: .textDim)
            return
        }
        let rows = SubtaskTable.slowest(operators)
        let host = rows.prefix(4).compactMap(\.subtask.host).map { SafeText($0).columns + 3 }.max() ?? 0
        let isHosted = host > 0 && canvas.size.columns >= SubtaskTable.columns(named: 12) + host
        let names = min(max(12, canvas.size.columns - SubtaskTable.columns(named: 0) - (isHosted ? host : 0)), 32)
        SubtaskTable.header(row: 0, names: names, &canvas)
        for (index, row) in rows.prefix(4).enumerated() {
            SubtaskTable.row(row.subtask, operator: row.name, names: names, row: index + 1, &canvas)
            if isHosted, let host = row.subtask.host { canvas.put("@ \(host)", column: SubtaskTable.columns(named: names) + 1, row: index + 1, role: .textDim) }
        }
        canvas.put(" \(SubtaskTable.commonFactor(rows))", column: 0, row: 5, role: .textStrong)
    }

    private func failures(_ canvas: inout Canvas) {
        let rows = model.failureRows
        if rows.isEmpty { canvas.put(" none known", column: 0, row: 0, role: .textDim) }
        for (index, row) in rows.prefix(6).enumerated() { base.failureLine(row, row: index, &canvas) }
    }

    private func operations(_ canvas: inout Canvas) {
        let all = model.shown.operations
        let flying = all.filter(\.isInFlight)
        if let first = flying.first {
            canvas.put(
                " \(Figures.plural(flying.count, "operation")) under way: \(first.progress(at: model.shownAt))", column: 0, row: 0, role: .severityRun
            )
        } else if let last = all.first {
            let time = Figures.moment(last.since, now: model.shownAt, offset: model.options.utcOffsetSeconds)
            canvas.line(
                [
                    Span(" none running.  last: \(time) \(last.request.by) \(last.verb) "), Span("\(last.stage.rawValue) ", last.severity.role),
                    Span("\(last.result)  op \(last.id.short)"),
                ], row: 0)
        } else {
            canvas.put(" none", column: 0, row: 0, role: .textDim)
        }
    }

    private var replayTitle: SafeText {
        guard let newest = Condition.newestRestorable(job) else { return "replay point" }
        return "replay point: newest usable #\(newest.id), \(Figures.age(base.time - (newest.endedAt ?? newest.triggeredAt))) old"
    }

    private func replay(_ canvas: inout Canvas) {
        guard let newest = Condition.newestRestorable(job) else {
            canvas.put(" nothing to go back to: a failure now would start from the beginning", column: 0, row: 0, role: .severityWarn)
            return
        }
        let check = PreflightCheck(job: job, context: base.context, memory: base.memory, operations: [], now: model.shownAt)
        let catchUp = check.catchUp(since: newest).map { "; \($0)" } ?? ""
        canvas.fitting([Span(" if the job fails now it restarts from #\(newest.id) and reads again \(check.replay(since: newest))\(catchUp)")], row: 0)
    }
}

/// Subtasks of a checkpoint with their phases.
enum SubtaskTable {
    struct Row {
        var name: SafeText
        var subtask: SubtaskCheckpointReport
    }

    /// Those that have not acknowledged first, then by the sum of their phases.
    static func slowest(_ operators: [OperatorCheckpointReport]) -> [Row] {
        let rows = operators.flatMap { part in part.subtasks.map { Row(name: SafeText(part.name), subtask: $0) } }
        return rows.sorted { left, right in
            let late = (left.subtask.acknowledgedAt == nil, right.subtask.acknowledgedAt == nil)
            return late.0 == late.1 ? PhaseSpan.total(left.subtask) > PhaseSpan.total(right.subtask) : late.0
        }
    }

    /// Columns of a phase: narrow beside the names of operators.
    private static func phaseColumns(withOperator: Bool) -> Int { withOperator ? 7 : 9 }

    /// Columns of a row with names of operators of so many columns.
    static func columns(named names: Int) -> Int { 1 + names + 4 + 4 * phaseColumns(withOperator: true) + 9 + 6 }

    /// - Parameter names: columns of the names of operators; nil = there are none.
    static func header(row: Int, names: Int?, _ canvas: inout Canvas) {
        var text: SafeText = names.map { " \(SafeText("OPERATOR").padded($0)) SUB" } ?? "   SUB"
        for name in ["DELAY", "ALIGN", "SYNC", "ASYNC"] as [SafeText] { text = text + name.padded(leading: phaseColumns(withOperator: names != nil)) }
        canvas.put(text + "     SIZE  STATE", column: 0, row: row, role: .header)
    }

    static func row(_ subtask: SubtaskCheckpointReport, operator name: SafeText?, names: Int = 12, row: Int, _ canvas: inout Canvas) {
        let index = SafeText("\(subtask.index)").padded(leading: 3)
        let isDone = subtask.acknowledgedAt != nil
        var column = canvas.put(name.map { " \($0.prefix(columns: names, ending: "~").padded(names)) \(index)" } ?? "   \(index)", column: 0, row: row)
        for phase in PhaseSpan.all(subtask) {
            let isKnown = isDone || phase.microseconds > 0
            let text = isKnown ? Figures.duration(microseconds: phase.microseconds) : "-"
            column += canvas.put(text.padded(leading: phaseColumns(withOperator: name != nil)), column: column, row: row, role: phase.role)
        }
        column += canvas.put(Figures.bytes(subtask.stateSize).padded(leading: 9), column: column, row: row)
        canvas.put(isDone ? "ok" : "late", column: column + 2, row: row, role: isDone ? .checkpointOK : .checkpointFailed)
    }

    /// What the slowest subtasks have in common, in words.
    static func commonFactor(_ rows: [Row]) -> SafeText {
        let late = rows.filter { $0.subtask.acknowledgedAt == nil }
        let group = late.count > 1 ? late : Array(rows.prefix(3))
        guard let first = group.first, group.count > 1 else { return "" }
        let what: SafeText = late.count > 1 ? "all \(late.count) late" : "slowest"
        var facts: [String] = []
        if let host = first.subtask.host, group.allSatisfy({ $0.subtask.host == host }) { facts.append("on host \(SafeText(host))") }
        if group.allSatisfy({ $0.name == first.name }) { facts.append("in \(first.name)") }
        var byPhase: [Int64] = [0, 0, 0, 0]
        for row in group { for (index, phase) in PhaseSpan.all(row.subtask).enumerated() { byPhase[index] += phase.microseconds >> 4 } }
        let total = byPhase.reduce(0, +)
        let names = ["start delay", "alignment", "sync part", "async part"]
        if let most = byPhase.indices.max(by: { byPhase[$0] < byPhase[$1] }), total > 0, byPhase[most] * 2 > total {
            facts.append("mostly \(names[most])")
        }
        return facts.isEmpty ? "common factor: none" : "common factor: \(what) \(facts.joined(separator: ", "))"
    }
}
