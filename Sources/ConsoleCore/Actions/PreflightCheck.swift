import CellGrid
import StreamModel

/// The checks before an action: facts from the last reports, each with a verdict. Computed for every frame, so
/// that an open sheet follows the job.
struct PreflightCheck {
    let job: JobReport
    let context: ContextState
    let memory: JobMemory
    let operations: [TrackedOperation]
    let now: WallTime

    var engineTime: WallTime { context.engineTime(at: now) }

    func lines(_ action: Action, at rule: AcceptRule) -> [Preflight] {
        var lines: [Preflight] = []
        if rule == .unlockedNameReasonWindow {
            lines.append(
                context.isUnlocked(at: now)
                    ? .ok("\(context.name) is unlocked for \(Figures.age(context.unlockedUntil.map { $0 - now } ?? 0)) more")
                    : .stop("\(context.name) is locked: Esc, then :unlock 15m"))
        }
        if let age = context.age(at: now), age > ContextState.freshness {
            lines.append(.warn("the data below is \(Figures.age(age)) old: the engine does not answer"))
        }
        if let age = context.oldAge(of: \.checkpoints, job, at: now) { lines.append(.warn("checkpoint data is \(Figures.age(age)) old")) }
        switch action {
        case .savepoint(let directory): lines += [running] + savepoint(directory)
        case .checkpoint: lines += [running] + checkpoint
        case .stop: lines += [running] + savepoint(nil) + [recipe]
        case .cancel(let retention): lines += cancel(retention)
        case .restart(let options, let chosen): lines += restart(options, chosen)
        case .launch, .jar: break
        case .dispose(let path, let chosen): lines += dispose(path, chosen)
        case .fault: lines.append(running)
        }
        return lines
    }

    /// Whether a cancel would delete the checkpoints unasked.
    static func losesState(_ action: Action, _ job: JobReport) -> Bool {
        action == .cancel(.byPolicy) && job.configuration.retention != .retainOnCancellation
    }

    private var running: Preflight {
        job.state == .running
            ? .ok("job is RUNNING, \(job.runningSubtasks)/\(job.totalSubtasks) tasks")
            : .stop("job is \(job.state.rawValue), not RUNNING")
    }

    private func savepoint(_ directory: String?) -> [Preflight] {
        var lines = [place(directory)]
        if let other = job.inProgress.first(where: { $0.kind.isSavepoint }) {
            lines.append(.warn("savepoint #\(other.id) is already in flight"))
        } else if let flying = job.inProgress.first {
            lines.append(.ok("checkpoint #\(flying.id) is in flight; the savepoint queues behind it"))
        }
        if let last = job.latestSavepoint, let took = last.duration {
            let isTight = took.count * 2 > job.configuration.timeout.count
            let text: SafeText =
                "the last one took \(Figures.duration(took)), \(Figures.bytes(last.stateSize)); the timeout is \(Figures.setting(job.configuration.timeout))"
            lines.append(isTight ? .warn(text) : .ok(text))
        } else {
            lines.append(.ok("first savepoint; times out after \(Figures.setting(job.configuration.timeout))"))
        }
        return lines
    }

    /// Where a savepoint goes.
    private func place(_ directory: String?) -> Preflight {
        let configuration = job.configuration
        let usual = configuration.savepointDirectory ?? (context.capabilities.savesBesideCheckpoints ? configuration.storageDirectory : nil)
        if let place = directory ?? usual { return .ok("writes to \(place)") }
        guard configuration.tells(.savepointDirectory) else { return .ok("writes to the savepoint directory of the cluster, which is not told") }
        return .stop("no savepoint directory is configured, and the engine refuses without one: use :savepoint DIRECTORY")
    }

    private var checkpoint: [Preflight] {
        guard context.capabilities.canCheckpointNow else { return [.stop("this engine cannot trigger a checkpoint on request")] }
        let limit = job.configuration.maximumConcurrent
        return [
            job.inProgress.count < limit
                ? .ok("\(job.inProgress.count) of \(limit) concurrent checkpoints in flight")
                : .warn("\(job.inProgress.count) of \(limit) concurrent checkpoints in flight: this one has to wait")
        ]
    }

    private var recipe: Preflight {
        if let known = context.recipe(of: job) {
            let words: SafeText = "relaunch recipe known: program \(known.program)"
            return .ok(known.parallelism > 0 ? "\(words), parallelism \(known.parallelism)" : words)
        }
        if case .sought = context.recipes[job.id] { return .warn("looking up the relaunch recipe") }
        return .warn("no relaunch recipe: R \(context.capabilities.needsJarRecipe ? "will ask for one" : "cannot start the job again")")
    }

    private var neededRecipe: Preflight {
        if context.recipe(of: job) != nil { return recipe }
        guard context.capabilities.needsJarRecipe else { return .stop("no relaunch recipe: this engine cannot start the job") }
        if case .sought = context.recipes[job.id] { return .pending("looking up the relaunch recipe") }
        return .stop("no relaunch recipe: type :recipe JAR [--class NAME] [-- ARGUMENT...]")
    }

