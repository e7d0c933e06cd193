// A program as a child: its output is kept, its end is waited for with a deadline, and it does not outlive the object.

internal import Dispatch
public import Glibc
internal import Synchronization

public final class ChildProcess: Sendable {
    public enum End: Equatable, CustomStringConvertible {
        case exited(Int32), killed(Int32)

        /// From the status that `waitpid` has filled in.
        init(status: Int32) { self = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(status & 0x7f) }

        public var description: String {
            switch self {
            case .exited(let code): "exited with \(code)"
            case .killed(let signal): "was killed by signal \(signal)"
            }
        }
    }

    public let id: pid_t
    public let command: String
    private let end = Mutex<End?>(nil)
    private let outputPipe: PipeReader
    private let errorPipe: PipeReader

    /// Starts a program. Its standard input is empty; output and error are pipes.
    public init(_ executable: String, _ arguments: [String], environment: [String: String]) {
        command = ([executable] + arguments).joined(separator: " ")
        let output = PipeReader(), errors = PipeReader()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.writeEnd, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, errors.writeEnd, STDERR_FILENO)
        id = spawn(executable, arguments, environment, &actions, inNewSession: false)
        output.begin()
        errors.begin()
        (outputPipe, errorPipe) = (output, errors)
    }

    deinit {
        if pollEnd() == nil {
            kill(id, SIGKILL)
            var status: Int32 = 0
            waitpid(id, &status, 0)
        }
    }

    // MARK: Output

    public var outputBytes: [UInt8] { outputPipe.bytes }
    public var output: String { String(decoding: outputPipe.bytes, as: UTF8.self) }
    public var errors: String { String(decoding: errorPipe.bytes, as: UTF8.self) }

    /// For messages of failed tests.
    public var transcript: String { "\(command)\n--- output\n\(output)\n--- errors\n\(errors)\n---" }

    // MARK: End

    public func signal(_ signal: Int32) { kill(id, signal) }

    /// How it ended; nil = it lives.
    public func pollEnd() -> End? {
        end.withLock { end in
            if let end { return end }
            var status: Int32 = 0
            guard waitpid(id, &status, WNOHANG) == id else { return nil }
            end = End(status: status)
            return end
        }
    }

    /// How it ended; nil = it still lives after so long.
    public func end(within seconds: Double) -> End? {
        let deadline = monotonicSeconds() + seconds
        while true {
            if let end = pollEnd() { return end }
            guard monotonicSeconds() < deadline else { return nil }
            breathe()
        }
    }

    /// Waits for the end and for the last of the output.
    @discardableResult
    public func finish(within seconds: Double = 60) throws -> End {
        guard let end = end(within: seconds) else { throw DeadlinePassed(what: "the end of \(command)", seconds: seconds, evidence: transcript) }
        try wait(5, for: "the last output of \(command)", evidence: { transcript }) { outputPipe.isEnded && errorPipe.isEnded }
        return end
    }

    public func waitForErrors(_ text: String, _ seconds: Double = 20) throws {
        try wait(seconds, for: "\"\(text)\" on standard error", evidence: { transcript }) {
            if errors.contains(text) { return true }
            if pollEnd() != nil, errorPipe.isEnded, !errors.contains(text) { throw Broken("it ended without \"\(text)\": \(transcript)") }
            return false
        }
    }

    /// What the kernel says in `/proc/<id>/status`, in KiB: resident memory.
    public var residentKiB: Int? { statusNumber(of: id, "VmRSS") }
}

/// A number of `/proc/<id>/status`; nil = the process is gone.
public func statusNumber(of id: pid_t, _ name: String) -> Int? {
    let lines = String(decoding: readFile("/proc/\(id)/status"), as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix(name + ":") }) else { return nil }
    return line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }
}

/// Held while descriptors are made that no other child may inherit, and while a child is made.
private let spawning = Mutex(())

/// Starts a program with a clean slate: a test runner may have blocked or ignored signals.
public func spawn(
    _ executable: String, _ arguments: [String], _ environment: [String: String], _ actions: inout posix_spawn_file_actions_t, inNewSession: Bool
) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // POSIX_SPAWN_SETSID, which the C library shows to GNU sources only.
    let newSession: Int16 = inNewSession ? 0x80 : 0
    posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    var mask = sigset_t(), defaults = sigset_t()
    sigemptyset(&mask)
    sigfillset(&defaults)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    let words = ([executable] + arguments).map { strdup($0) } + [nil]
    let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in words + variables { free(pointer) } }
    var id: pid_t = 0
    let failure = spawning.withLock { _ in posix_spawn(&id, executable, &actions, &attributes, words, variables) }
    guard failure == 0 else { fatalError("cannot start \(executable): \(String(cString: strerror(failure)))") }
    return id
}

/// Reads a pipe to its end on a queue of its own.
private final class PipeReader: Sendable {
    let readEnd: Int32
    let writeEnd: Int32
    private let content = Mutex<(bytes: [UInt8], isEnded: Bool)>(([], false))

    init() {
        var ends: [Int32] = [0, 0]
        spawning.withLock { _ in
            guard pipe(&ends) == 0 else { fatalError("no pipe: \(String(cString: strerror(errno)))") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    var bytes: [UInt8] { content.withLock { $0.bytes } }
    var isEnded: Bool { content.withLock { $0.isEnded } }

    /// Called once the child has its end.
    func begin() {
        close(writeEnd)
        DispatchQueue(label: "pipe").async { [self] in
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = read(readEnd, &chunk, chunk.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                content.withLock { $0.bytes += chunk.prefix(count) }
            }
            close(readEnd)
            content.withLock { $0.isEnded = true }
        }
    }
}
