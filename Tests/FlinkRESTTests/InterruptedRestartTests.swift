import FlinkFake
import StreamModel
import Synchronization
import Testing

@testable import FlinkREST

/// Goal: a restart whose process ends is found where it stands, nobody resolves it while its effect can still come, and whoever goes on with it
/// launches the job once. Method: a stand-in for a JobManager; the process that carries the restart out ends before each step.
@Suite struct InterruptedRestartTests {
    private func options(_ path: String? = "file:///cp/chk-4", cancelsFirst: Bool = true) -> RestartOptions {
        var options = RestartOptions(path: path)
        options.cancelsFirst = cancelsFirst
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: "Count", arguments: ["--a", "b c"], parallelism: 2)
        return options
    }

    @Test(arguments: ["1.14.3", "2.3.0"]) func aRestartThatEndedBetweenCancelAndLaunchIsGoneOnWith(version: String) throws {
        let version = try #require(FlinkVersion(version))
        let cluster = try ScriptedCluster(version)
        defer { cluster.stop() }
        cluster.mayTake { $0 != .launching }
        let first = try cluster.run(.restart(options()))
        #expect(!first.state.isTerminal && first.step?.name == .canceled && cluster.jobState == "CANCELED" && cluster.requests("POST").isEmpty)
        let found = try #require(try cluster.resume(.restart(options()), after: .canceled, path: "file:///cp/chk-4"))
        #expect(found.state == .interrupted)
        #expect(found.error == "orders was canceled for restart op-1 and never launched: 'weir resume op-1' goes on with it", "\(found.error ?? "")")
        cluster.mayTake { _ in true }
        let end = try cluster.goOn(.restart(options()), after: .canceled, path: "file:///cp/chk-4")
        #expect(end.state == .completed && end.newJob == ScriptedCluster.successor && end.path == "file:///cp/chk-4")
        let body = try #require(cluster.requests("POST").last?.text)
        for part in [#""savepointPath":"file:///cp/chk-4""#, #""programArgsList":["--a","b c"]"#, #""entryClass":"Count""#, #""parallelism":2"#] {
            #expect(body.contains(part), "\(body)")
        }
        #expect(cluster.requests("PATCH").count == 1, "it is not canceled again")
        // The same once more launches no second job.
        #expect(try cluster.goOn(.restart(options()), after: .launching, path: "file:///cp/chk-4", reference: end.reference).state == .completed)
        #expect(cluster.requests("POST").count == 1)
        #expect(try cluster.resume(.restart(options()), after: .launching, reference: end.reference)?.state == .completed)
    }

    // Nothing was decided yet but that the newest is to be taken.
    @Test func theNewestIsTakenByWhoGoesOn() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.completesOnCancel = true }
        defer { cluster.stop() }
        cluster.mayTake { $0 != .canceled }
        _ = try cluster.run(.restart(options(nil)))
        #expect(cluster.requests("POST").isEmpty)
        cluster.mayTake { _ in true }
        let end = try cluster.goOn(.restart(options(nil)), after: .canceling)
        #expect(end.state == .completed && end.path == "file:/cp/chk-5" && end.checkpoint == CheckpointID(5))
    }

    @Test func whileTheCancelIsUnderWayNothingIsResolved() throws {
        let cluster = try ScriptedCluster(FlinkVersion(1, 20, 5)) { $0.cancelsSlowly = true }
        defer { cluster.stop() }
        cluster.onPause { if $0 == 20 { cluster.mayTake { _ in false } } }
        let first = try cluster.run(.restart(options()))
        #expect(!first.state.isTerminal && first.activity == "the job is CANCELLING" && first.step?.name == .canceling)
        let look = try #require(try cluster.resume(.restart(options()), after: .canceling, ago: .minutes(5), looksOnce: true))
        #expect(look.state == .running && look.activity?.hasPrefix("the job is CANCELLING") ?? false, "\(look)")
        #expect(look.error == nil && cluster.requests("POST").isEmpty)
    }

    @Test func whoeverGoesOnWaitsForTheEndOfTheCancel() throws {
        let cluster = try ScriptedCluster(FlinkVersion(1, 20, 5)) { $0.cancelsSlowly = true }
        defer { cluster.stop() }
        #expect(!(try cluster.run(.restart(options())).state.isTerminal))
        cluster.allowPauses()
        cluster.onPause { if $0 == 5 { cluster.finishCancel() } }
        #expect(try cluster.goOn(.restart(options()), after: .canceling).state == .completed)
    }

    // The launch may be on its way: its main() runs on the JobManager, for minutes where it reads much.
    @Test func aLaunchThatWasSentMayStillArrive() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.state = "CANCELED" }
        defer { cluster.stop() }
        let young = try #require(try cluster.resume(.restart(options()), after: .launching, ago: .seconds(30), looksOnce: true))
        #expect(young.state == .running && young.activity?.contains("on its way") ?? false)
        let old = try #require(try cluster.resume(.restart(options()), after: .launching, ago: .minutes(3), looksOnce: true))
        #expect(old.state == .interrupted && old.error?.contains("never launched") ?? false)
    }

    @Test func whatWasNeverSentIsSaidToBeThat() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0))
        defer { cluster.stop() }
        let kinds: [OperationRequest.Kind] = [
            .savepoint(directory: nil), .checkpoint, .stop(drain: false, directory: nil), .cancel(.keep), .restart(options()), .dispose(path: "/sp/9"),
            .uploadJar(file: "/a.jar"), .deleteJar(id: "x_count.jar"),
        ]
        for kind in kinds {
            let found = try #require(try cluster.resume(kind, after: nil))
            #expect(found.state == .failed && found.error?.hasPrefix("nothing was sent") ?? false, "\(kind.verb)")
        }
        #expect(cluster.requests.allSatisfy { $0.method == "GET" })
    }

    @Test func nothingIsLaunchedBesideARunOfTheSameName() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.state = "CANCELED" }
        defer { cluster.stop() }
        cluster.launchElsewhere("00000000000000000000000000000042")
        let refusal = #expect(throws: FlinkRefusal.self) { try cluster.goOn(.restart(options()), after: .canceled, path: "/cp/chk-4") }
        #expect(refusal?.message.contains("another run of orders is RUNNING already (00000000000000000000000000000042)") ?? false)
        #expect(cluster.requests("POST").isEmpty)
        // A job that was never ended is not gone on with, either.
        let living = try ScriptedCluster(FlinkVersion(2, 3, 0))
        defer { living.stop() }
        #expect(throws: FlinkRefusal.self) { try living.goOn(.restart(options()), after: .canceling) }
        #expect(living.requests("POST").isEmpty)
    }

    // One 404 of a JobManager that takes over is no end of a job.
    @Test func aTakeoverIsNoEndOfTheJob() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.takeover = .empty }
        defer { cluster.stop() }
        let look = try cluster.resume(.restart(options()), after: .canceled, looksOnce: true)
        #expect(look.map { !$0.state.isTerminal } ?? true)
        let cancel = try cluster.resume(.cancel(.keep), after: .sending, looksOnce: true)
        #expect(cancel.map { !$0.state.isTerminal } ?? true)
    }

    // A restart of a job that has ended already takes no cancel, and is interrupted in the same way.
    @Test func aRestartOfAnEndedJobIsGoneOnWithToo() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.state = "FAILED" }
        defer { cluster.stop() }
        cluster.mayTake { _ in false }
        #expect(throws: FlinkRefusal.self) { try cluster.run(.restart(options(cancelsFirst: false))) }
        cluster.mayTake { _ in true }
        let found = try #require(try cluster.resume(.restart(options(cancelsFirst: false)), after: .launching, ago: .minutes(3), looksOnce: true))
        #expect(found.error?.hasPrefix("orders is FAILED, and was never launched by restart op-1") ?? false, "\(found.error ?? "")")
        #expect(try cluster.goOn(.restart(options(cancelsFirst: false)), after: .launching, path: "/cp/chk-4").state == .completed)
    }
}

