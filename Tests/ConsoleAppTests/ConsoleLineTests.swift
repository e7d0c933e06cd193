// Goal: the console holds out on bad lines: slow ones, stopped ones, torn ones, flooded ones, and on the terminal types that people have. Method:
// the binary on a pseudo-terminal whose other end reads as slowly, or types as much, as the test says.

import ControlSocket
import Glibc
import Ledger
import StreamModel
import TestKit
import Testing

@testable import EngineClients

@Suite(.serialized, .enabled(if: weirBinary != nil, "no weir binary beside the tests"))
struct ConsoleLineTests {
    let home = ConsoleHome()
    let stub = StubEngine()

    private func serve() throws -> ControlServer { try ControlServer.start(path: home.socket, handler: stub) }

    private func onOverview(_ environment: [String: String?] = [:], columns: Int = 80, rows: Int = 24) throws -> PtyProcess {
        let console = home.console(environment, columns: columns, rows: rows)
        try #require(console.waitForText("orders"), "\(console.screen.text)")
        console.settle()
        return console
    }

    /// What is on the screen is what a repaint of all of it shows. The engine reports once more before: numbers that turn old between the two
    /// would be a difference too.
    private func expectWhole(_ console: PtyProcess, _ server: ControlServer) {
        server.publish(stub.currentReport())
        console.settle(0.3)
        let found = timeless(console.screen.lines)
        console.type("\u{0c}")
        console.settle(0.3)
        #expect(found == timeless(console.screen.lines))
    }

    /// Without digits: clocks and ages go on.
    private func timeless(_ lines: [String]) -> [String] { lines.map { $0.filter { !$0.isNumber && $0 != " " } } }

    // MARK: Terminal types

