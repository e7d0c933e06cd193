import CellGrid
import StreamModel

/// The list of a job's checkpoints, as the Job and the Checkpoints screens show it: a titled rule, a header and rows.
struct CheckpointTable {
    let model: ConsoleModel
    let job: JobReport?
    /// The engine's clock up to which things are known.
    let time: WallTime

    init(_ model: ConsoleModel, job: JobReport?, at time: WallTime) {
        self.model = model
        self.job = job
        self.time = time
    }

    /// Columns of the fields for a width.
    private struct Layout {
        let duration = 33
        let durationColumns: Int
        let phases: (column: Int, columns: Int)?
        /// The part of its size that an incremental checkpoint wrote; only where there is much room.
        let wroteEnd: Int?
        let sizeEnd, acknowledged: Int?
        let kept, cause: Int

        init(columns: Int) {
            if columns >= 98 {
                durationColumns = 9
                let wrote = columns >= 150 ? 10 : 0
                // Very long bars tell no more, the cause does.
                let room = min(max(columns - 96 - wrote, 18), 44)
                phases = (43, room)
                let after = 43 + room
                wroteEnd = wrote > 0 ? after + wrote : nil
                (sizeEnd, acknowledged, kept, cause) = (after + wrote + 9, after + wrote + 10, after + wrote + 18, after + wrote + 23)
            } else {
                durationColumns = 13
                phases = nil
                wroteEnd = nil
                (sizeEnd, acknowledged, kept, cause) = columns >= 80 ? (54, 55, 62, 67) : (nil, nil, 47, 52)
            }
        }
    }

    func draw(_ canvas: inout Canvas, title: SafeText, isStale: Bool) {
        let rows = model.checkpointRows
        let cursor = rows.firstIndex { $0.id == model.cursors.checkpoint } ?? 0
        let follows = model.cursors.checkpoint == nil && model.listViews[.checkpoints].order == nil ? "follow -- " : ""
        canvas.rule(
            "\(title)\(model.listNote(.checkpoints))\(isStale ? " ~" : "")", row: 0, note: "\(follows)\(count(rows.count))",
            isFocused: model.listKind == .checkpoints)
        let layout = Layout(columns: canvas.size.columns)
        header(layout, &canvas)
        let space = canvas.size.rows - 2
        if rows.isEmpty { canvas.put(emptyReason, column: 2, row: 2, role: .textDim) }
        let window = listWindow(count: rows.count, cursor: cursor, rows: space)
        let losses = model.losses
        for (line, index) in window.enumerated() {
            canvas.target(row: line + 2, index: index)
            draw(rows[index], row: line + 2, isSelected: index == cursor, losses, layout, &canvas)
            if index == cursor { canvas.overlay(CellRect(column: 0, row: line + 2, columns: canvas.size.columns, rows: 1), role: .select) }
        }
    }

    /// How many rows of how many: of those without the filter, or of all that the engine has counted where it lists fewer. The count of an engine
    /// that was started again is below that of the list. Rows that only the ledger remembers are counted apart.
    private func count(_ rows: Int) -> SafeText {
        guard let key = model.currentJob else { return "\(rows)" }
        if model.listViews[.checkpoints].filter != nil { return "\(rows) of \(model.knownCheckpoints(key).count)" }
        let past = model.past(HistoryScope(job: key.job.description))
        guard !past.rows.isEmpty, case let listed = model.shown.memory(key).checkpoints.count, listed < rows else {
            let total = job?.counts.total ?? rows
            return total > rows ? "\(rows) of \(total)" : "\(rows)"
        }
        return "\(listed) listed, \(rows - listed) remembered*"
    }

    private var emptyReason: SafeText {
        if model.listViews[.checkpoints].filter != nil { return "no checkpoint matches the filter; \(model.options.keyMap.label(.back)) clears it" }
        if let silence = job.flatMap({ Self.silence(of: $0) }) { return silence }
        if job?.configuration.interval == nil {
            return
                "no checkpoint yet; periodic checkpoints are off (\(model.options.keyMap.label(.checkpoint)) triggers one, \(model.options.keyMap.label(.savepoint)) takes a savepoint)"
        }
        return "no checkpoint yet"
    }

    /// Why an empty list does not mean that there are none; nil = it does.
    static func silence(of job: JobReport) -> SafeText? {
        if job.lacksCheckpointList == true, job.counts.total > 0 {
            return "\(job.counts.completed) completed and \(job.counts.failed) failed, says the cluster: it lists none of them"
        }
        guard let freshness = job.freshness else { return nil }
        guard freshness.checkpoints != nil else {
            return job.state.isTerminal ? "the cluster does not say which checkpoints it took" : "the cluster has not told its checkpoints yet"
        }
        return freshness.configuration == nil ? "no checkpoint yet; whether periodic checkpoints are on, the cluster has not told" : nil
    }

