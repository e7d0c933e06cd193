public import StreamModel

/// A parameter of a restart strategy out of its range. Thrown before a job starts, without side effects.
public struct RestartStrategyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Parameters by Flink's names.
    public enum Parameter: String, Sendable, CaseIterable {
        case attempts = "fixed-delay.attempts"
        case fixedDelay = "fixed-delay.delay"
        case initialBackoff = "exponential-delay.initial-backoff"
        case maxBackoff = "exponential-delay.max-backoff"
        case backoffMultiplier = "exponential-delay.backoff-multiplier"
        case resetBackoffThreshold = "exponential-delay.reset-backoff-threshold"
        case jitterFactor = "exponential-delay.jitter-factor"
        case maxFailuresPerInterval = "failure-rate.max-failures-per-interval"
        case failureRateInterval = "failure-rate.failure-rate-interval"
        case failureRateDelay = "failure-rate.delay"
    }

    public let parameter: Parameter
    /// Refused value with its unit.
    public let value: String
    /// Requirement on the value.
    public let rule: String

    public var description: String { "restart strategy parameter \(parameter.rawValue) is \(value): \(rule)" }
}

extension RestartStrategy {
    /// Checks every parameter and throws the first violation. The rules are those of Flink 1.14's constructors; spans are at most 365 days.
    public func validate() throws(RestartStrategyError) {
        switch self {
        case .none: return
        case .fixedDelay(let attempts, let delay):
            try check(.attempts, attempts, atLeast: 0)
            try check(.fixedDelay, delay, atLeast: 0)
        case .exponentialDelay(let initial, let maximum, let multiplier, let threshold, let jitter):
            try check(.initialBackoff, initial, atLeast: 1)
            try check(.maxBackoff, maximum, atLeast: 1)
            guard initial <= maximum else {
                throw RestartStrategyError(
                    parameter: .initialBackoff, value: "\(initial.count) ms", rule: "it must not be longer than max-backoff (\(maximum.count) ms)")
            }
            // Written so that NaN is refused too.
            guard multiplier > 1, multiplier <= 1_000_000 else {
                throw RestartStrategyError(parameter: .backoffMultiplier, value: "\(multiplier)", rule: "it must be above 1 and at most 1000000")
            }
            try check(.resetBackoffThreshold, threshold, atLeast: 1)
            guard jitter >= 0, jitter <= 1 else {
                throw RestartStrategyError(parameter: .jitterFactor, value: "\(jitter)", rule: "it must be between 0 and 1")
            }
        case .failureRate(let failures, let interval, let delay):
            try check(.maxFailuresPerInterval, failures, atLeast: 1)
            try check(.failureRateInterval, interval, atLeast: 1)
            try check(.failureRateDelay, delay, atLeast: 0)
        }
    }

    private func check(_ parameter: RestartStrategyError.Parameter, _ span: Milliseconds, atLeast least: Milliseconds) throws(RestartStrategyError) {
        guard span < least || span > CheckpointConfiguration.longestSpan else { return }
        throw RestartStrategyError(parameter: parameter, value: "\(span.count) ms", rule: "it must be between \(least.count) ms and 365 days")
    }

    private func check(_ parameter: RestartStrategyError.Parameter, _ count: Int, atLeast least: Int) throws(RestartStrategyError) {
        guard count < least || count > CheckpointConfiguration.largestCount else { return }
        throw RestartStrategyError(parameter: parameter, value: "\(count)", rule: "it must be between \(least) and \(CheckpointConfiguration.largestCount)")
    }
}
