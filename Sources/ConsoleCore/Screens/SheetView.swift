import CellGrid
import StreamModel

/// An action sheet: everything that an operator should know before it is sent, and how to send it or not.
struct SheetView {
    let model: ConsoleModel
    let sheet: ActionSheet

    func draw(_ canvas: inout Canvas) {
        let preflight = model.preflight(sheet.action, sheet.target.key, sheet.rule)
        let losesState = model.check(sheet.target.key).map { PreflightCheck.losesState(sheet.action, $0.job) } ?? false
        let isDanger = losesState || sheet.action.destroys
        let columns = min(canvas.size.columns, 100)
        let rows = canvas.size.rows - 3
        let rect = CellRect(column: (canvas.size.columns - columns) / 2, row: 2, columns: columns, rows: rows)
        canvas.restyle(CellRect(column: 0, row: 1, columns: canvas.size.columns, rows: canvas.size.rows - 1), role: .textDim)
        canvas.dialog(rect, title: sheet.action.title, role: isDanger ? .dialogDanger : .dialogBorder) { inner in
            // Whatever is said above them, what is typed and how it is sent have their rows.
            let fieldsRow = max(0, inner.size.rows - 5)
            inner.inside(CellRect(column: 0, row: 0, columns: inner.size.columns, rows: fieldsRow)) { content(preflight, &$0) }
            fields(row: fieldsRow, &inner)
            accept(losesState: losesState, row: inner.size.rows - 1, &inner)
        }
        canvas.clear(CellRect(column: 0, row: canvas.size.rows - 1, columns: canvas.size.columns, rows: 1))
        canvas.inside(CellRect(column: rect.origin.column, row: canvas.size.rows - 1, columns: rect.size.columns, rows: 1)) { pages(&$0) }
    }

    /// Below the box: how to turn its pages.
    private func pages(_ canvas: inout Canvas) {
        guard !sheet.isOnItsWay else { return }
        let note: SafeText = "earlier keys were dropped"
        var column = 1
        if sheet.focus == .none {
            for (key, page, text) in [("d", .request, "exact request"), ("v", .preflight, "preflight detail")] as [(SafeText, ActionSheet.Page, SafeText)] {
                let isOpen = sheet.page == page
                column = canvas.line([Span(key, .hintKey), Span(isOpen ? " back   " : " \(text)   ", .hintText)], row: 0, column: column)
            }
        } else {
            column = canvas.line([Span("Tab", .hintKey), Span(" out of the fields, then d: exact request, v: preflight", .hintText)], row: 0, column: column)
        }
        guard column + note.columns + 1 <= canvas.size.columns else { return }
        canvas.put(note, endingAt: canvas.size.columns - 1, row: 0, role: .textDim)
    }

    /// The request as it would go, with what is typed so far.
    private var request: [SafeText] {
        guard let context = model.live.context(sheet.target.key.context) else { return [] }
        let operation = OperationRequest(
            id: OperationID(random: 0), kind: Secrets.masked(sheet.action.kind), job: sheet.target.key.job, expectedState: sheet.target.state,
            reason: SafeText(sheet.reason.text).string, by: model.operatorName)
        return model.options.requestText(context.description, operation)
    }

    /// Lines of the request that stand beside everything else; `d` shows all.
    private static let requestLines = 4

    /// Target, request, preflight and effect.
    private func content(_ preflight: [Preflight], _ canvas: inout Canvas) {
        var row = 0
        func label(_ text: SafeText) { canvas.put(" \(text)", column: 0, row: row, role: .header) }
        func body(_ text: SafeText, _ role: StyleRole = .dialog, limit: Int = .max) {
            let lines = wrapped(text, columns: canvas.size.columns - 14)
            for (index, line) in lines.prefix(limit).enumerated() {
                let isCut = index == limit - 1 && lines.count > limit
                canvas.put(isCut ? line.prefix(columns: canvas.size.columns - 18, ending: "") + " ..." : line, column: 13, row: row, role: role)
                row += 1
            }
        }
        label("target")
        body("\(sheet.target.name)   job \(sheet.target.key.job)   context \(sheet.target.key.context)", .titleJob)
        label("will send")
        let request = sheet.action.request(sheet.target.key.job, in: model.live.dialect(of: sheet.target.key.context))
        body(request, limit: sheet.page == .overview && canvas.size.rows < 25 ? Self.requestLines : .max)
        row += 1
        if sheet.page != .overview {
            label(sheet.page == .request ? "request" : "preflight")
            return detail(preflight, row: row, &canvas)
        }
        label("preflight")
        let room = canvas.size.rows - row - 6
        for line in preflight.sorted(by: { $0.weight > $1.weight }).prefix(max(room, 3)) {
            canvas.put(line.badge, column: 13, row: row, role: line.role)
            canvas.put(line.text.prefix(columns: canvas.size.columns - 19, ending: "~"), column: 18, row: row, role: .dialog)
            row += 1
        }
        row += 1
        label("effect")
        if let check = model.check(sheet.target.key) { body(check.effect(sheet.action)) }
        if sheet.action.tier != .reversible {
            label("no undo")
            body(
                sheet.rule == .unlockedNameReasonWindow
                    ? "what is sent cannot be taken back; 5 s to abort after arming" : "what is sent cannot be taken back")
        }
    }

