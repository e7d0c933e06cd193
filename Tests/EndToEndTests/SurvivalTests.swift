// Goal: neither a console that dies nor an engine that hangs or dies loses what was under way, and the console says how old its numbers are.
// Method: the real console in tmux, the real engine, kill -9 and SIGSTOP.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct Survival {
        let home = TestHome()

        private func console() throws -> [String] { [try #require(Binaries.weir), "console", "--socket", home.socket] }

        /// The job screen of the only job.
        private func open(_ terminal: TmuxSession, _ job: String) throws {
            try terminal.wait(for: "\(job) on the overview") { $0.contains(job) && $0.contains("RUNNING") }
            try terminal.press("Enter")
            try terminal.wait(for: "the job screen of \(job)") { $0.lines[0].contains(job) && $0.contains("[3 checkpoints]") }
        }

        @Test(.enabled(if: Requirement.sqlite.isMet, "needs sqlite3"))
        func `a console killed during a savepoint is re-attached to it by the next one`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "shaky", "--set", "interval=60s")
            let terminal = try TmuxSession(home, try console(), environment: [:])
            try open(terminal, "shaky")
            try terminal.command("fault slow 3s")
            try terminal.wait(for: "the fault to be taken") { $0.contains("fault op") && $0.contains("observed") }
            // A key right behind typed text counts as pasted.
            try terminal.press(for: "the savepoint to be sent", { try terminal.type("S") }, until: { $0.contains("savepoint op") })
            let id = try terminal.waitFor(/savepoint op (\w+) of shaky: ac/, "the savepoint to be accepted").1
            let operations = try home.succeed("operations", "--json").record([OperationReport].self)
            let savepoint = try #require(operations.first { $0.request.id.description.hasPrefix(id) }?.request.id)
            try terminal.killProgram()

            try terminal.restart(try console())
            try terminal.wait(for: "the word that it is re-attached") {
                $0.contains("re-attached to op \(id)") || $0.contains("re-attached: savepoint op \(id)")
            }
            try terminal.waitFor("re-attached: savepoint op \(id) of shaky: observed")
            let path = try #require(try home.succeed("operations", "--json").record([OperationReport].self).first { $0.request.id == savepoint }?.path)
            #expect(access(path + "/_metadata", F_OK) == 0)
            try terminal.type("6")
            try terminal.wait(for: "its row") { screen in screen.lines.contains { $0.contains(id) && $0.contains("savepoint") && $0.contains("observed") } }
            try wait(for: "its outcome in the ledger", evidence: { ledger() }) {
                let rows = ledger()
                return rows.contains(savepoint.description) && rows.contains(path)
            }
            withExtendedLifetime(engine) {}
        }

        /// Everything that the ledger holds, as text.
        private func ledger() -> String {
            let dump = ChildProcess(Binaries.sqlite ?? "", ["-readonly", home.ledger, ".dump"], environment: home.environment())
            _ = dump.end(within: 20)
            return (try? dump.finish(within: 5)) == .exited(0) ? dump.output : dump.transcript
        }

        @Test func `a hanging engine shows as old numbers, and the console stays quick`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders")
            let terminal = try TmuxSession(home, try console())
            try open(terminal, "orders")
            engine.process.signal(SIGSTOP)
            let age = try terminal.waitFor(/~~ age (\d+)s/, "the age of old numbers").1
            #expect(Int(age) ?? 0 >= 2)
            try terminal.wait(for: "the word that the engine does not answer") { $0.lines[1].contains("engine does not answer") }
            try terminal.type("?")
            try terminal.waitFor("ACT (")
            try terminal.type("q")
            try terminal.waitFor("[3 checkpoints")
            engine.process.signal(SIGCONT)
            try terminal.wait(for: "fresh numbers") { $0.match(/\ age [01]s/) != nil && !$0.contains("~~") }
        }

        @Test func `a killed engine shows as down, is tried again, and is found again`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            let terminal = try TmuxSession(home, try console())
            try open(terminal, "orders")
            try terminal.wait(for: "a completed checkpoint") { !$0.rows(.completed).isEmpty }
            try engine.killNow()
            try terminal.wait(for: "the word that it is down") { $0.lines[0].contains("down") && $0.lines[1].contains("no link") }
            _ = try terminal.waitFor(/retry in .+ \((\d+)(st|nd|rd|th) try\)/, "a retry")
            try terminal.wait(for: "the actions to be locked") { screen in
                try terminal.type("S")
                return screen.contains("no link")
            }
            // What was there stays, marked as old.
            #expect(try !terminal.screen().rows(.completed).isEmpty)
            try engine.startAgain()
            try terminal.waitFor("engine came back as pid")
            try terminal.wait(for: "the job to go on") { $0.lines[0].contains("RUNNING") && !$0.contains("~~") && $0.contains("from #") }
        }

        @Test func `an engine killed during a savepoint says what became of it`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "shaky", "--set", "interval=60s")
            try home.succeed("fault", "shaky", "slow 10s", "--wait")
            let accepted = try home.succeed("savepoint", "shaky", "--json").record(OperationReport.self)
            try engine.killNow()
            try engine.startAgain()
            let after = try #require(try home.succeed("operations", "--json").record([OperationReport].self).first { $0.request.id == accepted.request.id })
            #expect(after.state == .failed)
            #expect(after.error?.contains("ask again") ?? false, "\(after)")
        }
    }

    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct FailureBudgetOnScreen {
        let home = TestHome()

        /// Three failures in a row are tolerated; the fourth fails the job over, and the screen says so at every step.
        @Test func `the failure budget fills up, is reset, and runs out`() throws {
            let engine = try BackgroundEngine(home)
            defer { withExtendedLifetime(engine) {} }
            try home.succeed("submit", "shaky", "--set", "interval=1s")
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket])
            try terminal.wait(for: "shaky on the overview") { $0.contains("shaky") && $0.contains("RUNNING") }
            try terminal.press("Enter")
            try terminal.waitFor("counted 0/3")
            try terminal.command("fault fail 2")
            try terminal.waitFor("counted 1/3")
            let two = try terminal.waitFor("counted 2/3")
            #expect(two.contains("exact"))
            try terminal.waitFor("counted 0/3")
            #expect(try terminal.screen().rows(.failed).count == 2)
            // The fourth of three tolerated.
            try terminal.command("fault fail 4")
            try terminal.waitFor("counted 3/3")
            try terminal.wait(for: "the job to be failed over") { $0.lines[0].contains("RESTARTING") || $0.contains("restarts 1") }
            try terminal.wait(for: "the job to run again") { $0.lines[0].contains("RUNNING") && $0.contains("restarts 1") && $0.contains("counted 0/3") }
            try terminal.type("5")
            try terminal.wait(for: "the cause") { screen in screen.contains("[5 failures]") && screen.lines.joined().contains("tolerable") }
            let job = try home.job("shaky")
            #expect(job.restarts == 1 && job.budget.cumulative == 6)
        }
    }
}
