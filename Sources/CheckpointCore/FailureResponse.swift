public import StreamModel

/// Decides what follows the failure of a job. For its own failures the restart strategy does; where the machine has run out of something the job
/// waits, longer every time, and no restart of the strategy is used up. Owned by the job, lives as long as the job. Pure.
public struct FailureResponse: Sendable {
    public enum Decision: Sendable, Equatable {
        /// The next attempt begins after this long.
        case restart(after: Milliseconds)
        /// The next attempt begins after this long, to see whether there is room again; `reason` is one line for the operator.
        case wait(Milliseconds, reason: String)
        /// The strategy allows no more; `reason` says which limit was reached.
        case giveUp(reason: String)
    }

    /// The first wait and the longest one; each is twice the one before.
    public static let firstWait = Milliseconds.seconds(1), longestWait = Milliseconds.seconds(60)

    private var backoff: RestartBackoff
    private var lastWait: Milliseconds?
    /// When the newest wait ended.
    private var waitedUntil: EngineInstant?

    /// - Parameter strategy: in range (`RestartStrategy.validate()`).
    public init(_ strategy: RestartStrategy, seed: UInt64) { backoff = RestartBackoff(strategy, seed: seed) }

    /// Failures that the strategy was asked about.
    public var countedFailures: Int { backoff.failures }

    /// Takes in one failure of the job. `now` never goes back. A job that is never to be restarted ends for want of space too.
    public mutating func jobFailed(lacking shortage: Shortage?, at now: EngineInstant) -> Decision {
        guard let shortage, backoff.strategy != .none else {
            switch backoff.jobFailed(at: now) {
            case .restart(let delay): return .restart(after: delay)
            case .giveUp(let reason): return .giveUp(reason: reason)
            }
        }
        let wait = nextWait(at: now)
        (lastWait, waitedUntil) = (wait, now + wait)
        return .wait(wait, reason: "\(shortage); tried again in \(wait.count / 1000) s")
    }

    /// An attempt that ran for as long as the longest wait had room: what it lacks then is another shortage.
    private func nextWait(at now: EngineInstant) -> Milliseconds {
        guard let lastWait, let waitedUntil, now < waitedUntil + Self.longestWait else { return Self.firstWait }
        return min(Self.longestWait, lastWait + lastWait)
    }
}
