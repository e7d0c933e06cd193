internal import CellGrid
internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// The engine's state of jobs and operations, as one value behind the service's mutex. No I/O.
struct EngineState {
    /// A submission: its record, and the running job behind it, if any.
    struct HostedJob {
        var record: JobRecord
        /// The running job, kept for some time after its end for details missing from records.
        var running: RunningJob?
        /// The record as last written; it is rewritten only after a change.
        var written: WrittenMark?
        /// The report as last published.
        var published: PublishedMark?
        /// What the log has told of it.
        var news: JobNews?
        /// Whether the engine is suspending it: its later reports are no end.
        var isSuspending = false
        /// Whether its launch is in progress: a record exists, but nothing runs.
        var isLaunching = false

        /// Newest report.
        var report: JobReport { running?.report() ?? record.report }
        var isLive: Bool { !report.state.isTerminal }
        /// Whether it waits for recovery; nothing runs.
        var isHeld: Bool { running == nil && !isLaunching && record.report.state == .restarting }
        /// Whether nothing of it lives, not even its cleanup thread.
        var isOver: Bool { !isLive && !isLaunching && running?.hasEnded != false }

        var phase: JobPhase {
            if isLaunching { return .launching }
            if isOver { return .ended }
            if isHeld { return .held }
            // The engine has just started and not reached it yet.
            if running == nil { return .launching }
            switch report.state {
            case .initializing, .restarting: return .restarting
            case .running: return .running
            case .cancelling: return .cancelling
            case .failing, .suspended: return .failing
            case .failed, .canceled, .finished: return .leaving
            }
        }

        /// Checkpoints, newest first.
        func checkpoints(limit: Int) -> [CheckpointReport] {
            running?.checkpoints(limit: limit) ?? Array(record.checkpoints.suffix(limit).reversed())
        }

        /// Failures, newest first.
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

    /// Facts whose change is published at once.
    struct PublishedMark: Equatable {
        var state: JobState
        var attempt, running: Int
        var revision: UInt64

        init(_ report: JobReport) {
            (state, attempt, running, revision) = (report.state, report.attempt, report.runningSubtasks, report.checkpointsRevision)
        }
    }

    /// Numbers of ended jobs that keep their `RunningJob`, and of records of ended jobs.
    static let warmJobs = 8, endedJobs = 200
    static let operationsInReport = 100

    var jobs: [JobID: HostedJob] = [:]
    /// Operations by acceptance, oldest first.
    private(set) var operations: [OperationEntry] = []
    private var operationIndex: [OperationID: Int] = [:]
    /// Jobs with unprocessed changes.
    var dirty: Set<JobID> = []
    /// Jobs whose record on disk is out of date because a write failed.
    var unwritten: Set<JobID> = []
    var isStopping = false
    /// Claims to launch, by lineage.
    var claims = LineageClaims()

    // MARK: Jobs

    /// Jobs, newest submission first.
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
    /// The one job of a lineage that is live in any way.
    func live(ofLineage lineage: JobID) -> HostedJob? { orderedJobs.first { !$0.isOver && $0.record.lineage == lineage } }

    /// Work in progress on a lineage and its operation, if any.
    func work(onLineage lineage: JobID) -> (work: LineageWork, by: String?) {
        if let claim = claims[lineage] { return (claim.work, claim.description) }
        let open = operations.filter { entry in !entry.state.isTerminal && entry.job.flatMap { jobs[$0]?.record.lineage } == lineage }
        func first(_ verb: ControlVerb) -> String? { open.first { $0.verb == verb }.map { "\(verb.rawValue) \($0.operation) by \(printable($0.by))" } }
        if let stop = first(.stop) { return (.stop, stop) }
        if let cancel = first(.cancel) { return (.cancel, cancel) }
        return (open.contains { $0.verb == .savepoint || $0.verb == .checkpointNow } ? .snapshot : .nothing, nil)
    }

    /// Furthest position read by any execution of the lineage; nil if one of them was killed.
    func position(ofLineage lineage: JobID) -> UInt64? {
        let records = jobs.values.map(\.record).filter { $0.lineage == lineage }
        guard !records.isEmpty, records.allSatisfy({ $0.isPositionExact }) else { return nil }
        return records.compactMap(\.position).max()
    }

    /// Ids of surplus ended jobs, oldest first. Jobs of a live lineage stay.
    var surplusJobs: [JobID] {
        let ended = jobs.values.filter(\.isOver).sorted { ($0.record.submittedAt, $0.record.id) < ($1.record.submittedAt, $1.record.id) }
        guard ended.count > Self.endedJobs else { return [] }
        return ended.prefix(ended.count - Self.endedJobs).filter { live(ofLineage: $0.record.lineage) == nil && claims[$0.record.lineage] == nil }.map(
            \.record.id)
    }

    /// Drops the running halves of jobs that ended long ago.
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

    /// Operations, newest first, with the progress of those that wait for a checkpoint.
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
