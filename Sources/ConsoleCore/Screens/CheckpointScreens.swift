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
        if let screen = JobScreen(model) { screen.condition(row: 1, &canvas) }
        let body = CellRect(column: 0, row: 2, columns: canvas.size.columns, rows: canvas.size.rows - 2 - Chrome.footerRows)
        canvas.inside(body) { inner in
            if let job { configuration(job, row: 0, &inner) }
            inner.inside(CellRect(column: 0, row: 1, columns: inner.size.columns, rows: inner.size.rows - 1)) {
                CheckpointTable(model, job: job, at: time).draw(&$0, title: model.options.keyMap.title(.checkpoints, "checkpoints"), isStale: isStale)
            }
        }
        if isStale { canvas.restyle(body, role: .textStale) }
        Chrome(model).footer(&canvas)
    }

    private func configuration(_ job: JobReport, row: Int, _ canvas: inout Canvas) {
        let configuration = job.configuration
        let interval = configuration.interval.map { "every \(Figures.setting($0))" } ?? "on request only"
        let retention: SafeText =
            switch configuration.retention {
            case .none: "not kept after the end"
            case .deleteOnCancellation: "deleted on cancel"
            case .retainOnCancellation: "kept on cancel"
            }
        canvas.put(
            " \(interval), timeout \(Figures.setting(configuration.timeout)), pause \(Figures.setting(configuration.minimumPause)), \(configuration.mode == .exactlyOnce ? "exactly once" : "at least once"), keeps \(configuration.retainedCheckpoints), \(retention)",
            column: 0, row: row, role: .textDim)
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
        if let checkpoint = model.detail(id) {
            facts(checkpoint, &canvas)
            let top = 7
            let body = CellRect(column: 0, row: top, columns: canvas.size.columns, rows: canvas.size.rows - top - Chrome.footerRows)
            canvas.inside(body) { inner in
                if let uid { subtasks(checkpoint, uid, &inner) } else { operators(checkpoint, &inner) }
            }
        } else {
            canvas.put(" #\(id) is not known any more", column: 0, row: 2, role: .severityWarn)
        }
        Chrome(model).footer(&canvas)
    }

    /// What an incremental checkpoint wrote of its state.
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
                        "\(remembered.fateWords); seen in \(remembered.context), for the last time \(Figures.age(model.wall(model.shownAt) - remembered.lastSeenAt)) ago",
                        .textStale),
                ], row: 6)
        }
        canvas.rule("\(checkpoint.kind.isSavepoint ? "savepoint" : "checkpoint") #\(checkpoint.id)", row: 1)
        canvas.line(
            [
                Span(" STATUS    ", .header), Span(model.theme.mark(status.role), status.role), Span(" \(status.word)", status.role),
                Span(
                    "   acked \(checkpoint.acknowledgedSubtasks)/\(checkpoint.totalSubtasks)   kept \(CheckpointTable.kept(checkpoint, remembered: remembered))   \(Figures.bytes(checkpoint.stateSize))\(written(checkpoint))"
                ),
            ], row: 2)
        let ended = checkpoint.endedAt.map { "   ended \(Figures.clock($0, offset: offset))" } ?? ""
        canvas.line(
            [
                Span(" TRIGGER   ", .header),
                Span(
                    "\(Figures.clock(checkpoint.triggeredAt, offset: offset))\(ended)   took \(checkpoint.duration.map { Figures.duration($0) } ?? "-") of \(Figures.setting(checkpoint.timeoutAt - checkpoint.triggeredAt))\(checkpoint.requestedBy.map { "   by \($0)" } ?? "")"
                ),
            ], row: 3)
        canvas.line(
            [
                Span(" PATH      ", .header),
                Span(checkpoint.path.map { SafeText($0).suffix(columns: canvas.size.columns - 12, beginning: "...") } ?? "-"),
            ], row: 4)
        if let failure = checkpoint.failure {
            canvas.line(
                [
                    Span(" FAILURE   ", .header),
                    Span("\(failure.reasonName) (\(failure.counted ? "counted" : "not counted")): \(failure.message)", .checkpointFailed),
                ],
                row: 5)
        }
    }

    private func operators(_ checkpoint: CheckpointReport, _ canvas: inout Canvas) {
        canvas.rule("by operator, phases of the slowest subtask\(model.listNote(.operators))", row: 0)
        if model.remembered(id) != nil {
            canvas.put(" the engine does not tell of it any more, and the ledger keeps no operators", column: 0, row: 1, role: .textDim)
            return
        }
        guard checkpoint.operators != nil else {
            canvas.put(" asked the engine for the operators; no answer yet", column: 0, row: 1, role: .textDim)
            return
        }
        let operators = model.operatorRows(id)
        canvas.put(
            "   OPERATOR          PAR  ACKED     SIZE    DELAY    ALIGN     SYNC    ASYNC", column: 0, row: 1,
            role: model.orders[.operators]?.field == nil ? .header : .headerSort)
        let cursor = model.listPosition.index
        let slowest = SubtaskTable.slowest(checkpoint.operators ?? [])
        canvas.put(" \(SubtaskTable.commonFactor(slowest))", column: 0, row: canvas.size.rows - 1, role: .textStrong)
        canvas.list(operators.count, cursor: cursor, from: 2, leaving: 1) { index, place, canvas in row(operators[index], row: place, &canvas) }
    }

    private func row(_ part: OperatorCheckpointReport, row: Int, _ canvas: inout Canvas) {
        let isDone = part.acknowledged == part.subtasks.count
        var column = canvas.put("   \(SafeText(part.name).prefix(columns: 16, ending: "~").padded(17))", column: 0, row: row)
        column += canvas.put("\(SafeText("\(part.parallelism)").padded(leading: 4))", column: column, row: row)
        column += canvas.put(
            SafeText("\(part.acknowledged)/\(part.subtasks.count)").padded(leading: 7), column: column, row: row,
            role: isDone ? .checkpointOK : .checkpointRun)
        column += canvas.put(Figures.bytes(part.stateSize).padded(leading: 9), column: column, row: row)
        let phases = part.subtasks.map(PhaseSpan.all)
        for index in 0..<4 {
            let longest = phases.map { $0[index] }.max { $0.microseconds < $1.microseconds }
            guard let longest else { continue }
            column += canvas.put(
                Figures.duration(microseconds: longest.microseconds).padded(leading: 9), column: column, row: row, role: longest.role)
        }
    }

    private func subtasks(_ checkpoint: CheckpointReport, _ uid: String, _ canvas: inout Canvas) {
        let rows = model.subtaskRows(id, uid)
        let part = checkpoint.operators?.first { $0.uid == uid }
        canvas.rule("by subtask: \(part?.name ?? uid)\(model.listNote(.subtasks))", row: 0, note: "\(part?.operatorID.short ?? "")")
        guard part != nil else {
            canvas.put(" the operator \(uid) has no part in #\(id), or its part is not known yet", column: 0, row: 1, role: .textDim)
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
