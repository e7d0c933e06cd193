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
        #expect(report.state == .completed && report.newJob == FlinkOperationNames.job(of: ScriptedCluster.operation))
        #expect(report.checkpoint == CheckpointID(4) && report.path == "file:///cp/chk-4")
        let acts = cluster.requests.filter { $0.method != "GET" }
        #expect(acts.map(\.method) == ["PATCH", "POST"] && acts.last?.path == "/jars/x_count.jar/run")
        let body = acts.last?.text ?? ""
        for part in [#""savepointPath":"file:///cp/chk-4""#, #""programArgsList":["--a","b c"]"#, #""entryClass":"Count""#, #""parallelism":2"#, #""allowNonRestoredState":false"#] {
            #expect(body.contains(part), "\(body)")
        }
        #expect(body.contains(FlinkOperationNames.job(of: ScriptedCluster.operation).description))
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
        #expect(report.state == .completed && report.newJob == FlinkOperationNames.job(of: ScriptedCluster.operation))
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
        #expect(cluster.requests("POST").map(\.path) == ["/savepoint-disposal"] && cluster.requests("POST")[0].text.contains(#""savepoint-path":"/sp/savepoint-9""#))
        #expect(cluster.resume(.dispose(path: "/sp/savepoint-9"), reference: report.reference)?.state == .completed)
        let lost = cluster.resume(.dispose(path: "/sp/savepoint-9"), reference: nil)
        #expect(lost?.state == .unknown && lost?.error?.contains("look whether /sp/savepoint-9 is still there") ?? false)
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
        let settled = try ScriptedCluster(Self.new) { $0.restored = (path: "file:/sp/savepoint-9", at: 500) }
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
        #expect(unknown.state == .unknown && unknown.error?.contains("look whether /sp/9 is still there") ?? false)
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
        #expect(cluster.resume(.cancel(.keep), reference: nil)?.error == "the job is RUNNING: the cancel did not arrive")
        let launch = cluster.resume(.restart(options("/cp/chk-4")), reference: nil)
        #expect(launch?.state == .unknown && launch?.error?.contains("orders (01234567) is RUNNING") ?? false, "\(launch?.error ?? "")")
        _ = try cluster.run(.cancel(.keep))
        #expect(cluster.resume(.cancel(.keep), reference: nil)?.state == .completed)
    }
}

/// A JobManager with one job and one jar, as far as operations need it. Its clock is ours.
final class ScriptedCluster: Sendable {
    static let job = "0123456789abcdef0123456789abcdef"
    // A literal of plain characters.
    static let operation = OperationID("op-1")!

    enum Outcome: Sendable { case completes, fails(String) }

    struct Script: Sendable {
        var state = "RUNNING"
        var externalization = #"{"enabled":true,"delete_on_cancellation":false}"#
        var outcome = Outcome.completes
        /// POSTs of savepoints whose answer is lost; the request with it where `losesRequests` says so.
        var lostPosts = 0
        var losesRequests = false
        var lostPatches = 0
        /// Every question for a result is answered with 404.
        var forgetsResults = false
        /// One more checkpoint completes while the job is canceled.
        var completesOnCancel = false
        /// The newest is subsumed in the last moments.
        var losesOnCancel = false
        var runReply: FakeServer.Reply?
        /// What the job began from, and when; its checkpoints were triggered at 1000.
        var restored: (path: String, at: Int64)?
        fileprivate var jars: [(id: String, name: String)] = [("x_count.jar", "count.jar")]
        fileprivate var uploads = 0
        fileprivate var triggers: [String] = []
        fileprivate var polls = 0
        fileprivate var hadLostPost = false
        fileprivate var takenAt: Int64 = 0
        fileprivate var launched: Set<String> = []
        fileprivate var jobState = ""
    }

    private let server: FakeServer
    private let client: FlinkClient
    private let version: FlinkVersion
    private let script: Script.Shared
    private let reports = Mutex<[OperationReport]>([])
    private let pauses = Mutex(0)
    private let uploaded = Mutex<[FileDigest: [String]]>([:])

