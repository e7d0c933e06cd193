internal import CellGrid
internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
public import StreamModel
internal import Synchronization

/// Start and end of the engine: jobs are recovered, inherited operations are settled from the facts; jobs are suspended at the end.
extension EngineService {
    /// Recovers every job that had not ended, and waits until each runs, has failed to, or has to wait.
    /// - Parameters:
    ///   - reason: reason to keep such jobs down for now: a restart is about to replace them.
    ///   - afresh: whether an operator starts the jobs by starting the engine, so that earlier attempts do not count.
    public func recover(holding reason: String? = nil, afresh: Bool = false) {
        let latch = Latch(host: host)
        latch.enter()
        decisions.async {
            let records = self.state.withLock { state in state.orderedJobs.map(\.record) }
            for record in records where record.isTerminal { self.reviewEnded(record.id) }
            let failed = self.failedSubmissions
            for record in records where !record.isTerminal && failed.contains(record.id) {
                self.neverCame(record.id, "job '\(printable(record.name))' was not launched, and its submitter was told so")
            }
            let alive = self.oneOfEachLineage(records.filter { !$0.isTerminal && !failed.contains($0.id) })
            for record in alive.reversed() {
                if afresh { self.state.withLock { $0.jobs[record.id]?.record.recovery = nil } }
                if let reason = reason ?? self.acceptedCancel(of: record.id) {
                    self.keepDown(record.id, because: reason)
                } else {
                    self.recover(record.id, latch)
                }
            }
            self.continueTrials()
            latch.leave()
        }
        latch.wait()
        decisions.sync { self.settleOperations() }
    }

    /// Jobs whose submission failed, but whose record could not be removed.
    private var failedSubmissions: Set<JobID> {
        state.withLock { state in Set(state.operations.filter { $0.verb == .submit && $0.state == .failed }.compactMap(\.job)) }
    }

    /// Reason to leave a job down whose cancel the last engine had accepted: `settleOperations` carries it out.
    private func acceptedCancel(of id: JobID) -> String? {
        if host.filesystem.has(.startsCanceled) { return nil }
        let cancel = state.withLock { state in state.operations.first { $0.verb == .cancel && !$0.state.isTerminal && $0.job == id } }
        return cancel.map { "its cancel \($0.operation) by \(printable($0.by)) is carried out" }
    }

