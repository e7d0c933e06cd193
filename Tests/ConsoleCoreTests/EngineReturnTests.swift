import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: an engine that was started anew does not pass for one that never stopped. Method: reports of two processes, one after the other.
@Suite struct EngineReturnTests {
    private static let returned = Sample.start + .seconds(30)

    private func report(_ jobs: [JobReport], pid: Int32 = 812, at: WallTime = returned + .seconds(1)) -> EngineReport {
        var report = Sample.engine(jobs, at: at)
        (report.engine.processID, report.engine.startedAt) = (pid, Self.returned)
        return report
    }

    private func restored(_ job: JobReport, from id: UInt64 = 58, at: WallTime = returned) -> JobReport {
        var job = job
        job.restored = RestoreReport(
            checkpoint: CheckpointID(id), path: "/c/chk-\(id)", kind: .checkpoint, fromJob: job.id, at: at, stateSize: 10, chosen: false)
        job.throughput.recordsRead = 1500
        return job
    }

    @Test func anotherProcessIsTold() {
        let before = Sample.engine([Sample.running()], at: Sample.start)
        let found = EngineReturn(from: before, to: report([restored(Sample.running())]))
        #expect(found?.text == "engine came back as pid 812; orders resumed from #58")
        #expect(EngineReturn(from: before, to: Sample.engine([Sample.running()], at: Self.returned)) == nil, "the same process")
        var other = before
        other.engine.startedAt = Self.returned
        #expect(EngineReturn(from: before, to: other) != nil, "the same id, given again")
        var cluster = before
        cluster.engine.processID = 0
        #expect(EngineReturn(from: cluster, to: report([])) == nil, "a cluster tells of no process")
    }

    @Test func ofManyJobsANumberIsTold() {
        let jobs = (0..<5).map { Sample.running(JobID(high: 1, low: UInt64($0)), name: "job-\($0)") }
        let before = Sample.engine(jobs, at: Sample.start)
        #expect(EngineReturn(from: before, to: report(jobs.map { restored($0) }))?.text == "engine came back as pid 812; 5 jobs resumed from checkpoints")
        let partly = jobs.prefix(2).map { restored($0) } + jobs.suffix(3)
        #expect(EngineReturn(from: before, to: report(partly))?.text == "engine came back as pid 812; 2 of 5 jobs resumed from checkpoints")
        // A restore of the process before is none of this one.
        let old = restored(Sample.running(), at: Sample.start)
        #expect(
            EngineReturn(from: Sample.engine([old], at: Sample.start), to: report([old]))?.text
                == "engine came back as pid 812; orders not resumed from a checkpoint")
        #expect(EngineReturn(from: Sample.engine([], at: Sample.start), to: report([]))?.text == "engine came back as pid 812")
    }

    @Test func everyScreenTellsAndTheCounterSaysSinceWhen() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.press("enter")
        #expect(console.screen.contains("read 9.8M") && !console.screen.contains("since the restore"))
        console.send(.engine(context: "lab", .link(.down(reason: "it ended", retryAt: nil, attempts: 1))))
        console.advance(31_000)
        console.send(.engine(context: "lab", .link(.up(roundTrip: 2))))
        // Its recovery has not come to the job yet: that is waited for.
        console.send(.engine(context: "lab", .report(report([], at: console.now), receivedAt: console.now)))
        #expect(!console.lastMessage.contains("812"))
        console.advance(1000)
        _ = console.take()
        console.send(.engine(context: "lab", .report(report([restored(Sample.running())], at: console.now), receivedAt: console.now)))
        #expect(console.lastMessage == "engine came back as pid 812; orders resumed from #58")
        #expect(console.take().contains(.bell))
        console.advance(5000)
        #expect(console.screen.contains("read 1.5k since the restore"), "\(console.screen)")
        #expect(console.screen(Size(columns: 160, rows: 50)).contains("1.5k read since the restore"))
        for screen in ["1", "3", "4", "6"] {
            console.press(screen)
            #expect(console.screen.contains("engine came back as pid 812"), "\(console.screen)")
        }
        // Once.
        let count = console.model.messages.count
        console.send(.engine(context: "lab", .report(report([restored(Sample.running())], at: console.now), receivedAt: console.now)))
        #expect(console.model.messages.count == count)
    }

    @Test func aJobThatDoesNotComeBackIsNotWaitedForLonger() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        for _ in 0..<7 {
            console.advance(1000)
            console.send(.engine(context: "lab", .report(report([], at: console.now), receivedAt: console.now)))
        }
        #expect(console.model.messages.filter { $0.text.string.contains("orders not resumed from a checkpoint") }.count == 1)
    }
}
