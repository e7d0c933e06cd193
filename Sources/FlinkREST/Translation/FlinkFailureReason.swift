public import StreamModel

/// What Flink's texts of failed checkpoints mean. The REST API gives the text of the reason only, and which reasons count against the
/// tolerable number differs by version. Pure.
public enum FlinkFailureReason {
    /// Whether a failure raised the counter.
    public enum Counting: Sendable, Equatable {
        case yes, no
        /// It depends on what the API does not say.
        case unknown
    }

    /// Flink's texts of its reasons, as they are from 1.14.3 to 2.3.0. A longer text that ends in one ("... Failure reason: X") means it too.
    private static let texts: [(String, CheckpointFailureReason)] = [
        ("Periodic checkpoint scheduler is shut down.", .periodicSchedulerShutdown),
        ("The maximum number of concurrent checkpoints is exceeded", .tooManyConcurrentCheckpoints),
        ("The maximum number of queued checkpoint requests exceeded", .tooManyCheckpointRequests),
        ("The minimum time between checkpoints is still pending.", .minimumTimeBetweenCheckpoints),
        ("Not all required tasks are currently running.", .notAllRequiredTasksRunning),
        ("An Exception occurred while triggering the checkpoint.", .ioException),
        ("Asynchronous task checkpoint failed.", .checkpointAsyncException),
        ("Checkpoint expired before completing.", .checkpointExpired),
        ("Checkpoint has been subsumed.", .checkpointSubsumed),
        ("Checkpoint was declined (tasks not ready)", .checkpointDeclinedTaskNotReady),
        ("Checkpoint was declined (task is closing)", .checkpointDeclinedTaskNotReady),
        ("Checkpoint was declined because one input stream is finished", .checkpointDeclinedInputEndOfStream),
        ("Checkpoint was declined.", .checkpointDeclined),
        ("Checkpoint was canceled because a barrier from newer checkpoint was received.", .checkpointDeclinedSubsumed),
        ("Task received cancellation from one of its inputs", .checkpointDeclinedOnCancellationBarrier),
        ("CheckpointCoordinator shutdown.", .checkpointCoordinatorShutdown),
        ("Checkpoint Coordinator is suspending.", .checkpointCoordinatorSuspend),
        ("The job has failed.", .jobFailure),
        ("FailoverRegion is restarting.", .jobFailoverRegion),
        ("Task has failed.", .taskFailure),
        ("Task local checkpoint failure.", .taskCheckpointFailure),
        ("Unknown task for the checkpoint to notify.", .unknownTaskCheckpointNotificationFailure),
        ("Failure to finalize checkpoint.", .finalizeCheckpointFailure),
        ("Trigger checkpoint failure.", .triggerCheckpointFailure),
    ]

    /// Reasons that later versions added and that do not count.
    private static let ignoredTexts = [
        "Blocking output edge exists in running tasks.",
        "The checkpoint was aborted due to exception of other subtasks sharing the ChannelState file.",
    ]

    /// nil = a text that is not known.
    public static func reason(of message: String) -> CheckpointFailureReason? {
        let core = core(of: message)
        return texts.first { core.hasPrefix($0.0) }?.1
    }

    private static func core(of message: String) -> Substring {
        let marker = "Failure reason: "
        var core = Substring(message)
        while let found = core.firstRange(of: marker) { core = core[found.upperBound...] }
        return core.drop { $0.isWhitespace }
    }

    /// Whether a failed checkpoint or savepoint with this text counted, in a cluster of this version (nil = not known yet).
    public static func counting(_ message: String, isSavepoint: Bool, version: FlinkVersion?) -> Counting {
        guard let reason = reason(of: message) else {
            return ignoredTexts.contains { core(of: message).hasPrefix($0) } ? .no : .unknown
        }
        switch reason {
        // What fails at the level of the job is passed over for savepoints.
        case .checkpointExpired, .ioException: return isSavepoint ? .no : .yes
        case .checkpointDeclined, .checkpointAsyncException: return .yes
        case .finalizeCheckpointFailure:
            guard !isSavepoint else { return .no }
            // Seen to count in 1.20.5 and 2.3.0, and not to in 1.14.3; which minor began it is not known.
            guard let version else { return .unknown }
            return version < FlinkVersion(1, 15) ? .no : version < FlinkVersion(1, 20) ? .unknown : .yes
        default: return .no
        }
    }
}
