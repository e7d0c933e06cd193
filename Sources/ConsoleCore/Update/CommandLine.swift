import CellGrid
import StreamModel

/// The words of the command line: one table for running, completing and help.
enum CommandLine {
    /// The completions of a command's argument.
    enum Argument: Sendable {
        case none, option([String]), theme, context, job, screen, span, column
        /// The name of a field, as the last word of a filter.
        case filter
        /// A directory that savepoints of the focused job have gone to.
        case savepointDirectory
        /// The path of a snapshot of the focused job that a restore can begin with; typed by its path or by its number.
        case snapshot
        /// The path of a savepoint of the focused job.
        case savepoint
        /// A class, after a name and an address.
        case connection
    }

    struct Entry: Sendable {
        var name: String
        var usage: SafeText
        var summary: SafeText
        var argument = Argument.none
        /// Other names that mean the same.
        var aliases: [String] = []
    }

    static let commands: [Entry] = [
        Entry(name: "savepoint", usage: "savepoint [DIRECTORY]", summary: "take a savepoint", argument: .savepointDirectory),
        Entry(name: "checkpoint", usage: "checkpoint", summary: "trigger a checkpoint now"),
        Entry(
            name: "cancel", usage: "cancel [--discard-state]", summary: "cancel; --discard-state deletes every checkpoint",
            argument: .option(["--discard-state"])),
        Entry(name: "stop", usage: "stop [--drain]", summary: "stop with a savepoint", argument: .option(["--drain"])),
        Entry(name: "restart", usage: "restart", summary: "choose a checkpoint and restart from it"),
        Entry(name: "restore", usage: "restore PATH", summary: "restart from any checkpoint or savepoint", argument: .snapshot),
        Entry(name: "dispose", usage: "dispose [PATH]", summary: "delete the selected savepoint with its files (Flink)", argument: .savepoint),
        Entry(name: "recipe", usage: "recipe JAR [-- ARGUMENT...]", summary: "set the jar and arguments that relaunch a Flink job"),
        Entry(
            name: "fault", usage: "fault TEXT", summary: "inject a fault into a demo job: slow 5s, fail 3, stall, crash, off",
            argument: .option(["slow 5s", "fail 3", "sync-fail 1", "stall", "crash", "crash-loop 5s", "off"])),
        Entry(
            name: "unlock", usage: "unlock [15m]", summary: "allow actions in this guarded context for a limited time",
            argument: .option(["5m", "15m", "30m", "60m"])),
        Entry(name: "lock", usage: "lock", summary: "lock the context again"),
        Entry(name: "job", usage: "job NAME", summary: "go to a job", argument: .job),
        Entry(name: "history", usage: "history [JOB]", summary: "checkpoints in the ledger, including those of past jobs", argument: .job),
        Entry(name: "go", usage: "go SCREEN", summary: "go to a screen", argument: .screen),
        Entry(name: "context", usage: "context NAME", summary: "show the jobs of one context", argument: .context, aliases: ["ctx"]),
        Entry(
            name: "connect", usage: "connect NAME ADDRESS [CLASS]", summary: "add an engine for this session: socket path or URL", argument: .connection),
        Entry(name: "filter", usage: "filter [TEXT]", summary: "filter this list: words, ~expression, !not, field:word", argument: .filter),
        Entry(name: "sort", usage: "sort [COLUMN]", summary: "sort this list by a column; without one, in its default order", argument: .column),
        Entry(
            name: "columns", usage: "columns [-COLUMN]", summary: "choose the columns of the Overview, or hide and show some",
            argument: .option(OverviewColumn.allCases.flatMap { ["-" + $0.rawValue, $0.rawValue] })),
        Entry(name: "at", usage: "at HH:MM[:SS]", summary: "show a moment of the recorded past"),
        Entry(name: "back", usage: "back 5m", summary: "step back in the recorded past", argument: .span),
        Entry(name: "mute", usage: "mute", summary: "mute or unmute this job"),
        Entry(name: "theme", usage: "theme NAME", summary: "switch the theme, by name or file", argument: .theme),
        Entry(name: "dump", usage: "dump FILE", summary: "write this screen to a new file: .txt, .ansi, .svg, .json or .csv"),
        Entry(name: "demo", usage: "demo next", summary: "continue the scripted demo", argument: .option(["next"])),
        Entry(name: "keys", usage: "keys", summary: "all keys", aliases: ["help"]),
        Entry(name: "quit", usage: "quit", summary: "leave the console; jobs and operations keep running", aliases: ["q"]),
    ]

    static let names = commands.map(\.name)

    /// Commands of keys that have no entry above: they can be typed too, so that no function is lost with its key.
    static let keyCommands = Command.allCases.filter { $0 != .commandLine && entry($0.name) == nil }

    static func entry(_ word: String) -> Entry? { commands.first { $0.name == word || $0.aliases.contains(word) } }

    /// The screens by name.
    static let screens: [(name: String, command: Command)] = [
        ("overview", .overview), ("job", .job), ("checkpoints", .checkpoints), ("metrics", .metrics), ("failures", .failures),
        ("operations", .operations), ("config", .configuration), ("contexts", .contexts), ("audit", .audit), ("log", .log),
    ]

    /// "15m", "90s", "1h"; nil for anything else, and beyond a day.
    static func span(_ text: String) -> Milliseconds? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count > 0, count <= 86_400, count * unit <= 86_400 else {
            return nil
        }
        return .seconds(count * unit)
    }
}
