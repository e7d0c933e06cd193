public import CellGrid

/// A command of a key. All but the actions are read-only.
public enum Command: String, Sendable, CaseIterable {
    case moveUp, moveDown, first, last, pageUp, pageDown, scrollLeft, scrollRight
    case open, back, quit
    case previousJob, nextJob, previousCheckpoint, nextCheckpoint
    case overview, job, checkpoints, metrics, failures, operations, configuration, contexts, audit, log
    case nextMatch, previousMatch, sort, flipOrder, nextPane, previousPane, zoom, wide
    case scrubBack, scrubForward, now, write, mouse
    case help, messages, commandLine, filter, freeze, refresh, copy, copyCommand, themes, columns, actions
    case repaint, interrupt, suspend
    case savepoint, cancel, restart, stop, checkpoint, dispose

    /// The actions: by upper case keys, each through its sheet. A purely destructive one has no default key.
    public static let acting: [Command] = [.savepoint, .cancel, .restart, .stop, .checkpoint, .dispose]

    public var isActing: Bool { Self.acting.contains(self) }

    /// The name on the command line and in `[keys]` of the configuration: "next_job".
    public var name: String {
        rawValue.reduce(into: "") { name, letter in name += letter.isUppercase ? "_" + letter.lowercased() : String(letter) }
    }

    public init?(name: String) {
        guard let command = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = command
    }

    /// For the help screen.
    var summary: SafeText {
        switch self {
        case .moveUp: "row up"
        case .moveDown: "row down"
        case .first: "first row"
        case .last: "last row"
        case .pageUp: "page up"
        case .pageDown: "page down"
        case .scrollLeft: "scroll left; on a chart, back in time"
        case .scrollRight: "scroll right; on a chart, forward in time"
        case .open: "open, drill down"
        case .back: "back one level"
        case .quit: "back one level; at the top, quit"
        case .previousJob: "previous job"
        case .nextJob: "next job"
        case .previousCheckpoint: "previous checkpoint in a detail"
        case .nextCheckpoint: "next checkpoint in a detail"
        case .overview: "overview: all jobs, worst first"
        case .job: "job: vitals, failure budget, checkpoints"
        case .checkpoints: "checkpoints: the whole list"
        case .metrics: "metrics: charts over time"
        case .configuration: "config: checkpoints, restarts, recipe, engine"
        case .contexts: "contexts: all engines and their links"
        case .audit: "audit: who did what, why, and the outcome"
        case .log: "log of this job; again, of the whole engine"
        case .nextMatch: "next match of the filter"
        case .previousMatch: "previous match of the filter"
        case .sort: "sort by the next column"
        case .flipOrder: "reverse the order"
        case .nextPane: "next pane"
        case .previousPane: "previous pane"
        case .zoom: "open the pane full screen"
        case .wide: "charts: change the time span"
        case .scrubBack: "step back in the recorded past"
        case .scrubForward: "step forward in the recorded past"
        case .now: "back to now"
        case .write: "write the evidence, or this screen, to a file"
        case .mouse: "mouse on or off"
        case .failures: "failures by root cause"
        case .operations: "operations with their evidence"
        case .help: "this help"
        case .messages: "recent messages in full"
        case .commandLine: "command line"
        case .filter: "filter this list; empty clears"
        case .freeze: "freeze or resume the screen"
        case .refresh: "refresh now"
        case .copy: "copy the selection: path, id, summary"
        case .copyCommand: "copy it as a command line"
        case .themes: "choose a theme"
        case .columns: "choose the columns of the Overview"
        case .actions: "list the actions and their locks"
        case .repaint: "redraw the screen"
        case .interrupt: "leave a prompt; press twice to quit"
        case .suspend: "suspend"
        case .savepoint: "savepoint"
        case .cancel: "cancel, keep the checkpoints"
        case .restart: "restart from a chosen checkpoint"
        case .stop: "stop with a savepoint"
        case .checkpoint: "trigger a checkpoint now"
        case .dispose: "delete the selected savepoint"
        }
    }
}

/// The keys of all commands: the one source of dispatch, help, hints and completion.
public struct KeyMap: Sendable, Equatable {
    public struct Binding: Sendable, Equatable {
        public var key: KeyPress
        public var command: Command

        public init(_ key: KeyPress, _ command: Command) {
            self.key = key
            self.command = command
        }
    }

