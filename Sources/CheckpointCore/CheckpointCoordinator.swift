public import StreamModel

/// Decides the begin, completion, failure and subsumption of a job's checkpoints and savepoints, and the failure of the job. The
/// `CheckpointCoordinator` of Flink 1.14.3 as a value without clock, files or threads. The engine's job thread owns it, hands it every event and
/// performs the returned actions in order. Every event has an answer in every state; one that does not fit (late, duplicate, of an unknown
/// checkpoint or subtask) is answered with no action.
///
/// One checkpoint or savepoint:
///
///     request ─ queued ──────────────────────────────────► requestFailed  (no id used, rule 1.5)
///                 │ chosen (TriggerPolicy), all tasks run
///                 ▼ prepareLocation, scheduleTimeout
///             PREPARING ───────────────────────────────┐
///                 │ locationPrepared: injectBarrier    │ locationFailed            IO_EXCEPTION
///                 ▼                                    │ timeout                   CHECKPOINT_EXPIRED
///           ACKNOWLEDGING ─────────────────────────────┤ declined                  as the task says
///                 │ last acknowledgement               │ task failed, not acked    TASK_FAILURE
///                 ▼                                    │ newer one completed       CHECKPOINT_SUBSUMED
///           ACKNOWLEDGED (another one commits) ────────┤ scheduler stopped         CHECKPOINT_COORDINATOR_SUSPEND
///                 │ cancelTimeout, commit              │
///                 ▼                                    ▼
///            COMMITTING ──commitFailed──────────────► failed: checkpointFailed, notifyAborted, discardPending
///                 │ committed         FINALIZE_CHECKPOINT_FAILURE
///                 ▼
///         completed: checkpointCompleted, notifyComplete ──subsumed──► discardCompleted or forget
///
/// The periodic scheduler:
///
///     OFF ──RUNNING, and an interval is set──► ON ──any other job state, final checkpoint──► OFF
///     ON  ──stop with savepoint requested──► PAUSED ──it failed──► ON
///                                            PAUSED ──it completed──► OFF until the job state changes
///
/// Differences from Flink 1.14.3: at most one tick waits in the queue, and missed ticks are skipped; the store is ordered by id; commits run one at
/// a time, and a commit that has begun is waited for, whatever happens to the job, because its manifest may already be durable; a second stop
/// during a stop is refused; a job whose input has ended takes a final checkpoint.
public struct CheckpointCoordinator: Sendable {
    public let configuration: CheckpointConfiguration
    public internal(set) var jobState = JobState.initializing
    /// Checkpoints in flight, oldest first.
    public internal(set) var pending: [PendingCheckpoint] = []
    /// Due time of the next tick; nil = the periodic scheduler is off.
    public internal(set) var nextTriggerAt: EngineInstant?
    /// Snapshots that the job can go back to, oldest first.
    public var completed: [CompletedCheckpoint] { store.entries }
    /// Id of the next checkpoint.
    public internal(set) var nextID: CheckpointID
    /// Time of the last completion of a checkpoint or savepoint.
    public internal(set) var lastCompletion: EngineInstant?

    let policy: TriggerPolicy
    var queue = TriggerQueue()
    var store: CompletedCheckpoints
    var failures: FailureCounter
    var tasks: TaskTable
    var random: SplitMix64
    /// Deletions that the engine has not yet reported as finished.
    var cleaning: Set<CheckpointID> = []
    /// Checkpoints that failed during the creation of their directory, which is deleted (again) when it turns up.
    var lateLocations: Set<CheckpointID> = []
    var stop = StopWithSavepoint.none
    var final = FinalCheckpoint.none
    var release: CancelRetention?
    var tally = CheckpointCounts()
    /// Instant of the engine's trigger timer.
    var armedTrigger: EngineInstant?
    var requestSequence: UInt64 = 0
    /// A deliberate defect for the simulator: a success does not reset the failure count.
    package var countsOverSuccess = false
    /// Actions collected while handling one event.
    var actions: [CoordinatorAction] = []

    /// A stop with savepoint (rule 1.7). Periodic checkpoints pause until it fails.
    enum StopWithSavepoint: Sendable, Equatable {
        case none
        /// The request is queued, by sequence number.
        case queued(UInt64)
        case pending(CheckpointID)
        /// The tasks are finishing.
        case completed(CheckpointID)
    }

