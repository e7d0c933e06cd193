public import StreamModel

/// Carries out one operation on a cluster, from the checks before it to its end, and tells of it on the way. It blocks: run it on a thread that
/// may wait. Whoever calls it has written the request down before.
public struct FlinkOperationRunner: Sendable {
    private let client: FlinkClient
    private let cluster: FlinkClusterConfiguration
    private let jars: JarMemory
    private let clock: @Sendable () -> WallTime
    private let pause: @Sendable (Milliseconds) -> Bool
    private let tell: @Sendable (OperationReport) -> Void

    /// - Parameters:
    ///   - jars: what is known of the jars that were uploaded to this cluster before.
    ///   - pause: waits; false = go no further, the operation goes on without us.
    ///   - tell: each change of the operation, the last one too.
    public init(
        client: FlinkClient, cluster: FlinkClusterConfiguration, jars: JarMemory = .none, clock: @escaping @Sendable () -> WallTime,
        pause: @escaping @Sendable (Milliseconds) -> Bool, tell: @escaping @Sendable (OperationReport) -> Void
    ) {
        self.client = client
        self.cluster = cluster
        self.jars = jars
        self.clock = clock
        self.pause = pause
        self.tell = tell
    }

    /// Sends a request and follows it. What is returned is terminal unless `pause` ended it.
    public func run(_ request: OperationRequest) throws(FlinkRefusal) -> OperationReport {
        let track = OperationTrack(
            OperationReport(request: request, jobName: "", state: .accepted, acceptedAt: clock()), tell: tell)
        do throws(FlinkRefusal) { try carryOut(track) } catch {
            // Once the cluster has taken a part of it (a cancel before a restart), it is no refusal any more: something was done.
            guard track.isTold else { throw error }
            track.end(.failed, error: error.message + afterwards(track), at: clock())
        }
        return track.report
    }

    private func carryOut(_ track: OperationTrack) throws(FlinkRefusal) {
        let request = track.request
        switch request.kind {
        case .savepoint(let directory):
            try takeSavepoint(track, .savepoint(request.job, directory: directory, trigger: chosenTrigger(request.id)), "a savepoint")
        case .stop(let drain, let directory):
            try takeSavepoint(track, .stop(request.job, drain: drain, directory: directory, trigger: chosenTrigger(request.id)), "a stop with a savepoint")
        case .checkpoint: try beginCheckpoint(track)
        case .cancel(let retention): try cancel(track, retention)
        case .restart(let options), .launch(let options): try restart(track, options)
        case .dispose(let path): try dispose(track, path)
        case .fault: throw FlinkRefusal("a Flink cluster has no jobs that misbehave on request")
        }
    }

    /// How the job is left that an operation had begun with.
    private func afterwards(_ track: OperationTrack) -> String {
        guard case .success(let job) = ask(.job(track.request.job)) else { return "" }
        return "; \(job.name) (\(track.request.job.short)) is \(job.state.text)"
    }

    /// Finds out what became of a request that was sent earlier, by a process that is gone, and follows it to its end.
    /// - Parameter reference: what `OperationReport.reference` was, as far as it was written down.
    /// - Returns: `.unknown`, with the reason, when the cluster knows nothing of it; nil when it could not be asked to the end.
    public func resume(_ request: OperationRequest, reference: String?, sentAt: WallTime) -> OperationReport? {
        let track = OperationTrack(
            OperationReport(request: request, jobName: "", state: .accepted, acceptedAt: sentAt, reference: reference), tell: tell)
        let search: FlinkHistorySearch?
        switch request.kind {
        case .savepoint, .stop: search = FlinkHistorySearch(wantsSavepoint: true, sentAt: sentAt, skew: skew(request.job, track))
        case .checkpoint: search = FlinkHistorySearch(wantsSavepoint: false, sentAt: sentAt, skew: skew(request.job, track))
        case .cancel, .restart, .launch, .dispose, .fault: search = nil
        }
        switch request.kind {
        case .savepoint, .stop, .checkpoint:
            let trigger = chosenTrigger(request.id) ?? reference.flatMap { FlinkTriggerID($0) }
            guard let search else { return nil }
            if let trigger { follow(track, trigger, search) } else { infer(track, search) }
        case .cancel: resumeCancel(track)
        case .restart(let options), .launch(let options):
            track.note(path: options.path)
            findLaunched(track, tries: 1)
        case .dispose(let path):
            track.note(path: path)
            guard let trigger = reference.flatMap({ FlinkTriggerID($0) }) else {
                track.end(.unknown, error: "whether the request arrived cannot be told: look whether \(path) is still there", at: clock())
                break
            }
            followDisposal(track, trigger, path)
        case .fault: return nil
        }
        return track.report.state.isTerminal || track.isTold ? track.report : nil
    }

