/// What a connection may do. The operator socket grants `operator`, the viewer socket `viewer`.
public enum AccessLevel: String, Codable, Sendable, Comparable, CaseIterable {
    /// Looks, changes nothing.
    case viewer
    /// Looks and acts.
    case `operator`

    public static func < (left: Self, right: Self) -> Bool { left == .viewer && right == .operator }
}

/// Every method name of the control protocol.
///
/// A verb without a level does not compile: `level` switches over all of them, with no default.
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

    /// The least level that may use the verb.
    public var level: AccessLevel {
        switch self {
        case .hello, .subscribe, .jobs, .job, .checkpoints, .checkpoint, .exceptions, .operations, .operation, .audit, .inspect, .programs:
            .viewer
        case .submit, .savepoint, .checkpointNow, .stop, .cancel, .restart, .dispose, .fault:
            .operator
        }
    }
}

/// The versions of the protocol that this build speaks.
public enum ControlVersion {
    public static let supported = [1]

    /// The highest version that both sides speak; nil = none.
    public static func negotiate(_ offered: [Int]) -> Int? {
        offered.filter(supported.contains).max()
    }
}

/// Bounds that both sides hold to; the server checks its own before it decodes.
public struct FrameLimits: Sendable, Equatable {
    /// Longest frame, newline not counted, in bytes.
    public var maximumLength: Int
    /// Deepest nesting of arrays and objects.
    public var maximumDepth: Int

    public init(maximumLength: Int, maximumDepth: Int) {
        self.maximumLength = maximumLength
        self.maximumDepth = maximumDepth
    }

    /// What a server takes from a client.
    public static let request = FrameLimits(maximumLength: 1 << 20, maximumDepth: 32)
    /// What a client takes from a server: a report of thousands of jobs fits.
    public static let reply = FrameLimits(maximumLength: 64 << 20, maximumDepth: 32)
}
