public import StreamModel

/// Launches: restarts of a job, and new jobs.
extension FlinkOperationRunner {
    func restart(_ track: OperationTrack, _ options: RestartOptions) throws(FlinkRefusal) {
        guard cluster.allowsSubmit else { throw FlinkRefusal("the cluster takes no jars (web.submit.enable): launch the job the way it was launched before") }
        guard let recipe = options.recipe else {
            throw FlinkRefusal("the job's launch recipe is unknown: give its jar and its arguments")
        }
        if options.claim == .claim, !cluster.version.has(.restoreMode) {
            throw FlinkRefusal("Flink \(cluster.version) cannot claim a snapshot (1.15 and later can): it stays yours")
        }
        // Whatever can be found wrong is found before the job is ended.
        let snapshot = try findSnapshot(track, options)
        let jar = try jar(of: recipe)
        track.note(jar: jar.words)
        let path = try snapshot.map { (found) throws(FlinkRefusal) in try prepare(track, options, found) }
        // A jar on its way takes time, and somebody may have launched the job meanwhile.
        if case .restart = track.request.kind, let snapshot {
            if snapshot.isJobOver { try refuseSecondCopy(of: track.report.jobName, track) }
            try chooseID(track, wasLive: !snapshot.isJobOver)
        }
        try launch(track, options, jar: jar.id, path: path)
    }

    /// The id of the launched job: the recorded choice, or else the one derived from the operation.
    private func launchID(_ track: OperationTrack) -> JobID {
        track.report.reference.flatMap { JobID($0) } ?? FlinkOperationNames.job(of: track.request.id)
    }

    /// Gives the new job the id that all concurrent restarts of the old job share, so that the cluster accepts only one of them. An id must never be
    /// reused: the directory of its checkpoints is named after it. So the shared id is only for a job that the cluster still knows: it would then
    /// also know a successor, whose end came later.
    private func chooseID(_ track: OperationTrack, wasLive: Bool) throws(FlinkRefusal) {
        guard wasLive || isKnown(track.request.job) else { return }
        let successor = FlinkOperationNames.successor(of: track.request.job)
        switch ask(.job(successor)) {
        case .success(let job) where job.state.known?.isTerminal == true: return
        case .success: throw FlinkRefusal(second(track, successor))
        case .failure: track.note(reference: successor.description)
        }
    }

    /// Whether other restarts of the job share the id: a job of that id need not be ours.
    private func isShared(_ track: OperationTrack) -> Bool { launchID(track) != FlinkOperationNames.job(of: track.request.id) }

    private func restoredPath(of id: JobID) -> String? {
        guard case .success(let checkpoints) = ask(.checkpoints(id)) else { return nil }
        return checkpoints.restored?.path
    }

    private func isKnown(_ id: JobID) -> Bool { if case .success = ask(.job(id)) { true } else { false } }

    private func second(_ track: OperationTrack, _ first: JobID) -> String {
        "another restart of \(name(track)) got there first and launched job \(first); this one launched nothing"
    }

    /// - Parameter mayBeOwn: the launch was sent before, by a process that is gone.
    private func launch(
        _ track: OperationTrack, _ options: RestartOptions, jar: String, path: String?, mayBeOwn: Bool = false
    ) throws(FlinkRefusal) {
        track.note(checkpoint: track.report.checkpoint ?? path.flatMap { SnapshotLocation($0).checkpoint }, path: path)
        try take(.launching, track)
        track.accept(reference: nil)
        launch(track, FlinkRequests.launch(as: launchID(track), options, jar: jar, path: path), mayBeOwn: mayBeOwn)
    }

    /// The snapshot of a restart, before the job is ended.
    private enum Snapshot {
        /// A path, which need not be one of the job's.
        case path(String, isJobOver: Bool)
        /// The newest one after the job's end; until then, this one is in hand.
        case newest(inHand: FlinkWayBack, isJobOver: Bool)

        var isJobOver: Bool {
            switch self {
            case .path(_, let isOver), .newest(_, let isOver): isOver
            }
        }
    }

