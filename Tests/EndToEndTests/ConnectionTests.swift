// Goal: a secure shell that breaks takes the console with it and nothing else: no process stays, none spins, what was under way goes on in
// the engine, and the next console tells what became of it. Method: a real server on the loopback, the real client in tmux, and SIGKILL.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet && Requirement.ssh.isMet, "needs tmux and an ssh server of one's own"))
    struct Connections {
        let home = TestHome()
        private let engine: BackgroundEngine
        private let server: SshServer

        init() throws {
            engine = try BackgroundEngine(home)
            server = try SshServer(home)
        }

        private func console() throws -> [String] { server.command([try #require(Binaries.weir), "console", "--socket", home.socket]) }

        /// The job screen of the only job, over the line.
        private func open(_ job: String) throws -> TmuxSession {
            let terminal = try TmuxSession(home, try console())
            try terminal.wait(for: "\(job) on the overview") { $0.contains(job) && $0.contains("RUNNING") }
            try terminal.press("Enter")
            try terminal.wait(for: "the job screen of \(job)") { $0.lines[0].contains(job) && $0.contains("[3 checkpoints]") }
            return terminal
        }

        private func consoleID() throws -> pid_t {
            try #require(home.processes(named: "weir").first { $0.command.contains(" console ") }?.id, "\(home.processes())")
        }

        /// Seconds that a process has been on a processor, by the kernel's clock of 10 ms; nil = it is gone.
        private func busy(_ id: pid_t) -> Double? {
            let words = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            // Behind "id (name)" come the state and 10 more before utime and stime.
            guard words.count > 12, let user = Double(words[11]), let system = Double(words[12]) else { return nil }
            return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }

        /// Cuts the line, and holds the console to its end: soon, without work, and with nothing left behind.
        private func expectQuietEnd(within seconds: Double, _ cut: () throws -> Void) throws {
            let console = try consoleID()
            let before = busy(console) ?? 0
            var last = before
            let start = monotonicSeconds()
            try cut()
            try wait(20, for: "the console to end", evidence: { "\(home.processes())" }) {
                if let busy = busy(console) { last = busy }
                return !home.processes().contains { $0.id == console }
            }
            let took = monotonicSeconds() - start, worked = last - before
            print("connection cut: the console ended after \(took) s and worked \(worked) s until then")
            #expect(took <= seconds && worked <= 0.3)
            // Not the engine, the server and the terminal of the test.
            let known: Set = [engine.process.id, server.process.id]
            try wait(10, for: "nothing to be left", evidence: { "\(home.processes())" }) {
                server.sessions.isEmpty && home.processes().allSatisfy { known.contains($0.id) || $0.command.contains("tmux") }
            }
        }

        @Test func `a connection killed during a savepoint leaves nothing but the savepoint`() throws {
            try home.succeed("submit", "shaky", "--set", "interval=60s")
            let terminal = try open("shaky")
            try terminal.command("fault slow 4s")
            try terminal.wait(for: "the fault to be taken") { $0.contains("fault op") && $0.contains("observed") }
            try terminal.act("S")
            let id = try terminal.waitFor(/savepoint op (\w+) of shaky: ac/, "the savepoint to be accepted").1
            try expectQuietEnd(within: 3) { try terminal.killProgram() }
            try terminal.restart(try console())
            try terminal.wait(for: "the word that it is re-attached") {
                $0.contains("re-attached to op \(id)") || $0.contains("re-attached: savepoint op \(id)")
            }
            try terminal.waitFor("re-attached: savepoint op \(id) of shaky: observed")
            let path = try #require(
                try home.succeed("operations", "--json").record([OperationReport].self).first { $0.request.id.description.hasPrefix(id) }?.path)
            #expect(access(path + "/_metadata", F_OK) == 0)
        }

        /// The engine is stopped when the restart is sent, so that the line breaks between the request and its answer; and it is the server's
        /// end that is killed.
        @Test func `a connection killed during a restart leaves it to the engine, and the next console proves it`() throws {
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            let terminal = try open("orders")
            try terminal.wait(for: "a completed checkpoint") { !$0.rows(.completed).isEmpty }
            try terminal.act("C")
            try terminal.waitFor("CANCEL, KEEP CHECKPOINTS")
            try terminal.accept("CANCEL, KEEP CHECKPOINTS")
            try terminal.wait(for: "the job to be CANCELED") { $0.lines[0].contains("CANCELED") }
            try terminal.act("R")
            try terminal.wait(for: "its files to be read") { screen in screen.lines.contains { $0.hasPrefix(">") && $0.contains("ok files") } }
            try terminal.press("Enter")
            try terminal.wait(for: "the options") { $0.lines.contains { $0.hasPrefix(">") && $0.contains("claim mode") } }
            try terminal.press("Enter")
            try terminal.waitFor("RESTART FROM A CHECKPOINT")
            engine.process.signal(SIGSTOP)
            try terminal.accept("RESTART FROM A CHECKPOINT")
            let id = try terminal.waitFor(/restart op (\w+) of orders: sent/, "the restart to be sent").1
            // A console that waits for an answer gives it two seconds.
            try expectQuietEnd(within: 5) {
                for process in server.sessions { kill(process, SIGKILL) }
            }
            engine.process.signal(SIGCONT)
            try terminal.restart(try console())
            try terminal.wait(for: "the word that it is re-attached") { $0.contains("re-attached to op \(id)") || $0.contains("re-attached: restart op \(id)") }
            try terminal.type("6")
            try terminal.wait(for: "its row, proven") { screen in screen.lines.contains { $0.contains(id) && $0.contains("restart") && $0.contains("proven") } }
            let job = try home.waitForJob("orders", "running from its checkpoint") { $0.state == .running && $0.restored?.chosen == true }
            #expect(job.restored?.fromJob != job.id)
        }

        /// No signal and no end of file: a packet filter that drops everything looks like this.
        @Test func `a line that takes nothing more does not make the console work, and shows the present when it does again`() throws {
            try home.succeed("submit", "orders", "--set", "interval=500ms")
            let terminal = try open("orders")
            let console = try consoleID()
            let client = try terminal.processID
            kill(client, SIGSTOP)
            let before = busy(console) ?? 0, start = monotonicSeconds()
            try home.succeed("cancel", "orders", "--keep", "--wait")
            while monotonicSeconds() < start + 4 { breathe() }
            let share = ((busy(console) ?? .infinity) - before) / (monotonicSeconds() - start)
            print("stalled line: the console worked \(share * 100) % of a core")
            #expect(share <= 0.1)
            kill(client, SIGCONT)
            try terminal.wait(for: "the present") { $0.lines[0].contains("CANCELED") && $0.contains("[3 checkpoints]") }
            try terminal.type("?")
            try terminal.waitFor("ACT (")
        }
    }
}
