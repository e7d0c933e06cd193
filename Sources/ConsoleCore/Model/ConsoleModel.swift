public import CellGrid
public import StreamModel

/// What the surroundings decide once for a console.
public struct ConsoleOptions: Sendable {
    /// Seconds that local time is ahead of UTC.
    public var utcOffsetSeconds: Int
    /// The best that the terminal can draw.
    public var glyphs: GlyphProfile
    public var theme: Theme
    /// The names that the theme picker offers, in order.
    public var themeNames: [String]
    /// Refuse every action in every context.
    public var isReadOnly: Bool
    /// The size of the terminal; a `.resize` changes it.
    public var size: Size
    public var keyMap: KeyMap
    public var alerts: AlertOptions
    /// The mouse is the console's, and not the terminal's for selecting text.
    public var usesMouse: Bool
    /// What is sent to a context for an operation, for reading. Pure.
    public var requestText: @Sendable (ContextDescription, OperationRequest) -> [SafeText]

    public init(
        utcOffsetSeconds: Int = 0, glyphs: GlyphProfile = .braille, theme: Theme = .base, themeNames: [String] = Theme.builtinNames,
        isReadOnly: Bool = false, size: Size = Size(columns: 80, rows: 24), keyMap: KeyMap = .standard, alerts: AlertOptions = AlertOptions(), usesMouse: Bool = false,
        requestText: @escaping @Sendable (ContextDescription, OperationRequest) -> [SafeText] = { _, _ in [] }
    ) {
        self.utcOffsetSeconds = utcOffsetSeconds
        self.glyphs = glyphs
        self.theme = theme
        self.themeNames = themeNames
        self.isReadOnly = isReadOnly
        self.size = size
        self.keyMap = keyMap
        self.alerts = alerts
        self.usesMouse = usesMouse
        self.requestText = requestText
    }
}

/// All that the console knows and shows. A value: changed by `update` alone, drawn by `render`, owned by the console's one loop.
/// It reads no clock: every change brings its time along.
public struct ConsoleModel: Sendable {
    public internal(set) var options: ConsoleOptions
    /// The time of the last event.
    public internal(set) var now: WallTime
    /// What the wall clock has been set forward by since the start; `now` and all that is counted by it know nothing of that.
    public internal(set) var clockOffset: Milliseconds = 0
    let operatorName: String
    /// State of the generator of operation ids.
    var randomState: UInt64

    var live: Observations { didSet { lists.forgetLive() } }
    /// What the screen shows instead of `live` while it is frozen.
    var frozen: Frozen? { didSet { lists.forgetLive() } }

    /// The screens that back leads through; the last one is shown. Never empty.
    var screens: [Screen] = [.overview] { didSet { lists.history = nil } }
    /// What of a screen that is wider than the window is out of sight at the left; of another screen nothing is.
    var sideways: (screen: Screen, columns: Int) = (.overview, 0)
    /// The job that the screens below the overview are about.
    var currentJob: JobKey? { didSet { lists.checkpoints = nil } }
    /// Boxes over the screen; the last one has the keyboard.
    var modals: [Modal] = []
    var cursors = Cursors()
    var filters: [ListKind: String] = [:] { didSet { lists.forgetAll() } }
    /// The last filter that was typed, for going from match to match when it is cleared.
    var lastFilters: [ListKind: String] = [:]
    var orders: [ListKind: ListOrder] = [:] { didSet { lists.forgetAll() } }
    var lists = ArrangedLists()
    /// The pane that was chosen by Tab; see `focusedPane`.
    var chosenPane = Pane.list
    var metrics = MetricsView()
    /// Past moments of `live`.
    var history = History()
    /// Jobs that do not ring.
    var muted: Set<JobKey> = []
    var alarms: [JobKey: Alarm] = [:]
    /// Contexts that have reported.
    var heardContexts: Set<String> = []
    /// From the record of earlier actions.
    var auditRecords: [AuditRecord] = []
    var auditIsLoaded = false
    /// From the ledger, as far as it was read.
    var pasts: [HistoryScope: PastCheckpoints] = [:] { didSet { lists.forgetPast() } }
    /// Newest last.
    var messages: [Message] = []
    var interruptedAt: WallTime?
    public internal(set) var caption: Caption?
    /// Times of the last keys, the newest last.
    var keyTimes: [WallTime] = []
    /// Newest last.
    var commandHistory: [String] = []
    /// Cancels whose kept checkpoint is being read: path to operation.
    var fileChecks: [String: OperationID] = [:]

