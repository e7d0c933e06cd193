// Goal: the console's path to an engine and the command's are one: the same operation ends with the same state, the same facts and the same
// words, and leaves the engine the same. Method: each operation through the console's gate and through the command, against a stand-in for
// a JobManager and against an engine of ours behind its socket; what each left is compared.

import ConsoleCore
import ControlProtocol
import ControlSocket
import EngineClients
import EngineHost
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

/// What one path left behind: equal for both, but for ids.
private struct Trace: Equatable, CustomStringConvertible {
    var state: OperationReport.State
    var hasPath: Bool
    var checkpoint: CheckpointID?
    var launches: Bool
    var error: String?
    var jobState: String

    init(_ report: OperationReport, jobState: String) {
        (state, checkpoint, error) = (report.state, report.checkpoint, report.error)
        (hasPath, launches) = (report.path != nil, report.newJob != nil)
        self.jobState = jobState
    }

    var description: String {
        "\(state.rawValue) path \(hasPath) checkpoint \(checkpoint?.description ?? "-") launches \(launches) \(error ?? "") job \(jobState)"
    }
}

/// The console's side: a gate with its ledger, and everything it delivers.
final class ConsolePath: Sendable {
    let gate: ActionGate
    private let delivered = Mutex<[ConsoleEvent]>([])

    init(_ context: ConsoleContext, ledgerPath: String, settlingTime: Milliseconds = .seconds(15)) {
        let delivered = Mutex<@Sendable (ConsoleEvent) -> Void>({ _ in })
        let makeEngine: EngineFactory = { context in
            switch context.address {
            case .socket(let path): SocketEngine(path: path, trust: context.trust)
            case .flink(let connection): FlinkEngine(connection)
            }
        }
        gate = ActionGate(contexts: [context], makeEngine: makeEngine, settlingTime: settlingTime) { event in delivered.withLock { $0 }(event) }
        delivered.withLock { $0 = { [unowned self] event in self.delivered.withLock { $0.append(event) } } }
        gate.start(ledgerPath: ledgerPath)
    }

    var isUp: Bool { delivered.withLock { $0.contains { if case .engine(_, .report) = $0 { true } else { false } } } }

    /// The last word of an operation, or why it was refused.
    func end(of id: OperationID) -> Result<OperationReport, Refused>? {
        for event in delivered.withLock({ $0 }).reversed() {
            switch event {
            case .engine(_, .operation(let report)) where report.request.id == id && report.state.isTerminal: return .success(report)
            case .engine(_, .refused(id, let message)): return .failure(Refused(message: message))
            case .engine(_, .report(let report, _)):
                if let found = report.operations.first(where: { $0.request.id == id && $0.state.isTerminal }) { return .success(found) }
            default: break
            }
        }
        return nil
    }

    struct Refused: Error { var message: String }

    /// Operations of other processes.
    var recorded: [OperationReport] {
        delivered.withLock { $0 }.flatMap { if case .recorded(let reports, _) = $0 { reports } else { [OperationReport]() } }
    }

    /// The last that was told of an operation of an earlier process.
    func reattached(_ id: OperationID) -> OperationReport? {
        for event in delivered.withLock({ $0 }).reversed() {
            switch event {
            case .reattached(let reports, _): if let found = reports.first(where: { $0.request.id == id }) { return found }
            case .engine(_, .operation(let report)) where report.request.id == id: return report
            default: break
            }
        }
        return nil
    }

    /// Sends it and waits for its end.
    func perform(_ request: OperationRequest) throws -> OperationReport {
        try #require(eventually { isUp }, "no link")
        gate.send(.operate(request), to: "c1")
        try #require(eventually(seconds: 60) { end(of: request.id) != nil }, "\(request.kind.verb) does not end")
        return try #require(try end(of: request.id)?.get())
    }
}

