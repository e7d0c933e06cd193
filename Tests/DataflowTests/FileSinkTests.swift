import CheckpointStore
import FoundationEssentials
import Glibc
import StreamModel
import TestKit
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
    var rolling = FileRolling()
    var restart = RestartStrategy.fixedDelay(attempts: 20, delay: 10)
    var name: String { "numbers" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 1000
        environment.checkpoints.tolerableFailures = 1000
        environment.restartStrategy = restart
        environment.allowsFaults = true
        environment.read(GeneratorSource<UInt64>(count: records, rate: rate, splits: 4) { $0.sequence }, name: "numbers").uid("numbers")
            .rebalance().uid("deal")
            .write(to: .lines(directory: output, rolling: rolling) { String($0) }).uid("sink")
    }

    func launch(_ parallelism: Int = 2, from restore: CheckpointReport? = nil, lineage: JobID? = nil) -> JobLaunch {
        var launch = JobLaunch(
            id: .random, lineage: lineage, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
        launch.restore = restore?.path.map { RestoreRequest(path: $0) }
        return launch
    }
}

@Suite struct FileSinkTests {
    let place: Sandbox
    private let job: NumbersJob

    init() throws {
        place = Sandbox()
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

    @Test func continuousOutputIsExactAfterCrashes() throws {
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
    @Test func returningToAnAbandonedBranchIsExact() throws {
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

    @Test func aRestoreFinishesPendingRenames() throws {
        let a = try run(job.launch(), checkpoints: 5)
        let newest = try #require(a.completed.last)
        let manifest = try Snapshot.load(path: try #require(newest.path)).manifest
        try #require(!manifest.committables.isEmpty)
        // As kill -9 between the manifest and the renames leaves it.
        for file in try manifest.committables.map({ try FilePart(encoded: $0.payload) }) { #expect(rename(file.finalPath, file.pendingPath) == 0) }
        try finish(job.launch(3, from: newest, lineage: a.id))
        try expectExact()
    }

    // Several files a checkpoint; crashes, another parallelism, and renames that stopped half way in a checkpoint of several files.
    @Test func rolledFilesAreExactAcrossCrashesRescalesAndPartialCommits() throws {
        var job = job
        job.rolling = FileRolling(maximumBytes: 300)
        let probe = try JobProbe(job.launch(2))
        for crash in 1...2 {
            try probe.wait("a checkpoint") { $0.state == .running && $0.counts.completed >= 3 * crash }
            try probe.job.fault("crash")
            try probe.wait("restart \(crash)") { $0.restarts == crash }
        }
        try probe.wait("more checkpoints") { $0.state == .running && $0.counts.completed >= 9 }
        try probe.cancel()
        let newest = try #require(probe.job.checkpoints(limit: 1000).first { $0.isRestorable })
        let listed = try Snapshot.load(path: try #require(newest.path)).manifest.committables.map { try FilePart(encoded: $0.payload) }
        try #require(listed.count > 2 && listed.contains { $0.finalPath.contains(".0001-") })
        for (index, file) in listed.enumerated() where index % 2 == 1 { #expect(rename(file.finalPath, file.pendingPath) == 0) }
        let middle = try run(job.launch(3, from: newest, lineage: probe.job.id), checkpoints: 4)
        try finish(job.launch(1, from: middle.completed.last, lineage: probe.job.id))
        try expectExact()
        let names = SinkNames(uid: "sink")
        for name in try place.names("out") where names.parse(name) != nil {
            let size = try #require(MachineHost().filesystem.status(place("out") + "/" + name)?.size)
            #expect(size <= 305, "\(name) has \(size) bytes: it ends with the record that makes it 300")
        }
    }

    @Test func filesRollByAgeOfTheirFirstRecord() throws {
        let host = SteppedHost()
        let sink = FileSink<Int>.lines(directory: place.path, rolling: FileRolling(maximumAge: 100)) { String($0) }
        let uid = "sink", identity = JobIdentity(id: JobID(high: 1, low: 2), lineage: JobID(high: 1, low: 2), name: "job")
        let shared = try sink.prepare(
            SinkPreparation(uid: uid, job: identity, state: [], nextCheckpoint: CheckpointID(1), uncommitted: [], host: host))
        let writer = try sink.makeWriter(SinkSubtask(uid: uid, index: 0, parallelism: 1, attempt: 1, job: identity, host: host), shared)
        func write(_ number: Int) throws {
            var batch = [number]
            try batch.withUnsafeMutableBufferPointer { try writer.write($0) }
        }
        for (number, step) in [(0, 0), (1, 99), (2, 1), (3, 50), (4, 1000)] {
            host.advance(milliseconds: Int64(step))
            try write(number)
        }
        let first = try writer.prepareCommit(at: CheckpointID(1)).flatMap { try $0.makeDurable() }.map { try FilePart(encoded: $0) }
        #expect(try first.map { try String(contentsOfFile: $0.pendingPath, encoding: .utf8) } == ["0\n1\n", "2\n3\n", "4\n"])
        // The barrier began a new file: its age is that of its own first record.
        host.advance(milliseconds: 5000)
        try write(5)
        let second = try writer.prepareCommit(at: CheckpointID(2)).flatMap { try $0.makeDurable() }
        #expect(second.count == 1)
        #expect(try writer.prepareCommit(at: CheckpointID(3)).isEmpty, "nothing came, so there is no file")
        writer.close()
    }

    // More files than may stay open: the subtask makes the older ones durable itself.
    @Test func allRolledFilesOfACheckpointAreListed() throws {
        let sink = FileSink<Int>.lines(directory: place.path, rolling: FileRolling(maximumBytes: 1)) { String($0) }
        let identity = JobIdentity(id: JobID(high: 1, low: 2), lineage: JobID(high: 1, low: 2), name: "job")
        let host = MachineHost()
        let preparation = SinkPreparation(uid: "sink", job: identity, state: [], nextCheckpoint: CheckpointID(1), uncommitted: [], host: host)
        let writer = try sink.makeWriter(
            SinkSubtask(uid: "sink", index: 0, parallelism: 1, attempt: 1, job: identity, host: host), try sink.prepare(preparation))
        var batch = Array(0..<50)
        try batch.withUnsafeMutableBufferPointer { try writer.write($0) }
        let payloads = try writer.prepareCommit(at: CheckpointID(1)).flatMap { try $0.makeDurable() }
        try sink.commit(
            payloads.map { Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: $0) },
            CommitContext(uid: "sink", checkpoint: CheckpointID(1), isRecovery: false, host: host))
        let text = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted().filter { $0.hasPrefix("part-") }
            .map { try String(contentsOfFile: place($0), encoding: .utf8) }
        #expect(text == (0..<50).map { "\($0)\n" }, "names sort in the order of the records")
        writer.close()
    }

    @Test func foreignOutputIsRefused() throws {
        let host = MachineHost()
        let sink = FileSink<Int>.lines(directory: place.path) { String($0) }
        let context = CommitContext(uid: "sink", checkpoint: CheckpointID(1), isRecovery: true, host: host)
        let job = JobID(high: 1, low: 2), names = SinkNames(uid: "sink"), other = SinkNames(uid: "other")
        func payload(_ names: SinkNames) -> [UInt8] {
            FilePart(
                pendingPath: place(names.pending(subtask: 0, job: job, attempt: 1, number: 1)),
                finalPath: place(names.part(subtask: 0, checkpoint: CheckpointID(1), job: job)), length: 1, crc32c: 0
            ).encoded
        }
        func refusal(_ committable: Committable) -> String {
            do {
                try sink.commit([committable], context)
                return "none"
            } catch { return String(describing: error) }
        }
        let good = payload(names)
        #expect(refusal(Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: good)).contains("is gone although the checkpoint lists it"))
        #expect(refusal(Committable(uid: "other", subtask: 0, type: FilePart.type, payload: good)).contains("is not its own"))
        #expect(refusal(Committable(uid: "sink", subtask: 0, type: "file-part-9", payload: good)).contains("is not its own"))
        #expect(refusal(Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: payload(other))).contains("is no file of this sink"))
        for length in 0..<good.count {
            let cut = Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: Array(good.prefix(length)))
            #expect(refusal(cut).contains("does not read back"))
        }
        #expect(refusal(Committable(uid: "sink", subtask: 0, type: FilePart.type, payload: good + [0])).contains("does not read back"))
    }

    @Test func selfDescribingOutputOfARemovedSinkIsCommitted() throws {
        let a = try run(job.launch(), checkpoints: 3)
        let manifest = try Snapshot.load(path: try #require(a.completed.last?.path)).manifest
        let committer = CheckpointCommitter(nodes: [], host: MachineHost())
        #expect(committer.unknownSinks(of: manifest.committables) == [])
        try committer.commit(manifest.committables, of: manifest.checkpoint, isRecovery: true)
        let foreign = Committable(uid: "queue", subtask: 0, type: "queue-transaction-1", payload: [])
        #expect(committer.unknownSinks(of: manifest.committables + [foreign]) == ["queue"])
        #expect { try committer.commit([foreign], of: CheckpointID(7), isRecovery: true) } throws: {
            String(describing: $0).contains("checkpoint 7 lists output of sink \"queue\", which the job does not have")
        }
        try committer.commit([foreign], of: CheckpointID(7), isRecovery: true, skipping: ["queue"])
    }

    @Test func aMissingListedFileIsAnError() throws {
        let a = try run(job.launch(), checkpoints: 3)
        let newest = try #require(a.completed.last)
        for file in try Snapshot.load(path: try #require(newest.path)).manifest.committables {
            #expect(unlink(try FilePart(encoded: file.payload).finalPath) == 0)
        }
        let probe = try JobProbe(job.launch(2, from: newest, lineage: a.id))
        let report = try probe.wait("the failure") { $0.lastFailure != nil }
        #expect(report.lastFailure?.message.contains("is gone although the checkpoint lists it") == true)
        try probe.cancel()
    }

    // Its files are sealed, but listed by the next checkpoint that completes.
    @Test func aLaterCheckpointCommitsFilesOfFailedOnesOnce() throws {
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

    @Test func anUncreatableOutputDirectoryIsNamed() throws {
        try "a file".write(toFile: place("taken"), atomically: true, encoding: .utf8)
        var job = job
        job.output = place("taken")
        // The next attempt fails in another way.
        job.restart = .none
        let probe = try JobProbe(job.launch())
        let report = try probe.waitForEnd()
        #expect(report.lastFailure?.message == "the output directory \(place("taken")) is a file: name a directory")
    }

    @Test func namesDistinguishSinks() {
        let job = JobID(high: 1, low: 2), names = SinkNames(uid: "sink"), other = SinkNames(uid: "sink-0")
        let part = names.part(subtask: 0, checkpoint: CheckpointID(7), job: job)
        #expect(names.parse(part)?.checkpoint == CheckpointID(7) && other.parse(part) == nil)
        let longer = other.part(subtask: 3, checkpoint: CheckpointID(123_456_789), job: job)
        #expect(names.parse(longer) == nil && other.parse(longer)?.checkpoint == CheckpointID(123_456_789))
        let pending = other.pending(subtask: 0, job: job, attempt: 1, number: 2)
        let third = names.part(subtask: 1, checkpoint: CheckpointID(7), number: 3, job: job)
        #expect(third == "part-sink-1-00000007.0003-\(job.short)" && names.parse(third)?.number == 3 && names.parse(third)?.checkpoint == CheckpointID(7))
        #expect(names.part(subtask: 1, checkpoint: CheckpointID(7), job: job) < names.part(subtask: 1, checkpoint: CheckpointID(7), number: 1, job: job))
        #expect(names.parse(part)?.number == 0 && other.parse(third) == nil)
        for name in ["part-sink-1-7.-\(job.short)", "part-sink-1-7.a-\(job.short)", "part-sink-1-7.1.2-\(job.short)", "part-sink-x-7-\(job.short)"] {
            #expect(names.parse(name) == nil, "\(name)")
        }
        #expect(other.isPending(pending) && !names.isPending(pending))
        #expect(!SinkNames(uid: "a/b").isUsable && !SinkNames(uid: "").isUsable)
    }
}