    /// nil = none: the job starts without state.
    private func findSnapshot(_ track: OperationTrack, _ options: RestartOptions) throws(FlinkRefusal) -> Snapshot? {
        if case .launch = track.request.kind { return options.path.map { .path($0, isJobOver: true) } }
        let job = track.request.job
        guard
            let details = try found({ () throws(FlinkFailure) in
                try details(track) { options.cancelsFirst || $0.state.known?.isTerminal == true }
            })
        else {
            // The JobManager was started anew, perhaps; a path from the ledger is as good.
            guard let path = options.path else { throw FlinkRefusal("the cluster does not know the job any more: give the path of a checkpoint or savepoint") }
            return .path(path, isJobOver: true)
        }
        try FlinkActionRules.expect(details.state, toBe: track.request.expectedState)
        let isOver = details.state.known?.isTerminal == true
        if isOver { try refuseSecondCopy(of: details.name, track) }
        guard isOver || options.cancelsFirst else { throw FlinkRefusal("the job is \(details.state.text): cancel it first, or let the restart do it") }
        guard let path = options.path else { return .newest(inHand: try wayBack(of: job, options, isLive: !isOver), isJobOver: isOver) }
        if let row = FlinkActionRules.row(of: path, in: try history(job)) { try FlinkActionRules.mayRestore(row) }
        return .path(path, isJobOver: isOver)
    }

    /// Refuses to relaunch an ended run beside a live one of its name: both would read and write the same data.
    private func refuseSecondCopy(of name: String, _ track: OperationTrack) throws(FlinkRefusal) {
        let own = [track.request.job, launchID(track)]
        let jobs: [FlinkJobListing]
        do throws(FlinkFailure) { jobs = try client.answer(to: .jobs) } catch {
            throw FlinkRefusal(error, "nothing was sent: cannot check whether another run of '\(name)' is live: ")
        }
        let other = jobs.first { $0.name == name && !own.contains($0.id) && $0.state.nearest?.isTerminal != true }
        if let other { throw FlinkRefusal("'\(name)' is already live as job \(other.id) (\(other.state.text)): restart that one; nothing was sent") }
    }

    /// Ends the job if that was asked for. Returns the path to restore from.
    private func prepare(_ track: OperationTrack, _ options: RestartOptions, _ snapshot: Snapshot) throws(FlinkRefusal) -> String {
        let job = track.request.job
        switch snapshot {
        case .path(let path, let isOver):
            if !isOver { try cancelFirst(track, from: FlinkActionRules.row(of: path, in: try history(job))) }
            if let row = FlinkActionRules.row(of: path, in: try history(job)) {
                try FlinkActionRules.mayRestore(row)
                track.note(checkpoint: row.id, path: path)
            }
            return path
        case .newest(let inHand, let isOver):
            if !isOver { try cancelFirst(track, from: inHand.row) }
            let newest = try wayBack(of: job, options, inHand: inHand)
            track.note(checkpoint: newest.id, path: newest.path)
            return newest.path
        }
    }

    /// - Parameter chosen: the checkpoint to restore; nil = not one of the job's.
    private func cancelFirst(_ track: OperationTrack, from chosen: FlinkCheckpoint?) throws(FlinkRefusal) {
        try FlinkActionRules.cancelBeforeRestart(from: chosen, retention: try retention(track.request.job))
        guard try end(track) != nil else { throw .halted }
        try take(.canceled, track)
    }

    private func jar(of recipe: JarRecipe) throws(FlinkRefusal) -> (id: String, words: String) {
        do throws(FlinkFailure) { return try jars.place(recipe.jar, on: client) } catch { throw FlinkRefusal(error) }
    }

    private func launch(_ track: OperationTrack, _ launch: FlinkLaunch, mayBeOwn: Bool) {
        do throws(FlinkFailure) {
            let job = try client.answer(to: .run(launch, version: cluster.version))
            // Of a program that was none of the cluster's jobs before, the name is the new job's; nothing depends on it.
            if track.report.jobName.isEmpty, case .success(let details) = ask(.job(job)) { track.name(details.name) }
            track.launched(job)
            track.end(.completed, at: clock())
        } catch {
            if let other = successor(track, error) {
                // The first try of a launch that is gone on with may have arrived meanwhile.
                guard !mayBeOwn else { return findLaunched(track, tries: 30) }
                return track.end(.failed, error: other, at: clock())
            }
            guard error.mayHaveArrived else { return track.end(.failed, error: error.message, at: clock()) }
            findLaunched(track, tries: 30)
        }
    }

