// Goal: as for clusters: whatever step of an operation its client dies at, the next process, command or console, says the same, and the engine
// has carried it out once. Method: an engine of ours behind a socket that falls silent at a step; the client is killed there.

import ConsoleCore
import ControlProtocol
import ControlSocket
import EngineClients
import EngineHost
import FoundationEssentials
import HostEnvironment
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import CommandLineApp

/// Passes requests to the engine and its reports to clients, until an operation has come to a step. From then on nothing is answered.
private final class FallingSilent: ControlHandler, ReportAudience {
    private struct State {
        /// nil = it answers.
        var step: DeathStep?
        var operation: OperationID?
        /// The last report before the silence.
        var last: EngineReport?
        var server: ControlServer?
    }

    private let service: EngineService
    private let state: Mutex<State>

    init(_ service: EngineService, at step: DeathStep) {
        self.service = service
        state = Mutex(State(step: step))
    }

    func start(_ path: String) throws -> ControlServer {
        let server = try ControlServer.start(path: path, handler: self)
        state.withLock { $0.server = server }
        service.publish(to: self)
        return server
    }

    var isSilent: Bool { state.withLock { $0.last != nil } }
    var operation: OperationID? { state.withLock { $0.operation } }
    func answerAgain() { state.withLock { ($0.step, $0.last) = (nil, nil) } }

    private func fallSilent() {
        let report = service.currentReport()
        state.withLock { if $0.step != nil, $0.last == nil { $0.last = report } }
    }

    // MARK: ControlHandler

    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        guard !isSilent else { return }
        guard case .operate(let command) = request, let step = state.withLock({ $0.step }) else {
            return service.handle(request, peer: peer, reply: reply)
        }
        state.withLock { $0.operation = command.operation }
        if step == .recorded { return fallSilent() }
        service.handle(request, peer: peer) { result in
            let isRefused = if case .failure = result { true } else { false }
            if step != .observed || isRefused { self.fallSilent() }
            if step != .sent { reply(result) }
        }
    }

    func currentReport() -> EngineReport { state.withLock { $0.last } ?? service.currentReport() }
    func connectionEnded(_ connection: UInt64) { service.connectionEnded(connection) }

    // MARK: ReportAudience

    var subscriberCount: Int { state.withLock { $0.server }?.subscriberCount ?? 0 }

    func publish(_ report: EngineReport) {
        let (isSilent, server, step, operation) = state.withLock { ($0.last != nil, $0.server, $0.step, $0.operation) }
        guard !isSilent else { return }
        server?.publish(report)
        if step == .observed, report.operations.contains(where: { $0.request.id == operation && $0.state.isTerminal }) { fallSilent() }
    }
}

