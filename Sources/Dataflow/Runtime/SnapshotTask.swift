internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// The asynchronous part of one subtask's snapshot: made on the subtask's thread, run on the job's file worker.
struct SnapshotTask: @unchecked Sendable {
    // Sound: handed over once; the parts are not touched by the subtask afterwards (tables are held by their snapshots).
    let barrier: Barrier
    let subtask: SubtaskID
    /// In chain order.
    let operators: [(uid: String, parts: [SnapshotPart])]
    let isFinished: Bool
    let startDelay: Int64
    let alignment: Int64
    let sync: Int64
    /// When the synchronous part ended.
    let handedOverAt: EngineInstant

    /// Writes what is big, collects what is small.
    func run(into attempt: CheckpointAttempt, host: any EngineHost) throws -> SubtaskSnapshot {
        var states: [(uid: String, state: SubtaskState)] = []
        var committables: [Committable] = []
        var file: StateFileWriter?
        var buffer = StateWriter(capacity: 1 << 20)
        defer { buffer.release() }
        do {
            for (uid, parts) in operators {
                var handles: [StateHandle] = []
                for part in parts {
                    switch part {
                    case .elements(let name, let kind, let type, let elements):
                        handles.append(
                            StateHandle(
                                name: name, kind: kind, valueType: type, location: .inline(elements.flatMap { $0 }),
                                elements: elements.map { UInt32($0.count) }))
                    case .keyed(let name, let type, let table):
                        defer { table.finish() }
                        let writer = try file ?? attempt.createStateFile(role: "keyed-state", name: "task-\(subtask.vertex)-\(subtask.index)")
                        file = writer
                        handles.append(try write(table, name: name, type: type, to: writer, through: &buffer))
                    case .committables(let type, let makeDurable):
                        committables += try makeDurable().map { Committable(uid: uid, subtask: subtask.index, type: type, payload: $0) }
                    }
                }
                states.append((uid, SubtaskState(index: subtask.index, isFinished: isFinished, states: handles)))
            }
            let entry = try file?.finish()
            file = nil
            return SubtaskSnapshot(
                barrier: barrier, subtask: subtask, states: states, file: entry, committables: committables, startDelay: startDelay, alignment: alignment,
                sync: sync, async: host.now().nanoseconds - handedOverAt.nanoseconds)
        } catch {
            file?.abandon()
            throw error
        }
    }

    private func write(
        _ table: TableSnapshot, name: String, type: String, to file: StateFileWriter, through buffer: inout StateWriter
    ) throws -> StateHandle {
        let start = file.offset
        var sections: [KeyGroupSection] = []
        for index in 0..<table.groupCount {
            buffer.removeAll()
            let entries = table.encode(groupAt: index, into: &buffer)
            guard entries > 0 else { continue }
            sections.append(
                KeyGroupSection(
                    group: table.firstGroup + index, offset: file.offset, length: UInt64(buffer.count), entries: UInt64(entries)))
            try file.append(buffer.bytes)
        }
        return StateHandle(
            name: name, kind: .keyed, valueType: type,
            location: .file(name: file.name, offset: start, length: file.offset - start), sections: sections)
    }
}

/// One subtask's part of a checkpoint, on disk: what it acknowledges with.
struct SubtaskSnapshot: Sendable {
    let barrier: Barrier
    let subtask: SubtaskID
    let states: [(uid: String, state: SubtaskState)]
    let file: StateFileEntry?
    let committables: [Committable]
    /// Nanoseconds.
    let startDelay, alignment, sync, async: Int64

    var stateSize: ByteCount { states.reduce(0) { $0 + $1.state.stateSize } }
}

/// The checkpoints that are being written, by id: the job thread puts them in and takes them out, writers look them up.
final class OpenAttempts: Sendable {
    private let attempts = Mutex<[CheckpointID: CheckpointAttempt]>([:])

    subscript(id: CheckpointID) -> CheckpointAttempt? { attempts.withLock { $0[id] } }
    func insert(_ attempt: CheckpointAttempt) { attempts.withLock { $0[attempt.id] = attempt } }
    @discardableResult
    func remove(_ id: CheckpointID) -> CheckpointAttempt? { attempts.withLock { $0.removeValue(forKey: id) } }
}
