import CellGrid
import StreamModel

/// All jobs of all contexts, the worst first; the trend of the selected one; what operators did last.
struct OverviewScreen {
    let model: ConsoleModel

    private enum Part { case title, list, job, trend, operations, footer }

    /// Too few rows for the actions of operators.
    static func isShort(_ size: Size) -> Bool { size.rows < 24 }

    func draw(_ canvas: inout Canvas) {
        let rows = model.overviewRows
        let cursor = rows.firstIndex { $0.id == model.cursors.overview } ?? 0
        Chrome(model).plainTitle(counts(rows), &canvas)
        let key = rows.indices.contains(cursor) ? rows[cursor].key : nil
        let job = key.flatMap { model.shown.context($0.context)?.job($0.job) }
        let stack = RowStack<Part>(
            rows: canvas.size.rows,
            [
                (.title, .fixed(1)), (.list, .rest),
                // A rule, a header, and the longer of the two lists.
                (.job, .either(job.map { SelectedJobPanel.rows($0, columns: canvas.size.columns) } ?? 0, or: 0, leaving: max(2 * rows.count + 4, 12))),
                (.trend, Self.isShort(canvas.size) ? .either(6, or: 4, leaving: 12) : .either(8, or: 6, leaving: 14)),
                (.operations, Self.isShort(canvas.size) ? .fixed(0) : .either(canvas.size.rows >= 48 ? 12 : 7, or: 4, leaving: 22)),
                (.footer, .fixed(Chrome.footerRows(canvas.size.rows))),
            ])
        canvas.inside(stack[.list]) { table(rows, cursor, &$0) }
        if let key, let job { canvas.inside(stack[.job]) { SelectedJobPanel(model: model, key: key, job: job).draw(&$0) } }
        if rows.indices.contains(cursor) { canvas.inside(stack[.trend]) { trend(rows[cursor], &$0) } }
        canvas.inside(stack[.operations]) { recent(&$0) }
        Chrome(model).footer(&canvas)
    }

    private func counts(_ rows: [OverviewRow]) -> SafeText {
        let contexts = model.shown.contexts
        let down = model.shown.downContexts
        var worst: Milliseconds?
        for context in contexts where model.size.columns >= 80 {
            if case .up(let roundTrip?) = context.link { worst = max(worst ?? 0, roundTrip) }
        }
        let downText: SafeText = down > 0 ? ", \(down) down" : ""
        let jobs = model.overviewCounts(rows).text(model.theme.mark)
        return "contexts \(contexts.count)\(downText)   \(jobs)\(worst.map { "   worst rtt \(Figures.duration($0))" } ?? "")"
    }

    // MARK: List

    private struct Layout {
        let context: Int?, contextColumns: Int, badge: Int?, link: Int?, reported: Int?, job: Int, jobColumns: Int, state: Int, stateColumns: Int
        let rateEnd: Int?, age: Int, duration: Int?, fail: Int, failColumns: Int, restarts: Int?, condition: Int?

        /// Columns of a name that is not cut everywhere, and of the condition before a long name takes more.
        private static let nameColumns = 13, conditionColumns = 50
        /// Fewer columns say nothing of a condition.
        private static let leastConditionColumns = 18

