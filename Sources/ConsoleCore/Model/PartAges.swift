import CellGrid
import StreamModel

// A report of a cluster is put together from answers of different ages: its list of jobs now, the checkpoints of a job that nobody looks at
// half a minute ago. Screens mark what is old.

extension ContextState {
    /// A part that is older than this is shown as old. More than the time between two answers about what is looked at.
    static let partFreshness = Milliseconds.seconds(15)

    typealias Part = KeyPath<ReportFreshness, WallTime?>

    /// How old a part of a job's report is, where it is old and the report as a whole is not; nil = as fresh as the report. Of a job that
    /// has ended what is known stays true.
    func oldAge(of part: Part, _ job: JobReport, at now: WallTime) -> Milliseconds? {
        guard let at = job.freshness?[keyPath: part], !job.state.isTerminal, !isStale(at: now) else { return nil }
        // Flink reads its metrics every ten seconds: what it told a moment ago may be as old.
        let cache: Milliseconds = part == \.flow ? .seconds(10) : 0
        let age = engineTime(at: now) - at + cache
        return age > Self.partFreshness + cache ? age : nil
    }
}

extension JobFacts {
    /// Dims a row whose numbers are older than the report, and says how old they are at its end.
    func markAge(_ part: ContextState.Part, row: Int, from column: Int, _ canvas: inout Canvas) {
        guard let age = context.oldAge(of: part, job, at: model.shownAt) else { return }
        canvas.restyle(CellRect(column: column, row: row, columns: canvas.size.columns - column, rows: 1), role: .textStale)
        canvas.put(" ~\(Figures.age(age)) old ", endingAt: canvas.size.columns, row: row, role: .linkStale)
    }
}
