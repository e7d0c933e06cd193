import CheckpointStore
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: two jobs of one line never write one output together: the second is told who has it, and nothing of the first is touched. Method:
// jobs in one process stand for engines, because locks belong to open files; the lines are numbers, so the output is counted without the engine.

private struct PairJob: StreamJob {
    var records: UInt64 = 30_000
    var rate: Double? = 20_000
    var directory: String
    var output: String
    var restart = RestartStrategy.fixedDelay(attempts: 20, delay: 10)
    /// Another sink in the same directory.
    var hasTwin = false
    var name: String { "pair" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 1000
        environment.restartStrategy = restart
        environment.allowsFaults = true
        let numbers = environment.read(GeneratorSource<UInt64>(count: records, rate: rate, splits: 4) { $0.sequence }, name: "numbers").uid("numbers")
        numbers.write(to: .lines(directory: output) { String($0) }).uid("sink")
        if hasTwin { numbers.write(to: .lines(directory: output) { String($0) }).uid("twin") }
    }

    func launch(from restore: CheckpointReport? = nil, lineage: JobID? = nil) -> JobLaunch {
        var launch = JobLaunch(
            id: .random, lineage: lineage, job: self, parallelism: 2, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
        launch.restore = restore?.path.map { RestoreRequest(path: $0) }
        return launch
    }
}

@Suite struct OutputOwnershipTests {
    let place: Sandbox
    private let job: PairJob

    init() throws {
        place = Sandbox()
        job = PairJob(directory: place("checkpoints"), output: place("out"))
    }

    private func numbers() throws -> [UInt64] { try place.lines("out").compactMap { UInt64($0) }.sorted() }

    private func refusal(_ launch: JobLaunch) -> JobError? {
        do {
            let job = try RunningJob.launch(launch) { _ in }
            job.cancel(.keep) { _ in }
            return nil
        } catch { return error as? JobError }
    }

    private func expectOwned(_ refusal: JobError?, by probe: JobProbe, sourceLocation: SourceLocation = #_sourceLocation) {
        guard case .outputOwned(let message) = refusal else {
            Issue.record("not refused as owned: \(String(describing: refusal))", sourceLocation: sourceLocation)
            return
        }
        let owner = "job \(probe.job.id.short) (process \(getpid())"
        #expect(message.contains("\(place("out")) is being written by \(owner)"), sourceLocation: sourceLocation)
        #expect(message.contains("cancel or stop that job first"), sourceLocation: sourceLocation)
    }

    @Test func aSecondJobOfTheLineageIsRefusedAndTheFirstIsExact() throws {
        var slow = job
        slow.rate = 1000
        let first = try JobProbe(slow.launch())
        try first.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let chosen = try first.savepoint()
        // Again and again, because what it may destroy is there for milliseconds.
        for _ in 0..<10 { expectOwned(refusal(job.launch(from: chosen, lineage: first.job.id)), by: first) }
        let report = try first.cancel()
        #expect(report.state == .canceled && report.restarts == 0, "\(report.lastFailure?.message ?? "")")
        let newest = try #require(first.job.checkpoints(limit: 1000).first { $0.isRestorable })
        let rest = try JobProbe(job.launch(from: newest, lineage: first.job.id))
        #expect(try rest.waitForEnd().state == .finished)
        #expect(try numbers() == Array(0..<job.records), "nothing of the first job's output was lost")
        // The end gave the output up: going back is exact, as ever.
        let second = try JobProbe(job.launch(from: chosen, lineage: first.job.id))
        #expect(try second.waitForEnd().state == .finished)
        #expect(try numbers() == Array(0..<job.records))
    }

    @Test func theOutputIsHeldBetweenAttempts() throws {
        var job = job
        job.restart = .fixedDelay(attempts: 20, delay: 3_600_000)
        let first = try JobProbe(job.launch())
        try first.wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let chosen = try first.savepoint()
        try first.job.fault("crash")
        try first.wait("the pause before the restart") { $0.state == .restarting }
        expectOwned(refusal(job.launch(from: chosen, lineage: first.job.id)), by: first)
        try first.cancel()
        job.restart = .none
        let second = try JobProbe(job.launch(from: chosen, lineage: first.job.id))
        #expect(try second.waitForEnd().state == .finished)
        #expect(try numbers() == Array(0..<job.records))
    }

    enum Ending: CaseIterable { case cancel, suspend, stop, launchThatFails }

