internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
public import StreamModel
internal import Synchronization

/// The engine's start and end: jobs come back, operations that were under way are settled from the facts; at the end jobs are suspended.
extension EngineService {
    /// Brings back every job that had not ended, and waits until each runs or is known to be unable to.
    /// - Parameter holding: such jobs stay down for now, for this reason: a restart is about to take their place.
    public func recover(holding reason: String? = nil) {
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
                if let reason { self.keepDown(record.id, because: reason) } else { self.recover(record, latch) }
            }
            latch.leave()
        }
        latch.wait()
        decisions.sync { self.settleOperations() }
    }

    /// Jobs whose submission failed: a record that is there all the same could not be removed.
    private var failedSubmissions: Set<JobID> {
        state.withLock { state in Set(state.operations.filter { $0.verb == .submit && $0.state == .failed }.compactMap(\.job)) }
    }

    private func recover(_ record: JobRecord, _ latch: Latch) {
        if let recovery = record.recovery, recovery.remaining(at: host.wall()) > 0 { return hold(record.id, because: recovery.reason) }
        guard let plan = recoveryPlan(record) else { return }
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

    /// One live job a lineage: of several records the newest submission goes on, as the operator last wanted. Newest first.
    private func oneOfEachLineage(_ records: [JobRecord]) -> [JobRecord] {
        var owners: [JobID: JobID] = [:]
        return records.filter { record in
            guard let owner = owners[record.lineage] else {
                owners[record.lineage] = record.id
                return true
            }
            let message =
                "job '\(printable(record.name))' (\(record.id.short)) does not come back: job \(owner.short) continues its lineage; its checkpoints are kept"
            say(message)
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
            if case .success(let report) = result { self.say("job '\(printable(report.name))' (\(report.id.short)) is back\(Self.origin(record))") }
            completion(result)
        }
    }

    private static func origin(_ record: JobRecord) -> String {
        record.report.latestCompleted.map { ", newest recorded checkpoint \($0.id)" } ?? ""
    }

    /// The job as its record and its directory tell it; nil = it cannot be made any more.
    private func recoveryPlan(_ record: JobRecord) -> LaunchPlan? {
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

    /// Leaves a job down for now: it is tried again after its delay, at least a second. Its report says when and why.
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
        say("job '\(printable(record.name))' (\(id.short)) is brought back in \(wait.count) ms: \(printable(reason, limit: 1000))")
        decisions.after(wait) { [weak self] in self?.bringBack(id) }
        waiting.launchEnded(id)
    }

    /// Leaves a job down until somebody restarts or cancels it, or the next start of the engine. Nothing is written.
    private func keepDown(_ id: JobID, because reason: String) {
        state.withLock { state in
            state.jobs[id]?.record.report.state = .restarting
            state.jobs[id]?.record.report.vertices = []
            state.jobs[id]?.record.report.restartReason = reason
        }
        waiting.launchEnded(id)
    }

    private func bringBack(_ id: JobID) {
        let record = state.withLock { state -> JobRecord? in
            guard let job = state.jobs[id], job.isHeld, !state.isStopping else { return nil }
            return job.record
        }
        guard let record else { return }
        if state.withLock({ $0.claims[record.lineage] != nil }) {
            // A restart of it is being verified. Should that be refused, the job still has to come back.
            return decisions.after(RecoveryAttempts.firstDelay) { [weak self] in self?.bringBack(id) }
        }
        guard let plan = recoveryPlan(record) else { return }
        launchAgain(plan) { _ in }
    }

    /// A job that runs for a while after it was brought back is in no crash loop, whether it takes checkpoints or not.
    func settleLater(_ id: JobID) {
        let started = state.withLock { $0.jobs[id]?.record.recovery }
        guard let started else { return }
        decisions.after(RecoveryAttempts.settledAfter) { [weak self] in
            let isSettled = self?.state.withLock { state in
                guard let job = state.jobs[id], job.running != nil, job.record.recovery == started, job.isLive else { return false }
                state.jobs[id]?.record.recovery = nil
                return true
            }
            if isSettled == true { self?.write(id) }
        }
    }

    /// Where savepoints that were under way when the last engine ended may lie.
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

    /// Nothing of the job runs: its record says CANCELED from here on, its checkpoints stay.
    func markCanceled(_ id: JobID, note: String? = nil) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        let rows = reviewed(record)
        state.withLock { state in
            guard var job = state.jobs[id] else { return }
            let now = host.wall()
            job.record.take(rows)
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

    private func reviewEnded(_ id: JobID) {
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        let rows = reviewed(record)
        guard rows != record.checkpoints else { return }
        state.withLock { $0.jobs[id]?.record.take(rows) }
        write(id)
    }

    /// The recorded checkpoints, corrected by what lies on the disk. Oldest first. A directory that cannot be read corrects nothing: what the
    /// record says may be there still.
    private func reviewed(_ record: JobRecord) -> [CheckpointReport] {
        let directory = "\(record.report.configuration.storageDirectory ?? store.checkpointRoot)/\(record.id)"
        let stored: [StoredCheckpoint]
        do throws(StoreError) {
            stored = try StoredCheckpoint.scan(jobDirectory: directory, job: record.id, verification: .lengths, filesystem: host.filesystem)
        } catch .notFound {
            // A job that never began a checkpoint has no directory.
            stored = []
        } catch {
            say("the checkpoints of job \(record.id.short) cannot be looked at: \(error)")
            return record.checkpoints
        }
        let review = CheckpointReview(
            stored: stored, timeout: record.report.configuration.timeout, at: host.wall(), filesystem: host.filesystem)
        return review.corrected(record.checkpoints)
    }

    // MARK: Operations that were under way

    /// What the last engine had accepted and not finished, decided by what is there now.
    private func settleOperations() {
        // Those of the last engine only: others may have been accepted while the jobs came back.
        let inherited = Set(store.operations.filter { !$0.state.isTerminal }.map(\.operation))
        for entry in state.withLock({ state in state.operations.filter { !$0.state.isTerminal && inherited.contains($0.operation) } }) {
            var entry = entry
            if entry.report == nil {
                let isThere = entry.job.map { id in state.withLock { $0.jobs[id] != nil } } ?? false
                entry.state = isThere ? .completed : .failed
                if !isThere { entry.error = "the engine ended before the job was launched: submit it again" }
            } else if entry.verb == .restart, continueRestart(entry) {
                say("operation \(entry.operation) (restart of '\(printable(entry.jobName))') goes on: its old job had been ended for it")
                continue
            } else {
                entry.update { settle(&$0) }
            }
            note(entry)
            say("operation \(entry.operation) (\(entry.verb.rawValue) of '\(printable(entry.jobName))') is \(entry.state.rawValue)\(entry.error.map { ": \($0)" } ?? "")")
        }
    }

    private func settle(_ report: inout OperationReport) {
        let job = state.withLock { $0.jobs[report.request.job] }
        report.endedAt = host.wall()
        report.state = .failed
        switch report.request.kind {
        case .savepoint(let directory): settleSavepoint(&report, directory: directory, job: job)
        case .stop(_, let directory):
            settleSavepoint(&report, directory: directory, job: job)
            guard report.state == .completed, job?.record.report.state != .finished else { return }
            report.state = .failed
            report.error = "the savepoint \(report.path ?? "?") is complete, but the engine ended before the job did: the job goes on, stop it again"
        case .checkpoint:
            let row = job?.checkpoints(limit: 5000).first { $0.id == report.checkpoint }
            if let row, row.status == .completed { (report.state, report.path) = (.completed, row.path) } else {
                report.error = "the engine ended before the checkpoint was complete"
            }
        case .cancel(let retention):
            if job?.record.report.state == .canceled { report.state = .completed } else { repeatCancel(&report, retention, job) }
        case .restart, .launch:
            // The new job's record is written before it is launched.
            let new = state.withLock { state in
                state.orderedJobs.map(\.record).first { record in
                    if let operation = record.launchedBy { return operation == report.request.id }
                    // The record of an older engine.
                    return record.restore?.path == report.path && record.submittedAt >= report.acceptedAt && record.lineage == job?.record.lineage
                }
            }
            if let new { (report.state, report.newJob) = (.completed, new.id) } else {
                report.error = "the engine ended before the new job was launched: restart it again, the checkpoints are kept"
            }
        case .dispose: report.error = "the engine ended before anything was deleted"
        case .fault: report.error = "the engine ended before the fault took effect"
        }
    }

    /// What was promised is done: a job that came back is cancelled again.
    private func repeatCancel(_ report: inout OperationReport, _ retention: CancelRetention, _ job: EngineState.HostedJob?) {
        guard let job, job.running != nil || retention == .keep && job.isHeld else {
            report.error =
                job?.isHeld == true
                ? "the engine ended before the job was cancelled, and the job is not back yet: cancel it again"
                : "the engine ended before the job was cancelled, and the job is gone"
            return
        }
        (report.state, report.endedAt) = (.running, nil)
        let id = report.request.id, jobID = job.record.id
        decisions.async { self.cancel(id, retention, job: jobID) }
    }

    private func settleSavepoint(_ report: inout OperationReport, directory: String?, job: EngineState.HostedJob?) {
        guard let job else {
            report.error = "the engine ended before it was complete, and the job is gone"
            return
        }
        if let row = job.checkpoints(limit: 5000).first(where: { $0.id == report.checkpoint && $0.status == .completed && $0.kind.isSavepoint }) {
            (report.state, report.path) = (.completed, row.path)
            return
        }
        let configuration = job.record.report.configuration
        let directory = directory ?? configuration.savepointDirectory ?? configuration.storageDirectory ?? store.checkpointRoot
        guard let checkpoint = report.checkpoint else {
            report.error = "the engine ended before the savepoint began: ask again"
            return
        }
        do throws(FilesystemError) {
            let names = try host.filesystem.list(directory)
            for name in names where name.hasPrefix("savepoint-") {
                guard case .success(let found) = SnapshotManifest.read(at: directory + "/" + name, filesystem: host.filesystem),
                    found.manifest.job == job.record.id, found.manifest.checkpoint == checkpoint
                else { continue }
                (report.state, report.path) = (.completed, found.path)
                return
            }
            report.error = "the engine ended before the savepoint was complete: ask again"
        } catch {
            report.state = .unknown
            report.error = "the engine ended while it ran, and \(directory) cannot be read: look there for a savepoint"
        }
    }

    // MARK: The end

    /// Suspends every job, writes down where each is, and closes the state directory. Waits for the jobs' threads, but no longer than
    /// `limit`: what is on disk is consistent at any moment.
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
            say("some jobs did not end within \(limit.count) ms; they come back from their newest checkpoint")
        }
        decisions.sync {
            for job in self.state.withLock(\.orderedJobs) where job.running != nil { self.write(job.record.id) }
            self.publisher.stop()
        }
        inspections.end()
        for queue in [launches, decisions] { queue.end() }
        store.close()
    }

    /// The jobs that are to be suspended.
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