    // MARK: Savepoint, stop, checkpoint

    /// An id of ours for the operation, so that asking twice is asking once; nil where the cluster draws its own.
    private func chosenTrigger(_ id: OperationID) -> FlinkTriggerID? {
        cluster.version.has(.savepointFormat) ? FlinkOperationNames.trigger(of: id) : nil
    }

    private func takeSavepoint(_ track: OperationTrack, _ endpoint: FlinkEndpoint<FlinkTriggerID>, _ what: String) throws(FlinkRefusal) {
        let job = try look(at: track)
        try FlinkActionRules.expectRunning(job.state, for: what)
        let search = FlinkHistorySearch(wantsSavepoint: true, after: try history(track.request.job).map { $0.highestID ?? CheckpointID(0) })
        try trigger(track, endpoint, search)
    }

    private func beginCheckpoint(_ track: OperationTrack) throws(FlinkRefusal) {
        try FlinkActionRules.checkpointNow(on: cluster.version)
        let job = try look(at: track)
        try FlinkActionRules.expectRunning(job.state, for: "a checkpoint")
        let search = FlinkHistorySearch(wantsSavepoint: false, after: try history(track.request.job).map { $0.highestID ?? CheckpointID(0) })
        try trigger(track, .checkpointNow(track.request.job, trigger: chosenTrigger(track.request.id)), search)
    }

    /// Posts a request for a savepoint or checkpoint and follows it.
    private func trigger(_ track: OperationTrack, _ endpoint: FlinkEndpoint<FlinkTriggerID>, _ search: FlinkHistorySearch) throws(FlinkRefusal) {
        var attempts = 0
        while true {
            do throws(FlinkFailure) {
                let trigger = try client.answer(to: endpoint)
                track.accept(reference: trigger.description)
                return follow(track, trigger, search)
            } catch {
                guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
                // With an id of ours the same request again is the same operation; without one it would be a second savepoint.
                attempts += 1
                guard chosenTrigger(track.request.id) != nil, attempts < 3, pause(.seconds(1)) else { return waitForTrace(track, search, error.message) }
            }
        }
    }

    /// The answer did not come. Whether the request did shows in the history, soon.
    private func waitForTrace(_ track: OperationTrack, _ search: FlinkHistorySearch, _ problem: String) {
        for _ in 0..<20 {
            if case .success(let checkpoints) = ask(.checkpoints(track.request.job)), search.find(in: checkpoints) != .none {
                return infer(track, search)
            }
            guard pause(.seconds(1)) else { return }
        }
        track.end(.unknown, error: "no answer came (\(problem)), and the checkpoint history shows no trace of it", at: clock())
    }

    /// Polls until the cluster says how it ended.
    private func follow(_ track: OperationTrack, _ trigger: FlinkTriggerID, _ search: FlinkHistorySearch) {
        let job = track.request.job
        var gap: Milliseconds = 150
        while true {
            let progress: Result<FlinkProgress<SnapshotResult>, FlinkFailure>
            if case .checkpoint = track.request.kind {
                progress = answer(.checkpointProgress(job, trigger)) { SnapshotResult(checkpoint: $0) }
            } else {
                progress = answer(.savepointProgress(job, trigger)) { SnapshotResult(path: $0) }
            }
            switch progress {
            case .success(.inProgress): observeProgress(track, search)
            case .success(.completed(let result)): return complete(track, result)
            case .success(.failed(let message, _)): return track.end(.failed, error: message, at: clock())
            case .failure(let error) where error.kind == .notFound: return infer(track, search)
            // The link may come back, and the result is kept for minutes.
            case .failure: break
            }
            guard pause(gap) else { return }
            gap = min(Milliseconds(gap.count * 3 / 2), 1000)
        }
    }