        /// - Parameters:
        ///   - names: columns of the longest name.
        ///   - hasContexts: jobs of more than one context are listed.
        ///   - hidden: what the operator does not want; a narrow window has no more than it needs.
        init(columns: Int, names: Int, hasContexts: Bool, hidden: Set<OverviewColumn>) {
            let spare = max(0, columns - 80), needed = max(names - Self.nameColumns, 0)
            contextColumns = columns >= 90 ? 8 : 7
            guard columns >= 80 else {
                context = hasContexts ? 3 : nil
                (badge, link, reported, rateEnd, duration, restarts) = (nil, nil, nil, nil, nil, nil)
                job = hasContexts ? 4 + contextColumns : 3
                jobColumns = min(max(names, 8), Self.nameColumns + (columns - 60) / 2)
                state = job + jobColumns + 1
                stateColumns = columns >= 70 ? 10 : 8
                age = state + stateColumns + 2
                fail = age + 9
                failColumns = 6
                condition = fail + failColumns + 1
                return
            }
            func shows(_ column: OverviewColumn) -> Bool { !hidden.contains(column) }
            // The class of a context is always told.
            context = shows(.context) ? 3 : nil
            let badge = shows(.context) ? 4 + contextColumns : 3
            self.badge = badge
            link = shows(.link) ? badge + 3 : nil
            // How old the report is has a column of its own where there is room; else it takes the place of the round trip once it is old.
            let behindLink = badge + 3 + (shows(.link) ? 9 : 0)
            reported = columns >= 90 && shows(.report) ? behindLink : nil
            job = behindLink + (reported == nil ? 0 : 8)
            stateColumns = 10
            let least = Self.nameColumns + min(max(spare - 8, 0) / 3, 10, needed)
            // State and rate, age, duration, failures, restarts.
            let behindName = (shows(.rate) ? 20 : 12) + 9 + (shows(.duration) ? 6 : 0) + (shows(.restarts) ? 10 : 7)
            let room = columns - (job + least + 1 + behindName)
            let hasCondition = shows(.condition) && (columns >= 110 || !hidden.isEmpty && room >= Self.leastConditionColumns)
            let free = hasCondition ? room - Self.conditionColumns : hidden.isEmpty ? 0 : room + (shows(.restarts) ? 2 : 1)
            jobColumns = least + min(max(free, 0), max(names - least, 0))
            state = job + jobColumns + 1
            rateEnd = shows(.rate) ? state + 18 : nil
            age = state + (shows(.rate) ? 20 : 12)
            duration = shows(.duration) ? age + 9 : nil
            fail = age + 9 + (shows(.duration) ? 6 : 0)
            failColumns = 6
            // Ends before this column.
            restarts = shows(.restarts) ? fail + 8 : nil
            condition = hasCondition ? fail + (shows(.restarts) ? 10 : 7) : nil
        }
    }

    private func table(_ rows: [OverviewRow], _ cursor: Int, _ canvas: inout Canvas) {
        canvas.rule(
            "\(model.options.keyMap.title(.overview, "overview"))\(model.listNote(.overview))", row: 0,
            note: rows.count > canvas.size.rows - 2 ? "\(cursor + 1) of \(rows.count)" : "", isFocused: model.focusedPane == .list)
        let layout = Layout(
            columns: canvas.size.columns, names: rows.lazy.map { SafeText($0.jobName).columns }.max() ?? 0, hasContexts: model.shown.contexts.count > 1,
            hidden: model.options.hiddenColumns)
        let names = names(rows, columns: layout.jobColumns)
        let columns: [(Int?, SafeText, String)] = [
            (layout.context, "CONTEXT", "context"), (layout.link, "LINK", "link"), (layout.job, "JOB", "job"), (layout.state, "STATE", "state"),
            (layout.age, "CKPT-AGE", "age"), (layout.duration, "DUR", "duration"), (layout.fail, "FAIL", "failures"),
        ]
        canvas.header(columns.compactMap { column, name, field in column.map { ($0, name, field) } }, of: .overview, model)
        if let reported = layout.reported { canvas.put("REPORT", column: reported, row: 1, role: .header) }
        if let restarts = layout.restarts { canvas.put("RST", endingAt: restarts, row: 1, role: model.headerRole(.overview, "restarts")) }
        if let rate = layout.rateEnd { canvas.put("IN/s", endingAt: rate, row: 1, role: model.headerRole(.overview, "in")) }
        if let condition = layout.condition { canvas.put("CONDITION", column: condition, row: 1, role: model.headerRole(.overview, "condition")) }
        if rows.isEmpty { canvas.put("no job matches the filter; \(model.options.keyMap.label(.back)) clears it", column: 3, row: 2, role: .textDim) }
        canvas.list(
            rows.count, cursor: cursor, from: 2, lines: { lines(rows[$0], layout) },
            { draw(rows[$0], named: names[rows[$0].id] ?? "", row: $1, lines: $2, layout, &$3) })
    }

    private func text(_ row: OverviewRow) -> SafeText { row.condition.text(at: model.shownAt, keys: model.options.keyMap) }

    private func lines(_ row: OverviewRow, _ layout: Layout) -> Int {
        guard let column = row.id.job == nil ? layout.job : layout.condition else { return 1 }
        return Canvas.lines(text(row), column: column, end: model.wrapEnd)
    }

