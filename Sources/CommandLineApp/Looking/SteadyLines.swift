internal import StreamModel

/// Which reports of a job are worth a line: those that tell of a change, and otherwise one a second.
struct SteadyLines {
    static let period: Milliseconds = .seconds(1)

    /// What operators want to see at once.
    private struct Mark: Equatable {
        var state: String
        var attempt, running, completed, failed: Int

        init(_ job: JobReport) {
            (state, attempt, running) = (job.stateText, job.attempt, job.runningSubtasks)
            (completed, failed) = (job.counts.completed, job.counts.failed)
        }
    }

    private var last: [JobID: (mark: Mark, at: WallTime)] = [:]

    /// Forgets jobs that are no longer reported.
    mutating func keepOnly(_ jobs: [JobReport]) {
        let present = Set(jobs.map(\.id))
        last = last.filter { present.contains($0.key) }
    }

    /// Yes counts as told.
    mutating func tells(_ job: JobReport, at now: WallTime) -> Bool {
        let mark = Mark(job)
        if let last = last[job.id], last.mark == mark, now - last.at < Self.period, now >= last.at { return false }
        last[job.id] = (mark, now)
        return true
    }
}
