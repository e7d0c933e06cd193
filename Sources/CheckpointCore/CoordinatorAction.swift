public import StreamModel

/// An action for the engine, to be performed in list order. File work of one checkpoint keeps the order of its actions.
public enum CoordinatorAction: Sendable, Equatable {
    /// Set the trigger timer. There is only one, so this replaces the earlier setting; it fires once.
    case scheduleTrigger(at: EngineInstant)
    case cancelTrigger
    case scheduleTimeout(CheckpointID, at: EngineInstant)
    case cancelTimeout(CheckpointID)
    /// The id is now in use: write the history row, make the directory, answer `locationPrepared` or `locationFailed`.
    case prepareLocation(CheckpointID, CheckpointKind, token: TriggerToken?)
    /// Inject a barrier into all source tasks.
    case injectBarrier(CheckpointID, CheckpointKind)
    /// All have acknowledged: write the manifest, answer `committed` or `commitFailed`. One at a time.
    case commit(CheckpointID, CheckpointKind)
    /// Notify all tasks of the completion: sinks commit. The id may be lower than an earlier one (an overtaken savepoint).
    case notifyComplete(CheckpointID)
    /// Notify all tasks of the abort: they drop everything of this checkpoint.
    case notifyAborted(CheckpointID)
    /// Delete the files of a failed attempt; answer `cleanupFinished`.
    case discardPending(CheckpointID)
    /// Delete a completed checkpoint that is subsumed or no longer retained; answer `cleanupFinished`.
    case discardCompleted(CheckpointID)
    /// Remove it from the store and keep its files (a savepoint, or a snapshot that the job does not own).
    case forget(CheckpointID)
    /// End the history row as completed.
    case checkpointCompleted(CheckpointID)
    /// End the history row as failed. `counted`: it raised the failure counter. `task`: the one to blame.
    case checkpointFailed(CheckpointID, CheckpointFailureReason, message: String, counted: Bool, task: SubtaskID?)
    /// Answer a user's request that did not complete.
    case requestFailed(TriggerToken, CheckpointFailureReason, message: String)
    case requestCompleted(TriggerToken, CheckpointID)
    /// Fail the job; the restart strategy decides on the next step.
    case failJob(message: String)
}
