internal import JSON
public import StreamModel

// The asking side of operations: what is sent and what comes back. When to send it, and what a sequence of answers means, is decided elsewhere.

/// What an asynchronous operation has come to. `completed` with a failure is what Flink calls COMPLETED too.
public enum FlinkProgress<Outcome: Sendable & Equatable>: Sendable, Equatable {
    case inProgress
    case completed(Outcome)
    /// One line, and the whole trace.
    case failed(String, trace: String)
}

private func readTrigger(_ json: JSONValue) throws(FlinkReadingProblem) -> FlinkTriggerID {
    guard let id = json["request-id"]?.text.flatMap({ FlinkTriggerID($0) }) else { throw FlinkReadingProblem("has no 'request-id'") }
    return id
}

private func readProgress<Outcome>(
    _ json: JSONValue, _ outcome: (JSONValue) throws(FlinkReadingProblem) -> Outcome
) throws(FlinkReadingProblem) -> FlinkProgress<Outcome> {
    guard let status = json["status"]?["id"]?.text else { throw FlinkReadingProblem("has no 'status'") }
    guard status == "COMPLETED" else { return .inProgress }
    guard let operation = json["operation"] else { throw FlinkReadingProblem("is completed without an 'operation'") }
    // Kebab-case everywhere but with checkpoints.
    if let cause = operation["failure-cause"] ?? operation["failureCause"] {
        let trace = (cause["stack-trace"] ?? cause["stackTrace"])?.text ?? cause["class"]?.text ?? "no cause was given"
        return .failed(ErrorText.useful(trace), trace: trace)
    }
    return .completed(try outcome(operation))
}

extension FlinkEndpoint where Answer == FlinkTriggerID {
    /// Takes a savepoint and goes on. `format` and `trigger` need `.savepointFormat`.
    public static func savepoint(
        _ job: JobID, directory: String?, cancels: Bool = false, format: String? = nil, trigger: FlinkTriggerID? = nil
    ) -> Self {
        var body: [String: JSONValue] = ["cancel-job": .bool(cancels)]
        if let directory { body["target-directory"] = .string(directory) }
        if let format { body["formatType"] = .string(format) }
        if let trigger { body["triggerId"] = .string(trigger.description) }
        return Self(.post, ["jobs", FlinkPathSegment(job), "savepoints"], body: .json(.object(body)), read: readTrigger)
    }

    /// Takes a savepoint and finishes, in one step; its progress is that of a savepoint.
    public static func stop(_ job: JobID, drain: Bool, directory: String?, format: String? = nil, trigger: FlinkTriggerID? = nil) -> Self {
        var body: [String: JSONValue] = ["drain": .bool(drain)]
        if let directory { body["targetDirectory"] = .string(directory) }
        if let format { body["formatType"] = .string(format) }
        if let trigger { body["triggerId"] = .string(trigger.description) }
        return Self(.post, ["jobs", FlinkPathSegment(job), "stop"], body: .json(.object(body)), read: readTrigger)
    }

    /// Needs `.checkpointTrigger`.
    public static func checkpointNow(_ job: JobID, type: String = "CONFIGURED", trigger: FlinkTriggerID? = nil) -> Self {
        var body: [String: JSONValue] = ["checkpointType": .string(type)]
        if let trigger { body["triggerId"] = .string(trigger.description) }
        return Self(.post, ["jobs", FlinkPathSegment(job), "checkpoints"], body: .json(.object(body)), read: readTrigger)
    }

    /// Deletes the metadata and the files of a savepoint or retained checkpoint.
    public static func dispose(savepoint path: String) -> Self {
        Self(.post, ["savepoint-disposal"], body: .json(.object(["savepoint-path": .string(path)])), read: readTrigger)
    }
}

extension FlinkEndpoint where Answer == FlinkProgress<String> {
    /// Of a savepoint or a stop: its location.
    public static func savepointProgress(_ job: JobID, _ trigger: FlinkTriggerID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "savepoints", FlinkPathSegment(trigger)]) { (json) throws(FlinkReadingProblem) in
            try readProgress(json) { (operation) throws(FlinkReadingProblem) in
                guard let location = operation["location"]?.text else { throw FlinkReadingProblem("has no 'location'") }
                return location
            }
        }
    }
}

extension FlinkEndpoint where Answer == FlinkProgress<CheckpointID> {
    public static func checkpointProgress(_ job: JobID, _ trigger: FlinkTriggerID) -> Self {
        Self(.get, ["jobs", FlinkPathSegment(job), "checkpoints", FlinkPathSegment(trigger)]) { (json) throws(FlinkReadingProblem) in
            try readProgress(json) { (operation) throws(FlinkReadingProblem) in
                guard let id = operation["checkpointId"]?.count else { throw FlinkReadingProblem("has no 'checkpointId'") }
                return CheckpointID(UInt64(id))
            }
        }
    }
}

