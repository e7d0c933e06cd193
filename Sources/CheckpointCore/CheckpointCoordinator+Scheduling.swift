import StreamModel

// The begin of checkpoints: the periodic scheduler (rule 1.2), requests (rules 1.3, 1.7), the start of one (rule 1.5).
extension CheckpointCoordinator {
    mutating func changeJobState(to state: JobState, _ now: EngineInstant) {
        guard state != jobState, !jobState.isTerminal else { return }
        jobState = state
        // First, before any abort: the end of a stop must not start the scheduler of a job that does not run.
        stop = .none
        final = .none
        stopScheduler("the job is \(state.rawValue)", now)
        startScheduler(now)
    }

    /// Begins a new attempt. A commit still in flight belongs to the old one: it counts only if the new one starts from it.
    mutating func reset(_ newTasks: [SubtaskID], _ now: EngineInstant) {
        stop = .none
        final = .none
        suspendAll("a new attempt of the job begins", now)
        for index in pending.indices { pending[index].isOrphaned = true }
        failures.forgetExceeded()
        tasks = TaskTable(newTasks)
        if nextTriggerAt == nil { startScheduler(now) }
    }

    // MARK: The periodic scheduler

    /// Sets the first tick at a random time (rule 1.2), so that jobs do not tick together. Does nothing without an interval, or while the job
    /// does not run, is being stopped or has read all its input.
    mutating func startScheduler(_ now: EngineInstant) {
        guard jobState == .running, stop == .none, final == .none, let period = configuration.baseInterval else { return }
        let pause = configuration.effectiveMinimumPause
        nextTriggerAt = now + Milliseconds(random.next(in: min(pause, period).count...period.count))
    }

    private mutating func stopScheduler(_ why: String, _ now: EngineInstant) {
        nextTriggerAt = nil
        suspendAll(why, now)
    }

    /// Fails all queued requests and all pending checkpoints except the one being committed (rule 1.2).
    private mutating func suspendAll(_ why: String, _ now: EngineInstant) {
        for request in queue.removeAll() { refuse(request, .checkpointCoordinatorSuspend, why, now) }
        for checkpoint in pending where checkpoint.phase != .committing {
            fail(checkpoint.id, .checkpointCoordinatorSuspend, why, now)
        }
    }

    /// Handles a tick at a fixed rate (rule 1.2): the next one keeps the phase, missed ones are skipped.
    mutating func tick(_ now: EngineInstant) {
        // The timer has fired, so it is no longer set; a replaced timer that fires sets the right one again.
        armedTrigger = nil
        guard let due = nextTriggerAt, now >= due, let period = configuration.baseInterval else { return }
        let nanoseconds = period.count * 1_000_000
        let periods = (now.nanoseconds - due.nanoseconds) / nanoseconds + 1
        nextTriggerAt = EngineInstant(nanoseconds: due.nanoseconds + periods * nanoseconds)
        enqueue(.timer, .checkpoint, now)
    }

    /// Sets the engine's trigger timer, if its instant changed.
    mutating func armTriggerTimer() {
        guard nextTriggerAt != armedTrigger else { return }
        actions.append(nextTriggerAt.map { .scheduleTrigger(at: $0) } ?? .cancelTrigger)
        armedTrigger = nextTriggerAt
    }

    // MARK: Requests

    mutating func request(_ token: TriggerToken, _ kind: CheckpointKind, _ now: EngineInstant) {
        if jobState.isTerminal {
            let why = "the job is \(jobState.rawValue)"
            actions.append(.requestFailed(token, .checkpointCoordinatorShutdown, message: why))
        } else if kind == .synchronousSavepoint {
            requestStop(token, now)
        } else if jobState != .running || final != .none, let (reason, why) = obstacle(isFinal: false) {
            // Waiting for a place would not help.
            actions.append(.requestFailed(token, reason, message: why))
        } else {
            enqueue(.user(token), kind, now)
        }
    }

    /// Stops the scheduler and aborts all pending checkpoints, then begins the savepoint (rule 1.7). A request certain to be refused does not
    /// disturb the job.
    private mutating func requestStop(_ token: TriggerToken, _ now: EngineInstant) {
        if let why = stopUnderWay {
            actions.append(.requestFailed(token, .tooManyConcurrentCheckpoints, message: why))
        } else if let (reason, why) = obstacle(isFinal: false) {
            actions.append(.requestFailed(token, reason, message: why))
        } else {
            stopScheduler("a stop with savepoint was requested", now)
            stop = .queued(requestSequence)
            enqueue(.user(token), .synchronousSavepoint, now)
        }
    }

