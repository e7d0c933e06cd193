import CellGrid
import StreamModel

/// A piece of a line: text and what it means.
struct Span {
    var text: SafeText
    var role: StyleRole

    init(_ text: SafeText, _ role: StyleRole = .text) {
        self.text = text
        self.role = role
    }
}

extension Canvas {
    /// Writes pieces one after the other and returns the column after the last.
    @discardableResult
    mutating func line(_ spans: [Span], row: Int, column: Int = 0) -> Int {
        var column = column
        for span in spans { column += put(span.text, column: column, row: row, role: span.role) }
        return column
    }

    /// Writes pieces one after the other; where they do not all fit, the end of the row says so.
    mutating func fitting(_ spans: [Span], row: Int) {
        var column = 0
        for span in spans {
            let isCut = column + span.text.columns > size.columns
            column += put(isCut ? span.text.prefix(columns: size.columns - column, ending: .cut) : span.text, column: column, row: row, role: span.role)
            if isCut { return }
        }
    }

    /// A horizontal line with a title near its left end and a note near its right end.
    mutating func rule(_ title: SafeText, row: Int, note: SafeText = "", isFocused: Bool = false) {
        horizontalLine(row: row, role: isFocused ? .borderFocus : .border)
        let room = size.columns - 6 - (note.isEmpty ? 0 : note.columns + 3)
        if !title.isEmpty { put("[\(title.middle(columns: max(8, room)))]", column: 2, row: row, role: .header) }
        if !note.isEmpty { put(" \(note) ", endingAt: size.columns - 2, row: row, role: .textDim) }
    }

    /// "[####----]" of `columns` columns in all.
    mutating func bar(_ fraction: Double, column: Int, row: Int, columns: Int, role: StyleRole) {
        guard columns > 2 else { return }
        let inner = columns - 2
        let full = fraction.isFinite ? Int(clamping: (min(max(fraction, 0), 1) * Double(inner)).rounded()) : 0
        put("[", column: column, row: row, role: .border)
        for offset in 0..<inner {
            let isFull = offset < full
            put(glyph: isFull ? glyphs.bar.full : glyphs.bar.empty, column: column + 1 + offset, row: row, role: isFull ? role : .graphLine)
        }
        put("]", column: column + columns - 1, row: row, role: .border)
    }

    /// The next of 1, 2, 5, 10, ... above a value, so that the scale stays while values waver.
    static func scale(_ value: Double) -> Double {
        guard value.isFinite, value > 0 else { return 1 }
        var step = 1.0
        while step < value, step < 1e18 {
            for factor in [1.0, 2, 5] where step * factor >= value { return step * factor }
            step *= 10
        }
        return step
    }

    /// A box with a title, cleared inside; draws the content in its inside.
    mutating func dialog(_ rect: CellRect, title: SafeText, role: StyleRole = .dialogBorder, _ draw: (inout Canvas) -> Void) {
        clear(rect, role: .dialog)
        box(rect, role: role)
        put(" \(title) ", column: rect.origin.column + 2, row: rect.origin.row, role: role)
        inside(
            CellRect(
                column: rect.origin.column + 1, row: rect.origin.row + 1, columns: rect.size.columns - 2, rows: rect.size.rows - 2), draw)
    }
}

extension Canvas {
    /// The part of a list around its cursor, from row `top` on; the last rows stay free for what follows it. Each row can be pressed, and the selected
    /// one is laid over and marked.
    mutating func list(
        _ count: Int, cursor: Int, from top: Int, leaving rest: Int = 0, isMarked: Bool = true, _ draw: (_ index: Int, _ row: Int, inout Canvas) -> Void
    ) {
        for (line, index) in listWindow(count: count, cursor: cursor, rows: size.rows - top - rest).enumerated() {
            let row = top + line
            target(row: row, index: index)
            draw(index, row, &self)
            guard index == cursor else { continue }
            if isMarked { put(">", column: 0, row: row, role: .mark) }
            overlay(CellRect(column: 0, row: row, columns: size.columns, rows: 1), role: .select)
        }
    }

