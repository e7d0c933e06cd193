// Goal: an operator who has never seen the job finds on the Job screen, in words, what is wrong with it. Method: the four incidents of
// `weir demo` on the real engine, in tmux at 80x24.

import Foundation
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite struct Incidents {
        let home = TestHome()

        @Test(arguments: [
            ("slow-storage", ["STORAGE slow?", "of it writing"]), ("hot-key", ["HOT KEY? count -> sink sub", "of the records"]),
            ("stalled-source", ["SOURCE sensors has read nothing for", "without back pressure"]),
            ("crash-loop", ["CRASH LOOP", "sensors sub", "injected fault"]),
        ])
        func `an incident is told on the Job screen`(name: String, words: [String]) throws {
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "demo", "--incident", name])
            try terminal.waitFor("shaky")
            try terminal.press("Enter")
            try terminal.wait(60, for: "the words of \(name)") { screen in
                // All in the row of the condition, below the title.
                screen.lines.count > 2 && screen.lines[0].contains("shaky") && words.allSatisfy { screen.lines[1].contains($0) }
            }
            // And it stays: who looks later sees it too, even when something worse has taken the row of the condition.
            try expectSteady(terminal) { screen in words.allSatisfy { screen.contains($0) } }
        }

        @Test(arguments: [
            ("slow-storage", ["CKPT slow: #", "; the interval is 2s"], "3 checkpoints show where the time goes"),
            ("hot-key", ["HOT KEY? count -> sink sub", "of the records"], "probably one key, which cannot be split: change the key"),
            ("stalled-source", ["SOURCE sensors has read nothing for"], "look upstream of sensors"),
            ("crash-loop", ["CRASH LOOP", "sensors sub", "injected fault"], "5 failures"),
        ])
        func `an incident is told on the Overview with no key pressed`(name: String, words: [String], next: String) throws {
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "demo", "--incident", name])
            try terminal.waitFor("shaky")
            func isTold(_ screen: TmuxSession.Screen) -> Bool {
                screen.contains("[1 overview]") && screen.lines.contains { line in line.hasPrefix(" now   ") && words.allSatisfy(line.contains) }
                    && screen.lines.contains { $0.hasPrefix(" next  ") && $0.contains(next) }
            }
            try terminal.wait(60, for: "the words of \(name)") { isTold($0) }
            // A crash loop does not come and go with the attempts.
            try expectSteady(terminal, isTold)
        }

        // Its poisonous reading comes again and again, until the newest checkpoint is too near to it for another.
        @Test func `a job that kills its engine is kept down, and the Overview says what to press`() throws {
            let engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=200ms")
            try home.succeed("submit", "shaky", "--name", "poison", "--set", "interval=1s", "--set", "rate=500", "--set", "kill-at=700")
            try wait(20, for: "the end of the engine") { engine.process.end(within: 0) != nil }
            try start(engine) { try home.job("poison").state == .failed }
            let newest = try #require(try home.job("poison").latestCompleted).id
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "console", "--socket", home.socket], columns: 120, rows: 40)
            try terminal.wait(for: "cause and next step") { screen in
                screen.lines.contains { $0.hasPrefix(" now   FAILED the engine died 3 times in a row") }
                    && screen.lines.contains { $0.hasPrefix(" next  R restart from #\(newest)") }
            }
            #expect(try terminal.screen().lines.contains { $0.contains("orders") && $0.contains("RUNNING") }, "\(terminal.dump)")
        }

        /// Starts it again whenever it has died, until it is as wanted.
        private func start(_ engine: BackgroundEngine, until isAsWanted: () throws -> Bool) throws {
            for _ in 1...8 {
                try engine.startAgain()
                while engine.process.end(within: 0) == nil {
                    do { if try isAsWanted() { return } } catch is Broken {
                        // It died under the question.
                    }
                }
            }
            throw Broken("the engine dies again and again")
        }

        /// Looks for five seconds. Nine looks in ten have the words; the first screen without them is part of the failure.
        private func expectSteady(_ terminal: TmuxSession, _ isTold: (TmuxSession.Screen) -> Bool) throws {
            var looks = 0, seen = 0, without: TmuxSession.Screen?
            let end = Date.now.addingTimeInterval(5)
            while Date.now < end {
                let screen = try terminal.screen()
                looks += 1
                if isTold(screen) { seen += 1 } else if without == nil { without = screen }
            }
            #expect(seen * 10 >= looks * 9, "seen in \(seen) of \(looks) looks; first without: \(without?.lines.joined(separator: "\n") ?? "none")")
        }

        @Test func `an unknown incident is one clear sentence`() throws {
            let result = try home.weir("demo", "--incident", "meteor")
            #expect(result.exitCode == ExitCode.usage && result.errors.contains("slow-storage"), "\(result.transcript)")
            let unattended = try home.weir("demo", "--script")
            #expect(unattended.exitCode == ExitCode.usage && unattended.errors.contains("need a terminal"), "\(unattended.transcript)")
        }
    }

    @Suite struct ScriptedDemo {
        let home = TestHome()

        @Test func `the script plays the restore loop by itself and leaves a recording`() throws {
            let cast = home.path + "/demo.cast"
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "demo", "--script", "--speed", "8", "--record", cast])
            var captions: [String] = []
            try terminal.wait(120, for: "the end of the script") { screen in
                if let line = screen.lines.first(where: { $0.contains(" DEMO  ") }), captions.last != line { captions.append(line) }
                return screen.contains("The keys are yours; q leaves")
            }
            for words in ["S: a savepoint", "storage gets slow", "C cancels", "an older checkpoint, on purpose", "The proof"] {
                #expect(captions.contains { $0.contains(words) }, "\(words) is missing in \(captions)")
            }
            // Keys are shown as they are pressed.
            #expect(captions.contains { $0.hasSuffix(" S") } && captions.contains { $0.hasSuffix(" C") })
            let end = try terminal.screen()
            let audit = try #require(end.match(/duplicates (\d+)  lost (\d+)  replayed (\S+)\/(\S+)/), "\(terminal.dump)")
            #expect(audit.1 == "0" && audit.2 == "0" && audit.3 == audit.4 && audit.3 != "0")
            #expect(end.lines[0].contains("orders") && end.lines[0].contains("RUNNING"))
            try terminal.type("q")
            try terminal.type("q")
            try terminal.waitFor("quit?")
            try terminal.type("y")
            try wait(20, for: "the end of the demo") { home.processes(named: "weir").isEmpty }
            #expect(String(decoding: readFile(cast), as: UTF8.self).contains("RESUMED+DURABLE"))
        }

        @Test func `the presenter takes over with a key and gives back`() throws {
            let terminal = try TmuxSession(home, [try #require(Binaries.weir), "demo", "--script", "--speed", "4"])
            try terminal.waitFor(" DEMO  ")
            try terminal.press("Escape")
            try terminal.waitFor("The keys are yours; `:demo next` continues")
            // Nothing is pressed meanwhile: the presenter's own keys work.
            try terminal.press("6")
            try terminal.waitFor("[6 operations]")
            try terminal.type("1")
            try terminal.command("demo next")
            try terminal.waitFor("Enter opens a job")
            try terminal.wait(for: "the job that the script opens") { $0.lines[0].contains("orders") && $0.contains("TASKS") }
        }
    }

    @Suite struct DoctorCommand {
        let home = TestHome()

        @Test func `it finds a running engine, and says what to do without one`() throws {
            let alone = try home.weir("doctor")
            #expect(alone.exitCode == ExitCode.ok && alone.output.contains("warn engine local") && alone.output.contains("weir engine"), "\(alone.transcript)")
            let engine = try BackgroundEngine(home, ["--name", "doctored"])
            defer { withExtendedLifetime(engine) {} }
            let found = try home.weir("doctor", "--socket", home.socket)
            #expect(found.exitCode == ExitCode.ok, "\(found.transcript)")
            #expect(found.output.contains("ok   socket given") && found.output.contains("doctored"), "\(found.transcript)")
            #expect(found.output.split(separator: "\n").allSatisfy { $0.hasPrefix("ok ") || $0.hasPrefix("warn ") || $0.hasPrefix("fail ") })
        }

        @Test func `a dead Flink and a bad file fail, with one line each`() throws {
            home.write(home.configuration, "colour = 3\n")
            let result = try home.weir("doctor", "--flink", "http://127.0.0.1:9", "--json")
            #expect(result.exitCode == ExitCode.failed, "\(result.transcript)")
            struct Record: Decodable {
                struct Finding: Decodable {
                    var subject: String
                    var verdict: String
                    var found: String
                    var advice: String?
                }
                var schema: Int
                var findings: [Finding]
            }
            let record = try result.record(Record.self)
            let failed = record.findings.filter { $0.verdict == "fail" }
            #expect(failed.map(\.subject) == ["config", "flink"] && failed.allSatisfy { $0.advice != nil && !$0.found.contains("\n") })
            #expect(failed[0].found.contains("config.toml:1"))
        }
    }
}