    private struct SnapshotResult: Sendable, Equatable {
        var path: String?
        var checkpoint: CheckpointID?
    }

    private func answer<Outcome, Other>(
        _ endpoint: FlinkEndpoint<FlinkProgress<Outcome>>, _ convert: (Outcome) -> Other
    ) -> Result<FlinkProgress<Other>, FlinkFailure> {
        do throws(FlinkFailure) {
            switch try client.answer(to: endpoint) {
            case .inProgress: return .success(.inProgress)
            case .completed(let outcome): return .success(.completed(convert(outcome)))
            case .failed(let message, let trace): return .success(.failed(message, trace: trace))
            }
        } catch {
            return .failure(error)
        }
    }

    /// How many subtasks have acknowledged: of interest only, so a failure to read it is passed over.
    private func observeProgress(_ track: OperationTrack, _ search: FlinkHistorySearch) {
        guard case .success(let checkpoints) = ask(.checkpoints(track.request.job)) else { return track.run() }
        guard case .inProgress(let row) = search.find(in: checkpoints) else { return track.run() }
        track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks)
    }

    private func complete(_ track: OperationTrack, _ result: SnapshotResult) {
        let row = findRow(track.request.job, result)
        track.note(checkpoint: row?.id ?? result.checkpoint, path: result.path ?? row?.path)
        if let row { track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks) }
        track.end(.completed, at: clock())
    }

    /// Its number, or its path, is in the history; without it the operation is as complete. The path of a checkpoint is nowhere else, so it is
    /// waited for as long as the history may be old.
    private func findRow(_ job: JobID, _ result: SnapshotResult) -> FlinkCheckpoint? {
        var waited: Milliseconds = 0
        while true {
            guard case .success(let checkpoints) = ask(.checkpoints(job)) else { return nil }
            let row = checkpoints.rows.first { row in
                result.checkpoint.map { $0 == row.id } ?? (row.path.map(SnapshotLocation.init) == result.path.map(SnapshotLocation.init))
            }
            if let row, row.path != nil { return row }
            guard result.path == nil, waited < staleness, pause(Self.glance) else { return row }
            waited = waited + Self.glance
        }
    }

    /// Concludes from the history, and says so.
    private func infer(_ track: OperationTrack, _ search: FlinkHistorySearch) {
        var gap: Milliseconds = 200
        while true {
            let checkpoints: FlinkCheckpoints
            do throws(FlinkFailure) { checkpoints = try client.answer(to: .checkpoints(track.request.job)) } catch {
                guard error.kind != .notFound else {
                    return track.end(.unknown, error: "the cluster knows neither the operation nor the job any more", at: clock())
                }
                guard pause(.seconds(1)) else { return }
                continue
            }
            switch search.find(in: checkpoints) {
            case .completed(let row):
                track.note(checkpoint: row.id, path: row.path)
                return track.end(.completed, inference: "the cluster has no result: #\(row.id) is \(search.basis)", at: clock())
            case .failed(let row):
                return track.end(
                    .failed, error: row.failureMessage ?? "checkpoint \(row.id) failed", inference: "the cluster has no result: #\(row.id) is \(search.basis)",
                    at: clock())
            case .none:
                return track.end(.unknown, error: "the cluster has no result of it, and the checkpoint history shows no trace", at: clock())
            case .inProgress(let row): track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks)
            }
            guard pause(gap) else { return }
            gap = min(Milliseconds(gap.count * 3 / 2), 1000)
        }
    }

    // MARK: Cancel

    private func cancel(_ track: OperationTrack, _ asked: CancelRetention) throws(FlinkRefusal) {
        let job = try look(at: track)
        if job.state.known?.isTerminal == true { throw FlinkRefusal("the job is \(job.state.text) already") }
        _ = try FlinkActionRules.cancel(asked, retention: try retention(track.request.job))
        let ended = try end(track)
        switch ended {
        case .canceled?: concludeCancel(track)
        case let state?: track.end(.failed, error: "the job ended as \(state.rawValue) before it was canceled", at: clock())
        case nil: break
        }
    }

    /// Cancels, and waits for the end. nil = not waited for, or told already.
    private func end(_ track: OperationTrack) throws(FlinkRefusal) -> JobState? {
        let job = track.request.job
        var sent = 0
        var problem: String?
        while true {
            do throws(FlinkFailure) {
                _ = try client.answer(to: .cancel(job))
                track.accept(reference: nil)
                break
            } catch {
                sent += 1
                problem = error.message
                guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
            }
            // A cancel twice is a cancel; but first it may show that the one before arrived.
            if case .success(let details) = ask(.job(job)), let state = details.state.known, state == .cancelling || state.isTerminal {
                track.accept(reference: nil)
                break
            }
            guard sent < 4 else {
                track.end(.unknown, error: "no answer came (\(problem ?? "")), and the job goes on", at: clock())
                return nil
            }
            guard pause(.seconds(1)) else { return nil }
        }
        var gap: Milliseconds = 150
        while true {
            do throws(FlinkFailure) {
                let state = try client.answer(to: .job(job)).state.known
                if let state, state.isTerminal { return state }
            } catch {
                if error.kind == .notFound {
                    track.end(.unknown, error: "the cluster has forgotten the job: whether it was canceled cannot be told", at: clock())
                    return nil
                }
            }
            track.run()
            guard pause(gap) else { return nil }
            gap = min(Milliseconds(gap.count * 3 / 2), 1000)
        }
    }

    /// Reads the list again: what was promised to be kept is there.
    private func concludeCancel(_ track: OperationTrack) {
        letHistorySettle(track.request.job)
        if case .success(let checkpoints) = ask(.checkpoints(track.request.job)), let kept = FlinkActionRules.newest(in: checkpoints) {
            track.note(checkpoint: kept.id, path: kept.path)
        }
        track.end(.completed, at: clock())
    }

    private func resumeCancel(_ track: OperationTrack) {
        while true {
            let job: FlinkJobDetails
            do throws(FlinkFailure) { job = try client.answer(to: .job(track.request.job)) } catch {
                guard error.kind != .notFound else { return track.end(.unknown, error: "the cluster does not know the job any more", at: clock()) }
                guard pause(.seconds(1)) else { return }
                continue
            }
            track.name(job.name)
            switch job.state.known {
            case .canceled: return concludeCancel(track)
            case .cancelling: track.run()
            case let ended? where ended.isTerminal: return track.end(.failed, error: "the job ended as \(ended.rawValue)", at: clock())
            default: return track.end(.unknown, error: "the job is \(job.state.text): the cancel did not arrive", at: clock())
            }
            guard pause(500) else { return }
        }
    }

    // MARK: Restart

    private func restart(_ track: OperationTrack, _ options: RestartOptions) throws(FlinkRefusal) {
        guard cluster.allowsSubmit else { throw FlinkRefusal("the cluster takes no jars (web.submit.enable): launch the job the way it was launched before") }
        guard let recipe = options.recipe else {
            throw FlinkRefusal("how the job was launched is not known: give its jar, and its arguments")
        }
        if options.claim == .claim, !cluster.version.has(.restoreMode) {
            throw FlinkRefusal("Flink \(cluster.version) cannot claim a snapshot (1.15 and later can): it stays yours")
        }
        // Whatever can be found wrong is found before the job is ended.
        let snapshot = try findSnapshot(track, options)
        let jar = try jar(of: recipe)
        track.note(jar: jar.words)
        var launch = FlinkLaunch(jar: jar.id)
        let path = try snapshot.map { (found) throws(FlinkRefusal) in try prepare(track, options, found) }
        launch.entryClass = recipe.entryClass
        launch.arguments = recipe.arguments
        launch.parallelism = options.parallelism ?? recipe.parallelism
        launch.path = path
        launch.allowsUnmatchedState = options.allowsUnmatchedState
        launch.claim = options.claim == .claim ? .claim : nil
        launch.job = FlinkOperationNames.job(of: track.request.id)
        track.note(checkpoint: track.report.checkpoint ?? path.flatMap { SnapshotLocation($0).checkpoint }, path: path)
        track.accept(reference: nil)
        self.launch(track, launch)
    }

    /// What a restart begins from, before the job is ended.
    private enum Snapshot {
        /// A path, which need not be one of the job's.
        case path(String, isJobOver: Bool)
        /// The newest there is when the job has ended.
        case newest(isJobOver: Bool)
    }

    /// nil = nothing: the job begins with no state.
    private func findSnapshot(_ track: OperationTrack, _ options: RestartOptions) throws(FlinkRefusal) -> Snapshot? {
        if case .launch = track.request.kind { return options.path.map { .path($0, isJobOver: true) } }
        let job = track.request.job
        guard let details = try found({ () throws(FlinkFailure) in
            try details(track) { options.cancelsFirst || $0.state.known?.isTerminal == true }
        }) else {
            // The JobManager was started anew, perhaps; a path from the ledger is as good.
            guard let path = options.path else { throw FlinkRefusal("the cluster does not know the job any more: give the path of a checkpoint or savepoint") }
            return .path(path, isJobOver: true)
        }
        try FlinkActionRules.expect(details.state, toBe: track.request.expectedState)
        let isOver = details.state.known?.isTerminal == true
        guard isOver || options.cancelsFirst else { throw FlinkRefusal("the job is \(details.state.text): cancel it first, or let the restart do it") }
        guard let path = options.path else { return .newest(isJobOver: isOver) }
        if let row = FlinkActionRules.row(of: path, in: try history(job)) { try FlinkActionRules.mayRestore(row) }
        return .path(path, isJobOver: isOver)
    }

    /// Ends the job where that was asked for; the path to begin from.
    private func prepare(_ track: OperationTrack, _ options: RestartOptions, _ snapshot: Snapshot) throws(FlinkRefusal) -> String {
        let job = track.request.job
        switch snapshot {
        case .path(let path, let isOver):
            if !isOver { try cancelFirst(track, options) }
            if let row = FlinkActionRules.row(of: path, in: try history(job)) {
                try FlinkActionRules.mayRestore(row)
                track.note(checkpoint: row.id, path: path)
            }
            return path
        case .newest(let isOver):
            if !isOver { try cancelFirst(track, options) }
            letHistorySettle(job)
            guard let newest = try history(job).flatMap(FlinkActionRules.newest), let path = newest.path else {
                throw FlinkRefusal("the job has no checkpoint that can be restored: give the path of one")
            }
            track.note(checkpoint: newest.id, path: path)
            return path
        }
    }

    private func cancelFirst(_ track: OperationTrack, _ options: RestartOptions) throws(FlinkRefusal) {
        let job = track.request.job
        let checkpoints = try history(job)
        let chosen = options.path.map { FlinkActionRules.row(of: $0, in: checkpoints) } ?? checkpoints.flatMap(FlinkActionRules.newest)
        try FlinkActionRules.cancelBeforeRestart(from: chosen, retention: try retention(job))
        guard try end(track) != nil else { throw FlinkRefusal("the job was told to cancel, and its end was not seen: nothing was launched") }
    }

    private func jar(of recipe: JarRecipe) throws(FlinkRefusal) -> (id: String, words: String) {
        do throws(FlinkFailure) {
            switch recipe.jar {
            case .file(let path):
                let placed = try jars.place(path, on: client)
                return (placed.id, placed.words)
            case .uploaded(let id):
                guard try client.answer(to: .jars).contains(where: { $0.id == id }) else {
                    throw FlinkFailure(.notFound, "the jar \(id) is not on the cluster any more: give its file")
                }
                return (id, id)
            }
        } catch {
            throw FlinkRefusal(error.message)
        }
    }

    private func launch(_ track: OperationTrack, _ launch: FlinkLaunch) {
        do throws(FlinkFailure) {
            let job = try client.answer(to: .run(launch, version: cluster.version))
            // Of a program that was none of the cluster's jobs before, the name is the new job's; nothing depends on it.
            if track.report.jobName.isEmpty, case .success(let details) = ask(.job(job)) { track.name(details.name) }
            track.launched(job)
            track.end(.completed, at: clock())
        } catch {
            guard error.mayHaveArrived else { return track.end(.failed, error: error.message, at: clock()) }
            findLaunched(track, tries: 30)
        }
    }

    /// The job's id is ours, so whether it was launched can be asked.
    /// - Parameter tries: how often the cluster may say that there is no such job, a second apart, before it is believed.
    private func findLaunched(_ track: OperationTrack, tries: Int) {
        let job = FlinkOperationNames.job(of: track.request.id)
        var denials = 0
        while true {
            do throws(FlinkFailure) {
                let details = try client.answer(to: .job(job))
                track.name(details.name)
                track.launched(job)
                return track.end(.completed, at: clock())
            } catch {
                if error.kind == .notFound { denials += 1 }
            }
            guard denials < tries else { return track.end(.unknown, error: notLaunched(track, job), at: clock()) }
            guard pause(.seconds(1)) else { return }
        }
    }

    /// What is left when a launch was not seen: perhaps a job that was ended for it.
    private func notLaunched(_ track: OperationTrack, _ job: JobID) -> String {
        let start = "the cluster has no job \(job): the launch did not arrive"
        return start + afterwards(track)
    }

    // MARK: Dispose

    private func dispose(_ track: OperationTrack, _ path: String) throws(FlinkRefusal) {
        _ = try look(at: track)
        do throws(FlinkChores.Failure) { try FlinkChores(client: client, pause: { _ in }).refuseIfInUse(path) } catch { throw FlinkRefusal(error.message) }
        track.note(path: path)
        do throws(FlinkFailure) {
            let trigger = try client.answer(to: .dispose(savepoint: path))
            track.accept(reference: trigger.description)
            followDisposal(track, trigger, path)
        } catch {
            guard error.mayHaveArrived else { throw FlinkRefusal(error.message) }
            track.end(.unknown, error: "no answer came (\(error.message)): look whether \(path) is still there", at: clock())
        }
    }

    private func followDisposal(_ track: OperationTrack, _ trigger: FlinkTriggerID, _ path: String) {
        var gap: Milliseconds = 150
        while true {
            switch ask(.disposalProgress(trigger)) {
            case .success(.completed): return track.end(.completed, at: clock())
            case .success(.failed(let message, _)): return track.end(.failed, error: "\(path) was not deleted: \(message)", at: clock())
            case .success(.inProgress): track.run()
            case .failure(let error) where error.kind == .notFound:
                return track.end(.unknown, error: "the cluster has no result of it any more: look whether \(path) is still there", at: clock())
            // The link may come back, and the result is kept for minutes.
            case .failure: break
            }
            guard pause(gap) else { return }
            gap = min(Milliseconds(gap.count * 3 / 2), 1000)
        }
    }

    // MARK: Reading before acting

    private func ask<Answer>(_ endpoint: FlinkEndpoint<Answer>) -> Result<Answer, FlinkFailure> {
        do throws(FlinkFailure) { return .success(try client.answer(to: endpoint)) } catch { return .failure(error) }
    }

    private func look(at track: OperationTrack) throws(FlinkRefusal) -> FlinkJobDetails {
        let job: FlinkJobDetails
        do throws(FlinkFailure) { job = try details(track) { _ in true } } catch { throw FlinkRefusal("nothing was sent: \(error.message)") }
        try FlinkActionRules.expect(job.state, toBe: track.request.expectedState)
        return job
    }

    /// The job as the cluster tells it. What it tells may be as old as its refresh interval: one that is not as it must be is looked at again
    /// until that has passed.
    private func details(_ track: OperationTrack, isFit: (FlinkJobDetails) -> Bool) throws(FlinkFailure) -> FlinkJobDetails {
        let limit = staleness
        var waited: Milliseconds = 0
        while true {
            let job = try client.answer(to: .job(track.request.job))
            track.name(job.name)
            let isExpected = track.request.expectedState.map { $0 == job.state.known } ?? true
            guard !(isExpected && isFit(job)), waited < limit, pause(Self.glance) else { return job }
            waited = waited + Self.glance
        }
    }

    /// Waits until whatever the cluster answers about the history of an ended job was surely made after its end: what it calls the newest then is
    /// the newest. A checkpoint that completed in the last moments would be missed otherwise, and one that it subsumed taken for it.
    private func letHistorySettle(_ job: JobID) {
        guard case .success(let details) = ask(.job(job)) else { return }
        // An old answer names an end too early or none: then it is waited a little too long.
        let since = details.endedAt.flatMap { end in details.now.map { max(0, $0 - end) } } ?? 0
        var left = staleness.count - min(since.count, staleness.count)
        while left > 0, pause(Self.glance) { left -= Self.glance.count }
    }

    /// How old an answer may be.
    private var staleness: Milliseconds { min(cluster.refreshInterval ?? .seconds(3), .seconds(10)) + 500 }
    private static let glance: Milliseconds = 300

    private func history(_ job: JobID) throws(FlinkRefusal) -> FlinkCheckpoints? {
        try found { () throws(FlinkFailure) in try client.answer(to: .checkpoints(job)) }
    }

    private func retention(_ job: JobID) throws(FlinkRefusal) -> CheckpointConfiguration.Retention? {
        guard let configuration = try found({ () throws(FlinkFailure) in try client.answer(to: .checkpointConfiguration(job)) }) else {
            return CheckpointConfiguration.Retention.none
        }
        return configuration.retention
    }

    /// nil = there is no such thing.
    private func found<Value>(_ ask: () throws(FlinkFailure) -> Value) throws(FlinkRefusal) -> Value? {
        do throws(FlinkFailure) { return try ask() } catch {
            if error.kind == .notFound { return nil }
            throw FlinkRefusal("nothing was sent: \(error.message)")
        }
    }

    /// What the JobManager's clock is ahead of ours, as well as its cached answers tell. Notes the job's name by the way.
    private func skew(_ job: JobID, _ track: OperationTrack) -> Milliseconds {
        // Without it the clocks are taken to agree.
        guard case .success(let details) = ask(.job(job)) else { return 0 }
        track.name(details.name)
        let year: Int64 = 365 * 86_400_000
        return details.now.map { Milliseconds(max(-year, min(year, ($0 - clock()).count))) } ?? 0
    }
}