    // Whoever waits for the answer starts the next job at once.
    @Test(arguments: Ending.allCases) func theOutputIsFreeBeforeTheEndIsAnswered(_ ending: Ending) throws {
        let output = place("out")
        let isFree = Mutex<Bool?>(nil)
        let look: @Sendable () -> Void = {
            let claim = Result { try PlaceClaim(directory: output, name: "sink", filesystem: PosixFilesystem()) }
            isFree.withLock { $0 = (try? claim.get()) != nil }
        }
        if ending == .launchThatFails {
            let holder = try JobProbe(job.launch())
            try holder.wait("checkpoints") { $0.counts.completed >= 1 }
            try holder.cancel()
            // The second sink's place is another's: the first one's is given back.
            let other = try PlaceClaim(directory: output, name: "twin", filesystem: PosixFilesystem())
            var twins = job
            twins.hasTwin = true
            guard case .outputOwned = refusal(twins.launch(lineage: holder.job.id)) else { throw JobError.task("it was not refused") }
            look()
            other.release()
        } else {
            let probe = try JobProbe(job.launch())
            try probe.wait("checkpoints") { $0.counts.completed >= 1 }
            look()
            #expect(isFree.withLock { $0 } == false, "it is held while the job runs")
            switch ending {
            case .cancel: probe.job.cancel(.keep) { _ in look() }
            case .suspend: probe.job.suspend { _ in look() }
            default: probe.job.stop(drain: false, directory: nil, by: "test", started: { _ in }, completion: { _ in look() })
            }
            _ = try probe.waitForEnd()
        }
        #expect(isFree.withLock { $0 } == true)
    }

    // As on a filesystem without locks, or after the lease of one ran out.
    @Test func aJobWhoseOutputWasTakenOverNamesTheNewOwner() throws {
        let probe = try JobProbe(job.launch())
        try probe.wait("checkpoints") { $0.counts.completed >= 2 }
        #expect(unlink(place("out/.weir-lock-sink")) == 0)
        let other = JobID.random
        let claim = try PlaceClaim(directory: place("out"), name: "sink", filesystem: PosixFilesystem())
        let owner = try claim.begin(job: other, lineage: probe.job.id, at: WallTime(milliseconds: 1), token: 7)
        #expect(owner.epoch == 2)
        // Only a rename that passed its check before may still come.
        let report = try probe.waitForEnd()
        #expect(report.state == .failed && report.restarts == 0, "it does not fight for the output: \(report.restarts) restarts")
        #expect(
            report.lastFailure?.message.contains("was taken over by job \(other.short) (process \(getpid())") == true, "\(report.lastFailure?.message ?? "")")
        let newest = try #require(probe.job.checkpoints(limit: 1000).first { $0.isRestorable })
        #expect(FileManager.default.fileExists(atPath: newest.directory + "/_metadata"), "its checkpoints stay for a restart")
        claim.release()
        let second = try JobProbe(job.launch(from: newest, lineage: probe.job.id))
        #expect(try second.waitForEnd().state == .finished)
        #expect(try numbers() == Array(0..<job.records))
    }

    @Test func twoSinksOfAJobShareADirectory() throws {
        var job = job
        (job.hasTwin, job.rate) = (true, nil)
        #expect(try JobProbe(job.launch()).waitForEnd().state == .finished)
        #expect(try numbers() == (0..<job.records).flatMap { [$0, $0] })
    }

    @Test func outputOfVersionsWithoutOwnersIsContinued() throws {
        let first = try JobProbe(job.launch())
        try first.wait("checkpoints") { $0.counts.completed >= 3 }
        try first.cancel()
        for name in [".weir-lock-sink", ".weir-owner-sink"] { #expect(unlink(place("out/\(name)")) == 0) }
        let chosen = try #require(first.job.checkpoints(limit: 100).last { $0.isRestorable })
        let second = try JobProbe(job.launch(from: chosen, lineage: first.job.id))
        #expect(try second.waitForEnd().state == .finished)
        #expect(try numbers() == Array(0..<job.records))
    }

    // A restart into another directory finishes what the checkpoint lists in the old one, but not under the hands of who writes there.
    @Test func filesInAnotherDirectoryAreCommittedUnderItsLock() throws {
        let host = MachineHost(), names = SinkNames(uid: "sink"), id = JobID(high: 1, low: 2)
        let old = place("old")
        #expect(mkdir(old, 0o700) == 0)
        let pending = old + "/" + names.pending(subtask: 0, job: id, attempt: 1, number: 1)
        let final = old + "/" + names.part(subtask: 0, checkpoint: CheckpointID(1), job: id)
        try "7\n".write(toFile: pending, atomically: true, encoding: .utf8)
        let part = FilePart(pendingPath: pending, finalPath: final, length: 2, crc32c: CRC32C.checksum(Array("7\n".utf8)))
        let listed = Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: part.encoded)
        let context = CommitContext(uid: "sink", checkpoint: CheckpointID(1), isRecovery: true, host: host)
        let sink = FileSink<Int>.lines(directory: place("new")) { String($0) }
        let owner = try PlaceClaim(directory: old, name: "sink", filesystem: host.filesystem)
        #expect { try sink.commit([listed], context) } throws: { if case JobError.outputOwned = $0 { true } else { false } }
        #expect(FileManager.default.fileExists(atPath: pending))
        owner.release()
        try sink.commit([listed], context)
        #expect(FileManager.default.fileExists(atPath: final))
        // What is visible already needs nobody's leave.
        let again = try PlaceClaim(directory: old, name: "sink", filesystem: host.filesystem)
        try sink.commit([listed], context)
        again.release()
    }
}
