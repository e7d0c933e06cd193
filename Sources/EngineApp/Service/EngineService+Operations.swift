internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import Dispatch
internal import StreamModel
internal import Synchronization

/// Requests of operators on jobs: checked, written down, replied to, carried out.
extension EngineService {
    typealias Reply = @Sendable (Result<ControlReply, ControlFailure>) -> Void

    /// On `decisions`. Replies when the operation is accepted and durable; what becomes of it is in the reports.
    /// - Parameter verified: the snapshot of a restart whose every byte was read and found good.
    func operate(_ command: JobCommand, peer: Requester, verified: String? = nil, reply: @escaping Reply) {
        do throws(ControlFailure) {
            let frame = try canonicalFrame(.operate(command))
            if let known = try repetition(of: command.operation, frame: frame, verb: command.verb) { return reply(.success(known)) }
            let job = try find(command.job)
            let report = job.report
            if let expected = command.expectedState, expected != report.state {
                throw .stateChanged(command.verb, job: report.id, expected: expected, actual: report.state)
            }
            try guardState(command, job: job, report: report)
            let request = command.request(for: report.id)
            var entry = OperationEntry(
                operation: command.operation, verb: command.verb, frame: frame, by: command.by, reason: command.reason, userID: peer.userID,
                processID: peer.processID, acceptedAt: .now(), job: report.id, jobName: report.name, report: nil, state: .accepted)
            entry.report = OperationReport(request: request, jobName: report.name, state: .accepted, acceptedAt: entry.acceptedAt)
            if case .restart(let options) = command.action {
                guard let source = try beginRestart(entry, options, job: job, verified: verified, reply: reply) else { return }
                verify(source) { problem in
                    if let problem { return reply(.failure(.refused(.restart, problem))) }
                    // The world may have changed in the meantime: everything is checked again.
                    self.operate(command, peer: peer, verified: source, reply: reply)
                }
            } else if job.isHeld {
                try cancelHeld(entry, command.action, job: job, reply: reply)
            } else {
                try accept(entry)
                carryOut(command.action, entry, running: job.running, reply: reply)
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func guardState(_ command: JobCommand, job: EngineState.HostedJob, report: JobReport) throws(ControlFailure) {
        let verb = command.verb, name = "job '\(printable(report.name))' (\(report.id.short)) is \(report.state.rawValue)"
        switch command.action {
        case .savepoint, .checkpoint, .stop, .fault:
            guard report.state == .running, job.running != nil else {
                throw .refused(verb, "\(name): \(verb.rawValue) needs a RUNNING job")
            }
        case .cancel:
            guard [.initializing, .running, .restarting, .cancelling].contains(report.state), job.running != nil || job.isHeld else {
                throw .refused(verb, "\(name): there is nothing to cancel")
            }
        case .restart: break
        case .launch: throw .refused(verb, "a launch is for Flink clusters: submit a program")
        case .dispose(let path): throw .refused(verb, "this engine deletes no snapshots on request: remove the directory \(printable(path)) when no job needs it")
        }
    }

    /// Reads a snapshot whole, away from `decisions`, and comes back with what is wrong with it.
    private func verify(_ path: String, completion: @escaping @Sendable (String?) -> Void) {
        inspections.async {
            let inspection = Snapshot.inspect(path: path)
            self.decisions.async { completion(inspection.verdict == .ok ? nil : inspection.problem ?? "\(path) is \(inspection.verdict.rawValue)") }
        }
    }

    /// Nothing of the job runs, so nobody is there to delete its checkpoints by the rules.
    private func cancelHeld(
        _ entry: OperationEntry, _ action: OperationRequest.Kind, job: EngineState.HostedJob, reply: @escaping Reply
    ) throws(ControlFailure) {
        guard case .cancel(let retention) = action else { throw .internal("only a cancel comes to a job that waits to be brought back") }
        let keeps = retention == .keep || retention == .byPolicy && job.record.report.configuration.retention == .retainOnCancellation
        guard keeps else {
            throw .refused(
                .cancel, "job '\(printable(job.record.name))' (\(job.record.id.short)) waits to be brought back; its checkpoints cannot be deleted meanwhile: cancel it and keep them")
        }
        try accept(entry)
        markCanceled(job.record.id)
        update(entry.operation) { ($0.state, $0.endedAt, $0.path) = (.completed, .now(), job.record.newestRestorable?.path) }
        if let report = state.withLock({ state in state.operation(entry.operation)?.report }) { reply(.success(.operation(report))) }
    }

    private func carryOut(_ action: OperationRequest.Kind, _ entry: OperationEntry, running: RunningJob?, reply: @escaping Reply) {
        let id = entry.operation
        guard let running else { return reply(.failure(.internal("the job is gone"))) }
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
        case .cancel(let retention):
            update(id) { $0.state = .running }
            running.cancel(retention) { result in self.decisions.async { self.finishCancel(id, with: result) } }
        case .fault(let spec):
            do throws(JobError) {
                try running.fault(spec)
                update(id) { ($0.state, $0.endedAt) = (.completed, .now()) }
            } catch {
                fail(id, error.description)
                return reply(.failure(.refused(.fault, error.description)))
            }
        case .restart, .launch, .dispose: break
        }
        if let report = state.withLock({ state in state.operation(id).flatMap { state.report(of: $0) } }) { reply(.success(.operation(report))) }
    }

    private func finish(_ id: OperationID, with result: Result<CheckpointReport, JobError>) {
        switch result {
        case .success(let row):
            update(id) { report in
                (report.state, report.endedAt, report.checkpoint, report.path) = (.completed, .now(), row.id, row.path)
                (report.acknowledgedSubtasks, report.totalSubtasks) = (row.acknowledgedSubtasks, row.totalSubtasks)
            }
        case .failure(let error): fail(id, error.description)
        }
    }

    private func finishCancel(_ id: OperationID, with result: Result<JobReport, JobError>) {
        switch result {
        case .success(let report): update(id) { ($0.state, $0.endedAt, $0.path) = (.completed, .now(), report.latestCompleted?.path) }
        case .failure(let error): fail(id, error.description)
        }
    }

    func fail(_ id: OperationID, _ message: String) {
        update(id) { ($0.state, $0.endedAt, $0.error) = (.failed, .now(), message) }
    }

    // MARK: The log

    /// The request as text: equal for a repetition of the same request.
    func canonicalFrame(_ request: ControlRequest) throws(ControlFailure) -> String {
        do throws(ControlCodecError) { return String(decoding: try ControlCodec.encode(request, id: .number(0)).dropLast(), as: UTF8.self) } catch {
            throw .internal(error.problem)
        }
    }

    /// The reply to a request that came before; nil = it is new.
    func repetition(of id: OperationID, frame: String, verb: ControlVerb) throws(ControlFailure) -> ControlReply? {
        if state.withLock({ $0.isStopping }) { throw .refused(verb, "the engine is shutting down: ask again when it is back") }
        let found = state.withLock { state in
            state.operation(id).map { entry in (entry, state.report(of: entry), entry.job.flatMap { state.jobs[$0]?.report }) }
        }
        guard let (entry, report, job) = found else { return nil }
        guard entry.frame == frame else {
            throw .refused(verb, "operation id \(id) was used for another request (\(entry.verb.rawValue) of '\(printable(entry.jobName))'): choose a new id")
        }
        return try Self.reply(to: entry, report: report, job: job)
    }

    /// Makes the operation durable; only then is it acted on.
    func accept(_ entry: OperationEntry) throws(ControlFailure) {
        do throws(EngineStoreError) { try store.append(entry) } catch {
            throw .internal("the operation could not be written down, so nothing was done: \(error)")
        }
        state.withLock { $0.insert(entry) }
        publisher.noteChange()
    }

    func update(_ id: OperationID, _ change: (inout OperationReport) -> Void) {
        guard var entry = state.withLock({ $0.operation(id) }), !entry.state.isTerminal else { return }
        entry.update(change)
        note(entry)
    }

    /// Takes in the new state of an operation. Where it cannot be written, the engine says so and goes on: after a kill it is found from the facts.
    func note(_ entry: OperationEntry) {
        do throws(EngineStoreError) { try store.append(entry) } catch {
            say("the outcome of operation \(entry.operation) could not be written: \(error)")
        }
        state.withLock { $0.insert(entry) }
        publisher.noteChange()
    }
}
