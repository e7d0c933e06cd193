// Goal: the console learns of a cluster what it shows, at a price that is counted, and a cluster that is slow, gone or replaced costs nobody else
// any time. Method: the engine against a local server that answers as real clusters did.

import ConsoleCore
import FlinkFake
import FlinkREST
import Foundation
import StreamModel
import Synchronization
import Testing

@testable import ConsoleApp

@Suite struct FlinkEngineTests {
    /// What an engine told, and how many requests the server had had by then.
    final class Listener: Sendable {
        struct Told {
            var event: EngineEvent
            var requests: Int
        }
        private let told = Mutex<[Told]>([])

        func attach(_ engine: FlinkEngine, to server: FakeServer?) {
            engine.start { event in
                let count = server?.requests.count ?? 0
                self.told.withLock { $0.append(Told(event: event, requests: count)) }
            }
        }

        var events: [EngineEvent] { told.withLock { $0.map(\.event) } }
        /// Requests between one report and the next.
        var requestsAPoll: [Int] {
            let counts = told.withLock { told in told.compactMap { told in if case .report = told.event { told.requests } else { nil } } }
            return zip(counts.dropFirst(), counts).map { $0 - $1 }
        }
        var reports: [EngineReport] { events.compactMap { if case .report(let report, _) = $0 { report } else { nil } } }
        var links: [LinkState] { events.compactMap { if case .link(let state) = $0 { state } else { nil } } }
        var capabilities: EngineCapabilities? { events.reversed().lazy.compactMap { if case .capabilities(let found) = $0 { found } else { nil } }.first }
        func forget() { told.withLock { $0 = [] } }
    }

    private func engine(_ url: String, patience: Milliseconds = .seconds(20)) throws -> FlinkEngine {
        FlinkEngine(FlinkConnection(try FlinkAddress(url)), patience: patience)
    }