    /// The message for a launch that came second: the cluster accepts a job id only once. nil = a different failure.
    private func successor(_ track: OperationTrack, _ error: FlinkFailure) -> String? {
        let text = error.fullText ?? error.message
        guard text.contains("DuplicateJobSubmission") || text.contains("already been submitted") else { return nil }
        return second(track, launchID(track))
    }

    /// Looks up the launched job by its id, which is ours.
    /// - Parameter tries: denials, a second apart, before the launch counts as lost.
    private func findLaunched(_ track: OperationTrack, tries: Int) {
        var polling = Polling(first: .seconds(1)), denials = 0
        while true {
            switch isLaunched(track) {
            case true?: return
            case false?:
                denials += 1
                polling.answered()
            case nil: break
            }
            let job = launchID(track)
            guard denials < tries else {
                return track.end(
                    .interrupted, error: "the cluster has no job \(job): the launch did not arrive\(afterwards(track)); \(Self.howToGoOn(track))", at: clock())
            }
            guard polling.wait(pause) else { return }
        }
    }

    /// Whether the new job is there; nil = unknown for now. Ends the operation if it is.
    private func isLaunched(_ track: OperationTrack) -> Bool? {
        let job = launchID(track)
        switch ask(.job(job)) {
        case .success(let details):
            track.name(details.name)
            if let restored = restoredPath(of: job), let own = track.report.path, isShared(track), SnapshotLocation(restored) != SnapshotLocation(own) {
                track.end(.failed, error: second(track, job), at: clock())
                return true
            }
            track.launched(job)
            track.end(.completed, at: clock())
            return true
        case .failure(let error): return error.kind == .notFound ? false : nil
        }
    }

    static func howToGoOn(_ track: OperationTrack) -> String { "'weir resume \(track.request.id)' goes on with it" }

    // MARK: Of a process that is gone

    func resumeLaunch(_ track: OperationTrack, _ sent: SentOperation) {
        track.note(path: sent.path ?? sent.request.kind.launch?.path)
        var polling = Polling(first: .seconds(1)), denials = 0
        while true {
            switch isLaunched(track) {
            case true?: return
            case false?:
                polling.answered()
                let old = ask(.job(sent.request.job))
                if case .failure(let error) = old { denials = error.kind == .notFound ? denials + 1 : 0 } else { denials = 0 }
                if settle(track, sent, old, denials: denials) { return }
            case nil: break
            }
            guard polling.wait(pause) else { return }
        }
    }

    /// Ends the operation if its outcome is clear; false = its effect may still come.
    private func settle(_ track: OperationTrack, _ sent: SentOperation, _ old: Result<FlinkJobDetails, FlinkFailure>, denials: Int) -> Bool {
        let state: JobState?
        switch old {
        case .success(let details):
            track.name(details.name)
            guard let known = details.state.known else { return false }
            state = known
        case .failure(let error):
            // A JobManager that takes over knows no job for seconds. Those of a launch have none that it could know.
            let isLaunch = if case .launch = sent.request.kind { true } else { false }
            guard error.kind == .notFound, isLaunch || denials > Self.denialsMax || clock() - sent.sentAt > .minutes(10) else { return false }
            state = nil
        }
        switch RestartRecovery(after: sent, job: state, at: clock()) {
        case .wait:
            track.doing(state == .cancelling ? "the job is CANCELLING; once it has ended, \(Self.howToGoOn(track))" : "the request may still be on its way")
            track.run()
            return false
        case .nothingSent: nothingSent(track)
        case .noCancel:
            track.end(.failed, error: "\(name(track)) is \(state?.rawValue ?? "?"): the cancel did not arrive, and nothing was launched", at: clock())
        case .interrupted: track.end(.interrupted, error: neverLaunched(track, state), at: clock())
        }
        return true
    }

    private func name(_ track: OperationTrack) -> String { track.report.jobName.isEmpty ? track.request.job.short : track.report.jobName }

