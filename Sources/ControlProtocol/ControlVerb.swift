/// Rights of a connection. The operator socket grants `operator`, the viewer socket `viewer`.
public enum AccessLevel: String, Codable, Sendable, Comparable, CaseIterable {
    /// May look but not act.
    case viewer
    /// May look and act.
    case `operator`

    public static func < (left: Self, right: Self) -> Bool { left == .viewer && right == .operator }
}

/// Every method name of the control protocol.
///
/// `level` switches over all verbs without a default, so a verb without a level does not compile.
public enum ControlVerb: String, CaseIterable, Sendable, Codable {
    case hello
    case subscribe
    case jobs
    case job
    case checkpoints
    case checkpoint
    case exceptions
    case operations
    case operation
    case audit
    case log
    case inspect
    case programs
    case submit
    case savepoint
    case checkpointNow = "checkpoint_now"
    case stop
    case cancel
    case restart
    case dispose
    case fault

    /// Lowest level that may use the verb.
    public var level: AccessLevel {
        switch self {
        case .hello, .subscribe, .jobs, .job, .checkpoints, .checkpoint, .exceptions, .operations, .operation, .audit, .log, .inspect, .programs:
            .viewer
        case .submit, .savepoint, .checkpointNow, .stop, .cancel, .restart, .dispose, .fault:
            .operator
        }
    }
}

/// Protocol versions supported by this build.
public enum ControlVersion {
    public static let supported = [1]

    /// Highest common version; nil = none.
    public static func negotiate(_ offered: [Int]) -> Int? {
        offered.filter(supported.contains).max()
    }
}

/// Limits of frames for both sides; the server checks its own before decoding.
public struct FrameLimits: Sendable, Equatable {
    /// Maximum length of a frame in bytes, without the newline.
    public var maximumLength: Int
    /// Maximum nesting of arrays and objects.
    public var maximumDepth: Int

    public init(maximumLength: Int, maximumDepth: Int) {
        self.maximumLength = maximumLength
        self.maximumDepth = maximumDepth
    }

    /// Limits of a server for its clients.
    public static let request = FrameLimits(maximumLength: 1 << 20, maximumDepth: 32)
    /// Limits of a client for its server: a report of thousands of jobs fits.
    public static let reply = FrameLimits(maximumLength: 64 << 20, maximumDepth: 32)
}
