public import StreamModel

/// What a subtask is doing, as far as checkpoints care.
public enum TaskState: Sendable, Hashable {
    case initializing, running, finished
}

/// Names one request of a user from `CoordinatorEvent.requested` to its one answer.
public struct TriggerToken: Hashable, Sendable {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What happened. The job thread of the engine feeds these to `CheckpointCoordinator.handle(_:at:)`, one at a time.
public enum CoordinatorEvent: Sendable, Hashable {
    /// RUNNING starts the periodic scheduler, any other state stops it (rule 1.2). Sent before the tasks act on it.
    case jobStateChanged(JobState)
    /// A new attempt with these subtasks, all of them initializing. Sent after the state change that ended the old attempt, and
    /// after `CheckpointCoordinator.commitInFlight` became nil if the commit is to count.
    case tasksReset(tasks: [SubtaskID])
    case taskStateChanged(SubtaskID, TaskState)
    /// The one trigger timer.
    case triggerTimerFired
    case timeoutFired(CheckpointID)
    /// A user asks for a checkpoint now, a savepoint, or a savepoint that ends the job.
    case requested(TriggerToken, CheckpointKind)
    /// Every task has reached the end of its input: take one last checkpoint. The engine acknowledges it for each task itself
    /// after `locationPrepared`; `CheckpointCoordinator.finalCheckpoint` is its id. If it fails, the engine asks again.
    case finalCheckpointRequested
    /// The directory of the attempt exists.
    case locationPrepared(CheckpointID)
    /// It could not be made.
    case locationFailed(CheckpointID, message: String)
    /// A subtask's part is durable.
    case acknowledged(CheckpointID, SubtaskID)
    /// A subtask cannot make its part and goes on.
    case declined(CheckpointID, SubtaskID, CheckpointFailureReason, message: String)
    case taskFailed(SubtaskID, message: String)
    /// The manifest is durable.
    case committed(CheckpointID)
    /// There is no manifest and there will be none.
    case commitFailed(CheckpointID, message: String)
    /// Answers `discardPending` and `discardCompleted`, also when the deletion failed.
    case cleanupFinished(CheckpointID)
    /// The job's state was loaded from this one.
    case restored(CheckpointID, kind: CheckpointKind, claimed: Bool)
    /// A completed one was found damaged or gone: the job cannot go back to it any more. Its files are not the coordinator's to delete.
    case lost(CheckpointID)
    /// The job has reached its terminal state (or SUSPENDED), its tasks are gone, no commit is in flight: apply the retention
    /// (rule 3.1). The override concerns CANCELED only.
    case jobEnded(CancelRetention)
}
