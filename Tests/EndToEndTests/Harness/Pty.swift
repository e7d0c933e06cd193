// A program on a pseudo-terminal whose bytes are counted and timed.

import Glibc
import TestKit

final class Pty {
    var id: pid_t { terminal.pid }
    /// When the program was started, just before.
    var startedAt: Double { terminal.startedAt }
    /// Everything that came, in order.
    private(set) var output: [UInt8] = []
    private let terminal: PseudoTerminal

    init(_ executable: String, _ arguments: [String], environment: [String: String], columns: Int = 80, rows: Int = 24) {
        terminal = PseudoTerminal(executable, arguments, environment: environment, columns: columns, rows: rows)
    }

    func type(_ text: String) { terminal.type(Array(text.utf8)) }

    /// Reads the bytes that there are and waits for the first so long. Their count: 0 = none came.
    @discardableResult
    func read(within seconds: Double) -> Int {
        let bytes = terminal.read(within: seconds)
        output += bytes
        return bytes.count
    }

    /// Reads until `text` has come after the byte `start`; when that was.
    func time(of text: String, after start: Int = 0, within seconds: Double = 10) throws -> Double {
        let end = monotonicSeconds() + seconds
        while true {
            if contains(text, after: start) { return monotonicSeconds() }
            guard monotonicSeconds() < end else {
                throw DeadlinePassed(what: "\"\(text)\" on the line", seconds: seconds, evidence: String(decoding: output, as: UTF8.self).debugDescription)
            }
            read(within: 0.05)
        }
    }

    private func contains(_ text: String, after start: Int) -> Bool {
        String(decoding: output[min(start, output.count)...], as: UTF8.self).contains(text)
    }

    /// What came until nothing did for `quiet`.
    @discardableResult
    func burst(quiet: Double) -> Int {
        var total = 0
        while true {
            let count = read(within: quiet)
            guard count > 0 else { return total }
            total += count
        }
    }

    /// The bytes that come until then: one entry a read, with its time.
    func collect(for seconds: Double) -> [(at: Double, count: Int)] {
        let end = monotonicSeconds() + seconds
        var reads: [(at: Double, count: Int)] = []
        while monotonicSeconds() < end {
            let count = read(within: max(0.001, end - monotonicSeconds()))
            if count > 0 { reads.append((monotonicSeconds(), count)) }
        }
        return reads
    }

    /// Reads until the program has ended; its exit code, or 128 and its signal.
    func waitForEnd(_ seconds: Double = 10) throws -> Int32 {
        let deadline = monotonicSeconds() + seconds
        while true {
            if let end = terminal.pollEnd() {
                burst(quiet: 0.01)
                switch end {
                case .exited(let code): return code
                case .killed(let signal): return 128 + signal
                }
            }
            guard monotonicSeconds() < deadline else { throw DeadlinePassed(what: "the end of the program", seconds: seconds, evidence: text) }
            read(within: 0.005)
        }
    }

    /// Everything that came, as text.
    var text: String { String(decoding: output, as: UTF8.self) }

    /// Ends the program and waits for it.
    func end() {
        terminal.signal(SIGTERM)
        let deadline = monotonicSeconds() + 10
        while terminal.pollEnd() == nil {
            if monotonicSeconds() > deadline { terminal.signal(SIGKILL) }
            read(within: 0.005)
        }
    }
}
