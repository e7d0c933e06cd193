internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// Owns one job: its coordinator, its attempts, its record of checkpoints. All mutable state belongs to the job's thread, which takes
/// messages from a mailbox and timers; file work goes to the job's file worker and comes back as messages.
///
///     INITIALIZING --> RUNNING --task failed, budget exceeded--> RESTARTING --delay--> RUNNING
///                      RUNNING --no restart left--> FAILING --> FAILED
///                      RUNNING, RESTARTING --cancel--> CANCELLING --> CANCELED
///                      RUNNING --all inputs ended, last checkpoint durable--> FINISHED
///                      RUNNING --stop with savepoint durable--> FINISHED
///                      any live state --engine goes down--> SUSPENDED
final class JobMaster: @unchecked Sendable {
    // Sound: everything below `blueprint` is touched on the job's thread only; other threads use `mailbox`, `published` and `faults`.
    enum Message: Sendable {
        case task(TaskEvent, attempt: Int)
        case request(CheckpointRequest)
        case cancel(CancelRetention, @Sendable (Result<JobReport, JobError>) -> Void)
        case suspend(@Sendable (Result<JobReport, JobError>) -> Void)
        case locationPrepared(CheckpointID, CheckpointAttempt)
        case locationFailed(CheckpointID, FailureCause)
        case committed(CheckpointID)
        case commitFailed(CheckpointID, FailureCause)
        case cleaned(CheckpointID)
        case abandoned(CheckpointAttempt, Bool)
        case outputsCommitted(CheckpointID)
        /// - Parameter isTaken: another job has the output now.
        case outputsFailed(CheckpointID, FailureCause, isTaken: Bool)
        case discarded(CheckpointID, DiscardOutcome)
    }

    /// What other threads may see.
    struct Published {
        var report: JobReport
        var history: [CheckpointReport] = []
        var details: [CheckpointID: CheckpointReport] = [:]
        var failures: [FailureReport] = []
        var position: UInt64 = 0
        /// The threads are gone, retention is applied and the directory is given up.
        var hasEnded = false
    }

    enum Timer: Hashable {
        case trigger
        case timeout(CheckpointID)
        case restart
        case tick
        /// The end of the job is recorded again.
        case record

        /// Orders timers that are due at the same time, so that a run can be repeated.
        var order: (Int, UInt64) {
            switch self {
            case .trigger: (0, 0)
            case .timeout(let id): (1, id.rawValue)
            case .restart: (2, 0)
            case .tick: (3, 0)
            case .record: (4, 0)
            }
        }
    }

    /// What the restart strategy decided after a failure.
    struct PlannedRestart {
        let at: WallTime
        let delay: Milliseconds
        let reason: String
    }

    let published: Mutex<Published>
    let faults: FaultInjector
    private let mailbox: Mailbox<Message>
    let host: any EngineHost

