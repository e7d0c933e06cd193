public import StreamModel

/// What goes over the wire for an operation on a cluster, as text for who must decide about it: method, path and body, a line each. What only
/// the cluster can tell when the time comes stands there as <...>.
public enum FlinkRequestText {
    /// - Parameter version: as the cluster tells it; nil = not known, then what the newest takes is shown.
    public static func lines(_ operation: OperationRequest, version: FlinkVersion? = nil) -> [String] {
        let version = version ?? FlinkVersion(2, 3)
        switch operation.kind {
        case .savepoint, .checkpoint, .stop: return FlinkRequests.snapshot(operation, version).map(text) ?? []
        case .cancel: return text(FlinkEndpoint<FlinkDone>.cancel(operation.job))
        case .restart(let options): return launch(operation, options, from: options.path ?? "<the newest>", version)
        case .launch(let options): return launch(operation, options, from: options.path, version)
        case .dispose(let path): return text(.dispose(savepoint: path))
        case .uploadJar(let file): return lines(of: FlinkRequests.upload(file))
        case .deleteJar(let id): return text(FlinkEndpoint<FlinkDone>.delete(jar: id))
        case .fault: return ["nothing: fault injection is for demonstration jobs of Weir"]
        }
    }

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

    private static func launch(_ operation: OperationRequest, _ options: RestartOptions, from snapshot: String?, _ version: FlinkVersion) -> [String] {
        var lines: [String] = []
        // A launch has no job to end.
        if options.cancelsFirst, case .restart = operation.kind { lines += text(FlinkEndpoint<FlinkDone>.cancel(operation.job)) }
        var jar = "<the recorded jar>"
        switch options.recipe?.jar {
        case .uploaded(let id): jar = id
        case .file(let path):
            lines.append("POST /jars/upload with the file \(path), unless a jar of its name and content was uploaded before")
            jar = "<its id>"
        case nil: break
        }
        // Of a job that has ended the new id is decided when it is sent.
        let id = isOfLiveJob(operation, options) ? FlinkOperationNames.successor(of: operation.job) : FlinkOperationNames.job(of: operation.id)
        let launch = FlinkRequests.launch(as: id, options, jar: "", path: snapshot)
        let endpoint = FlinkEndpoint<JobID>.run(launch, version: version)
        lines.append("POST /jars/\(jar)/run")
        if case .json(let value) = endpoint.body {
            let isDecided = if case .restart = operation.kind { isOfLiveJob(operation, options) } else { true }
            lines.append(isDecided ? value.json : value.json.replacing(id.description, with: "<its id>"))
        }
        return lines
    }

    private static func isOfLiveJob(_ operation: OperationRequest, _ options: RestartOptions) -> Bool {
        if case .restart = operation.kind { options.cancelsFirst && operation.expectedState?.isTerminal != true } else { false }
    }
}
