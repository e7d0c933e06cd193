// A terminal of a fixed size that the tests can type into and read: a tmux server of its own.

import Glibc
import StreamModel

/// One program in one pane of one private tmux server. The screen is what `capture-pane` says it is.
final class TmuxSession {
    private let home: TestHome
    private let tmux: String
    private let server: String
    private(set) var columns: Int
    private(set) var rows: Int

    /// Starts a program, without a shell in between. The pane stays when the program ends.
    init(
        _ home: TestHome, _ command: [String], environment changes: [String: String?] = [:], columns: Int = 80, rows: Int = 24
    ) throws {
        guard let tmux = Binaries.tmux else { throw Broken("tmux is missing") }
        self.home = home
        self.tmux = tmux
        (self.columns, self.rows) = (columns, rows)
        server = "weir-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let settings = home.write(
            "tmux.conf",
            """
            set -g status off
            set -g default-terminal tmux-256color
            set -g remain-on-exit on
            set -g remain-on-exit-format ""
            set -g history-limit 2000
            set -s escape-time 0

            """)
        // What the program gets is set by `env`, so that tmux itself always speaks UTF-8.
        let set = changes.compactMap { name, value in value.map { "\(name)=\($0)" } }
        let unset = changes.filter { $0.value == nil }.flatMap { ["-u", $0.key] }
        let whole = changes.isEmpty ? command : ["/usr/bin/env"] + unset + set + command
        try run(["-f", settings, "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "--"] + whole)
    }

    deinit {
        // The server may be gone with its last pane.
        _ = try? run(["kill-server"])
    }

    @discardableResult
    private func run(_ arguments: [String]) throws -> String {
        let child = ChildProcess(tmux, ["-u", "-L", server] + arguments, environment: home.environment())
        let end = try child.finish(within: 20)
        guard end == .exited(0) else { throw Broken("tmux \(end): \(child.transcript)") }
        return child.output
    }

    private func format(_ text: String) throws -> String {
        try run(["display-message", "-p", text]).filter { $0 != "\n" }
    }

    // MARK: Typing

    /// Characters as they are.
    func type(_ text: String) throws { try run(["send-keys", "-l", "--", text]) }

    /// Keys by tmux's names: Enter, Escape, C-z, Down.
    func press(_ keys: String...) throws { try run(["send-keys"] + keys) }

    /// A line of the console's command line.
    func command(_ text: String) throws {
        try type(":")
        try type(text)
        try press("Enter")
    }

    func resize(columns: Int, rows: Int) throws {
        (self.columns, self.rows) = (columns, rows)
        try run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    // MARK: Reading

    struct Screen {
        var lines: [String]
        var text: String { lines.joined(separator: "\n") }

        func contains(_ part: String) -> Bool { lines.contains { $0.contains(part) } }

        /// The first line that holds `part`.
        func line(with part: String) -> String? { lines.first { $0.contains(part) } }

        /// The first match on one line; its groups as text.
        func match<Output>(_ regex: Regex<Output>) -> Regex<Output>.Match? { lines.lazy.compactMap { $0.firstMatch(of: regex) }.first }
    }

    func screen() throws -> Screen {
        var text = try run(["capture-pane", "-p"])
        if text.last == "\n" { text.removeLast() }
        return Screen(lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// The screen with the escape sequences that paint it.
    func paintedScreen() throws -> String { try run(["capture-pane", "-p", "-e"]) }

    /// For messages of failed tests.
    var dump: String {
        let screen = (try? screen().text) ?? "the screen cannot be read"
        let edge = String(repeating: "-", count: columns)
        return "\(edge)\n\(screen)\n\(edge)"
    }

    @discardableResult
    func wait(_ seconds: Double = 20, for what: String, _ condition: (Screen) throws -> Bool) throws -> Screen {
        try waitUntil(seconds, for: what, evidence: { dump }) {
            let screen = try screen()
            return try condition(screen) ? screen : nil
        }
    }

    @discardableResult
    func waitFor(_ text: String, _ seconds: Double = 20) throws -> Screen {
        try wait(seconds, for: "\"\(text)\" on the screen") { $0.contains(text) }
    }

    /// Waits for a match on one line.
    func waitFor<Output>(_ regex: Regex<Output>, _ what: String, _ seconds: Double = 20) throws -> Regex<Output>.Match {
        var found: Regex<Output>.Match?
        try wait(seconds, for: what) { screen in
            found = screen.match(regex)
            return found != nil
        }
        guard let found else { throw Broken("no match for \(what)") }
        return found
    }

    // MARK: The program

    /// The process of the pane.
    var processID: pid_t { get throws { pid_t(try format("#{pane_pid}")) ?? -1 } }

    var isAlternate: Bool { get throws { try format("#{alternate_on}") == "1" } }
    var isCursorVisible: Bool { get throws { try format("#{cursor_flag}") == "1" } }

    /// Closes the terminal under its program.
    func close() throws { try run(["kill-server"]) }

    /// Kills the program and waits until the kernel has ended it. What tmux knows of it can come later, or not at all.
    func killProgram() throws {
        let id = try processID
        kill(id, SIGKILL)
        try waitUntil(for: "the end of process \(id)", evidence: { dump }) {
            let facts = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self)
            // "id (name) state ...": a zombie has ended.
            return facts.isEmpty || facts.contains(") Z ") || facts.contains(") X ")
        }
    }

    /// Starts a program in the pane of one that has ended.
    func restart(_ command: [String]) throws { try run(["respawn-pane", "-k", "--"] + command) }
}

/// `wait` of the whole harness, which the session's own `wait` hides in there.
private func waitUntil<Value>(
    _ seconds: Double = 20, for what: String, evidence: () -> String, _ condition: () throws -> Value?
) throws -> Value { try wait(seconds, for: what, evidence: evidence, condition) }

private func waitUntil(for what: String, evidence: () -> String, until condition: () throws -> Bool) throws {
    try wait(for: what, evidence: evidence, until: condition)
}
