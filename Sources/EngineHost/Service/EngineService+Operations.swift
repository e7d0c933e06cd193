internal import CellGrid
internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// Requests of operators on jobs: checked, recorded, answered, carried out.
extension EngineService {
    typealias Reply = @Sendable (Result<ControlReply, ControlFailure>) -> Void

    /// Handles an operation, on `decisions`. Replies when it is accepted and durable; its progress is in the reports.
    func operate(_ command: JobCommand, peer: Requester, reply: @escaping Reply) {
        do throws(ControlFailure) {
            let frame = try canonicalFrame(.operate(command))
            if let known = try repetition(of: command.operation, frame: frame, verb: command.verb) { return reply(.success(known)) }
            if try joinsVerification(of: command.operation, frame: frame, verb: command.verb, reply) { return }
            let job = try find(command.job)
            let report = job.report
            try requireState(command.expectedState, of: report, for: command.verb)
            let admission = try admit(command.action, on: job, verb: command.verb)
            var entry = OperationEntry(
                operation: command.operation, verb: command.verb, frame: frame, by: command.by, reason: command.reason, userID: peer.userID,
                processID: peer.processID, acceptedAt: host.wall(), job: report.id, jobName: report.name, report: nil, state: .accepted)
            entry.report = OperationReport(
                request: command.request(for: report.id), jobName: report.name, state: .accepted, acceptedAt: entry.acceptedAt)
            switch command.action {
            case .restart(let options): try beginRestart(entry, options, job: job, expected: command.expectedState, reply: reply)
            case .cancel(let retention):
                try accept(entry)
                cancel(entry.operation, retention, job: report.id)
                replyWithReport(of: entry.operation, reply)
            case .launch: throw .refused(.restart, "a launch is for Flink clusters: submit a program")
            case .uploadJar, .deleteJar: throw .refused(.submit, "jars are for Flink clusters: submit a program")
            case .dispose(let path):
                throw .refused(
                    .dispose, "this engine deletes no snapshots on request: remove the directory \(printable(path)) when no job needs it")
            case .savepoint, .checkpoint, .stop, .fault:
                guard admission == .admit, let running = job.running else { throw .internal("the job is gone") }
                try accept(entry)
                carryOut(command.action, entry, running: running, reply: reply)
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func requireState(_ expected: JobState?, of report: JobReport, for verb: ControlVerb) throws(ControlFailure) {
        if let expected, expected != report.state { throw .stateChanged(verb, job: report.id, expected: expected, actual: report.state) }
    }

    /// Checks by the table that the operation may begin; refusals name the job and the obstacle.
    private func admit(
        _ action: OperationRequest.Kind, on job: EngineState.HostedJob, verb: ControlVerb
    ) throws(ControlFailure) -> OperationAdmission {
        let request: LineageRequest
        switch action {
        case .savepoint: request = .savepoint
        case .checkpoint: request = .checkpoint
        case .stop: request = .stop
        case .cancel: request = .cancel
        case .restart(let options): request = options.cancelsFirst ? .restartCancelFirst : .restart
        case .fault: request = .fault
        case .launch, .dispose, .uploadJar, .deleteJar: return .admit
        }
        let lineage = job.record.lineage
        let (work, phase, live) = state.withLock { state in
            let live = state.live(ofLineage: lineage)
            let isLaunch = request == .restart || request == .restartCancelFirst
            return (state.work(onLineage: lineage), isLaunch ? live?.phase ?? .ended : job.phase, live)
        }
        let admission = OperationAdmission(request, of: phase, during: work.work)
        guard case .refuse(let refusal) = admission else { return admission }
        throw .refused(verb, text(of: refusal, verb, job, live: live, under: work.by))
    }

    private func text(
        of refusal: OperationAdmission.Refusal, _ verb: ControlVerb, _ job: EngineState.HostedJob, live: EngineState.HostedJob?, under work: String?
    ) -> String {
        let name = "job '\(printable(job.record.name))' (\(job.record.id.short)) is \(job.report.state.rawValue)"
        switch refusal {
        case .needsRunning: return "\(name): \(verb.rawValue) needs a RUNNING job"
        case .nothingToCancel: return "\(name): there is nothing to cancel"
        case .underWay: return "\(name), and \(work ?? "another operation") is under way on it: wait for that one to end"
        case .stillLives:
            guard let live, live.record.id != job.record.id else {
                return "\(name): cancel it first, or let the restart do it (--cancel-first)"
            }
            return "job \(live.record.id.short) continues job \(job.record.id.short) and is \(live.report.state.rawValue): cancel it first, or let the "
                + "restart do it (--cancel-first)"
        }
    }

    /// Joins a restart whose snapshot is being verified: the reply goes to this client too. False for any other operation.
    private func joinsVerification(
        of id: OperationID, frame: String, verb: ControlVerb, _ reply: @escaping Reply
    ) throws(ControlFailure) -> Bool {
        guard let known = waiting.verifications[id] else { return false }
        guard known.frame == frame else { throw .refused(verb, "operation id \(id) was used for another request: choose a new id") }
        waiting.verifications[id]?.replies.append(reply)
        return true
    }

    // MARK: Cancel

    /// Cancels the job in its present phase, or after its launch. Called again after each wait.
    func cancel(_ id: OperationID, _ retention: CancelRetention, job: JobID) {
        guard let hosted = state.withLock({ $0.jobs[job] }) else { return fail(id, "the job could not be launched, so there is nothing to cancel") }
        switch hosted.phase {
        case .launching:
            update(id) { $0.state = .running }
            waiting.afterLaunch(of: job) { [weak self] in self?.cancel(id, retention, job: job) }
        case .held:
            markCanceled(job)
            update(id) { $0.state = .running }
            afterWriting(job) { self.finishCancel(id, retention, ofEnded: job) }
        default:
            if hosted.isOver, hosted.report.state == .canceled { return finishCancel(id, retention, ofEnded: job) }
            guard let running = hosted.running else { return fail(id, "the job is \(hosted.report.state.rawValue): there is nothing to cancel") }
            update(id) { $0.state = .running }
            let before = running.checkpoints(limit: Self.rowsMax).count(where: \.discarded)
            running.cancel(retention) { result in
                self.decisions.async { self.finishCancel(id, retention, of: running, discardedBefore: before, with: result) }
            }
        }
    }

    private func replyWithReport(of id: OperationID, _ reply: Reply) {
        guard let report = state.withLock({ state in state.operation(id).flatMap { state.report(of: $0) } }) else {
            return reply(.failure(.internal("operation \(id) is gone")))
        }
        reply(.success(.operation(report)))
    }

    // MARK: Snapshots and faults

    private func carryOut(_ action: OperationRequest.Kind, _ entry: OperationEntry, running: RunningJob, reply: @escaping Reply) {
        let id = entry.operation
        let started: @Sendable (CheckpointID) -> Void = { checkpoint in
            self.decisions.async {
                self.update(id) { ($0.state, $0.checkpoint) = (.running, checkpoint) }
            }
        }
        let completion: RunningJob.CheckpointCompletion = { result in self.decisions.async { self.finish(id, with: result) } }
        switch action {
        case .savepoint(let directory): running.savepoint(directory: directory, by: entry.by, started: started, completion: completion)
        case .checkpoint: running.checkpointNow(by: entry.by, started: started, completion: completion)
        case .stop(let drain, let directory):
            running.stop(drain: drain, directory: directory, by: entry.by, started: started, completion: completion)
        case .fault(let spec):
            do throws(JobError) {
                try running.fault(spec)
                update(id) { ($0.state, $0.endedAt) = (.completed, self.host.wall()) }
            } catch {
                fail(id, error.description)
                return reply(.failure(.refused(.fault, error.description)))
            }
        case .cancel, .restart, .launch, .dispose, .uploadJar, .deleteJar: break
        }
        replyWithReport(of: id, reply)
    }

    private func finish(_ id: OperationID, with result: Result<CheckpointReport, JobError>) {
        switch result {
        case .success(let row):
            update(id) { report in
                (report.state, report.endedAt, report.checkpoint, report.path) = (.completed, self.host.wall(), row.id, row.path)
                (report.acknowledgedSubtasks, report.totalSubtasks) = (row.acknowledgedSubtasks, row.totalSubtasks)
            }
        case .failure(let error): fail(id, error.description)
        }
    }

    /// Rows of a job that are looked through.
    private static let rowsMax = 5000

    /// Names the newest checkpoint only where it is still there, and counts those that a cancel that discards has deleted.
    private func finishCancel(
        _ id: OperationID, _ retention: CancelRetention, of job: RunningJob, discardedBefore before: Int, with result: Result<JobReport, JobError>
    ) {
        switch result {
        case .success(let last):
            let rows = job.checkpoints(limit: Self.rowsMax)
            let newest = last.latestCompleted.flatMap { newest in rows.first { $0.id == newest.id } ?? newest }
            let discards = retention.discards(last.configuration.retention)
            update(id) { report in
                (report.state, report.endedAt) = (.completed, self.host.wall())
                report.path = newest.flatMap { $0.isRestorable ? $0.path : nil }
                if discards { report.deletedCheckpoints = max(0, rows.count(where: \.discarded) - before) }
            }
        case .failure(let error): fail(id, error.description)
        }
    }

    /// Completes the cancel of a job that is CANCELED on record, and that no thread cleans up after. May be repeated.
    func finishCancel(_ id: OperationID, _ retention: CancelRetention, ofEnded job: JobID) {
        guard let record = state.withLock({ $0.jobs[job]?.record }) else { return fail(id, "the job is CANCELED, and its record is gone") }
        guard retention.discards(record.report.configuration.retention) else {
            return update(id) { ($0.state, $0.endedAt, $0.path) = (.completed, self.host.wall(), record.newestRestorable?.path) }
        }
        update(id) { $0.state = .running }
        let discards = CanceledCheckpoints(record, root: store.checkpointRoot, filesystem: host.filesystem)
        launches.async {
            let outcome = discards.remove()
            self.decisions.async { self.discarded(id, of: job, outcome) }
        }
    }

    private func discarded(_ id: OperationID, of job: JobID, _ outcome: CanceledCheckpoints.Outcome) {
        reviewEnded(job)
        if let problem = outcome.problem { return fail(id, "the job is CANCELED, but its checkpoints could not be deleted: \(problem)") }
        let newest = state.withLock { $0.jobs[job]?.record.newestRestorable }
        update(id) { report in
            (report.state, report.endedAt, report.path) = (.completed, self.host.wall(), newest?.path)
            report.deletedCheckpoints = outcome.deleted
        }
    }

    func fail(_ id: OperationID, _ message: String) {
        update(id) { ($0.state, $0.endedAt, $0.error) = (.failed, self.host.wall(), message) }
    }

    // MARK: The log

    /// The request as text: equal for a repetition of the same request.
    func canonicalFrame(_ request: ControlRequest) throws(ControlFailure) -> String {
        do throws(ControlCodecError) { return String(decoding: try ControlCodec.encode(request, id: .number(0)).dropLast(), as: UTF8.self) } catch {
            throw .internal(error.problem)
        }
    }

    /// Reply to a repeated request; nil = it is new.
    func repetition(of id: OperationID, frame: String, verb: ControlVerb) throws(ControlFailure) -> ControlReply? {
        if state.withLock({ $0.isStopping }) { throw .refused(verb, "the engine is shutting down: ask again when it is back") }
        let found = state.withLock { state in
            state.operation(id).map { entry in (entry, state.report(of: entry), entry.job.flatMap { state.jobs[$0]?.report }) }
        }
        guard let (entry, report, job) = found, !host.filesystem.has(.repeatsOperations) else { return nil }
        guard entry.frame == frame else {
            throw .refused(verb, "operation id \(id) was used for another request (\(entry.verb.rawValue) of '\(printable(entry.jobName))'): choose a new id")
        }
        return try Self.reply(to: entry, report: report, job: job)
    }

    /// Makes the operation durable; only then is it acted on.
    func accept(_ entry: OperationEntry) throws(ControlFailure) {
        do throws(EngineStoreError) { if !host.filesystem.has(.answersBeforeLog) { try store.append(entry) } } catch {
            throw .internal("the operation could not be written down, so nothing was done: \(error)")
        }
        state.withLock { $0.insert(entry) }
        noteOperation(entry)
        publisher.noteChange()
    }

    func update(_ id: OperationID, _ change: (inout OperationReport) -> Void) {
        guard var entry = state.withLock({ $0.operation(id) }), !entry.state.isTerminal else { return }
        entry.update(change)
        note(entry)
    }

    /// Records the new state of an operation. If the write fails, the engine reports it and continues: after a kill the state follows from the facts.
    func note(_ entry: OperationEntry) {
        do throws(EngineStoreError) { try store.append(entry) } catch {
            tell("the outcome of operation \(entry.operation) could not be written: \(error)", .error, .operation, job: entry.job)
        }
        state.withLock { $0.insert(entry) }
        if entry.state.isTerminal { noteOperation(entry) }
        publisher.noteChange()
    }
}
