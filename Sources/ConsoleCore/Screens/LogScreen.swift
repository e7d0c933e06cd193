import CellGrid
import StreamModel

/// The log of an engine of ours: of one job, or whole. The newest line is last, and stays in sight until another one is chosen.
struct LogScreen {
    let model: ConsoleModel
    let scope: LogScope

    func draw(_ canvas: inout Canvas) {
        switch scope {
        case .job: Chrome(model).jobTitle(&canvas)
        case .engine(let name): Chrome(model).plainTitle("log  \(SafeText(name))", &canvas)
        }
        canvas.inside(RowStack.list(canvas.size.rows)[.list]) { list(&$0) }
        Chrome(model).footer(&canvas)
    }

    /// Where the columns begin: the narrow window shows what a line is about in its text alone.
    private struct Places {
        var level = 13, subject: Int?, job: Int?, text: Int

        init(columns: Int, withJob: Bool) {
            subject = columns >= 80 ? 19 : nil
            job = withJob && columns >= 100 ? 31 : nil
            text = job != nil ? 48 : subject != nil ? 31 : 19
        }
    }

    private var showsJobs: Bool { scope != .job }

    private func list(_ canvas: inout Canvas) {
        let rows = model.logRows, cursor = model.logPosition.index, keys = model.options.keyMap
        canvas.rule("\(keys.title(.log, "log"))\(model.listNote(.log))", row: 0, note: note(rows.count), isFocused: true)
        let places = Places(columns: canvas.size.columns, withJob: showsJobs)
        canvas.header(
            [(3, "WHEN", "when"), (places.level, "LEVEL", "level")] + (places.subject.map { [($0, "ABOUT", "about")] } ?? [])
                + (places.job.map { [($0, "JOB", "job")] } ?? []) + [(places.text, "MESSAGE", "message")], of: .log, model)
        guard !rows.isEmpty else { return _ = canvas.put("   \(emptyWords)", column: 0, row: 2, role: .textDim) }
        let room = canvas.size.rows - 2, end = model.hiddenColumns > 0 ? Int.max : canvas.size.columns
        func lines(_ index: Int) -> [SafeText] {
            let text = text(rows[index], places)
            guard end != .max else { return [text] }
            let lines = wrapped(text, columns: max(8, end - places.text - 1), lines: min(Self.linesMax, max(1, room)))
            return lines.isEmpty ? [text] : lines
        }
        var row = 2
        for index in textWindow(count: rows.count, cursor: cursor, rows: room, height: { lines($0).count }) {
            let parts = lines(index), entry = rows[index], role = Self.role(entry.level)
            for line in row..<row + parts.count { canvas.target(row: line, index: index) }
            canvas.put(
                Figures.moment(entry.at, now: model.wall(model.shownAt), offset: model.options.utcOffsetSeconds), column: 3, row: row, role: .textDim,
                columns: 9)
            canvas.put(Self.word(entry.level), column: places.level, row: row, role: role)
            if let column = places.subject { canvas.put(SafeText(entry.subject.rawValue), column: column, row: row, role: .textDim, columns: 11) }
            if let column = places.job {
                canvas.put(SafeText(entry.jobName ?? "-").middle(columns: places.text - column - 1), column: column, row: row, role: .textStrong)
            }
            for (offset, part) in parts.enumerated() {
                canvas.put(part, column: places.text, row: row + offset, role: entry.level == .info ? .text : role)
            }
            if index == cursor {
                canvas.put(">", column: 0, row: row, role: .mark)
                canvas.overlay(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: parts.count), role: .select)
            }
            row += parts.count
        }
    }

    /// A longer text ends with a mark; the whole is copied, or scrolled sideways.
    private static let linesMax = 8

    private func text(_ entry: EngineLogEntry, _ places: Places) -> SafeText {
        let message = SafeText(entry.message, limit: 4000)
        guard showsJobs, places.job == nil, let job = entry.jobName else { return message }
        return "\(SafeText(job)): \(message)"
    }

    private func note(_ count: Int) -> SafeText {
        let keys = model.options.keyMap
        let follows: SafeText =
            model.listViews[.log].order != nil ? "" : model.cursors.log == nil ? ", newest last" : ", \(keys.label(.last)) follows the newest"
        return "\(Figures.plural(count, "line"))\(follows)"
    }

    private var emptyWords: SafeText {
        let context = model.logContext.flatMap { model.shown.context($0) }
        if model.listViews[.log].filter != nil { return "none matches the filter; \(model.options.keyMap.label(.back)) clears it" }
        guard let context, context.log.isLoaded else { return context?.link.isUp == true ? "asking the engine" : "no link: nothing is known of its log" }
        return scope == .job ? "nothing about this job; \(model.options.keyMap.label(.log)) shows the whole log" : "the log is empty"
    }

    private static func word(_ level: EngineLogEntry.Level) -> SafeText {
        switch level {
        case .info: "info"
        case .warning: "WARN"
        case .error: "ERROR"
        }
    }

    private static func role(_ level: EngineLogEntry.Level) -> StyleRole {
        switch level {
        case .info: .textDim
        case .warning: .severityWarn
        case .error: .severityCrit
        }
    }
}

/// The rows of a list whose texts have different heights that fit around the cursor: those before it up to the middle, as many as possible after it, and
/// more before it where few are left. The row of the cursor is always one of them.
func textWindow(count: Int, cursor: Int, rows: Int, height: (Int) -> Int) -> Range<Int> {
    guard rows > 0, (0..<count).contains(cursor) else { return 0..<0 }
    var first = cursor, end = cursor + 1, used = height(cursor)
    func growUp(to limit: Int) {
        while first > 0 {
            let next = height(first - 1)
            guard used + next <= limit else { return }
            (first, used) = (first - 1, used + next)
        }
    }
    func growDown() {
        while end < count {
            let next = height(end)
            guard used + next <= rows else { return }
            (end, used) = (end + 1, used + next)
        }
    }
    growUp(to: max(used, rows / 2))
    growDown()
    growUp(to: rows)
    return first..<end
}
