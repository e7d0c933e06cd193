/// A view of a buffer, confined to a rectangle. The only way to write cells; text must be `SafeText`. Positions are relative to the rectangle;
/// anything outside is clipped.
public struct Canvas: Sendable {
    public private(set) var buffer: CellBuffer
    /// Rectangle of the buffer that is drawn in.
    public private(set) var bounds: CellRect
    public let glyphs: GlyphProfile
    /// List rows that were drawn, in positions of the whole buffer.
    private var targets: [(rect: CellRect, index: Int)] = []
    /// Buffer rows with text that was cut at the right edge.
    public private(set) var cutRows: Set<Int> = []

    /// Creates a blank canvas.
    public init(size: Size, glyphs: GlyphProfile = .braille) {
        buffer = CellBuffer(size: size)
        bounds = CellRect(size)
        self.glyphs = glyphs
    }

    public var size: Size { bounds.size }

    /// Draws in a part of this canvas: `rect` is relative to the present rectangle and clipped to it.
    public mutating func inside(_ rect: CellRect, _ draw: (inout Canvas) -> Void) {
        let outer = bounds
        let moved = CellRect(
            column: rect.origin.column + outer.origin.column, row: rect.origin.row + outer.origin.row, columns: rect.size.columns,
            rows: rect.size.rows)
        bounds = moved.intersection(outer)
        draw(&self)
        bounds = outer
    }

    /// Writes one line of text and returns its columns. Writes at most `columns` columns; a wide character that crosses the right edge becomes a
    /// space.
    @discardableResult
    public mutating func put(_ text: SafeText, column: Int, row: Int, style: StyleID, columns limit: Int = .max) -> Int {
        guard (0..<size.rows).contains(row) else { return 0 }
        let end = min(size.columns, limit >= size.columns - min(column, 0) ? .max : column + limit)
        var position = column
        var pending: Cell?
        var isCut = false
        func flushing(_ cell: Cell?, into canvas: inout Canvas) {
            guard let cell else { return }
            let width = Int(cell.width)
            let at = position - width
            if at >= 0, position <= end {
                canvas.write(cell, column: at, row: row)
            } else if at < end, position > 0 {
                // Half of a wide character is inside: a space replaces it.
                for column in max(at, 0)..<min(position, end) { canvas.write(Cell(ascii: 0x20, style: style), column: column, row: row) }
            }
        }
        for scalar in text.string.unicodeScalars {
            if scalar.value < 0x7f {
                flushing(pending, into: &self)
                guard position < end else {
                    pending = nil
                    // Cut spaces do not count.
                    if scalar == " " { continue }
                    isCut = true
                    break
                }
                pending = Cell(ascii: UInt8(scalar.value), style: style)
                position += 1
                continue
            }
            let width = TextWidth.columns(of: scalar)
            if width == 0 {
                if glyphs != .ascii { pending?.append(scalar) }
                continue
            }
            flushing(pending, into: &self)
            pending = nil
            guard position < end else {
                isCut = true
                break
            }
            if glyphs == .ascii {
                for _ in 0..<width {
                    position += 1
                    flushing(Cell(ascii: 0x3f, style: style), into: &self)
                }
            } else {
                position += width
                pending = Cell(scalar, width: width, style: style)
            }
        }
        flushing(pending, into: &self)
        if isCut || position > end, end == size.columns, bounds.origin.column + size.columns == buffer.size.columns { cutRows.insert(row + bounds.origin.row) }
        return min(position, end) - column
    }

    @discardableResult
    public mutating func put(_ text: SafeText, column: Int, row: Int, role: StyleRole = .text, columns limit: Int = .max) -> Int {
        put(text, column: column, row: row, style: StyleID(role), columns: limit)
    }

    /// Writes text that ends before `column`, the position just after its last character.
    public mutating func put(_ text: SafeText, endingAt column: Int, row: Int, role: StyleRole = .text) {
        put(text, column: column - text.columns, row: row, style: StyleID(role))
    }

    /// Writes one glyph of a profile: a line, a bar, a cell of a sparkline.
    public mutating func put(glyph: Unicode.Scalar, column: Int, row: Int, role: StyleRole) {
        write(Cell(glyphs.drawable(glyph), width: 1, style: StyleID(role)), column: column, row: row)
    }

    /// Shows a part of a wider drawing of the same height: its columns from `column` on, in these rows of the whole buffer. Takes over its lists
    /// and cut rows.
    public mutating func show(_ other: Canvas, rows: Range<Int>, from column: Int) {
        for row in rows {
            for place in 0..<buffer.size.columns {
                let cell = other.buffer[row: row, column: place + column]
                // The second half of a wide character comes with the first, which may be outside.
                if !cell.isContinuation {
                    buffer.put(cell, row: row, column: place)
                } else if place == 0 {
                    buffer.put(Cell(ascii: 0x20, style: cell.style), row: row, column: 0)
                }
            }
            if other.cutRows.contains(row) { cutRows.insert(row) } else { cutRows.remove(row) }
        }
    }

