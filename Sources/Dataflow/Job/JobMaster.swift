internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// Owns one job: its coordinator, its attempts, its record of checkpoints. A thread with a mailbox: it passes messages and timers to pure values
/// and performs their actions. `CheckpointCoordinator` decides about checkpoints, `JobEnding` about restarts and the end, `FailureResponse` about a
/// failure; `CheckpointFiles` orders the file work, which reports by messages. All mutable state belongs to the thread.
final class JobMaster: @unchecked Sendable {
    // Sound: everything below `blueprint` is touched on the job's thread only; other threads use `mailbox`, `published`, `isToEnd` and `faults`.
    enum Message: Sendable {
        case task(TaskEvent, attempt: Int)
        case request(CheckpointRequest)
        case cancel(CancelRetention, @Sendable (Result<JobReport, JobError>) -> Void)
        case suspend(@Sendable (Result<JobReport, JobError>) -> Void)
        case files(CheckpointFiles.Report)
    }

    /// State visible to other threads.
    struct Published {
        var report: JobReport
        var history: [CheckpointReport] = []
        var details: [CheckpointID: CheckpointReport] = [:]
        var failures: [FailureReport] = []
        var position: UInt64 = 0
        /// Whether the threads are gone, the retention is applied and the directory is released.
        var hasEnded = false
    }

    enum Timer: Hashable {
        case trigger
        case timeout(CheckpointID)
        case restart
        case tick
        /// Retries the record of the job's end.
        case record

        /// Order of timers due at the same time, so that a run can be repeated.
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

    /// A decision of the restart strategy after a failure.
    struct PlannedRestart {
        let at: WallTime
        let delay: Milliseconds
        let reason: String
    }

    let published: Mutex<Published>
    let faults: FaultInjector
    private let mailbox: Mailbox<Message>
    /// Whether a cancel or a suspension waits in the mailbox. It interrupts a deployment: wiring a thousand tasks takes seconds.
    private let isToEnd = Atomic(false)
    let host: any EngineHost

    let blueprint: JobBlueprint
    var files: CheckpointFiles
    /// Claims released when the job has ended, before its end is reported.
    var outputs: OutputClaims
    let audit = AuditCounters()
    var coordinator: CheckpointCoordinator
    var ending = JobEnding()
    var timers: [Timer: EngineInstant] = [:]
    var stateSince: WallTime
    var record: CheckpointRecord
    var failures = FailureList()
    /// The running attempt; nil between attempts.
    var attempt: JobAttempt?
    var attemptNumber: Int
    var restarts = 0
    /// Decides the response to the next failure.
    var backoff: FailureResponse
    /// Shortage behind a failed checkpoint, while the coordinator handles that event.
    private(set) var lacking: Shortage?
    /// Planned attempt, while RESTARTING.
    var plannedRestart: PlannedRestart?
    var startPoint: JobBlueprint.StartPoint?
    var restored: RestoreReport?
    var replay: ReplayCount
    var rates = RateMeter()
    var requests = OpenRequests()
    /// Savepoint of the newest stop with drain.
    var drainingSavepoint: CheckpointID?
    /// Checkpoint that commits the output of a job whose input has ended.
    var finalCheckpoint: CheckpointID?
    var recordsBefore = Throughput()
    /// Events queued while the coordinator handles one.
    private var events: [CoordinatorEvent] = []
    private var isFeeding = false
    /// Answers to requests, held back until the report shows the same.
    private var answers: [() -> Void] = []
    private var onChange: @Sendable () -> Void = {}

    init(_ blueprint: JobBlueprint, outputs: OutputClaims) throws {
        self.blueprint = blueprint
        self.outputs = outputs
        let launch = blueprint.launch
        host = launch.host
        let now = host.wall()
        let mailbox = Mailbox<Message>(host: host)
        self.mailbox = mailbox
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
        files = try CheckpointFiles(blueprint) { mailbox.post(.files($0)) }
        published = Mutex(
            Published(
                report: JobReport(
                    id: launch.id, name: launch.name, state: .initializing, stateSince: now, submittedAt: launch.submittedAt,
                    parallelism: launch.parallelism, maxParallelism: blueprint.plan.maxParallelism, configuration: blueprint.configuration,
                    budget: coordinator.failureBudget())))
        for warning in blueprint.warnings { note(warning) }
        publish()
    }

