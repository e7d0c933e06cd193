import FlinkFake
import Foundation
import Glibc
import StreamModel
import Synchronization
import Testing

@testable import FlinkREST

/// Goal: an operation is sent once, followed to its end, and never reported as more than is known; what would lose state is not sent. Method: a server
/// that behaves like a JobManager with one job, whose answers are lost or forgotten where a test says so.
@Suite struct FlinkOperationRunnerTests {
    static let old = FlinkVersion(1, 14, 3), new = FlinkVersion(2, 3, 0)

    // MARK: Savepoint

    @Test(arguments: [old, new]) func aSavepointIsFollowedToItsEnd(version: FlinkVersion) throws {
        let cluster = try ScriptedCluster(version)
        defer { cluster.stop() }
        let report = try cluster.run(.savepoint(directory: "/sp"))
        #expect(report.state == .completed && report.inference == nil && report.error == nil)
        #expect(report.path == "file:/sp/savepoint-1" && report.checkpoint == CheckpointID(5) && report.jobName == "orders")
        let states = cluster.told.map(\.state)
        #expect(states.first == .accepted && states.contains(.running) && states.last == .completed)
        #expect(cluster.told.first?.reference != nil)
        #expect(cluster.told.contains { $0.acknowledgedSubtasks == 1 && $0.totalSubtasks == 2 && $0.checkpoint == CheckpointID(5) })
        let posts = cluster.requests("POST")
        #expect(posts.count == 1)
        let chosen = FlinkOperationNames.trigger(of: ScriptedCluster.operation).description
        #expect(posts[0].text.contains(chosen) == (version == Self.new), "\(posts[0].text)")
        #expect(posts[0].text.contains(#""target-directory":"/sp""#) && posts[0].text.contains(#""cancel-job":false"#))
    }

