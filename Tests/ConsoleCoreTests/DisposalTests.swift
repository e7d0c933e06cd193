import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// Goal: a savepoint is deleted from where it is looked at, and only by somebody who was told what is lost with it. Method: keys go in, requests and
/// screens come out; the engine is a cluster, or one that cannot.
@Suite struct DisposalTests {
    private static let flink = EngineCapabilities(
        exactBudget: false, hasChecksums: false, canOverrideRetention: false, needsJarRecipe: true, canDispose: true, dialect: .flinkREST)
    private static let savepoint = Sample.checkpoint(4114, ago: 10_500_000, kind: .savepoint).path ?? ""

    private func console(
        _ contextClass: ContextClass = .lab, _ job: JobReport = Sample.running(), list: [CheckpointReport] = Sample.list, isReadOnly: Bool = false,
        capabilities: EngineCapabilities = flink
    ) -> ScriptedConsole {
        var console = ScriptedConsole([ContextDescription(name: "lab", class: contextClass, address: "http://x", isReadOnly: isReadOnly)])
        console.send(.engine(context: "lab", .capabilities(capabilities)))
        console.report([job])
        console.press("enter", "3")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, list)))
        _ = console.take()
        return console
    }

    private func select(_ id: UInt64, _ console: inout ScriptedConsole) {
        console.press("g")
        for _ in 0..<20 where console.model.selectedCheckpoint?.id != CheckpointID(id) { console.press("j") }
    }

    private func dispose(_ console: inout ScriptedConsole, _ path: String = "", neededBy jobs: [String]? = []) {
        console.press(":")
        console.type(path.isEmpty ? "dispose" : "dispose \(path)")
        console.press("enter")
        let asked = console.effects.compactMap { if case .send(_, .ask(.inspectForDeletion(let path))) = $0 { path } else { nil } }.last
        if let jobs, let asked { answer(asked, .init(jobs: jobs), &console) }
        console.advance(400)
    }

    private func answer(_ path: String, _ needs: SnapshotInspection.Needs, _ console: inout ScriptedConsole) {
        var found = SnapshotInspection(path: path, verdict: .ok)
        found.needs = needs
        console.send(.engine(context: "lab", .inspection(found)))
    }

    @Test func theSheetNamesPathSizeAndJobAndWhatIsLeft() {
        var console = console()
        select(4114, &console)
        dispose(&console)
        for part in [
            "DELETE A SAVEPOINT", "orders", "POST /savepoint-disposal", Self.savepoint, "1.42 GiB", "a newer one can be restored: #4120", "cannot be undone",
        ] {
            #expect(
                console.screen.replacing("\n", with: " ").contains(part) || part == Self.savepoint && console.screen.contains("savepoint-a41f9c-4114"),
                "\(part)\n\(console.screen)")
        }
        console.press("enter", "d", "d")
        #expect(console.sentOperations.isEmpty)
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [.dispose(path: Self.savepoint)] && console.sentOperations[0].expectedState == .running)
    }

    @Test func theNewestAndTheOnlyOneAreNamedSo() {
        let older = Sample.checkpoint(4100, ago: 20_000_000, kind: .savepoint)
        let newest = Sample.checkpoint(4114, ago: 10_500_000, kind: .savepoint)
        var job = Sample.running(state: .canceled)
        (job.latestCompleted, job.latestSavepoint) = (nil, newest)
        var console = console(.lab, job, list: [newest, older])
        dispose(&console)
        #expect(console.screen.contains("the NEWEST restorable one; what is left: #4100"), "\(console.screen)")
        #expect(console.screen.contains("restart then begins from #4100"), "\(console.screen)")
        console.press("esc")
        var alone = self.console(.lab, job, list: [newest])
        dispose(&alone)
        #expect(alone.screen.contains("the only restorable snapshot; deleting it cannot be undone"), "\(alone.screen)")
        // Said, and not forbidden.
        alone.press("y")
        #expect(alone.sentOperations.count == 1)
    }

    @Test func aCheckpointOfALiveJobAndOneThatIsGoneAreNotSent() {
        var console = console()
        dispose(&console)
        #expect(console.screen.contains("job is RUNNING and deletes its checkpoints itself"), "\(console.screen)")
        console.press("y", "esc")
        select(4117, &console)
        dispose(&console)
        #expect(console.screen.contains("its files are gone already"))
        console.press("y", "esc")
        select(4116, &console)
        dispose(&console)
        #expect(console.lastMessage.contains("no savepoint is selected"), "it failed and has no path")
        #expect(console.sentOperations.isEmpty)
    }

    @Test func whatAJobHasJustBegunFromIsKept() {
        var other = Sample.running(Sample.otherJob, name: "again")
        other.restored = RestoreReport(
            checkpoint: CheckpointID(4114), path: "file:" + Self.savepoint, kind: .savepoint, fromJob: Sample.job, at: Sample.ago(1000), stateSize: 1,
            chosen: true)
        var console = console()
        console.report([Sample.running(), other])
        select(4114, &console)
        dispose(&console)
        #expect(console.screen.contains("still needed by again b77c0100, which began from it"), "\(console.screen)")
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        other.latestCompleted = Sample.checkpoint(4121, ago: 500)
        console.report([Sample.running(), other])
        console.press("d", "d")
        #expect(!console.screen.contains("still needed") && console.screen.contains("again b77c0100 began from it"))
        console.press("y")
        #expect(console.sentOperations.count == 1)
    }

    @Test func whatALiveJobsCheckpointsNameIsKept() {
        var console = console()
        select(4114, &console)
        dispose(&console, neededBy: nil)
        #expect(console.screen.contains("looking at which jobs need its files"), "\(console.screen)")
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        answer(Self.savepoint, .init(jobs: ["again (b77c0100) needs 5 of its files: its checkpoint #41 names them"]), &console)
        #expect(console.screen.contains("[XX] again (b77c0100) needs 5 of its files"), "\(console.screen)")
        #expect(!console.screen.contains("a newer one can be restored"))
        console.press("y")
        #expect(console.sentOperations.isEmpty)
        answer(Self.savepoint, .init(jobs: [], problem: "the cluster does not answer"), &console)
        console.press("y")
        #expect(console.sentOperations.isEmpty && console.screen.contains("is not known: the cluster does not answer"))
        answer(Self.savepoint, .init(jobs: []), &console)
        console.press("y")
        #expect(console.sentOperations.count == 1)
    }

    @Test func stagingRequiresTheNameAndProductionAnUnlockAndAReason() {
        var staging = console(.staging)
        select(4114, &staging)
        dispose(&staging)
        staging.press("y", "enter")
        #expect(staging.sentOperations.isEmpty)
        staging.press("backspace")
        staging.type("orders")
        staging.press("enter")
        #expect(staging.sentOperations.isEmpty && staging.screen.contains("FINAL CHECK"), "\(staging.screen)")
        staging.advance(1000)
        staging.report([Sample.running()])
        #expect(staging.sentOperations.count == 1)

        var prod = console(.prod)
        select(4114, &prod)
        dispose(&prod)
        prod.type("orders")
        prod.press("enter")
        #expect(prod.sentOperations.isEmpty && prod.screen.contains("lab is locked"))
    }

    @Test func readOnlyContextsAndEnginesWithoutDisposalSayWhy() {
        var viewer = console(isReadOnly: true)
        select(4114, &viewer)
        dispose(&viewer)
        #expect(viewer.lastMessage == "lab is read-only here" && viewer.model.modals.isEmpty)
        var own = console(capabilities: EngineCapabilities())
        select(4114, &own)
        dispose(&own)
        #expect(own.lastMessage.contains("cannot delete savepoints: remove the directory once no job needs it") && own.model.modals.isEmpty)
        own.press("a")
        #expect(own.screen.contains(":dispose") && own.screen.contains("locked: weir 0.1 cannot"), "\(own.screen)")
    }

    @Test func theActionMenuLeadsThere() {
        var console = console()
        select(4114, &console)
        console.press("a")
        #expect(console.screen.contains(":dispose delete the selected savepoint"), "\(console.screen)")
        console.press(":")
        console.type("dispose")
        console.press("enter")
        #expect(console.screen.contains("DELETE A SAVEPOINT"))
    }

    @Test func aPathNeedsNoRow() {
        var console = console()
        dispose(&console, "/elsewhere/savepoint 1")
        #expect(console.screen.contains("not in the job's list"), "\(console.screen)")
        console.press("y")
        #expect(console.sentOperations.map(\.kind) == [.dispose(path: "/elsewhere/savepoint 1")])
    }

    @Test func afterADisposalTheFilesAreCheckedAndTheListShowsItGone() throws {
        var console = console()
        select(4114, &console)
        dispose(&console)
        console.press("y")
        let request = try #require(console.sentOperations.first)
        _ = console.take()
        let done = OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now, endedAt: console.now, path: Self.savepoint)
        console.send(.engine(context: "lab", .operation(done)))
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: Self.savepoint)))))
        #expect(console.lastMessage.contains("the engine says completed; not observed yet"))
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Self.savepoint, verdict: .missing, problem: "no such directory"))))
        #expect(console.lastMessage.contains("observed: gone from its path"))
        // The cluster's list does not know.
        console.report([Sample.running()], operations: [done])
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        #expect(console.model.live.job(JobKey(context: "lab", job: Sample.job))?.latestSavepoint?.discarded == true)
        #expect(console.model.live.memory(JobKey(context: "lab", job: Sample.job))[CheckpointID(4114)]?.isRestorable == false)
        console.press("6")
        #expect(console.screen.contains("dispose"))
    }

    @Test func filesThatRemainAreReported() throws {
        var console = console()
        select(4114, &console)
        dispose(&console)
        console.press("y")
        let request = try #require(console.sentOperations.first)
        console.send(.engine(context: "lab", .operation(OperationReport(request: request, jobName: "orders", state: .completed, acceptedAt: console.now))))
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Self.savepoint, verdict: .ok))))
        #expect(console.lastMessage.contains("there are files at"))
        #expect(console.model.live.operations.first?.stage == .completed)
    }
}