    init(_ version: FlinkVersion, _ change: (inout Script) -> Void = { _ in }) throws {
        var script = Script()
        change(&script)
        let shared = Script.Shared(script)
        self.version = version
        self.script = shared
        server = try FakeServer { shared.answer($0, version) }
        client = FlinkClient(FlinkConnection(try FlinkAddress(server.url), timeout: 500))
    }

    func stop() {
        client.close()
        try? server.stop()  // The test is over.
    }

    var told: [OperationReport] { reports.withLock { $0 } }
    var requests: [FakeServer.Request] { server.requests }
    func requests(_ method: String) -> [FakeServer.Request] { server.requests.filter { $0.method == method } }
    var savepoints: Int { script.state.withLock { $0.triggers.count } }

    func forgetJars() { script.state.withLock { $0.jars = [] } }

    private func runner() throws(FlinkFailure) -> FlinkOperationRunner {
        FlinkOperationRunner(
            client: client, cluster: try client.answer(to: .configuration),
            jars: JarMemory(
                ids: { [self] content in uploaded.withLock { $0[content] ?? [] } },
                learn: { [self] id, content in uploaded.withLock { $0[content, default: []].insert(id, at: 0) } }),
            clock: Self.now,
            // Nobody waits here, and nobody asks for ever.
            pause: { [self] _ in pauses.withLock { pauses in
                pauses += 1
                return pauses < 200
            } },
            tell: { [self] report in reports.withLock { $0.append(report) } })
    }

    static func now() -> WallTime { WallTime(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }

    private func request(_ kind: OperationRequest.Kind, _ expected: JobState? = nil) throws -> OperationRequest {
        OperationRequest(id: Self.operation, kind: kind, job: try #require(JobID(Self.job)), expectedState: expected)
    }

    func run(_ kind: OperationRequest.Kind) throws -> OperationReport { try runner().run(try request(kind)) }

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
        try? runner().resume(try request(kind), reference: reference, sentAt: Self.now())
    }
}

extension ScriptedCluster.Script {
    final class Shared: Sendable {
        let state: Mutex<ScriptedCluster.Script>

        init(_ script: ScriptedCluster.Script) {
            var script = script
            script.jobState = script.state
            state = Mutex(script)
        }

        func answer(_ request: FakeServer.Request, _ version: FlinkVersion) -> FakeServer.Reply {
            state.withLock { $0.answer(request, version) }
        }
    }

