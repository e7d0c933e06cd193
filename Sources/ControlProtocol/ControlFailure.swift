internal import CellGrid
internal import JSON
public import StreamModel

/// The error member of a reply: the reason why a request was not carried out. Its message is one sentence for the operator: the problem, the
/// verb and field, and the remedy.
///
/// Made by the factory functions below, on the engine's side; a client rebuilds it from the wire.
public struct ControlFailure: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// The frame is not JSON. The connection continues with the next line.
        case parse
        /// The frame is longer than the limit. The connection is closed.
        case frameTooLong
        /// JSON, but not a JSON-RPC 2.0 request.
        case invalidRequest
        case unknownVerb
        /// No version in common, or no `hello` yet.
        case version
        case badField
        case unknownJob
        case ambiguousJob
        case unknownCheckpoint
        case unknownOperation
        /// A path given to the engine does not exist.
        case unknownPath
        /// A guard of the engine refused.
        case refused
        /// The job is not in the state expected by the client.
        case stateChanged
        /// The verb exceeds the socket's level.
        case forbidden
        /// Too many clients. The connection is closed.
        case busy
        /// The client was silent for too long. The connection is closed.
        case timedOut
        /// A defect or an I/O error of the engine.
        case `internal`
        /// A kind of a newer engine, unknown to this client.
        case other
    }

    public var kind: Kind
    public var message: String
    public var verb: String?
    /// Parameter to blame.
    public var field: String?
    /// Jobs that match an ambiguous reference.
    public var candidates: [JobID]

    public init(kind: Kind, message: String, verb: String? = nil, field: String? = nil, candidates: [JobID] = []) {
        self.kind = kind
        self.message = message
        self.verb = verb
        self.field = field
        self.candidates = candidates
    }

    public var description: String { message }

    /// The JSON-RPC error code.
    public var code: Int {
        switch kind {
        case .parse: -32700
        case .frameTooLong, .invalidRequest: -32600
        case .unknownVerb: -32601
        case .badField: -32602
        case .internal: -32603
        case .version: -32001
        case .unknownJob: -32002
        case .ambiguousJob: -32003
        case .unknownCheckpoint: -32004
        case .unknownOperation: -32005
        case .unknownPath: -32006
        case .refused: -32007
        case .stateChanged: -32008
        case .forbidden: -32009
        case .busy: -32010
        case .timedOut: -32011
        case .other: -32099
        }
    }
}

extension ControlFailure {
    static func parse(_ error: JSONSyntaxError) -> Self {
        Self(kind: .parse, message: "the frame \(error.problem.rawValue) at byte \(error.offset): send one JSON-RPC 2.0 request a line")
    }

    static func frameTooLong(limit: Int) -> Self {
        Self(kind: .frameTooLong, message: "the frame is longer than \(limit) bytes: send one request a line, each ended by a newline")
    }

    static func invalidRequest(_ problem: String) -> Self {
        Self(
            kind: .invalidRequest,
            message: "\(problem): a request is {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":VERB,\"params\":{...}}")
    }

    static func unknownVerb(_ name: String) -> Self {
        let verbs = ControlVerb.allCases.map(\.rawValue).joined(separator: ", ")
        return Self(kind: .unknownVerb, message: "unknown verb '\(printable(name))': the verbs are \(verbs)", verb: name)
    }

    /// Reports that no version is in common.
    public static func version(offered: [Int]) -> Self {
        let mine = ControlVersion.supported.map(String.init).joined(separator: ", ")
        let theirs = offered.map(String.init).joined(separator: ", ")
        return Self(
            kind: .version, message: "hello offers protocol version \(theirs), this engine speaks \(mine): use a matching client",
            verb: "hello", field: "versions")
    }

    /// Reports a verb before `hello`.
    public static func helloExpected(_ verb: ControlVerb) -> Self {
        Self(
            kind: .version, message: "\(verb.rawValue) came before hello: send hello with {\"versions\":[1],\"client\":NAME} first",
            verb: verb.rawValue)
    }

    public static func badField(_ verb: ControlVerb, _ field: String, _ problem: String) -> Self {
        Self(kind: .badField, message: "\(verb.rawValue): \(field) \(problem)", verb: verb.rawValue, field: field)
    }

    public static func unknownJob(_ reference: String) -> Self {
        Self(kind: .unknownJob, message: "no job '\(printable(reference))': list the jobs (weir jobs)", field: "job")
    }

    public static func ambiguousJob(_ reference: String, candidates: [JobID]) -> Self {
        let list = candidates.prefix(8).map(\.short).joined(separator: ", ")
        return Self(
            kind: .ambiguousJob, message: "'\(printable(reference))' means \(candidates.count) jobs (\(list)): give more of the id",
            field: "job", candidates: candidates)
    }

    public static func unknownCheckpoint(_ id: CheckpointID, job: JobID) -> Self {
        Self(
            kind: .unknownCheckpoint, message: "job \(job.short) has no checkpoint \(id): list them (weir checkpoints JOB)",
            field: "checkpoint")
    }

    public static func unknownOperation(_ id: OperationID) -> Self {
        Self(
            kind: .unknownOperation, message: "no operation '\(id)': list them (weir operations)", field: "operation")
    }

    public static func unknownPath(_ path: String, problem: String) -> Self {
        Self(kind: .unknownPath, message: "\(printable(path)): \(problem)", field: "path")
    }

    /// Reports a refusal; `problem` names the obstacle and the remedy.
    public static func refused(_ verb: ControlVerb?, _ problem: String) -> Self {
        Self(kind: .refused, message: problem, verb: verb?.rawValue)
    }

    public static func stateChanged(_ verb: ControlVerb, job: JobID, expected: JobState, actual: JobState) -> Self {
        Self(
            kind: .stateChanged,
            message: "\(verb.rawValue): job \(job.short) is \(actual.rawValue), not \(expected.rawValue) as you saw it: look again, then repeat",
            verb: verb.rawValue, field: "expectedState")
    }

    public static func forbidden(_ verb: ControlVerb) -> Self {
        Self(
            kind: .forbidden, message: "\(verb.rawValue) needs the operator socket: this one only looks", verb: verb.rawValue)
    }

    public static func busy(_ problem: String) -> Self { Self(kind: .busy, message: problem) }

    public static func timedOut(_ problem: String) -> Self { Self(kind: .timedOut, message: problem) }

    public static func `internal`(_ problem: String) -> Self { Self(kind: .internal, message: problem) }
}

extension ControlFailure: Codable {
    private enum Key: String, CodingKey { case code, message, data }
    private enum DataKey: String, CodingKey { case kind, verb, field, candidates }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        message = try container.decode(String.self, forKey: .message)
        guard container.contains(.data) else {
            (kind, verb, field, candidates) = (.other, nil, nil, [])
            return
        }
        let data = try container.nestedContainer(keyedBy: DataKey.self, forKey: .data)
        kind = Kind(rawValue: try data.decode(String.self, forKey: .kind)) ?? .other
        verb = try data.decodeIfPresent(String.self, forKey: .verb)
        field = try data.decodeIfPresent(String.self, forKey: .field)
        candidates = try data.decodeIfPresent([JobID].self, forKey: .candidates) ?? []
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(code, forKey: .code)
        try container.encode(message, forKey: .message)
        var data = container.nestedContainer(keyedBy: DataKey.self, forKey: .data)
        try data.encode(kind, forKey: .kind)
        try data.encodeIfPresent(verb, forKey: .verb)
        try data.encodeIfPresent(field, forKey: .field)
        if !candidates.isEmpty { try data.encode(candidates, forKey: .candidates) }
    }
}