    enum FinalCheckpoint: Sendable, Equatable {
        case none
        case queued
        case pending(CheckpointID)
        /// It failed; the engine must ask again.
        case failed
        case completed(CheckpointID)
    }

    /// - Parameters:
    ///   - tasks: all subtasks of the job, not running yet.
    ///   - nextID: 1 for a new job, otherwise above every id ever used in the job's directory.
    ///   - seed: for the random delay of the first tick.
    public init(
        configuration: CheckpointConfiguration, tasks: [SubtaskID], nextID: CheckpointID, seed: UInt64
    ) throws(CheckpointConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        self.nextID = max(nextID, CheckpointID(1))
        self.tasks = TaskTable(tasks)
        policy = TriggerPolicy(
            maximumConcurrent: configuration.maximumConcurrent, minimumPause: configuration.effectiveMinimumPause)
        store = CompletedCheckpoints(retained: configuration.retainedCheckpoints)
        failures = FailureCounter(tolerable: configuration.effectiveTolerableFailures)
        random = SplitMix64(seed: seed)
    }

    /// Handles one event and returns the actions. `now` never goes back.
    public mutating func handle(_ event: CoordinatorEvent, at now: EngineInstant) -> [CoordinatorAction] {
        take(event, now)
        commitNext()
        triggerNext(now)
        armTriggerTimer()
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: CoordinatorEvent, _ now: EngineInstant) {
        switch event {
        case .jobStateChanged(let state): changeJobState(to: state, now)
        case .tasksReset(let tasks): reset(tasks, now)
        case .taskStateChanged(let task, let state): tasks.set(task, state)
        case .triggerTimerFired: tick(now)
        case .timeoutFired(let id): expire(id, now)
        case .requested(let token, let kind): request(token, kind, now)
        case .finalCheckpointRequested: requestFinal(now)
        case .locationPrepared(let id): prepared(id)
        case .locationFailed(let id, let message): notPrepared(id, message, now)
        case .acknowledged(let id, let task): acknowledge(id, task)
        case .declined(let id, let task, let reason, let message): decline(id, task, reason, message, now)
        case .taskFailed(let task, let message): failTask(task, message, now)
        case .committed(let id): commitSucceeded(id, now)
        case .commitFailed(let id, let message): commitFailed(id, message, now)
        case .cleanupFinished(let id): cleaning.remove(id)
        case .restored(let id, let kind, let claimed): restore(id, kind, claimed, now)
        case .lost(let id): store.remove(id)
        case .jobEnded(let override): releaseCompleted(override)
        }
    }
}

// MARK: Views for reports

extension CheckpointCoordinator {
    /// Checkpoints and savepoints by outcome since the job was submitted.
    public var counters: CheckpointCounts {
        var counts = tally
        counts.inProgress = pending.count
        counts.total = counts.completed + counts.failed + counts.inProgress
        return counts
    }

    /// The newest completed checkpoint or savepoint that the job can go back to.
    public var latestCompleted: CompletedCheckpoint? { store.latest }

    /// The checkpoint whose manifest is being written. The newest checkpoint is undetermined until its result arrives: no attempt starts and no
    /// retention is applied before.
    public var commitInFlight: CheckpointID? { pending.first { $0.phase == .committing }?.id }

    /// The checkpoint taken for `finalCheckpointRequested`, in flight or completed.
    public var finalCheckpoint: CheckpointID? {
        switch final {
        case .pending(let id), .completed(let id): id
        case .none, .queued, .failed: nil
        }
    }

    /// Number of requests in the queue.
    public var queuedRequests: Int { queue.count }

    /// Number of deletions in progress.
    public var cleanupsInFlight: Int { cleaning.count }

    /// Exact failure budget: consecutive counted failures against the tolerable number.
    public func failureBudget() -> FailureBudget {
        FailureBudget(
            counted: failures.count, tolerable: failures.tolerable, source: .exact, cumulative: tally.failed,
            lastReason: failures.lastReason)
    }

    /// Failure budget as reported in a job state: a job that its budget has failed keeps the count that exceeded it.
    public func failureBudget(in state: JobState) -> FailureBudget {
        var budget = failureBudget()
        if state == .failing || state == .failed, let exceeded = failures.exceededCount { budget.counted = exceeded }
        return budget
    }
}