    struct Frozen: Sendable {
        var observations: Observations
        var at: WallTime
    }

    enum Screen: Sendable, Equatable {
        case overview, job, checkpoints
        case checkpoint(CheckpointID)
        /// By subtask of the operator with this uid.
        case subtasks(CheckpointID, String)
        case failures, operations
        case operation(OperationID)
        case metrics, configuration, contexts, audit
        case history(HistoryScope)
    }

    enum Modal: Sendable {
        case command(TextField, recalled: Int?)
        case filter(TextField)
        case sheet(ActionSheet)
        case chooser(RestartChooser)
        /// Names come from the options; the theme is the one to go back to.
        case themes(index: Int, before: Theme)
        case help(HelpPage)
        /// Begins with this row.
        case messages(top: Int)
        case actions
        case quit
    }

    enum ListKind: Sendable, Hashable {
        case overview, checkpoints, failures, operations, operators, subtasks, configuration, contexts, audit, history
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
    }

    struct Message: Sendable, Equatable {
        var at: WallTime
        var severity: Severity
        var text: SafeText
    }

    /// `seed` feeds the operation ids; `operatorName` ("user@host") goes on record with every action.
    public init(contexts: [ContextDescription], start: WallTime, seed: UInt64, operatorName: String, options: ConsoleOptions = ConsoleOptions()) {
        self.options = options
        self.operatorName = operatorName
        now = start
        randomState = seed
        live = Observations(contexts: contexts.map { ContextState($0) })
    }

    /// When the surroundings must send `.tick` for the screen to stay true: the next whole second, or nil when nothing on it ages.
    public var nextDueTick: WallTime? {
        frozen != nil ? nil : WallTime(milliseconds: (wall(now).milliseconds / 1000 + 1) * 1000) + (0 - clockOffset)
    }

    /// What the wall clock, as it is set now, shows at a moment of the console's time.
    func wall(_ time: WallTime) -> WallTime { time + clockOffset }

    /// Nothing is open that counts down or waits for a moment: a tick may come a little late.
    public var isAtRest: Bool { modals.isEmpty }

    /// The theme in use; applied where cells become terminal output: `model.theme.styleSheet(depth:)`.
    /// On screens about one context it has that context's accent.
    public var theme: Theme {
        switch screen {
        case .overview, .operations, .operation, .contexts, .audit, .history: options.theme
        default: options.theme.accented(currentJob.flatMap { live.context($0.context)?.description.accent })
        }
    }

    /// The glyphs to draw with: what the theme wants, as far as the terminal can. Give it to the `Canvas`.
    public var glyphs: GlyphProfile {
        guard let wanted = options.theme.glyphs else { return options.glyphs }
        let order = GlyphProfile.allCases
        return order[max(order.firstIndex(of: wanted) ?? 0, order.firstIndex(of: options.glyphs) ?? 0)]
    }

    // MARK: What is shown

    var screen: Screen { screens.last ?? .overview }
    var shown: Observations { frozen?.observations ?? live }
    /// The time that ages on the screen are counted to.
    var shownAt: WallTime { frozen?.at ?? now }
    var size: Size { options.size }

    /// Below this size only vitals are shown and nothing acts.
    static let fullSize = Size(columns: 80, rows: 24)
    var isSmall: Bool { Self.isSmall(size) }

    static func isSmall(_ size: Size) -> Bool { size.columns < fullSize.columns || size.rows < fullSize.rows }

    /// The job that a key would act on.
    var focusedJob: JobKey? {
        switch screen {
        case .overview: selectedOverviewRow?.key
        case .contexts, .audit, .history: nil
        default: currentJob
        }
    }

    /// The panes of the screen, in the order of Tab.
    var panes: [Pane] {
        switch screen {
        case .overview: [.list, .trend, .operations]
        case .job: WideJobScreen.fits(size) ? [.list, .failures, .operations] : [.list, .failures]
        default: [.list]
        }
    }

    /// The pane that has the cursor keys.
    var focusedPane: Pane { panes.contains(chosenPane) ? chosenPane : .list }

    mutating func say(_ text: SafeText, _ severity: Severity = .run) {
        messages.append(Message(at: now, severity: severity, text: text))
        if messages.count > 50 { messages.removeFirst(messages.count - 50) }
    }

    /// SplitMix64.
    mutating func random() -> UInt64 {
        randomState &+= 0x9e37_79b9_7f4a_7c15
        var z = randomState
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
