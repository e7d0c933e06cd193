// Goal: the console learns of a cluster what it shows, at a price that is counted, and a cluster that is slow, gone or replaced costs nobody else
// any time. Method: the engine against a local server that answers as real clusters did.

import ConsoleCore
import FlinkFake
import FlinkREST
import Foundation
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients

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
        var reports: [EngineReport] { events.compactMap { if case .report(let report, _) = $0 { report } else { nil } } }
        var links: [LinkState] { events.compactMap { if case .link(let state) = $0 { state } else { nil } } }
        var capabilities: EngineCapabilities? { events.reversed().lazy.compactMap { if case .capabilities(let found) = $0 { found } else { nil } }.first }
        func forget() { told.withLock { $0 = [] } }
    }

    private func engine(_ url: String, patience: Milliseconds = .seconds(20)) throws -> FlinkEngine {
        FlinkEngine(FlinkConnection(try FlinkAddress(url)), patience: patience)
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func `a cluster of any version becomes known`(version: String) throws {
        let server = try FakeServer(answer: RecordedFlink.answer(version))
        let id = try RecordedFlink.job(version)
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        func orders() -> JobReport? { listener.reports.last?.jobs.first { $0.id == id } }
        try wait(60, for: "a whole report of the job") {
            orders().map { $0.budget.source == .estimated && $0.lastFailure != nil && $0.throughput.recordsReadPerSecond ?? 0 > 0 } ?? false
        }
        let job = try #require(orders())
        #expect(job.name == "orders" && job.state == .running && job.configuration.tolerableFailures == 3)
        #expect(job.freshness?.state != nil && job.freshness?.checkpoints != nil && job.freshness?.flow != nil, "each part has its age")
        #expect(listener.capabilities?.canCheckpointNow == (version != "1.14.3"), "1.17 brought it")
        #expect(listener.capabilities?.exactBudget == false && listener.capabilities?.canOverrideRetention == false)
        guard case .up(let roundTrip) = listener.links.last else { throw Broken("there is no link") }
        #expect(roundTrip != nil)
        #expect(listener.reports.last?.engine.version == "Flink \(version)")

        engine.send(.checkpoints(id))
        try wait(60, for: "the list") { listener.events.contains { if case .checkpoints(id, let rows) = $0 { rows.count >= 9 } else { false } } }
        engine.send(.failures(id))
        try wait(60, for: "the failures") { listener.events.contains { if case .failures(id, let rows) = $0 { rows.first?.fullText != nil } else { false } } }
        engine.stop()
        try server.stop()
    }

    @Test func `what is looked at is asked for, and what nobody sees hardly`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("1.20.5"))
        let id = try RecordedFlink.job("1.20.5")
        let listener = Listener(), engine = try engine(server.url)
        listener.attach(engine, to: server)
        try wait(60, for: "the overview") {
            let job = listener.reports.last?.jobs.first { $0.id == id }
            return job?.budget.source == .estimated && job?.throughput.recordsReadPerSecond ?? 0 > 0 && listener.reports.last?.engine.capacity != nil
        }
        let rate = listener.reports.last?.jobs.first { $0.id == id }?.throughput.recordsReadPerSecond ?? 0
        #expect((160...240).contains(rate), "\(rate)")
        #expect(!server.requests.contains { $0.path.hasSuffix("/exceptions") && !$0.path.contains("jobs/") })

        engine.look(at: .job(id))
        server.forgetRequests()
        try wait(60, for: "all that its screen shows") {
            Set(["", "/checkpoints", "/exceptions", "/metrics", "/config"]).isSubset(
                of: server.requests.map { String($0.path.trimmingPrefix("/jobs/\(id)")) })
        }
        engine.look(at: .elsewhere)
        server.forgetRequests()
        let start = ContinuousClock.now
        try wait(60, for: "four seconds and some questions") { ContinuousClock.now - start > .seconds(4) && server.requests.count >= 3 }
        #expect(server.requests.count <= Int((ContinuousClock.now - start).components.seconds) + 6, "one a second, and those that were under way")
        engine.stop()
        try server.stop()
    }

    @Test func `one failed answer loses neither the link nor what is known`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        func job() -> JobReport? { listener.reports.last?.jobs.first { $0.id == id } }
        try wait(60, for: "the job") { job()?.configuration.interval != nil && job()?.latestCompleted != nil }
        let failures = Mutex(0)
        server.answer { request in
            // Each kind of failure of a proxy and of Flink, on everything but the list.
            guard request.path != "/jobs/overview", request.path != "/config" else { return RecordedFlink.answer("2.3.0")(request) }
            return failures.withLock { count in
                count += 1
                switch count % 3 {
                case 0: return .status(503, body: "no leader")
                case 1: return .status(404, body: #"{"errors":["Checkpointing has not been enabled."]}"#)
                default: return .json(#"{"counts":{"to"#)
                }
            }
        }
        listener.forget()
        try wait(60, for: "failures") { failures.withLock { $0 } >= 12 }
        try wait(60, for: "a report") { !listener.reports.isEmpty }
        #expect(job()?.configuration.interval != nil && job()?.latestCompleted != nil)
        #expect(listener.links.allSatisfy { if case .down = $0 { false } else { true } }, "\(listener.links)")
        engine.stop()
        try server.stop()
    }

    /// Until a job runs, a cluster answers 404 to everything about its checkpoints.
    @Test func `a job that is starting is asked again until it tells`() throws {
        let isStarting = Mutex(true)
        let answer = RecordedFlink.answer("2.3.0")
        let server = try FakeServer { request in
            guard isStarting.withLock({ $0 }) else { return answer(request) }
            if request.path.hasSuffix("/checkpoints") || request.path.hasSuffix("/checkpoints/config") {
                return .status(404, body: #"{"errors":["Checkpointing has not been enabled."]}"#)
            }
            guard case .status(let status, let body, let headers) = answer(request) else { return answer(request) }
            return .status(status, body: body.replacing(#""state":"RUNNING""#, with: #""state":"INITIALIZING""#), headers: headers)
        }
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        func job() -> JobReport? { listener.reports.last?.jobs.first { $0.id == id } }
        func asked(_ end: String) -> Int { server.requests.count { $0.path.hasSuffix(end) } }
        try wait(60, for: "some questions") { asked("/checkpoints") >= 2 && asked("/checkpoints/config") >= 2 && job() != nil }
        #expect(job()?.freshness?.checkpoints == nil && job()?.freshness?.configuration == nil, "nothing is known of either")
        isStarting.withLock { $0 = false }
        let start = ContinuousClock.now
        try wait(60, for: "the checkpoint and the budget") { job()?.latestCompleted != nil && job()?.budget.source == .estimated && job()?.state == .running }
        #expect(ContinuousClock.now - start < .seconds(15))
        engine.stop()
        try server.stop()
    }

    @Test func `a checkpoint comes with its operators, subtasks and hosts`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        try wait(60, for: "a report") { listener.reports.last?.jobs.isEmpty == false }
        engine.look(at: .checkpoint(id, CheckpointID(7)))
        engine.send(.checkpoint(id, CheckpointID(7)))
        func detail() -> CheckpointReport? {
            listener.events.reversed().lazy.compactMap { if case .checkpoint(id, let report) = $0 { report } else { nil } }.first
        }
        try wait(60, for: "the whole detail") {
            detail()?.operators?.last?.subtasks.allSatisfy { $0.host != nil } ?? false && detail()?.operators?.last?.acknowledged == 2
        }
        #expect(detail()?.operators?.count == 2)
        engine.stop()
        try server.stop()
    }

    @Test func `a cluster that hangs delays nothing, is told, and is found again`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url, patience: 400)
        listener.attach(engine, to: server)
        try wait(60, for: "a report") { !listener.reports.isEmpty }
        server.answer { _ in .silence }
        try wait(60, for: "the hang") {
            if case .down(let reason, let retryAt?, _)? = listener.links.last { reason.contains("did not answer") && retryAt.milliseconds > 0 } else { false }
        }
        let start = ContinuousClock.now
        engine.look(at: .job(id))
        engine.send(.failures(id))
        engine.operate(OperationRequest(id: OperationID("op-1")!, kind: .savepoint(directory: nil), job: id))
        engine.retryNow()
        #expect(ContinuousClock.now - start < .milliseconds(200), "nobody waits for it")
        try wait(60, for: "the refusal") {
            listener.events.contains {
                if case .refused(let refused, let why) = $0 { refused == OperationID("op-1") && why.hasPrefix("nothing was sent") } else { false }
            }
        }
        server.answer(RecordedFlink.answer("1.14.3"))
        engine.retryNow()
        try wait(60, for: "the link") { if case .up? = listener.links.last { true } else { false } }
        try wait(60, for: "the version of what is there now") { listener.capabilities?.canCheckpointNow == false }
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
        try wait(60, for: "all that a job's screen shows") {
            askForMore()
            let job = listener.reports.last?.jobs.first { $0.id == id }
            let isAsked = server.requests.contains { $0.path.contains("/checkpoints/details/") }
            return isAsked && job?.freshness?.failures != nil && job?.vertices.contains { $0.busyPermille != nil } ?? false
        }
        listener.forget()
        try wait(60, for: "details") { listener.events.contains { if case .checkpoint = $0 { true } else { false } } }
        engine.stop()
        try server.stop()
    }

    /// Three hundred operators of 1,600 subtasks each.
    @Test func `details of very many subtasks cost neither questions nor memory without bounds`() throws {
        let id = try RecordedFlink.job("2.3.0"), recorded = RecordedFlink.answer("2.3.0")
        let vertices = (0..<300).map { OperatorID(high: 9, low: UInt64($0)) }
        let subtasks = (0..<1600).map {
            #"{"index":\#($0),"status":"completed","ack_timestamp":5,"end_to_end_duration":9,"state_size":7,"checkpoint":{"sync":1,"async":2}}"#
        }.joined(separator: ",")
        let places = (0..<1600).map { #"{"subtask":\#($0),"endpoint":"taskmanager-of-a-long-name-\#($0 % 40):1"}"# }.joined(separator: ",")
        let tasks = vertices.enumerated().map { index, vertex in
            #""\#(vertex)":{"id":4,"status":"COMPLETED","num_subtasks":1600,"num_acknowledged_subtasks":1600,"end_to_end_duration":\#(index),"state_size":7}"#
        }.joined(separator: ",")
        let checkpoint =
            #"{"id":4,"status":"COMPLETED","is_savepoint":false,"trigger_timestamp":1,"num_subtasks":480000,"num_acknowledged_subtasks":480000,"tasks":{\#(tasks)}}"#
        let server = try FakeServer { request in
            let path = request.path
            if path.contains("/checkpoints/details/4/subtasks/") {
                return .json(#"{"num_subtasks":1600,"num_acknowledged_subtasks":1600,"subtasks":[\#(subtasks)]}"#)
            }
            if path.hasSuffix("/checkpoints/details/4") { return .json(checkpoint) }
            if path.contains("/vertices/"), !path.hasSuffix("/metrics") { return .json(#"{"subtasks":[\#(places)]}"#) }
            return recorded(request)
        }
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        try wait(60, for: "a report") { listener.reports.last?.jobs.isEmpty == false }
        server.forgetRequests()
        let start = ContinuousClock.now
        engine.look(at: .checkpoint(id, CheckpointID(4)))
        engine.send(.checkpoint(id, CheckpointID(4)))
        func detail() -> CheckpointReport? {
            listener.events.reversed().lazy.compactMap { if case .checkpoint(id, let report) = $0 { report } else { nil } }.first
        }
        try wait(60, for: "the slowest operators' subtasks with their hosts") {
            detail()?.operators?.contains { $0.subtasks.count == 1600 && $0.subtasks.allSatisfy { $0.host != nil } } ?? false
        }
        let found = try #require(detail()?.operators)
        #expect(found.count == 300 && found.allSatisfy { $0.acknowledged == 1600 }, "whether or not its subtasks are listed")
        #expect(found.reduce(0) { $0 + $1.subtasks.count } <= 20_000)
        #expect(found.first { $0.operatorID == vertices[299] }?.subtasks.count == 1600, "the slowest")
        let seconds = Double((ContinuousClock.now - start).components.seconds) + 2
        let again = server.requests.count { $0.path == "/jobs/\(id)" || $0.path.hasSuffix("/checkpoints") }
        #expect(Double(again) <= seconds * 2.0 / 3 + 4, "\(again) in \(seconds) s: not for every operator")
        #expect(listener.events.count { if case .checkpoint = $0 { true } else { false } } <= Int(seconds) * 2 + 4, "nor told for every one")
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
        try wait(60, for: "a report") { listener.reports.last?.jobs.contains { $0.id == old } ?? false }
        for number in 1...9 { engine.send(.checkpoint(old, CheckpointID(UInt64(number)))) }
        isListed.withLock { $0 = true }
        server.forgetRequests()
        engine.look(at: .job(new))
        try wait(60, for: "the new job") { listener.reports.last?.jobs.first { $0.id == new }?.freshness?.checkpoints != nil }
        let asked = server.requests.map(\.path)
        #expect(asked.prefix { $0 != "/jobs/overview" }.count <= 4, "the list comes first: \(asked)")
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
        try wait(60, for: "three attempts") { downs().count >= 3 }
        #expect(downs().prefix(3).map(\.attempts) == [1, 2, 3])
        #expect(downs().allSatisfy { $0.reason.contains("connection refused") })
        #expect(listener.links.first == .connecting && listener.reports.isEmpty)
        let before = downs().count
        engine?.retryNow()
        try wait(60, for: "another one") { downs().count > before }
        engine?.stop()
        let count = listener.events.count
        engine?.retryNow()
        // Its thread holds the engine until it ends.
        engine = nil
        try wait(60, for: "the end of its thread") { thread == nil }
        #expect(listener.events.count == count, "nothing is told after stop")
    }

    @Test(arguments: [
        ("<html><title>Grafana</title></html>", "a web page"), ("{}", "flink-version"), ("garbage", "no JSON"),
    ]) func `what is not Flink is told`(body: String, words: String) throws {
        let server = try FakeServer { _ in .status(200, body: body) }
        let listener = Listener(), engine = try engine(server.url)
        listener.attach(engine, to: server)
        try wait(60, for: "the reason") { if case .down(let reason, _, _)? = listener.links.last { reason.contains(words) } else { false } }
        engine.stop()
        try server.stop()
    }

    @Test func `a job that is gone leaves the report, and an expired detail is no trouble`() throws {
        let server = try FakeServer { request in
            if request.path.contains("/checkpoints/details") {
                return .status(404, body: #"{"errors":["Could not find checkpointing statistics for checkpoint 5."]}"#)
            }
            return RecordedFlink.answer("2.3.0")(request)
        }
        let id = try RecordedFlink.job("2.3.0")
        let listener = Listener(), engine = try engine(server.url)
        engine.look(at: .job(id))
        listener.attach(engine, to: server)
        try wait(60, for: "a report with checkpoints") { listener.reports.last?.jobs.first { $0.id == id }?.freshness?.checkpoints != nil }
        engine.look(at: .checkpoint(id, CheckpointID(5)))
        engine.send(.checkpoint(id, CheckpointID(5)))
        try wait(60, for: "what is left of it") {
            listener.events.contains { if case .checkpoint(id, let row) = $0 { row.id == CheckpointID(5) && row.operators == [] } else { false } }
        }
        server.answer { request in
            if request.path == "/jobs/overview" { return .json(#"{"jobs":[]}"#) }
            if request.path.contains(id.description) { return .status(404, body: #"{"errors":["Job \#(id) not found"]}"#) }
            return RecordedFlink.answer("2.3.0")(request)
        }
        engine.look(at: .overview)
        try wait(60, for: "an empty cluster") { listener.reports.last?.jobs.isEmpty == true }
        #expect(listener.links.allSatisfy { if case .down = $0 { false } else { true } }, "the link is fine")
        engine.stop()
        try server.stop()
    }
}
