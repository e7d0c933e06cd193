import CheckpointStore
import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: a job counts every record exactly once, whatever is done to it: cancelled, restored from an older checkpoint, rescaled, crashed,
// stopped. Method: real threads and files; the result is compared with one that is computed without the engine.

/// count of i % keys for i in 0 ..< records, written at the end; optionally slowed down, faulty, audited.
struct CountingJob: StreamJob {
    var records: UInt64 = 20_000
    var keys: UInt64 = 97
    var rate: Double?
    var directory: String
    var output: String
    var interval: Milliseconds? = 20
    var tolerable = 0
    var timeout: Milliseconds = 60_000
    var minimumPause: Milliseconds = 0
    var concurrent = 1
    var restart: RestartStrategy? = .fixedDelay(attempts: 10, delay: 10)
    var retention = CheckpointConfiguration.Retention.retainOnCancellation
    var retained = 100
    var mode = CheckpointConfiguration.Mode.exactlyOnce
    var maxParallelism: Int?
    var countUID = "count"
    var splits: Int? = 4
    var repeatsOrdinals = false
    var incremental = false

    var name: String { "counting" }

    struct Item: Sendable {
        let key: UInt64
        let split: Int
        let ordinal: UInt64
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.tolerableFailures = tolerable
        environment.checkpoints.retention = retention
        environment.checkpoints.retainedCheckpoints = retained
        environment.checkpoints.mode = mode
        environment.checkpoints.timeout = timeout
        environment.checkpoints.minimumPause = minimumPause
        environment.checkpoints.maximumConcurrent = concurrent
        environment.checkpoints.incremental = incremental
        environment.restartStrategy = restart
        environment.maxParallelism = maxParallelism
        environment.allowsFaults = true
        let keys = self.keys, repeats = repeatsOrdinals
        // Split s has the ordinals 0, 1, 2, ...; within a split, key k comes once in every `keys` records.
        environment.read(
            GeneratorSource<Item>(count: records, rate: rate, splits: splits) { place in
                let ordinal = place.ordinal / keys
                return Item(key: place.ordinal % keys, split: place.split, ordinal: repeats && ordinal == 3 ? 2 : ordinal)
            }, name: "numbers"
        ).uid("numbers")
            .key(by: \.key)
            .verifySequence(uid: "audit", split: \.split, ordinal: \.ordinal)
            .aggregate(Count<Item>(), emit: .endOfInput).uid(countUID)
            .write(to: .lines(directory: output) { "\($0.key) \($0.value)" }).uid("sink")
    }

    /// What the output must be, computed without the engine.
    var expected: [String] {
        var counts: [UInt64: UInt64] = [:]
        let splits = UInt64(self.splits ?? 1)
        for split in 0..<splits {
            let total = records > split ? (records - split + splits - 1) / splits : 0
            for ordinal in 0..<total { counts[ordinal % keys, default: 0] += 1 }
        }
        return counts.map { "\($0.key) \($0.value)" }.sorted()
    }

    func launch(parallelism: Int = 2, id: JobID = .random, lineage: JobID? = nil) -> JobLaunch {
        JobLaunch(
            id: id, lineage: lineage, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
    }
}

extension JobID {
    static var random: JobID { JobID(high: .random(in: .min ... .max), low: .random(in: .min ... .max)) }
}

@Suite struct JobTests {
    let place: Sandbox
    let job: CountingJob

    init() throws {
        place = Sandbox()
        job = CountingJob(directory: place("checkpoints"), output: place("out"))
    }

    /// The output is what the job should have counted; otherwise says what is too much and what is missing.
    func expectExact(_ job: CountingJob, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let found = try place.lines("out"), expected = job.expected
        let files = try place.names("out")
        let extra = found.filter { !expected.contains($0) }, missing = expected.filter { !found.contains($0) }
        #expect(
            found == expected,
            "\(found.count) lines for \(expected.count); extra \(extra.prefix(3)), missing \(missing.prefix(3)); files \(files)",
            sourceLocation: sourceLocation)
    }

