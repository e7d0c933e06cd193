public import CellGrid
public import StreamModel

/// Options that are fixed when the console starts.
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
    /// What is shown was recorded: there are no engines.
    public var isReplay = false
    /// The size of the terminal; a `.resize` changes it.
    public var size: Size
    public var keyMap: KeyMap
    public var alerts: AlertOptions
    /// The mouse is the console's, and not the terminal's for selecting text.
    public var usesMouse: Bool
    /// The limits beyond which something is a condition.
    public var thresholds = DiagnosisThresholds()
    /// Columns of the Overview that the operator does not want.
    public var hiddenColumns: Set<OverviewColumn> = []
    /// Mistakes in the configuration: the first stays on the message row when nothing newer stands there.
    public var configurationProblems: [SafeText]
    /// The request of an operation to an engine of this dialect and version (nil = unknown), for reading. Pure. nil = it cannot be shown.
    public var preview: (@Sendable (EngineCapabilities.Dialect, String?, OperationRequest) -> RequestPreview)?

    public init(
        utcOffsetSeconds: Int = 0, glyphs: GlyphProfile = .braille, theme: Theme = .base, themeNames: [String] = Theme.builtinNames,
        isReadOnly: Bool = false, size: Size = Size(columns: 80, rows: 24), keyMap: KeyMap = .standard, alerts: AlertOptions = AlertOptions(),
        usesMouse: Bool = false, configurationProblems: [SafeText] = [],
        preview: (@Sendable (EngineCapabilities.Dialect, String?, OperationRequest) -> RequestPreview)? = nil
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
        self.configurationProblems = configurationProblems
        self.preview = preview
    }
}

/// The whole state of the console. A value: changed by `update` alone, drawn by `render`, owned by the console's one loop.
/// It reads no clock: every event carries its time.
public struct ConsoleModel: Sendable {
    public internal(set) var options: ConsoleOptions
    var time: ConsoleTime
    var author: OperationAuthor

    @Revised var live: Observations
    /// The observations on the screen while it is frozen, instead of `live`.
    @Revised var frozen: Frozen?
    /// From the ledger, as far as it was read.
    @Revised var pasts: [HistoryScope: PastCheckpoints] = [:]
    /// From the record of earlier actions; nil = not read yet.
    var auditRecords: [AuditRecord]?
    /// When the record was last asked for to show operations of others.
    var recordAskedAt: WallTime?
    /// Past moments of `live`.
    var history = History()
    var alarms = Alarms()
    /// Cancels whose kept checkpoint is being read: path to operation.
    var fileChecks: [String: OperationID] = [:]

    /// The screens that back leads through; the last one is shown. Never empty.
    var screens: [Screen] = [.overview]
    /// The columns out of sight at the left of a screen that is wider than the window.
    var sideways: (screen: Screen, columns: Int) = (.overview, 0)
    /// The job that the screens below the overview are about.
    var currentJob: JobKey?
    /// Boxes over the screen; the last one has the keyboard.
    var modals: [Modal] = []
    var cursors = Cursors()
    var listViews = ListViews()
    var rowCache = RowCache()
    /// The pane that was chosen by Tab; see `focusedPane`.
    var chosenPane = Pane.list
    var metrics = MetricsView()
    /// Newest last.
    var messages: [Message] = []
    var input = InputHistory()
    public internal(set) var caption: Caption?

    struct Frozen: Sendable {
        var observations: Observations
        var at: WallTime
    }

    /// `seed` feeds the operation ids; `operatorName` ("user@host") goes on record with every action.
    public init(contexts: [ContextDescription], start: WallTime, seed: UInt64, operatorName: String, options: ConsoleOptions = ConsoleOptions()) {
        self.options = options
        time = ConsoleTime(now: start)
        author = OperationAuthor(name: operatorName, seed: seed)
        live = Observations(contexts: contexts.map { ContextState($0, options.thresholds) })
    }

    /// The time of the next `.tick`: the next whole second, or nil when nothing on the screen ages.
    public var nextDueTick: WallTime? {
        frozen != nil ? nil : WallTime(milliseconds: (wall(now).milliseconds / 1000 + 1) * 1000) + (0 - clockOffset)
    }