    let blueprint: JobBlueprint
    let files: FileWorker
    let attempts = OpenAttempts()
    /// Given up when the job has ended, before anybody is told.
    var outputs: OutputClaims
    let audit = AuditCounters()
    var coordinator: CheckpointCoordinator
    var timers: [Timer: EngineInstant] = [:]
    var state = JobState.initializing
    var stateSince: WallTime
    var record: CheckpointRecord
    var failures: [FailureReport] = []
    /// Waits in a row that `failures` ends with, at most two.
    private var waitsNoted: [FailureReport] = []
    /// The running attempt; nil between attempts.
    var attempt: JobAttempt?
    var attemptNumber: Int
    var restarts = 0
    /// What follows the next failure.
    var backoff: FailureResponse
    /// What the machine lacked, while the coordinator hears of a checkpoint that failed for it.
    private var lacking: Shortage?
    /// The attempt that is waited for, while RESTARTING.
    var plannedRestart: PlannedRestart?
    var startPoint: JobBlueprint.StartPoint?
    var restored: RestoreReport?
    var replay: ReplayCount
    var rates = RateMeter()
    var requests: [TriggerToken: CheckpointRequest] = [:]
    var nextToken: UInt64 = 1
    /// The stop whose savepoint is complete, waiting for FINISHED.
    var stopping: (request: CheckpointRequest, savepoint: CheckpointID)?
    var cancelling: (retention: CancelRetention, completions: [@Sendable (Result<JobReport, JobError>) -> Void])?
    var suspending: [@Sendable (Result<JobReport, JobError>) -> Void] = []
    /// The savepoint of the newest stop with drain.
    var drainingSavepoint: CheckpointID?
    /// Checkpoints whose outputs are being renamed.
    var committingOutputs: Set<CheckpointID> = []
    /// Directories that are being made. One that turns up late is still to be deleted.
    var locationsInFlight = 0
    /// Deletions under way by checkpoint. A checkpoint that fails while its directory is being made is deleted twice, once for nothing; it is
    /// clean when both have ended.
    var cleanups: [CheckpointID: Int] = [:]
    /// Completed checkpoints that are to be deleted and are still there.
    var discards: [CheckpointID: PendingDiscard] = [:]
    /// Manifests that are being written.
    var manifestsInFlight: [CheckpointID: CheckpointManifest] = [:]
    /// The newest complete checkpoint of this attempt: what incremental ones refer to. Never a savepoint, never one that failed.
    var base: CheckpointManifest?
    /// The checkpoint that commits the output of a job whose input has ended.
    var finalCheckpoint: CheckpointID?
    var recordsBefore = Throughput()
    /// No retention at the end.
    private var keepsSnapshots = false
    /// The end that the job has come to, while it cannot be recorded.
    private var unrecordedEnd: JobState?
    /// Failed checkpoints whose directories could not be taken away: a manifest among them would be the newest to a recovery.
    var unabandoned: [CheckpointAttempt] = []
    var abandonsUnderWay = 0
    /// Retention was applied; only cleanups are waited for.
    var isReleased = false
    var isOver = false
    /// Events for the coordinator, while it handles one.
    private var events: [CoordinatorEvent] = []
    private var isFeeding = false
    /// What requests are told, once the report shows it.
    private var answers: [() -> Void] = []
    private var onChange: @Sendable () -> Void = {}

    init(_ blueprint: JobBlueprint, outputs: OutputClaims) throws {
        self.blueprint = blueprint
        self.outputs = outputs
        let launch = blueprint.launch
        host = launch.host
        let now = host.wall()
        mailbox = Mailbox(host: host)
        faults = FaultInjector(isAllowed: blueprint.allowsFaults, host: host)
        var configuration = blueprint.configuration
        if host.filesystem.has(.retainsOneMore) { configuration.retainedCheckpoints += 1 }
        coordinator = try CheckpointCoordinator(
            configuration: configuration, tasks: blueprint.plan.subtasks, nextID: blueprint.nextCheckpointID,
            seed: host.random())
        coordinator.countsOverSuccess = host.filesystem.has(.countsOverSuccess)
        backoff = FailureResponse(blueprint.restartStrategy, seed: host.random())
        stateSince = now
        attemptNumber = launch.previousAttempts
        startPoint = blueprint.start
        record = CheckpointRecord(history: launch.history, plan: blueprint.plan)
        for (id, path) in blueprint.lost { record.lost(id, path: path) }
        replay = ReplayCount(previousPosition: launch.previousPosition)
        files = try FileWorker(name: "files", host: host)
        published = Mutex(
            Published(
                report: JobReport(
                    id: launch.id, name: launch.name, state: .initializing, stateSince: now, submittedAt: launch.submittedAt,
                    parallelism: launch.parallelism, maxParallelism: blueprint.plan.maxParallelism, configuration: blueprint.configuration,
                    budget: coordinator.failureBudget())))
        for warning in blueprint.warnings { failures.append(FailureReport(at: now, message: warning, attempt: attemptNumber)) }
        publish()
    }

    func start(onChange: @escaping @Sendable () -> Void) throws(JobError) {
        self.onChange = onChange
        do { try host.startThread(named: "job \(blueprint.launch.name)") { self.run() } } catch {
            files.stop()
            throw error
        }
    }

    /// From any thread. What comes after the end of the job's thread is answered at once.
    func post(_ message: Message) {
        if !mailbox.post(message) { refuse(message) }
    }

    private func refuse(_ message: Message) {
        let error = JobError.notRunning(published.withLock { $0.report.state })
        switch message {
        case .request(let request): request.completion(.failure(error))
        case .cancel(_, let completion), .suspend(let completion): completion(.failure(error))
        default: break
        }
    }

    // MARK: The thread

    private func run() {
        timers[.tick] = host.now() + .seconds(1)
        for id in blueprint.older { feed(.restored(id, kind: .checkpoint, claimed: true)) }
        if let start = startPoint {
            feed(.restored(start.manifest.checkpoint, kind: start.manifest.kind, claimed: start.claimed))
        }
        if blueprint.launch.recovers { sweep() }
        beginAttempt()
        publishAndTell()
        while !isOver {
            for message in mailbox.take(until: timers.values.min()) { handle(message) }
            fireTimers()
            settle()
            publishAndTell()
        }
        for message in mailbox.close() { refuse(message) }
        files.stop()
    }

