internal import CellGrid
public import ControlProtocol
public import ControlSocket
internal import CheckpointStore
public import Dataflow
public import StreamModel
internal import Synchronization

/// The engine: hosts jobs, answers the control socket, records its promises.
///
/// Decisions and records belong to `decisions`, a serial queue; jobs are launched on `launches`, so that a large snapshot does not delay a
/// savepoint of another job; snapshots are read for operators and viewers on the lanes of `inspections`. Shared state is in `state`, a mutex
/// never held over I/O. A mutating request is durable in the operation log before it is acted on, and begins only if `OperationAdmission`
/// allows it; a launch needs the claim of its lineage. Threads, clocks, randomness and files are the host's.
public final class EngineService: ControlHandler {
    public let info: EngineInfo
    let programs: ProgramRegistry
    let store: EngineStore
    let host: any EngineHost
    let state = Mutex(EngineState())
    let decisions: WorkQueue
    let launches: WorkQueue
    let inspections: InspectionLanes
    /// Maximum number of subtasks of an operator on this engine.
    let maxParallelism: Int
    let publisher: ReportPublisher
    /// Waiting work, touched only on `decisions`.
    let waiting = WaitingWork()
    /// Output of lines for the operator who started the engine.
    let say: @Sendable (String) -> Void
    let logLines: Mutex<LogLines>
    /// nil = the log is in memory only. Touched on `decisions` alone.
    let logFile: LogFileBox?

