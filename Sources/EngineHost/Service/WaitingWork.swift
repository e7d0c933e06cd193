internal import ControlProtocol
internal import StreamModel

/// What waits on `decisions` for something of a job: for its launch to end, for its end, or for its snapshot to be verified.
final class WaitingWork: @unchecked Sendable {
    // Sound: touched on the service's `decisions` queue only.

    /// A restart whose snapshot is being read. It is not in the log yet; its id is taken all the same.
    struct Verification {
        var frame: String
        var replies: [EngineService.Reply]
    }

    var verifications: [OperationID: Verification] = [:]
    private var launches: [JobID: [() -> Void]] = [:]
    private var ends: [JobID: [() -> Void]] = [:]

    /// Runs the body once the launch that is under way has ended, however it has.
    func afterLaunch(of job: JobID, _ body: @escaping () -> Void) { launches[job, default: []].append(body) }

    /// Runs the body once nothing of the job lives.
    func afterEnd(of job: JobID, _ body: @escaping () -> Void) { ends[job, default: []].append(body) }

    func launchEnded(_ job: JobID) {
        for body in launches.removeValue(forKey: job) ?? [] { body() }
    }

    func jobEnded(_ job: JobID) {
        for body in ends.removeValue(forKey: job) ?? [] { body() }
    }
}
