/// Restart of a failed job; the region is always the whole job. Names, parameters and defaults are those of Flink 1.14's `restart-strategy`
/// options. `RestartStrategy.validate()` in CheckpointCore checks their ranges.
public enum RestartStrategy: Hashable, Codable, Sendable {
    case none
    /// At most `attempts` restarts, each after `delay`.
    case fixedDelay(attempts: Int = 1, delay: Milliseconds = .seconds(1))
    /// Unlimited restarts. The wait begins at `initialBackoff`, is multiplied by `backoffMultiplier` with every failure up to `maxBackoff`, and is
    /// reset by a failure that comes `resetBackoffThreshold` or more after the last wait. Each wait varies by up to `jitterFactor` of itself in
    /// either direction, so that jobs that failed together do not restart together.
    case exponentialDelay(
        initialBackoff: Milliseconds = .seconds(1), maxBackoff: Milliseconds = .minutes(5), backoffMultiplier: Double = 2,
        resetBackoffThreshold: Milliseconds = .minutes(60), jitterFactor: Double = 0.1)
    /// Restarts after `delay`, until `maxFailuresPerInterval` failures lie within `failureRateInterval`: the last of them fails the job.
    case failureRate(
        maxFailuresPerInterval: Int = 1, failureRateInterval: Milliseconds = .minutes(1), delay: Milliseconds = .seconds(1))

    /// Flink's default when checkpointing is on and no strategy is set.
    public static let checkpointingDefault = RestartStrategy.fixedDelay(attempts: Int(Int32.max), delay: .seconds(1))
}
