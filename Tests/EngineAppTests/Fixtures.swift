// What the tests of this module share: a directory of their own, an engine without a socket, and the built executable.

import ControlProtocol
import ControlSocket
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import Testing

@testable import EngineApp

/// A private directory, removed at the end.
final class Sandbox: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/weirXXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "cannot make a directory in /tmp")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }

    subscript(_ name: String) -> String { path + "/" + name }

    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: self[name]))
        return self[name]
    }

    func read(_ name: String) -> String {
        guard let bytes = try? Data(contentsOf: URL(filePath: self[name])) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    func names(in folder: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: self[folder]))?.sorted() ?? [] }
}

/// True once `condition` holds; false after 20 seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    let end = EngineInstant.now() + .seconds(20)
    while try !condition() {
        if EngineInstant.now() >= end { return false }
        pause(milliseconds: 2)
    }
    return true
}

/// An engine in this process, asked without a socket.
final class TestEngine: Sendable {
    let service: EngineService
    private let heard: Heard
    /// What the engine said to whoever started it.
    var said: [String] { heard.lines.withLock { $0 } }

    private final class Heard: Sendable { let lines = Mutex<[String]>([]) }

    init(_ directory: String) throws {
        let heard = Heard()
        self.heard = heard
        service = try EngineService(name: "test", stateDirectory: directory, say: { line in heard.lines.withLock { $0.append(line) } })
        service.recover()
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

// MARK: The executable

/// The `weir` that was built with these tests; nil = it was not.
let weirExecutable: String? = {
    let folder = (CommandLine.arguments.first ?? "").split(separator: "/").dropLast().joined(separator: "/")
    return access("/\(folder)/weir", X_OK) == 0 ? "/\(folder)/weir" : nil
}()

/// A run of the executable: its output goes to files, so that it never waits for us.
struct WeirProcess {
    let processID: pid_t
    private let outputPath: String
    private let errorPath: String

    init(_ arguments: [String], in sandbox: Sandbox, label: String = "run") throws {
        let executable = try #require(weirExecutable)
        outputPath = sandbox["\(label).out"]
        errorPath = sandbox["\(label).err"]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let words = ([executable] + arguments).map { strdup($0) } + [nil]
        let environment = ["HOME=\(sandbox.path)", "XDG_RUNTIME_DIR=\(sandbox.path)", "XDG_STATE_HOME=\(sandbox["state"])", "PATH=/usr/bin:/bin"]
        let settings = environment.map { strdup($0) } + [nil]
        defer { for word in words + settings { free(word) } }
        var processID: pid_t = 0
        let result = posix_spawn(&processID, executable, &actions, nil, words, settings)
        guard result == 0 else { throw TestFailure("cannot start \(executable): \(result)") }
        self.processID = processID
    }

    var output: String { (try? String(decoding: Data(contentsOf: URL(filePath: outputPath)), as: UTF8.self)) ?? "" }
    var errors: String { (try? String(decoding: Data(contentsOf: URL(filePath: errorPath)), as: UTF8.self)) ?? "" }

    /// Waits for the end; nil = it was killed, or had not ended after `seconds`, and is killed then.
    func wait(seconds: Int64 = 60) -> Int32? {
        var status: Int32 = 0
        let end = EngineInstant.now() + .seconds(seconds)
        while waitpid(processID, &status, WNOHANG) == 0 {
            if EngineInstant.now() >= end {
                kill(processID, SIGKILL)
                waitpid(processID, &status, 0)
                return nil
            }
            pause(milliseconds: 2)
        }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : nil
    }

    func kill9() {
        kill(processID, SIGKILL)
        var status: Int32 = 0
        waitpid(processID, &status, 0)
    }

    func terminate() -> Int32? {
        kill(processID, SIGTERM)
        return wait()
    }
}

/// Runs the executable to its end.
func weir(_ arguments: [String], in sandbox: Sandbox) throws -> (status: Int32?, output: String, errors: String) {
    let process = try WeirProcess(arguments, in: sandbox)
    let status = process.wait()
    return (status, process.output, process.errors)
}
