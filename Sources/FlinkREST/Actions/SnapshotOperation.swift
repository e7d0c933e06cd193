internal import StreamModel

/// Savepoints, stops with a savepoint, and checkpoints on request.
extension FlinkOperationRunner {
    /// Our own trigger id for the operation, so that a repeated request starts nothing new; nil = the cluster draws its own.
    func chosenTrigger(_ id: OperationID) -> FlinkTriggerID? { FlinkRequests.trigger(of: id, cluster.version) }

    func takeSavepoint(_ track: OperationTrack, _ what: String) throws(FlinkRefusal) {
        let job = try look(at: track)
        try FlinkActionRules.expectRunning(job.state, for: what)
        let search = FlinkHistorySearch(wantsSavepoint: true, after: try history(track.request.job).map { $0.highestID ?? CheckpointID(0) })
        try trigger(track, search)
    }

    func beginCheckpoint(_ track: OperationTrack) throws(FlinkRefusal) {
        try FlinkActionRules.checkpointNow(on: cluster.version)
        let job = try look(at: track)
        try FlinkActionRules.expectRunning(job.state, for: "a checkpoint")
        let search = FlinkHistorySearch(wantsSavepoint: false, after: try history(track.request.job).map { $0.highestID ?? CheckpointID(0) })
        try trigger(track, search)
    }