    @Test(arguments: [
        ("xterm-256color", 256), ("tmux-256color", 256), ("screen-256color", 256), ("screen", 8), ("linux", 8), ("xterm", 8), ("vt220", 0), ("vt100", 0),
    ])
    func `terminals of every kind show the job, take keys and are given back`(term: String, colours: Int) throws {
        let server = try serve()
        defer { server.stop() }
        // A theme with more colours than sixteen.
        home.configure("theme = \"slate\"\n[contexts.lab]\nsocket = \"\(home.socket)\"\nclass = \"lab\"\n")
        let console = try onOverview(["TERM": term])
        #expect(console.screen.text.contains("RUNNING"))
        console.type("?")
        #expect(console.waitForText("ACT ("), "\(console.screen.text)")
        console.type("q")
        #expect(console.waitForText("RUNNING"))
        let text = String(decoding: console.output, as: UTF8.self)
        #expect(console.screen.hasColor == (colours > 0))
        #expect(text.contains(/\u{1b}\[[0-9;]*[34]8;5;/) == (colours == 256))
        if colours <= 8 { #expect(!text.contains(/\u{1b}\[(?:[0-9;]*;)?(?:9|10)[0-7][;m]/), "bright colours on a type of \(colours)") }
        if term.hasPrefix("vt") { #expect(console.screen.text.unicodeScalars.allSatisfy { $0.isASCII }) }
        if term == "linux" { #expect(!console.screen.text.unicodeScalars.contains { (0x2800...0x28ff).contains($0.value) }, "its font has no braille") }
        console.type("q")
        try #require(console.waitForText("quit?"))
        console.type("y")
        #expect(console.waitForEnd() == .exited(0))
        #expect(console.modes == console.originalModes)
        #expect(console.screen.isCursorVisible && !console.screen.isAlternate && !console.screen.isPasteBracketed)
    }

    // MARK: A slow line

    /// A line of 9600 baud: a byte every 1/960 s, and none saved up while nothing is sent.
    private struct SlowLine {
        let console: PtyProcess
        var credit = 0.0
        var last = monotonicSeconds()

        /// Carries what has become due until `condition` holds; how long that took, nil when it does not within `seconds`.
        mutating func carry(_ seconds: Double, until condition: (PtyProcess) -> Bool) -> Double? {
            let start = monotonicSeconds()
            while !condition(console) {
                let now = monotonicSeconds()
                guard now - start < seconds else { return nil }
                credit = console.isDrained ? min(credit + (now - last) * 960, 1) : credit + (now - last) * 960
                last = now
                let count = Int(credit)
                if count > 0, !console.isDrained {
                    let before = console.output.count
                    console.read(within: 0, atMost: count)
                    credit -= Double(console.output.count - before)
                } else {
                    // Less than a byte's time.
                    usleep(500)
                }
            }
            return monotonicSeconds() - start
        }
    }

    @Test func `at 9600 baud a paint takes 2400 ms, a key is shown in 250 ms, and ticks do not pile up`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        console.setSpeed(speed_t(B9600))
        var line = SlowLine(console: console)
        var reads: UInt64 = 1000

        console.type("\u{0c}")
        let start = console.output.count
        let painted = try #require(line.carry(10) { $0.isDrained && $0.output.count - start > 1000 }, "no whole paint: \(console.output.count - start) bytes")
        print("9600 baud: a whole paint of \(console.output.count - start) bytes took \(painted) s")
        #expect(painted <= 2.4)

        // Numbers change every second, as an engine reports them; at some moment of every second the line is empty.
        for _ in 0..<4 {
            reads += 1234
            stub.host([StubEngine.job(read: reads)])
            server.publish(stub.currentReport())
            let second = monotonicSeconds() + 1
            #expect(line.carry(1) { $0.isDrained && monotonicSeconds() > second - 0.25 } != nil, "frames pile up on the line")
            _ = line.carry(max(0, second - monotonicSeconds())) { _ in false }
        }

        // What the frame before has left on the line is not the key's time.
        try #require(line.carry(2) { $0.isDrained } != nil)
        console.type(":")
        let opened = try #require(line.carry(3) { $0.screen.lines.contains { $0.hasPrefix(" :") } }, "no command line: \(console.screen.text)")
        try #require(line.carry(2) { $0.isDrained } != nil)
        var echoes = [opened], typed = ""
        for character in "savepoint" {
            typed.append(character)
            stub.host([StubEngine.job(read: reads + UInt64(typed.count))])
            server.publish(stub.currentReport())
            console.type(String(character))
            let wanted = ":\(typed)"
            echoes.append(try #require(line.carry(3) { $0.screen.text.contains(wanted) }, "\(wanted) is not shown: \(console.screen.text)"))
        }
        print("9600 baud: a key was shown after at most \((echoes.max() ?? 0) * 1000) ms")
        #expect(echoes.allSatisfy { $0 <= 0.25 }, "\(echoes)")
    }

    @Test func `a terminal that is stopped costs frames and nothing else`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        console.type("S")
        try #require(console.waitForText(": accepted"), "\(console.screen.text)")
        let request = try #require(stub.received.first)
        let start = console.output.count
        fill(console)
        // Nobody reads, and still what the engine says is taken in and written down.
        stub.host([StubEngine.job("invoices")])
        stub.know(
            OperationReport(
                request: request, jobName: "invoices", state: .completed, acceptedAt: WallTime(milliseconds: 5), endedAt: WallTime(milliseconds: 9),
                checkpoint: CheckpointID(3), path: "/sp/savepoint-3"))
        server.publish(stub.currentReport())
        let path = home.ledger
        #expect(try eventually { try Ledger.open(path: path).recent(limit: 1).first?.path == "/sp/savepoint-3" }, "the ledger waits for the terminal")
        // The last keys may have come as a flood, which is dropped: the help may still be open.
        if !console.wait(3, until: { $0.text.contains("invoices") }) { console.type("q") }
        try #require(console.wait { $0.text.contains("invoices") }, "\(console.screen.text)")
        let bytes = console.output.count - start
        print("a stopped terminal: 1200 changes of the screen came as \(bytes) bytes")
        #expect(bytes > 10_000, "the line was not full")
        #expect(bytes < 200_000, "frames were kept for a terminal that took none")
        expectWhole(console, server)
        #expect(console.screen.unknown.isEmpty)
    }

    /// Help opens and closes, far more often than the line has room for; not so fast that it counts as a paste. Nothing is read.
    private func fill(_ console: PtyProcess) {
        for _ in 0..<600 {
            console.type("?")
            usleep(2000)
            console.type("q")
            usleep(2000)
        }
    }

    @Test(arguments: [SIGTERM, SIGHUP]) func `a terminal that takes nothing does not keep the console from ending`(signal: Int32) throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        fill(console)
        let start = monotonicSeconds()
        console.signal(signal)
        #expect(console.waitForEnd(10, isRead: false) == .exited(143))
        print("a console on a stopped terminal ended \(monotonicSeconds() - start) s after signal \(signal)")
        #expect(console.modes == console.originalModes)
    }

    // MARK: Floods

    @Test func `a megabyte that is pasted does nothing, with and without brackets`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        let before = residentKiB(console.pid)
        let megabyte = String(repeating: "SCRXBy\rq:restart /x\r", count: (1 << 20) / 20)
        for (head, tail) in [("\u{1b}[200~", "\u{1b}[201~"), ("", "")] {
            let start = monotonicSeconds()
            console.type(head + megabyte + tail)
            // Esc closes whatever has been opened, until the overview is there alone.
            try #require(
                eventually(seconds: 20) {
                    console.settle(0.1)
                    console.type("\u{1b}")
                    console.settle(0.1)
                    return console.screen.text.contains("[1 overview]") && !console.screen.text.contains("quit?")
                }, "\(console.screen.text)")
            print("a megabyte pasted\(head.isEmpty ? " without brackets" : "") was taken in \(monotonicSeconds() - start) s")
            #expect(stub.received.isEmpty, "\(stub.received.map(\.kind))")
        }
        let after = residentKiB(console.pid)
        print("resident: \(before) KiB before two megabytes were pasted, \(after) KiB after")
        try #require((1..<(1 << 30)).contains(before) && (1..<(1 << 30)).contains(after))
        #expect(after - before < 16 << 10, "\(before) KiB before, \(after) KiB after")
        // As long as the flood is still being taken, a key belongs to it and is dropped.
        #expect(
            eventually(seconds: 20) {
                if console.screen.text.contains("ACT (") { return true }
                console.type("?")
                return console.wait(2) { $0.text.contains("ACT (") }
            }, "\(console.screen.text)")
    }

    private func residentKiB(_ id: pid_t) -> Int {
        let descriptor = open("/proc/\(id)/status", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return text.firstMatch(of: /VmRSS:\s+(\d+)/).flatMap { Int($0.1) } ?? .max
    }

    @Test func `a thousand sizes in a second end in a whole frame`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        let start = console.output.count
        var generator = SeededGenerator(seed: 20_261_127)
        let begin = monotonicSeconds()
        for step in 1...1000 {
            console.resize(columns: Int.random(in: 1...200, using: &generator), rows: Int.random(in: 1...60, using: &generator))
            console.read(within: 0)
            while monotonicSeconds() < begin + Double(step) / 1000 { usleep(100) }
        }
        let took = monotonicSeconds() - begin
        console.settle(0.3)
        let bytes = console.output.count - start
        print("1000 sizes in \(took) s were painted in \(bytes) bytes")
        // A frame every 100 ms, of at most 200x60 cells.
        #expect(Double(bytes) < (took * 10 + 5) * 30_000)
        console.resize(columns: 100, rows: 30)
        try #require(console.wait { $0.text.contains("orders") && $0.text.contains("? help") }, "\(console.screen.text)")
        expectWhole(console, server)
    }

    @Test func `the largest window starts and ends`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview(columns: 1000, rows: 1000)
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
        #expect(console.modes == console.originalModes)
    }

    // MARK: Ends

    @Test(arguments: ["restart from", "other: type or paste"]) func `a hang-up during the restart chooser sends nothing`(place: String) throws {
        let server = try serve()
        defer { server.stop() }
        var job = StubEngine.job()
        job.latestCompleted = CheckpointReport(
            id: CheckpointID(4), kind: .checkpoint, status: .completed, triggeredAt: WallTime(milliseconds: 1000), endedAt: WallTime(milliseconds: 1100),
            timeoutAt: WallTime(milliseconds: 9000), acknowledgedSubtasks: 2, totalSubtasks: 2, path: "/checkpoints/chk-4")
        job.recipe = JobRecipe(program: "orders", parallelism: 2)
        stub.host([job])
        let console = try onOverview()
        console.type("R")
        try #require(console.waitForText("restart from: 1 choose"), "\(console.screen.text)")
        if place != "restart from" {
            console.settle()
            console.type("\r")
            console.settle()
            console.type("\r")
            try #require(console.waitForText("RESTART FROM A CHECKPOINT"), "\(console.screen.text)")
        }
        console.signal(SIGHUP)
        #expect(console.waitForEnd(3) == .exited(129))
        #expect(stub.received.isEmpty)
        #expect(try Ledger.open(path: home.ledger).recent(limit: 1).isEmpty)
    }

    @Test func `a line that is cut at any moment ends the console`() throws {
        let server = try serve()
        defer { server.stop() }
        var generator = SeededGenerator(seed: 500)
        var slowest = 0.0
        for round in 0..<60 {
            let console = home.console()
            // From before the first instruction to the whole screen.
            let until = monotonicSeconds() + Double.random(in: 0...0.15, using: &generator)
            while monotonicSeconds() < until { console.read(within: 1) }
            console.hangUp()
            let start = monotonicSeconds()
            let end = console.waitForEnd(5)
            slowest = max(slowest, monotonicSeconds() - start)
            // Before it listens for it, the signal ends it; before it has a terminal, it says that it has none.
            #expect([.exited(129), .killed(SIGHUP), .exited(1)].contains(end), "round \(round): \(String(describing: end))")
        }
        print("60 cut lines: the slowest end took \(slowest * 1000) ms")
    }

    @Test func `leaving by the key restores the terminal`() throws {
        let server = try serve()
        defer { server.stop() }
        let console = try onOverview()
        console.type([3])
        console.settle()
        #expect(console.waitForEnd(0.2) == nil, "Ctrl-C is a key that leaves nothing by accident")
        console.type("\u{1b}")
        console.settle()
        console.type("q")
        try #require(console.waitForText("quit?"), "\(console.screen.text)")
        console.type("y")
        #expect(console.waitForEnd() == .exited(0))
        #expect(console.modes == console.originalModes)
        #expect(!console.screen.isAlternate && console.screen.isCursorVisible && !console.screen.isPasteBracketed)
    }

    @Test func `SIGKILL leaves the line to reset, which puts it back`() throws {
        let console = home.console()
        try #require(console.wait { $0.isAlternate })
        console.signal(SIGKILL)
        #expect(console.waitForEnd() == .killed(SIGKILL))
        #expect(console.modes != console.originalModes, "nothing inside can put it back")
    }

    // MARK: Several consoles

    @Test func `eight consoles share a ledger`() throws {
        let server = try serve()
        defer { server.stop() }
        let consoles = (0..<8).map { _ in home.console(columns: 200) }
        for console in consoles { try #require(console.waitForText("orders"), "\(console.screen.text)") }
        for console in consoles { console.settle(0.05) }
        for console in consoles { console.type("S") }
        for console in consoles { #expect(console.waitForText(": accepted"), "\(console.screen.text)") }
        #expect(Set(stub.received.map(\.id)).count == 8)
        let path = home.ledger
        var complaints: Set<String> = []
        let isRecorded = try eventually {
            for console in consoles {
                console.read(within: 1)
                complaints.formUnion(console.screen.lines.filter { $0.contains("not recorded") })
            }
            return try Ledger.open(path: path).recent(limit: 99).count { $0.outcome == .accepted } == 8
        }
        #expect(isRecorded, "\(complaints)")
        let rows = try Ledger.open(path: path).recent(limit: 99)
        #expect(Set(rows.map(\.request.id)) == Set(stub.received.map(\.id)))
        for console in consoles {
            console.signal(SIGTERM)
            #expect(console.waitForEnd() == .exited(0))
        }
    }
}
