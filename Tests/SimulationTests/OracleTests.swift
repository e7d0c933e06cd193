import StreamModel
import Testing

@testable import SimulationKit

// Goal: what judges the engine judges right: the oracle's own decoders, and the rules for reports. Method: good and bad cases by hand, and a
// real snapshot with every byte turned.

@Suite struct OracleTests {
    @Test func theOraclesChecksumIsTheStandardOne() {
        // RFC 3720, B.4.
        #expect(Castagnoli.sum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(Castagnoli.sum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(Castagnoli.sum((0..<32).map { UInt8($0) }) == 0x46DD_794E)
    }

    @Test func completeLinesBeforeATornEndAreRead() throws {
        func line(_ text: String) -> [UInt8] {
            let digits = String(Castagnoli.sum(Array(text.utf8)), radix: 16)
            return Array((String(repeating: "0", count: 8 - digits.count) + digits + " " + text + "\n").utf8)
        }
        let whole = line("one") + line("two")
        #expect(try LineReading.records(whole, "log", allowsTornEnd: false) == ["one", "two"])
        #expect(try LineReading.records(whole + Array("0012".utf8), "log", allowsTornEnd: true) == ["one", "two"])
        #expect(throws: SnapshotReading.Problem.self) { try LineReading.records(whole + Array("0012".utf8), "log", allowsTornEnd: false) }
        var damaged = whole
        damaged[10] ^= 1
        #expect(throws: SnapshotReading.Problem.self) { try LineReading.records(damaged, "log", allowsTornEnd: true) }
    }

    @Test func endsAreFinalAndACancelEndsInCanceled() {
        for (old, new) in [
            (JobState.finished, JobState.running), (.canceled, .running), (.failed, .restarting), (.suspended, .running), (.running, .initializing),
            (.cancelling, .running), (.cancelling, .finished), (.failing, .running),
        ] { #expect(!ReportJudge.mayFollow(new, old), "\(old.rawValue) to \(new.rawValue)") }
        for (old, new) in [
            (JobState.initializing, JobState.running), (.running, .restarting), (.restarting, .running), (.running, .finished), (.cancelling, .canceled),
            (.failing, .failed), (.restarting, .canceled), (.failing, .suspended),
        ] { #expect(ReportJudge.mayFollow(new, old), "\(old.rawValue) to \(new.rawValue)") }
    }

    private func report(_ change: (inout JobReport) -> Void = { _ in }) -> JobReport {
        let now = WallTime(milliseconds: 0)
        var report = JobReport(
            id: JobID(high: 0, low: 1), name: "job", state: .running, stateSince: now, submittedAt: now, parallelism: 1, maxParallelism: 8,
            configuration: CheckpointConfiguration(), budget: FailureBudget(counted: 0, tolerable: 3, source: .exact, cumulative: 0))
        change(&report)
        report.checkpointsRevision = UInt64(report.counts.completed)
        return report
    }

    private func row(_ number: UInt64, _ status: CheckpointReport.Status = .completed, _ change: (inout CheckpointReport) -> Void = { _ in })
        -> CheckpointReport
    {
        var row = CheckpointReport(
            id: CheckpointID(number), kind: .checkpoint, status: status, triggeredAt: WallTime(milliseconds: 0), timeoutAt: WallTime(milliseconds: 0),
            totalSubtasks: 1)
        if status == .completed { (row.acknowledgedSubtasks, row.path, row.duration) = (1, "/chk-\(number)", 1) }
        change(&row)
        return row
    }

    private func problem(_ reports: [(JobReport, [CheckpointReport])], history: [CheckpointReport] = []) -> String? {
        var judge = ReportJudge(Scenario(), history: history, at: 0)
        for (report, rows) in reports {
            if let problem = judge.problem(report, rows: rows, warnings: 0, isDamaged: false, at: 1_000_000_000) { return problem }
        }
        return nil
    }

    @Test func impossibleReportsAreDetected() {
        let complete = report {
            $0.counts = CheckpointCounts(total: 1, completed: 1)
            $0.latestCompleted = row(1)
        }
        #expect(problem([(report(), []), (complete, [row(1)])]) == nil)
        #expect(problem([(complete, [row(1)]), (report(), [])])?.contains("counts fell") == true)
        #expect(problem([(report { $0.counts.completed = 2 }, [])])?.contains("do not add up") == true)
        #expect(problem([(complete, [])])?.contains("the rows of this life") == true)
        #expect(problem([(complete, [row(1) { $0.duration = -5 }])])?.contains("took -5 ms") == true)
        #expect(problem([(complete, [row(1) { $0.duration = 60_000 }])])?.contains("took 60000 ms") == true)
        #expect(problem([(complete, [row(1) { $0.acknowledgedSubtasks = 0 }])])?.contains("0 of 1 subtasks") == true)
        #expect(problem([(report { $0.budget.counted = 1 }, [])])?.contains("failures count") == true)
        #expect(problem([(report { $0.throughput.recordsReadPerSecond = .nan }, [])])?.contains("records a second") == true)
        #expect(problem([(report { $0.throughput.recordsReadPerSecond = -1 }, [])])?.contains("records a second") == true)
        #expect(problem([(report { $0.throughput.recordsReadPerSecond = 1e9 }, [])])?.contains("records a second") == true)
        #expect(problem([(report { $0.attempt = 2 }, []), (report { $0.attempt = 1 }, [])])?.contains("attempt 1 follows") == true)
    }

    @Test func surplusCheckpointsAreDetected() {
        let three = report {
            $0.counts = CheckpointCounts(total: 3, completed: 3)
            $0.latestCompleted = row(3)
        }
        #expect(problem([(three, [row(1) { $0.discarded = true }, row(2), row(3)])]) == nil, "one is being deleted")
        #expect(problem([(three, [row(1), row(2), row(3)])])?.contains("3 checkpoints are kept") == true)
    }

    @Test func aRecoveryFromAnOlderCheckpointIsDetected() {
        func recovered(_ number: UInt64) -> JobReport {
            report {
                $0.latestCompleted = row(4)
                $0.restored = RestoreReport(
                    checkpoint: CheckpointID(number), path: "/chk-\(number)", kind: .checkpoint, fromJob: $0.id, at: WallTime(milliseconds: 0), stateSize: 0,
                    chosen: false)
            }
        }
        #expect(problem([(recovered(4), [row(3), row(4)])], history: [row(3), row(4)]) == nil)
        #expect(problem([(recovered(3), [row(3), row(4)])], history: [row(3), row(4)])?.contains("restored checkpoint 3") == true)
    }
}
