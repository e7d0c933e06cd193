public import StreamModel

extension CheckpointFailureReason {
    /// Whether a failure for this reason raises the failure counter: rule 2.1, Flink 1.14.3's table. Flink 1.20 counts
    /// `finalizeCheckpointFailure` too.
    public var isCounted: Bool {
        switch self {
        case .checkpointDeclined, .checkpointAsyncException, .checkpointExpired, .ioException:
            true
        case .periodicSchedulerShutdown, .tooManyConcurrentCheckpoints, .tooManyCheckpointRequests, .minimumTimeBetweenCheckpoints,
            .notAllRequiredTasksRunning, .checkpointSubsumed, .checkpointDeclinedTaskNotReady, .checkpointDeclinedSubsumed,
            .checkpointDeclinedOnCancellationBarrier, .checkpointDeclinedInputEndOfStream, .checkpointCoordinatorShutdown,
            .checkpointCoordinatorSuspend, .jobFailure, .jobFailoverRegion, .taskFailure, .taskCheckpointFailure,
            .unknownTaskCheckpointNotificationFailure, .finalizeCheckpointFailure, .triggerCheckpointFailure:
            false
        }
    }

    /// Raised before the tasks hear of the checkpoint; handled at the level of the job even when a task reports it (rule 2.3).
    public var isPreflight: Bool {
        switch self {
        case .periodicSchedulerShutdown, .tooManyConcurrentCheckpoints, .tooManyCheckpointRequests, .minimumTimeBetweenCheckpoints,
            .notAllRequiredTasksRunning, .ioException:
            true
        case .checkpointAsyncException, .checkpointExpired, .checkpointSubsumed, .checkpointDeclined, .checkpointDeclinedTaskNotReady,
            .checkpointDeclinedSubsumed, .checkpointDeclinedOnCancellationBarrier, .checkpointDeclinedInputEndOfStream,
            .checkpointCoordinatorShutdown, .checkpointCoordinatorSuspend, .jobFailure, .jobFailoverRegion, .taskFailure,
            .taskCheckpointFailure, .unknownTaskCheckpointNotificationFailure, .finalizeCheckpointFailure, .triggerCheckpointFailure:
            false
        }
    }
}
