public import StreamModel

extension CheckpointFailureReason {
    /// Whether a failure for this reason raises the counter: rule 2.1, the table of Flink 1.14.3. Flink 1.20 also counts
    /// `finalizeCheckpointFailure`.
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

    /// Whether it is raised before the tasks hear of the checkpoint; handled at job level even when a task reports it (rule 2.3).
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
