// Goal: what a console saw of checkpoints is found again when the engine is gone: by a command, and on the next console's screen. Method: the
// real console on the real engine in tmux, which then is ended.

import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct Remembering {
        let home = TestHome()

        private func remembered() throws -> [RememberedCheckpoint] {
            try home.succeed("checkpoints", "orders", "--history", "--json").record([RememberedCheckpoint].self)
        }

        @Test func `checkpoints outlive their engine`() throws {
            #expect(try remembered().isEmpty, "nothing was seen yet, and no ledger is no mistake")
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            let command = [try #require(Binaries.weir), "console", "--socket", home.socket]
            let console = try TmuxSession(home, command)
            try console.wait(for: "the job") { $0.contains("orders") && $0.contains("RUNNING") }
            let savepoint = try home.succeed("savepoint", "orders", "--wait", "--json").record(OperationReport.self)
            try wait(30, for: "the savepoint on record") { try remembered().contains { $0.report.id == savepoint.checkpoint && $0.fate == .kept } }
            let listed = try home.checkpoints(of: "orders")
            try wait(30, for: "what the engine lists on record") {
                let known = Set(try remembered().map(\.report.id))
                return listed.allSatisfy { known.contains($0.id) }
            }
            try console.killProgram()
            _ = try engine.end()

            let rows = try remembered()
            let row = try #require(rows.first { $0.report.id == savepoint.checkpoint })
            #expect(row.report.path == savepoint.path && row.report.kind == .savepoint && row.jobName == "orders" && row.mayBeRestored)
            #expect(rows.map(\.report.triggeredAt) == rows.map(\.report.triggeredAt).sorted(by: >))
            let table = try home.succeed("checkpoints", "orders", "--history", "--limit", "1").output
            #expect(table.contains("FATE") && table.split(separator: "\n").count == 2)

            try console.restart(command)
            try console.wait(for: "a console without an engine") { $0.contains("contexts 1") }
            try console.type(":history orders")
            try console.press("Enter")
            try console.wait(for: "the row of the savepoint") { $0.contains("history \(rows.count)") && $0.line(with: " save SP done") != nil }
        }
    }
}
