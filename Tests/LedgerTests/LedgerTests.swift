// Goal: an action is on disk before it is sent, its outcome finds it again from another process, and every way in which the
// file can be unusable has its own error. Method: real files in a fresh directory, several connections as several consoles.

import Foundation
import GRDB
import Glibc
import StreamModel
import TestKit
import Testing

@testable import Ledger

/// Again while others hold the ledger for longer than the busy timeout, as they may on a slow disk: such a write is refused, not lost.
@discardableResult private func unlocked<Value>(_ body: () throws -> Value) throws -> Value {
    for _ in 0..<10 {
        do { return try body() } catch LedgerError.locked { continue }
    }
    return try body()
}

@Suite struct LedgerTests {
    let directory = Sandbox()
    var path: String { directory.path + "/state/weir/ledger.sqlite" }

    @Test func `an intent survives the connection that wrote it`() throws {
        do {
            let ledger = try Ledger.open(path: path)
            try ledger.recordIntent(request("a1"), context: "lab", address: "/run/e.sock", at: WallTime(milliseconds: 100))
        }
        let again = try Ledger.open(path: path)
        let open = try again.unfinished(address: "/run/e.sock")
        #expect(open == [LedgerEntry(request: request("a1"), context: "lab", address: "/run/e.sock", sentAt: WallTime(milliseconds: 100))])
        #expect(try again.unfinished(address: "/run/other.sock").isEmpty)
    }

    @Test func `a console killed between intent and outcome leaves the action open for the next one`() throws {
        // The first connection is never closed, as a killed process does not close it.
        let killed = try Ledger.open(path: path)
        try killed.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
        let next = try Ledger.open(path: path)
        #expect(try next.unfinished(address: "s").map(\.request.id.description) == ["a1"])
        let changed = try next.recordOutcome(report("a1", .completed, path: "/sp/1"))
        #expect(changed)
        #expect(try next.unfinished(address: "s").isEmpty)
        let entry = try #require(try killed.recent(limit: 10).first)
        #expect(entry.outcome == .completed && entry.path == "/sp/1" && entry.endedAt == WallTime(milliseconds: 9))
    }

    @Test func `live jobs of a cluster are remembered until they end, are replaced, or would be listed no more`() throws {
        let ledger = try Ledger.open(path: path)
        func job(_ number: UInt64, _ name: String, _ seconds: Int64) -> LiveJob {
            LiveJob(id: JobID(high: 0, low: number), name: name, seenAt: WallTime(milliseconds: seconds * 1000))
        }
        func remember(_ live: [LiveJob], ended: [UInt64] = [], at seconds: Int64, address: String = "a") throws {
            try ledger.rememberLive(live, ended: ended.map { JobID(high: 0, low: $0) }, address: address, at: WallTime(milliseconds: seconds * 1000))
        }
        func names(at seconds: Int64, address: String = "a") throws -> [String] {
            try ledger.liveJobs(address: address, at: WallTime(milliseconds: seconds * 1000)).map { "\($0.name) \($0.id.low)" }
        }
        try remember([job(1, "orders", 10), job(2, "rates", 10)], at: 10)
        try remember([job(9, "orders", 10)], at: 10, address: "b")
        #expect(try names(at: 20) == ["orders 1", "rates 2"])
        // A list that is empty says nothing.
        try remember([], at: 30)
        #expect(try names(at: 30) == ["orders 1", "rates 2"] && names(at: 30, address: "b") == ["orders 9"])
        // Another run of a name, and an end that was seen.
        try remember([job(3, "orders", 40)], ended: [2], at: 40)
        #expect(try names(at: 40) == ["orders 3"])
        #expect(try names(at: 40 + 55 * 60) == ["orders 3"] && names(at: 41 + 55 * 60) == [])
        // A clock that was set back proves nothing.
        #expect(try names(at: 39) == [])
    }

