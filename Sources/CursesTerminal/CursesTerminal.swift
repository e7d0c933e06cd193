@preconcurrency internal import CNcurses
public import CellGrid
internal import Glibc

/// A full-screen terminal: keys in, cells out. The only user of ncurses in the process.
///
/// Made, used and closed on one thread (the class is not `Sendable`). While open, it owns the screen, standard error goes to a log, and signals
/// of job control and termination arrive through `signalDescriptor`. The terminal is restored however the process ends, short of SIGKILL.
public final class CursesTerminal {
    public struct Options: Sendable {
        /// Colour depth; nil = by NO_COLOR and terminfo.
        public var colorDepth: ColorDepth?
        public var usesASCII = false
        /// Path of the log for standard error while the screen is in use; nil = none.
        public var logPath: String?

        public init(colorDepth: ColorDepth? = nil, usesASCII: Bool = false, logPath: String? = nil) {
            self.colorDepth = colorDepth
            self.usesASCII = usesASCII
            self.logPath = logPath
        }
    }

    /// Outcome of a copy to the clipboard. Acceptance by the terminal cannot be determined.
    public enum CopyOutcome: Sendable, Equatable { case sent, tooLong, unsupported }

    public let colorDepth: ColorDepth
    public let glyphs: GlyphProfile
    /// One-time notice for the operator: the terminal type had to be replaced.
    public let notice: String?
    /// Descriptor that is readable when keys are pending.
    public let inputDescriptor: Int32
    /// Descriptor that is readable when signals are pending.
    public var signalDescriptor: Int32 { signals.descriptor }
    public private(set) var size: Size

    private let screen: OpaquePointer
    private let files: (input: UnsafeMutablePointer<FILE>, output: UnsafeMutablePointer<FILE>)
    private let outputDescriptor: Int32
    private let signals: TerminalSignals
    private let log: LogRedirection?
    private let savedTermios: termios
    public let isTmux: Bool
    private let isUTF8: Bool
    private let term: String
    private var painter: CellPainter
    private var decoder: KeyDecoder
    /// Bytes for the terminal outside of frames (the clipboard), sent between frames as the line takes them.
    private var pending: ArraySlice<UInt8> = []
    private var isOpen = true
    private var isWatchingMouse = false

    private static let pendingLimit = 4096
    private static let enterPaste = "\u{1b}[?2004h", leavePaste = "\u{1b}[?2004l"

    // MARK: Life

