public import Ledger
public import StreamModel

/// The ledger's records of the engine that a command talks to. A record that may belong to another engine is not offered for a restart.
public struct EngineRecord: Sendable {
    /// What was found of a job.
    public struct Found: Sendable {
        public var own: [RememberedCheckpoint] = []
        /// Number of further records of the same name and context that cannot be attributed to this engine.
        public var foreign = 0

        public init() {}
    }

    private let context: String
    /// Where the engine is, if its context has a name that other engines have, too; nil = the name is its alone.
    private let sharedAt: String?

    public init(context: String, sharedAt: String?) { (self.context, self.sharedAt) = (context, sharedAt) }

    /// The newest first.
    /// - Parameters:
    ///   - job: its name, or its whole id.
    ///   - listed: jobs that the engine lists.
    public func checkpoints(of job: String, in ledger: Ledger, listed: Set<JobID>) throws(LedgerError) -> Found {
        var found = Found()
        found.own = try ledger.checkpoints(CheckpointQuery(context: context, job: job))
        guard let sharedAt, !found.own.isEmpty else { return found }
        let known = listed.union(try ledger.jobs(at: sharedAt)), all = found.own.count
        // Clusters of one job each may all give it the id of no job.
        found.own.removeAll { $0.job == .none || !known.contains($0.job) }
        found.foreign = all - found.own.count
        return found
    }
}
