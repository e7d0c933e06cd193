// Goal: after a failover, an exceeded budget or the loss of all TaskManagers the screen says so, and it claims nothing that nobody told.
// Method: reports as a cluster's come, and the lines that the screens make of them.

import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct ClusterConditionTests {
    private func job(at now: WallTime, _ change: (inout JobReport) -> Void = { _ in }) -> JobReport {
        var job = Sample.running()
        job.lastFailure = nil
        job.audit = nil
        job.budget = FailureBudget(counted: 0, tolerable: 3, source: .estimated, cumulative: 0, lastReason: nil)
        job.freshness = ReportFreshness(state: now, checkpoints: now, flow: now, configuration: now, failures: now)
        change(&job)
        return job
    }

    private func text(_ console: inout ScriptedConsole, capacity: ClusterCapacity? = nil, _ change: (inout JobReport) -> Void) -> String {
        console.report([job(at: console.now, change)], capacity: capacity)
        return console.screen
    }

    @Test func `a failover is said for a minute, though the job runs again`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        let now = console.now
        func failed(_ seconds: Int64) -> (inout JobReport) -> Void {
            { job in
                let at = WallTime(milliseconds: now.milliseconds - seconds * 1000)
                job.lastFailure = FailureReport(at: at, message: "Exceeded checkpoint tolerable failure threshold.", attempt: 1)
                job.stateSince = WallTime(milliseconds: at.milliseconds + 1000)
                job.restarts = 1
            }
        }
        #expect(text(&console, failed(4)).contains("RESTARTED 4s ago: Exceeded checkpoint tolerable failure threshold."))
        console.press("enter")
        let screen = console.screen
        #expect(screen.contains("RESTARTED") && screen.contains("RUNNING 3s"), "the time is that of the run, not of the job:\n\(screen)")
        #expect(!text(&console, failed(70)).contains("RESTARTED"))
    }

    @Test func `no TaskManager is said as that`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        let idle: (inout JobReport) -> Void = { job in for index in job.vertices.indices { job.vertices[index].runningSubtasks = 0 } }
        let none = text(&console, capacity: ClusterCapacity(taskManagers: 0, slots: 0, freeSlots: 0), idle)
        #expect(none.contains("RUNNING, but none of") && none.contains("0 TaskManagers, 0 slots"), "\(none)")
        #expect(text(&console, capacity: ClusterCapacity(taskManagers: 2, slots: 8, freeSlots: 0), idle).contains("0 of 8 slots free, 2 TaskManagers"))
        #expect(!text(&console, capacity: ClusterCapacity(taskManagers: 2, slots: 8, freeSlots: 0)) { _ in }.contains("none of"))
    }

    @Test func `a job that is being deployed is not one without tasks`() {
        let slots = ClusterCapacity(taskManagers: 1, slots: 8, freeSlots: 7)
        for (seconds, isTold) in [(0, false), (4, false), (5, true)] as [(Int64, Bool)] {
            var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
            let since = WallTime(milliseconds: console.now.milliseconds - seconds * 1000)
            let screen = text(&console, capacity: slots) { job in
                job.stateSince = since
                for index in job.vertices.indices { job.vertices[index].runningSubtasks = 0 }
            }
            #expect(screen.contains("none of") == isTold, "\(seconds) s after it became RUNNING:\n\(screen)")
        }
    }

    @Test func `a job of which nothing is known is not counted as fine`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        let screen = text(&console) { job in
            job.freshness = ReportFreshness(state: job.freshness?.state)
            job.configuration = CheckpointConfiguration()
            (job.latestCompleted, job.latestSavepoint, job.inProgress) = (nil, nil, [])
            job.throughput = Throughput(recordsReadPerSecond: nil, recordsWrittenPerSecond: nil)
        }
        #expect(screen.contains("nothing is known of its checkpoints yet") && screen.contains("jobs 1: 0 "), "\(screen)")
    }

    @Test func `a job without checkpoints says that it cannot go back`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        let off: (inout JobReport) -> Void = { job in
            job.configuration.interval = nil
            (job.latestCompleted, job.latestSavepoint, job.inProgress) = (nil, nil, [])
        }
        #expect(text(&console, off).contains("the job cannot go back"))
        // That nobody answered says nothing.
        let untold = text(&console) { job in
            off(&job)
            job.freshness?.configuration = nil
        }
        #expect(!untold.contains("cannot go back"))
    }

    @Test func `an empty list is no proof that there are no checkpoints`() {
        func silence(_ change: (inout JobReport) -> Void) -> String? { CheckpointTable.silence(of: job(at: WallTime(milliseconds: 1), change))?.string }
        #expect(silence { $0.freshness?.checkpoints = nil }?.contains("has not told") == true)
        #expect(
            silence {
                $0.freshness?.checkpoints = nil
                $0.state = .canceled
            } == "the cluster does not say which checkpoints it took")
        #expect(
            silence {
                $0.lacksCheckpointList = true
                $0.counts = CheckpointCounts(total: 2, completed: 2)
            }?.hasPrefix("2 completed and 0 failed") == true)
        #expect(silence { $0.freshness?.configuration = nil }?.contains("has not told") == true)
        #expect(silence { _ in } == nil)
    }

    @Test func `three failovers are a crash loop, whatever the count of restarts says yet`() {
        var console = ScriptedConsole(options: ConsoleOptions(size: Size(columns: 120, rows: 40)))
        let now = console.now
        let failures = (0..<3).map { FailureReport(at: WallTime(milliseconds: now.milliseconds - $0 * 20_000 - 2000), message: "boom", attempt: 1) }
        console.report([job(at: now) { $0.lastFailure = failures[0] }])
        console.send(.engine(context: "lab", .failures(Sample.job, failures)))
        #expect(console.screen.contains("CRASH LOOP 3 failures"), "\(console.screen)")
    }
}