/// Names that follow from an operation's id: whoever has the id can ask for what it led to.
public enum FlinkOperationNames {
    /// The trigger id of its savepoint, stop or checkpoint.
    public static func trigger(of id: OperationID) -> FlinkTriggerID {
        let hash = OperatorID(uid: "weir trigger \(id)")
        return FlinkTriggerID(high: hash.high, low: hash.low)
    }

    /// The job that its restart launches.
    public static func job(of id: OperationID) -> JobID {
        let hash = OperatorID(uid: "weir job \(id)")
        return JobID(high: hash.high, low: hash.low)
    }

    /// A name that no server takes for a path: the last component of a path, with plain characters only.
    public static func uploadName(of path: String) -> String {
        let last = path.split(separator: "/").last.map(String.init) ?? ""
        let plain = String(last.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "_" }.suffix(120))
        let name = plain.drop { $0 == "." }
        return name.hasSuffix(".jar") ? String(name) : "\(name).jar"
    }
}

/// The report of an operation as it grows; tells when it has changed. Belongs to the thread that runs the operation.
private final class OperationTrack {
    private(set) var report: OperationReport
    /// Before the cluster has taken it, nothing is told.
    private var isAccepted = false
    var isTold: Bool { isAccepted }
    private let tell: (OperationReport) -> Void

