// Goal: whatever step of an operation its client dies at, the next process, command or console, finds out the same and says the same.
// Method: a stand-in for a JobManager that stops answering at a step; the client is killed there, and its ledger is given to the next one.

import ConsoleCore
import EngineClients
import FlinkFake
import FlinkREST
import FoundationEssentials
import HostEnvironment
import Ledger
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import CommandLineApp

/// Where the client dies.
enum DeathStep: String, Sendable, CaseIterable {
    /// Written down; the first look at the job has no answer yet.
    case recorded
    /// The request has arrived; no later question has an answer.
    case sent
    /// The request was answered; the first look at its progress has no answer yet.
    case accepted
    /// It is done; what follows has no answer.
    case observed
}

@Suite(.enabled(if: weirExecutable != nil)) struct KilledClientTests {
    private let sandbox = Sandbox()
    private var ledgerPath: String { sandbox["state/weir/ledger.sqlite"] }

    struct Case: Sendable, CustomTestStringConvertible {
        var kind: OperationRequest.Kind
        var step: DeathStep
        var state: OperationReport.State
        /// Part of the error or of the activity.
        var words: String
        var testDescription: String { "\(kind.verb) \(step.rawValue)" }
    }

    private static var restart: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil)
        return options
    }

    private static let cases: [Case] = {
        let savepoint = OperationRequest.Kind.savepoint(directory: "/sp"), cancel = OperationRequest.Kind.cancel(.keep)
        let restart = OperationRequest.Kind.restart(KilledClientTests.restart), dispose = OperationRequest.Kind.dispose(path: "file:/cp/chk-9")
        return [
            Case(kind: savepoint, step: .recorded, state: .failed, words: "nothing was sent"),
            Case(kind: savepoint, step: .sent, state: .completed, words: ""),
            Case(kind: savepoint, step: .accepted, state: .completed, words: ""),
            Case(kind: savepoint, step: .observed, state: .completed, words: ""),
            Case(kind: cancel, step: .recorded, state: .failed, words: "nothing was sent"),
            Case(kind: cancel, step: .sent, state: .completed, words: ""),
            Case(kind: cancel, step: .accepted, state: .completed, words: ""),
            Case(kind: cancel, step: .observed, state: .completed, words: ""),
            Case(kind: restart, step: .recorded, state: .failed, words: "nothing was sent"),
            Case(kind: restart, step: .sent, state: .interrupted, words: "orders was canceled for restart"),
            Case(kind: restart, step: .accepted, state: .running, words: "may still be on its way"),
            Case(kind: restart, step: .observed, state: .completed, words: ""),
            Case(kind: dispose, step: .recorded, state: .failed, words: "nothing was sent"),
            Case(kind: dispose, step: .sent, state: .completed, words: ""),
            Case(kind: dispose, step: .accepted, state: .completed, words: ""),
            Case(kind: dispose, step: .observed, state: .completed, words: ""),
        ]
    }()

    /// Stops answering at the step. `reached` is set when the client is there.
    private func stopAnswering(_ standIn: FlinkStandIn, _ example: Case, _ reached: Reached) {
        let isRestart = example.kind.launch != nil
        standIn.change { script in
            script.instead = { method, path in
                let isProgress = path.contains("/savepoints/") || path.hasPrefix("/savepoint-disposal/")
                let isHere =
                    switch example.step {
                    // The first question after the record: of the job, or of what needs the snapshot.
                    case .recorded: reached.isRecorded && method == "GET" && path != "/config"
                    case .sent: reached.hasSent && method == "GET"
                    case .accepted: isRestart ? path.hasSuffix("/run") : isProgress || reached.hasSent && method == "GET"
                    case .observed: isRestart ? reached.hasLaunched : reached.hasSent && !isProgress
                    }
                if isHere || reached.isSet {
                    reached.set()
                    return .silence
                }
                if method != "GET", !path.hasSuffix("/upload") { reached.sent(path) }
                return nil
            }
        }
    }

    /// How far the client has come, as the stand-in sees it.
    private final class Reached: Sendable {
        private struct State {
            var isSet = false
            var hasSent = false
            var hasLaunched = false
        }
        private let state = Mutex(State())
        private let ledgerPath: String
        init(_ ledgerPath: String) { self.ledgerPath = ledgerPath }

        var isSet: Bool { state.withLock { $0.isSet } }
        func set() { state.withLock { $0.isSet = true } }
        var hasSent: Bool { state.withLock { $0.hasSent } }
        var hasLaunched: Bool { state.withLock { $0.hasLaunched } }
        func sent(_ path: String) { state.withLock { ($0.hasSent, $0.hasLaunched) = (true, $0.hasLaunched || path.hasSuffix("/run")) } }
        var isRecorded: Bool {
            guard FileManager.default.fileExists(atPath: ledgerPath) else { return false }
            // LedgerError: it is being made.
            return ((try? Ledger.open(path: ledgerPath).recent(limit: 1)) ?? []).isEmpty == false
        }
    }

    private func arguments(_ kind: OperationRequest.Kind, _ url: String) throws -> [String] {
        let jar = try sandbox.write("count.jar", "PK\u{3}\u{4}")
        let job = FlinkStandIn.job
        let words: [String] =
            switch kind {
            case .savepoint: ["savepoint", job, "--directory", "/sp", "--wait"]
            case .cancel: ["cancel", job, "--keep", "--wait"]
            case .restart: ["restart", job, "--cancel-first", "--recipe", jar, "--wait"]
            default: ["dispose", "file:/cp/chk-9"]
            }
        return words + ["--flink", url]
    }

    private func connection(_ standIn: FlinkStandIn) throws -> FlinkConnection { FlinkConnection(try FlinkAddress(standIn.server.url), timeout: 2000) }

    private func recorded() throws -> LedgerEntry? { try Ledger.open(path: ledgerPath).recent(limit: 1).first }

    /// The command is killed; the console ends without waiting for anything.
    private func dieAtTheStep(_ example: Case, _ standIn: FlinkStandIn, _ reached: Reached, byConsole: Bool) throws {
        if !byConsole {
            let process = try WeirProcess(try arguments(example.kind, standIn.server.url), in: sandbox, label: "killed")
            // After its last look at a disposal a command asks nothing more, and ends.
            let isThere: Bool
            if case (.dispose, .observed) = (example.kind, example.step) {
                isThere = process.wait(seconds: 40) == 0
            } else {
                isThere = eventually(seconds: 40) { reached.isSet }
                process.kill9()
            }
            try #require(isThere, "\(process.errors)")
            return
        }
        try FileManager.default.createDirectory(atPath: sandbox["state/weir"], withIntermediateDirectories: true)
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, address: .flink(try connection(standIn))), ledgerPath: ledgerPath)
        try #require(eventually { console.isUp })
        let job = try #require(JobID(FlinkStandIn.job))
        console.gate.send(
            .operate(OperationRequest(id: .fresh, kind: example.kind, job: job, expectedState: .running, reason: "test", by: "ana@ops")), to: "c1")
        try #require(eventually(seconds: 40) { reached.isSet })
        _ = console.gate.finish(within: 0)
    }

    /// A copy of the ledger: each of the next processes gets it as it was left.
    private func copy(_ name: String) throws -> String {
        let folder = sandbox[name]
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: ledgerPath + suffix) {
            try FileManager.default.copyItem(atPath: ledgerPath + suffix, toPath: folder + "/ledger.sqlite" + suffix)
        }
        return folder + "/ledger.sqlite"
    }

    private func words(_ report: OperationReport) -> String { "\(report.state.rawValue) \(report.error ?? "")\(report.activity ?? "") \(report.path ?? "")" }

    @Test(arguments: cases, [false, true]) func theNextProcessFindsOutAndSaysTheSame(example: Case, byConsole: Bool) throws {
        let standIn = try FlinkStandIn(version: "2.3.0") { $0.root = "s3://cp" }
        defer { standIn.stop() }
        let reached = Reached(ledgerPath)
        stopAnswering(standIn, example, reached)
        try dieAtTheStep(example, standIn, reached, byConsole: byConsole)
        standIn.change { $0.instead = { _, _ in nil } }
        let entry = try #require(try recorded())
        #expect(entry.carrier?.contains("pid") ?? false)
        let id = entry.request.id

        let ledger = CommandLedger(path: try copy("command"), context: "c1", address: entry.address, output: .standard)
        let link = FlinkLink(try connection(standIn), ledger: ledger)
        defer { link.close() }
        var byCommand = try #require(try link.operations(limit: 5).first { $0.request.id == id })
        // What goes on at the cluster ends by itself; each look is one.
        if example.state != .running {
            _ = try eventually {
                byCommand = try #require(try link.operations(limit: 5).first { $0.request.id == id })
                return byCommand.state.isTerminal
            }
        }
        #expect(byCommand.state == example.state, "\(byCommand)")
        #expect(words(byCommand).contains(example.words), "\(words(byCommand))")

        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, address: .flink(try connection(standIn))), ledgerPath: try copy("console"))
        defer { _ = console.gate.finish(within: 0) }
        if entry.outcome.isTerminal {
            #expect(byConsole || entry.outcome == .completed)
        } else {
            #expect(
                eventually(seconds: 40) { console.reattached(id)?.state == example.state },
                "\(console.reattached(id).map(words) ?? "nothing")")
            if let next = console.reattached(id) {
                #expect(words(next) == words(byCommand))
            }
        }
        // Whoever died has sent each request once, and nobody has sent it again.
        let acts = standIn.requests.filter { $0.method != "GET" }.map { "\($0.method) \($0.path)" }
        #expect(Set(acts).count == acts.count, "\(acts)")
    }

    // Between cancel and launch, on the command line, to the end.
    @Test func aRestartWhoseCommandWasKilledIsGoneOnWith() throws {
        let standIn = try FlinkStandIn(version: "1.20.5") { ($0.cancelsSlowly, $0.root) = (true, "s3://cp") }
        defer { standIn.stop() }
        let process = try WeirProcess(try arguments(.restart(Self.restart), standIn.server.url), in: sandbox, label: "killed")
        try #require(eventually(seconds: 40) { standIn.jobState == "CANCELLING" })
        let url = ["--flink", standIn.server.url]
        // As long as it lives, it carries it out.
        let alive = try weir(["operations"] + url, in: sandbox)
        #expect(alive.output.contains("being carried out by pid \(process.processID) on ") && alive.output.contains("the job is CANCELLING"), "\(alive.output)")
        process.kill9()
        let cancelling = try weir(["operations"] + url, in: sandbox)
        #expect(cancelling.output.contains("the job is CANCELLING") && !cancelling.output.contains("did not arrive"), "\(cancelling.output)")
        standIn.finishCancel()
        let found = try weir(["operations"] + url, in: sandbox)
        let id = try #require(try recorded()).request.id
        #expect(found.output.contains("orders was canceled for restart \(id.short) and never launched: 'weir resume \(id)' goes on with it"), "\(found.output)")
        let resumed = try weir(["resume", id.description] + url, in: sandbox)
        #expect(resumed.status == 0 && standIn.launched.count == 1, "\(resumed.errors)")
        #expect(try recorded()?.outcome == .completed)
        let again = try weir(["resume", id.description] + url, in: sandbox)
        #expect(again.status == ExitStatus.refused.rawValue && again.errors.contains("is completed"), "\(again.errors)")
        #expect(standIn.requests("PATCH").count == 1 && standIn.requests("POST").count { $0.path.hasSuffix("/run") } == 1)
    }

    // The cancel takes longer than the command may.
    @Test func aCommandEndsInTimeAndSaysWhatIsLeft() throws {
        let standIn = try FlinkStandIn(version: "1.20.5") { ($0.cancelsSlowly, $0.root) = (true, "s3://cp") }
        defer { standIn.stop() }
        let start = EngineInstant.now()
        let ended = try weir(try arguments(.restart(Self.restart), standIn.server.url) + ["--timeout", "3s"], in: sandbox)
        #expect(ended.status == ExitStatus.unproven.rawValue, "\(ended.errors)")
        #expect(EngineInstant.now() - start < .seconds(8))
        let id = try #require(try recorded()).request.id
        #expect(ended.errors.contains("the job is CANCELLING, and the launch is not sent: 'weir resume \(id)' goes on with it"), "\(ended.errors)")
        standIn.finishCancel()
        #expect(standIn.launched.isEmpty, "nothing is sent behind the operator's back")
        let resumed = try weir(["resume", id.description, "--flink", standIn.server.url], in: sandbox)
        #expect(resumed.status == 0 && standIn.launched.count == 1, "\(resumed.errors)")
    }

    // A cluster that takes every connection and answers nothing.
    @Test(arguments: [
        ["savepoint", FlinkStandIn.job, "--wait"], ["cancel", FlinkStandIn.job], ["restart", FlinkStandIn.job, "--recipe", "x_count.jar", "--from", "4"],
        ["jars", "delete", "x_count.jar"], ["dispose", "/sp/1"], ["jars", "run", "x_count.jar"],
    ]) func everyCommandEndsInTime(words: [String]) throws {
        let standIn = try FlinkStandIn(version: "2.3.0") { $0.instead = { _, _ in .silence } }
        defer { standIn.stop() }
        let start = EngineInstant.now()
        let ended = try weir(words + ["--flink", standIn.server.url, "--timeout", "1500ms"], in: sandbox)
        #expect(ended.status != 0 && !ended.errors.isEmpty)
        #expect(EngineInstant.now() - start < .seconds(6), "\(ended.errors)")
        #expect(standIn.requests.allSatisfy { $0.method == "GET" })
    }

    // Jars and disposals are operations like all others.
    @Test func whatIsDoneToTheClusterIsAmongTheOperations() throws {
        let standIn = try FlinkStandIn(version: "2.3.0")
        defer { standIn.stop() }
        let url = ["--flink", standIn.server.url]
        let uploaded = try weir(["jars", "upload", try sandbox.write("count.jar", "PK\u{3}\u{4}"), "--reason", "INC-7"] + url, in: sandbox)
        #expect(uploaded.status == 0 && uploaded.output == "u1_count.jar\n", "\(uploaded.errors)")
        #expect(try weir(["jars", "delete", "u1_count.jar"] + url, in: sandbox).status == 0)
        #expect(try weir(["dispose", "/sp/7"] + url, in: sandbox).status == 0)
        let listed = try weir(["operations"] + url, in: sandbox).output
        for verb in ["upload jar", "delete jar", "dispose"] { #expect(listed.contains(verb), "\(listed)") }
        let entries = try Ledger.open(path: ledgerPath).recent(limit: 9)
        #expect(entries.map(\.outcome) == [.completed, .completed, .completed] && entries.allSatisfy { $0.step?.name == .sending })
        #expect(entries.last?.request.reason == "INC-7" && entries.last?.jar == "u1_count.jar")
        // A console that opens shows them, too.
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, address: .flink(try connection(standIn))), ledgerPath: ledgerPath)
        defer { _ = console.gate.finish(within: 0) }
        #expect(eventually { console.recorded.count == 3 })
    }
}
