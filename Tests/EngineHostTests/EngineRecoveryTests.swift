// Goal: an engine that comes back does not spin, loses nothing it merely could not read, and says what it found. A restart is not accepted
// before its snapshot is known to be good. Method: the decider of the waits alone; a service in this process, ended and begun anew.

import ControlProtocol
import Dataflow
import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import EngineHost

@Suite struct RecoveryAttemptsTests {
    private func attempts(_ times: [Int64]) -> RecoveryAttempts {
        var attempts = RecoveryAttempts()
        for time in times {
            attempts.began(at: WallTime(milliseconds: time))
            attempts.failed()
        }
        return attempts
    }

    @Test func `a job stays down after three starts that the engine did not survive`() throws {
        var attempts = RecoveryAttempts()
        for deaths in 1...3 {
            #expect(!attempts.isExhausted)
            attempts.began(at: WallTime(milliseconds: 0))
            // As the next engine reads it.
            attempts = try JSONDecoder().decode(RecoveryAttempts.self, from: JSONEncoder().encode(attempts))
            #expect(attempts.deaths == deaths && attempts.isSuspect == (deaths == 2))
        }
        #expect(attempts.isExhausted && attempts.verdict.contains("died 3 times in a row"))
    }

    @Test func `starts that failed in a living engine keep no job down`() {
        #expect(!attempts(Array(repeating: 0, count: 5000)).isExhausted)
        var mixed = attempts([0, 0])
        mixed.began(at: WallTime(milliseconds: 0))
        #expect(mixed.deaths == 1 && mixed.count == 3)
    }

