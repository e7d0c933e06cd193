internal import JSON
internal import StreamModel

/// A decoded frame of a client: its id, if readable, and the request or the reason why there is none.
public struct DecodedRequest: Sendable, Equatable {
    /// Id of the request; nil = none was readable.
    public var id: RequestID?
    public var request: Result<ControlRequest, ControlFailure>

    public init(id: RequestID?, request: Result<ControlRequest, ControlFailure>) {
        self.id = id
        self.request = request
    }
}

/// Decodes requests: frame to `ControlRequest`, with every field checked for presence, type and range. Ignores unknown fields, so that a newer
/// client can talk to this engine.
public enum RequestDecoder {
    /// Decodes one frame. Never throws: an unreadable frame has an answer too.
    public static func decode(_ frame: [UInt8], maximumDepth: Int = FrameLimits.request.maximumDepth) -> DecodedRequest {
        let value: JSONValue
        do throws(JSONSyntaxError) { value = try JSONValue.parse(frame, maximumDepth: maximumDepth) } catch {
            return DecodedRequest(id: nil, request: .failure(.parse(error)))
        }
        guard case .object(let members) = value else {
            return DecodedRequest(id: nil, request: .failure(.invalidRequest("the frame is \(value.typeName), not an object")))
        }
        let id: RequestID
        switch members["id"] {
        case .integer(let number): id = .number(number)
        case .string(let text) where text.utf8.count <= 128: id = .string(text)
        default: return DecodedRequest(id: nil, request: .failure(.invalidRequest("the id is no whole number and no short string")))
        }
        do throws(ControlFailure) {
            return DecodedRequest(id: id, request: .success(try decode(members)))
        } catch {
            return DecodedRequest(id: id, request: .failure(error))
        }
    }

    private static func decode(_ members: [String: JSONValue]) throws(ControlFailure) -> ControlRequest {
        guard members["jsonrpc"] == .string("2.0") else { throw .invalidRequest("jsonrpc is not \"2.0\"") }
        guard case .string(let method) = members["method"] else { throw .invalidRequest("method is no string") }
        guard let verb = ControlVerb(rawValue: method) else { throw .unknownVerb(method) }
        switch members["params"] {
        case .object(let params): return try decode(verb, Fields(verb: verb, members: params))
        case nil, .null: return try decode(verb, Fields(verb: verb, members: [:]))
        default: throw .badField(verb, "params", "must be an object")
        }
    }

    private static func decode(_ verb: ControlVerb, _ fields: Fields) throws(ControlFailure) -> ControlRequest {
        switch verb {
        case .hello:
            return .hello(versions: try fields.versions(), client: try fields.text("client", longest: 128))
        case .subscribe:
            let interval = try fields.optionalInteger("intervalMilliseconds", 100...60_000)
            return .subscribe(interval: interval.map { Milliseconds($0) })
        case .jobs: return .jobs
        case .job: return .job(try fields.job())
        case .checkpoints: return .checkpoints(try fields.job(), limit: try fields.limit())
        case .checkpoint:
            let id = try fields.integer("checkpoint", 1...Int64.max)
            return .checkpoint(try fields.job(), CheckpointID(UInt64(id)))
        case .exceptions: return .exceptions(try fields.job())
        case .operations: return .operations(limit: try fields.limit())
        case .operation: return .operation(try fields.operation())
        case .audit: return .audit(limit: try fields.limit())
        case .log:
            let job = try fields.optionalText("job", longest: 128), after = try fields.optionalInteger("after", 0...Int64.max)
            return .log(job.map { JobReference($0) }, after: after.map { UInt64($0) }, limit: try fields.limit())
        case .inspect: return .inspect(path: try fields.path("path"))
        case .programs: return .programs
        case .submit: return .submit(try submit(fields))
        case .savepoint: return try command(fields, .savepoint(directory: try fields.optionalPath("directory")))
        case .checkpointNow: return try command(fields, .checkpoint)
        case .stop:
            return try command(fields, .stop(drain: try fields.bool("drain"), directory: try fields.optionalPath("directory")))
        case .cancel:
            return try command(fields, .cancel(try fields.choice("retention", [.byPolicy, .keep, .discard])))
        case .restart: return try command(fields, .restart(try restart(fields, pathField: "from")))
        case .dispose: return try command(fields, .dispose(path: try fields.path("path")))
        case .fault: return try command(fields, .fault(try fields.text("spec", longest: 256)))
        }
    }

    private static func command(_ fields: Fields, _ action: OperationRequest.Kind) throws(ControlFailure) -> ControlRequest {
        .operate(
            JobCommand(
                operation: try fields.operation(), job: try fields.job(), action: action,
                expectedState: try fields.optionalChoice("expectedState", JobState.allCases),
                reason: try fields.optionalText("reason", longest: 1024) ?? "", by: try fields.optionalText("by", longest: 256) ?? ""))
    }

    private static func restart(_ fields: Fields, pathField: String) throws(ControlFailure) -> RestartOptions {
        var options = RestartOptions(path: try fields.optionalPath(pathField))
        options.claim = try fields.optionalChoice("claim", [.noClaim, .claim]) ?? options.claim
        options.allowsUnmatchedState = try fields.optionalBool("allowUnmatched") ?? options.allowsUnmatchedState
        options.parallelism = try fields.parallelism()
        options.cancelsFirst = try fields.optionalBool("cancelFirst") ?? options.cancelsFirst
        return options
    }

