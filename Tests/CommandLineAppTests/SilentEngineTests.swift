// Goal: an engine that takes a request and hangs costs a command no more than its deadline, and nothing is called done or refused. Method: a
// real server on a socket whose handler never answers.

import ControlProtocol
import ControlSocket
import EngineClients
import HostEnvironment
import StreamModel
import TestKit
import Testing

/// Greets, and answers nothing else.
private struct SilentEngine: ControlHandler {
    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {}
    func currentReport() -> EngineReport {
        let info = EngineInfo(name: "silent", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
        return EngineReport(engine: info, at: WallTime(milliseconds: 1), jobs: [], operations: [])
    }
}

@Suite struct SilentEngineTests {
    @Test(arguments: [OperationRequest.Kind.savepoint(directory: nil), .restart(RestartOptions())])
    func aRequestWithoutAnAnswerEndsInTimeAndIsUnproven(kind: OperationRequest.Kind) throws {
        let sandbox = Sandbox()
        let server = try ControlServer.start(path: sandbox["engine.sock"], handler: SilentEngine())
        defer { server.stop() }
        let link = try EngineLink(path: sandbox["engine.sock"], name: "test")
        defer { link.close() }
        let id = OperationID(random: 5), start = EngineInstant.now()
        let command = JobCommand(operation: id, job: JobReference(JobID(high: 0, low: 1)), action: kind, reason: "test", by: "test")
        do throws(ClientFailure) {
            _ = try link.operate(command, before: Deadline(after: .seconds(1)))
            Issue.record("nothing was answered")
        } catch {
            #expect(error.status == .unproven)
            #expect(error.message?.hasPrefix("operation \(id) was sent and has no answer") == true, "\(error.message ?? "")")
        }
        #expect(EngineInstant.now() - start < .seconds(5))
    }
}
