import CellGrid
import StreamModel

/// The words of the command line: one table for running, completing and help.
enum CommandLine {
    /// The completions of a command's argument.
    enum Argument: Sendable { case none, option([String]), theme, context, job, screen, span, column }

    struct Entry: Sendable {
        var name: String
        var usage: SafeText
        var summary: SafeText
        var argument = Argument.none
        /// Other names that mean the same.
        var aliases: [String] = []
    }

    static let commands: [Entry] = [
        Entry(name: "savepoint", usage: "savepoint [DIRECTORY]", summary: "take a savepoint"),
        Entry(name: "checkpoint", usage: "checkpoint", summary: "trigger a checkpoint now"),
        Entry(
            name: "cancel", usage: "cancel [--discard-state]", summary: "cancel; --discard-state deletes every checkpoint",
            argument: .option(["--discard-state"])),
        Entry(name: "stop", usage: "stop [--drain]", summary: "stop with a savepoint", argument: .option(["--drain"])),
        Entry(name: "restart", usage: "restart", summary: "choose a checkpoint and restart from it"),
        Entry(name: "restore", usage: "restore PATH", summary: "restart from any checkpoint or savepoint"),
        Entry(name: "dispose", usage: "dispose [PATH]", summary: "delete the selected savepoint with its files (Flink)"),
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
        Entry(name: "connect", usage: "connect NAME ADDRESS [CLASS]", summary: "add an engine for this session: socket path or URL"),
        Entry(name: "filter", usage: "filter [TEXT]", summary: "filter this list: words, ~expression, !not, field:word"),
        Entry(name: "sort", usage: "sort [COLUMN]", summary: "sort this list by a column; without one, in its default order", argument: .column),
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
        ("operations", .operations), ("config", .configuration), ("contexts", .contexts), ("audit", .audit),
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

extension ConsoleModel {
    /// The completions of the text: whole lines, the best first.
    func completions(of text: String) -> [String] {
        guard let space = text.firstIndex(of: " ") else {
            let wanted = text.lowercased()
            return CommandLine.commands.filter { $0.name.hasPrefix(wanted) }.map { $0.usage.string.contains(" ") ? $0.name + " " : $0.name }
                + CommandLine.keyCommands.map(\.name).filter { $0.hasPrefix(wanted) }
        }
        let verb = String(text[..<space]), rest = String(text[text.index(after: space)...].drop { $0 == " " })
        guard let entry = CommandLine.entry(verb) else { return [] }
        return arguments(entry.argument).filter { $0.lowercased().hasPrefix(rest.lowercased()) }.map { "\(verb) \($0)" }
    }

    private func arguments(_ argument: CommandLine.Argument) -> [String] {
        switch argument {
        case .none: []
        case .option(let options): options
        case .theme: options.themeNames
        case .context: live.contexts.map(\.name)
        case .job: live.contexts.flatMap { $0.report?.jobs.map { SafeText($0.name).string } ?? [] }.sorted()
        case .screen: CommandLine.screens.map(\.name)
        case .span: ["1m", "5m", "15m", "1h"]
        case .column: listKind.map(fieldNames) ?? []
        }
    }

    /// Goes on with what all completions have in common.
    func completed(_ field: TextField) -> TextField {
        let choices = completions(of: field.text)
        guard let first = choices.first else { return field }
        var common = first[...]
        for choice in choices { while !choice.hasPrefix(common) { common = common.dropLast() } }
        return common.count > field.text.count ? TextField(String(common)) : field
    }

    /// A choice with the key of the same command, where there is one.
    func withKey(_ choice: String) -> SafeText {
        let name = choice.last == " " ? String(choice.dropLast()) : choice
        guard let command = Command(name: name), options.keyMap.hasKey(command) else { return SafeText(choice) }
        return "\(name) (\(options.keyMap.label(command)))"
    }

    /// The rest of the best completion, to be shown behind the cursor.
    func suggestion(_ field: TextField) -> SafeText {
        guard !field.text.isEmpty else { return "" }
        if let recent = input.commands.last(where: { $0.hasPrefix(field.text) && $0 != field.text }) {
            return SafeText(String(recent.dropFirst(field.text.count)))
        }
        guard let best = completions(of: field.text).first, best.hasPrefix(field.text) else { return "" }
        return SafeText(String(best.dropFirst(field.text.count)))
    }
}
