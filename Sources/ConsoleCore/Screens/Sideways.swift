import CellGrid
import StreamModel

// Rows that are wider than the window are scrolled. The scrolled screen is that of a wider window, so
// that columns which a narrow one leaves out come into sight too. Title, hints and message stay.
extension ConsoleModel {
    /// Columns that are out of sight at the left.
    var hiddenColumns: Int { sideways.screen == screen ? sideways.columns : 0 }

    /// Where long texts of a list go on in the next line: at the edge of the window. A scrolled one shows them in one line.
    var wrapEnd: Int { hiddenColumns > 0 ? .max : size.columns }

    /// The rows that move.
    func movingRows(_ size: Size) -> Range<Int> {
        if Self.isSmall(size) { return 0..<max(0, size.rows >= 6 ? size.rows - 2 : size.rows - 1) }
        return 1..<max(1, size.rows - Chrome.footerRows(size.rows))
    }

    /// A part of the window, so that what was seen is not lost from sight.
    private var sidewaysStep: Int { max(4, size.columns / 4) }

    /// No text is longer than this.
    private static let widest = 4096
    /// A window of this width shows all columns of every list.
    private static let widestLayout = 160

    mutating func scrollSideways(_ direction: Int) {
        if case .metrics = screen, !isSmall { return scrub(forward: direction > 0) }
        let hidden = hiddenColumns
        guard direction > 0 else {
            guard hidden > 0 else { return say("already at the left end") }
            sideways = (screen, max(0, hidden - sidewaysStep))
            return
        }
        guard goesOn(at: hidden) else { return say(hidden == 0 ? "nothing here is wider than the window" : "already at the right end") }
        sideways = (screen, hidden + sidewaysStep)
    }

    /// Whether a row is cut off at the right, or has more to show there. Only drawing knows it.
    private func goesOn(at hidden: Int) -> Bool {
        guard hidden < Self.widest else { return false }
        let seen = size.columns + hidden, rows = movingRows(size)
        var canvas = Canvas(size: Size(columns: seen, rows: size.rows), glyphs: glyphs)
        drawScreen(self, isSmall: isSmall, &canvas)
        if canvas.cutRows.contains(where: rows.contains) { return true }
        guard seen < Self.widestLayout else { return false }
        var wider = Canvas(size: Size(columns: seen + sidewaysStep, rows: size.rows), glyphs: glyphs)
        drawScreen(self, isSmall: isSmall, &wider)
        return rows.contains { row in
            let new = wider.buffer[row: row].dropFirst(seen)
            // A line between panes grows with the window.
            return new.contains { $0.text != " " } && !new.contains { [.border, .borderFocus].contains($0.style.role) }
        }
    }
}

/// Draws the screen as it is seen through the window, and marks the rows that go on beyond its edges.
func drawSideways(_ model: ConsoleModel, _ canvas: inout Canvas) {
    let isSmall = ConsoleModel.isSmall(canvas.size)
    drawScreen(model, isSmall: isSmall, &canvas)
    let size = canvas.size, hidden = model.hiddenColumns, rows = model.movingRows(size)
    guard size.columns > 2 else { return }
    if hidden > 0 {
        var wide = Canvas(size: Size(columns: size.columns + hidden, rows: size.rows), glyphs: canvas.glyphs)
        drawScreen(model, isSmall: isSmall, &wide)
        canvas.show(wide, rows: rows, from: hidden)
        for row in rows where wide.buffer[row: row].prefix(hidden).contains(where: { $0.text != " " && ![.border, .borderFocus].contains($0.style.role) }) {
            canvas.put("<", column: 0, row: row, role: .mark)
        }
    }
    highlightTyped(model, &canvas)
    for row in rows where canvas.cutRows.contains(row) { canvas.put(">", column: size.columns - 1, row: row, role: .mark) }
}

/// Shows where the words of a filter stand while it is typed.
private func highlightTyped(_ model: ConsoleModel, _ canvas: inout Canvas) {
    guard case .filter(let field) = model.modals.last, let kind = model.listKind else { return }
    do throws(LinearPattern.Problem) {
        canvas.highlight(try ListFilter(field.text, fields: model.fieldNames(kind)).words, role: .match)
    } catch {
        // The prompt tells of an expression that is not complete.
    }
}