    private func fireTimers() {
        let now = host.now()
        for (timer, _) in timers.filter({ $0.value <= now }).sorted(by: { ($0.value, $0.key.order.0, $0.key.order.1) < ($1.value, $1.key.order.0, $1.key.order.1) }) {
            // An earlier one may have cancelled or moved it.
            guard let due = timers[timer], due <= now else { continue }
            timers[timer] = nil
            switch timer {
            case .trigger: feed(.triggerTimerFired)
            case .timeout(let id): feed(.timeoutFired(id))
            // `settle` begins the attempt, once the threads and commits of the last one have ended, and records the end.
            case .restart, .record: break
            case .tick:
                timers[.tick] = now + .seconds(1)
                inputEnded()
                retryDiscards(of: [.inUse])
                if let attempt, state == .running { rates.sample(attempt, at: now) } else { rates.forget() }
            }
        }
    }

    /// The same, where the machine lacked something: if the job fails for the event, it is for that.
    func feed(_ event: CoordinatorEvent, lacking shortage: Shortage?) {
        lacking = shortage
        feed(event)
        lacking = nil
    }

    /// Performs what the coordinator answers. An action that leads to another event (a failure that ends the attempt) has it handled after
    /// the actions before it, so that the order of the actions holds.
    func feed(_ event: CoordinatorEvent) {
        events.append(event)
        guard !isFeeding else { return }
        isFeeding = true
        while !events.isEmpty { perform(coordinator.handle(events.removeFirst(), at: host.now())) }
        isFeeding = false
    }

    private func handle(_ message: Message) {
        switch message {
        case .task(let event, let number):
            if number == attemptNumber, attempt != nil { handle(event) }
        case .request(let request): begin(request)
        case .cancel(let retention, let completion): cancel(retention, completion)
        case .suspend(let completion): suspend(completion)
        case .locationPrepared(let id, let location): prepared(id, location)
        case .locationFailed(let id, let cause):
            locationsInFlight -= 1
            feed(.locationFailed(id, message: cause.message), lacking: cause.shortage)
        case .committed(let id):
            becameBase(id)
            record.completed(id, at: host.wall(), instant: host.now())
            feed(.committed(id))
        case .commitFailed(let id, let cause):
            manifestsInFlight[id] = nil
            feed(.commitFailed(id, message: cause.message), lacking: cause.shortage)
        case .cleaned(let id): cleaned(id)
        case .abandoned(let location, let isGone):
            abandonsUnderWay -= 1
            if !isGone { unabandoned.append(location) }
        case .outputsCommitted(let id):
            committingOutputs.remove(id)
            attempt?.send(.completed(id), to: .all)
        case .discarded(let id, let outcome): discarded(id, outcome)
        case .outputsFailed(let id, let cause, let isTaken):
            committingOutputs.remove(id)
            // A job that is ending anyway does not restart for it, but whoever restores that checkpoint finds the files uncommitted.
            switch state {
            case .running where isTaken: stayDown(cause.message)
            case .running: fail(cause, vertex: nil, subtask: nil)
            default: note(cause.message)
            }
        }
    }

    private func handle(_ event: TaskEvent) {
        switch event {
        case .running(let task):
            attempt?.running.insert(task)
            feed(.taskStateChanged(task, .running))
            noteRestored()
        case .inputEnded(let task):
            // For the coordinator it goes on running: an ended task takes part in checkpoints until the job has ended.
            attempt?.ended.insert(task)
            snapshotAtEnd(task)
            inputEnded()
        case .snapshot(let snapshot):
            guard attempts[snapshot.barrier.checkpoint] != nil else { return }
            record.acknowledged(snapshot, at: host.wall(), instant: host.now())
            feed(.acknowledged(snapshot.barrier.checkpoint, snapshot.subtask))
        case .declined(let id, let task, let reason, let cause): feed(.declined(id, task, reason, message: cause.message), lacking: cause.shortage)
        case .failed(let task, let cause):
            feed(.taskFailed(task, message: cause.message), lacking: cause.shortage)
            fail(cause, vertex: blueprint.plan.vertices[task.vertex].uid, subtask: task.index)
        case .exited(let task): attempt?.exited.insert(task)
        }
    }

    // MARK: State

