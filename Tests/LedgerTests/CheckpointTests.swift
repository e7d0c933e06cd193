// Goal: every checkpoint that was ever seen is found again with what became of it, also when engines forget it; several consoles write one
// file; many rows cost no more than a page of them. Method: real files, several connections, the plans of SQLite itself.

import Dispatch
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Ledger

private let orders = JobID(high: 1, low: 2), other = JobID(high: 3, low: 4)

private func completed(_ id: UInt64, kind: CheckpointKind = .checkpoint, at time: Int64? = nil, discarded: Bool = false) -> CheckpointReport {
    let at = WallTime(milliseconds: time ?? Int64(id) * 1000)
    return CheckpointReport(
        id: CheckpointID(id), kind: kind, status: .completed, triggeredAt: at, endedAt: at + 40, duration: 40, timeoutAt: at + 60_000,
        acknowledgedSubtasks: 4, totalSubtasks: 4, stateSize: 100, checkpointedSize: 10, path: "/c/chk-\(id)", discarded: discarded)
}

private func inFlight(_ id: UInt64, acknowledged: Int = 0) -> CheckpointReport {
    let at = WallTime(milliseconds: Int64(id) * 1000)
    return CheckpointReport(
        id: CheckpointID(id), kind: .checkpoint, status: .inProgress, triggeredAt: at, timeoutAt: at + 60_000, acknowledgedSubtasks: acknowledged,
        totalSubtasks: 4)
}

private func failed(_ id: UInt64) -> CheckpointReport {
    var report = inFlight(id)
    report.status = .failed
    report.failure = CheckpointReport.Failure(
        reason: .checkpointExpired, message: String(repeating: "x", count: 5000), counted: true, operatorUID: "count", subtask: 1, at: WallTime(milliseconds: 9)
    )
    return report
}

@Suite struct CheckpointTests {
    let directory = Sandbox()
    var path: String { directory.path + "/ledger.sqlite" }

    private func time(_ milliseconds: Int64) -> WallTime { WallTime(milliseconds: milliseconds) }

