import CellGrid
import StreamModel

extension ContextDescription {
    /// Its lines for config.toml. No name or address has a character that needs more than quotes.
    var configuration: [String] {
        [
            "[contexts.\"\(SafeText(name))\"]", "\(address.contains("://") ? "url" : "socket") = \"\(SafeText(address))\"",
            "class = \"\(self.class.rawValue)\"",
        ]
    }
}

extension ConsoleModel {
    /// The contexts, in the order of the configuration unless sorted.
    var contextRows: [ContextState] { arranged(shown.contexts, .contexts, contextFields) }

    var selectedContext: ContextState? {
        let rows = contextRows
        return rows.first { $0.name == cursors.context } ?? rows.first
    }
}

/// All engines of the configuration: how each link is, what may be done there, and where it is.
struct ContextsScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        let rows = model.contextRows
        let up = rows.count { $0.link.isUp }
        Chrome(model).plainTitle("contexts \(rows.count): \(up) linked", &canvas)
        let cursor = model.listPosition.index
        let stack = RowStack.list(canvas.size.rows, detail: .either(7, or: 4, leaving: 6))
        canvas.inside(stack[.list]) { list(rows, cursor, &$0) }
        canvas.inside(stack[.detail]) { inner in
            guard rows.indices.contains(cursor) else { return inner.rule("", row: 0) }
            detail(rows[cursor], &inner)
        }
        Chrome(model).footer(&canvas)
    }

    private func list(_ rows: [ContextState], _ cursor: Int, _ canvas: inout Canvas) {
        canvas.rule("\(model.options.keyMap.title(.contexts, "contexts"))\(model.listNote(.contexts))", row: 0)
        let places = Self.places(canvas.size)
        canvas.header(
            [
                (3, "CONTEXT", "context"), (places.class, "CLASS", "class"), (places.link, "LINK", "link"), (places.age, "AGE", "age"),
                (places.jobs, "JOBS", "jobs"), (places.address, "ADDRESS", "address"),
            ], of: .contexts, model)
        if rows.isEmpty { canvas.put("   none matches the filter; \(model.options.keyMap.label(.back)) clears it", column: 0, row: 2, role: .textDim) }
        canvas.list(rows.count, cursor: cursor, from: 2) { index, row, canvas in draw(rows[index], row: row, &canvas) }
    }

    private static func places(_ size: Size) -> (class: Int, link: Int, age: Int, jobs: Int, address: Int) {
        size.columns >= 80 ? (20, 36, 50, 57, 63) : (15, 29, 43, 48, 54)
    }

    private func draw(_ context: ContextState, row: Int, _ canvas: inout Canvas) {
        let now = model.shownAt, places = Self.places(canvas.size)
        canvas.put(SafeText(context.name).prefix(columns: places.class - 4, ending: .cut), column: 3, row: row)
        canvas.line(Chrome(model).badges(context), row: row, column: places.class)
        let word = context.linkWord(at: now)
        let role: StyleRole = word == "ok" ? .linkOK : word == "down" ? .linkDown : .linkStale
        var text = SafeText(word)
        if word == "ok", case .up(let roundTrip?) = context.link { text = Figures.duration(roundTrip) }
        canvas.line([Span(model.theme.mark(role), role), Span(" "), Span(text, role)], row: row, column: places.link)
        let age = context.age(at: now)
        canvas.put(
            age.map { $0 > ContextState.freshness ? Figures.age($0) : "now" } ?? "-", column: places.age, row: row,
            role: age.map { $0 > ContextState.freshness } ?? true ? .linkStale : .textDim)
        canvas.put(context.report.map { "\($0.jobs.count)" } ?? "-", endingAt: places.jobs + 4, row: row)
        canvas.put(
            SafeText(context.description.address).middle(columns: canvas.size.columns - places.address - 1), column: places.address, row: row, role: .textDim)
    }

    private func detail(_ context: ContextState, _ canvas: inout Canvas) {
        canvas.rule(SafeText(context.name), row: 0)
        func line(_ name: SafeText, _ text: SafeText, _ role: StyleRole = .text, row: Int) {
            canvas.line([Span(" \(name.padded(11))", .header), Span(text, role)], row: row)
        }
        let description = context.description
        line("address", SafeText(description.address), row: 1)
        if description.isUnauthenticated {
            canvas.put(SafeText(ContextDescription.openWords), column: 14 + SafeText(description.address).columns, row: 1, role: .severityWarn)
        }
        line("guard", guardWords(context), row: 2)
        line("can", abilities(context), row: 3)
        let condition = Condition.of(context, at: model.shownAt)
        line("link", linkWords(context), condition.severity == .ok ? .text : condition.severity.role, row: 4)
        let warning = context.capabilities.versionWarning
        let engine = context.report.map { "\($0.engine.name) \($0.engine.version)" } ?? "not known yet"
        line("engine", SafeText(warning.map { "\(engine): \($0)" } ?? engine), warning == nil ? .text : .severityWarn, row: 5)
        let words: SafeText =
            description.isAdded
            ? " to keep it: \(description.configuration.joined(separator: " "))"
            : " \(model.options.keyMap.label(.actions)) adds one for this session; [contexts.NAME] in config.toml keeps it"
        canvas.put(words.prefix(columns: canvas.size.columns - 1, ending: .cut), column: 0, row: 6, role: .textDim)
    }

    private func guardWords(_ context: ContextState) -> SafeText {
        if let problem = context.description.problem { return "read-only: \(problem)" }
        if model.options.isReadOnly || context.description.isReadOnly { return "read-only: nothing can be sent from here" }
        switch context.description.guardClass {
        case .lab, .demo: return "savepoints are sent at once; ending a job asks for y"
        case .staging: return "savepoints ask for y; ending a job asks for its name"
        case .prod: return "locked until :unlock; then name, reason and 5 s to abort"
        }
    }

    private func abilities(_ context: ContextState) -> SafeText {
        let can = context.capabilities
        if can.isHistoryServer { return "look only: a history server runs no jobs" }
        if can.isViewer { return "look only: this link is a viewer's" }
        let words: [(Bool, String)] = [
            (can.canCheckpointNow, "checkpoint now"), (can.verifiesFiles, "read the files of a checkpoint"), (can.exactBudget, "count failures exactly"),
            (can.canOverrideRetention, "override the retention policy"),
        ]
        let able = words.filter(\.0).map(\.1)
        return able.isEmpty ? "the common actions only" : SafeText(able.joined(separator: ", "))
    }

    private func linkWords(_ context: ContextState) -> SafeText {
        switch context.link {
        case .connecting: "connecting"
        case .down: Condition.of(context, at: model.shownAt).text(at: model.shownAt, keys: model.options.keyMap)
        case .up(let roundTrip):
            "up\(roundTrip.map { ", round trip \(Figures.duration($0))" } ?? "")\(context.age(at: model.shownAt).map { $0 > ContextState.freshness ? ", last report \(Figures.age($0)) ago" : ", reports arrive" } ?? ", no report yet")"
        }
    }
}
