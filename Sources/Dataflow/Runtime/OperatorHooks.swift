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
    /// Event time has advanced: emit what that makes due, then forward it. The maker of the operator fills it in with forwarding.
    @usableFromInline var advance: (StreamTime) -> Void
    /// What the operator wants done at a time.
    @usableFromInline var alarm: Alarm?
    /// The input has ended: emit what was held back.
    @usableFromInline var endOfInput: () throws -> Void = {}
    /// A checkpoint is complete and durable; what it listed may be committed.
    @usableFromInline var completed: (CheckpointID) -> Void = { _ in }
    @usableFromInline var stateBytes: () -> Int = { 0 }
    /// Called once, last, whatever happened.
    @usableFromInline var close: () -> Void = {}

    @usableFromInline
    init(uid: String, advance: @escaping (StreamTime) -> Void) {
        self.uid = uid
        self.advance = advance
    }
}

/// A piece of an operator's state in a snapshot.
@usableFromInline
enum SnapshotPart {
    /// Small state: list elements (or one scalar), encoded in the synchronous part.
    case elements(name: String, kind: StateHandle.Kind, type: String, [[UInt8]])
    /// Keyed state, encoded by the writer thread.
    case keyed(name: String, type: String, TableSnapshot)
    /// Output of a sink to be committed once the checkpoint is durable. The closure makes it durable first, on the file worker, and returns
    /// the payloads of the committables.
    case committables(type: String, () throws -> [[UInt8]])

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
        let handles = try handles(named: name, accepting: [type])
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

    /// Feeds the entries of this subtask's key groups to the loader of the stored shape.
    @usableFromInline
    func keyed(named name: String, _ loader: KeyedLoader) throws {
        let handles = try self.handles(named: name, accepting: loader.shapes)
        try KeyedStateReader(snapshot: snapshot, operatorUID: state.uid, state: name, groups: context.keyGroups)
            .read(handles.map(\.handle), into: loader)
    }

    private func handles(named name: String, accepting shapes: [String]) throws -> [(subtask: Int, handle: StateHandle)] {
        try state.subtasks.flatMap { subtask in
            try subtask.states.filter { $0.name == name }.map { handle in
                guard shapes.contains(handle.valueType) else {
                    throw JobError.stateTypeChanged(
                        path: snapshot.path, operatorUID: state.uid, state: name, stored: handle.valueType,
                        wanted: shapes.first ?? "nothing")
                }
                return (subtask.index, handle)
            }
        }
    }
}

/// How entries get back into a table, by the shape that they were stored in.
@usableFromInline
struct KeyedLoader {
    /// Reads this many entries of a key group.
    @usableFromInline typealias Load = (_ entries: Int, _ group: Int, _ reader: inout StateReader) throws(StateDecodingError) -> Void

    /// The state's own shape first, then those that are migrated.
    let shapes: [String]
    private let loads: [Load]
    /// Told before the entries of a key group come, and how many they are in all.
    let reserve: (_ entries: Int, _ group: Int) -> Void

    @usableFromInline
    init(_ loads: [(shape: String, load: Load)], reserve: @escaping (Int, Int) -> Void) {
        shapes = loads.map(\.shape)
        self.loads = loads.map(\.load)
        self.reserve = reserve
    }

    func load(_ shape: String) -> Load? { shapes.firstIndex(of: shape).map { loads[$0] } }
}

/// Reads keyed state back: each file from front to back in large pieces, only the key groups that are wanted.
struct KeyedStateReader {
    let snapshot: LoadedSnapshot
    let operatorUID: String
    let state: String
    let groups: Range<Int>

    /// Sections that lie close together in a file are read at once, up to this many bytes.
    private static let pieceLength: UInt64 = 4 << 20
    /// What is read for nothing rather than in two pieces.
    private static let toleratedGap: UInt64 = 64 << 10

    private struct Part {
        var section: KeyGroupSection
        let load: KeyedLoader.Load
    }

    func read(_ handles: [StateHandle], into loader: KeyedLoader) throws {
        var entries: [Int: UInt64] = [:]
        var byFile: [String: [Part]] = [:]
        var inline: [(Part, [UInt8])] = []
        for handle in handles {
            guard let load = loader.load(handle.valueType) else { continue }
            for section in handle.sections where groups.contains(section.group) && section.entries > 0 {
                // An entry has at least a byte: a count that says more is refused below, and gets no memory here.
                entries[section.group, default: 0] += min(section.entries, section.length)
                switch handle.location {
                case .inline(let bytes): inline.append((Part(section: section, load: load), bytes))
                case .file(let name, _, _): byFile[name, default: []].append(Part(section: section, load: load))
                case .files(let names): byFile[names[section.file], default: []].append(Part(section: section, load: load))
                }
            }
        }
        for (group, count) in entries.sorted(by: { $0.key < $1.key }) { loader.reserve(Int(count), group) }
        for (part, bytes) in inline { try bytes.withUnsafeBytes { try decode(part, $0, at: 0) } }
        for (name, parts) in byFile.sorted(by: { $0.key < $1.key }) {
            try read(parts.sorted { $0.section.offset < $1.section.offset }, from: try snapshot.open(file: name))
        }
    }

    private func read(_ parts: [Part], from file: SnapshotFile) throws {
        var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(Self.pieceLength), alignment: 4096)
        defer { buffer.deallocate() }
        var next = 0
        while next < parts.count {
            let start = parts[next].section.offset
            var end = start + parts[next].section.length, last = next
            while last + 1 < parts.count {
                let section = parts[last + 1].section
                guard section.offset <= end + Self.toleratedGap, section.offset + section.length - start <= Self.pieceLength else { break }
                end = max(end, section.offset + section.length)
                last += 1
            }
            let length = Int(end - start)
            if length > buffer.count {
                buffer.deallocate()
                buffer = .allocate(byteCount: length, alignment: 4096)
            }
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<length])
            try file.read(into: piece, offset: start)
            for part in parts[next...last] { try decode(part, UnsafeRawBufferPointer(piece), at: start) }
            next = last + 1
        }
    }

    /// - Parameter start: offset of the bytes in the place that the section counts from.
    private func decode(_ part: Part, _ bytes: UnsafeRawBufferPointer, at start: UInt64) throws {
        let section = part.section
        let from = Int(section.offset - start)
        var reader = StateReader(UnsafeRawBufferPointer(rebasing: bytes[from..<from + Int(section.length)]))
        do throws(StateDecodingError) {
            guard section.entries <= section.length else {
                throw StateDecodingError(offset: 0, problem: "\(section.entries) entries do not fit \(section.length) bytes")
            }
            try part.load(Int(section.entries), section.group, &reader)
            guard reader.isAtEnd else {
                throw StateDecodingError(offset: reader.offset, problem: "\(reader.remaining) bytes too many")
            }
        } catch {
            throw JobError.unreadableState(
                path: snapshot.path, operatorUID: operatorUID, state: state, detail: "key group \(section.group): \(error)")
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
}
