package import StreamModel

// Events and actions of `JobEnding`.
extension JobEnding {
    /// Work in progress around the job, least important first.
    package enum Activity: Int, Sendable, CaseIterable, Comparable {
        case none
        /// Files of checkpoints are being made or deleted.
        case tidying
        /// A failed checkpoint is being removed. No attempt begins: a later recovery could take it for the newest.
        case abandoning
        /// Threads of an attempt, a commit or outputs are active. The newest checkpoint is undetermined.
        case executing

        package static func < (one: Activity, other: Activity) -> Bool { one.rawValue < other.rawValue }
    }

    /// Consequence of a failed attempt.
    package enum Consequence: Sendable, Hashable, CaseIterable {
        /// Start another attempt at `restartDue`.
        case restart
        case end
        /// Fail the job and keep its snapshots, whatever the retention.
        case stayDown
    }

    package enum Event: Sendable, Hashable {
        /// The tasks of an attempt exist. Answers `beginAttempt`, or begins the first attempt.
        case attemptBegan
        /// The snapshot to begin from is the final one of the job: nothing is left to run. Replaces `attemptBegan`.
        case foundFinished
        case failed(Consequence)
        case restartDue
        /// The attempt cannot begin yet; `restartDue` will come again.
        case restartPostponed
        /// Every task has reached the end of its input. May be repeated.
        case inputEnded
        /// A user requested a checkpoint, a savepoint, or a stop with savepoint.
        case checkpointRequested(TriggerToken)
        /// The savepoint of a stop is durable.
        case stopCompleted(TriggerToken, CheckpointID)
        case cancelRequested(TriggerToken, CancelRetention)
        /// The engine is shutting down.
        case suspendRequested(TriggerToken)
        /// Sent after every turn of the job thread, and after `release`.
        case settled(Activity)
        /// The end is durable. Answers `record`.
        case recorded
        /// The end is not durable. Answers `record`.
        case notRecorded(String)
        case recordDue
    }

    package enum Action: Sendable, Hashable {
        /// Show the state and notify the coordinator.
        case enter(JobState)
        /// Notify the coordinator that the job is suspended; the displayed state stays.
        case pauseCheckpoints
        /// Cancel the planned restart and its timer.
        case forgetRestart
        case cancelTasks
        /// Notify the sources that the savepoint of a stop was the end.
        case finishSources
        /// Let tasks exit that have reached the end of their input.
        case exitTasks
        case requestFinalCheckpoint
        /// Pass the request to the coordinator.
        case admit(TriggerToken)
        /// Begin an attempt; answer `attemptBegan`, `foundFinished`, `failed` or `restartPostponed`. The last of a list.
        case beginAttempt
        /// Make the end durable; answer `recorded` or `notRecorded`. The last of a list.
        case record(JobState)
        /// Add the message to the failures shown to operators.
        case note(String)
        /// Send `recordDue` later. No other timer matters any more.
        case scheduleRecord
        /// Publish, stop all timers, apply the retention unless it is nil.
        case release(CancelRetention?)
        case answer(TriggerToken, Answer)
        /// Release the directory and outputs, end the thread. Other open requests are answered with `notRunning`.
        case conclude
    }

    /// Answer to a request.
    package enum Answer: Sendable, Hashable {
        /// The job is CANCELED, or SUSPENDED, as requested.
        case ended
        case notRunning(JobState)
        /// The job is FINISHED, with this savepoint.
        case stopped(CheckpointID)
        /// The savepoint is complete, but the job did not finish.
        case stopFailed(CheckpointID)
    }
}
