internal import CellGrid
internal import ConsoleCore
internal import CursesTerminal
internal import Dispatch
internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import StreamModel

/// The console's one loop: owns the terminal and the model, takes one event after the other, carries out what `update` asks
/// for, and paints. It waits in `poll` for the keyboard, signals, the mailbox and the time of the next tick, and for nothing else.
///
/// Input goes before data. A frame is painted when the model has changed: at once after a key, otherwise at most `paintInterval`
/// after the one before; a frame that the terminal does not take is dropped, the newest one is painted when it does.
struct ConsoleLoop: ~Copyable {
    /// Why the loop ended.
    enum Ending { case quit, terminated, hungUp }

    let terminal: CursesTerminal
    let mailbox: EventMailbox
    let gate: ActionGate
    let themes: ThemeLibrary
    var model: ConsoleModel
    private var ending: Ending?
    /// The model has changed since the last frame.
    var isDirty = true
    /// A key did it.
    var isUrgent = true
    private var isBlocked = false
    private var lastPaint: Int64 = 0
    private var ticks = TickPlan()
    /// Monotonic time of the last key.
    private var lastInput = MonotonicClock.milliseconds()
    private var isResting = false
    var styles: (theme: Theme, sheet: StyleSheet)
    private let paintInterval: Int64
    /// Notices of the start (a bad file), which are told a moment later: told at once, the first words of the engines would
    /// cover them.
    private var notices: [String]
    private let noticesDue: Int64
    private static let noticeDelay: Int64 = 700
    /// Without a key for this long the console counts as one that nobody looks at closely.
    private static let restAfter: Int64 = 30_000
    /// Themes are read and evidence is written here: a slow disk must not hold up a key.
    let files = DispatchQueue(label: "weir.console.files")
    private var watcher = ThemeWatcher()
    let clock: any ConsoleClock
    private let recorder: Recorder?
    var director: ConsoleDirector
    var hasToldAboutTmux = false
    var contexts: [ConsoleContext]

    init(
        terminal: CursesTerminal, mailbox: EventMailbox, gate: ActionGate, themes: ThemeLibrary, model: ConsoleModel, notices: [String],
        clock: any ConsoleClock = SystemClock(), recorder: Recorder? = nil, director: ConsoleDirector = .nobody, contexts: [ConsoleContext] = []
    ) {
        self.terminal = terminal
        self.mailbox = mailbox
        self.gate = gate
        self.themes = themes
        self.model = model
        self.notices = notices
        self.clock = clock
        self.recorder = recorder
        self.director = director
        self.contexts = contexts
        noticesDue = MonotonicClock.milliseconds() + Self.noticeDelay
        styles = (model.theme, model.theme.styleSheet(depth: terminal.colorDepth))
        let isRemote = ProcessEnvironment.variable("SSH_CONNECTION") != nil || ProcessEnvironment.variable("SSH_TTY") != nil
        paintInterval = isRemote ? 250 : 100
    }

    /// The first frame, before anything slow.
    mutating func paintFirst() {
        watcher.watch(model.theme.files)
        planTick()
        paint()
        if model.options.usesMouse, !terminal.watchMouse(true) { apply(.mouseIsMissing) }
    }

    mutating func run() -> Ending {
        while ending == nil {
            wait()
            takeSignals()
            takeInput()
            if ending == nil, isUrgent, isDirty { paint() }
            takeMail()
            lookAtClock()
            if watcher.takeChanges(), let origin = model.theme.origin { loadTheme(origin, isReload: true) }
            takeTick()
            restOrWake()
            takeNotices()
            direct()
            terminal.pump()
            if isPaintDue { paint() }
        }
        return ending ?? .quit
    }

    // MARK: Waiting

