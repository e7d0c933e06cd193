// Goal: after a day of work on a job every screen and every command tells the same story: what was done, what came of it, why each run ended, and
// what there is to go back to. Method: the day's operations on the real engine, killed twice, in seconds; checkpoints come on request alone, so
// that the day is always the same. One console has watched all of it, the other opens at its end.

import ControlProtocol
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct LongDay {
        let home = TestHome()

        /// An operation as somebody tells it.
        private struct Told: Equatable, CustomStringConvertible {
            var what, job, stage: String
            var description: String { "\(what) of \(job): \(stage)" }

            init(_ report: OperationReport) { (what, job, stage) = (report.request.kind.title, report.jobName, report.stage) }

            init(_ entry: AuditEntry) { (what, job, stage) = (entry.title ?? "\(entry.verb)", entry.jobName, entry.stage ?? "\(entry.state)") }

            /// A row of a screen. What the engine calls completed and the console saw, too, is observed there.
            init?(_ line: String) {
                guard let row = line.firstMatch(of: /^[> ]\s*\d\d:\d\d:\d\d\s+(?:[0-9a-f]{4}\s+)?\S+@\S+\s+(\S+)\s+local\/(\S+)\s+(\S+)/) else { return nil }
                (what, job, stage) = (String(row.1), String(row.2), row.3 == "observed" ? "completed" : String(row.3))
            }
        }

        // MARK: The day

        private func operations() throws -> [OperationReport] { try home.succeed("operations", "--json").record([OperationReport].self) }

        private func waitUntilRunning(_ job: JobID, restored: CheckpointID?) throws {
            try wait(30, for: "job \(job.short) to run", evidence: { "\(String(describing: try? home.jobs()))" }) {
                guard let report = try home.jobs().first(where: { $0.id == job }), report.state == .running else { return false }
                return report.runningSubtasks == report.totalSubtasks && report.restored?.checkpoint == restored
            }
        }

        private func submit(_ program: String) throws -> JobID {
            try home.succeed("submit", program, "--set", "interval=1h")
            let job = try home.job(program).id
            try waitUntilRunning(job, restored: nil)
            return job
        }

        private func checkpoint(_ job: JobID) throws { try home.succeed("checkpoint", "\(job)", "--wait") }

        /// Restarts, and waits for the proof, to which a checkpoint belongs.
        private func restart(_ arguments: String..., from checkpoint: CheckpointID) throws -> JobID {
            let accepted = try home.weir(["restart", "orders", "--json"] + arguments).record(OperationReport.self)
            func now() throws -> OperationReport? { try operations().first { $0.request.id == accepted.request.id } }
            let new = try wait(30, for: "the new job") { try now()?.newJob }
            try waitUntilRunning(new, restored: checkpoint)
            try self.checkpoint(new)
            try wait(30, for: "the proof") { try now()?.verdict?.isProven == true }
            return new
        }

        private func kill(_ engine: BackgroundEngine, _ job: JobID, comesBackFrom checkpoint: CheckpointID) throws {
            try engine.killNow()
            try engine.startAgain()
            try waitUntilRunning(job, restored: checkpoint)
        }

        /// Returns the run that lives at the end of the day.
        private func live(through engine: BackgroundEngine, _ first: JobID) throws -> JobID {
            let second = try restart("--cancel-first", "--reason", "INC-1", from: CheckpointID(1))
            try kill(engine, second, comesBackFrom: CheckpointID(2))
            try home.succeed("savepoint", "orders", "--wait")
            let third = try restart("--cancel-first", "--parallelism", "3", "--from", "savepoint", "--reason", "upgrade", from: CheckpointID(3))
            try home.succeed("stop", "\(third)", "--wait")
            let fourth = try restart(from: CheckpointID(5))
            try kill(engine, fourth, comesBackFrom: CheckpointID(6))
            let other = try submit("shaky")
            for _ in 1...2 { try checkpoint(other) }
            try home.succeed("cancel", "\(other)", "--discard", "--wait")
            return fourth
        }

        private func console() throws -> TmuxSession {
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket], columns: 160, rows: 50)
            try terminal.wait(for: "the job") { $0.contains("orders") && $0.contains("RUNNING") }
            return terminal
        }

        @Test func `all screens and commands tell the same day`() throws {
            let engine = try BackgroundEngine(home)
            let first = try submit("orders")
            try checkpoint(first)
            let watching = try console()
            let last = try live(through: engine, first)
            try expectTheSameOfCommands()
            let late = try console()
            for terminal in [watching, late] {
                try expectTheSameOperations(terminal)
                try expectReasons(terminal, last)
                try expectOrigins(terminal, last)
            }
            withExtendedLifetime(engine) {}
        }

        // MARK: The story

        private func expectTheSameOfCommands() throws {
            let operations = try operations()
            #expect(operations.allSatisfy { $0.state == .completed && $0.endedAt != nil }, "\(operations)")
            let restarts = operations.filter { $0.request.kind.verb == "restart" }
            #expect(restarts.count == 3 && restarts.allSatisfy { $0.stage == "proven" }, "\(restarts)")
            let audit = try home.succeed("audit", "--json").record([AuditEntry].self)
            let acts = audit.filter { $0.verb != .submit }
            #expect(acts.map(Told.init) == operations.map(Told.init) && acts.map(\.operation) == operations.map(\.request.id))
            #expect(acts.map(\.outcome) == operations.map(\.result), "what came of it")
            #expect(audit.count { $0.verb == .submit } == 2)
            // The tables have the words of the records.
            let tables = try [home.succeed("operations").output, home.succeed("audit").output]
            for operation in operations {
                for table in tables {
                    let row = table.split(separator: "\n").first { $0.contains(operation.request.id.description) }
                    #expect(row?.contains(operation.stage) == true && row?.contains(operation.result ?? "-") == true, "\(operation): \(row ?? "no row")")
                }
            }
        }

        private func expectTheSameOperations(_ terminal: TmuxSession) throws {
            let operations = try operations()
            for key in ["6", "!"] {
                try terminal.type(key)
                let screen = try terminal.wait(for: "all operations on screen \(key)") { screen in
                    screen.lines.compactMap(Told.init).map(\.stage) == operations.map(\.stage)
                }
                #expect(screen.lines.compactMap(Told.init) == operations.map(Told.init), "\(terminal.dump)")
                if key == "6" { expectResults(screen, operations) }
                try terminal.press("Escape")
            }
        }

        /// A long path goes on in the lines below where there is room, and is cut in the middle where there is none.
        private func expectResults(_ screen: TmuxSession.Screen, _ operations: [OperationReport]) {
            for operation in operations {
                let end = operation.deletedCheckpoints != nil ? operation.result : operation.path?.split(separator: "/").last.map(String.init)
                let start = screen.lines.firstIndex { $0.firstMatch(of: /\s([0-9a-f]{4})\s/)?.1 ?? "" == operation.request.id.short }
                let rest =
                    start.map { screen.lines[($0 + 1)...].prefix { $0.hasPrefix("          ") && !$0.allSatisfy { character in character == " " } } } ?? []
                let row = ([start.map { screen.lines[$0] } ?? ""] + rest).map { $0.drop { $0 == " " } }.joined()
                #expect(row.contains(end ?? "?"), "\(operation.request.kind.title): \(row)")
            }
        }

        /// Why each run has ended: in the Overview, and in the operations that ended it.
        private func expectReasons(_ terminal: TmuxSession, _ last: JobID) throws {
            try terminal.type("1")
            let screen = try terminal.waitFor("[1 overview]")
            let status = try home.succeed("status", "--json").record(EngineReport.self), operations = try operations()
            for job in status.jobs {
                let row = try #require(screen.lines.first { $0.contains(job.name) && ($0.contains(job.id.description.prefix(4)) || job.name == "shaky") })
                #expect(row.contains(job.state.rawValue), "\(row)")
                if job.id == last { continue }
                let acts = operations.filter { $0.request.job == job.id && $0.acceptedAt <= job.stateSince }
                let act = try #require(acts.first { ["cancel", "stop", "restart"].contains($0.request.kind.verb) })
                let reason =
                    switch act.request.kind {
                    case .stop: "stopped with savepoint #\(try #require(act.checkpoint)) by \(act.request.by)"
                    case .cancel: "CANCELED by \(act.request.by): \(try #require(act.result))"
                    default: "CANCELED for restart \(act.request.id.short) by \(act.request.by): checkpoints are kept"
                    }
                #expect(row.contains(reason), "\(reason): \(row)")
            }
        }

        /// The record of the consoles learns within seconds what the end of a run has deleted.
        private func waitUntilForgotten(_ kept: [CheckpointID]) throws {
            try wait(20, for: "the record to know what is gone") {
                let remembered = try home.succeed("checkpoints", "orders", "--history", "--json").record([RememberedCheckpoint].self)
                return Set(remembered.filter(\.mayBeRestored).map(\.report.id)).isSubset(of: kept)
            }
        }

        /// What the live run came from, and what a restart can begin from: on the Job screen, in the chooser, and in the commands.
        private func expectOrigins(_ terminal: TmuxSession, _ last: JobID) throws {
            let job = try #require(try home.jobs().first { $0.id == last })
            #expect(job.restored?.checkpoint == CheckpointID(6) && job.parallelism == 3)
            try terminal.press("Enter")
            let screen = try terminal.wait(for: "the Job screen") { $0.lines[0].contains("orders") && $0.contains("[3 checkpoints") }
            #expect(screen.contains("from #6") && screen.lines[0].contains("p=3/"), "\(terminal.dump)")
            struct Row: Decodable {
                var id: CheckpointID
                var run: Int
                var path: String?
                var discarded: Bool
            }
            let rows = try home.succeed("checkpoints", "orders", "--json").record([Row].self)
            let own = screen.lines.compactMap { $0.firstMatch(of: /[│>|]\s+(\d+) (?:ckpt|save)\b/)?.1 }.compactMap { UInt64($0) }
            #expect(own.map { CheckpointID($0) } == rows.filter { $0.run == 0 }.map(\.id), "\(terminal.dump)")
            try waitUntilForgotten(rows.map(\.id))
            try terminal.type("R")
            let chooser = try terminal.wait(for: "the chooser") { $0.contains("restart from: 1 choose") && $0.contains("* in the ledger only") }
            let offered = chooser.lines.compactMap { $0.firstMatch(of: /^[> ]\s+(\d+)(\*?)\s+(?:ckpt|save)\s.*\/(\S+)$/) }
            let restorable = rows.filter { !$0.discarded }
            for row in restorable {
                let line = offered.first { CheckpointID(UInt64($0.1) ?? 0) == row.id }
                #expect(line.map { String($0.3) } == row.path?.split(separator: "/").last.map(String.init), "#\(row.id): \(terminal.dump)")
            }
            #expect(offered.count == restorable.count, "what the engine has deleted is not offered: \(terminal.dump)")
            try terminal.press("Escape")
            try terminal.wait(for: "the Job screen again") { !$0.contains("restart from: 1 choose") }
            try terminal.type("1")
        }
    }
}
