import CellGrid
import StreamModel

/// The Job screen from 120x40: panels for the budget, a strip of durations, the phases of the slowest subtasks, the last operation
/// and the cost of a failure now.
struct WideJobScreen {
    let facts: JobFacts
    private var model: ConsoleModel { facts.model }
    private var job: JobReport { facts.job }

    init(_ facts: JobFacts) { self.facts = facts }

    static func fits(_ size: Size) -> Bool { size.columns >= 120 && size.rows >= 40 }

    private enum Part {
        case title, condition, next, top, vitals, strip, stripRule, list, detailRule, detail, operationsRule, operations, replayRule, replay, bottom, footer
    }

    private static func stack(_ rows: Int, condition: Int = 1, next: Int = 0) -> RowStack<Part> {
        RowStack(
            rows: rows,
            [
                (.title, .fixed(1)), (.condition, .fixed(condition)), (.next, .fixed(next)), (.top, .fixed(1)), (.vitals, .fixed(6)),
                (.stripRule, .fixed(1)), (.strip, .fixed(3)), (.list, .rest),
                (.detailRule, .fixed(1)), (.detail, .fixed(6)), (.operationsRule, .fixed(1)), (.operations, .fixed(1)), (.replayRule, .fixed(1)),
                (.replay, .fixed(1)),
                (.bottom, .fixed(1)), (.footer, .fixed(Chrome.footerRows(rows))),
            ])
    }

    /// Rows of the checkpoint list, without its rule.
    static func listRows(_ size: Size) -> Int { max(1, stack(size.rows)[.list].count - 1) }

    /// The column of the line between the left and the right panels.
    private static func middle(_ columns: Int) -> Int { columns * 8 / 15 }

    func draw(_ canvas: inout Canvas) {
        let next = facts.nextStep
        let stack = Self.stack(canvas.size.rows, condition: facts.conditionRows(canvas.size.columns), next: next.isEmpty ? 0 : 1)
        let split = Self.middle(canvas.size.columns), keys = model.options.keyMap
        let last = canvas.size.columns - 1
        Chrome(model).jobTitle(&canvas)
        canvas.inside(stack[.condition]) { facts.condition(&$0) }
        if !next.isEmpty { canvas.inside(stack[.next]) { facts.draw(next, &$0) } }
        canvas.box(CellRect(column: 0, row: stack[.top].lowerBound, columns: last + 1, rows: stack[.bottom].upperBound - stack[.top].lowerBound))
        let left = 1..<split, right = split + 1..<last, whole = 1..<last
        rule(stack[.top], "vitals", split: split, .teeTop, isFrame: true, &canvas)
        title(stack[.top], "failure budget", split: split, &canvas)
        panel(left, stack[.vitals], &canvas, vitals)
        vertical(stack[.vitals], column: split, &canvas)
        panel(right, stack[.vitals], &canvas, budget)
        rule(stack[.stripRule], keys.title(.checkpoints, "checkpoints: recent durations, log scale, S savepoint, ! failed"), split: split, .teeBottom, &canvas)
        panel(whole, stack[.strip], &canvas, strip)
        // The table brings its own rule; the frame's sides are drawn over its ends.
        panel(whole, stack[.list], &canvas) { inner in
            CheckpointTable(model, job: job, at: facts.knownUntil).draw(&inner, title: "list", isStale: facts.isStale || facts.hasOldCheckpoints)
        }
        ends(stack[.list].lowerBound, &canvas)
        rule(stack[.detailRule], detailTitle, split: split, .teeTop, &canvas)
        title(stack[.detailRule], keys.title(.failures, "failures"), split: split, &canvas)
        panel(left, stack[.detail], &canvas, detail)
        vertical(stack[.detail], column: split, &canvas)
        panel(right, stack[.detail], &canvas, failures)
        rule(stack[.operationsRule], keys.title(.operations, "operations"), split: split, .teeBottom, &canvas)
        if let suspect = facts.homelessSuspect(last + 1) {
            canvas.put(
                " \(suspect.prefix(columns: last - 23, ending: .cut)) ", endingAt: last - 1, row: stack[.operationsRule].lowerBound, role: .severityWarn)
        }
        panel(whole, stack[.operations], &canvas, operations)
        rule(stack[.replayRule], replayTitle, split: split, nil, &canvas)
        panel(whole, stack[.replay], &canvas, replay)
        if facts.isStale {
            canvas.restyle(
                CellRect(column: 1, row: stack[.vitals].lowerBound, columns: last - 1, rows: stack[.bottom].lowerBound - stack[.vitals].lowerBound),
                role: .textStale)
        }
        Chrome(model).footer(&canvas)
    }

