public import CellGrid
import StreamModel

/// Draws the whole screen. The canvas is blank and has the size of the terminal. Roles only: the theme is applied at the edge. The
/// same model gives the same cells.
public func render(_ model: ConsoleModel, into canvas: inout Canvas) {
    defer { model.drawCaption(&canvas) }
    if ConsoleModel.isSmall(canvas.size) {
        switch model.modals.last {
        case .help(let page): return HelpScreen(model, search: page.search).draw(page, &canvas)
        case .messages(let top): return MessagesView(model).draw(top, &canvas)
        default: break
        }
        return drawSideways(model, &canvas)
    }
    drawSideways(model, &canvas)
    for modal in model.modals { draw(modal, model, &canvas) }
}

/// The screen below all boxes. The window may be narrower than the canvas, and `isSmall` is said of it.
func drawScreen(_ model: ConsoleModel, isSmall: Bool, _ canvas: inout Canvas) {
    if isSmall { return CompactScreen(model: model).draw(&canvas) }
    switch model.screen {
    case .overview: OverviewScreen(model: model).draw(&canvas)
    case .job:
        guard let facts = JobFacts(model) else { return drawMissingJob(model, &canvas) }
        if WideJobScreen.fits(canvas.size) { WideJobScreen(facts).draw(&canvas) } else { JobScreen(facts).draw(&canvas) }
    case .checkpoints: CheckpointsScreen(model: model).draw(&canvas)
    case .checkpoint(let id): CheckpointDetailScreen(model: model, id: id, uid: nil).draw(&canvas)
    case .subtasks(let id, let uid): CheckpointDetailScreen(model: model, id: id, uid: uid).draw(&canvas)
    case .failures: FailuresScreen(model: model).draw(&canvas)
    case .operations: OperationsScreen(model: model).draw(&canvas)
    case .operation(let id): OperationScreen(model: model, id: id).draw(&canvas)
    case .metrics: MetricsScreen(model: model).draw(&canvas)
    case .configuration: ConfigurationScreen(model: model).draw(&canvas)
    case .contexts: ContextsScreen(model: model).draw(&canvas)
    case .audit: AuditScreen(model: model).draw(&canvas)
    case .log(let scope): LogScreen(model: model, scope: scope).draw(&canvas)
    case .history(let scope): HistoryScreen(model: model, scope: scope).draw(&canvas)
    }
}

private func drawMissingJob(_ model: ConsoleModel, _ canvas: inout Canvas) {
    Chrome(model).jobTitle(&canvas)
    let keys = model.options.keyMap
    canvas.put(" this job is not in the last report of its engine", column: 0, row: 2, role: .severityWarn)
    canvas.put(" \(keys.label(.checkpoints)) shows its remembered checkpoints, \(keys.label(.overview)) all jobs", column: 0, row: 3, role: .textDim)
    Chrome(model).footer(&canvas)
}

private func draw(_ modal: ConsoleModel.Modal, _ model: ConsoleModel, _ canvas: inout Canvas) {
    switch modal {
    case .sheet(let sheet): SheetView(model: model, sheet: sheet).draw(&canvas)
    case .chooser(let chooser):
        RestartChooserView(model: model, chooser: chooser).draw(&canvas)
        if let sheet = chooser.sheet { SheetView(model: model, sheet: sheet).draw(&canvas) }
    case .help(let page): HelpScreen(model, search: page.search).draw(page, &canvas)
    case .messages(let top): MessagesView(model).draw(top, &canvas)
    case .themes(let index, _): drawThemes(model, index, &canvas)
    case .columns(let index, _): drawColumns(model, index, &canvas)
    case .actions: drawActions(model, &canvas)
    case .command, .filter, .quit:
        let row = canvas.size.rows - 1
        canvas.clear(CellRect(column: 0, row: row, columns: canvas.size.columns, rows: 1))
        Chrome(model).message(row: row, &canvas)
    }
}

