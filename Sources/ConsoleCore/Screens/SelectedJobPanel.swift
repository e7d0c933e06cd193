import CellGrid
import StreamModel

/// The operators of the selected job beside its newest checkpoints and last failure, in rows that the Overview would leave empty.
struct SelectedJobPanel {
    let model: ConsoleModel
    let key: JobKey
    let job: JobReport

    /// Rows of a list, at most.
    private static let rowsMax = 10
    /// Rows beside those of the operators: a rule and a header.
    private static let frame = 2
    /// Checkpoints and a failure have their rows, known or not.
    private static let leastRows = 6

    /// Two halves of a narrower window would cut figures.
    private static let columnsMin = 100

    static func rows(_ job: JobReport, columns: Int) -> Int { columns < columnsMin ? 0 : frame + min(max(job.vertices.count, leastRows), rowsMax) }

    func draw(_ canvas: inout Canvas) {
        let left = canvas.size.columns / 2, rows = canvas.size.rows
        canvas.inside(CellRect(column: 0, row: 0, columns: left, rows: rows), operators)
        canvas.inside(CellRect(column: left, row: 0, columns: canvas.size.columns - left, rows: rows), checkpoints)
    }

    private func operators(_ canvas: inout Canvas) {
        let names = max(8, canvas.size.columns - 38)
        canvas.rule("operators of \(job.name)", row: 0, note: job.vertices.count > canvas.size.rows - 2 ? "\(job.vertices.count) in all" : "")
        canvas.put(" \(SafeText("OPERATOR").padded(names))  TASKS   IN/s   OUT/s  BUSY BACKPR", column: 0, row: 1, role: .header)
        for (index, vertex) in job.vertices.prefix(max(0, canvas.size.rows - 2)).enumerated() {
            let row = index + 2, isWhole = vertex.runningSubtasks + vertex.finishedSubtasks >= vertex.parallelism
            canvas.put(SafeText(vertex.name).middle(columns: names), column: 1, row: row)
            canvas.put("\(vertex.runningSubtasks)/\(vertex.parallelism)", endingAt: names + 8, row: row, role: isWhole ? .text : .severityWarn)
            canvas.put(Figures.rate(vertex.recordsInPerSecond), endingAt: names + 15, row: row)
            canvas.put(Figures.rate(vertex.recordsOutPerSecond), endingAt: names + 23, row: row)
            canvas.put(vertex.busyPermille.map { Figures.percent(permille: $0) } ?? "-", endingAt: names + 29, row: row)
            canvas.put(vertex.backPressuredPermille.map { Figures.percent(permille: $0) } ?? "-", endingAt: names + 36, row: row)
        }
        if job.vertices.isEmpty { canvas.put(" none reported", column: 0, row: 2, role: .textDim) }
    }

    /// The newest that are known: of a job that was not opened its report names only the last of each kind.
    private var newest: [CheckpointReport] {
        let listed = model.shown.memory(key).checkpoints
        guard listed.isEmpty else { return Array(listed.prefix(Self.rowsMax)) }
        var seen: Set<CheckpointID> = []
        return (job.inProgress + [job.latestCompleted, job.latestFailed, job.latestSavepoint].compactMap { $0 })
            .sorted { $0.id > $1.id }.filter { seen.insert($0.id).inserted }
    }

    private func checkpoints(_ canvas: inout Canvas) {
        guard let context = model.shown.context(key.context) else { return }
        let time = context.engineTime(at: model.shownAt)
        canvas.rule("newest checkpoints", row: 0, note: "\(job.counts.failed) of \(job.counts.total) failed")
        canvas.put("     ID KIND STATUS     AGE     TOOK     CAUSE", column: 0, row: 1, role: .header)
        let rows = newest, hasFailure = job.lastFailure != nil
        for (index, checkpoint) in rows.prefix(max(0, canvas.size.rows - 2 - (hasFailure ? 1 : 0))).enumerated() {
            let status = CheckpointTable.status(checkpoint), row = index + 2
            canvas.put(CheckpointTable.number(checkpoint.id), column: 1, row: row)
            canvas.put(CheckpointTable.kind(checkpoint), column: 8, row: row, role: checkpoint.kind.isSavepoint ? .checkpointSavepoint : .text)
            canvas.line([Span(model.theme.mark(status.role), status.role), Span(" "), Span(status.word, status.role)], row: row, column: 13)
            canvas.put(Figures.age(max(0, time - (checkpoint.endedAt ?? checkpoint.triggeredAt))), column: 24, row: row)
            canvas.put(checkpoint.duration.map { Figures.duration($0) } ?? "-", column: 32, row: row)
            canvas.put(CheckpointTable.cause(checkpoint).prefix(columns: canvas.size.columns - 42, ending: .cut), column: 41, row: row)
        }
        if rows.isEmpty { canvas.put(" none known", column: 0, row: 2, role: .textDim) }
        guard let failure = job.lastFailure else { return }
        let words: SafeText = " failed \(Figures.age(max(0, time - failure.at))) ago: \(CauseFirst.words(failure.message))"
        canvas.put(words.prefix(columns: canvas.size.columns - 1, ending: .cut), column: 0, row: canvas.size.rows - 1, role: .severityWarn)
    }
}
