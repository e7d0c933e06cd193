extension [JobReport] {
    /// The newest live job of a name. Engines know no other tie between the runs of a job.
    public func liveRun(named name: String, besides ids: Set<JobID> = []) -> JobReport? {
        filter { $0.name == name && !$0.state.isTerminal && !ids.contains($0.id) }.max { ($0.submittedAt, $0.id) < ($1.submittedAt, $1.id) }
    }
}
