internal import JSON
public import StreamModel

// What can be asked of a cluster, from 1.14.3 to 2.3.0.

extension FlinkEndpoint where Answer == FlinkClusterConfiguration {
    /// Who is there: the first question on a new link.
    public static var configuration: Self { Self(.get, ["config"], answerMax: 256 << 10, read: FlinkClusterConfiguration.init(reading:)) }
}

extension FlinkEndpoint where Answer == FlinkClusterOverview {
    public static var overview: Self { Self(.get, ["overview"], answerMax: 256 << 10, read: FlinkClusterOverview.init(reading:)) }
}

extension FlinkEndpoint where Answer == [FlinkJobListing] {
    public static var jobs: Self {
        Self(.get, ["jobs", "overview"]) { (json) throws(FlinkReadingProblem) in
            guard let jobs = json["jobs"]?.items else { throw FlinkReadingProblem("has no 'jobs'") }
            return jobs.compactMap(FlinkJobListing.init(lenient:))
        }
    }
}

extension FlinkEndpoint where Answer == FlinkJobDetails {
    public static func job(_ id: JobID) -> Self { Self(.get, ["jobs", FlinkPathSegment(id)], read: FlinkJobDetails.init(reading:)) }
}

extension FlinkEndpoint where Answer == FlinkExecutionConfiguration {
    public static func executionConfiguration(_ id: JobID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(id), "config"], read: FlinkExecutionConfiguration.init(reading:))
    }
}

extension FlinkEndpoint where Answer == FlinkCheckpoints {
    public static func checkpoints(_ id: JobID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(id), "checkpoints"], read: FlinkCheckpoints.init(reading:))
    }
}

extension FlinkEndpoint where Answer == FlinkCheckpointConfiguration {
    public static func checkpointConfiguration(_ id: JobID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(id), "checkpoints", "config"], read: FlinkCheckpointConfiguration.init(reading:))
    }
}

extension FlinkEndpoint where Answer == FlinkCheckpoint {
    /// One checkpoint with its operators. 404 for those that are older than the history, and before the first acknowledgement.
    public static func checkpoint(_ job: JobID, _ id: CheckpointID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "checkpoints", "details", FlinkPathSegment(id)]) { (json) throws(FlinkReadingProblem) in
            guard let checkpoint = FlinkCheckpoint(lenient: json) else { throw FlinkReadingProblem("has no id or status") }
            return checkpoint
        }
    }
}

extension FlinkEndpoint where Answer == FlinkVertexCheckpoint {
    /// One operator's part of a checkpoint, by subtask.
    public static func checkpoint(_ job: JobID, _ id: CheckpointID, vertex: OperatorID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "checkpoints", "details", FlinkPathSegment(id), "subtasks", FlinkPathSegment(vertex)]) {
            (json) throws(FlinkReadingProblem) in FlinkVertexCheckpoint(lenient: json, vertex: vertex)
        }
    }
}

extension FlinkEndpoint where Answer == FlinkExceptions {
    /// - Parameter limit: entries at most.
    public static func exceptions(_ id: JobID, limit: Int = 20) -> Self {
        Self(
            .get, ["jobs", FlinkPathSegment(id), "exceptions"], query: [FlinkQueryItem("maxExceptions", String(limit))], answerMax: 1 << 20,
            takesCutAnswer: true,
            read: FlinkExceptions.init(reading:))
    }
}

extension FlinkEndpoint where Answer == FlinkMetrics {
    /// Metrics of the job itself. Without names: which there are.
    public static func metrics(_ job: JobID, _ names: [String]) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "metrics"], query: get(names), read: FlinkMetrics.init(reading:))
    }

    /// Metrics of a vertex, taken together over its subtasks. Without names: which there are.
    public static func metrics(_ job: JobID, vertex: OperatorID, _ names: [String]) -> Self {
        Self(
            .get, ["jobs", FlinkPathSegment(job), "vertices", FlinkPathSegment(vertex), "subtasks", "metrics"], query: get(names),
            read: FlinkMetrics.init(reading:))
    }

    private static func get(_ names: [String]) -> [FlinkQueryItem] { names.isEmpty ? [] : [FlinkQueryItem("get", names.joined(separator: ","))] }
}

extension FlinkEndpoint where Answer == FlinkMetrics {
    /// Input watermarks of a vertex by subtask: "0.currentInputWatermark".
    public static func watermarks(_ job: JobID, vertex: OperatorID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "vertices", FlinkPathSegment(vertex), "watermarks"], read: FlinkMetrics.init(reading:))
    }
}

extension FlinkEndpoint where Answer == FlinkVertexSubtasks {
    /// Where the subtasks of a vertex run.
    public static func subtasks(_ job: JobID, vertex: OperatorID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "vertices", FlinkPathSegment(vertex)]) { (json) throws(FlinkReadingProblem) in
            FlinkVertexSubtasks(lenient: json)
        }
    }
}
