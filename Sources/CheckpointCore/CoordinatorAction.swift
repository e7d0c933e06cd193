public import StreamModel

/// What the engine is to do, in the order of the list. File work of one checkpoint id is done in the order of its actions.
public enum CoordinatorAction: Sendable, Equatable {
    /// Replaces the earlier one: there is one trigger timer, and it fires once.
    case scheduleTrigger(at: EngineInstant)
    case cancelTrigger
    case scheduleTimeout(CheckpointID, at: EngineInstant)
    case cancelTimeout(CheckpointID)
    /// The id is used from now on: write the history row, make the directory, answer `locationPrepared` or `locationFailed`.
    case prepareLocation(CheckpointID, CheckpointKind, token: TriggerToken?)
    /// To all source tasks.
    case injectBarrier(CheckpointID, CheckpointKind)
    /// All have acknowledged: write the manifest, answer `committed` or `commitFailed`. One at a time.
    case commit(CheckpointID, CheckpointKind)
    /// Tell all tasks: sinks commit. The id may be lower than an earlier one (a savepoint that was overtaken).
    case notifyComplete(CheckpointID)
    /// Tell all tasks: drop what belongs to this one.
    case notifyAborted(CheckpointID)
    /// Delete the files of an attempt that failed; answer `cleanupFinished`.
    case discardPending(CheckpointID)
    /// Delete a completed one that is subsumed or no longer retained; answer `cleanupFinished`.
    case discardCompleted(CheckpointID)
    /// It leaves the store; its files stay (a savepoint, or a snapshot that the job does not own).
    case forget(CheckpointID)
    /// The history row ends well.
    case checkpointCompleted(CheckpointID)
    /// The history row ends badly. `counted`: it raised the failure counter. `task`: the one to blame.
    case checkpointFailed(CheckpointID, CheckpointFailureReason, message: String, counted: Bool, task: SubtaskID?)
    /// A user's request ended without completing.
    case requestFailed(TriggerToken, CheckpointFailureReason, message: String)
    case requestCompleted(TriggerToken, CheckpointID)
    /// Fail the job: the restart strategy decides what comes next.
    case failJob(message: String)
}
