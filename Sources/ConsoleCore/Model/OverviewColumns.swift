import CellGrid

/// A column of the Overview that can be hidden. The others say whether a job is alive and can go back: they stay.
public enum OverviewColumn: String, Sendable, CaseIterable {
    case context, link, report, rate = "in", duration, restarts, condition

    /// For the chooser.
    var summary: SafeText {
        switch self {
        case .context: "name of the context; its class stays"
        case .link: "round trip, or down"
        case .report: "age of the report, from 90 columns on"
        case .rate: "records read a second"
        case .duration: "duration of the newest checkpoint"
        case .restarts: "restarts"
        case .condition: "what is wrong, where there is room"
        }
    }
}

extension ConsoleModel {
    /// The columns as they stand in `config.toml`.
    var columnConfiguration: String {
        let hidden = OverviewColumn.allCases.filter(options.hiddenColumns.contains).map { "\"\($0.rawValue)\"" }
        return "[overview]\nhide = [\(hidden.joined(separator: ", "))]\n"
    }

    mutating func openColumns() {
        guard case .overview = screen else { return say("columns are chosen on the Overview; \(options.keyMap.label(.overview)) leads there", .warn) }
        modals.append(.columns(index: 0, before: options.hiddenColumns))
    }

    /// `:columns -link -in condition`: a minus hides a column, a plus or its bare name shows it.
    mutating func runColumns(_ words: [String]) {
        guard !words.isEmpty else { return openColumns() }
        var hidden = options.hiddenColumns
        for word in words {
            let isHidden = word.hasPrefix("-")
            guard let column = OverviewColumn(rawValue: String(word.drop { $0 == "-" || $0 == "+" })) else {
                let names = OverviewColumn.allCases.map(\.rawValue).joined(separator: ", ")
                return say("usage: columns [-COLUMN or COLUMN]; columns: \(names)", .warn)
            }
            if isHidden { hidden.insert(column) } else { hidden.remove(column) }
        }
        options.hiddenColumns = hidden
        sayColumns()
    }

    private mutating func sayColumns() {
        let hidden = OverviewColumn.allCases.filter(options.hiddenColumns.contains).map(\.rawValue).joined(separator: ", ")
        say(
            hidden.isEmpty ? "all columns are shown" : "hidden for this session: \(hidden); config.toml keeps it: \(options.keyMap.label(.columns, .copy))"
        )
    }

    /// Each change shows at once; Enter keeps it, Esc goes back.
    mutating func pressInColumns(_ key: KeyPress, _ index: Int, _ before: Set<OverviewColumn>, _ effects: inout [ConsoleEffect]) {
        let all = OverviewColumn.allCases
        func select(_ next: Int, _ model: inout ConsoleModel) {
            model.modals[model.modals.count - 1] = .columns(index: max(0, min(next, all.count - 1)), before: before)
        }
        if key == .character(" ") {
            if options.hiddenColumns.remove(all[index]) == nil { options.hiddenColumns.insert(all[index]) }
            return
        }
        switch commandInBox(key) {
        case .moveDown: select(index + 1, &self)
        case .moveUp: select(index - 1, &self)
        case .first: select(0, &self)
        case .last: select(all.count - 1, &self)
        case .copy:
            modals.removeLast()
            effects.append(.copy(columnConfiguration))
            say("copied the config.toml lines for these columns")
        case .open:
            modals.removeLast()
            if options.hiddenColumns != before { sayColumns() }
        case .back, .quit:
            modals.removeLast()
            options.hiddenColumns = before
        default: break
        }
    }
}
