import CellGrid
import FoundationEssentials
import StreamModel
import Testing

@testable import ConsoleCore

/// Every screen as text and as role letters, at seven sizes, in UTF-8 and ASCII. To accept new ones, look at the difference and run
///     WEIR_RECORD_GOLDENS=1 swift test --filter GoldenScreenTests
@Suite struct GoldenScreenTests {
    static let sizes = [
        Size(columns: 40, rows: 6), Size(columns: 60, rows: 15), Size(columns: 79, rows: 24), Size(columns: 80, rows: 24), Size(columns: 100, rows: 30),
        Size(columns: 120, rows: 40), Size(columns: 160, rows: 50),
    ]

    @Test(arguments: Scene.all) func screenIsAsRecorded(_ scene: Scene) throws {
        for size in Self.sizes {
            for glyphs in [GlyphProfile.braille, .ascii] {
                var console = scene.console(size)
                console.send(.resize(size))
                let frame = console.frame(size, glyphs: glyphs)
                let name = "\(scene.name)-\(size.columns)x\(size.rows)-\(glyphs == .ascii ? "ascii" : "utf8")"
                try Golden.check(name, frame.text + "\n" + String(repeating: "=", count: size.columns) + "\n" + frame.roleLetters + "\n")
                if glyphs == .ascii { #expect(frame.text.utf8.allSatisfy { $0 < 0x7f }, "\(name) has a character beyond ASCII") }
            }
        }
    }

    @Test(arguments: Scene.all) func unchangedModelRendersTheSameFrame(_ scene: Scene) {
        let console = scene.console(Size(columns: 80, rows: 24))
        #expect(CellDiff.runs(from: console.frame(console.model.size), to: console.frame(console.model.size)).isEmpty)
    }
}

/// A recorded file beside the tests.
enum Golden {
    static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Goldens")
    static let isRecording = ProcessInfo.processInfo.environment["WEIR_RECORD_GOLDENS"] == "1"

    static func check(_ name: String, _ text: String) throws {
        let file = directory.appendingPathComponent(name + ".txt")
        if isRecording { return try text.write(to: file, atomically: true, encoding: .utf8) }
        let recorded = try String(contentsOf: file, encoding: .utf8)
        guard recorded != text else { return }
        let before = recorded.split(separator: "\n", omittingEmptySubsequences: false)
        let after = text.split(separator: "\n", omittingEmptySubsequences: false)
        let line = zip(before, after).enumerated().first { $1.0 != $1.1 }?.offset ?? min(before.count, after.count)
        Issue.record("\(name), line \(line + 1):\n- \(line < before.count ? before[line] : "")\n+ \(line < after.count ? after[line] : "")")
    }
}

/// A named state of the console to look at.
struct Scene: Sendable, CustomTestStringConvertible {
    let name: String
    private let build: @Sendable (inout ScriptedConsole) -> Void
    private var contexts = [ContextDescription(name: "lab", class: .lab, address: "/run/weir/engine.sock")]

    var testDescription: String { name }

    private init(_ name: String, _ build: @escaping @Sendable (inout ScriptedConsole) -> Void) {
        self.name = name
        self.build = build
    }

    func console(_ size: Size) -> ScriptedConsole {
        // Boxes cannot be opened on a small terminal, so the script runs at full size.
        let scripted = Size(columns: max(size.columns, ConsoleModel.fullSize.columns), rows: max(size.rows, ConsoleModel.fullSize.rows))
        var console = ScriptedConsole(contexts, options: ConsoleOptions(size: scripted))
        build(&console)
        return console
    }

    private static func up(_ console: inout ScriptedConsole, _ job: JobReport = Sample.running()) {
        for step in 0..<12 {
            var report = job
            report.throughput.recordsReadPerSecond? += Double(step * 4000)
            console.report(step == 11 ? [job, Sample.running(Sample.otherJob, name: "billing-rollup")] : [report])
            if step < 11 { console.advance(1000) }
        }
    }

