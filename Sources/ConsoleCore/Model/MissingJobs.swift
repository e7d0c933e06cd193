import StreamModel

// A live job does not leave the list of a cluster by itself: the JobManager that answers now is another one. For seconds of a failover it
// may know the job again; after that the job is gone, and stays on the screen as that.
extension ContextState {
    /// A failover shows jobs again within this time.
    static let failoverPatience = Milliseconds.seconds(15)

    /// Words for the states of such a job.
    static let missingWord = "MISSING", goneWord = "GONE"

    /// Adds the jobs that were live in the report before, or are remembered as that, and are not in the new one.
    mutating func keepMissing(_ new: inout EngineReport, at time: WallTime) {
        let listed = Set(new.jobs.map(\.id))
        var missing = missing.filter { !listed.contains($0.key) }
        for job in report?.jobs ?? [] where !listed.contains(job.id) && (missing[job.id] != nil || !job.state.isTerminal) {
            // Somebody has launched it again.
            guard new.jobs.liveRun(named: job.name, besides: Set(missing.keys)) == nil else {
                missing[job.id] = nil
                continue
            }
            let since = missing[job.id] ?? time
            missing[job.id] = since
            new.jobs.append(Self.absent(job, isGone: time - since >= Self.failoverPatience))
        }
        for job in remembered where !listed.contains(job.id) && missing[job.id] == nil {
            guard new.jobs.liveRun(named: job.name) == nil else { continue }
            missing[job.id] = time
            new.jobs.append(Self.absent(JobReport(job), isGone: false))
        }
        remembered = []
        self.missing = missing
    }

    /// The job without what it does no more, and with what is left of it.
    private static func absent(_ job: JobReport, isGone: Bool) -> JobReport {
        var job = job
        (job.state, job.stateWord) = isGone ? (.failed, goneWord) : (.suspended, missingWord)
        (job.throughput, job.inProgress, job.nextTriggerAt, job.restartsAt) = (Throughput(), [], nil, nil)
        for index in job.vertices.indices { job.vertices[index].runningSubtasks = 0 }
        return job
    }

    /// Whether a job is not in the list any more, and for good.
    func isGone(_ job: JobReport) -> Bool { missing[job.id] != nil && job.state.isTerminal }
}

extension JobReport {
    /// As little as is remembered of a job.
    fileprivate init(_ job: LiveJob) {
        self.init(
            id: job.id, name: job.name, state: .suspended, stateSince: job.seenAt, submittedAt: job.seenAt, parallelism: 1, maxParallelism: 1,
            throughput: Throughput(recordsReadPerSecond: nil, recordsWrittenPerSecond: nil), configuration: CheckpointConfiguration(),
            budget: FailureBudget(counted: 0, tolerable: nil, source: .unknown, cumulative: 0))
        restartStrategyWords = "not known"
        freshness = ReportFreshness(state: job.seenAt)
    }
}