@Suite struct BothPathsTests {
    private let sandbox = Sandbox()
    private static let flinkKinds: [OperationRequest.Kind] = [
        .savepoint(directory: "/sp"), .stop(drain: true, directory: nil), .checkpoint, .cancel(.keep),
        .restart(flinkRestart), .dispose(path: "file:/cp/chk-9"),
    ]
    private static var flinkRestart: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        options.recipe = JarRecipe(jar: .uploaded("x_count.jar"), entryClass: nil, arguments: [], parallelism: nil)
        return options
    }

    private func entry(_ id: OperationID, _ ledgerPath: String) throws -> LedgerEntry? { try Ledger.open(path: ledgerPath).entry(id) }

    @Test(arguments: flinkKinds) func aClusterIsActedOnAlike(kind: OperationRequest.Kind) throws {
        let job = try #require(JobID(FlinkStandIn.job)), id = OperationID(random: 7)
        let request = OperationRequest(id: id, kind: kind, job: job, expectedState: .running, reason: "test", by: "ana@ops")

        let first = try FlinkStandIn(version: "2.3.0") { $0.root = "s3://cp" }
        defer { first.stop() }
        let connection = FlinkConnection(try FlinkAddress(first.server.url), timeout: 2000)
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, address: .flink(connection)), ledgerPath: sandbox["console.sqlite"])
        let byConsole = Trace(try console.perform(request), jobState: first.jobState)
        #expect(console.gate.finish(within: .seconds(5)).isEmpty)

        let second = try FlinkStandIn(version: "2.3.0") { $0.root = "s3://cp" }
        defer { second.stop() }
        let ledger = CommandLedger(path: sandbox["command.sqlite"], context: "c1", address: second.server.url, output: .standard)
        let link = FlinkLink(FlinkConnection(try FlinkAddress(second.server.url), timeout: 2000), ledger: ledger)
        defer { link.close() }
        let command = JobCommand(operation: id, job: JobReference(job), action: kind, expectedState: .running, reason: "test", by: "ana@ops")
        let deadline = Deadline(after: .seconds(60))
        var report = try link.operate(command, before: deadline)
        if !report.state.isTerminal { report = try #require(try link.wait(for: id, before: deadline) { _ in }) }
        let byCommand = Trace(report, jobState: second.jobState)

        #expect(byConsole == byCommand)
        #expect(byConsole.state == .completed)
        // The same requests changed the cluster, in the same order, and both ledgers tell the same.
        func changes(_ standIn: FlinkStandIn) -> [String] { standIn.requests.filter { $0.method != "GET" }.map { "\($0.method) \($0.target) \($0.text)" } }
        #expect(changes(first) == changes(second))
        let ledgers = try [try entry(id, sandbox["console.sqlite"]), try entry(id, sandbox["command.sqlite"])].map { try #require($0) }
        #expect(ledgers[0].outcome == .completed && ledgers[1].outcome == .completed)
        #expect(ledgers[0].request == ledgers[1].request && ledgers[0].path == ledgers[1].path && ledgers[0].error == ledgers[1].error)
    }

    private static let ownKinds: [OperationRequest.Kind] = [
        .savepoint(directory: nil), .stop(drain: false, directory: nil), .checkpoint, .cancel(.keep), .restart(ownRestart),
    ]
    private static var ownRestart: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        return options
    }

    private func engine(_ name: String) throws -> (engine: RunningEngine, job: JobID, socket: String) {
        let socket = sandbox["\(name).sock"]
        let engine = try RunningEngine.open(EngineOptions(name: name, socketPath: socket, stateDirectory: sandbox[name]), output: .standard)
        engine.service.recover()
        let link = try EngineLink(path: socket, name: "test")
        defer { link.close() }
        let request = SubmitRequest(
            operation: .fresh, program: "orders", arguments: ["interval": "1h", "rate": "1000"], reason: "test", by: "test")
        let job = try link.submit(request)
        // A checkpoint is declined until every task runs.
        try #require(
            try eventually {
                let job = try link.job(JobReference(job.id))
                return job.state == .running && job.runningSubtasks == job.totalSubtasks
            })
        _ = try link.operate(
            JobCommand(operation: .fresh, job: JobReference(job.id), action: .checkpoint, reason: "test", by: "test"), before: Deadline(after: .seconds(20)))
        try #require(try eventually { try link.job(JobReference(job.id)).counts.completed == 1 })
        return (engine, job.id, socket)
    }

    @Test(arguments: ownKinds) func anEngineOfOursIsActedOnAlike(kind: OperationRequest.Kind) throws {
        let id = OperationID(random: 8)
        let (first, firstJob, firstSocket) = try engine("one")
        defer { first.close() }
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, socket: firstSocket), ledgerPath: sandbox["console.sqlite"])
        let request = OperationRequest(id: id, kind: kind, job: firstJob, expectedState: .running, reason: "test", by: "ana@ops")
        let byConsole = Trace(try console.perform(request), jobState: state(of: firstJob, first))
        #expect(console.gate.finish(within: .seconds(5)).isEmpty)

        let (second, secondJob, secondSocket) = try engine("two")
        defer { second.close() }
        let link = try EngineLink(path: secondSocket, name: "test")
        defer { link.close() }
        let command = JobCommand(operation: id, job: JobReference(secondJob), action: kind, expectedState: .running, reason: "test", by: "ana@ops")
        let deadline = Deadline(after: .seconds(60))
        var report = try link.operate(command, before: deadline)
        if !report.state.isTerminal { report = try #require(try link.wait(for: id, before: deadline) { _ in }) }

        #expect(byConsole == Trace(report, jobState: state(of: secondJob, second)))
        #expect(byConsole.state == .completed)
        #expect(try entry(id, sandbox["console.sqlite"])?.outcome == .completed)
    }

    private func state(of job: JobID, _ engine: RunningEngine) -> String {
        engine.service.currentReport().jobs.first { $0.id == job }?.state.rawValue ?? "gone"
    }

    private static var fromNowhere: RestartOptions {
        var options = flinkRestart
        options.path = "file:/cp/chk-4"
        return options
    }

    // A refusal is told by both in the same words, and nothing is sent: a job in the wrong state, a snapshot whose files are gone.
    @Test(arguments: [(OperationRequest.Kind.savepoint(directory: nil), "needs a RUNNING job"), (.restart(fromNowhere), "is missing")])
    func aRefusalHasTheSameWords(kind: OperationRequest.Kind, cause: String) throws {
        let job = try #require(JobID(FlinkStandIn.job)), id = OperationID(random: 9)
        let standIn = try FlinkStandIn(version: "2.3.0") { $0.state = "RESTARTING" }
        defer { standIn.stop() }
        let connection = FlinkConnection(try FlinkAddress(standIn.server.url), timeout: 2000)
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, address: .flink(connection)), ledgerPath: sandbox["console.sqlite"])
        let request = OperationRequest(id: id, kind: kind, job: job, expectedState: nil, reason: "test", by: "ana@ops")
        var words: String?
        do { _ = try console.perform(request) } catch let refused as ConsolePath.Refused { words = refused.message }
        _ = console.gate.finish(within: .seconds(5))
        let ledger = CommandLedger(path: sandbox["command.sqlite"], context: "c1", address: standIn.server.url, output: .standard)
        let link = FlinkLink(connection, ledger: ledger)
        defer { link.close() }
        let command = JobCommand(operation: id, job: JobReference(job), action: kind, expectedState: nil, reason: "test", by: "ana@ops")
        do {
            _ = try link.operate(command, before: Deadline(after: .seconds(20)))
            Issue.record("the command was not refused")
        } catch { #expect(error.status == .refused && error.message == words, "\(error.message ?? "")") }
        #expect(words?.contains(cause) == true, "\(words ?? "")")
        #expect(standIn.requests("POST").isEmpty && standIn.requests("PATCH").isEmpty)
        #expect(try entry(id, sandbox["console.sqlite"])?.outcome == .refused)
        // A command that finds it out by itself has sent nothing, and has nothing to record.
        #expect(try entry(id, sandbox["command.sqlite"]).map { $0.outcome == .refused } ?? true)
    }
}
