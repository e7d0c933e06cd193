// Goal: the tables of the commands say when, how long ago, and what a restart can begin with; one stage has one word.
// Method: the pure parts alone: times in a zone that is given, lists of checkpoints and operations as engines tell them.

import ConsoleCore
import ControlProtocol
import EngineClients
import Glibc
import StreamModel
import TestKit
import Testing

@testable import CommandLineApp
@testable import HostEnvironment

@Suite struct TableTests {
    private static let now = WallTime(milliseconds: 1_772_366_671_000)  // 2026-03-01 12:04:31 UTC
    private let times = TimeColumns(now: now, usesUTC: true)

    @Test(
        arguments: [
            (0, "12:04:31 UTC", "0s"), (42_000, "12:03:49 UTC", "42s"), (90_000, "12:03:01 UTC", "1m"), (86_400_000, "2026-02-28 12:04:31 UTC", "1d00h"),
        ] as [(Int64, String, String)])
    func `a time has its zone, another day its date`(ago: Int64, when: String, age: String) {
        let time = WallTime(milliseconds: Self.now.milliseconds - ago)
        #expect(times.when(time) == when && times.age(time) == age)
    }

    @Test(arguments: [Int64.min, -1, .max]) func `a time that no calendar has is shown as the nearest`(milliseconds: Int64) {
        #expect(times.when(WallTime(milliseconds: milliseconds)).hasSuffix(" UTC"))
    }

    // MARK: Operations

    private func operation(_ kind: OperationRequest.Kind, _ state: OperationReport.State) -> OperationReport {
        OperationReport(
            request: OperationRequest(id: OperationID(random: 1), kind: kind, job: JobID(high: 1, low: 1)), jobName: "orders", state: state,
            acceptedAt: Self.now)
    }

    @Test func `a cancel that deletes says so, and how much`() {
        var report = operation(.cancel(.discard), .completed)
        report.deletedCheckpoints = 100
        #expect(report.request.kind.title == "cancel+discard" && report.result == "100 checkpoints deleted")
        report.deletedCheckpoints = 1
        #expect(report.result == "1 checkpoint deleted")
        report.path = "/state/savepoint-3"
        #expect(report.result == "1 checkpoint deleted, kept /state/savepoint-3", "what is kept is always shown")
        let policies: [(CancelRetention, CheckpointConfiguration.Retention, Bool)] = [
            (.keep, .none, false), (.keep, .deleteOnCancellation, false), (.discard, .retainOnCancellation, true),
            (.byPolicy, .retainOnCancellation, false), (.byPolicy, .deleteOnCancellation, true), (.byPolicy, .none, true),
        ]
        for (retention, policy, discards) in policies { #expect(retention.discards(policy) == discards, "\(retention) \(policy)") }
    }

    @Test func `a restart is called proven where a verdict is on record`() {
        var report = operation(.restart(RestartOptions()), .completed)
        #expect(report.stage == "completed")
        report.verdict = .resumedDurable
        #expect(report.stage == "proven")
    }

    // MARK: Lineage

    private func job(_ id: UInt64, _ state: JobState, keeps: Int = 2) -> JobReport {
        var configuration = CheckpointConfiguration()
        configuration.retainedCheckpoints = keeps
        return JobReport(
            id: JobID(high: 0, low: id), name: "orders", state: state, stateSince: Self.now, submittedAt: WallTime(milliseconds: Int64(id)), parallelism: 1,
            maxParallelism: 128, configuration: configuration, budget: FailureBudget(counted: 0, tolerable: nil, source: .exact, cumulative: 0))
    }

    private func checkpoint(
        _ id: UInt64, _ kind: CheckpointKind = .checkpoint, of job: UInt64, gone: Bool = false, _ status: CheckpointReport.Status = .completed
    ) -> CheckpointReport {
        CheckpointReport(
            id: CheckpointID(id), kind: kind, status: status, triggeredAt: WallTime(milliseconds: Int64(id)), timeoutAt: Self.now, totalSubtasks: 1,
            path: status == .completed ? "/state/\(job)/chk-\(id)" : nil, discarded: gone)
    }

    @Test func `the lineage shows what is left of earlier runs, and why a row cannot be restored`() {
        let lineage = Lineage([
            .init(
                job(9, .running),
                checkpoints: [
                    checkpoint(14, of: 9, .inProgress), checkpoint(13, of: 9), checkpoint(12, of: 9), checkpoint(11, of: 9, gone: true),
                ]),
            .init(job(5, .canceled), checkpoints: [checkpoint(4, of: 5), checkpoint(3, .savepoint, of: 5), checkpoint(2, of: 5, gone: true)]),
        ])
        let rows = lineage.rows(remembered: []) { _ in nil }
        #expect(
            rows.map { "\($0.run) \($0.report.id) \($0.problem ?? "yes")" } == [
                "0 14 in progress", "0 13 yes", "0 12 yes", "0 11 subsumed", "1 4 yes", "1 3 yes",
            ])
    }

