// Goal: the engine behind a control socket comes and goes, hangs and restarts, and the console hears of each within its time,
// without a thread of the console waiting. Method: a real control server in this process, with answers that the test decides.

import ConsoleCore
import ControlSocket
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients

final class EngineLog: Sendable {
    private let events = Mutex<[EngineEvent]>([])
    func take(_ event: EngineEvent) { events.withLock { $0.append(event) } }
    var all: [EngineEvent] { events.withLock { $0 } }
    var links: [LinkState] { all.compactMap { if case .link(let state) = $0 { state } else { nil } } }
    var isUp: Bool { links.last?.isUp ?? false }
    var downs: [String] { links.compactMap { if case .down(let reason, _, _) = $0 { reason } else { nil } } }
    var refusals: [String] { all.compactMap { if case .refused(_, let message) = $0 { message } else { nil } } }
    var reports: Int { all.count { if case .report = $0 { true } else { false } } }
}

@Suite struct SocketEngineTests {
    let home = Sandbox()
    let stub = StubEngine()
    let log = EngineLog()

    func start() -> SocketEngine {
        let engine = SocketEngine(path: home["e.sock"])
        engine.start { [log] in log.take($0) }
        return engine
    }

    func operation(_ id: String) throws -> OperationRequest {
        OperationRequest(id: try #require(OperationID(id)), kind: .savepoint(directory: nil), job: StubEngine.job().id, expectedState: .running)
    }

    @Test func `link, capabilities, reports and round trip arrive`() throws {
        let server = try ControlServer.start(path: home["e.sock"], handler: stub)
        defer { server.stop() }
        let engine = start()
        defer { engine.stop() }
        #expect(eventually { log.isUp && log.reports > 0 })
        #expect(eventually { log.links.contains { if case .up(let roundTrip) = $0 { roundTrip != nil } else { false } } })
        guard case .link(.connecting) = log.all.first else { Issue.record("the first word is not connecting"); return }
        #expect(log.all.contains { if case .capabilities(let can) = $0 { !can.isViewer } else { false } })
    }

    @Test func `questions and operations are answered`() throws {
        let server = try ControlServer.start(path: home["e.sock"], handler: stub)
        defer { server.stop() }
        let engine = start()
        defer { engine.stop() }
        try #require(eventually { log.isUp })
        engine.send(.checkpoints(StubEngine.job().id))
        engine.send(.failures(StubEngine.job().id))
        engine.operate(try operation("op1"))
        engine.send(.inspect(path: "/none"))
        #expect(eventually { log.all.contains { if case .checkpoints = $0 { true } else { false } } })
        #expect(eventually { log.all.contains { if case .failures = $0 { true } else { false } } })
        #expect(eventually { log.all.contains { if case .operation(let report) = $0 { report.state == .accepted } else { false } } })
        #expect(eventually { log.all.contains { if case .requestFailed = $0 { true } else { false } } })
        #expect(stub.received.map(\.id.description) == ["op1"])
        let found = Mutex<[OperationReport?]>([])
        engine.lookUp(SentOperation(request: try operation("op1"), sentAt: WallTime(milliseconds: 0))) { report in found.withLock { $0.append(report) } }
        engine.lookUp(SentOperation(request: try operation("nobody"), sentAt: WallTime(milliseconds: 0))) { report in found.withLock { $0.append(report) } }
        #expect(eventually { found.withLock { $0.count } == 2 })
        #expect(found.withLock { $0.map { $0?.request.id.description } } == ["op1", nil])
    }

    @Test func `without a link an operation is refused at once, and says that nothing was sent`() throws {
        let engine = start()
        defer { engine.stop() }
        #expect(eventually { !log.downs.isEmpty })
        #expect(log.downs.first?.contains("no socket") == true)
        engine.operate(try operation("op1"))
        let refusals = log.all.compactMap { if case .refused(let id, let message) = $0 { "\(id): \(message)" } else { nil } }
        #expect(refusals.count == 1 && refusals[0].contains("nothing was sent"))
    }

    @Test func `it finds an engine that starts later, and one that starts again`() throws {
        let engine = start()
        defer { engine.stop() }
        try #require(eventually { log.downs.count >= 2 })
        let first = try ControlServer.start(path: home["e.sock"], handler: stub)
        engine.retryNow()
        #expect(eventually(seconds: 3) { log.isUp })
        first.stop()
        #expect(eventually(seconds: 3) { !log.isUp })
        let second = try ControlServer.start(path: home["e.sock"], handler: stub)
        defer { second.stop() }
        let start = monotonicSeconds()
        #expect(eventually(seconds: 3) { log.isUp })
        // The first pause is a quarter of a second at most.
        #expect(monotonicSeconds() - start < 1.5)
    }

    @Test func `an engine that takes connections and hangs is reported, and costs the caller nothing`() throws {
        let hung = HungEngine(path: home["e.sock"])
        defer { withExtendedLifetime(hung) {} }
        let engine = start()
        let begin = monotonicSeconds()
        engine.operate(try operation("op1"))
        engine.send(.checkpoints(StubEngine.job().id))
        engine.retryNow()
        #expect(monotonicSeconds() - begin < 0.1)
        #expect(eventually(seconds: 8) { log.downs.contains { $0.contains("may hang") } })
        let stopping = monotonicSeconds()
        engine.stop()
        #expect(monotonicSeconds() - stopping < 0.1)
    }

    @Test func `silence on a connection is announced, and ends with the next word`() throws {
        let server = try ControlServer.start(path: home["e.sock"], handler: stub)
        defer { server.stop() }
        let engine = start()
        defer { engine.stop() }
        try #require(eventually { log.isUp && log.reports > 0 })
        stub.fallSilent()
        try #require(eventually(seconds: 12) { log.downs.contains { $0.contains("no word") } })
        server.publish(stub.currentReport())
        #expect(eventually(seconds: 2) { log.isUp })
    }

    @Test func `nothing is delivered after stop`() throws {
        let server = try ControlServer.start(path: home["e.sock"], handler: stub)
        defer { server.stop() }
        let engine = start()
        try #require(eventually { log.reports > 0 })
        engine.stop()
        let count = log.all.count
        for _ in 0..<50 { server.publish(stub.currentReport()) }
        #expect(!eventually(seconds: 0.2) { log.all.count != count })
    }
}
