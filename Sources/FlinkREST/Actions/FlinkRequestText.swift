public import JSON
public import StreamModel

/// One request to a cluster, as text for the operator who decides. It is made from the endpoint that sends it. A value that only the cluster will
/// know is shown as <...>.
public struct FlinkRequestText: Sendable, Equatable {
    public enum Body: Sendable, Equatable {
        case none
        case json(JSONValue)
        case file(path: String)
    }

    /// Method and path.
    public var head: String
    public var body: Body
    /// The case in which it is not sent; nil = it is always sent.
    public var exception: String?
    /// Whether it runs a jar's program.
    public var startsProgram = false

    /// Method and path, and then the body.
    public var lines: [String] {
        let head = head + (exception.map { ", unless \($0)" } ?? "")
        return switch body {
        case .none: [head]
        case .json(let value): [head, value.json]
        case .file(let path): [head, "the file \(path)"]
        }
    }

    /// The requests of an operation, in their order.
    /// - Parameter version: as the cluster tells it; nil = unknown, then the form of the newest is shown.
    public static func requests(_ operation: OperationRequest, version: FlinkVersion? = nil) -> [Self] {
        let version = version ?? FlinkVersion(2, 3)
        switch operation.kind {
        case .savepoint, .checkpoint, .stop: return FlinkRequests.snapshot(operation, version).map { [Self($0)] } ?? []
        case .cancel: return [Self(.cancel(operation.job))]
        case .restart(let options): return launch(operation, options, from: options.path ?? "<the newest>", version)
        case .launch(let options): return launch(operation, options, from: options.path, version)
        case .dispose(let path): return [Self(.dispose(savepoint: path))]
        case .uploadJar(let file): return [Self(FlinkRequests.upload(file))]
        case .deleteJar(let id): return [Self(.delete(jar: id))]
        case .fault: return [Self(head: "nothing: fault injection is for demonstration jobs of Weir", body: .none)]
        }
    }

    private init(head: String, body: Body) { (self.head, self.body) = (head, body) }
    private init(_ endpoint: FlinkEndpoint<FlinkDone>) { self.init(of: endpoint) }
    private init(_ endpoint: FlinkEndpoint<FlinkTriggerID>) { self.init(of: endpoint) }
    private init(_ endpoint: FlinkEndpoint<String>) { self.init(of: endpoint) }

    private init<Answer>(of endpoint: FlinkEndpoint<Answer>) {
        let body: Body =
            switch endpoint.body {
            case .none: .none
            case .json(let value): .json(value)
            case .file(let path, _, _): .file(path: path)
            }
        self.init(head: "\(endpoint.method.rawValue) \(endpoint.target)", body: body)
    }

    private static func launch(_ operation: OperationRequest, _ options: RestartOptions, from snapshot: String?, _ version: FlinkVersion) -> [Self] {
        let isRestart = if case .restart = operation.kind { true } else { false }
        var requests: [Self] = []
        // A launch has no job to end.
        if options.cancelsFirst, isRestart { requests.append(Self(.cancel(operation.job))) }
        var jar: String?
        switch options.recipe?.jar {
        case .uploaded(let id): jar = id
        case .file(let path):
            var upload = Self(FlinkRequests.upload(path))
            upload.exception = "a jar of its name and content was uploaded before"
            requests.append(upload)
        case nil: break
        }
        // Of a job that has ended the new id is decided when it is sent.
        let replacesLiveJob = isRestart && options.cancelsFirst && operation.expectedState?.isTerminal != true
        let id = replacesLiveJob ? FlinkOperationNames.successor(of: operation.job) : FlinkOperationNames.job(of: operation.id)
        var run = Self(of: .run(FlinkRequests.launch(as: id, options, jar: jar ?? "", path: snapshot), version: version))
        run.startsProgram = true
        if jar == nil { run.head = "POST /jars/<\(options.recipe == nil ? "the recorded jar" : "its id")>/run" }
        if isRestart, !replacesLiveJob, case .json(.object(var members)) = run.body {
            members["jobId"] = .string("<its id>")
            run.body = .json(.object(members))
        }
        requests.append(run)
        return requests
    }
}