private func drawThemes(_ model: ConsoleModel, _ index: Int, _ canvas: inout Canvas) {
    let names = model.options.themeNames
    let rows = min(names.count, canvas.size.rows - 8)
    let rect = CellRect(column: canvas.size.columns - 44, row: 2, columns: 42, rows: rows + 3)
    canvas.dialog(rect, title: "theme") { inner in
        for (line, position) in listWindow(count: names.count, cursor: index, rows: rows).enumerated() {
            inner.put("\(position == index ? ">" : " ") \(names[position])", column: 1, row: line, role: position == index ? .select : .dialog)
        }
        inner.put("\(model.options.keyMap.label(.moveDown, .moveUp)) preview  Enter keeps  Esc goes back", column: 1, row: inner.size.rows - 1, role: .hintText)
    }
}

private func drawColumns(_ model: ConsoleModel, _ index: Int, _ canvas: inout Canvas) {
    let all = OverviewColumn.allCases, columns = min(60, canvas.size.columns)
    let rect = CellRect(column: canvas.size.columns - columns, row: max(0, canvas.size.rows - all.count - 6), columns: columns, rows: all.count + 4)
    canvas.dialog(rect, title: "columns of the Overview") { inner in
        for (row, column) in all.enumerated() {
            let isShown = !model.options.hiddenColumns.contains(column), role: StyleRole = row == index ? .select : .dialog
            inner.put(
                "\(row == index ? ">" : " ") [\(isShown ? "x" : " ")] \(SafeText(column.rawValue).padded(10)) \(column.summary)", column: 1, row: row,
                role: role)
        }
        inner.put(
            "Space toggles  Enter keeps  Esc goes back  \(model.options.keyMap.label(.copy)) copies", column: 1, row: inner.size.rows - 1,
            role: .hintText)
    }
}

/// The actions on the focused job: what helps now first, and why another one would not.
private func drawActions(_ model: ConsoleModel, _ canvas: inout Canvas) {
    let key = model.focusedJob, keys = model.options.keyMap
    let next = key.map { model.nextStep($0) } ?? NextStep()
    let commands = Command.acting.filter { next.words($0) != nil } + Command.acting.filter { next.words($0) == nil }
    let rect = CellRect(column: 2, row: canvas.size.rows - 13, columns: canvas.size.columns - 4, rows: 10)
    canvas.dialog(rect, title: "actions on \(key.flatMap { model.live.job($0)?.name } ?? "no job")") { inner in
        let labels = commands.map { keys.label($0).columns }.max() ?? 1
        for (row, command) in commands.enumerated() {
            let refusal = model.refusal(command, on: key)
            let (state, role) = actionState(command, refusal, next, keys)
            let columns = inner.size.columns < 74 ? 11 : 34
            let summary: SafeText = columns < 34 ? SafeText(command.name) : command.summary
            inner.line(
                [
                    Span(" \(keys.label(command).padded(labels)) ", refusal == nil ? .hintKey : .hintLocked),
                    Span(summary.padded(columns), refusal == nil ? .hintText : .hintLocked),
                    Span(state.prefix(columns: inner.size.columns - labels - columns - 2, ending: .cut), role),
                ], row: row)
        }
        if !next.isEmpty { inner.fitting([Span(" Next: ", .header)] + next.spans(keys), row: commands.count) }
        inner.put(" \(keys.label(.commandLine)) types one; any other key closes", column: 0, row: inner.size.rows - 1, role: .textDim)
    }
}

private func actionState(_ command: Command, _ refusal: Refusal?, _ next: NextStep, _ keys: KeyMap) -> (SafeText, StyleRole) {
    if let refusal { return ("locked: \(refusal.text(keys))", .hintLocked) }
    if let words = next.words(command) { return (words, .severityOK) }
    return next.vain[command].map { ("no help: \($0)", .severityWarn) } ?? ("ready", .text)
}
