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
            // Whatever stands above them, the fields and the keys that send have their rows.
            let stack = RowStack<Part>(
                rows: inner.size.rows,
                [(.content, .rest), (.reason, .fixed(1)), (.name, .fixed(1)), (.answer, .fixed(1)), (.space, .fixed(1)), (.accept, .fixed(1))])
            inner.inside(stack[.content]) { content(preflight, &$0) }
            fields(stack, &inner)
            accept(losesState: losesState, row: stack[.accept].lowerBound, &inner)
        }
        canvas.clear(CellRect(column: 0, row: canvas.size.rows - 1, columns: canvas.size.columns, rows: 1))
        canvas.inside(CellRect(column: rect.origin.column, row: canvas.size.rows - 1, columns: rect.size.columns, rows: 1)) { pages(&$0) }
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

    /// The request as it would go, with what is typed so far.
    private var request: [SafeText] {
        guard let context = model.live.context(sheet.target.key.context) else { return [] }
        let operation = OperationRequest(
            id: sheet.continues?.id ?? sheet.id, kind: Secrets.masked(sheet.action.kind), job: sheet.target.key.job, expectedState: sheet.target.state,
            reason: SafeText(sheet.reason.text).string, by: model.author.name)
        return model.options.requestText(context.description, context.report?.engine.version, operation)
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
                canvas.put(isCut ? line.prefix(columns: canvas.size.columns - 18, ending: "") + " " + .cut : line, column: 13, row: row, role: role)
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
            canvas.put(line.text.prefix(columns: canvas.size.columns - 19, ending: .cut), column: 18, row: row, role: .dialog)
            row += 1
        }
        row += 1
        label("effect")
        if let check = model.check(sheet.target.key) { body(check.effect(sheet.action)) }
        if sheet.action.tier != .reversible {
            label("no undo")
            body(
                sheet.rule == .unlockedNameReasonWindow
                    ? "this cannot be undone; after arming you have 5 s to abort" : "this cannot be undone")
        }
    }

    /// The request, or the whole text of the preflight, as far as the box has room above its fields.
    private func detail(_ preflight: [Preflight], row first: Int, _ canvas: inout Canvas) {
        var lines: [(badge: SafeText, text: SafeText, role: StyleRole)] = []
        if sheet.page == .request {
            for line in request.isEmpty ? ["no exact request is available"] : request {
                lines += wrapped(line, columns: canvas.size.columns - 14).map { ("", $0, .dialog) }
            }
        } else {
            for line in preflight.sorted(by: { $0.weight > $1.weight }) {
                for (index, text) in wrapped(line.text, columns: canvas.size.columns - 19).enumerated() {
                    lines.append((index == 0 ? line.badge : "", text, line.role))
                }
            }
        }
        let room = max(1, canvas.size.rows - first)
        if lines.count > room { lines = lines.prefix(room - 1) + [("", .cut, .textDim)] }
        for (offset, line) in lines.enumerated() {
            canvas.put(line.badge, column: 13, row: first + offset, role: line.role)
            canvas.put(line.text, column: sheet.page == .request ? 13 : 18, row: first + offset, role: .dialog)
        }
    }

    private enum Part { case content, reason, name, answer, space, accept }

    private func fields(_ stack: RowStack<Part>, _ canvas: inout Canvas) {
        field("reason", sheet.reason, isFocused: sheet.focus == .reason, note: "(recorded with the operation; Tab)", row: stack[.reason].lowerBound, &canvas)
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
        var spans = [Span(" Esc", .hintKey), Span(" backs out   ", .hintText)]
        if losesState {
            spans += [Span("s", .hintKey), Span(" savepoint first   ", .hintText)]
            if model.live.context(sheet.target.key.context)?.capabilities.canOverrideRetention ?? false {
                spans += [Span("k", .hintKey), Span(" keep checkpoints   ", .hintText)]
            }
            spans.append(Span("sending is locked", .hintLocked))
        } else {
            let problem = model.sheetProblem(sheet)
            let key: SafeText = sheet.rule.needsName ? "Enter" : "y"
            spans += [
                Span(key, problem == nil ? .hintKey : .hintLocked),
                Span(
                    problem.map { SafeText(" locked: \($0)").prefix(columns: canvas.size.columns - 17 - key.columns, ending: whole) } ?? " sends it",
                    problem == nil ? .hintText : .hintLocked),
            ]
        }
        canvas.fitting(spans, row: row)
    }
}

extension Preflight {
    /// The most important lines come first.
    fileprivate var weight: Int {
        switch verdict {
        case .stop: 3
        case .warn: 2
        case .pending: 1
        case .ok: 0
        }
    }
}
