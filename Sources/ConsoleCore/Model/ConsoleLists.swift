import CellGrid
import StreamModel

/// A row of the overview: a job, or a context that has none to show.
struct OverviewRow: Sendable {
    struct ID: Hashable, Sendable {
        var context: String
        var job: JobID?
    }

    var id: ID
    var condition: Condition
    /// Position of the context in the configuration.
    var contextIndex: Int
    var jobName: String
    /// As reported; nil for a context.
    var state: JobState?

    var isEnded: Bool { state?.isTerminal ?? false }

    var key: JobKey? { id.job.map { JobKey(context: id.context, job: $0) } }
}

extension ConsoleModel {
    // MARK: Rows

    /// All jobs of all contexts, the worst first.
    var overviewRows: [OverviewRow] { kept(.overview, \.overview) ?? arrangedOverview }

    /// Counted when the rows are put in order.
    func overviewCounts(_ rows: [OverviewRow]) -> OverviewCounts { kept(.overview, \.overview) == nil ? OverviewCounts(rows) : rowCache.counts }

    var arrangedOverview: [OverviewRow] {
        var rows: [OverviewRow] = []
        for (index, context) in shown.contexts.enumerated() {
            for job in context.report?.jobs ?? [] {
                rows.append(
                    OverviewRow(
                        id: .init(context: context.name, job: job.id), condition: .of(job, in: context, at: shownAt), contextIndex: index,
                        jobName: job.name, state: job.state))
            }
            if context.report?.jobs.isEmpty ?? true {
                rows.append(
                    OverviewRow(id: .init(context: context.name, job: nil), condition: .of(context, at: shownAt), contextIndex: index, jobName: ""))
            }
        }
        return arranged(Self.worstFirst(rows), .overview, overviewFields)
    }

    /// Rows are large: numbers are put in order, and each row is moved once.
    private static func worstFirst(_ rows: [OverviewRow]) -> [OverviewRow] {
        let ranks = rows.map(\.condition.rank)
        let order = rows.indices.sorted { left, right in
            if ranks[left] != ranks[right] { return ranks[left] > ranks[right] }
            if rows[left].contextIndex != rows[right].contextIndex { return rows[left].contextIndex < rows[right].contextIndex }
            if rows[left].jobName != rows[right].jobName { return rows[left].jobName < rows[right].jobName }
            guard let job = rows[left].id.job else { return true }
            return rows[right].id.job.map { job < $0 } ?? false
        }
        return order.map { rows[$0] }
    }

    var selectedOverviewRow: OverviewRow? {
        let rows = overviewRows
        return rows.first { $0.id == cursors.overview } ?? rows.first
    }

    /// The checkpoints of the current job, the newest first, those that only the ledger remembers among them.
    var checkpointRows: [CheckpointReport] { kept(.checkpoints, \.checkpoints) ?? arrangedCheckpoints }

    var arrangedCheckpoints: [CheckpointReport] {
        guard let key = currentJob else { return [] }
        return arranged(knownCheckpoints(key), .checkpoints, checkpointFields)
    }

    var selectedCheckpoint: CheckpointReport? {
        if listViews[.checkpoints].filter == nil, listViews[.checkpoints].order == nil, let key = currentJob {
            let memory = shown.memory(key)
            if let id = cursors.checkpoint, let selected = memory[id] ?? remembered(id)?.report { return selected }
            return memory.checkpoints.first ?? checkpointRows.first
        }
        let rows = checkpointRows
        return rows.first { $0.id == cursors.checkpoint } ?? rows.first
    }

    /// The checkpoint that a detail screen shows, with its operators once they are known.
    func detail(_ id: CheckpointID) -> CheckpointReport? {
        guard let key = currentJob else { return nil }
        let memory = shown.memory(key)
        let listed = memory[id] ?? remembered(id)?.report
        guard var detailed = memory.details[id] else { return listed }
        // The list is newer where the checkpoint has ended since.
        if let listed, detailed.status == .inProgress, listed.status != .inProgress {
            let operators = detailed.operators
            detailed = listed
            detailed.operators = operators
        }
        if listed?.discarded == true { detailed.discarded = true }
        return detailed
    }

    /// The failures of the current job by root cause, the newest first.
    var failureRows: [FailureRow] {
        guard let key = currentJob, let job = shown.job(key) else { return [] }
        return arranged(FailureRow.folded(Failure.known(of: job, shown.memory(key))), .failures, failureFields)
    }

    var selectedFailure: FailureRow? {
        let rows = failureRows
        return rows.first { $0.id == cursors.failure } ?? rows.first
    }

    var operationRows: [TrackedOperation] {
        arranged(shown.operations, .operations, operationFields)
    }

    var selectedOperation: TrackedOperation? {
        let rows = operationRows
        return rows.first { $0.id == cursors.operation } ?? rows.first
    }

    /// The operators of a checkpoint, in the order of the job graph.
    func operatorRows(_ id: CheckpointID) -> [OperatorCheckpointReport] {
        arranged(detail(id)?.operators ?? [], .operators, operatorFields)
    }

    // MARK: The list that the cursor keys move in

