// Goal: what the console shows and takes in can be written down and played back. Method: the real console on a pseudo-terminal with a stub
// engine, its files read back, and `weir replay` on them.

import CellGrid
import ControlProtocol
import ControlSocket
import Glibc
import JSON
import StreamModel
import TestKit
import Testing

@testable import ConsoleApp
@testable import ConsoleCore
@testable import EngineClients
@testable import HostEnvironment

@Suite(.enabled(if: weirBinary != nil, "no weir binary beside the tests"))
struct RecordingTests {
    let home = ConsoleHome()

    private func weir(_ arguments: String...) -> PtyProcess {
        PtyProcess(weirBinary ?? "/nonexistent", arguments, environment: home.environment(), columns: 100, rows: 30)
    }

    private func bytes(_ name: String) throws -> [UInt8] { try SmallFile.read(home.path + "/" + name, limit: 64 << 20) }

    private func object(_ bytes: [UInt8]) throws -> [String: JSONValue] {
        guard case .object(let members) = try JSONValue.parse(bytes, maximumDepth: 32) else { return [:] }
        return members
    }

    /// Records a session: overview, the job, a key that nobody sees.
    private func record() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = weir("console", "--record", home.path + "/a.cast", "--events", home.path + "/a.events")
        try #require(console.waitForText("orders"), "\(console.screen.text)")
        console.type("\r")
        try #require(console.waitForText("TASKS"), "\(console.screen.text)")
        // A second report, later.
        stub.host([StubEngine.job(read: 2000)])
        server.publish(stub.currentReport())
        try #require(console.waitForText("2.0k"), "\(console.screen.text)")
        console.signal(SIGTERM)
        #expect(console.waitForEnd() == .exited(0))
    }

    @Test func `a session is recorded as a cast and as events, for nobody else to read`() throws {
        try record()
        let cast = String(decoding: try bytes("a.cast"), as: UTF8.self).split(separator: "\n")
        let header = try object(Array(cast[0].utf8))
        #expect(header["version"] == .integer(2) && header["width"] == .integer(100) && header["height"] == .integer(30))
        #expect(cast.count > 3)
        var last = 0.0
        for line in cast.dropFirst() {
            guard case .array(let event) = try JSONValue.parse(Array(line.utf8), maximumDepth: 4), event.count == 3, case .number(let time) = event[0] else {
                Issue.record("\(line) is no event")
                continue
            }
            #expect(time >= last)
            last = time
        }
        // What was shown is in it, and what a terminal is told is of the few kinds that a cast needs.
        let whole = String(decoding: try bytes("a.cast"), as: UTF8.self)
        #expect(whole.contains("TASKS") && whole.contains("orders"))
        for match in whole.matches(of: /\\u001b(\[[?0-9;]*[a-zA-Z])?/) {
            #expect(match.output.1.map { ["m", "H", "J", "l"].contains($0.suffix(1)) } ?? false, "\(match.output.0)")
        }
        let recording = try RecordedEvents.read(home.path + "/a.events")
        #expect(recording.header.contexts.map(\.name) == ["lab"] && !recording.isCut)
        #expect(recording.lines.contains { $0.key == "enter" })
        #expect(recording.lines.compactMap(\.report).contains { $0.jobs.first?.throughput.recordsRead == 2000 })
        var facts = stat()
        #expect(stat(home.path + "/a.events", &facts) == 0 && facts.st_mode & 0o777 == 0o600)
        // A second recording does not go over the first.
        let again = weir("console", "--events", home.path + "/a.events")
        #expect(again.waitForEnd() == .exited(1))
        #expect(again.screen.text.contains("already exists"))
    }

    @Test func `a recording is played back into the real console, which cannot send`() throws {
        try record()
        let replay = weir("replay", home.path + "/a.events", "--speed", "8")
        try #require(replay.waitForText("orders"), "\(replay.screen.text)")
        #expect(replay.waitForText("REPLAY"))
        replay.type("\r")
        try #require(replay.waitForText("TASKS"), "\(replay.screen.text)")
        #expect(replay.waitForText("[RO]"))
        #expect(replay.waitForText("at its end"), "\(replay.screen.text)")
        try #require(replay.waitForText("2.0k"), "\(replay.screen.text)")
        for key in ["S", "C", "X", "B", "R"] {
            replay.type(key)
            #expect(replay.waitForText("read-only"), "\(key): \(replay.screen.text)")
        }
        // Nothing was recorded in the ledger of this machine's operator, and nobody was connected to.
        replay.signal(SIGTERM)
        #expect(replay.waitForEnd() == .exited(0))
    }

    @Test func `p pauses, s steps, the speed changes`() throws {
        try record()
        let replay = weir("replay", home.path + "/a.events")
        replay.type("p")
        try #require(replay.waitForText("paused"), "\(replay.screen.text)")
        replay.type("s")
        try #require(replay.waitForText("orders"), "\(replay.screen.text)")
        replay.type("++")
        #expect(replay.waitForText("x4"), "\(replay.screen.text)")
        replay.type("---")
        #expect(replay.waitForText("x1/2"), "\(replay.screen.text)")
        // In a text field they are letters.
        replay.type(":sp")
        #expect(replay.waitForText(":sp"), "\(replay.screen.text)")
        replay.signal(SIGTERM)
        #expect(replay.waitForEnd() == .exited(0))
    }

    @Test func `dumps are written once and only to new files`() throws {
        let stub = StubEngine()
        let server = try ControlServer.start(path: home.socket, handler: stub)
        defer { server.stop() }
        let console = weir("console")
        try #require(console.waitForText("orders"))
        for format in ["txt", "ansi", "svg", "json", "csv"] {
            console.type(":")
            console.settle()
            console.type("dump \(home.path)/x.\(format)\r")
            #expect(console.waitForText("x.\(format)"), "\(console.screen.text)")
        }
        try #require(console.wait { _ in access(home.path + "/x.csv", F_OK) == 0 && (try? bytes("x.csv").isEmpty) == false })
        #expect(String(decoding: try bytes("x.txt"), as: UTF8.self).contains("orders"))
        #expect(try object(try bytes("x.json"))["screen"] == .string("overview"))
        #expect(String(decoding: try bytes("x.csv"), as: UTF8.self).hasPrefix("context,class,job,"))
        let before = try bytes("x.csv")
        console.type(":")
        console.settle()
        console.type("dump \(home.path)/x.csv\r")
        #expect(console.waitForText("nothing was written"), "\(console.screen.text)")
        #expect(try bytes("x.csv") == before)
    }
}

