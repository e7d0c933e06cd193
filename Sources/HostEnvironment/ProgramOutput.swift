internal import Glibc
public import StreamModel

/// What another program writes to its standard output. It gets no input, and its standard error is dropped.
public enum ProgramOutput {
    public enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// There is no such program, or it cannot be started.
        case notStarted(String)
        case overdue
        case tooLong(Int)
        case exited(Int32)
        case killed(signal: Int32)

        /// Goes on from the name of the program.
        public var description: String {
            switch self {
            case .notStarted(let reason): "was not started: \(reason)"
            case .overdue: "did not end in time"
            case .tooLong(let limit): "wrote more than \(limit) bytes"
            case .exited(let code): "failed with \(code)"
            case .killed(let signal): "was killed by signal \(signal)"
            }
        }
    }

    /// Runs a program to its end. Whatever goes beyond the deadline or the limit is killed.
    /// - Parameter words: the program, looked for in PATH, and its arguments.
    public static func of(_ words: [String], by deadline: EngineInstant, limit: Int) throws(Failure) -> [UInt8] {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .notStarted(String(cString: strerror(errno))) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let process: pid_t
        do throws(Failure) { process = try start(words, writingTo: ends[1]) } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let output: Result<[UInt8], Failure> = Result { () throws(Failure) in try collect(ends[0], by: deadline, limit: limit) }
        let isKilled = if case .failure = output { true } else { false }
        guard let status = end(of: process, by: isKilled ? nil : deadline) else { throw .overdue }
        let bytes = try output.get()
        guard status & 0x7f == 0 else { throw .killed(signal: status & 0x7f) }
        guard status == 0 else { throw .exited(status >> 8 & 0xff) }
        return bytes
    }

    /// Waits for the end of a program, and kills it at the deadline: one that has closed its output may go on. No deadline: it is killed at once.
    /// - Returns: what `waitpid` says; nil = it went on until the deadline.
    private static func end(of process: pid_t, by deadline: EngineInstant?) -> Int32? {
        var status: Int32 = 0
        var span: Int32 = 1
        while let deadline {
            let found = waitpid(process, &status, WNOHANG)
            if found == process { return status }
            if found < 0, errno != EINTR { return status }
            let left = deadline - EngineInstant.now()
            guard left > 0 else { break }
            pause(milliseconds: min(span, Int32(clamping: left.count)))
            span = min(20, span * 2)
        }
        kill(process, SIGKILL)
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return deadline == nil ? status : nil
    }

    private static func start(_ words: [String], writingTo output: Int32) throws(Failure) -> pid_t {
        guard let name = words.first else { throw .notStarted("it has no name") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let failure = posix_spawnp(&process, name, &actions, nil, &arguments, environ)
        guard failure == 0 else { throw .notStarted(String(cString: strerror(failure))) }
        return process
    }

    /// Everything until the end of the pipe.
    private static func collect(_ descriptor: Int32, by deadline: EngineInstant, limit: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let left = deadline - EngineInstant.now()
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0 else { throw .overdue }
            let ready = poll(&waiting, 1, Int32(clamping: left.count))
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { throw .overdue }
            let count = read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return bytes }
            bytes += piece.prefix(count)
            guard bytes.count <= limit else { throw .tooLong(limit) }
        }
    }
}
