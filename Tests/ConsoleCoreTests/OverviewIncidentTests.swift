// Goal: who looks at the Overview and presses nothing sees what is wrong with a job and what to do. Method: reports alone, as they come for a job
// that nobody has opened, and the first screen at 80x24 and 120x40.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct OverviewIncidentTests {
    private static let sizes = [Size(columns: 80, rows: 24), Size(columns: 100, rows: 30), Size(columns: 120, rows: 40)]

    private func expect(_ words: [String], _ console: ScriptedConsole, isAbsent: Bool = false) {
        for size in Self.sizes {
            var console = console
            console.send(.resize(size))
            for word in words { #expect(console.screen.contains(word) != isAbsent, "\(word), \(size.columns)x\(size.rows):\n\(console.screen)") }
        }
    }

    private func console(_ jobs: [JobReport], capacity: ClusterCapacity? = nil) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report(jobs, capacity: capacity)
        return console
    }

    private func failure(_ at: WallTime, _ message: String = "injected fault") -> FailureReport {
        FailureReport(at: at, message: message, vertex: "sensors", subtask: 1, attempt: 1)
    }

    /// A job that fails every `period` seconds and runs for most of that; its report each second.
    private func crashing(_ console: inout ScriptedConsole, every period: Int64, seconds: Int64, _ each: (Int64, ScriptedConsole) -> Void) {
        let start = console.now
        for second in 0..<seconds {
            var job = Sample.running()
            let crashes = second / period
            job.restarts = Int(crashes)
            job.submittedAt = start
            if crashes > 0 {
                let last = start + .seconds(crashes * period)
                job.lastFailure = failure(last)
                if second % period == 0 { (job.state, job.restarts) = (.restarting, Int(crashes) - 1) }
            }
            job.latestCompleted = Sample.checkpoint(4120 + UInt64(second), ago: -second * 1000)
            console.now = start + .seconds(second)
            console.report([job])
            each(second, console)
        }
    }

    @Test func `a crash loop is found by its reports alone, and it is steady`() {
        var console = ScriptedConsole()
        crashing(&console, every: 5, seconds: 60) { second, console in
            if second == 9 { #expect(!console.screen.contains("CRASH LOOP"), "one failure") }
            if second >= 15 { #expect(console.screen.contains("CRASH LOOP") && console.screen.contains(" next  5 failures"), "\(second):\n\(console.screen)") }
        }
        #expect(console.take().allSatisfy { if case .send(_, .ask) = $0 { false } else { true } }, "nothing was asked for")
        expect(["sensors sub 1: injected fault", "0 ok  1 !!"], console)
        #expect(console.screen.contains("11"), "the restarts have a column")
    }

    @Test func `the first report tells a crash loop`() {
        var job = Sample.running()
        (job.restarts, job.submittedAt, job.lastFailure) = (7, Sample.ago(40_000), failure(Sample.ago(2000)))
        expect(["CRASH LOOP 8 failures"], console([job]), isAbsent: true)
        expect(["CRASH LOOP 7 failures in", "5 failures"], console([job]))
        // Old restarts of a job that has run for days are none.
        job.submittedAt = Sample.ago(90_000_000)
        expect(["CRASH LOOP"], console([job]), isAbsent: true)
    }

    @Test func `failures between two reports are known by the count`() {
        var job = Sample.running()
        (job.restarts, job.lastFailure) = (1, failure(Sample.ago(20_000)))
        var console = console([job])
        console.advance(10_000)
        (job.restarts, job.lastFailure) = (4, failure(console.now))
        console.report([job])
        #expect(console.screen.contains("CRASH LOOP 4 failures in 30s"), "\(console.screen)")
    }

    @Test func `a job that recovers is no crash loop a minute later`() {
        var console = ScriptedConsole()
        crashing(&console, every: 5, seconds: 31) { _, _ in }
        var job = Sample.running()
        (job.restarts, job.lastFailure) = (6, failure(Sample.start + .seconds(30)))
        for _ in 0..<61 {
            console.advance(1000)
            job.latestCompleted = Sample.checkpoint(5000, ago: -(console.now - Sample.start).count)
            console.report([job])
        }
        console.model.messages = []
        #expect(!console.screen.contains("CRASH LOOP"), "\(console.screen)")
    }

    @Test func `a hot key`() {
        var job = Sample.running()
        job.vertices[1].hottest = HottestSubtask(index: 2, recordsPermille: 960, busyPermille: 990)
        expect(["HOT KEY? revenue -> sink sub 2 gets 96%", "probably one key, which cannot be split"], console([job]))
    }

    @Test func `slow checkpoints`() {
        var job = Sample.running()
        job.configuration.interval = .seconds(2)
        job.latestCompleted = Sample.checkpoint(12, ago: 7000, took: 6000)
        expect(["CKPT slow: #12 took 6.0s; the interval is 2s", "3 checkpoints show where the time goes"], console([job]))
        job.latestCompleted?.kind = .savepoint
        expect(["CKPT slow"], console([job]), isAbsent: true)
    }

    @Test func `a stalled source`() {
        var job = Sample.running(), console = console([job])
        job.throughput.recordsReadPerSecond = 0
        job.vertices[0].backPressuredPermille = 0
        for step in 1...20 {
            console.advance(1000)
            job.nextTriggerAt = nil
            job.latestCompleted = Sample.checkpoint(4121 + UInt64(step), ago: Int64(-1000 * step))
            console.report([job])
        }
        expect(["SOURCE orders -> key has read nothing for 20s", "look upstream of orders -> key: nothing arrives"], console)
    }

    @Test func `a full disk, while the job runs and after it has failed`() {
        var job = Sample.running()
        job.configuration.storageDirectory = "/small/weir/checkpoints"
        job.budget = FailureBudget(counted: 2, tolerable: 3, source: .exact, cumulative: 44)
        job.latestFailed = Sample.failed(4125, ago: 1000, .ioException)
        job.latestFailed?.failure?.message = "Cannot write /small/weir/checkpoints/b3a1/chk-4125/_metadata: no space left on device (errno 28)"
        let words = ["DISK FULL /small/weir/checkpoints: free some space (2 checkpoints", "free space at /small/weir/checkpoints"]
        expect(words, console([job]))
        job.state = .failed
        job.budget.counted = 4
        job.lastFailure = FailureReport(
            at: Sample.ago(500), message: "Exceeded checkpoint tolerable failure threshold. 4 failed in a row, 3 are tolerable: checkpoint 41 IO", attempt: 1)
        expect([words[1], "free some space (4 checkpoints", "FAILED", "4/3", "R then restart from #4120"], console([job]))
    }

    @Test func `a failure of another kind is not counted among the checkpoints of a full disk`() {
        var job = Sample.running()
        job.budget = FailureBudget(counted: 2, tolerable: 3, source: .exact, cumulative: 57)
        job.lastFailure = failure(Sample.ago(500), "/sink/out: no space left on device")
        job.latestFailed = Sample.failed(4125, ago: 1000, .ioException)
        job.latestFailed?.failure?.message = "connection reset"
        expect(["DISK FULL /sink/out: free some space"], console([job]))
        expect(["checkpoints failed", "(57", "(2"], console([job]), isAbsent: true)
    }

    @Test func `the rows know who has ended, and the counts are kept with them`() {
        var console = console([Sample.running(), Sample.running(Sample.otherJob, name: "b", state: .canceled)])
        console.model.arrange()
        #expect(console.model.overviewRows.map(\.isEnded) == [false, true])
        #expect(console.model.rowCache.counts == OverviewCounts(console.model.overviewRows) && console.model.rowCache.counts.ended == 1)
        // What is kept is not counted again.
        #expect(console.model.overviewCounts([]).jobs == 2)
    }

    @Test func `a budget that is used up`() {
        var job = Sample.ailing()
        job.inProgress = []
        expect(["CKPT 3/3 tolerated failures used", "3/3!", "3 checkpoints show why"], console([job]))
    }

    @Test func `a failed job keeps its count, and its newest checkpoint is not called ok`() {
        var job = Sample.running(state: .failed)
        job.stateSince = Sample.ago(5000)
        job.budget.counted = 4
        job.lastFailure = failure(Sample.ago(5000), "boom")
        let console = console([job])
        let row = console.screen.split(separator: "\n").first { $0.contains("orders") } ?? ""
        #expect(row.contains("FAILED") && row.contains("4/3") && !row.contains("4/3!") && row.contains("-  1s"), "\(row)")
        expect(["FAILED boom", "R restart from #4120 (1s ago)"], console)
    }

    @Test func `no checkpoint to go back to`() {
        var job = Sample.running()
        (job.latestCompleted, job.latestSavepoint) = (nil, nil)
        expect(["CKPT none completed in 3d04h: nothing to restore", "S savepoint: a fresh way back"], console([job]))
    }

    @Test func `no TaskManagers`() {
        var job = Sample.running()
        job.freshness = ReportFreshness(state: Sample.start, checkpoints: Sample.start, flow: Sample.start, configuration: Sample.start)
        for index in job.vertices.indices { job.vertices[index].runningSubtasks = 0 }
        expect(["0 TaskManagers", "start a TaskManager"], console([job], capacity: ClusterCapacity(taskManagers: 0, slots: 0, freeSlots: 0)))
    }

    @Test func `a link that is down`() {
        var console = console([Sample.running()])
        console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: nil, attempts: 1))))
        expect(["no link: connection refused", "r retry now", "contexts 1, 1 down   jobs 1: 0 ok  0 !!  1 down"], console)
    }

    @Test func `a count names what it counts`() {
        let jobs = [
            Sample.running(), Sample.running(JobID(high: 2, low: 1), name: "a", state: .canceled),
            Sample.running(JobID(high: 2, low: 2), name: "b", state: .finished), Sample.running(JobID(high: 2, low: 3), name: "c", state: .failed),
            Sample.running(JobID(high: 2, low: 4), name: "d", state: .initializing),
        ]
        expect(["jobs 5: 1 ok  1 !!  1 ..  2 ended"], console(jobs))
    }

    @Test func `nothing is offered where nothing may be done`() {
        var job = Sample.running(state: .failed)
        job.lastFailure = failure(Sample.ago(5000), "boom")
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .lab, address: "x", isReadOnly: true)])
        console.report([job])
        #expect(console.screen.contains(" next  5 failures\n"), "\(console.screen)")
    }

    @Test func `the Job screen has the step under the condition, and the menu the action first`() {
        var job = Sample.running(state: .failed)
        job.stateSince = Sample.ago(5000)
        job.lastFailure = failure(Sample.ago(5000), "boom")
        var console = console([job])
        console.press("enter")
        for size in Self.sizes {
            console.send(.resize(size))
            let lines = console.screen.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines[1].contains("FAILED boom") && lines[2].hasPrefix(" Next: R restart from #4120"), "\(console.screen)")
        }
        console.send(.resize(Self.sizes[0]))
        console.press("a")
        let lines = console.screen.split(separator: "\n")
        let menu = lines.firstIndex { $0.contains("actions on orders") } ?? 0
        #expect(lines[menu + 1].contains("R ") && lines[menu + 1].contains("restart from #4120"), "\(console.screen)")
    }

    @Test func `the menu says why an action would not help`() {
        var job = Sample.running()
        job.vertices[1].hottest = HottestSubtask(index: 2, recordsPermille: 960, busyPermille: 990)
        var console = console([job])
        console.press("a")
        let row = console.screen.split(separator: "\n").first { $0.contains("restart from a chosen") } ?? ""
        #expect(row.contains("no help: a key is not split"), "\(row)")
    }

    @Test func `a long condition goes on in a second row`() {
        var job = Sample.running(state: .failed)
        job.lastFailure = FailureReport(at: Sample.ago(5000), message: (1...20).map { "word\($0)" }.joined(separator: " "), attempt: 1)
        var console = console([job])
        console.press("enter")
        let lines = console.screen.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[1].contains("word1 ") && lines[2].contains("word12") && lines[3].hasPrefix(" Next:"), "\(console.screen)")
    }

    @Test func `the rows of failures begin with the cause`() {
        var job = Sample.running(), console = console([job])
        job.latestFailed = Sample.failed(4125, ago: 1000, .ioException)
        job.latestFailed?.failure?.message = "Cannot write /small/weir/checkpoints/b3a1/chk-4125/_metadata: no space left on device (errno 28)"
        console.report([job])
        console.press("enter")
        #expect(console.screen.contains("i/o error win-agg sub 7: no space left on device (errno 28)"), "\(console.screen)")
        console.press("5")
        #expect(console.screen.contains("i/o error win-agg sub 7: no space left on device"), "\(console.screen)")
    }

    @Test func `a list counts what it shows`() {
        var job = Sample.running()
        job.counts.total = 2
        var console = console([job])
        console.press("enter", "3")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        #expect(console.screen.contains("follow -- 8 "), "\(console.screen)")
        console.press("/")
        console.type("fail")
        console.press("enter")
        #expect(console.screen.contains("2 of 8"), "\(console.screen)")
    }
}
