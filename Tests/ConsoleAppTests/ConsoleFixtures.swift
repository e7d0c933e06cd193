// What the tests of the running console share: the binary, a home of its own, engines that answer, and ones that do not.

import ControlProtocol
import ControlSocket
import Glibc
import StreamModel
import Synchronization
import TestKit

@testable import EngineClients

/// The `weir` binary built together with these tests.
let weirBinary: String? = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let runner = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // The test bundle is loaded by the runner or is the runner itself; its path is among the arguments in the first case.
    let places = [runner] + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }
    let candidates: [String] = places.compactMap { place in
        guard let slash = place.lastIndex(of: "/") else { return nil }
        return String(place[...slash]) + "weir"
    }
    return candidates.first { access($0, X_OK) == 0 }
}()

/// A directory that removes itself, with a configuration and room for records.
final class ConsoleHome {
    let path: String
    var socket: String { path + "/e.sock" }
    var ledger: String { path + "/state/weir/ledger.sqlite" }

    init() {
        var template = Array("/tmp/weir-console-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary directory")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        for folder in ["config", "config/weir", "config/weir/themes", "state", "data", "run"] { mkdir(path + "/" + folder, 0o700) }
        configure("[contexts.lab]\nsocket = \"\(socket)\"\nclass = \"lab\"\n")
    }

    deinit { removeTree(path) }

    func configure(_ text: String) { writeFile(path + "/config/weir/config.toml", text) }

    /// The text of a file below the home; empty when there is none.
    func read(_ name: String) -> String {
        let descriptor = open(path + "/" + name, O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    func environment(_ more: [String: String?] = [:]) -> [String: String] {
        var all: [String: String?] = [
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin", "HOME": path, "XDG_STATE_HOME": path + "/state",
            "XDG_CONFIG_HOME": path + "/config", "XDG_DATA_HOME": path + "/data", "XDG_RUNTIME_DIR": path + "/run",
        ]
        all.merge(more) { $1 }
        return all.compactMapValues { $0 }
    }

    /// A console in a terminal of its own.
    func console(_ more: [String: String?] = [:], columns: Int = 80, rows: Int = 24) -> PtyProcess {
        PtyProcess(weirBinary ?? "/nonexistent", ["console"], environment: environment(more), columns: columns, rows: rows)
    }
}

func writeFile(_ path: String, _ text: String) { writeFile(path, Array(text.utf8)) }

func writeFile(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0 && write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path)")
    close(descriptor)
}

/// A job as an engine reports it.
func job(_ name: String = "orders", id: UInt64 = 7, read: UInt64 = 1000) -> JobReport {
    var configuration = CheckpointConfiguration()
    configuration.storageDirectory = "/checkpoints"
    return JobReport(
        id: JobID(high: 1, low: id), name: name, state: .running, stateSince: WallTime(milliseconds: 1_000), submittedAt: WallTime(milliseconds: 1_000),
        parallelism: 2, maxParallelism: 128, throughput: Throughput(recordsRead: read, recordsWritten: read, recordsReadPerSecond: 100),
        configuration: configuration, budget: FailureBudget(counted: 0, tolerable: 3, source: .exact, cumulative: 0))
}

/// An engine on a control socket whose answers the test decides.
final class StubEngine: ControlHandler {
    private let state = Mutex(State())

    private struct State {
        var report = EngineReport(
            engine: EngineInfo(name: "stub", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/"),
            at: WallTime(milliseconds: 0), jobs: [job()], operations: [])
        var operations: [OperationID: OperationReport] = [:]
        var received: [OperationRequest] = []
        var isMute = false
    }

    /// Requests for operations that arrived, oldest first.
    var received: [OperationRequest] { state.withLock { $0.received } }

    /// The jobs that it reports from now on.
    func host(_ jobs: [JobReport]) { state.withLock { $0.report.jobs = jobs } }

    /// From now on requests stay without an answer.
    func fallSilent() { state.withLock { $0.isMute = true } }

    /// What the engine knows of an operation from now on.
    func know(_ report: OperationReport) {
        state.withLock { state in
            state.operations[report.request.id] = report
            state.report.operations = [report]
        }
    }

    func currentReport() -> EngineReport { state.withLock { $0.report } }

    func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        if state.withLock({ $0.isMute }) { return }
        switch request {
        case .operate(let command):
            let operation = command.request(for: job().id)
            let report = OperationReport(request: operation, jobName: "orders", state: .accepted, acceptedAt: WallTime(milliseconds: 5))
            state.withLock { state in
                state.received.append(operation)
                state.operations[operation.id] = report
            }
            reply(.success(.operation(report)))
        case .operation(let id):
            if let report = state.withLock({ $0.operations[id] }) {
                reply(.success(.operation(report)))
            } else {
                reply(.failure(.unknownOperation(id)))
            }
        case .operations: reply(.success(.operations([])))
        case .checkpoints: reply(.success(.checkpoints([])))
        case .exceptions: reply(.success(.exceptions([])))
        default: reply(.failure(.refused(request.verb, "the stub does not do this")))
        }
    }
}

/// A socket that takes connections and never says a word, as an engine stopped by SIGSTOP.
final class HungEngine {
    private let descriptor: Int32

    init(path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        precondition(bound == 0 && listen(descriptor, 16) == 0, "cannot listen on \(path)")
    }

    deinit { close(descriptor) }
}