    /// Fills a rectangle with spaces.
    public mutating func clear(_ rect: CellRect, role: StyleRole = .text) {
        let part = rect.intersection(CellRect(size))
        for row in part.rows {
            for column in part.columns { write(Cell(ascii: 0x20, style: StyleID(role)), column: column, row: row) }
        }
    }

    /// Fills a rectangle with one glyph.
    public mutating func fill(_ rect: CellRect, glyph: Unicode.Scalar, role: StyleRole) {
        let part = rect.intersection(CellRect(size))
        for row in part.rows {
            for column in part.columns { put(glyph: glyph, column: column, row: row, role: role) }
        }
    }

    public mutating func horizontalLine(row: Int, from column: Int = 0, columns: Int? = nil, role: StyleRole = .border) {
        fill(CellRect(column: column, row: row, columns: columns ?? size.columns - column, rows: 1), glyph: glyphs.line(.horizontal), role: role)
    }

    /// Draws the frame of a rectangle, leaving its inside unchanged. Draws nothing for fewer than 2 columns or rows.
    public mutating func box(_ rect: CellRect, role: StyleRole = .border) {
        guard rect.size.columns >= 2, rect.size.rows >= 2 else { return }
        let left = rect.origin.column
        let top = rect.origin.row
        let right = left + rect.size.columns - 1
        let bottom = top + rect.size.rows - 1
        for column in left + 1..<right {
            put(glyph: glyphs.line(.horizontal), column: column, row: top, role: role)
            put(glyph: glyphs.line(.horizontal), column: column, row: bottom, role: role)
        }
        for row in top + 1..<bottom {
            put(glyph: glyphs.line(.vertical), column: left, row: row, role: role)
            put(glyph: glyphs.line(.vertical), column: right, row: row, role: role)
        }
        put(glyph: glyphs.line(.topLeft), column: left, row: top, role: role)
        put(glyph: glyphs.line(.topRight), column: right, row: top, role: role)
        put(glyph: glyphs.line(.bottomLeft), column: left, row: bottom, role: role)
        put(glyph: glyphs.line(.bottomRight), column: right, row: bottom, role: role)
    }

    /// Maps a row of the present rectangle to the row `index` of the screen's list.
    public mutating func target(row: Int, index: Int) {
        guard (0..<size.rows).contains(row) else { return }
        targets.append((CellRect(column: bounds.origin.column, row: bounds.origin.row + row, columns: size.columns, rows: 1), index))
    }

    /// Index of the list row at a position of the buffer; nil = none.
    public func listIndex(at point: CellPoint) -> Int? {
        targets.last { $0.rect.rows.contains(point.row) && $0.rect.columns.contains(point.column) }?.index
    }

    /// Overlays a role on a rectangle: the selected row.
    public mutating func overlay(_ rect: CellRect, role: StyleRole) {
        let part = rect.intersection(CellRect(size))
        for row in part.rows {
            for column in part.columns {
                buffer.restyle(row: row + bounds.origin.row, column: column + bounds.origin.column) { StyleID($0.role, under: role) }
            }
        }
    }

    /// Overlays a role on every occurrence of a word, given in lower case, in the rows of the screen's list.
    public mutating func highlight(_ words: [String], role: StyleRole) {
        let words = words.map(Array.init).filter { !$0.isEmpty }
        guard !words.isEmpty else { return }
        for target in targets {
            for row in target.rect.intersection(CellRect(buffer.size)).rows {
                let columns = (0..<buffer.size.columns).filter { !buffer[row: row, column: $0].isContinuation }
                let letters = columns.map { buffer[row: row, column: $0].text.lowercased().first ?? " " }
                for word in words where letters.count >= word.count {
                    for start in 0...(letters.count - word.count) where letters[start..<start + word.count].elementsEqual(word) {
                        for column in columns[start..<start + word.count] { buffer.restyle(row: row, column: column) { StyleID($0.role, under: role) } }
                    }
                }
            }
        }
    }

    /// Sets one role for a rectangle: a screen behind a dialog.
    public mutating func restyle(_ rect: CellRect, role: StyleRole) {
        let part = rect.intersection(CellRect(size))
        for row in part.rows {
            for column in part.columns {
                buffer.restyle(row: row + bounds.origin.row, column: column + bounds.origin.column) { _ in StyleID(role) }
            }
        }
    }

    private mutating func write(_ cell: Cell, column: Int, row: Int) {
        guard (0..<size.rows).contains(row), column >= 0, column + Int(cell.width) <= size.columns else { return }
        buffer.put(cell, row: row + bounds.origin.row, column: column + bounds.origin.column)
    }
}