    /// The names as they fit. Where two of a context would read the same, the digits of the id tell them apart.
    private func names(_ rows: [OverviewRow], columns: Int) -> [OverviewRow.ID: SafeText] {
        struct Place: Hashable { var context: String, name: SafeText }
        var places: [Place: [OverviewRow.ID]] = [:]
        for row in rows where row.id.job != nil {
            places[Place(context: row.id.context, name: SafeText(row.jobName).middle(columns: columns)), default: []].append(row.id)
        }
        var names: [OverviewRow.ID: SafeText] = [:]
        for (place, ids) in places {
            for id in ids {
                guard ids.count > 1, let job = id.job else {
                    names[id] = place.name
                    continue
                }
                let digits: SafeText = " \(String(job.description.prefix(4)))"
                names[id] = place.name.middle(columns: columns - digits.columns) + digits
            }
        }
        return names
    }

    private func draw(_ row: OverviewRow, named name: SafeText, row line: Int, lines: Int, _ layout: Layout, _ canvas: inout Canvas) {
        guard let context = model.shown.context(row.id.context) else { return }
        let (tag, tagRole) = Chrome.shortBadge(context.description.class)
        if let column = layout.context {
            canvas.put(
                SafeText(context.name).prefix(columns: layout.contextColumns, ending: .cut), column: column, row: line,
                role: layout.badge == nil ? tagRole : .text)
        }
        if let badge = layout.badge { canvas.put(tag, column: badge, row: line, role: tagRole) }
        if let column = layout.link { link(context, row: line, column: column, layout, &canvas) }
        guard let id = row.id.job, let job = context.job(id) else {
            let text = row.condition == .fine ? "no jobs" : text(row)
            canvas.put(
                text, column: layout.job, row: line, lines: lines, end: model.wrapEnd,
                role: row.condition.severity == .ok ? .textDim : row.condition.severity.role)
            return
        }
        let isStale = context.isStale(at: model.shownAt)
        canvas.put(
            name, column: layout.job, row: line, role: isStale ? .textStale : .titleJob)
        canvas.put(
            SafeText(job.stateText).prefix(columns: layout.stateColumns, ending: .cut), column: layout.state, row: line,
            role: isStale ? .textStale : Chrome(model).stateRole(job.state))
        let rate = Figures.rate(job.throughput.recordsReadPerSecond)
        let isOldFlow = isStale || context.oldAge(of: \.flow, job, at: model.shownAt) != nil
        let isOld = isStale || context.oldAge(of: \.checkpoints, job, at: model.shownAt) != nil
        if let end = layout.rateEnd { canvas.put("\(isOldFlow ? "~" : "")\(rate)", endingAt: end, row: line, role: isOldFlow ? .textStale : .text) }
        age(job, context, row: line, layout, isStale: isOld, &canvas)
        if isOld, !isStale || layout.link == nil { canvas.put("~", column: layout.age - 1, row: line, role: .textStale) }
        failures(job, row: line, layout, isStale: isOld, &canvas)
        if let column = layout.condition {
            canvas.put(text(row), column: column, row: line, lines: lines, end: model.wrapEnd, role: isStale ? .textStale : row.condition.severity.role)
        }
    }

    /// The failure budget and the restarts.
    private func failures(_ job: JobReport, row: Int, _ layout: Layout, isStale: Bool, _ canvas: inout Canvas) {
        let budget = job.budget, isExhausted = budget.isExhausted && !job.state.isTerminal
        var columns = layout.failColumns
        if let end = layout.restarts {
            let restarts: SafeText = job.restarts > 999 ? ">1k" : "\(job.restarts)"
            canvas.put(restarts, endingAt: end, row: row, role: isStale ? .textStale : job.restarts > 0 ? .severityWarn : .text)
            columns = end - layout.fail - restarts.columns - 1
        }
        let used = "\(Figures.used(budget))\(isExhausted ? "!" : "")" as SafeText
        let role: StyleRole = isExhausted ? .severityCrit : budget.counted > 0 ? .severityWarn : .text
        canvas.put(
            used.prefix(columns: columns, ending: .cut), column: layout.fail, row: row,
            role: isStale ? .textStale : role)
    }

