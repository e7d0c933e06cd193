public import StreamModel

/// A checkpoint parameter out of its range. Thrown before a job starts, without side effects. The operator (or the program that describes the job)
/// corrects the value and submits again.
public struct CheckpointConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Parameter: String, Sendable, CaseIterable {
        case interval, timeout, minimumPause, maximumConcurrent, tolerableFailures, retainedCheckpoints, unaligned
        case storageDirectory, savepointDirectory
    }

    public let parameter: Parameter
    /// Refused value as the operator wrote it, with its unit.
    public let value: String
    /// Requirement on the value.
    public let rule: String

    public init(_ parameter: Parameter, _ value: String, rule: String) {
        self.parameter = parameter
        self.value = value
        self.rule = rule
    }

    public var description: String { "checkpoint parameter \(parameter.rawValue) is \(value): \(rule)" }
}

extension CheckpointConfiguration {
    /// Lower bound of intervals and timeouts (rule 1.1).
    public static let shortestSpan = Milliseconds(10)
    /// Upper bound of spans (rule 1.1): Flink caps the minimum pause here; interval and timeout are refused above it.
    public static let longestSpan = Milliseconds(365 * 24 * 60 * 60 * 1000)
    /// Flink's 32-bit maximum; as the number of tolerable failures it means "failures are not counted".
    public static let largestCount = Int(Int32.max)

    /// Checks every parameter (rule 1.1) and throws the first violation in declaration order. Mode, retention and `prefersCheckpointForRecovery`
    /// cannot be out of range.
    public func validate() throws(CheckpointConfigurationError) {
        if let interval { try check(.interval, interval) }
        try check(.timeout, timeout)
        if minimumPause < 0 {
            throw CheckpointConfigurationError(.minimumPause, "\(minimumPause.count) ms", rule: "it must be 0 ms or longer")
        }
        try check(.maximumConcurrent, maximumConcurrent, atLeast: 1)
        if let tolerableFailures { try check(.tolerableFailures, tolerableFailures, atLeast: 0) }
        try check(.retainedCheckpoints, retainedCheckpoints, atLeast: 1)
        if unaligned {
            throw CheckpointConfigurationError(
                .unaligned, "true", rule: "this engine takes aligned checkpoints only; set it to false")
        }
        try check(.storageDirectory, storageDirectory)
        try check(.savepointDirectory, savepointDirectory)
    }

    private func check(
        _ parameter: CheckpointConfigurationError.Parameter, _ span: Milliseconds
    ) throws(CheckpointConfigurationError) {
        guard span < Self.shortestSpan || span > Self.longestSpan else { return }
        throw CheckpointConfigurationError(parameter, "\(span.count) ms", rule: "it must be between 10 ms and 365 days")
    }

    private func check(
        _ parameter: CheckpointConfigurationError.Parameter, _ count: Int, atLeast least: Int
    ) throws(CheckpointConfigurationError) {
        guard count < least || count > Self.largestCount else { return }
        throw CheckpointConfigurationError(parameter, "\(count)", rule: "it must be between \(least) and \(Self.largestCount)")
    }

    private func check(
        _ parameter: CheckpointConfigurationError.Parameter, _ directory: String?
    ) throws(CheckpointConfigurationError) {
        guard let directory, directory.isEmpty || directory.utf8.contains(0) else { return }
        throw CheckpointConfigurationError(
            parameter, directory.isEmpty ? "empty" : "a text with a NUL byte", rule: "it must name a directory, or be left out")
    }
}

extension CheckpointConfiguration {
    /// Minimum pause in effect: capped at 365 days (rule 1.1).
    public var effectiveMinimumPause: Milliseconds { min(minimumPause, Self.longestSpan) }

    /// Time between two ticks: the interval, raised to the minimum pause (rule 1.1). nil = no periodic checkpoints.
    public var baseInterval: Milliseconds? { interval.map { max($0, effectiveMinimumPause) } }

    /// Tolerated consecutive failures: 0 by default; nil = failures are not counted at all (rule 2.2).
    public var effectiveTolerableFailures: Int? {
        let tolerable = tolerableFailures ?? 0
        return tolerable >= Self.largestCount ? nil : tolerable
    }
}