/// Goal: a stop is done when the job has ended, and the savepoint of one that fails afterwards is not lost. Method: the stand-in's answers.
@Suite struct StopTests {
    /// As a JobManager of 1.14 to 2.3 tells it: the path stands in the outermost exception, the cause in the innermost.
    private static func trace(_ path: String) -> String {
        "java.util.concurrent.CompletionException: org.example.StopWithSavepointStoppingException: A savepoint has been created at: \(path), but the "
            + "corresponding job 0123456789abcdef0123456789abcdef failed during stopping. The savepoint is consistent, but might have uncommitted "
            + "transactions. If you want to commit the transaction please restart a job from this savepoint.\nCaused by: "
            + "org.example.TaskNotRunningException: Task is not running, but in state FINISHED\n"
    }

    @Test(arguments: ["file:/data/savepoints/savepoint-000000-000000000000", "s3://my bucket/a, but b/sp-1"])
    func theSavepointOfAStopThatFailedAfterItIsKept(path: String) throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) {
            $0.outcome = .fails(Self.trace(path))
            $0.stateAfterStop = "FAILED"
        }
        defer { cluster.stop() }
        let report = try cluster.run(.stop(drain: false, directory: nil))
        #expect(report.state == .failed && report.path == path)
        let error = try #require(report.error)
        #expect(error.contains(path) && error.contains("is whole; sinks may not have committed: restart from it"), "\(error)")
        #expect(error.contains("Task is not running"), "\(error)")
    }

    @Test func aStopIsDoneWhenTheJobIsSeenToHaveFinished() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.stateAfterStop = "RUNNING" }
        defer { cluster.stop() }
        cluster.onPause { if $0 == 12 { cluster.finishStop("FINISHED") } }
        let report = try cluster.run(.stop(drain: false, directory: nil))
        #expect(report.state == .completed && report.path == "file:/sp/savepoint-1")
        #expect(cluster.told.contains { $0.activity == "the savepoint is complete, the job is RUNNING" && $0.state == .running })
    }

    @Test(arguments: ["FAILED", "CANCELED"]) func aStopWhoseJobEndedOtherwiseFailsAndKeepsTheSavepoint(state: String) throws {
        let cluster = try ScriptedCluster(FlinkVersion(1, 14, 3)) { $0.stateAfterStop = state }
        defer { cluster.stop() }
        let report = try cluster.run(.stop(drain: true, directory: nil))
        #expect(report.state == .failed && report.path == "file:/sp/savepoint-1")
        #expect(report.error?.contains("file:/sp/savepoint-1 is whole") ?? false && report.error?.contains("the job ended as \(state)") ?? false)
    }
}