    @Test func `every kind of request reads back as written`() throws {
        let ledger = try Ledger.open(path: path)
        var restart = RestartOptions(path: "/c/chk-7")
        restart.claim = .claim
        restart.parallelism = 3
        let kinds: [OperationRequest.Kind] = [
            .savepoint(directory: nil), .savepoint(directory: "/sp"), .checkpoint, .stop(drain: true, directory: "/x"), .cancel(.keep),
            .restart(restart), .launch(restart), .dispose(path: "/sp/1"), .uploadJar(file: "/a.jar"), .deleteJar(id: "u_a.jar"), .fault("slow 5s"),
        ]
        for (index, kind) in kinds.enumerated() {
            try ledger.recordIntent(request("k\(index)", kind), context: "lab", address: "s", at: WallTime(milliseconds: Int64(index)))
        }
        #expect(Set(try ledger.unfinished(address: "s").map(\.request.kind.verb)) == Set(kinds.map(\.verb)))
        for (index, kind) in kinds.enumerated() { #expect(try ledger.entry(request("k\(index)").id)?.request.kind == kind) }
        #expect(try ledger.recent(limit: 2).map(\.request.id.description) == ["k10", "k9"])
    }

    @Test func `a verdict is kept beside the outcome, and the first one stands`() throws {
        let ledger = try Ledger.open(path: path)
        let request = request("v1", .restart(RestartOptions(path: "/c/chk-7")))
        try ledger.recordIntent(request, context: "lab", address: "s", at: WallTime(milliseconds: 1))
        try ledger.recordOutcome(report("v1", .completed))
        #expect(try ledger.entry(request.id)?.verdict == nil)
        #expect(try ledger.recordVerdict(.resumedDurable, of: request.id))
        #expect(try !ledger.recordVerdict(.caughtUp, of: request.id))
        #expect(try Ledger.open(path: path).entry(request.id)?.verdict == .resumedDurable)
    }

    @Test func `what was filed as the restart of the job that it launched is a launch`() throws {
        let job = JobID(high: 1, low: 2), other = JobID(high: 3, low: 4)
        do {
            let ledger = try Ledger.open(path: path)
            for (name, path, new) in [("self", "/sp/1", job), ("again", "/sp/1", other), ("none", nil, nil)] as [(String, String?, JobID?)] {
                let request = OperationRequest(id: try #require(OperationID(name)), kind: .restart(RestartOptions(path: path)), job: job)
                try ledger.recordIntent(request, context: "lab", address: "s", at: WallTime(milliseconds: 1))
                try ledger.recordOutcome(OperationReport(request: request, jobName: "x", state: .completed, acceptedAt: WallTime(milliseconds: 1), newJob: new))
            }
        }
        // As a ledger was before: one launch began empty and said so, and nobody saw its job; and one request is damaged.
        try execute(
            path,
            """
            DELETE FROM grdb_migrations WHERE identifier = 'launches';
            UPDATE operation SET request = json_set(request, '$.kind.options.empty', json('true')) WHERE id = 'none';
            INSERT INTO operation (id, context, address, job, kind, request, reason, by, sent_at, outcome)
            VALUES ('bad', 'lab', 'other', 'x', 'restart', '{', '', '', 0, 'unknown');
            """)
        let ledger = try Ledger.open(path: path)
        try execute(path, "DELETE FROM operation WHERE id = 'bad'")
        func kind(_ name: String) throws -> OperationRequest.Kind? { try ledger.entry(try #require(OperationID(name)))?.request.kind }
        #expect(try kind("self") == .launch(RestartOptions(path: "/sp/1")))
        #expect(try kind("again") == .restart(RestartOptions(path: "/sp/1")))
        #expect(try kind("none") == .launch(RestartOptions()))
        #expect(try ledger.inspect { try String.fetchAll($0, sql: "SELECT kind FROM operation ORDER BY id") } == ["restart", "launch", "launch"])
    }

    @Test func `jars are remembered by content, for one cluster, the newest first and not for ever`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.rememberJar("u1_a.jar", content: "c1", address: "http://a", at: WallTime(milliseconds: 1))
        try ledger.rememberJar("u2_a.jar", content: "c1", address: "http://a", at: WallTime(milliseconds: 2))
        try ledger.rememberJar("u3_a.jar", content: "c2", address: "http://a", at: WallTime(milliseconds: 3))
        try ledger.rememberJar("u2_a.jar", content: "c1", address: "http://b", at: WallTime(milliseconds: 4))
        let again = try Ledger.open(path: path)
        #expect(try again.jars(content: "c1", address: "http://a") == ["u2_a.jar", "u1_a.jar"])
        #expect(try again.jars(content: "c1", address: "http://b") == ["u2_a.jar"] && again.jars(content: "c3", address: "http://a").isEmpty)
        for number in 0..<Ledger.jarsMax {
            try ledger.rememberJar("n\(number)", content: "c9", address: "http://a", at: WallTime(milliseconds: 10 + Int64(number)))
        }
        #expect(try again.jars(content: "c1", address: "http://a").isEmpty && again.jars(content: "c9", address: "http://a").count == Ledger.jarsMax)
        #expect(try again.jars(content: "c1", address: "http://b") == ["u2_a.jar"])
    }

    @Test func `the same intent twice is one, another one under its id is refused`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
        try ledger.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 2))
        #expect(try ledger.recent(limit: 9).count == 1)
        let id = try #require(OperationID("a1"))
        #expect(throws: LedgerError.conflict(path: path, operation: id)) {
            try ledger.recordIntent(request("a1", .cancel(.keep)), context: "lab", address: "s", at: WallTime(milliseconds: 3))
        }
    }

    @Test(arguments: LedgerEntry.Outcome.allCases) func `a terminal outcome stands`(first: LedgerEntry.Outcome) throws {
        let ledger = try Ledger.open(path: path)
        try ledger.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
        let id = try #require(OperationID("a1"))
        switch first {
        case .intended: break
        case .accepted: try ledger.recordOutcome(report("a1", .accepted))
        case .running: try ledger.recordOutcome(report("a1", .running))
        case .completed: try ledger.recordOutcome(report("a1", .completed))
        case .failed: try ledger.recordOutcome(report("a1", .failed))
        case .refused: try ledger.recordRefusal(id, message: "no", at: WallTime(milliseconds: 5))
        case .unknown: try ledger.recordUnknown(id, message: "gone", at: WallTime(milliseconds: 5))
        case .interrupted: try ledger.recordOutcome(report("a1", .interrupted))
        }
        let moved = try ledger.recordOutcome(report("a1", .running))
        // "unknown" is the one end that later knowledge may correct; what is interrupted has not ended.
        #expect(moved == (!first.isTerminal || first == .unknown))
        #expect(try ledger.recent(limit: 1).first?.outcome == (moved ? .running : first))
    }

    // Written by weir 0.2.0 as it was before operations had steps: actions on a cluster stood in a table of their own.
    @Test func `a ledger of the schema before reads as it was, and its cluster actions are operations`() throws {
        let path = directory["ledger.sqlite"]
        let fixture = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/ledger-0.2.sql")
        try execute(path, try String(contentsOf: fixture, encoding: .utf8))
        let before = try execute(path, reading: "SELECT * FROM chore ORDER BY id")
        let ledger = try Ledger.open(path: path)
        func entry(_ id: String) throws -> LedgerEntry {
            let id = try #require(OperationID(id))
            return try #require(try ledger.entry(id))
        }
        let saved = try entry("aaaa000000000001")
        #expect(saved.outcome == .completed && saved.path == "/sp/1" && saved.checkpoint == CheckpointID(27) && saved.step == nil && saved.carrier == nil)
        #expect(try entry("aaaa000000000002").request.kind.launch?.recipe?.arguments == ["--a", "b"])
        let upload = try entry("bbbb000000000001")
        #expect(upload.request.kind == .uploadJar(file: "/home/ana/count.jar") && upload.jar == "u1_count.jar" && upload.outcome == .completed)
        #expect(upload.request.reason == "tidy \"up\"" && upload.request.by == "ana@ops" && upload.request.job == .none && upload.context == "c1")
        let deletion = try entry("bbbb000000000002")
        #expect(deletion.request.kind == .deleteJar(id: "u1_count.jar") && deletion.outcome == .refused && deletion.error?.contains("no jar") ?? false)
        let disposal = try entry("bbbb000000000003")
        #expect(disposal.request.kind == .dispose(path: "file:/sp/1") && disposal.outcome == .failed && disposal.endedAt == WallTime(milliseconds: 3100))
        #expect(try ledger.unfinished(address: "http://h:8081").map(\.request.id.description) == ["aaaa000000000002", "bbbb000000000004"])
        #expect(try execute(path, reading: "SELECT * FROM chore ORDER BY id") == before, "what stood there stands there")
    }

    @Test func `steps are kept in their order, and an older one changes nothing`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.recordIntent(request("a1", .restart(RestartOptions())), context: "lab", address: "s", at: WallTime(milliseconds: 1), carrier: "pid 7 on h")
        func step(_ name: OperationStep.Name, _ time: Int64, path: String? = nil) -> OperationReport {
            var step = report("a1", .accepted, path: path)
            step.step = OperationStep(name, at: WallTime(milliseconds: time))
            return step
        }
        try ledger.recordStep(step(.canceling, 10))
        try ledger.recordStep(step(.launching, 30, path: "/cp/7"))
        // A report that was on its way.
        try ledger.recordOutcome(step(.canceling, 10))
        let entry = try #require(try ledger.recent(limit: 1).first)
        #expect(entry.step == OperationStep(.launching, at: WallTime(milliseconds: 30)) && entry.path == "/cp/7" && entry.outcome == .accepted)
        #expect(entry.sent.keepsSteps && entry.sent.path == "/cp/7")
    }

    @Test func `a restart that was broken off is settled by the next one that launches the job`() throws {
        let ledger = try Ledger.open(path: path)
        for id in ["a1", "a2", "a3"] {
            try ledger.recordIntent(request(id, .restart(RestartOptions())), context: "lab", address: id == "a3" ? "t" : "s", at: WallTime(milliseconds: 1))
        }
        func report(_ id: String, _ state: OperationReport.State) throws {
            try ledger.recordOutcome(
                OperationReport(request: request(id, .restart(RestartOptions())), jobName: "orders", state: state, acceptedAt: WallTime(milliseconds: 2)))
        }
        try report("a1", .interrupted)
        try report("a3", .interrupted)
        #expect(try ledger.unfinished(address: "s").count == 2)
        try report("a2", .completed)
        #expect(try ledger.entry(request("a1").id)?.outcome == .failed)
        #expect(try ledger.entry(request("a3").id)?.outcome == .interrupted, "another cluster")
    }

    @Test func `an operation belongs to one open ledger at a time, until that is closed`() throws {
        let id = try #require(OperationID("a1")), other = try #require(OperationID("b2"))
        let mine = try Ledger.open(path: path)
        do {
            let first = try Ledger.open(path: path)
            #expect(first.claim(id) && first.claim(id), "its own claim is none of another's")
            #expect(!first.isCarriedOutElsewhere(id) && mine.isCarriedOutElsewhere(id) && !mine.isCarriedOutElsewhere(other))
            #expect(!mine.claim(id) && mine.claim(other))
            #expect(first.isCarriedOutElsewhere(other))
        }
        #expect(!mine.isCarriedOutElsewhere(id) && mine.claim(id))
    }

    @Test func `an outcome of somebody else's action changes nothing`() throws {
        let ledger = try Ledger.open(path: path)
        let changed = try ledger.recordOutcome(report("zz", .completed))
        #expect(!changed)
        #expect(try ledger.recent(limit: 9).isEmpty)
    }

    @Test func `file and directory are the user's alone, also when the file came with a wider mode`() throws {
        _ = try Ledger.open(path: path)
        #expect(mode(path) == 0o600)
        #expect(mode(directory.path + "/state/weir") == 0o700)
        chmod(path, 0o644)
        _ = try Ledger.open(path: path)
        #expect(mode(path) == 0o600)
        for suffix in ["-wal", "-shm"] where access(path + suffix, F_OK) == 0 { #expect(mode(path + suffix) & 0o077 == 0) }
    }

    @Test func `many writers on many connections lose nothing`() async throws {
        let path = path
        let writers = 4, each = 25
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    let ledger = try unlocked { try Ledger.open(path: path) }
                    for number in 0..<each {
                        let name = "w\(writer)-\(number)"
                        try unlocked { try ledger.recordIntent(request(name), context: "lab", address: "s", at: WallTime(milliseconds: Int64(number))) }
                        try unlocked { try ledger.recordOutcome(report(name, .completed)) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let all = try Ledger.open(path: path).recent(limit: 1000)
        #expect(all.count == writers * each)
        #expect(all.allSatisfy { $0.outcome == .completed })
    }

    @Test func `garbage is refused as damage and left as it was`() throws {
        let file = directory.path + "/ledger.sqlite"
        let garbage = String(repeating: "not a database. ", count: 300)
        write(file, garbage)
        let error = #expect(throws: LedgerError.self) { try Ledger.open(path: file) }
        guard case .damaged(let named, _) = error else { Issue.record("expected damage, got \(String(describing: error))"); return }
        #expect(named == file)
        #expect(read(file) == Array(garbage.utf8))
    }

    @Test func `a damaged page is refused as damage`() throws {
        do {
            let ledger = try Ledger.open(path: path)
            for number in 0..<400 {
                try ledger.recordIntent(request("n\(number)"), context: "lab", address: "s", at: WallTime(milliseconds: Int64(number)))
            }
        }
        var bytes = read(path)
        #expect(bytes.count > 40_000)
        for offset in 4096..<bytes.count { bytes[offset] = 0xA5 }
        write(path, bytes)
        let error = #expect(throws: LedgerError.self) { _ = try Ledger.open(path: path).recent(limit: 1000) }
        guard case .damaged = error else { Issue.record("expected damage, got \(String(describing: error))"); return }
    }

    @Test func `a foreign table of the same name is refused without a trap`() throws {
        do {
            _ = try Ledger.open(path: path)
        }
        try execute(
            path, "DROP TABLE operation; CREATE TABLE operation (id, context, outcome, sent_at); INSERT INTO operation VALUES (1, 'lab', 'intended', 'x')")
        let ledger = try Ledger.open(path: path)
        let error = #expect(throws: LedgerError.self) { try ledger.recent(limit: 5) }
        guard case .damaged = error else { Issue.record("expected damage, got \(String(describing: error))"); return }
    }

    @Test func `a file of a newer console is refused by name`() throws {
        do {
            _ = try Ledger.open(path: path)
        }
        try execute(path, "INSERT INTO grdb_migrations VALUES ('holograms')")
        #expect(throws: LedgerError.newer(path: path, migrations: ["holograms"])) { try Ledger.open(path: path) }
    }

    @Test func `no space left is reported as such, and what was written stays`() throws {
        let ledger = try Ledger.open(path: path)
        try ledger.recordIntent(request("kept"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
        // SQLite's own limit stands in for a full disk: the error is the same.
        let pages = try #require(try ledger.pragma("page_count"))
        _ = try ledger.pragma("max_page_count = \(pages)")
        let error = #expect(throws: LedgerError.self) {
            for number in 0..<500 {
                try ledger.recordIntent(request("n\(number)"), context: "lab", address: "s", at: WallTime(milliseconds: 2))
            }
        }
        #expect(error == .full(path: path))
        #expect(try Ledger.open(path: path).recent(limit: 1000).contains { $0.request.id.description == "kept" })
    }

    @Test func `a lock that is not let go of is reported as such`() throws {
        let ledger = try Ledger.open(path: path)
        try execute(path, "BEGIN EXCLUSIVE") {
            #expect(throws: LedgerError.locked(path: path)) {
                try ledger.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
            }
        }
        // It works again as soon as the other one is gone.
        try ledger.recordIntent(request("a1"), context: "lab", address: "s", at: WallTime(milliseconds: 1))
    }

    @Test func `a directory in the way, a link, and a missing right each say what they are`() throws {
        let taken = directory.path + "/taken"
        mkdir(taken, 0o700)
        #expect(throws: LedgerError.notOurs(path: taken)) { try Ledger.open(path: taken) }
        let link = directory.path + "/link.sqlite"
        symlink("/etc/passwd", link)
        #expect(throws: LedgerError.notOurs(path: link)) { try Ledger.open(path: link) }
        write(directory.path + "/plain", "x")
        let below = directory.path + "/plain/x/ledger.sqlite"
        let error = #expect(throws: LedgerError.self) { try Ledger.open(path: below) }
        guard case .directory = error else { Issue.record("expected a directory error, got \(String(describing: error))"); return }
    }

    @Test(.enabled(if: geteuid() != 0, "the superuser may write everywhere"))
    func `a read-only directory is an error with its path`() throws {
        let closed = directory.path + "/closed"
        mkdir(closed, 0o500)
        #expect(throws: LedgerError.file(path: closed + "/ledger.sqlite", errno: EACCES)) { try Ledger.open(path: closed + "/ledger.sqlite") }
        #expect(throws: LedgerError.directory(path: closed + "/x", errno: EACCES)) { try Ledger.open(path: closed + "/x/ledger.sqlite") }
    }

    @Test func `a read-only file system is an error with its path`() throws {
        // /proc takes no files from anybody, the superuser included.
        let error = #expect(throws: LedgerError.self) { try Ledger.open(path: "/proc/weir/ledger.sqlite") }
        #expect(error?.description.contains("/proc/weir") == true)
    }

    @Test func `an action is synchronised to disk before the call returns`() throws {
        let ledger = try Ledger.open(path: path)
        #expect(try ledger.pragma("synchronous") == "2")
        #expect(try ledger.pragma("journal_mode") == "wal")
    }
}
