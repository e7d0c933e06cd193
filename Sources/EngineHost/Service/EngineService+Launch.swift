internal import CellGrid
internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// Submissions and launches: recipe to record to running job.
extension EngineService {
    /// A launch, checked as far as possible without reading the disk.
    struct LaunchPlan: Sendable {
        var record: JobRecord
        var job: any StreamJob
        /// Holder of the lineage's claim.
        var holder: LineageClaim.Holder
        /// Whether the job ran before under its id.
        var recovers = false
        var previousPosition: UInt64?
    }

    /// Submits a job, on `decisions`. Replies once the job runs or cannot.
    func submit(_ request: SubmitRequest, peer: Requester, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        do throws(ControlFailure) {
            let frame = try canonicalFrame(.submit(request))
            if let known = try repetition(of: request.operation, frame: frame, verb: .submit) { return reply(.success(known)) }
            let program = try asControlFailure(.submit) { () throws(ProgramError) in try programs.program(request.program) }
            let recipe = JobRecipe(
                program: request.program, arguments: request.arguments, parallelism: request.parallelism ?? program.parallelism)
            try requireParallelism(recipe.parallelism, verb: .submit)
            let job = try asControlFailure(.submit) { () throws(ProgramError) in try programs.job(of: recipe) }
            let name = request.name ?? request.program
            guard name.contains(where: { !$0.isWhitespace }) else {
                throw .badField(.submit, "name", "must not be empty: give the job a name, or leave it out")
            }
            guard request.from?.path != nil || request.from == nil else { throw .badField(.submit, "from.path", "is missing") }
            let source = try request.from?.path.map { (path) throws(ControlFailure) in
                try checkSnapshot(path, for: .submit, recipe: recipe, lineage: nil, allowsOther: request.from?.allowsUnmatchedState ?? false)
            }
            let id = JobID.random(host)
            let lineage = source.flatMap { $0.manifest.recipe?.program == recipe.program ? $0.manifest.lineage : nil } ?? id
            try refuseTwin(name: name, lineage: lineage)
            let now = host.wall()
            var record = JobRecord(
                id: id, lineage: lineage, name: name, recipe: recipe, submittedAt: now,
                report: .placeholder(id: id, name: name, recipe: recipe, at: now))
            record.launchedBy = request.operation
            record.restore = source.map {
                StoredRestore(path: $0.path, claim: request.from?.claim ?? .noClaim, allowsUnmatchedState: request.from?.allowsUnmatchedState ?? false)
            }
            let entry = OperationEntry(
                operation: request.operation, verb: .submit, frame: frame, by: request.by, reason: request.reason, userID: peer.userID,
                processID: peer.processID, acceptedAt: now, job: id, jobName: name, report: nil, state: .running)
            let holder = LineageClaim.Holder.operation(request.operation, by: request.by)
            try claim(LineageClaim(lineage: lineage, name: name, work: .launch, holder: holder, job: id), verb: .submit)
            do throws(ControlFailure) { try accept(entry) } catch {
                release(lineage, heldBy: holder)
                throw error
            }
            let position = state.withLock { $0.position(ofLineage: lineage) }
            launch(LaunchPlan(record: record, job: job, holder: holder, previousPosition: position)) { result in
                self.release(lineage, heldBy: holder)
                self.finishSubmit(request.operation, result)
                reply(result.map { .submitted($0) }.mapError { .refused(.submit, $0.message) })
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func finishSubmit(_ id: OperationID, _ result: Result<JobReport, ControlFailure>) {
        guard var entry = state.withLock({ $0.operation(id) }) else { return }
        switch result {
        case .success: entry.state = .completed
        case .failure(let failure): (entry.state, entry.error) = (.failed, failure.message)
        }
        note(entry)
    }

    // MARK: Who may launch

    /// Refuses a second live job of one name or lineage: the name would be ambiguous, the output written twice.
    private func refuseTwin(name: String, lineage: JobID) throws(ControlFailure) {
        let (related, work) = state.withLock { ($0.live(ofLineage: lineage), $0.work(onLineage: lineage)) }
        // A job with a cancel or stop in progress is still live.
        if case .refuse = OperationAdmission(.submit, of: related?.phase ?? .ended, during: work.work) {
            guard let related else { throw .refused(.submit, "\(work.by ?? "another operation") is under way on the same line: wait for it to end") }
            throw .refused(
                .submit, "job \(related.record.id.short) continues the same line and is \(related.report.state.rawValue): cancel it first")
        }
        // It has ended, but still cleans up.
        if let related { throw .refused(.submit, "job \(related.record.id.short) of the same line is just ending: ask again") }
        try refuseNamesake(name: name, lineage: lineage, verb: .submit)
    }

    func refuseNamesake(name: String, lineage: JobID, verb: ControlVerb) throws(ControlFailure) {
        guard let named = state.withLock({ $0.live(named: name)?.record }), named.lineage != lineage else { return }
        throw .refused(verb, "a job named '\(printable(name))' already exists (\(named.id.short)): choose another name")
    }

    func requireParallelism(_ parallelism: Int, verb: ControlVerb) throws(ControlFailure) {
        if let problem = tooParallel(parallelism) { throw .badField(verb, "parallelism", problem) }
    }

    /// Reason why this engine refuses that many subtasks, or nil.
    func tooParallel(_ parallelism: Int) -> String? {
        guard parallelism > maxParallelism else { return nil }
        return "must be at most \(maxParallelism) on this engine, not \(parallelism): choose less, or start the engine with --max-parallelism \(parallelism)"
    }

    /// Takes the right to launch in a lineage, under a name.
    func claim(_ claim: LineageClaim, verb: ControlVerb) throws(ControlFailure) {
        guard let other = state.withLock({ $0.claims.take(claim) }) else { return }
        let job = other.job.map { " (job \($0.short))" } ?? ""
        throw .refused(verb, "\(printable(other.description))\(job) is under way for '\(printable(other.name))': wait for it to end")
    }

    func release(_ lineage: JobID, heldBy holder: LineageClaim.Holder) { state.withLock { $0.claims.release(lineage, heldBy: holder) } }

    /// Reads a snapshot's manifest and checks that a job of this recipe may start from it.
    func checkSnapshot(
        _ path: String, for verb: ControlVerb, recipe: JobRecipe, lineage: JobID?, allowsOther: Bool
    ) throws(ControlFailure) -> SnapshotManifest.Found {
        let found: SnapshotManifest.Found
        switch SnapshotManifest.read(at: path, filesystem: host.filesystem) {
        case .success(let value): found = value
        case .failure(let error):
            if case .notFound = error { throw .unknownPath(path, problem: "nothing is there: check the path") }
            throw .refused(verb, error.description)
        }
        let manifest = found.manifest
        let isOwn = manifest.lineage == lineage || manifest.recipe?.program == recipe.program
        guard isOwn || allowsOther else {
            let theirs = manifest.recipe.map { "program \(printable($0.program))" } ?? "no recorded program"
            throw .refused(
                verb,
                "\(printable(found.path)) belongs to job '\(printable(manifest.jobName))' (\(manifest.job.short), \(theirs)), not to \(recipe.program): "
                    + "choose a checkpoint of this job, or allow unmatched state")
        }
        guard (1...manifest.maxParallelism).contains(recipe.parallelism) else {
            throw .badField(verb, "parallelism", "must be 1 to \(manifest.maxParallelism), the maximum of \(printable(found.path)), not \(recipe.parallelism)")
        }
        return found
    }

    /// Writes the record, launches on the launching queue, and returns to `decisions` with the outcome. A failed launch leaves no trace, unless the
    /// job existed before (`recovers`). Compares and sets: nothing is launched without the claim, or beside a live job of the lineage, regardless
    /// of earlier checks.
    func launch(_ plan: LaunchPlan, completion: @escaping @Sendable (Result<JobReport, ControlFailure>) -> Void) {
        let id = plan.record.id
        let refusal = state.withLock { state -> String? in
            let looks = !host.filesystem.has(.launchesWithoutCancel)
            guard state.claims[plan.record.lineage]?.holder == plan.holder || !looks else { return "another operation is launching a job of its lineage" }
            if looks, let other = state.live(ofLineage: plan.record.lineage), other.record.id != id {
                return "job \(other.record.id.short) of its lineage is still live"
            }
            var hosted = EngineState.HostedJob(record: plan.record)
            hosted.isLaunching = true
            state.jobs[id] = hosted
            state.claims.launches(id, in: plan.record.lineage)
            return nil
        }
        if let refusal { return completion(.failure(.refused(nil, "job '\(printable(plan.record.name))' was not launched: \(refusal)"))) }
        do throws(EngineStoreError) {
            if !host.filesystem.has(.launchesUnrecorded) { try store.write { plan.record } }
        } catch {
            return unwritten(plan, error, completion: completion)
        }
        let launch = makeLaunch(plan)
        launches.async {
            let result: Result<RunningJob, any Error> = Result { try RunningJob.launch(launch) { self.jobChanged($0.id) } }
            let isTaken = self.decisions.async {
                completion(self.launched(plan, result))
                self.waiting.launchEnded(id)
            }
            // The engine has ended meanwhile, so nothing else would end the job.
            if !isTaken, case .success(let running) = result { running.suspend { _ in } }
        }
    }

    /// Handles a failed write of the record. Nothing is launched without one: the next engine would not know the job.
    private func unwritten(
        _ plan: LaunchPlan, _ error: EngineStoreError, completion: @escaping @Sendable (Result<JobReport, ControlFailure>) -> Void
    ) {
        let message = "the record of the job could not be written: \(error)"
        state.withLock { state in
            state.jobs[plan.record.id]?.isLaunching = false
            state.jobs[plan.record.id]?.record.recovery?.failed()
        }
        // The record may exist nevertheless, if only its name could not be made durable.
        if plan.recovers { hold(plan.record.id, because: message) } else { neverCame(plan.record.id, message) }
        completion(.failure(.internal(message)))
        waiting.launchEnded(plan.record.id)
    }

    private func makeLaunch(_ plan: LaunchPlan) -> JobLaunch {
        let record = plan.record
        var launch = JobLaunch(
            id: record.id, lineage: record.lineage, name: record.name, job: plan.job, parallelism: record.recipe.parallelism,
            storageRoot: store.checkpointRoot, submittedAt: record.submittedAt)
        launch.host = host
        launch.recipe = record.recipe
        launch.restore = record.restore?.request
        launch.recovers = plan.recovers
        launch.history = record.checkpoints
        launch.previousAttempts = plan.recovers ? record.report.attempt : 0
        launch.previousPosition = plan.previousPosition
        if plan.recovers { launch.savepointDirectories = savepointDirectories(of: record.id) }
        let id = record.id
        launch.onTerminal = { [weak self] report in try self?.record(id, as: report) }
        return launch
    }

    private func launched(_ plan: LaunchPlan, _ result: Result<RunningJob, any Error>) -> Result<JobReport, ControlFailure> {
        let id = plan.record.id
        switch result {
        case .success(let running):
            let isStopping = state.withLock { state in
                state.jobs[id]?.running = running
                state.jobs[id]?.isLaunching = false
                return state.isStopping
            }
            if isStopping { running.suspend { _ in } }
            jobChanged(id)
            removeSurplus()
            if plan.recovers { settleLater(id) }
            return .success(running.report())
        case .failure(let error):
            state.withLock { state in
                state.jobs[id]?.isLaunching = false
                state.jobs[id]?.record.recovery?.failed()
            }
            let message = "job '\(printable(plan.record.name))' could not be launched: \(printable(String(describing: error), limit: 1000))"
            if plan.recovers {
                if (error as? JobError)?.isPassing == true { hold(id, because: message) } else { markFailed(id, message) }
            } else {
                neverCame(id, message)
            }
            publisher.noteChange()
            continueTrials()
            return .failure(.refused(nil, message))
        }
    }

    /// Marks an unrecoverable job as FAILED, with the reason; its checkpoints stay for a restart.
    func markFailed(_ id: JobID, _ message: String, saying line: String? = nil) {
        tell(line ?? message, .error, .job, job: id)
        guard let record = state.withLock({ $0.jobs[id]?.record }) else { return }
        // The record may lack the newest checkpoint, which a restart has to begin with.
        let rows = reviewed(record)
        state.withLock { state in
            guard var job = state.jobs[id] else { return }
            let now = host.wall()
            job.record.takeReviewed(rows)
            let failure = FailureReport(at: now, message: message, attempt: job.record.report.attempt)
            job.record.failures.append(failure)
            job.record.report.lastFailure = failure
            job.record.report.state = .failed
            job.record.report.stateSince = now
            (job.record.report.vertices, job.record.report.inProgress) = ([], [])
            (job.record.report.restartsAt, job.record.report.restartDelay, job.record.report.restartReason) = (nil, nil, nil)
            state.jobs[id] = job
        }
        write(id)
        publisher.noteChange()
        waiting.launchEnded(id)
    }

    /// Removes a job that could not be launched. If its record cannot be removed, the job stays as FAILED: the next engine would otherwise recover
    /// it.
    func neverCame(_ id: JobID, _ message: String) {
        do throws(EngineStoreError) {
            try store.remove(id)
            state.withLock { $0.jobs[id] = nil }
        } catch { markFailed(id, "\(message) (\(error))") }
    }

    private func removeSurplus() {
        for id in state.withLock({ $0.surplusJobs }) {
            state.withLock { $0.jobs[id] = nil }
            // A remaining one is read again at the next start, and evicted again.
            do throws(EngineStoreError) { try store.remove(id) } catch {}
        }
    }

    func asControlFailure<Value>(_ verb: ControlVerb, _ body: () throws(ProgramError) -> Value) throws(ControlFailure) -> Value {
        do throws(ProgramError) { return try body() } catch { throw .refused(verb, error.description) }
    }
}

extension JobID {
    static func random(_ host: any EngineHost) -> JobID { JobID(high: host.random(), low: host.random()) }
}

extension JobReport {
    /// Report of a job about to be launched.
    static func placeholder(id: JobID, name: String, recipe: JobRecipe, at now: WallTime) -> JobReport {
        JobReport(
            id: id, name: name, state: .initializing, stateSince: now, submittedAt: now, parallelism: recipe.parallelism, maxParallelism: 128,
            configuration: CheckpointConfiguration(), budget: FailureBudget(counted: 0, tolerable: nil, source: .exact, cumulative: 0), recipe: recipe)
    }
}