    // MARK: Frame

    private func panel(_ columns: Range<Int>, _ rows: Range<Int>, _ canvas: inout Canvas, _ draw: (inout Canvas) -> Void) {
        canvas.inside(CellRect(column: columns.lowerBound, row: rows.lowerBound, columns: columns.count, rows: rows.count), draw)
    }

    /// A line across the frame with a title at its left; `joint` is how the middle line meets it.
    private func rule(_ rows: Range<Int>, _ name: SafeText, split: Int, _ joint: GlyphProfile.Line?, isFrame: Bool = false, _ canvas: inout Canvas) {
        let row = rows.lowerBound
        if !isFrame {
            canvas.horizontalLine(row: row)
            ends(row, &canvas)
        }
        if let joint { canvas.put(glyph: canvas.glyphs.line(joint), column: split, row: row, role: .border) }
        canvas.put("[\(name)]", column: 2, row: row, role: .header)
    }

    private func title(_ rows: Range<Int>, _ name: SafeText, split: Int, _ canvas: inout Canvas) {
        canvas.put("[\(name)]", column: split + 2, row: rows.lowerBound, role: .header)
    }

    /// Where a line meets the sides of the frame.
    private func ends(_ row: Int, _ canvas: inout Canvas) {
        canvas.put(glyph: canvas.glyphs.line(.teeLeft), column: 0, row: row, role: .border)
        canvas.put(glyph: canvas.glyphs.line(.teeRight), column: canvas.size.columns - 1, row: row, role: .border)
    }

    private func vertical(_ rows: Range<Int>, column: Int, _ canvas: inout Canvas) {
        for row in rows { canvas.put(glyph: canvas.glyphs.line(.vertical), column: column, row: row, role: .border) }
    }

    // MARK: Panels

    private func vitals(_ canvas: inout Canvas) {
        flow(facts.input, "read", row: 0, &canvas)
        flow(facts.output, "written", row: 1, &canvas)
        let pressure = facts.backPressure
        let place: SafeText = pressure?.place.map { " at \($0.prefix(columns: 24, ending: .cut))" } ?? ""
        canvas.line(
            [
                Span(" BUSY  ", .header), Span((facts.busy ?? "-").padded(5)), Span("  BACKPR ", .header),
                Span("\(pressure?.share ?? "-")\(place)", pressure?.role ?? .text),
            ], row: 2)
        canvas.line(
            [
                Span(" TASKS ", .header), Span("\(job.runningSubtasks)/\(job.totalSubtasks) running   \(facts.restarts)"),
                Span(facts.inputFraction.map { "   \($0)" } ?? ""),
            ], row: 3)
        var spans = [Span(" STATE ", .header), Span(job.stateInMemory.map { "\(Figures.bytes($0)) in memory" } ?? "size in memory not reported")]
        if let mark = facts.watermark { spans += [Span("   WM ", .header), Span("-\(Figures.age(mark.lag))", mark.role), Span(" at \(mark.place)", .textDim)] }
        canvas.line(spans, row: 4)
        canvas.line(
            [Span(" SEQ   ", .header)] + (facts.auditSpans.isEmpty ? [Span("records carry no sequence numbers", .textDim)] : facts.auditSpans), row: 5)
        for (row, part) in [(0, \.flow), (1, \.flow), (2, \.flow), (3, \.state), (4, \.flow)] as [(Int, ContextState.Part)] {
            facts.markAge(part, row: row, from: 7, &canvas)
        }
    }

