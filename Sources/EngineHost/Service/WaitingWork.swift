internal import ControlProtocol
internal import StreamModel

/// Work on `decisions` that waits for a job: for the end of its launch, for its end, for its progress, or for the verification of its snapshot.
final class WaitingWork: @unchecked Sendable {
    // Sound: touched on the service's `decisions` queue only.

    /// A restart whose snapshot is being read. Not in the log yet, but its id is taken.
    struct Verification {
        var frame: String
        var replies: [EngineService.Reply]
    }

    var verifications: [OperationID: Verification] = [:]
    /// Proofs of restarts that are not complete yet, by the job that was launched.
    var proofs: [JobID: RestartProof] = [:]
    /// Jobs that may take the engine down.
    var trials = RecoveryTrials()
    private var launches: [JobID: [() -> Void]] = [:]
    private var ends: [JobID: [() -> Void]] = [:]

    /// Runs the body once the launch in progress has ended, whatever its outcome.
    func afterLaunch(of job: JobID, _ body: @escaping () -> Void) { launches[job, default: []].append(body) }

    /// Runs the body once nothing of the job is live.
    func afterEnd(of job: JobID, _ body: @escaping () -> Void) { ends[job, default: []].append(body) }

    func launchEnded(_ job: JobID) {
        for body in launches.removeValue(forKey: job) ?? [] { body() }
    }

    func jobEnded(_ job: JobID) {
        for body in ends.removeValue(forKey: job) ?? [] { body() }
    }
}
