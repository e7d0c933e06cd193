internal import CheckpointCore
internal import StreamModel

/// Failures of attempts, and the list of them.
extension JobMaster {
    /// Ends the attempt because of a finding of the coordinator.
    func fail(_ message: String) { fail(FailureCause(message, lacking: lacking), vertex: nil, subtask: nil) }

    /// Ends the attempt. The restart strategy decides on the next step, except for a shortage of the machine, which is waited out, and for what no
    /// restart makes right, which ends the job.
    func fail(_ cause: FailureCause, vertex: String?, subtask: Int?) {
        let message = cause.message
        guard takesFailure(message, vertex: vertex, subtask: subtask) else { return }
        if cause.isFinal {
            note(message, vertex: vertex, subtask: subtask)
            return advance(.failed(.end))
        }
        switch backoff.jobFailed(lacking: cause.shortage, at: host.now()) {
        case .restart(let delay):
            note(message, vertex: vertex, subtask: subtask)
            planRestart(after: delay, because: message)
        case .wait(let delay, let reason):
            failures.noteWait(failure("\(reason) (\(message))", vertex: vertex, subtask: subtask))
            planRestart(after: delay, because: reason)
        case .giveUp(let reason):
            note(blueprint.restartStrategy == .none ? message : "\(message) (the job is not restarted: \(reason))", vertex: vertex, subtask: subtask)
            advance(.failed(.end))
        }
    }

    private func planRestart(after delay: Milliseconds, because reason: String) {
        timers[.restart] = host.now() + delay
        plannedRestart = PlannedRestart(at: host.wall() + delay, delay: delay, reason: reason)
        advance(.failed(.restart))
    }

    /// Fails the job, regardless of the restart strategy: it has no snapshot to continue from automatically, or another job owns its output. Keeps
    /// its checkpoints, regardless of the retention, for the operator to choose from.
    func stayDown(_ why: String) {
        guard takesFailure(why) else { return }
        note(why)
        advance(.failed(.stayDown))
    }

    /// Whether the failure counts. A job that is being suspended notes it and does not restart.
    private func takesFailure(_ message: String, vertex: String? = nil, subtask: Int? = nil) -> Bool {
        if case .suspending = ending.phase { note(message, vertex: vertex, subtask: subtask) }
        return ending.takesFailures
    }

    /// Adds a failure to the list for operators.
    func note(_ message: String, vertex: String? = nil, subtask: Int? = nil) {
        failures.note(failure(message, vertex: vertex, subtask: subtask))
    }

    private func failure(_ message: String, vertex: String?, subtask: Int?) -> FailureReport {
        FailureReport(at: host.wall(), message: message, vertex: vertex, subtask: subtask, attempt: attemptNumber)
    }
}
