internal import StreamModel

/// Holds what one life of a job tells of itself against what can be true. Looks at every report that the job publishes; remembers nothing but
/// the one before.
struct ReportJudge {
    private let scenario: Scenario
    /// Simulated nanoseconds.
    private let begunAt: Int64
    /// Rows from earlier lives: completed, failed, and the highest number.
    private let before: (completed: Int, failed: Int, highest: CheckpointID)
    private var last: JobReport?
    private var statuses: [CheckpointID: CheckpointReport.Status] = [:]

    /// - Parameter history: the rows that the life was given.
    init(_ scenario: Scenario, history: [CheckpointReport], at now: Int64) {
        self.scenario = scenario
        begunAt = now
        before = (
            history.count { $0.status == .completed }, history.count { $0.status == .failed }, history.map(\.id).max() ?? CheckpointID(0)
        )
    }

    /// Whether the rows have to be looked at.
    func isNews(_ report: JobReport) -> Bool { last?.checkpointsRevision != report.checkpointsRevision || last?.state != report.state }

    /// What cannot be true; nil = nothing. `rows` oldest first, of the same moment as the report.
    mutating func problem(_ report: JobReport, rows: [CheckpointReport], warnings: Int, isDamaged: Bool, at now: Int64) -> String? {
        let isNews = isNews(report)
        defer {
            last = report
            for row in rows where row.id > before.highest { statuses[row.id] = row.status }
        }
        guard isNews else { return stateProblem(report) ?? rateProblem(report) }
        return stateProblem(report) ?? countProblem(report, rows) ?? rowProblem(rows, now) ?? budgetProblem(report, rows) ?? rateProblem(report)
            ?? retentionProblem(report, rows) ?? restoreProblem(report, rows, warnings, isDamaged)
    }

    // MARK: States

    /// What may follow in one look or several: the job is not seen in every state.
    static func mayFollow(_ new: JobState, _ old: JobState) -> Bool {
        switch old {
        case _ where old == new: true
        case .initializing, .running, .restarting: new != .initializing
        case .failing: new == .failed || new == .suspended
        case .cancelling: new == .canceled || new == .suspended
        case .finished, .canceled, .failed, .suspended: false
        }
    }

    private func stateProblem(_ report: JobReport) -> String? {
        guard let last else { return nil }
        guard Self.mayFollow(report.state, last.state) else { return "the job went from \(last.state.rawValue) to \(report.state.rawValue)" }
        if report.attempt < last.attempt { return "attempt \(report.attempt) follows attempt \(last.attempt)" }
        if report.restarts < last.restarts { return "\(report.restarts) restarts follow \(last.restarts)" }
        if report.state == .running, report.restartsAt != nil { return "a job that runs waits for its restart" }
        return nil
    }

    // MARK: Counts

    private func countProblem(_ report: JobReport, _ rows: [CheckpointReport]) -> String? {
        let counts = report.counts
        if let last = last?.counts, counts.completed < last.completed || counts.failed < last.failed || counts.restored < last.restored {
            return "counts fell: \(last) to \(counts)"
        }
        if counts.total != counts.completed + counts.failed + counts.inProgress { return "\(counts) do not add up" }
        let completed = rows.count { $0.status == .completed } - before.completed, failed = rows.count { $0.status == .failed } - before.failed
        let open = rows.count { $0.status == .inProgress }
        guard (counts.completed, counts.failed, counts.inProgress) == (completed, failed, open) else {
            return "\(counts), and the rows of this life are \(completed) completed, \(failed) failed, \(open) in progress"
        }
        if report.inProgress.count != open { return "\(report.inProgress.count) checkpoints are shown in progress, \(open) are" }
        if let newest = rows.last(where: { $0.status == .completed }), report.latestCompleted?.id != newest.id {
            return "the newest completed is \(newest.id), and \(report.latestCompleted?.id.description ?? "none") is shown"
        }
        return nil
    }

    private func rowProblem(_ rows: [CheckpointReport], _ now: Int64) -> String? {
        for row in rows where row.id > before.highest {
            if let old = statuses[row.id], old != .inProgress, old != row.status {
                return "checkpoint \(row.id) was \(old.rawValue) and is \(row.status.rawValue)"
            }
            if row.acknowledgedSubtasks > row.totalSubtasks {
                return "\(row.acknowledgedSubtasks) of \(row.totalSubtasks) subtasks have acknowledged \(row.id)"
            }
            if row.status == .completed, row.acknowledgedSubtasks < row.totalSubtasks || row.path == nil {
                return "checkpoint \(row.id) is complete with \(row.acknowledgedSubtasks) of \(row.totalSubtasks) subtasks, at \(row.path ?? "no path")"
            }
            guard let duration = row.duration else { continue }
            if duration.count < 0 || duration.count > (now - begunAt) / 1_000_000 + 1 {
                return "checkpoint \(row.id) took \(duration.count) ms, and the job has run for \((now - begunAt) / 1_000_000) ms"
            }
        }
        return nil
    }

