public import StreamModel

/// One question of a poll.
public enum FlinkQuestion: Hashable, Sendable {
    case cluster
    /// TaskManagers and slots.
    case capacity
    case jobs
    case job(JobID)
    case checkpoints(JobID)
    case checkpointConfiguration(JobID)
    case executionConfiguration(JobID)
    case exceptions(JobID)
    case jobMetrics(JobID)
    case metricNames(JobID, OperatorID)
    case vertexMetrics(JobID, OperatorID, [String])
    /// One checkpoint with its operators.
    case checkpoint(JobID, CheckpointID)
    /// One operator's part of it, by subtask.
    case checkpointVertex(JobID, CheckpointID, OperatorID)
    /// Where the subtasks of a vertex run.
    case hosts(JobID, OperatorID)

    /// The job that it is about.
    public var job: JobID? {
        switch self {
        case .cluster, .capacity, .jobs: nil
        case .job(let id), .checkpoints(let id), .checkpointConfiguration(let id), .executionConfiguration(let id), .exceptions(let id), .jobMetrics(let id),
            .metricNames(let id, _), .vertexMetrics(let id, _, _), .checkpoint(let id, _), .checkpointVertex(let id, _, _), .hosts(let id, _):
            id
        }
    }
}

/// What a question was answered with.
public enum FlinkReply: Sendable {
    case cluster(FlinkClusterConfiguration)
    case capacity(FlinkClusterOverview)
    case jobs([FlinkJobListing])
    case job(FlinkJobDetails)
    case checkpoints(FlinkCheckpoints)
    case checkpointConfiguration(FlinkCheckpointConfiguration)
    case executionConfiguration(FlinkExecutionConfiguration)
    case exceptions(FlinkExceptions)
    case metrics(FlinkMetrics)
    case checkpoint(FlinkCheckpoint)
    case checkpointVertex(FlinkVertexCheckpoint)
    case hosts(FlinkVertexSubtasks)
}

extension FlinkClient {
    /// Asks one question; `completion` is called once, on the event loop, and must not block.
    /// - Parameter timeout: nil = the connection's.
    public func ask(_ question: FlinkQuestion, timeout: Milliseconds? = nil, completion: @escaping @Sendable (Result<FlinkReply, FlinkFailure>) -> Void) {
        func ask<Answer>(_ endpoint: FlinkEndpoint<Answer>, _ reply: @escaping @Sendable (Answer) -> FlinkReply) {
            var endpoint = endpoint
            endpoint.timeout = timeout
            send(endpoint) { completion($0.map(reply)) }
        }
        switch question {
        case .cluster: ask(.configuration) { .cluster($0) }
        case .capacity: ask(.overview) { .capacity($0) }
        case .jobs: ask(.jobs) { .jobs($0) }
        case .job(let id): ask(.job(id)) { .job($0) }
        case .checkpoints(let id): ask(.checkpoints(id)) { .checkpoints($0) }
        case .checkpointConfiguration(let id): ask(.checkpointConfiguration(id)) { .checkpointConfiguration($0) }
        case .executionConfiguration(let id): ask(.executionConfiguration(id)) { .executionConfiguration($0) }
        case .exceptions(let id): ask(.exceptions(id)) { .exceptions($0) }
        case .jobMetrics(let id): ask(.metrics(id, FlinkJobPicture.jobMetricNames)) { .metrics($0) }
        case .metricNames(let id, let vertex): ask(.metrics(id, vertex: vertex, [])) { .metrics($0) }
        case .checkpoint(let id, let checkpoint): ask(.checkpoint(id, checkpoint)) { .checkpoint($0) }
        case .checkpointVertex(let id, let checkpoint, let vertex): ask(.checkpoint(id, checkpoint, vertex: vertex)) { .checkpointVertex($0) }
        case .hosts(let id, let vertex): ask(.subtasks(id, vertex: vertex)) { .hosts($0) }
        case .vertexMetrics(let id, let vertex, let names): ask(.metrics(id, vertex: vertex, names)) { .metrics($0) }
        }
    }
}

extension FlinkPicture {
    /// Takes in what a question was answered with.
    public mutating func take(_ reply: FlinkReply, to question: FlinkQuestion, at now: WallTime) {
        switch reply {
        case .cluster(let cluster): take(cluster: cluster)
        case .capacity(let capacity): take(capacity: capacity, at: now)
        case .jobs(let jobs): take(jobs: jobs, at: now)
        default:
            guard let id = question.job else { return }
            if case .job(let details) = reply { take(details: details, at: now) } else { change(id) { $0.take(reply, to: question, at: now) } }
            change(id) { $0.note(question, isAnswered: true) }
        }
    }

    /// Takes in that a question has no answer this time. That is no fact about the job: it may be starting, or ended long ago, or a server on
    /// the way may have failed.
    public mutating func takeNoAnswer(to question: FlinkQuestion) {
        if let id = question.job { change(id) { $0.note(question, isAnswered: false) } }
    }
}

extension FlinkJobPicture {
    fileprivate mutating func take(_ reply: FlinkReply, to question: FlinkQuestion, at now: WallTime) {
        switch (reply, question) {
        case (.checkpoints(let checkpoints), _): take(checkpoints, at: now)
        case (.checkpointConfiguration(let configuration), _): take(configuration, at: now)
        case (.executionConfiguration(let execution), _): take(execution, at: now)
        case (.exceptions(let exceptions), _): take(exceptions, at: now)
        case (.metrics(let metrics), .jobMetrics): take(jobMetrics: metrics, at: now)
        case (.metrics(let metrics), .metricNames(_, let vertex)): take(metricNames: metrics, vertex: vertex, at: now)
        case (.hosts(let hosts), .hosts(_, let vertex)): take(hosts: hosts, vertex: vertex, at: now)
        case (.metrics(let metrics), .vertexMetrics(_, let vertex, _)): take(metrics: metrics, vertex: vertex, at: now)
        default: break
        }
    }
}