    private func wait() {
        var descriptors = [
            pollfd(fd: terminal.inputDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: terminal.signalDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0),
            // A descriptor of -1 is passed over.
            pollfd(fd: watcher.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        // A blocked terminal wakes the loop when it takes bytes again, instead of the loop asking.
        if isBlocked || terminal.hasPendingOutput { descriptors[0].events |= Int16(POLLOUT) }
        // Interrupted by a signal is as good as woken by one: its byte is in the pipe.
        _ = poll(&descriptors, nfds_t(descriptors.count), timeout())
    }

    private func timeout() -> Int32 {
        let now = MonotonicClock.milliseconds()
        var next = ticks.next
        if !notices.isEmpty { next = min(next ?? .max, noticesDue) }
        if isDirty, !isBlocked { next = min(next ?? .max, lastPaint + paintInterval) }
        if case .script(let script) = director, let due = script.dueAt, let delay = clock.delay(until: due) { next = min(next ?? .max, now + delay) }
        guard let next else { return -1 }
        return Int32(clamping: max(0, next - now))
    }

    // MARK: Events

    mutating func apply(_ event: ConsoleEvent) {
        let now = clock.now()
        recorder?.took(event, at: now)
        let effects = update(&model, event, at: now)
        isDirty = true
        for effect in effects { perform(effect) }
        // Before the frame: who sees the theme can count on its files being watched.
        watcher.watch(model.theme.files)
        planTick()
    }

    private mutating func takeSignals() {
        let signals = terminal.drainSignals()
        if signals.contains(.hangup) { return end(.hungUp) }
        if signals.contains(.terminate) {
            apply(.terminate)
            return end(.terminated)
        }
        if signals.contains(.suspend) {
            suspend()
        } else if signals.contains(.resumed) {
            terminal.resume()
            resumed()
        }
        if signals.contains(.resized), terminal.adoptSize() { resized() }
    }

    private mutating func takeInput() {
        var inputs: [TerminalInput] = []
        terminal.readInput { if inputs.count < TypedInput.flood || $0 == .closed { inputs.append($0) } }
        for event in TypedInput.events(inputs) {
            guard let event else { return end(.hungUp) }
            isUrgent = true
            lastInput = MonotonicClock.milliseconds()
            if case .key(let key) = event, directorTakes(key) { continue }
            apply(event)
        }
    }

    private mutating func takeTick() {
        guard ticks.take(at: MonotonicClock.milliseconds()) else { return }
        let effects = update(&model, .tick, at: clock.now())
        isDirty = true
        for effect in effects { perform(effect) }
        planTick()
    }

    private mutating func takeMail() {
        for event in mailbox.take() {
            switch event {
            case .engine(_, .report): ticks.reportCame(at: MonotonicClock.milliseconds())
            // What the operator asked the ledger for is painted when it comes, not a paint's interval after the key.
            case .history, .audit, .answer: isUrgent = true
            default: break
            }
            apply(event)
        }
    }

    private mutating func takeNotices() {
        guard !notices.isEmpty, MonotonicClock.milliseconds() >= noticesDue else { return }
        for notice in notices { apply(.notice(notice)) }
        notices = []
    }

    mutating func planTick() {
        let isAlone = if case .nobody = director { true } else { false }
        ticks.plan(model.nextDueTick, clock, now: MonotonicClock.milliseconds(), mayWaitForReport: model.isAtRest && isAlone)
    }

    /// Sets of the wall clock smaller than this do not show.
    private static let clockSlack: Milliseconds = 500

    private mutating func lookAtClock() {
        let offset = clock.offset()
        if abs((offset - model.clockOffset).count) >= Self.clockSlack.count { apply(.clockWasSet(offset: offset)) }
    }

    /// Nobody has pressed a key for a while: engines need not tell their numbers as often.
    private mutating func restOrWake() {
        let rests = MonotonicClock.milliseconds() - lastInput >= Self.restAfter
        guard rests != isResting, case .nobody = director else { return }
        isResting = rests
        gate.rest(rests)
    }

    mutating func end(_ ending: Ending) {
        if self.ending == nil { self.ending = ending }
    }

    // MARK: Painting

    private var isPaintDue: Bool {
        isDirty && (isUrgent || isBlocked || MonotonicClock.milliseconds() - lastPaint >= paintInterval)
    }

    private mutating func paint() {
        model.arrange()
        var canvas = Canvas(size: terminal.size, glyphs: model.glyphs)
        render(model, into: &canvas)
        if styles.theme != model.theme { styles = (model.theme, model.theme.styleSheet(depth: terminal.colorDepth)) }
        isBlocked = !terminal.paint(canvas.buffer, styles.sheet)
        guard !isBlocked else { return }
        (isDirty, isUrgent) = (false, false)
        lastPaint = MonotonicClock.milliseconds()
        recorder?.painted(canvas.buffer, styles.sheet)
    }
}
