internal import CellGrid
internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// Restarts: a new submission of a job's recipe, from a chosen snapshot, in the same lineage.
///
///     claim the lineage -> verify the snapshot -> accept, durably -> end the live job -> launch -> release the claim
///
/// No other operation can launch in the lineage, or end its job, once it is claimed; every step checks again for live jobs.
extension EngineService {
    private struct Restart: Sendable {
        var entry: OperationEntry
        var source: SnapshotManifest.Found
        /// Pin held from the verification until the new job has taken over the state, or the restart is given up.
        var pin: SnapshotPin
        var recipe: JobRecipe
        /// Record of the restarted job.
        var record: JobRecord
        var options: RestartOptions
        var expected: JobState?
        /// Job that was ended for it.
        var ended: JobID?

        var operation: OperationID { entry.operation }
        var holder: LineageClaim.Holder { .operation(entry.operation, by: entry.by) }
    }

    /// Begins an admitted restart, on `decisions`. Refuses early what it can; replies once the snapshot is verified and the restart accepted: one
    /// from a damaged snapshot is refused, instead of failing after the old job was cancelled for it.
    func beginRestart(
        _ entry: OperationEntry, _ options: RestartOptions, job: EngineState.HostedJob, expected: JobState?, reply: @escaping Reply
    ) throws(ControlFailure) {
        let record = job.record
        var recipe = record.recipe
        recipe.parallelism = options.parallelism ?? recipe.parallelism
        let pin = try pinSnapshot(options.path, of: record)
        let source = try checkSnapshot(
            pin.path, for: .restart, recipe: recipe, lineage: record.lineage, allowsOther: options.allowsUnmatchedState)
        try requireParallelism(recipe.parallelism, verb: .restart)
        let program = try asControlFailure(.restart) { () throws(ProgramError) in try programs.job(of: recipe) }
        try checkFit(program, recipe, source, options)
        let restart = Restart(
            entry: entry, source: source, pin: pin, recipe: recipe, record: record, options: options, expected: expected)
        try refuseNamesake(name: record.name, lineage: record.lineage, verb: .restart)
        try claim(LineageClaim(lineage: record.lineage, name: record.name, work: .restart, holder: restart.holder), verb: .restart)
        waiting.verifications[entry.operation] = WaitingWork.Verification(frame: entry.frame, replies: [reply])
        verify(source.path) { problem in self.verified(restart, problem) }
    }

    /// Refuses a restart that the launch would refuse, while the old job still runs.
    private func checkFit(_ job: any StreamJob, _ recipe: JobRecipe, _ source: SnapshotManifest.Found, _ options: RestartOptions) throws(ControlFailure) {
        var launch = JobLaunch(
            id: source.manifest.job, lineage: source.manifest.lineage, job: job, parallelism: recipe.parallelism, storageRoot: store.checkpointRoot,
            submittedAt: host.wall())
        launch.restore = RestoreRequest(path: source.path, claim: options.claim, allowsUnmatchedState: options.allowsUnmatchedState)
        do { try RunningJob.check(launch, against: source.manifest, at: source.path) } catch {
            throw .refused(.restart, "\(error); nothing was cancelled")
        }
    }

    /// Pins the chosen snapshot, or the newest: retention keeps it during the verification, the cancel and the launch.
    private func pinSnapshot(_ chosen: String?, of record: JobRecord) throws(ControlFailure) -> SnapshotPin {
        var lastPath: String?
        while true {
            guard let path = chosen ?? restorePath(of: record) else {
                throw .refused(
                    .restart,
                    "job '\(printable(record.name))' (\(record.id.short)) has no checkpoint or savepoint left: name one with from, or submit it anew")
            }
            do throws(StoreError) { return try SnapshotPin.take(path: path, filesystem: host.filesystem) } catch {
                // Retention may just have removed the newest: then there is a newer one.
                if chosen == nil, path != lastPath {
                    lastPath = path
                    continue
                }
                if case .notFound = error { throw .unknownPath(path, problem: "nothing is there: check the path") }
                throw .refused(.restart, error.description)
            }
        }
    }

    /// Default snapshot of a restart: the job's newest, else the one the job itself was restored from.
    private func restorePath(of record: JobRecord) -> String? {
        let rows = state.withLock { $0.jobs[record.id]?.checkpoints(limit: 5000) ?? [] }
        return rows.filter(\.isRestorable).max { $0.id < $1.id }?.path ?? record.restore?.path
    }

    /// Reads a whole snapshot, away from `decisions`, and returns its problem, if any.
    private func verify(_ path: String, completion: @escaping @Sendable (String?) -> Void) {
        inspections.verify { filesystem in
            let inspection = Snapshot.inspect(path: path, filesystem: filesystem)
            let problem = inspection.verdict == .ok ? nil : inspection.problem ?? "\(path) is \(inspection.verdict.rawValue)"
            self.decisions.async { completion(problem) }
        }
    }