    @Test func aFailedSavepointSaysWhy() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.outcome = .fails("java.util.concurrent.CompletionException: java.io.IOException: no space\n\tat X") }
        defer { cluster.stop() }
        let report = try cluster.run(.stop(drain: true, directory: nil))
        #expect(report.state == .failed && report.error == "IOException: no space")
        #expect(cluster.requests("POST").map(\.path) == ["/jobs/\(ScriptedCluster.job)/stop"])
        #expect(cluster.requests("POST")[0].text.contains(#""drain":true"#))
    }

    @Test func aLostAnswerIsAskedForAgainUnderTheSameIDWhereThereIsOne() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.lostPosts = 1 }
        defer { cluster.stop() }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .completed && report.inference == nil)
        #expect(cluster.requests("POST").count == 2)
        #expect(Set(cluster.requests("POST").map(\.text)).count == 1, "the same request")
        #expect(cluster.savepoints == 1, "one savepoint")
    }

    @Test func aLostAnswerIsConcludedFromTheHistoryWhereThereIsNone() throws {
        let cluster = try ScriptedCluster(Self.old) { $0.lostPosts = 1 }
        defer { cluster.stop() }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .completed && report.path == "file:/sp/savepoint-1")
        #expect(report.inference == "the cluster has no result: #5 is the first after #4 in the checkpoint history")
        #expect(cluster.requests("POST").count == 1, "a second one would be a second savepoint")
    }

    @Test func aRequestThatNeverArrivedIsUnknownAndNotSentAgain() throws {
        let cluster = try ScriptedCluster(Self.old) { ($0.lostPosts, $0.losesRequests) = (1, true) }
        defer { cluster.stop() }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .unknown && report.path == nil)
        #expect(report.error?.contains("no trace") ?? false)
        #expect(cluster.requests("POST").count == 1)
    }

    @Test(arguments: [old, new]) func anExpiredResultIsConcludedFromTheHistory(version: FlinkVersion) throws {
        let cluster = try ScriptedCluster(version) { $0.forgetsResults = true }
        defer { cluster.stop() }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .completed && report.checkpoint == CheckpointID(5))
        #expect(report.inference?.contains("#5") ?? false)
    }

    @Test func aJobInAnotherStateIsLeftAlone() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.state = "RESTARTING" }
        defer { cluster.stop() }
        #expect(cluster.refusal(.savepoint(directory: nil))?.contains("needs a RUNNING job") ?? false)
        #expect(cluster.refusal(.cancel(.byPolicy), expecting: .running) == "the job is RESTARTING now, not RUNNING: nothing was sent")
        #expect(cluster.requests("POST").isEmpty && cluster.requests("PATCH").isEmpty)
        #expect(cluster.told.isEmpty, "what was not sent is not told as accepted")
    }

    @Test func aCheckpointOnRequestIsGated() throws {
        let old = try ScriptedCluster(Self.old)
        defer { old.stop() }
        #expect(old.refusal(.checkpoint)?.hasPrefix("Flink 1.14.3 cannot begin a checkpoint on request") ?? false)
        #expect(old.requests("POST").isEmpty)
        let new = try ScriptedCluster(Self.new)
        defer { new.stop() }
        let report = try new.run(.checkpoint)
        #expect(report.state == .completed && report.checkpoint == CheckpointID(5))
    }

    // MARK: Cancel

    @Test func aCancelThatKeepsReadsTheListAgain() throws {
        let cluster = try ScriptedCluster(Self.old)
        defer { cluster.stop() }
        let report = try cluster.run(.cancel(.byPolicy))
        #expect(report.state == .completed && report.path == "file:/cp/chk-4" && report.checkpoint == CheckpointID(4))
        #expect(cluster.requests("PATCH").map(\.target) == ["/jobs/\(ScriptedCluster.job)?mode=cancel"])
    }

    @Test func aCancelThatWouldLoseStateIsNotSent() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.externalization = #"{"enabled":true,"delete_on_cancellation":true}"# }
        defer { cluster.stop() }
        #expect(cluster.refusal(.cancel(.byPolicy))?.contains("take a savepoint first") ?? false)
        #expect(cluster.refusal(.cancel(.keep))?.contains("take a savepoint first") ?? false)
        #expect(cluster.requests("PATCH").isEmpty)
        let report = try cluster.run(.cancel(.discard))
        #expect(report.state == .completed && report.path == nil, "nothing is left")
    }

    @Test func aLostAnswerToACancelIsSeenOnTheJob() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.lostPatches = 1 }
        defer { cluster.stop() }
        #expect(try cluster.run(.cancel(.keep)).state == .completed)
    }

    // MARK: Restart

    private func options(_ path: String?, cancelsFirst: Bool = true) -> RestartOptions {
        var options = RestartOptions(path: path)
        options.cancelsFirst = cancelsFirst
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: "Count", arguments: ["--a", "b c"], parallelism: 2)
        return options
    }

    @Test(arguments: [old, new]) func aRestartCancelsThenLaunchesUnderItsOwnID(version: FlinkVersion) throws {
        let cluster = try ScriptedCluster(version)
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options("file:///cp/chk-4")))
        #expect(report.state == .completed && report.newJob == ScriptedCluster.successor)
        #expect(report.checkpoint == CheckpointID(4) && report.path == "file:///cp/chk-4")
        let acts = cluster.requests.filter { $0.method != "GET" }
        #expect(acts.map(\.method) == ["PATCH", "POST"] && acts.last?.path == "/jars/x_count.jar/run")
        let body = acts.last?.text ?? ""
        for part in [
            #""savepointPath":"file:///cp/chk-4""#, #""programArgsList":["--a","b c"]"#, #""entryClass":"Count""#, #""parallelism":2"#,
            #""allowNonRestoredState":false"#,
        ] {
            #expect(body.contains(part), "\(body)")
        }
        #expect(body.contains(ScriptedCluster.successor.description))
        #expect(!body.contains("claimMode") && !body.contains("restoreMode"), "the cluster's own default: no claim")
    }

    @Test func theNewestIsTakenAfterTheCancel() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.completesOnCancel = true }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options(nil)))
        #expect(report.checkpoint == CheckpointID(5) && report.path == "file:/cp/chk-5")
    }

    @Test func whatFailsAfterTheCancelIsNoRefusalAndSaysHowTheJobIsLeft() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.losesOnCancel = true }
        defer { cluster.stop() }
        let options = options("/cp/chk-4")
        let report = try cluster.run(.restart(options))
        #expect(report.state == .failed && report.newJob == nil && report.endedAt != nil)
        #expect(report.error?.contains("were deleted") ?? false, "\(report.error ?? "")")
        #expect(report.error?.hasSuffix("orders (01234567) is CANCELED") ?? false, "\(report.error ?? "")")
        #expect(cluster.told.last?.state == .failed, "whoever was told that it was accepted is told how it ended")
        #expect(!cluster.requests("POST").contains { $0.path.hasSuffix("/run") })
    }

    @Test func whatAClusterDoesNotHaveIsRefusedBeforeAnythingIsCanceled() throws {
        let cluster = try ScriptedCluster(Self.old)
        defer { cluster.stop() }
        var claiming = options("/cp/chk-4")
        claiming.claim = .claim
        #expect(cluster.refusal(.restart(claiming))?.contains("cannot claim") ?? false)
        var bare = options("/cp/chk-4")
        bare.recipe = nil
        #expect(cluster.refusal(.restart(bare))?.contains("give its jar") ?? false)
        var absent = options("/cp/chk-4")
        absent.recipe?.jar = .uploaded("y_other.jar")
        #expect(cluster.refusal(.restart(absent))?.contains("not on the cluster any more") ?? false)
        var missing = options("/cp/chk-4")
        missing.recipe?.jar = .file("/nowhere/at/all.jar")
        #expect(cluster.refusal(.restart(missing))?.contains("/nowhere/at/all.jar") ?? false)
        #expect(cluster.refusal(.restart(options("/cp/chk-3")))?.contains("were deleted") ?? false)
        #expect(cluster.refusal(.restart(options("/cp/chk-4", cancelsFirst: false)))?.contains("cancel it first") ?? false)
        #expect(cluster.requests("PATCH").isEmpty && cluster.requests("POST").isEmpty)
    }

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func aRefusedLaunchNamesTheCauseAtTheEndOfTheTrace(version: String) throws {
        let answer = try RecordedAnswer.text("jar-run-absent-path", version)
        let cluster = try ScriptedCluster(try #require(FlinkVersion(version))) { $0.runReply = .status(400, body: answer) }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options("/elsewhere/chk-1")))
        #expect(report.state == .failed && report.newJob == nil)
        #expect(report.error?.contains("Cannot find checkpoint or savepoint file/directory") ?? false, "\(report.error ?? "")")
        #expect(report.error?.contains("\n") == false)
    }

    @Test func aFirstLaunchEndsNothingAndBeginsWithNothingUnlessTold() throws {
        let cluster = try ScriptedCluster(Self.new)
        defer { cluster.stop() }
        var options = options(nil, cancelsFirst: false)
        let empty = try cluster.run(.launch(options))
        #expect(empty.state == .completed && empty.newJob == FlinkOperationNames.job(of: ScriptedCluster.operation) && empty.path == nil)
        options.path = "/elsewhere/savepoint-1"
        #expect(try cluster.run(.launch(options)).path == "/elsewhere/savepoint-1")
        #expect(cluster.requests("PATCH").isEmpty)
        let bodies = cluster.requests("POST").map(\.text)
        #expect(bodies.count == 2 && !bodies[0].contains("savepointPath") && bodies[1].contains(#""savepointPath":"/elsewhere/savepoint-1""#), "\(bodies)")
    }

    @Test func aLaunchWithoutAnAnswerIsFoundByItsID() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.runReply = .close }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options("/cp/chk-4")))
        #expect(report.state == .completed && report.newJob == ScriptedCluster.successor)
    }

    // Of two operators who restart one job at once, the second cancels a job that is ending, or finds it ended; the id makes the cluster take one launch.
    @Test(arguments: [JobState.running, .canceled]) func allRestartsOfAJobAtATimeLaunchOneSuccessor(_ state: JobState) throws {
        let cluster = try ScriptedCluster(Self.new) { $0.state = state.rawValue }
        defer { cluster.stop() }
        let report = try cluster.run(.restart(options("/cp/chk-4")), expecting: state)
        #expect(report.state == .completed && report.newJob == ScriptedCluster.successor)
        // Who comes later finds the successor: it is not launched beside it.
        cluster.launchElsewhere(ScriptedCluster.successor.description)
        let again = cluster.refusal(.restart(options("/cp/chk-4")), expecting: .canceled)
        #expect(again?.contains(ScriptedCluster.successor.description) == true, "\(again ?? "")")
        #expect(cluster.requests("POST").count { $0.path.hasSuffix("/run") } == 1)
    }

    @Test(arguments: [
        #"{"errors":["org.apache.flink.client.deployment.application.ApplicationExecutionException: Could not execute application.\nCaused by: org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.\n"]}"#,
        #"{"errors":["Internal server error.","<Exception on server side:\nCaused by: DuplicateJobSubmissionException: Job 01 (in state RUNNING) has already been submitted.\nEnd of exception on server side>"]}"#,
    ]) func aLaunchThatCameSecondSaysWhoWasFirst(answer: String) throws {
        for status in [400, 500] {
            let cluster = try ScriptedCluster(Self.new) { $0.runReply = .status(status, body: answer) }
            defer { cluster.stop() }
            let report = try cluster.run(.restart(options("/cp/chk-4")), expecting: .running)
            let first = ScriptedCluster.successor
            #expect(report.state == .failed && report.newJob == nil)
            #expect(
                report.error?.hasPrefix("another restart of orders got there first and launched job \(first); this one launched nothing") == true,
                "\(report.error ?? "")")
        }
    }

    // MARK: Jars

    @Test func aFileIsUploadedOnceAsLongAsTheClusterHasIt() throws {
        let file = "/tmp/weir-jar-\(UInt64.random(in: .min ... .max)).jar"
        defer { unlink(file) }
        try Data("PK\u{3}\u{4}content one".utf8).write(to: URL(fileURLWithPath: file))
        let cluster = try ScriptedCluster(Self.new)
        defer { cluster.stop() }
        var options = options(nil, cancelsFirst: false)
        options.recipe?.jar = .file(file)
        func uploads() -> Int { cluster.requests("POST").count { $0.path == "/jars/upload" } }
        let first = try cluster.run(.launch(options))
        #expect(first.state == .completed && uploads() == 1 && first.jar?.hasSuffix(", uploaded") == true, "\(first.jar ?? "")")
        let second = try cluster.run(.launch(options))
        #expect(second.state == .completed && uploads() == 1 && second.jar?.contains("used again") == true, "\(second.jar ?? "")")
        #expect(cluster.requests("POST").last?.path == "/jars/u1_\(FlinkOperationNames.uploadName(of: file))/run")
        // Other content under the name is another jar.
        try Data("PK\u{3}\u{4}content two".utf8).write(to: URL(fileURLWithPath: file))
        #expect(try cluster.run(.launch(options)).jar?.hasSuffix(", uploaded") == true && uploads() == 2)
        // The cluster has lost them.
        cluster.forgetJars()
        #expect(try cluster.run(.launch(options)).jar?.hasSuffix(", uploaded") == true && uploads() == 3)
        // The same content under another name is uploaded: the jar is called what its file is called.
        let other = file + ".copy.jar"
        defer { unlink(other) }
        try Data("PK\u{3}\u{4}content two".utf8).write(to: URL(fileURLWithPath: other))
        options.recipe?.jar = .file(other)
        #expect(try cluster.run(.launch(options)).jar?.hasSuffix(", uploaded") == true && uploads() == 4)
    }

    @Test func digestsAreSHA256() throws {
        // FIPS 180-4, and what sha256sum says of a million a.
        #expect(FileDigest(Array("abc".utf8)).description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(FileDigest([]).description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            FileDigest(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)).description
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        let file = "/tmp/weir-digest-\(UInt64.random(in: .min ... .max))"
        defer { unlink(file) }
        try Data(repeating: 0x61, count: 1_000_000).write(to: URL(fileURLWithPath: file))
        #expect(try FileDigest(of: file).description == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    // MARK: Dispose

    @Test func aDisposalIsFollowedToItsEndAndFoundAgain() throws {
        let cluster = try ScriptedCluster(Self.old)
        defer { cluster.stop() }
        let report = try cluster.run(.dispose(path: "/sp/savepoint-9"))
        #expect(report.state == .completed && report.path == "/sp/savepoint-9" && report.jobName == "orders" && report.reference != nil)
        #expect(cluster.told.first?.state == .accepted && cluster.told.contains { $0.state == .running })
        #expect(
            cluster.requests("POST").map(\.path) == ["/savepoint-disposal"] && cluster.requests("POST")[0].text.contains(#""savepoint-path":"/sp/savepoint-9""#)
        )
        #expect(cluster.resume(.dispose(path: "/sp/savepoint-9"), reference: report.reference)?.state == .completed)
        let lost = cluster.resume(.dispose(path: "/sp/savepoint-9"), reference: nil)
        #expect(lost?.state == .unknown && lost?.error?.contains("check whether /sp/savepoint-9 is still there") ?? false)
    }

    @Test func whatALiveJobNeedsIsNotDisposedOf() throws {
        let cluster = try ScriptedCluster(Self.new) { $0.restored = (path: "file:/sp/savepoint-9", at: 2000) }
        defer { cluster.stop() }
        #expect(cluster.refusal(.dispose(path: "/cp/chk-4"))?.contains("is a checkpoint of orders (01234567), which is RUNNING") ?? false)
        let from = cluster.refusal(.dispose(path: "/sp/savepoint-9"))
        #expect(from == "orders (01234567) began from /sp/savepoint-9 and has no checkpoint of its own yet: nothing was sent", "\(from ?? "")")
        #expect(cluster.refusal(.dispose(path: "/sp/savepoint-9"), expecting: .canceled)?.contains("nothing was sent") ?? false)
        #expect(cluster.requests("POST").isEmpty && cluster.told.isEmpty)
        // A checkpoint since then is its own.
        let apart = SnapshotSight(files: { [$0 + "/1"] })
        let settled = try ScriptedCluster(Self.new, snapshots: apart) { $0.restored = (path: "file:/sp/savepoint-9", at: 500) }
        defer { settled.stop() }
        #expect(try settled.run(.dispose(path: "/sp/savepoint-9")).state == .completed)
    }

    @Test func aDisposalThatFailsOrIsLostSaysSo() throws {
        let failing = try ScriptedCluster(Self.new) { $0.outcome = .fails("java.io.FileNotFoundException: gone") }
        defer { failing.stop() }
        let report = try failing.run(.dispose(path: "/sp/9"))
        #expect(report.state == .failed && report.error == "/sp/9 was not deleted: FileNotFoundException: gone")
        let lost = try ScriptedCluster(Self.new) { $0.lostPosts = 1 }
        defer { lost.stop() }
        let unknown = try lost.run(.dispose(path: "/sp/9"))
        #expect(unknown.state == .unknown && unknown.error?.contains("check whether /sp/9 is still there") ?? false)
        #expect(lost.requests("POST").count == 1)
    }

    // MARK: After a restart of the console

    @Test func whatAnEarlierConsoleSentIsFoundAgain() throws {
        let new = try ScriptedCluster(Self.new)
        defer { new.stop() }
        _ = try new.run(.savepoint(directory: nil))
        #expect(new.resume(.savepoint(directory: nil), reference: nil)?.state == .completed, "by the id that follows from the operation")
        let old = try ScriptedCluster(Self.old)
        defer { old.stop() }
        let first = try old.run(.savepoint(directory: nil))
        let again = old.resume(.savepoint(directory: nil), reference: first.reference)
        #expect(again?.path == first.path && again?.inference == nil, "by what the ledger kept")
        // The console died before the ledger knew the cluster's name for it.
        let inferred = old.resume(.savepoint(directory: nil), reference: nil)
        #expect(inferred?.path == first.path && inferred?.inference?.contains("trigger time") ?? false)
        #expect(old.requests("POST").count == 1)
    }

    @Test func whatNeverArrivedIsNotFound() throws {
        let cluster = try ScriptedCluster(Self.new)
        defer { cluster.stop() }
        #expect(cluster.resume(.savepoint(directory: nil), reference: nil)?.state == .unknown)
        let canceled = try cluster.resume(.cancel(.keep), after: .sending, ago: .seconds(20))
        #expect(canceled?.state == .unknown && canceled?.error == "the job is RUNNING: the cancel did not arrive")
        let launch = try cluster.resume(.restart(options("/cp/chk-4")), after: .canceling, ago: .seconds(20))
        #expect(launch?.state == .failed, "no effect can come any more")
        #expect(launch?.error == "orders is RUNNING: the cancel did not arrive, and nothing was launched", "\(launch?.error ?? "")")
        _ = try cluster.run(.cancel(.keep))
        #expect(cluster.resume(.cancel(.keep), reference: nil)?.state == .completed)
    }
}