    /// Opens the state directory and reads its records; no job runs yet.
    /// - Parameter keepsLogFile: whether the log is also written to a file of the state directory, from which the next engine goes on.
    public init(
        name: String, stateDirectory: String, programs: ProgramRegistry = .standard, maxParallelism: Int = EngineOptions.usualMaxParallelism,
        host: any EngineHost = MachineHost(), keepsLogFile: Bool = false, say: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(EngineStoreError) {
        self.host = host
        store = try EngineStore(path: stateDirectory, host: host)
        do throws(JobError) {
            decisions = try WorkQueue("decisions", host: host)
            launches = try WorkQueue("launches", host: host)
        } catch {
            store.close()
            throw .storage(error.description)
        }
        inspections = InspectionLanes(host: host)
        info = EngineInfo(
            name: name, version: WeirVersion.current, processID: host.filesystem.processID, startedAt: host.wall(), stateDirectory: stateDirectory)
        self.programs = programs
        self.maxParallelism = maxParallelism
        self.say = say
        let file = keepsLogFile ? LogFile(path: stateDirectory + "/engine.log", filesystem: host.filesystem) : nil
        let earlier = LogRing(recovered: file?.recovered ?? [])
        logFile = file.map { LogFileBox(file: $0) }
        logLines = Mutex(LogLines(ring: earlier))
        publisher = ReportPublisher(queue: decisions, host: host)
        state.withLock { state in
            for record in store.jobs { state.jobs[record.id] = EngineState.HostedJob(record: record) }
            for entry in store.operations where !host.filesystem.has(.forgetsOperations) { state.insert(entry) }
        }
        inspections.setPace(InspectionLanes.Pace(holds: { [weak self] in self?.hasRunningJob ?? false }))
        publisher.makeReport = { [weak self] in self?.currentReport() }
        logStart(after: earlier.entries.last)
        for problem in store.problems { tell(problem, .warning) }
    }

    /// Starts publishing to this audience: on every change, at most ten times a second, and once a second.
    public func publish(to audience: any ReportAudience) { publisher.start(audience) }

    // MARK: ControlHandler

    public func currentReport() -> EngineReport {
        let end = logEnd
        return state.withLock { state in
            EngineReport(
                engine: info, at: host.wall(), jobs: state.orderedJobs.map(\.report),
                operations: state.operationReports(limit: EngineState.operationsInReport), logEnd: end)
        }
    }

    public func handle(
        _ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void
    ) {
        let isQueued =
            switch request {
            case .submit(let submit): decisions.async { self.submit(submit, peer: Requester(peer), reply: reply) }
            case .operate(let command): decisions.async { self.operate(command, peer: Requester(peer), reply: reply) }
            case .inspect(let path):
                inspections.add(for: peer, isWhole: true) { reply(.success(.inspection(Snapshot.inspect(path: path, filesystem: $0)))) }
            case .checkpoint(let reference, let id):
                inspections.add(for: peer, isWhole: false) { _ in reply(Result { () throws(ControlFailure) in try self.checkpoint(reference, id) }) }
            default:
                answerNow(request, reply)
            }
        if !isQueued { reply(.failure(.refused(request.verb, "the engine has ended: ask again when it is back"))) }
    }

    private func answerNow(_ request: ControlRequest, _ reply: (Result<ControlReply, ControlFailure>) -> Void) -> Bool {
        reply(Result { () throws(ControlFailure) in try answer(request) })
        return true
    }

    private var hasRunningJob: Bool { state.withLock { $0.jobs.values.contains { $0.running?.hasEnded == false } } }

    public func connectionEnded(_ connection: UInt64) { inspections.leave(connection) }

    /// Answers requests from memory.
    private func answer(_ request: ControlRequest) throws(ControlFailure) -> ControlReply {
        switch request {
        case .jobs: return .jobs(state.withLock { $0.orderedJobs.map(\.report) })
        case .job(let reference): return .job(try find(reference).report)
        case .checkpoints(let reference, let limit): return .checkpoints(try find(reference).checkpoints(limit: limit ?? 100))
        case .exceptions(let reference): return .exceptions(try find(reference).failures)
        case .operations(let limit): return .operations(state.withLock { $0.operationReports(limit: limit ?? 100) })
        case .operation(let id): return try operation(id)
        case .audit(let limit): return .audit(state.withLock { $0.operations.suffix(limit ?? 100).reversed().map(\.auditEntry) })
        case .log(let reference, let after, let limit):
            let job = try reference.map { (reference) throws(ControlFailure) in try find(reference) }
            return .log(logTail(job, after: after, limit: limit ?? 200))
        case .programs: return .programs(programs.descriptions)
        case .hello, .subscribe, .submit, .operate, .inspect, .checkpoint:
            throw .internal("\(request.verb.rawValue) came to the wrong place")
        }
    }

    func find(_ reference: JobReference) throws(ControlFailure) -> EngineState.HostedJob {
        try state.withLock { state in Result { () throws(ControlFailure) in try state.find(reference) } }.get()
    }

    /// Snapshot that a job was launched from; nil = none, or no such job.
    package func origin(of job: JobID) -> String? { state.withLock { $0.jobs[job]?.record.restore?.path } }

    /// Records that a job and those it continues have read; nil = not known.
    package func position(of job: JobID) -> UInt64? { state.withLock { $0.jobs[job].flatMap { $0.running?.sourcePosition() ?? $0.record.position } } }

    private func operation(_ id: OperationID) throws(ControlFailure) -> ControlReply {
        let found = state.withLock { state in
            state.operation(id).map { entry in (entry, state.report(of: entry), entry.job.flatMap { state.jobs[$0]?.report }) }
        }
        guard let (entry, report, job) = found else { throw .unknownOperation(id) }
        return try Self.reply(to: entry, report: report, job: job)
    }

    /// Reply to an operation's client, now or on a repeated request.
    static func reply(to entry: OperationEntry, report: OperationReport?, job: JobReport?) throws(ControlFailure) -> ControlReply {
        if let report { return .operation(report) }
        if let error = entry.error { throw .refused(entry.verb, error) }
        guard let job else { throw .refused(entry.verb, "the submission \(entry.operation) is \(entry.state.rawValue), and its job is gone") }
        return .submitted(job)
    }

    private func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(ControlFailure) -> ControlReply {
        let job = try find(reference)
        if let running = job.running?.checkpoint(id) { return .checkpoint(running.operators == nil ? withDetail(running) : running) }
        guard let row = job.record.checkpoints.last(where: { $0.id == id }) else { throw .unknownCheckpoint(id, job: job.record.id) }
        return .checkpoint(withDetail(row))
    }

    /// Adds the detail per operator still found in the manifest: sizes, without times.
    private func withDetail(_ row: CheckpointReport) -> CheckpointReport {
        guard row.isRestorable, let path = row.path, case .success(let found) = SnapshotManifest.read(at: path, filesystem: host.filesystem) else { return row }
        var row = row
        row.operators = found.manifest.operators.map { state in
            OperatorCheckpointReport(
                uid: state.uid, name: state.name, operatorID: state.operatorID, parallelism: state.parallelism, stateSize: state.stateSize,
                subtasks: state.subtasks.map {
                    SubtaskCheckpointReport(index: $0.index, acknowledgedAt: row.endedAt, stateSize: $0.stateSize)
                })
        }
        return row
    }

    // MARK: Changes

    /// Notes a change of a job's report, on the job's own thread. Cheap: at most one check per job is queued.
    func jobChanged(_ id: JobID) {
        let isFirst = state.withLock { $0.dirty.insert(id).inserted }
        if isFirst { decisions.async { self.look(at: id) } }
    }

    /// Records and publishes the news of a job, and continues work that waited for its end.
    private func look(at id: JobID) {
        defer { if state.withLock({ $0.jobs[id]?.isOver != false }) { waiting.jobEnded(id) } }
        let (needsWriting, needsPublishing, news) = state.withLock { state -> (Bool, Bool, (report: JobReport, hasFailed: Bool)?) in
            state.dirty.remove(id)
            guard var job = state.jobs[id], let running = job.running else { return (false, false, nil) }
            let report = running.report()
            let written = EngineState.WrittenMark(report), published = EngineState.PublishedMark(report)
            let hasFailed = report.state == .failed && job.published?.state != .failed
            let result = (job.written != written && !job.isSuspending, job.published != published, (report, hasFailed))
            (job.written, job.published) = (written, published)
            if report.state.isTerminal { job.record.isPositionExact = true }
            state.jobs[id] = job
            state.coolDown()
            return result
        }
        if needsWriting { write(id) }
        if needsPublishing { publisher.noteChange() }
        continueTrials()
        guard let (report, hasFailed) = news else { return }
        noteNews(of: id, report)
        judge(report)
        if hasFailed { say("job '\(printable(report.name))' (\(id.short)) FAILED: \(printable(report.lastFailure?.message ?? "", limit: 1000))") }
    }

    /// Writes the newest state of a job's record, on any thread. A failed write is reported and repeated with the next change.
    func write(_ id: JobID) {
        // EngineStoreError: it is reported and the job is marked; the next change writes it.
        try? record(id, as: nil)
    }

    /// Retries until written: an ended job changes no more, and would be recovered by the next engine.
    private func writeLater(_ id: JobID) {
        decisions.after(.seconds(1)) { [weak self] in
            guard let self, self.state.withLock({ $0.unwritten.contains(id) && !$0.isStopping }) else { return }
            self.write(id)
            if self.state.withLock({ $0.unwritten.contains(id) }) { self.writeLater(id) }
        }
    }

    /// Continues on `decisions` once the record of the job is durable, possibly at once. An engine that ends before leaves the continuation to the
    /// next one.
    func afterWriting(_ id: JobID, _ body: @escaping @Sendable () -> Void) {
        let (isBehind, isStopping) = state.withLock { ($0.unwritten.contains(id), $0.isStopping) }
        guard isBehind else { return body() }
        if !isStopping { decisions.after(.seconds(1)) { [weak self] in self?.afterWriting(id, body) } }
    }

    /// Writes the record and returns once it is durable.
    /// - Parameter terminal: the imminent end of the job.
    func record(_ id: JobID, as terminal: JobReport?) throws(EngineStoreError) {
        do throws(EngineStoreError) {
            try store.write { self.refreshRecord(id, terminal: terminal) }
            let wasBehind = state.withLock { $0.unwritten.remove(id) != nil }
            if wasBehind { tell("the record of job \(id.short) is written again", job: id) }
        } catch {
            // Reported once until it succeeds: a full disk lasts.
            let isNew = state.withLock { state in
                state.jobs[id]?.written = nil
                return state.unwritten.insert(id).inserted
            }
            if isNew {
                tell("the record of job \(id.short) could not be written: \(error)", .error, job: id)
                writeLater(id)
            }
            throw error
        }
    }

    private func refreshRecord(_ id: JobID, terminal: JobReport?) -> JobRecord? {
        state.withLock { state in
            guard var job = state.jobs[id] else { return nil }
            // A job may end before its launch was noted.
            if job.running == nil, let terminal { job.record.report = terminal }
            if let running = job.running {
                // A record never leaves a terminal state: later reports from the job's thread are older.
                let report = terminal ?? running.report()
                if !job.record.isTerminal || report.state.isTerminal { job.record.report = report }
                if report.counts.completed > 0 { job.record.recovery = nil }
                job.record.take(running.checkpoints(limit: 5000).reversed())
                job.record.failures = running.failures().reversed()
                job.record.position = max(running.sourcePosition(), job.record.position ?? 0)
            }
            state.jobs[id] = job
            return job.record
        }
    }
}

/// The requesting user, according to the kernel.
struct Requester: Sendable {
    var userID: UInt32
    var processID: Int32

    init(_ peer: ControlPeer) { (userID, processID) = (peer.userID, peer.processID) }
}
