// Goal: a command on a cluster is recorded where the console's ledger is, ends within the time that its caller gives, and says what it
// knows. Method: a stand-in for a JobManager, whose answers end where a test says so, and the ledger read back.

import ControlProtocol
import EngineClients
import FlinkFake
import FlinkREST
import FoundationEssentials
import HostEnvironment
import Ledger
import StreamModel
import TestKit
import Testing

@testable import CommandLineApp

@Suite struct FlinkCommandTests {
    private let sandbox = Sandbox()
    private var ledgerPath: String { sandbox["ledger.sqlite"] }

    private func options(_ standIn: FlinkStandIn) throws -> CommandOptions {
        CommandOptions(flink: FlinkConnection(try FlinkAddress(standIn.server.url), timeout: 500), contextName: "c1", ledgerPath: ledgerPath)
    }

    private func entries(_ standIn: FlinkStandIn) throws -> [LedgerEntry] {
        try Ledger.open(path: ledgerPath).recent(address: standIn.server.url, limit: 10)
    }

    private func action(_ limit: Milliseconds, waits: Bool = true) -> ActionOptions {
        ActionOptions(job: FlinkStandIn.job, reason: "test", waits: waits, limit: limit)
    }

    @Test func aSavepointIsRecordedBeforeItIsSentAndWithItsEnd() throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        #expect(EngineCommands.savepoint(try options(standIn), action(.seconds(20)), directory: nil) == ExitStatus.ok.rawValue)
        let entry = try #require(try entries(standIn).first)
        #expect(entry.outcome == .completed && entry.context == "c1" && entry.path == "file:/sp/savepoint-1" && entry.request.reason == "test")
    }

    @Test(.enabled(if: weirExecutable != nil, "the executable was not built"))
    func `the tables of a cluster say when, whose and whether it can be restored`() throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        let flink = ["--flink", standIn.server.url, "--utc"], short = String(FlinkStandIn.job.prefix(8))
        let candidates = try weir(["checkpoints", FlinkStandIn.job] + flink, in: sandbox)
        let rows = candidates.output.split(separator: "\n").dropFirst()
        #expect(!rows.isEmpty && rows.allSatisfy { $0.contains(short) && $0.contains("UTC") }, "\(candidates)")
        #expect(rows.contains { $0.contains("  yes ") }, "\(candidates)")
        #expect(try weir(["savepoint", FlinkStandIn.job, "--wait"] + flink.dropLast(), in: sandbox).status == 0)
        let operations = try weir(["operations"] + flink, in: sandbox).output
        #expect(operations.contains(#/UTC +\d+s  [0-9a-f]{16}  savepoint  orders  completed/#), "\(operations)")
    }

    @Test(.enabled(if: weirExecutable != nil, "the executable was not built"))
    func `a job that its engine has forgotten is listed as the ledger has it`() throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        let ledger = try Ledger.open(path: sandbox["state"] + "/weir/ledger.sqlite")
        try ledger.remember([.reported([saved(7)], of: JobOrigin(context: "flink", job: JobID(high: 5, low: 5), jobName: "gone"), at: .now())])
        // Of another cluster perhaps: every cluster that is named by its address is "flink".
        let foreign = try weir(["checkpoints", "gone", "--flink", standIn.server.url], in: sandbox)
        #expect(foreign.status == ExitStatus.refused.rawValue && foreign.errors.contains("--history"), "\(foreign)")
        let launch = OperationRequest(
            id: .fresh, kind: .savepoint(directory: nil), job: JobID(high: 5, low: 5), expectedState: nil, reason: "", by: "test")
        try ledger.recordIntent(launch, context: "flink", address: standIn.server.url, at: .now())
        try ledger.recordOutcome(OperationReport(request: launch, jobName: "gone", state: .completed, acceptedAt: .now()))
        let listed = try weir(["checkpoints", "gone", "--flink", standIn.server.url], in: sandbox)
        #expect(listed.status == 0 && listed.output.contains("(ledger)  not looked at") && listed.errors.contains("as the ledger has it"), "\(listed)")
        #expect(try weir(["checkpoints", "other", "--flink", standIn.server.url], in: sandbox).status == ExitStatus.refused.rawValue)
    }

    private func saved(_ id: UInt64) -> CheckpointReport {
        CheckpointReport(
            id: CheckpointID(id), kind: .savepoint, status: .completed, triggeredAt: .now(), endedAt: .now(), timeoutAt: .now(), totalSubtasks: 1,
            path: "file:/sp/savepoint-\(id)")
    }

    private func start(_ text: String, of job: String, _ standIn: FlinkStandIn, context: String = "c1") throws(ClientFailure) -> String? {
        let connection: FlinkConnection
        do { connection = FlinkConnection(try FlinkAddress(standIn.server.url), timeout: 500) } catch { throw ClientFailure(.usage, "\(error)") }
        let options = CommandOptions(flink: connection, contextName: context, ledgerPath: ledgerPath)
        let ledger = CommandLedger(path: ledgerPath, context: context, address: standIn.server.url, output: .standard)
        let link = FlinkLink(connection, ledger: ledger)
        defer { link.close() }
        return try EngineCommands.start(text, of: job, on: link, options)
    }

    private func refusal(_ body: () throws(ClientFailure) -> String?) -> String? {
        do throws(ClientFailure) {
            _ = try body()
            return nil
        } catch { return error.message }
    }

    // Both clusters run a job of that name; only one of them may be started from what the ledger has of it.
    @Test(arguments: [false, true]) func `a restart begins with nothing of another context`(isForgotten: Bool) throws {
        let origin = JobOrigin(context: "lab", job: JobID(high: 5, low: 5), jobName: "orders")
        try Ledger.open(path: ledgerPath).remember([.reported([saved(7)], of: origin, at: .now())])
        let standIn = try FlinkStandIn(version: "2.3.0") { if isForgotten { $0.takeover = .empty } }
        defer { standIn.stop() }
        for text in ["savepoint", "7"] {
            #expect(refusal { () throws(ClientFailure) in try start(text, of: "orders", standIn, context: "prod") } != nil)
            #expect(refusal { () throws(ClientFailure) in try start(text, of: "orders", standIn, context: "flink") } != nil)
        }
        #expect(try start("savepoint", of: "orders", standIn, context: "lab") == "file:/sp/savepoint-7")
    }

    // A JobManager that came back empty.
    @Test func `what the ledger knows of a job is a beginning where its cluster knows none`() throws {
        let origin = JobOrigin(context: "c1", job: JobID(high: 5, low: 5), jobName: "orders")
        try Ledger.open(path: ledgerPath).remember([.reported([saved(7)], of: origin, at: .now())])
        let standIn = try FlinkStandIn(version: "2.3.0") { $0.takeover = .empty }
        defer { standIn.stop() }
        #expect(EngineCommands.checkpoints(try options(standIn), job: "orders", limit: nil) == ExitStatus.ok.rawValue)
        for text in ["savepoint", "7"] { #expect(try start(text, of: "orders", standIn) == "file:/sp/savepoint-7") }
        let why = refusal { () throws(ClientFailure) in try start("8", of: "orders", standIn) }
        #expect(why?.contains("nor the record has a checkpoint 8 of 'orders'") == true, "\(why ?? "nothing")")
    }

    @Test func `a number is that of the job, or of the one earlier run that has it`() throws {
        let ids = ["aaaa456789abcdef0123456789abcdef", "bbbb456789abcdef0123456789abcdef"]
        @Sendable func list(_ numbers: [Int]) -> FakeServer.Reply {
            let rows = numbers.map {
                #"{"@class":"completed","id":\#($0),"status":"COMPLETED","is_savepoint":false,"checkpoint_type":"CHECKPOINT","trigger_timestamp":1000,"#
                    + #""latest_ack_timestamp":1100,"state_size":1,"end_to_end_duration":1,"num_subtasks":1,"num_acknowledged_subtasks":1,"#
                    + #""external_path":"file:/cp/earlier-\#($0)","discarded":false}"#
            }
            return .json(#"{"counts":{"completed":2},"latest":{},"history":[\#(rows.joined(separator: ","))]}"#)
        }
        let standIn = try FlinkStandIn(version: "2.3.0") {
            $0.others = ids.map { ($0, "orders", "CANCELED") }
            $0.instead = { _, path in
                path == "/jobs/\(ids[0])/checkpoints" ? list([2, 3, 4]) : path == "/jobs/\(ids[1])/checkpoints" ? list([1, 2]) : nil
            }
        }
        defer { standIn.stop() }
        #expect(try start("4", of: "orders", standIn) == "file:/cp/chk-4")
        let own = refusal { () throws(ClientFailure) in try start("3", of: "orders", standIn) }
        #expect(own?.contains("checkpoint #3 cannot be restored: its files were deleted") == true, "\(own ?? "nothing")")
        #expect(try start("1", of: "orders", standIn) == "file:/cp/earlier-1")
        let two = refusal { () throws(ClientFailure) in try start("2", of: "orders", standIn) }
        #expect(two?.contains("belongs to 2 earlier runs") == true && ids.allSatisfy { two?.contains($0.prefix(8)) == true }, "\(two ?? "nothing")")
    }

    @Test(arguments: ["RECONCILING", "CREATED", "INITIALIZING"]) func aJobThatIsNotUpYetCanBeCanceled(state: String) throws {
        let standIn = try FlinkStandIn(version: "1.14.3") { $0.state = state }
        defer { standIn.stop() }
        #expect(EngineCommands.cancel(try options(standIn), action(.seconds(20)), retention: .keep) == ExitStatus.ok.rawValue)
        #expect(standIn.jobState == "CANCELED")
        #expect(try entries(standIn).first?.outcome == .completed)
    }

    @Test func aHistoryServerGetsNothingSent() throws {
        let standIn = try FlinkStandIn(version: "1.20.5") { ($0.state, $0.isHistoryServer) = ("FAILED", true) }
        defer { standIn.stop() }
        #expect(EngineCommands.savepoint(try options(standIn), action(.seconds(20)), directory: nil) == ExitStatus.refused.rawValue)
        #expect(standIn.requests.allSatisfy { $0.method == "GET" })
        #expect(try entries(standIn).first?.error?.contains("is a history server and runs no jobs") == true)
        let finding = Doctor.examine(FlinkConnection(try FlinkAddress(standIn.server.url)), "flink c1")
        #expect(finding.verdict == .ok && finding.found.hasSuffix("Flink 1.20.5, a history server: read-only"), "\(finding.found)")
    }

    @Test(arguments: [("1.9.1", "older than 1.14"), ("3.0.0", "newer than 2.3"), ("1.20.1-cloud-r3", nil)] as [(String, String?)])
    func theDoctorTellsTheWholeVersion(version: String, warning: String?) throws {
        let standIn = try FlinkStandIn(version: version)
        defer { standIn.stop() }
        let finding = Doctor.examine(FlinkConnection(try FlinkAddress(standIn.server.url)), "flink c1")
        #expect(finding.verdict == (warning == nil ? .ok : .warn) && finding.found.contains("Flink \(version), 1 task manager"), "\(finding.found)")
        #expect(finding.advice?.contains(warning ?? "") ?? (warning == nil))
    }

    /// A job that the JobManager has forgotten, and its checkpoints as a console has remembered them, in its own context.
    @Test(arguments: [("c1", "4"), ("c1", "orders-savepoint")]) func aForgottenJobIsRestartedFromTheRecord(context: String, from: String)
        throws
    {
        let gone = try #require(JobID("aaaa456789abcdef0123456789abcdef")), path = "s3://bucket/cp/aaaa456789abcdef0123456789abcdef/chk-4"
        let report = CheckpointReport(
            id: CheckpointID(4), kind: .checkpoint, status: .completed, triggeredAt: .now(), timeoutAt: .now(), acknowledgedSubtasks: 2, totalSubtasks: 2,
            path: path)
        try Ledger.open(path: ledgerPath).remember([.listed([report], of: JobOrigin(context: context, job: gone, jobName: "payments"), at: .now())])
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        let target = from == "4" ? from : "s3://bucket/sp/\(from)"
        let status = EngineCommands.restart(
            try options(standIn), ActionOptions(job: "payments", reason: "test", waits: false, limit: .seconds(20)), from: target, claims: false,
            allowsUnmatched: false, parallelism: nil, cancelsFirst: false,
            recipe: JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil))
        #expect(status == ExitStatus.ok.rawValue)
        #expect(standIn.launched.count == 1)
        let entry = try #require(try entries(standIn).first)
        #expect(entry.request.job == gone && entry.path == (from == "4" ? path : target))
    }

    private func restart(_ standIn: FlinkStandIn, cancelsFirst: Bool = false) throws -> Int32 {
        EngineCommands.restart(
            try options(standIn), action(.seconds(20), waits: false), from: "s3://bucket/sp/savepoint-9", claims: false, allowsUnmatched: false,
            parallelism: nil,
            cancelsFirst: cancelsFirst, recipe: JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil))
    }

    @Test(arguments: ["RUNNING", "RESTARTING", "CREATED", "A_LATER_WORD"]) func anEndedRunIsNotLaunchedBesideALiveOne(state: String) throws {
        let other = "ffff456789abcdef0123456789abcdef"
        let standIn = try FlinkStandIn(version: "2.3.0") { ($0.state, $0.others) = ("CANCELED", [(other, "orders", state)]) }
        defer { standIn.stop() }
        #expect(try restart(standIn) == ExitStatus.refused.rawValue)
        #expect(standIn.launched.isEmpty && standIn.requests("POST").isEmpty)
        #expect(try entries(standIn).first?.error?.contains(other) == true)
    }

    @Test(arguments: [("orders", "FINISHED"), ("payments", "RUNNING")]) func otherJobsAndEndedRunsHinderNothing(name: String, state: String) throws {
        let standIn = try FlinkStandIn(version: "2.3.0") { ($0.state, $0.others) = ("CANCELED", [("ffff456789abcdef0123456789abcdef", name, state)]) }
        defer { standIn.stop() }
        #expect(try restart(standIn) == ExitStatus.ok.rawValue)
        #expect(standIn.launched.count == 1)
    }

    // The link dies after POST /jars/:id/run: nothing more is ever answered.
    @Test(arguments: [true, false]) func aLaunchWithoutAnAnswerEndsInTime(waits: Bool) throws {
        let standIn = try FlinkStandIn(version: "2.3.0") {
            $0.state = "CANCELED"
            $0.root = "s3://cp"
            $0.fallsSilentOnRun = true
        }
        defer { standIn.stop() }
        let start = EngineInstant.now(), limit: Milliseconds = .seconds(4)
        let recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil)
        let status = EngineCommands.restart(
            try options(standIn), action(limit, waits: waits), from: nil, claims: false, allowsUnmatched: false, parallelism: nil, cancelsFirst: false,
            recipe: recipe)
        #expect(status == ExitStatus.unproven.rawValue)
        #expect(EngineInstant.now() - start < limit + .seconds(2))
        #expect(standIn.requests("POST").contains { $0.path == "/jars/x_count.jar/run" }, "it was sent")
        // The ledger does not know its end: the next look at the cluster asks.
        let entry = try #require(try entries(standIn).first)
        #expect(!entry.outcome.isTerminal && entry.path == "s3://cp/chk-4")
    }

    // The same end of the link, one step later: the launch is done, its proof never comes.
    @Test func aProofThatNeverComesEndsInTime() throws {
        let standIn = try FlinkStandIn(version: "1.20.5") { ($0.state, $0.root) = ("FAILED", "s3://cp") }
        defer { standIn.stop() }
        let start = EngineInstant.now(), limit: Milliseconds = .seconds(5)
        let recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil)
        let status = EngineCommands.restart(
            try options(standIn), action(limit), from: nil, claims: false, allowsUnmatched: false, parallelism: nil, cancelsFirst: false, recipe: recipe)
        #expect(status == ExitStatus.unproven.rawValue)
        #expect(EngineInstant.now() - start < limit + .seconds(3))
        #expect(try entries(standIn).first?.outcome == .completed && standIn.launched.count == 1)
    }

    // MARK: Before a cancel

    private static let samples = #filePath.replacing("/CommandLineAppTests/FlinkCommandTests.swift", with: "/FlinkFormatsTests/Fixtures/sample-job/1.14.3")

    private func cancelAndRestart(_ standIn: FlinkStandIn, from: String? = nil, parallelism: Int? = nil) throws -> Int32 {
        let recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil)
        return EngineCommands.restart(
            try options(standIn), action(.seconds(20), waits: false), from: from, claims: false, allowsUnmatched: false, parallelism: parallelism,
            cancelsFirst: true, recipe: recipe)
    }

    // The newest checkpoint has its metadata and none of its files.
    @Test func aRestartWithNothingToGoBackToCancelsNothing() throws {
        try FileManager.default.createDirectory(atPath: sandbox["cp/chk-4"], withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: Self.samples + "/heap/_metadata", toPath: sandbox["cp/chk-4/_metadata"])
        let standIn = try FlinkStandIn(version: "1.14.3") { $0.root = "file:" + self.sandbox["cp"] }
        defer { standIn.stop() }
        #expect(try cancelAndRestart(standIn) == ExitStatus.refused.rawValue)
        #expect(standIn.jobState == "RUNNING" && standIn.requests.allSatisfy { $0.method == "GET" })
        #expect(try entries(standIn).first?.error?.contains("files") ?? false)
    }

    @Test func aRestartOfAJobWithoutACheckpointGoesBackToWhatItCameFrom() throws {
        let standIn = try FlinkStandIn(version: "2.3.0") { ($0.hasNone, $0.restored) = (true, ("s3://sp/savepoint-27", 1000)) }
        defer { standIn.stop() }
        #expect(try cancelAndRestart(standIn) == ExitStatus.ok.rawValue)
        #expect(standIn.requests("POST").contains { $0.text.contains("s3://sp/savepoint-27") })
    }

    @Test(arguments: [200, 99999, 0]) func aParallelismThatTheStateDoesNotAllowCancelsNothing(_ parallelism: Int) throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        #expect(try cancelAndRestart(standIn, from: Self.samples + "/incremental", parallelism: parallelism) == ExitStatus.refused.rawValue)
        #expect(standIn.jobState == "RUNNING" && standIn.requests.allSatisfy { $0.method == "GET" })
    }

    // `[ledger] path` of the configuration holds for every command, by context and by URL.
    @Test(.enabled(if: weirExecutable != nil)) func theLedgerOfTheConfigurationHoldsWhatCommandsDo() throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        try FileManager.default.createDirectory(atPath: sandbox[".config/weir"], withIntermediateDirectories: true)
        _ = try sandbox.write(
            ".config/weir/config.toml", "[ledger]\npath = \"\(ledgerPath)\"\n\n[contexts.c1]\nurl = \"\(standIn.server.url)\"\nclass = \"lab\"\n")
        let saved = try weir(["savepoint", FlinkStandIn.job, "--wait", "--context", "c1"], in: sandbox)
        #expect(saved.status == 0, "\(saved.errors)")
        let launched = try weir(["jars", "run", try sandbox.write("count.jar", "PK\u{3}\u{4}"), "--flink", standIn.server.url], in: sandbox)
        #expect(launched.status == 0, "\(launched.errors)")
        let found = try entries(standIn)
        #expect(found.map(\.request.kind.verb).sorted() == ["launch", "savepoint"])
        #expect(try Ledger.open(path: ledgerPath).recipe(of: try #require(found.first { $0.newJob != nil }?.newJob)) != nil)
        #expect(!FileManager.default.fileExists(atPath: sandbox["state/weir/ledger.sqlite"]))
        // A file that does not read stops no command, and it is said where the record goes.
        _ = try sandbox.write(".config/weir/config.toml", "[ledger\n")
        let again = try weir(["savepoint", FlinkStandIn.job, "--wait", "--flink", standIn.server.url], in: sandbox)
        #expect(again.errors.contains("config.toml") && again.errors.contains(sandbox["state/weir/ledger.sqlite"]), "\(again.errors)")
        #expect(FileManager.default.fileExists(atPath: sandbox["state/weir/ledger.sqlite"]))
    }

    /// Thirty jobs; of two of them the checkpoints are not told.
    private func manyJobs(_ refusal: FakeServer.Reply) throws -> FakeServer {
        let ids = (1...30).map { JobID(high: 5, low: UInt64($0)).description }
        let rows = ids.map { #"{"jid":"\#($0)","name":"job","state":"RUNNING","start-time":1,"tasks":{"total":1,"running":1}}"# }.joined(separator: ",")
        return try FakeServer { request in
            switch request.path {
            case "/config": return .json(#"{"flink-version":"2.3.0"}"#)
            case "/jobs/overview": return .json(#"{"jobs":[\#(rows)]}"#)
            case let path where path.hasSuffix("/checkpoints"):
                let isSilent = path.contains(ids[3]) || path.contains(ids[20])
                return isSilent ? refusal : .json(#"{"counts":{"completed":1},"history":[]}"#)
            case let path where path.hasSuffix("/checkpoints/config"): return .json(#"{"mode":"exactly_once","interval":1000}"#)
            case let path where path.hasSuffix("/exceptions"): return .json("{}")
            default: return .json(#"{"jid":"\#(request.path.split(separator: "/").dropFirst().first ?? "")","name":"job","state":"RUNNING","vertices":[]}"#)
            }
        }
    }

    @Test(arguments: [FakeServer.Reply.silence, .status(503, body: #"{"errors":["Service temporarily unavailable"]}"#)])
    func aReportComesWhenItsTimeIsUpAndSaysWhatIsMissing(_ refusal: FakeServer.Reply) throws {
        let server = try manyJobs(refusal)
        defer {
            // ChannelError: the test is over, and a server that is closed already changes nothing.
            try? server.stop()
        }
        let connection = FlinkConnection(try FlinkAddress(server.url))
        let ledger = CommandLedger(path: ledgerPath, context: "c1", address: server.url, output: .standard)
        let link = FlinkLink(connection, ledger: ledger)
        defer { link.close() }
        let start = EngineInstant.now()
        let report = try link.report()
        #expect(EngineInstant.now() - start < .seconds(4))
        #expect(report.jobs.count == 30 && report.jobs.count { $0.freshness?.checkpoints != nil } == 28, "what is known is told")
        #expect(link.shortcoming?.contains("checkpoints of 2 jobs") == true, "\(link.shortcoming ?? "nothing")")
        // Each question once: the silent ones hold up nobody else.
        #expect(server.requests.count { $0.path.hasSuffix("/checkpoints") } == 30)
    }
}