    /// The request, or the whole text of the preflight, as far as the box has room above its fields.
    private func detail(_ preflight: [Preflight], row first: Int, _ canvas: inout Canvas) {
        var lines: [(badge: SafeText, text: SafeText, role: StyleRole)] = []
        if sheet.page == .request {
            for line in request.isEmpty ? ["the engine does not say what it sends"] : request {
                lines += wrapped(line, columns: canvas.size.columns - 14).map { ("", $0, .dialog) }
            }
        } else {
            for line in preflight.sorted(by: { $0.weight > $1.weight }) {
                for (index, text) in wrapped(line.text, columns: canvas.size.columns - 19).enumerated() { lines.append((index == 0 ? line.badge : "", text, line.role)) }
            }
        }
        let room = max(1, canvas.size.rows - first)
        if lines.count > room { lines = lines.prefix(room - 1) + [("", "...", .textDim)] }
        for (offset, line) in lines.enumerated() {
            canvas.put(line.badge, column: 13, row: first + offset, role: line.role)
            canvas.put(line.text, column: sheet.page == .request ? 13 : 18, row: first + offset, role: .dialog)
        }
    }

    private func fields(row: Int, _ canvas: inout Canvas) {
        field("reason", sheet.reason, isFocused: sheet.focus == .reason, note: "(kept with the operation; Tab)", row: row, &canvas)
        if sheet.rule.needsName {
            field(
                "job name", sheet.name, isFocused: sheet.focus == .name, note: sheet.isNameMatched ? "matches" : "type it to arm", row: row + 1,
                &canvas)
        }
        canvas.put(" \(sheet.answer.prefix(columns: canvas.size.columns - 2, ending: whole))", column: 0, row: row + 2, role: .severityWarn)
    }

    /// How a text ends that the box has no room for: the pages have it.
    private var whole: SafeText { sheet.focus == .none ? "... v" : "... Tab, v" }

    private func field(_ name: SafeText, _ field: TextField, isFocused: Bool, note: SafeText, row: Int, _ canvas: inout Canvas) {
        let room = max(4, canvas.size.columns - 15 - note.columns - 2)
        canvas.put(" \(name)", column: 0, row: row, role: .header)
        let end = canvas.line([Span(field.safe.suffix(columns: room), .input)], row: row, column: 13)
        if isFocused { canvas.put(" ", column: end, row: row, role: .inputCursor) }
        canvas.put(note, endingAt: canvas.size.columns - 1, row: row, role: .textDim)
    }

    private func accept(losesState: Bool, row: Int, _ canvas: inout Canvas) {
        if let until = sheet.armedUntil {
            canvas.put(" ARMED: sent in \(Figures.seconds(until - model.now)); Esc takes it back", column: 0, row: row, role: .dialogDanger)
            return
        }
        if let look = sheet.secondLook {
            let what: SafeText = look.path == nil ? "the job is" : "job and files are"
            let text: SafeText = " SECOND LOOK: \(what) read again (\(Figures.seconds(model.now - look.since))), then it is sent; Esc stops"
            canvas.put(text, column: 0, row: row, role: .dialogDanger)
            return
        }
        var spans = [Span(" Esc", .hintKey), Span(" backs out   ", .hintText)]
        if losesState {
            spans += [Span("s", .hintKey), Span(" savepoint first   ", .hintText)]
            if model.live.context(sheet.target.key.context)?.capabilities.canOverrideRetention ?? false {
                spans += [Span("k", .hintKey), Span(" keep them anyway   ", .hintText)]
            }
            spans.append(Span("accept is off", .hintLocked))
        } else {
            let problem = model.sheetProblem(sheet)
            let key: SafeText = sheet.rule.needsName ? "Enter" : "y"
            spans += [
                Span(key, problem == nil ? .hintKey : .hintLocked),
                Span(problem.map { SafeText(" locked: \($0)").prefix(columns: canvas.size.columns - 17 - key.columns, ending: whole) } ?? " sends it", problem == nil ? .hintText : .hintLocked),
            ]
        }
        canvas.fitting(spans, row: row)
    }
}

extension Preflight {
    /// What must not be missed comes first.
    fileprivate var weight: Int {
        switch verdict {
        case .stop: 3
        case .warn: 2
        case .pending: 1
        case .ok: 0
        }
    }
}
