internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import Dispatch
internal import StreamModel
internal import Synchronization

/// Submissions and launches: recipe to record to running job.
extension EngineService {
    /// What is to be launched, checked as far as memory allows.
    struct LaunchPlan: Sendable {
        var record: JobRecord
        var job: any StreamJob
        /// The job ran before under its id.
        var recovers = false
        var previousPosition: UInt64?
    }

    /// On `decisions`. Replies once the job runs or cannot.
    func submit(_ request: SubmitRequest, peer: Requester, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        do throws(ControlFailure) {
            let frame = try canonicalFrame(.submit(request))
            if let known = try repetition(of: request.operation, frame: frame, verb: .submit) { return reply(.success(known)) }
            let program = try asControlFailure(.submit) { () throws(ProgramError) in try programs.program(request.program) }
            let recipe = JobRecipe(
                program: request.program, arguments: request.arguments, parallelism: request.parallelism ?? program.parallelism)
            let job = try asControlFailure(.submit) { () throws(ProgramError) in try programs.job(of: recipe) }
            let name = request.name ?? request.program
            guard name.contains(where: { !$0.isWhitespace }) else { throw .badField(.submit, "name", "must not be empty: give the job a name, or leave it out") }
            guard request.from?.path != nil || request.from == nil else { throw .badField(.submit, "from.path", "is missing") }
            let source = try request.from?.path.map { (path) throws(ControlFailure) in
                try checkSnapshot(path, for: .submit, recipe: recipe, lineage: nil, allowsOther: request.from?.allowsUnmatchedState ?? false)
            }
            let id = JobID.random()
            let lineage = source.flatMap { $0.manifest.recipe?.program == recipe.program ? $0.manifest.lineage : nil } ?? id
            try refuseTwin(name: name, lineage: lineage, verb: .submit)
            var record = JobRecord(id: id, lineage: lineage, name: name, recipe: recipe, submittedAt: .now(), report: .placeholder(id: id, name: name, recipe: recipe))
            record.restore = source.map {
                StoredRestore(path: $0.path, claim: request.from?.claim ?? .noClaim, allowsUnmatchedState: request.from?.allowsUnmatchedState ?? false)
            }
            let entry = OperationEntry(
                operation: request.operation, verb: .submit, frame: frame, by: request.by, reason: request.reason, userID: peer.userID,
                processID: peer.processID, acceptedAt: .now(), job: id, jobName: name, report: nil, state: .running)
            try accept(entry)
            let position = state.withLock { $0.position(ofLineage: lineage) }
            launch(LaunchPlan(record: record, job: job, previousPosition: position)) { result in
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

    /// Two live jobs of one name could not be told apart, two of one lineage would write the same output.
    func refuseTwin(name: String, lineage: JobID, verb: ControlVerb) throws(ControlFailure) {
        let (named, related) = state.withLock { ($0.live(named: name)?.record, $0.live(ofLineage: lineage)?.record) }
        if let related {
            throw .refused(verb, "job \(related.id.short) continues the same line and is \(state.withLock { $0.jobs[related.id]?.report.state.rawValue ?? "?" }): cancel it first")
        }
        if let named { throw .refused(verb, "a job named '\(printable(name))' is there already (\(named.id.short)): give another name") }
    }

    /// Reads a snapshot's manifest and says whether a job of this recipe may start from it.
    func checkSnapshot(
        _ path: String, for verb: ControlVerb, recipe: JobRecipe, lineage: JobID?, allowsOther: Bool
    ) throws(ControlFailure) -> SnapshotFile.Found {
        let found: SnapshotFile.Found
        switch SnapshotFile.readManifest(at: path) {
        case .success(let value): found = value
        case .failure(let error):
            if case .notFound = error { throw .unknownPath(path, problem: "nothing is there: check the path") }
            throw .refused(verb, error.description)
        }
        let manifest = found.manifest
        let isOwn = manifest.lineage == lineage || manifest.recipe?.program == recipe.program
        guard isOwn || allowsOther else {
            let theirs = manifest.recipe.map { "program \(printable($0.program))" } ?? "no program that is known"
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

    /// Writes the record, launches on the launching queue, and comes back to `decisions` with the outcome. A launch that fails leaves
    /// nothing, unless the job was there before (`recovers`).
    func launch(_ plan: LaunchPlan, completion: @escaping @Sendable (Result<JobReport, ControlFailure>) -> Void) {
        let id = plan.record.id
        state.withLock { $0.jobs[id] = EngineState.HostedJob(record: plan.record) }
        do throws(EngineStoreError) {
            try store.write { plan.record }
        } catch {
            if !plan.recovers { state.withLock { $0.jobs[id] = nil } }
            return completion(.failure(.internal("the record of the job could not be written: \(error)")))
        }
        let launch = makeLaunch(plan)
        launches.async {
            let result: Result<RunningJob, any Error> = Result { try RunningJob.launch(launch) { self.jobChanged($0.id) } }
            self.decisions.async { completion(self.launched(plan, result)) }
        }
    }

    private func makeLaunch(_ plan: LaunchPlan) -> JobLaunch {
        let record = plan.record
        var launch = JobLaunch(
            id: record.id, lineage: record.lineage, name: record.name, job: plan.job, parallelism: record.recipe.parallelism,
            storageRoot: store.checkpointRoot, submittedAt: record.submittedAt)
        launch.recipe = record.recipe
        launch.restore = record.restore?.request
        launch.recovers = plan.recovers
        launch.history = record.checkpoints
        launch.previousAttempts = plan.recovers ? record.report.attempt : 0
        launch.previousPosition = plan.previousPosition
        if plan.recovers { launch.savepointDirectories = savepointDirectories(of: record.id) }
        let id = record.id
        launch.onTerminal = { [weak self] report in self?.write(id, as: report) }
        return launch
    }

    private func launched(_ plan: LaunchPlan, _ result: Result<RunningJob, any Error>) -> Result<JobReport, ControlFailure> {
        let id = plan.record.id
        switch result {
        case .success(let running):
            let isStopping = state.withLock { state in
                state.jobs[id]?.running = running
                return state.isStopping
            }
            if isStopping { running.suspend { _ in } }
            jobChanged(id)
            removeSurplus()
            if plan.recovers { settleLater(id) }
            return .success(running.report())
        case .failure(let error):
            let message = "job '\(printable(plan.record.name))' could not be launched: \(printable(String(describing: error), limit: 1000))"
            if plan.recovers {
                if case .unreadable = error as? JobError { hold(id, because: message) } else { markFailed(id, message) }
            } else {
                state.withLock { $0.jobs[id] = nil }
                store.remove(id)
            }
            publisher.noteChange()
            return .failure(.refused(nil, message))
        }
    }

    /// A job that cannot come back is FAILED, with the reason; its checkpoints stay for a restart.
    func markFailed(_ id: JobID, _ message: String) {
        say(message)
        state.withLock { state in
            guard var job = state.jobs[id] else { return }
            let failure = FailureReport(at: .now(), message: message, attempt: job.record.report.attempt)
            job.record.failures.append(failure)
            job.record.report.lastFailure = failure
            job.record.report.state = .failed
            job.record.report.stateSince = .now()
            state.jobs[id] = job
        }
        write(id)
    }

    private func removeSurplus() {
        for id in state.withLock({ $0.surplusJobs }) {
            state.withLock { $0.jobs[id] = nil }
            store.remove(id)
        }
    }

    func asControlFailure<Value>(_ verb: ControlVerb, _ body: () throws(ProgramError) -> Value) throws(ControlFailure) -> Value {
        do throws(ProgramError) { return try body() } catch { throw .refused(verb, error.description) }
    }
}

extension JobID {
    static func random() -> JobID { JobID(high: .random(in: .min ... .max), low: .random(in: .min ... .max)) }
}

extension JobReport {
    /// The picture of a job that is about to be launched.
    static func placeholder(id: JobID, name: String, recipe: JobRecipe) -> JobReport {
        JobReport(
            id: id, name: name, state: .initializing, stateSince: .now(), submittedAt: .now(), parallelism: recipe.parallelism, maxParallelism: 128,
            configuration: CheckpointConfiguration(), budget: FailureBudget(counted: 0, tolerable: nil, source: .exact, cumulative: 0), recipe: recipe)
    }
}
