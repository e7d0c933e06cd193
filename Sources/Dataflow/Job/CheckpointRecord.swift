internal import CheckpointStore
internal import StreamModel

/// The job's record of checkpoints: a row for each, and the parts of those in flight. Owned by the job's thread.
struct CheckpointRecord {
    /// Maximum number of rows, and of newest rows with detail per operator.
    private static let maximumRows = 5000, maximumDetails = 50

    private(set) var rows: [CheckpointReport]
    private(set) var details: [CheckpointID: CheckpointReport] = [:]
    private(set) var revision: UInt64 = 0
    var restored = 0
    private var parts: [CheckpointID: [SubtaskSnapshot]] = [:]
    private var barriers: [CheckpointID: Barrier] = [:]
    /// Those of `barriers` already injected into the sources.
    private var injectedBarriers: Set<CheckpointID> = []
    /// Trigger times of those in flight, by the clock that never jumps, for their durations.
    private var begun: [CheckpointID: EngineInstant] = [:]
    private let plan: ExecutionPlan

    init(history: [CheckpointReport], plan: ExecutionPlan) {
        rows = history
        self.plan = plan
    }

    func report(_ id: CheckpointID) -> CheckpointReport? { rows.last { $0.id == id } }
    func barrier(_ id: CheckpointID) -> Barrier? { barriers[id] }
    func parts(of id: CheckpointID) -> [SubtaskSnapshot]? { parts[id] }

    mutating func takeParts(of id: CheckpointID) -> [SubtaskSnapshot] {
        barriers[id] = nil
        injectedBarriers.remove(id)
        return parts.removeValue(forKey: id) ?? []
    }

    mutating func injected(_ id: CheckpointID) { injectedBarriers.insert(id) }

    /// Checkpoints in progress without a part of the subtask, oldest first.
    func openBarriers(without task: SubtaskID) -> [Barrier] {
        injectedBarriers.sorted().compactMap { id in
            parts[id]?.contains { $0.subtask == task } == false ? barriers[id] : nil
        }
    }

    var inProgress: [CheckpointReport] { rows.suffix(1100).filter { $0.status == .inProgress } }
    func latest(where condition: (CheckpointReport) -> Bool) -> CheckpointReport? { rows.last(where: condition) }

    mutating func triggered(
        _ id: CheckpointID, kind: CheckpointKind, by: String?, timeout: Milliseconds, at now: WallTime, instant: EngineInstant
    ) {
        let operators = plan.vertices.flatMap { vertex in
            vertex.nodes.map { node in
                OperatorCheckpointReport(
                    uid: node.effectiveUID, name: node.name, operatorID: OperatorID(uid: node.effectiveUID), parallelism: vertex.parallelism,
                    stateSize: 0, subtasks: (0..<vertex.parallelism).map { SubtaskCheckpointReport(index: $0) })
            }
        }
        let row = CheckpointReport(
            id: id, kind: kind, status: .inProgress, triggeredAt: now, timeoutAt: now + timeout, totalSubtasks: plan.subtasks.count,
            requestedBy: by)
        rows.append(row)
        var detail = row
        detail.operators = operators
        details[id] = detail
        parts[id] = []
        begun[id] = instant
        barriers[id] = Barrier(checkpoint: id, kind: kind, triggeredAt: instant)
        trim()
        revision += 1
    }

    /// Duration of a checkpoint until now.
    private func duration(of id: CheckpointID, until instant: EngineInstant) -> Milliseconds? {
        begun[id].map { Milliseconds((instant.nanoseconds - $0.nanoseconds) / 1_000_000) }
    }

    mutating func acknowledged(_ snapshot: SubtaskSnapshot, at now: WallTime, instant: EngineInstant) {
        let id = snapshot.barrier.checkpoint
        guard parts[id]?.contains(where: { $0.subtask == snapshot.subtask }) == false else { return }
        parts[id]?.append(snapshot)
        let duration = duration(of: id, until: instant)
        update(id) { row in
            row.acknowledgedSubtasks += 1
            row.stateSize = row.stateSize + snapshot.stateSize
            row.checkpointedSize = (row.checkpointedSize ?? 0) + snapshot.checkpointedSize
            row.duration = duration
            guard var operators = row.operators else { return }
            for part in snapshot.states {
                guard let index = operators.firstIndex(where: { $0.uid == part.uid }) else { continue }
                operators[index].stateSize = operators[index].stateSize + part.state.stateSize
                operators[index].checkpointedSize = (operators[index].checkpointedSize ?? 0) + part.checkpointedSize
                operators[index].subtasks[snapshot.subtask.index] = SubtaskCheckpointReport(
                    index: snapshot.subtask.index, acknowledgedAt: now, stateSize: part.state.stateSize,
                    checkpointedSize: part.checkpointedSize, startDelayMicroseconds: max(0, snapshot.startDelay / 1000),
                    alignmentMicroseconds: snapshot.alignment / 1000,
                    syncMicroseconds: snapshot.sync / 1000, asyncMicroseconds: snapshot.async / 1000)
            }
            row.operators = operators
        }
    }

    /// Notes the path of the manifest being written; it becomes visible when it is durable.
    mutating func willComplete(_ id: CheckpointID, path: String) { paths[id] = path }
    private var paths: [CheckpointID: String] = [:]

    mutating func completed(_ id: CheckpointID, at now: WallTime, instant: EngineInstant) {
        let path = paths.removeValue(forKey: id), duration = duration(of: id, until: instant)
        begun[id] = nil
        update(id) { row in
            row.status = .completed
            row.path = path
            row.endedAt = now
            row.duration = duration
        }
    }

    mutating func failed(
        _ id: CheckpointID, reason: CheckpointFailureReason, message: String, counted: Bool, task: SubtaskID?, at now: WallTime, instant: EngineInstant
    ) {
        paths[id] = nil
        let duration = duration(of: id, until: instant)
        begun[id] = nil
        _ = takeParts(of: id)
        let operatorUID = task.map { plan.vertices[$0.vertex].uid }
        update(id) { row in
            row.status = .failed
            row.endedAt = now
            row.duration = duration ?? row.duration
            row.failure = CheckpointReport.Failure(
                reason: reason, message: message, counted: counted, operatorUID: operatorUID, subtask: task?.index, at: now)
        }
    }

    /// Notes a checkpoint found damaged or missing, with the path of its remains.
    mutating func lost(_ id: CheckpointID, path: String) {
        update(id) { row in
            row.discarded = true
            row.path = path
        }
    }

    mutating func discarded(_ id: CheckpointID) { update(id) { $0.discarded = true } }

    private mutating func update(_ id: CheckpointID, _ change: (inout CheckpointReport) -> Void) {
        if let index = rows.lastIndex(where: { $0.id == id }) { change(&rows[index]) }
        if var detail = details[id] {
            change(&detail)
            details[id] = detail
        }
        revision += 1
    }

    private mutating func trim() {
        if rows.count > Self.maximumRows { rows.removeFirst(rows.count - Self.maximumRows) }
        if details.count > Self.maximumDetails, let oldest = details.keys.min() { details[oldest] = nil }
    }
}
