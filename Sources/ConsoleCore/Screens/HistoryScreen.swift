import CellGrid
import StreamModel

/// Words for what is remembered.
extension RememberedCheckpoint {
    /// Its fate, for a column of nine.
    var fateWord: SafeText {
        switch fate {
        case .running: "unknown"
        case .failed: "-"
        case .kept: "kept"
        case .gone: "gone"
        case .unlisted: "unlisted"
        }
    }

    /// In a sentence.
    var fateWords: SafeText {
        switch fate {
        case .running: "in flight when last seen; its end was not observed"
        case .failed: "failed"
        case .kept: "kept when last seen"
        case .gone: "its files are gone"
        case .unlisted: "its engine no longer lists it; only the files can tell"
        }
    }
}

/// The checkpoints in the ledger: of all jobs, running and ended, of every engine that a console of this user has seen.
struct HistoryScreen {
    let model: ConsoleModel
    let scope: HistoryScope

    func draw(_ canvas: inout Canvas) {
        let rows = model.historyRows, past = model.past(scope)
        Chrome(model).plainTitle("history \(past.isLoaded ? "\(past.total)" : "")  \(scope.job.map { SafeText($0) } ?? "all jobs")", &canvas)
        let cursor = model.listPosition.index
        let stack = RowStack.list(canvas.size.rows, detail: .either(6, or: 5, leaving: 6))
        canvas.inside(stack[.list]) { list(rows, past, cursor, &$0) }
        canvas.inside(stack[.detail]) { inner in
            guard rows.indices.contains(cursor) else { return inner.rule("", row: 0) }
            detail(rows[cursor], &inner)
        }
        Chrome(model).footer(&canvas)
    }

    private func list(_ rows: [RememberedCheckpoint], _ past: PastCheckpoints, _ cursor: Int, _ canvas: inout Canvas) {
        let wide = canvas.size.columns >= 100 ? canvas.size.columns - 100 : 0
        // The narrow list has no sizes.
        let isNarrow = canvas.size.columns < 80
        let job = 13, id = isNarrow ? 22 : 35 + wide
        let size = isNarrow ? nil : id + 29, fate = isNarrow ? id + 25 : id + 34
        let note: SafeText =
            !past.isLoaded
            ? "reading the ledger" : past.isComplete && past.rows.count == past.total ? "from the ledger" : "the newest \(past.rows.count) of \(past.total)"
        canvas.rule("history\(model.listNote(.history))", row: 0, note: note, isFocused: true)
        let hasRoom = canvas.size.columns >= id + 62
        canvas.header(
            [
                (3, "WHEN", "when"), (job, "JOB", "job"), (id + 4, "ID", "id"), (id + 8, "KIND", "kind"), (id + 13, "STATUS", "status"),
            ] + (size.map { [($0, "SIZE", "size")] } ?? []) + [(fate, "FATE", "fate")] + (hasRoom ? [(id + 44, "SEEN", "seen")] : []), of: .history, model)
        if rows.isEmpty, past.isLoaded {
            let words: SafeText =
                model.listViews[.history].filter == nil ? "nothing remembered\(scope.job.map { " of \($0)" } ?? "")" : "none matches the filter; Esc clears it"
            canvas.put("   \(words)", column: 0, row: 2, role: .textDim)
        }
        canvas.list(rows.count, cursor: cursor, from: 2) { index, y, canvas in
            let row = rows[index], report = row.report
            let status = CheckpointTable.status(report, remembered: row)
            canvas.put(
                Figures.moment(report.triggeredAt, now: model.wall(model.shownAt), offset: model.options.utcOffsetSeconds), column: 3, row: y, role: .textDim,
                columns: 9)
            canvas.put(SafeText("\(row.context)/\(row.jobName)").middle(columns: id - job - 1), column: job, row: y)
            canvas.put(CheckpointTable.number(report.id), endingAt: id + 6, row: y)
            canvas.put(CheckpointTable.kind(report), column: id + 8, row: y, role: report.kind.isSavepoint ? .checkpointSavepoint : .text)
            canvas.line([Span(model.theme.mark(status.role), status.role), Span(" "), Span(status.word, status.role)], row: y, column: id + 13)
            if let size { canvas.put(report.status == .completed ? Figures.bytes(report.stateSize) : "-", endingAt: size + 4, row: y) }
            canvas.put(row.fateWord, column: fate, row: y, role: row.fate == .gone ? .checkpointGone : .text)
            if hasRoom { canvas.put("\(Figures.age(model.wall(model.shownAt) - row.lastSeenAt)) ago", column: id + 44, row: y, role: .textDim) }
        }
    }

    private func detail(_ row: RememberedCheckpoint, _ canvas: inout Canvas) {
        let report = row.report, offset = model.options.utcOffsetSeconds
        canvas.rule("\(report.kind.isSavepoint ? "savepoint" : "checkpoint") #\(report.id) of \(row.jobName)", row: 0, note: "job \(row.job.short)")
        let took = report.duration.map { ", took \(Figures.duration($0))" } ?? ""
        canvas.put(" \(row.fateWords)\(report.requestedBy.map { "; by \($0)" } ?? "")", column: 0, row: 1)
        canvas.put(
            " triggered \(Figures.clock(report.triggeredAt, offset: offset)), \(Figures.age(model.wall(model.shownAt) - report.triggeredAt)) ago\(took), acked \(report.acknowledgedSubtasks)/\(report.totalSubtasks)",
            column: 0, row: 2)
        canvas.put(
            " seen in \(row.context): first \(Figures.age(model.wall(model.shownAt) - row.firstSeenAt)) ago, last \(Figures.age(model.wall(model.shownAt) - row.lastSeenAt)) ago",
            column: 0,
            row: 3, role: .textDim)
        canvas.put(" path    \(report.path.map { SafeText($0).middle(columns: canvas.size.columns - 10) } ?? "-")", column: 0, row: 4)
        if let failure = report.failure { canvas.put(" failure \(failure.reasonName): \(failure.message)", column: 0, row: 5, role: .checkpointFailed) }
    }
}
