/// Flink's job states, in Flink's words.
public enum JobState: String, Codable, Sendable, CaseIterable {
    case initializing = "INITIALIZING"
    case running = "RUNNING"
    case restarting = "RESTARTING"
    case failing = "FAILING"
    case failed = "FAILED"
    case cancelling = "CANCELLING"
    case canceled = "CANCELED"
    case finished = "FINISHED"
    /// The engine was shut down with the job alive; the job continues when the engine starts again.
    case suspended = "SUSPENDED"

    /// Whether it is a final state.
    public var isTerminal: Bool { self == .failed || self == .canceled || self == .finished }
}

/// Reason of an incomplete checkpoint: Flink 1.14.3's `CheckpointFailureReason`, by its names.
public enum CheckpointFailureReason: String, Codable, Sendable, CaseIterable {
    case periodicSchedulerShutdown = "PERIODIC_SCHEDULER_SHUTDOWN"
    case tooManyConcurrentCheckpoints = "TOO_MANY_CONCURRENT_CHECKPOINTS"
    case tooManyCheckpointRequests = "TOO_MANY_CHECKPOINT_REQUESTS"
    case minimumTimeBetweenCheckpoints = "MINIMUM_TIME_BETWEEN_CHECKPOINTS"
    case notAllRequiredTasksRunning = "NOT_ALL_REQUIRED_TASKS_RUNNING"
    case ioException = "IO_EXCEPTION"
    case checkpointAsyncException = "CHECKPOINT_ASYNC_EXCEPTION"
    case checkpointExpired = "CHECKPOINT_EXPIRED"
    case checkpointSubsumed = "CHECKPOINT_SUBSUMED"
    case checkpointDeclined = "CHECKPOINT_DECLINED"
    case checkpointDeclinedTaskNotReady = "CHECKPOINT_DECLINED_TASK_NOT_READY"
    case checkpointDeclinedSubsumed = "CHECKPOINT_DECLINED_SUBSUMED"
    case checkpointDeclinedOnCancellationBarrier = "CHECKPOINT_DECLINED_ON_CANCELLATION_BARRIER"
    case checkpointDeclinedInputEndOfStream = "CHECKPOINT_DECLINED_INPUT_END_OF_STREAM"
    case checkpointCoordinatorShutdown = "CHECKPOINT_COORDINATOR_SHUTDOWN"
    case checkpointCoordinatorSuspend = "CHECKPOINT_COORDINATOR_SUSPEND"
    case jobFailure = "JOB_FAILURE"
    case jobFailoverRegion = "JOB_FAILOVER_REGION"
    case taskFailure = "TASK_FAILURE"
    case taskCheckpointFailure = "TASK_CHECKPOINT_FAILURE"
    case unknownTaskCheckpointNotificationFailure = "UNKNOWN_TASK_CHECKPOINT_NOTIFICATION_FAILURE"
    case finalizeCheckpointFailure = "FINALIZE_CHECKPOINT_FAILURE"
    case triggerCheckpointFailure = "TRIGGER_CHECKPOINT_FAILURE"
}
