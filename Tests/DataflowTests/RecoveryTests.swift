import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: a recovery goes on from the newest snapshot that it may go on from, says what it passed over, never goes back past published output,
// and never moves or deletes what it merely could not read. Method: real jobs and files; a job is suspended and launched again under its id,
// as after the end of an engine, or crashed while it runs; between, snapshots are damaged by hand.

/// Every number of the input as a line, published with each checkpoint.
struct PublishingJob: StreamJob {
    var records: UInt64 = 40_000
    var directory: String
    var output: String
    var rate: Double? = 5000
    var prefersCheckpoint = false
    var fallback = RecoveryFallback.newestValid
    var retention = CheckpointConfiguration.Retention.retainOnCancellation
    var restart = RestartStrategy.fixedDelay(attempts: 10, delay: 10)

    var name: String { "publishing" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = retention
        environment.checkpoints.retainedCheckpoints = 100
        environment.checkpoints.prefersCheckpointForRecovery = prefersCheckpoint
        environment.recoveryFallback = fallback
        environment.restartStrategy = restart
        environment.allowsFaults = true
        environment.read(GeneratorSource<UInt64>(count: records, rate: rate, splits: 4) { $0.sequence }, name: "numbers").uid("numbers")
            .write(to: .lines(directory: output) { "\($0)" }).uid("sink")
    }

    var expected: [String] { (0..<records).map { "\($0)" }.sorted() }

    func launch(id: JobID = .random, lineage: JobID? = nil) -> JobLaunch {
        JobLaunch(id: id, lineage: lineage, job: self, parallelism: 2, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
    }
}

/// The counting job with other parameters.
private struct Variant: StreamJob {
    var counting: CountingJob
    let adjust: @Sendable (StreamEnvironment) -> Void
    var name: String { counting.name }

    func build(_ environment: StreamEnvironment) throws {
        try counting.build(environment)
        adjust(environment)
    }

    func launch(id: JobID = .random, lineage: JobID? = nil) -> JobLaunch {
        JobLaunch(
            id: id, lineage: lineage, job: self, parallelism: 2, storageRoot: counting.directory, submittedAt: WallTime(milliseconds: 0))
    }
}

extension JobProbe {
    /// Ends the job's threads as the end of an engine does.
    func suspend() throws {
        _ = try request("suspend") { job.suspend(completion: $0) }
        #expect(try waitForEnd().state == .suspended)
    }

    /// Two checkpoints, some records apart; the job has no periodic ones.
    func takeTwoCheckpoints() throws -> (older: CheckpointReport, newer: CheckpointReport) {
        try wait("all tasks") { $0.runningSubtasks == $0.totalSubtasks && $0.throughput.recordsRead > 0 }
        let older = try checkpoint().get()
        let read = report.throughput.recordsRead
        try wait("more records") { $0.throughput.recordsRead > read + 500 }
        return (older, try checkpoint().get())
    }
}

extension CheckpointReport {
    /// Where a completed one lies.
    var directory: String { path ?? "no path" }
}

/// Flips a bit in the middle of a file.
func damage(_ path: String) throws {
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(filePath: path))
}

@Suite struct RecoveryTests {
    let place: Sandbox
    /// Publishes nothing before the end of its input.
    let counting: CountingJob
    let publishing: PublishingJob

    init() throws {
        place = Sandbox()
        var counting = CountingJob(directory: place("checkpoints"), output: place("out"))
        (counting.records, counting.rate, counting.interval) = (40_000, 5000, nil)
        self.counting = counting
        publishing = PublishingJob(directory: place("checkpoints"), output: place("out"))
    }

    /// The launch of an engine that comes back, without the brake on the input.
    private func again(_ launch: JobLaunch, of probe: JobProbe) -> JobLaunch {
        var launch = fast(launch)
        launch.recovers = true
        launch.history = probe.job.checkpoints(limit: 100).reversed()
        return launch
    }

