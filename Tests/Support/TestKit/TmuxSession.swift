// A terminal of a fixed size that the tests can type into and read: a tmux server of its own.

public import Glibc
internal import StreamModel

/// One program in one pane of one private tmux server. The screen is what `capture-pane` says it is.
public final class TmuxSession {
    private let home: TestHome
    private let tmux: String
    private let server: String
    public private(set) var columns: Int
    public private(set) var rows: Int

    /// Starts a program, without a shell in between. The pane stays when the program ends.
    public init(
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
        // Broken: the server may be gone with its last pane.
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
    public func type(_ text: String) throws { try run(["send-keys", "-l", "--", text]) }

    /// Keys by tmux's names: Enter, Escape, C-z, Down.
    public func press(_ keys: String...) throws { try run(["send-keys"] + keys) }

    /// A line of the console's command line.
    public func command(_ text: String) throws {
        try type(":")
        try type(text)
        try press("Enter")
    }

    public func resize(columns: Int, rows: Int) throws {
        (self.columns, self.rows) = (columns, rows)
        try run(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    // MARK: Reading

    public struct Screen {
        public var lines: [String]
        public var text: String { lines.joined(separator: "\n") }

        public func contains(_ part: String) -> Bool { lines.contains { $0.contains(part) } }

        /// The first line that holds `part`.
        public func line(with part: String) -> String? { lines.first { $0.contains(part) } }

        /// The first match on one line; its groups as text.
        public func match<Output>(_ regex: Regex<Output>) -> Regex<Output>.Match? { lines.lazy.compactMap { $0.firstMatch(of: regex) }.first }
    }

    public func screen() throws -> Screen {
        var text = try run(["capture-pane", "-p"])
        if text.last == "\n" { text.removeLast() }
        return Screen(lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// The screen with the escape sequences that paint it.
    public func paintedScreen() throws -> String { try run(["capture-pane", "-p", "-e"]) }

    /// For messages of failed tests.
    public var dump: String {
        // Broken or DeadlinePassed: this is said in its place.
        let screen = (try? screen().text) ?? "the screen cannot be read"
        let edge = String(repeating: "-", count: columns)
        return "\(edge)\n\(screen)\n\(edge)"
    }

    @discardableResult
    public func wait(_ seconds: Double = 20, for what: String, _ condition: (Screen) throws -> Bool) throws -> Screen {
        try waitUntil(seconds, for: what, evidence: { dump }) {
            let screen = try screen()
            return try condition(screen) ? screen : nil
        }
    }

    @discardableResult
    public func waitFor(_ text: String, _ seconds: Double = 20) throws -> Screen {
        try wait(seconds, for: "\"\(text)\" on the screen") { $0.contains(text) }
    }

    /// Waits for a match on one line.
    public func waitFor<Output>(_ regex: Regex<Output>, _ what: String, _ seconds: Double = 20) throws -> Regex<Output>.Match {
        var found: Regex<Output>.Match?
        try wait(seconds, for: what) { screen in
            found = screen.match(regex)
            return found != nil
        }
        guard let found else { throw Broken("no match for \(what)") }
        return found
    }

    /// Presses again and again, at the pace of fingers, until the screen is as wanted. What follows other keys too fast is refused.
    public func press(_ seconds: Double = 20, for what: String, _ press: () throws -> Void, until condition: (Screen) throws -> Bool) throws {
        var pressedAt = -Double.infinity
        try wait(seconds, for: what) { screen in
            if try condition(screen) { return true }
            if monotonicSeconds() - pressedAt > 0.5 {
                try press()
                pressedAt = monotonicSeconds()
            }
            return false
        }
    }

    /// Accepts the open sheet with `y`. It takes no key in its first moments, and none right behind one that it ignored.
    public func accept(_ title: String) throws {
        try press(for: "the sheet to be accepted", { try type("y") }, until: { !$0.contains(title) })
    }

    // MARK: The program

    /// The process of the pane.
    public var processID: pid_t { get throws { pid_t(try format("#{pane_pid}")) ?? -1 } }

    public var isAlternate: Bool { get throws { try format("#{alternate_on}") == "1" } }
    public var isCursorVisible: Bool { get throws { try format("#{cursor_flag}") == "1" } }

    /// Closes the terminal under its program.
    public func close() throws { try run(["kill-server"]) }

    /// Kills the program and waits until the kernel has ended it. What tmux knows of it can come later, or not at all.
    public func killProgram() throws {
        let id = try processID
        kill(id, SIGKILL)
        try waitUntil(for: "the end of process \(id)", evidence: { dump }) {
            let facts = String(decoding: readFile("/proc/\(id)/stat"), as: UTF8.self)
            // "id (name) state ...": a zombie has ended.
            return facts.isEmpty || facts.contains(") Z ") || facts.contains(") X ")
        }
    }

    /// Starts a program in the pane of one that has ended.
    public func restart(_ command: [String]) throws { try run(["respawn-pane", "-k", "--"] + command) }
}

/// `wait` of the whole harness, which the session's own `wait` hides in there.
private func waitUntil<Value>(
    _ seconds: Double = 20, for what: String, evidence: () -> String, _ condition: () throws -> Value?
) throws -> Value { try wait(seconds, for: what, evidence: evidence, condition) }

private func waitUntil(for what: String, evidence: () -> String, until condition: () throws -> Bool) throws {
    try wait(for: what, evidence: evidence, until: condition)
}