    private func header(_ layout: Layout, _ canvas: inout Canvas) {
        func role(_ field: String) -> StyleRole { model.headerRole(.checkpoints, field) }
        canvas.put(SafeText("ID").padded(leading: 6), column: 1, row: 1, role: role("id"))
        for (column, text, field) in [
            (8, "KIND", "kind"), (13, "STATUS", "status"), (24, "TRIGGER", "trigger"), (layout.duration, "DURATION", "duration"),
        ] as [(Int, SafeText, String)] {
            canvas.put(text, column: column, row: 1, role: role(field))
        }
        if let phases = layout.phases {
            canvas.put("d=delay a=align s=sync y=async", column: phases.column, row: 1, role: .header, columns: phases.columns)
        }
        if let wrote = layout.wroteEnd { canvas.put("WROTE", endingAt: wrote, row: 1, role: .header) }
        if let size = layout.sizeEnd { canvas.put("SIZE", endingAt: size, row: 1, role: role("size")) }
        if let acknowledged = layout.acknowledged { canvas.put("ACK", column: acknowledged, row: 1, role: role("ack")) }
        canvas.put("KEPT", column: layout.kept, row: 1, role: role("kept"))
        canvas.put("CAUSE", column: layout.cause, row: 1, role: role("cause"))
    }

