import CellGrid
import StreamModel

/// All jobs of all contexts, the worst first; the trend of the selected one; what operators did last.
struct OverviewScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        let rows = model.overviewRows
        let cursor = rows.firstIndex { $0.id == model.cursors.overview } ?? 0
        Chrome(model).plainTitle(counts(rows), &canvas)
        let body = canvas.size.rows - 1 - Chrome.footerRows
        let operations = canvas.size.rows >= 40 ? 6 : 3
        let trend = canvas.size.rows >= 30 ? 7 : canvas.size.rows >= 24 ? 5 : 0
        let list = max(3, body - operations - trend - 1)
        canvas.inside(CellRect(column: 0, row: 1, columns: canvas.size.columns, rows: list)) { table(rows, cursor, &$0) }
        if trend > 0, rows.indices.contains(cursor) {
            canvas.inside(CellRect(column: 0, row: 1 + list, columns: canvas.size.columns, rows: trend)) { self.trend(rows[cursor], &$0) }
        }
        let top = 1 + list + trend
        canvas.inside(CellRect(column: 0, row: top, columns: canvas.size.columns, rows: operations + 1)) { recent(&$0) }
        Chrome(model).footer(&canvas)
    }

    private func counts(_ rows: [OverviewRow]) -> SafeText {
        let jobs = rows.filter { $0.key != nil }
        let bad = jobs.count { $0.condition.severity >= .warn }
        let stale = jobs.count { if case .stale = $0.condition { true } else { false } }
        let fine = jobs.count - bad - stale
        var worst: Milliseconds?
        for context in model.shown.contexts {
            if case .up(let roundTrip?) = context.link { worst = max(worst ?? 0, roundTrip) }
        }
        let mark = model.theme.mark
        let staleText = stale > 0 ? "  \(stale) \(mark(.linkStale))" : ""
        return
            "contexts \(model.shown.contexts.count)   jobs \(jobs.count): \(fine) \(mark(.severityOK))  \(bad) \(mark(.severityWarn))\(staleText)\(worst.map { "   worst rtt \(Figures.duration($0))" } ?? "")"
    }

    // MARK: List

    private struct Layout {
        let context = 3, link: Int, reported: Int?, job: Int, jobColumns: Int, state: Int, rateEnd: Int, age: Int, duration: Int, fail: Int, condition: Int?

        init(columns: Int) {
            let spare = max(0, columns - 80)
            link = 15
            // How old the report is has a column of its own where there is room; else it takes the place of the round trip once it is old.
            reported = columns >= 90 ? 24 : nil
            job = reported == nil ? 24 : 32
            jobColumns = 15 + min(max(spare - 8, 0) / 3, 14)
            state = job + jobColumns + 1
            rateEnd = state + 12 + 7
            age = rateEnd + 2
            duration = age + 9
            fail = duration + 6
            condition = columns >= 110 ? fail + 8 : nil
        }
    }

    private func table(_ rows: [OverviewRow], _ cursor: Int, _ canvas: inout Canvas) {
        canvas.rule(
            "\(model.options.keyMap.title(.overview, "overview"))\(model.listNote(.overview))", row: 0, note: rows.count > canvas.size.rows - 2 ? "\(cursor + 1) of \(rows.count)" : "", isFocused: model.focusedPane == .list)
        let layout = Layout(columns: canvas.size.columns)
        canvas.header(
            [
                (layout.context, "CONTEXT", "context"), (layout.link, "LINK", "link"), (layout.job, "JOB", "job"), (layout.state, "STATE", "state"),
                (layout.age, "CKPT-AGE", "age"), (layout.duration, "DUR", "duration"), (layout.fail, "FAIL", "failures"),
            ], of: .overview, model)
        if let reported = layout.reported { canvas.put("REPORT", column: reported, row: 1, role: .header) }
        canvas.put("IN/s", endingAt: layout.rateEnd, row: 1, role: model.headerRole(.overview, "in"))
        if let condition = layout.condition { canvas.put("CONDITION", column: condition, row: 1, role: model.headerRole(.overview, "condition")) }
        if rows.isEmpty { canvas.put("no job matches the filter; \(model.options.keyMap.label(.back)) clears it", column: 3, row: 2, role: .textDim) }
        canvas.list(rows.count, cursor: cursor, from: 2) { index, row, canvas in draw(rows[index], row: row, layout, &canvas) }
    }

    private func draw(_ row: OverviewRow, row line: Int, _ layout: Layout, _ canvas: inout Canvas) {
        guard let context = model.shown.context(row.id.context) else { return }
        canvas.put(SafeText(context.name).prefix(columns: 8, ending: "~"), column: layout.context, row: line)
        let (tag, tagRole) = Chrome.shortBadge(context.description.class)
        canvas.put(tag, column: layout.context + 9, row: line, role: tagRole)
        link(context, row: line, layout, &canvas)
        guard let id = row.id.job, let job = context.job(id) else {
            let text = row.condition == .fine ? "no jobs" : row.condition.text(at: model.shownAt, keys: model.options.keyMap)
            canvas.put(text, column: layout.job, row: line, role: row.condition.severity == .ok ? .textDim : row.condition.severity.role)
            return
        }
        let isStale = context.isStale(at: model.shownAt)
        canvas.put(
            SafeText(job.name).prefix(columns: layout.jobColumns, ending: "~"), column: layout.job, row: line, role: isStale ? .textStale : .titleJob)
        canvas.put(SafeText(job.stateText, limit: 10), column: layout.state, row: line, role: isStale ? .textStale : Chrome(model).stateRole(job.state))
        // Of what has not been asked for yet nothing is claimed.
        let rate = job.freshness.map { $0.flow == nil } == true ? "-" : Figures.count(job.throughput.recordsReadPerSecond)
        let isOldFlow = isStale || context.oldAge(of: \.flow, job, at: model.shownAt) != nil
        let isOld = isStale || context.oldAge(of: \.checkpoints, job, at: model.shownAt) != nil
        canvas.put("\(isOldFlow ? "~" : "")\(rate)", endingAt: layout.rateEnd, row: line, role: isOldFlow ? .textStale : .text)
        age(job, context, row: line, layout, isStale: isOld, &canvas)
        if isOld, !isStale { canvas.put("~", column: layout.age - 1, row: line, role: .textStale) }
        let budget = job.budget
        let failRole: StyleRole = budget.isExhausted ? .severityCrit : budget.counted > 0 ? .severityWarn : .text
        canvas.put(
            "\(Figures.used(budget))\(budget.isExhausted ? "!" : "")", column: layout.fail, row: line, role: isOld ? .textStale : failRole)
        if let column = layout.condition {
            canvas.put(row.condition.text(at: model.shownAt, keys: model.options.keyMap), column: column, row: line, role: isStale ? .textStale : row.condition.severity.role)
        }
    }

    private func link(_ context: ContextState, row: Int, _ layout: Layout, _ canvas: inout Canvas) {
        let (role, text): (StyleRole, SafeText) =
            switch context.link {
            case .connecting: (.linkStale, "")
            case .down: (.linkDown, "down")
            case .up(let roundTrip):
                context.age(at: model.shownAt).map { $0 > ContextState.freshness } ?? false
                    ? (.linkStale, layout.reported == nil ? context.age(at: model.shownAt).map { Figures.age($0) } ?? "" : "stale")
                    : (.linkOK, roundTrip.map { Figures.duration($0) } ?? "")
            }
        canvas.line([Span(model.theme.mark(role), role), Span(" "), Span(text, role)], row: row, column: layout.link)
        guard let reported = layout.reported, let age = context.age(at: model.shownAt) else { return }
        // The age of what is fresh would only flicker.
        let isOld = age > ContextState.freshness
        canvas.put(isOld ? Figures.age(age) : "now", column: reported, row: row, role: isOld ? .linkStale : .textDim)
    }

    private func age(_ job: JobReport, _ context: ContextState, row: Int, _ layout: Layout, isStale: Bool, _ canvas: inout Canvas) {
        let time = context.engineTime(at: model.shownAt)
        if let newest = Condition.newestRestorable(job) {
            let age = time - (newest.endedAt ?? newest.triggeredAt)
            let limit = (job.configuration.interval ?? .minutes(10)).count * 3
            let role: StyleRole = job.state == .running && age.count > max(limit, 10_000) ? .severityWarn : .severityOK
            canvas.line(
                [Span(model.theme.mark(role), isStale ? .textStale : role), Span(" \(Figures.age(age))", isStale ? .textStale : .text)], row: row,
                column: layout.age)
            canvas.put(job.inProgress.isEmpty ? newest.duration.map { Figures.duration($0) } ?? "-" : "run", column: layout.duration, row: row)
        } else {
            let isExpected = job.configuration.interval != nil
            let role: StyleRole = isExpected ? .severityUnknown : .text
            canvas.line([Span(isExpected ? model.theme.mark(role) : "-", isStale ? .textStale : role)], row: row, column: layout.age)
            canvas.put(job.inProgress.isEmpty ? "-" : "run", column: layout.duration, row: row)
        }
    }

    // MARK: Below

    private func trend(_ row: OverviewRow, _ canvas: inout Canvas) {
        guard let key = row.key, let context = model.shown.context(key.context), let job = context.job(key.job) else {
            canvas.rule("trend", row: 0)
            return
        }
        let memory = model.shown.memory(key)
        // An hour once there is more than the 4 minutes of fine samples: a trend is what moves slowly.
        let span: SampleSpan = memory.sampleCount > SampleSpan.samplesMax ? .coarse : .fine
        let seconds = span.step.count / 1000 * Int64(canvas.glyphs.samplesPerCell)
        canvas.rule("trend: \(job.name) \(context.name)", row: 0, note: "one cell is \(seconds) s", isFocused: model.focusedPane == .trend)
        let columns = canvas.size.columns - 20
        let metrics: [(SafeText, Metric)] =
            canvas.size.rows >= 7
            ? [("in/s", .read), ("out/s", .written), ("dur", .checkpointDuration), ("fail", .counted)]
            : [("in/s", .read), ("dur", .checkpointDuration)]
        for (line, (name, metric)) in metrics.enumerated() {
            canvas.line(
                [Span(" \(name.padded(6))", .header), Span(metric.text(metric.value(job)).padded(leading: 7), .textStrong)], row: line + 1)
            let samples = memory.samples(metric, span)
            canvas.sparkline(samples.values, count: samples.count, column: 17, row: line + 1, columns: columns)
        }
        let below = metrics.count + 1
        let condition = row.condition.text(at: model.shownAt, keys: model.options.keyMap)
        canvas.line([Span(" now   ", .header), Span(condition.isEmpty ? "no complaint" : condition, row.condition.severity.role)], row: below)
        if let audit = job.audit {
            canvas.line(
                [
                    Span(" seq   ", .header),
                    Span(
                        "verified \(Figures.count(audit.verified))  duplicates \(audit.duplicates)  lost \(audit.lost)",
                        audit.duplicates + audit.lost == 0 ? .text : .severityCrit),
                ], row: below + 1)
        }
    }

    private func recent(_ canvas: inout Canvas) {
        let operations = model.shown.operations
        canvas.rule("recent operator actions, all contexts", row: 0, isFocused: model.focusedPane == .operations)
        if operations.isEmpty { canvas.put(" none", column: 0, row: 1, role: .textDim) }
        for (index, operation) in operations.prefix(canvas.size.rows - 1).enumerated() {
            OperationsScreen(model: model).line(operation, row: index + 1, &canvas)
        }
    }
}
