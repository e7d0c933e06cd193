public import StreamModel

/// A request of a client, decoded and range-checked for its handler.
public enum ControlRequest: Sendable, Equatable {
    case hello(versions: [Int], client: String)
    /// Reports from now on, at most one per `interval`; nil = every published one.
    case subscribe(interval: Milliseconds?)
    case jobs
    case job(JobReference)
    case checkpoints(JobReference, limit: Int?)
    case checkpoint(JobReference, CheckpointID)
    case exceptions(JobReference)
    case operations(limit: Int?)
    case operation(OperationID)
    case audit(limit: Int?)
    /// The newest lines of the engine's log that follow the line `after`; with a job, those about it and other runs of its name.
    case log(JobReference?, after: UInt64?, limit: Int?)
    case inspect(path: String)
    case programs
    case submit(SubmitRequest)
    /// savepoint, checkpoint_now, stop, cancel, restart, dispose or fault.
    case operate(JobCommand)

    public var verb: ControlVerb {
        switch self {
        case .hello: .hello
        case .subscribe: .subscribe
        case .jobs: .jobs
        case .job: .job
        case .checkpoints: .checkpoints
        case .checkpoint: .checkpoint
        case .exceptions: .exceptions
        case .operations: .operations
        case .operation: .operation
        case .audit: .audit
        case .log: .log
        case .inspect: .inspect
        case .programs: .programs
        case .submit: .submit
        case .operate(let command): command.verb
        }
    }
}

/// A reference to a job: 32 hexadecimal digits, a unique prefix of at least four of them, or a unique name.
public struct JobReference: Sendable, Equatable, CustomStringConvertible {
    public let text: String

    public init(_ text: String) { self.text = text }
    public init(_ id: JobID) { text = id.description }

    public var description: String { text }

    /// A job that may match a reference.
    public struct Candidate: Sendable {
        public var id: JobID
        public var name: String
        public var lineage: JobID
        public var isLive: Bool
        public var submittedAt: WallTime

        public init(id: JobID, name: String, lineage: JobID, isLive: Bool, submittedAt: WallTime) {
            self.id = id
            self.name = name
            self.lineage = lineage
            self.isLive = isLive
            self.submittedAt = submittedAt
        }
    }

    /// Finds the one matching job. A name means the live job of that name or, if none is live, the newest submission, provided that all of that
    /// name share a lineage.
    public func resolve(among candidates: [Candidate]) throws(ControlFailure) -> JobID {
        if let id = JobID(text) {
            guard candidates.contains(where: { $0.id == id }) else { throw .unknownJob(text) }
            return id
        }
        let named = candidates.filter { $0.name == text }
        if !named.isEmpty { return try resolve(named: named) }
        let beginning = text.lowercased()
        let isPrefix = (4..<32).contains(beginning.utf8.count) && beginning.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        let matching = isPrefix ? candidates.filter { $0.id.description.hasPrefix(beginning) } : []
        guard let first = matching.first else { throw .unknownJob(text) }
        guard matching.count == 1 else { throw .ambiguousJob(text, candidates: matching.map(\.id)) }
        return first.id
    }

    private func resolve(named: [Candidate]) throws(ControlFailure) -> JobID {
        let live = named.filter(\.isLive)
        if live.count == 1 { return live[0].id }
        let lineages = Set(named.map(\.lineage))
        let newest = named.max { ($0.submittedAt, $0.id) < ($1.submittedAt, $1.id) }
        guard live.isEmpty, lineages.count == 1, let newest else {
            throw .ambiguousJob(text, candidates: (live.isEmpty ? named : live).map(\.id))
        }
        return newest.id
    }
}

/// A request to launch a program of the engine as a new job.
public struct SubmitRequest: Sendable, Equatable {
    public var operation: OperationID
    /// Name of a program listed by the verb `programs`.
    public var program: String
    public var arguments: [String: String]
    /// Parallelism; nil = the program's own.
    public var parallelism: Int?
    /// Name of the job; nil = the program's name.
    public var name: String?
    /// Start from a snapshot: only path, claim and unmatched state are used.
    public var from: RestartOptions?
    public var reason: String
    public var by: String

    public init(
        operation: OperationID, program: String, arguments: [String: String] = [:], parallelism: Int? = nil, name: String? = nil,
        from: RestartOptions? = nil, reason: String = "", by: String = ""
    ) {
        self.operation = operation
        self.program = program
        self.arguments = arguments
        self.parallelism = parallelism
        self.name = name
        self.from = from
        self.reason = reason
        self.by = by
    }
}

/// A mutating request on one job.
public struct JobCommand: Sendable, Equatable {
    public var operation: OperationID
    public var job: JobReference
    public var action: OperationRequest.Kind
    /// Job state that the client expects; nil = no check.
    public var expectedState: JobState?
    public var reason: String
    public var by: String

    public init(
        operation: OperationID, job: JobReference, action: OperationRequest.Kind, expectedState: JobState? = nil, reason: String = "",
        by: String = ""
    ) {
        self.operation = operation
        self.job = job
        self.action = action
        self.expectedState = expectedState
        self.reason = reason
        self.by = by
    }

    public init(_ request: OperationRequest) {
        self.init(
            operation: request.id, job: JobReference(request.job), action: request.kind, expectedState: request.expectedState,
            reason: request.reason, by: request.by)
    }

    public var verb: ControlVerb {
        switch action {
        case .savepoint: .savepoint
        case .checkpoint: .checkpointNow
        case .stop: .stop
        case .cancel: .cancel
        case .restart: .restart
        // Weir's engine launches its programs by a submit, and has no jars; these are for clusters.
        case .launch, .uploadJar, .deleteJar: .submit
        case .dispose: .dispose
        case .fault: .fault
        }
    }

    /// The request with its job resolved.
    public func request(for job: JobID) -> OperationRequest {
        OperationRequest(id: operation, kind: action, job: job, expectedState: expectedState, reason: reason, by: by)
    }
}
