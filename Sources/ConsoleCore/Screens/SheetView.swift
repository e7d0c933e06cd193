import CellGrid
import StreamModel

/// An action sheet: everything that an operator should know before it is sent, and how to send it or not.
struct SheetView {
    let model: ConsoleModel
    let sheet: ActionSheet

    func draw(_ canvas: inout Canvas) {
        let losesState = model.check(sheet.target.key).map { PreflightCheck.losesState(sheet.action, $0.job) } ?? false
        let isDanger = losesState || sheet.action.destroys
        let rect = Self.box(canvas.size)
        let layout = SheetLayout(model, sheet, canvas.size)
        let isCompact = ConsoleModel.isCompact(canvas.size)
        if !isCompact {
            canvas.restyle(CellRect(column: 0, row: 1, columns: canvas.size.columns, rows: canvas.size.rows - 1), role: .textDim)
        }
        canvas.dialog(rect, title: sheet.action.title, role: isDanger ? .dialogDanger : .dialogBorder) { inner in
            let stack = Self.stack(inner.size.rows, sheet.rule, isCompact: isCompact)
            inner.inside(stack[.content]) { layout.draw(&$0) }
            fields(stack, &inner)
            accept(losesState: losesState, row: stack[.accept].lowerBound, &inner)
        }
        if let note = layout.note { canvas.put(" \(note) ", endingAt: rect.origin.column + rect.size.columns - 2, row: rect.origin.row, role: .hintText) }
        canvas.clear(CellRect(column: 0, row: canvas.size.rows - 1, columns: canvas.size.columns, rows: 1))
        canvas.inside(CellRect(column: rect.origin.column, row: canvas.size.rows - 1, columns: rect.size.columns, rows: 1)) { pages(&$0) }
    }

    /// The box: the whole of a small window but its last row.
    private static func box(_ size: Size) -> CellRect {
        if ConsoleModel.isCompact(size) { return CellRect(column: 0, row: 0, columns: size.columns, rows: size.rows - 1) }
        let columns = min(size.columns, 100)
        return CellRect(column: (size.columns - columns) / 2, row: 2, columns: columns, rows: size.rows - 3)
    }

    /// Whatever stands above them, the fields and the keys that send have their rows.
    private static func stack(_ rows: Int, _ rule: AcceptRule, isCompact: Bool) -> RowStack<Part> {
        RowStack(
            rows: rows,
            [
                (.content, .rest), (.reason, .fixed(1)), (.name, .fixed(isCompact && !rule.needsName ? 0 : 1)), (.answer, .fixed(1)),
                (.space, .fixed(isCompact ? 0 : 1)), (.accept, .fixed(1)),
            ])
    }

    /// The room for the text of a sheet.
    static func contentSize(_ size: Size, _ rule: AcceptRule) -> Size {
        let box = box(size)
        let rows = stack(box.size.rows - 2, rule, isCompact: ConsoleModel.isCompact(size))[.content].count
        return Size(columns: box.size.columns - 2, rows: rows)
    }

    /// Below the box: how to turn its pages.
    private func pages(_ canvas: inout Canvas) {
        guard !sheet.isOnItsWay else { return }
        let note: SafeText = "earlier keys were ignored"
        var column = 1
        if sheet.focus == .none {
            for (key, page, text) in [("d", .request, "exact request"), ("v", .preflight, "preflight detail")] as [(SafeText, ActionSheet.Page, SafeText)] {
                let isOpen = sheet.page == page
                column = canvas.line([Span(key, .hintKey), Span(isOpen ? " back   " : " \(text)   ", .hintText)], row: 0, column: column)
            }
        } else {
            column = canvas.line([Span("Tab", .hintKey), Span(" leaves the fields, then d: exact request, v: preflight", .hintText)], row: 0, column: column)
        }
        guard column + note.columns + 1 <= canvas.size.columns else { return }
        canvas.put(note, endingAt: canvas.size.columns - 1, row: 0, role: .textDim)
    }

    private enum Part { case content, reason, name, answer, space, accept }

    private func fields(_ stack: RowStack<Part>, _ canvas: inout Canvas) {
        let note: SafeText = canvas.size.columns < 78 ? "(recorded; Tab)" : "(recorded with the operation; Tab)"
        field("reason", sheet.reason, isFocused: sheet.focus == .reason, note: note, row: stack[.reason].lowerBound, &canvas)
        if sheet.rule.needsName {
            field(
                "job name", sheet.name, isFocused: sheet.focus == .name, note: sheet.isNameMatched ? "matches" : "type it to arm", row: stack[.name].lowerBound,
                &canvas)
        }
        canvas.put(" \(sheet.answer.prefix(columns: canvas.size.columns - 2, ending: whole))", column: 0, row: stack[.answer].lowerBound, role: .severityWarn)
    }

    /// The end of a text that the box has no room for: the pages show the whole.
    private var whole: SafeText { sheet.focus == .none ? "\(SafeText.cut) v" : "\(SafeText.cut) Tab, v" }

    private func field(_ name: SafeText, _ field: TextField, isFocused: Bool, note: SafeText, row: Int, _ canvas: inout Canvas) {
        let room = max(4, canvas.size.columns - 15 - note.columns - 2)
        canvas.put(" \(name)", column: 0, row: row, role: .header)
        let end = canvas.line([Span(field.safe.suffix(columns: room), .input)], row: row, column: 13)
        if isFocused { canvas.put(" ", column: end, row: row, role: .inputCursor) }
        canvas.put(note, endingAt: canvas.size.columns - 1, row: row, role: .textDim)
    }

    private func accept(losesState: Bool, row: Int, _ canvas: inout Canvas) {
        if let until = sheet.armedUntil {
            canvas.put(" ARMED: sending in \(Figures.seconds(until - model.now)); Esc aborts", column: 0, row: row, role: .dialogDanger)
            return
        }
        if let look = sheet.secondLook {
            let what: SafeText = look.path == nil ? "the job" : "job and files"
            let text: SafeText = " FINAL CHECK: reading \(what) again (\(Figures.seconds(model.now - look.since))), then sending; Esc aborts"
            canvas.put(text, column: 0, row: row, role: .dialogDanger)
            return
        }
        let isNarrow = canvas.size.columns < 78
        var spans = [Span(" Esc", .hintKey), Span(isNarrow ? " out   " : " backs out   ", .hintText)]
        if losesState {
            spans += [Span("s", .hintKey), Span(" savepoint first   ", .hintText)]
            if model.live.context(sheet.target.key.context)?.capabilities.canOverrideRetention ?? false {
                spans += [Span("k", .hintKey), Span(isNarrow ? " keep   " : " keep checkpoints   ", .hintText)]
            }
            spans.append(Span("sending is locked", .hintLocked))
        } else {
            let problem = model.sheetProblem(sheet)
            let key: SafeText = sheet.rule.needsName ? "Enter" : "y"
            spans += [
                Span(key, problem == nil ? .hintKey : .hintLocked),
                Span(
                    problem.map { SafeText(" locked: \($0)").prefix(columns: canvas.size.columns - (isNarrow ? 11 : 17) - key.columns, ending: whole) }
                        ?? " sends it",
                    problem == nil ? .hintText : .hintLocked),
            ]
        }
        canvas.fitting(spans, row: row)
    }
}
