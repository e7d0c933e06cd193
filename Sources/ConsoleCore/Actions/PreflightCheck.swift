import CellGrid
import StreamModel

/// What is checked before an action: facts from the last reports, each with a verdict. Computed anew whenever it is looked at, so
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
            lines.append(.warn("what follows is \(Figures.age(age)) old: the engine does not answer"))
        }
        if let age = context.oldAge(of: \.checkpoints, job, at: now) { lines.append(.warn("what is known of its checkpoints is \(Figures.age(age)) old")) }
        switch action {
        case .savepoint(let directory): lines += [running] + savepoint(directory)
        case .checkpoint: lines += [running] + checkpoint
        case .stop: lines += [running] + savepoint(nil) + [recipe]
        case .cancel(let retention): lines += cancel(retention)
        case .restart(let options, let chosen): lines += restart(options, chosen)
        case .launch: break
        case .dispose(let path, let chosen): lines += dispose(path, chosen)
        case .fault: lines.append(running)
        }
        return lines
    }

    /// Whether a cancel as it stands would delete the checkpoints without having been told to.
    static func losesState(_ action: Action, _ job: JobReport) -> Bool {
        action == .cancel(.byPolicy) && job.configuration.retention != .retainOnCancellation
    }

    private var running: Preflight {
        job.state == .running
            ? .ok("job is RUNNING, \(job.runningSubtasks)/\(job.totalSubtasks) tasks")
            : .stop("job is \(job.state.rawValue), not RUNNING")
    }

    private func savepoint(_ directory: String?) -> [Preflight] {
        var lines: [Preflight] = []
        if let directory = directory ?? job.configuration.savepointDirectory ?? job.configuration.storageDirectory {
            lines.append(.ok("goes to \(directory)"))
        } else {
            lines.append(.stop("no savepoint directory is configured: use :savepoint DIRECTORY"))
        }
        if let other = job.inProgress.first(where: { $0.kind.isSavepoint }) {
            lines.append(.warn("savepoint #\(other.id) is in flight already"))
        } else if let flying = job.inProgress.first {
            lines.append(.ok("checkpoint #\(flying.id) is in flight; the savepoint queues behind it"))
        }
        if let last = job.latestSavepoint, let took = last.duration {
            let isTight = took.count * 2 > job.configuration.timeout.count
            let text: SafeText =
                "the last one took \(Figures.duration(took)), \(Figures.bytes(last.stateSize)); it expires after \(Figures.setting(job.configuration.timeout))"
            lines.append(isTight ? .warn(text) : .ok(text))
        } else {
            lines.append(.ok("no earlier savepoint; it expires after \(Figures.setting(job.configuration.timeout))"))
        }
        return lines
    }

    private var checkpoint: [Preflight] {
        guard context.capabilities.canCheckpointNow else { return [.stop("this engine cannot begin a checkpoint on request")] }
        let limit = job.configuration.maximumConcurrent
        return [
            job.inProgress.count < limit
                ? .ok("\(job.inProgress.count) of \(limit) concurrent checkpoints in flight")
                : .warn("\(job.inProgress.count) of \(limit) concurrent checkpoints in flight: it has to wait")
        ]
    }

    private var recipe: Preflight {
        if let known = context.recipe(of: job) {
            let words: SafeText = "relaunch recipe known: program \(known.program)"
            return .ok(known.parallelism > 0 ? "\(words), parallelism \(known.parallelism)" : words)
        }
        if case .sought = context.recipes[job.id] { return .warn("whether a relaunch recipe is on record is being read") }
        return .warn("no relaunch recipe is known: R will \(context.capabilities.needsJarRecipe ? "ask for one" : "not be able to start the job again")")
    }

    private var neededRecipe: Preflight {
        if context.recipe(of: job) != nil { return recipe }
        guard context.capabilities.needsJarRecipe else { return .stop("no relaunch recipe is known: this engine cannot start the job") }
        if case .sought = context.recipes[job.id] { return .pending("the record is read for how the job was launched") }
        return .stop("how the job was launched is not known: type :recipe JAR [--class NAME] [-- ARGUMENT...]")
    }

    // MARK: Cancel

    private func cancel(_ retention: CancelRetention) -> [Preflight] {
        var lines: [Preflight] = []
        if job.state.isTerminal { lines.append(.stop("job is \(job.state.rawValue) already")) }
        lines.append(policy(retention))
        if let newest = Condition.newestRestorable(job) {
            let text: SafeText = "newest completed #\(newest.id), \(Figures.age(engineTime - (newest.endedAt ?? newest.triggeredAt))) old"
            lines.append(retention == .discard ? .warn("\(text), will be deleted") : .ok(text))
        } else {
            lines.append(.warn("no completed checkpoint: there is nothing to go back to"))
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
            return .stop("\(words), and this engine has no other way: cancel, then dispose of what is left")
        case .discard: return .warn("ALL checkpoints of the job are deleted, as asked for")
        case .keep: return .ok("kept on request; \(words)")
        case .byPolicy:
            return job.configuration.retention == .retainOnCancellation ? .ok(words) : .stop("\(words): all would be lost")
        }
    }

    private var savepointAge: Preflight {
        guard let last = job.latestSavepoint, last.isRestorable else { return .warn("there is no savepoint") }
        let age = engineTime - (last.endedAt ?? last.triggeredAt)
        let text: SafeText = "newest savepoint #\(last.id) is \(Figures.age(age)) old"
        return age.count > 3_600_000 ? .warn(text) : .ok(text)
    }

    // MARK: Restart

    private func restart(_ options: RestartOptions, _ chosen: CheckpointID?) -> [Preflight] {
        var lines = [files(options.path)]
        lines.append(neededRecipe)
        if !job.state.isTerminal {
            lines.append(cancelFirst(options, chosen))
        }
        if let parallelism = options.parallelism {
            lines.append(
                (1...max(1, job.maxParallelism)).contains(parallelism)
                    ? .ok("parallelism \(parallelism), was \(job.parallelism)")
                    : .stop("parallelism \(parallelism) is not between 1 and \(job.maxParallelism)"))
        }
        if options.claim == .claim { lines.append(.warn("claim: the new job owns the snapshot and deletes it when it is subsumed")) }
        if options.allowsUnmatchedState { lines.append(.warn("state of operators that the job does not have is dropped")) }
        if let newest = Condition.newestRestorable(job), let chosen, chosen < newest.id {
            lines.append(.warn("#\(chosen) is not the newest: #\(newest.id) is"))
        }
        return lines
    }

    /// What becomes of what the restart begins from, when the job is canceled for it.
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

    private func files(_ path: String?) -> Preflight {
        guard let path else { return .ok("the newest restorable checkpoint, as the engine finds it") }
        guard context.capabilities.verifiesFiles else { return .warn("this engine does not check files: unchecked") }
        switch context.inspections[path] {
        case nil, .pending: return .pending("the files are being read")
        case .failed(let message): return .warn("the files could not be checked: \(message)")
        case .done(let inspection):
            switch inspection.verdict {
            case .ok: return .ok(context.capabilities.hasChecksums ? "every file is there and its checksum holds" : "every file is there and has its length")
            case .unreachable: return .warn("unchecked: \(inspection.problem ?? "not reachable from here")")
            case .damaged, .missing, .foreign: return .stop("\(inspection.verdict.rawValue): \(inspection.problem ?? "no details")")
            }
        }
    }

    /// Input since a checkpoint, as time and records; nil where it cannot be told.
    func replay(since checkpoint: CheckpointReport) -> SafeText {
        // A job that has ended reads no more.
        let until = job.state.isTerminal ? min(job.stateSince, engineTime) : engineTime
        let age = until - checkpoint.triggeredAt
        let rate = job.throughput.recordsReadPerSecond > 0 ? job.throughput.recordsReadPerSecond : memory.typicalRate
        guard rate > 0 else { return "\(Figures.age(age)) of input" }
        return "\(Figures.age(age)) of input, about \(Figures.count(rate * Double(max(age.count, 0)) / 1000)) records"
    }

    /// How long it takes to make up for what is read again, by the best rate that was seen; nil where no better one was.
    func catchUp(since checkpoint: CheckpointReport) -> SafeText? {
        let typical = memory.typicalRate
        guard typical > 0, memory.bestRate > typical * 1.2 else { return nil }
        let until = job.state.isTerminal ? min(job.stateSince, engineTime) : engineTime
        let speed = min(memory.bestRate / typical, 1000)
        let time = Double(max((until - checkpoint.triggeredAt).count, 0)) / (speed - 1)
        return "catch-up about \(Figures.duration(Milliseconds(Int64(clamping: min(time, 1e12))))) at the best rate seen, \(Figures.factor((speed * 10).rounded() / 10))x"
    }

    /// What the action does, in words.
    func effect(_ action: Action) -> SafeText {
        switch action {
        case .savepoint: return "writes all state to its own directory; the job goes on"
        case .checkpoint: return "begins a checkpoint at once; it counts like a periodic one"
        case .stop(drain: true):
            return "emits the end of the input, takes a savepoint and finishes; do not resume a drained job as if its input went on"
        case .stop: return "takes a savepoint and finishes, in one step; the job can be restarted from it"
        case .cancel(.discard): return "stops at once and deletes every checkpoint of the job; nothing is left to restart from"
        case .cancel:
            guard let newest = Condition.newestRestorable(job) else { return "stops at once, no drain" }
            return "stops at once, no drain. What was read since #\(newest.id) (\(replay(since: newest))) is read again on restart"
        case .restart(let options, _) where options.path == nil:
            return "launches a new job from the newest checkpoint that there is when this one has ended; what it read since is read again"
        case .restart(let options, let chosen):
            guard let checkpoint = chosen.flatMap({ memory[$0] }), checkpoint.path == options.path else {
                return "launches a new job from this state; input after it is read again"
            }
            let catchUp = catchUp(since: checkpoint).map { "; \($0)" } ?? ""
            return "launches a new job from #\(checkpoint.id); \(replay(since: checkpoint)) is read again\(catchUp)"
        case .launch: return "launches a job that was none before"
        case .dispose(let path, let chosen): return effectOfDisposal(path, chosen)
        case .fault: return "makes the job misbehave on purpose"
        }
    }
}
