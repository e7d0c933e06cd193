import CellGrid
import Foundation
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: on an engine that does not know how its jobs are launched, a restart is told, from the record or by hand, and shows what it will send; and
/// what the operator chose is never exchanged for something else. Method: keys and answers into the console without a terminal.
@Suite struct LaunchRecipeTests {
    private static let flink = EngineCapabilities(
        canCheckpointNow: false, exactBudget: false, hasChecksums: false, canOverrideRetention: false, canClaim: false, needsJarRecipe: true, canDispose: true,
        dialect: .flinkREST)
    private static let jar = "0a1b2c3d-0000-4000-8000-0123456789ab_orders.jar"

    /// A job of a cluster with its list, the chooser open, and all files ok.
    private func chooser(_ state: JobState = .canceled) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report([job(state)])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        _ = console.take()
        console.press("R")
        for row in Sample.list { console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: row.path ?? "", verdict: .ok)))) }
        return console
    }

    private func job(_ state: JobState = .running) -> JobReport {
        var job = Sample.running(state: state)
        job.recipe = nil
        return job
    }

    private func recorded(_ recipe: JarRecipe?, _ console: inout ScriptedConsole) { console.send(.recipe(context: "lab", Sample.job, recipe)) }

    @Test func theRecordIsReadOnceAndUsed() throws {
        var console = chooser()
        #expect(console.effects.contains(.loadRecipe(context: "lab", Sample.job)))
        #expect(console.screen.contains("looking up the relaunch recipe"))
        recorded(JarRecipe(jar: .uploaded(Self.jar), entryClass: "com.example.Orders", arguments: ["--topic", "orders"]), &console)
        #expect(console.screen.contains("as recorded: orders.jar --class com.example.Orders"))
        console.press("enter", "enter")
        console.advance(400)
        #expect(console.screen.contains("POST /jars/\(Self.jar)/run") && console.screen.contains("/chk-\(Sample.list[0].id)"))
        #expect(!console.screen.contains("PATCH"), "it has ended already")
        console.press("y")
        guard case .restart(let options) = try #require(console.sentOperations.first).kind else { return #expect(Bool(false)) }
        #expect(options.recipe?.entryClass == "com.example.Orders" && options.recipe?.arguments == ["--topic", "orders"])
        #expect(options.path == Sample.list[0].path)
        console.press("q")
        #expect(console.take().filter { $0 == .loadRecipe(context: "lab", Sample.job) }.count == 1)
    }

    @Test func withoutARecipeNothingIsConfirmedUntilItIsTyped() {
        var console = chooser(.running)
        recorded(nil, &console)
        #expect(console.screen.contains("not recorded: :recipe JAR"))
        console.press("enter", "enter")
        #expect(console.screen.contains("no relaunch recipe: type"))
        #expect(console.sentOperations.isEmpty)
        console.press(":")
        console.type("/opt/orders.jar -- --password hunter2 --key=abc --token=t0p")
        console.press("enter")
        #expect(console.lastMessage.contains("will be launched with orders.jar"))
        console.press("enter")
        console.advance(400)
        let sheet = console.screen.split(separator: "\n").map { $0.filter { $0 != " " && $0 != "│" } }.joined()
        #expect(sheet.contains("PATCH/jobs/\(Sample.job)?mode=cancel,thenPOST/jars/uploadfile/opt/orders.jar,unlessajar"), "\(sheet)")
        #expect(sheet.contains("POST/jars/<itsid>/run") && !sheet.contains("hunter2"), "\(sheet)")
        // The page of the whole request gets what may be shown, and nothing else.
        console.model.options.preview = { _, _, operation in
            guard case .restart(let options) = operation.kind else { return .none }
            return RequestPreview([.init("A", text: [SafeText(options.recipe?.arguments.joined(separator: " ") ?? "")])])
        }
        console.press("d")
        #expect(console.screen.contains("--password ****** --key=abc --token=******"), "\(console.screen)")
        #expect(!console.screen.contains("hunter2") && !console.screen.contains("t0p"))
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.first?.kind else { return #expect(Bool(false)) }
        #expect(options.cancelsFirst && options.recipe?.arguments.contains("hunter2") == true)
    }

    @Test func aLongRequestLeavesTheFieldsAlone() {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .prod, address: "x")])
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report([job(.canceled)])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("R")
        for row in Sample.list { console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: row.path ?? "", verdict: .ok)))) }
        let words = (1...60).map { "--argument-\($0)" }
        recorded(JarRecipe(jar: .uploaded(Self.jar), arguments: words), &console)
        console.press("enter", "enter")
        let lines = console.screen.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.filter { $0.contains("POST /jars/") }.count == 1)
        #expect(lines.contains { $0.contains("preflight   [") } && lines.contains { $0.contains("no undo") }, "\(console.screen)")
        #expect(lines.contains { $0.contains("job name") && $0.contains("type it to arm") })
        #expect(lines.contains { $0.contains("Esc backs out") && !$0.contains("type it to arm") })
    }

    @Test func whatIsTypedOutlivesALateAnswerOfTheRecord() {
        var console = chooser()
        console.press("enter", ":")
        console.type("mine.jar")
        console.press("enter")
        recorded(JarRecipe(jar: .uploaded("theirs.jar")), &console)
        #expect(console.screen.contains("mine.jar") && !console.screen.contains("theirs.jar"))
        console.press(":", "enter")
        #expect(console.screen.contains("mine.jar"), "it is offered for editing")
    }

    @Test func aBadRecipeIsNamed() {
        var console = chooser()
        console.press("enter", ":")
        console.type("a.jar --parallelism many")
        console.press("enter")
        #expect(console.lastMessage.contains("'many' is no parallelism"))
    }

    @Test func aSubsumedChoiceIsNotReplacedSilently() {
        var console = chooser(.running)
        recorded(JarRecipe(jar: .uploaded(Self.jar)), &console)
        console.press("down", "down", "enter")
        var rest = Sample.list
        let chosen = rest.remove(at: 1)
        console.send(.engine(context: "lab", .checkpoints(Sample.job, rest)))
        console.press("enter")
        #expect(console.screen.contains("the chosen checkpoint has been subsumed: choose again"))
        #expect(!console.screen.contains("RESTART FROM A CHECKPOINT"))
        #expect(console.screen.contains("chk-\(chosen.id)") && console.screen.contains("XX subsumed"), "it keeps its place, and says so")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func aRunningJobIsRestartedFromTheNewestAtItsEnd() throws {
        var console = chooser(.running)
        recorded(JarRecipe(jar: .uploaded(Self.jar)), &console)
        #expect(console.screen.contains("> newest  ckpt  the newest one once the job has been canceled"))
        console.press("enter", "enter")
        console.advance(400)
        #expect(console.screen.contains("savepointPath <the newest>"))
        console.press("y")
        let request = try #require(console.sentOperations.first)
        guard case .restart(let options) = request.kind else { return #expect(Bool(false)) }
        #expect(options.path == nil && options.cancelsFirst)
        // Which one it was the engine says, and the proof holds the new job against that.
        let report = OperationReport(
            request: request, jobName: "orders", state: .completed, acceptedAt: console.now, endedAt: console.now, checkpoint: CheckpointID(4130),
            path: "/cp/chk-4130", newJob: Sample.otherJob)
        console.send(.engine(context: "lab", .operation(report)))
        #expect(console.screen.contains("[ok] 1 launched") && console.screen.contains("[..] 2 restored id"))
        let operation = try #require(console.model.live.operations.first { $0.id == request.id })
        #expect(operation.proof?.chosenID == CheckpointID(4130) && operation.proof?.chosenPath == "/cp/chk-4130")
    }

    @Test func whatTheCancelWouldDeleteIsNoPlaceToRestartFrom() {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        var job = Sample.running(retention: .deleteOnCancellation)
        job.recipe = nil
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("R")
        recorded(JarRecipe(jar: .uploaded(Self.jar)), &console)
        console.press("enter", "enter")
        console.advance(400)
        #expect(console.screen.contains("the cancel deletes its checkpoints: choose a savepoint"))
        console.press("y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func theProofIsReadFromTheNewJob() throws {
        var console = chooser()
        recorded(JarRecipe(jar: .uploaded(Self.jar)), &console)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.first)
        _ = console.take()
        let report = OperationReport(
            request: request, jobName: "orders", state: .completed, acceptedAt: console.now, endedAt: console.now, path: Sample.list[0].path,
            newJob: Sample.otherJob)
        console.send(.engine(context: "lab", .operation(report)))
        #expect(console.take().contains(.look(context: "lab", .job(Sample.otherJob))))
    }

    @Test func aSnapshotIsNotClaimedWhereTheEngineCannot() {
        var console = chooser()
        console.press("enter", "right")
        #expect(console.screen.contains("cannot claim snapshots"))
        #expect(console.screen.contains("(*) no-claim"))
    }

    @Test func discardingWhatTheEngineRetainsIsStopped() {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report([job()])
        console.press("enter", ":")
        console.type("cancel --discard-state")
        console.press("enter")
        console.advance(400)
        console.press("y", "v")
        #expect(console.screen.contains("cannot override it"))
        #expect(console.sentOperations.isEmpty)
    }

    @Test func theKeySaysWhyThereIsNoCheckpointOnRequest() {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report([job()])
        console.press("enter", "B")
        #expect(console.lastMessage.contains("cannot trigger a checkpoint on request: take a savepoint"))
    }

    // MARK: The first launch

    @Test func aFirstLaunchIsShownAsOneAndObservedWhenTheJobRuns() throws {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        var options = RestartOptions()
        options.recipe = JarRecipe(jar: .uploaded(Self.jar), arguments: ["--password", "hunter2"])
        let request = OperationRequest(id: OperationID(random: 7), kind: .launch(options), job: Sample.job, by: "mira@ops2")
        let launched = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, newJob: Sample.job)
        console.report([Sample.running(state: .initializing)], operations: [launched])
        #expect(console.model.live.operations.map(\.stage) == [.completed])
        console.report([Sample.running()], operations: [launched])
        #expect(console.model.live.operations.map(\.stage) == [.observed])
        console.press("6")
        let row = try #require(console.screen.split(separator: "\n").first { $0.contains("mira") || $0.contains(request.id.short) })
        #expect(row.contains("launch") && !row.contains("restart"), "\(row)")
        console.press("enter")
        let words = console.screen.split { $0.isWhitespace }.joined(separator: " ")
        #expect(words.contains("POST /jars/\(Self.jar)/run without savepointPath") && words.contains("job is RUNNING"), "\(console.screen)")
        #expect(!console.screen.contains("hunter2"))
        console.press("!")
        #expect(console.screen.contains("launch"))
    }

    /// Records and recordings from before launches had a word of their own.
    @Test func whatBeganWithNothingWasALaunch() throws {
        let former = #"{"verb":"restart","options":{"claim":"noClaim","allowUnmatched":false,"cancelFirst":false,"empty":true}}"#
        #expect(try JSONDecoder().decode(OperationRequest.Kind.self, from: Data(former.utf8)) == .launch(RestartOptions()))
    }
}
