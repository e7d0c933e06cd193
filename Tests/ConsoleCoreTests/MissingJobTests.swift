// Goal: a job that its cluster has forgotten is not a job that never was; a list that is empty for the seconds of a failover says nothing.

import StreamModel
import Testing

@testable import ConsoleCore

@Suite struct MissingJobTests {
    private static let flink = EngineCapabilities(exactBudget: false, needsJarRecipe: true, dialect: .flinkREST, savesBesideCheckpoints: false)

    private func console(_ jobs: [JobReport] = [Sample.running()]) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report(jobs)
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report(jobs)
        console.model.enter(JobKey(context: "lab", job: Sample.job))
        console.model.screens = [.overview, .job]
        console.send(.engine(context: "lab", .checkpoints(Sample.job, Sample.list)))
        console.model.screens = [.overview]
        _ = console.take()
        return console
    }

    /// Empty lists for so long, one a second.
    private func forget(_ console: inout ScriptedConsole, seconds: Int) {
        for _ in 0..<seconds {
            console.advance(1000)
            console.report([])
        }
    }

    @Test(arguments: [1, 8]) func anEmptyListInAFailoverIsNotTheEndOfTheJobs(seconds: Int) {
        var console = console()
        forget(&console, seconds: seconds)
        let screen = console.screen
        #expect(screen.contains("orders") && screen.contains("MISSING") && !screen.contains("no jobs"), "\(screen)")
        #expect(screen.contains("not in the cluster's list") && screen.contains("jobs 1: 0"), "\(screen)")
        // Nothing can be sent to it, and nothing is launched beside what may come back.
        for key in ["S", "X", "C", "R"] {
            console.press(key)
            #expect(console.model.modals.isEmpty && console.sentOperations.isEmpty, "\(key)")
        }
        console.report([Sample.running()])
        #expect(console.screen.contains("RUNNING") && !console.screen.contains("MISSING"))
    }

    @Test func aJobThatIsForgottenStaysAsGoneAndRings() {
        var console = console()
        forget(&console, seconds: 17)
        let screen = console.screen
        #expect(screen.contains("GONE (JobManager restarted?)") && screen.contains("orders"), "\(screen)")
        #expect(console.effects.filter { $0 == .bell }.count == 2, "once as missing, once as gone")
        #expect(console.model.overviewRows.first?.condition.severity == .crit)
        // It stays that.
        forget(&console, seconds: 60)
        #expect(console.screen.contains("GONE (JobManager restarted?)"))
    }

    @Test func whatIsGoneIsRestartedFromAKeptCheckpoint() {
        var console = console()
        forget(&console, seconds: 17)
        let recipe = JarRecipe(jar: .file("/jars/orders.jar"), entryClass: nil, arguments: [], parallelism: nil)
        console.send(.recipe(context: "lab", Sample.job, recipe))
        console.press("R")
        #expect(console.screen.contains("4120") && console.screen.contains("chk-4120"), "\(console.screen)")
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Sample.list[0].path ?? "", verdict: .ok))))
        console.press("enter", "enter")
        console.advance(400)
        console.press("y")
        guard case .restart(let options)? = console.sentOperations.first?.kind else { return #expect(Bool(false), "\(console.screen)") }
        #expect(options.path == Sample.list[0].path && !options.cancelsFirst && options.recipe == recipe)
    }

    @Test func aNewRunOfTheNameTakesItsPlace() {
        var console = console()
        forget(&console, seconds: 17)
        console.report([Sample.running(Sample.otherJob)])
        #expect(console.model.overviewRows.map(\.id.job) == [Sample.otherJob])
    }

    @Test func jobsThatHadEndedAreNotMissed() {
        var console = console([Sample.running(state: .canceled)])
        forget(&console, seconds: 2)
        #expect(console.screen.contains("no jobs"))
    }

    // MARK: Of an earlier console

    /// A console that was opened after the JobManager had come back empty; the ledger knows better.
    private func later(_ jobs: [JobReport], remembered: [LiveJob] = [LiveJob(id: Sample.job, name: "orders", seenAt: Sample.ago(60_000))]) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.send(.engine(context: "lab", .capabilities(Self.flink)))
        console.report(jobs)
        console.send(.remembered(remembered, context: "lab"))
        console.report(jobs)
        return console
    }

    @Test func aJobThatOnlyTheLedgerKnowsAsLiveIsMissedToo() {
        var console = later([])
        #expect(console.screen.contains("orders") && console.screen.contains("MISSING"), "\(console.screen)")
        forget(&console, seconds: 17)
        let screen = console.screen
        #expect(screen.contains("GONE (JobManager restarted?)") && screen.contains("jobs 1: 0 ok"), "\(screen)")
        #expect(console.effects.contains(.bell))
        // It is asked once: what comes back, and what is launched anew, is not missed again.
        console.report([Sample.running(Sample.otherJob)])
        console.report([Sample.running(Sample.otherJob)])
        #expect(console.model.overviewRows.map(\.id.job) == [Sample.otherJob])
    }

    @Test func whatIsListedOrLaunchedAnewIsNotMissed() {
        for jobs in [[Sample.running()], [Sample.running(state: .canceled)], [Sample.running(Sample.otherJob)]] {
            var console = later(jobs)
            for _ in 0..<17 {
                console.advance(1000)
                console.report(jobs)
            }
            #expect(!console.screen.contains("GONE") && !console.screen.contains("MISSING"), "\(console.screen)")
        }
    }

    /// Where the engine brings its jobs back by itself, its list is the truth.
    @Test func anEngineThatForgetsNothingIsBelieved() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        console.report([])
        #expect(console.screen.contains("no jobs"))
    }
}