    private static func atJob(_ console: inout ScriptedConsole, _ job: JobReport = Sample.running()) {
        console.now = WallTime(milliseconds: Sample.start.milliseconds - 12_000)
        up(&console, job)
        console.send(.key(.character("1")))
        while console.model.focusedJob?.job != Sample.job { console.press("j") }
        console.press("enter")
        console.send(.engine(context: "lab", .checkpoints(Sample.job, job.budget.counted > 0 ? Sample.ailingList : Sample.list)))
        console.send(
            .engine(
                context: "lab",
                .failures(
                    Sample.job,
                    [
                        FailureReport(at: Sample.ago(7_200_000), message: "sink: no space left on device", vertex: "sink", subtask: 1, attempt: 1),
                        FailureReport(at: Sample.ago(7_300_000), message: "sink: no space left on device", vertex: "sink", subtask: 0, attempt: 1),
                    ])))
        console.send(.engine(context: "lab", .checkpoint(Sample.job, Sample.detail())))
        console.now = Sample.start
        console.report([job, Sample.running(Sample.otherJob, name: "billing-rollup")])
        console.model.messages = []
    }

    private static func chooser(_ console: inout ScriptedConsole) {
        var job = Sample.running(state: .canceled)
        job.stateSince = Sample.ago(1000)
        atJob(&console, job)
        console.press("R")
        console.send(.engine(context: "lab", .inspection(SnapshotInspection(path: Sample.list[0].path ?? "", verdict: .ok))))
        console.send(
            .engine(
                context: "lab",
                .inspection(SnapshotInspection(path: Sample.list[1].path ?? "", verdict: .damaged, problem: "state-3.bin: checksum mismatch"))))
    }

