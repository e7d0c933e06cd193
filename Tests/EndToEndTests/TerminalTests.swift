// Goal: the console behaves on the terminals that people have: it survives resizing, job control, terminals without colour or UTF-8, and
// takes the theme it is told. Method: the real console on the real engine in tmux, which is the judge of what is on the screen.

import Glibc
import StreamModel
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.tmux.isMet, "needs tmux"))
    struct Terminals {
        let home = TestHome()
        private let engine: BackgroundEngine

        init() throws {
            engine = try BackgroundEngine(home)
            try home.succeed("submit", "orders", "--set", "interval=500ms")
        }

        private func console(_ options: [String] = [], environment: [String: String?] = [:], columns: Int = 80, rows: Int = 24) throws -> TmuxSession {
            let terminal = try TmuxSession(
                home, [try #require(Binaries.weir), "console", "--socket", home.socket] + options, environment: environment, columns: columns, rows: rows)
            try terminal.wait(for: "the job") { $0.contains("orders") && $0.contains("RUNNING") }
            return terminal
        }

        @Test func `a storm of resizes ends in a whole frame`() throws {
            let terminal = try console()
            try terminal.press("Enter")
            try terminal.waitFor("[3 checkpoints")
            let seed = SeededGenerator.chosenSeed()
            print("resize storm: seed \(seed) (WEIR_SEED)")
            var generator = SeededGenerator(seed: seed)
            for _ in 0..<100 {
                try terminal.resize(columns: .random(in: 2...180, using: &generator), rows: .random(in: 1...60, using: &generator))
            }
            for (columns, rows) in [(80, 24), (120, 40), (100, 30), (80, 24)] {
                try terminal.resize(columns: columns, rows: rows)
                try terminal.wait(for: "a whole frame of \(columns)x\(rows)") { screen in
                    screen.lines.count == rows && screen.lines[0].contains("orders") && screen.contains("3 checkpoints")
                        && screen.lines[rows - 3].contains("S savepoint") && screen.lines[rows - 2].contains("? help")
                }
            }
        }

        @Test func `40x6 shows the vitals and refuses to act`() throws {
            let terminal = try console(columns: 40, rows: 6)
            try terminal.press("Enter")
            try terminal.wait(for: "the vitals") {
                $0.lines[0].contains("orders RUNNING") && $0.contains("need 60x15") && $0.contains("no actions at this size")
            }
            try terminal.type("C")
            try terminal.press("Escape")
            try terminal.wait(for: "the vitals still") { $0.contains("no actions at this size") && !$0.contains("CANCEL,") }
            #expect(try home.succeed("operations", "--json").output.contains("[]"))
        }

        @Test func `Ctrl-Z gives the shell its terminal back, and fg the console`() throws {
            let weir = try #require(Binaries.weir)
            let terminal = try TmuxSession(home, ["/bin/bash", "--norc", "--noprofile"], environment: ["PS1": "shell> "])
            try terminal.waitFor("shell>")
            try terminal.type("stty -g > \(home.path)/before; \(weir) console --socket \(home.socket)")
            try terminal.press("Enter")
            try terminal.waitFor("[1 overview]")
            for round in 1...3 {
                try terminal.press("C-z")
                try terminal.wait(for: "the shell, round \(round)") { $0.contains("Stopped") && !$0.contains("[1 overview]") }
                #expect(try !terminal.isAlternate && terminal.isCursorVisible)
                try terminal.type("clear; stty -g > \(home.path)/stopped; echo same$(cmp \(home.path)/before \(home.path)/stopped); fg")
                try terminal.press("Enter")
                try terminal.wait(for: "the console again, round \(round)") { $0.contains("[1 overview]") && $0.contains("orders") }
                #expect(readFile(home.path + "/before") == readFile(home.path + "/stopped"))
                #expect(try terminal.isAlternate)
            }
            try terminal.type("q")
            try terminal.waitFor("quit?")
            try terminal.type("y")
            try terminal.wait(for: "the shell") { !$0.contains("[1 overview]") && $0.lines.contains { $0.hasPrefix("shell>") } }
        }

        @Test func `NO_COLOR paints without colour, and the default does not`() throws {
            let colour = /\u{1b}\[[0-9;]*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[0-9;]*m/
            #expect(try console().paintedScreen().contains(colour))
            for (options, environment) in [([], ["NO_COLOR": "1"]), (["--colors", "none"], [:]), ([], ["TERM": "vt220"])] as [([String], [String: String?])] {
                let plain = try console(options, environment: environment)
                #expect(try !plain.paintedScreen().contains(colour), "\(options) \(environment)")
                try plain.press("Enter")
                try plain.waitFor("3 checkpoints")
                #expect(try !plain.paintedScreen().contains(colour), "\(options) \(environment)")
            }
        }

        @Test func `LANG=C and --ascii draw in ASCII`() throws {
            for (options, environment) in [([], ["LANG": "C"]), (["--ascii"], [:])] as [([String], [String: String?])] {
                let terminal = try console(options, environment: environment)
                try terminal.press("Enter")
                let screen = try terminal.waitFor("3 checkpoints")
                #expect(screen.text.utf8.allSatisfy { $0 < 0x80 }, "\(options) \(environment)\n\(screen.text)")
            }
        }

        @Test func `keys of the configuration are those that act and those that are shown`() throws {
            home.write("config/weir/config.toml", "[keys]\nsavepoint = \"W\"\nhelp = [\"H\", \"f1\"]\nopen = [\"l\", \"enter\"]\n")
            let terminal = try console()
            try terminal.type("l")
            try terminal.wait(for: "the job, with its keys") { $0.contains("[3 checkpoints") && $0.contains(" W savepoint") && $0.contains(" H help") }
            try terminal.type("S")
            try terminal.type("H")
            try terminal.wait(for: "the help") { screen in screen.lines.contains { $0.contains("W") && $0.hasSuffix("savepoint") } }
            try terminal.type("q")
            try terminal.waitFor("[3 checkpoints")
            try terminal.type("W")
            try terminal.wait(for: "the savepoint") { $0.contains("savepoint op ") && $0.contains("observed") }
            let operations = try home.succeed("operations", "--json").record([OperationReport].self)
            #expect(operations.count == 1, "S did something: \(operations)")
        }

        @Test func `an engine is added while the console runs`() throws {
            let other = TestHome()
            let second = try BackgroundEngine(other)
            defer { withExtendedLifetime(second) {} }
            try other.succeed("submit", "shaky", "--set", "interval=500ms")
            let terminal = try console(columns: 120, rows: 40)
            try terminal.type("@a")
            try terminal.waitFor(":connect")
            try terminal.type("second \(other.socket) lab")
            try terminal.press("Enter")
            try terminal.wait(for: "the second engine") { $0.contains("contexts 2: 2 linked") && $0.contains("to keep it: [contexts.") }
            try terminal.type("1")
            try terminal.wait(for: "the jobs of both") { screen in
                screen.contains("orders") && screen.lines.contains { $0.contains("second") && $0.contains("shaky") }
            }
        }

        @Test func `keys that cannot be are told with file and line, and the standard ones hold`() throws {
            home.write("config/weir/config.toml", "[keys]\nhelp = \"H\"\nsavepoint = \"ctrl-w\"\n")
            let terminal = try console(columns: 120, rows: 40)
            try terminal.wait(for: "the line to blame") { $0.contains("config.toml:3:1: savepoint acts on a job") }
            try terminal.type("?")
            try terminal.wait(for: "the help of the standard keys") { screen in screen.lines.contains { $0.contains("?") && $0.contains("this help") } }
            let doctor = try home.weir("doctor")
            #expect(doctor.output.contains("keys") && doctor.output.contains("config.toml:3:1"), "\(doctor.output)")
        }

        @Test(arguments: ["base", "base16", "slate", "slate-light"]) func `a theme by its name`(name: String) throws {
            let terminal = try console(["--theme", name])
            try terminal.type("T")
            try terminal.wait(for: "the theme picker on \(name)") { screen in screen.lines.contains { $0.contains(">") && $0.contains(name) } }
        }

        @Test func `themes paint differently`() throws {
            var painted: Set<String> = []
            for name in ["base", "slate", "slate-light"] {
                let terminal = try console(["--theme", name])
                // The colours of the frame, without the text that changes.
                painted.insert(try terminal.paintedScreen().matches(of: /\u{1b}\[[0-9;]*m/).map { String($0.0) }.prefix(12).joined())
            }
            #expect(painted.count == 3)
        }

        @Test func `a copied binary finds its themes, and those of the user`() throws {
            let copy = home.folder("bin") + "/weir"
            let original = try #require(Binaries.release ?? Binaries.weir)
            guard link(original, copy) == 0 || symlinkFree(original, copy) else { throw Broken("cannot copy \(original)") }
            let slate = String(decoding: readFile(Binaries.themes + "/slate.toml"), as: UTF8.self)
            home.write("config/weir/themes/mine.toml", slate.replacing("\"slate\"", with: "\"mine\"", maxReplacements: 1))
            for name in ["slate-light", "mine"] {
                let terminal = try TmuxSession(home, [copy, "console", "--socket", home.socket, "--theme", name], columns: 120, rows: 40)
                try terminal.wait(for: "the job") { $0.contains("orders") && $0.contains("RUNNING") }
                #expect(try !terminal.screen().contains("kept out"), "\(terminal.dump)")
                try terminal.type("T")
                try terminal.wait(for: "\(name) in the picker") { screen in screen.lines.contains { $0.contains(">") && $0.contains(name) } }
            }
        }

        /// A copy of the bytes, where a link is not possible (another disk).
        private func symlinkFree(_ from: String, _ to: String) -> Bool {
            home.write(to, readFile(from))
            return chmod(to, 0o700) == 0
        }
    }
}