@Suite(.enabled(if: weirExecutable != nil)) struct KilledClientOfEngineTests {
    private let sandbox = Sandbox()
    private var socket: String { sandbox["engine.sock"] }
    private var ledgerPath: String { sandbox["state/weir/ledger.sqlite"] }

    private static var restart: RestartOptions {
        var options = RestartOptions()
        options.cancelsFirst = true
        return options
    }
    private static let kinds: [OperationRequest.Kind] = [.savepoint(directory: nil), .cancel(.keep), .restart(restart)]

    /// A running job with a checkpoint, on an engine whose socket falls silent at the step.
    private func start(at step: DeathStep) throws -> (service: EngineService, silence: FallingSilent, server: ControlServer, job: JobID) {
        let service = try EngineService(name: "test", stateDirectory: sandbox["engine"])
        service.recover()
        let silence = FallingSilent(service, at: step)
        let server = try silence.start(socket)
        let link = try EngineLink(path: socket, name: "test")
        defer { link.close() }
        let request = SubmitRequest(
            operation: .fresh, program: "orders", arguments: ["interval": "200ms", "rate": "1000"], reason: "test", by: "test")
        let job = try link.submit(request).id
        try #require(try eventually { try link.job(JobReference(job)).counts.completed >= 1 })
        return (service, silence, server, job)
    }

    private func arguments(_ kind: OperationRequest.Kind, _ job: JobID) -> [String] {
        let words: [String] =
            switch kind {
            case .savepoint: ["savepoint", "\(job)", "--wait"]
            case .cancel: ["cancel", "\(job)", "--keep", "--wait"]
            default: ["restart", "\(job)", "--cancel-first", "--wait"]
            }
        return words + ["--socket", socket, "--operation", "killed"]
    }

    private func dieAtTheStep(_ kind: OperationRequest.Kind, _ job: JobID, _ silence: FallingSilent, byConsole: Bool) throws {
        guard byConsole else {
            let process = try WeirProcess(arguments(kind, job), in: sandbox, label: "killed")
            try #require(eventually(seconds: 40) { silence.isSilent }, "\(process.errors)")
            return process.kill9()
        }
        try FileManager.default.createDirectory(atPath: sandbox["state/weir"], withIntermediateDirectories: true)
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, socket: socket), ledgerPath: ledgerPath)
        try #require(eventually { console.isUp })
        console.gate.send(
            .operate(OperationRequest(id: .fresh, kind: kind, job: job, expectedState: .running, reason: "test", by: "ana@ops")), to: "c1")
        try #require(eventually(seconds: 40) { silence.isSilent })
        _ = console.gate.finish(within: 0)
    }

    private func operations() throws -> [OperationReport] {
        let listed = try weir(["operations", "--json", "--socket", socket], in: sandbox)
        try #require(listed.status == 0, "\(listed.errors)")
        return try JSONDecoder().decode([OperationReport].self, from: Data(listed.output.utf8))
    }

    /// What the engine has of the job: how often it was acted on.
    private func traces(_ service: EngineService, _ job: JobID) throws -> (savepoints: Int, runs: Int, live: Int) {
        let link = try EngineLink(path: socket, name: "test")
        defer { link.close() }
        let jobs = service.currentReport().jobs
        let savepoints = try link.checkpoints(JobReference(job)).count { $0.kind.isSavepoint && $0.status == .completed }
        return (savepoints, jobs.count, jobs.count { !$0.state.isTerminal })
    }

    /// What it leaves that was carried out once.
    private func once(_ kind: OperationRequest.Kind) -> (savepoints: Int, runs: Int, live: Int) {
        switch kind {
        case .savepoint: (1, 1, 1)
        case .cancel: (0, 1, 0)
        default: (0, 2, 1)
        }
    }

    @Test(arguments: kinds, DeathStep.allCases)
    func `after a killed command the next process says the same`(kind: OperationRequest.Kind, step: DeathStep) throws {
        let (service, silence, server, job) = try start(at: step)
        defer {
            service.shutDown()
            server.stop()
        }
        try dieAtTheStep(kind, job, silence, byConsole: false)
        silence.answerAgain()
        let id = try #require(OperationID("killed"))
        #expect(silence.operation == id)
        if step == .recorded {
            #expect(try !operations().contains { $0.request.id == id }, "nothing has arrived")
            #expect(try traces(service, job) == (0, 1, 1))
        } else {
            try expectTheSameOfAll(id, job, .completed)
            #expect(try traces(service, job) == once(kind))
        }
        // Whoever repeats the command gets the answer of the first, and nothing is done twice.
        let again = try weir(arguments(kind, job), in: sandbox)
        #expect(again.status == 0, "\(again.output)\(again.errors)")
        #expect(try traces(service, job) == once(kind))
        try expectTheSameOfAll(id, job, .completed)
    }

    @Test(arguments: kinds, DeathStep.allCases)
    func `after a killed console the next process says the same`(kind: OperationRequest.Kind, step: DeathStep) throws {
        let (service, silence, server, job) = try start(at: step)
        defer {
            service.shutDown()
            server.stop()
        }
        try dieAtTheStep(kind, job, silence, byConsole: true)
        silence.answerAgain()
        let id = try #require(silence.operation)
        if step == .recorded {
            #expect(try !operations().contains { $0.request.id == id })
            try expectUnknown(id)
            #expect(try traces(service, job) == (0, 1, 1))
        } else {
            try expectTheSameOfAll(id, job, .completed)
            #expect(try traces(service, job) == once(kind))
        }
    }

    // An engine of ours deletes nothing on request, and says so at once.
    @Test(arguments: DeathStep.allCases) func `a refused disposal has done nothing, whoever died`(step: DeathStep) throws {
        let (service, silence, server, job) = try start(at: step)
        defer {
            service.shutDown()
            server.stop()
        }
        let path = try #require(service.currentReport().jobs.first?.latestCompleted?.path)
        try dieAtTheStep(.dispose(path: path), job, silence, byConsole: true)
        silence.answerAgain()
        let id = try #require(silence.operation)
        #expect(try !operations().contains { $0.request.id == id })
        if step == .recorded || step == .sent { try expectUnknown(id) }
        let dispose = try weir(["dispose", path, "--socket", socket], in: sandbox)
        #expect(dispose.status != 0 && !dispose.errors.isEmpty, "\(dispose.errors)")
        #expect(try traces(service, job) == (0, 1, 1))
    }

    /// The next console finds the request in its record, and the engine does not know it.
    private func expectUnknown(_ id: OperationID) throws {
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, socket: socket), ledgerPath: ledgerPath, settlingTime: .seconds(1))
        defer { _ = console.gate.finish(within: 0) }
        #expect(eventually { console.reattached(id)?.state == .unknown })
        #expect(console.reattached(id)?.error?.contains("it never arrived") == true)
    }

    /// Command and console, state and words.
    private func expectTheSameOfAll(_ id: OperationID, _ job: JobID, _ state: OperationReport.State) throws {
        var byCommand: OperationReport?
        _ = try eventually {
            byCommand = try operations().first { $0.request.id == id }
            return byCommand?.state.isTerminal == true
        }
        let told = try #require(byCommand, "no command lists it")
        #expect(told.state == state && told.request.job == job, "\(told)")
        let console = ConsolePath(ConsoleContext(name: "c1", class: .lab, socket: socket), ledgerPath: ledgerPath)
        defer { _ = console.gate.finish(within: 0) }
        #expect(eventually { (try? console.end(of: id)?.get()) != nil || console.reattached(id)?.state.isTerminal == true })
        // A restart is proven after it has completed: both come to tell so.
        var words = ""
        let isTheSame = try eventually {
            let told = try operations().first { $0.request.id == id }, shown = try console.end(of: id)?.get() ?? console.reattached(id)
            words = "\(String(describing: told)) and \(String(describing: shown))"
            guard let told, let shown else { return false }
            return (shown.state, shown.result, shown.stage, shown.error) == (told.state, told.result, told.stage, told.error)
        }
        #expect(isTheSame, "\(words)")
        let audit = try weir(["audit", "--json", "--socket", socket], in: sandbox)
        #expect(audit.output.ranges(of: "\"operation\":\"\(id)\"").count == 1, "once in the log: \(audit.output)")
    }
}
