public import StreamModel

/// The result of a request. On the wire an object with one member named after the case.
public enum ControlReply: Sendable, Equatable {
    case hello(HelloReply)
    /// Sequence number of the newest report; a `report` notification with the whole state follows at once.
    case subscribed(SubscribedReply)
    case jobs([JobReport])
    case job(JobReport)
    /// Newest first, without detail per operator.
    case checkpoints([CheckpointReport])
    /// With detail per operator and subtask.
    case checkpoint(CheckpointReport)
    /// Newest first.
    case exceptions([FailureReport])
    /// Newest first.
    case operations([OperationReport])
    /// Also the reply to a mutating request: accepted, or its outcome if the id is repeated.
    case operation(OperationReport)
    /// Newest first.
    case audit([AuditEntry])
    /// Oldest first.
    case log([EngineLogEntry])
    case inspection(SnapshotInspection)
    case programs([ProgramDescription])
    case submitted(JobReport)
}

/// The engine's reply to `hello`.
public struct HelloReply: Codable, Sendable, Equatable {
    /// Protocol version of the connection.
    public var version: Int
    public var engine: EngineInfo
    /// Access level of this connection.
    public var level: AccessLevel
    /// Maximum length of a request in bytes.
    public var maximumFrameLength: Int

    public init(version: Int, engine: EngineInfo, level: AccessLevel, maximumFrameLength: Int) {
        self.version = version
        self.engine = engine
        self.level = level
        self.maximumFrameLength = maximumFrameLength
    }
}

public struct SubscribedReply: Codable, Sendable, Equatable {
    public var sequence: UInt64
    public init(sequence: UInt64) { self.sequence = sequence }
}

/// One report of the stream started by `subscribe`.
public struct ReportNotification: Codable, Sendable, Equatable {
    /// Number that rises by one with every report published by the engine.
    public var sequence: UInt64
    /// Reports published since the previous one but not sent to this client: it was slow, or requested fewer. Each report is complete, so only
    /// the moments between are lost.
    public var missed: UInt64
    public var report: EngineReport

    public init(sequence: UInt64, missed: UInt64, report: EngineReport) {
        self.sequence = sequence
        self.missed = missed
        self.report = report
    }
}

/// A line of the engine's own record of mutating requests.
public struct AuditEntry: Codable, Sendable, Equatable {
    public var at: WallTime
    public var operation: OperationID
    public var verb: ControlVerb
    public var job: JobID?
    public var jobName: String
    /// Author according to the client.
    public var by: String
    public var reason: String
    /// User according to the kernel.
    public var userID: UInt32
    public var processID: Int32
    public var state: OperationReport.State
    /// Outcome in one line; nil while it runs.
    public var outcome: String?
    /// The request in one word, with what sets it apart: "cancel+discard". nil = `verb` says it all.
    public var title: String?
    /// How far it is known to have come, in one word: "proven". nil = `state` says it all.
    public var stage: String?

    public init(
        at: WallTime, operation: OperationID, verb: ControlVerb, job: JobID?, jobName: String, by: String, reason: String, userID: UInt32,
        processID: Int32, state: OperationReport.State, outcome: String? = nil, title: String? = nil, stage: String? = nil
    ) {
        self.title = title
        self.stage = stage
        self.at = at
        self.operation = operation
        self.verb = verb
        self.job = job
        self.jobName = jobName
        self.by = by
        self.reason = reason
        self.userID = userID
        self.processID = processID
        self.state = state
        self.outcome = outcome
    }
}

/// A program that the engine can launch.
public struct ProgramDescription: Codable, Sendable, Equatable {
    public struct Argument: Codable, Sendable, Equatable {
        public var name: String
        public var help: String
        public var isRequired: Bool
        /// Value of an omitted parameter.
        public var defaultValue: String?

        public init(name: String, help: String, isRequired: Bool = false, defaultValue: String? = nil) {
            self.name = name
            self.help = help
            self.isRequired = isRequired
            self.defaultValue = defaultValue
        }
    }
    public var name: String
    public var help: String
    public var arguments: [Argument]

    public init(name: String, help: String, arguments: [Argument]) {
        self.name = name
        self.help = help
        self.arguments = arguments
    }
}

extension ControlReply: Codable {
    private enum Key: String, CodingKey {
        case hello, subscribed, jobs, job, checkpoints, checkpoint, exceptions, operations, operation, audit, log, inspection, programs, submitted
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        guard let key = container.allKeys.first else {
            throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no known member in the result"))
        }
        switch key {
        case .hello: self = .hello(try container.decode(HelloReply.self, forKey: key))
        case .subscribed: self = .subscribed(try container.decode(SubscribedReply.self, forKey: key))
        case .jobs: self = .jobs(try container.decode([JobReport].self, forKey: key))
        case .job: self = .job(try container.decode(JobReport.self, forKey: key))
        case .checkpoints: self = .checkpoints(try container.decode([CheckpointReport].self, forKey: key))
        case .checkpoint: self = .checkpoint(try container.decode(CheckpointReport.self, forKey: key))
        case .exceptions: self = .exceptions(try container.decode([FailureReport].self, forKey: key))
        case .operations: self = .operations(try container.decode([OperationReport].self, forKey: key))
        case .operation: self = .operation(try container.decode(OperationReport.self, forKey: key))
        case .audit: self = .audit(try container.decode([AuditEntry].self, forKey: key))
        case .log: self = .log(try container.decode([EngineLogEntry].self, forKey: key))
        case .inspection: self = .inspection(try container.decode(SnapshotInspection.self, forKey: key))
        case .programs: self = .programs(try container.decode([ProgramDescription].self, forKey: key))
        case .submitted: self = .submitted(try container.decode(JobReport.self, forKey: key))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        switch self {
        case .hello(let value): try container.encode(value, forKey: .hello)
        case .subscribed(let value): try container.encode(value, forKey: .subscribed)
        case .jobs(let value): try container.encode(value, forKey: .jobs)
        case .job(let value): try container.encode(value, forKey: .job)
        case .checkpoints(let value): try container.encode(value, forKey: .checkpoints)
        case .checkpoint(let value): try container.encode(value, forKey: .checkpoint)
        case .exceptions(let value): try container.encode(value, forKey: .exceptions)
        case .operations(let value): try container.encode(value, forKey: .operations)
        case .operation(let value): try container.encode(value, forKey: .operation)
        case .audit(let value): try container.encode(value, forKey: .audit)
        case .log(let value): try container.encode(value, forKey: .log)
        case .inspection(let value): try container.encode(value, forKey: .inspection)
        case .programs(let value): try container.encode(value, forKey: .programs)
        case .submitted(let value): try container.encode(value, forKey: .submitted)
        }
    }
}
