public import CellGrid
internal import ConsoleApp
internal import ConsoleCore
internal import ControlProtocol
public import ControlSocket
internal import CursesTerminal
internal import EngineClients
internal import FlinkREST
internal import Glibc
internal import HostEnvironment
internal import StreamModel

/// One finding: the state of a subject, and what to do if it is not well.
public struct DoctorFinding: Encodable, Sendable, Equatable {
    public enum Verdict: String, Encodable, Sendable { case ok, warn, fail }

    /// A word for the subject: "term", "tmux", "socket lab".
    public var subject: String
    public var verdict: Verdict
    /// One line.
    public var found: String
    /// What to do; nil where nothing need be done.
    public var advice: String?

    static func ok(_ subject: String, _ found: String) -> DoctorFinding { DoctorFinding(subject: subject, verdict: .ok, found: found) }
    static func warn(_ subject: String, _ found: String, _ advice: String) -> DoctorFinding {
        DoctorFinding(subject: subject, verdict: .warn, found: found, advice: advice)
    }
    static func fail(_ subject: String, _ found: String, _ advice: String) -> DoctorFinding {
        DoctorFinding(subject: subject, verdict: .fail, found: found, advice: advice)
    }

    /// For people.
    public var text: SafeText {
        let name = SafeText(subject, limit: 40).padded(16)
        return "\(verdict.rawValue == "ok" ? "ok  " : verdict.rawValue) \(name) \(found)\(advice.map { "; \($0)" } ?? "")"
    }
}

/// `weir doctor`: checks the terminal, the files and sockets, and whether engines answer. Changes nothing.
public enum Doctor {
    /// The record of `--json`.
    private struct Record: Encodable {
        var schema = 1
        var findings: [DoctorFinding]
    }

    /// `socket` and `flink` are checked in addition to the configuration.
    public static func examine(socket: String? = nil, trust: EngineTrust = .own, flink: String? = nil) -> [DoctorFinding] {
        let terminal = TerminalExamination(
            variable: ProcessEnvironment.variable, isTerminal: isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1, size: size(),
            terminfo: TerminfoFacts.lookUp, isUTF8: TerminfoFacts.adoptLocale(), tmux: { firstLine(of: ["tmux"] + $0) })
        return terminal.findings + configuration(socket: socket, trust: trust, flink: flink)
    }

    public static func json(_ findings: [DoctorFinding]) throws -> String {
        try ControlCodec.json(Record(findings: findings))
    }