    // MARK: Cancel

    private func cancel(_ retention: CancelRetention) -> [Preflight] {
        var lines: [Preflight] = []
        if job.state.isTerminal { lines.append(.stop("job is already \(job.state.rawValue)")) }
        lines.append(policy(retention))
        let way = WayBack.of(job, in: context)
        if let newest = way?.own {
            let text: SafeText = "newest completed #\(newest.id), \(Figures.age(engineTime - (newest.endedAt ?? newest.triggeredAt))) old"
            lines.append(retention == .discard ? .warn("\(text), will be deleted") : .ok(text))
        } else if let way {
            lines.append(.warn("no checkpoint of its own: a restart \(way.originWords)"))
        } else {
            lines.append(.warn("no completed checkpoint: nothing to restore"))
        }
        if let flying = job.inProgress.first { lines.append(.warn("#\(flying.id) is in flight and will be aborted")) }
        lines.append(savepointAge)
        lines.append(recipe)
        return lines
    }

    private func policy(_ retention: CancelRetention) -> Preflight {
        let words: SafeText =
            switch job.configuration.retention {
            case .none: "retention policy: checkpoints are not externalized"
            case .deleteOnCancellation: "retention policy: delete on cancellation"
            case .retainOnCancellation: "retention policy: retain on cancellation"
            }
        switch retention {
        case .discard where !context.capabilities.canOverrideRetention && job.configuration.retention == .retainOnCancellation:
            return .stop("\(words), and this engine cannot override it: cancel, then delete what remains")
        case .discard: return .warn("ALL checkpoints of the job will be deleted, as requested")
        case .keep: return .ok("kept on request; \(words)")
        case .byPolicy:
            return job.configuration.retention == .retainOnCancellation ? .ok(words) : .stop("\(words): all would be lost")
        }
    }

    private var savepointAge: Preflight {
        guard let last = job.latestSavepoint, last.isRestorable else { return .warn("no savepoint") }
        let age = engineTime - (last.endedAt ?? last.triggeredAt)
        let text: SafeText = "newest savepoint #\(last.id) is \(Figures.age(age)) old"
        return age.count > 3_600_000 ? .warn(text) : .ok(text)
    }

    // MARK: Restart

    private func restart(_ options: RestartOptions, _ chosen: CheckpointID?) -> [Preflight] {
        var lines = [files(options.path)]
        if let path = options.path, let gone = memory.checkpoints.first(where: { $0.path == path && !$0.isRestorable }) {
            lines.append(.stop("#\(gone.id) \(gone.kind.isSavepoint ? "was deleted" : "has been subsumed") since it was chosen: Esc, then choose another"))
        }
        if let other = context.secondCopy(of: job) { lines.append(secondCopy(other)) }
        lines.append(neededRecipe)
        if !job.state.isTerminal {
            lines.append(cancelFirst(options, chosen))
        }
        if let number = options.parallelism { lines.append(parallelism(number, from: options.path)) }
        if options.claim == .claim { lines.append(.warn("claim: the new job owns the snapshot and deletes it when it is subsumed")) }
        if options.allowsUnmatchedState { lines.append(.warn("state without a matching operator is dropped")) }
        if let newest = Condition.newestRestorable(job, in: context), let chosen, chosen < newest.id {
            lines.append(.warn("#\(chosen) is not the newest: #\(newest.id) is"))
        }
        return lines
    }

    /// A parallelism against the key groups of the snapshot: the restored state, not the running job, says how many there are.
    private func parallelism(_ number: Int, from path: String?) -> Preflight {
        if let problem = Parallelism.problem(number) { return .stop("\(problem)") }
        let snapshot = (path ?? WayBack.of(job, in: context)?.path).flatMap(context.inspection)
        if let problem = snapshot?.problem(ofParallelism: number) { return .stop("\(problem)") }
        let isKnown = snapshot.map { $0.verdict == .ok && !$0.operators.isEmpty } ?? false
        guard isKnown || number <= max(1, job.maxParallelism) else { return .stop("parallelism \(number) is not between 1 and \(job.maxParallelism)") }
        return .ok("parallelism \(number), was \(job.parallelism)")
    }

    /// A restart beside another live run would read and write everything twice.
    private func secondCopy(_ other: JobReport) -> Preflight {
        job.state.isTerminal
            ? .stop("\(other.name) is already live as job \(other.id.short) (\(other.stateText)): restart that one")
            : .warn("another job of this name lives: \(other.id.short) (\(other.stateText))")
    }

