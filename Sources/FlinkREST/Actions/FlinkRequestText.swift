public import StreamModel

/// What goes over the wire for an operation on a cluster, as text for who must decide about it: method, path and body, a line each. What only
/// the cluster can tell when the time comes stands there as <...>.
public enum FlinkRequestText {
    public static func lines(_ operation: OperationRequest) -> [String] {
        switch operation.kind {
        case .savepoint(let directory):
            return text(.savepoint(operation.job, directory: directory)) + [clusterAdds]
        case .checkpoint: return text(.checkpointNow(operation.job)) + [clusterAdds]
        case .stop(let drain, let directory): return text(.stop(operation.job, drain: drain, directory: directory)) + [clusterAdds]
        case .cancel: return text(FlinkEndpoint<FlinkDone>.cancel(operation.job))
        case .restart(let options): return launch(operation.job, options, from: options.path ?? "<the newest>")
        case .launch(let options): return launch(operation.job, options, from: options.path)
        case .dispose(let path): return text(.dispose(savepoint: path))
        case .fault: return ["nothing: a Flink cluster has no jobs that misbehave on request"]
        }
    }

    private static let clusterAdds = "from Flink 1.15 on with the format and an id of the request, so that asking twice is asking once"

    private static func text(_ endpoint: FlinkEndpoint<FlinkTriggerID>) -> [String] { lines(of: endpoint) }
    private static func text(_ endpoint: FlinkEndpoint<FlinkDone>) -> [String] { lines(of: endpoint) }

    private static func lines<Answer>(of endpoint: FlinkEndpoint<Answer>) -> [String] {
        let head = "\(endpoint.method.rawValue) \(endpoint.target)"
        switch endpoint.body {
        case .none: return [head]
        case .json(let value): return [head, value.json]
        case .file(let path, _, _): return [head, "the file \(path)"]
        }
    }

    private static func launch(_ job: JobID, _ options: RestartOptions, from snapshot: String?) -> [String] {
        var lines: [String] = []
        if options.cancelsFirst { lines += text(FlinkEndpoint<FlinkDone>.cancel(job)) }
        var jar = "<the recorded jar>"
        switch options.recipe?.jar {
        case .uploaded(let id): jar = id
        case .file(let path):
            lines.append("POST /jars/upload with the file \(path), unless a jar of its name and content was uploaded before")
            jar = "<its id>"
        case nil: break
        }
        var launch = FlinkLaunch(jar: "")
        launch.entryClass = options.recipe?.entryClass
        launch.arguments = options.recipe?.arguments ?? []
        launch.parallelism = options.parallelism ?? options.recipe?.parallelism
        launch.path = snapshot
        launch.allowsUnmatchedState = options.allowsUnmatchedState
        launch.claim = options.claim == .claim ? .claim : .noClaim
        // The names of a version that knows all fields; an older cluster is asked with those that it has.
        let endpoint = FlinkEndpoint<JobID>.run(launch, version: FlinkVersion(2, 0))
        lines.append("POST /jars/\(jar)/run")
        if case .json(let value) = endpoint.body { lines.append(value.json) }
        return lines
    }
}