    @Test func `what was deleted with its job is discarded, not subsumed`() {
        let gone = [checkpoint(4, of: 5, gone: true), checkpoint(3, of: 5, gone: true), checkpoint(2, of: 5, gone: true)]
        let rows = Lineage([.init(job(5, .canceled), checkpoints: gone)]).rows(remembered: []) { _ in nil }
        #expect(rows.map(\.problem) == ["discarded", "discarded", "subsumed"])
    }

    @Test func `the ledger adds what no engine lists, with a look at its files`() {
        func remembered(_ id: UInt64, of job: UInt64, _ kind: CheckpointKind = .checkpoint) -> RememberedCheckpoint {
            RememberedCheckpoint(
                context: "local", job: JobID(high: 0, low: job), jobName: "orders", report: checkpoint(id, kind, of: job), fate: .unlisted,
                firstSeenAt: Self.now, lastSeenAt: Self.now)
        }
        let live = Lineage([.init(job(9, .running), checkpoints: [checkpoint(13, of: 9)])])
        let rows = live.rows(remembered: [remembered(7, of: 9), remembered(6, of: 9, .savepoint), remembered(4, of: 3), remembered(13, of: 9)]) {
            $0.contains("/3/") ? false : true
        }
        #expect(
            rows.map { "\($0.source.rawValue) \($0.run) \($0.report.id) \($0.problem ?? "yes")" } == [
                "engine 0 13 yes", "ledger 0 6 yes", "ledger 1 4 its files are gone",
            ])
    }

    @Test func `a savepoint is never subsumed: an operator had it deleted`() {
        let gone = checkpoint(2, .savepoint, of: 9, gone: true)
        for state in [JobState.running, .canceled] {
            let rows = Lineage([.init(job(9, state), checkpoints: [checkpoint(4, of: 9), checkpoint(3, of: 9), gone])]).rows(remembered: []) { _ in nil }
            #expect(rows.map(\.problem) == [nil, nil, "deleted"])
        }
    }

    @Test func `the newest is first, whoever knows it, and a script sees what nobody looked at`() throws {
        let old = RememberedCheckpoint(
            context: "local", job: JobID(high: 0, low: 3), jobName: "orders", report: checkpoint(12, .savepoint, of: 3), fate: .unlisted,
            firstSeenAt: Self.now, lastSeenAt: Self.now)
        let lineage = Lineage([.init(job(9, .running), checkpoints: [checkpoint(13, of: 9), checkpoint(11, of: 9)])])
        let rows = lineage.rows(remembered: [old]) { _ in nil }
        #expect(rows.map(\.report.id.rawValue) == [13, 12, 11])
        let json = try rows.map { try ControlCodec.json($0) }
        #expect(json.map { $0.contains("\"isKnownToBeThere\":true") } == [true, false, true], "\(json)")
        #expect(json[1].contains("\"isKnownToBeThere\":false"))
    }

    // MARK: Watching

    @Test func `a job that is no longer reported is forgotten`() {
        var lines = SteadyLines()
        let report = job(1, .running), now = WallTime(milliseconds: 1)
        var told = [lines.tells(report, at: now)]
        for present in [[report], []] {
            lines.keepOnly(present)
            told.append(lines.tells(report, at: now))
        }
        #expect(told == [true, false, true])
    }

    @Test func `a line is printed for a change, and once a second`() {
        var lines = SteadyLines(), told: [Int64] = [], report = job(1, .running)
        for time in stride(from: Int64(0), through: 2_000, by: 250) {
            if time == 500 { report.counts.completed += 1 }
            if lines.tells(report, at: WallTime(milliseconds: time)) { told.append(time) }
        }
        #expect(told == [0, 500, 1500])
    }

    // MARK: Files of a run

    @Test func `what no restart makes right is refused in one sentence`() throws {
        let sandbox = Sandbox()
        let file = try sandbox.write("in.txt", "a"), pipe = sandbox["pipe"]
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(PathCheck(input: file, output: sandbox["new"]).problem == nil)
        #expect(PathCheck(input: sandbox.path, output: sandbox.path).problem == nil)
        #expect(PathCheck(input: "\(file)\n\(sandbox["none"])", output: nil).problem == "cannot read the input \(sandbox["none"]): No such file or directory")
        #expect(PathCheck(input: pipe, output: nil).problem?.contains("is a named pipe, not a regular file") == true)
        #expect(PathCheck(input: "/dev/null", output: nil).problem?.contains("is a character device") == true)
        #expect(PathCheck(input: file, output: file).problem == "the output \(file) is a file, not a directory: name a directory")
    }
}