    private var stopUnderWay: String? {
        switch stop {
        case .none: nil
        case .queued: "a stop with savepoint is waiting for its turn already"
        case .pending(let id): "the job is being stopped with savepoint \(id)"
        case .completed(let id): "the job has been stopped with savepoint \(id)"
        }
    }

    /// Replaces periodic checkpoints by the final one. Queued requests are refused in their turn.
    mutating func requestFinal(_ now: EngineInstant) {
        guard jobState == .running, final == .none || final == .failed else { return }
        nextTriggerAt = nil
        final = .queued
        enqueue(.endOfInput, .checkpoint, now)
    }

    private mutating func enqueue(_ origin: TriggerRequest.Origin, _ kind: CheckpointKind, _ now: EngineInstant) {
        let request = TriggerRequest(origin: origin, kind: kind, arrivedAt: now, sequence: requestSequence)
        requestSequence += 1
        if let rejected = queue.insert(request) {
            refuse(rejected, .tooManyCheckpointRequests, "\(queue.count) requests are waiting already", now)
        }
    }

    /// Ends a request before it has an id, without history row or count (rule 1.5).
    private mutating func refuse(
        _ request: TriggerRequest, _ reason: CheckpointFailureReason, _ message: String, _ now: EngineInstant
    ) {
        if let token = request.token { actions.append(.requestFailed(token, reason, message: message)) }
        if request.isFinal { final = final == .queued ? .failed : final }
        if stop == .queued(request.sequence) {
            stop = .none
            startScheduler(now)
        }
    }

    // MARK: The start of a checkpoint

    /// Starts the checkpoints allowed to start (rule 1.3). Runs after every event, since any event may have made room.
    mutating func triggerNext(_ now: EngineInstant) {
        while true {
            switch policy.decide(&queue, situation, at: now) {
            case .wait: return
            // The phase of the timer moves (rule 1.4). No id, no row, no count.
            case .postpone(let due): nextTriggerAt = nextTriggerAt == nil ? nil : due
            case .start(let request):
                if let (reason, why) = obstacle(isFinal: request.isFinal) {
                    refuse(request, reason, why, now)
                } else {
                    trigger(request, now)
                }
            }
        }
    }

    private var situation: TriggerPolicy.Situation {
        var situation = TriggerPolicy.Situation()
        situation.isTriggering = pending.contains { $0.phase == .preparing }
        situation.pendingCount = pending.count
        situation.cleaningCount = cleaning.count
        situation.lastCompletion = lastCompletion
        return situation
    }

    /// The reason why no checkpoint can begin now (rule 1.5, steps 1 and 2). The final one does not need running tasks.
    private func obstacle(isFinal: Bool) -> (CheckpointFailureReason, String)? {
        if nextID == CheckpointID(.max) { return (.triggerCheckpointFailure, "all checkpoint ids are used up") }
        if jobState != .running { return (.notAllRequiredTasksRunning, "the job is \(jobState.rawValue)") }
        if isFinal { return nil }
        if final != .none { return (.notAllRequiredTasksRunning, "all tasks have reached the end of their input") }
        return tasks.obstacle.map { (.notAllRequiredTasksRunning, $0) }
    }

    private mutating func trigger(_ request: TriggerRequest, _ now: EngineInstant) {
        let id = nextID
        nextID = id.next
        let checkpoint = PendingCheckpoint(
            id: id, kind: request.kind, token: request.token, isFinal: request.isFinal, triggeredAt: now,
            timeout: configuration.timeout, tasks: tasks.all)
        pending.append(checkpoint)
        if stop == .queued(request.sequence) { stop = .pending(id) }
        if request.isFinal { final = .pending(id) }
        actions.append(.prepareLocation(id, request.kind, token: request.token))
        actions.append(.scheduleTimeout(id, at: checkpoint.timeoutAt))
    }

    mutating func prepared(_ id: CheckpointID) {
        if lateLocations.remove(id) != nil { return discardPending(id) }
        guard let index = index(of: id, in: .preparing) else { return }
        pending[index].phase = .acknowledging
        // The final one injects no barriers into the tasks: the engine acknowledges for them.
        if !pending[index].isFinal { actions.append(.injectBarrier(id, pending[index].kind)) }
        finishAcknowledging(index)
    }

    mutating func notPrepared(_ id: CheckpointID, _ message: String, _ now: EngineInstant) {
        lateLocations.remove(id)
        guard index(of: id, in: .preparing) != nil else { return }
        fail(id, .ioException, message, hasFiles: false, now)
    }
}