    /// A failure counts only until a younger checkpoint completes.
    private func budgetProblem(_ report: JobReport, _ rows: [CheckpointReport]) -> String? {
        let own = rows.filter { $0.id > before.highest }
        let newest = own.filter { $0.status == .completed }.map(\.id).max() ?? CheckpointID(0)
        let most = own.count { $0.id > newest && $0.failure?.counted == true }
        if report.budget.counted > most { return "\(report.budget.counted) failures count, and \(most) counted ones are younger than checkpoint \(newest)" }
        // A job that its budget has failed keeps the failure that was one too many.
        let isFailed = report.state == .failing || report.state == .failed
        if let tolerable = report.budget.tolerable, report.budget.counted > tolerable + (isFailed ? 1 : 0) {
            return "\(report.budget.counted) failures count, \(tolerable) are tolerable"
        }
        return nil
    }

    // MARK: Rates

    private func rateProblem(_ report: JobReport) -> String? {
        let throughput = report.throughput
        var rates: [(String, Double?)] = [("read", throughput.recordsReadPerSecond), ("written", throughput.recordsWrittenPerSecond)]
        for vertex in report.vertices { rates += [("in of \(vertex.uid)", vertex.recordsInPerSecond), ("out of \(vertex.uid)", vertex.recordsOutPerSecond)] }
        // A period is a second at least, and an attempt has no record twice; an operator may emit into two directions and write one.
        for case (let name, let rate?) in rates where !(rate >= 0) || rate > Double(scenario.records) * 4 + 1 {
            return "\(rate) records a second \(name), and there are \(scenario.records) records"
        }
        if let rate = throughput.recordsReadPerSecond, rate > Double(scenario.records) * 1.01 {
            return "\(rate) records a second were read of \(scenario.records)"
        }
        if let fraction = throughput.inputFraction, !(0...1).contains(fraction) { return "\(fraction) of the input is read" }
        if let last, last.attempt == report.attempt, throughput.recordsRead < last.throughput.recordsRead {
            return "\(throughput.recordsRead) records were read, \(last.throughput.recordsRead) before"
        }
        for vertex in report.vertices {
            let shares = [vertex.busyPermille, vertex.backPressuredPermille, vertex.idlePermille].compactMap(\.self)
            if shares.contains(where: { $0 < 0 || $0 > 1000 }) { return "\(vertex.uid) spends \(shares) of 1000" }
            if vertex.runningSubtasks < 0 || vertex.runningSubtasks + vertex.finishedSubtasks > vertex.parallelism {
                return "\(vertex.uid) has \(vertex.runningSubtasks) running and \(vertex.finishedSubtasks) finished subtasks of \(vertex.parallelism)"
            }
        }
        return nil
    }

    // MARK: Retention

    /// Of the checkpoints that this life has completed, so many stay as it is told, and one that is being deleted; besides the one that the
    /// attempt has begun from, which it reads. Where the disk refuses to delete, more do.
    private func retentionProblem(_ report: JobReport, _ rows: [CheckpointReport]) -> String? {
        guard scenario.rates.isSound else { return nil }
        let kept = rows.filter {
            $0.id > before.highest && $0.status == .completed && !$0.discarded && $0.kind == .checkpoint && $0.id != report.restored?.checkpoint
        }
        guard kept.count > scenario.checkpoints.retainedCheckpoints + 1 else { return nil }
        return "\(kept.count) checkpoints are kept (\(kept.map { "\($0.id)" }.joined(separator: ", "))), \(scenario.checkpoints.retainedCheckpoints) are to be"
    }

    // MARK: Restored

    /// A job that goes on by itself goes on from the newest that it knows, or says what it has passed over.
    private func restoreProblem(_ report: JobReport, _ rows: [CheckpointReport], _ warnings: Int, _ isDamaged: Bool) -> String? {
        guard report.state == .running, last?.state != .running, !isDamaged, warnings == 0 else { return nil }
        guard let restored = report.restored else { return nil }
        guard restored.chosen || restored.fromJob == report.id else {
            return "recovered from \(restored.path) of job \(restored.fromJob), and nobody chose that"
        }
        guard restored.fromJob == report.id, last?.restored?.at != restored.at else { return nil }
        let newest = rows.filter { $0.status == .completed && !$0.discarded && $0.path != nil }.map(\.id).max()
        if let newest, restored.checkpoint < newest { return "restored checkpoint \(restored.checkpoint), and \(newest) is complete" }
        return nil
    }
}