    /// The effect of canceling the job first on the snapshot that is to be restored.
    private func cancelFirst(_ options: RestartOptions, _ chosen: CheckpointID?) -> Preflight {
        let words: SafeText = "\(job.state.rawValue): it is canceled first"
        guard !context.capabilities.canOverrideRetention, job.configuration.retention != .retainOnCancellation else {
            return .warn("\(words), its checkpoints are kept")
        }
        // A savepoint, and what another job has written, is not touched by the cancel.
        let isOwn = options.path.map { path in chosen.flatMap { memory[$0] }.map { $0.path == path && !$0.kind.isSavepoint } ?? false } ?? true
        return isOwn
            ? .stop("the cancel deletes its checkpoints: choose a savepoint") : .warn("\(words), which deletes its own checkpoints")
    }

    private var newestAtEnd: Preflight {
        guard let way = WayBack.of(job, in: context) else {
            guard let bad = job.unusableNewest(in: context) else { return .stop("the job has nothing to go back to: choose a path") }
            return .stop("#\(bad.id), the newest, is \(bad.verdict.rawValue): choose another")
        }
        return way.own == nil
            ? .warn("no checkpoint of its own: it \(way.originWords), unless one completes first")
            : .ok("the newest restorable checkpoint, chosen by the engine")
    }

    private func files(_ path: String?) -> Preflight {
        guard let path else { return newestAtEnd }
        guard context.capabilities.verifiesFiles else { return .warn("this engine cannot verify files") }
        switch context.inspections[path] {
        case nil, .pending: return .pending("reading the files")
        case .failed(let message): return .warn("the files could not be verified: \(message)")
        case .done(let inspection):
            switch inspection.verdict {
            case .ok: return .ok(context.capabilities.hasChecksums ? "all files present, checksums match" : "all files present, lengths match")
            case .unreachable, .unchecked: return .warn("not verified: \(inspection.problem ?? "not reachable from here")")
            case .damaged, .missing, .foreign, .abandoned, .tooNew: return .stop("\(inspection.verdict.rawValue): \(inspection.problem ?? "no details")")
            }
        }
    }

    /// The input since a checkpoint, as time and records.
    func replay(since checkpoint: CheckpointReport) -> SafeText {
        // A job that has ended reads no more.
        let until = job.state.isTerminal ? min(job.stateSince, engineTime) : engineTime
        let age = until - checkpoint.triggeredAt
        // The rate that the screen shows; of a job that does not read at present, the one that it had.
        let rate = job.throughput.recordsReadPerSecond.flatMap { $0 > 0 ? $0 : nil } ?? memory.typicalRate
        guard rate > 0 else { return "\(Figures.age(age)) of input, ? records" }
        return "\(Figures.age(age)) of input, about \(Figures.count(rate * Double(max(age.count, 0)) / 1000)) records"
    }

    /// The time to catch up with the replay at the best rate seen; nil without a better one.
    func catchUp(since checkpoint: CheckpointReport) -> SafeText? {
        let typical = memory.typicalRate
        guard typical > 0, memory.bestRate > typical * 1.2 else { return nil }
        let until = job.state.isTerminal ? min(job.stateSince, engineTime) : engineTime
        let speed = min(memory.bestRate / typical, 1000)
        let time = Double(max((until - checkpoint.triggeredAt).count, 0)) / (speed - 1)
        return
            "catch-up about \(Figures.duration(Milliseconds(Int64(clamping: min(time, 1e12))))) at the best rate seen, \(Figures.factor((speed * 10).rounded() / 10))x"
    }

    /// The effect of the action, in words.
    func effect(_ action: Action) -> SafeText {
        switch action {
        case .savepoint: return "writes all state to its own directory; the job keeps running"
        case .checkpoint: return "triggers a checkpoint at once; it counts like a periodic one"
        case .stop(drain: true):
            return "ends the input, takes a savepoint and finishes; do not resume a drained job as if its input continued"
        case .stop: return "takes a savepoint and finishes, in one step; the job can be restarted from it"
        case .cancel(.discard): return "stops at once and deletes every checkpoint of the job; nothing is left to restart from"
        case .cancel:
            guard let way = WayBack.of(job, in: context) else { return "stops at once, no drain" }
            guard let newest = way.own else { return "stops at once, no drain. A restart \(way.originWords)" }
            return "stops at once, no drain. A restart reads the input since #\(newest.id) again (\(replay(since: newest)))"
        case .restart(let options, _) where options.path == nil:
            return "launches a new job from the newest checkpoint once this one has ended; later input is read again"
        case .restart(let options, let chosen):
            guard let checkpoint = chosen.flatMap({ memory[$0] }), checkpoint.path == options.path else {
                return "launches a new job from this state; input after it is read again"
            }
            let catchUp = catchUp(since: checkpoint).map { "; \($0)" } ?? ""
            return "launches a new job from #\(checkpoint.id); \(replay(since: checkpoint)) is read again\(catchUp)"
        case .launch: return "launches a new job"
        case .jar: return ""
        case .dispose(let path, let chosen): return effectOfDisposal(path, chosen)
        case .fault: return "injects a fault into the job"
        }
    }
}
