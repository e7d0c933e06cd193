public import StreamModel

/// State of a subtask, as far as it matters to checkpoints.
public enum TaskState: Sendable, Hashable {
    case initializing, running, finished
}

/// Identifies a user's request from `CoordinatorEvent.requested` to its one answer.
public struct TriggerToken: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// An event of a job. The job thread passes them to `CheckpointCoordinator.handle(_:at:)`, one at a time.
public enum CoordinatorEvent: Sendable, Hashable {
    /// RUNNING starts the periodic scheduler, any other state stops it (rule 1.2). Sent before the tasks act on it.
    case jobStateChanged(JobState)
    /// A new attempt with these subtasks, all initializing. Sent after the state change that ended the old attempt, and, for a commit to count,
    /// after `CheckpointCoordinator.commitInFlight` became nil.
    case tasksReset(tasks: [SubtaskID])
    case taskStateChanged(SubtaskID, TaskState)
    /// The trigger timer fired.
    case triggerTimerFired
    case timeoutFired(CheckpointID)
    /// A user requested a checkpoint now, a savepoint, or a savepoint that ends the job.
    case requested(TriggerToken, CheckpointKind)
    /// Every task has reached the end of its input: take a final checkpoint. The engine acknowledges it for each task after `locationPrepared`; its
    /// id is `CheckpointCoordinator.finalCheckpoint`. The engine requests it again if it fails.
    case finalCheckpointRequested
    /// The directory of the attempt exists.
    case locationPrepared(CheckpointID)
    /// The directory could not be made.
    case locationFailed(CheckpointID, message: String)
    /// A subtask's part is durable.
    case acknowledged(CheckpointID, SubtaskID)
    /// A subtask cannot provide its part and continues.
    case declined(CheckpointID, SubtaskID, CheckpointFailureReason, message: String)
    case taskFailed(SubtaskID, message: String)
    /// The manifest is durable.
    case committed(CheckpointID)
    /// No manifest exists, and none will.
    case commitFailed(CheckpointID, message: String)
    /// Answers `discardPending` and `discardCompleted`, also when the deletion failed.
    case cleanupFinished(CheckpointID)
    /// The job's state was loaded from this snapshot.
    case restored(CheckpointID, kind: CheckpointKind, claimed: Bool)
    /// A completed checkpoint was found damaged or missing and is no longer restorable. Its files are not the coordinator's to delete.
    case lost(CheckpointID)
    /// The job has reached its terminal state (or SUSPENDED), its tasks are gone, no commit is in flight: apply the retention (rule 3.1). The
    /// override affects only CANCELED.
    case jobEnded(CancelRetention)
}
