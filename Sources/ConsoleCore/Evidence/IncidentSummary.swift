import CellGrid
import StreamModel

extension ConsoleModel {
    /// A few lines about a job for the incident channel: identity, problem, budget, restorable state,
    /// last failure, and the age of all that. Plain text; every line stands for itself.
    func incidentSummary(_ key: JobKey) -> [SafeText] {
        guard let context = shown.context(key.context), let job = context.job(key.job) else { return [] }
        let time = context.engineTime(at: shownAt)
        let since = time - (job.state == .running ? job.submittedAt : job.stateSince)
        let condition = Condition.of(job, in: context, at: shownAt)
        var lines: [SafeText] = [
            "\(job.name) (\(job.id.short)) in \(context.name) [\(context.description.class.rawValue)]: \(job.state.rawValue) for \(Figures.age(since)), \(Figures.plural(job.restarts, "restart"))",
            "problem: \(condition.text(at: shownAt, keys: options.keyMap).isEmpty ? "none seen" : condition.text(at: shownAt, keys: options.keyMap))",
            budgetLine(job), goBackLine(job, context, at: time),
        ]
        if let last = job.lastFailure { lines.append("last failure: \(Figures.age(time - last.at)) ago, \(place(of: last))\(last.message)") }
        lines.append(
            "in \(Figures.rate(job.throughput.recordsReadPerSecond)) rec/s, out \(Figures.rate(job.throughput.recordsWrittenPerSecond)) rec/s; \(linkWords(context))"
        )
        return lines
    }

    private func budgetLine(_ job: JobReport) -> SafeText {
        guard let tolerable = job.budget.tolerable else { return "failure budget: checkpoint failures are not counted for this job" }
        let source = job.budget.source == .exact ? "exact" : "estimated from the history"
        let next = job.budget.isExhausted ? "; the next counted failure fails the job" : ""
        let reason = job.budget.lastReason.map { ", last \($0.short)" } ?? ""
        return "failure budget: counted \(job.budget.counted) of \(tolerable) in a row (\(source))\(reason)\(next)"
    }

    private func goBackLine(_ job: JobReport, _ context: ContextState, at time: WallTime) -> SafeText {
        guard let way = WayBack.of(job, in: context) else { return "restore from: nothing restorable is known" }
        guard let newest = way.own else { return "restore from: no checkpoint of its own, it \(way.originWords)" }
        let kind = newest.kind.isSavepoint ? "savepoint" : "checkpoint"
        return "restore from: \(kind) #\(newest.id), \(Figures.age(time - (newest.endedAt ?? newest.triggeredAt))) old, \(newest.path ?? "path unknown")"
    }

    private func place(of failure: FailureReport) -> SafeText {
        failure.vertex.map { vertex in "\(vertex)\(failure.subtask.map { " sub \($0)" } ?? ""): " } ?? ""
    }

    private func linkWords(_ context: ContextState) -> SafeText {
        let age = context.age(at: shownAt).map { "as of \(Figures.age($0)) ago" } ?? "no report yet"
        let frozen = frozen == nil ? "" : " (screen frozen)"
        if case .down(let reason, _, _) = context.link { return "\(age), link down: \(reason)\(frozen)" }
        return "\(age)\(frozen)"
    }
}
