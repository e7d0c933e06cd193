internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import StreamModel

/// An engine as a child process with a private directory. Ending it waits for it and removes the directory. It ends by itself when this process dies,
/// which holds the other end of its standard input.
struct ChildEngine {
    private let place: DemoDirectory
    let processID: Int32
    private let inputDescriptor: Int32

    var directory: String { place.path }
    var socketPath: String { directory + "/engine.sock" }
    var logPath: String { directory + "/engine.log" }

    /// Starts this same executable with the arguments that `arguments` makes from socket and state directory.
    static func start(
        executable: String, arguments: (_ socket: String, _ state: String) -> [String]
    ) throws(ClientFailure) -> ChildEngine {
        let place = try DemoDirectory.make()
        do throws(ClientFailure) {
            return try spawn(executable, in: place, arguments(place.path + "/engine.sock", place.path + "/state"))
        } catch {
            place.remove()
            throw error
        }
    }

    private static func spawn(_ executable: String, in place: DemoDirectory, _ arguments: [String]) throws(ClientFailure) -> ChildEngine {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ClientFailure(.failed, "cannot make a pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, place.path + "/engine.log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        // With the lock: as long as the engine lives nobody sweeps its directory, whether or not this process does.
        posix_spawn_file_actions_adddup2(&actions, place.lock, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: Ctrl-C in the terminal is for the console. No signal is blocked or ignored.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var none = sigset_t(), all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var processID: pid_t = 0
        let words = ([executable] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let result = posix_spawn(&processID, executable, &actions, &attributes, words, environ)
        guard result == 0 else {
            close(ends[1])
            throw ClientFailure(.failed, "cannot start \(executable): \(String(cString: strerror(result)))")
        }
        return ChildEngine(place: place, processID: processID, inputDescriptor: ends[1])
    }

    /// Waits until the engine answers.
    func connect(name: String) throws(ClientFailure) -> EngineLink {
        let end = EngineInstant.now() + .seconds(10)
        while true {
            do throws(ClientFailure) { return try EngineLink(path: socketPath, name: name) } catch {
                var status: Int32 = 0
                if waitpid(processID, &status, WNOHANG) == processID {
                    throw ClientFailure(.failed, "the engine ended at once; its last words: \(lastWords)")
                }
                guard EngineInstant.now() < end else { throw error }
            }
            pause(milliseconds: 5)
        }
    }

    private var lastWords: String {
        guard let file = fopen(logPath, "r") else { return "none" }
        defer { fclose(file) }
        var last = "none"
        var line = [CChar](repeating: 0, count: 4096)
        while fgets(&line, Int32(line.count), file) != nil {
            last = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return last
    }

    /// Ends the engine, by force if it does not end by itself, and removes its directory.
    func end() {
        let end = EngineInstant.now() + .seconds(20)
        var status: Int32 = 0
        // A process that was waited for already is not ours to signal any more.
        if waitpid(processID, &status, WNOHANG) == 0 { kill(processID, SIGTERM) }
        close(inputDescriptor)
        while waitpid(processID, &status, WNOHANG) == 0 {
            if EngineInstant.now() >= end {
                kill(processID, SIGKILL)
                waitpid(processID, &status, 0)
                break
            }
            pause(milliseconds: 10)
        }
        place.remove()
    }
}

/// The path of this process's executable.
func executablePath() -> String? {
    guard let path = realpath("/proc/self/exe", nil) else { return nil }
    defer { free(path) }
    return String(cString: path)
}