/// An operation without a result.
public struct FlinkDone: Sendable, Equatable {
    public init() {}
}

extension FlinkEndpoint where Answer == FlinkProgress<FlinkDone> {
    public static func disposalProgress(_ trigger: FlinkTriggerID) -> Self {
        Self(.get, ["savepoint-disposal", FlinkPathSegment(trigger)]) { (json) throws(FlinkReadingProblem) in
            try readProgress(json) { (_) throws(FlinkReadingProblem) in FlinkDone() }
        }
    }
}

extension FlinkEndpoint where Answer == FlinkDone {
    /// Answered before the job is CANCELED.
    public static func cancel(_ job: JobID) -> Self {
        Self(.patch, ["jobs", FlinkPathSegment(job)], query: [FlinkQueryItem("mode", "cancel")]) { (_) throws(FlinkReadingProblem) in FlinkDone() }
    }

    public static func delete(jar id: String) -> Self {
        Self(.delete, ["jars", FlinkPathSegment(escaping: id)]) { (_) throws(FlinkReadingProblem) in FlinkDone() }
    }
}

// MARK: Jars

/// A jar that lies on the cluster.
public struct FlinkJar: Sendable, Equatable {
    /// "<uuid>_<name>.jar": what a run names.
    public var id: String
    public var name: String
    public var uploadedAt: WallTime
    /// Classes that its manifest names as its programs.
    public var entryClasses: [String]

    init?(lenient json: JSONValue) {
        guard let id = json["id"]?.text else { return nil }
        self.id = shortened(id, to: 1000)
        name = shortened(json["name"]?.text ?? id, to: 1000)
        uploadedAt = WallTime(milliseconds: json["uploaded"]?.count ?? 0)
        entryClasses = (json["entry"]?.items ?? []).compactMap { $0["name"]?.text.map { shortened($0, to: 1000) } }
    }
}

extension FlinkEndpoint where Answer == [FlinkJar] {
    public static var jars: Self {
        Self(.get, ["jars"]) { (json) throws(FlinkReadingProblem) in
            guard let files = json["files"]?.items else { throw FlinkReadingProblem("has no 'files'") }
            return files.compactMap(FlinkJar.init(lenient:))
        }
    }
}

extension FlinkEndpoint where Answer == String {
    /// Sends a jar file; the answer is its id on the cluster.
    public static func upload(jar path: String, name: String) -> Self {
        Self(
            .post, ["jars", "upload"], body: .file(path: path, name: name, contentType: "application/x-java-archive"), timeout: .minutes(10)
        ) { (json) throws(FlinkReadingProblem) in
            guard let file = json["filename"]?.text?.split(separator: "/").last else { throw FlinkReadingProblem("has no 'filename'") }
            return String(file)
        }
    }
}

/// What a launch is told.
public struct FlinkLaunch: Sendable, Equatable {
    public enum Claim: String, Sendable, Codable { case noClaim = "NO_CLAIM", claim = "CLAIM", legacy = "LEGACY" }
    public var jar: String
    /// nil = what the jar's manifest names.
    public var entryClass: String?
    public var arguments: [String] = []
    public var parallelism: Int?
    /// Checkpoint or savepoint to start from.
    public var path: String?
    public var allowsUnmatchedState = false
    public var claim: Claim?
    /// The id that the job is to have, so that it can be asked for when no answer comes; nil = the cluster draws one.
    public var job: JobID?

    public init(jar: String) { self.jar = jar }
}

extension FlinkEndpoint where Answer == JobID {
    /// Runs a jar's program; its `main` runs on the JobManager before this is answered.
    public static func run(_ launch: FlinkLaunch, version: FlinkVersion) -> Self {
        var body: [String: JSONValue] = [:]
        if let name = launch.entryClass { body["entryClass"] = .string(name) }
        if !launch.arguments.isEmpty { body["programArgsList"] = .array(launch.arguments.map(JSONValue.string)) }
        if let parallelism = launch.parallelism { body["parallelism"] = .integer(Int64(parallelism)) }
        if let job = launch.job { body["jobId"] = .string(job.description) }
        if let path = launch.path {
            body["savepointPath"] = .string(path)
            body["allowNonRestoredState"] = .bool(launch.allowsUnmatchedState)
            if let claim = launch.claim, version.has(.restoreMode) {
                body[version.has(.claimMode) ? "claimMode" : "restoreMode"] = .string(claim.rawValue)
            }
        }
        return Self(.post, ["jars", FlinkPathSegment(escaping: launch.jar), "run"], body: .json(.object(body)), timeout: .minutes(2)) {
            (json) throws(FlinkReadingProblem) in
            guard let id = json["jobid"]?.text.flatMap({ JobID($0) }) else { throw FlinkReadingProblem("has no 'jobid'") }
            return id
        }
    }
}