    func start(onChange: @escaping @Sendable () -> Void) throws(JobError) {
        self.onChange = onChange
        do { try host.startThread(named: "job \(blueprint.launch.name)") { self.run() } } catch {
            files.worker.stop()
            throw error
        }
    }

    /// Posts a message, from any thread. After the end of the job's thread it is answered at once.
    func post(_ message: Message) {
        switch message {
        case .cancel, .suspend: isToEnd.store(true, ordering: .releasing)
        default: break
        }
        if !mailbox.post(message) { refuse(message) }
    }

    struct DeploymentBrokenOff: Error {}

    /// Called between the steps of a deployment.
    func goOnDeploying() throws(DeploymentBrokenOff) {
        if isToEnd.load(ordering: .acquiring) { throw DeploymentBrokenOff() }
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
        if blueprint.launch.recovers { files.sweep() }
        beginAttempt()
        publishAndTell()
        while !ending.isOver {
            for message in mailbox.take(until: timers.values.min()) { handle(message) }
            fireTimers()
            settle()
            publishAndTell()
        }
        for message in mailbox.close() { refuse(message) }
        files.worker.stop()
    }

    private func fireTimers() {
        let now = host.now()
        for (timer, _) in timers.filter({ $0.value <= now }).sorted(by: {
            ($0.value, $0.key.order.0, $0.key.order.1) < ($1.value, $1.key.order.0, $1.key.order.1)
        }) {
            // An earlier timer may have cancelled or moved it.
            guard let due = timers[timer], due <= now else { continue }
            timers[timer] = nil
            switch timer {
            case .trigger: feed(.triggerTimerFired)
            case .timeout(let id): feed(.timeoutFired(id))
            case .restart: advance(.restartDue)
            case .record: advance(.recordDue)
            case .tick:
                timers[.tick] = now + .seconds(1)
                inputEnded()
                files.retryDiscards(of: [.inUse])
                if let attempt, state == .running { rates.sample(attempt, at: now) } else { rates.forget() }
            }
        }
    }

    /// Feeds an event with the machine's shortage: if the event fails the job, the shortage is the cause.
    func feed(_ event: CoordinatorEvent, lacking shortage: Shortage?) {
        lacking = shortage
        feed(event)
        lacking = nil
    }

    /// Feeds an event and performs the coordinator's actions. An event caused by an action (a failure that ends the attempt) is handled after the
    /// preceding actions, to preserve their order.
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
        case .request(let request): advance(.checkpointRequested(requests.add(request)))
        case .cancel(let retention, let completion): advance(.cancelRequested(requests.add(completion), retention))
        case .suspend(let completion): advance(.suspendRequested(requests.add(completion)))
        case .files(let report): handle(report)
        }
    }

    private func handle(_ event: TaskEvent) {
        switch event {
        case .running(let task):
            attempt?.running.insert(task)
            feed(.taskStateChanged(task, .running))
            noteRestored()
        case .inputEnded(let task):
            // It keeps running for the coordinator: an ended task takes part in checkpoints until the job has ended.
            attempt?.ended.insert(task)
            snapshotAtEnd(task)
            inputEnded()
        case .snapshot(let snapshot):
            guard files.open[snapshot.barrier.checkpoint] != nil else { return }
            record.acknowledged(snapshot, at: host.wall(), instant: host.now())
            feed(.acknowledged(snapshot.barrier.checkpoint, snapshot.subtask))
        case .declined(let id, let task, let reason, let cause): feed(.declined(id, task, reason, message: cause.message), lacking: cause.shortage)
        case .failed(let task, let cause):
            feed(.taskFailed(task, message: cause.message), lacking: cause.shortage)
            fail(cause, vertex: blueprint.plan.vertices[task.vertex].uid, subtask: task.index)
        case .exited(let task): attempt?.exited.insert(task)
        }
    }

    // MARK: Reports and answers

    private func publishAndTell() {
        publish()
        let due = answers
        answers = []
        for answer in due { answer() }
        onChange()
    }

    /// Answers after the next publication, so that a report requested afterwards agrees with the answer.
    func answer(_ body: @escaping () -> Void) { answers.append(body) }

    func publish() {
        let report = makeReport(as: ending.state, since: stateSince)
        published.withLock { published in
            published.report = report
            published.history = record.rows
            published.details = record.details
            published.failures = failures.rows
            published.position = replay.position(of: attempt)
        }
    }
}
