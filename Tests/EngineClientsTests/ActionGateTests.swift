// Goal: no action reaches an engine that is not on disk first, outcomes find their way into the ledger, and what an earlier console
// sent is asked for when the link comes up. Method: engines that record what they are told, and a real ledger.

import ConsoleCore
import Dispatch
import Glibc
@testable import Ledger
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients
@testable import HostEnvironment

/// Records requests, and says what the test wants it to say.
final class ScriptedEngine: ActingEngine, OperationLookup {
    struct State {
        var deliver: (@Sendable (EngineEvent) -> Void)?
        var sent: [EngineRequest] = []
        var isStopped = false
        var known: [OperationID: OperationReport] = [:]
        var onSend: (@Sendable (EngineRequest) -> Void)?
    }
    let state = Mutex(State())

    func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) { state.withLock { $0.deliver = deliver } }
    func send(_ question: EngineQuestion) { take(.ask(question)) }
    func operate(_ operation: OperationRequest) { take(.operate(operation)) }
    private func take(_ request: EngineRequest) {
        let act = state.withLock { state in
            state.sent.append(request)
            return state.onSend
        }
        act?(request)
    }
    func retryNow() {}
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.deliver = nil
        }
    }
    func lookUp(_ sent: SentOperation, completion: @escaping @Sendable (OperationReport?) -> Void) {
        completion(state.withLock { $0.known[sent.request.id] })
    }

    func say(_ event: EngineEvent) { state.withLock { $0.deliver }?(event) }
    var sent: [EngineRequest] { state.withLock { $0.sent } }
}

/// Events that a gate delivered, with waiting for one.
final class EventLog: Sendable {
    private let events = Mutex<[ConsoleEvent]>([])
    func take(_ event: ConsoleEvent) { events.withLock { $0.append(event) } }
    var all: [ConsoleEvent] { events.withLock { $0 } }
    var notices: [String] { all.compactMap { if case .notice(let text) = $0 { text } else { nil } } }
    var reattached: [OperationReport] { all.flatMap { if case .reattached(let reports, _) = $0 { reports } else { [OperationReport]() } } }
    var refusals: [String] { all.compactMap { if case .engine(_, .refused(_, let message)) = $0 { message } else { nil } } }
}

@Suite struct ActionGateTests {
    let home = Sandbox()
    let engine = ScriptedEngine()
    let log = EventLog()

    func gate(isReadOnly: Bool = false) -> ActionGate {
        let context = ConsoleContext(name: "lab", class: .lab, socket: home["e.sock"], isReadOnly: isReadOnly)
        return ActionGate(contexts: [context], makeEngine: { [engine] _ in engine }) { [log] in log.take($0) }
    }

