import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// The restart loop: choose, options, confirm, and a proof that claims nothing before a report shows it.
@Suite struct RestartTests {
    private static let chosen = Sample.list[1]

    /// A canceled job with its list, the chooser open, and all files ok.
    private func chooser(_ state: JobState = .canceled, _ contextClass: ContextClass = .lab) -> ScriptedConsole {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: contextClass, address: "x")])
        console.report([Sample.running(state: state)])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        _ = console.take()
        console.press("R")
        return console
    }

    private func verdict(
        _ console: inout ScriptedConsole, _ checkpoint: CheckpointReport, _ verdict: SnapshotInspection.Verdict, _ problem: String? = nil
    ) {
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: checkpoint.path ?? "", verdict: verdict, problem: problem))))
    }

    private func newJob(_ path: String, _ id: CheckpointID) -> JobReport {
        var job = Sample.running(Sample.otherJob)
        job.state = .initializing
        job.latestCompleted = nil
        job.throughput = Throughput()
        job.vertices = Sample.vertices.map { vertex in
            var vertex = vertex
            vertex.runningSubtasks = 0
            return vertex
        }
        job.restored = RestoreReport(checkpoint: id, path: path, kind: .checkpoint, fromJob: Sample.job, at: Sample.start, stateSize: 1, chosen: true)
        job.audit = SequenceAudit()
        return job
    }

    @Test func openingReadsTheFilesOfTheFirstRows() {
        let console = chooser()
        let inspected = console.effects.compactMap { if case .send(_, .ask(.inspect(let path))) = $0 { path } else { nil } }
        #expect(inspected == Sample.list.prefix(3).compactMap(\.path))
        #expect(console.effects.contains(.flushInput))
        #expect(console.screen.contains(".. reading"))
        #expect(!console.screen.contains("4117"), "what was discarded is not offered")
    }

    @Test func damagedSnapshotsCannotBeChosen() {
        var console = chooser()
        verdict(&console, Sample.list[0], .damaged, "state-3.bin: checksum mismatch")
        #expect(console.screen.contains("XX damaged"))
        console.press("enter")
        #expect(console.screen.contains("cannot be chosen, damaged: state-3.bin: checksum mismatch"))
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        #expect(chooser.step == .choose)
    }

    @Test func filesStillBeingReadHoldTheConfirmation() {
        var console = chooser()
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("wait: the files are being read"))
        verdict(&console, Sample.list[0], .ok)
        console.press("y")
        #expect(console.sentOperations.count == 1)
    }

    @Test func damageFoundAfterTheChoiceStopsIt() {
        var console = chooser()
        console.press("enter", "enter")
        console.advance(400)
        verdict(&console, Sample.list[0], .missing, "_metadata is missing")
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("_metadata is missing"))
    }

    @Test func theWholeLoopIsProvenStepByStep() throws {
        var console = chooser()
        console.press("j")
        verdict(&console, Self.chosen, .ok)
        console.press("enter")
        console.press("enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let path = try #require(Self.chosen.path)
        var expected = RestartOptions(path: path)
        expected.cancelsFirst = false
        #expect(request.kind == .restart(expected))
        #expect(request.expectedState == .canceled)
        #expect(console.screen.contains("VERDICT  WAITING"))

        console.advance(500)
        var operation = OperationReport(request: request, jobName: "orders", state: .running, acceptedAt: console.now)
        let old = Sample.running(state: .canceled)
        console.report([old], operations: [operation])
        #expect(console.screen.contains("VERDICT  WAITING"))

        operation.state = .completed
        operation.newJob = Sample.otherJob
        operation.path = path
        console.report([old], operations: [operation])
        #expect(console.screen.contains("[ok] 1 launched"))
        #expect(console.screen.contains("VERDICT  LAUNCHED"))

        var job = newJob(path, Self.chosen.id)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("[ok] 2 restored id"))
        #expect(console.screen.contains("VERDICT  LAUNCHED"))

        job.state = .running
        job.vertices = Sample.vertices
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("RESUMED FROM #4119 - not yet proven durable (step 4, 5 pending)"))

        job.throughput.recordsRead = 1200
        job.audit = SequenceAudit(verified: 1200, duplicates: 0, lost: 0, replayed: 800, toReplay: 800)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("(step 4 pending)"))

        job.latestCompleted = Sample.checkpoint(4121, ago: 0)
        console.report([old, job], operations: [operation])
        #expect(console.screen.contains("VERDICT  RESUMED+DURABLE FROM #4119"))
        #expect(console.screen.contains("0 duplicates, 0 lost in 1200 records; replayed 800/800"))
        #expect(console.model.live.operations[0].stage == .proven)
        console.press("q")
        #expect(console.model.currentJob?.job == Sample.otherJob)
    }

    @Test func aJobThatRunsFromSomethingElseIsAMismatch() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        let operation = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, newJob: Sample.otherJob)
        var job = newJob("/elsewhere/chk-1", CheckpointID(1))
        job.state = .running
        console.report([Sample.running(state: .canceled), job], operations: [operation])
        #expect(console.screen.contains("MISMATCH"))
        #expect(console.effects.contains(.bell))
        _ = console.take()
        console.press("C")
        #expect(console.screen.contains("CANCEL, KEEP CHECKPOINTS"))
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.map(\.job) == [Sample.otherJob])
    }

    @Test func aRefusedRestartIsNeverCalledLaunched() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        let request = try #require(console.sentOperations.last)
        console.send(.engine(context: "lab", .refused(request.id, message: "state for operator \"old-sink\" has no place in the job")))
        #expect(console.screen.contains("REFUSED: state for operator"))
        #expect(!console.screen.contains("[ok]"))
    }

    @Test func restartingARunningJobSaysThatItIsCanceledFirst() throws {
        var console = chooser(.running)
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        #expect(console.screen.contains("it is canceled first, its checkpoints are kept"))
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.cancelsFirst)
    }

    @Test func optionsAreSetAndChecked() throws {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "space", "j", "space", "j", "5", "0", "0", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("parallelism 500 is not between 1 and 128"))
        console.press("esc", "backspace", "backspace", "enter")
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.claim == .claim && options.allowsUnmatchedState && options.parallelism == 5)
    }

    @Test(arguments: ["0", "99999999999999999999"]) func badParallelismIsRefused(_ text: String) {
        var console = chooser()
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "j", "j")
        console.type(text)
        console.press("enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func anyPathCanBeGiven() throws {
        var console = chooser()
        console.press(":")
        console.type("/mnt/backup/savepoint one")
        console.press("enter")
        let path = "/mnt/backup/savepoint one"
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: path)))))
        #expect(console.screen.contains("savepoint one"))
        console.send(
            .engine(context: "lab", .inspection(SnapshotInspection(path: path, verdict: .ok, checkpoint: CheckpointID(77), kind: .savepoint))))
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.last?.kind else { return #expect(Bool(false), "no restart was sent") }
        #expect(options.path == path)
        #expect(console.model.live.operations[0].proof?.chosenID == CheckpointID(77))
    }

    @Test func aJobWithoutARecipeCannotBeRestarted() {
        var console = ScriptedConsole()
        var job = Sample.running(state: .canceled)
        job.recipe = nil
        console.report([job])
        console.press("enter", "R")
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        #expect(console.screen.contains("no relaunch recipe"))
    }

    @Test func nothingToRestoreIsSaid() {
        var console = ScriptedConsole()
        var job = Sample.running(state: .canceled)
        (job.latestCompleted, job.latestSavepoint) = (nil, nil)
        console.report([job])
        console.press("enter", "R", "enter")
        #expect(console.screen.contains("no checkpoint of this job can be restored"))
        #expect(console.screen.contains(":restore PATH takes any path"))
    }

    @Test func productionNeedsItsWholeGuardHereToo() {
        var console = chooser(.canceled, .prod)
        verdict(&console, Sample.list[0], .ok)
        console.press("enter", "enter")
        console.advance(400)
        console.type("orders")
        console.press("enter", "y")
        #expect(console.sentOperations.isEmpty)
        console.press("esc", "esc", "esc", ":")
        console.type("unlock 15m")
        console.press("enter", "R", "enter", "enter")
        console.advance(400)
        console.type("orders")
        console.press("tab")
        console.type("INC-1")
        console.press("enter")
        #expect(console.sentOperations.isEmpty)
        console.report([Sample.running(state: .canceled)])
        console.advance(6000)
        #expect(console.sentOperations.count == 1)
        #expect(console.screen.contains("VERDICT  WAITING"))
    }
}
