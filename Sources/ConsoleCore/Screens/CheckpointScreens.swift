import CellGrid
import StreamModel

/// The whole list of a job's checkpoints.
struct CheckpointsScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        guard let key = model.currentJob, let context = model.shown.context(key.context) else { return Chrome(model).footer(&canvas) }
        let job = context.job(key.job)
        let isStale = context.isStale(at: model.shownAt)
        let time = isStale ? context.report?.at ?? model.shownAt : context.engineTime(at: model.shownAt)
        let stack = RowStack.list(canvas.size.rows, condition: 1, summary: 1)
        if let facts = JobFacts(model) { canvas.inside(stack[.condition]) { facts.condition(&$0) } }
        if let job { canvas.inside(stack[.summary]) { configuration(job, &$0) } }
        canvas.inside(stack[.list]) {
            CheckpointTable(model, job: job, at: time).draw(&$0, title: model.options.keyMap.title(.checkpoints, "checkpoints"), isStale: isStale)
        }
        if isStale { canvas.restyle(stack[.summary].lowerBound..<stack[.list].upperBound, role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    private func configuration(_ job: JobReport, _ canvas: inout Canvas) {
        let configuration = job.configuration
        let interval = configuration.interval.map { "every \(Figures.setting($0))" } ?? "on request only"
        let retention: SafeText =
            switch configuration.retention {
            case .none: "deleted when the job ends"
            case .deleteOnCancellation: "deleted on cancel"
            case .retainOnCancellation: "kept on cancel"
            }
        canvas.put(
            " \(interval), timeout \(Figures.setting(configuration.timeout)), pause \(Figures.setting(configuration.minimumPause)), \(configuration.mode == .exactlyOnce ? "exactly once" : "at least once"), keeps \(configuration.tells(.retainedCheckpoints) ? "\(configuration.retainedCheckpoints)" : "?"), \(retention)",
            column: 0, row: 0, role: .textDim)
    }
}

/// One checkpoint by operator, or one operator of it by subtask.
struct CheckpointDetailScreen {
    let model: ConsoleModel
    let id: CheckpointID
    /// uid of the operator whose subtasks are shown; nil = all operators.
    let uid: String?

    func draw(_ canvas: inout Canvas) {
        Chrome(model).jobTitle(&canvas)
        let stack = RowStack.list(canvas.size.rows, summary: Self.factRows)
        if let checkpoint = model.detail(id) {
            canvas.inside(stack[.summary]) { facts(checkpoint, &$0) }
            canvas.inside(stack[.list]) { inner in
                if let uid { subtasks(checkpoint, uid, &inner) } else { operators(checkpoint, &inner) }
            }
        } else {
            canvas.inside(stack[.summary]) { $0.put(" #\(id) is no longer known", column: 0, row: 1, role: .severityWarn) }
        }
        Chrome(model).footer(&canvas)
    }

    /// A rule, four facts, and the ledger's word or none.
    private static let factRows = 6

    /// The part of its state that an incremental checkpoint wrote.
    private func written(_ checkpoint: CheckpointReport) -> String {
        guard let size = checkpoint.checkpointedSize, size.count < checkpoint.stateSize.count else { return "" }
        return ", wrote \(Figures.bytes(size))"
    }

    private func facts(_ checkpoint: CheckpointReport, _ canvas: inout Canvas) {
        let offset = model.options.utcOffsetSeconds
        let remembered = model.remembered(checkpoint.id)
        let status = CheckpointTable.status(checkpoint, remembered: remembered)
        if let remembered {
            canvas.line(
                [
                    Span(" LEDGER    ", .header),
                    Span(
                        "\(remembered.fateWords); last seen in \(remembered.context) \(Figures.age(model.wall(model.shownAt) - remembered.lastSeenAt)) ago",
                        .textStale),
                ], row: 5)
        }
        canvas.rule("\(checkpoint.kind.isSavepoint ? "savepoint" : "checkpoint") #\(checkpoint.id)", row: 0)
        canvas.line(
            [
                Span(" STATUS    ", .header), Span(model.theme.mark(status.role), status.role), Span(" \(status.word)", status.role),
                Span(
                    "   acked \(checkpoint.acknowledgedSubtasks)/\(checkpoint.totalSubtasks)   kept \(CheckpointTable.kept(checkpoint, remembered: remembered))   \(Figures.bytes(checkpoint.stateSize))\(written(checkpoint))"
                ),
            ], row: 1)
        let ended = checkpoint.endedAt.map { "   ended \(Figures.clock($0, offset: offset))" } ?? ""
        canvas.line(
            [
                Span(" TRIGGER   ", .header),
                Span(
                    "\(Figures.clock(checkpoint.triggeredAt, offset: offset))\(ended)   took \(checkpoint.duration.map { Figures.duration($0) } ?? "-") of \(Figures.setting(checkpoint.timeoutAt - checkpoint.triggeredAt))\(checkpoint.requestedBy.map { "   by \($0)" } ?? "")"
                ),
            ], row: 2)
        canvas.line(
            [
                Span(" PATH      ", .header),
                Span(checkpoint.path.map { SafeText($0).middle(columns: canvas.size.columns - 12) } ?? "-"),
            ], row: 3)
        if let failure = checkpoint.failure {
            canvas.line(
                [
                    Span(" FAILURE   ", .header),
                    Span("\(failure.reasonName) (\(failure.counted ? "counted" : "not counted")): \(failure.message)", .checkpointFailed),
                ],
                row: 4)
        }
    }

    private func operators(_ checkpoint: CheckpointReport, _ canvas: inout Canvas) {
        canvas.rule("by operator, phases of the slowest subtask\(model.listNote(.operators))", row: 0)
        if model.remembered(id) != nil {
            canvas.put(" the engine no longer reports it, and the ledger keeps no operators", column: 0, row: 1, role: .textDim)
            return
        }
        guard checkpoint.operators != nil else {
            canvas.put(" waiting for the operators from the engine", column: 0, row: 1, role: .textDim)
            return
        }
        let operators = model.operatorRows(id)
        let names = Self.nameColumns(canvas)
        canvas.put(
            Self.isNarrow(canvas)
                ? "   OPERATOR          ACKED  DELAY  ALIGN   SYNC  ASYNC"
                : "   \(SafeText("OPERATOR").padded(names + 1))  PAR     ACKED     SIZE    DELAY    ALIGN     SYNC    ASYNC", column: 0, row: 1,
            role: model.listViews[.operators].order?.field == nil ? .header : .headerSort)
        let cursor = model.listPosition.index
        let slowest = SubtaskTable.slowest(checkpoint.operators ?? [])
        canvas.put(" \(SubtaskTable.commonFactor(slowest))", column: 0, row: canvas.size.rows - 1, role: .textStrong)
        canvas.list(operators.count, cursor: cursor, from: 2, leaving: 1) { index, place, canvas in row(operators[index], row: place, &canvas) }
    }

    private static func nameColumns(_ canvas: Canvas) -> Int { min(max(13, canvas.size.columns - 67), 60) }

    /// Without room for the parallelism and the size of an operator.
    private static func isNarrow(_ canvas: Canvas) -> Bool { canvas.size.columns < 80 }

    private func row(_ part: OperatorCheckpointReport, row: Int, _ canvas: inout Canvas) {
        let isDone = part.acknowledged == part.subtasks.count, isNarrow = Self.isNarrow(canvas)
        let names = Self.nameColumns(canvas)
        var column = canvas.put("   \(SafeText(part.name).prefix(columns: names, ending: .cut).padded(names + 1))", column: 0, row: row)
        if !isNarrow { column += canvas.put(SafeText("\(part.parallelism)").padded(leading: 5), column: column, row: row) }
        column += canvas.put(
            Figures.part(part.acknowledged, of: part.subtasks.count, columns: isNarrow ? 7 : 9).padded(leading: isNarrow ? 9 : 10), column: column, row: row,
            role: isDone ? .checkpointOK : .checkpointRun)
        if !isNarrow { column += canvas.put(Figures.bytes(part.stateSize).padded(leading: 9), column: column, row: row) }
        let phases = part.subtasks.map(PhaseSpan.all)
        for index in 0..<4 {
            let longest = phases.map { $0[index] }.max { $0.microseconds < $1.microseconds }
            guard let longest else { continue }
            column += canvas.put(
                Figures.duration(microseconds: longest.microseconds).padded(leading: isNarrow ? 7 : 9), column: column, row: row, role: longest.role)
        }
    }

    private func subtasks(_ checkpoint: CheckpointReport, _ uid: String, _ canvas: inout Canvas) {
        let rows = model.subtaskRows(id, uid)
        let part = checkpoint.operators?.first { $0.uid == uid }
        canvas.rule("by subtask: \(part?.name ?? uid)\(model.listNote(.subtasks))", row: 0, note: "\(part?.operatorID.short ?? "")")
        guard part != nil else {
            canvas.put(" operator \(uid) has no state in #\(id), or none is known yet", column: 0, row: 1, role: .textDim)
            return
        }
        SubtaskTable.header(row: 1, names: nil, &canvas)
        let cursor = model.listPosition.index
        canvas.list(rows.count, cursor: cursor, from: 2) { index, row, canvas in
            SubtaskTable.row(rows[index], operator: nil, row: row, &canvas)
            if let host = rows[index].host { canvas.put("@ \(host)", column: 64, row: row, role: .textDim, columns: 14) }
            if canvas.size.columns >= 98, let at = rows[index].acknowledgedAt {
                canvas.put("acked \(Figures.clock(at, offset: model.options.utcOffsetSeconds))", column: 80, row: row, role: .textDim)
            }
        }
    }
}
