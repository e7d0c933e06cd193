// Goal: the real console on a real terminal line keeps its promises: few bytes, quick keys, and a terminal that is as it was however
// the process ends. Method: the binary runs on a pseudo-terminal whose other end the test holds.

import ControlSocket
import Glibc
import Ledger
import StreamModel
import TestKit
import Testing

@testable import EngineClients

@Suite(.serialized, .enabled(if: weirBinary != nil, "no weir binary beside the tests"))
struct ConsolePtyTests {
    let home = ConsoleHome()

    /// The console is up: its first frame is there.
    func ready(_ console: PtyProcess) throws {
        try #require(console.wait { $0.isAlternate && !$0.text.allSatisfy(\.isWhitespace) }, "no frame: \(console.screen.text)")
        console.settle()
    }

    func expectRestored(_ console: PtyProcess) {
        #expect(console.modes == console.originalModes)
        #expect(!console.screen.isAlternate)
        #expect(console.screen.isCursorVisible)
        #expect(!console.screen.isPasteBracketed)
        #expect(!console.screen.tellsMouse)
    }

    // MARK: Bytes

    @Test func `a full paint takes at most 2.2 kB after 120 bytes of initialisation, a clock tick at most 100 bytes`() throws {
        let hung = HungEngine(path: home.socket)
        defer { withExtendedLifetime(hung) {} }
        let console = home.console()
        try ready(console)
        #expect(console.output.count <= 2200 + 120, "first frame and initialisation: \(console.output.count) bytes")
        // Every second something ticks; each burst is one frame.
        for _ in 0..<4 {
            let frame = console.collect(for: 1)
            #expect(frame.count <= 100, "\(frame.count) bytes: \(String(decoding: frame, as: UTF8.self).debugDescription)")
        }
        #expect(console.screen.unknown.isEmpty)
    }

    @Test func `an unchanged frame writes nothing`() throws {
        let console = home.console()
        try ready(console)
        // Frozen, the screen shows one moment: no clock, no ages.
        console.type(" ")
        try #require(console.wait { $0.text.contains("FROZEN") || $0.text.contains("frozen") }, "\(console.screen.text)")
        _ = console.collect(for: 1)
        #expect(console.collect(for: 1.5).isEmpty)
        // Keys that move nothing, and wake-ups without news, are painted as what they changed: not at all.
        console.type("k")
        for _ in 0..<20 { console.signal(SIGWINCH) }
        console.type("k")
        #expect(console.collect(for: 1).isEmpty)
    }

