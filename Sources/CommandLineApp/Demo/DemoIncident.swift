internal import StreamModel

/// An incident to practise on: a job of the demonstration that goes wrong in one way.
public enum DemoIncident: String, CaseIterable, Sendable {
    /// Writing a checkpoint takes longer and longer, until checkpoints expire.
    case slowStorage = "slow-storage"
    /// One key has nearly all records; its subtask cannot keep up.
    case hotKey = "hot-key"
    /// The source reads nothing any more.
    case stalledSource = "stalled-source"
    /// A task fails a few seconds after each restart.
    case crashLoop = "crash-loop"

    /// Arguments of the program.
    var settings: [String: String] {
        switch self {
        case .slowStorage: ["interval": "2s", "timeout": "10s"]
        case .hotKey: ["rate": "5000", "hot": "96", "cost": "300", "interval": "5s"]
        case .stalledSource: ["interval": "2s"]
        case .crashLoop: ["interval": "1s"]
        }
    }

    /// The faults of the job, each with its delay after the first completed checkpoint.
    var faults: [(after: Milliseconds, spec: String)] {
        switch self {
        case .slowStorage: [(.seconds(2), "slow 6s"), (.seconds(40), "slow 60s")]
        case .hotKey: []
        case .stalledSource: [(.seconds(5), "stall")]
        case .crashLoop: [(.seconds(2), "crash-loop 4s")]
        }
    }
}

/// What `weir demo` shows.
public enum DemoPlay: Equatable, Sendable {
    /// Two jobs, for the operator to play with.
    case jobs
    /// The same, with an `orders` that can be made to misbehave and whose checkpoints expire soon: for the scripted demonstration.
    case script
    case incident(DemoIncident)
}