    func change(to new: JobState) {
        guard new != state else { return }
        state = new
        stateSince = host.wall()
        feed(.jobStateChanged(new))
    }

    /// The attempt is over because of what the coordinator has found.
    func fail(_ message: String) { fail(FailureCause(message, lacking: lacking), vertex: nil, subtask: nil) }

    /// The attempt is over for a reason. The restart strategy decides what follows, unless the machine lacks something: that is waited for.
    func fail(_ cause: FailureCause, vertex: String?, subtask: Int?) {
        guard state == .running || state == .initializing else { return }
        let message = cause.message
        switch backoff.jobFailed(lacking: cause.shortage, at: host.now()) {
        case .restart(let delay):
            note(message, vertex: vertex, subtask: subtask)
            planRestart(after: delay, because: message)
        case .wait(let delay, let reason):
            noteWait("\(reason) (\(message))", vertex: vertex, subtask: subtask)
            planRestart(after: delay, because: reason)
        case .giveUp(let reason):
            note(blueprint.restartStrategy == .none ? message : "\(message) (the job is not restarted: \(reason))", vertex: vertex, subtask: subtask)
            stopFailed()
            change(to: .failing)
        }
        attempt?.cancel()
    }

    private func planRestart(after delay: Milliseconds, because reason: String) {
        stopFailed()
        timers[.restart] = host.now() + delay
        plannedRestart = PlannedRestart(at: host.wall() + delay, delay: delay, reason: reason)
        change(to: .restarting)
    }

    /// A wait can be a long one, and each of its looks a failure: only the newest two stay in the list, so that it does not lose the others.
    private func noteWait(_ message: String, vertex: String?, subtask: Int?) {
        if waitsNoted.count == 2, failures.suffix(2).elementsEqual(waitsNoted) {
            failures.removeLast()
            waitsNoted.removeLast()
        } else {
            waitsNoted = waitsNoted.suffix(1).filter { $0 == failures.last }
        }
        note(message, vertex: vertex, subtask: subtask)
        waitsNoted += failures.suffix(1)
    }

    /// There is no snapshot that the job may go on from by itself, or its output is another's. It fails, whatever the restart strategy
    /// allows, and keeps its checkpoints, whatever the retention says: the operator is to choose among them.
    func stayDown(_ why: String) {
        guard state == .running || state == .initializing else { return }
        keepsSnapshots = true
        note(why)
        stopFailed()
        change(to: .failing)
        attempt?.cancel()
    }

    /// Puts a failure into the list that operators see; the newest 200 are kept.
    func note(_ message: String, vertex: String? = nil, subtask: Int? = nil) {
        failures.append(FailureReport(at: host.wall(), message: message, vertex: vertex, subtask: subtask, attempt: attemptNumber))
        if failures.count > 200 { failures.removeFirst() }
    }

    /// A stop whose savepoint was durable but whose job did not finish: the savepoint stays, the caller hears of both.
    private func stopFailed() {
        guard let (request, savepoint) = stopping else { return }
        stopping = nil
        let path = record.report(savepoint)?.path ?? "?"
        answer {
            request.completion(
                .failure(.task("the savepoint \(path) is complete, but the job did not finish: restart from the savepoint")))
        }
    }

    /// Asks for the last checkpoint once all tasks have seen the end. Asked again every second, because one that failed, or was refused,
    /// is not repeated by the coordinator itself.
    func inputEnded() {
        guard let attempt, attempt.ended.count == attempt.subtasks.count, state == .running else { return }
        if stopping != nil {
            attempt.send(.exit, to: .all)
        } else if coordinator.finalCheckpoint == nil {
            feed(.finalCheckpointRequested)
        }
    }

    /// Moves on what waits for threads to leave, commits to end, or files to be deleted.
    private func settle() {
        if let attempt, attempt.exited.count == attempt.subtasks.count, coordinator.commitInFlight == nil, committingOutputs.isEmpty {
            leave(attempt)
        }
        if attempt == nil, !isReleased, coordinator.commitInFlight == nil, committingOutputs.isEmpty, let end = endState { release(as: end) }
        if attempt == nil, state == .restarting, timers[.restart] == nil, coordinator.commitInFlight == nil, committingOutputs.isEmpty {
            if isRidOfFailed { beginAttempt() }
        }
        if isReleased, coordinator.cleanupsInFlight == 0, cleanups.isEmpty, locationsInFlight == 0, !isDiscarding { conclude() }
    }

