public import JSON
public import StreamModel

/// One request to the REST API, and how its answer is read. The path is built from words of ours and from checked ids: nothing from
/// outside stands in a URL unescaped.
public struct FlinkEndpoint<Answer: Sendable>: Sendable {
    public var method: FlinkMethod
    public var path: [FlinkPathSegment]
    /// Names and values, not yet escaped.
    public var query: [FlinkQueryItem]
    public var body: FlinkBody
    /// Bytes of the answer that are taken.
    public var answerMax: Int
    /// An answer that is longer is read as far as it came.
    public var takesCutAnswer: Bool
    /// nil = the connection's.
    public var timeout: Milliseconds?
    /// Throws when the answer is Flink's, but lacks what it is for.
    public var read: @Sendable (JSONValue) throws(FlinkReadingProblem) -> Answer

    public init(
        _ method: FlinkMethod, _ path: [FlinkPathSegment], query: [FlinkQueryItem] = [], body: FlinkBody = .none, answerMax: Int = 4 << 20,
        takesCutAnswer: Bool = false, timeout: Milliseconds? = nil, read: @escaping @Sendable (JSONValue) throws(FlinkReadingProblem) -> Answer
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.answerMax = answerMax
        self.takesCutAnswer = takesCutAnswer
        self.timeout = timeout
        self.read = read
    }

    /// Path and query, as they stand in the request line after the prefix: "/jobs/0123.../checkpoints".
    public var target: String {
        let path = "/" + path.map(\.escaped).joined(separator: "/")
        guard !query.isEmpty else { return path }
        return path + "?" + query.map { FlinkPathSegment.escape($0.name) + "=" + FlinkPathSegment.escape($0.value) }.joined(separator: "&")
    }
}

public enum FlinkMethod: String, Sendable { case get = "GET", post = "POST", patch = "PATCH", put = "PUT", delete = "DELETE" }

public struct FlinkQueryItem: Sendable, Equatable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) { (self.name, self.value) = (name, value) }
}

public enum FlinkBody: Sendable {
    case none
    case json(JSONValue)
    /// A file as the one part of a `multipart/form-data` body, read while it is sent.
    case file(path: String, name: String, contentType: String)
}

/// One part of a path between slashes. A literal of ours, or an id; anything else is escaped.
public struct FlinkPathSegment: Sendable, Equatable, ExpressibleByStringLiteral {
    /// As it stands in the URL.
    public let escaped: String

    public init(stringLiteral value: StaticString) { escaped = Self.escape("\(value)") }
    public init(_ id: some HexIdentifier) { escaped = id.description }
    public init(_ id: CheckpointID) { escaped = id.description }
    public init(_ index: Int) { escaped = String(index) }
    /// Text from outside, such as the id of a task manager or a jar. "." and ".." would change the path, and are escaped too.
    public init(escaping text: String) { escaped = text == "." || text == ".." ? text.map { _ in "%2E" }.joined() : Self.escape(text) }

    /// All but the unreserved characters of RFC 3986 become %XX.
    static func escape(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default: escaped += "%" + String(byte >> 4, radix: 16, uppercase: true) + String(byte & 15, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}

/// Why an answer could not be read: names the field.
public struct FlinkReadingProblem: Error, Sendable, Equatable {
    public var problem: String
    public init(_ problem: String) { self.problem = problem }
}

/// Names an asynchronous operation of a cluster, as its POST answered (`request-id`) or as we chose (1.15 and later).
public struct FlinkTriggerID: HexIdentifier {
    public let high, low: UInt64
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }
}