    private func link(_ context: ContextState, row: Int, column: Int, _ layout: Layout, _ canvas: inout Canvas) {
        let (role, text): (StyleRole, SafeText) =
            switch context.link {
            case .connecting: (.linkStale, "")
            case .down: (.linkDown, "down")
            case .up(let roundTrip):
                context.age(at: model.shownAt).map { $0 > ContextState.freshness } ?? false
                    ? (.linkStale, layout.reported == nil ? context.age(at: model.shownAt).map { Figures.age($0) } ?? "" : "stale")
                    : (.linkOK, roundTrip.map { Figures.duration($0) } ?? "")
            }
        canvas.line([Span(model.theme.mark(role), role), Span(" "), Span(text, role)], row: row, column: column)
        guard let reported = layout.reported, let age = context.age(at: model.shownAt) else { return }
        // The age of what is fresh would only flicker.
        let isOld = age > ContextState.freshness
        canvas.put(isOld ? Figures.age(age) : "now", column: reported, row: row, role: isOld ? .linkStale : .textDim)
    }

    private func age(_ job: JobReport, _ context: ContextState, row: Int, _ layout: Layout, isStale: Bool, _ canvas: inout Canvas) {
        let time = context.engineTime(at: model.shownAt)
        let way = WayBack.of(job, in: context)
        if let newest = way?.own {
            let age = time - (newest.endedAt ?? newest.triggeredAt)
            let isOld = age > context.thresholds.oldCheckpoint(job.configuration.interval ?? .minutes(10))
            // A job that has ended takes no more: its newest is neither in time nor late.
            let role: StyleRole = job.state.isTerminal ? .text : isOld ? .severityWarn : .severityOK
            let mark: SafeText = job.state.isTerminal ? "- " : model.theme.mark(role)
            canvas.line([Span(mark, isStale ? .textStale : role), Span(" \(Figures.age(age))", isStale ? .textStale : .text)], row: row, column: layout.age)
            guard let column = layout.duration else { return }
            canvas.put(job.inProgress.isEmpty ? newest.duration.map { Figures.duration($0) } ?? "-" : "run", column: column, row: row)
        } else {
            let isExpected = job.configuration.interval != nil
            let role: StyleRole = isExpected ? .severityUnknown : .text
            var spans = [Span(isExpected ? model.theme.mark(role) : "-", isStale ? .textStale : role)]
            // The snapshot that it came from is at least that old.
            if let way { spans.append(Span(" >\(Figures.age(max(0, time - way.since)))", isStale ? .textStale : .text)) }
            canvas.line(spans, row: row, column: layout.age)
            if let column = layout.duration { canvas.put(job.inProgress.isEmpty ? "-" : "run", column: column, row: row) }
        }
    }

    // MARK: Below

    /// Room for the largest value at the right of a trend.
    private static let maximumColumns = 11

    private func trend(_ row: OverviewRow, _ canvas: inout Canvas) {
        guard let key = row.key, let context = model.shown.context(key.context), let job = context.job(key.job) else {
            canvas.rule("trend", row: 0)
            return problem(of: row, &canvas)
        }
        let memory = model.shown.memory(key)
        // An hour once there is more than the 4 minutes of fine samples: a trend is what moves slowly.
        let span: SampleSpan = memory.sampleCount > SampleSpan.samplesMax ? .coarse : .fine
        let seconds = span.step.count / 1000 * Int64(canvas.glyphs.samplesPerCell)
        let columns = canvas.size.columns - 20 - Self.maximumColumns
        let reach = Figures.age(Milliseconds(Int64(columns) * seconds * 1000))
        let metrics: [(SafeText, Metric)] =
            switch canvas.size.rows {
            case 7...: [("in/s", .read), ("out/s", .written), ("dur", .checkpointDuration), ("fail", .counted)]
            case 6: [("in/s", .read), ("dur", .checkpointDuration)]
            default: []
            }
        canvas.rule(
            metrics.isEmpty ? "\(job.name) \(context.name)" : "trend: \(job.name) \(context.name)", row: 0,
            note: metrics.isEmpty ? "" : "\(reach), one cell is \(seconds) s", isFocused: model.focusedPane == .trend)
        for (line, (name, metric)) in metrics.enumerated() {
            canvas.line(
                [Span(" \(name.padded(6))", .header), Span(metric.text(metric.value(job)).padded(leading: 7), .textStrong)], row: line + 1)
            let trend = canvas.sparkline(memory.samples(metric, span), columns: columns)
            trend.draw(column: 17, row: line + 1, &canvas)
            if let maximum = trend.maximum {
                canvas.put("max \(metric.text(maximum))", endingAt: canvas.size.columns - 1, row: line + 1, role: .textDim)
            }
        }
        problem(row, job, context, from: metrics.count + 1, &canvas)
    }

