import StreamModel

/// The times of a job's failures, gathered from its reports: each of them tells the newest failure and the number of restarts. So a crash
/// loop is found without asking for the list of failures.
struct FailureTrail: Sendable, Equatable {
    /// Oldest first.
    private(set) var times: [WallTime] = []
    /// Failures up to the newest, by the highest count of a report; nil = none has told a count.
    private var counted: Int?

    private static let kept = 64

    /// Takes in a report.
    mutating func note(_ job: JobReport, _ limits: DiagnosisThresholds) {
        guard let last = job.lastFailure?.at else { return }
        let count = Self.count(job)
        if last == times.last {
            // A cluster tells its failures at once and counts them seconds later.
            guard let count else { return }
            if counted == nil, times.count == 1 { times = Self.firstSight(job, last, limits) }
            counted = max(counted ?? 0, count)
            return
        }
        guard let before = times.last, before < last else {
            times = Self.firstSight(job, last, limits)
            counted = count
            return
        }
        // Failures between two reports are known by the count alone. A cluster counts late: one of the rise may be an older one's.
        let expected = counted?.addingClamped(job.freshness == nil ? 1 : 2)
        let missed = min(max(0, expected.flatMap { count?.subtractingClamped($0) } ?? 0), Self.kept)
        times += Self.spread(missed, from: before, to: last) + [last]
        if times.count > Self.kept { times.removeFirst(times.count - Self.kept) }
        counted = counted.map { max($0.addingClamped(1), count ?? 0) } ?? count
    }

    /// Failures since the submission: a restart each, and the one that the job is recovering from; nil = a cluster has not counted yet.
    private static func count(_ job: JobReport) -> Int? {
        if job.freshness != nil, job.restarts <= 0 { return nil }
        let isDown = job.state == .failing || job.state == .restarting || job.state == .failed
        return job.restarts.addingClamped(isDown ? 1 : 0)
    }

    /// The restarts of a job that is younger than the window were all in it, so the first report tells a crash loop already.
    private static func firstSight(_ job: JobReport, _ last: WallTime, _ limits: DiagnosisThresholds) -> [WallTime] {
        let age = last - job.submittedAt
        guard job.restarts >= limits.crashLoopFailures, age.count > 0, age <= limits.crashLoopWindow else { return [last] }
        let count = Int64(max(1, min(job.restarts, kept)))
        let distance = max(1, age.count / count)
        return (0..<count).reversed().map { WallTime(milliseconds: last.milliseconds.subtractingClamped($0.multipliedClamped(by: distance))) }
    }

    /// Times evenly between two others.
    private static func spread(_ count: Int, from first: WallTime, to last: WallTime) -> [WallTime] {
        guard count > 0 else { return [] }
        let step = (last - first).count / Int64(count + 1)
        return (1...Int64(count)).map { first + Milliseconds($0.multipliedClamped(by: step)) }
    }
}