    /// The time of the last event.
    public internal(set) var now: WallTime {
        get { time.now }
        set { time.now = newValue }
    }

    /// How far the wall clock has been set forward since the start.
    public var clockOffset: Milliseconds { time.offset }

    /// The wall clock, as it is set now, at a moment of the console's time.
    func wall(_ moment: WallTime) -> WallTime { moment + time.offset }

    /// No box counts down or waits for a moment: a tick may come a little late.
    public var isAtRest: Bool { modals.isEmpty }

    /// The theme in use; applied where cells become terminal output: `model.theme.styleSheet(depth:)`.
    /// On screens about one context it has that context's accent.
    public var theme: Theme {
        switch screen {
        case .overview, .operations, .operation, .contexts, .audit, .history, .log(.engine): options.theme
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
    static let fullSize = Size(columns: 60, rows: 15)
    var isSmall: Bool { Self.isSmall(size) }

    static func isSmall(_ size: Size) -> Bool { size.columns < fullSize.columns || size.rows < fullSize.rows }

    /// Below this size boxes take the whole window.
    private static let boxedSize = Size(columns: 80, rows: 24)
    static func isCompact(_ size: Size) -> Bool { size.columns < boxedSize.columns || size.rows < boxedSize.rows }

    /// The job that a key would act on.
    var focusedJob: JobKey? {
        switch screen {
        case .overview: selectedOverviewRow?.key
        case .contexts, .audit, .history, .log(.engine): nil
        default: currentJob
        }
    }

    /// The panes of the screen, in the order of Tab.
    var panes: [Pane] {
        switch screen {
        case .overview: OverviewScreen.isShort(size) ? [.list, .trend] : [.list, .trend, .operations]
        case .job: WideJobScreen.fits(size) ? [.list, .failures, .operations] : JobScreen.isShort(size) ? [.list] : [.list, .failures]
        default: [.list]
        }
    }

    /// The pane that has the cursor keys.
    var focusedPane: Pane { panes.contains(chosenPane) ? chosenPane : .list }

    /// Answers the operator.
    mutating func say(_ text: SafeText, _ severity: Severity = .run) {
        note(Message(at: now, severity: severity, text: text, isAnswer: true, shownFrom: now))
    }

    /// Tells what nobody asked for.
    mutating func tell(_ text: SafeText, _ severity: Severity = .run) {
        let before = messages.last { !$0.isAnswer }.map { $0.shownFrom + Self.newsSpan } ?? now
        let from = min(max(now, before), now + Self.newsDelayMax)
        note(Message(at: now, severity: severity, text: text, isAnswer: false, shownFrom: from))
    }

    private mutating func note(_ message: Message) {
        messages.append(message)
        if messages.count > 50 { messages.removeFirst(messages.count - 50) }
    }

    /// How long a message counts as fresh.
    static let messageSpan = Milliseconds.seconds(4)
    /// How long news stands in the row before other news takes its place, and the longest that news waits for it.
    private static let newsSpan = Milliseconds.seconds(2), newsDelayMax = Milliseconds.seconds(8)

    /// The message of the last row: a fresh answer, else the news whose turn it is. So the last key is answered at once, and the answer can be
    /// read; all messages are in the list at once.
    var rowMessage: Message? {
        if let answer = messages.last(where: { $0.isAnswer && now - $0.at < Self.messageSpan }) { return answer }
        return messages.reversed().filter { $0.shownFrom <= now }.max { $0.shownFrom < $1.shownFrom }
    }

    /// Whether the message of the row is one of the last seconds.
    var hasFreshMessage: Bool { rowMessage.map { now - $0.shownFrom < Self.messageSpan } ?? false }

    /// News that waits for its turn, or for a fresh answer to be read.
    var newsBeside: Int {
        let isAnswered = rowMessage?.isAnswer == true && hasFreshMessage
        return messages.count { !$0.isAnswer && ($0.shownFrom > now || isAnswered && now - $0.shownFrom < Self.messageSpan) }
    }
}

extension Size {
    /// "60x15".
    var text: SafeText { "\(columns)x\(rows)" }
}