    private func wait(_ what: String, _ condition: () -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard ContinuousClock.now < end else { throw NeverCame(what: what) }
            usleep(5000)
        }
    }

    struct NeverCame: Error { var what: String }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func `a cluster of any version becomes known`(version: String) throws {
        let server = try FakeServer(answer: RecordedFlink.answer(version))
        let id = try RecordedFlink.job(version)
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        func orders() -> JobReport? { listener.reports.last?.jobs.first { $0.id == id } }
        try wait("a whole report of the job") { orders().map { $0.budget.source == .estimated && $0.lastFailure != nil && $0.throughput.recordsReadPerSecond > 0 } ?? false }
        let job = try #require(orders())
        #expect(job.name == "orders" && job.state == .running && job.configuration.tolerableFailures == 3)
        #expect(job.freshness?.state != nil && job.freshness?.checkpoints != nil && job.freshness?.flow != nil, "each part has its age")
        #expect(listener.capabilities?.canCheckpointNow == (version != "1.14.3"), "1.17 brought it")
        #expect(listener.capabilities?.exactBudget == false && listener.capabilities?.canOverrideRetention == false)
        guard case .up(let roundTrip) = listener.links.last else { throw NeverCame(what: "a link") }
        #expect(roundTrip != nil)
        #expect(listener.reports.last?.engine.version == "Flink \(version)")

        engine.send(.checkpoints(id))
        try wait("the list") { listener.events.contains { if case .checkpoints(id, let rows) = $0 { rows.count >= 9 } else { false } } }
        engine.send(.failures(id))
        try wait("the failures") { listener.events.contains { if case .failures(id, let rows) = $0 { rows.first?.fullText != nil } else { false } } }
        engine.stop()
        try server.stop()
    }

    @Test func `the overview costs one request a poll, and a job three`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("1.20.5"))
        let id = try RecordedFlink.job("1.20.5")
        let listener = Listener(), engine = try engine(server.url)
        listener.attach(engine, to: server)
        // The first polls follow each other quickly: enough of them come by.
        try wait("the overview") { listener.requestsAPoll.count >= 12 && listener.reports.last?.jobs.first { $0.id == id }?.budget.source == .estimated }
        #expect(listener.requestsAPoll.max() == 1, "\(listener.requestsAPoll)")
        #expect(listener.requestsAPoll.min() == 1)

        engine.look(at: .job(id))
        server.forgetRequests()
        try wait("the job's requests") { server.requests.count >= 3 }
        listener.forget()
        server.forgetRequests()
        // Details are asked for meanwhile, as the wide screen does.
        engine.send(.checkpoint(id, CheckpointID(6)))
        try wait("the job") { listener.requestsAPoll.count >= 5 }
        #expect((listener.requestsAPoll.max() ?? 9) <= 3, "\(listener.requestsAPoll)")
        let others = server.requests.map(\.path).filter { !$0.contains(id.description) && $0 != "/jobs/overview" }
        #expect(others == [], "nothing but what is looked at")
        engine.stop()
        try server.stop()
    }

    @Test func `a checkpoint comes with its operators, subtasks and hosts`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        try wait("a report") { listener.reports.last?.jobs.isEmpty == false }
        engine.look(at: .checkpoint(id, CheckpointID(7)))
        engine.send(.checkpoint(id, CheckpointID(7)))
        func detail() -> CheckpointReport? {
            listener.events.reversed().lazy.compactMap { if case .checkpoint(id, let report) = $0 { report } else { nil } }.first
        }
        try wait("the whole detail") { detail()?.operators?.last?.subtasks.allSatisfy { $0.host != nil } ?? false && detail()?.operators?.last?.acknowledged == 2 }
        #expect(detail()?.operators?.count == 2)
        engine.stop()
        try server.stop()
    }

    @Test func `a cluster that hangs delays nothing, is told, and is found again`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url, patience: 400)
        listener.attach(engine, to: server)
        try wait("a report") { !listener.reports.isEmpty }
        server.answer { _ in .silence }
        try wait("the hang") { if case .down(let reason, let retryAt?, _)? = listener.links.last { reason.contains("did not answer") && retryAt.milliseconds > 0 } else { false } }
        let start = ContinuousClock.now
        engine.look(at: .job(id))
        engine.send(.failures(id))
        engine.operate(OperationRequest(id: OperationID("op-1")!, kind: .savepoint(directory: nil), job: id))
        engine.retryNow()
        #expect(ContinuousClock.now - start < .milliseconds(200), "nobody waits for it")
        try wait("the refusal") { listener.events.contains { if case .refused(let refused, let why) = $0 { refused == OperationID("op-1") && why.hasPrefix("nothing was sent") } else { false } } }
        server.answer(RecordedFlink.answer("1.14.3"))
        engine.retryNow()
        try wait("the link") { if case .up? = listener.links.last { true } else { false } }
        try wait("the version of what is there now") { listener.capabilities?.canCheckpointNow == false }
        engine.stop()
        try server.stop()
    }

    @Test func `details that never end do not keep failures and busy times from being asked for`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        var number: UInt64 = 0
        func askForMore() {
            number += 1
            engine.send(.checkpoint(id, CheckpointID(number % 9 + 1)))
        }
        askForMore()
        listener.attach(engine, to: server)
        try wait("all that a job's screen shows") {
            askForMore()
            let job = listener.reports.last?.jobs.first { $0.id == id }
            let isAsked = server.requests.contains { $0.path.contains("/checkpoints/details/") }
            return isAsked && job?.freshness?.failures != nil && job?.vertices.contains { $0.busyPermille != nil } ?? false
        }
        listener.forget()
        try wait("details") { listener.events.contains { if case .checkpoint = $0 { true } else { false } } }
        #expect((listener.requestsAPoll.max() ?? 0) <= 3, "\(listener.requestsAPoll)")
        engine.stop()
        try server.stop()
    }

    @Test func `a job that was just launched is found while details of another are asked for`() throws {
        let old = try RecordedFlink.job("2.3.0")
        let new = try #require(JobID("00000000000000000000000000c0ffee"))
        let isListed = Mutex(false)
        let server = try FakeServer { request in
            let reply = RecordedFlink.answer("2.3.0")(request)
            guard request.path == "/jobs/overview", isListed.withLock({ $0 }), case .status(_, let body, _) = reply else { return reply }
            return .json(body.replacing(old.description, with: new.description))
        }
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(old))
        listener.attach(engine, to: server)
        try wait("a report") { listener.reports.last?.jobs.contains { $0.id == old } ?? false }
        for number in 1...9 { engine.send(.checkpoint(old, CheckpointID(UInt64(number)))) }
        isListed.withLock { $0 = true }
        server.forgetRequests()
        engine.look(at: .job(new))
        try wait("the new job") { listener.reports.last?.jobs.first { $0.id == new }?.freshness?.checkpoints != nil }
        let asked = server.requests.map(\.path)
        #expect(asked.first { $0 == "/jobs/overview" } != nil)
        #expect(asked.prefix { $0 != "/jobs/overview" }.count <= 3, "the list comes first: \(asked)")
        engine.stop()
        try server.stop()
    }

    @Test func `nobody there is told with growing pauses, and stop ends it`() throws {
        let server = try FakeServer { _ in .close }
        let url = server.url
        try server.stop()
        let listener = Listener()
        var engine: FlinkEngine? = try self.engine(url)
        weak let thread = engine
        listener.attach(try #require(engine), to: nil)
        func downs() -> [(attempts: Int, reason: String)] {
            listener.links.compactMap { if case .down(let reason, _, let attempts) = $0 { (attempts, reason) } else { nil } }
        }
        try wait("three attempts") { downs().count >= 3 }
        #expect(downs().prefix(3).map(\.attempts) == [1, 2, 3])
        #expect(downs().allSatisfy { $0.reason.contains("connection refused") })
        #expect(listener.links.first == .connecting && listener.reports.isEmpty)
        let before = downs().count
        engine?.retryNow()
        try wait("another one") { downs().count > before }
        engine?.stop()
        let count = listener.events.count
        engine?.retryNow()
        // Its thread holds the engine until it ends.
        engine = nil
        try wait("the end of its thread") { thread == nil }
        #expect(listener.events.count == count, "nothing is told after stop")
    }

    @Test(arguments: [
        ("<html><title>Grafana</title></html>", "a web page"), ("{}", "flink-version"), ("garbage", "no JSON"),
    ]) func `what is not Flink is told`(body: String, words: String) throws {
        let server = try FakeServer { _ in .status(200, body: body) }
        let listener = Listener(), engine = try engine(server.url)
        listener.attach(engine, to: server)
        try wait("the reason") { if case .down(let reason, _, _)? = listener.links.last { reason.contains(words) } else { false } }
        engine.stop()
        try server.stop()
    }

    @Test func `a job that is gone leaves the report, and an expired detail is no trouble`() throws {
        let server = try FakeServer { request in
            if request.path.contains("/checkpoints/details") { return .status(404, body: #"{"errors":["Could not find checkpointing statistics for checkpoint 5."]}"#) }
            return RecordedFlink.answer("2.3.0")(request)
        }
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        try wait("a report with checkpoints") { listener.reports.last?.jobs.first { $0.id == id }?.freshness?.checkpoints != nil }
        engine.look(at: .checkpoint(id, CheckpointID(5)))
        engine.send(.checkpoint(id, CheckpointID(5)))
        try wait("what is left of it") { listener.events.contains { if case .checkpoint(id, let row) = $0 { row.id == CheckpointID(5) && row.operators == [] } else { false } } }
        server.answer { request in
            if request.path == "/jobs/overview" { return .json(#"{"jobs":[]}"#) }
            if request.path.contains(id.description) { return .status(404, body: #"{"errors":["Job \#(id) not found"]}"#) }
            return RecordedFlink.answer("2.3.0")(request)
        }
        engine.look(at: .overview)
        try wait("an empty cluster") { listener.reports.last?.jobs.isEmpty == true }
        #expect(listener.links.allSatisfy { if case .down = $0 { false } else { true } }, "the link is fine")
        engine.stop()
        try server.stop()
    }
}