/// Goal: an operation whose trigger was lost as another JobManager took over ends with what the history shows, or as unknown with its reason.
/// Method: the stand-in goes through a takeover while the savepoint is under way.
@Suite struct TakeoverTests {
    @Test(arguments: ["1.14.3", "2.3.0"]) func aSavepointThatTheNewJobManagerHasInItsHistoryIsInferred(version: String) throws {
        let version = try #require(FlinkVersion(version))
        let cluster = try ScriptedCluster(version)
        defer { cluster.stop() }
        cluster.onPause { count in
            cluster.change { script in
                switch count {
                case 2..<5: script.takeover = .gone
                case 5..<9: script.takeover = .noLeader
                case 9..<14: (script.takeover, script.forgetsResults) = (.empty, true)
                default: if count >= 14 { script.takeover = nil }
                }
            }
        }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .completed && report.checkpoint == CheckpointID(5), "\(report)")
        #expect(report.inference == "the cluster has no result: #5 is the first after #4 in the checkpoint history")
    }

    @Test func withoutATraceItIsUnknownAndSaysWhy() throws {
        let cluster = try ScriptedCluster(FlinkVersion(2, 3, 0)) { $0.lostPosts = 0 }
        defer { cluster.stop() }
        cluster.onPause { count in if count == 1 { cluster.change { $0.takeover = .empty } } }
        let report = try cluster.run(.savepoint(directory: nil))
        #expect(report.state == .unknown && report.error == "the cluster knows neither the operation nor the job any more")
    }
}