    private func leave(_ attempt: JobAttempt) {
        recordsBefore = attempt.throughput(before: recordsBefore)
        replay.attemptEnded(attempt)
        self.attempt = nil
        startPoint?.state.snapshot.pin.release()
        host.tablesAreFilled()
    }

    /// The state that the job is about to end in, once its threads are gone.
    private var endState: JobState? {
        if !suspending.isEmpty { return .suspended }
        switch state {
        case .cancelling: return .canceled
        case .failing: return .failed
        case .running: return .finished  // Only a finished attempt leaves while the job runs.
        default: return nil
        }
    }

    /// The job has come to its end, unless that cannot be recorded: then nothing of it is given up yet, because whoever comes next would go on
    /// with the job and need its checkpoints.
    private func release(as end: JobState) {
        guard timers[.record] == nil else { return }
        if end.isTerminal {
            do { try blueprint.launch.onTerminal(report(as: end)) } catch { return postpone(end, because: error) }
        }
        unrecordedEnd = nil
        change(to: end)
        publish()
        isReleased = true
        timers = [:]
        startPoint?.state.snapshot.pin.release()
        guard !keepsSnapshots else { return }
        retryDiscards(of: [.inUse, .failed])
        feed(.jobEnded(cancelling?.retention ?? .byPolicy))
    }

    private func report(as end: JobState) -> JobReport {
        let current = (state, stateSince)
        defer { (state, stateSince) = current }
        (state, stateSince) = (end, host.wall())
        return makeReport()
    }

    private func postpone(_ end: JobState, because error: any Error) {
        if unrecordedEnd != end { note("the job is \(end.rawValue), but that cannot be written down: \(error); its checkpoints are kept until it can") }
        unrecordedEnd = end
        timers = [.tick: host.now() + .seconds(1), .record: host.now() + .seconds(1)]
    }

    private func conclude() {
        isOver = true
        noteWhatStays()
        outputs.release()
        blueprint.directory.close()
        publish()
        published.withLock { $0.hasEnded = true }
        let report = published.withLock { $0.report }
        let state = self.state
        for completion in cancelling?.completions ?? [] { answer { completion(state == .canceled ? .success(report) : .failure(.notRunning(state))) } }
        for completion in suspending { answer { completion(.success(report)) } }
        if state == .finished, let (request, savepoint) = stopping, let row = record.report(savepoint) {
            answer { request.completion(.success(row)) }
            stopping = nil
        }
        stopFailed()
        for (_, request) in requests.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { answer { request.completion(.failure(.notRunning(state))) } }
        (requests, cancelling, suspending) = ([:], nil, [])
    }

    // MARK: Requests

    private func begin(_ request: CheckpointRequest) {
        guard state == .running, unrecordedEnd == nil else {
            let state = unrecordedEnd ?? self.state
            return answer { request.completion(.failure(.notRunning(state))) }
        }
        let token = TriggerToken(nextToken)
        nextToken += 1
        requests[token] = request
        feed(.requested(token, request.kind))
    }

    private func cancel(_ retention: CancelRetention, _ completion: @escaping @Sendable (Result<JobReport, JobError>) -> Void) {
        if state == .cancelling, cancelling != nil {
            cancelling?.completions.append(completion)
            return
        }
        guard !state.isTerminal, state != .suspended, state != .failing, suspending.isEmpty, !isReleased else {
            let state = self.state
            return answer { completion(.failure(.notRunning(state))) }
        }
        cancelling = (retention, [completion])
        timers[.restart] = nil
        plannedRestart = nil
        stopFailed()
        change(to: .cancelling)
        attempt?.cancel()
    }

    private func suspend(_ completion: @escaping @Sendable (Result<JobReport, JobError>) -> Void) {
        guard !isReleased else {
            let state = self.state
            return answer { completion(.failure(.notRunning(state))) }
        }
        suspending.append(completion)
        timers[.restart] = nil
        plannedRestart = nil
        feed(.jobStateChanged(.suspended))
        attempt?.cancel()
    }

    // MARK: What others see

    private func publishAndTell() {
        publish()
        let due = answers
        answers = []
        for answer in due { answer() }
        onChange()
    }

    /// Answers after the next publication, so that whoever asks for a report then sees what the answer says.
    func answer(_ body: @escaping () -> Void) { answers.append(body) }

    func publish() {
        let report = makeReport()
        published.withLock { published in
            published.report = report
            published.history = record.rows
            published.details = record.details
            published.failures = failures
            published.position = replay.position(of: attempt)
        }
    }
}
