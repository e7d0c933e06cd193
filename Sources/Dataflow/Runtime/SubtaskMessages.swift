internal import CheckpointStore
internal import StreamModel

/// A command from the job thread to a subtask. Handled between batches.
enum SubtaskCommand: Sendable {
    /// Sources: start this checkpoint here.
    case trigger(Barrier, drains: Bool)
    /// To a subtask whose channels have ended, and so bring no more barriers: take part in this checkpoint.
    case snapshotAtEnd(Barrier)
    case completed(CheckpointID)
    /// The savepoint that stops the job is complete: end without emitting pending results.
    case finish
    /// The savepoint of a stop failed: continue.
    case resume
    /// Exit: the job has everything it needs.
    case exit
}

/// A message from a subtask to the job thread.
enum TaskEvent: Sendable {
    case running(SubtaskID)
    case inputEnded(SubtaskID)
    case snapshot(SubtaskSnapshot)
    case declined(CheckpointID, SubtaskID, CheckpointFailureReason, FailureCause)
    case failed(SubtaskID, FailureCause)
    /// The thread has ended; the last event of a subtask.
    case exited(SubtaskID)
}
