import CellGrid

/// The state of the help: its first row and its search text.
struct HelpPage: Sendable, Equatable {
    var top = 0
    /// The text that shown lines contain; empty = all lines.
    var search = TextField()
    var isTyping = false
}

/// All keys and commands, from the key map and the table of the command line.
struct HelpScreen {
    let model: ConsoleModel

    private let search: String

    init(_ model: ConsoleModel, search: TextField = TextField()) {
        self.model = model
        self.search = search.safe.string.lowercased()
    }

    static func rows(_ size: Size) -> Int { max(1, size.rows - 2) }

    /// The nearest row that the help can begin with.
    func clamped(_ top: Int) -> Int { max(0, min(top, lines.count - Self.rows(model.size))) }

    private static let sections: [(SafeText, [Command])] = [
        ("ACT (each opens a sheet that says what will happen)", Command.acting + [.actions]),
        ("SCREENS", [.overview, .job, .checkpoints, .metrics, .failures, .operations, .configuration, .contexts, .audit, .log, .help]),
        (
            "MOVE",
            [
                .moveDown, .moveUp, .scrollLeft, .scrollRight, .first, .last, .pageDown, .pageUp, .open, .quit, .back, .previousJob, .nextJob,
                .previousCheckpoint,
                .nextCheckpoint, .nextPane, .previousPane, .zoom,
            ]
        ),
        ("LISTS", [.filter, .nextMatch, .previousMatch, .sort, .flipOrder]),
        ("TIME", [.freeze, .scrubBack, .scrubForward, .now, .wide]),
        ("LOOK", [.commandLine, .messages, .refresh, .copy, .copyCommand, .write, .themes, .columns]),
        ("TERMINAL", [.mouse, .repaint, .interrupt, .suspend]),
    ]

    /// A line of the help: what to press, what it does, and the name of what it does, for the command line and the configuration.
    struct Line {
        var keys: SafeText
        var name: SafeText = ""
        var text: SafeText = ""
        var isTitle = false
    }

    private var isWide: Bool { model.size.columns >= 80 }
    private var keyColumns: Int { model.size.columns >= 100 ? 20 : isWide ? 12 : max(8, model.size.columns / 3) }
    private var textColumn: Int { 2 + keyColumns + (isWide ? 20 : 0) }

    /// As they stand on the screen: what is longer than its column goes on below.
    var lines: [Line] {
        wantedLines.flatMap { line -> [Line] in
            let texts = wrapped(line.text, columns: max(8, model.size.columns - textColumn - 1))
            guard let first = texts.first, !line.isTitle else { return [line] }
            var whole = line
            whole.text = first
            return [whole] + texts.dropFirst().map { Line(keys: "", text: $0) }
        }
    }

    /// All, or those that hold what is looked for, under the titles of their sections.
    private var wantedLines: [Line] {
        guard !search.isEmpty else { return allLines }
        var found: [Line] = []
        var title: Line?
        for line in allLines {
            if line.isTitle {
                title = line
            } else if [line.keys, line.name, line.text].contains(where: { $0.string.lowercased().contains(search) }) {
                if let section = title { found.append(section) }
                title = nil
                found.append(line)
            }
        }
        return found
    }

    private var allLines: [Line] {
        var lines: [Line] = []
        for (title, commands) in Self.sections {
            lines.append(Line(keys: title, isTitle: true))
            for command in commands {
                let keys = model.options.keyMap.keys(command).map(\.description).joined(separator: " ")
                lines.append(Line(keys: keys.isEmpty ? "-" : SafeText(keys), name: SafeText(command.name), text: command.summary))
            }
        }
        lines.append(Line(keys: "COMMANDS (the names above work too)", isTitle: true))
        for command in CommandLine.commands { lines.append(Line(keys: ":" + command.usage, text: command.summary)) }
        lines.append(Line(keys: "FILTERS", isTitle: true))
        for (form, text) in [
            ("word", "rows with the word in any field"), ("~expression", "a regular expression, case-insensitive"),
            ("!term", "rows that do not match the term"),
            ("field:term", "only that field; Tab completes its name"), ("a b", "rows that match both"),
        ] as [(SafeText, SafeText)] { lines.append(Line(keys: form, text: text)) }
        lines.append(Line(keys: "MARKS", isTitle: true))
        for (role, text) in [
            (.severityOK, "healthy"), (.severityRun, "in progress"), (.severityWarn, "needs a look"), (.severityCrit, "needs action"),
            (.severityUnknown, "unknown"),
            (.linkStale, "stale: the number is old"), (.checkpointSavepoint, "a savepoint"), (.checkpointGone, "its files were deleted"),
        ] as [(StyleRole, SafeText)] {
            lines.append(Line(keys: model.theme.mark(role), text: text))
        }
        return lines
    }

    func draw(_ page: HelpPage, _ canvas: inout Canvas) {
        let all = lines
        let top = min(page.top, max(0, all.count - 1))
        let rows = Self.rows(canvas.size)
        canvas.clear(CellRect(canvas.size))
        for (index, line) in all.dropFirst(top).prefix(rows).enumerated() {
            if line.isTitle {
                canvas.put(" \(line.keys)", column: 0, row: index + 1, role: .header)
            } else {
                let room = (line.name.isEmpty ? textColumn - 2 : keyColumns) - 1
                canvas.put(line.keys.prefix(columns: room, ending: .cut), column: 2, row: index + 1, role: .hintKey)
                if isWide { canvas.put(line.name, column: 2 + keyColumns, row: index + 1, role: .textDim) }
                canvas.put(line.text, column: textColumn, row: index + 1, role: .hintText)
            }
        }
        let more: SafeText =
            all.count > rows ? "   \(top + 1)-\(min(top + rows, all.count)) of \(all.count), \(model.options.keyMap.label(.moveDown, .moveUp)) scroll" : ""
        if all.isEmpty { canvas.put(" no line contains \"\(page.search.safe)\"", column: 0, row: 1, role: .textDim) }
        let filter: SafeText = page.search.text.isEmpty ? "" : "  /\(page.search.safe)"
        Chrome(model).plainTitle("help\(filter)\(more)", &canvas)
        footer(page, &canvas)
    }

    private func footer(_ page: HelpPage, _ canvas: inout Canvas) {
        let row = canvas.size.rows - 1, keys = model.options.keyMap
        guard page.isTyping else {
            let end: SafeText = page.search.text.isEmpty ? "" : "   Esc shows all"
            canvas.put(" \(keys.label(.quit)) closes   \(keys.label(.filter)) searches\(end)", column: 0, row: row, role: .hintText)
            return
        }
        let column = canvas.line([Span(" /", .hintKey), Span(page.search.safe, .input)], row: row)
        canvas.put(" ", column: column, row: row, role: .inputCursor)
    }
}
