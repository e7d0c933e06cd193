internal import CheckpointCore
internal import StreamModel

/// Unanswered requests of users to one job. Owned by the job's thread.
struct OpenRequests {
    typealias EndCompletion = @Sendable (Result<JobReport, JobError>) -> Void

    private var checkpoints: [TriggerToken: CheckpointRequest] = [:]
    /// Cancellations and suspensions.
    private var ends: [TriggerToken: EndCompletion] = [:]
    private var next: UInt64 = 1

    mutating func add(_ request: CheckpointRequest) -> TriggerToken {
        let token = makeToken()
        checkpoints[token] = request
        return token
    }

    mutating func add(_ completion: @escaping EndCompletion) -> TriggerToken {
        let token = makeToken()
        ends[token] = completion
        return token
    }

    private mutating func makeToken() -> TriggerToken {
        defer { next += 1 }
        return TriggerToken(next)
    }

    func checkpoint(_ token: TriggerToken) -> CheckpointRequest? { checkpoints[token] }
    mutating func takeCheckpoint(_ token: TriggerToken) -> CheckpointRequest? { checkpoints.removeValue(forKey: token) }
    mutating func takeEnd(_ token: TriggerToken) -> EndCompletion? { ends.removeValue(forKey: token) }

    /// Tokens, oldest first.
    var open: [TriggerToken] { (Array(checkpoints.keys) + Array(ends.keys)).sorted { $0.rawValue < $1.rawValue } }
}