    private func draw(_ checkpoint: CheckpointReport, row: Int, isSelected: Bool, _ losses: LossWords?, _ layout: Layout, _ canvas: inout Canvas) {
        let remembered = model.remembered(checkpoint.id)
        let status = Self.status(checkpoint, remembered: remembered)
        if isSelected { canvas.put(">", column: 0, row: row, role: .mark) }
        canvas.put(Self.number(checkpoint.id), column: 1, row: row, role: .text)
        if remembered != nil { canvas.put("*", column: 7, row: row, role: .textStale) }
        canvas.put(
            Self.kind(checkpoint), column: 8, row: row, role: checkpoint.kind.isSavepoint ? .checkpointSavepoint : .text)
        canvas.line([Span(model.theme.mark(status.role), status.role), Span(" "), Span(status.word, status.role)], row: row, column: 13)
        canvas.put(
            Figures.moment(checkpoint.triggeredAt, now: time, offset: model.options.utcOffsetSeconds), column: 24, row: row, columns: 9)
        duration(checkpoint, isOver: remembered != nil, row: row, layout, &canvas)
        if let phases = layout.phases { self.phases(checkpoint, column: phases.column, row: row, columns: phases.columns, &canvas) }
        if let end = layout.sizeEnd {
            canvas.put(checkpoint.stateSize.count == 0 && checkpoint.status != .completed ? "-" : Figures.bytes(checkpoint.stateSize), endingAt: end, row: row)
        }
        if let wrote = layout.wroteEnd { canvas.put(checkpoint.checkpointedSize.map { Figures.bytes($0) } ?? "-", endingAt: wrote, row: row) }
        if let column = layout.acknowledged {
            canvas.put(
                Figures.part(checkpoint.acknowledgedSubtasks, of: checkpoint.totalSubtasks, columns: layout.kept - column - 1), column: column, row: row)
        }
        canvas.put(Self.kept(checkpoint, remembered: remembered), column: layout.kept, row: row, role: checkpoint.discarded ? .checkpointGone : .text)
        guard let remembered else {
            canvas.put(Self.cause(checkpoint, losses), column: layout.cause, row: row)
            return
        }
        let cause = Self.cause(checkpoint, losses)
        let seen: SafeText = "seen \(Figures.age(model.wall(model.shownAt) - remembered.lastSeenAt)) ago"
        canvas.put(cause == "-" ? seen : layout.phases == nil ? cause : "\(cause), \(seen)", column: layout.cause, row: row)
        canvas.restyle(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1), role: .textStale)
    }

    /// - Parameter isOver: no engine reports its progress any longer.
    private func duration(_ checkpoint: CheckpointReport, isOver: Bool, row: Int, _ layout: Layout, _ canvas: inout Canvas) {
        guard checkpoint.status == .inProgress, !isOver else {
            canvas.put(checkpoint.duration.map { Figures.duration($0) } ?? "-", column: layout.duration, row: row)
            return
        }
        let used = time - checkpoint.triggeredAt
        let timeout = checkpoint.timeoutAt - checkpoint.triggeredAt
        let fraction = timeout.count > 0 ? Double(used.count) / Double(timeout.count) : 0
        guard layout.phases == nil else {
            canvas.put(Figures.duration(used), column: layout.duration, row: row)
            return
        }
        canvas.bar(fraction, column: layout.duration, row: row, columns: 9, role: .checkpointRun)
        canvas.put(Figures.percent(fraction: fraction), column: layout.duration + 9, row: row)
    }

    /// Where the slowest subtask spent its time, as letters.
    private func phases(_ checkpoint: CheckpointReport, column: Int, row: Int, columns: Int, _ canvas: inout Canvas) {
        let inner = columns - 2
        guard inner > 4, let operators = model.detail(checkpoint.id)?.operators else { return }
        let slowest = operators.flatMap(\.subtasks).max { PhaseSpan.total($0) < PhaseSpan.total($1) }
        guard let slowest, PhaseSpan.total(slowest) > 0 else { return }
        canvas.put("[", column: column, row: row, role: .border)
        canvas.put("]", column: column + columns - 1, row: row, role: .border)
        var used: Int64 = 0
        let total = PhaseSpan.total(slowest)
        for phase in PhaseSpan.all(slowest) {
            let from = Int(used * Int64(inner) / total)
            used += phase.microseconds
            let to = Int(used * Int64(inner) / total)
            for offset in from..<max(from, to) { canvas.put(phase.letter, column: column + 1 + offset, row: row, role: phase.role) }
        }
    }

    // MARK: Words

    /// An id in six columns: of a longer one its last digits, marked as such.
    static func number(_ id: CheckpointID) -> SafeText { SafeText(id.description).suffix(columns: 6, beginning: .cut).padded(leading: 6) }

    static func kind(_ checkpoint: CheckpointReport) -> SafeText { checkpoint.kind.isSavepoint ? "save" : "ckpt" }

    /// - Parameter remembered: not nil = its engine no longer reports it.
    static func status(_ checkpoint: CheckpointReport, remembered: RememberedCheckpoint? = nil) -> (word: SafeText, role: StyleRole) {
        switch checkpoint.status {
        case .inProgress where remembered != nil: ("unknown", .severityUnknown)
        case .inProgress: ("run", .checkpointRun)
        case .failed: ("failed", .checkpointFailed)
        case .completed:
            checkpoint.discarded ? ("done", .checkpointGone) : checkpoint.kind.isSavepoint ? ("done", .checkpointSavepoint) : ("done", .checkpointOK)
        }
    }

    static func kept(_ checkpoint: CheckpointReport, remembered: RememberedCheckpoint? = nil) -> SafeText {
        guard checkpoint.status == .completed else { return "-" }
        // It was there when it was last seen; what is there now only a look at the files tells.
        if let remembered, remembered.mayBeRestored { return "past" }
        return checkpoint.discarded ? "gone" : checkpoint.path == nil ? "?" : "yes"
    }

    /// - Parameter losses: why checkpoints of the job are gone; nil = only the rule is known.
    static func cause(_ checkpoint: CheckpointReport, _ losses: LossWords? = nil) -> SafeText {
        if let failure = checkpoint.failure {
            let place = failure.operatorUID.map { uid in " \(uid)\(failure.subtask.map { ".\($0)" } ?? "")" } ?? ""
            return "\(failure.shortReason)\(place)"
        }
        if let by = checkpoint.requestedBy, !by.isEmpty { return "by \(by)" }
        return checkpoint.discarded ? SafeText(losses?.word(checkpoint) ?? "subsumed") : "-"
    }
}

/// One phase of a subtask's part of a checkpoint.
struct PhaseSpan {
    let letter: SafeText
    let role: StyleRole
    let microseconds: Int64

    /// In the order in which they happen.
    static func all(_ subtask: SubtaskCheckpointReport) -> [PhaseSpan] {
        // Numbers from outside are kept where sums of them cannot overflow.
        func clamped(_ value: Int64) -> Int64 { min(max(value, 0), 1 << 50) }
        return [
            PhaseSpan(letter: "d", role: .phaseDelay, microseconds: clamped(subtask.startDelayMicroseconds)),
            PhaseSpan(letter: "a", role: .phaseAlign, microseconds: clamped(subtask.alignmentMicroseconds)),
            PhaseSpan(letter: "s", role: .phaseSync, microseconds: clamped(subtask.syncMicroseconds)),
            PhaseSpan(letter: "y", role: .phaseAsync, microseconds: clamped(subtask.asyncMicroseconds)),
        ]
    }

    static func total(_ subtask: SubtaskCheckpointReport) -> Int64 { all(subtask).reduce(0) { $0 + $1.microseconds } }
}
