import CellGrid
import StreamModel

/// The last messages as a whole, the newest first. The message row has room for the beginning of one.
struct MessagesView {
    private let model: ConsoleModel
    private let rect: CellRect
    private let rows: [Row]

    private struct Row {
        /// Of the message's first row.
        var time: SafeText?
        var text: SafeText
        var role: StyleRole
        /// Which message, counted from the newest.
        var index: Int
    }

    init(_ model: ConsoleModel) {
        self.model = model
        // The whole of a small terminal.
        let margin = ConsoleModel.isCompact(model.size) ? 0 : 2
        rect = CellRect(column: margin, row: margin, columns: model.size.columns - 2 * margin, rows: model.size.rows - 2 * margin)
        var rows: [Row] = []
        for (index, message) in model.messages.reversed().enumerated() {
            let lines = wrapped(message.text, columns: rect.size.columns - 2 - Self.textColumn - 1)
            let role: StyleRole = message.severity >= .warn ? message.severity.role : .dialog
            for (number, line) in (lines.isEmpty ? [SafeText.empty] : lines).enumerated() {
                let time = number == 0 ? Figures.clock(model.wall(message.at), offset: model.options.utcOffsetSeconds) : nil
                rows.append(Row(time: time, text: line, role: role, index: index))
            }
        }
        self.rows = rows
    }

    /// After the time.
    private static let textColumn = 10

    /// Rows that are shown at once; the last one inside the box is the hint.
    var page: Int { max(1, rect.size.rows - 3) }

    func clamped(_ top: Int) -> Int { max(0, min(top, rows.count - page)) }

    /// The message that begins the page.
    func message(_ top: Int) -> SafeText? {
        guard rows.indices.contains(clamped(top)) else { return nil }
        return model.messages[model.messages.count - 1 - rows[clamped(top)].index].text
    }

    func draw(_ top: Int, _ canvas: inout Canvas) {
        let top = clamped(top), keys = model.options.keyMap
        canvas.dialog(rect, title: "messages \(model.messages.count), newest first") { inner in
            if rows.isEmpty { inner.put(" none yet", column: 0, row: 0, role: .textDim) }
            for (line, row) in rows.dropFirst(top).prefix(page).enumerated() {
                if let time = row.time { inner.put(time, column: 1, row: line, role: .textDim) }
                inner.put(row.text, column: Self.textColumn, row: line, role: row.role)
            }
            let more: SafeText = top + page < rows.count ? "more below; " : ""
            inner.put(
                " \(more)Esc  \(keys.label(.moveDown, .moveUp)) move  \(keys.label(.copy)) copies the first", column: 0, row: inner.size.rows - 1,
                role: .hintText)
        }
    }
}

extension ConsoleModel {
    mutating func pressInMessages(_ key: KeyPress, _ top: Int, _ effects: inout [ConsoleEffect]) {
        let view = MessagesView(self)
        func scroll(to top: Int, _ model: inout ConsoleModel) { model.modals[model.modals.count - 1] = .messages(top: view.clamped(top)) }
        switch commandInBox(key) {
        case .moveDown: scroll(to: top + 1, &self)
        case .moveUp: scroll(to: top - 1, &self)
        case .pageDown: scroll(to: top + view.page, &self)
        case .pageUp: scroll(to: top - view.page, &self)
        case .first: scroll(to: 0, &self)
        case .last: scroll(to: .max / 2, &self)
        // Without a message of its own, which would move the list.
        case .copy: if let text = view.message(top) { effects.append(.copy(text.string)) }
        case .back, .quit, .open, .messages: modals.removeLast()
        default: break
        }
    }
}
