// Goal: the log tells an operator what has happened, in order and once, survives the engine, and never gets in its way. Method: the ring and the news of
// a job as values; the file on a real disk, torn, full and too large; then an engine whose job fails on request.

import CheckpointStore
import ControlProtocol
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineHost

private let at = WallTime(milliseconds: 1_700_000_000_000)

private func entry(_ sequence: UInt64, _ message: String = "m") -> EngineLogEntry { EngineLogEntry(sequence: sequence, at: at, message: message) }

@Suite struct LogRingTests {
    @Test func `lines are numbered on, and the newest are kept`() {
        var ring = LogRing(recovered: [entry(7), entry(5), entry(9)])
        #expect(ring.entries.map(\.sequence) == [7, 9], "out of order: of a damaged file")
        #expect(ring.add(entry(0, "next")).sequence == 10)
        for _ in 0..<3 * LogRing.capacity { _ = ring.add(entry(0)) }
        #expect((LogRing.capacity...LogRing.capacity * 11 / 10).contains(ring.entries.count))
        #expect(ring.end == 10 + 3 * UInt64(LogRing.capacity) && ring.entries.last?.sequence == ring.end)
    }

    @Test func `a tail is what follows, at most so much, the newest of it`() {
        var ring = LogRing()
        for number in 1...20 { _ = ring.add(entry(0, number.isMultiple(of: 2) ? "even" : "odd")) }
        #expect(ring.tail(after: nil, limit: 3).map(\.sequence) == [18, 19, 20])
        #expect(ring.tail(after: 17, limit: 100).map(\.sequence) == [18, 19, 20])
        #expect(ring.tail(after: 20, limit: 100).isEmpty)
        #expect(ring.tail(after: nil, limit: 2) { $0.message == "odd" }.map(\.sequence) == [17, 19])
        #expect(ring.tail(after: 99, limit: 2).map(\.sequence) == [19, 20], "a number of another log holds nothing back")
    }

    @Test func `a line of any length is bounded`() {
        var ring = LogRing()
        #expect(ring.add(entry(0, String(repeating: "\u{1F6D2}", count: 100_000))).message.utf8.count <= LogRing.longest + 4)
    }
}

@Suite struct LogFileTests {
    private let sandbox = Sandbox()
    private var path: String { sandbox["engine.log"] }

    private func file(_ filesystem: any Filesystem = PosixFilesystem(), largest: UInt64 = LogFile.largest) -> LogFile {
        LogFile(path: path, filesystem: filesystem, largest: largest)
    }

    private func bytes(_ path: String) -> [UInt8] { readFile(path) }

    @Test func `lines come back, each a line of JSON`() throws {
        let first = file()
        #expect(first.recovered.isEmpty)
        #expect(first.append([entry(1, "started"), entry(2, "two\nlines")]) == nil)
        first.close()
        #expect(bytes(path).split(separator: UInt8(ascii: "\n")).count == 2)
        let second = file()
        #expect(second.recovered == [entry(1, "started"), entry(2, "two\nlines")])
        #expect(second.append([entry(3)]) == nil)
        second.close()
        #expect(file().recovered.map(\.sequence) == [1, 2, 3])
    }

    @Test func `a torn line costs itself alone`() throws {
        let first = file()
        #expect(first.append([entry(1), entry(2)]) == nil)
        first.close()
        let whole = bytes(path)
        for end in 0..<whole.count {
            try Data(whole[..<end]).write(to: URL(filePath: path))
            let torn = file()
            #expect(torn.append([entry(9, "after")]) == nil)
            torn.close()
            let recovered = file().recovered
            #expect(recovered.last == entry(9, "after"), "\(end)")
            #expect(recovered.dropLast().allSatisfy { $0 == entry(1) || $0 == entry(2) })
        }
    }

