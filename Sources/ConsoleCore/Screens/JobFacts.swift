import CellGrid
import StreamModel

/// A job as screens show it: what is known of it, how old that is, and its vitals. Screens differ in where they put them.
struct JobFacts {
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

    /// Checkpoint data is old, though the report is not.
    var hasOldCheckpoints: Bool { context.oldAge(of: \.checkpoints, job, at: model.shownAt) != nil }
    var isStale: Bool { context.isStale(at: model.shownAt) }
    /// The engine's clock now, for ages.
    var time: WallTime { context.engineTime(at: model.shownAt) }
    /// The engine's clock up to which things are known, for what runs.
    var knownUntil: WallTime { isStale ? context.report?.at ?? time : time }

    // MARK: Condition

    private var condition: Condition { .of(job, in: context, at: model.shownAt) }

    /// Columns before the text of the condition.
    private static let conditionColumn = 4

    /// Columns of the condition's first row: the key of the screen that tells more stands at its end.
    private func room(_ condition: Condition, _ columns: Int) -> Int {
        let key = condition.screenKey(model.options.keyMap)
        return columns - Self.conditionColumn - 1 - (key.isEmpty ? 0 : key.columns + 1)
    }

    /// Rows that the whole text of the condition takes, two at most.
    func conditionRows(_ columns: Int) -> Int {
        let condition = condition
        return condition.text(at: model.shownAt, keys: model.options.keyMap).columns > room(condition, columns) ? 2 : 1
    }

    /// Draws the condition, in as many rows as the canvas has for it.
    func condition(_ canvas: inout Canvas) {
        let condition = condition
        let text = condition.text(at: model.shownAt, keys: model.options.keyMap)
        guard !text.isEmpty else { return }
        let role = condition.severity.role, room = room(condition, canvas.size.columns)
        let lines = wrapped(text, columns: room, lines: canvas.size.rows)
        canvas.line([Span(" "), Span(model.theme.mark(role), role)], row: 0)
        for (row, line) in lines.enumerated() { canvas.put(line, column: Self.conditionColumn, row: row, role: role) }
        let column = Self.conditionColumn + text.columns
        if let suspect = suspect(beside: condition), column + suspect.columns + 2 <= room + Self.conditionColumn {
            canvas.put("  \(suspect)", column: column, row: 0, role: .severityWarn)
        }
        canvas.put(condition.screenKey(model.options.keyMap), endingAt: canvas.size.columns - 1, row: 0, role: .hintKey)
    }

    /// What to do about the condition.
    var nextStep: NextStep { model.nextStep(JobKey(context: context.name, job: job.id)) }

    func draw(_ next: NextStep, _ canvas: inout Canvas) {
        canvas.fitting([Span(" Next: ", .header)] + next.spans(model.options.keyMap), row: 0)
    }

    private func suspect(beside condition: Condition) -> SafeText? { condition.cause(of: job, in: context, at: model.shownAt)?.text }

    /// The suspect, where the row of the condition has no room for it.
    func homelessSuspect(_ columns: Int) -> SafeText? {
        let condition = condition
        guard let suspect = suspect(beside: condition) else { return nil }
        let text = condition.text(at: model.shownAt, keys: model.options.keyMap)
        return text.columns + suspect.columns + 2 <= room(condition, columns) ? nil : suspect
    }

    // MARK: Vitals

    var budgetRole: StyleRole { job.budget.isExhausted ? .severityCrit : job.budget.counted > 0 ? .severityWarn : .severityOK }

    /// The part of the tolerable failures that is used; nil = failures are not counted.
    var budgetFraction: Double? {
        job.budget.tolerable.map { tolerable in tolerable == 0 ? (job.budget.counted > 0 ? 1 : 0) : Double(job.budget.counted) / Double(tolerable) }
    }

    struct Flight {
        let id: CheckpointID
        let used, timeout, acknowledged: SafeText
    }

    /// The checkpoint that runs.
    var flight: Flight? {
        job.inProgress.first.map { checkpoint in
            Flight(
                id: checkpoint.id, used: Figures.duration(knownUntil - checkpoint.triggeredAt),
                timeout: Figures.setting(checkpoint.timeoutAt - checkpoint.triggeredAt),
                acknowledged: "\(checkpoint.acknowledgedSubtasks)/\(checkpoint.totalSubtasks)")
        }
    }

    /// Until the next checkpoint is due.
    var nextTrigger: SafeText? { job.nextTriggerAt.flatMap { $0 > knownUntil ? Figures.seconds($0 - knownUntil) : nil } }