    func operation(_ id: String, _ kind: OperationRequest.Kind = .savepoint(directory: nil)) throws -> OperationRequest {
        OperationRequest(id: try #require(OperationID(id)), kind: kind, job: StubEngine.job().id, expectedState: .running, reason: "INC-1", by: "ana@host")
    }

    var emptyReport: EngineEvent { report(listing: []) }

    func report(listing operations: [OperationReport]) -> EngineEvent {
        let info = EngineInfo(name: "e", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
        let report = EngineReport(engine: info, at: WallTime(milliseconds: 1), jobs: [], operations: operations)
        return .report(report, receivedAt: WallTime(milliseconds: 1))
    }

    func report(_ request: OperationRequest, _ state: OperationReport.State) -> OperationReport {
        OperationReport(
            request: request, jobName: "orders", state: state, acceptedAt: WallTime(milliseconds: 5),
            endedAt: state.isTerminal ? WallTime(milliseconds: 9) : nil, path: state == .completed ? "/sp/1" : nil)
    }

    @Test func `an action is on disk before the engine hears of it`() throws {
        let gate = gate()
        let request = try operation("a1")
        let path = home["ledger.sqlite"]
        let seen = Mutex<[String]>([])
        let socket = home["e.sock"]
        engine.state.withLock { state in
            state.onSend = { sent in
                guard case .operate(let operation) = sent else { return }
                // Read through another connection, as the console that comes after a kill would.
                let unfinished = (try? Ledger.open(path: path).unfinished(address: socket)) ?? []
                seen.withLock { $0 = unfinished.map { "\($0.request.id) \($0.request == operation) \($0.address)" } }
            }
        }
        gate.start(ledgerPath: path)
        gate.send(.operate(request), to: "lab")
        #expect(eventually { !seen.withLock { $0.isEmpty } })
        #expect(seen.withLock { $0 } == ["a1 true \(socket)"])
    }

    @Test func `outcomes reach the ledger, from replies and from reports`() throws {
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        for id in ["a1", "a2", "a3"] { gate.send(.operate(try operation(id)), to: "lab") }
        try #require(eventually { engine.sent.count == 3 })
        engine.say(.operation(report(try operation("a1"), .completed)))
        engine.say(.refused(try #require(OperationID("a2")), message: "job is gone"))
        let running = report(try operation("a3"), .running)
        for _ in 0..<3 { engine.say(report(listing: [running])) }
        #expect(gate.finish(within: .seconds(5)).isEmpty)
        let entries = try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 9)
        let outcomes = Dictionary(uniqueKeysWithValues: entries.map { ($0.request.id.description, $0.outcome) })
        #expect(outcomes == ["a1": .completed, "a2": .refused, "a3": .running])
        #expect(entries.first { $0.request.id.description == "a2" }?.error == "job is gone")
        #expect(engine.state.withLock { $0.isStopped })
    }

    @Test func `without a usable ledger actions go on, with one banner`() throws {
        let broken = try home.write("broken.sqlite", String(repeating: "garbage ", count: 1000))
        let gate = gate()
        gate.start(ledgerPath: broken)
        gate.send(.operate(try operation("a1")), to: "lab")
        gate.send(.operate(try operation("a2")), to: "lab")
        #expect(eventually { engine.sent.count == 2 })
        #expect(log.notices.count == 1 && log.notices[0].hasPrefix("actions are not recorded: ") && log.notices[0].contains("broken.sqlite"))
    }

    @Test func `what was sent while another process held the ledger is written down when it lets go`() throws {
        let other = try Ledger.open(path: home["ledger.sqlite"])
        let isHeld = DispatchSemaphore(value: 0), mayGo = DispatchSemaphore(value: 0)
        let holder = DispatchQueue(label: "holder")
        holder.async {
            // A transaction that writes, and takes its time; what it may fail with is seen by the test's deadline.
            _ = try? other.write { _ in
                isHeld.signal()
                mayGo.wait()
            }
        }
        isHeld.wait()
        // Neither the opening nor the writing gets through.
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        gate.send(.operate(try operation("a1")), to: "lab")
        #expect(eventually { engine.sent.count == 1 }, "the action waits for the ledger")
        engine.say(.operation(report(try operation("a1"), .completed)))
        #expect(eventually { log.notices.contains { $0.contains("locked by another process") } } && log.notices.count == 1)
        mayGo.signal()
        let path = home["ledger.sqlite"]
        #expect(try eventually { try Ledger.open(path: path).recent(limit: 9).first?.outcome == .completed })
        #expect(try Ledger.open(path: path).recent(limit: 9).map(\.request) == [try operation("a1")])
        holder.sync {}
    }

    @Test func `a read-only context lets nothing through but questions`() throws {
        let gate = gate(isReadOnly: true)
        gate.start(ledgerPath: home["ledger.sqlite"])
        gate.send(.operate(try operation("a1", .cancel(.keep))), to: "lab")
        gate.send(.ask(.checkpoints(StubEngine.job().id)), to: "lab")
        #expect(eventually { engine.sent.count == 1 })
        #expect(engine.sent == [.ask(.checkpoints(StubEngine.job().id))])
        #expect(log.refusals.count == 1)
        #expect(gate.finish(within: .seconds(1)).isEmpty)
        #expect(try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 9).isEmpty)
    }

    /// Like a recording: it can be looked at and nothing else.
    private struct Picture: Engine {
        func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) {}
        func send(_ question: EngineQuestion) {}
        func retryNow() {}
        func stop() {}
    }

    @Test func `there is no session to act with where nothing may be sent`() throws {
        let place = ConsoleContext(name: "lab", class: .lab, socket: home["e.sock"])
        var guarded = place
        guarded.isReadOnly = true
        #expect(ActingSession(place, engine) != nil)
        #expect(ActingSession(guarded, engine) == nil)
        #expect(ActingSession(place, Picture()) == nil)
        let gate = ActionGate(contexts: [place], makeEngine: { _ in Picture() }) { [log] in log.take($0) }
        gate.start(ledgerPath: home["ledger.sqlite"])
        gate.send(.operate(try operation("a1")), to: "lab")
        gate.send(.operate(try operation("a2")), to: "elsewhere")
        #expect(log.refusals.count == 2 && log.refusals.allSatisfy { $0.contains("nothing was sent") })
        #expect(gate.finish(within: .seconds(1)).isEmpty)
        #expect(try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 9).isEmpty)
    }

    @Test func `quitting names the actions that got no answer, and does not wait for ever`() throws {
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        gate.send(.operate(try operation("a1")), to: "lab")
        try #require(eventually { engine.sent.count == 1 })
        let start = monotonicSeconds()
        #expect(gate.finish(within: 200).map(\.description) == ["a1"])
        #expect(monotonicSeconds() - start < 5)
        #expect(try Ledger.open(path: home["ledger.sqlite"]).unfinished(address: home["e.sock"]).count == 1)
    }

    @Test func `what an earlier console sent is asked for, once, when the link comes up`() throws {
        let running = try operation("run"), done = try operation("done"), lost = try operation("lost"), fresh = try operation("fresh")
        do {
            let ledger = try Ledger.open(path: home["ledger.sqlite"])
            for request in [running, done, lost] {
                try ledger.recordIntent(request, context: "lab", address: home["e.sock"], at: WallTime(milliseconds: 1000))
            }
            // Just written by another console: it may still be on its way.
            try ledger.recordIntent(fresh, context: "lab", address: home["e.sock"], at: WallTime.now())
            try ledger.recordIntent(try operation("other"), context: "prod", address: "x", at: WallTime(milliseconds: 1000))
        }
        engine.state.withLock { state in
            state.known = [running.id: report(running, .running), done.id: report(done, .completed)]
        }
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        engine.say(.link(.up(roundTrip: nil)))
        engine.say(emptyReport)
        engine.say(.link(.up(roundTrip: 3)))
        engine.say(emptyReport)
        #expect(eventually { log.reattached.count >= 3 })
        _ = gate.finish(within: .seconds(2))
        let states = log.reattached.map { "\($0.request.id) \($0.state.rawValue)" }.sorted()
        #expect(states == ["done completed", "lost unknown", "run running"])
        let entries = try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 9)
        let outcomes = Dictionary(uniqueKeysWithValues: entries.map { ($0.request.id.description, $0.outcome) })
        #expect(outcomes == ["run": .running, "done": .completed, "lost": .unknown, "fresh": .intended, "other": .intended])
    }

    @Test func `the outcome of a reattached operation is recorded when it comes`() throws {
        let request = try operation("run")
        do {
            let ledger = try Ledger.open(path: home["ledger.sqlite"])
            try ledger.recordIntent(request, context: "lab", address: home["e.sock"], at: WallTime(milliseconds: 1000))
        }
        engine.state.withLock { $0.known = [request.id: report(request, .running)] }
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        engine.say(.link(.up(roundTrip: nil)))
        engine.say(emptyReport)
        try #require(eventually { log.reattached.count == 1 })
        engine.say(.operation(report(request, .completed)))
        _ = gate.finish(within: .seconds(2))
        let entry = try #require(try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 1).first)
        #expect(entry.outcome == .completed && entry.path == "/sp/1")
    }

    @Test func `what another process carries out is left to it, and told by what that records`() throws {
        let request = try operation("run", .restart(RestartOptions()))
        let other = try Ledger.open(path: home["ledger.sqlite"])
        #expect(other.claim(request.id))
        try other.recordIntent(request, context: "lab", address: home["e.sock"], at: WallTime(milliseconds: 1000), carrier: "pid 7 on ops1")
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        engine.say(.link(.up(roundTrip: nil)))
        engine.say(emptyReport)
        try #require(eventually { log.reattached.contains { $0.activity == "being carried out by pid 7 on ops1" } })
        #expect(try other.entry(request.id)?.outcome == .intended, "nobody resolved it")
        try other.recordOutcome(report(request, .completed))
        #expect(eventually { log.reattached.last?.state == .completed })
        _ = gate.finish(within: .seconds(2))
    }

    @Test func `the calling thread never waits for the disk`() throws {
        // Another process holds the ledger for writing: recording waits for the busy timeout.
        _ = try Ledger.open(path: home["ledger.sqlite"])
        let gate = gate()
        gate.start(ledgerPath: home["ledger.sqlite"])
        let start = monotonicSeconds()
        for number in 0..<100 { gate.send(.operate(try operation("n\(number)")), to: "lab") }
        #expect(monotonicSeconds() - start < 0.5)
        #expect(eventually { engine.sent.count == 100 })
    }
}
