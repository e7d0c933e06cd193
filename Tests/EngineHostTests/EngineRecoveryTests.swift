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
        for time in times { attempts.began(at: WallTime(milliseconds: time)) }
        return attempts
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

    /// A record as an engine leaves it that was killed so many times.
    private func killedOften(_ count: Int) throws -> JobID {
        let (id, _, _) = try jobWithCheckpoints()
        var record = try #require(try records().first { $0.id == id })
        record.report.state = .running
        record.recovery = RecoveryAttempts()
        for _ in 0..<count { record.recovery?.began(at: MachineHost().wall()) }
        try Data(ControlCodec.json(record).utf8).write(to: URL(filePath: sandbox["state/jobs/\(id).json"]))
        return id
    }

    @Test func aJobWaitsAfterManyCrashesAndReportsIt() throws {
        let id = try killedOften(5)
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

    @Test func aWaitingJobCanBeCancelled() throws {
        let id = try killedOften(12)
        let engine = try engine()
        defer { engine.close() }
        let refusal = failure { _ = try engine.operate(id, .cancel(.discard)) }
        #expect(refusal?.message.contains("cancel it and keep them") == true)
        #expect(try engine.complete(id, .cancel(.keep)).state == .completed)
        let report = try engine.job(id)
        #expect(report.state == .canceled && report.restartsAt == nil)
        #expect(try engine.checkpoints(id).contains { $0.isRestorable })
    }

    @Test func aWaitingJobCanBeRestarted() throws {
        let id = try killedOften(12)
        let engine = try engine()
        defer { engine.close() }
        var options = RestartOptions()
        options.cancelsFirst = true
        let restart = try engine.complete(id, .restart(options))
        #expect(restart.state == .completed, "\(restart.error ?? "")")
        #expect(try engine.job(id).state == .canceled)
        #expect(try eventually { try engine.job(try #require(restart.newJob)).restored != nil })
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