    /// Posts a request for a savepoint or checkpoint and follows it.
    private func trigger(_ track: OperationTrack, _ search: FlinkHistorySearch) throws(FlinkRefusal) {
        guard let endpoint = FlinkRequests.snapshot(track.request, cluster.version) else { return }
        var attempts = 0
        try take(.sending, track)
        while true {
            do throws(FlinkFailure) {
                let trigger = try client.answer(to: endpoint)
                track.accept(reference: trigger.description)
                return follow(track, trigger, search)
            } catch {
                // One of those before may have arrived.
                guard error.mayHaveArrived || attempts > 0 else { throw FlinkRefusal(error) }
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
    func follow(_ track: OperationTrack, _ trigger: FlinkTriggerID, _ search: FlinkHistorySearch) {
        let job = track.request.job
        var polling = Polling()
        while true {
            let progress: Result<FlinkProgress<SnapshotResult>, FlinkFailure>
            if case .checkpoint = track.request.kind {
                progress = answer(.checkpointProgress(job, trigger)) { SnapshotResult(checkpoint: $0) }
            } else {
                progress = answer(.savepointProgress(job, trigger)) { SnapshotResult(path: $0) }
            }
            switch progress {
            case .success(.inProgress):
                polling.answered()
                observeProgress(track, search)
            case .success(.completed(let result)): return complete(track, result)
            case .success(.failed(let message, let trace)): return fail(track, message, trace)
            case .failure(let error) where error.kind == .notFound: return infer(track, search)
            // The link may come back, and the result is kept for minutes.
            case .failure: break
            }
            guard polling.wait(pause) else { return }
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

    /// Counts the acknowledged subtasks. It only informs, so a failure to read it is ignored.
    private func observeProgress(_ track: OperationTrack, _ search: FlinkHistorySearch) {
        guard case .success(let checkpoints) = ask(.checkpoints(track.request.job)) else { return track.run() }
        guard case .inProgress(let row) = search.find(in: checkpoints) else { return track.run() }
        track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks)
    }

    private func complete(_ track: OperationTrack, _ result: SnapshotResult) {
        let row = findRow(track.request.job, result)
        track.note(checkpoint: row?.id ?? result.checkpoint, path: result.path ?? row?.path)
        if let row { track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks) }
        if case .stop = track.request.kind { concludeStop(track) } else { track.end(.completed, at: clock()) }
    }

    /// A stop is complete when the job has ended, not when its savepoint is.
    private func concludeStop(_ track: OperationTrack, inference: String? = nil) {
        var polling = Polling(), denials = 0
        track.run()
        while true {
            switch ask(.job(track.request.job)) {
            case .success(let job):
                polling.answered()
                denials = 0
                switch job.state.known {
                case .finished: return track.end(.completed, inference: inference, at: clock())
                case let state? where state.isTerminal:
                    return track.end(.failed, error: savedButFailed(track, "the job ended as \(state.rawValue)"), inference: inference, at: clock())
                case .running where hasFailedOver(job, since: track.report.acceptedAt):
                    return track.end(
                        .failed, error: savedButFailed(track, "the job failed over while it stopped, and runs on"), inference: inference, at: clock())
                default: track.doing("the savepoint is complete, the job is \(job.state.text)")
                }
            case .failure(let error) where error.kind == .notFound:
                denials += 1
                if denials > Self.denialsMax {
                    return track.end(
                        .unknown, error: savedButFailed(track, "the cluster does not know the job any more"), inference: inference, at: clock())
                }
            // The link may come back.
            case .failure: break
            }
            guard polling.wait(pause) else { return }
        }
    }

    private func hasFailedOver(_ job: FlinkJobDetails, since time: WallTime) -> Bool {
        guard let running = job.timestamps[.running], let theirs = job.now else { return false }
        return running - time > theirs - clock()
    }

    /// Of a stop that failed after its savepoint Flink names the savepoint in the outermost exception only.
    private func fail(_ track: OperationTrack, _ message: String, _ trace: String) {
        guard let path = StopFailure.savepoint(in: trace) else { return track.end(.failed, error: message, at: clock()) }
        let checkpoint = findRow(track.request.job, SnapshotResult(path: path))?.id
        track.note(checkpoint: checkpoint, path: path)
        track.end(.failed, error: savedButFailed(track, "the job failed while it stopped: \(message)"), at: clock())
    }

    private func savedButFailed(_ track: OperationTrack, _ cause: String) -> String {
        guard let path = track.report.path else { return cause }
        return "the savepoint \(path) is whole; sinks may not have committed: restart from it (\(cause))"
    }

    func resumeSnapshot(_ track: OperationTrack, _ sent: SentOperation) {
        let isCheckpoint = if case .checkpoint = sent.request.kind { true } else { false }
        let search = FlinkHistorySearch(
            wantsSavepoint: !isCheckpoint, sentAt: sent.step?.at ?? sent.sentAt, skew: skew(sent.request.job, track))
        if let trigger = chosenTrigger(sent.request.id) ?? sent.reference.flatMap({ FlinkTriggerID($0) }) {
            follow(track, trigger, search)
        } else {
            infer(track, search)
        }
    }

    /// Looks up its number or path in the history; the operation is complete without them. Only the history has the path of a checkpoint, so that is
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

    /// Concludes from the history, and says so. A cluster that was taken over by another JobManager knows neither the job nor its history for a
    /// while: what is not there now may be there when the job runs again.
    func infer(_ track: OperationTrack, _ search: FlinkHistorySearch) {
        var polling = Polling(first: 200), patience = SearchPatience()
        while true {
            switch ask(.checkpoints(track.request.job)) {
            case .success(let checkpoints):
                polling.answered()
                let basis = "the cluster has no result: "
                switch search.find(in: checkpoints) {
                case .completed(let row):
                    track.note(checkpoint: row.id, path: row.path)
                    let inference = "\(basis)#\(row.id) is \(search.basis)"
                    // The savepoint shows that the stop arrived; that the job has ended is for the job to show.
                    if case .stop = track.request.kind { return concludeStop(track, inference: inference) }
                    return track.end(.completed, inference: inference, at: clock())
                case .failed(let row):
                    return track.end(
                        .failed, error: row.failureMessage ?? "checkpoint \(row.id) failed", inference: "\(basis)#\(row.id) is \(search.basis)", at: clock())
                case .inProgress(let row): track.run(checkpoint: row.id, acknowledged: row.acknowledged, of: row.subtasks)
                case .none: patience.sawNoTrace()
                }
            case .failure(let error) where error.kind == .notFound: patience.wasDenied()
            // The link may come back.
            case .failure: break
            }
            // What was sent long ago is not on its way any more.
            if let reason = patience.verdict(isOld: clock() - track.report.acceptedAt > .minutes(3)) { return track.end(.unknown, error: reason, at: clock()) }
            guard
                polling.wait({ span in
                    patience.waited(span)
                    return pause(span)
                })
            else {
                // One look is no more than a look: what was seen is told, and nothing is settled while it may still come.
                if let seen = patience.seen { track.doing(seen) }
                return
            }
        }
    }
}

/// How long the history is searched before the request counts as lost.
private struct SearchPatience {
    private var waited: Milliseconds = 0
    private var lastDenied = false
    private var hasAnswer = false

    private static let traceless: Milliseconds = .seconds(10)
    private static let denied: Milliseconds = .minutes(1)

    mutating func sawNoTrace() { (lastDenied, hasAnswer, waited) = (false, true, lastDenied ? 0 : waited) }
    mutating func wasDenied() { (lastDenied, hasAnswer) = (true, true) }
    mutating func waited(_ span: Milliseconds) { waited = waited + span }

    /// What the last answer was.
    var seen: String? {
        guard hasAnswer else { return nil }
        return lastDenied
            ? "the cluster knows neither the operation nor the job now: a JobManager may be taking over"
            : "the cluster has no result of it, and the checkpoint history shows no trace"
    }

    /// Why the search is given up; nil = it continues.
    func verdict(isOld: Bool) -> String? {
        guard hasAnswer, waited >= (lastDenied ? Self.denied : isOld ? 0 : Self.traceless) else { return nil }
        return lastDenied
            ? "the cluster knows neither the operation nor the job any more" : "the cluster has no result of it, and the checkpoint history shows no trace"
    }
}

/// The failure of a stop whose savepoint was complete: "A savepoint has been created at: PATH, but the corresponding job ID failed during
/// stopping", in the words of 1.14 to 2.3.
enum StopFailure {
    /// nil = no savepoint is named.
    static func savepoint(in trace: String) -> String? {
        let job = "but the corresponding job"
        for (before, after) in [("savepoint has been created at: ", ", \(job)"), ("savepoint was created at ", " \(job)")] {
            guard let start = trace.firstRange(of: before)?.upperBound else { continue }
            let rest = trace[start...].prefix { $0 != "\n" }
            guard let end = rest.firstRange(of: after)?.lowerBound else { continue }
            let path = rest[..<end]
            if !path.isEmpty { return shortened(String(path), to: 4096) }
        }
        return nil
    }
}