/// A JobManager with one job and one jar, as far as operations need it. Its clock is ours.
final class ScriptedCluster: Sendable {
    static let job = FlinkStandIn.job
    static let successor = FlinkOperationNames.successor(of: JobID(job)!)
    // A literal of plain characters.
    static let operation = OperationID("op-1")!

    private let standIn: FlinkStandIn
    private let client: FlinkClient
    private let reports = Mutex<[OperationReport]>([])
    private let pauses = Mutex(0)
    private let paused = Mutex<@Sendable (Int) -> Void>({ _ in })
    private let steps = Mutex<@Sendable (OperationStep.Name) -> Bool>({ _ in true })
    private let uploaded = Mutex<[FileDigest: [String]]>([:])
    private let snapshots: SnapshotSight

    init(_ version: FlinkVersion, snapshots: SnapshotSight = SnapshotSight(), _ change: (inout FlinkStandIn.Script) -> Void = { _ in }) throws {
        standIn = try FlinkStandIn(version: "\(version)", change)
        client = FlinkClient(FlinkConnection(try FlinkAddress(standIn.server.url), timeout: 500))
        self.snapshots = snapshots
    }

    func stop() {
        client.close()
        standIn.stop()
    }

    var told: [OperationReport] { reports.withLock { $0 } }
    var requests: [FakeServer.Request] { standIn.requests }
    func requests(_ method: String) -> [FakeServer.Request] { standIn.requests(method) }
    var savepoints: Int { standIn.triggers }

