internal import CellGrid
public import ConsoleCore
internal import ControlProtocol
internal import FlinkREST
internal import JSON
public import StreamModel

/// Shows an operation as its engine will receive it, before it goes.
public enum RequestText {
    /// Made by the encoders that send it.
    /// - Parameter version: of the engine, in its own words; nil = unknown.
    @Sendable
    public static func preview(_ dialect: EngineCapabilities.Dialect, version: String?, _ operation: OperationRequest) -> RequestPreview {
        switch dialect {
        case .controlSocket: return RequestPreview([frame(operation)])
        case .flinkREST:
            let version = version?.split(separator: " ").last.flatMap { FlinkVersion(String($0)) }
            return RequestPreview(FlinkRequestText.requests(operation, version: version).map(message))
        }
    }

    private static func message(_ request: FlinkRequestText) -> RequestPreview.Message {
        var fields: [RequestPreview.Field] = []
        switch request.body {
        case .none: break
        case .json(let body):
            fields = deciding(body)
            // A program that is run without one begins with no state.
            if request.startsProgram, !fields.contains(where: { $0.name == snapshot }) { fields.insert(.init(snapshot, nil), at: 0) }
        case .file(let path): fields = [.init("file", end(of: path))]
        }
        return .init(SafeText(request.head), fields: fields, exception: request.exception.map { SafeText($0) }, text: request.lines.map { SafeText($0) })
    }

    private static func frame(_ operation: OperationRequest) -> RequestPreview.Message {
        do {
            let frame = try ControlCodec.encode(.operate(JobCommand(operation)), id: .number(1))
            // The frame ends in a newline, which is no text.
            let text = SafeText(String(decoding: frame.dropLast(), as: UTF8.self))
            guard case .object(let members) = try JSONValue.parse(frame, maximumDepth: FrameLimits.request.maximumDepth),
                case .string(let method)? = members["method"], let parameters = members["params"]
            else { return .init(text, text: [text]) }
            var fields = deciding(parameters)
            if case .restart = operation.kind, !fields.contains(where: { $0.name == "from" }) { fields.insert(.init("from", "<the newest>"), at: 1) }
            return .init(SafeText(method), fields: fields, text: [text, "one line of JSON-RPC 2.0; its id on the connection is drawn when it is sent"])
        } catch {
            let problem: SafeText = "it cannot be encoded: \(error)"
            return .init(problem, text: [problem])
        }
    }

    private static let snapshot = "savepointPath"
    /// Fields that say who asks for it, and under which name; the whole request shows them.
    private static let bookkeeping: Set = ["triggerId", "jobId", "operation", "expectedState", "reason", "by"]
    /// Fields that come before the others, so that they are not cut off in a small window.
    private static let first = ["job", "from", snapshot]

    private static func deciding(_ body: JSONValue) -> [RequestPreview.Field] {
        guard case .object(let members) = body else { return [] }
        let names = members.keys.filter { !bookkeeping.contains($0) }.sorted()
        return (first.filter { members[$0] != nil } + names.filter { !first.contains($0) }).compactMap { name in
            members[name].map { .init(name, text($0, isStart: name == "from" || name == snapshot)) }
        }
    }

    private static func text(_ value: JSONValue, isStart: Bool) -> String {
        guard case .string(let text) = value else { return value.json }
        return isStart ? end(of: text) : text
    }

    /// The last two parts of a path: the telling ones.
    private static func end(of path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.count <= 2 ? path : "...\(parts.suffix(2).map { "/\($0)" }.joined())"
    }
}