    /// Takes over the terminal of standard input and output.
    public init(_ options: Options = Options()) throws(TerminalError) {
        guard isatty(STDIN_FILENO) == 1 else { throw .notATerminal(stream: "standard input") }
        guard isatty(STDOUT_FILENO) == 1 else { throw .notATerminal(stream: "standard output") }
        let environment = { (name: String) in getenv(name).map { String(cString: $0) } }
        let traits = TerminalTraits(environment)
        let candidates = try traits.candidates()
        let isUTF8 = Locale.adopt(environment)
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw .device(call: "tcgetattr", errno: errno) }
        let files = try Self.duplicateStreams()
        // The handlers first: ncurses installs its own where there are none.
        let signals = try TerminalSignals()
        guard let (screen, term) = Self.start(candidates, files: files) else {
            signals.restore()
            fclose(files.input)
            fclose(files.output)
            throw .typeUnknown(candidates[0])
        }
        guard curses_capability("cup") != nil else {
            endwin()
            delscreen(screen)
            signals.restore()
            tcsetattr(STDIN_FILENO, TCSANOW, &before)
            throw .typeTooSimple(term)
        }
        self.screen = screen
        self.files = files
        self.signals = signals
        self.term = term
        savedTermios = before
        isTmux = traits.isTmux
        self.isUTF8 = isUTF8
        inputDescriptor = fileno(files.input)
        outputDescriptor = fileno(files.output)
        log = LogRedirection(path: options.logPath)
        notice = term == candidates[0] ? nil : "TERM=\(candidates[0].prefix(40)) is not known on this host; drawing for \(term)"
        glyphs = TerminalTraits.glyphs(term: term, isUTF8: isUTF8, asksForASCII: options.usesASCII)
        colorDepth = Self.startColors(traits, asked: options.colorDepth)
        size = Self.measure(outputDescriptor)
        painter = CellPainter(depth: colorDepth)
        decoder = KeyDecoder()
        configure(traits)
        CrashGuard.arm(descriptor: outputDescriptor, termios: before, reset: Self.resetBytes(), message: crashMessage(options))
    }

    /// Restores the terminal. Idempotent.
    public func close() {
        guard isOpen else { return }
        watchMouse(false)
        isOpen = false
        sendAside(Self.leavePaste)
        endwin()
        CrashGuard.disarm()
        // ncurses restores the modes it found; this restores the others.
        var before = savedTermios
        tcsetattr(inputDescriptor, TCSADRAIN, &before)
        release()
    }

    /// Leaves a disconnected terminal without writing to it.
    public func abandon() {
        guard isOpen else { return }
        isOpen = false
        CrashGuard.disarm()
        release()
    }

    deinit { close() }

    private func release() {
        signals.restore()
        log?.restore()
    }

    private static func duplicateStreams() throws(TerminalError) -> (input: UnsafeMutablePointer<FILE>, output: UnsafeMutablePointer<FILE>) {
        // Own descriptors, so that closing or redirecting the standard ones does not affect the screen.
        let input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
        guard input >= 0, output >= 0, let reader = fdopen(input, "r"), let writer = fdopen(output, "w") else {
            throw .device(call: "dup", errno: errno)
        }
        return (reader, writer)
    }

    private static func start(
        _ candidates: [String], files: (input: UnsafeMutablePointer<FILE>, output: UnsafeMutablePointer<FILE>)
    ) -> (OpaquePointer, String)? {
        // The size comes from the terminal, not from LINES and COLUMNS, which become outdated.
        use_env(false)
        use_tioctl(true)
        limitSize(fileno(files.output))
        defer { for name in ["LINES", "COLUMNS"] { unsetenv(name) } }
        for term in candidates {
            if let screen = newterm(term, files.output, files.input) { return (screen, term) }
        }
        return nil
    }

    /// ncurses takes memory for each cell of the window. It is told the size where the window claims more than is drawn on.
    private static func limitSize(_ descriptor: Int32) {
        var window = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, Int(window.ws_col) > sizeMax.columns || Int(window.ws_row) > sizeMax.rows else { return }
        let size = measure(descriptor)
        setenv("COLUMNS", "\(size.columns)", 1)
        setenv("LINES", "\(size.rows)", 1)
        use_env(true)
        use_tioctl(false)
    }

    private static func startColors(_ traits: TerminalTraits, asked: ColorDepth?) -> ColorDepth {
        let depth = traits.depth(
            asked: asked, colors: Int(max(0, tigetnum("colors"))), isDirect: tigetflag("RGB") > 0)
        // Without colours, not even a reset of them is sent.
        if depth != .none, start_color() == OK { use_default_colors() }
        return depth
    }

    private func configure(_ traits: TerminalTraits) {
        cbreak()
        noecho()
        nonl()
        // ncurses otherwise leaves a frame half drawn when a key is pending.
        typeahead(-1)
        if !traits.hasOwnEscapeDelay { set_escdelay(traits.escapeDelay) }
        curs_set(0)
        adoptInputModes()
        painter.resize(size)
        sendAside(Self.enterPaste)
    }

    /// Makes Ctrl-C and Ctrl-\ keys: a signal would go to the whole process group. Ctrl-Z stays with job control.
    private func adoptInputModes() {
        var mode = termios()
        guard tcgetattr(inputDescriptor, &mode) == 0 else { return }
        withUnsafeMutableBytes(of: &mode.c_cc) { characters in
            // 0 is _POSIX_VDISABLE: no character.
            characters[Int(VINTR)] = 0
            characters[Int(VQUIT)] = 0
        }
        tcsetattr(inputDescriptor, TCSANOW, &mode)
        def_prog_mode()
    }

    private static func resetBytes() -> [UInt8] {
        let capabilities = ["sgr0", "op", "rmkx", "cnorm", "rmcup"]
        var bytes = capabilities.flatMap { name in curses_capability(name).map { withoutPadding(String(cString: $0)) } ?? [] }
        bytes += Array(leavePaste.utf8)
        // Terminals without a mouse do not know these modes either, and ignore them.
        if curses_capability("kmous") != nil { bytes += Array("\u{1b}[?1006;1000l".utf8) }
        return bytes
    }

    /// Removes terminfo delays such as `$<5/>`, which a raw write must not print.
    private static func withoutPadding(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = [], rest = Array(text.utf8)[...]
        while let first = rest.first {
            if first == 0x24, rest.dropFirst().first == 0x3c, let end = rest.firstIndex(of: 0x3e) {
                rest = rest[(end + 1)...]
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
        return bytes
    }

    private func crashMessage(_ options: Options) -> String {
        let place = log?.path.map { "; see \($0)" } ?? ""
        return "\r\nweir: the console crashed; the terminal has been put back, operations go on in the engine\(place)\r\n"
    }

    // MARK: Painting

    /// Shows a frame: writes the difference from the previous frame at once; an equal frame writes nothing. Returns false without writing when the
    /// terminal takes no bytes now: paint again later.
    @discardableResult
    public func paint(_ frame: CellBuffer, _ styles: StyleSheet) -> Bool {
        guard isOpen else { return true }
        guard painter.differs(frame, styles) else { return true }
        guard pending.isEmpty, isWritable else { return false }
        painter.paint(frame, styles)
        return true
    }

    /// Makes the next frame a full paint, over the whole screen.
    public func invalidate() { painter.invalidate() }

    public func bell() {
        if isOpen { beep() }
    }

    /// Sends text to the clipboard of the operator's terminal, between frames.
    public func copy(_ text: String) -> CopyOutcome {
        guard term != "linux", !term.hasPrefix("vt") else { return .unsupported }
        guard let bytes = ClipboardSequence.bytes(for: text, isTmux: isTmux) else { return .tooLong }
        pending += bytes
        pump()
        return .sent
    }

    /// Sends a desktop notification through the operator's terminal, between frames. Terminals without support ignore it.
    public func notify(_ text: String) {
        guard isOpen, term != "linux", !term.hasPrefix("vt") else { return }
        // A stalled line must not accumulate notifications.
        guard pending.count < Self.pendingLimit else { return }
        pending += NotificationSequence.bytes(for: text, isTmux: isTmux, isUTF8: isUTF8)
        pump()
    }

    /// Whether bytes wait for the line: wait for writability of `outputDescriptor` and call `pump`.
    public var hasPendingOutput: Bool { !pending.isEmpty }

    /// Sends pending bytes, as far as the terminal takes them without blocking.
    public func pump() {
        while isOpen, !pending.isEmpty, isWritable {
            // A writable terminal takes this many bytes at once.
            let chunk = pending.prefix(256)
            let count = chunk.withUnsafeBytes { write(outputDescriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return }
            pending = pending.dropFirst(count)
        }
    }

    private var isWritable: Bool {
        var descriptor = pollfd(fd: outputDescriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&descriptor, 1, 0) == 1 && descriptor.revents & Int16(POLLOUT) != 0
    }

    private func sendAside(_ text: String) {
        let bytes = Array(text.utf8)
        // A disconnected terminal shows at the next read.
        _ = write(outputDescriptor, bytes, bytes.count)
    }

    // MARK: Input

    /// Delivers typed and pasted input since the last call. `.closed` comes when the terminal is gone.
    public func readInput(_ deliver: (TerminalInput) -> Void) {
        guard isOpen else { return }
        decoder.read(from: painter.inputWindow, deliver)
        if isGone { deliver(.closed) }
    }

    /// Discards typed but unread input.
    public func flushInput() {
        decoder.reset()
        flushinp()
    }

    /// Whether the other end of the line has hung up. Reading cannot detect it: ncurses takes the end of file for "no key".
    public var isGone: Bool {
        var descriptor = pollfd(fd: inputDescriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&descriptor, 1, 0) == 1 else { return false }
        return descriptor.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// Turns mouse reports on, which stops the terminal from selecting text, or off. Returns whether it succeeded.
    @discardableResult
    public func watchMouse(_ isOn: Bool) -> Bool {
        guard isOpen, isOn != isWatchingMouse else { return true }
        // Presses are reported at once, not after the time in which a click could become a double one.
        mouseinterval(0)
        let events = isOn ? curses_mouse_press() | curses_mouse_wheel_up() | curses_mouse_wheel_down() : 0
        isWatchingMouse = mousemask(events, nil) != 0
        return isOn == isWatchingMouse
    }

    // MARK: Signals

    /// Signals since the last call, each kind once.
    public func drainSignals() -> Set<TerminalSignal> { signals.drain() }

    /// Adopts the present window size. Returns whether it changed; the next frame is then painted whole.
    public func adoptSize() -> Bool {
        let now = Self.measure(outputDescriptor)
        guard now != size else { return false }
        size = now
        resize_term(Int32(max(1, now.rows)), Int32(max(1, now.columns)))
        painter.resize(now)
        return true
    }

    /// Releases the terminal, stops the process, and takes the terminal again when the process continues.
    public func suspend() {
        guard isOpen else { return }
        let hadMouse = isWatchingMouse
        watchMouse(false)
        sendAside(Self.leavePaste)
        def_prog_mode()
        endwin()
        signals.stopProcess()
        resume()
        if hadMouse { watchMouse(true) }
    }

    /// Takes the terminal again after the process was stopped externally.
    public func resume() {
        guard isOpen else { return }
        reset_prog_mode()
        curs_set(0)
        sendAside(Self.enterPaste)
        _ = adoptSize()
        painter.invalidate()
    }

    /// The largest frame: of a window that claims to be larger only the first columns and rows are drawn on.
    public static let sizeMax = Size(columns: 500, rows: 200)

    /// Columns and rows of the window, as far as they are drawn on; terminfo's if the terminal does not report them (a serial line).
    private static func measure(_ descriptor: Int32) -> Size {
        var window = winsize()
        if ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 {
            return Size(columns: min(Int(window.ws_col), sizeMax.columns), rows: min(Int(window.ws_row), sizeMax.rows))
        }
        let columns = tigetnum("cols"), rows = tigetnum("lines")
        return Size(columns: columns > 0 ? Int(columns) : 80, rows: rows > 0 ? Int(rows) : 24)
    }
}
