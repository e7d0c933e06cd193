import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: what is left on disk when a job ends is what the retention says, and while it runs what the number of retained ones says; savepoints
// stay whatever happens. Method: real jobs and directories; the tables are written out as Flink 1.14.3's `CheckpointProperties` has them.
@Suite struct RetentionOnDiskTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    enum Ending: Sendable, CaseIterable { case finished, canceled, failed, suspended }

    struct Case: Sendable, CustomTestStringConvertible {
        let retention: CheckpointConfiguration.Retention
        let ending: Ending
        let keeps: Bool
        var testDescription: String { "\(retention.rawValue) \(ending)" }
    }

    /// SUSPENDED as in Flink's high-availability store: the job comes back and needs them.
    static let cases: [Case] = [
        Case(retention: .none, ending: .finished, keeps: false), Case(retention: .none, ending: .canceled, keeps: false),
        Case(retention: .none, ending: .failed, keeps: false), Case(retention: .none, ending: .suspended, keeps: true),
        Case(retention: .deleteOnCancellation, ending: .finished, keeps: false), Case(retention: .deleteOnCancellation, ending: .canceled, keeps: false),
        Case(retention: .deleteOnCancellation, ending: .failed, keeps: true), Case(retention: .deleteOnCancellation, ending: .suspended, keeps: true),
        Case(retention: .retainOnCancellation, ending: .finished, keeps: false), Case(retention: .retainOnCancellation, ending: .canceled, keeps: true),
        Case(retention: .retainOnCancellation, ending: .failed, keeps: true), Case(retention: .retainOnCancellation, ending: .suspended, keeps: true),
    ]

    private func job(retention: CheckpointConfiguration.Retention) -> CountingJob {
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        (job.records, job.rate, job.interval, job.retention, job.restart) = (40_000, 5000, nil, retention, RestartStrategy.none)
        return job
    }

    @Test(arguments: cases) func theEndAppliesTheRetentionToTheDirectories(_ row: Case) throws {
        let probe = try JobProbe(job(retention: row.retention).launch())
        try probe.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let savepoint = try probe.savepoint()
        let checkpoint = try probe.checkpoint().get()
        switch row.ending {
        case .finished: _ = try probe.stop(drain: false)
        case .canceled: _ = try probe.request("cancel") { probe.job.cancel(.byPolicy, completion: $0) }.get()
        case .failed: try probe.job.fault("crash")
        case .suspended: _ = try probe.request("suspend") { probe.job.suspend(completion: $0) }
        }
        let report = try probe.waitForEnd()
        let expected: JobState =
            switch row.ending {
            case .finished: .finished
            case .canceled: .canceled
            case .failed: .failed
            case .suspended: .suspended
            }
        #expect(report.state == expected)
        let directories = try place.names("checkpoints/\(probe.job.id)").filter { $0.hasPrefix("chk-") }
        #expect(directories == (row.keeps ? ["chk-\(checkpoint.id)"] : []))
        #expect(probe.job.checkpoint(checkpoint.id)?.isRestorable == row.keeps)
        #expect(FileManager.default.fileExists(atPath: savepoint.directory + "/_metadata"), "a savepoint is the operator's")
    }

    // Flink's example for one retained checkpoint: [chk 1, sp 2] both stay; after chk 3 both leave, and the savepoint's files stay.
    @Test func aSavepointNeverDisplacesTheNewestCheckpoint() throws {
        var job = job(retention: .retainOnCancellation)
        job.retained = 1
        let probe = try JobProbe(job.launch())
        try probe.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let first = try probe.checkpoint().get()
        let savepoint = try probe.savepoint()
        #expect(FileManager.default.fileExists(atPath: first.directory + "/_metadata"))
        _ = try probe.checkpoint().get()
        try probe.wait("the deletion of the first") { _ in !FileManager.default.fileExists(atPath: first.directory) }
        #expect(FileManager.default.fileExists(atPath: savepoint.directory + "/_metadata"))
        try probe.cancel()
    }

    // A snapshot's maximum parallelism holds where the job names none; it bounds the parallelism.
    @Test func theMaximumParallelismOfTheSnapshotIsAdopted() throws {
        var job = job(retention: .retainOnCancellation)
        job.maxParallelism = 6
        let first = try JobProbe(job.launch())
        try first.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let checkpoint = try first.checkpoint().get()
        try first.cancel()
        (job.maxParallelism, job.rate) = (nil, nil)
        var launch = job.launch(parallelism: 3, lineage: first.job.id)
        launch.restore = RestoreRequest(path: checkpoint.directory)
        let second = try JobProbe(launch)
        #expect(try second.waitForEnd().maxParallelism == 6)
        #expect(try place.lines("out") == job.expected)
        var wide = job.launch(parallelism: 7, lineage: first.job.id)
        wide.restore = launch.restore
        #expect { try JobProbe(wide) } throws: { String(describing: $0).contains("parallelism 7 is out of range: give 1 to 6") }
    }

    @Test func aChosenCheckpointMayBeNamedByItsManifest() throws {
        var job = job(retention: .retainOnCancellation)
        let first = try JobProbe(job.launch())
        try first.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let checkpoint = try first.checkpoint().get()
        try first.cancel()
        job.rate = nil
        var launch = job.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: checkpoint.directory + "/_metadata")
        let report = try JobProbe(launch).waitForEnd()
        #expect(report.restored?.path == checkpoint.directory)
    }
}