    @Test func `checkpoints come back as they were, the newest first`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.remember([completed(1), failed(3), inFlight(4)], context: "lab", job: orders, jobName: "orders", at: time(5000))
        try ledger.remember([completed(2, kind: .savepoint)], context: "lab", job: other, jobName: "other", at: time(5000))
        let rows = try Ledger.open(path: path).checkpoints()
        #expect(rows.map(\.report.id.rawValue) == [4, 3, 2, 1])
        #expect(rows.map(\.fate) == [.running, .failed, .kept, .kept])
        #expect(rows[3].report == completed(1) && rows[3].context == "lab" && rows[3].job == orders && rows[3].firstSeenAt == time(5000))
        let failure = try #require(rows[1].report.failure)
        #expect(failure.reason == .checkpointExpired && failure.operatorUID == "count" && failure.message.count == 1003)
        #expect(try ledger.checkpoints(CheckpointQuery(job: "other")).map(\.report.kind) == [.savepoint])
        #expect(try ledger.checkpoints(CheckpointQuery(job: orders.description)).count == 3)
        #expect(try ledger.checkpoints(CheckpointQuery(context: "prod")).isEmpty)
        #expect(try ledger.checkpoints(CheckpointQuery(limit: 2)).count == 2)
        #expect(try ledger.countCheckpoints() == 4)
    }

    @Test func `a checkpoint's life goes forward only`() throws {
        let ledger = try Ledger.open(path: path)
        func see(_ report: CheckpointReport) throws -> RememberedCheckpoint {
            try ledger.remember([report], context: "lab", job: orders, jobName: "orders", at: time(9000))
            return try #require(try ledger.checkpoints().first)
        }
        #expect(try see(inFlight(1)).fate == .running)
        #expect(try see(completed(1)).fate == .kept)
        #expect(try see(inFlight(1, acknowledged: 3)).report == completed(1), "an older report comes late")
        #expect(try see(completed(1, discarded: true)).fate == .gone)
        #expect(try see(completed(1)).fate == .gone)
        #expect(try ledger.countCheckpoints() == 1)
    }

    @Test func `what an engine lists no longer is kept on record as such`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.rememberList([completed(1), completed(2), failed(3)], context: "flink", job: orders, jobName: "orders", at: time(4000))
        try ledger.rememberList([completed(2), completed(4)], context: "flink", job: orders, jobName: "orders", at: time(5000))
        let rows = try ledger.checkpoints()
        #expect(rows.map(\.report.id.rawValue) == [4, 3, 2, 1])
        #expect(rows.map(\.fate) == [.kept, .failed, .kept, .unlisted])
        #expect(rows.map(\.lastSeenAt.milliseconds) == [5000, 4000, 5000, 4000])
        #expect(rows[3].mayBeRestored, "its files may be there")
        // It comes back when the engine lists it again.
        try ledger.rememberList([completed(1)], context: "flink", job: orders, jobName: "orders", at: time(6000))
        #expect(try ledger.checkpoints().last?.fate == .kept)
        try ledger.remember([.missing(path: "/c/chk-1")])
        #expect(try ledger.checkpoints().last?.fate == .gone)
        try ledger.rememberList([completed(5)], context: "flink", job: orders, jobName: "orders", at: time(7000))
        // Another job's list is another list, and an empty one is one too.
        try ledger.rememberList([], context: "flink", job: other, jobName: "other", at: time(7000))
        #expect(try ledger.checkpoints().map(\.fate) == [.kept, .unlisted, .failed, .unlisted, .gone])
        try ledger.rememberList([], context: "flink", job: orders, jobName: "orders", at: time(8000))
        #expect(try ledger.checkpoints().first?.fate == .unlisted)
    }

    @Test func `what is newer than a list is not missing from it`() throws {
        let ledger = try Ledger.open(path: path)
        let origin = JobOrigin(context: "lab", job: orders, jobName: "orders")
        // A report with #3 came before the list that was put together when #2 was the newest.
        try ledger.remember([.reported([completed(3)], of: origin, at: time(10)), .listed([completed(2)], of: origin, at: time(11))])
        #expect(try ledger.checkpoints().map(\.fate) == [.kept, .kept])
        // Of a list that stays the same only the last moment is told.
        try ledger.remember([.unchanged(orders, until: time(99))])
        #expect(try ledger.checkpoints().map(\.lastSeenAt.milliseconds) == [99, 99])
        try ledger.remember([.listed([completed(3)], of: origin, at: time(100)), .unchanged(orders, until: time(200))])
        #expect(try ledger.checkpoints().map(\.lastSeenAt.milliseconds) == [200, 99], "what is listed no longer was last seen before")
    }

    @Test func `pages of the past follow each other`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.remember((1...50).map { completed($0) }, context: "lab", job: orders, jobName: "orders", at: time(1))
        let first = try ledger.checkpoints(CheckpointQuery(limit: 20))
        let next = try ledger.checkpoints(CheckpointQuery(until: first.last?.report.triggeredAt, limit: 20))
        #expect(first.map(\.report.id.rawValue) == (31...50).reversed() && next.map(\.report.id.rawValue) == (12...31).reversed())
    }

    @Test func `the same list twice changes nothing but when it was seen`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.rememberList([completed(1)], context: "lab", job: orders, jobName: "orders", at: time(1))
        try ledger.rememberList([completed(1)], context: "elsewhere", job: orders, jobName: "orders", at: time(2))
        let row = try #require(try ledger.checkpoints().first)
        #expect(row.context == "lab" && row.firstSeenAt == time(1) && row.lastSeenAt == time(2))
    }

    @Test func `age and size bound what is kept`() throws {
        let ledger = try Ledger.open(path: path)
        let day: Int64 = 86_400_000
        try ledger.remember(
            [completed(1, at: day), completed(2, kind: .savepoint, at: day), completed(3, at: 100 * day)], context: "lab", job: orders, jobName: "orders",
            at: time(100 * day))
        try ledger.recordIntent(request("old"), context: "lab", address: "s", at: time(day))
        try ledger.recordIntent(request("open"), context: "lab", address: "s", at: time(day))
        try ledger.recordOutcome(report("old", .completed))
        let limits = LedgerLimits(days: 90, actionDays: 30)
        while try ledger.forget(beyond: limits, at: time(100 * day)) {}
        #expect(try ledger.checkpoints().map(\.report.id.rawValue) == [3, 2], "a savepoint that may be there is not forgotten for its age")
        #expect(try ledger.recent(limit: 9).map(\.request.id.description) == ["open"], "nor an action whose end is not known")
        // Twelve thousand rows are more than 1 MiB, the least bound.
        for batch in 0..<12 {
            let rows = (0..<1000).map { completed(UInt64(10 + batch * 1000 + $0), at: 101 * day + Int64(batch * 1000 + $0)) }
            try ledger.remember(rows, context: "lab", job: other, jobName: "other", at: time(101 * day))
        }
        while try ledger.forget(beyond: LedgerLimits(size: 1), at: time(101 * day)) {}
        let left = try ledger.countCheckpoints()
        #expect(left > 0 && left < 12_000)
        #expect(try ledger.checkpoints(CheckpointQuery(limit: 1)).first?.report.id.rawValue == 12_009, "the newest stay")
    }

    @Test func `two consoles write one file at once`() throws {
        let first = try Ledger.open(path: path), second = try Ledger.open(path: path)
        let problems = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { worker in
            let ledger = worker % 2 == 0 ? first : second
            for round in 0..<20 {
                do throws(LedgerError) {
                    try ledger.rememberList(
                        [completed(UInt64(round + 1)), completed(UInt64(1000 + worker * 100 + round))], context: "lab",
                        job: JobID(high: 9, low: UInt64(worker)),
                        jobName: "job", at: WallTime(milliseconds: Int64(round)))
                } catch { problems.withLock { $0.append(error.description) } }
            }
        }
        #expect(problems.withLock { $0 } == [])
        #expect(try first.countCheckpoints() == 8 * 40)
    }

    @Test func `two consoles that open an old ledger together migrate it once`() throws {
        for attempt in 0..<25 {
            let file = directory.path + "/old-\(attempt).sqlite"
            let problems = Mutex<[String]>([])
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                do throws(LedgerError) { _ = try Ledger.open(path: file).countCheckpoints() } catch { problems.withLock { $0.append(error.description) } }
            }
            #expect(problems.withLock { $0 } == [])
        }
    }

    @Test(arguments: [
        CheckpointQuery(), CheckpointQuery(job: "orders"), CheckpointQuery(job: JobID(high: 1, low: 2).description),
        CheckpointQuery(context: "lab", job: "orders"), CheckpointQuery(job: "orders", until: WallTime(milliseconds: 9)),
    ])
    func `lists are read along an index, however long they are`(query: CheckpointQuery) throws {
        let plan = try Ledger.open(path: path).plan(of: query)
        #expect(plan.allSatisfy { $0.contains("USING INDEX") }, "\(plan)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
    }
}
