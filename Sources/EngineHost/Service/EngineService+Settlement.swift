internal import CellGrid
internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// Settlement of inherited operations from the facts.
extension EngineService {
    /// Settles the operations that the last engine had accepted but not finished, from the facts.
    func settleOperations() {
        // Only those of the last engine: others may have been accepted during the recovery.
        let inherited = Set(store.operations.filter { !$0.state.isTerminal }.map(\.operation))
        for entry in state.withLock({ state in state.operations.filter { !$0.state.isTerminal && inherited.contains($0.operation) } }) {
            var entry = entry
            if entry.report == nil {
                let isThere = entry.job.map { id in state.withLock { $0.jobs[id] != nil } } ?? false
                entry.state = isThere ? .completed : .failed
                if !isThere { entry.error = "the engine ended before the job was launched: submit it again" }
            } else if entry.verb == .restart, continueRestart(entry) {
                tell(
                    "operation \(entry.operation) (restart of '\(printable(entry.jobName))') goes on: its old job had been ended for it", .warning, .operation,
                    job: entry.job)
                continue
            } else {
                entry.update { settle(&$0) }
            }
            note(entry)
            say(
                "operation \(entry.operation) (\(entry.verb.rawValue) of '\(printable(entry.jobName))') is \(entry.state.rawValue)\(entry.error.map { ": \($0)" } ?? "")"
            )
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
            if let row, row.status == .completed {
                (report.state, report.path) = (.completed, row.path)
            } else {
                report.error = "the engine ended before the checkpoint was complete"
            }
        case .cancel(let retention): repeatCancel(&report, retention, job)
        case .restart, .launch:
            // The new job's record is written before it is launched.
            let new = state.withLock { state in
                state.orderedJobs.map(\.record).first { record in
                    if let operation = record.launchedBy { return operation == report.request.id }
                    // Record of an older engine.
                    return record.restore?.path == report.path && record.submittedAt >= report.acceptedAt && record.lineage == job?.record.lineage
                }
            }
            if let new {
                (report.state, report.newJob) = (.completed, new.id)
            } else {
                report.error = "the engine ended before the new job was launched: restart it again, the checkpoints are kept"
            }
        case .dispose, .uploadJar, .deleteJar: report.error = "the engine ended before anything was done"
        case .fault: report.error = "the engine ended before the fault took effect"
        }
    }

    /// Carries out an accepted cancel: the recovery has left the job down for it, or it has ended meanwhile.
    private func repeatCancel(_ report: inout OperationReport, _ retention: CancelRetention, _ job: EngineState.HostedJob?) {
        guard job?.isLive == true || job?.report.state == .canceled else {
            report.error = job.map { "the job is \($0.report.state.rawValue): there is nothing to cancel" } ?? "the job is gone"
            return
        }
        (report.state, report.endedAt) = (.running, nil)
        let id = report.request.id, jobID = report.request.job
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
}