    /// A job slow enough to be interfered with: about two seconds of input.
    var slow: CountingJob {
        var job = job
        job.records = 40_000
        job.rate = 20_000
        return job
    }

    @Test(arguments: [1, 2, 3, 4])
    func aBoundedJobCountsExactly(parallelism: Int) throws {
        let probe = try JobProbe(job.launch(parallelism: parallelism))
        let report = try probe.waitForEnd()
        #expect(report.state == .finished)
        try expectExact(job)
        #expect(report.throughput.recordsRead == job.records)
        #expect(report.audit == SequenceAudit(verified: job.records, duplicates: 0, lost: 0, replayed: 0, toReplay: nil))
    }

    @Test func aJobWithoutPeriodicCheckpointsCommitsItsOutput() throws {
        var job = job
        job.interval = nil
        job.restart = RestartStrategy.none
        let probe = try JobProbe(job.launch())
        #expect(try probe.waitForEnd().state == .finished)
        try expectExact(job)
    }

    @Test func atLeastOnceCountsExactlyWhenNothingFails() throws {
        var job = job
        job.mode = .atLeastOnce
        let probe = try JobProbe(job.launch())
        #expect(try probe.waitForEnd().state == .finished)
        try expectExact(job)
    }

    // The operator's loop: cancel and keep, choose an older checkpoint, restart from it.
    @Test(arguments: [(2, 2), (2, 3), (3, 1), (1, 4)])
    func restartsFromAnOlderCheckpoint(before: Int, after: Int) throws {
        let first = try JobProbe(slow.launch(parallelism: before))
        // The third newest must have begun after the first records: one may be under way, and may have begun before them.
        let begun = try first.wait("records") { $0.throughput.recordsRead > 0 }.counts.completed
        try first.wait("three checkpoints after them") { $0.counts.completed >= begun + 4 }
        try first.cancel()
        #expect(first.report.state == .canceled)
        let completed = first.job.checkpoints(limit: 100).filter { $0.isRestorable }
        try #require(completed.count >= 3)
        let chosen = completed[2]
        var launch = slow.launch(parallelism: after, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path))
        launch.previousPosition = first.job.sourcePosition()
        let second = try JobProbe(launch)
        let report = try second.waitForEnd()
        #expect(report.state == .finished)
        #expect(report.restored?.checkpoint == chosen.id)
        #expect(report.restored?.path == chosen.path)
        #expect(report.restored?.fromJob == first.job.id)
        try expectExact(slow)
        let audit = try #require(report.audit)
        #expect(audit.duplicates == 0 && audit.lost == 0)
        #expect(try #require(audit.toReplay) > 0 && audit.replayed == audit.toReplay)
        #expect(audit.verified < slow.records, "the restored part is not read again")
    }

    @Test func theAuditDetectsDuplicatesAndLosses() throws {
        var job = job
        job.repeatsOrdinals = true
        let report = try JobProbe(job.launch()).waitForEnd()
        let audit = try #require(report.audit)
        // Ordinal 3 comes as another 2: a duplicate; then 4 follows where 3 is expected: one lost. For every key and split.
        #expect(audit.duplicates == job.keys * 4 && audit.lost == job.keys * 4)
    }

    @Test func aCrashedTaskIsRestartedFromTheNewestCheckpoint() throws {
        let probe = try JobProbe(slow.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 2 }
        try probe.job.fault("crash")
        try probe.wait("the restart") { $0.restarts == 1 && $0.state == .running && $0.restored != nil }
        let report = try probe.waitForEnd()
        #expect(report.state == .finished)
        #expect(report.lastFailure?.message.contains("injected fault") == true)
        try expectExact(slow)
        #expect(report.audit?.duplicates == 0 && report.audit?.lost == 0)
    }

    @Test func withoutARestartStrategyACrashFailsTheJobAndKeepsItsCheckpoints() throws {
        var job = slow
        job.restart = RestartStrategy.none
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("crash")
        #expect(try probe.waitForEnd().state == .failed)
        let kept = try #require(probe.job.checkpoints(limit: 10).first { $0.isRestorable })
        _ = try JobBlueprint.load(try #require(kept.path), on: MachineHost())
    }

    @Test func asynchronousFailuresAreCountedAndTheBudgetFailsTheJob() throws {
        var job = slow
        job.tolerable = 3
        job.restart = RestartStrategy.none
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("fail 3")
        // Two subtasks write a part each: three failures are at least two checkpoints, all within the budget.
        try probe.wait("a success after the failures") { $0.counts.failed >= 2 && $0.budget.counted == 0 && $0.state == .running }
        try probe.job.fault("fail 1000")
        let report = try probe.waitForEnd()
        #expect(report.state == .failed)
        #expect(report.budget.counted == 4 && report.budget.tolerable == 3, "the report of a failed job keeps the count")
        let message = report.lastFailure?.message ?? ""
        #expect(message.contains("Exceeded checkpoint tolerable failure threshold. 4 failed in a row, 3 are tolerable: checkpoint "), "\(message)")
        #expect(message.split(separator: "; ").count == 4, "each of the four is listed: \(message)")
        // A checkpoint that the job's end cut off may be newer; it is not counted.
        let counted = probe.job.checkpoints(limit: 10).filter { $0.failure?.counted == true }.prefix(4)
        #expect(counted.count == 4 && counted.allSatisfy { $0.failure?.reason == .checkpointAsyncException })
    }

    @Test func aSynchronousFailureFailsTheTaskAndIsNotCounted() throws {
        var job = slow
        job.tolerable = 100
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        try probe.job.fault("sync-fail 1")
        let report = try probe.wait("the restart") { $0.restarts == 1 }
        #expect(report.budget.counted == 0)
        #expect(report.lastFailure?.message.contains("Could not perform checkpoint") == true)
        #expect(try probe.waitForEnd().state == .finished)
        try expectExact(slow)
    }

    @Test func aSavepointKeepsTheJobRunning() throws {
        let probe = try JobProbe(slow.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 }
        let savepoint = try probe.savepoint()
        #expect(savepoint.kind == .savepoint && savepoint.isRestorable)
        #expect(probe.report.state == .running)
        #expect(probe.report.latestSavepoint?.id == savepoint.id)
        try probe.cancel()
        var launch = slow.launch(lineage: probe.job.id)
        launch.restore = RestoreRequest(path: try #require(savepoint.path))
        let report = try JobProbe(launch).waitForEnd()
        #expect(report.restored?.kind == .savepoint)
        try expectExact(slow)
    }

    @Test func stopTakesASavepointAndFinishesInOneStep() throws {
        let first = try JobProbe(slow.launch())
        try first.wait("a checkpoint") { $0.counts.completed >= 1 }
        let savepoint = try first.stop(drain: false)
        #expect(savepoint.kind == .synchronousSavepoint)
        #expect(try first.waitForEnd().state == .finished)
        #expect(try place.lines("out").isEmpty, "without drain nothing that is held back is emitted")
        // Retained on cancellation is not retained on finish: only the savepoint is left (flink.md 3.1).
        #expect(first.job.checkpoints(limit: 100).filter { $0.isRestorable }.map(\.id) == [savepoint.id])
        var launch = slow.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(savepoint.path))
        launch.previousPosition = first.job.sourcePosition()
        let report = try JobProbe(launch).waitForEnd()
        #expect(report.audit?.toReplay == 0, "no record was read after the savepoint")
        try expectExact(slow)
    }

    @Test func stopWithDrainEmitsPendingResults() throws {
        let probe = try JobProbe(slow.launch())
        try probe.wait("some records") { $0.counts.completed >= 1 && $0.throughput.recordsRead > 2000 }
        _ = try probe.stop(drain: true)
        #expect(try probe.waitForEnd().state == .finished)
        let counted = try place.lines("out").reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
        #expect(counted == Int(probe.job.sourcePosition()))
    }

    @Test(arguments: [CheckpointConfiguration.Retention.none, .deleteOnCancellation])
    func cancelDeletesByDefault(retention: CheckpointConfiguration.Retention) throws {
        var job = slow
        job.retention = retention
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 2 }
        try probe.cancel(.byPolicy)
        #expect(probe.job.checkpoints(limit: 100).filter { $0.isRestorable }.isEmpty)
        #expect(try place.names("checkpoints/\(probe.job.id)").filter { $0.hasPrefix("chk-") }.isEmpty)

        let other = try JobProbe(job.launch(lineage: probe.job.id))
        try other.wait("a checkpoint") { $0.counts.completed >= 2 }
        try other.cancel(.keep)
        #expect(!other.job.checkpoints(limit: 100).filter { $0.isRestorable }.isEmpty)
    }

    @Test func onlyTheConfiguredNumberOfCheckpointsIsKept() throws {
        var job = slow
        job.retained = 2
        let probe = try JobProbe(job.launch())
        try probe.wait("six checkpoints") { $0.counts.completed >= 6 }
        try probe.cancel()
        let onDisk = try place.names("checkpoints/\(probe.job.id)").filter { $0.hasPrefix("chk-") }
        #expect(
            onDisk.count == 2,
            "\(onDisk), kept \(probe.job.checkpoints(limit: 100).filter { $0.isRestorable }.map(\.id.rawValue)), rows \(probe.job.checkpoints(limit: 4).map { ($0.id, $0.status, $0.discarded) })"
        )
        #expect(probe.job.checkpoints(limit: 100).filter { $0.isRestorable }.count == 2)
    }

    // After kill -9 the same job id goes on from its newest checkpoint; here the process lives, but nothing of the first run is passed on.
    @Test func aJobRecoversUnderItsOwnID() throws {
        let first = try JobProbe(slow.launch())
        try first.wait("two checkpoints") { $0.counts.completed >= 2 }
        _ = try first.request("suspend") { first.job.suspend(completion: $0) }
        #expect(try first.waitForEnd().state == .suspended)
        var launch = slow.launch(id: first.job.id)
        launch.recovers = true
        let second = try JobProbe(launch)
        let report = try second.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.chosen == false)
        #expect(try second.waitForEnd().state == .finished)
        try expectExact(slow)
    }

    @Test func aDamagedNewestCheckpointIsPassedOverLoudlyAndKept() throws {
        let first = try JobProbe(slow.launch())
        try first.wait("three checkpoints") { $0.counts.completed >= 3 }
        _ = try first.request("suspend") { first.job.suspend(completion: $0) }
        _ = try first.waitForEnd()
        let newest = try #require(first.job.checkpoints(limit: 10).first { $0.isRestorable })
        let manifest = try #require(newest.path) + "/_metadata"
        var bytes = try Data(contentsOf: URL(filePath: manifest))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: manifest))
        var launch = slow.launch(id: first.job.id)
        launch.recovers = true
        let second = try JobProbe(launch)
        let report = try second.wait("the restore") { $0.restored != nil }
        #expect(try #require(report.restored).checkpoint < newest.id)
        #expect(second.job.failures().contains { $0.message.contains("checkpoint \(newest.id) was passed over") })
        #expect(FileManager.default.fileExists(atPath: newest.directory + ".damaged/_metadata"))
        _ = try second.waitForEnd()
        try expectExact(slow)
    }

    @Test func twoRunsOfOneJobAreRefused() throws {
        let first = try JobProbe(slow.launch())
        #expect(throws: JobError.self) { try JobProbe(slow.launch(id: first.job.id)) }
        try first.cancel()
    }
}