    @Test func `it is bounded by a second file`() {
        let log = file(largest: 4000)
        for number in 1...500 as ClosedRange<UInt64> { #expect(log.append([entry(number)]) == nil) }
        log.close()
        #expect(bytes(path).count <= 4000 && bytes(path + ".1").count <= 4000)
        #expect(Set(listDirectory(sandbox.path)) == ["engine.log", "engine.log.1"])
        let recovered = file().recovered.map(\.sequence)
        #expect(recovered.last == 500 && recovered.count > 20 && recovered == Array((recovered.first ?? 0)...500), "both are read, in order")
    }

    @Test func `a full disk is told once, and lines are written again when there is room`() {
        let disk = FillingDisk()
        let log = file(disk)
        #expect(log.append([entry(1)]) == nil)
        disk.isFull.withLock { $0 = true }
        let problem = log.append([entry(2)])
        #expect(problem?.contains("no space left on device") == true && problem?.contains(path) == true, "\(problem ?? "")")
        #expect(log.append([entry(3)]) == nil, "told once")
        disk.isFull.withLock { $0 = false }
        #expect(log.append([entry(4)]) == nil)
        disk.isFull.withLock { $0 = true }
        #expect(log.append([entry(5)]) != nil, "and again when it fails again")
        disk.isFull.withLock { $0 = false }
        #expect(log.append([entry(6)]) == nil)
        log.close()
        #expect(file().recovered.map(\.sequence) == [1, 4, 6])
    }

    @Test func `what is no file of ours is left alone`() throws {
        symlink(sandbox["elsewhere"], path)
        let log = file()
        #expect(log.recovered.isEmpty && log.append([entry(1)]) != nil)
        #expect(access(sandbox["elsewhere"], F_OK) != 0, "a link is not followed")
    }
}

/// A disk that writes half a line and then has no room.
private final class FillingDisk: ForwardingFilesystem {
    let isFull = Mutex(false)

    func write(_ bytes: UnsafeRawBufferPointer, to file: OpenFile) throws(FilesystemError) {
        guard isFull.withLock({ $0 }) else { return try base.write(bytes, to: file) }
        try base.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(bytes.count / 2)), to: file)
        throw FilesystemError(.write, errno: ENOSPC)
    }
}

@Suite struct JobNewsTests {
    private func report(_ state: JobState, attempt: Int = 1, revision: UInt64 = 0, last: FailureReport? = nil) -> JobReport {
        var report = JobReport.placeholder(id: JobID(high: 1, low: 2), name: "orders", recipe: JobRecipe(program: "orders", parallelism: 1), at: at)
        (report.state, report.attempt, report.checkpointsRevision, report.lastFailure) = (state, attempt, revision, last)
        return report
    }

    private func failure(_ second: Int64, _ message: String) -> FailureReport {
        FailureReport(at: at + .seconds(second), message: message, vertex: "sink", subtask: 1, attempt: 1)
    }

    private func row(_ id: UInt64, _ status: CheckpointReport.Status, kind: CheckpointKind = .checkpoint) -> CheckpointReport {
        var row = CheckpointReport(
            id: CheckpointID(id), kind: kind, status: status, triggeredAt: at, timeoutAt: at, acknowledgedSubtasks: 0, totalSubtasks: 1)
        if status == .failed {
            row.failure = .init(reason: .checkpointExpired, message: "expired", counted: true, operatorUID: nil, subtask: nil, at: at)
        }
        return row
    }

    @Test func `changes of state are told once`() {
        var news = JobNews()
        func take(_ report: JobReport) -> [String] { news.take(report, failures: { [] }, checkpoints: { [] }).map(\.message) }
        #expect(take(report(.initializing)).isEmpty)
        #expect(take(report(.running)) == ["RUNNING, attempt 1"])
        #expect(take(report(.running)).isEmpty)
        var waiting = report(.restarting)
        (waiting.restartDelay, waiting.restartReason) = (4000, "disk full")
        #expect(take(waiting) == ["RESTARTING, attempt 2 in 4000 ms: disk full"])
        #expect(take(report(.running, attempt: 2)) == ["RUNNING, attempt 2"])
        #expect(take(report(.running, attempt: 4)) == ["RUNNING, attempt 4"], "between two looks the job may have been restarted")
        #expect(take(report(.cancelling, attempt: 4)).isEmpty)
        #expect(take(report(.canceled, attempt: 4)) == ["CANCELED"])
    }

