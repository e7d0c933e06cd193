// A program on a pseudo-terminal: the test holds the other end. It does not outlive the object.

public import Glibc

public final class PseudoTerminal {
    public let pid: pid_t
    /// When the program was started, just before.
    public let startedAt: Double
    /// The modes of the line before the program started.
    public let originalModes: TerminalModes
    private let master: Int32
    /// Held open so that the line does not hang up with the program.
    private var slave: Int32
    private var end: ChildProcess.End?

    /// Starts `executable` in a new session with the pseudo-terminal as its controlling one.
    public init(_ executable: String, _ arguments: [String], environment: [String: String], columns: Int, rows: Int) {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // TIOCSPTLCK and TIOCGPTN of <asm/ioctls.h>: what unlockpt and ptsname do.
        var isLocked: Int32 = 0, number: Int32 = 0
        precondition(
            master >= 0 && ioctl(master, 0x4004_5431, &isLocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0, "no pseudo-terminal")
        let name = "/dev/pts/\(number)"
        slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)
        precondition(slave >= 0, "cannot open \(name)")
        var window = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(slave, UInt(TIOCSWINSZ), &window)
        originalModes = TerminalModes(of: slave)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that the leader of a session opens becomes its controlling one.
        posix_spawn_file_actions_addopen(&actions, 0, name, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        startedAt = monotonicSeconds()
        pid = spawn(executable, arguments, environment, &actions, inNewSession: true)
    }

    deinit {
        if pollEnd() == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        close(master)
        if slave >= 0 { close(slave) }
    }

    // MARK: Input

    public func type(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
            precondition(count > 0, "the pseudo-terminal takes no input")
            rest = rest.dropFirst(count)
        }
    }

    public func resize(columns: Int, rows: Int) {
        var window = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &window)
    }

    public func signal(_ signal: Int32) { kill(pid, signal) }

    /// Closes the line, as a lost SSH connection does.
    public func hangUp() {
        close(slave)
        slave = -1
        // Closing the master hangs up; its number is taken over by /dev/null so that nothing else gets it.
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        dup2(null, master)
        close(null)
    }

    // MARK: Output

    /// Reads the bytes that there are, or `limit` of them; waits for the first up to `seconds`. Empty = none came.
    public func read(within seconds: Double, atMost limit: Int = 1 << 16) -> ArraySlice<UInt8> {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, Int32((seconds * 1000).rounded(.up))) == 1, descriptor.revents & Int16(POLLIN) != 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = Glibc.read(master, &bytes, bytes.count)
        return bytes.prefix(max(0, count))
    }

    /// Whether everything that was sent has been read.
    public var isDrained: Bool {
        var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) == 0
    }

    // MARK: The line

    public var modes: TerminalModes { TerminalModes(of: slave) }

    /// Sets the speed that the line reports.
    public func setSpeed(_ speed: speed_t) {
        var modes = termios()
        tcgetattr(slave, &modes)
        cfsetispeed(&modes, speed)
        cfsetospeed(&modes, speed)
        tcsetattr(slave, TCSANOW, &modes)
    }

    // MARK: End

    /// How the program ended; nil = it runs.
    public func pollEnd() -> ChildProcess.End? {
        if let end { return end }
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        end = ChildProcess.End(status: status)
        return end
    }
}

/// The settings of a line, for comparison.
public struct TerminalModes: Equatable {
    private let input, output, control, local: tcflag_t
    private let characters: [UInt8]

    init(of terminal: Int32) {
        var modes = termios()
        tcgetattr(terminal, &modes)
        (input, output, control, local) = (modes.c_iflag, modes.c_oflag, modes.c_cflag, modes.c_lflag)
        characters = withUnsafeBytes(of: modes.c_cc) { Array($0) }
    }
}
