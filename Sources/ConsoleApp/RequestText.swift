internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import FlinkREST
internal import StreamModel

/// What is sent to an engine for an operation, byte for byte where that is known beforehand: the operator sees it before it goes.
enum RequestText {
    @Sendable static func lines(_ context: ContextDescription, _ operation: OperationRequest) -> [SafeText] {
        // A cluster has a URL, an engine of ours a path.
        if context.address.contains("://") { return FlinkRequestText.lines(operation).map { SafeText($0) } }
        do throws(ControlCodecError) {
            let frame = String(decoding: try ControlCodec.encode(.operate(JobCommand(operation)), id: .number(1)), as: UTF8.self)
            // The frame ends in a newline, which is no text.
            return [SafeText(String(frame.prefix { $0 != "\n" })), "one line of JSON-RPC 2.0; the ids are drawn when it is sent"]
        } catch {
            return ["it cannot be written down: \(error.problem)"]
        }
    }
}
