internal import ControlProtocol
internal import StreamModel

/// What the commands that act need of an engine, of either kind. They end the command when the engine does not take what is asked.
protocol ActingLink: LookingLink {
    /// The job that is meant, and the state it is in; nil = it cannot be told.
    func target(_ reference: JobReference) throws(CommandFailure) -> (job: JobID, state: JobState?)
    func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(CommandFailure) -> CheckpointReport
    /// Sends an operation. Returns once the engine has taken it, as far as it has come by then.
    func operate(_ command: JobCommand) throws(CommandFailure) -> OperationReport
    func operation(_ id: OperationID) throws(CommandFailure) -> OperationReport
    /// The operations of the engine, newest first.
    func operations(limit: Int?) throws(CommandFailure) -> [OperationReport]
    /// Waits until an operation has ended; nil = the limit passed first. `progress` is told of every change on the way.
    func wait(for id: OperationID, limit: Milliseconds, progress: (OperationReport) -> Void) throws(CommandFailure) -> OperationReport?
    /// Calls `look` with each new report until it returns a value; nil = the limit passed first. The operation is in the reports, and so is the
    /// job that it has launched, as new as it can be had.
    func follow<Value>(_ operation: OperationID, for limit: Milliseconds, _ look: (EngineReport) -> Value?) throws(CommandFailure) -> Value?
    /// What a job was launched with, as far as it is on record and the engine does not know it itself.
    func recordedRecipe(of job: JobID) throws(CommandFailure) -> JarRecipe?
}

extension EngineLink: ActingLink {
    func target(_ reference: JobReference) throws(CommandFailure) -> (job: JobID, state: JobState?) {
        let job = try job(reference)
        return (job.id, job.state)
    }

    func follow<Value>(_ operation: OperationID, for limit: Milliseconds, _ look: (EngineReport) -> Value?) throws(CommandFailure) -> Value? {
        try subscribe()
        return try watch(for: limit, look)
    }

    func recordedRecipe(of job: JobID) -> JarRecipe? { nil }
}
