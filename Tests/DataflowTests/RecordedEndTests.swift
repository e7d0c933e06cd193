import FoundationEssentials
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: a job gives nothing up before its end is written down: without the record the next engine goes on with the job, and needs its
// checkpoints. Method: real jobs that end in each way, with a recorder that refuses until it is told otherwise.

@Suite struct RecordedEndTests {
    private struct DiskFull: Error, CustomStringConvertible { let description = "no space left on device" }

    private final class Recorder: Sendable {
        private let state = Mutex<(isFull: Bool, refused: Int, recorded: [JobState])>((true, 0, []))
        var refused: Int { state.withLock { $0.refused } }
        var recorded: [JobState] { state.withLock { $0.recorded } }
        func free() { state.withLock { $0.isFull = false } }
        func record(_ report: JobReport) throws {
            try state.withLock { state in
                guard !state.isFull else {
                    state.refused += 1
                    throw DiskFull()
                }
                state.recorded.append(report.state)
            }
        }
    }

    private let place: Sandbox

    init() throws { place = Sandbox() }

    private func launch(_ recorder: Recorder, records: UInt64?) -> JobLaunch {
        let job = ClosureJob { environment in
            environment.checkpoints.interval = 20
            environment.checkpoints.retention = .deleteOnCancellation
            environment.restartStrategy = RestartStrategy.none
            environment.allowsFaults = true
            environment.read(GeneratorSource(count: records, rate: 5_000, splits: 1) { $0.sequence }, name: "numbers").uid("numbers")
                .key { $0 % 100 }
                .aggregate(Count<UInt64>()).uid("count")
                .discard()
        }
        var launch = job.launch(in: place)
        launch.onTerminal = { try recorder.record($0) }
        return launch
    }

    private func checkpoints(_ launch: JobLaunch) -> [String] {
        // A directory that is gone holds none.
        ((try? place.names("checkpoints/\(launch.id)")) ?? []).filter { $0.hasPrefix("chk-") }
    }

    @Test(arguments: [JobState.finished, .canceled, .failed]) func checkpointsStayUntilTheEndIsRecorded(end: JobState) throws {
        let recorder = Recorder()
        let launch = launch(recorder, records: end == .finished ? 1_000 : nil)
        let probe = try JobProbe(launch)
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        if end == .canceled { probe.job.cancel(.byPolicy) { _ in } }
        if end == .failed { try probe.job.fault("crash") }
        try probe.wait("the refused record, twice") { _ in recorder.refused >= 2 }
        let waiting = probe.report
        #expect(!waiting.state.isTerminal, "\(waiting.state.rawValue) is not claimed before it is recorded")
        #expect(waiting.lastFailure?.message.contains("the job is \(end.rawValue), but that cannot be written down: no space left on device") == true)
        #expect(probe.job.failures().count { $0.message.contains("cannot be written down") } == 1, "said once")
        #expect(!checkpoints(launch).isEmpty, "its checkpoints are kept")
        let late = try probe.checkpoint()
        #expect((try? late.get()) == nil, "nothing begins any more")  // The error says which state the job is in.
        recorder.free()
        _ = try probe.waitForEnd()
        #expect(probe.report.state == end)
        #expect(recorder.recorded == [end])
        #expect(checkpoints(launch).isEmpty == (end != .failed), "and then the retention holds: \(checkpoints(launch))")
    }

    // The engine goes down while the end waits: the job is not over, and comes back from what was kept.
    @Test func anEngineShutdownLeavesTheJobUnchanged() throws {
        let recorder = Recorder()
        var launch = launch(recorder, records: 1_000)
        let probe = try JobProbe(launch)
        try probe.wait("the refused record") { _ in recorder.refused >= 1 }
        _ = try probe.request("suspend") { probe.job.suspend(completion: $0) }
        #expect(probe.report.state == .suspended && recorder.recorded == [])
        #expect(!checkpoints(launch).isEmpty)
        recorder.free()
        launch.recovers = true
        launch.history = probe.job.checkpoints(limit: 100).reversed()
        let again = try JobProbe(launch)
        _ = try again.waitForEnd()
        #expect(again.report.state == .finished && recorder.recorded == [.finished])
    }
}