    private func fast(_ launch: JobLaunch) -> JobLaunch {
        var launch = launch
        if var job = launch.job as? CountingJob {
            job.rate = nil
            launch.job = job
        } else if var job = launch.job as? Variant {
            job.counting.rate = nil
            launch.job = job
        } else if var job = launch.job as? PublishingJob {
            job.rate = nil
            launch.job = job
        }
        return launch
    }

    private func refusal(_ launch: JobLaunch) throws -> JobError? {
        do {
            let probe = try JobProbe(launch)
            try probe.cancel()
            return nil
        } catch let error as JobError { return error }
    }

    private func checkpointNames(of id: JobID) throws -> [String] { try place.names("checkpoints/\(id)").filter { $0.hasPrefix("chk-") } }

    // MARK: Damage

    @Test func aDamagedCheckpointIsSetAsideAndTheOneBeforeItTaken() throws {
        let first = try JobProbe(counting.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        let state = try #require(FileManager.default.contentsOfDirectory(atPath: newer.directory).first { $0.hasSuffix(".state") })
        try damage(newer.directory + "/" + state)
        let second = try JobProbe(again(counting.launch(id: first.job.id), of: first))
        let report = try second.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.checkpoint == older.id)
        #expect(try checkpointNames(of: first.job.id).prefix(2) == ["chk-\(older.id)", "chk-\(newer.id).damaged"])
        let failure = try #require(second.job.failures().first { $0.message.contains("checkpoint \(newer.id) was passed over") })
        #expect(failure.message.contains("checksum") && failure.message.contains("moved to \(newer.directory).damaged"), "\(failure.message)")
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
        // The number is used up.
        #expect(second.job.checkpoints(limit: 100).filter { $0.id == newer.id }.count == 1)
    }