    private static var unknown: FakeServer.Reply { .status(404, body: #"{"errors":["org.apache.flink.runtime.rest.NotFoundException: no such thing"]}"#) }

    fileprivate mutating func answer(_ request: FakeServer.Request, _ version: FlinkVersion) -> FakeServer.Reply {
        let parts = request.path.split(separator: "/").map(String.init)
        switch (request.method, parts.first ?? "", parts.count) {
        case ("GET", "config", _): return .json(#"{"refresh-interval":3000,"flink-version":"\#(version)","features":{"web-submit":true}}"#)
        case ("GET", "jars", 1):
            let files = jars.map { #"{"id":"\#($0.id)","name":"\#($0.name)","uploaded":1}"# }
            return .json(#"{"files":[\#(files.joined(separator: ","))]}"#)
        case ("POST", "jars", 2):
            uploads += 1
            let name = request.text.firstMatch(of: /filename="([^"]+)"/).map { String($0.1) } ?? "none"
            jars.append(("u\(uploads)_\(name)", name))
            return .json(#"{"filename":"/tmp/web/u\#(uploads)_\#(name)","status":"success"}"#)
        case ("POST", "jars", 3): return run(request)
        case ("GET", "jobs", 2) where parts[1] == "overview":
            return .json(#"{"jobs":[{"jid":"\#(ScriptedCluster.job)","name":"orders","state":"\#(jobState)","start-time":1,"end-time":-1}]}"#)
        case ("POST", "savepoint-disposal", 1): return trigger(request)
        case ("GET", "savepoint-disposal", 2): return progress(parts[0], parts[1])
        case ("GET", "jobs", 2): return parts[1] == ScriptedCluster.job ? details(parts[1], jobState) : launched.contains(parts[1]) ? details(parts[1], "RUNNING") : Self.unknown
        case ("PATCH", "jobs", 2): return cancel()
        case ("GET", "jobs", 3): return .json(checkpoints())
        case ("GET", "jobs", 4) where parts[3] == "config": return .json(#"{"mode":"exactly_once","interval":1000,"externalization":\#(externalization)}"#)
        case ("POST", "jobs", 3): return trigger(request)
        case ("GET", "jobs", 4): return progress(parts[2], parts[3])
        default: return Self.unknown
        }
    }

    private func details(_ id: String, _ state: String) -> FakeServer.Reply {
        .json(#"{"jid":"\#(id)","name":"orders","state":"\#(state)","now":\#(ScriptedCluster.now().milliseconds),"vertices":[]}"#)
    }

    private mutating func cancel() -> FakeServer.Reply {
        jobState = "CANCELED"
        lostPatches -= 1
        return lostPatches >= 0 ? .close : .status(202, body: "{}")
    }

    private mutating func trigger(_ request: FakeServer.Request) -> FakeServer.Reply {
        lostPosts -= 1
        hadLostPost = hadLostPost || lostPosts >= 0
        if lostPosts >= 0, losesRequests { return .close }
        let chosen = request.text.firstMatch(of: /"triggerId":"([0-9a-f]+)"/).map { String($0.1) } ?? "00000000000000000000000000000001"
        if !triggers.contains(chosen) {
            triggers.append(chosen)
            takenAt = ScriptedCluster.now().milliseconds
        }
        return lostPosts >= 0 ? .close : .status(202, body: #"{"request-id":"\#(chosen)"}"#)
    }

    private mutating func progress(_ kind: String, _ trigger: String) -> FakeServer.Reply {
        guard triggers.contains(trigger), !forgetsResults else { return Self.unknown }
        polls += 1
        guard polls > 2 else { return .json(#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#) }
        switch outcome {
        case .completes:
            let result = kind == "checkpoints" ? #""checkpointId":5"# : #""location":"file:/sp/savepoint-1""#
            return .json(#"{"status":{"id":"COMPLETED"},"operation":{\#(result)}}"#)
        case .fails(let trace):
            let text = trace.replacing("\n", with: "\\n").replacing("\t", with: "\\t")
            return .json(#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"X","stack-trace":"\#(text)"}}}"#)
        }
    }

    private mutating func run(_ request: FakeServer.Request) -> FakeServer.Reply {
        let id = request.text.firstMatch(of: /"jobId":"([0-9a-f]+)"/).map { String($0.1) } ?? "none"
        if case .status? = runReply {} else { launched.insert(id) }
        return runReply ?? .json(#"{"jobid":"\#(id)"}"#)
    }

    private func row(_ id: Int, _ status: String, savepoint: Bool = false, path: String?, discarded: Bool = false, at time: Int64 = 1000, acknowledged: Int = 2) -> String {
        let place = path.map { #","external_path":"\#($0)","discarded":\#(discarded)"# } ?? ""
        return #"{"id":\#(id),"status":"\#(status)","is_savepoint":\#(savepoint),"trigger_timestamp":\#(time),"num_subtasks":2,"num_acknowledged_subtasks":\#(acknowledged)\#(place)}"#
    }

    private func checkpoints() -> String {
        let isGone = jobState == "CANCELED" && losesOnCancel || jobState == "CANCELED" && !externalization.contains("\"delete_on_cancellation\":false")
        var rows = [
            row(3, "COMPLETED", path: "file:/cp/chk-3", discarded: true), row(4, "COMPLETED", path: "file:/cp/chk-4", discarded: isGone),
        ]
        if !triggers.isEmpty {
            let isDone = polls > 2 || forgetsResults || hadLostPost
            rows.append(isDone ? row(5, "COMPLETED", savepoint: true, path: "file:/sp/savepoint-1", at: takenAt) : row(5, "IN_PROGRESS", savepoint: true, path: nil, at: takenAt, acknowledged: 1))
        }
        if jobState == "CANCELED", completesOnCancel { rows.append(row(5, "COMPLETED", path: "file:/cp/chk-5")) }
        let latest = restored.map { #""restored":{"id":9,"restore_timestamp":\#($0.at),"external_path":"\#($0.path)","is_savepoint":true}"# } ?? ""
        return #"{"counts":{"total":5},"latest":{\#(latest)},"history":[\#(rows.joined(separator: ","))]}"#
    }
}