    private static func size() -> (columns: Int, rows: Int)? {
        var window = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else { return nil }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    // MARK: Files and engines

    private static func configuration(socket: String?, trust: EngineTrust, flink: String?) -> [DoctorFinding] {
        let directories = BaseDirectories()
        var findings: [DoctorFinding] = []
        let path = directories.configurationPath, file = ConfigurationFile.load(path), count = file.contexts.count
        if file.problems.isEmpty {
            findings.append(
                .ok("config", access(path, F_OK) == 0 ? "\(path): \(count == 1 ? "1 context" : "\(count) contexts")" : "none (\(path) would be it)"))
        }
        for problem in file.problems {
            findings.append(.fail("config", "\(problem.place): \(problem.problem)", "correct it; until then \(problem.consequence)"))
        }
        findings.append(theme(file.theme))
        findings.append(state(file.ledger.path ?? directories.ledgerPath))
        var contexts = file.contexts
        if let socket { contexts.append(ConsoleContext(name: "given", class: .lab, socket: socket, trust: trust)) }
        if contexts.isEmpty, flink == nil { contexts.append(ConsoleContext(name: "local", class: .lab, socket: SocketPath.standard())) }
        for context in contexts { findings += examine(context) }
        if let flink {
            do throws(FlinkAddress.Problem) {
                findings.append(examine(FlinkConnection(try FlinkAddress(flink)), "flink"))
            } catch {
                findings.append(.fail("flink", "\(error)", "give a URL such as http://host:8081"))
            }
        }
        return findings
    }

    private static func theme(_ name: String?) -> DoctorFinding {
        do throws(ThemeError) {
            let report = try ThemeLibrary().check(name ?? "base16")
            guard report.isGood else { return .warn("theme", "\(report.name) is hard to read", "`weir themes check \(report.name)` says where") }
            return .ok("theme", report.name)
        } catch {
            return .fail("theme", "\(error)", "correct it, or choose one of `weir themes`")
        }
    }

    /// The ledger's folder: where actions are recorded.
    private static func state(_ ledger: String) -> DoctorFinding {
        let folder = String(ledger[..<(ledger.lastIndex(of: "/") ?? ledger.endIndex)])
        var facts = stat()
        guard stat(folder, &facts) == 0 else { return missing(folder) }
        guard facts.st_mode & S_IFMT == S_IFDIR, access(folder, W_OK | X_OK) == 0 else {
            return .fail("state", "\(folder) cannot be written to", "make it yours: actions are not recorded otherwise")
        }
        guard access(ledger, F_OK) != 0 || access(ledger, R_OK | W_OK) == 0 else {
            return .fail("state", "\(ledger) cannot be written to", "make it yours: actions are not recorded otherwise")
        }
        return .ok("state", "\(folder) can be written to")
    }

    /// A folder yet to be made, below the nearest existing one.
    private static func missing(_ folder: String) -> DoctorFinding {
        var parent = folder[...], facts = stat()
        repeat {
            parent = parent[..<(parent.lastIndex(of: "/") ?? parent.startIndex)]
        } while !parent.isEmpty && stat(String(parent), &facts) != 0
        let place = parent.isEmpty ? "/" : String(parent)
        guard stat(place, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR, access(place, W_OK | X_OK) == 0, canHoldFolders(place) else {
            return .fail("state", "\(folder) cannot be created in \(place)", "set XDG_STATE_HOME to a directory of yours: actions are not recorded otherwise")
        }
        return .ok("state", "\(folder) is made when it is needed")
    }

    /// The kernel's own filesystems take no folders, whatever their permissions say to root.
    private static func canHoldFolders(_ place: String) -> Bool { !["/sys", "/proc"].contains { place == $0 || place.hasPrefix($0 + "/") } }

    private static func examine(_ context: ConsoleContext) -> [DoctorFinding] {
        switch context.address {
        case .socket(let path): [owner(of: path, context.name, context.trust)].compactMap { $0 } + [engine(path, context.name, context.trust)]
        case .flink(let connection): [examine(connection, "flink \(context.name)")] + exposures(connection, context.name)
        }
    }

    /// Who could replace this socket by another; nil = there is nothing to check.
    private static func owner(of path: String, _ name: String, _ trust: EngineTrust) -> DoctorFinding? {
        let subject = "socket \(name)"
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var facts = stat(), folderFacts = stat()
        guard lstat(path, &facts) == 0, stat(folder, &folderFacts) == 0 else { return nil }
        guard facts.st_mode & S_IFMT == S_IFSOCK else { return .fail(subject, "\(path) is not a socket", "name the engine's socket") }
        let isTrusted = { (owner: UInt32) in owner == geteuid() || owner == 0 || trust.owners.contains(owner) }
        if !isTrusted(folderFacts.st_uid) {
            return .fail(
                subject, "\(folder) belongs to uid \(folderFacts.st_uid)",
                "its owner can replace the socket: use a folder of your own, or say whose engine it is (--trust-owner, or owner in the context)")
        }
        if folderFacts.st_mode & 0o022 != 0, folderFacts.st_mode & S_ISVTX == 0 {
            return .fail(subject, "\(folder) can be written to by others", "chmod go-w \(folder): they can replace the socket")
        }
        if !isTrusted(facts.st_uid) {
            return .warn(
                subject, "belongs to uid \(facts.st_uid)", "an engine of that user is talked to only where it is named: --trust-owner, or owner in the context")
        }
        if facts.st_uid != geteuid() { return .ok(subject, "\(path) belongs to uid \(facts.st_uid), who is trusted") }
        if facts.st_mode & 0o077 != 0 {
            return .warn(subject, "is open to others (mode \(String(facts.st_mode & 0o777, radix: 8)))", "chmod 600 \(path), unless it is a viewer's socket")
        }
        return .ok(subject, "\(path) is yours alone")
    }

    private static func engine(_ path: String, _ name: String, _ trust: EngineTrust) -> DoctorFinding {
        let subject = "engine \(name)"
        do throws(ControlClientError) {
            let (hello, took) = try EngineProbe.socket(path, client: "weir doctor", trust: trust, timeout: .seconds(3))
            return .ok(
                subject,
                "answers after \(Figures.duration(took)): \(hello.engine.name) \(hello.engine.version), process \(hello.engine.processID), as \(hello.level.rawValue)"
            )
        } catch .noSocket {
            return .warn(subject, "none at \(path)", "start one with `weir engine`, or try `weir demo`")
        } catch {
            return .fail(subject, "\(error)", "look at the engine's process and log")
        }
    }

    static func exposures(_ connection: FlinkConnection, _ name: String) -> [DoctorFinding] {
        connection.exposures.map { .warn("secrets \(name)", $0.problem, $0.remedy) }
    }

    static func examine(_ connection: FlinkConnection, _ subject: String) -> DoctorFinding {
        var connection = connection
        connection.timeout = .seconds(5)
        do throws(FlinkFailure) {
            let (configuration, overview, took) = try EngineProbe.flink(connection)
            let slots = overview.map { "\($0.taskManagers) task managers, \($0.freeSlots) of \($0.slots) slots free" }
            let found =
                "\(connection.address) answers after \(Figures.duration(took)): Flink \(configuration.versionText), \(slots ?? "a history server: read-only")"
            guard let warning = configuration.versionWarning else { return .ok(subject, found) }
            return .warn(subject, found, warning)
        } catch {
            return .fail(subject, "\(error)", "check the URL, the network and the certificates")
        }
    }
}

/// Findings about the terminal, from facts alone.
struct TerminalExamination {
    var variable: (String) -> String?
    var isTerminal: Bool
    var size: (columns: Int, rows: Int)?
    var terminfo: (String) -> TerminfoFacts?
    var isUTF8: Bool
    /// The first line of what `tmux` says with these arguments; nil = it failed.
    var tmux: ([String]) -> String?

    var findings: [DoctorFinding] {
        var findings = [terminal, term]
        if let facts = facts { findings.append(colors(facts)) }
        findings.append(locale)
        if let size { findings.append(room(size)) }
        findings += multiplexer
        findings.append(clipboard)
        if isRemote { findings.append(.ok("ssh", "over SSH: at most 4 frames a second, Esc waits 80 ms")) }
        return findings
    }

    private var isRemote: Bool { ["SSH_CONNECTION", "SSH_TTY", "SSH_CLIENT"].contains { variable($0) != nil } }
    private var isTmux: Bool { variable("TMUX") != nil }
    private var name: String { variable("TERM") ?? "" }
    /// Of the type in use, which is another one where the machine does not know TERM.
    private var facts: TerminfoFacts? { name.isEmpty ? nil : terminfo(name) ?? terminfo("xterm-256color") ?? terminfo("vt100") }

    private var terminal: DoctorFinding {
        isTerminal
            ? .ok("terminal", "standard input and output are a terminal")
            : .warn("terminal", "standard input or output is not a terminal", "the console needs both; run `weir doctor` where you run the console")
    }

    private var term: DoctorFinding {
        if name.isEmpty { return .fail("term", "TERM is not set", "export TERM=xterm-256color") }
        if name == "dumb" || name == "unknown" {
            return .fail("term", "TERM=\(name) cannot place its cursor", "export TERM=xterm-256color, or use `weir status`")
        }
        guard let facts = terminfo(name) else {
            return .warn(
                "term", "this machine has no terminfo entry for TERM=\(name)",
                "the console draws for xterm-256color; copy the entry (infocmp -x \(name) | ssh HOST tic -x -) or export TERM=xterm-256color")
        }
        guard facts.canPlaceCursor else { return .fail("term", "TERM=\(name) cannot place its cursor", "export TERM=xterm-256color, or use `weir status`") }
        guard facts.hasAlternateScreen else {
            return .warn("term", "TERM=\(name) has no second screen", "what is on the screen is lost when the console opens")
        }
        return .ok("term", "\(name)\(facts.erasesWithBackground ? "" : ", without bce: themes with solid backgrounds cost twice the bytes")")
    }

    private func colors(_ facts: TerminfoFacts) -> DoctorFinding {
        if variable("NO_COLOR") != nil { return .ok("colours", "none: NO_COLOR is set") }
        if facts.hasDirectColor { return .ok("colours", "direct") }
        if facts.colors >= 256 {
            let isTrue = variable("COLORTERM").map { $0 == "truecolor" || $0 == "24bit" } ?? false
            return .ok("colours", "256\(isTrue ? "; the terminal could show more, which terminfo does not say" : "")")
        }
        let advice =
            isTmux ? "set -g default-terminal tmux-256color in tmux.conf" : "export TERM=xterm-256color if the terminal can; otherwise use a 16-colour theme"
        return facts.colors >= 8
            ? .warn("colours", "\(facts.colors)", advice) : .warn("colours", "none", "marks tell severities apart; \(advice)")
    }

    private var locale: DoctorFinding {
        let wanted = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(variable).first ?? ""
        if isUTF8 { return .ok("locale", wanted.isEmpty ? "UTF-8" : wanted) }
        return .warn("locale", wanted.isEmpty ? "none is set: ASCII only" : "\(wanted) is not UTF-8: ASCII only", "export LANG=C.UTF-8")
    }

    private func room(_ size: (columns: Int, rows: Int)) -> DoctorFinding {
        let found = "\(size.columns)x\(size.rows)"
        if size.columns < 60 || size.rows < 15 { return .warn("size", found, "below 60x15 only vitals are shown, and nothing acts") }
        if size.columns < 80 || size.rows < 24 { return .ok("size", "\(found): the columns that decide; from 80x24 all lists are whole") }
        return .ok("size", size.columns >= 120 && size.rows >= 40 ? "\(found): all panels" : "\(found); from 120x40 all panels are shown")
    }

    private var multiplexer: [DoctorFinding] {
        if variable("STY") != nil { return [.warn("screen", "inside GNU screen", "copying does not get through it; tmux lets it")] }
        guard isTmux else { return [] }
        var findings: [DoctorFinding] = []
        let version = tmux(["-V"]) ?? "tmux"
        findings.append(.ok("tmux", version))
        if let delay = tmux(["show-options", "-sv", "escape-time"]).flatMap({ Int($0) }) {
            findings.append(
                delay <= 100
                    ? .ok("tmux escape-time", "\(delay) ms") : .warn("tmux escape-time", "\(delay) ms: Esc is that slow", "set -s escape-time 10 in tmux.conf"))
        }
        if let type = tmux(["show-options", "-gv", "default-terminal"]) {
            findings.append(
                type.contains("256color") || type.contains("direct")
                    ? .ok("tmux terminal", type)
                    : .warn("tmux terminal", "default-terminal is \(type): 8 colours", "set -g default-terminal tmux-256color in tmux.conf"))
        }
        return findings
    }

    /// Copying uses OSC 52, which everything between the console and the terminal must let through.
    private var clipboard: DoctorFinding {
        if name == "linux" || name.hasPrefix("vt") { return .warn("copying", "TERM=\(name) has no clipboard", "y says so; `:dump FILE` writes instead") }
        guard isTmux else { return .ok("copying", "by OSC 52, if the terminal takes it") }
        let setting = tmux(["show-options", "-sv", "set-clipboard"]) ?? "unknown"
        let passes = tmux(["show-options", "-gwv", "allow-passthrough"]).map { $0 == "on" || $0 == "all" } ?? false
        if setting == "on" || passes { return .ok("copying", "tmux lets it through (set-clipboard \(setting)\(passes ? ", allow-passthrough" : ""))") }
        return .warn("copying", "tmux drops it: set-clipboard is \(setting)", "set -s set-clipboard on in tmux.conf")
    }
}

extension Doctor {
    private static let toolPatience: Milliseconds = .seconds(2)

    /// The first line of what a tool prints; nil when it cannot be run, fails, or takes longer than two seconds.
    static func firstLine(of command: [String]) -> String? {
        do throws(ProgramOutput.Failure) {
            let output = try ProgramOutput.of(command, by: EngineInstant.now() + toolPatience, limit: 1 << 16)
            return String(decoding: output.prefix { $0 != UInt8(ascii: "\n") }.prefix(200), as: UTF8.self)
        } catch {
            // A machine without tmux has nothing to say of it.
            return nil
        }
    }
}
