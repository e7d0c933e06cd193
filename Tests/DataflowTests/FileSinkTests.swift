import CheckpointStore
import FoundationEssentials
import Glibc
import StreamModel
import Testing

@testable import Dataflow

// Goal: the visible files of a sink hold every record exactly once, whatever was restored. Method: a job whose records are their own
// sequence numbers, written as they come; after any history the lines must be 0 ..< records, each once.

/// Writes the numbers 0 ..< records to files as they come.
private struct NumbersJob: StreamJob {
    var records: UInt64 = 30_000
    var rate: Double? = 20_000
    var directory: String
    var output: String
    var name: String { "numbers" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 1000
        environment.checkpoints.tolerableFailures = 1000
        environment.restartStrategy = .fixedDelay(attempts: 20, delay: 10)
        environment.allowsFaults = true
        environment.read(GeneratorSource<UInt64>(count: records, rate: rate, splits: 4) { $0.sequence }, name: "numbers").uid("numbers")
            .rebalance().uid("deal")
            .write(to: .lines(directory: output) { String($0) }).uid("sink")
    }

    func launch(_ parallelism: Int = 2, from restore: CheckpointReport? = nil, lineage: JobID? = nil) -> JobLaunch {
        var launch = JobLaunch(
            id: .random, lineage: lineage, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
        launch.restore = restore?.path.map { RestoreRequest(path: $0) }
        return launch
    }
}

@Suite struct FileSinkTests {
    let place: TemporaryDirectory
    private let job: NumbersJob

    init() throws {
        place = try TemporaryDirectory()
        job = NumbersJob(directory: place("checkpoints"), output: place("out"))
    }

    private func expectExact(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let found = try place.lines("out").compactMap { UInt64($0) }.sorted()
        let wanted = Array(0..<job.records), files = try place.names("out").count
        #expect(
            found == wanted, "\(found.count) lines, \(Set(found).count) different, of \(wanted.count); files \(files)",
            sourceLocation: sourceLocation)
    }

    /// Runs until so many checkpoints are complete, then cancels; the completed ones, oldest first.
    private func run(_ launch: JobLaunch, checkpoints: Int) throws -> (id: JobID, completed: [CheckpointReport]) {
        let probe = try JobProbe(launch)
        try probe.wait("\(checkpoints) checkpoints") { $0.counts.completed >= checkpoints }
        try probe.cancel()
        return (probe.job.id, probe.job.checkpoints(limit: 1000).filter { $0.isRestorable }.reversed())
    }

    private func finish(_ launch: JobLaunch) throws {
        let report = try JobProbe(launch).waitForEnd()
        #expect(report.state == .finished, "\(report.lastFailure?.message ?? "")")
    }

    @Test func outputThatIsWrittenAllAlongIsExactAfterCrashes() throws {
        let probe = try JobProbe(job.launch())
        for crash in 1...3 {
            try probe.wait("a checkpoint") { $0.state == .running && $0.counts.completed >= 2 * crash }
            try probe.job.fault("crash")
            try probe.wait("restart \(crash)") { $0.restarts == crash }
        }
        #expect(try probe.waitForEnd().state == .finished)
        try expectExact()
    }

    // A is left for B, which starts from an older checkpoint of A; then C starts from a newer checkpoint of A: B's output must
    // go, A's come back.
    @Test func goingBackToABranchThatWasLeftIsExact() throws {
        let a = try run(job.launch(2), checkpoints: 8)
        try #require(a.completed.count >= 8)
        let b = try run(job.launch(3, from: a.completed[2], lineage: a.id), checkpoints: 8)
        let c = try run(job.launch(2, from: a.completed[6], lineage: a.id), checkpoints: 3)
        let d = try run(job.launch(1, from: b.completed[4], lineage: a.id), checkpoints: 2)
        try finish(job.launch(2, from: c.completed.last, lineage: a.id))
        try expectExact()
        try finish(job.launch(2, from: d.completed.first, lineage: a.id))
        try expectExact()
    }

    @Test func aCheckpointWhoseFilesWereNotRenamedYetIsFinishedByTheRestore() throws {
        let a = try run(job.launch(), checkpoints: 5)
        let newest = try #require(a.completed.last)
        let manifest = try Snapshot.load(path: try #require(newest.path)).manifest
        try #require(!manifest.pending.isEmpty)
        // As kill -9 between the manifest and the renames leaves it.
        for file in manifest.pending { #expect(rename(file.finalPath, file.pendingPath) == 0) }
        try finish(job.launch(3, from: newest, lineage: a.id))
        try expectExact()
    }

    @Test func aListedFileThatIsGoneIsAnErrorAndNotSkipped() throws {
        let a = try run(job.launch(), checkpoints: 3)
        let newest = try #require(a.completed.last)
        for file in try Snapshot.load(path: try #require(newest.path)).manifest.pending { #expect(unlink(file.finalPath) == 0) }
        let probe = try JobProbe(job.launch(2, from: newest, lineage: a.id))
        let report = try probe.wait("the failure") { $0.lastFailure != nil }
        #expect(report.lastFailure?.message.contains("is gone although the checkpoint lists it") == true)
        try probe.cancel()
    }

    // Its files are sealed, but listed by the next checkpoint that completes.
    @Test func filesOfFailedCheckpointsAreCommittedOnceByALaterOne() throws {
        let probe = try JobProbe(job.launch())
        for _ in 0..<3 {
            let failed = try probe.wait("a success") { $0.state == .running && $0.counts.completed > 0 }.counts.failed
            try probe.job.fault("fail 2")
            try probe.wait("failures") { $0.counts.failed > failed }
        }
        let report = try probe.waitForEnd()
        #expect(report.state == .finished && report.restarts == 0)
        try expectExact()
    }

    @Test func anOutputDirectoryThatCannotBeMadeIsNamed() throws {
        try "a file".write(toFile: place("taken"), atomically: true, encoding: .utf8)
        var job = job
        job.output = place("taken")
        let probe = try JobProbe(job.launch())
        let report = try probe.wait("the failure") { $0.lastFailure != nil }
        #expect(report.lastFailure?.message == "the output directory \(place("taken")) is a file: name a directory")
        try probe.cancel()
    }

    @Test func namesTellSinksApart() {
        let job = JobID(high: 1, low: 2), names = SinkNames(uid: "sink"), other = SinkNames(uid: "sink-0")
        let part = names.part(subtask: 0, checkpoint: CheckpointID(7), job: job)
        #expect(names.parse(part)?.checkpoint == CheckpointID(7) && other.parse(part) == nil)
        let longer = other.part(subtask: 3, checkpoint: CheckpointID(123_456_789), job: job)
        #expect(names.parse(longer) == nil && other.parse(longer)?.checkpoint == CheckpointID(123_456_789))
        let pending = other.pending(subtask: 0, job: job, attempt: 1, number: 2)
        #expect(other.isPending(pending) && !names.isPending(pending))
        #expect(!SinkNames(uid: "a/b").isUsable && !SinkNames(uid: "").isUsable)
    }
}
