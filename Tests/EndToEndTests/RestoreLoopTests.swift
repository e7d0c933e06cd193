// Goal: the loop that Weir is for, with the keys an operator presses, on the real executable in a real terminal of 80x24. Method: a shell in
// tmux starts the demo; every step waits for what the screen must show.

import Glibc
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct RestoreLoop {
        let home = TestHome()

        @Test func `savepoint, cancel and keep, restart from an older checkpoint, and the proof`() throws {
            let weir = try #require(Binaries.weir)
            let terminal = try TmuxSession(home, ["/bin/bash", "--norc", "--noprofile"], environment: ["PS1": "shell> "])
            try terminal.waitFor("shell>")
            try terminal.type("stty -g > \(home.path)/before; \(weir) demo; echo \"left with $?\"; stty -g > \(home.path)/after; echo done")
            try terminal.press("Enter")

            try openOrders(terminal)
            try terminal.wait(for: "three completed checkpoints") { $0.rows(.completed).count >= 3 }
            try takeSavepoint(terminal)
            try cancelAndKeep(terminal)
            let (chosen, newest) = try chooseOlder(terminal)
            #expect(chosen < newest)
            try restart(terminal, from: chosen)
            try watchProof(terminal, from: chosen)
            try terminal.type("q")
            try compareCounts(terminal, from: chosen)
            try leave(terminal)
        }

        @Test func `a terminal that is closed ends the demo with all it started`() throws {
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "demo"])
            try terminal.wait(for: "both jobs") { $0.contains("orders") && $0.contains("shaky") }
            #expect(home.processes(named: "weir").count == 2)
            try terminal.close()
            try wait(for: "the demo and its engine to end", evidence: { "\(home.processes())" }) { home.processes(named: "weir").isEmpty }
            try wait(for: "its directory to be gone", evidence: { "\(listDirectory(home.temporary))" }) { listDirectory(home.temporary).isEmpty }
        }

        /// From the overview to the job screen of `orders`.
        private func openOrders(_ terminal: TmuxSession) throws {
            try terminal.wait(for: "both jobs on the overview") { $0.contains("orders") && $0.contains("shaky") && $0.contains("RUNNING") }
            try terminal.wait(for: "the cursor on orders") { screen in
                if screen.lines.contains(where: { $0.hasPrefix(">") && $0.contains("orders") }) { return true }
                try terminal.type("j")
                return false
            }
            try terminal.press("Enter")
            try terminal.wait(for: "the job screen of orders") { $0.lines[0].contains("orders") && $0.lines[0].contains("RUNNING") }
        }

        /// In the demo a savepoint needs no sheet. Its row appears, and its path is told.
        private func takeSavepoint(_ terminal: TmuxSession) throws {
            try terminal.act("S")
            try terminal.wait(for: "the row of the savepoint") { $0.rows(.savepoint).count == 1 }
            try terminal.type("6")
            try terminal.wait(for: "the operation on its screen") { $0.contains("savepoint") && $0.contains("observed") }
            try terminal.press("Enter")
            try terminal.wait(for: "the path of the savepoint") { screen in
                screen.contains("[evidence]") && screen.unwrapped.contains("/savepoint-")
            }
            try terminal.type("2")
            try terminal.wait(for: "the job screen") { $0.contains("[3 checkpoints]") }
        }

        private func cancelAndKeep(_ terminal: TmuxSession) throws {
            try terminal.act("C")
            let sheet = try terminal.waitFor("CANCEL, KEEP CHECKPOINTS")
            #expect(sheet.contains("retain on cancellation"))
            #expect(sheet.lines.last.map { !$0.contains("savepoint op") } ?? false, "an old message shows through under the sheet")
            try terminal.accept("CANCEL, KEEP CHECKPOINTS")
            try terminal.wait(for: "the job to be CANCELED") { $0.lines[0].contains("CANCELED") }
            _ = try terminal.waitFor(/#\d+ is kept/, "the newest checkpoint to be read and known to be kept")
        }

        /// Moves to a row below the newest and opens the chooser there. The number of that checkpoint, and of the newest.
        private func chooseOlder(_ terminal: TmuxSession) throws -> (Int, Int) {
            let newest = try #require(try terminal.screen().rows(.completed).first)
            var chosen = 0
            try terminal.wait(for: "the cursor on an older checkpoint") { screen in
                guard let row = screen.cursorRow else { return false }
                chosen = row.id
                if row.id < newest, row.kind == .completed { return true }
                try terminal.type("j")
                return false
            }
            try terminal.act("R")
            try terminal.waitFor("restart from: 1 choose")
            try terminal.wait(for: "the chosen files to be read") { screen in
                screen.lines.contains { $0.contains("ok files") && $0.firstMatch(of: /^>\s+(\d+)\s+ckpt/).map { Int($0.1) } == chosen }
            }
            return (chosen, newest)
        }

        private func restart(_ terminal: TmuxSession, from chosen: Int) throws {
            try terminal.press("Enter")
            try terminal.wait(for: "the cursor on the options") { $0.lines.contains { $0.hasPrefix(">") && $0.contains("claim mode") } }
            try terminal.press("Enter")
            let sheet = try terminal.waitFor("RESTART FROM A CHECKPOINT")
            #expect(sheet.contains("chk-\(chosen)"))
            #expect(sheet.contains("#\(chosen) is not the newest"))
            try terminal.accept("RESTART FROM A CHECKPOINT")
        }

        private func watchProof(_ terminal: TmuxSession, from chosen: Int) throws {
            for (step, name) in [(1, "launched"), (2, "restored id"), (3, "tasks"), (4, "first new ckpt"), (5, "progress")] {
                try terminal.wait(for: "step \(step) to be proven") { $0.contains("[ok] \(step) \(name)") }
            }
            let proof = try terminal.waitFor("RESUMED+DURABLE FROM #\(chosen)")
            #expect(proof.contains("engine reports \(chosen), chosen \(chosen), path matches"))
            let outputs = try #require(proof.line(with: "6 outputs"))
            #expect(outputs.contains("[ok]") && outputs.contains("0 duplicates, 0 lost"))
        }

        /// The engine's own counts of the new job: everything that was read since the chosen checkpoint has been read again, once.
        private func compareCounts(_ terminal: TmuxSession, from chosen: Int) throws {
            let counts = try terminal.wait(60, for: "the replay to be complete") { screen in
                guard let replay = screen.match(/replayed (\S+)\/(\S+)/) else { return false }
                return replay.1 == replay.2 && replay.1 != "0"
            }
            let line = try #require(counts.line(with: "replayed"))
            #expect(line.contains("duplicates 0") && line.contains("lost 0") && line.contains("from #\(chosen)"))
            #expect(counts.lines[0].contains("RUNNING"))
        }

        /// Leaves the console; the terminal is as it was, and nothing is left.
        private func leave(_ terminal: TmuxSession) throws {
            try terminal.wait(for: "the question whether to quit") { screen in
                if screen.contains("quit?") { return true }
                try terminal.type("q")
                return false
            }
            // Here they do not go on.
            #expect(try !terminal.screen().contains("keep running"))
            try terminal.type("y")
            let shell = try terminal.wait(for: "the end of the demo") { $0.lines.contains("done") }
            #expect(shell.contains("left with 0"))
            #expect(try !terminal.isAlternate && terminal.isCursorVisible)
            #expect(readFile(home.path + "/before") == readFile(home.path + "/after") && !readFile(home.path + "/after").isEmpty)
            #expect(home.processes(named: "weir").map(\.command) == [])
            #expect(listDirectory(home.temporary) == [])
        }
    }

    struct UnattendedDemo {
        let home = TestHome()

        @Test func `into a pipe the demo runs the loop by itself and proves it`() throws {
            let result = try home.weir("demo", within: 120)
            #expect(result.exitCode == ExitCode.ok, "\(result.transcript)")
            for step in 1...6 { #expect(result.output.contains("step \(step): "), "\(result.transcript)") }
            for step in 1...6 { #expect(result.output.contains("[ok] \(step) "), "\(result.transcript)") }
            #expect(result.output.contains("VERDICT RESUMED+DURABLE"))
            let counts = try #require(result.output.firstMatch(of: /replayed (\d+) of (\d+) records, (\d+) duplicates, (\d+) lost/), "\(result.transcript)")
            #expect(counts.1 == counts.2 && Int(counts.1) ?? 0 > 0)
            #expect(counts.3 == "0" && counts.4 == "0")
            let controls = (result.output + result.errors).utf8.filter { $0 < 0x20 && $0 != 10 || $0 == 0x7f }
            #expect(controls.isEmpty, "control bytes in the output: \(controls)")
            #expect(home.processes().map(\.command) == [])
            #expect(listDirectory(home.temporary) == [])
        }

        @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func `ended in the middle it leaves nothing behind`(signal: Int32) throws {
            let demo = try home.start(["demo"])
            try wait(for: "the first step", evidence: { demo.transcript }) { demo.output.contains("step 1") }
            demo.signal(signal)
            let end = try demo.finish(within: 30)
            #expect(end == .exited(ExitCode.failed), "\(demo.transcript)")
            #expect(home.processes().map(\.command) == [])
            #expect(listDirectory(home.temporary) == [])
        }

        @Test func `killed in the middle its engine ends by itself`() throws {
            let demo = try home.start(["demo"])
            try wait(for: "the first step", evidence: { demo.transcript }) { demo.output.contains("step 1") }
            demo.signal(SIGKILL)
            _ = demo.end(within: 10)
            try wait(20, for: "the engine to end") { home.processes(named: "weir").isEmpty }
        }
    }
}

// MARK: The screen

extension TmuxSession.Screen {
    enum RowKind { case completed, savepoint, failed }

    /// The numbers of the checkpoints of a kind, as they stand in the list.
    func rows(_ kind: RowKind) -> [Int] { lines.compactMap(Self.row).filter { $0.kind == kind }.map(\.id) }

    /// All characters but blanks: where a long path was wrapped, it is whole here.
    var unwrapped: String { lines.joined().filter { $0 != " " } }

    /// The row with the cursor.
    var cursorRow: (id: Int, kind: RowKind)? { lines.first { $0.hasPrefix(">") }.flatMap(Self.row) }

    private static func row(_ line: String) -> (id: Int, kind: RowKind)? {
        guard let match = line.firstMatch(of: /^[> ]\s*(\d+) (ckpt|save) (ok done|SP done|!! failed)/), let id = Int(match.1) else { return nil }
        return (id, match.2 == "save" ? .savepoint : match.3 == "!! failed" ? .failed : .completed)
    }
}

extension TmuxSession {
    /// Presses a key that acts. Keys that follow others faster than fingers do are refused: then once more, after a while.
    func act(_ key: String) throws {
        try type(key)
        try press(for: "the key \(key) to be taken", { try type(key) }, until: { !($0.lines.last?.contains("too many keys") ?? false) })
    }
}
