public import CellGrid

/// A frame as text that leaves the terminal: plain, with escape sequences, as SVG. Cells hold `SafeText` only, so nothing else
/// can get out.
public enum FrameText {
    /// The characters, one line a row, without trailing spaces.
    public static func plain(_ frame: CellBuffer) -> String {
        rows(frame) { row in
            var line = ""
            for column in 0..<frame.size.columns where !frame[row: row, column: column].isContinuation { line += frame[row: row, column: column].text }
            while line.last == " " { line.removeLast() }
            return line
        }
    }

    /// The characters with the sequences that colour them, one line a row; every line ends as it began, without attributes.
    public static func ansi(_ frame: CellBuffer, _ styles: StyleSheet) -> String {
        rows(frame) { row in
            var painter = SequencePainter()
            return painter.line(frame, row: row, columns: 0..<frame.size.columns, styles) + painter.end()
        }
    }

    /// SVG: one `text` element for each run of a style. `title` and the names of fonts are the only text that is not of the frame.
    public static func svg(_ frame: CellBuffer, _ styles: StyleSheet, ground: Ground, title: SafeText) -> String {
        var drawing = SVGDrawing(frame: frame, styles: styles, ground: ground)
        return drawing.draw(title: title)
    }

    /// The colours that a terminal has of its own.
    public enum Ground: Sendable {
        case dark, light

        var background: ThemeColor.RGB { self == .dark ? ThemeColor.RGB(red: 0x1e, green: 0x21, blue: 0x27) : ThemeColor.RGB(red: 255, green: 255, blue: 255) }
        var foreground: ThemeColor.RGB {
            self == .dark ? ThemeColor.RGB(red: 0xd0, green: 0xd0, blue: 0xd0) : ThemeColor.RGB(red: 0x26, green: 0x26, blue: 0x26)
        }
    }

    private static func rows(_ frame: CellBuffer, _ line: (Int) -> String) -> String {
        (0..<frame.size.rows).map { line($0) + "\n" }.joined()
    }
}

/// Writes styles as escape sequences (ECMA-48), and remembers the last one.
struct SequencePainter {
    private var last = Style()

    /// A run of cells.
    mutating func line(_ frame: CellBuffer, row: Int, columns: Range<Int>, _ styles: StyleSheet) -> String {
        var text = ""
        for column in columns {
            let cell = frame[row: row, column: column]
            if cell.isContinuation { continue }
            let style = styles[cell.style]
            if style != last {
                text += Self.sequence(style)
                last = style
            }
            text += cell.text
        }
        return text
    }

    /// Back to the terminal's own look.
    mutating func end() -> String {
        guard last != Style() else { return "" }
        last = Style()
        return "\u{1b}[0m"
    }

    static func sequence(_ style: Style) -> String {
        var codes = ["0"]
        let attributes: [(StyleAttributes, String)] = [(.bold, "1"), (.dim, "2"), (.italic, "3"), (.underline, "4"), (.reverse, "7")]
        for (attribute, code) in attributes where style.attributes.contains(attribute) { codes.append(code) }
        if let code = color(style.foreground, base: 30) { codes.append(code) }
        if let code = color(style.background, base: 40) { codes.append(code) }
        return "\u{1b}[\(codes.joined(separator: ";"))m"
    }

    private static func color(_ color: TerminalColor, base: Int) -> String? {
        switch color {
        case .default: nil
        case .index16(let index): index < 8 ? "\(base + Int(index))" : "\(base + 60 + Int(index & 7))"
        case .index256(let index): "\(base + 8);5;\(index)"
        case .rgb(let red, let green, let blue): "\(base + 8);2;\(red);\(green);\(blue)"
        }
    }
}

/// A frame as SVG.
private struct SVGDrawing {
    let frame: CellBuffer
    let styles: StyleSheet
    let ground: FrameText.Ground
    /// Of one cell, in tenths of a unit: whole numbers keep the file the same everywhere.
    private let cellWidth = 84, cellHeight = 170
    private var body = ""

    init(frame: CellBuffer, styles: StyleSheet, ground: FrameText.Ground) {
        self.frame = frame
        self.styles = styles
        self.ground = ground
    }

    mutating func draw(title: SafeText) -> String {
        for row in 0..<frame.size.rows {
            for run in runs(row) { draw(run, row: row) }
        }
        let width = tenths(frame.size.columns * cellWidth + 160), height = tenths(frame.size.rows * cellHeight + 160)
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" role="img">
            <title>\(Self.escaped(title.string))</title>
            <rect width="100%" height="100%" rx="6" fill="\(ground.background)"/>
            <g transform="translate(8 8)" font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="14" xml:space="preserve">
            \(body)</g>
            </svg>

            """
    }

    private struct Run {
        var column: Int
        var columns: Int
        var text: String
        var style: Style
    }

    /// Neighbours of one style; blanks without a background are left out.
    private func runs(_ row: Int) -> [Run] {
        var runs: [Run] = []
        for column in 0..<frame.size.columns {
            let cell = frame[row: row, column: column]
            if cell.isContinuation { continue }
            let style = styles[cell.style]
            if var last = runs.last, last.style == style, last.column + last.columns == column {
                last.text += cell.text
                last.columns += Int(cell.width)
                runs[runs.count - 1] = last
            } else {
                runs.append(Run(column: column, columns: Int(cell.width), text: cell.text, style: style))
            }
        }
        return runs.filter { run in
            run.text.contains { $0 != " " } || run.style.background != .default || run.style.attributes.contains(.reverse)
                || run.style.attributes.contains(.underline)
        }
    }

    private mutating func draw(_ run: Run, row: Int) {
        var front = exact(run.style.foreground, or: ground.foreground), back = exact(run.style.background, or: ground.background)
        let attributes = run.style.attributes
        if attributes.contains(.reverse) { swap(&front, &back) }
        let x = run.column * cellWidth, y = row * cellHeight
        if attributes.contains(.reverse) || run.style.background != .default {
            body +=
                "<rect x=\"\(tenths(x))\" y=\"\(tenths(y))\" width=\"\(tenths(run.columns * cellWidth))\" height=\"\(tenths(cellHeight))\" fill=\"\(back)\"/>\n"
        }
        var look = ""
        if attributes.contains(.bold) { look += " font-weight=\"bold\"" }
        if attributes.contains(.italic) { look += " font-style=\"italic\"" }
        if attributes.contains(.underline) { look += " text-decoration=\"underline\"" }
        if attributes.contains(.dim) { look += " opacity=\"0.65\"" }
        // The length keeps columns in line whatever the font.
        body +=
            "<text x=\"\(tenths(x))\" y=\"\(tenths(y + 130))\" textLength=\"\(tenths(run.columns * cellWidth))\" lengthAdjust=\"spacingAndGlyphs\" fill=\"\(front)\"\(look)>\(Self.escaped(run.text))</text>\n"
    }

    private func exact(_ color: TerminalColor, or own: ThemeColor.RGB) -> ThemeColor.RGB {
        switch color {
        case .default: own
        case .index16(let index), .index256(let index): XtermPalette.color(index)
        case .rgb(let red, let green, let blue): ThemeColor.RGB(red: red, green: green, blue: blue)
        }
    }

    private func tenths(_ value: Int) -> String { value % 10 == 0 ? "\(value / 10)" : "\(value / 10).\(value % 10)" }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.append(character)
            }
        }
    }
}
