// Goal: whatever engines tell of checkpoints is on record, once, and nothing is written while nothing changes. Method: the recorder alone with a
// clock of the test's, its work carried out on a real ledger; and a gate with an engine that says what the test wants.

import ConsoleCore
import FlinkFake
import FlinkREST
import GRDB
import Ledger
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineClients
@testable import HostEnvironment

private func checkpoint(
    _ id: UInt64, _ status: CheckpointReport.Status = .completed, kind: CheckpointKind = .checkpoint, acknowledged: Int = 4, discarded: Bool = false
)
    -> CheckpointReport
{
    let at = WallTime(milliseconds: Int64(id) * 1000)
    return CheckpointReport(
        id: CheckpointID(id), kind: kind, status: status, triggeredAt: at, endedAt: status == .inProgress ? nil : at + 50, duration: 50, timeoutAt: at + 60_000,
        acknowledgedSubtasks: acknowledged, totalSubtasks: 4, stateSize: 100, path: status == .completed ? "/c/chk-\(id)" : nil, discarded: discarded)
}

@Suite struct CheckpointRecorderTests {
    let home = Sandbox()
    let recorder = CheckpointRecorder(contexts: [])
    let log = EventLog()

    // Each cluster may forget its jobs; an engine of ours does not.
    @Test func `the live jobs of a cluster are written down when they change, and once a minute`() throws {
        let cluster = ConsoleContext(name: "prod", class: .prod, address: .flink(FlinkConnection(try FlinkAddress("http://f:8081"))))
        let recorder = CheckpointRecorder(contexts: [cluster, ConsoleContext(name: "local", class: .lab, socket: "/run/e.sock")])
        let now = WallTime(milliseconds: 1_000_000)
        var ended = StubEngine.job("rates", id: 8)
        ended.state = .canceled
        let orders = StubEngine.job("orders", id: 7)
        func live(_ jobs: JobReport..., context: String = "prod", after seconds: Int64) -> CheckpointRecorder.LiveJobs? {
            let info = EngineInfo(name: "e", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
            let report = EngineReport(engine: info, at: now, jobs: jobs, operations: [])
            return recorder.took(.report(report, receivedAt: now), from: context, now: now, time: seconds * 1000)?.live
        }
        let first = live(orders, ended, after: 1)
        #expect(first == .init(address: "http://f:8081", live: [LiveJob(id: orders.id, name: "orders", seenAt: now)], ended: [ended.id]))
        #expect(live(orders, ended, after: 2) == nil && live(orders, ended, after: 60) == nil)
        #expect(live(orders, ended, after: 61)?.live.count == 1)
        #expect(live(ended, after: 62)?.live == [])
        #expect(live(orders, context: "local", after: 63) == nil)
        let ledger = try Ledger.open(path: home["live.sqlite"])
        try recorder.carryOut(CheckpointRecorder.HistoryWork(live: first), ledger, at: now)
        #expect(try ledger.liveJobs(address: "http://f:8081", at: now).map(\.name) == ["orders"])
    }

    /// A job whose report has these, and the counts that go with them.
    private func job(
        _ name: String = "orders", id: UInt64 = 7, completed: CheckpointReport? = nil, inProgress: [CheckpointReport] = [], savepoint: CheckpointReport? = nil,
        count: Int, revision: UInt64
    ) -> JobReport {
        var report = StubEngine.job(name, id: id)
        report.latestCompleted = completed
        report.latestSavepoint = savepoint
        report.inProgress = inProgress
        report.counts.completed = count
        report.checkpointsRevision = revision
        return report
    }

    private func report(_ jobs: JobReport...) -> EngineEvent {
        let info = EngineInfo(name: "e", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
        return .report(EngineReport(engine: info, at: WallTime(milliseconds: 1), jobs: jobs, operations: []), receivedAt: WallTime(milliseconds: 1))
    }

    private func took(_ event: EngineEvent, at seconds: Int64) -> CheckpointRecorder.HistoryWork {
        recorder.took(event, from: "lab", now: WallTime(milliseconds: seconds * 1000), time: seconds * 1000) ?? .init()
    }

    private let origin = JobOrigin(context: "lab", job: JobID(high: 1, low: 7), jobName: "orders")

    @Test func `what changed is handed out at intervals, and nothing while nothing changes`() {
        let first = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        #expect(first.news == [.reported([checkpoint(3)], of: origin, at: WallTime(milliseconds: 1))])
        #expect(first.questions == [origin.job] && first.forgets, "the list of a job that is new")
        for second in 1...100 { #expect(took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: Int64(second)).isEmpty) }
        // Two acknowledgements and the end within a rest are one thing to write.
        let flying = { (count: Int) in self.job(completed: checkpoint(3), inProgress: [checkpoint(4, .inProgress, acknowledged: count)], count: 3, revision: 2)
        }
        #expect(took(report(flying(0)), at: 101).news.count == 1)
        #expect(took(report(flying(1)), at: 102).isEmpty)
        #expect(took(report(flying(3)), at: 103).isEmpty)
        #expect(took(report(job(completed: checkpoint(4), count: 4, revision: 3)), at: 104).isEmpty)
        #expect(
            took(report(job(completed: checkpoint(4), count: 4, revision: 3)), at: 106).news == [
                .reported([checkpoint(4)], of: origin, at: WallTime(milliseconds: 1))
            ])
    }

    @Test func `a savepoint does not wait`() {
        _ = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        let savepoint = checkpoint(4, kind: .savepoint)
        #expect(took(report(job(completed: checkpoint(3), savepoint: savepoint, count: 4, revision: 2)), at: 1).news.count == 1)
    }

    @Test func `lists are asked for when something was missed, else seldom`() {
        #expect(took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0).questions == [origin.job])
        #expect(took(report(job(completed: checkpoint(4), count: 4, revision: 2)), at: 10).questions == [], "nothing was missed")
        #expect(took(report(job(completed: checkpoint(7), count: 7, revision: 3)), at: 20).questions == [origin.job], "two were")
        #expect(took(report(job(completed: checkpoint(9), count: 9, revision: 4)), at: 21).questions == [], "not every second")
        #expect(took(report(job(completed: checkpoint(9), count: 9, revision: 4)), at: 26).questions == [origin.job])
        #expect(took(report(job(completed: checkpoint(10), count: 10, revision: 5)), at: 85).questions == [])
        #expect(took(report(job(completed: checkpoint(11), count: 11, revision: 6)), at: 90).questions == [origin.job], "what became of the older ones")
        #expect(took(report(job(completed: checkpoint(11), count: 11, revision: 6)), at: 900).questions == [], "nothing became of them")
        // Of many jobs a few at a time.
        let many = (0..<9).map { job("job\($0)", id: 100 + $0, completed: checkpoint(1), count: 1, revision: 1) }
        let info = EngineInfo(name: "e", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/")
        let all = EngineEvent.report(
            EngineReport(engine: info, at: WallTime(milliseconds: 1), jobs: many, operations: []), receivedAt: WallTime(milliseconds: 1))
        var asked: [JobID] = []
        for second in 0..<6 { asked += took(all, at: 1000 + Int64(second)).questions }
        #expect(Set(asked) == Set(many.map(\.id)) && asked.count == 9)
    }

    // The retention of a finished job deletes its checkpoints.
    @Test func `the list of a job that has ended is asked for once more`() {
        func end(_ state: JobState) -> EngineEvent {
            var ended = job(completed: checkpoint(3), count: 3, revision: 2)
            ended.state = state
            return report(ended)
        }
        _ = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        #expect(took(end(.running), at: 10).questions == [])
        #expect(took(end(.finished), at: 11).questions == [origin.job])
        #expect(took(end(.finished), at: 90).questions == [])
    }

    @Test func `of a cluster's job that was not asked for yet nothing is taken`() {
        var silent = job(count: 0, revision: 0)
        silent.freshness = ReportFreshness(state: WallTime(milliseconds: 1))
        #expect(took(report(silent), at: 0).isEmpty)
    }

    @Test func `an older word does not undo a newer one`() throws {
        _ = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        #expect(took(.checkpoints(origin.job, [checkpoint(3, discarded: true), checkpoint(2, discarded: true)]), at: 10).news.count == 1)
        // The report still has its own copy of #3.
        #expect(took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 20).isEmpty)
        #expect(took(.checkpoints(origin.job, [checkpoint(3, discarded: true), checkpoint(2, discarded: true)]), at: 30).isEmpty, "the same list")
    }

    @Test func `the record holds what reports, lists and looks at the files told`() throws {
        let ledger = try Ledger.open(path: home["ledger.sqlite"])
        func carryOut(_ event: EngineEvent, at seconds: Int64) throws {
            try recorder.carryOut(took(event, at: seconds), ledger, at: WallTime(milliseconds: seconds * 1000))
        }
        try carryOut(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        try carryOut(.checkpoints(origin.job, [checkpoint(3), checkpoint(2), checkpoint(1, discarded: true)]), at: 10)
        try carryOut(report(job(completed: checkpoint(3), inProgress: [checkpoint(4, .inProgress)], count: 3, revision: 2)), at: 20)
        #expect(try ledger.checkpoints().map(\.fate) == [.running, .kept, .kept, .gone])
        // It falls off the list; what was reported since the list was made does not.
        try carryOut(.checkpoints(origin.job, [checkpoint(3)]), at: 30)
        #expect(try ledger.checkpoints().map(\.fate) == [.running, .kept, .unlisted, .gone])
        try carryOut(.inspection(SnapshotInspection(path: "/c/chk-2", verdict: .missing)), at: 40)
        try carryOut(.inspection(SnapshotInspection(path: "/c/chk-3", verdict: .unreachable)), at: 50)
        #expect(try ledger.checkpoints().map(\.fate) == [.running, .kept, .gone, .gone])
        // The list was the same until the link was lost: so long the engine had what it kept.
        try carryOut(.checkpoints(origin.job, [checkpoint(4, .inProgress), checkpoint(3)]), at: 60)
        try carryOut(.checkpoints(origin.job, [checkpoint(4, .inProgress), checkpoint(3)]), at: 70)
        try carryOut(.link(.down(reason: "gone", retryAt: nil, attempts: 1)), at: 80)
        #expect(try ledger.checkpoints().map(\.lastSeenAt.milliseconds).prefix(2) == [70_000, 70_000])
        #expect(try ledger.checkpoints().map(\.jobName) == Array(repeating: "orders", count: 4))
    }

    @Test func `a job that its engine has forgotten is written at once`() throws {
        _ = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        _ = took(.checkpoints(origin.job, [checkpoint(3)]), at: 1)
        let last = took(report(), at: 2)
        #expect(
            last.news == [.listed([checkpoint(3)], of: origin, at: WallTime(milliseconds: 1000)), .unchanged(origin.job, until: WallTime(milliseconds: 1000))])
        #expect(recorder.finish() == nil, "nothing is left of it")
    }

    @Test func `what could not be written is told again`() throws {
        let ledger = try Ledger.open(path: home["ledger.sqlite"])
        let work = took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 0)
        try DatabaseQueue(path: home["ledger.sqlite"]).write { try $0.execute(sql: "DROP TABLE checkpoint") }
        #expect(throws: LedgerError.self) { try recorder.carryOut(work, ledger, at: WallTime(milliseconds: 0)) }
        #expect(took(report(job(completed: checkpoint(3), count: 3, revision: 1)), at: 10).news.count == 1)
    }

    @Test func `engines that end with the console leave no record`() {
        let recorder = CheckpointRecorder(contexts: [ConsoleContext(name: "demo", class: .demo, socket: "/s")])
        #expect(recorder.took(report(job(completed: checkpoint(3), count: 3, revision: 1)), from: "demo", now: WallTime(milliseconds: 0), time: 0) == nil)
    }

    @Test func `a gate writes what its engines tell, asks for the list, and writes the rest at its end`() throws {
        let engine = ScriptedEngine()
        let context = ConsoleContext(name: "lab", class: .lab, socket: home["e.sock"])
        let gate = ActionGate(contexts: [context], makeEngine: { _ in engine }, recorder: CheckpointRecorder(contexts: [context])) { [log] in log.take($0) }
        gate.start(ledgerPath: home["ledger.sqlite"])
        // Of today: what is very old is forgotten at once.
        func recent(_ id: UInt64) -> CheckpointReport {
            var report = checkpoint(id)
            report.triggeredAt = WallTime(milliseconds: WallTime.now().milliseconds / 86_400_000 * 86_400_000 + Int64(id))
            return report
        }
        engine.say(report(job(completed: recent(3), count: 3, revision: 1)))
        #expect(eventually { engine.sent == [.ask(.checkpoints(origin.job))] })
        let ledger = try Ledger.open(path: home["ledger.sqlite"])
        #expect(try eventually { try ledger.checkpoints().map(\.report) == [recent(3)] })
        gate.loadHistory(HistoryQuestion(HistoryScope(context: "lab", job: "orders")))
        func page() -> (rows: [RememberedCheckpoint], total: Int)? {
            log.all.lazy.compactMap { if case .history(let question, let rows, let total) = $0, question.scope.job == "orders" { (rows, total) } else { nil } }
                .first
        }
        #expect(eventually { page() != nil })
        #expect(page()?.total == 1 && page()?.rows.map(\.report) == [recent(3)])
        // Within the rest it waits; the end does not.
        engine.say(.checkpoints(origin.job, [recent(3), recent(2)]))
        #expect(gate.finish(within: .seconds(5)) == [])
        #expect(try ledger.checkpoints().map(\.report) == [recent(3), recent(2)])
    }

    @Test func `what cannot be recorded is told by its name`() throws {
        do {
            _ = try Ledger.open(path: home["ledger.sqlite"])
            let queue = try DatabaseQueue(path: home["ledger.sqlite"])
            try queue.write { try $0.execute(sql: "DROP TABLE checkpoint") }
        }
        let engine = ScriptedEngine()
        let context = ConsoleContext(name: "lab", class: .lab, socket: home["e.sock"])
        let gate = ActionGate(contexts: [context], makeEngine: { _ in engine }, recorder: CheckpointRecorder(contexts: [context])) { [log] in log.take($0) }
        gate.start(ledgerPath: home["ledger.sqlite"])
        engine.say(report(job(completed: checkpoint(3), count: 3, revision: 1)))
        #expect(eventually { log.notices.contains { $0.hasPrefix("checkpoints are not recorded; actions are: ledger: ") } }, "\(log.notices)")
        let request = OperationRequest(id: try #require(OperationID("a1")), kind: .savepoint(directory: nil), job: origin.job)
        gate.send(.operate(request), to: "lab")
        #expect(eventually { engine.sent.contains(.operate(request)) })
        #expect(try Ledger.open(path: home["ledger.sqlite"]).recent(limit: 9).map(\.request) == [request])
        #expect(!log.notices.contains { $0.contains("actions are not") })
        gate.loadHistory(HistoryQuestion(HistoryScope()))
        #expect(eventually { log.notices.contains { $0.hasPrefix("past checkpoints cannot be read: ledger: ") } }, "\(log.notices)")
        _ = gate.finish(within: .seconds(2))
        #expect(Set(log.notices).count == log.notices.count && log.notices.count == 2, "once each: \(log.notices)")
    }
}

@Suite struct FlinkHistoryTests {
    let home = Sandbox()
    let log = EventLog()

    /// A JobManager whose history is empty when it comes back (no high availability), of the same job.
    @Test func `a JobManager that begins anew takes nothing out of the record`() throws {
        let server = try FakeServer(answer: RecordedFlink.answer("2.3.0"))
        let id = try RecordedFlink.job("2.3.0")
        let connection = FlinkConnection(try FlinkAddress(server.url))
        let context = ConsoleContext(name: "flink", class: .lab, address: .flink(connection))
        let gate = ActionGate(
            contexts: [context], makeEngine: { _ in FlinkEngine(connection, patience: 1000) }, recorder: CheckpointRecorder(contexts: [context])
        ) { [log] in
            log.take($0)
        }
        gate.start(ledgerPath: home["ledger.sqlite"])
        gate.look(at: .job(id), of: "flink")
        let ledger = try Ledger.open(path: home["ledger.sqlite"])
        func rows() throws -> [RememberedCheckpoint] { try ledger.checkpoints(CheckpointQuery(job: id.description)) }
        try #require(try eventually(seconds: 60) { try rows().count >= 9 }, "the whole list of the cluster")
        let before = try rows()
        #expect(before.contains { $0.fate == .kept } && before.contains { $0.fate == .gone })
        server.answer { _ in .close }
        try #require(eventually(seconds: 60) { log.all.contains { if case .engine(_, .link(.down)) = $0 { true } else { false } } })
        server.answer { request in
            request.path.hasSuffix("/checkpoints")
                ? .json(#"{"counts":{"restored":1,"total":0,"in_progress":0,"completed":0,"failed":0},"latest":{},"history":[]}"#)
                : RecordedFlink.answer("2.3.0")(request)
        }
        gate.retryNow("flink")
        try #require(try eventually(seconds: 60) { try rows().allSatisfy { $0.fate != .kept } }, "the cluster lists nothing any more")
        let after = try rows()
        #expect(after.map(\.report) == before.map(\.report) && after.count { $0.fate == .unlisted } == before.count { $0.fate == .kept || $0.fate == .running })
        #expect(after.contains { $0.mayBeRestored && $0.report.path != nil }, "which is where a restart goes back to")
        _ = gate.finish(within: .seconds(5))
        try server.stop()
    }
}
