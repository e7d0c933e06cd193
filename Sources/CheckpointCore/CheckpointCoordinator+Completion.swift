import StreamModel

// The end of checkpoints: acknowledgement, commit, subsumption, failure (rule 1.6), and the end of the job (rule 3.1).
extension CheckpointCoordinator {
    func index(of id: CheckpointID, in phases: PendingCheckpoint.Phase...) -> Int? {
        pending.firstIndex { $0.id == id && phases.contains($0.phase) }
    }

    // MARK: Acknowledgements

    mutating func acknowledge(_ id: CheckpointID, _ task: SubtaskID) {
        guard let index = index(of: id, in: .acknowledging), pending[index].awaited.remove(task) != nil else { return }
        finishAcknowledging(index)
    }

    mutating func finishAcknowledging(_ index: Int) {
        if pending[index].awaited.isEmpty { pending[index].phase = .acknowledged }
    }

    mutating func decline(
        _ id: CheckpointID, _ task: SubtaskID, _ reason: CheckpointFailureReason, _ message: String, _ now: EngineInstant
    ) {
        guard index(of: id, in: .acknowledging, .acknowledged) != nil, tasks.contains(task) else { return }
        fail(id, reason, message, task: task, isReportedByTask: true, now)
    }

    /// Fails the checkpoints not acknowledged by the subtask (rule 1.6), and starts no new ones until the attempt is replaced.
    mutating func failTask(_ task: SubtaskID, _ message: String, _ now: EngineInstant) {
        guard tasks.contains(task) else { return }
        tasks.set(task, .initializing)
        for checkpoint in pending where checkpoint.phase != .committing && checkpoint.awaited.contains(task) {
            fail(checkpoint.id, .taskFailure, "Task \(task) has failed: \(message)", task: task, now)
        }
    }

    /// Expires a checkpoint or savepoint, counted from the trigger (rule 1.6). A timer that fires early is set again.
    mutating func expire(_ id: CheckpointID, _ now: EngineInstant) {
        guard let index = index(of: id, in: .preparing, .acknowledging, .acknowledged) else { return }
        let checkpoint = pending[index]
        guard now >= checkpoint.timeoutAt else {
            actions.append(.scheduleTimeout(id, at: checkpoint.timeoutAt))
            return
        }
        let stage = checkpoint.phase == .preparing ? "its directory was not ready" : checkpoint.progress
        let message = "not complete within \(configuration.timeout.count) ms: \(stage)"
        fail(id, .checkpointExpired, message, timeoutIsSet: false, now)
    }

    // MARK: Commit

    /// Begins the commit of the oldest acknowledged checkpoint, unless a commit is in progress.
    mutating func commitNext() {
        guard commitInFlight == nil, let index = pending.firstIndex(where: { $0.phase == .acknowledged }) else { return }
        pending[index].phase = .committing
        actions.append(.cancelTimeout(pending[index].id))
        actions.append(.commit(pending[index].id, pending[index].kind))
    }

    mutating func commitSucceeded(_ id: CheckpointID, _ now: EngineInstant) {
        guard let index = index(of: id, in: .committing) else { return }
        if pending[index].isOrphaned {
            let why = "its attempt was replaced by one that did not start from it"
            return fail(id, .checkpointCoordinatorSuspend, why, timeoutIsSet: false, now)
        }
        complete(index, reachesTasks: true, now)
    }

    mutating func commitFailed(_ id: CheckpointID, _ message: String, _ now: EngineInstant) {
        guard index(of: id, in: .committing) != nil else { return }
        fail(id, .finalizeCheckpointFailure, message, timeoutIsSet: false, now)
    }

    /// Completes a checkpoint in the order of rule 1.6, also a savepoint (rule 1.7, 1.14.3).
    private mutating func complete(_ index: Int, reachesTasks: Bool, _ now: EngineInstant) {
        let checkpoint = pending.remove(at: index)
        tally.completed += 1
        actions.append(.checkpointCompleted(checkpoint.id))
        if !countsOverSuccess { failures.recordSuccess(of: checkpoint.id) }
        let subsumed = store.add(CompletedCheckpoint(id: checkpoint.id, kind: checkpoint.kind))
        lastCompletion = now
        if reachesTasks { actions.append(.notifyComplete(checkpoint.id)) }
        for older in pending where older.id < checkpoint.id && !older.kind.isSavepoint {
            fail(older.id, .checkpointSubsumed, "\(checkpoint.kind.rawValue) \(checkpoint.id) completed first", now)
        }
        for entry in subsumed { drop(entry, on: .subsumed) }
        if stop == .pending(checkpoint.id) { stop = .completed(checkpoint.id) }
        if final == .pending(checkpoint.id) { final = .completed(checkpoint.id) }
        if let token = checkpoint.token { actions.append(.requestCompleted(token, checkpoint.id)) }
        if let release { releaseCompleted(release) }
    }

