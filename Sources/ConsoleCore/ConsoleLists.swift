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

    var key: JobKey? { id.job.map { JobKey(context: id.context, job: $0) } }
}

/// A row of the failures screen: the same failure in a row is folded into its newest.
struct FailureRow: Sendable {
    var at: WallTime
    /// What failed: a task or job, or a checkpoint.
    var subject: SafeText
    var message: SafeText
    var isCheckpoint: Bool
    /// Whether it raised the failure counter; nil for what does not count at all.
    var isCounted: Bool?
    var folded = 0
}

extension ConsoleModel {
    // MARK: Rows

    /// All jobs of all contexts, the worst first.
    var overviewRows: [OverviewRow] {
        var rows: [OverviewRow] = []
        for (index, context) in shown.contexts.enumerated() {
            for job in context.report?.jobs ?? [] {
                rows.append(
                    OverviewRow(
                        id: .init(context: context.name, job: job.id), condition: .of(job, in: context, at: shownAt), contextIndex: index,
                        jobName: job.name))
            }
            if context.report?.jobs.isEmpty ?? true {
                rows.append(
                    OverviewRow(id: .init(context: context.name, job: nil), condition: .of(context, at: shownAt), contextIndex: index, jobName: ""))
            }
        }
        if let filter = filters[.overview] { rows = rows.filter { matches(filter, $0.jobName, $0.id.context) } }
        return rows.sorted { left, right in
            if left.condition.rank != right.condition.rank { return left.condition.rank > right.condition.rank }
            if left.contextIndex != right.contextIndex { return left.contextIndex < right.contextIndex }
            if left.jobName != right.jobName { return left.jobName < right.jobName }
            return left.id.job.map { job in right.id.job.map { job < $0 } ?? false } ?? true
        }
    }

    var selectedOverviewRow: OverviewRow? {
        let rows = overviewRows
        return rows.first { $0.id == cursors.overview } ?? rows.first
    }

    /// The checkpoints of the current job, the newest first.
    var checkpointRows: [CheckpointReport] {
        guard let key = currentJob else { return [] }
        let rows = shown.memory(key).checkpoints
        guard let filter = filters[.checkpoints] else { return rows }
        return rows.filter {
            matches(filter, "#\($0.id)", $0.kind.rawValue, $0.status.rawValue, $0.failure?.reason.short ?? "", $0.requestedBy ?? "", $0.path ?? "")
        }
    }

    var selectedCheckpoint: CheckpointReport? {
        if filters[.checkpoints] == nil, let key = currentJob {
            let memory = shown.memory(key)
            return cursors.checkpoint.flatMap { memory[$0] } ?? memory.checkpoints.first
        }
        let rows = checkpointRows
        return rows.first { $0.id == cursors.checkpoint } ?? rows.first
    }

    /// The checkpoint that a detail screen shows, with its operators once they are known.
    func detail(_ id: CheckpointID) -> CheckpointReport? {
        guard let key = currentJob else { return nil }
        let memory = shown.memory(key)
        let listed = memory[id]
        guard var detailed = memory.details[id] else { return listed }
        // The list is newer where the checkpoint has ended since.
        if let listed, detailed.status == .inProgress, listed.status != .inProgress {
            let operators = detailed.operators
            detailed = listed
            detailed.operators = operators
        }
        return detailed
    }

    var failureRows: [FailureRow] {
        guard let key = currentJob, let job = shown.job(key) else { return [] }
        let memory = shown.memory(key)
        var failures = memory.failures
        if let last = job.lastFailure, !failures.contains(last) { failures.append(last) }
        var rows = failures.map { failure in
            let place = failure.vertex.map { vertex in "\(vertex)\(failure.subtask.map { " sub \($0)" } ?? "")" } ?? "job"
            return FailureRow(
                at: failure.at, subject: "\(place) attempt \(failure.attempt)", message: SafeText(failure.message), isCheckpoint: false,
                isCounted: nil)
        }
        for index in memory.checkpoints.indices where memory.checkpoints[index].status == .failed {
            let checkpoint = memory.checkpoints[index]
            guard let failure = checkpoint.failure else { continue }
            let place = failure.operatorUID.map { uid in " \(uid)\(failure.subtask.map { " sub \($0)" } ?? "")" } ?? ""
            rows.append(
                FailureRow(
                    at: failure.at, subject: "#\(checkpoint.id) \(failure.reason.short)\(place)", message: SafeText(failure.message),
                    isCheckpoint: true,
                    isCounted: failure.counted))
        }
        rows.sort { $0.at > $1.at }
        if let filter = filters[.failures] { rows = rows.filter { matches(filter, $0.subject.string, $0.message.string) } }
        return Self.folded(rows)
    }

