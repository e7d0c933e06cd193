public import CellGrid

/// A bar above the message row, over the hints: what a demonstration or a playback has to say.
public struct Caption: Sendable, Equatable {
    /// The speaker: "DEMO", "REPLAY".
    public var badge: SafeText
    public var text: SafeText
    /// Keys as they are pressed; empty = none.
    public var keys: SafeText

    public init(badge: SafeText, text: SafeText, keys: SafeText = "") {
        self.badge = badge
        self.text = text
        self.keys = keys
    }
}

extension ConsoleModel {
    /// Letters are text now, and not keys.
    public var isTakingText: Bool {
        switch modals.last {
        case .command, .filter: true
        case .help(let page): page.isTyping
        case .sheet(let sheet): sheet.isTyping
        case .chooser(let chooser): chooser.sheet?.isTyping == true || chooser.step == .options && chooser.optionRow == .parallelism
        default: false
        }
    }

    func drawCaption(_ canvas: inout Canvas) {
        guard let caption, canvas.size.rows >= 3 else { return }
        let row = canvas.size.rows - 2
        canvas.clear(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1), role: .selectUnfocused)
        let keys = caption.keys.prefix(columns: 24)
        let start = canvas.line([Span(" \(caption.badge) ", .envDemo), Span(" ")], row: row)
        let room = max(0, canvas.size.columns - start - keys.columns - 3)
        canvas.put(caption.text.prefix(columns: room, ending: .cut), column: start, row: row, role: .textStrong)
        if !keys.isEmpty { canvas.put(" \(keys) ", endingAt: canvas.size.columns - 1, row: row, role: .select) }
    }
}
