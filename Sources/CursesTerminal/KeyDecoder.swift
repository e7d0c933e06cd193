@preconcurrency internal import CNcurses
public import CellGrid
internal import Glibc

/// Input from the keyboard.
public enum TerminalInput: Sendable, Equatable {
    case key(KeyPress)
    case mouse(MousePress)
    /// Text marked by the terminal as pasted: data, never keys. Lines end in "\n"; longer text is truncated.
    case paste(String)
    /// The terminal is disconnected.
    case closed
}

/// Turns ncurses input into key presses: names keys, collects pastes, drops unknown sequences. Owned by the terminal, on its thread.
struct KeyDecoder {
    /// Maximum paste in bytes; the rest is dropped.
    static let pasteLimit = 4096
    /// Own codes, above those of ncurses, for the marks around a paste.
    private static let pasteBegins: Int32 = 0x400, pasteEnds: Int32 = 0x401

    private var pasted: String?

    private enum Code: Equatable {
        case none
        case character(UInt32)
        case function(Int32)
    }

    /// Defines sequences that terminfo may lack. Cursor keys come in two forms, and a terminal that missed a mode change sends the one that terminfo
    /// does not list.
    static func defineKeys() {
        define_key("\u{1b}[200~", pasteBegins)
        define_key("\u{1b}[201~", pasteEnds)
        let cursorKeys: [(String, Int32)] = [
            ("A", KEY_UP), ("B", KEY_DOWN), ("C", KEY_RIGHT), ("D", KEY_LEFT), ("H", KEY_HOME), ("F", KEY_END),
        ]
        for (final, code) in cursorKeys {
            for introducer in ["\u{1b}[", "\u{1b}O"] where key_defined(introducer + final) == 0 { define_key(introducer + final, code) }
        }
    }

    mutating func reset() { pasted = nil }

    /// Reads all pending input.
    mutating func read(from window: UnsafeMutablePointer<WINDOW>?, _ deliver: (TerminalInput) -> Void) {
        var next = Self.fetch(window)
        while next != .none {
            let code = next
            next = Self.fetch(window)
            if pasted != nil {
                paste(code, deliver)
            } else if code == .function(Self.pasteBegins) {
                pasted = ""
            } else if code == .character(0x1b), next != .none {
                next = escape(next, window, deliver)
            } else if code == .function(KEY_MOUSE) {
                if let mouse = Self.mouse() { deliver(.mouse(mouse)) }
            } else if let key = Self.key(code) {
                deliver(.key(key))
            }
        }
    }

    private static func fetch(_ window: UnsafeMutablePointer<WINDOW>?) -> Code {
        var value: wint_t = 0
        let kind = wget_wch(window, &value)
        if kind == KEY_CODE_YES { return .function(Int32(bitPattern: value)) }
        return kind == OK ? .character(value) : .none
    }

    private mutating func paste(_ code: Code, _ deliver: (TerminalInput) -> Void) {
        switch code {
        case .function(Self.pasteEnds):
            deliver(.paste(pasted ?? ""))
            pasted = nil
        case .character(let value):
            guard let text = pasted, text.utf8.count < Self.pasteLimit, let scalar = Unicode.Scalar(value) else { return }
            pasted?.unicodeScalars.append(scalar == "\r" ? "\n" : scalar)
        default: return
        }
    }

    /// Handles an Esc with input right behind it: drops a control sequence unknown to terminfo as a whole; anything else was Esc and then another
    /// key (a slow line delivers them together). Returns the next code.
    private func escape(_ second: Code, _ window: UnsafeMutablePointer<WINDOW>?, _ deliver: (TerminalInput) -> Void) -> Code {
        if second == .character(0x5b) || second == .character(0x4f) {
            let third = Self.fetch(window)
            if third != .none {
                return second == .character(0x5b) ? Self.skipSequence(from: third, window) : Self.fetch(window)
            }
            deliver(.key(.named(.escape)))
            if let key = Self.key(second) { deliver(.key(key)) }
            return .none
        }
        deliver(.key(.named(.escape)))
        return second
    }

    /// Skips parameter and intermediate bytes (0x20-0x3f) and the final byte of a control sequence.
    private static func skipSequence(from first: Code, _ window: UnsafeMutablePointer<WINDOW>?) -> Code {
        var code = first
        for _ in 0..<64 {
            guard case .character(let value) = code else { return code }
            code = fetch(window)
            if !(0x20...0x3f).contains(value) { break }
        }
        return code
    }

    /// The mouse event just read; nil for an unused kind.
    private static func mouse() -> MousePress? {
        var event = MEVENT()
        guard getmouse(&event) == OK else { return nil }
        let point = CellPoint(column: Int(event.x), row: Int(event.y))
        if event.bstate & curses_mouse_press() != 0 { return MousePress(.press, at: point) }
        if event.bstate & curses_mouse_wheel_up() != 0 { return MousePress(.wheelUp, at: point) }
        if event.bstate & curses_mouse_wheel_down() != 0 { return MousePress(.wheelDown, at: point) }
        return nil
    }

    private static func key(_ code: Code) -> KeyPress? {
        switch code {
        case .none: nil
        case .character(let value): key(character: value)
        case .function(let value): key(function: value)
        }
    }

    private static func key(character value: UInt32) -> KeyPress? {
        switch value {
        case 0x09: return .named(.tab)
        case 0x0a, 0x0d: return .named(.enter)
        case 0x1b: return .named(.escape)
        case 0x08, 0x7f: return .named(.backspace)
        case 0x01...0x1a: return Unicode.Scalar(value + 0x60).map { .control($0) }
        case 0x00...0x1f, 0x80...0x9f: return nil
        default: return Unicode.Scalar(value).map { .character($0) }
        }
    }

    private static func key(function value: Int32) -> KeyPress? {
        if (KEY_F0 + 1...KEY_F0 + 63).contains(value) { return .function(Int(value - KEY_F0)) }
        return named[value].map { .named($0) }
    }

    private static let named: [Int32: KeyPress.Named] = [
        KEY_UP: .up, KEY_DOWN: .down, KEY_LEFT: .left, KEY_RIGHT: .right,
        KEY_HOME: .home, KEY_FIND: .home, KEY_A1: .home, KEY_END: .end, KEY_SELECT: .end, KEY_C1: .end,
        KEY_PPAGE: .pageUp, KEY_A3: .pageUp, KEY_NPAGE: .pageDown, KEY_C3: .pageDown,
        KEY_ENTER: .enter, KEY_BACKSPACE: .backspace, KEY_BTAB: .backTab, KEY_DC: .delete, KEY_IC: .insert,
    ]
}