@Suite struct RestoreRefusalTests {
    let place: Sandbox
    let job: CountingJob
    let checkpoint: String
    let lineage: JobID

    init() throws {
        place = Sandbox()
        var job = CountingJob(directory: place("checkpoints"), output: place("out"))
        job.records = 40_000
        job.rate = 20_000
        let probe = try JobProbe(job.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 2 }
        try probe.cancel()
        self.job = job
        lineage = probe.job.id
        checkpoint = try #require(probe.job.checkpoints(limit: 10).first { $0.isRestorable }?.path)
    }

    func refusal(_ job: CountingJob, path: String? = nil, allows: Bool = false, parallelism: Int = 2) -> String {
        var launch = job.launch(parallelism: parallelism, lineage: lineage)
        launch.restore = RestoreRequest(path: path ?? checkpoint, allowsUnmatchedState: allows)
        do {
            let probe = try JobProbe(launch)
            let report = try probe.wait("failure or life") { $0.state == .failed || $0.restored != nil || $0.restarts > 0 }
            defer { _ = try? probe.cancel() }  // It may have ended by itself.
            return report.lastFailure?.message ?? "launched"
        } catch { return String(describing: error) }
    }

    @Test func stateOfARemovedOperatorIsRefusedUnlessAllowed() {
        var changed = job
        changed.countUID = "other"
        #expect(refusal(changed).contains("state of operators that the job does not have (count)"))
        #expect(refusal(changed, allows: true) == "launched")
    }