    static let all: [Scene] = [
        Scene("connecting") { _ in },
        Scene("overview") { console in
            console.now = WallTime(milliseconds: Sample.start.milliseconds - 12_000)
            up(&console)
            var sick = Sample.ailing()
            sick.name = "fraud-scoring"
            console.now = Sample.start
            console.report([sick, Sample.running(Sample.otherJob, name: "billing-rollup")])
            console.send(.engine(context: "prod-eu", .link(.down(reason: "connection refused", retryAt: Sample.start + .seconds(8), attempts: 5))))
        }.with([
            ContextDescription(name: "lab", class: .lab, address: "/run/weir/engine.sock"),
            ContextDescription(name: "prod-eu", class: .prod, address: "/run/weir/prod.sock"),
        ]),
        Scene("overview-columns") { console in
            console.now = WallTime(milliseconds: Sample.start.milliseconds - 12_000)
            up(&console, Sample.ailing())
            console.press(":")
            console.type("columns")
            console.press("enter", "j", "space", "j", "j", "space", "j", "space")
        },
        Scene("job") { atJob(&$0) },
        Scene("job-audited") { console in
            var job = Sample.running()
            job.audit = SequenceAudit(verified: 1_200_000, duplicates: 0, lost: 0, replayed: 12_300, toReplay: 12_300)
            job.restored = RestoreReport(
                checkpoint: CheckpointID(4113), path: "/x", kind: .checkpoint, fromJob: Sample.otherJob, at: Sample.ago(40_000), stateSize: 1,
                chosen: true)
            atJob(&console, job)
        },
        Scene("job-ailing") { atJob(&$0, Sample.ailing()) },
        Scene("job-stale") { console in
            atJob(&console)
            console.advance(12_000)
        },
        Scene("job-link-down") { console in
            atJob(&console)
            console.send(.engine(context: "lab", .link(.down(reason: "connection refused", retryAt: console.now + .seconds(8), attempts: 5))))
        },
        Scene("job-frozen") { console in
            atJob(&console)
            console.press("space")
        },
        Scene("checkpoints") { console in
            atJob(&console)
            console.press("3", "j", "j")
        },
        Scene("checkpoint-detail") { console in
            atJob(&console)
            console.press("enter")
        },
        Scene("checkpoint-subtasks") { console in
            atJob(&console)
            console.press("enter", "j", "enter")
        },
        Scene("failures") { console in
            atJob(&console)
            console.press("5")
        },
        Scene("operations") { console in
            atJob(&console)
            console.press("S", "6")
        },
        Scene("operations-sideways") { console in
            atJob(&console)
            let request = OperationRequest(id: OperationID(random: 3), kind: .cancel(.keep), job: Sample.job, by: "mira@ops2")
            let refused =
                "the job keeps no checkpoint when it ends, and Flink has no other way: take a savepoint first, stop it with a savepoint, or discard its state on purpose"
            console.report(
                [Sample.running()], operations: [OperationReport(request: request, jobName: "orders", state: .failed, acceptedAt: console.now, error: refused)])
            console.press("6", "l", "l")
        },
        Scene("messages") { console in
            atJob(&console)
            console.send(.notice("checkpoints are not recorded; actions are: ledger: no space left for /home/jdoe/.local/state/weir/ledger.sqlite; free some"))
            console.advance(1000)
            console.send(
                .engine(context: "lab", .requestFailed("the cluster did not answer within 8 s: GET http://jobmanager:8081/jobs/a41f9c0000000001/checkpoints")))
            console.press("M")
        },
        Scene("failures-on-hosts") { console in
            atJob(&console, Sample.ailing())
            console.send(.engine(context: "lab", .failures(Sample.job, Sample.failuresOnHosts)))
            console.press("5")
        },
        Scene("failures-filtered") { console in
            atJob(&console, Sample.ailing())
            console.send(.engine(context: "lab", .failures(Sample.job, Sample.failuresOnHosts)))
            console.press("5", "/")
            console.type("!kind:checkpoint ~timeout|space")
        },
        Scene("checkpoints-sorted") { console in
            atJob(&console)
            console.press("3", "o", "o", "o", "o", "o", "j")
        },
        Scene("checkpoints-remembered") { console in
            atJob(&console)
            console.press("3")
            console.send(.history(HistoryQuestion(HistoryScope(job: Sample.job.description)), Sample.remembered.filter { $0.job == Sample.job }, total: 6))
        },
        Scene("history") { console in
            console.press(":")
            console.type("history")
            console.press("enter")
            console.send(.history(HistoryQuestion(HistoryScope()), Sample.remembered, total: 4120))
            console.press("j")
        },
        Scene("metrics") { console in
            atJob(&console)
            var job = Sample.running()
            for second in 0..<150 {
                console.advance(1000)
                job.throughput.recordsReadPerSecond = 60_000 + Double(second * 37 % 50) * 1500
                job.latestCompleted = Sample.checkpoint(4120 + UInt64(second / 3), ago: -Int64(second) * 1000, took: 700 + Int64(second * 53 % 400))
                job.vertices[1].busyPermille = 400 + second * 3
                console.report([job])
            }
            console.press("4", "j", "j", "enter")
            console.model.messages = []
        },
        Scene("metrics-past") { console in
            atJob(&console)
            var job = Sample.running()
            for second in 0..<90 {
                console.advance(1000)
                job.throughput.recordsReadPerSecond = 60_000 + Double(second * 37 % 50) * 1500
                console.report([job])
            }
            console.press("4", "<", "<", "<")
        },
        Scene("config") { console in
            var job = Sample.running()
            job.recipe = JobRecipe(program: "orders", arguments: ["rate": "500", "kafka.password": "hunter2"], parallelism: 4)
            atJob(&console, job)
            console.press("7", "j")
        },
        Scene("contexts") { console in
            console.now = Sample.start
            console.report([Sample.running()])
            console.report([Sample.running(Sample.otherJob, name: "billing-rollup")], context: "prod-eu")
            console.send(.engine(context: "staging", .link(.down(reason: "connection refused", retryAt: Sample.start + .seconds(8), attempts: 5))))
            console.press("@", "j")
        }.with(Self.fourContexts),
        Scene("overview-contexts") { console in
            console.now = Sample.start
            console.report([Sample.running(), Sample.running(Sample.otherJob, name: "sessions")], context: "staging")
            console.advance(20_000)
            var sick = Sample.ailing()
            sick.name = "fraud-scoring"
            console.report([sick, Sample.running(Sample.otherJob, name: "billing-rollup")], context: "prod-eu")
            console.report([Sample.running()])
            console.send(.engine(context: "prod-us", .link(.down(reason: "connection refused", retryAt: console.now + .seconds(8), attempts: 5))))
        }.with(Self.fourContexts),
        Scene("audit") { console in
            atJob(&console)
            console.press("S", "!")
            console.send(.audit(Sample.audit))
            console.press("j")
        },
        Scene("help") { console in
            atJob(&console)
            console.press("?")
        },
        Scene("demo") { console in
            atJob(&console)
            console.send(.caption(Caption(badge: "DEMO", text: "S: a savepoint. Sent, accepted and observed are not the same.", keys: "S")))
        }.with([ContextDescription(name: "lab", class: .demo, address: "/run/weir/engine.sock")]),
        Scene("themes") { console in
            atJob(&console)
            console.press("T")
        },
        Scene("actions") { console in
            atJob(&console)
            console.press("a")
        },
        Scene("sheet-savepoint") { console in
            atJob(&console)
            console.press("S")
        }.with([ContextDescription(name: "lab", class: .staging, address: "x")]),
        Scene("sheet-dispose") { console in
            console.send(
                .engine(
                    context: "lab",
                    .capabilities(
                        EngineCapabilities(exactBudget: false, hasChecksums: false, canOverrideRetention: false, canDispose: true, dialect: .flinkREST))))
            atJob(&console)
            console.press("3")
            for _ in 0..<6 { console.press("j") }
            console.press(":")
            console.type("dispose")
            console.press("enter")
        }.with([ContextDescription(name: "lab", class: .staging, address: "http://jobmanager:8081")]),
        Scene("sheet-cancel") { console in
            atJob(&console)
            console.press("C")
        },
        Scene("sheet-cancel-loses-state") { console in
            atJob(&console, Sample.running(retention: .deleteOnCancellation))
            console.press("C")
        },
        Scene("sheet-cancel-prod") { console in
            atJob(&console)
            console.press("C")
            console.advance(400)
            console.type("ord")
        }.with([ContextDescription(name: "lab", class: .prod, address: "x")]),
        Scene("sheet-stop") { console in
            atJob(&console)
            console.press("X")
        },
        Scene("restart-1-choose") { chooser(&$0) },
        Scene("restart-1-remembered") { console in
            chooser(&console)
            console.send(.history(HistoryQuestion(HistoryScope(job: Sample.job.description)), Sample.remembered.filter { $0.job == Sample.job }, total: 6))
            console.press("G")
        },
        Scene("restart-2-options") { console in
            chooser(&console)
            console.press("enter", "j", "space")
        },
        Scene("restart-3-confirm") { console in
            chooser(&console)
            console.press("enter", "enter")
        },
        Scene("restart-4-verify") { console in
            chooser(&console)
            console.press("enter", "enter")
            console.advance(400)
            console.press("y")
            guard let request = console.sentOperations.last else { return }
            console.advance(1000)
            var job = Sample.running(state: .canceled)
            job.stateSince = Sample.ago(1000)
            var restarted = Sample.running(Sample.otherJob, name: "orders")
            restarted.restored = RestoreReport(
                checkpoint: CheckpointID(4120), path: Sample.list[0].path ?? "", kind: .checkpoint, fromJob: Sample.job, at: console.now,
                stateSize: 1, chosen: true)
            restarted.audit = SequenceAudit(verified: 100, replayed: 40, toReplay: 100)
            console.report(
                [job, restarted],
                operations: [
                    OperationReport(
                        request: request, jobName: "orders", state: .completed, acceptedAt: console.now, path: Sample.list[0].path,
                        newJob: Sample.otherJob)
                ])
        },
        Scene("log") { console in
            atJob(&console)
            console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing-rollup")], logEnd: 90)
            console.press("L")
            console.send(.engine(context: "lab", .log(Sample.log)))
            console.press("k", "k", "k")
        },
        Scene("log-engine") { console in
            atJob(&console)
            console.report([Sample.running(), Sample.running(Sample.otherJob, name: "billing-rollup")], logEnd: 90)
            console.press("L", "L")
            console.send(.engine(context: "lab", .log(Sample.log)))
        },
        Scene("completions") { console in
            atJob(&console)
            console.press(":")
            console.type("restore ")
            console.press("tab", "tab", "tab")
        },
        Scene("command-line") { console in
            atJob(&console)
            console.press(":")
            console.type("savep")
        },
    ]

    private static let fourContexts = [
        ContextDescription(name: "lab", class: .lab, address: "/run/weir/engine.sock"),
        ContextDescription(name: "prod-eu", class: .prod, address: "https://flink-eu.example.org:8081/prefix", accent: "red"),
        ContextDescription(name: "prod-us", class: .prod, address: "https://flink-us.example.org:8081", isReadOnly: true),
        ContextDescription(name: "staging", class: .staging, address: "http://staging:8081", guardClass: .prod),
    ]

    private func with(_ contexts: [ContextDescription]) -> Scene {
        var scene = self
        scene.contexts = contexts
        return scene
    }
}
