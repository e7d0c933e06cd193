public import ControlProtocol
internal import HostEnvironment
public import StreamModel

/// An engine of either kind, as acting commands use it. A refused request ends the command.
public protocol ActingLink: LookingLink {
    /// The referenced job and its state; nil = unknown.
    func target(_ reference: JobReference) throws(ClientFailure) -> (job: JobID, state: JobState?)
    func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(ClientFailure) -> CheckpointReport
    /// Sends an operation and returns its report once the engine has accepted it. Throws `.unproven` if it was sent and not answered in time.
    func operate(_ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> OperationReport
    /// Resumes an operation whose process ended before it was done.
    func goOn(_ id: OperationID, before deadline: Deadline) throws(ClientFailure) -> OperationReport
    func operation(_ id: OperationID) throws(ClientFailure) -> OperationReport
    /// The operations of the engine, newest first.
    func operations(limit: Int?) throws(ClientFailure) -> [OperationReport]
    /// Waits for the end of an operation; nil = the time ran out first. `progress` gets every change on the way.
    func wait(for id: OperationID, before deadline: Deadline, progress: (OperationReport) -> Void) throws(ClientFailure) -> OperationReport?
    /// Calls `look` with each new report until it returns a value; nil = the time ran out first. The reports contain the operation and the job that
    /// it launched, as fresh as possible.
    func follow<Value>(_ operation: OperationID, before deadline: Deadline, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value?
    /// Records the verdict of a restart, if the engine does not.
    func note(_ verdict: RestartProof.Verdict, of id: OperationID)
    /// The recorded launch recipe of a job, if the engine does not know it.
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