    private func recover(_ id: JobID, _ latch: Latch) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        if let recovery = record.recovery, recovery.remaining(at: host.wall()) > 0, !recovery.isExhausted {
            return hold(id, because: recovery.reason)
        }
        guard mayStart(record), let plan = recoveryPlan(record) else { return }
        latch.enter()
        launchAgain(plan) { result in
            if case .success(let report) = result {
                for failure in self.state.withLock({ $0.jobs[report.id]?.failures ?? [] }) where failure.at >= self.info.startedAt {
                    self.say("job \(report.id.short): \(printable(failure.message, limit: 1000))")
                }
            }
            latch.leave()
        }
    }

    // MARK: Jobs that take their engine down

    /// Whether the job may start now. One that has taken down too many engines fails; one that is about to waits for its trial.
    private func mayStart(_ record: JobRecord) -> Bool {
        guard let recovery = record.recovery else { return true }
        if recovery.isExhausted {
            markFailed(
                record.id, recovery.verdict, saying: "job '\(printable(record.name))' (\(record.id.short)) is not started: \(recovery.verdict)")
            return false
        }
        if !recovery.isSuspect || waiting.trials.admits(record.id) { return true }
        let message = "the engine died \(recovery.deaths) times in a row: jobs without progress since are started one at a time"
        tell("job '\(printable(record.name))' (\(record.id.short)) waits: \(message)", .warning, .job, job: record.id)
        keepDown(record.id, because: message)
        return false
    }

    /// Starts the next suspect once the present one has made progress, or has ended. On `decisions`.
    func continueTrials() {
        while let current = waiting.trials.current, !isOnTrial(current) {
            guard let next = waiting.trials.next() else { return }
            bringBack(next)
        }
    }

    private func isOnTrial(_ id: JobID) -> Bool {
        state.withLock { state in
            guard let job = state.jobs[id], job.record.recovery != nil else { return false }
            return job.isLaunching || job.running != nil && job.isLive
        }
    }

    /// Selects one live job per lineage: the newest submission of several records, as the operator last wanted. Newest first.
    private func oneOfEachLineage(_ records: [JobRecord]) -> [JobRecord] {
        var owners: [JobID: JobID] = [:]
        return records.filter { record in
            guard let owner = owners[record.lineage] else {
                owners[record.lineage] = record.id
                return true
            }
            let message =
                "job '\(printable(record.name))' (\(record.id.short)) does not come back: job \(owner.short) continues its lineage; its checkpoints are kept"
            tell(message, .warning, .job, job: record.id)
            markCanceled(record.id, note: message)
            return false
        }
    }

    /// Launches a job under its id, with the claim of its lineage.
    private func launchAgain(_ plan: LaunchPlan, completion: @escaping @Sendable (Result<JobReport, ControlFailure>) -> Void) {
        let record = plan.record
        let claim = LineageClaim(lineage: record.lineage, name: record.name, work: .launch, holder: .recovery, job: record.id)
        if let other = state.withLock({ $0.claims.take(claim) }) {
            hold(record.id, because: "\(other.description) is under way for '\(other.name)'")
            return completion(.failure(.internal("the lineage is claimed")))
        }
        launch(plan) { result in
            self.release(record.lineage, heldBy: .recovery)
            if case .success(let report) = result {
                self.tell("job '\(printable(report.name))' (\(report.id.short)) is back\(Self.origin(record))", .info, .job, job: report.id)
            }
            completion(result)
        }
    }

    private static func origin(_ record: JobRecord) -> String {
        record.report.latestCompleted.map { ", newest recorded checkpoint \($0.id)" } ?? ""
    }

    /// Launch plan from a job's record and directory; nil = the job can no longer be made.
    private func recoveryPlan(_ record: JobRecord) -> LaunchPlan? {
        if let problem = tooParallel(record.recipe.parallelism) {
            markFailed(record.id, "job '\(printable(record.name))' cannot come back: its parallelism \(problem)")
            return nil
        }
        var record = record
        let hadEndedWell = record.report.state == .suspended
        record.take(reviewed(record))
        record.report.state = .initializing
        (record.report.restartsAt, record.report.restartDelay, record.report.restartReason) = (nil, nil, nil)
        record.report.stateSince = host.wall()
        record.report.vertices = []
        do throws(ProgramError) {
            let job = try programs.job(of: record.recipe)
            let position = hadEndedWell && record.isPositionExact ? record.position : nil
            record.isPositionExact = false
            record.recovery = record.recovery ?? RecoveryAttempts()
            record.recovery?.began(at: host.wall())
            return LaunchPlan(record: record, job: job, holder: .recovery, recovers: true, previousPosition: position)
        } catch {
            markFailed(record.id, "job '\(printable(record.name))' cannot come back: \(error)")
            return nil
        }
    }

    // MARK: Jobs that come back later

    /// Keeps a job down for now and retries after its delay, at least a second. Its report states when and why.
    func hold(_ id: JobID, because reason: String) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        let recovery = record.recovery ?? RecoveryAttempts()
        let wait = max(RecoveryAttempts.firstDelay, recovery.remaining(at: host.wall())), now = host.wall()
        state.withLock { state in
            guard var job = state.jobs[id] else { return }
            if job.record.report.state != .restarting { job.record.report.stateSince = now }
            job.record.report.state = .restarting
            job.record.report.vertices = []
            job.record.report.inProgress = []
            (job.record.report.restartsAt, job.record.report.restartDelay) = (now + wait, max(wait, recovery.delay))
            job.record.report.restartReason = reason
            let failure = FailureReport(at: now, message: reason, attempt: job.record.report.attempt)
            job.record.report.lastFailure = failure
            job.record.failures.append(failure)
            if job.record.failures.count > 200 { job.record.failures.removeFirst() }
            state.jobs[id] = job
        }
        write(id)
        publisher.noteChange()
        tell("job '\(printable(record.name))' (\(id.short)) is brought back in \(wait.count) ms: \(printable(reason, limit: 1000))", .warning, .job, job: id)
        decisions.after(wait) { [weak self] in self?.bringBackAgain(id) }
        waiting.launchEnded(id)
    }

    /// Keeps a job down until it is restarted or cancelled, or the engine starts again. Nothing is written.
    private func keepDown(_ id: JobID, because reason: String) {
        state.withLock { state in
            state.jobs[id]?.record.report.state = .restarting
            state.jobs[id]?.record.report.vertices = []
            state.jobs[id]?.record.report.restartReason = reason
        }
        publisher.noteChange()
        waiting.launchEnded(id)
    }

    /// From a timer: one that cannot be brought back keeps no other waiting.
    private func bringBackAgain(_ id: JobID) {
        bringBack(id)
        continueTrials()
    }

    private func bringBack(_ id: JobID) {
        let record = state.withLock { state -> JobRecord? in
            guard let job = state.jobs[id], job.isHeld, !state.isStopping else { return nil }
            return job.record
        }
        guard let record else { return }
        if state.withLock({ $0.claims[record.lineage] != nil }) {
            // A restart of it is being verified. If that is refused, the job still has to be recovered.
            return decisions.after(RecoveryAttempts.firstDelay) { [weak self] in self?.bringBackAgain(id) }
        }
        guard mayStart(record), let plan = recoveryPlan(record) else { return }
        launchAgain(plan) { _ in }
    }

    /// Ends the crash-loop count of a job that runs for a while after its recovery, with or without checkpoints.
    func settleLater(_ id: JobID) {
        let started = state.withLock { $0.jobs[id]?.record.recovery }
        guard let started else { return }
        decisions.after(RecoveryAttempts.settledAfter) { [weak self] in
            let isSettled = self?.state.withLock { state in
                guard let job = state.jobs[id], job.running != nil, job.record.recovery == started, job.isLive else { return false }
                state.jobs[id]?.record.recovery = nil
                return true
            }
            guard isSettled == true else { return }
            self?.write(id)
            self?.continueTrials()
        }
    }

    /// Directories of savepoints that may have been in progress when the last engine ended.
    func savepointDirectories(of id: JobID) -> [String] {
        state.withLock { state in
            state.operations.filter { !$0.state.isTerminal && $0.job == id }.compactMap { entry in
                switch entry.report?.request.kind {
                case .savepoint(let directory), .stop(_, let directory): directory
                default: nil
                }
            }
        }
    }

    /// Records a job that does not run as CANCELED; its checkpoints stay.
    func markCanceled(_ id: JobID, note: String? = nil) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        let rows = reviewed(record)
        state.withLock { state in
            guard var job = state.jobs[id] else { return }
            let now = host.wall()
            job.record.takeReviewed(rows)
            if let note {
                let failure = FailureReport(at: now, message: note, attempt: job.record.report.attempt)
                job.record.failures.append(failure)
                job.record.report.lastFailure = failure
            }
            job.record.report.state = .canceled
            job.record.report.stateSince = now
            job.record.report.inProgress = []
            (job.record.report.restartsAt, job.record.report.restartDelay, job.record.report.restartReason) = (nil, nil, nil)
            state.jobs[id] = job
        }
        write(id)
        publisher.noteChange()
        waiting.launchEnded(id)
    }

    func reviewEnded(_ id: JobID) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        let rows = reviewed(record)
        guard rows != record.checkpoints else { return }
        state.withLock { $0.jobs[id]?.record.takeReviewed(rows) }
        write(id)
    }

    /// Recorded checkpoints, corrected by the files on disk, oldest first. An unreadable directory corrects nothing: the recorded files may still
    /// exist.
    func reviewed(_ record: JobRecord) -> [CheckpointReport] {
        let stored: [StoredCheckpoint]
        do throws(StoreError) { stored = try storedCheckpoints(of: record) + storedSavepoints(of: record) } catch {
            tell("the checkpoints of job \(record.id.short) cannot be looked at: \(error)", .error, .checkpoint, job: record.id)
            return record.checkpoints
        }
        let review = CheckpointReview(
            stored: stored, timeout: record.report.configuration.timeout, at: host.wall(), filesystem: host.filesystem)
        return review.corrected(record.checkpoints)
    }

    private func storedCheckpoints(of record: JobRecord) throws(StoreError) -> [StoredCheckpoint] {
        let directory = "\(record.report.configuration.storageDirectory ?? store.checkpointRoot)/\(record.id)"
        do throws(StoreError) {
            return try StoredCheckpoint.scan(jobDirectory: directory, job: record.id, verification: .lengths, filesystem: host.filesystem)
        } catch .notFound {
            // A job that never began a checkpoint has no directory.
            return []
        }
    }

    /// Savepoints of a job that had not ended: the newest may have completed after the last record. An ended job's record is complete.
    private func storedSavepoints(of record: JobRecord) throws(StoreError) -> [StoredCheckpoint] {
        guard !record.isTerminal else { return [] }
        let configuration = record.report.configuration
        let usual = configuration.savepointDirectory ?? configuration.storageDirectory ?? store.checkpointRoot
        var stored: [StoredCheckpoint] = []
        for place in Set([usual] + savepointDirectories(of: record.id)).sorted() {
            for found in try StoredCheckpoint.savepoints(of: record.id, in: place, filesystem: host.filesystem) {
                stored.append(StoredCheckpoint(id: found.summary.checkpoint, path: found.path, condition: .valid(found.summary)))
            }
        }
        return stored
    }

    // MARK: The end

    /// Suspends every job, records their positions, and closes the state directory. Waits for the jobs' threads, but no longer than `limit`: the
    /// files on disk are consistent at any moment.
    public func shutDown(within limit: Milliseconds = .seconds(15)) {
        let latch = Latch(host: host)
        decisions.sync {
            for job in self.beginStopping() {
                latch.enter()
                job.suspend { result in
                    if case .success = result { self.suspended(job.id) }
                    latch.leave()
                }
            }
        }
        if !latch.wait(until: host.now() + limit) {
            tell("some jobs did not end within \(limit.count) ms; they come back from their newest checkpoint", .warning)
        }
        decisions.sync {
            for job in self.state.withLock(\.orderedJobs) where job.running != nil {
                self.write(job.record.id)
                self.noteNews(of: job.record.id, job.report)
            }
            self.publisher.stop()
            self.endLog()
        }
        inspections.end()
        for queue in [launches, decisions] { queue.end() }
        store.close()
    }

    /// Marks the end and returns the jobs to suspend.
    private func beginStopping() -> [RunningJob] {
        state.withLock { state in
            state.isStopping = true
            let alive = state.orderedJobs.filter { $0.isLive && $0.running != nil }
            for job in alive { state.jobs[job.record.id]?.isSuspending = true }
            return alive.compactMap(\.running)
        }
    }

    private func suspended(_ id: JobID) {
        state.withLock { state in
            state.jobs[id]?.record.isPositionExact = true
            state.jobs[id]?.record.recovery = nil
        }
    }
}