    /// The rows of a list whose texts take several lines each, where all of them fit; else one line a row.
    ///
    /// - Parameter lines: how many a row wants; asked only where there are few rows.
    mutating func list(
        _ count: Int, cursor: Int, from top: Int, isMarked: Bool = true, lines: (Int) -> Int,
        _ draw: (_ index: Int, _ row: Int, _ lines: Int, _ canvas: inout Canvas) -> Void
    ) {
        let heights = count <= size.rows - top ? (0..<count).map { max(1, lines($0)) } : []
        guard !heights.isEmpty, heights.reduce(0, +) <= size.rows - top else {
            return list(count, cursor: cursor, from: top, isMarked: isMarked) { draw($0, $1, 1, &$2) }
        }
        var row = top
        for (index, height) in heights.enumerated() {
            for line in row..<row + height { target(row: line, index: index) }
            draw(index, row, height, &self)
            if index == cursor {
                if isMarked { put(">", column: 0, row: row, role: .mark) }
                overlay(CellRect(column: 0, row: row, columns: size.columns, rows: height), role: .select)
            }
            row += height
        }
    }

    /// One text in one line, which may be cut at the edge, or in several that end before `end`.
    mutating func put(_ text: SafeText, column: Int, row: Int, lines: Int, end: Int, role: StyleRole = .text) {
        guard lines > 1 else { return _ = put(text, column: column, row: row, role: role) }
        for (line, part) in wrapped(text, columns: end - column - 1).prefix(lines).enumerated() {
            put(part, column: column, row: row + line, role: role)
        }
    }

    /// A text of more lines than these is scrolled sideways instead.
    private static let linesMax = 6

    /// How many lines a text takes from a column on, up to `end`.
    static func lines(_ text: SafeText, column: Int, end: Int) -> Int {
        guard column + text.columns > end, column + 1 < end else { return 1 }
        let count = wrapped(text, columns: end - column - 1).count
        return count > linesMax ? 1 : count
    }

    /// The names of a list's columns in row 1: where, what, and the field that the column is sorted by.
    mutating func header(_ columns: [(Int, SafeText, String)], of kind: ConsoleModel.ListKind, _ model: ConsoleModel) {
        for (column, name, field) in columns { put(name, column: column, row: 1, role: model.headerRole(kind, field)) }
    }
}

/// The part of a long list that is shown: the cursor stays in the middle while the list moves.
func listWindow(count: Int, cursor: Int, rows: Int) -> Range<Int> {
    guard rows > 0, count > rows else { return 0..<min(count, max(rows, 0)) }
    let top = min(max(cursor - rows / 2, 0), count - rows)
    return top..<top + rows
}

/// Breaks a text into lines of at most `columns` columns, at spaces where there are some.
func wrapped(_ text: SafeText, columns: Int) -> [SafeText] {
    guard columns > 0 else { return [] }
    var lines: [SafeText] = []
    var line = SafeText.empty
    for word in text.string.split(separator: " ", omittingEmptySubsequences: true) {
        var rest = SafeText(String(word))
        while true {
            let room = columns - line.columns - (line.isEmpty ? 0 : 1)
            if rest.columns <= room {
                line = line.isEmpty ? rest : line + " " + rest
                break
            }
            if !line.isEmpty {
                lines.append(line)
                line = .empty
                continue
            }
            let start = rest.prefix(columns: columns)
            // A character wider than the line cannot be broken further.
            guard !start.isEmpty else { return lines }
            lines.append(start)
            rest = SafeText(String(String.UnicodeScalarView(rest.string.unicodeScalars.dropFirst(start.string.unicodeScalars.count))))
            if rest.isEmpty { break }
        }
    }
    if !line.isEmpty { lines.append(line) }
    return lines
}

/// At most so many lines; where there would be more, the last one says so with its end.
func wrapped(_ text: SafeText, columns: Int, lines most: Int) -> [SafeText] {
    let lines = wrapped(text, columns: columns)
    guard lines.count > most, most > 0 else { return most > 0 ? lines : [] }
    let last: SafeText = "\(lines[most - 1]) \(lines[most])"
    return lines.prefix(most - 1) + [last.prefix(columns: columns, ending: .cut)]
}