    @Test func `equal reports cost no more than the clock`() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = home.console()
        try #require(console.waitForText("orders"))
        server.publish(stub.currentReport())
        _ = console.collect(for: 2)
        let start = monotonicSeconds()
        var bytes = 0
        while monotonicSeconds() - start < 3 {
            server.publish(stub.currentReport())
            bytes += console.collect(for: 0.1).count
        }
        #expect(bytes <= 4 * 100, "\(bytes) bytes in 3 s")
    }

    // MARK: Alerts

    @Test(arguments: [false, true]) func `a job that turns bad rings once, and notifies where that was asked for`(notifies: Bool) throws {
        home.configure("[alerts]\nosc9 = \(notifies)\n[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let server = try ControlServer.start(path: home.socket, handler: StubEngine())
        let console = home.console()
        try #require(console.waitForText("orders"))
        #expect(!console.output.contains(0x07), "what it finds is no news")
        server.stop()
        try #require(console.waitForText("no link"), "\(console.screen.text)")
        // Every further try fails too.
        _ = console.collect(for: 3)
        let notification = Array("\u{1b}]9;weir: orders (lab): no link".utf8)
        #expect(console.output.split(separator: notification, omittingEmptySubsequences: false).count == (notifies ? 2 : 1))
        #expect(console.output.count { $0 == 0x07 } == (notifies ? 2 : 1), "one bell, and the end of the notification")
    }

    @Test func `inside tmux the first copy says what tmux needs, and no other`() throws {
        let server = try ControlServer.start(path: home.socket, handler: StubEngine())
        defer { server.stop() }
        let console = home.console(["TMUX": "/tmp/none,1,0"])
        try #require(console.waitForText("orders"))
        console.type("y")
        try #require(console.waitForText("copied the job id"))
        try #require(console.waitForText("tmux lets copies through only with `set -s set-clipboard on`"), "\(console.screen.text)")
        console.type("y")
        try #require(console.waitForText("copied the job id"))
        // Longer than the first one took to come.
        let deadline = monotonicSeconds() + 5
        while monotonicSeconds() < deadline {
            console.read(within: 100)
            #expect(!console.screen.text.contains("tmux lets copies"))
        }
        // Outside of it nothing is said.
        let plain = home.console()
        try #require(plain.waitForText("orders"))
        plain.type("y")
        try #require(plain.waitForText("copied the job id"))
        _ = plain.collect(for: 3)
        #expect(!plain.screen.text.contains("tmux"))
    }

    // MARK: Mouse

    @Test func `the mouse selects a row, and is given back at every way out`() throws {
        let server = try ControlServer.start(path: home.socket, handler: StubEngine())
        defer { server.stop() }
        let console = home.console()
        try #require(console.waitForText("orders"))
        #expect(!console.screen.tellsMouse)
        console.type("m")
        try #require(console.wait { $0.tellsMouse && $0.text.contains("mouse on") })
        console.type("4")
        try #require(console.waitForText("[4 metrics]"))
        let third = try #require(console.screen.lines.firstIndex { $0.contains("[4 metrics]") }) + 3
        console.type("\u{1b}[<0;6;\(third + 1)M\u{1b}[<0;6;\(third + 1)m")
        try #require(console.wait { $0.lines[third].hasPrefix(">") }, "a press: \(console.screen.text)")
        console.type("\u{1b}[<65;6;6M")
        try #require(console.wait { $0.lines[third + 3].hasPrefix(">") }, "the wheel: \(console.screen.text)")
        // On the row of the keys that act.
        for column in 1...60 { console.type("\u{1b}[<0;\(column);22M\u{1b}[<0;\(column);22m") }
        _ = console.collect(for: 0.5)
        #expect(console.screen.lines[third + 3].hasPrefix(">") && !console.screen.text.contains("SAVEPOINT") && !console.screen.text.contains("savepoint op"))
        console.type("1q")
        try #require(console.waitForText("quit?"))
        console.type("y")
        #expect(console.waitForEnd() == .exited(0))
        expectRestored(console)
    }

    @Test func `Ctrl-Z and a crash give the mouse back`() throws {
        home.configure("mouse = true\n[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let binary = try #require(weirBinary)
        let shell = PtyProcess("/bin/bash", ["--norc", "--noprofile", "-i"], environment: home.environment(["PS1": "ready> "]))
        try #require(shell.waitForText("ready>"))
        shell.type("\(binary) console\r")
        try #require(shell.wait { $0.isAlternate && $0.tellsMouse })
        shell.settle()
        shell.type([0x1a])
        try #require(shell.wait { !$0.isAlternate && !$0.tellsMouse }, "suspended: \(shell.screen.text)")
        try #require(shell.waitForText("Stopped"))
        shell.type("clear; fg\r")
        try #require(shell.wait { $0.isAlternate && $0.tellsMouse }, "resumed: \(shell.screen.text)")
        shell.settle()
        shell.type([0x1a])
        try #require(shell.waitForText("Stopped"))
        shell.type("clear; kill -SEGV %1; fg\r")
        #expect(shell.wait { !$0.isAlternate && !$0.tellsMouse && $0.text.contains("Segmentation fault") }, "\(shell.screen.text)")
    }

    @Test func `a terminal without a mouse says so`() throws {
        let console = home.console(["TERM": "vt100"])
        try #require(console.wait { $0.text.contains("lab") })
        console.type("m")
        #expect(console.waitForText("does not report the mouse"))
    }

    // MARK: Ends

    @Test(arguments: [SIGTERM, SIGINT, SIGQUIT]) func `a request to end restores the terminal`(signal: Int32) throws {
        let console = home.console()
        try ready(console)
        #expect(console.modes != console.originalModes)
        console.signal(signal)
        #expect(console.waitForEnd() == .exited(0))
        expectRestored(console)
    }

    @Test(arguments: [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP]) func `a crash restores the terminal`(signal: Int32) throws {
        let console = home.console()
        try ready(console)
        console.signal(signal)
        #expect(console.waitForEnd() == .killed(signal))
        expectRestored(console)
        #expect(console.waitForText("the console crashed", 1))
        // The log says where, for whoever repairs it.
        let log = home.read("state/weir/console.log")
        #expect(log.contains("weir("), "\(log)")
    }

    @Test func `SIGHUP restores a terminal that is still there, with and without its mouse`() throws {
        for usesMouse in [true, false] {
            let console = home.console()
            try ready(console)
            if usesMouse {
                console.type("m")
                try #require(console.wait { $0.tellsMouse }, "\(console.screen.text)")
            }
            console.signal(SIGHUP)
            #expect(console.waitForEnd() == .exited(129))
            expectRestored(console)
        }
    }

    @Test func `a line that is cut ends it at once`() throws {
        let console = home.console()
        try ready(console)
        console.hangUp()
        #expect(console.waitForEnd(3) == .exited(129))
    }

    // MARK: Job control

    @Test func `Ctrl-Z gives the terminal back and fg takes it again, twenty times`() throws {
        let binary = try #require(weirBinary)
        let shell = PtyProcess("/bin/bash", ["--norc", "--noprofile", "-i"], environment: home.environment(["PS1": "ready> "]))
        try #require(shell.waitForText("ready>"))
        shell.type("stty -g > \(home.path)/before; \(binary) console\r")
        try #require(shell.wait { $0.isAlternate })
        shell.settle()
        for round in 1...20 {
            shell.type([0x1a])
            try #require(shell.wait { !$0.isAlternate && $0.isCursorVisible }, "round \(round): not suspended")
            try #require(shell.waitForText("Stopped"), "round \(round): \(shell.screen.text)")
            shell.type("clear; fg\r")
            try #require(shell.wait { $0.isAlternate && $0.isPasteBracketed && $0.text.contains("lab") }, "round \(round): not resumed")
            shell.settle(0.05)
        }
        shell.type([0x1a])
        try #require(shell.wait { !$0.isAlternate })
        shell.type("clear; stty -g > \(home.path)/after; cmp \(home.path)/before \(home.path)/after && echo same-modes\r")
        #expect(shell.waitForText("same-modes"))
    }

    @Test func `a process stopped from outside paints again when it goes on`() throws {
        let console = home.console()
        try ready(console)
        console.signal(SIGSTOP)
        try #require(console.waitForStop())
        let count = console.output.count
        console.signal(SIGCONT)
        #expect(console.wait { _ in console.output.count - count > 500 }, "no repaint")
    }

    // MARK: Terminals

    @Test func `NO_COLOR sends no colour`() throws {
        let coloured = home.console()
        try ready(coloured)
        let plain = home.console(["NO_COLOR": "1"])
        try ready(plain)
        _ = plain.collect(for: 1.2)
        #expect(!plain.screen.hasColor)
        #expect(coloured.screen.hasColor)
    }

    @Test func `LANG=C draws in ASCII`() throws {
        let console = home.console(["LANG": "C"])
        try ready(console)
        #expect(console.screen.text.unicodeScalars.allSatisfy { $0.isASCII })
    }

    @Test(arguments: [nil, "", "dumb"] as [String?]) func `TERM unset, empty or dumb is one clear sentence`(term: String?) throws {
        let console = home.console(["TERM": term])
        #expect(console.waitForEnd() == .exited(1))
        #expect(console.screen.text.contains("weir status"))
        #expect(!console.screen.isAlternate)
    }

    @Test func `an unknown TERM falls back and says so`() throws {
        let console = home.console(["TERM": "no-such-terminal"])
        try ready(console)
        #expect(console.waitForText("no-such-terminal"))
    }

    @Test func `a pipe instead of a terminal is one clear sentence`() throws {
        let binary = try #require(weirBinary)
        let shell = PtyProcess("/bin/sh", ["-c", "\(binary) console | cat; \(binary) console < /dev/null"], environment: home.environment())
        #expect(shell.waitForEnd() == .exited(1))
        #expect(shell.screen.text.contains("standard output is not a terminal"))
        #expect(shell.screen.text.contains("standard input is not a terminal"))
    }

    // MARK: Text and files from outside

    @Test func `hostile and wide names stay in their place`() throws {
        let stub = StubEngine()
        stub.host([
            StubEngine.job("\u{1b}]0;owned\u{07}\u{1b}[2J\u{9b}31m\u{202e}x", id: 1), StubEngine.job("\u{53d7}\u{6ce8}\u{6570}\u{636e}", id: 2),
            StubEngine.job("e\u{301}te\u{301}", id: 3),
        ])
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = home.console()
        try #require(console.waitForText("\u{53d7}\u{6ce8}"), "\(console.screen.text)")
        console.settle()
        let text = String(decoding: console.output, as: UTF8.self)
        #expect(!text.contains("\u{1b}]0;") && !text.contains("\u{202e}") && !text.contains("\u{9b}"))
        #expect(console.screen.unknown.isEmpty, "\(console.screen.unknown)")
        // What stands right of the names stands in one column.
        let columns = console.screen.cellRows.compactMap { row in row.indices.first { row[$0...].starts(with: Array("RUNNING")) } }
        #expect(columns.count == 3 && Set(columns).count == 1, "\(console.screen.text)")
    }

    @Test(arguments: [
        ("theme = \"slate\"\ncolour = 3\n", "config.toml:2"), ("theme = \"no-such\"\n", "no such theme"), ("theme = \"bad\"\n", "bad.toml:3"),
    ])
    func `a bad file is reported on the screen and after it, and the console runs`(configuration: String, expected: String) throws {
        writeFile(home.path + "/config/weir/themes/bad.toml", "schema = 1\nname = \"bad\"\ncolour = \"red\"\n")
        home.configure(configuration + "[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let console = home.console(columns: 160)
        try ready(console)
        #expect(console.waitForText(expected, 5), "\(console.screen.text)")
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
        #expect(!console.screen.isAlternate)
        #expect(String(decoding: console.output, as: UTF8.self).contains("weir: "))
    }

    @Test func `a broken ledger is one banner and the console runs`() throws {
        mkdir(home.path + "/state/weir", 0o700)
        writeFile(home.ledger, String(repeating: "garbage ", count: 1000))
        let console = home.console(columns: 160)
        try ready(console)
        #expect(console.waitForText("not recorded", 5), "\(console.screen.text)")
    }

    @Test func `copying goes out as base64 of OSC 52`() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = home.console()
        try #require(console.waitForText("orders"))
        console.type("y")
        #expect(console.wait { _ in String(decoding: console.output, as: UTF8.self).contains("\u{1b}]52;c;") })
    }

    // MARK: Operations that outlive the console

    @Test func `a console killed during a savepoint leaves it to the next one`() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let first = home.console()
        try #require(first.waitForText("orders"))
        first.type("\r")
        try #require(first.waitForText("TASKS"), "\(first.screen.text)")
        first.type("S")
        try #require(first.wait { _ in !stub.received.isEmpty }, "\(first.screen.text)")
        first.signal(SIGKILL)
        #expect(first.waitForEnd() == .killed(SIGKILL))
        let request = try #require(stub.received.first)
        #expect(request.kind == .savepoint(directory: nil))
        #expect(try Ledger.open(path: home.ledger).unfinished(address: home.socket).map(\.request) == [request])
        // The engine finishes it while nobody looks.
        stub.know(
            OperationReport(
                request: request, jobName: "orders", state: .completed, acceptedAt: WallTime(milliseconds: 5), endedAt: WallTime(milliseconds: 9),
                checkpoint: CheckpointID(3), path: "/sp/savepoint-3"))
        let second = home.console()
        #expect(second.waitForText("re-attached"), "\(second.screen.text)")
        let path = home.ledger
        #expect(try eventually { try Ledger.open(path: path).recent(limit: 1).first?.path == "/sp/savepoint-3" })
    }

    // MARK: Size

    @Test func `a storm of resizes ends in a whole frame of the last size`() throws {
        let console = home.console()
        try ready(console)
        var generator = SeededGenerator(seed: 20_240_917)
        for _ in 0..<200 {
            console.resize(columns: Int.random(in: 1...200, using: &generator), rows: Int.random(in: 1...60, using: &generator))
            console.read(within: 0)
        }
        console.settle(0.3)
        console.resize(columns: 100, rows: 30)
        try #require(console.wait { $0.text.contains("lab") }, "\(console.screen.text)")
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
    }

    @Test(arguments: [(65535, 65535), (65535, 24), (501, 3000)]) func `a window that claims to be huge is drawn on in part`(columns: Int, rows: Int) throws {
        let console = home.console()
        try ready(console)
        console.claimSize(columns: columns, rows: rows)
        console.signal(SIGWINCH)
        console.settle(0.3)
        console.resize(columns: 80, rows: 24)
        console.signal(SIGWINCH)
        #expect(console.wait { $0.text.contains("overview") && $0.text.contains("help") }, "\(console.screen.text)")
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
        expectRestored(console)
    }

    @Test(arguments: [(600, 300), (1, 1), (2, 1), (20, 5), (39, 6), (40, 6), (500, 200), (0, 0)]) func `no size is too odd to start in`(columns: Int, rows: Int)
        throws
    {
        let console = home.console(columns: columns, rows: rows)
        try #require(console.wait { _ in console.output.count > 60 })
        console.settle()
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
        #expect(console.modes == console.originalModes)
    }

    // MARK: Latency

    @Test func `a key is painted within 50 ms, p99, and 16 ms, p50, by a debug build while the engine hangs`() throws {
        let hung = HungEngine(path: home.socket)
        defer { withExtendedLifetime(hung) {} }
        let console = home.console()
        try ready(console)
        var latencies: [Double] = []
        for round in 0..<200 {
            console.settle(0.003)
            let start = monotonicSeconds()
            // Help opens and closes: a large change either way.
            console.type(round % 2 == 0 ? "?" : "q")
            try #require(console.read(within: 1000), "a key was not painted within 1 s")
            latencies.append((monotonicSeconds() - start) * 1000)
        }
        latencies.sort()
        let median = latencies[latencies.count / 2], p99 = latencies[latencies.count * 99 / 100]
        print("key to paint: p50 \(median) ms, p99 \(p99) ms")
        // The release build keeps the budget of 16 ms; its test stands in EndToEndTests.
        #expect(p99 <= 50 && median <= 16)
    }

    @Test func `a terminal that takes nothing does not fill the memory or stop the console`() throws {
        let console = home.console()
        try ready(console)
        // Nothing is read for a while: the line fills up, frames are dropped.
        for _ in 0..<2000 { console.type("?q") }
        console.settle(0.3)
        #expect(console.waitForText("lab"))
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
    }
}
