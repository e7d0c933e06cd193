internal import CheckpointStore
internal import StreamModel
internal import Synchronization

/// The asynchronous part of one subtask's snapshot: made on the subtask's thread, run on the job's file worker.
struct SnapshotTask: @unchecked Sendable {
    // Sound: handed over once; the subtask does not touch the parts afterwards (tables are held by their snapshots).
    let barrier: Barrier
    let subtask: SubtaskID
    /// Operators with their parts, in chain order.
    let operators: [(uid: String, parts: [SnapshotPart])]
    let isFinished: Bool
    let startDelay: Int64
    let alignment: Int64
    let sync: Int64
    /// Time when the synchronous part ended.
    let handedOverAt: EngineInstant

    /// Writes large state to files and collects small state.
    func run(into attempt: CheckpointAttempt, host: any EngineHost) throws -> SubtaskSnapshot {
        let tables = keyedSources
        defer { for source in tables { source.table.finish() } }
        let writer = KeyedStateWriter(tables, attempt: attempt, subtask: subtask)
        var states: [OperatorPart] = []
        var committables: [Committable] = []
        for (uid, parts) in operators {
            var handles: [StateHandle] = []
            var written: UInt64 = 0
            for part in parts {
                switch part {
                case .elements(let name, let kind, let type, let elements):
                    let handle = StateHandle(
                        name: name, kind: kind, valueType: type, location: .inline(elements.flatMap { $0 }),
                        elements: elements.map { UInt32($0.count) })
                    handles.append(handle)
                    written += handle.length
                case .keyed(let name, let type, let table, let epochs):
                    let source = KeyedStateWriter.Source(uid: uid, name: name, type: type, table: table, epochs: epochs)
                    let result = try writer.write(source)
                    // The table may have its pages back: the rest can take long.
                    table.finish()
                    handles.append(result.handle)
                    written += result.written
                case .committables(let type, let makeDurable):
                    committables += try makeDurable().map { Committable(uid: uid, subtask: subtask.index, type: type, payload: $0) }
                }
            }
            states.append(
                OperatorPart(
                    uid: uid, state: SubtaskState(index: subtask.index, isFinished: isFinished, states: handles),
                    checkpointedSize: ByteCount(Int64(clamping: written))))
        }
        return SubtaskSnapshot(
            barrier: barrier, subtask: subtask, states: states, files: try writer.finish(), committables: committables,
            startDelay: startDelay, alignment: alignment, sync: sync, async: host.now().nanoseconds - handedOverAt.nanoseconds)
    }

    private var keyedSources: [KeyedStateWriter.Source] {
        operators.flatMap { uid, parts in
            parts.compactMap { part in
                guard case .keyed(let name, let type, let table, let epochs) = part else { return nil }
                return KeyedStateWriter.Source(uid: uid, name: name, type: type, table: table, epochs: epochs)
            }
        }
    }
}

/// One operator's part of a subtask's snapshot.
struct OperatorPart: Sendable {
    let uid: String
    let state: SubtaskState
    /// Bytes written by this checkpoint; the rest of the state is in files of older ones.
    let checkpointedSize: ByteCount
}

/// A subtask's part of a checkpoint, on disk: the content of its acknowledgement.
struct SubtaskSnapshot: Sendable {
    let barrier: Barrier
    let subtask: SubtaskID
    let states: [OperatorPart]
    /// Files of the states, including those written by older checkpoints.
    let files: [StateFileEntry]
    let committables: [Committable]
    /// Durations in nanoseconds.
    let startDelay, alignment, sync, async: Int64

    var stateSize: ByteCount { states.reduce(0) { $0 + $1.state.stateSize } }
    var checkpointedSize: ByteCount { states.reduce(0) { $0 + $1.checkpointedSize } }
}

/// Checkpoints being written, by id: the job thread adds and removes them, writers look them up.
final class OpenAttempts: Sendable {
    private let attempts = Mutex<[CheckpointID: CheckpointAttempt]>([:])

    subscript(id: CheckpointID) -> CheckpointAttempt? { attempts.withLock { $0[id] } }
    func insert(_ attempt: CheckpointAttempt) { attempts.withLock { $0[attempt.id] = attempt } }
    @discardableResult
    func remove(_ id: CheckpointID) -> CheckpointAttempt? { attempts.withLock { $0.removeValue(forKey: id) } }
}