    /// What is wrong with the selected job, what to do, and its exactly-once accounting.
    private func problem(_ row: OverviewRow, _ job: JobReport, _ context: ContextState, from below: Int, _ canvas: inout Canvas) {
        let next = model.nextStep(row)
        let rest = (next.isEmpty ? 0 : 1) + (job.audit == nil || below == 1 ? 0 : 1)
        let lines = nowLines(row, job, context, columns: canvas.size.columns - 8, lines: canvas.size.rows - below - rest > 1 ? 2 : 1)
        var line = below
        for (index, text) in lines.enumerated() {
            canvas.line([Span(index == 0 ? " now   " : "       ", .header), Span(text, row.condition.severity.role)], row: line)
            line += 1
        }
        if !next.isEmpty {
            canvas.fitting([Span(" next  ", .header)] + next.spans(model.options.keyMap), row: line)
            line += 1
        }
        if let audit = job.audit {
            canvas.line(
                [
                    Span(" seq   ", .header),
                    Span(
                        "verified \(Figures.count(audit.verified))  duplicates \(audit.duplicates)  lost \(audit.lost)",
                        audit.duplicates + audit.lost == 0 ? .text : .severityCrit),
                ], row: line)
        }
    }

    /// What is wrong with a context that has no job to show, and what to do.
    private func problem(of row: OverviewRow, _ canvas: inout Canvas) {
        let text = row.condition.text(at: model.shownAt, keys: model.options.keyMap)
        guard !text.isEmpty else { return }
        canvas.fitting([Span(" now   ", .header), Span(text, row.condition.severity.role)], row: 1)
        let next = model.nextStep(row)
        if !next.isEmpty { canvas.fitting([Span(" next  ", .header)] + next.spans(model.options.keyMap), row: 2) }
    }

    /// The condition, and a possible cause that it does not name where there is room for it.
    private func nowLines(_ row: OverviewRow, _ job: JobReport, _ context: ContextState, columns: Int, lines most: Int) -> [SafeText] {
        let condition = row.condition.text(at: model.shownAt, keys: model.options.keyMap)
        if condition.isEmpty { return ["no problem"] }
        guard let suspect = row.condition.cause(of: job, in: context, at: model.shownAt)?.text else { return wrapped(condition, columns: columns, lines: most) }
        if condition.columns + suspect.columns + 2 <= columns { return ["\(condition)  \(suspect)"] }
        if most == 1 { return wrapped(condition, columns: columns, lines: 1) }
        return [condition, suspect].map { $0.prefix(columns: columns, ending: .cut) }
    }

    private func recent(_ canvas: inout Canvas) {
        let operations = model.shown.operations
        canvas.rule("recent operator actions, all contexts", row: 0, isFocused: model.focusedPane == .operations)
        if operations.isEmpty { canvas.put(" none", column: 0, row: 1, role: .textDim) }
        // A job that was ended and not launched again comes first, whatever was done since.
        var row = 1
        for context in model.shown.contexts {
            for job in context.report?.jobs ?? [] {
                guard context.brokenRestart(of: job) != nil, row < canvas.size.rows - 1 else { continue }
                let condition = Condition.of(job, in: context, at: model.shownAt)
                canvas.put(
                    " \(model.theme.mark(.severityCrit)) \(condition.text(at: model.shownAt, keys: model.options.keyMap))", column: 0, row: row,
                    role: .severityCrit)
                row += 1
            }
        }
        for context in model.shown.contexts {
            for upgrade in context.upgradesWithoutJob where row < canvas.size.rows - 1 {
                canvas.put(
                    " \(model.theme.mark(upgrade.severity.role)) \(upgrade.upgrade.jobName): \(upgrade.text)", column: 0, row: row,
                    role: upgrade.severity.role)
                row += 1
            }
        }
        for operation in operations.prefix(max(0, canvas.size.rows - row)) {
            OperationsScreen(model: model).line(operation, row: row, &canvas)
            row += 1
        }
    }
}
