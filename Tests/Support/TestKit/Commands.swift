// The commands of the executable, and an engine that runs in the background.

internal import ControlProtocol
internal import Glibc
public import StreamModel
public import Testing

/// What a command did.
public struct CommandResult {
    public let end: ChildProcess.End
    public let output: String
    public let errors: String
    public let transcript: String

    public init(end: ChildProcess.End, output: String, errors: String, transcript: String) {
        (self.end, self.output, self.errors, self.transcript) = (end, output, errors, transcript)
    }

    /// The exit code; nil = a signal ended it.
    public var exitCode: Int32? { if case .exited(let code) = end { code } else { nil } }

    /// The output as a record.
    public func record<Value: Decodable>(_ type: Value.Type) throws -> Value {
        do throws(ControlCodecError) { return try ControlCodec.decode(type, from: Array(output.utf8)) } catch {
            throw Broken("\(error.problem): \(transcript)")
        }
    }
}

/// The exit codes of the command line.
public enum ExitCode {
    public static let ok: Int32 = 0, usage: Int32 = 1, noLink: Int32 = 2, refused: Int32 = 3, unproven: Int32 = 4, failed: Int32 = 5
}

extension TestHome {
    /// The executable under test, in this home.
    public func start(_ arguments: [String], environment changes: [String: String?] = [:], binary: String? = nil) throws -> ChildProcess {
        guard let weir = binary ?? Binaries.weir else { throw Broken("there is no weir") }
        return ChildProcess(weir, arguments, environment: environment(changes))
    }

    /// Runs a command to its end.
    public func weir(_ arguments: String..., environment changes: [String: String?] = [:], within seconds: Double = 60) throws -> CommandResult {
        try weir(arguments, environment: changes, within: seconds)
    }

    public func weir(_ arguments: [String], environment changes: [String: String?] = [:], within seconds: Double = 60) throws -> CommandResult {
        let child = try start(arguments, environment: changes)
        let end = try child.finish(within: seconds)
        return CommandResult(end: end, output: child.output, errors: child.errors, transcript: child.transcript)
    }

    /// Runs a command that must end with 0.
    @discardableResult
    public func succeed(_ arguments: String..., within seconds: Double = 60) throws -> CommandResult {
        let result = try weir(arguments, within: seconds)
        guard result.exitCode == ExitCode.ok else { throw Broken("\(result.end): \(result.transcript)") }
        return result
    }

    /// Runs a command that must be turned down: its code, and words that its message must hold.
    public func expectRefusal(
        _ arguments: [String], code: Int32, says words: String..., environment changes: [String: String?] = [:],
        location: SourceLocation = #_sourceLocation
    ) throws {
        let result = try weir(arguments, environment: changes)
        #expect(result.exitCode == code, "\(result.end), not \(code): \(result.transcript)", sourceLocation: location)
        for word in words {
            #expect(result.errors.contains(word), "standard error does not say \"\(word)\": \(result.transcript)", sourceLocation: location)
        }
        #expect(result.output.isEmpty, "a refusal is no data: \(result.transcript)", sourceLocation: location)
    }

    // MARK: Records

    public func jobs() throws -> [JobReport] { try succeed("jobs", "--json").record([JobReport].self) }

    public func job(_ name: String) throws -> JobReport {
        guard let job = try jobs().first(where: { $0.name == name && !$0.state.isTerminal }) ?? jobs().first(where: { $0.name == name }) else {
            throw Broken("there is no job \(name)")
        }
        return job
    }

    public func checkpoints(of job: String) throws -> [CheckpointReport] {
        try succeed("checkpoints", job, "--json").record([CheckpointReport].self)
    }

    /// Waits until a job is as wanted.
    public func waitForJob(_ name: String, _ what: String, within seconds: Double = 30, _ condition: (JobReport) -> Bool) throws -> JobReport {
        var last: JobReport?
        return try wait(seconds, for: "\(name) \(what)", evidence: { "\(String(describing: last))" }) {
            let job = try self.job(name)
            last = job
            return condition(job) ? job : nil
        }
    }
}

/// `weir engine` in the background, ended with the object.
public final class BackgroundEngine {
    public let home: TestHome
    public private(set) var process: ChildProcess
    private let arguments: [String]
    private let environment: [String: String?]
    private let binary: String?

    public init(_ home: TestHome, _ arguments: [String] = [], environment: [String: String?] = [:], binary: String? = nil) throws {
        (self.home, self.arguments, self.environment, self.binary) = (home, arguments, environment, binary)
        process = try home.start(["engine"] + arguments, environment: environment, binary: binary)
        try process.waitForErrors("listens at")
    }

    deinit {
        // A stopped process takes no request to end.
        process.signal(SIGCONT)
        process.signal(SIGTERM)
        if process.end(within: 20) == nil { process.signal(SIGKILL) }
    }

    /// As a power cut does it.
    public func killNow() throws {
        process.signal(SIGKILL)
        guard process.end(within: 10) != nil else { throw Broken("the engine does not die") }
    }

    /// The same command again.
    public func startAgain() throws {
        process = try home.start(["engine"] + arguments, environment: environment, binary: binary)
        try process.waitForErrors("listens at")
    }

    public func end() throws -> ChildProcess.End {
        process.signal(SIGTERM)
        return try process.finish(within: 30)
    }
}
