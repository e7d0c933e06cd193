internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// Everything that an engine knows of its jobs and operations, as one value behind the service's mutex. No I/O.
struct EngineState {
    /// A submission: its record, and the running job behind it while there is one.
    struct HostedJob {
        var record: JobRecord
        /// Kept for some time after the end, for the details that records do not hold.
        var running: RunningJob?
        /// What was last written down, to write only when it changes.
        var written: WrittenMark?
        /// What was last published.
        var published: PublishedMark?
        /// The engine suspends it: what it reports from here on is no end.
        var isSuspending = false
        /// Its launch is under way: there is a record and nothing that runs.
        var isLaunching = false

        /// The newest picture.
        var report: JobReport { running?.report() ?? record.report }
        var isLive: Bool { !report.state.isTerminal }
        /// It is to be brought back later; nothing of it runs.
        var isHeld: Bool { running == nil && !isLaunching && record.report.state == .restarting }
        /// Nothing of it lives, not even the thread that cleans up behind it.
        var isOver: Bool { !isLive && !isLaunching && running?.hasEnded != false }

        var phase: JobPhase {
            if isLaunching { return .launching }
            if isOver { return .ended }
            if isHeld { return .held }
            // The engine has just started and not come to it yet.
            if running == nil { return .launching }
            switch report.state {
            case .initializing, .restarting: return .restarting
            case .running: return .running
            case .cancelling: return .cancelling
            case .failing, .suspended: return .failing
            case .failed, .canceled, .finished: return .leaving
            }
        }

        /// Newest first.
        func checkpoints(limit: Int) -> [CheckpointReport] {
            running?.checkpoints(limit: limit) ?? Array(record.checkpoints.suffix(limit).reversed())
        }

        /// Newest first.
        var failures: [FailureReport] { running?.failures() ?? record.failures.reversed() }
    }

    /// Facts whose change is worth an fsync.
    struct WrittenMark: Equatable {
        var state: JobState
        var completed, failed, attempt: Int
        var restored: RestoreReport?
        var endedRevision: UInt64

        init(_ report: JobReport) {
            state = report.state
            (completed, failed, attempt) = (report.counts.completed, report.counts.failed, report.attempt)
            restored = report.restored
            endedRevision = report.state.isTerminal ? report.checkpointsRevision : 0
        }
    }

    /// Facts whose change is told at once.
    struct PublishedMark: Equatable {
        var state: JobState
        var attempt, running: Int
        var revision: UInt64

        init(_ report: JobReport) {
            (state, attempt, running, revision) = (report.state, report.attempt, report.runningSubtasks, report.checkpointsRevision)
        }
    }

    /// Ended jobs that keep their `RunningJob`, and records of ended jobs in all.
    static let warmJobs = 8, endedJobs = 200
    static let operationsInReport = 100

    var jobs: [JobID: HostedJob] = [:]
    /// By acceptance, oldest first.
    private(set) var operations: [OperationEntry] = []
    private var operationIndex: [OperationID: Int] = [:]
    /// Jobs with news that nobody has looked at yet.
    var dirty: Set<JobID> = []
    /// Jobs whose record on disk is behind, since it could not be written.
    var unwritten: Set<JobID> = []
    var isStopping = false
    /// Who may launch in which lineage.
    var claims = LineageClaims()

    // MARK: Jobs

    /// Newest submission first.
    var orderedJobs: [HostedJob] {
        jobs.values.sorted { ($1.record.submittedAt, $1.record.id) < ($0.record.submittedAt, $0.record.id) }
    }

    func find(_ reference: JobReference) throws(ControlFailure) -> HostedJob {
        let candidates = jobs.values.map {
            JobReference.Candidate(
                id: $0.record.id, name: $0.record.name, lineage: $0.record.lineage, isLive: $0.isLive, submittedAt: $0.record.submittedAt)
        }
        let id = try reference.resolve(among: candidates)
        guard let job = jobs[id] else { throw .unknownJob(reference.text) }
        return job
    }

