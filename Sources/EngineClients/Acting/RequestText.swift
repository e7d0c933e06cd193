public import CellGrid
public import ConsoleCore
internal import ControlProtocol
internal import FlinkREST
public import StreamModel

/// What is sent to an engine for an operation, byte for byte where that is known beforehand: the operator sees it before it goes.
public enum RequestText {
    @Sendable
    /// - Parameter version: of the engine, in its own words; nil = not known.
    public static func lines(_ context: ContextDescription, version: String?, _ operation: OperationRequest) -> [SafeText] {
        if context.dialect == .flinkREST {
            let version = version?.split(separator: " ").last.flatMap { FlinkVersion(String($0)) }
            return FlinkRequestText.lines(operation, version: version).map { SafeText($0) }
        }
        do throws(ControlCodecError) {
            let frame = String(decoding: try ControlCodec.encode(.operate(JobCommand(operation)), id: .number(1)), as: UTF8.self)
            // The frame ends in a newline, which is no text.
            return [SafeText(String(frame.prefix { $0 != "\n" })), "one line of JSON-RPC 2.0; its id on the connection is drawn when it is sent"]
        } catch {
            return ["it cannot be written down: \(error.problem)"]
        }
    }
}