    @Test func anotherMaximumParallelismIsRefused() {
        var changed = job
        changed.maxParallelism = 64
        #expect(refusal(changed).contains("maximum parallelism 128"))
    }

    /// From the manifest alone, before anything is ended for the launch.
    @Test func theCheckBeforeALaunchGivesTheSameAnswer() throws {
        func check(_ job: CountingJob, allows: Bool = false, parallelism: Int = 2) -> String {
            var launch = job.launch(parallelism: parallelism, lineage: lineage)
            launch.restore = RestoreRequest(path: checkpoint, allowsUnmatchedState: allows)
            do {
                try RunningJob.check(launch, against: try Snapshot.load(path: checkpoint).manifest, at: checkpoint)
                return "launched"
            } catch { return String(describing: error) }
        }
        var renamed = job, narrowed = job
        renamed.countUID = "other"
        narrowed.maxParallelism = 64
        #expect(check(renamed) == refusal(renamed))
        #expect(check(renamed, allows: true) == "launched")
        #expect(check(narrowed) == refusal(narrowed))
        #expect(check(job, parallelism: 129) == refusal(job, parallelism: 129))
        #expect(check(job) == "launched")
    }

    @Test(arguments: [0, 129])
    func parallelismOutOfRangeIsRefused(parallelism: Int) {
        #expect(refusal(job, parallelism: parallelism).contains("parallelism \(parallelism) is out of range"))
    }

    @Test func aMissingPathIsNamed() {
        #expect(refusal(job, path: place("nowhere")).contains(place("nowhere")))
    }

    @Test func aDirectoryWithoutManifestIsNamed() throws {
        try FileManager.default.createDirectory(atPath: place("empty"), withIntermediateDirectories: true)
        #expect(refusal(job, path: place("empty")).contains("_metadata"))
    }

    @Test func aTruncatedStateFileIsRefusedAndKept() throws {
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: checkpoint).first { $0.hasSuffix(".state") })
        let path = checkpoint + "/" + name
        let bytes = try Data(contentsOf: URL(filePath: path))
        try bytes.prefix(bytes.count - 3).write(to: URL(filePath: path))
        #expect(refusal(job).contains(name))
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test func anOutputDirectoryOfAnotherJobIsRefused() throws {
        var other = job.launch()
        other.restore = nil
        let probe = try JobProbe(other)
        let report = try probe.wait("the refusal") { $0.lastFailure != nil }
        #expect(report.lastFailure?.message.contains("holds the output of job \(lineage.short)") == true)
        try probe.cancel()
    }
}