    /// Two commands on one key.
    public struct Conflict: Error, Equatable, Sendable, CustomStringConvertible {
        public var key: KeyPress
        public var commands: [Command]

        public var description: String {
            "the key \(key) is bound to \(commands.map(\.name).joined(separator: " and to ")); give one of them another key"
        }
    }

    /// In the order of the help.
    public let bindings: [Binding]
    private let commands: [KeyPress: Command]

    public init(_ bindings: [Binding]) throws(Conflict) {
        var commands: [KeyPress: Command] = [:]
        for binding in bindings {
            if let other = commands.updateValue(binding.command, forKey: binding.key), other != binding.command {
                throw Conflict(key: binding.key, commands: [other, binding.command])
            }
        }
        self.bindings = bindings
        self.commands = commands
    }

    private init(unchecked bindings: [Binding]) {
        self.bindings = bindings
        commands = Dictionary(bindings.map { ($0.key, $0.command) }) { first, _ in first }
    }

    public subscript(key: KeyPress) -> Command? { commands[key] }

    /// The keys of a command, the first one being the one to show.
    public func keys(_ command: Command) -> [KeyPress] { bindings.filter { $0.command == command }.map(\.key) }

    func hasKey(_ command: Command) -> Bool { bindings.contains { $0.command == command } }

    /// The key of a command; without one, its name to type.
    func label(_ command: Command) -> SafeText { keys(command).first?.label ?? ":\(command.name)" }

    /// Two commands that belong together: "j k".
    func label(_ first: Command, _ second: Command) -> SafeText { "\(label(first)) \(label(second))" }

    /// The title of a pane, with the key that leads to it: "3 checkpoints".
    func title(_ command: Command, _ text: SafeText) -> SafeText { hasKey(command) ? "\(label(command)) \(text)" : text }

    /// A test holds that it has no conflict.
    public static let standard = KeyMap(unchecked: standardBindings)

    /// These stay where they are: Ctrl-C leaves whatever is open, and of Ctrl-Z the terminal takes care.
    static let fixedBindings = [Binding(.control("c"), .interrupt), Binding(.control("z"), .suspend)]

    static let standardBindings: [Binding] =
        [
            ("S", Command.savepoint), ("C", .cancel), ("R", .restart), ("X", .stop), ("B", .checkpoint), ("a", .actions),
            ("1", .overview), ("2", .job), ("3", .checkpoints), ("4", .metrics), ("5", .failures), ("6", .operations), ("7", .configuration), ("@", .contexts),
            ("!", .audit), ("L", .log), ("?", .help), ("f1", .help),
            ("j", .moveDown), ("down", .moveDown), ("k", .moveUp), ("up", .moveUp), ("g", .first), ("home", .first), ("G", .last),
            ("end", .last), ("pgdn", .pageDown), ("ctrl-d", .pageDown), ("pgup", .pageUp), ("ctrl-u", .pageUp), ("h", .scrollLeft), ("left", .scrollLeft),
            ("l", .scrollRight), ("right", .scrollRight), ("enter", .open),
            ("q", .quit), ("esc", .back), ("backspace", .back), ("[", .previousJob), ("]", .nextJob), ("{", .previousCheckpoint),
            ("}", .nextCheckpoint), ("tab", .nextPane), ("backtab", .previousPane), ("z", .zoom), ("v", .wide), ("/", .filter),
            ("n", .nextMatch), ("N", .previousMatch), ("o", .sort), ("O", .flipOrder), ("<", .scrubBack), (">", .scrubForward), (".", .now),
            ("w", .write), ("m", .mouse), (":", .commandLine), ("space", .freeze), ("r", .refresh), ("f5", .refresh), ("y", .copy),
            ("Y", .copyCommand), ("M", .messages), ("T", .themes), ("c", .columns), ("ctrl-l", .repaint),
        ].compactMap { text, command in KeyPress(text).map { Binding($0, command) } } + fixedBindings
}

extension KeyPress {
    /// As it is named to people.
    var label: SafeText {
        switch self {
        case .character(" "): "Space"
        case .named(.enter): "Enter"
        case .named(.escape): "Esc"
        case .named(.tab): "Tab"
        case .named(.pageUp): "PgUp"
        case .named(.pageDown): "PgDn"
        case .control(let letter): "Ctrl-\(Character(letter).uppercased())"
        case .function(let number): "F\(number)"
        default: SafeText(description)
        }
    }
}
