import CellGrid
import StreamModel

/// The words of the command line, with what the help says of them.
enum CommandLine {
    static let commands: [(name: String, usage: SafeText, summary: SafeText)] = [
        ("savepoint", "savepoint [DIRECTORY]", "take a savepoint"),
        ("checkpoint", "checkpoint", "begin a checkpoint now"),
        ("cancel", "cancel [--discard-state]", "cancel; the option deletes every checkpoint"),
        ("stop", "stop [--drain]", "stop with a savepoint"),
        ("restart", "restart", "choose a checkpoint and restart from it"),
        ("restore", "restore PATH", "restart from any checkpoint or savepoint"),
        ("fault", "fault TEXT", "make a demo job misbehave: slow 5s, fail 3, crash, off"),
        ("unlock", "unlock [15m]", "allow actions in this production context for a while"),
        ("lock", "lock", "end an unlock"),
        ("theme", "theme NAME", "use another theme, by name or file"),
        ("help", "help", "all keys"),
        ("quit", "quit", "leave the console; jobs and operations go on"),
    ]

    static let names = commands.map(\.name)
}

extension ConsoleModel {
    mutating func pressInCommand(_ key: KeyPress, _ field: TextField, _ recalled: Int?, _ effects: inout [ConsoleEffect]) {
        var field = field
        var recalled = recalled
        switch key {
        case .named(.escape):
            modals.removeLast()
            return
        case .named(.backspace) where field.text.isEmpty:
            modals.removeLast()
            return
        case .named(.enter):
            modals.removeLast()
            return run(field.text, &effects)
        case .named(.tab):
            let matching = CommandLine.names.filter { $0.hasPrefix(field.text) }
            if matching.count == 1 { field = TextField(matching[0] + " ") }
            if matching.count > 1 { say("\(matching.joined(separator: "  "))") }
        case .named(.up), .named(.down):
            guard !commandHistory.isEmpty else { return }
            let next = (recalled ?? commandHistory.count) + (key == .named(.up) ? -1 : 1)
            guard commandHistory.indices.contains(next) else { return }
            (recalled, field) = (next, TextField(commandHistory[next]))
        default:
            guard field.take(key) else { return }
        }
        modals[modals.count - 1] = .command(field, recalled: recalled)
    }

    /// Runs a line of the command line.
    mutating func run(_ line: String, _ effects: inout [ConsoleEffect]) {
        let words = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard let verb = words.first else { return }
        if commandHistory.last != line { commandHistory.append(line) }
        if commandHistory.count > 50 { commandHistory.removeFirst() }
        let arguments = Array(words.dropFirst())
        // Paths and faults may contain spaces.
        let rest = String(line.drop { $0 == " " }.dropFirst(verb.count).drop { $0 == " " })
        switch verb {
        case "savepoint": act(.savepoint, .savepoint(directory: rest.isEmpty ? nil : rest), &effects)
        case "checkpoint": act(.checkpoint, .checkpoint, &effects)
        case "cancel": runCancel(arguments, &effects)
        case "stop":
            guard arguments.isEmpty || arguments == ["--drain"] else { return say("usage: stop [--drain]", .warn) }
            act(.stop, .stop(drain: !arguments.isEmpty), &effects)
        case "restart": act(.restart, &effects)
        case "restore": runRestore(rest, &effects)
        case "fault": runFault(rest, &effects)
        case "unlock": runUnlock(arguments)
        case "lock": lock()
        case "theme":
            rest.isEmpty ? say("usage: theme NAME; there are \(options.themeNames.joined(separator: ", "))", .warn) : effects.append(.loadTheme(rest))
        case "help": modals.append(.help(top: 0))
        case "quit", "q": effects.append(.quit)
        default: say("there is no command \"\(SafeText(verb, limit: 30))\"; there are \(CommandLine.names.joined(separator: ", "))", .warn)
        }
    }

    /// An action with arguments, under the same rules as its key.
    private mutating func act(_ command: Command, _ action: Action, _ effects: inout [ConsoleEffect]) {
        let key = focusedJob
        if let refusal = refusal(command, on: key) { return say(refusal.text, .warn) }
        if let key { begin(action, on: key, &effects) }
    }

    private mutating func runCancel(_ arguments: [String], _ effects: inout [ConsoleEffect]) {
        guard arguments.isEmpty || arguments == ["--discard-state"] else { return say("usage: cancel [--discard-state]", .warn) }
        act(.cancel, .cancel(arguments.isEmpty ? .byPolicy : .discard), &effects)
    }

    private mutating func runRestore(_ path: String, _ effects: inout [ConsoleEffect]) {
        guard !path.isEmpty else { return say("usage: restore PATH", .warn) }
        if case .chooser(let open) = modals.last {
            modals.removeLast()
            return openChooser(on: open.key, path: path, &effects)
        }
        if let refusal = refusal(.restart, on: focusedJob) { return say(refusal.text, .warn) }
        if let key = focusedJob { openChooser(on: key, path: path, &effects) }
    }

    private mutating func runFault(_ text: String, _ effects: inout [ConsoleEffect]) {
        guard !text.isEmpty else { return say("usage: fault TEXT, such as: fault slow 5s, fault fail 3, fault off", .warn) }
        guard let key = focusedJob, let context = live.context(key.context) else { return say("there is no job here", .warn) }
        guard context.capabilities.canFault else { return say("\(context.name) has no jobs that misbehave on request", .warn) }
        if let refusal = refusal(.cancel, on: key) { return say(refusal.text, .warn) }
        begin(.fault(text), on: key, &effects)
    }

    private mutating func runUnlock(_ arguments: [String]) {
        guard let index = lockedContext else { return }
        let wanted = arguments.first ?? "15m"
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600]
        guard arguments.count <= 1, let unit = wanted.last.flatMap({ units[$0] }), let count = Int64(wanted.dropLast()), count > 0, count <= 3600,
            count * unit <= 3600
        else { return say("usage: unlock 15m; from 1s to 60m", .warn) }
        live.contexts[index].unlockedUntil = now + .seconds(count * unit)
        say("\(live.contexts[index].name) is unlocked for \(wanted)", .warn)
    }

    private mutating func lock() {
        guard let index = lockedContext else { return }
        live.contexts[index].unlockedUntil = nil
        say("\(live.contexts[index].name) is locked", .ok)
    }

    /// The context that an unlock is for; says why there is none.
    private var lockedContext: Int? {
        mutating get {
            let name = focusedJob?.context ?? selectedOverviewRow?.id.context
            guard let index = live.contexts.firstIndex(where: { $0.name == name }) else {
                say("there is no context here", .warn)
                return nil
            }
            if options.isReadOnly || live.contexts[index].description.isReadOnly {
                say("\(live.contexts[index].name) is read-only here and stays so", .warn)
                return nil
            }
            guard live.contexts[index].description.guardClass == .prod else {
                say("\(live.contexts[index].name) has no lock: its guard is that of class \(live.contexts[index].description.guardClass.rawValue)", .warn)
                return nil
            }
            return index
        }
    }
}