    /// Room for the scale of a trend.
    private static let noteColumns = 18

    private func flow(_ flow: JobFacts.Flow, _ verb: SafeText, row: Int, _ canvas: inout Canvas) {
        canvas.line([Span(SafeText(" \(flow.name)").padded(7), .header), Span(flow.rate.padded(leading: 6), .textStrong), Span(" rec/s  ")], row: row)
        canvas.put("\(flow.total) \(verb)\(flow.since)", column: 21, row: row)
        let start = 35 + flow.since.columns
        let room = canvas.size.columns - start - 2
        // A trend that is still wide enough beside its scale.
        let note = room >= 45 ? Self.noteColumns : 0
        let trend = canvas.sparkline((flow.samples, facts.memory.sampleCount), columns: max(8, room - note))
        trend.draw(column: start, row: row, &canvas)
        if note > 0 { canvas.put(trend.note(columns: note) { Figures.count($0) }, endingAt: canvas.size.columns - 1, row: row, role: .textDim) }
    }

    private func budget(_ canvas: inout Canvas) {
        let budget = job.budget
        let columns = canvas.size.columns
        func line(_ name: SafeText, _ text: SafeText, _ role: StyleRole = .text, row: Int) {
            canvas.line([Span(SafeText(" \(name)").padded(12), .header), Span(text, role)], row: row)
        }
        if budget.source == .unknown {
            line("counted", "not known yet", .textDim, row: 0)
        } else if let tolerable = budget.tolerable, let fraction = facts.budgetFraction {
            line("counted", "\(Figures.counted(budget)) / \(tolerable)", facts.budgetRole, row: 0)
            canvas.bar(fraction, column: 22, row: 0, columns: columns - 24, role: facts.budgetRole)
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
        if let flight = facts.flight {
            line("in flight", "#\(flight.id) at \(flight.used) of \(flight.timeout), \(flight.acknowledged) acked", row: 5)
        } else if let next = facts.nextTrigger {
            line("next due", "in \(next)", row: 5)
        }
        for row in [0, 3, 4, 5] { facts.markAge(\.checkpoints, row: row, from: 12, &canvas) }
    }

    /// One column pair a checkpoint, the newest at the right; height is the logarithm of the duration.
    private func strip(_ canvas: inout Canvas) {
        let capacity = (canvas.size.columns - 10) / 2
        let shown = facts.memory.checkpoints.prefix(capacity).filter { $0.status != .inProgress }
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
        for (index, row) in rows.prefix(6).enumerated() { facts.failureLine(row, row: index, &canvas) }
    }

    private func operations(_ canvas: inout Canvas) {
        let all = model.shown.operations
        let flying = all.filter(\.isInFlight)
        if let first = flying.first {
            canvas.put(
                " \(Figures.plural(flying.count, "operation")) in progress: \(first.progress(at: model.shownAt))", column: 0, row: 0, role: .severityRun
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
        guard let (newest, age) = facts.newestRestorable else { return "replay point" }
        return "replay point: newest usable #\(newest.id), \(age) old"
    }

    private func replay(_ canvas: inout Canvas) {
        guard let (newest, _) = facts.newestRestorable else {
            let words: SafeText =
                WayBack.of(job, in: facts.context).map { "none of its own yet: a failure now \($0.originWords)" }
                ?? job.unusableNewest(in: facts.context).map {
                    "#\($0.id) is \($0.verdict.rawValue), nothing else to restore: a failure now restarts from the beginning"
                }
                ?? "nothing to restore: a failure now restarts from the beginning"
            canvas.fitting([Span(" \(words)", .severityWarn)], row: 0)
            return
        }
        let check = PreflightCheck(job: job, context: facts.context, memory: facts.memory, operations: [], now: model.shownAt)
        let catchUp = check.catchUp(since: newest).map { "; \($0)" } ?? ""
        canvas.fitting([Span(" a failure now restarts from #\(newest.id) and reads again \(check.replay(since: newest))\(catchUp)")], row: 0)
    }
}