    func forgetJars() { standIn.forgetJars() }

    private func runner() throws(FlinkFailure) -> FlinkOperationRunner {
        FlinkOperationRunner(
            client: client, cluster: try client.answer(to: .configuration),
            jars: JarMemory(
                ids: { [self] content in uploaded.withLock { $0[content] ?? [] } },
                learn: { [self] id, content in uploaded.withLock { $0[content, default: []].insert(id, at: 0) } }),
            snapshots: snapshots, clock: Self.now,
            // Nobody waits here, and nobody asks for ever.
            pause: { [self] _ in
                let count = pauses.withLock { pauses in
                    pauses += 1
                    return pauses
                }
                paused.withLock { $0 }(count)
                return count < 200
            },
            record: { [self] report in report.step.map { step in steps.withLock { $0 }(step.name) } ?? true },
            tell: { [self] report in reports.withLock { $0.append(report) } })
    }

    static func now() -> WallTime { WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    private func request(_ kind: OperationRequest.Kind, _ expected: JobState? = nil) throws -> OperationRequest {
        OperationRequest(id: Self.operation, kind: kind, job: try #require(JobID(Self.job)), expectedState: expected)
    }

    func run(_ kind: OperationRequest.Kind, expecting state: JobState? = nil) throws -> OperationReport { try runner().run(try request(kind, state)) }

    func refusal(_ kind: OperationRequest.Kind, expecting state: JobState? = nil) -> String? {
        do {
            _ = try runner().run(try request(kind, state))
            return nil
        } catch {
            return (error as? FlinkRefusal)?.message ?? "\(error)"
        }
    }

    func resume(_ kind: OperationRequest.Kind, reference: String?) -> OperationReport? {
        // A failure to even begin is no finding.
        try? runner().resume(SentOperation(request: try request(kind), reference: reference, sentAt: Self.now()))
    }

    /// As the record of a process has it that ended after this step.
    func resume(
        _ kind: OperationRequest.Kind, after step: OperationStep.Name?, ago: Milliseconds = 0, path: String? = nil, reference: String? = nil,
        looksOnce: Bool = false
    ) throws -> OperationReport? {
        var sent = SentOperation(request: try request(kind), reference: reference, sentAt: Self.now() + (0 - ago), keepsSteps: true, path: path)
        sent.step = step.map { OperationStep($0, at: Self.now() + (0 - ago)) }
        if looksOnce { pauses.withLock { $0 = 1000 } }
        return try runner().resume(sent)
    }

    func goOn(_ kind: OperationRequest.Kind, after step: OperationStep.Name, path: String? = nil, reference: String? = nil) throws -> OperationReport {
        var sent = SentOperation(request: try request(kind), reference: reference, sentAt: Self.now(), keepsSteps: true, path: path)
        sent.step = OperationStep(step, at: Self.now())
        return try runner().goOn(sent)
    }

    /// Called before each step is taken; false = the process that carries it out ends there.
    func mayTake(_ body: @escaping @Sendable (OperationStep.Name) -> Bool) { steps.withLock { $0 = body } }
    func finishCancel() { standIn.finishCancel() }
    func finishStop(_ state: String) { standIn.finishStop(state) }
    func change(_ body: (inout FlinkStandIn.Script) -> Void) { standIn.change(body) }
    func launchElsewhere(_ id: String) { standIn.launchElsewhere(id) }
    var jobState: String { standIn.jobState }
    /// The next process has a patience of its own.
    func allowPauses() { pauses.withLock { $0 = 0 } }
    /// Called with each pause.
    func onPause(_ body: @escaping @Sendable (Int) -> Void) { paused.withLock { $0 = body } }
}
