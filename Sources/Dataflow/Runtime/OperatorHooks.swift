public import CheckpointStore
public import StreamModel

/// What the subtask calls of one operator instance, besides its batches. Closures made where the types are known, so that they are
/// specialised; all are called on the subtask's thread.
@usableFromInline
struct OperatorHooks {
    @usableFromInline let uid: String
    /// The synchronous part of a snapshot. An error fails the task.
    @usableFromInline var snapshot: (CheckpointID) throws -> [SnapshotPart] = { _ in [] }
    /// Called once, before the first record.
    @usableFromInline var restore: (OperatorRestore) throws -> Void = { _ in }
    /// The input has ended: emit what was held back.
    @usableFromInline var endOfInput: () throws -> Void = {}
    /// A checkpoint is complete and durable; what it listed may be committed.
    @usableFromInline var completed: (CheckpointID) -> Void = { _ in }
    @usableFromInline var stateBytes: () -> Int = { 0 }
    /// Called once, last, whatever happened.
    @usableFromInline var close: () -> Void = {}

    @usableFromInline init(uid: String) { self.uid = uid }
}

/// A piece of an operator's state in a snapshot.
@usableFromInline
enum SnapshotPart {
    /// Small state: list elements (or one scalar), encoded in the synchronous part.
    case elements(name: String, kind: StateHandle.Kind, type: String, [[UInt8]])
    /// Keyed state, encoded by the writer thread.
    case keyed(name: String, type: String, TableSnapshot)
    /// Files of a sink to be renamed once the checkpoint is durable. The closure makes them durable first, on the writer thread.
    case pendingFiles(() throws -> [PendingCommit])

    /// A list whose elements are dealt out anew when the parallelism changes.
    @usableFromInline
    static func splitList(_ name: String, type: String, _ elements: [[UInt8]]) -> SnapshotPart {
        .elements(name: name, kind: .listSplit, type: type, elements)
    }
}

/// The state that an operator instance starts from: its part of a snapshot, cut for its subtask.
@usableFromInline
struct OperatorRestore {
    let snapshot: LoadedSnapshot
    let state: OperatorState
    let context: SubtaskContext

    /// The elements of a list state. At the same parallelism each subtask gets its own list back; otherwise all elements are cut into
    /// contiguous runs (flink.md 4.3, SPLIT_DISTRIBUTE). Union state gives every subtask every element.
    @usableFromInline
    func elements(named name: String, type: String) throws -> [[UInt8]] {
        let handles = try handles(named: name, type: type)
        let perSubtask = try handles.map { try snapshot.elements(of: $0.handle) }
        if handles.first?.handle.kind == .listUnion { return perSubtask.flatMap { $0 } }
        if state.parallelism == context.parallelism {
            return try handles.filter { $0.subtask == context.index }.flatMap { try snapshot.elements(of: $0.handle) }
        }
        let all = perSubtask.flatMap { $0 }
        let base = all.count / context.parallelism, extra = all.count % context.parallelism
        let start = context.index * base + min(context.index, extra)
        return Array(all[start..<start + base + (context.index < extra ? 1 : 0)])
    }

    /// Feeds the entries of this subtask's key groups to `load(count, group, reader)`.
    @usableFromInline
    func keyed(named name: String, type: String, _ load: (Int, Int, inout StateReader) throws(StateDecodingError) -> Void) throws {
        for (_, handle) in try handles(named: name, type: type) {
            for section in handle.sections where context.keyGroups.contains(section.group) && section.entries > 0 {
                let bytes = try snapshot.bytes(of: section, in: handle)
                try bytes.withUnsafeBytes { buffer in
                    var reader = StateReader(buffer)
                    do throws(StateDecodingError) {
                        try load(Int(section.entries), section.group, &reader)
                        guard reader.isAtEnd else {
                            throw StateDecodingError(offset: reader.offset, problem: "\(reader.remaining) bytes too many")
                        }
                    } catch {
                        throw JobError.unreadableState(
                            path: snapshot.path, operatorUID: state.uid, state: name, detail: "key group \(section.group): \(error)")
                    }
                }
            }
        }
    }

    private func handles(named name: String, type: String) throws -> [(subtask: Int, handle: StateHandle)] {
        try state.subtasks.flatMap { subtask in
            try subtask.states.filter { $0.name == name }.map { handle in
                guard handle.valueType == type else {
                    throw JobError.stateTypeChanged(
                        path: snapshot.path, operatorUID: state.uid, state: name, stored: handle.valueType, wanted: type)
                }
                return (subtask.index, handle)
            }
        }
    }
}

extension LoadedSnapshot {
    /// The list elements that a handle holds, each with its own bytes.
    func elements(of handle: StateHandle) throws -> [[UInt8]] {
        let bytes = try read(handle)
        var start = 0
        return (handle.elements ?? [UInt32(bytes.count)]).map { length in
            defer { start += Int(length) }
            return Array(bytes[start..<min(start + Int(length), bytes.count)])
        }
    }

    func bytes(of section: KeyGroupSection, in handle: StateHandle) throws -> [UInt8] {
        switch handle.location {
        case .inline(let bytes):
            guard section.offset + section.length <= UInt64(bytes.count) else { return bytes }
            return Array(bytes[Int(section.offset)..<Int(section.offset + section.length)])
        case .file(let name, _, _):
            return try read(file: name, offset: section.offset, length: Int(section.length))
        }
    }
}
