internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import Dispatch
internal import StreamModel
internal import Synchronization

/// Restarts: a new submission of a job's recipe, from a chosen snapshot, in the same lineage.
extension EngineService {
    private struct Restart: Sendable {
        var operation: OperationID
        var source: SnapshotFile.Found
        var recipe: JobRecipe
        var record: JobRecord
        var options: RestartOptions
        /// To be cancelled first.
        var live: JobID?
    }

    /// On `decisions`. Refuses what can be refused now; replies when the rest is accepted. Returns the snapshot that has to be verified
    /// first: a restart from a damaged one is refused, not accepted and failed after the old job was cancelled for it.
    func beginRestart(
        _ entry: OperationEntry, _ options: RestartOptions, job: EngineState.HostedJob, verified: String?, reply: @escaping Reply
    ) throws(ControlFailure) -> String? {
        let record = job.record
        let live = state.withLock { $0.live(ofLineage: record.lineage)?.record.id }
        if let live, !options.cancelsFirst {
            let isSame = live == record.id
            throw .refused(
                .restart,
                isSame
                    ? "job '\(printable(record.name))' (\(live.short)) is \(job.report.state.rawValue): cancel it first, or let the restart do it (--cancel-first)"
                    : "job \(live.short) continues job \(record.id.short) and still runs: cancel it first, or let the restart do it (--cancel-first)")
        }
        var recipe = record.recipe
        recipe.parallelism = options.parallelism ?? recipe.parallelism
        guard let path = verified ?? options.path ?? newestRestorable(record) else {
            throw .refused(.restart, "job '\(printable(record.name))' has no checkpoint or savepoint left: name one with from, or submit it anew")
        }
        let source = try checkSnapshot(
            path, for: .restart, recipe: recipe, lineage: record.lineage, allowsOther: options.allowsUnmatchedState)
        let program = try asControlFailure(.restart) { () throws(ProgramError) in try programs.job(of: recipe) }
        try checkFit(program, recipe, source, options)
        if live == nil { try refuseTwin(name: record.name, lineage: record.lineage, verb: .restart) }
        guard source.path == verified else { return source.path }
        var entry = entry
        entry.update { ($0.state, $0.path, $0.checkpoint) = (.running, source.path, source.manifest.checkpoint) }
        try accept(entry)
        if let report = entry.report { reply(.success(.operation(report))) }
        cancelThenLaunch(
            Restart(operation: entry.operation, source: source, recipe: recipe, record: record, options: options, live: live))
        return nil
    }

    /// What the launch would refuse is refused now, while the old job still runs.
    private func checkFit(_ job: any StreamJob, _ recipe: JobRecipe, _ source: SnapshotFile.Found, _ options: RestartOptions) throws(ControlFailure) {
        var launch = JobLaunch(
            id: source.manifest.job, lineage: source.manifest.lineage, job: job, parallelism: recipe.parallelism, storageRoot: store.checkpointRoot,
            submittedAt: .now())
        launch.restore = RestoreRequest(path: source.path, claim: options.claim, allowsUnmatchedState: options.allowsUnmatchedState)
        do { try RunningJob.check(launch, against: source.manifest, at: source.path) } catch {
            throw .refused(.restart, "\(error); nothing was cancelled")
        }
    }

    private func newestRestorable(_ record: JobRecord) -> String? {
        let rows = state.withLock { $0.jobs[record.id]?.checkpoints(limit: 5000) ?? [] }
        return rows.filter(\.isRestorable).max { $0.id < $1.id }?.path
    }

    private func cancelThenLaunch(_ restart: Restart) {
        if let live = restart.live, state.withLock({ $0.jobs[live]?.isHeld == true }) { markCanceled(live) }
        guard let live = restart.live, let running = state.withLock({ $0.jobs[live]?.running }) else { return launchRestart(restart) }
        running.cancel(.keep) { result in
            self.decisions.async {
                // A job that ended by itself in the meantime is as good.
                let state = self.state.withLock { $0.jobs[live]?.report.state }
                if case .failure(let error) = result, state?.isTerminal != true {
                    return self.fail(restart.operation, "job \(live.short) could not be cancelled, so nothing was launched: \(error)")
                }
                self.write(live)
                self.state.withLock { $0.jobs[live]?.record.isPositionExact = true }
                self.launchRestart(restart)
            }
        }
    }

    private func launchRestart(_ restart: Restart) {
        let id = JobID.random(), old = restart.record
        let job: any StreamJob
        do throws(ProgramError) { job = try programs.job(of: restart.recipe) } catch {
            return fail(restart.operation, error.description)
        }
        var record = JobRecord(
            id: id, lineage: old.lineage, name: old.name, recipe: restart.recipe, submittedAt: .now(),
            report: .placeholder(id: id, name: old.name, recipe: restart.recipe))
        record.restore = StoredRestore(
            path: restart.source.path, claim: restart.options.claim, allowsUnmatchedState: restart.options.allowsUnmatchedState)
        write(old.id)
        let position = state.withLock { $0.position(ofLineage: old.lineage) }
        launch(LaunchPlan(record: record, job: job, previousPosition: position)) { result in
            switch result {
            case .success: self.update(restart.operation) { ($0.state, $0.endedAt, $0.newJob) = (.completed, .now(), id) }
            case .failure(let failure):
                let rest = restart.live == nil ? "" : "; job \(old.id.short) is cancelled, its checkpoints are kept"
                self.fail(restart.operation, failure.message + rest)
            }
        }
    }
}