    private static func submit(_ fields: Fields) throws(ControlFailure) -> SubmitRequest {
        SubmitRequest(
            operation: try fields.operation(), program: try fields.text("program", longest: 128), arguments: try fields.arguments(),
            parallelism: try fields.parallelism(), name: try fields.optionalText("name", longest: 128),
            from: try fields.nested("from").map { (inner) throws(ControlFailure) in
                try restart(inner, pathField: "path")
            },
            reason: try fields.optionalText("reason", longest: 1024) ?? "", by: try fields.optionalText("by", longest: 256) ?? "")
    }
}

/// Parameters of one request, with readers whose errors name verb and field.
private struct Fields {
    let verb: ControlVerb
    let members: [String: JSONValue]
    /// Prefix "from." for the members of a nested object.
    var prefix = ""

    private func bad(_ field: String, _ problem: String) -> ControlFailure { .badField(verb, prefix + field, problem) }

    /// Value of a field; nil if absent or null.
    private func value(_ field: String) -> JSONValue? {
        let value = members[field]
        return value == .null ? nil : value
    }

    private func require<Value>(_ field: String, _ value: Value?) throws(ControlFailure) -> Value {
        guard let value else { throw bad(field, "is missing") }
        return value
    }

    func optionalText(_ field: String, longest: Int) throws(ControlFailure) -> String? {
        guard let value = value(field) else { return nil }
        guard case .string(let text) = value else { throw bad(field, "must be a string, not \(value.typeName)") }
        guard text.utf8.count <= longest else { throw bad(field, "is longer than \(longest) bytes") }
        return text
    }

    func text(_ field: String, longest: Int) throws(ControlFailure) -> String {
        let text = try require(field, try optionalText(field, longest: longest))
        guard !text.isEmpty else { throw bad(field, "is empty") }
        return text
    }

    func optionalInteger(_ field: String, _ range: ClosedRange<Int64>) throws(ControlFailure) -> Int64? {
        guard let value = value(field) else { return nil }
        guard case .integer(let number) = value else { throw bad(field, "must be a whole number, not \(value.typeName)") }
        guard range.contains(number) else { throw bad(field, "must be \(words(range)), not \(number)") }
        return number
    }

    func integer(_ field: String, _ range: ClosedRange<Int64>) throws(ControlFailure) -> Int64 {
        try require(field, try optionalInteger(field, range))
    }

    private func words(_ range: ClosedRange<Int64>) -> String {
        range.upperBound == Int64.max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    }

    func optionalBool(_ field: String) throws(ControlFailure) -> Bool? {
        guard let value = value(field) else { return nil }
        guard case .bool(let flag) = value else { throw bad(field, "must be true or false, not \(value.typeName)") }
        return flag
    }

    func bool(_ field: String) throws(ControlFailure) -> Bool { try require(field, try optionalBool(field)) }

    func optionalChoice<Choice: RawRepresentable<String>>(_ field: String, _ choices: [Choice]) throws(ControlFailure) -> Choice? {
        guard let value = value(field) else { return nil }
        guard case .string(let text) = value, let choice = choices.first(where: { $0.rawValue == text }) else {
            throw bad(field, "must be one of \(choices.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    func choice<Choice: RawRepresentable<String>>(_ field: String, _ choices: [Choice]) throws(ControlFailure) -> Choice {
        try require(field, try optionalChoice(field, choices))
    }

    /// An absolute path: a client does not know the engine's working directory.
    func optionalPath(_ field: String) throws(ControlFailure) -> String? {
        guard let path = try optionalText(field, longest: 4096) else { return nil }
        guard path.utf8.first == UInt8(ascii: "/"), !path.utf8.contains(0) else { throw bad(field, "must be an absolute path") }
        return path
    }

    func path(_ field: String) throws(ControlFailure) -> String { try require(field, try optionalPath(field)) }

    func job() throws(ControlFailure) -> JobReference { JobReference(try text("job", longest: 128)) }

    func limit() throws(ControlFailure) -> Int? { try optionalInteger("limit", 1...10_000).map { Int($0) } }

    func parallelism() throws(ControlFailure) -> Int? { try optionalInteger("parallelism", 1...32_768).map { Int($0) } }

    func operation() throws(ControlFailure) -> OperationID {
        guard let id = OperationID(try text("operation", longest: 64)) else {
            throw bad("operation", "must be 1 to 64 characters from A-Z a-z 0-9 - _")
        }
        return id
    }

    func versions() throws(ControlFailure) -> [Int] {
        guard case .array(let elements) = try require("versions", value("versions")), (1...32).contains(elements.count) else {
            throw bad("versions", "must be an array of 1 to 32 whole numbers")
        }
        var versions: [Int] = []
        for element in elements {
            guard case .integer(let number) = element, let version = Int(exactly: number) else {
                throw bad("versions", "must be an array of 1 to 32 whole numbers")
            }
            versions.append(version)
        }
        return versions
    }

    func arguments() throws(ControlFailure) -> [String: String] {
        guard let value = value("arguments") else { return [:] }
        guard case .object(let members) = value else { throw bad("arguments", "must be an object of strings") }
        var arguments: [String: String] = [:]
        for (name, member) in members {
            guard case .string(let text) = member else { throw bad("arguments.\(name)", "must be a string, not \(member.typeName)") }
            arguments[name] = text
        }
        return arguments
    }

    func nested(_ field: String) throws(ControlFailure) -> Fields? {
        guard let value = value(field) else { return nil }
        guard case .object(let members) = value else { throw bad(field, "must be an object, not \(value.typeName)") }
        return Fields(verb: verb, members: members, prefix: "\(field).")
    }
}
