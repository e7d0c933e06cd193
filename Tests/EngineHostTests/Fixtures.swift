// What the tests of this module share: an engine without a socket.

import ControlProtocol
import ControlSocket
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import EngineHost

/// An engine in this process, asked without a socket.
final class TestEngine: Sendable {
    let service: EngineService
    private let heard: Heard
    /// What the engine said to whoever started it.
    var said: [String] { heard.lines.withLock { $0 } }

    private final class Heard: Sendable { let lines = Mutex<[String]>([]) }

    init(_ directory: String, recovers: Bool = true, keepsLogFile: Bool = false, maxParallelism: Int = EngineOptions.usualMaxParallelism) throws {
        let heard = Heard()
        self.heard = heard
        service = try EngineService(
            name: "test", stateDirectory: directory, maxParallelism: maxParallelism, keepsLogFile: keepsLogFile,
            say: { line in heard.lines.withLock { $0.append(line) } })
        if recovers { service.recover() }
    }

    private static let peer = ControlPeer(connection: 1, level: .operator, userID: 1, groupID: 1, processID: 2, client: "test")

    func ask(_ request: ControlRequest) throws(ControlFailure) -> ControlReply {
        let answer = Mutex<Result<ControlReply, ControlFailure>?>(nil)
        service.handle(request, peer: Self.peer) { result in answer.withLock { $0 = result } }
        let isAnswered = eventually { answer.withLock { $0 != nil } }
        guard isAnswered, let result = answer.withLock({ $0 }) else { throw .internal("no reply within 20 s") }
        return try result.get()
    }

    func submit(
        _ program: String, _ arguments: [String: String] = [:], parallelism: Int? = nil, name: String? = nil, from: RestartOptions? = nil,
        operation: OperationID = .fresh
    ) throws -> JobReport {
        let request = SubmitRequest(
            operation: operation, program: program, arguments: arguments, parallelism: parallelism, name: name, from: from, reason: "test", by: "me")
        guard case .submitted(let job) = try ask(.submit(request)) else { throw TestFailure("submit was answered with something else") }
        return job
    }

    func operate(
        _ job: JobID, _ kind: OperationRequest.Kind, operation: OperationID = .fresh, expected: JobState? = nil
    ) throws(ControlFailure) -> OperationReport {
        let command = JobCommand(operation: operation, job: JobReference(job), action: kind, expectedState: expected, reason: "test", by: "me")
        guard case .operation(let report) = try ask(.operate(command)) else { throw .internal("answered with something else") }
        return report
    }

    /// Asks and waits for the end of the operation.
    func complete(_ job: JobID, _ kind: OperationRequest.Kind) throws -> OperationReport {
        let accepted = try operate(job, kind)
        return try #require(try ended(accepted.request.id), "the operation did not end")
    }

    func ended(_ id: OperationID) throws -> OperationReport? {
        var found: OperationReport?
        _ = try eventually {
            guard case .operation(let report) = try ask(.operation(id)) else { return false }
            found = report.state.isTerminal ? report : nil
            return found != nil
        }
        return found
    }

    func job(_ id: JobID) throws -> JobReport {
        guard case .job(let job) = try ask(.job(JobReference(id))) else { throw TestFailure("no job") }
        return job
    }

    func checkpoints(_ id: JobID) throws -> [CheckpointReport] {
        guard case .checkpoints(let rows) = try ask(.checkpoints(JobReference(id), limit: nil)) else { throw TestFailure("no checkpoints") }
        return rows
    }

    /// Waits until so many checkpoints of a job are complete.
    func waitForCheckpoints(_ count: Int, of id: JobID) throws {
        #expect(try eventually { try job(id).counts.completed >= count }, "\(count) checkpoints")
    }

    func close() { service.shutDown() }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

extension OperationID {
    static var fresh: OperationID { OperationID(random: .random(in: .min ... .max)) }
}
