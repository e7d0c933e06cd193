import CellGrid
import StreamModel

/// The command line while it is typed.
struct CommandPrompt: Sendable, Equatable {
    var field: TextField
    /// The line of the history that it shows; nil = none was recalled.
    var recalled: Int?
    /// The completions that Tab steps through, until another key is pressed.
    var cycle: Cycle?

    struct Cycle: Sendable, Equatable {
        let choices: [Completion]
        var index: Int
    }

    init(_ text: String = "") { field = TextField(text) }

    /// Completes the text from `choices`, those of the text as it stands: the only one, or else what all of them share; where that is nothing
    /// more than was typed, each press shows the next one.
    mutating func complete(from choices: [Completion], isBackward: Bool = false) {
        if var cycle {
            let count = cycle.choices.count
            cycle.index = (cycle.index + (isBackward ? count - 1 : 1)) % count
            return step(to: cycle)
        }
        guard let first = choices.first else { return }
        var common = first.line[...]
        for choice in choices { while !choice.line.hasPrefix(common) { common = common.dropLast() } }
        // A snapshot can be typed by its number: what all paths share would say less than that.
        let goesOn = common.count > field.text.count && common.lowercased().hasPrefix(field.text.lowercased())
        if choices.count == 1 || goesOn {
            field = TextField(String(common))
            return
        }
        // A choice that was typed in full is no step.
        let start = isBackward ? choices.count - 1 : first.line == field.text ? 1 : 0
        step(to: Cycle(choices: choices, index: start))
    }

    private mutating func step(to next: Cycle) {
        cycle = next
        field = TextField(next.choices[next.index].line)
    }
}

/// One way to go on with what is typed.
struct Completion: Sendable, Equatable {
    /// The whole line.
    var line: String
    /// The part that sets it apart, as it is listed.
    var label: SafeText
}

extension ConsoleModel {
    /// The completions of a command line, the best first.
    func completions(of text: String) -> [Completion] {
        guard let space = text.firstIndex(of: " ") else { return commandCompletions(text.lowercased()) }
        let verb = String(text[..<space]), rest = String(text[text.index(after: space)...].drop { $0 == " " })
        guard let entry = CommandLine.entry(verb) else { return [] }
        switch entry.argument {
        case .filter:
            guard let kind = listKind else { return [] }
            return lastWord(of: rest, before: fieldNames(kind).map { $0 + ":" }, verb)
        case .connection:
            guard rest.split(separator: " ", omittingEmptySubsequences: false).count == 3 else { return [] }
            return lastWord(of: rest, before: ContextClass.allCases.filter { $0 != .demo }.map(\.rawValue), verb)
        case .snapshot: return snapshotCompletions(rest, verb) { $0.isRestorable }
        case .savepoint: return snapshotCompletions(rest, verb) { $0.kind.isSavepoint && !$0.discarded }
        case .none, .option, .theme, .context, .job, .screen, .span, .column, .savepointDirectory:
            return arguments(entry.argument).filter { $0.lowercased().hasPrefix(rest.lowercased()) }
                .map { Completion(line: "\(verb) \($0)", label: SafeText($0)) }
        }
    }

    private func commandCompletions(_ wanted: String) -> [Completion] {
        let entries = CommandLine.commands.filter { $0.name.hasPrefix(wanted) }.map { entry in
            Completion(line: entry.usage.string.contains(" ") ? entry.name + " " : entry.name, label: withKey(entry.name))
        }
        return entries + CommandLine.keyCommands.map(\.name).filter { $0.hasPrefix(wanted) }.map { Completion(line: $0, label: withKey($0)) }
    }

    private func arguments(_ argument: CommandLine.Argument) -> [String] {
        switch argument {
        case .none, .filter, .connection, .snapshot, .savepoint: []
        case .option(let options): options
        case .theme: options.themeNames
        case .context: live.contexts.map(\.name)
        // Runs of one name are one job here.
        case .job: Set(live.contexts.flatMap { $0.report?.jobs.map { SafeText($0.name).string } ?? [] }).sorted()
        case .screen: CommandLine.screens.map(\.name)
        case .span: ["1m", "5m", "15m", "1h"]
        case .column: listKind.map(fieldNames) ?? []
        case .savepointDirectory: savepointDirectories
        }
    }

    /// Where the focused job is configured to put its savepoints, and where those that it has are.
    private var savepointDirectories: [String] {
        guard let key = focusedJob, let job = live.job(key) else { return [] }
        let parents = knownCheckpoints(key).filter(\.kind.isSavepoint).compactMap(\.path).compactMap { path in
            path.lastIndex(of: "/").map { String(path[..<$0]) }
        }
        var directories: [String] = []
        for directory in [job.configuration.savepointDirectory].compactMap(\.self) + parents where !directories.contains(directory) && !directory.isEmpty {
            directories.append(directory)
        }
        return directories
    }

    /// The paths of the focused job's snapshots, newest first.
    private func snapshotCompletions(_ typed: String, _ verb: String, _ isWanted: (CheckpointReport) -> Bool) -> [Completion] {
        var key = focusedJob
        if case .history = screen { key = jobOfSnapshot }
        for case .chooser(let chooser) in modals { key = chooser.key }
        guard let key else { return [] }
        let number = typed.hasPrefix("#") ? typed.dropFirst() : typed[...]
        var found: [Completion] = []
        for snapshot in knownCheckpoints(key) where isWanted(snapshot) {
            guard let path = snapshot.path, path.hasPrefix(typed) || "\(snapshot.id)".hasPrefix(number) else { continue }
            let name = path.split(separator: "/").last.map(String.init) ?? path
            found.append(Completion(line: "\(verb) \(path)", label: "#\(snapshot.id) \(SafeText(name))"))
            if found.count == Self.snapshotsMax { break }
        }
        return found
    }

    /// Of very many snapshots the newest are listed; a longer number finds the others.
    private static let snapshotsMax = 100

    /// Completes the last word of an argument.
    private func lastWord(of text: String, before words: [String], _ verb: String) -> [Completion] {
        let start = text.lastIndex(of: " ").map { text.index(after: $0) } ?? text.startIndex
        // In a filter a word may be negated.
        let word = text[start...].drop { $0 == "!" }
        return words.filter { $0.hasPrefix(word.lowercased()) }.map { Completion(line: "\(verb) \(text[..<word.startIndex])\($0)", label: SafeText($0)) }
    }

    /// A command with its key, where it has one.
    private func withKey(_ name: String) -> SafeText {
        guard let command = Command(name: name), options.keyMap.hasKey(command) else { return SafeText(name) }
        return "\(name) (\(options.keyMap.label(command)))"
    }

    /// The rest of the best completion, to be shown behind the cursor.
    func suggestion(_ field: TextField) -> SafeText {
        guard !field.text.isEmpty else { return "" }
        if let recent = input.commands.last(where: { $0.hasPrefix(field.text) && $0 != field.text }) {
            return SafeText(String(recent.dropFirst(field.text.count)))
        }
        guard let best = completions(of: field.text).first?.line, best.hasPrefix(field.text) else { return "" }
        return SafeText(String(best.dropFirst(field.text.count)))
    }
}
