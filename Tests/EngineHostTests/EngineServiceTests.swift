// Goal: the engine does what it accepted, once, remembers it, and refuses what it must, naming what and why.
// Method: a service in this process on a private directory, with the real dataflow below it; waits are for conditions.

import ControlProtocol
import Dataflow
import FoundationEssentials
import Glibc
import StreamModel
import TestKit
import Testing

@testable import EngineHost

@Suite struct EngineServiceTests {
    private let sandbox = Sandbox()
    private static let quick = ["interval": "50ms", "rate": "20000"]

    private func engine() throws -> TestEngine { try TestEngine(sandbox["state"]) }

    private func failure(_ body: () throws -> Void) -> ControlFailure? {
        do { try body() } catch { return error as? ControlFailure }
        return nil
    }

    // MARK: The loop

    @Test func theRestoreLoopIsProven() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(4, of: job.id)
        let savepoint = try engine.complete(job.id, .savepoint(directory: sandbox["saves"]))
        #expect(savepoint.state == .completed)
        #expect(savepoint.path?.hasPrefix(sandbox["saves"] + "/savepoint-") == true)
        #expect(try engine.complete(job.id, .cancel(.keep)).state == .completed)
        #expect(try engine.job(job.id).state == .canceled)

        let kept = try engine.checkpoints(job.id).filter { $0.isRestorable && !$0.kind.isSavepoint }
        let chosen = try #require(kept.dropFirst().first)
        let path = try #require(chosen.path)
        let restart = try engine.complete(job.id, .restart(RestartOptions(path: path)))
        var proof = RestartProof(chosenID: chosen.id, chosenPath: path)
        proof.observe(restart)
        let new = try #require(restart.newJob)
        #expect(
            try eventually {
                let report = try engine.job(new)
                proof.observe(report, at: MachineHost().wall())
                guard let audit = report.audit, let toReplay = audit.toReplay else { return false }
                return proof.verdict.isProven && audit.replayed == toReplay
            }, "\(proof.lines)")
        let report = try engine.job(new)
        let audit = try #require(report.audit)
        #expect(audit.duplicates == 0 && audit.lost == 0)
        #expect(audit.replayed > 0 && audit.replayed == audit.toReplay)
        #expect(report.restored?.chosen == true && report.restored?.fromJob == job.id)
        #expect(try engine.job(job.id).state == .canceled, "the ended job is still listed")
    }

    @Test func aRunningJobIsRestartedWithCancelFirst() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(3, of: job.id)
        var options = RestartOptions()
        let refusal = failure { _ = try engine.operate(job.id, .restart(options)) }
        #expect(refusal?.kind == .refused)
        #expect(refusal?.message.contains("RUNNING") == true)
        options.cancelsFirst = true
        options.parallelism = 3
        let restart = try engine.complete(job.id, .restart(options))
        #expect(restart.state == .completed, "\(restart.error ?? "")")
        let new = try #require(restart.newJob)
        #expect(try eventually { try engine.job(new).restored != nil })
        #expect(try engine.job(new).parallelism == 3)
        #expect(try engine.job(job.id).state == .canceled)
        // The old submission now has a live successor.
        let twin = failure { _ = try engine.operate(job.id, .restart(RestartOptions())) }
        #expect(twin?.message.contains(new.short) == true)
    }

    @Test func stopFinishesWithASavepointThatCanBeContinued() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(1, of: job.id)
        let stop = try engine.complete(job.id, .stop(drain: false, directory: nil))
        #expect(stop.state == .completed)
        #expect(try engine.job(job.id).state == .finished)
        let path = try #require(stop.path)
        let restart = try engine.complete(job.id, .restart(RestartOptions(path: path)))
        let new = try #require(restart.newJob)
        #expect(try eventually { try engine.job(new).restored?.path == path })
        #expect(try eventually { try engine.job(new).counts.completed > 0 })
        let audit = try #require(try engine.job(new).audit)
        #expect(audit.duplicates == 0 && audit.lost == 0)
        #expect(audit.toReplay == 0, "nothing was processed after the savepoint")
    }

    // MARK: Limits

    @Test func moreSubtasksThanTheEngineTakesOnAreRefused() throws {
        let engine = try TestEngine(sandbox["state"], maxParallelism: 4)
        defer { engine.close() }
        let submit = failure { _ = try engine.submit("orders", Self.quick, parallelism: 5) }
        #expect(submit?.message.contains("parallelism must be at most 4 on this engine, not 5") == true, "\(String(describing: submit))")
        let job = try engine.submit("orders", Self.quick, parallelism: 4)
        try engine.waitForCheckpoints(1, of: job.id)
        var options = RestartOptions()
        (options.parallelism, options.cancelsFirst) = (5, true)
        let restart = failure { _ = try engine.operate(job.id, .restart(options)) }
        #expect(restart?.message.contains("at most 4 on this engine, not 5") == true, "\(String(describing: restart))")
        #expect(try engine.job(job.id).state == .running)
    }

    @Test func aJobOfMoreSubtasksThanTheEngineTakesOnStaysDownAndOthersComeBack() throws {
        let first = try TestEngine(sandbox["state"], maxParallelism: 6)
        let wide = try first.submit("orders", Self.quick, parallelism: 6, name: "wide")
        let narrow = try first.submit("orders", Self.quick, parallelism: 2, name: "narrow")
        for job in [wide, narrow] { try first.waitForCheckpoints(1, of: job.id) }
        first.close()
        let second = try TestEngine(sandbox["state"], maxParallelism: 4)
        defer { second.close() }
        #expect(try eventually { try second.job(narrow.id).state == .running })
        let report = try second.job(wide.id)
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message.contains("at most 4 on this engine, not 6") == true)
        var options = RestartOptions()
        options.parallelism = 3
        let restart = try second.complete(wide.id, .restart(options))
        #expect(restart.state == .completed, "\(restart.error ?? "")")
    }

    // MARK: Operations

    @Test func theSameIdIsTheSameOperation() throws {
        let engine = try engine()
        defer { engine.close() }
        let submission = OperationID.fresh
        let job = try engine.submit("orders", Self.quick, operation: submission)
        #expect(try engine.submit("orders", Self.quick, operation: submission).id == job.id)
        try engine.waitForCheckpoints(1, of: job.id)
        let id = OperationID.fresh
        _ = try engine.operate(job.id, .savepoint(directory: nil), operation: id)
        let first = try #require(try engine.ended(id))
        #expect(try engine.operate(job.id, .savepoint(directory: nil), operation: id) == first)
        #expect(try engine.checkpoints(job.id).count { $0.kind.isSavepoint } == 1)
        let other = failure { _ = try engine.operate(job.id, .cancel(.discard), operation: id) }
        #expect(other?.kind == .refused)
        #expect(other?.message.contains("another request") == true)
        #expect(try engine.job(job.id).state == .running)
    }

    @Test func theExpectedStateIsChecked() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        #expect(try eventually { try engine.job(job.id).state == .running })
        let stale = failure { _ = try engine.operate(job.id, .cancel(.keep), expected: .failed) }
        #expect(stale?.kind == .stateChanged)
        #expect(try engine.operate(job.id, .cancel(.keep), expected: .running).state != .failed)
    }

    @Test func operationsOnAnEndedJobAreRefused() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(1, of: job.id)
        _ = try engine.complete(job.id, .cancel(.discard))
        for kind in [OperationRequest.Kind.savepoint(directory: nil), .checkpoint, .stop(drain: false, directory: nil), .cancel(.keep), .fault("off")] {
            #expect(failure { _ = try engine.operate(job.id, kind) }?.kind == .refused)
        }
        let restart = failure { _ = try engine.operate(job.id, .restart(RestartOptions())) }
        #expect(restart?.message.contains("no checkpoint or savepoint left") == true, "\(String(describing: restart))")
    }

    @Test func aDisposeIsRefusedWithTheAlternative() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        let refusal = failure { _ = try engine.operate(job.id, .dispose(path: "/sp/savepoint-1")) }
        #expect(refusal?.kind == .refused && refusal?.message.contains("remove the directory /sp/savepoint-1") == true, "\(String(describing: refusal))")
        #expect(failure { _ = try engine.operate(job.id, .launch(RestartOptions())) } != nil)
    }

    @Test func theAuditNamesTheAuthor() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(1, of: job.id)
        _ = try engine.complete(job.id, .checkpoint)
        guard case .audit(let entries) = try engine.ask(.audit(limit: nil)) else {
            Issue.record("no audit")
            return
        }
        #expect(entries.map(\.verb) == [.checkpointNow, .submit])
        #expect(entries.allSatisfy { $0.userID == 1 && $0.processID == 2 && $0.by == "me" && $0.reason == "test" && $0.state == .completed })
    }

    // MARK: Refusals

    @Test func badSubmissionsAreNamed() throws {
        let engine = try engine()
        defer { engine.close() }
        #expect(failure { _ = try engine.submit("nope") }?.message.contains("no program 'nope'") == true)
        #expect(failure { _ = try engine.submit("orders", ["rate": "x"]) }?.message.contains("rate must be a number above 0") == true)
        for parallelism in [0, 40_000] {
            #expect(failure { _ = try engine.submit("orders", parallelism: parallelism) }?.message.contains("arallelism") == true)
        }
        _ = try engine.submit("orders", Self.quick)
        #expect(failure { _ = try engine.submit("orders", Self.quick) }?.message.contains("already exists") == true)
        #expect(engine.service.currentReport().jobs.count == 1, "what was refused leaves nothing")
        #expect(sandbox.names(in: "state/jobs").filter { $0.hasSuffix(".json") }.count == 1)
    }

    @Test func restorePathsAreChecked() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        let other = try engine.submit("shaky", ["interval": "50ms"])
        try engine.waitForCheckpoints(1, of: job.id)
        try engine.waitForCheckpoints(1, of: other.id)
        let foreign = try #require(try engine.complete(other.id, .savepoint(directory: sandbox["saves"])).path)
        _ = try engine.complete(job.id, .cancel(.keep))

        func refusal(_ options: RestartOptions) -> ControlFailure? { failure { _ = try engine.operate(job.id, .restart(options)) } }
        #expect(refusal(RestartOptions(path: sandbox["nowhere"]))?.kind == .unknownPath)
        let empty = refusal(RestartOptions(path: sandbox["saves"]))
        #expect(empty?.kind == .refused)
        #expect(empty?.message.contains("_metadata") == true)
        let strange = refusal(RestartOptions(path: foreign))
        #expect(strange?.message.contains("belongs to job 'shaky'") == true)
        var wide = RestartOptions()
        wide.parallelism = 1000
        #expect(refusal(wide)?.field == "parallelism")
        // An operator may insist.
        var allowed = RestartOptions(path: foreign)
        allowed.allowsUnmatchedState = true
        let restart = try engine.complete(job.id, .restart(allowed))
        #expect(restart.state == .completed, "\(restart.error ?? "")")
    }

    @Test func aDamagedSnapshotIsRefusedAndLeftAlone() throws {
        let engine = try engine()
        defer { engine.close() }
        let job = try engine.submit("orders", Self.quick)
        try engine.waitForCheckpoints(2, of: job.id)
        let path = try #require(try engine.complete(job.id, .savepoint(directory: sandbox["saves"])).path)
        _ = try engine.complete(job.id, .cancel(.keep))
        let name = try #require(sandbox.names(in: String(path.dropFirst(sandbox.path.count + 1))).first { $0.hasSuffix(".state") })
        let file = path + "/" + name
        try flipLastByte(of: file)
        let refusal = failure { _ = try engine.operate(job.id, .restart(RestartOptions(path: path))) }
        #expect(refusal?.message.contains(name) == true, "\(refusal?.message ?? "accepted")")
        #expect(engine.service.currentReport().jobs.count == 1)
        #expect(sandbox.names(in: String(path.dropFirst(sandbox.path.count + 1))).contains(name))
    }

    @Test func faultsAreForShakyJobsOnly() throws {
        let engine = try engine()
        defer { engine.close() }
        let orders = try engine.submit("orders", Self.quick)
        let shaky = try engine.submit("shaky", ["interval": "50ms"])
        try engine.waitForCheckpoints(1, of: orders.id)
        try engine.waitForCheckpoints(1, of: shaky.id)
        #expect(failure { _ = try engine.operate(orders.id, .fault("crash")) }?.kind == .refused)
        #expect(failure { _ = try engine.operate(shaky.id, .fault("dance")) }?.message.contains("dance") == true)
        #expect(try engine.operate(shaky.id, .fault("fail 2")).state == .completed)
        #expect(try eventually { try engine.job(shaky.id).counts.failed >= 1 })
        #expect(try engine.operate(shaky.id, .fault("crash")).state == .completed)
        #expect(try eventually { try engine.job(shaky.id).restarts == 1 })
        #expect(try eventually { try engine.job(shaky.id).state == .running })
        guard case .exceptions(let failures) = try engine.ask(.exceptions(JobReference(shaky.id))) else {
            Issue.record("no exceptions")
            return
        }
        #expect(failures.first?.message.contains("crash") == true)
    }

    // MARK: Coming back

    @Test func jobsAndRecordsRecover() throws {
        var engine = try engine()
        let ended = try engine.submit("orders", Self.quick, name: "old")
        try engine.waitForCheckpoints(2, of: ended.id)
        _ = try engine.complete(ended.id, .cancel(.keep))
        let rows = try engine.checkpoints(ended.id)
        let alive = try engine.submit("orders", Self.quick, name: "new")
        try engine.waitForCheckpoints(2, of: alive.id)
        let before = try engine.job(alive.id)
        engine.close()

        engine = try self.engine()
        defer { engine.close() }
        #expect(try engine.job(ended.id).state == .canceled)
        #expect(try engine.checkpoints(ended.id).map(\.id) == rows.map(\.id))
        let kept = try #require(try engine.checkpoints(ended.id).first { $0.isRestorable })
        guard case .checkpoint(let detail) = try engine.ask(.checkpoint(JobReference(ended.id), kept.id)) else {
            Issue.record("no detail")
            return
        }
        #expect(detail.operators?.isEmpty == false, "the manifest still tells")
        #expect(try eventually { try engine.job(alive.id).counts.completed > 0 })
        let after = try engine.job(alive.id)
        #expect(after.attempt > before.attempt)
        #expect(after.restored?.chosen == false)
        let audit = try #require(after.audit)
        #expect(audit.duplicates == 0 && audit.lost == 0)
        #expect(try #require(after.latestCompleted).id > (try #require(before.latestCompleted)).id, "numbers continue")
        guard case .audit(let entries) = try engine.ask(.audit(limit: nil)) else {
            Issue.record("no audit")
            return
        }
        #expect(entries.map(\.verb) == [.submit, .cancel, .submit])
    }

    @Test func aSecondEngineOnTheSameDirectoryIsRefused() throws {
        let engine = try engine()
        defer { engine.close() }
        #expect(throws: EngineStoreError.owned(path: sandbox["state"], processID: getpid())) { try TestEngine(sandbox["state"]) }
    }

    @Test func aDamagedRecordIsReportedAndLeftAlone() throws {
        var engine = try engine()
        let job = try engine.submit("orders", Self.quick)
        engine.close()
        let record = try sandbox.write("state/jobs/\(job.id).json", "{\"format\":1,")
        engine = try self.engine()
        defer { engine.close() }
        #expect(engine.said.contains { $0.contains(record) && $0.contains("left unchanged") })
        #expect(engine.service.currentReport().jobs.isEmpty)
        #expect(sandbox.read("state/jobs/\(job.id).json") == "{\"format\":1,")
    }

    @Test func aJobOfAMissingProgramFailsWithAReason() throws {
        var engine = try engine()
        let job = try engine.submit("wordcount", ["input": try sandbox.write("in.txt", "a b\n"), "output": sandbox["out"], "rate": "0.001"])
        engine.close()
        let record = sandbox.read("state/jobs/\(job.id).json")
        _ = try sandbox.write("state/jobs/\(job.id).json", record.replacing("\"program\":\"wordcount\"", with: "\"program\":\"lettercount\""))
        engine = try self.engine()
        defer { engine.close() }
        let report = try engine.job(job.id)
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message.contains("no program 'lettercount'") == true)
    }

    @Test func wordsAreCountedOnce() throws {
        let engine = try engine()
        defer { engine.close() }
        let first = try sandbox.write("a.txt", "The cat and the Hat.\nand THE end"), second = try sandbox.write("b.txt", "cat\n\nx2y")
        let job = try engine.submit("wordcount", ["input": first + "\n" + second, "output": sandbox["out"]])
        #expect(try eventually { try engine.job(job.id).state == .finished })
        let parts = sandbox.names(in: "out").filter { $0.hasPrefix("part-") }
        let lines = parts.flatMap { sandbox.read("out/" + $0).split(separator: "\n").map(String.init) }.sorted()
        #expect(lines == ["and\t2", "cat\t2", "end\t1", "hat\t1", "the\t3", "x\t1", "y\t1"])
    }
}

private func flipLastByte(of path: String) throws {
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: URL(filePath: path))
}