    var request: OperationRequest { report.request }

    init(_ report: OperationReport, tell: @escaping (OperationReport) -> Void) {
        self.report = report
        self.tell = tell
    }

    private func change(_ body: (inout OperationReport) -> Void) {
        let before = report
        body(&report)
        if isAccepted, report != before { tell(report) }
    }

    func name(_ name: String) { change { $0.jobName = name } }

    func accept(reference: String?) {
        guard !isAccepted else { return }
        isAccepted = true
        report.reference = reference ?? report.reference
        tell(report)
    }

    func run(checkpoint: CheckpointID? = nil, acknowledged: Int? = nil, of total: Int? = nil) {
        isAccepted = true
        change { report in
            report.state = .running
            report.checkpoint = checkpoint ?? report.checkpoint
            report.acknowledgedSubtasks = acknowledged ?? report.acknowledgedSubtasks
            report.totalSubtasks = total ?? report.totalSubtasks
        }
    }

    func note(checkpoint: CheckpointID? = nil, path: String?) {
        change { report in
            report.checkpoint = checkpoint ?? report.checkpoint
            report.path = path ?? report.path
        }
    }

    func note(jar: String) { change { $0.jar = jar } }

    func launched(_ job: JobID) { change { $0.newJob = job } }

    func end(_ state: OperationReport.State, error: String? = nil, inference: String? = nil, at time: WallTime) {
        isAccepted = true
        change { report in
            (report.state, report.endedAt, report.error, report.inference) = (state, time, error, inference)
        }
    }
}
