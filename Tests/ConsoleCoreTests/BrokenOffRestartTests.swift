import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: a job that was ended for a restart and never launched is seen at once, and R goes on with what was chosen. Method: what an earlier
/// process recorded is told to a console.
@Suite struct BrokenOffRestartTests {
    private static var options: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        options.recipe = JarRecipe(jar: .uploaded("x_orders.jar"), entryClass: nil, arguments: [], parallelism: 4)
        return options
    }
    private static let path = Sample.list[0].path ?? ""
    private static let request = OperationRequest(
        // A literal of plain characters.
        id: OperationID("90c2a41f00000001")!, kind: .restart(options), job: Sample.job, expectedState: .running, reason: "INC-7", by: "ana@ops")

    private func found(_ state: OperationReport.State = .interrupted) -> OperationReport {
        OperationReport(
            request: Self.request, jobName: "orders", state: state, acceptedAt: Sample.ago(60_000), checkpoint: Sample.list[0].id, path: Self.path,
            error: "orders was canceled for restart 90c2 and never launched: 'weir resume 90c2a41f00000001' goes on with it")
    }

    private func console(size: Size = Size(columns: 80, rows: 24)) -> ScriptedConsole {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: .lab, address: "x")], options: ConsoleOptions(size: size))
        console.report([Sample.running(state: .canceled)])
        _ = console.take()
        console.send(.reattached([found()], context: "lab"))
        return console
    }

    @Test(arguments: [Size(columns: 80, rows: 24), Size(columns: 160, rows: 45)]) func overviewAndJobScreenSayIt(size: Size) {
        var console = console(size: size)
        let line = "orders was canceled for restart 90c2 and never launched"
        #expect(console.effects.contains(.bell))
        #expect(console.screen.contains(line), "\(console.screen)")
        #expect(console.lastMessage.contains(line))
        console.press("enter")
        #expect(console.screen.contains("\(line): R goes on with it"), "\(console.screen)")
        console.press("6")
        #expect(console.screen.contains("interrupted"), "\(console.screen)")
    }

    @Test func rGoesOnWithWhatWasChosen() {
        var console = console()
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        _ = console.take()
        console.press("R")
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: Self.path)))))
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Self.path, verdict: .ok))))
        console.advance(400)
        console.press("y")
        #expect(console.effects.contains(.send(context: "lab", .goOn(Self.request))), "\(console.screen)")
        #expect(console.sentOperations.isEmpty, "it is no new operation")
        // It is refused, and is as broken off as before.
        console.send(.engine(context: "lab", .refused(Self.request.id, message: "another run of orders is RUNNING already")))
        #expect(console.lastMessage.contains("another run of orders"))
        #expect(console.model.live.operations.first?.stage == .interrupted)
        console.report([Sample.running(state: .canceled)], operations: [found(.completed)])
        #expect(console.model.live.contexts[0].interrupted.isEmpty)
    }

    @Test func escapeChoosesAnew() {
        var console = console()
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.press("R")
        console.advance(400)
        console.press("esc")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.step == .options && chooser.sheet == nil)
    }

    // Launched by other means, or by another restart: nobody is told to go on.
    @Test func aJobThatRunsAgainIsNotGoneOnWith() {
        var console = console()
        console.report([Sample.running(state: .canceled), Sample.running(Sample.otherJob)])
        #expect(console.model.interruptedRestart(JobKey(context: "lab", job: Sample.job)) == nil)
        #expect(!console.screen.contains("never launched: R"), "\(console.screen)")
    }

    @Test func whatAnotherProcessCarriesOutIsSaidToBeThat() {
        var console = ScriptedConsole()
        console.report([Sample.running(state: .cancelling)])
        var report = found(.accepted)
        (report.error, report.activity) = (nil, "being carried out by pid 7 on ops1")
        console.send(.recorded([report], context: "lab"))
        console.advance(60_000)
        console.report([Sample.running(state: .cancelling)])
        console.press("6")
        #expect(console.screen.contains("accepted") && console.screen.contains("being carried out"), "\(console.screen)")
    }

    @Test func theSavepointOfAStopThatFailedAfterItIsOffered() {
        var console = ScriptedConsole()
        console.report([Sample.running(state: .failed)])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        let stop = OperationRequest(id: OperationID(random: 5), kind: .stop(drain: false, directory: nil), job: Sample.job)
        let path = "file:/data/savepoints/savepoint-000000-000000000000"
        console.report(
            [Sample.running(state: .failed)],
            operations: [
                OperationReport(
                    request: stop, jobName: "orders", state: .failed, acceptedAt: console.now, path: path,
                    error: "the savepoint \(path) is whole; sinks may not have committed: restart from it")
            ])
        console.press("R")
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.candidates(console.model).first?.path == path)
    }

    @Test func whatEndedAFinishedJobIsSaid() {
        var job = Sample.running(state: .finished)
        var console = ScriptedConsole()
        console.report([job])
        console.press("enter")
        #expect(console.screen.contains("FINISHED: the input has ended"), "\(console.screen)")
        let stop = OperationRequest(id: OperationID(random: 5), kind: .stop(drain: false, directory: nil), job: Sample.job)
        console.report(
            [job],
            operations: [
                OperationReport(request: stop, jobName: "orders", state: .completed, acceptedAt: console.now, checkpoint: CheckpointID(4121), path: "/sp")
            ])
        #expect(console.screen.contains("FINISHED: stopped with savepoint #4121"), "\(console.screen)")
        // By somebody else's stop.
        job.latestSavepoint = Sample.checkpoint(4130, ago: 1000, kind: .synchronousSavepoint)
        var other = ScriptedConsole()
        other.report([job])
        other.press("enter")
        #expect(other.screen.contains("FINISHED: stopped with savepoint #4130"), "\(other.screen)")
    }

    private static func ended(by kind: OperationRequest.Kind, deleting deleted: Int? = nil) -> OperationReport {
        let request = OperationRequest(id: OperationID(random: 5), kind: kind, job: Sample.job, by: "ana@ops")
        var report = OperationReport(
            request: request, jobName: "orders", state: .completed, acceptedAt: Sample.start, checkpoint: CheckpointID(4121), path: "/sp")
        report.deletedCheckpoints = deleted
        return report
    }

    private func wide() -> ScriptedConsole {
        var console = ScriptedConsole()
        console.send(.resize(Size(columns: 160, rows: 40)))
        return console
    }

    private static var cancelFirst: OperationRequest.Kind {
        var options = RestartOptions(path: "/x")
        options.cancelsFirst = true
        return .restart(options)
    }

    @Test(arguments: [
        (JobState.finished, ended(by: .stop(drain: false, directory: nil)), "FINISHED: stopped with savepoint #4121 by ana@ops"),
        (.canceled, ended(by: .cancel(.keep)), "CANCELED by ana@ops: checkpoints are kept"),
        (.canceled, ended(by: .cancel(.discard), deleting: 1), "CANCELED by ana@ops: 1 checkpoint deleted"),
        (.canceled, ended(by: .cancel(.discard), deleting: 100), "CANCELED by ana@ops: 100 checkpoints deleted"),
        (.canceled, ended(by: cancelFirst), "CANCELED for restart \(OperationID(random: 5).short) by ana@ops: checkpoints are kept"),
        (.canceled, ended(by: .savepoint(directory: nil)), "CANCELED: checkpoints are kept"),
    ]) func `the end of a job names the operation that ended it`(state: JobState, report: OperationReport, words: String) {
        var console = wide()
        console.report([Sample.running(state: state)], operations: [report])
        #expect(console.screen.contains(words), "\(console.screen)")
        console.press("enter")
        #expect(console.screen.contains(words), "\(console.screen)")
    }

    // A restart of a job that an operator had canceled before is not what ended it.
    @Test func `the first operation that ended a job is the reason`() {
        var cancel = Self.ended(by: .cancel(.keep)), restart = Self.ended(by: Self.cancelFirst)
        cancel.request.id = OperationID(random: 6)
        restart.acceptedAt = Sample.start + 1000
        var console = wide()
        console.report([Sample.running(state: .canceled)], operations: [restart, cancel])
        #expect(console.screen.contains("CANCELED by ana@ops: checkpoints are kept"), "\(console.screen)")
    }
}
