import CellGrid

/// All keys and commands, from the key map and the command line's own table.
struct HelpScreen {
    let model: ConsoleModel

    init(_ model: ConsoleModel) { self.model = model }

    static func rows(_ size: Size) -> Int { max(1, size.rows - 2) }

    private static let sections: [(SafeText, [Command])] = [
        ("ACT (through a box that says what will happen)", Command.acting + [.actions]),
        ("SCREENS", [.overview, .job, .checkpoints, .metrics, .failures, .operations, .configuration, .contexts, .audit, .help]),
        (
            "MOVE",
            [
                .moveDown, .moveUp, .first, .last, .pageDown, .pageUp, .open, .quit, .back, .previousJob, .nextJob, .previousCheckpoint,
                .nextCheckpoint, .nextPane, .previousPane, .zoom,
            ]
        ),
        ("LISTS", [.filter, .nextMatch, .previousMatch, .sort, .flipOrder]),
        ("TIME", [.freeze, .scrubBack, .scrubForward, .now, .wide]),
        ("LOOK", [.commandLine, .refresh, .copy, .copyCommand, .write, .themes]),
        ("TERMINAL", [.mouse, .repaint, .interrupt, .suspend]),
    ]

    /// A line of the help: what to press, what it does.
    var lines: [(keys: SafeText, text: SafeText, isTitle: Bool)] {
        var lines: [(keys: SafeText, text: SafeText, isTitle: Bool)] = []
        for (title, commands) in Self.sections {
            lines.append((title, "", true))
            for command in commands {
                let keys = model.options.keyMap.keys(command).map(\.description).joined(separator: " ")
                if !keys.isEmpty { lines.append((SafeText(keys), command.summary, false)) }
            }
        }
        lines.append(("COMMANDS", "", true))
        for command in CommandLine.commands { lines.append((":" + command.usage, command.summary, false)) }
        lines.append(("FILTERS", "", true))
        for (form, text) in [
            ("word", "rows with the word in some field"), ("~expression", "a regular expression; any case"), ("!term", "rows that the term does not fit"),
            ("field:term", "only that field; Tab completes its name"), ("a b", "both"),
        ] as [(SafeText, SafeText)] { lines.append((form, text, false)) }
        lines.append(("MARKS", "", true))
        for (role, text) in [
            (.severityOK, "well"), (.severityRun, "under way"), (.severityWarn, "look at it"), (.severityCrit, "act"),
            (.severityUnknown, "not known"),
            (.linkStale, "old: the number is not fresh"), (.checkpointSavepoint, "a savepoint"), (.checkpointGone, "its files are deleted"),
        ] as [(StyleRole, SafeText)] {
            lines.append((model.theme.mark(role), text, false))
        }
        return lines
    }

    func draw(top: Int, _ canvas: inout Canvas) {
        let all = lines
        let rows = Self.rows(canvas.size)
        canvas.clear(CellRect(canvas.size))
        let keyColumns = min(30, max(8, canvas.size.columns / 3))
        for (index, line) in all.dropFirst(top).prefix(rows).enumerated() {
            if line.isTitle {
                canvas.put(" \(line.keys)", column: 0, row: index + 1, role: .header)
            } else {
                canvas.put(line.keys, column: 2, row: index + 1, role: .hintKey, columns: keyColumns - 1)
                canvas.put(line.text, column: 2 + keyColumns, row: index + 1, role: .hintText)
            }
        }
        let more: SafeText = all.count > rows ? "   \(top + 1)-\(min(top + rows, all.count)) of \(all.count), j k scroll" : ""
        Chrome(model).plainTitle("help\(more)", &canvas)
        canvas.put(" q closes", column: 0, row: canvas.size.rows - 1, role: .hintText)
    }
}
