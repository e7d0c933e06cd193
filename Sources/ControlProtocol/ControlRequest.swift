public import StreamModel

/// One request of a client, decoded and range-checked: what a handler acts on.
public enum ControlRequest: Sendable, Equatable {
    case hello(versions: [Int], client: String)
    /// Reports from now on, at most one every `interval`; nil = as often as the engine publishes.
    case subscribe(interval: Milliseconds?)
    case jobs
    case job(JobReference)
    case checkpoints(JobReference, limit: Int?)
    case checkpoint(JobReference, CheckpointID)
    case exceptions(JobReference)
    case operations(limit: Int?)
    case operation(OperationID)
    case audit(limit: Int?)
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
        case .inspect: .inspect
        case .programs: .programs
        case .submit: .submit
        case .operate(let command): command.verb
        }
    }
}

/// How a request names a job: 32 hexadecimal digits, a unique beginning of at least four of them, or a unique name.
public struct JobReference: Sendable, Equatable, CustomStringConvertible {
    public let text: String

    public init(_ text: String) { self.text = text }
    public init(_ id: JobID) { text = id.description }

    public var description: String { text }

    /// A job that a reference may mean.
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

    /// Finds the one job that is meant. A name means the live job of that name; if none lives, the newest submission, as long
    /// as all of that name continue one another (share a lineage).
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
    /// Name of a program that the verb `programs` lists.
    public var program: String
    public var arguments: [String: String]
    /// nil = the program's own.
    public var parallelism: Int?
    /// nil = the program's name.
    public var name: String?
    /// Start from a snapshot: path, claim and unmatched state count; the rest is ignored.
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
    /// The state that the client believes the job to be in; nil = do not check.
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
        // An engine of ours launches its programs by a submit; this one is for clusters.
        case .launch: .submit
        case .dispose: .dispose
        case .fault: .fault
        }
    }

    /// The command with its job found.
    public func request(for job: JobID) -> OperationRequest {
        OperationRequest(id: operation, kind: action, job: job, expectedState: expectedState, reason: reason, by: by)
    }
}
