public import StreamModel

/// Decides the response to a job failure: Flink 1.14's `RestartBackoffTimeStrategy` as a value without clock, with seeded randomness. Owned by
/// the job and as long-lived: a restart does not reset it.
public struct RestartBackoff: Sendable {
    public enum Decision: Sendable, Equatable {
        /// Start the next attempt after this delay.
        case restart(after: Milliseconds)
        /// Allow no more attempts; `reason` names the limit reached, in one sentence for the operator.
        case giveUp(reason: String)
    }

    public let strategy: RestartStrategy
    /// Number of failures so far.
    public private(set) var failures = 0
    /// Exponential delay: wait after the newest failure, before jitter.
    private var backoff = Milliseconds(0)
    private var lastFailure: EngineInstant?
    /// Failure rate: newest failures, as many as allowed in an interval, oldest first.
    private var recent: [EngineInstant] = []
    private var random: SplitMix64

    /// - Parameter strategy: in range (`RestartStrategy.validate()`).
    public init(_ strategy: RestartStrategy, seed: UInt64) {
        self.strategy = strategy
        random = SplitMix64(seed: seed)
    }

    /// Records one failure of the job. `now` never goes back.
    public mutating func jobFailed(at now: EngineInstant) -> Decision {
        failures += 1
        switch strategy {
        case .none: return .giveUp(reason: "the job has no restart strategy")
        case .fixedDelay(let attempts, let delay):
            guard failures > attempts else { return .restart(after: delay) }
            return .giveUp(reason: "all \(attempts) restarts of the fixed-delay strategy are used up")
        case .exponentialDelay(let initial, let maximum, let multiplier, let threshold, let jitter):
            advanceBackoff(initial: initial, maximum: maximum, multiplier: multiplier, threshold: threshold, now)
            return .restart(after: min(maximum, backoff + offset(within: jitter)))
        case .failureRate(let limit, let interval, let delay):
            if recent.count >= limit { recent.removeFirst() }
            recent.append(now)
            guard recent.count >= limit, let earliest = recent.first, now <= earliest + interval else { return .restart(after: delay) }
            return .giveUp(reason: "\(limit) failures within \(interval.count) ms are the limit of the failure-rate strategy")
        }
    }

    private mutating func advanceBackoff(
        initial: Milliseconds, maximum: Milliseconds, multiplier: Double, threshold: Milliseconds, _ now: EngineInstant
    ) {
        defer { lastFailure = now }
        guard let lastFailure, now < lastFailure + (threshold + backoff) else {
            backoff = initial
            return
        }
        let next = Milliseconds(Int64(clamping: Double(backoff.count) * multiplier))
        backoff = max(initial, min(next, maximum))
    }

    /// A random offset between -jitter and +jitter of the backoff.
    private mutating func offset(within jitter: Double) -> Milliseconds {
        let width = Int64(clamping: Double(backoff.count) * jitter)
        return width == 0 ? 0 : Milliseconds(random.next(in: 0...2 * width) - width)
    }
}
