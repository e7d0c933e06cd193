internal import FoundationEssentials
internal import JSON
public import StreamModel

/// Id that pairs a reply with its request, chosen by the client.
public enum RequestID: Hashable, Sendable, Codable {
    case number(Int64)
    case string(String)

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // DecodingError: not a number. A string is tried next, and only that attempt's error matters.
        if let number = try? container.decode(Int64.self) {
            self = .number(number)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        }
    }
}

/// A message from the engine to a client.
public enum ServerMessage: Sendable, Equatable {
    /// `id` is nil if the engine could not read the request's id.
    case reply(id: RequestID?, Result<ControlReply, ControlFailure>)
    case report(ReportNotification)
    /// A notification unknown to this client.
    case unknown(method: String)
}

/// A frame that is not a message of this protocol, with the position of the error.
public struct ControlCodecError: Error, Sendable, Equatable, CustomStringConvertible {
    public var problem: String
    public init(problem: String) { self.problem = problem }
    public var description: String { problem }
}

/// Encodes and decodes frames. A frame is one line of JSON with sorted keys and unescaped slashes; encoders add the newline.
public enum ControlCodec {
    /// The frame of a request.
    public static func encode(_ request: ControlRequest, id: RequestID) throws(ControlCodecError) -> [UInt8] {
        try line(RequestEnvelope(id: id, method: request.verb, params: RequestParameters(request: request)))
    }

    /// The frame of a reply.
    public static func encode(_ result: Result<ControlReply, ControlFailure>, id: RequestID?) throws(ControlCodecError) -> [UInt8] {
        switch result {
        case .success(let reply): try line(ResultEnvelope(id: id, result: reply))
        case .failure(let failure): try line(ErrorEnvelope(id: id, error: failure))
        }
    }

    /// The JSON text of a report, to be framed for each subscriber by `frame(report:sequence:missed:)`.
    public static func encode(report: EngineReport) throws(ControlCodecError) -> [UInt8] { try text(report) }

    /// Frames a notification around an encoded report: many subscribers share one encoding.
    public static func frame(report: [UInt8], sequence: UInt64, missed: UInt64) -> [UInt8] {
        var frame = Array("{\"jsonrpc\":\"2.0\",\"method\":\"report\",\"params\":{\"missed\":\(missed),\"report\":".utf8)
        frame.append(contentsOf: report)
        frame.append(contentsOf: ",\"sequence\":\(sequence)}}\n".utf8)
        return frame
    }

    /// Decodes a frame from the engine.
    public static func decodeServerMessage(_ frame: [UInt8]) throws(ControlCodecError) -> ServerMessage {
        let incoming: IncomingEnvelope
        do {
            incoming = try decoder().decode(IncomingEnvelope.self, from: Data(frame))
        } catch {
            throw ControlCodecError(problem: "the engine sent a frame that this client cannot read: \(describe(error))")
        }
        if let method = incoming.method {
            guard method == "report", let report = incoming.params else { return .unknown(method: method) }
            return .report(report)
        }
        if let failure = incoming.error { return .reply(id: incoming.id, .failure(failure)) }
        guard let result = incoming.result else {
            throw ControlCodecError(problem: "the engine sent a frame with neither result nor error")
        }
        return .reply(id: incoming.id, .success(result))
    }

    /// A value as one line of JSON without the newline, for `--json` and files. None of its characters acts on a terminal.
    public static func json(_ value: some Encodable) throws(ControlCodecError) -> String { String(decoding: try text(value), as: UTF8.self) }

    /// Decodes a value written by `json`, from the engine's own records.
    public static func decode<Value: Decodable>(_ type: Value.Type, from json: some Sequence<UInt8>) throws(ControlCodecError) -> Value {
        do { return try decoder().decode(type, from: Data(json)) } catch { throw ControlCodecError(problem: describe(error)) }
    }

    private static func line(_ value: some Encodable) throws(ControlCodecError) -> [UInt8] {
        var bytes = try text(value)
        bytes.append(UInt8(ascii: "\n"))
        return bytes
    }

    private static func text(_ value: some Encodable) throws(ControlCodecError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        do { return VisibleJSON.escaped(Array(try encoder.encode(value))) } catch {
            throw ControlCodecError(problem: "cannot encode \(type(of: value)): \(describe(error))")
        }
    }

    private static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
        return decoder
    }

    /// Position and problem of a coding error, in one line.
    private static func describe(_ error: any Error) -> String {
        let context: DecodingError.Context
        switch error {
        case DecodingError.keyNotFound(let key, let found):
            return place(found.codingPath) + "\(key.stringValue) is missing"
        case DecodingError.typeMismatch(_, let found), DecodingError.valueNotFound(_, let found), DecodingError.dataCorrupted(let found):
            context = found
        case EncodingError.invalidValue(_, let found):
            return place(found.codingPath) + found.debugDescription
        default: return "\(error)"
        }
        return place(context.codingPath) + context.debugDescription
    }

    private static func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "" : path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".") + ": "
    }
}

private struct RequestEnvelope: Encodable {
    var jsonrpc = "2.0"
    var id: RequestID
    var method: ControlVerb
    var params: RequestParameters
}

private struct ResultEnvelope: Encodable {
    var jsonrpc = "2.0"
    var id: RequestID?
    var result: ControlReply
}

private struct ErrorEnvelope: Encodable {
    private enum Key: String, CodingKey { case jsonrpc, id, error }
    var id: RequestID?
    var error: ControlFailure

    /// JSON-RPC requires `"id":null` for an unknown id.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode("2.0", forKey: .jsonrpc)
        try container.encode(id, forKey: .id)
        try container.encode(error, forKey: .error)
    }
}

private struct IncomingEnvelope: Decodable {
    var id: RequestID?
    var method: String?
    var params: ReportNotification?
    var result: ControlReply?
    var error: ControlFailure?

    private enum Key: String, CodingKey { case id, method, params, result, error }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        id = try container.decodeIfPresent(RequestID.self, forKey: .id)
        method = try container.decodeIfPresent(String.self, forKey: .method)
        if method == "report" { params = try container.decodeIfPresent(ReportNotification.self, forKey: .params) }
        result = try container.decodeIfPresent(ControlReply.self, forKey: .result)
        error = try container.decodeIfPresent(ControlFailure.self, forKey: .error)
    }
}