@Suite struct ConsoleLogTests {
    private static let head = "{\"columns\":80,\"contexts\":[],\"rows\":24,\"schema\":1,\"startedAt\":5,\"utcOffsetSeconds\":0,\"weir\":\"events\"}\n"

    @Test func eventsComeBackAsTheyWere() throws {
        let now = WallTime(milliseconds: 1000)
        let events: [ConsoleEvent] = [
            .key(.named(.enter)), .resize(Size(columns: 90, rows: 30)), .engine(context: "a", .link(.connecting)),
            .engine(context: "a", .link(.up(roundTrip: 3))), .engine(context: "a", .link(.down(reason: "x", retryAt: now, attempts: 2))),
            .engine(context: "a", .capabilities(EngineCapabilities(canFault: true))),
            .engine(context: "a", .checkpoints(JobID(high: 1, low: 2), [])), .engine(context: "a", .failures(JobID(high: 1, low: 2), [])),
            .engine(context: "a", .inspection(SnapshotInspection(path: "/p", verdict: .ok))), .engine(context: "a", .requestFailed("no")),
        ]
        var text = Self.head
        for event in events {
            let line: ConsoleLog.Line? = ConsoleLog.line(event, at: now)
            text += try ControlCodec.json(#require(line)) + "\n"
        }
        let recording = try RecordedEvents.parse(Array(text.utf8), path: "x")
        #expect(recording.lines.count == events.count)
        for (line, event) in zip(recording.lines, events) {
            guard case .engine(_, let event) = event else { continue }
            #expect("\(String(describing: line.engineEvent))" == "\(String(describing: Optional(event)))")
        }
        let tick: ConsoleLog.Line? = ConsoleLog.line(.tick, at: now)
        #expect(tick == nil)
    }

    @Test(arguments: [
        ("", "x: is empty"), ("garbage\n", "x:1: is not a Weir event log"), ("{\"weir\":\"other\"}\n", "x:1: is not a Weir event log"),
        (head.replacing("\"schema\":1", with: "\"schema\":2"), "x:1: is of schema 2"), (head + "{}\n{\"at\":7}\n", "x:2: at is missing"),
    ]) func badLogsAreNamedWithTheirLine(_ text: String, _ problem: String) {
        do {
            _ = try RecordedEvents.parse(Array(text.utf8), path: "x")
            Issue.record("it was read")
        } catch { #expect(error.description.hasPrefix(problem), "\(error)") }
    }

    /// The console that wrote it was killed.
    @Test func aLineThatWasCutOffIsLeftOut() throws {
        let recording = try RecordedEvents.parse(Array((Self.head + "{\"at\":7,\"key\":\"j\"}\n{\"at\":8,\"ke").utf8), path: "x")
        #expect(recording.isCut && recording.lines.map(\.key) == ["j"])
    }

    @Test func timesNeverRunBackwards() throws {
        let recording = try RecordedEvents.parse(Array((Self.head + "{\"at\":9,\"key\":\"j\"}\n{\"at\":8,\"key\":\"k\"}\n").utf8), path: "x")
        #expect(recording.lines.map(\.at.milliseconds) == [9, 9])
    }
}
