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

    private let terminal: CursesTerminal
    private let mailbox: EventMailbox
    private let gate: ActionGate
    private let themes: ThemeLibrary
    private var model: ConsoleModel
    private var ending: Ending?
    /// The model has changed since the last frame.
    private var isDirty = true
    /// A key did it.
    private var isUrgent = true
    private var isBlocked = false
    private var lastPaint: Int64 = 0
    /// Monotonic time of the tick that the model asked for, and the wall time it asked with.
    private var tick: (at: Int64, due: WallTime)?
    /// Monotonic times of the last report and the last key.
    private var lastReport: Int64?
    private var lastInput = MonotonicClock.milliseconds()
    private var isResting = false
    private var styles: (theme: Theme, sheet: StyleSheet)
    private let paintInterval: Int64
    /// Notices of the start (a bad file), which are told a moment later: told at once, the first words of the engines would
    /// cover them.
    private var notices: [String]
    private let noticesDue: Int64
    private static let noticeDelay: Int64 = 700
    /// How much later than usual a report may come and still bring the clock's next second along.
    private static let reportSlack: Int64 = 150
    /// Without a key for this long the console counts as one that nobody looks at closely.
    private static let restAfter: Int64 = 30_000
    /// Themes are read and evidence is written here: a slow disk must not hold up a key.
    private let files = DispatchQueue(label: "weir.console.files")
    private var watcher = ThemeWatcher()
    private let clock: any ConsoleClock
    private let recorder: Recorder?
    private var director: ConsoleDirector
    private var hasToldAboutTmux = false
    private var contexts: [ConsoleContext]

    /// Keys that come at once in this number were not typed: a terminal without bracketed paste was pasted into.
    private static let burst = 64
    /// Of more than this at once the rest is dropped, as of a long paste, and nothing of it is a command: memory does not grow with a flood.
    static let flood = 4096

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
        var next = tick?.at
        if !notices.isEmpty { next = min(next ?? .max, noticesDue) }
        if isDirty, !isBlocked { next = min(next ?? .max, lastPaint + paintInterval) }
        if case .script(let script) = director, let due = script.dueAt, let delay = clock.delay(until: due) { next = min(next ?? .max, now + delay) }
        guard let next else { return -1 }
        return Int32(clamping: max(0, next - now))
    }

    // MARK: Events

    private mutating func apply(_ event: ConsoleEvent) {
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
        terminal.readInput { if inputs.count < Self.flood || $0 == .closed { inputs.append($0) } }
        for event in Self.events(inputs) {
            guard let event else { return end(.hungUp) }
            isUrgent = true
            lastInput = MonotonicClock.milliseconds()
            if case .key(let key) = event, directorTakes(key) { continue }
            apply(event)
        }
    }

    /// What the input means to the model; nil = the terminal is gone. A burst of characters counts as pasted text, unless it
    /// begins by opening a text field (a script that drives the console).
    static func events(_ inputs: [TerminalInput]) -> [ConsoleEvent?] {
        var characters = String.UnicodeScalarView()
        for case .key(.character(let scalar)) in inputs { characters.append(scalar) }
        let isScript = characters.first == ":" || characters.first == "/"
        if characters.count >= burst, !isScript || inputs.count >= flood {
            return [.paste(String(characters))] + (inputs.contains(.closed) ? [nil] : [])
        }
        return inputs.map { input in
            switch input {
            case .key(let key): .key(key)
            case .mouse(let mouse): .mouse(mouse)
            case .paste(let text): .paste(text)
            case .closed: nil
            }
        }
    }

    private mutating func takeTick() {
        guard let tick, MonotonicClock.milliseconds() >= tick.at else { return }
        self.tick = nil
        let effects = update(&model, .tick, at: clock.now())
        isDirty = true
        for effect in effects { perform(effect) }
        planTick()
    }

    private mutating func takeMail() {
        for event in mailbox.take() {
            switch event {
            case .engine(_, .report):
                lastReport = MonotonicClock.milliseconds()
                // Planned anew from this report: the plan made before it would wake the loop a moment after each report in the last tenths of a second.
                tick = nil
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

    private mutating func planTick() {
        guard let due = model.nextDueTick else { return tick = nil }
        if tick?.due == due { return }
        // A clock that stands still has no next tick; the director's keys let it go on.
        guard let wait = clock.delay(until: due) else { return tick = nil }
        tick = (withReport(MonotonicClock.milliseconds() + wait), due)
    }

    /// Engines report every second, at any moment of it. Where nothing counts seconds down, the clock goes on with the next report instead
    /// of waking the process a second time; without a report it goes on where that would have come, a little later.
    private func withReport(_ due: Int64) -> Int64 {
        guard let lastReport, model.isAtRest, case .nobody = director else { return due }
        let next = lastReport + 1000 + Self.reportSlack
        return next >= due ? next : next + (due - next + 999) / 1000 * 1000
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

    private mutating func end(_ ending: Ending) {
        if self.ending == nil { self.ending = ending }
    }

    // MARK: Effects

    private mutating func perform(_ effect: ConsoleEffect) {
        switch effect {
        case .send(let context, let request): gate.send(request, to: context)
        case .flushInput: terminal.flushInput()
        case .bell: terminal.bell()
        case .notify(let text): terminal.notify(text)
        case .suspend: suspend()
        case .quit: end(.quit)
        case .repaint:
            terminal.invalidate()
            isDirty = true
        case .copy(let text): copy(text)
        case .connect(let name, let address, let word): connect(name, address, word)
        case .watchMouse(let isOn): if !terminal.watchMouse(isOn) { apply(.mouseIsMissing) }
        case .loadTheme(let name): loadTheme(name)
        case .retryNow(let context): gate.retryNow(context)
        case .loadAudit: gate.loadAudit()
        case .recordVerdict(let id, let verdict): gate.recordVerdict(verdict, of: id)
        case .loadRecipe(let context, let job): gate.loadRecipe(of: job, in: context)
        case .loadHistory(let question): gate.loadHistory(question)
        case .save(let name, let text): save(name, text)
        case .look(let context, let focus): gate.look(at: focus, of: context)
        case .dump(let path, let format): dump(format, to: path)
        case .goOnWithDemo: goOnWithDemo()
        }
    }

    private mutating func connect(_ name: String, _ address: String, _ word: String?) {
        if case .playback = director { return apply(.answer("this is a recording: there is nobody to connect to")) }
        do throws(ConfigurationError) {
            var context = try ConfigurationFile.context(named: name, at: address, class: word, beside: contexts)
            context.isReadOnly = model.options.isReadOnly
            contexts.append(context)
            var description = context.description
            description.isAdded = true
            // The model first: what the engine says is for a context that it knows.
            apply(.contextAdded(description))
            gate.add(context)
        } catch {
            apply(.answer("\(error.problem)"))
        }
    }

    private mutating func suspend() {
        terminal.suspend()
        resumed()
    }

    private mutating func resumed() {
        if terminal.size != model.options.size { resized() }
        isUrgent = true
        apply(.resumedFromSuspend)
    }

    private mutating func resized() {
        apply(.resize(terminal.size))
    }

    private mutating func copy(_ text: String) {
        switch terminal.copy(text) {
        case .sent: tellAboutTmux()
        case .tooLong: apply(.answer("too long for the clipboard: \(text.utf8.count) bytes, it takes about 55000"))
        case .unsupported: apply(.answer("this terminal has no clipboard"))
        }
    }

    /// Once: that text was copied cannot be known, and tmux drops it unless it is told not to.
    private mutating func tellAboutTmux() {
        guard terminal.isTmux, !hasToldAboutTmux else { return }
        hasToldAboutTmux = true
        apply(.notice("tmux lets copies through only with `set -s set-clipboard on`"))
    }

    private func save(_ name: String, _ text: String) {
        files.async { [mailbox] in
            do throws(ReportFile.Failure) {
                mailbox.post(.answer("written: \(try ReportFile.write(text, name: name, into: BaseDirectories().reportsPath))"))
            } catch {
                mailbox.post(.answer("\(error)"))
            }
        }
    }

    /// `isReload`: its file was written, so a theme that came out the same is no news.
    private func loadTheme(_ name: String, isReload: Bool = false) {
        let shown = model.options.theme
        files.async { [themes, mailbox] in
            do throws(ThemeError) {
                let theme = try themes.load(name)
                if isReload, theme == shown { return }
                mailbox.post(.themeLoaded(theme, warnings: theme.warnings))
            } catch {
                mailbox.post(.themeFailed(error.description))
            }
        }
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

// MARK: Dumps

extension ConsoleLoop {
    /// Renders now, encodes and writes on the queue of the files.
    private func dump(_ format: DumpFormat, to path: String) {
        let shown = model, sheet = styles.sheet
        files.async { [mailbox] in
            do {
                let file = try EvidenceFile(creating: path)
                try file.write(try shown.dumped(format, sheet))
                mailbox.post(.answer("wrote \(file.path)"))
            } catch {
                mailbox.post(.answer("nothing was written: \(error)"))
            }
        }
    }
}

// MARK: Playback and script

/// Who drives the console beside its operator.
enum ConsoleDirector {
    case nobody
    case playback(Playback)
    case script(DemoScript)
}

extension ConsoleLoop {
    /// The keys of a playback are its own; any key of a presenter ends the script's turn, and Esc does nothing else.
    private mutating func directorTakes(_ key: KeyPress) -> Bool {
        switch director {
        case .nobody: return false
        case .playback(let playback):
            guard !model.isTakingText, playback.take(key) else { return false }
            planTick()
            return true
        case .script(var script):
            guard !script.isTakenOver, !script.isOver else { return false }
            script.takeOver()
            director = .script(script)
            return key == .named(.escape)
        }
    }

    private mutating func goOnWithDemo() {
        guard case .script(var script) = director, !script.isOver else { return apply(.answer("there is no scripted demo here")) }
        script.goOn()
        director = .script(script)
    }

    /// Lets the director press its next key, and keeps its caption on the screen.
    private mutating func direct() {
        let caption: Caption
        switch director {
        case .nobody: return
        case .playback(let playback): caption = playback.caption
        case .script(var script):
            let key = script.step(model, at: clock.now())
            director = .script(script)
            if let key {
                isUrgent = true
                apply(.key(key))
            }
            caption = script.caption(model.options.keyMap)
        }
        if caption != model.caption { apply(.caption(caption)) }
    }
}
