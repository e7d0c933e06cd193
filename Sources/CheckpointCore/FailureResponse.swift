public import StreamModel

/// Decides the response to a job failure. The restart strategy decides on ordinary failures; a job waits, longer each time, when the machine
/// has run out of a resource, without using up restarts. Owned by the job and as long-lived. Pure.
public struct FailureResponse: Sendable {
    public enum Decision: Sendable, Equatable {
        /// Start the next attempt after this delay.
        case restart(after: Milliseconds)
        /// Start the next attempt after this delay, to check for room again; `reason` is one line for the operator.
        case wait(Milliseconds, reason: String)
        /// Allow no more attempts; `reason` names the limit reached.
        case giveUp(reason: String)
    }

    /// Shortest and longest wait; each wait is twice the one before.
    public static let firstWait = Milliseconds.seconds(1), longestWait = Milliseconds.seconds(60)

    private var backoff: RestartBackoff
    private var lastWait: Milliseconds?
    /// End of the newest wait.
    private var waitedUntil: EngineInstant?

    /// - Parameter strategy: in range (`RestartStrategy.validate()`).
    public init(_ strategy: RestartStrategy, seed: UInt64) { backoff = RestartBackoff(strategy, seed: seed) }

    /// Number of failures passed to the strategy.
    public var countedFailures: Int { backoff.failures }

    /// Records one failure of the job. `now` never goes back. A job without restarts fails on a shortage too.
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

    /// An attempt that ran for the longest wait had room: a later shortage is a new one.
    private func nextWait(at now: EngineInstant) -> Milliseconds {
        guard let lastWait, let waitedUntil, now < waitedUntil + Self.longestWait else { return Self.firstWait }
        return min(Self.longestWait, lastWait + lastWait)
    }
}