    private func neverLaunched(_ track: OperationTrack, _ state: JobState?) -> String {
        let id = track.request.id
        let words: String
        switch (track.request.kind, state) {
        case (.restart(let options), .canceled?) where options.cancelsFirst: words = "\(name(track)) was canceled for restart \(id.short) and never launched"
        case (.restart, let state?): words = "\(name(track)) is \(state.rawValue), and was never launched by restart \(id.short)"
        case (.restart, nil): words = "\(name(track)) is not known to the cluster any more, and was never launched by restart \(id.short)"
        default: words = "launch \(id.short) never arrived"
        }
        return "\(words): \(Self.howToGoOn(track))"
    }

    /// Resumes a launch whose process ended before it was sent, with the recorded choices. The id of the new job stays the same: should the first
    /// launch still arrive, the cluster accepts only one.
    public func goOn(_ sent: SentOperation) throws(FlinkRefusal) -> OperationReport {
        guard let options = sent.request.kind.launch else { throw FlinkRefusal("only a restart or a launch can be resumed") }
        var report = OperationReport(request: sent.request, jobName: "", state: .accepted, acceptedAt: sent.sentAt, path: sent.path, reference: sent.reference)
        (report.step, report.checkpoint) = (sent.step, sent.checkpoint)
        let track = OperationTrack(report, tell: tell)
        if isLaunched(track) == true { return track.report }
        do throws(FlinkRefusal) { try goOn(track, sent, options) } catch {
            guard track.isTold else { throw error }
            if error.isHalted { return track.report }
            // It is as interrupted as before, and the next attempt may do better.
            track.end(.interrupted, error: "\(error.message)\(afterwards(track)); \(Self.howToGoOn(track))", at: clock())
        }
        return track.report
    }

    private func goOn(_ track: OperationTrack, _ sent: SentOperation, _ options: RestartOptions) throws(FlinkRefusal) {
        guard let recipe = options.recipe else { throw FlinkRefusal("the job's launch is not on record: restart it again, with its jar") }
        var path = sent.path ?? options.path
        if case .restart = sent.request.kind {
            let old = try found { () throws(FlinkFailure) in try client.answer(to: .job(sent.request.job)) }
            if let old {
                track.name(old.name)
                guard let state = old.state.known, state == .cancelling || state.isTerminal else {
                    throw FlinkRefusal("\(old.name) is \(old.state.text): nothing was canceled, and nothing was sent; restart it anew")
                }
                try refuseSecondCopy(of: old, id: sent.request.job)
                if state == .cancelling { try awaitEnd(track) }
            }
            if path == nil {
                letHistorySettle(sent.request.job)
                let newest = try wayBack(of: sent.request.job, options, isLive: false)
                track.note(checkpoint: newest.id, path: newest.path)
                path = newest.path
            }
        }
        let jar = try jar(of: recipe)
        track.note(jar: jar.words)
        // A launch that may be on its way keeps its id.
        let wasSent = sent.step?.name == .launching
        if case .restart = sent.request.kind, !wasSent { try chooseID(track, wasLive: false) }
        try launch(track, options, jar: jar.id, path: path, mayBeOwn: wasSent)
    }

    private func awaitEnd(_ track: OperationTrack) throws(FlinkRefusal) {
        var polling = Polling()
        track.doing("the job is CANCELLING")
        track.run()
        while true {
            if case .success(let job) = ask(.job(track.request.job)) {
                polling.answered()
                if job.state.known?.isTerminal == true { return track.doing(nil) }
            }
            guard polling.wait(pause) else { throw .halted }
        }
    }

    /// Somebody may have launched the job otherwise since.
    private func refuseSecondCopy(of old: FlinkJobDetails, id: JobID) throws(FlinkRefusal) {
        let jobs: [FlinkJobListing]
        do throws(FlinkFailure) { jobs = try client.answer(to: .jobs) } catch { throw FlinkRefusal(error, "nothing was sent: ") }
        if let other = jobs.first(where: { $0.id != id && $0.name == old.name && $0.state.known?.isTerminal != true }) {
            throw FlinkRefusal("another run of \(old.name) is \(other.state.text) already (\(other.id)): nothing was sent")
        }
    }
}