    /// The newest checkpoint that can be restored, and its age.
    var newestRestorable: (checkpoint: CheckpointReport, age: SafeText)? {
        Condition.newestRestorable(job, in: context).map { ($0, Figures.age(time - ($0.endedAt ?? $0.triggeredAt))) }
    }

    /// Words for a job without a restorable checkpoint of its own.
    var withoutOwn: SafeText {
        if let way = WayBack.of(job, in: context) { return "none of its own: \(way.originWords)" }
        return job.unusableNewest(in: context).map { "none restorable: #\($0.id) is \($0.verdict.rawValue)" } ?? "none restorable"
    }

    /// Of the completed checkpoints that are known; nil below three.
    var percentiles: (p50: SafeText, p99: SafeText)? {
        let durations = memory.checkpoints.prefix(100).filter { $0.status == .completed && $0.kind == .checkpoint }.compactMap(\.duration).sorted()
        guard durations.count >= 3 else { return nil }
        func at(_ part: Double) -> SafeText { Figures.duration(durations[min(Int(clamping: Double(durations.count) * part), durations.count - 1)]) }
        return (at(0.5), at(0.99))
    }

    struct Flow {
        let name, rate, total: SafeText
        /// From when the total counts, where that is not the start of the job.
        let since: SafeText
        let samples: [Float]
    }

    /// A job's counters began anew with the restore by this process of its engine.
    private var since: SafeText {
        guard let engine = context.report?.engine, job.restarts == 0, job.isRestored(by: engine) else { return "" }
        return " since the restore"
    }

    /// A count of nothing that was not measured either is none.
    private func total(_ count: UInt64, _ rate: Double?) -> SafeText { count == 0 && rate == nil ? "-" : Figures.count(count) }

    var input: Flow {
        Flow(
            name: "IN", rate: Figures.rate(job.throughput.recordsReadPerSecond), total: total(job.throughput.recordsRead, job.throughput.recordsReadPerSecond),
            since: since, samples: memory.samples(.read).values)
    }

    var output: Flow {
        Flow(
            name: "OUT", rate: Figures.rate(job.throughput.recordsWrittenPerSecond),
            total: total(job.throughput.recordsWritten, job.throughput.recordsWrittenPerSecond),
            since: since, samples: memory.samples(.written).values)
    }

    /// "40% of the input", where the input has an end.
    var inputFraction: SafeText? { job.throughput.inputFraction.map { "\(Figures.percent(fraction: $0)) of the input" } }

    /// The busiest vertex.
    var busy: SafeText? { job.vertices.compactMap(\.busyPermille).max().map { Figures.percent(permille: $0) } }

    /// The vertex under the most back pressure; its name only where that is worth a look.
    var backPressure: (share: SafeText, place: SafeText?, role: StyleRole)? {
        guard let pressed = job.mostBackPressured, let permille = pressed.backPressuredPermille else { return nil }
        return (Figures.percent(permille: permille), permille >= 100 ? SafeText(pressed.name) : nil, permille >= 500 ? .severityWarn : .text)
    }

    /// "restarts 3 (5m ago)".
    var restarts: SafeText {
        let last = job.restarts > 0 ? job.lastFailure.map { " (\(Figures.age(time - $0.at)) ago)" } ?? "" : ""
        return "restarts \(job.restarts)\(last)"
    }

    /// How far event time is behind, at the vertex where it is worst; nil without watermarks.
    var watermark: (lag: Milliseconds, place: SafeText, role: StyleRole)? {
        guard let worst = job.vertices.filter({ $0.watermarkLag != nil }).max(by: { ($0.watermarkLag ?? 0) < ($1.watermarkLag ?? 0) }),
            let lag = worst.watermarkLag
        else { return nil }
        return (lag, SafeText(worst.name).prefix(columns: 24, ending: .cut), lag > .minutes(5) ? .severityWarn : .text)
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

    func failureLine(_ failure: FailureRow, row: Int, _ canvas: inout Canvas) {
        let fold: SafeText = failure.folded > 0 ? " [\(failure.folded) more folded]" : ""
        let time = Figures.moment(failure.at, now: self.time, offset: model.options.utcOffsetSeconds)
        let room = max(0, canvas.size.columns - 10 - fold.columns)
        let words: SafeText = "\(failure.subject): \(CauseFirst.words(failure.message.string))"
        canvas.line([Span(" \(time) ", .textDim), Span(words.prefix(columns: room, ending: .cut)), Span(fold, .textDim)], row: row)
    }
}
