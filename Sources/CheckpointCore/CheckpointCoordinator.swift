public import StreamModel

/// Decides when checkpoints and savepoints of one job begin, when they are complete, failed or superfluous, and when too many have
/// failed: the `CheckpointCoordinator` of Flink 1.14.3 as a value without clock, files or threads. The job thread of the engine owns
/// it, hands it every event and performs the actions it answers with, in their order. Every event has an answer in every
/// state; one that does not fit (late, duplicate, of an unknown checkpoint or subtask) is answered with no action.
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
/// Differences from Flink 1.14.3: at most one tick waits in the queue, and ticks that were missed are skipped; the store is ordered
/// by id; commits run one at a time, and one that has begun is waited for, whatever happens to the job, because nobody can tell
/// whether its manifest is durable; a second stop while one is under way is refused; a job whose input has ended takes a final checkpoint.
public struct CheckpointCoordinator: Sendable {
    public let configuration: CheckpointConfiguration
    public internal(set) var jobState = JobState.initializing
    /// In flight, oldest first.
    public internal(set) var pending: [PendingCheckpoint] = []
    /// When the next tick is due; nil = the periodic scheduler is off.
    public internal(set) var nextTriggerAt: EngineInstant?
    /// What the job can go back to, oldest first.
    public var completed: [CompletedCheckpoint] { store.entries }
    /// The id that the next checkpoint will have.
    public internal(set) var nextID: CheckpointID
    /// When a checkpoint or savepoint last completed.
    public internal(set) var lastCompletion: EngineInstant?

    let policy: TriggerPolicy
    var queue = TriggerQueue()
    var store: CompletedCheckpoints
    var failures: FailureCounter
    var tasks: TaskTable
    var random: SplitMix64
    /// Deletions that the engine has not reported as finished.
    var cleaning: Set<CheckpointID> = []
    /// Failed while their directory was being made; it is to be deleted (again) when it turns up.
    var lateLocations: Set<CheckpointID> = []
    var stop = StopWithSavepoint.none
    var final = FinalCheckpoint.none
    var release: CancelRetention?
    var tally = CheckpointCounts()
    /// The instant that the engine's trigger timer is set to.
    var armedTrigger: EngineInstant?
    var requestSequence: UInt64 = 0
    /// A defect on purpose, for the simulator: a success does not begin a new series of failures.
    package var countsOverSuccess = false
    /// Collected by the handling of one event.
    var actions: [CoordinatorAction] = []

    /// A stop with savepoint (rule 1.7). Periodic checkpoints rest until it fails.
    enum StopWithSavepoint: Sendable, Equatable {
        case none
        /// Its request, by sequence number.
        case queued(UInt64)
        case pending(CheckpointID)
        /// The tasks are finishing.
        case completed(CheckpointID)
    }

    enum FinalCheckpoint: Sendable, Equatable {
        case none
        case queued
        case pending(CheckpointID)
        /// The engine is to ask again.
        case failed
        case completed(CheckpointID)
    }

    /// - Parameters:
    ///   - tasks: all subtasks of the job, not running yet.
    ///   - nextID: 1 for a new job, else above every id that was ever used under the job's directory.
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

    /// Takes in one event and says what to do. `now` never goes back.
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

    /// The one whose manifest is being written. While it is not nil nobody knows which checkpoint is the newest: no attempt is
    /// started, and no retention applied, before it is answered.
    public var commitInFlight: CheckpointID? { pending.first { $0.phase == .committing }?.id }

    /// The checkpoint that answers `finalCheckpointRequested`, in flight or completed.
    public var finalCheckpoint: CheckpointID? {
        switch final {
        case .pending(let id), .completed(let id): id
        case .none, .queued, .failed: nil
        }
    }

    /// Requests that wait for their turn.
    public var queuedRequests: Int { queue.count }

    /// Deletions under way.
    public var cleanupsInFlight: Int { cleaning.count }

    /// Consecutive counted failures against the tolerable number; exact.
    public func failureBudget() -> FailureBudget {
        FailureBudget(
            counted: failures.count, tolerable: failures.tolerable, source: .exact, cumulative: tally.failed,
            lastReason: failures.lastReason)
    }
}
