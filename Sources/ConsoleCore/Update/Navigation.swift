import CellGrid
import StreamModel

extension ConsoleModel {
    mutating func move(by rows: Int) {
        let position = listPosition
        guard position.count > 0 else { return }
        select(position.index + rows)
    }

    mutating func open() {
        if openInPane() { return }
        switch screen {
        case .overview:
            guard let row = selectedOverviewRow else { return }
            guard let key = row.key else { return say("\(row.id.context) has no job to open; \(row.condition.text(at: now, keys: options.keyMap))", .warn) }
            enter(key)
            screens = [.overview, .job]
        case .job, .checkpoints:
            guard let checkpoint = selectedCheckpoint else { return say("there is no checkpoint yet", .warn) }
            cursors.operatorUID = nil
            screens.append(.checkpoint(checkpoint.id))
        case .checkpoint(let id):
            let rows = operatorRows(id)
            guard let row = rows.first(where: { $0.uid == cursors.operatorUID }) ?? rows.first else {
                return say("the operators of #\(id) are not known yet", .warn)
            }
            cursors.subtask = nil
            screens.append(.subtasks(id, row.uid))
        case .operations:
            if let operation = selectedOperation { screens.append(.operation(operation.id)) }
        case .metrics: metrics.toggle()
        case .contexts:
            guard let context = selectedContext else { return }
            cursors.overview = OverviewRow.ID(context: context.name, job: nil)
            listViews[.overview].filter = "context:\(context.name)"
            screens = [.overview]
        case .history: openRemembered()
        case .audit:
            if let row = selectedAudit, live.operations.contains(where: { $0.id == row.id }) { screens.append(.operation(row.id)) }
        case .subtasks, .failures, .operation, .configuration, .log: break
        }
    }

    /// Opens the selection of the focused pane, where that is not the screen's own list.
    mutating func openInPane() -> Bool {
        switch (screen, focusedPane) {
        case (.overview, .operations), (.job, .operations):
            if let operation = selectedOperation { screens.append(.operation(operation.id)) }
        case (.overview, .trend): go(to: .metrics)
        case (.job, .failures): screens.append(.failures)
        default: return false
        }
        return true
    }

    mutating func changePane(by step: Int) {
        let panes = panes
        guard panes.count > 1, let index = panes.firstIndex(of: focusedPane) else { return say("this screen has one pane") }
        chosenPane = panes[(index + step + panes.count) % panes.count]
    }

    /// The focused pane as a screen of its own.
    mutating func zoom(_ effects: inout [ConsoleEffect]) {
        switch (screen, focusedPane) {
        case (.overview, .trend): go(to: .metrics)
        case (.overview, .operations), (.job, .operations): screens.append(.operations)
        case (.job, .list): screens.append(.checkpoints)
        case (.job, .failures): screens.append(.failures)
        default: say("this pane already fills the screen")
        }
    }

    mutating func widen() {
        guard case .metrics = screen else { return say("there is no chart here", .warn) }
        metrics.span = metrics.span == .fine ? .coarse : .fine
    }

    /// Selects the next row that matches the last filter, wrapping around.
    mutating func goToMatch(forward: Bool) {
        guard let kind = listKind, let text = listViews[kind].filter ?? listViews[kind].lastFilter else {
            return say("no filter is set; \(options.keyMap.label(.filter)) sets one", .warn)
        }
        let matches = matchIndices(kind, text)
        guard !matches.isEmpty else { return say("no match for /\(text)", .warn) }
        let current = listPosition.index
        let next = forward ? matches.first { $0 > current } ?? matches[0] : matches.last { $0 < current } ?? matches[matches.count - 1]
        select(next)
    }

    /// Makes a job the subject of the screens.
    mutating func enter(_ key: JobKey) {
        guard currentJob != key else { return }
        currentJob = key
        let row = cursors.overview
        cursors = Cursors()
        cursors.overview = row
        cursors.overview = OverviewRow.ID(context: key.context, job: key.job)
        listViews[.checkpoints].filter = nil
        listViews[.failures].filter = nil
        listViews[.configuration].filter = nil
    }

    mutating func go(to screen: Screen) {
        if case .overview = self.screen, let key = focusedJob { enter(key) }
        if currentJob == nil, let row = overviewRows.first(where: { $0.key != nil }), let key = row.key { enter(key) }
        guard currentJob != nil else { return say("there is no job to show yet", .warn) }
        screens = screen == .job ? [.overview, .job] : [.overview, .job, screen]
    }

    mutating func back(_ effects: inout [ConsoleEffect], isQuit: Bool) {
        if let kind = listKind, listViews[kind].filter != nil, !isQuit {
            listViews[kind].filter = nil
            return
        }
        if screens.count > 1 {
            screens.removeLast()
        } else if isQuit {
            modals.append(.quit)
        }
    }

    mutating func changeJob(by step: Int) {
        let keys = overviewRowsByName
        guard !keys.isEmpty else { return say("there is no job", .warn) }
        guard let index = keys.firstIndex(where: { $0 == focusedJob }) else { return enter(keys[0]) }
        let next = keys[(index + step + keys.count) % keys.count]
        if case .overview = screen {
            cursors.overview = OverviewRow.ID(context: next.context, job: next.job)
        } else {
            enter(next)
            switch screen {
            case .checkpoint, .subtasks: screens = [.overview, .job, .checkpoints]
            default: break
            }
        }
    }

    /// Jobs in an order that does not change with their state, so that stepping through them is predictable.
    private var overviewRowsByName: [JobKey] {
        shown.contexts.flatMap { context in
            (context.report?.jobs ?? []).sorted { ($0.name, $0.id) < ($1.name, $1.id) }.map { JobKey(context: context.name, job: $0.id) }
        }
    }

    mutating func changeCheckpoint(by step: Int) {
        let id: CheckpointID
        switch screen {
        case .checkpoint(let shown), .subtasks(let shown, _): id = shown
        default: return move(by: step)
        }
        let rows = checkpointRows
        guard let index = rows.firstIndex(where: { $0.id == id }), rows.indices.contains(index + step) else {
            return say(step > 0 ? "#\(id) is the oldest one known" : "#\(id) is the newest", .warn)
        }
        let next = rows[index + step].id
        cursors.checkpoint = next
        if case .subtasks(_, let uid) = screen {
            screens[screens.count - 1] = .subtasks(next, uid)
            if let below = screens.indices.dropLast().last, case .checkpoint = screens[below] { screens[below] = .checkpoint(next) }
        } else {
            screens[screens.count - 1] = .checkpoint(next)
        }
    }
}