    // MARK: Failure

    /// Fails a pending checkpoint (rule 1.6) and counts the failure (rule 2).
    mutating func fail(
        _ id: CheckpointID, _ reason: CheckpointFailureReason, _ message: String, task: SubtaskID? = nil,
        isReportedByTask: Bool = false, hasFiles: Bool = true, timeoutIsSet: Bool = true, _ now: EngineInstant
    ) {
        guard let index = pending.firstIndex(where: { $0.id == id }) else { return }
        let checkpoint = pending.remove(at: index)
        tally.failed += 1
        let verdict = failures.recordFailure(
            of: id, kind: checkpoint.kind, reason: reason, message: message, task: isReportedByTask ? task : nil)
        if timeoutIsSet { actions.append(.cancelTimeout(id)) }
        let isCounted =
            switch verdict {
            case .counted, .exceeded: true
            case .ignored, .failsJob: false
            }
        actions.append(.checkpointFailed(id, reason, message: message, counted: isCounted, task: task))
        if let token = checkpoint.token { actions.append(.requestFailed(token, reason, message: message)) }
        if checkpoint.phase != .preparing { actions.append(.notifyAborted(id)) }
        if hasFiles {
            if checkpoint.phase == .preparing { lateLocations.insert(id) }
            discardPending(id)
        }
        failJob(if: verdict, checkpoint, "\(reason.rawValue): \(message)", task)
        if final == .pending(id) { final = .failed }
        if stop == .pending(id) {
            stop = .none
            startScheduler(now)
        }
    }

    private mutating func failJob(
        if verdict: FailureCounter.Verdict, _ checkpoint: PendingCheckpoint, _ cause: String, _ task: SubtaskID?
    ) {
        switch verdict {
        case .ignored, .counted: break
        case .exceeded(let counted):
            let limit = "Exceeded checkpoint tolerable failure threshold."
            let tolerable = failures.tolerable ?? 0
            actions.append(.failJob(message: "\(limit) \(counted.count) failed in a row, \(tolerable) are tolerable: \(counted.list)"))
        case .failsJob:
            let who = task.map { "Task \($0)" } ?? "A task"
            actions.append(.failJob(message: "\(who) declined the savepoint \(checkpoint.id) that stops the job, \(cause)"))
        }
    }

    mutating func discardPending(_ id: CheckpointID) {
        cleaning.insert(id)
        actions.append(.discardPending(id))
    }

    // MARK: Completed ones

    /// Enters a restored snapshot into the store; ids continue after it (rule 3.4). The read proves a commit in flight durable.
    mutating func restore(_ id: CheckpointID, _ kind: CheckpointKind, _ claimed: Bool, _ now: EngineInstant) {
        if let index = index(of: id, in: .committing) {
            complete(index, reachesTasks: false, now)
        } else if !pending.contains(where: { $0.id == id }) {
            store.insert(CompletedCheckpoint(restored: id, kind: kind, claimed: claimed))
        } else {
            return
        }
        tally.restored += 1
        if id.rawValue < .max { nextID = max(nextID, id.next) } else { nextID = id }
    }

    /// Applies the retention of an ended or suspended job (rule 3.1), also to a checkpoint that completes later. Does nothing in any other
    /// state.
    mutating func releaseCompleted(_ override: CancelRetention) {
        guard let event = RetentionEvent(jobState), event != .suspended else { return }
        release = override
        for entry in store.removeAll() { drop(entry, on: event, override) }
    }

    private mutating func drop(_ entry: CompletedCheckpoint, on event: RetentionEvent, _ override: CancelRetention = .byPolicy) {
        if RetentionPolicy(configuration.retention).discards(entry.treatedAs, on: event, override: override) {
            cleaning.insert(entry.id)
            actions.append(.discardCompleted(entry.id))
        } else {
            actions.append(.forget(entry.id))
        }
    }
}
