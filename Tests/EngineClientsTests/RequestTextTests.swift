import CellGrid
import ConsoleCore
import ControlProtocol
import JSON
import StreamModel
import Testing

@testable import EngineClients

@Suite struct RequestTextTests {
    /// The line is the frame: an engine would read it.
    @Test func `what is shown for an engine of ours is a frame of its protocol`() throws {
        let operation = OperationRequest(
            id: OperationID(random: 7), kind: .stop(drain: true, directory: nil), job: JobID(high: 1, low: 2), expectedState: .running,
            reason: "INC-7 \"quoted\" \u{1b}[31m", by: "ana@ops")
        let lines = RequestText.lines(ContextDescription(name: "lab", class: .lab, address: "/run/e.sock"), version: nil, operation)
        let frame = try #require(lines.first)
        #expect(!frame.string.unicodeScalars.contains { $0.value < 0x20 })
        let json = try JSONValue.parse(Array(frame.string.utf8), maximumDepth: 16)
        guard case .object(let members) = json, case .object(let parameters)? = members["params"] else { throw Unreadable(frame.string) }
        #expect(members["jsonrpc"] == .string("2.0") && members["method"] == .string("stop"))
        #expect(parameters["drain"] == .bool(true) && parameters["by"] == .string("ana@ops"), "\(frame)")
    }

    private struct Unreadable: Error {
        var text: String
        init(_ text: String) { self.text = text }
    }
}
