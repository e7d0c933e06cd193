public import ControlProtocol
internal import HostEnvironment
public import StreamModel

/// What the commands that act need of an engine, of either kind. They end the command when the engine does not take what is asked.
public protocol ActingLink: LookingLink {
    /// The job that is meant, and the state it is in; nil = it cannot be told.
    func target(_ reference: JobReference) throws(ClientFailure) -> (job: JobID, state: JobState?)
    func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(ClientFailure) -> CheckpointReport
    /// Sends an operation. Returns once the engine has taken it, as far as it has come by then; throws `.unproven` when it was sent and not
    /// answered in time.
    func operate(_ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> OperationReport
    /// Goes on with an operation whose process ended in the middle of it.
    func goOn(_ id: OperationID, before deadline: Deadline) throws(ClientFailure) -> OperationReport
    func operation(_ id: OperationID) throws(ClientFailure) -> OperationReport
    /// The operations of the engine, newest first.
    func operations(limit: Int?) throws(ClientFailure) -> [OperationReport]
    /// Waits until an operation has ended; nil = the time was over first. `progress` is told of every change on the way.
    func wait(for id: OperationID, before deadline: Deadline, progress: (OperationReport) -> Void) throws(ClientFailure) -> OperationReport?
    /// Calls `look` with each new report until it returns a value; nil = the time was over first. The operation is in the reports, and so is the
    /// job that it has launched, as new as it can be had.
    func follow<Value>(_ operation: OperationID, before deadline: Deadline, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value?
    /// Has the verdict of a restart written down, where the engine does not do that itself.
    func note(_ verdict: RestartProof.Verdict, of id: OperationID)
    /// What a job was launched with, as far as it is on record and the engine does not know it itself.
    func recordedRecipe(of job: JobID) throws(ClientFailure) -> JarRecipe?
}

extension EngineLink: ActingLink {
    public func target(_ reference: JobReference) throws(ClientFailure) -> (job: JobID, state: JobState?) {
        let job = try job(reference)
        return (job.id, job.state)
    }

    public func follow<Value>(_ operation: OperationID, before deadline: Deadline, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value? {
        try subscribe()
        return try watch(for: deadline.left, look)
    }

    public func recordedRecipe(of job: JobID) -> JarRecipe? { nil }

    public func note(_ verdict: RestartProof.Verdict, of id: OperationID) {}

    public func goOn(_ id: OperationID, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        let known = try operation(id)
        throw ClientFailure(.refused, "an engine of Weir carries its operations out itself: \(known.request.kind.verb) \(id) is \(known.state.rawValue)")
    }
}
