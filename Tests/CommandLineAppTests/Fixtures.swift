// What the tests of this module share: the built executable.

import ControlProtocol
import ControlSocket
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import CommandLineApp
@testable import HostEnvironment

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
    // The bundle may have been started by a relative path.
    let path = URL(filePath: CommandLine.arguments.first ?? "").deletingLastPathComponent().appending(path: "weir").absoluteURL.path()
    return access(path, X_OK) == 0 ? path : nil
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
        let environment = [
            "HOME=\(sandbox.path)", "XDG_RUNTIME_DIR=\(sandbox.path)", "XDG_STATE_HOME=\(sandbox["state"])", "PATH=/usr/bin:/bin", "TMPDIR=\(sandbox.path)",
        ]
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

    /// Waits for its end, or for the condition, which it survives.
    func dies(unless condition: () throws -> Bool) rethrows -> Bool {
        var facts = siginfo_t()
        while true {
            if waitid(P_PID, id_t(processID), &facts, WEXITED | WNOHANG | WNOWAIT) == 0, facts._sifields._sigchld.si_pid == processID { return wait() == nil }
            if try condition() { return false }
            pause(milliseconds: 5)
        }
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
