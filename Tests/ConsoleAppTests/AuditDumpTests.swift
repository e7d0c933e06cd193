// Goal: what operators did can be had without a terminal and without an engine. Method: the binary on a ledger that the test wrote.

import ControlSocket
import Foundation
import Glibc
import Ledger
import StreamModel
import TestKit
import Testing

@testable import ConsoleApp

@Suite(.enabled(if: weirBinary != nil, "no weir binary beside the tests"))
struct AuditDumpTests {
    let home = ConsoleHome()

    private func dump(_ format: String) throws -> (ending: PtyProcess.End?, text: String) {
        let process = PtyProcess(
            weirBinary ?? "/nonexistent", ["dump", "audit", "--socket", home.socket, "--format", format, "--size", "120x30", "--timeout", "5s"],
            environment: home.environment(), columns: 200, rows: 40)
        let ending = process.waitForEnd(20)
        return (ending, String(decoding: process.output.filter { $0 != 13 }, as: UTF8.self))
    }

    private func record() throws {
        let ledger = try Ledger.open(path: home.ledger)
        var options = RestartOptions()
        options.recipe = JarRecipe(jar: .uploaded("x_orders.jar"), arguments: ["--password", "hunter2"])
        let kinds: [(String, OperationRequest.Kind)] = [("a1", .savepoint(directory: nil)), ("b2", .launch(options)), ("c3", .dispose(path: "/sp/1"))]
        for (index, (id, kind)) in kinds.enumerated() {
            let request = OperationRequest(id: try #require(OperationID(id)), kind: kind, job: StubEngine.job().id, reason: "INC-7, \(id)", by: "mira@ops2")
            try ledger.recordIntent(request, context: "local", address: home.socket, at: WallTime(milliseconds: 1_000_000 + Int64(index)))
        }
        try ledger.recordRefusal(try #require(OperationID("c3")), message: "it is in use", at: WallTime(milliseconds: 2_000_000))
    }

    @Test func `a restart that was proven is called so when its engine is gone`() throws {
        let ledger = try Ledger.open(path: home.ledger)
        let request = OperationRequest(
            id: try #require(OperationID("r1")), kind: .restart(RestartOptions(path: "/c/chk-7")), job: StubEngine.job().id, by: "mira@ops2")
        try ledger.recordIntent(request, context: "local", address: home.socket, at: WallTime(milliseconds: 1_000_000))
        try ledger.recordOutcome(
            OperationReport(
                request: request, jobName: "orders", state: .completed, acceptedAt: WallTime(milliseconds: 1_000_000), path: "/c/chk-7",
                newJob: JobID(high: 7, low: 7)))
        #expect(try dump("txt").text.contains("completed"))
        try ledger.recordVerdict(.resumedDurable, of: request.id)
        let text = try dump("txt").text
        #expect(text.contains("proven") && text.contains("/c/chk-7"), "\(text)")
    }

    @Test func `without an engine the record is printed in every format`() throws {
        try record()
        let text = try dump("txt")
        #expect(text.ending == .exited(0), "\(text)")
        for part in ["[! audit]", "savepoint", "launch", "dispose", "mira@ops2", "INC-7, c3", "refused"] {
            #expect(text.text.contains(part), "\(part): \(text.text)")
        }

        struct Record: Decodable {
            struct Action: Decodable { var operation: OperationID, verb: String, jobName: String, by: String, reason: String, outcome: String, result: String }
            var screen: String
            var audit: [Action]?
        }
        let json = try dump("json")
        #expect(json.ending == .exited(0) && !json.text.contains("hunter2"))
        let found = try JSONDecoder().decode(Record.self, from: Data(json.text.utf8))
        #expect(found.screen == "audit" && found.audit?.map(\.verb) == ["dispose", "launch", "savepoint"])
        #expect(found.audit?.first?.outcome == "refused" && found.audit?.first?.result == "it is in use" && found.audit?.first?.reason == "INC-7, c3")

        let csv = try dump("csv")
        let lines = csv.text.split(separator: "\n")
        #expect(lines.first == "at_ms,ended_at_ms,operation,verb,job,job_id,context,by,reason,outcome,result" && lines.count == 4, "\(csv.text)")
        #expect(
            lines.dropFirst().first == "1000002,2000000,c3,dispose,,\(StubEngine.job().id),local,mira@ops2,\"INC-7, c3\",refused,it is in use", "\(csv.text)")
    }

    @Test func `what engines report stands among it, and names its job`() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        try record()
        let request = OperationRequest(id: try #require(OperationID("e5")), kind: .checkpoint, job: StubEngine.job().id, by: "ann@ops1")
        stub.know(OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: WallTime(milliseconds: 3_000_000)))
        let csv = try dump("csv")
        #expect(csv.ending == .exited(0) && csv.text.contains(",e5,checkpoint,orders,") && csv.text.contains(",c3,dispose,orders,"), "\(csv.text)")
    }

    @Test func `looking makes no ledger, and a broken one is told`() throws {
        let none = try dump("csv")
        #expect(none.ending == .exited(0) && none.text.split(separator: "\n").count == 1, "\(none.text)")
        #expect(access(home.ledger, F_OK) != 0)
        mkdir(home.path + "/state/weir", 0o700)
        writeFile(home.ledger, String(repeating: "garbage ", count: 1000))
        let broken = try dump("csv")
        #expect(broken.ending == .exited(5) && broken.text.contains("the record of actions cannot be read: ledger: "), "\(broken.text)")
    }
}
