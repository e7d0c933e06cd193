import ArgumentParser
import Glibc

/// A program on a pseudo-terminal of 80x24 whose other end counts and times bytes. Every program is measured on the same one.
final class PtyRecorder {
    let process: pid_t
    private let master: Int32
    /// Start of the program in seconds, on a clock that never jumps.
    let startedAt: Double
    private(set) var byteCount = 0
    /// Last bytes received, to search for words.
    private var tail: [UInt8] = []
    private var isEnded = false

    init(_ command: [String], environment: [String: String]) throws {
        var ends: (master: Int32, slave: Int32) = (-1, -1)
        var window = winsize(ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0)
        var name = [CChar](repeating: 0, count: 128)
        guard openpty(&ends.master, &ends.slave, &name, nil, &window) == 0 else {
            throw ValidationError("no pseudo-terminal: \(String(cString: strerror(errno)))")
        }
        master = ends.master
        for end in [ends.master, ends.slave] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var actions = posix_spawn_file_actions_t(), attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // The leader of a new session gets the first terminal it opens as its controlling terminal.
        let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID
        posix_spawnattr_setflags(&attributes, newSession)
        posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        let words = command.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + variables { free(text) } }
        var id: pid_t = 0
        startedAt = monotonicSeconds()
        let result = posix_spawn(&id, command[0], &actions, &attributes, words, variables)
        process = id
        close(ends.slave)
        guard result == 0 else { throw ValidationError("cannot start \(command[0]): \(String(cString: strerror(result)))") }
    }

    deinit {
        end()
        close(master)
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(master, bytes, bytes.count)
    }

    /// Reads the available bytes, waiting for some at most this long; returns their count.
    @discardableResult
    func read(within limit: Double) -> Int {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32((limit * 1000).rounded(.up))) == 1, descriptor.revents & Int16(POLLIN) != 0 else { return 0 }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(master, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        byteCount += count
        tail = Array((tail + bytes.prefix(count)).suffix(1 << 16))
        return count
    }

    /// Reads everything within this many seconds.
    @discardableResult
    func collect(for duration: Double) -> Int {
        let end = monotonicSeconds() + duration
        var total = 0
        while monotonicSeconds() < end { total += read(within: max(0.001, end - monotonicSeconds())) }
        return total
    }

    /// Reads until nothing has come for `quiet` seconds.
    @discardableResult
    func burst(quiet: Double) -> Int {
        var total = 0
        while case let count = read(within: quiet), count > 0 { total += count }
        return total
    }

    /// Time when a word arrived, before or after now; throws after ten seconds.
    func time(of word: String) throws -> Double {
        let end = monotonicSeconds() + 10
        while monotonicSeconds() < end {
            if String(decoding: tail, as: UTF8.self).contains(word) { return monotonicSeconds() }
            read(within: 0.02)
        }
        throw ValidationError("\"\(word)\" did not come within 10 s")
    }

    func forget() { tail = [] }

    /// Whether a full paint has a word. Incremental changes never arrive as one word.
    func showsWhenPainted(_ word: String) -> Bool {
        forget()
        type("\u{0c}")
        burst(quiet: 0.05)
        return String(decoding: tail, as: UTF8.self).contains(word)
    }

    /// The next bytes; nil when the program has ended, or nothing came within the limit.
    func next(within limit: Double) -> [UInt8]? {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32((limit * 1000).rounded(.up))) == 1, descriptor.revents & Int16(POLLIN) != 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(master, &bytes, bytes.count)
        guard count > 0 else { return nil }
        byteCount += count
        return Array(bytes.prefix(count))
    }

    func end() {
        guard !isEnded else { return }
        isEnded = true
        kill(process, SIGTERM)
        var status: Int32 = 0
        let limit = monotonicSeconds() + 5
        while waitpid(process, &status, WNOHANG) == 0 {
            if monotonicSeconds() > limit { kill(process, SIGKILL) }
            read(within: 0.01)
        }
    }
}

/// Resource use of a process and its threads, from the kernel.
struct ProcessUse {
    /// Processor time in seconds.
    var processor: Double
    /// Voluntary context switches: one per end of a wait.
    var wakeups: Int
    var residentKiB: Int

    init(of process: pid_t) {
        let facts = Self.text("/proc/\(process)/stat")
        // After the name in parentheses: state is field 3, user and system time are 14 and 15.
        let fields = facts[(facts.lastIndex(of: ")") ?? facts.startIndex)...].split(separator: " ")
        let ticks = fields.count > 13 ? (Double(fields[12]) ?? 0) + (Double(fields[13]) ?? 0) : 0
        processor = ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        residentKiB = Self.number("VmRSS:", in: Self.text("/proc/\(process)/status"))
        wakeups = 0
        guard let threads = opendir("/proc/\(process)/task") else { return }
        defer { closedir(threads) }
        while let entry = readdir(threads) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if !name.hasPrefix(".") { wakeups += Self.number("voluntary_ctxt_switches:", in: Self.text("/proc/\(process)/task/\(name)/status")) }
        }
    }

    private static func number(_ key: String, in text: String) -> Int {
        let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
        return line.flatMap { $0.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first }.flatMap { Int($0) } ?? 0
    }

    private static func text(_ path: String) -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