    @Test func `each failure is told once, in the order of time`() {
        var rows = [failure(1, "old")]
        var news = JobNews(failures: rows)
        func take() -> [String] { news.take(report(.failing, last: rows.first), failures: { rows }, checkpoints: { [] }).map(\.message) }
        #expect(take().isEmpty, "on record: told by the engine before")
        rows = [failure(3, "b"), failure(2, "a")] + rows
        #expect(take() == ["sink/1: a", "sink/1: b"])
        #expect(take().isEmpty)
        rows = (0..<300).map { failure(Int64(1000 - $0), "x\($0)") }
        #expect(take().count == 300)
    }

    @Test func `a wait that fails again and again is told at 1, 2, 4, 8`() {
        var news = JobNews(), told: [String] = [], rows: [FailureReport] = []
        for second in 1...20 as ClosedRange<Int64> {
            // The list keeps two of a wait.
            rows = [failure(second, "no space")] + rows.prefix(1)
            told += news.take(report(.restarting, last: rows[0]), failures: { rows }, checkpoints: { [] }).filter { $0.level == .error }.map(\.message)
        }
        #expect(
            told == [
                "sink/1: no space", "sink/1: no space (2 times in a row)", "sink/1: no space (4 times in a row)", "sink/1: no space (8 times in a row)",
                "sink/1: no space (16 times in a row)",
            ])
    }

    @Test func `failed checkpoints are told, complete ones only after those`() {
        var news = JobNews(checkpoints: [row(2, .completed), row(1, .failed)])
        var rows: [CheckpointReport] = [], revision: UInt64 = 0, asked = 0
        func take() -> [String] {
            revision += 1
            return news.take(report(.initializing, revision: revision), failures: { [] }, checkpoints: { rows }).map(\.message)
        }
        rows = [row(3, .inProgress), row(2, .completed), row(1, .failed)]
        #expect(take().isEmpty)
        rows = [row(4, .failed, kind: .savepoint), row(3, .failed), row(2, .completed), row(1, .failed)]
        #expect(take() == ["checkpoint #3 failed: CHECKPOINT_EXPIRED: expired", "savepoint #4 failed: CHECKPOINT_EXPIRED: expired"])
        rows = [row(5, .completed)] + rows
        #expect(take() == ["checkpoint #5 is complete, after 2 failed ones"])
        rows = [row(6, .completed)] + rows
        #expect(take().isEmpty, "a healthy job does not fill the log")
        _ = news.take(
            report(.initializing, revision: revision), failures: { [] },
            checkpoints: {
                asked += 1; return rows
            })
        #expect(asked == 0, "a list that has not changed is not copied")
    }
}

@Suite struct EngineLogTests {
    private let sandbox = Sandbox()

    private func log(_ engine: TestEngine, of job: String? = nil, after: UInt64? = nil) throws -> [EngineLogEntry] {
        guard case .log(let entries) = try engine.ask(.log(job.map { JobReference($0) }, after: after, limit: nil)) else { throw TestFailure("no log") }
        return entries
    }