    @Test func `a record of an older engine counts no deaths`() throws {
        let old = try JSONDecoder().decode(RecoveryAttempts.self, from: Data(#"{"count":7,"lastAt":0}"#.utf8))
        #expect(old.deaths == 0 && old.delay == .seconds(16))
    }

    @Test func `suspects are tried one at a time`() {
        var trials = RecoveryTrials()
        let jobs = (1...3).map { JobID(high: 0, low: $0) }
        func admitted(_ order: [Int]) -> [Bool] { order.map { trials.admits(jobs[$0]) } }
        #expect(admitted([0, 1, 2]) == [true, false, false])
        #expect(admitted([0, 2]) == [true, false], "asked again, nothing changes")
        var turns = [trials.next()]
        #expect(turns == [jobs[1]] && admitted([1, 0]) == [true, false])
        turns = [trials.next(), trials.next(), trials.next()]
        #expect(turns == [jobs[2], jobs[0], nil], "all have had their turn")
        #expect(admitted([1]) == [true])
    }

    @Test func threeStartsAreFreeThenTheDelayDoublesToFiveMinutes() {
        let delays = (0...14).map { attempts(Array(repeating: 0, count: $0)).delay.count }
        #expect(delays == [0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000, 300_000])
        #expect(attempts(Array(repeating: 0, count: 5000)).delay == .minutes(5))
    }

    @Test func theDelayCountsFromTheLastStart() {
        let five = attempts([0, 0, 0, 0, 10_000])
        #expect(five.delay == 4000)
        for (now, expected) in [(10_000, 4000), (11_500, 2500), (13_999, 1), (14_000, 0), (99_000, 0)] as [(Int64, Int64)] {
            #expect(five.remaining(at: WallTime(milliseconds: now)).count == expected, "at \(now)")
        }
        #expect(RecoveryAttempts().remaining(at: WallTime(milliseconds: 0)) == 0)
    }

    // A wall clock that was set back by a year must not keep the job down for a year.
    @Test func aClockSetBackDoesNotLengthenTheDelay() {
        #expect(attempts([0, 0, 0, 1_000_000_000]).remaining(at: WallTime(milliseconds: 5)) == 2000)
    }
}

@Suite struct EngineRecoveryTests {
    private let sandbox = Sandbox()
    private static let quick = ["interval": "50ms", "rate": "20000"]

    private func engine() throws -> TestEngine { try TestEngine(sandbox["state"]) }

    private func failure(_ body: () throws -> Void) -> ControlFailure? {
        do { try body() } catch { return error as? ControlFailure }
        return nil
    }

    private func failures(_ engine: TestEngine, _ id: JobID) throws -> [FailureReport] {
        guard case .exceptions(let failures) = try engine.ask(.exceptions(JobReference(id))) else { throw TestFailure("no failures") }
        return failures
    }

    /// A job with checkpoints, on an engine that was ended in order; its newest checkpoint.
    private func jobWithCheckpoints() throws -> (id: JobID, newest: CheckpointReport, older: CheckpointReport) {
        let engine = try engine()
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(3, of: job.id)
        engine.close()
        let record = try #require(try records().first { $0.id == job.id })
        let restorable = record.checkpoints.filter(\.isRestorable).sorted { $0.id < $1.id }
        return (job.id, try #require(restorable.last), try #require(restorable.dropLast().last))
    }

    private func records() throws -> [JobRecord] {
        try sandbox.names(in: "state/jobs").filter { $0.hasSuffix(".json") }.map {
            try JSONDecoder().decode(JobRecord.self, from: Data(contentsOf: URL(filePath: sandbox["state/jobs/" + $0])))
        }
    }

    private func flipABit(_ path: String) throws {
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(filePath: path))
    }

    @Test func aDamagedNewestCheckpointIsSetAsideAndReported() throws {
        let (id, newest, older) = try jobWithCheckpoints()
        let path = try #require(newest.path)
        try flipABit(path + "/_metadata")
        let engine = try engine()
        defer { engine.close() }
        #expect(try eventually { try engine.job(id).restored != nil })
        #expect(try engine.job(id).restored?.checkpoint == older.id)
        #expect(
            try failures(engine, id).contains {
                $0.message.contains("checkpoint \(newest.id) was passed over") && $0.message.contains("moved to \(path).damaged")
            })
        #expect(engine.said.contains { $0.contains("checkpoint \(newest.id) was passed over") })
        #expect(FileManager.default.fileExists(atPath: path + ".damaged/_metadata"))
        let row = try engine.checkpoints(id).first { $0.id == newest.id }
        #expect(row?.isRestorable == false && row?.path == path + ".damaged")
        // Its number is not used again.
        #expect(try eventually { try engine.job(id).counts.completed > 0 })
        #expect(try #require(try engine.job(id).latestCompleted).id > newest.id)
    }

    // A manifest that cannot be opened is not a damaged one: the job waits, nothing is moved, and it comes back by itself.
    @Test func aJobWithAnUnreadableCheckpointWaitsAndRecovers() throws {
        let (id, newest, _) = try jobWithCheckpoints()
        let manifest = try #require(newest.path) + "/_metadata"
        try FileManager.default.moveItem(atPath: manifest, toPath: sandbox["manifest"])
        try FileManager.default.createSymbolicLink(atPath: manifest, withDestinationPath: sandbox["manifest"])
        let engine = try engine()
        defer { engine.close() }
        let held = try engine.job(id)
        #expect(held.state == .restarting)
        #expect(try #require(held.restartDelay) >= 1000 && held.restartsAt != nil)
        #expect(held.restartReason?.contains("checkpoint \(newest.id) cannot be read now") == true, "\(held.restartReason ?? "")")
        try FileManager.default.removeItem(atPath: manifest)
        try FileManager.default.moveItem(atPath: sandbox["manifest"], toPath: manifest)
        #expect(try eventually { try engine.job(id).restored?.checkpoint == newest.id })
        #expect(try engine.job(id).restartReason == nil)
    }

    /// A record as an engine leaves it that was killed after so many failed starts, or that died with so many.
    private func leave(_ id: JobID, failedStarts: Int = 0, deaths: Int = 0) throws {
        var record = try #require(try records().first { $0.id == id })
        record.report.state = .running
        record.recovery = RecoveryAttempts()
        for _ in 0..<deaths { record.recovery?.began(at: MachineHost().wall()) }
        for _ in 0..<failedStarts {
            record.recovery?.began(at: MachineHost().wall())
            record.recovery?.failed()
        }
        try Data(ControlCodec.json(record).utf8).write(to: URL(filePath: sandbox["state/jobs/\(id).json"]))
    }

    @Test func aJobWaitsAfterManyFailedStartsAndReportsIt() throws {
        let (id, _, _) = try jobWithCheckpoints()
        try leave(id, failedStarts: 5)
        let engine = try engine()
        defer { engine.close() }
        let held = try engine.job(id)
        #expect(held.state == .restarting && held.restartDelay == 4000)
        #expect(held.restartReason?.contains("5 times in a row") == true)
        #expect(try failures(engine, id).first?.message == held.restartReason)
        #expect(engine.said.contains { $0.contains("is brought back in") })
        // It comes back, and once it has completed a checkpoint nothing is held against it.
        #expect(try eventually { try engine.job(id).state == .running })
        try engine.waitForCheckpoints(1, of: id)
        #expect(try eventually { try records().first { $0.id == id }?.recovery == nil })
    }

    @Test(arguments: [CancelRetention.keep, .discard]) func aWaitingJobCanBeCancelled(retention: CancelRetention) throws {
        let (id, newest, _) = try jobWithCheckpoints()
        let savepoint = try savepoint(of: id)
        try leave(id, failedStarts: 12)
        let engine = try engine()
        defer { engine.close() }
        let before = try engine.checkpoints(id).count { $0.isRestorable && !$0.kind.isSavepoint }
        let cancel = try engine.complete(id, .cancel(retention))
        #expect(cancel.state == .completed, "\(cancel.error ?? "")")
        let report = try engine.job(id)
        #expect(report.state == .canceled && report.restartsAt == nil)
        #expect(cancel.deletedCheckpoints == (retention == .discard ? before : nil))
        let path = try #require(newest.path)
        #expect(FileManager.default.fileExists(atPath: path) == (retention == .keep))
        #expect(FileManager.default.fileExists(atPath: savepoint + "/_metadata"), "savepoints are the operator's")
        #expect(try engine.checkpoints(id).contains { $0.isRestorable && !$0.kind.isSavepoint } == (retention == .keep))
    }

    /// Takes a savepoint on an engine of its own.
    private func savepoint(of id: JobID) throws -> String {
        let engine = try engine()
        defer { engine.close() }
        // RUNNING comes before all of the tasks run, and a savepoint needs all of them.
        let isRunning = try eventually {
            let job = try engine.job(id)
            return job.state == .running && job.runningSubtasks == job.totalSubtasks && job.totalSubtasks > 0
        }
        #expect(isRunning)
        let saved = try engine.complete(id, .savepoint(directory: sandbox["saves"]))
        return try #require(saved.path, "\(saved.error ?? "")")
    }

    @Test func aWaitingJobCanBeRestarted() throws {
        let (id, _, _) = try jobWithCheckpoints()
        try leave(id, failedStarts: 12)
        let engine = try engine()
        defer { engine.close() }
        var options = RestartOptions()
        options.cancelsFirst = true
        let restart = try engine.complete(id, .restart(options))
        #expect(restart.state == .completed, "\(restart.error ?? "")")
        #expect(try engine.job(id).state == .canceled)
        #expect(try eventually { try engine.job(try #require(restart.newJob)).restored != nil })
    }

    // MARK: Jobs that take their engine down

    @Test func `a job that took three engines down stays down until it is restarted`() throws {
        let (id, newest, _) = try jobWithCheckpoints()
        try leave(id, deaths: 3)
        for round in 1...2 {
            let engine = try engine()
            let job = try engine.job(id)
            #expect(job.state == .failed && job.vertices.isEmpty && job.restartsAt == nil)
            #expect(job.lastFailure?.message.contains("the engine died 3 times in a row") == true, "\(job.lastFailure?.message ?? "")")
            #expect(try failures(engine, id).count { $0.message.contains("died") } == 1, "told once")
            #expect(engine.said.contains { $0.contains("is not started") } == (round == 1))
            engine.close()
        }
        let engine = try engine()
        defer { engine.close() }
        let restart = try engine.complete(id, .restart(RestartOptions()))
        #expect(restart.state == .completed && restart.path == newest.path, "\(restart.error ?? "")")
        let new = try #require(restart.newJob)
        #expect(try eventually { try engine.job(new).restored?.checkpoint == newest.id })
        #expect(try records().first { $0.id == new }?.recovery == nil, "counted anew")
    }

    @Test func `one more death keeps only the job down that was on trial`() throws {
        var engine = try engine()
        let jobs = try ["a", "b", "c"].map { try engine.submit("shaky", ["interval": "1h"], name: $0).id }
        for job in jobs { #expect(try eventually { try engine.job(job).state == .running }) }
        engine.close()
        for job in jobs { try leave(job, deaths: 2) }
        engine = try self.engine()
        #expect(try jobs.map { try engine.job($0).restartReason != nil } == [false, true, true])
        #expect(try engine.job(jobs[1]).restartReason?.contains("one at a time") == true)
        // The first has made progress: it is the second one's turn.
        #expect(try eventually { try engine.job(jobs[0]).state == .running })
        #expect(try engine.complete(jobs[0], .checkpoint).state == .completed)
        #expect(try eventually { try engine.job(jobs[1]).state == .running })
        let records = try records()
        let deaths = jobs.map { job in records.first { $0.id == job }?.recovery?.deaths }
        #expect(deaths == [nil, 3, 2], "as the next engine would read it")
        // A suspect that waits can be cancelled, and one that ends gives its turn away.
        #expect(try engine.complete(jobs[1], .cancel(.keep)).state == .completed)
        #expect(try eventually { try engine.job(jobs[2]).state == .running })
        engine.close()
    }

    // MARK: A cancel on record

    /// A running job, and a cancel that its engine had accepted before it died.
    private func jobWithAnAcceptedCancel(
        _ retention: CancelRetention, recorded state: JobState
    ) throws -> (job: JobID, cancel: OperationID, newest: CheckpointReport) {
        let (id, newest, _) = try jobWithCheckpoints()
        try leave(id)
        if state != .running {
            var record = try #require(try records().first { $0.id == id })
            record.report.state = state
            try Data(ControlCodec.json(record).utf8).write(to: URL(filePath: sandbox["state/jobs/\(id).json"]))
        }
        let cancel = OperationID.fresh
        let request = OperationRequest(id: cancel, kind: .cancel(retention), job: id, reason: "test", by: "me")
        let now = MachineHost().wall()
        var entry = OperationEntry(
            operation: cancel, verb: .cancel, frame: "", by: "me", reason: "test", userID: 1, processID: 2, acceptedAt: now, job: id, jobName: "orders",
            report: nil, state: .accepted)
        entry.report = OperationReport(request: request, jobName: "orders", state: .accepted, acceptedAt: now)
        let store = try EngineStore(path: sandbox["state"], host: MachineHost())
        try store.append(entry)
        store.close()
        return (id, cancel, newest)
    }

    @Test(arguments: [CancelRetention.keep, .byPolicy, .discard], [JobState.running, .canceled])
    func `a job whose cancel is on record is not started again`(retention: CancelRetention, recorded: JobState) throws {
        let (id, cancel, newest) = try jobWithAnAcceptedCancel(retention, recorded: recorded)
        let engine = try engine()
        defer { engine.close() }
        let ended = try #require(try engine.ended(cancel))
        #expect(ended.state == .completed, "\(ended.error ?? "")")
        let job = try engine.job(id)
        #expect(job.state == .canceled && job.attempt == 1, "no attempt was begun")
        #expect(!engine.said.contains { $0.contains("is back") })
        let path = try #require(newest.path)
        let keeps = retention != .discard
        #expect(FileManager.default.fileExists(atPath: path) == keeps)
        #expect(ended.path == (keeps ? path : nil) && (ended.deletedCheckpoints ?? 0 > 0) == !keeps)
        #expect(try engine.checkpoints(id).contains { $0.isRestorable } == keeps)
    }

    // Killed between a savepoint's manifest and the record of it. The job came back from that savepoint and had nothing else.
    @Test func theNextEngineFindsAnUnrecordedSavepoint() throws {
        let (id, path) = try jobWithAnUnrecordedSavepoint()
        let second = try engine()
        #expect(try eventually { try second.job(id).restored?.path == path })
        #expect(try second.checkpoints(id).contains { $0.path == path && $0.kind.isSavepoint && $0.isRestorable })
        _ = try second.complete(id, .cancel(.keep))
        second.close()
        let third = try engine()
        defer { third.close() }
        let restart = try third.complete(id, .restart(RestartOptions()))
        #expect(restart.state == .completed && restart.path == path, "\(restart.error ?? "")")
    }

    private func jobWithAnUnrecordedSavepoint() throws -> (id: JobID, path: String) {
        let engine = try engine()
        let job = try engine.submit("orders", ["interval": "1h", "rate": "20000"])
        #expect(try eventually { try engine.job(job.id).state == .running })
        let path = try #require(try engine.complete(job.id, .savepoint(directory: nil)).path)
        engine.close()
        var record = try #require(try records().first { $0.id == job.id })
        record.report.state = .running
        record.checkpoints = []
        try JSONEncoder().encode(record).write(to: URL(filePath: sandbox["state/jobs/\(job.id).json"]))
        return (job.id, path)
    }

    // MARK: Noticed by operators

    @Test func aRestartFromADamagedSnapshotIsRefusedBeforeTheCancel() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(1, of: job.id)
        let savepoint = try #require(try engine.complete(job.id, .savepoint(directory: sandbox["saves"])).path)
        let state = try #require(sandbox.names(in: String(savepoint.dropFirst(sandbox.path.count + 1))).first { $0.hasSuffix(".state") })
        try flipABit(savepoint + "/" + state)
        var options = RestartOptions(path: savepoint)
        options.cancelsFirst = true
        let refusal = failure { _ = try engine.operate(job.id, .restart(options)) }
        #expect(refusal?.kind == .refused)
        #expect(refusal?.message.contains(state) == true && refusal?.message.contains("damaged") == true, "\(refusal?.message ?? "accepted")")
        #expect(try engine.job(job.id).state == .running, "the job runs on")
    }

    @Test(arguments: ["", " ", "\t \n"]) func anEmptyNameIsRefused(name: String) throws {
        let engine = try engine()
        defer { engine.close() }
        let refusal = failure { _ = try engine.submit("orders", Self.quick, name: name) }
        #expect(refusal?.message.contains("name") == true && refusal?.message.contains("must not be empty") == true)
    }

    @Test func aRestartOfAForeignSnapshotIsNoResumption() throws {
        let engine = try engine()
        defer { engine.close() }
        let orders = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(2, of: orders.id)
        _ = try engine.complete(orders.id, .cancel(.keep))
        let foreign = try #require(try engine.checkpoints(orders.id).first { $0.isRestorable })
        let shaky = try engine.submit("shaky", ["interval": "50ms"])
        try engine.waitForCheckpoints(1, of: shaky.id)
        var options = RestartOptions(path: foreign.path)
        (options.allowsUnmatchedState, options.cancelsFirst) = (true, true)
        let restart = try engine.complete(shaky.id, .restart(options))
        var proof = RestartProof(chosenID: foreign.id, chosenPath: try #require(foreign.path))
        proof.observe(restart)
        let new = try #require(restart.newJob)
        #expect(
            try eventually {
                proof.observe(try engine.job(new), at: MachineHost().wall())
                return proof.verdict != .launched && proof.verdict != .waiting
            })
        #expect(proof.verdict == .mismatch, "\(proof.lines)")
        #expect(proof[.restored].evidence.contains("NO operator of the job took state"), "\(proof[.restored].evidence)")
    }
}