    var listKind: ListKind? {
        switch screen {
        case .overview: focusedPane == .operations ? .operations : .overview
        case .job:
            switch focusedPane {
            case .failures: .failures
            case .operations: .operations
            default: .checkpoints
            }
        case .checkpoints: .checkpoints
        case .failures: .failures
        case .operations: .operations
        case .checkpoint: .operators
        case .subtasks: .subtasks
        case .configuration: .configuration
        case .contexts: .contexts
        case .audit: .audit
        case .history: .history
        case .log: .log
        case .operation, .metrics: nil
        }
    }

    /// Number of rows and the selected one.
    var listPosition: (count: Int, index: Int) {
        func position<Row, ID: Equatable>(_ rows: [Row], _ selected: ID?, _ id: (Row) -> ID) -> (count: Int, index: Int) {
            (rows.count, selected.flatMap { selected in rows.firstIndex { id($0) == selected } } ?? 0)
        }
        switch (listKind, screen) {
        case (.overview, _): return position(overviewRows, cursors.overview, \.id)
        case (.checkpoints, _): return position(checkpointRows, cursors.checkpoint, \.id)
        case (.failures, _): return position(failureRows, cursors.failure, \.id)
        case (.operations, _): return position(operationRows, cursors.operation, \.id)
        case (.operators, .checkpoint(let id)): return position(operatorRows(id), cursors.operatorUID, \.uid)
        case (.subtasks, .subtasks(let id, let uid)): return position(subtaskRows(id, uid), cursors.subtask, \.index)
        case (.configuration, _): return position(configurationRows, cursors.setting, \.name)
        case (.contexts, _): return position(contextRows, cursors.context, \.name)
        case (.audit, _): return position(auditRows, cursors.audit, \.id)
        case (.log, _): return logPosition
        case (.history, _): return position(historyRows, cursors.history, \.rowID)
        case (nil, .metrics): return position(Metric.allCases, metrics.selected, { $0 })
        case (nil, .operation(let id)): return OperationScreen(model: self, id: id).position(in: size)
        default: return (0, 0)
        }
    }

    /// The subtasks of an operator, those that have not acknowledged first, then the slowest.
    func subtaskRows(_ id: CheckpointID, _ uid: String) -> [SubtaskCheckpointReport] {
        guard let checkpoint = detail(id), let row = checkpoint.operators?.first(where: { $0.uid == uid }) else { return [] }
        let rows = row.subtasks.sorted { left, right in
            switch (left.acknowledgedAt, right.acknowledgedAt) {
            case (nil, nil): left.index < right.index
            case (nil, _): true
            case (_, nil): false
            case (let first?, let second?): first == second ? left.index < right.index : first > second
            }
        }
        return arranged(rows, .subtasks, subtaskFields)
    }

    mutating func select(_ index: Int) {
        let index = max(0, min(index, listPosition.count - 1))
        /// The first row of a list in its own order means the newest, whichever that will be.
        func follows(_ kind: ListKind) -> Bool { index == 0 && listViews[kind].order == nil }
        func pick<Row, ID>(_ rows: [Row], _ id: (Row) -> ID) -> ID? { rows.indices.contains(index) ? id(rows[index]) : nil }
        switch (listKind, screen) {
        case (.overview, _): cursors.overview = pick(overviewRows, \.id)
        case (.checkpoints, _): cursors.checkpoint = follows(.checkpoints) ? nil : pick(checkpointRows, \.id)
        case (.failures, _): cursors.failure = follows(.failures) ? nil : pick(failureRows, \.id)
        case (.operations, _): cursors.operation = follows(.operations) ? nil : pick(operationRows, \.id)
        case (.operators, .checkpoint(let id)): cursors.operatorUID = pick(operatorRows(id), \.uid)
        case (.subtasks, .subtasks(let id, let uid)): cursors.subtask = pick(subtaskRows(id, uid), \.index)
        case (.configuration, _): cursors.setting = pick(configurationRows, \.name)
        case (.contexts, _): cursors.context = pick(contextRows, \.name)
        case (.audit, _): cursors.audit = follows(.audit) ? nil : pick(auditRows, \.id)
        case (.log, _): cursors.log = index == listPosition.count - 1 && listViews[.log].order == nil ? nil : pick(logRows, \.sequence)
        case (.history, _): cursors.history = follows(.history) ? nil : pick(historyRows, \.rowID)
        case (nil, .metrics): metrics.selected = Metric.allCases[index]
        case (nil, .operation(let id)): cursors.evidence = (id, index)
        default: break
        }
    }

    /// Pins the selected row by what it is, so that it stays selected while the list is put in another order.
    mutating func holdSelection(_ kind: ListKind) {
        switch kind {
        case .overview: cursors.overview = selectedOverviewRow?.id
        case .checkpoints: cursors.checkpoint = selectedCheckpoint?.id
        case .failures: cursors.failure = selectedFailure?.id
        case .operations: cursors.operation = selectedOperation?.id
        case .history: cursors.history = selectedRemembered?.rowID
        case .log: cursors.log = selectedLogEntry?.sequence
        default: select(listPosition.index)
        }
    }
}
