import CellGrid
import StreamModel
import Testing

@testable import ConsoleCore

/// What the ledger remembers stands beside what engines tell, and is never taken for it.
@Suite struct HistoryTests {
    private let own = HistoryScope(job: Sample.job.description)

    private func questions(_ console: ScriptedConsole) -> [HistoryQuestion] {
        console.effects.compactMap { if case .loadHistory(let question) = $0 { question } else { nil } }
    }

    /// At the job, with the engine's list and what is remembered.
    private func console(_ job: JobReport = Sample.running(), list: [CheckpointReport] = Sample.list) -> ScriptedConsole {
        var console = ScriptedConsole()
        console.report([job])
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, list)))
        console.send(.history(HistoryQuestion(own), Sample.remembered.filter { $0.job == Sample.job }, total: 6))
        return console
    }

    @Test func `a job's past is read once, when the job is shown`() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        #expect(questions(console).isEmpty, "not for the overview")
        console.press("enter")
        #expect(questions(console) == [HistoryQuestion(own)])
        console.press("3", "2", "3")
        console.advance(3000)
        #expect(questions(console).count == 1, "one question is under way")
        console.send(.history(HistoryQuestion(own), [], total: 0))
        console.press("2", "3")
        console.advance(3000)
        #expect(questions(console).count == 1, "it is known now that there is none")
        console.press("r")
        #expect(questions(console).count == 2, "asked for anew")
    }

    @Test func `remembered rows are merged with the engine's, and marked`() {
        var console = console()
        console.press("3")
        #expect(console.model.checkpointRows.map(\.id.rawValue) == [4120, 4119, 4118, 4117, 4116, 4115, 4114, 4113, 4112, 4111, 4110, 4109])
        #expect(console.screen.contains("8 listed, 4 remembered*"))
        let lines = console.screen.split(separator: "\n").filter { $0.contains("4111*") }
        #expect(lines.count == 1 && lines.first?.contains(" past ") == true, "\(lines)")
        #expect(console.screen.split(separator: "\n").contains { $0.contains("4112*") && $0.contains("unknown") && $0.contains("3/8") }, "it does not run")
        #expect(!console.screen.contains("4113*"), "the engine's own word stands")
        _ = console.take()
        console.press("G")
        #expect(console.model.selectedCheckpoint?.id == CheckpointID(4109))
        console.press("enter")
        #expect(console.screen.contains("its engine no longer lists it") && console.screen.contains("the ledger keeps no operators"))
        #expect(!console.effects.contains { if case .send(_, .ask(.checkpoint)) = $0 { true } else { false } }, "the engine cannot tell")
    }

    @Test func `checkpoints that an engine drops stay on the screen`() {
        var console = console()
        console.press("3")
        // A cluster whose history has ten rows, and a JobManager that begins with an empty one.
        console.send(.engine(context: "lab", .checkpoints(Sample.job, [Sample.list[0]])))
        #expect(console.model.checkpointRows.map(\.id.rawValue) == [4120, 4119, 4118, 4117, 4116, 4115, 4114, 4113, 4112, 4111, 4110, 4109])
        #expect(console.screen.contains("4119*"))
        console.report([])
        #expect(console.model.checkpointRows.count == 12, "nor with the job")
        console.report([Sample.running()])
        #expect(console.model.checkpointRows.count == 12)
        #expect(Set(console.model.checkpointRows.map(\.id)).count == 12)
    }

    @Test func `a frozen screen shows nothing newer`() {
        var console = console()
        console.press("3", "space")
        let rows = console.model.checkpointRows.count
        console.advance(60_000)
        var later = Sample.remembered[0]
        later.report.id = CheckpointID(4130)
        later.report.triggeredAt = console.now
        console.send(.history(HistoryQuestion(own), [later], total: 1))
        #expect(console.model.checkpointRows.count <= rows)
    }

    @Test func `the history of all jobs comes in pages`() {
        var console = ScriptedConsole()
        console.report([Sample.running()])
        func page(_ range: ClosedRange<UInt64>) -> [RememberedCheckpoint] {
            range.reversed().map { id in
                RememberedCheckpoint(
                    context: "lab", job: Sample.job, jobName: "orders", report: Sample.checkpoint(id, ago: Int64(100_000 - id) * 1000), fate: .unlisted,
                    firstSeenAt: Sample.start,
                    lastSeenAt: Sample.start)
            }
        }
        console.press(":")
        console.type("history")
        console.press("enter")
        #expect(questions(console) == [HistoryQuestion(HistoryScope())])
        #expect(console.screen.contains("reading the ledger"))
        let first = HistoryQuestion(HistoryScope())
        console.send(.history(first, page(501...1000), total: 1000))
        #expect(console.screen.contains("the newest 500 of 1000"))
        _ = console.take()
        console.press("j")
        #expect(questions(console).isEmpty)
        console.press("G")
        let next = HistoryQuestion(HistoryScope(), until: page(501...501)[0].report.triggeredAt)
        #expect(questions(console) == [next])
        console.send(.history(next, page(2...501), total: 1000))
        #expect(console.model.historyRows.count == 999 && Set(console.model.historyRows.map(\.rowID)).count == 999, "pages meet at one row")
        #expect(console.model.selectedRemembered?.report.id == CheckpointID(501), "the cursor stays")
        console.press("/")
        console.type("id:777")
        console.press("enter")
        #expect(console.model.historyRows.map(\.report.id) == [CheckpointID(777)])
        console.press("enter")
        #expect(console.model.currentJob == JobKey(context: "lab", job: Sample.job))
        #expect(console.screen.contains("checkpoint #777"))
    }

    @Test func `jobs unknown to every engine are found by name`() {
        var console = ScriptedConsole()
        console.report([])
        console.press(":")
        console.type("history orders")
        console.press("enter")
        console.send(.history(HistoryQuestion(HistoryScope(job: "orders")), Sample.remembered, total: 7))
        #expect(console.screen.contains("lab/orders") && console.screen.contains("unlisted"))
        console.press("y")
        #expect(console.effects.contains(.copy(Sample.remembered[0].report.path ?? "")))
        console.press("Y")
        #expect(console.effects.contains(.copy("weir checkpoints orders --history")))
        console.press("S")
        #expect(console.sentOperations.isEmpty)
        console.press("G", "enter")
        #expect(console.screen.contains("checkpoint #4109"))
    }

    @Test func `remembered snapshots are offered for a restart, marked, and verified`() throws {
        var console = console(Sample.running(state: .canceled))
        _ = console.take()
        console.press("R")
        let lineage = HistoryScope(context: "lab", job: "orders")
        #expect(questions(console) == [HistoryQuestion(lineage)], "the job's own past is known")
        console.send(.history(HistoryQuestion(lineage), Sample.remembered, total: 7))
        guard case .chooser(let chooser) = console.model.modals.last else { return #expect(Bool(false)) }
        let candidates = chooser.candidates(console.model)
        #expect(
            candidates.map { $0.checkpoint?.id.rawValue } == [4120, 4119, 4118, 4114, 4111, 4109, 4109],
            "newest first, of the earlier run too; neither what is gone nor what failed")
        #expect(candidates.map { $0.remembered != nil } == [false, false, false, false, true, true, true])
        _ = console.take()
        for _ in 0..<4 { console.press("j") }
        #expect(console.screen.contains("4111*") && console.screen.contains("in the ledger only"))
        let path = try #require(candidates[4].checkpoint?.path)
        #expect(console.effects.contains(.send(context: "lab", .ask(.inspect(path: path)))))
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: path, verdict: .missing, problem: "no such directory"))))
        console.press("enter")
        #expect(console.screen.contains("cannot be restored, missing"))
    }
}
