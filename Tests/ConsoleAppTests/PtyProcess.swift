// A program on a pseudo-terminal of its own, as a terminal emulator would run it: the test counts bytes, reads the screen, types, resizes and
// sends signals. Waits are for conditions, with a deadline.

import Glibc
import TestKit

final class PtyProcess {
    typealias End = ChildProcess.End

    var pid: pid_t { terminal.pid }
    private(set) var screen: ScreenReader
    /// The modes of the line before the program started.
    var originalModes: TerminalModes { terminal.originalModes }
    /// All bytes that came, in order.
    private(set) var output: [UInt8] = []
    private let terminal: PseudoTerminal

    init(_ executable: String, _ arguments: [String] = [], environment: [String: String], columns: Int = 80, rows: Int = 24) {
        screen = ScreenReader(columns: columns, rows: rows)
        terminal = PseudoTerminal(executable, arguments, environment: environment, columns: columns, rows: rows)
    }

    // MARK: Input

    func type(_ text: String) { type(Array(text.utf8)) }
    func type(_ bytes: [UInt8]) { terminal.type(bytes) }

    func resize(columns: Int, rows: Int) {
        screen = ScreenReader(columns: columns, rows: rows)
        terminal.resize(columns: columns, rows: rows)
    }

    /// Tells the program of a size that the screen here does not take.
    func claimSize(columns: Int, rows: Int) { terminal.resize(columns: columns, rows: rows) }

    func signal(_ signal: Int32) { terminal.signal(signal) }

    /// Closes the line, as a lost SSH connection does.
    func hangUp() { terminal.hangUp() }

    // MARK: Output

    /// Reads the bytes that there are, or `limit` of them; waits for the first up to `milliseconds`. False = none came.
    @discardableResult
    func read(within milliseconds: Int, atMost limit: Int = 1 << 16) -> Bool {
        let bytes = terminal.read(within: Double(milliseconds) / 1000, atMost: limit)
        output += bytes
        screen.feed(bytes)
        return !bytes.isEmpty
    }

    /// Whether everything that was sent has been read.
    var isDrained: Bool { terminal.isDrained }

    /// Sets the speed that the line reports.
    func setSpeed(_ speed: speed_t) { terminal.setSpeed(speed) }

    /// Reads until `condition` holds of the screen; false when it does not within `seconds`.
    func wait(_ seconds: Double = 10, until condition: (ScreenReader) -> Bool) -> Bool {
        let deadline = monotonicSeconds() + seconds
        while !condition(screen) {
            let left = deadline - monotonicSeconds()
            guard left > 0 else { return false }
            let start = output.count
            read(within: max(1, Int(min(left, 0.1) * 1000)))
            // A large screen is looked at once it is there, not after every 4 KiB of it.
            while output.count - start < 1 << 20, read(within: 0) {}
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
    var modes: TerminalModes { terminal.modes }

    /// How the program ended; nil when it still runs after `seconds`. `isRead`: what it sends is taken meanwhile.
    func waitForEnd(_ seconds: Double = 10, isRead: Bool = true) -> End? {
        let deadline = monotonicSeconds() + seconds
        while terminal.pollEnd() == nil {
            guard monotonicSeconds() < deadline else { return nil }
            if isRead { read(within: 5) } else { breathe() }
        }
        while isRead, read(within: 20) {}
        return terminal.pollEnd()
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
