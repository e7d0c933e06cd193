import CellGrid
import StreamModel

// The parts of the console's state.
extension ConsoleModel {
    enum Screen: Sendable, Equatable {
        case overview, job, checkpoints
        case checkpoint(CheckpointID)
        /// By subtask of the operator with this uid.
        case subtasks(CheckpointID, String)
        case failures, operations
        case operation(OperationID)
        case metrics, configuration, contexts, audit
        case history(HistoryScope)
        case log(LogScope)
    }

    enum Modal: Sendable {
        case command(CommandPrompt)
        case filter(TextField)
        case sheet(ActionSheet)
        case chooser(RestartChooser)
        /// Names come from the options; the theme is the one to go back to.
        case themes(index: Int, before: Theme)
        /// The row of the chooser, and what was hidden before.
        case columns(index: Int, before: Set<OverviewColumn>)
        case help(HelpPage)
        /// Begins with this row.
        case messages(top: Int)
        case actions
        case quit
    }

    enum ListKind: Sendable, Hashable {
        case overview, checkpoints, failures, operations, operators, subtasks, configuration, contexts, audit, history, log
    }

    /// The parts of a screen that the cursor keys can be given to.
    enum Pane: Sendable, Equatable { case list, trend, failures, operations }

    /// The selected rows, by identity; nil = the first row.
    struct Cursors: Sendable {
        var overview: OverviewRow.ID?
        var checkpoint: CheckpointID?
        var operatorUID: String?
        var subtask: Int?
        var failure: FailureRow.ID?
        var operation: OperationID?
        var setting: String?
        var context: String?
        var audit: OperationID?
        var history: RememberedCheckpoint.RowID?
        /// Sequence number of a line; nil = the newest, whichever that will be.
        var log: UInt64?
        /// The first line shown of an operation's evidence, where it does not all fit.
        var evidence: (id: OperationID, top: Int)?
    }

    struct Message: Sendable, Equatable {
        /// When it happened, whenever it is shown.
        var at: WallTime
        var severity: Severity
        var text: SafeText
        /// What the operator did is answered, or goes on; false = something else has happened.
        var isAnswer: Bool
        /// From when on it may stand in the last row: at once, but news waits until the news before it could be read.
        var shownFrom: WallTime
    }

    /// The time of the console: it never jumps. The wall clock may be set while it runs.
    struct ConsoleTime: Sendable {
        var now: WallTime
        /// How far the wall clock has been set forward since the start; ages and deadlines do not count it.
        var offset: Milliseconds = 0
        /// Counts the seconds that were announced: rows that depend on ages are put in order anew with each.
        var ticks: UInt64 = 0
    }

    /// The author of operations, and the generator of their ids.
    struct OperationAuthor: Sendable {
        /// "user@host"; goes on record with every action.
        let name: String
        private var state: UInt64

        init(name: String, seed: UInt64) {
            self.name = name
            state = seed
        }

        /// SplitMix64.
        mutating func nextID() -> OperationID {
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return OperationID(random: z ^ (z >> 31))
        }
    }

    /// Earlier input.
    struct InputHistory: Sendable {
        /// This many keys within `burstSpan` were not typed by hand: they do not act.
        private static let burstCount = 6
        private static let burstSpan = Milliseconds(150)
        private static let commandsMax = 50

        /// Times of the last keys, the newest last.
        private var keyTimes: [WallTime] = []
        /// When the key that interrupts was last pressed on a bare screen.
        var interruptedAt: WallTime?
        /// Lines of the command line, the newest last.
        private(set) var commands: [String] = []

        func isBurst(at now: WallTime) -> Bool { keyTimes.count >= Self.burstCount && now - keyTimes[keyTimes.count - Self.burstCount] < Self.burstSpan }

        mutating func noteKey(at now: WallTime) {
            keyTimes.append(now)
            if keyTimes.count > Self.burstCount { keyTimes.removeFirst() }
        }

        mutating func noteCommand(_ line: String) {
            if commands.last != line { commands.append(line) }
            if commands.count > Self.commandsMax { commands.removeFirst() }
        }
    }

    /// The filter and order of a list.
    struct ListView: Sendable, Equatable {
        var filter: String?
        /// The last filter that was typed, for going from match to match when it is cleared.
        var lastFilter: String?
        var order: ListOrder?
    }

    struct ListViews: Sendable {
        private var views: [ListKind: ListView] = [:]

        subscript(kind: ListKind) -> ListView {
            get { views[kind] ?? ListView() }
            set { views[kind] = newValue }
        }
    }
}

extension ConsoleModel {
    /// The first mistake in the configuration, and how many more there are.
    var configurationProblem: SafeText? {
        let problems = options.configurationProblems
        guard let first = problems.first else { return nil }
        return problems.count == 1 ? first : "\(problems.count) mistakes, the first: \(first)"
    }
}