    func live(named name: String) -> HostedJob? { orderedJobs.first { !$0.isOver && $0.record.name == name } }
    /// The one job of a lineage of which something lives.
    func live(ofLineage lineage: JobID) -> HostedJob? { orderedJobs.first { !$0.isOver && $0.record.lineage == lineage } }

    /// What is under way on a lineage, and the operation that is, if one is.
    func work(onLineage lineage: JobID) -> (work: LineageWork, by: String?) {
        if let claim = claims[lineage] { return (claim.work, claim.description) }
        let open = operations.filter { entry in !entry.state.isTerminal && entry.job.flatMap { jobs[$0]?.record.lineage } == lineage }
        func first(_ verb: ControlVerb) -> String? { open.first { $0.verb == verb }.map { "\(verb.rawValue) \($0.operation) by \(printable($0.by))" } }
        if let stop = first(.stop) { return (.stop, stop) }
        if let cancel = first(.cancel) { return (.cancel, cancel) }
        return (open.contains { $0.verb == .savepoint || $0.verb == .checkpointNow } ? .snapshot : .nothing, nil)
    }

    /// The furthest that any execution of the lineage has read; nil where one of them was killed on the way.
    func position(ofLineage lineage: JobID) -> UInt64? {
        let records = jobs.values.map(\.record).filter { $0.lineage == lineage }
        guard !records.isEmpty, records.allSatisfy({ $0.isPositionExact }) else { return nil }
        return records.compactMap(\.position).max()
    }

    /// Ended jobs that are too many: their ids, oldest first. Those of a lineage that lives stay.
    var surplusJobs: [JobID] {
        let ended = jobs.values.filter(\.isOver).sorted { ($0.record.submittedAt, $0.record.id) < ($1.record.submittedAt, $1.record.id) }
        guard ended.count > Self.endedJobs else { return [] }
        return ended.prefix(ended.count - Self.endedJobs).filter { live(ofLineage: $0.record.lineage) == nil && claims[$0.record.lineage] == nil }.map(\.record.id)
    }

    /// Lets go of the running halves of jobs that ended long ago.
    mutating func coolDown() {
        let warm = orderedJobs.filter { $0.running != nil && $0.isOver }
        for job in warm.dropFirst(Self.warmJobs) { jobs[job.record.id]?.running = nil }
    }

    // MARK: Operations

    func operation(_ id: OperationID) -> OperationEntry? { operationIndex[id].map { operations[$0] } }

    mutating func insert(_ entry: OperationEntry) {
        if let index = operationIndex[entry.operation] {
            operations[index] = entry
        } else {
            operationIndex[entry.operation] = operations.count
            operations.append(entry)
        }
        forgetOldOperations()
    }

    mutating func remove(_ id: OperationID) {
        guard let index = operationIndex[id] else { return }
        operations.remove(at: index)
        reindex()
    }

    private mutating func forgetOldOperations() {
        guard operations.count > 4000 else { return }
        let surplus = operations.count - 2000
        var dropped = 0
        operations.removeAll { entry in
            guard dropped < surplus, entry.state.isTerminal else { return false }
            dropped += 1
            return true
        }
        reindex()
    }

    private mutating func reindex() {
        operationIndex = Dictionary(uniqueKeysWithValues: operations.enumerated().map { ($1.operation, $0) })
    }

    /// Newest first, with the progress of those that wait for a checkpoint.
    func operationReports(limit: Int) -> [OperationReport] {
        operations.reversed().lazy.compactMap { report(of: $0) }.prefix(limit).map { $0 }
    }

    func report(of entry: OperationEntry) -> OperationReport? {
        guard var report = entry.report else { return nil }
        guard !report.state.isTerminal, let checkpoint = report.checkpoint, let job = jobs[report.request.job] else { return report }
        if let row = job.report.inProgress.first(where: { $0.id == checkpoint }) {
            (report.acknowledgedSubtasks, report.totalSubtasks) = (row.acknowledgedSubtasks, row.totalSubtasks)
        }
        return report
    }
}