    /// Neighbours that say the same become one row with a count.
    private static func folded(_ rows: [FailureRow]) -> [FailureRow] {
        var result: [FailureRow] = []
        for row in rows {
            if let last = result.last, !row.message.isEmpty, last.message == row.message, last.isCheckpoint == row.isCheckpoint {
                result[result.count - 1].folded += 1
            } else {
                result.append(row)
            }
        }
        return result
    }

    var operationRows: [TrackedOperation] {
        guard let filter = filters[.operations] else { return shown.operations }
        return shown.operations.filter {
            matches(filter, $0.verb.string, $0.jobName, $0.context, $0.stage.rawValue, $0.request.by, $0.id.description)
        }
    }

    var selectedOperation: TrackedOperation? {
        let rows = operationRows
        return rows.first { $0.id == cursors.operation } ?? rows.first
    }

    private func matches(_ filter: String, _ fields: String...) -> Bool {
        let wanted = filter.lowercased()
        return fields.contains { $0.lowercased().contains(wanted) }
    }

    // MARK: The list that the cursor keys move in

    var listKind: ListKind? {
        switch screen {
        case .overview: .overview
        case .job, .checkpoints: .checkpoints
        case .failures: .failures
        case .operations: .operations
        case .checkpoint, .subtasks, .operation: nil
        }
    }

    /// Number of rows and the selected one.
    var listPosition: (count: Int, index: Int) {
        switch screen {
        case .overview:
            let rows = overviewRows
            return (rows.count, rows.firstIndex { $0.id == cursors.overview } ?? 0)
        case .job, .checkpoints:
            let rows = checkpointRows
            return (rows.count, rows.firstIndex { $0.id == cursors.checkpoint } ?? 0)
        case .checkpoint(let id):
            let rows = detail(id)?.operators ?? []
            return (rows.count, rows.firstIndex { $0.uid == cursors.operatorUID } ?? 0)
        case .subtasks(let id, let uid):
            let count = subtaskRows(id, uid).count
            return (count, min(cursors.subtask ?? 0, max(count - 1, 0)))
        case .failures:
            let count = failureRows.count
            return (count, min(cursors.failure, max(count - 1, 0)))
        case .operations:
            let rows = operationRows
            return (rows.count, rows.firstIndex { $0.id == cursors.operation } ?? 0)
        case .operation: return (0, 0)
        }
    }

    /// The subtasks of an operator, those that have not acknowledged first, then the slowest.
    func subtaskRows(_ id: CheckpointID, _ uid: String) -> [SubtaskCheckpointReport] {
        guard let checkpoint = detail(id), let row = checkpoint.operators?.first(where: { $0.uid == uid }) else { return [] }
        return row.subtasks.sorted { left, right in
            switch (left.acknowledgedAt, right.acknowledgedAt) {
            case (nil, nil): left.index < right.index
            case (nil, _): true
            case (_, nil): false
            case (let first?, let second?): first == second ? left.index < right.index : first > second
            }
        }
    }

    mutating func select(_ index: Int) {
        let index = max(0, min(index, listPosition.count - 1))
        switch screen {
        case .overview:
            let rows = overviewRows
            if rows.indices.contains(index) { cursors.overview = rows[index].id }
        case .job, .checkpoints:
            let rows = checkpointRows
            // The first row means the newest, whichever that will be.
            if rows.indices.contains(index) { cursors.checkpoint = index == 0 ? nil : rows[index].id }
        case .checkpoint(let id):
            let rows = detail(id)?.operators ?? []
            if rows.indices.contains(index) { cursors.operatorUID = rows[index].uid }
        case .subtasks: cursors.subtask = index
        case .failures: cursors.failure = index
        case .operations:
            let rows = operationRows
            if rows.indices.contains(index) { cursors.operation = index == 0 ? nil : rows[index].id }
        case .operation: break
        }
    }
}
