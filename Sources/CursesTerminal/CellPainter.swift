@preconcurrency internal import CNcurses
internal import CellGrid
internal import Glibc

/// Writes frames of cells into an ncurses window, which sends the difference to the terminal. Remembers the previous frame. Owned by the
/// terminal, on its thread.
struct CellPainter {
    private let depth: ColorDepth
    private var window: UnsafeMutablePointer<WINDOW>?
    /// A one-cell window that is never written: reading a key refreshes the window it reads from.
    private(set) var inputWindow: UnsafeMutablePointer<WINDOW>?
    private var size = Size.zero
    private var shown: CellBuffer?
    private var shownStyles = StyleSheet.plain
    /// Whether the next frame is sent whole.
    private var isInvalid = true
    private var pairs: [ColorPair: Int32] = [:]
    private var attributes: [StyleID: CellAttributes] = [:]
    private var line: [cchar_t] = []

    private struct ColorPair: Hashable {
        var foreground, background: Int32
    }

    private struct CellAttributes {
        var bits: attr_t
        var pair: Int32
    }

    init(depth: ColorDepth) {
        self.depth = depth
        inputWindow = newwin(1, 1, 0, 0)
        keypad(inputWindow, true)
        nodelay(inputWindow, true)
        untouchwin(inputWindow)
        KeyDecoder.defineKeys()
    }

    /// Adopts a new screen size.
    mutating func resize(_ size: Size) {
        if let window { delwin(window) }
        self.size = size
        window = newwin(Int32(max(1, size.rows)), Int32(max(1, size.columns)), 0, 0)
        // The cursor is invisible, or may stay where it is: no bytes to move it.
        leaveok(window, true)
        line.reserveCapacity(size.columns)
        invalidate()
    }

    mutating func invalidate() {
        isInvalid = true
        shown = nil
    }

    func differs(_ frame: CellBuffer, _ styles: StyleSheet) -> Bool { isInvalid || shown != frame || shownStyles != styles }

    mutating func paint(_ frame: CellBuffer, _ styles: StyleSheet) {
        guard let window else { return }
        if styles != shownStyles {
            attributes.removeAll(keepingCapacity: true)
            shown = nil
            shownStyles = styles
        }
        for run in CellDiff.runs(from: shown ?? CellBuffer(size: .zero), to: frame) where run.row < size.rows {
            write(frame, run, styles, to: window)
        }
        if isInvalid {
            clearok(window, true)
            isInvalid = false
        }
        wnoutrefresh(window)
        doupdate()
        shown = frame
    }

    private mutating func write(_ frame: CellBuffer, _ run: CellRun, _ styles: StyleSheet, to window: UnsafeMutablePointer<WINDOW>) {
        line.removeAll(keepingCapacity: true)
        for column in run.columns {
            let cell = frame[row: run.row, column: column]
            if cell.isContinuation { continue }
            append(cell, look(of: cell.style, styles))
        }
        mvwadd_wchnstr(window, Int32(run.row), Int32(run.columns.lowerBound), line, Int32(line.count))
    }

    private mutating func append(_ cell: Cell, _ look: CellAttributes) {
        var text: (wchar_t, wchar_t, wchar_t, wchar_t, wchar_t, wchar_t) = (0, 0, 0, 0, 0, 0)
        if let ascii = cell.ascii {
            text.0 = wchar_t(ascii)
        } else {
            withUnsafeMutableBytes(of: &text) { bytes in
                let characters = bytes.bindMemory(to: wchar_t.self)
                // The last element stays 0: the end of the string.
                for (index, scalar) in cell.text.unicodeScalars.prefix(Int(CCHARW_MAX)).enumerated() {
                    characters[index] = wchar_t(bitPattern: scalar.value)
                }
            }
            // A different column count of the C library would shift the rest of the row.
            if curses_column_count(text.0) != Int32(cell.width) {
                for _ in 0..<max(1, cell.width) { append("?", look) }
                return
            }
        }
        var cchar = cchar_t()
        withUnsafePointer(to: &text) { pointer in
            pointer.withMemoryRebound(to: wchar_t.self, capacity: 6) { _ = curses_set_cell(&cchar, $0, look.bits, look.pair) }
        }
        line.append(cchar)
    }

    private mutating func append(_ scalar: Unicode.Scalar, _ look: CellAttributes) {
        var cchar = cchar_t()
        _ = curses_set_cell(&cchar, [wchar_t(bitPattern: scalar.value), 0], look.bits, look.pair)
        line.append(cchar)
    }

    // MARK: Styles

    private mutating func look(of id: StyleID, _ styles: StyleSheet) -> CellAttributes {
        if let known = attributes[id] { return known }
        let style = styles[id]
        let look = CellAttributes(bits: bits(style.attributes), pair: pair(style))
        attributes[id] = look
        return look
    }

    private func bits(_ set: StyleAttributes) -> attr_t {
        var bits: attr_t = 0
        if set.contains(.bold) { bits |= curses_attribute_bold() }
        if set.contains(.dim) { bits |= curses_attribute_dim() }
        if set.contains(.underline) { bits |= curses_attribute_underline() }
        if set.contains(.reverse) { bits |= curses_attribute_reverse() }
        if set.contains(.italic) { bits |= curses_attribute_italic() }
        return bits
    }

    /// Colour pair of a style, made at its first use. Pair 0 is the terminal's own.
    private mutating func pair(_ style: Style) -> Int32 {
        let colors = ColorPair(foreground: number(style.foreground), background: number(style.background))
        guard depth != .none, colors.foreground >= 0 || colors.background >= 0 else { return 0 }
        if let known = pairs[colors] { return known }
        let next = Int32(pairs.count + 1)
        // A terminal without free pairs shows its own colours.
        let made = init_extended_pair(next, colors.foreground, colors.background) == OK ? next : 0
        pairs[colors] = made
        return made
    }

    /// Colour number of ncurses; -1 is the terminal's own.
    private func number(_ color: TerminalColor) -> Int32 {
        switch color {
        case .default: -1
        case .index16(let index): depth == .direct || depth == .colors8 ? Int32(index & 7) : Int32(index)
        case .index256(let index): depth == .colors256 ? Int32(index) : -1
        case .rgb(let red, let green, let blue): depth == .direct ? Int32(red) << 16 | Int32(green) << 8 | Int32(blue) : -1
        }
    }
}