    @Test func aCrashedJobPassesOverADamagedCheckpointWithAFailureEntry() throws {
        var counting = counting
        counting.records = 20_000
        let probe = try JobProbe(counting.launch())
        let (older, newer) = try probe.takeTwoCheckpoints()
        try damage(newer.directory + "/_metadata")
        try probe.job.fault("crash")
        let report = try probe.wait("the restart") { $0.restarts == 1 && $0.restored != nil }
        #expect(report.restored?.checkpoint == older.id)
        #expect(probe.job.failures().contains { $0.message.contains("checkpoint \(newer.id) was passed over") })
        #expect(probe.job.checkpoint(newer.id)?.isRestorable == false)
        #expect(probe.job.checkpoint(newer.id)?.path?.hasSuffix(".damaged") == true)
        #expect(try probe.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    @Test func askKeepsTheJobDownUntilAnOperatorChooses() throws {
        let first = try JobProbe(counting.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        try damage(newer.directory + "/_metadata")
        let asking = Variant(counting: counting) { environment in
            environment.recoveryFallback = .ask
        }
        var launch = asking.launch(id: first.job.id)
        launch.recovers = true
        // Asked again, it says the same, although the damaged one was set aside the first time.
        for _ in 0..<2 {
            guard case .recoveryRefused(let why) = try refusal(launch) else {
                Issue.record("the job must stay down")
                return
            }
            #expect(why.contains("checkpoint \(newer.id)") && why.contains("restart from checkpoint \(older.id) at \(older.directory)"), "\(why)")
        }
        #expect(try checkpointNames(of: first.job.id) == ["chk-\(older.id)", "chk-\(newer.id).damaged"])
        // By name it goes on.
        var restart = counting.launch(lineage: first.job.id)
        restart.restore = RestoreRequest(path: older.directory)
        #expect(try JobProbe(fast(restart)).waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    @Test func aCrashedJobThatAsksStaysDownAndKeepsItsCheckpoints() throws {
        let asking = Variant(counting: counting) { environment in
            environment.recoveryFallback = .ask
            environment.checkpoints.retention = .none
        }
        let probe = try JobProbe(asking.launch())
        let (older, newer) = try probe.takeTwoCheckpoints()
        try damage(newer.directory + "/_metadata")
        try probe.job.fault("crash")
        let report = try probe.waitForEnd()
        #expect(report.state == .failed && report.restarts == 1, "no second attempt: nothing would change")
        #expect(report.lastFailure?.message.contains("restart from checkpoint \(older.id)") == true)
        #expect(try checkpointNames(of: probe.job.id) == ["chk-\(older.id)", "chk-\(newer.id).damaged"], "no retention is applied")
    }

    @Test func allDamagedStaysDown() throws {
        let first = try JobProbe(counting.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        for row in [older, newer] { try damage(row.directory + "/_metadata") }
        guard case .recoveryRefused(let why) = try refusal(again(counting.launch(id: first.job.id), of: first)) else {
            Issue.record("the job must stay down")
            return
        }
        #expect(why.contains("all 2 snapshots are damaged"))
    }

    @Test func missingCheckpointsAreNoEmptyStart() throws {
        let first = try JobProbe(counting.launch())
        let (_, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        try FileManager.default.removeItem(atPath: place("checkpoints/\(first.job.id)"))
        guard case .recoveryRefused(let why) = try refusal(again(counting.launch(id: first.job.id), of: first)) else {
            Issue.record("the job must stay down")
            return
        }
        #expect(why.contains("checkpoint \(newer.id)") && why.contains("it was complete and is gone"), "\(why)")
    }

    // MARK: Published output

    @Test func aRecoveryNeverFallsBackPastPublishedOutput() throws {
        let first = try JobProbe(publishing.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.wait("the output to be published") { _ in (try? self.place.names("out").contains { $0.contains("-0000000\(newer.id)-") }) ?? false }
        try first.suspend()
        try damage(newer.directory + "/_metadata")
        guard case .recoveryRefused(let why) = try refusal(again(publishing.launch(id: first.job.id), of: first)) else {
            Issue.record("the job must stay down")
            return
        }
        #expect(why.contains("outputs up to \(newer.id) may be published") && why.contains("restart from \(older.directory) by name"), "\(why)")
        // The operator decides: the output of the damaged one is set aside and written again, exactly once.
        var restart = publishing.launch(lineage: first.job.id)
        restart.restore = RestoreRequest(path: older.directory)
        #expect(try JobProbe(fast(restart)).waitForEnd().state == .finished)
        #expect(try place.lines("out") == publishing.expected)
    }

    @Test func aCrashedJobStaysDownInsteadOfPublishingTwice() throws {
        let probe = try JobProbe(publishing.launch())
        let (_, newer) = try probe.takeTwoCheckpoints()
        try damage(newer.directory + "/_metadata")
        try probe.job.fault("crash")
        let report = try probe.waitForEnd()
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message.contains("outputs up to \(newer.id) may be published") == true)
    }

    @Test func unpublishedOutputMayBePassedOver() throws {
        let first = try JobProbe(publishing.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        // As if the engine had died between the manifest and the renames.
        for name in try place.names("out") where name.contains("-0000000\(newer.id)-") { try FileManager.default.removeItem(atPath: place("out/\(name)")) }
        try damage(newer.directory + "/_metadata")
        let second = try JobProbe(again(publishing.launch(id: first.job.id), of: first))
        #expect(try second.wait("the restore") { $0.restored != nil }.restored?.checkpoint == older.id)
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == publishing.expected)
    }

    // MARK: Reads that are refused

    @Test(arguments: ["_metadata", ".state"])
    func aReadErrorMovesNothingAndPassesNothingOver(file: String) throws {
        let first = try JobProbe(counting.launch())
        let (older, newer) = try first.takeTwoCheckpoints()
        try first.suspend()
        let host = RefusingHost(), directory = newer.directory
        host.refuse { $0.hasPrefix(directory) && $0.hasSuffix(file) }
        var launch = again(counting.launch(id: first.job.id), of: first)
        launch.host = host
        guard case .unreadable(let why) = try refusal(launch) else {
            Issue.record("a refused read must not start the job from another checkpoint")
            return
        }
        #expect(why.contains("checkpoint \(newer.id) cannot be read now") && why.contains("input/output error"), "\(why)")
        #expect(try checkpointNames(of: first.job.id) == ["chk-\(older.id)", "chk-\(newer.id)"])
        host.refuse(nil)
        let second = try JobProbe(launch)
        #expect(try second.wait("the restore") { $0.restored != nil }.restored?.checkpoint == newer.id)
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    @Test func aReadErrorDuringARestartIsRetried() throws {
        let host = RefusingHost()
        var counting = counting
        counting.records = 20_000
        var launch = counting.launch()
        launch.host = host
        let probe = try JobProbe(launch)
        let (_, newer) = try probe.takeTwoCheckpoints()
        let directory = newer.directory
        host.refuse { $0.hasPrefix(directory) }
        try probe.job.fault("crash")
        try probe.wait("two attempts that could not read") { _ in probe.job.failures().count { $0.message.contains("cannot be read now") } >= 2 }
        host.refuse(nil)
        let report = try probe.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.checkpoint == newer.id)
        #expect(try checkpointNames(of: probe.job.id).allSatisfy { !$0.contains("damaged") })
        #expect(try probe.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    // MARK: Savepoints

    /// A checkpoint, then a savepoint; the job is suspended after.
    private func checkpointThenSavepoint(_ launch: JobLaunch) throws -> (probe: JobProbe, checkpoint: CheckpointReport, savepoint: CheckpointReport) {
        let probe = try JobProbe(launch)
        try probe.wait("records") { $0.throughput.recordsRead > 0 && $0.runningSubtasks == $0.totalSubtasks }
        let checkpoint = try probe.checkpoint().get()
        let read = probe.report.throughput.recordsRead
        try probe.wait("more records") { $0.throughput.recordsRead > read + 500 }
        let savepoint = try probe.savepoint()
        try probe.suspend()
        return (probe, checkpoint, savepoint)
    }

    // 1.14.3 recovers from the newest entry of its store, savepoints included. Not known is one that completed when the engine died.
    @Test(arguments: [true, false])
    func aRecoveryUsesTheNewestSavepoint(isRecorded: Bool) throws {
        let (first, _, savepoint) = try checkpointThenSavepoint(publishing.launch())
        var launch = again(publishing.launch(id: first.job.id), of: first)
        if !isRecorded { launch.history = [] }
        let second = try JobProbe(launch)
        let report = try second.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.checkpoint == savepoint.id && report.restored?.kind == .savepoint && report.restored?.chosen == false)
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == publishing.expected)
        #expect(FileManager.default.fileExists(atPath: savepoint.directory + "/_metadata"), "a savepoint is never deleted")
    }

    @Test func aSavepointElsewhereIsFoundInTheEnginesDirectories() throws {
        let first = try JobProbe(counting.launch())
        try first.wait("records") { $0.throughput.recordsRead > 0 && $0.runningSubtasks == $0.totalSubtasks }
        _ = try first.checkpoint().get()
        let elsewhere = place("elsewhere")
        let savepoint = try first.request("savepoint") { first.job.savepoint(directory: elsewhere, by: "test", started: { _ in }, completion: $0) }.get()
        try first.suspend()
        var launch = counting.launch(id: first.job.id)
        (launch.recovers, launch.savepointDirectories) = (true, [elsewhere])
        let second = try JobProbe(launch)
        #expect(try second.wait("the restore") { $0.restored != nil }.restored?.checkpoint == savepoint.id)
        try second.cancel()
    }

    @Test func thePreferenceUsesTheCheckpointWhileNothingWasPublished() throws {
        let preferring = Variant(counting: counting) { environment in
            environment.checkpoints.prefersCheckpointForRecovery = true
        }
        let launch = preferring.launch()
        let (first, checkpoint, _) = try checkpointThenSavepoint(launch)
        let second = try JobProbe(again(launch, of: first))
        #expect(try second.wait("the restore") { $0.restored != nil }.restored?.checkpoint == checkpoint.id)
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    // The danger that made Flink remove the switch: the savepoint has published its output.
    @Test func thePreferenceNeverGoesBackPastPublishedOutput() throws {
        var job = publishing
        job.prefersCheckpoint = true
        let (first, checkpoint, savepoint) = try checkpointThenSavepoint(job.launch())
        let second = try JobProbe(again(job.launch(id: first.job.id), of: first))
        let report = try second.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.checkpoint == savepoint.id)
        #expect(second.job.failures().contains { $0.message.contains("checkpoint \(checkpoint.id) was passed over: older than \(savepoint.id)") })
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == job.expected)
    }

    // MARK: Ownership

    @Test(arguments: [RestartOptions.Claim.claim, .noClaim])
    func onlyAClaimedSnapshotIsDeletedWhenSubsumed(claim: RestartOptions.Claim) throws {
        let first = try JobProbe(counting.launch())
        let (_, newer) = try first.takeTwoCheckpoints()
        try first.cancel()
        let path = newer.directory
        let single = Variant(counting: counting) { environment in
            environment.checkpoints.retainedCheckpoints = 1
        }
        var launch = single.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: path, claim: claim)
        let second = try JobProbe(launch)
        try second.wait("the restore") { $0.restored != nil && $0.runningSubtasks == $0.totalSubtasks }
        let own = try second.checkpoint().get()
        if claim == .claim {
            try second.wait("the deletion") { _ in !FileManager.default.fileExists(atPath: path) }
        }
        try second.suspend()
        #expect(FileManager.default.fileExists(atPath: path + "/_metadata") == (claim == .noClaim))
        // The snapshot that it was launched from is not needed any more, whether it is there or not.
        let third = try JobProbe(again(launch, of: second))
        #expect(try third.wait("the restore") { $0.restored != nil }.restored?.checkpoint == own.id)
        #expect(try third.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    @Test func aJobWithoutItsOwnCheckpointRestartsFromItsLaunchSnapshot() throws {
        let first = try JobProbe(counting.launch())
        let (_, newer) = try first.takeTwoCheckpoints()
        try first.cancel()
        var launch = counting.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: newer.directory)
        let second = try JobProbe(launch)
        try second.wait("the restore") { $0.restored != nil }
        try second.suspend()
        let third = try JobProbe(again(launch, of: second))
        let report = try third.wait("the restore") { $0.restored != nil }
        #expect(report.restored?.checkpoint == newer.id && report.restored?.chosen == true)
        #expect(try third.waitForEnd().state == .finished)
        #expect(try place.lines("out") == counting.expected)
    }

    // MARK: What a restore takes

    @Test func theReportNamesTheOperatorsThatTookState() throws {
        let first = try JobProbe(counting.launch())
        let (_, newer) = try first.takeTwoCheckpoints()
        try first.cancel()
        var renamed = counting
        renamed.countUID = "other"
        var launch = renamed.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: newer.directory, allowsUnmatchedState: true)
        let partly = try JobProbe(launch)
        let report = try #require(try partly.wait("the restore") { $0.restored != nil }.restored)
        #expect(report.droppedOperators == ["count"])
        #expect(report.restoredOperators?.contains("numbers") == true && !report.tookNothing)
        #expect(report.stateSize < newer.stateSize)
        try partly.cancel()

        let stranger = ClosureJob { environment in
            environment.read(GeneratorSource<UInt64>(rate: 100) { $0.sequence }, name: "other").uid("other").discard()
        }
        var foreign = JobLaunch(
            id: .random, job: stranger, parallelism: 2, storageRoot: place("checkpoints"), submittedAt: WallTime(milliseconds: 0))
        foreign.restore = RestoreRequest(path: newer.directory, allowsUnmatchedState: true)
        let empty = try JobProbe(foreign)
        let nothing = try #require(try empty.wait("the restore") { $0.restored != nil }.restored)
        #expect(nothing.tookNothing && nothing.restoredOperators == [] && nothing.stateSize == 0)
        try empty.cancel()
    }
}