    @Test func `a job's failures, restarts and operations are in the log, in order`() throws {
        let engine = try TestEngine(sandbox["state"])
        defer { engine.close() }
        let shaky = try engine.submit("shaky", ["interval": "50ms"])
        let other = try engine.submit("orders", ["interval": "50ms", "rate": "1000"])
        try engine.waitForCheckpoints(1, of: shaky.id)
        #expect(try engine.operate(shaky.id, .fault("fail 2")).state == .completed)
        #expect(try eventually { try log(engine, of: "shaky").contains { $0.message.hasSuffix("after 2 failed ones") } })
        #expect(try engine.operate(shaky.id, .fault("crash")).state == .completed)
        // A report can be seen before its news are in the log.
        #expect(try eventually { try log(engine, of: "shaky").contains { $0.message.hasPrefix("RUNNING, attempt 2") } })
        #expect(try engine.complete(shaky.id, .savepoint(directory: sandbox["saves"])).state == .completed)
        #expect(try engine.complete(other.id, .cancel(.keep)).state == .completed)
        #expect(try eventually { try log(engine).contains { $0.message.contains("cancel of 'orders'") && $0.message.contains("is completed") } })

        let lines = try log(engine, of: "shaky")
        #expect(lines.allSatisfy { $0.jobName == "shaky" && $0.job == shaky.id })
        let words = [
            "submit of 'shaky'", "RUNNING, attempt 1", "fault of 'shaky'", "checkpoint #", "is complete, after 2 failed ones", "injected", "RUNNING, attempt 2",
            "savepoint of 'shaky'", "is completed: \(sandbox["saves"])/savepoint-",
        ]
        var rest = lines[...]
        for word in words {
            let index = rest.firstIndex { $0.message.contains(word) }
            guard let index else { return _ = Issue.record("\(word) is missing, or out of order, in \(lines.map(\.message))") }
            rest = rest[(index + 1)...]
        }
        #expect(lines.contains { $0.level == .error && $0.subject == .task && $0.message.contains("injected") })
        // One that is in flight when the task crashes fails, too.
        #expect(lines.count { $0.subject == .checkpoint && $0.level == .warning } >= 2)
        #expect(try log(engine, of: shaky.id.description) == lines, "by id, too")
        #expect(try engine.service.currentReport().logEnd == log(engine).last?.sequence)
        let all = try log(engine)
        #expect(all.map(\.sequence) == Array(1...UInt64(all.count)) && all[0].message.hasPrefix("started: version "))
        #expect(try log(engine, after: all[all.count - 3].sequence) == Array(all.suffix(2)))
        #expect(throws: ControlFailure.self) { try log(engine, of: "nobody") }
    }

    @Test func `the next engine goes on with the log, and knows a killed one`() throws {
        let state = sandbox["state"]
        var engine = try TestEngine(state, keepsLogFile: true)
        _ = try engine.submit("orders", ["interval": "50ms", "rate": "1000"])
        #expect(try eventually { try log(engine).contains { $0.message == "RUNNING, attempt 1" } })
        engine.close()
        let before = readFile(state + "/engine.log").split(separator: UInt8(ascii: "\n"))
        #expect(before.count >= 4 && String(decoding: before.last ?? [], as: UTF8.self).contains("ended; its jobs are suspended"))

        engine = try TestEngine(state, keepsLogFile: true)
        #expect(try eventually { try log(engine).contains { $0.message.contains("'orders'") && $0.message.contains("is back") } })
        let lines = try log(engine)
        #expect(lines.map(\.sequence) == Array(1...UInt64(lines.count)), "the numbers go on")
        let start = try #require(lines.last { $0.message.hasPrefix("started") })
        #expect(start.level == .info && start.sequence == UInt64(before.count) + 1, "it ended by itself")
        engine.close()

        // As a kill leaves it: without the last line.
        let bytes = readFile(state + "/engine.log").split(separator: UInt8(ascii: "\n")).dropLast().flatMap { Array($0) + [UInt8(ascii: "\n")] }
        try Data(bytes).write(to: URL(filePath: state + "/engine.log"))
        engine = try TestEngine(state, keepsLogFile: true)
        defer { engine.close() }
        let restart = try #require(try self.log(engine).last { $0.message.hasPrefix("started") })
        #expect(restart.level == .warning && restart.message.contains("was killed, or the machine went down"), "\(restart)")
    }

    @Test func `without a file nothing is written`() throws {
        let engine = try TestEngine(sandbox["state"])
        engine.close()
        #expect(access(sandbox["state"] + "/engine.log", F_OK) != 0)
    }
}
