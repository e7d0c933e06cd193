// Engines behind a control socket as a test wants them: one that answers what it is told to, and one that never answers.

public import ControlProtocol
public import ControlSocket
internal import Glibc
public import StreamModel
internal import Synchronization

/// An engine on a control socket whose answers the test decides.
public final class StubEngine: ControlHandler {
    private let state = Mutex(State())

    public init() {}

    private struct State {
        var report = EngineReport(
            engine: EngineInfo(name: "stub", version: "1", processID: 1, startedAt: WallTime(milliseconds: 0), stateDirectory: "/"),
            at: WallTime(milliseconds: 0), jobs: [StubEngine.job()], operations: [])
        var operations: [OperationID: OperationReport] = [:]
        var received: [OperationRequest] = []
        var isMute = false
    }

    /// Requests for operations that arrived, oldest first.
    public var received: [OperationRequest] { state.withLock { $0.received } }

    /// The jobs that it reports from now on.
    public func host(_ jobs: [JobReport]) { state.withLock { $0.report.jobs = jobs } }

    /// From now on requests stay without an answer.
    public func fallSilent() { state.withLock { $0.isMute = true } }

    /// What the engine knows of an operation from now on.
    public func know(_ report: OperationReport) {
        state.withLock { state in
            state.operations[report.request.id] = report
            state.report.operations = [report]
        }
    }

    public func currentReport() -> EngineReport { state.withLock { $0.report } }

    public func handle(_ request: ControlRequest, peer: ControlPeer, reply: @escaping @Sendable (Result<ControlReply, ControlFailure>) -> Void) {
        if state.withLock({ $0.isMute }) { return }
        switch request {
        case .operate(let command):
            let operation = command.request(for: Self.job().id)
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

    /// A job as an engine reports it.
    public static func job(_ name: String = "orders", id: UInt64 = 7, read: UInt64 = 1000) -> JobReport {
        var configuration = CheckpointConfiguration()
        configuration.storageDirectory = "/checkpoints"
        return JobReport(
            id: JobID(high: 1, low: id), name: name, state: .running, stateSince: WallTime(milliseconds: 1_000), submittedAt: WallTime(milliseconds: 1_000),
            parallelism: 2, maxParallelism: 128, throughput: Throughput(recordsRead: read, recordsWritten: read, recordsReadPerSecond: 100),
            configuration: configuration, budget: FailureBudget(counted: 0, tolerable: 3, source: .exact, cumulative: 0))
    }
}

/// A socket that takes connections and never says a word, as an engine stopped by SIGSTOP.
public final class HungEngine {
    private let descriptor: Int32

    public init(path: String) { descriptor = Self.listen(path) }

    /// A listening socket that nobody accepts on yet.
    public static func listen(_ path: String) -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        precondition(bound == 0 && Glibc.listen(descriptor, 16) == 0, "cannot listen on \(path)")
        return descriptor
    }

    deinit { close(descriptor) }
}