    /// Accepts the restart, on `decisions`, unless the situation changed while the snapshot was read.
    private func verified(_ restart: Restart, _ problem: String?) {
        let replies = waiting.verifications.removeValue(forKey: restart.operation)?.replies ?? []
        func answer(_ result: Result<ControlReply, ControlFailure>) { for reply in replies { reply(result) } }
        var restart = restart
        do throws(ControlFailure) {
            if let problem { throw .refused(.restart, problem) }
            if state.withLock({ $0.isStopping }) { throw .refused(.restart, "the engine is shutting down: ask again when it is back") }
            let job = try find(JobReference(restart.record.id))
            if let expected = restart.expected, expected != job.report.state {
                throw .stateChanged(.restart, job: job.record.id, expected: expected, actual: job.report.state)
            }
            restart.entry.update { ($0.state, $0.path, $0.checkpoint) = (.running, restart.source.path, restart.source.manifest.checkpoint) }
            try accept(restart.entry)
        } catch {
            giveUp(restart)
            return answer(.failure(error))
        }
        if let report = restart.entry.report { answer(.success(.operation(report))) }
        endThenLaunch(restart)
    }

    /// Ends all live jobs of the lineage, one step at a time, and launches afterwards. Called again after each wait.
    private func endThenLaunch(_ restart: Restart) {
        guard let live = state.withLock({ $0.live(ofLineage: restart.record.lineage) }), !host.filesystem.has(.launchesWithoutCancel) else {
            return launchRestart(restart)
        }
        let id = live.record.id
        switch live.phase {
        case .launching: waiting.afterLaunch(of: id) { [weak self] in self?.endThenLaunch(restart) }
        case .cancelling, .failing, .leaving: waiting.afterEnd(of: id) { [weak self] in self?.endThenLaunch(restart) }
        case .held:
            markCanceled(id)
            var restart = restart
            restart.ended = id
            let next = restart
            afterWriting(id) { self.endThenLaunch(next) }
        case .running, .restarting: cancelForRestart(restart, live)
        case .ended: launchRestart(restart)
        }
    }

    private func cancelForRestart(_ restart: Restart, _ live: EngineState.HostedJob) {
        let id = live.record.id
        guard restart.options.cancelsFirst, let running = live.running else {
            return abandon(restart, "job \(id.short) of the same lineage is still live: cancel it first, or let the restart do it (--cancel-first)")
        }
        running.cancel(.keep) { result in
            self.decisions.async {
                // A job that has ended on its own meanwhile is just as good.
                let isEnding = self.state.withLock { $0.jobs[id]?.report.state.isTerminal ?? true }
                if case .failure(let error) = result, !isEnding, self.state.withLock({ $0.jobs[id]?.phase != .failing }) {
                    return self.abandon(restart, "job \(id.short) could not be cancelled, so nothing was launched: \(error)")
                }
                self.write(id)
                self.state.withLock { $0.jobs[id]?.record.isPositionExact = true }
                var restart = restart
                restart.ended = id
                self.endThenLaunch(restart)
            }
        }
    }

    private func abandon(_ restart: Restart, _ why: String) {
        giveUp(restart)
        fail(restart.operation, why)
    }

    private func giveUp(_ restart: Restart) {
        restart.pin.release()
        release(restart.record.lineage, heldBy: restart.holder)
    }

    private func launchRestart(_ restart: Restart) {
        let id = JobID.random(host), old = restart.record
        let job: any StreamJob
        do throws(ProgramError) { job = try programs.job(of: restart.recipe) } catch { return abandon(restart, error.description) }
        var record = JobRecord(
            id: id, lineage: old.lineage, name: old.name, recipe: restart.recipe, submittedAt: host.wall(),
            report: .placeholder(id: id, name: old.name, recipe: restart.recipe, at: host.wall()))
        record.launchedBy = restart.operation
        record.restore = StoredRestore(
            path: restart.source.path, claim: restart.options.claim, allowsUnmatchedState: restart.options.allowsUnmatchedState)
        write(old.id)
        let position = state.withLock { $0.position(ofLineage: old.lineage) }
        launch(LaunchPlan(record: record, job: job, holder: restart.holder, previousPosition: position)) { result in
            self.giveUp(restart)
            switch result {
            case .success: self.update(restart.operation) { ($0.state, $0.endedAt, $0.newJob) = (.completed, self.host.wall(), id) }
            case .failure(let failure):
                let rest = restart.ended.map { "; job \($0.short) is cancelled, its checkpoints are kept" } ?? ""
                self.fail(restart.operation, failure.message + rest)
            }
        }
    }

    // MARK: After the end of an engine

    /// Carries out an accepted restart whose old job had already been ended for it.
    /// - Returns: false if there is nothing to continue with.
    func continueRestart(_ entry: OperationEntry) -> Bool {
        guard let report = entry.report, case .restart(let options) = report.request.kind, let path = report.path,
            let record = state.withLock({ $0.jobs[report.request.job]?.record }), record.isTerminal,
            state.withLock({ $0.live(ofLineage: record.lineage) == nil }),
            // It has launched its job: whatever became of that since, it is done.
            state.withLock({ state in !state.orderedJobs.contains { $0.record.launchedBy == report.request.id } }),
            case .success(let source) = SnapshotManifest.read(at: path, filesystem: host.filesystem),
            // StoreError: a snapshot that cannot be pinned cannot be read; the operation fails and its checkpoints stay.
            let pin = try? SnapshotPin.take(path: path, filesystem: host.filesystem)
        else { return false }
        var recipe = record.recipe
        recipe.parallelism = options.parallelism ?? recipe.parallelism
        let restart = Restart(entry: entry, source: source, pin: pin, recipe: recipe, record: record, options: options, ended: record.id)
        let claim = LineageClaim(lineage: record.lineage, name: record.name, work: .restart, holder: restart.holder)
        guard state.withLock({ $0.claims.take(claim) }) == nil else { return false }
        launchRestart(restart)
        return true
    }
}
