// A program on a pseudo-terminal of its own, as a terminal emulator would run it: the test holds the other end, counts bytes,
// reads the screen, types, resizes and sends signals. Waits are for conditions, with a deadline.

import Glibc

final class PtyProcess {
    enum End: Equatable { case exited(Int32), killed(Int32) }

    let pid: pid_t
    private(set) var screen: ScreenReader
    /// The modes of the line before the program started.
    let originalModes: TerminalModes
    /// All bytes that came, in order.
    private(set) var output: [UInt8] = []
    private let master: Int32
    /// Held open so that the line does not hang up when the program ends.
    private var slave: Int32
    private var end: End?

    /// Starts `executable` in a new session with the pseudo-terminal as its controlling one.
    init(_ executable: String, _ arguments: [String] = [], environment: [String: String], columns: Int = 80, rows: Int = 24) {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN of <asm/ioctls.h>: what unlockpt and ptsname do.
        var isLocked: Int32 = 0, number: Int32 = 0
        precondition(
            master >= 0 && ioctl(master, 0x4004_5431, &isLocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0, "no pseudo-terminal")
        let name = "/dev/pts/\(number)"
        slave = open(name, O_RDWR | O_NOCTTY)
        precondition(slave >= 0, "cannot open \(name)")
        _ = fcntl(slave, F_SETFD, FD_CLOEXEC)
        var window = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(slave, UInt(TIOCSWINSZ), &window)
        screen = ScreenReader(columns: columns, rows: rows)
        originalModes = Self.modes(of: slave)
        pid = Self.spawn(executable, arguments, environment, terminal: name)
    }

    private static func spawn(_ executable: String, _ arguments: [String], _ environment: [String: String], terminal: String) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that a session leader opens becomes its controlling one.
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID, which the C library shows to GNU sources only.
        posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        // A test runner may have blocked or ignored signals; the program starts with a clean slate.
        var mask = sigset_t(), defaults = sigset_t()
        sigemptyset(&mask)
        sigfillset(&defaults)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in words + variables { free(pointer) } }
        var pid: pid_t = 0
        let failure = posix_spawn(&pid, executable, &actions, &attributes, &words, &variables)
        precondition(failure == 0, "cannot start \(executable): \(String(cString: strerror(failure)))")
        return pid
    }

    deinit {
        if end == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        close(master)
        if slave >= 0 { close(slave) }
    }

    // MARK: Input

    func type(_ text: String) { type(Array(text.utf8)) }

    func type(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            precondition(count > 0, "the pseudo-terminal takes no input")
            rest = rest.dropFirst(count)
        }
    }

    func resize(columns: Int, rows: Int) {
        screen = ScreenReader(columns: columns, rows: rows)
        var window = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &window)
    }

    func signal(_ signal: Int32) { kill(pid, signal) }

    /// Closes the line, as a lost SSH connection does.
    func hangUp() {
        close(slave)
        slave = -1
        // Closing the master hangs up; its number is taken over by /dev/null so that nothing else gets it.
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        dup2(null, master)
        close(null)
    }

    // MARK: Output

    /// Reads what there is, or `limit` bytes of it; waits for it up to `milliseconds`. False = nothing came.
    @discardableResult
    func read(within milliseconds: Int, atMost limit: Int = 1 << 16) -> Bool {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32(milliseconds)) == 1, descriptor.revents & Int16(POLLIN) != 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(master, &bytes, bytes.count)
        guard count > 0 else { return false }
        output += bytes.prefix(count)
        screen.feed(bytes.prefix(count))
        return true
    }

    /// All that was sent has been read.
    var isDrained: Bool {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) == 0
    }

    /// What the line says of its speed.
    func setSpeed(_ speed: speed_t) {
        var modes = termios()
        tcgetattr(slave, &modes)
        cfsetispeed(&modes, speed)
        cfsetospeed(&modes, speed)
        tcsetattr(slave, TCSANOW, &modes)
    }

    /// Reads until `condition` holds of the screen; false when it does not within `seconds`.
    func wait(_ seconds: Double = 10, until condition: (ScreenReader) -> Bool) -> Bool {
        let deadline = monotonicSeconds() + seconds
        while !condition(screen) {
            let left = deadline - monotonicSeconds()
            guard left > 0 else { return false }
            read(within: max(1, Int(min(left, 0.1) * 1000)))
        }
        return true
    }

    func waitForText(_ text: String, _ seconds: Double = 10) -> Bool { wait(seconds) { $0.text.contains(text) } }

    /// Bytes that come from now until `seconds` have passed.
    func collect(for seconds: Double) -> [UInt8] {
        let start = output.count, deadline = monotonicSeconds() + seconds
        while monotonicSeconds() < deadline { read(within: max(1, Int((deadline - monotonicSeconds()) * 1000))) }
        return Array(output[start...])
    }

    /// Reads until nothing has come for `seconds`.
    func settle(_ seconds: Double = 0.15) {
        while read(within: Int(seconds * 1000)) {}
    }

    /// The modes of the line now.
    var modes: TerminalModes { Self.modes(of: slave) }

    private static func modes(of terminal: Int32) -> TerminalModes {
        var modes = termios()
        tcgetattr(terminal, &modes)
        return TerminalModes(
            input: modes.c_iflag, output: modes.c_oflag, control: modes.c_cflag, local: modes.c_lflag,
            characters: withUnsafeBytes(of: modes.c_cc) { Array($0) })
    }

    /// How the program ended; nil when it still runs after `seconds`. `isRead`: what it sends is taken meanwhile.
    func waitForEnd(_ seconds: Double = 10, isRead: Bool = true) -> End? {
        let deadline = monotonicSeconds() + seconds
        while end == nil {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                end = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .killed(status & 0x7f)
            } else if monotonicSeconds() > deadline {
                return nil
            }
            if isRead { read(within: 5) } else { usleep(5000) }
        }
        while isRead, read(within: 20) {}
        return end
    }

    /// Whether the process is stopped.
    func waitForStop(_ seconds: Double = 10) -> Bool {
        let deadline = monotonicSeconds() + seconds
        while monotonicSeconds() < deadline {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG | WUNTRACED) == pid { return status & 0xff == 0x7f }
            read(within: 5)
        }
        return false
    }
}

struct TerminalModes: Equatable {
    var input, output, control, local: tcflag_t
    var characters: [UInt8]
}

func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
