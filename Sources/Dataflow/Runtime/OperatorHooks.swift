public import CheckpointStore
public import StreamModel

/// The subtask's calls to one operator instance, apart from its batches. Closures made where the types are known, so that they are specialised; all
/// are called on the subtask's thread.
@usableFromInline
struct OperatorHooks {
    @usableFromInline let uid: String
    /// Takes the synchronous part of a snapshot. An error fails the task.
    @usableFromInline var snapshot: (CheckpointID) throws -> [SnapshotPart] = { _ in [] }
    /// Restores the state, once, before the first record.
    @usableFromInline var restore: (OperatorRestore) throws -> Void = { _ in }
    /// Handles an advance of event time: emits the results due, then forwards it. Forwarding is set by the maker of the operator.
    @usableFromInline var advance: (StreamTime) -> Void
    /// Alarm of the operator, or nil.
    @usableFromInline var alarm: Alarm?
    /// Handles the end of the input: emits pending results.
    @usableFromInline var endOfInput: () throws -> Void = {}
    /// Handles a complete and durable checkpoint, whose outputs may be committed.
    @usableFromInline var completed: (CheckpointID) -> Void = { _ in }
    @usableFromInline var stateBytes: () -> Int = { 0 }
    /// Closes the operator, once, as the last call in any case.
    @usableFromInline var close: () -> Void = {}

    @usableFromInline
    init(uid: String, advance: @escaping (StreamTime) -> Void) {
        self.uid = uid
        self.advance = advance
    }
}

/// A part of an operator's state in a snapshot.
@usableFromInline
enum SnapshotPart {
    /// Small state: list elements (or one scalar), encoded in the synchronous part.
    case elements(name: String, kind: StateHandle.Kind, type: String, [[UInt8]])
    /// Keyed state, encoded by the writer thread. `epochs`: the epochs of the table that ended with earlier checkpoints.
    case keyed(name: String, type: String, TableSnapshot, epochs: [CheckpointID: UInt64])
    /// Output of a sink to be committed once the checkpoint is durable. The closure, run on the file worker, first makes it durable and returns the
    /// payloads of the committables.
    case committables(type: String, () throws -> [[UInt8]])

    /// A list whose elements are redistributed at another parallelism.
    @usableFromInline
    static func splitList(_ name: String, type: String, _ elements: [[UInt8]]) -> SnapshotPart {
        .elements(name: name, kind: .listSplit, type: type, elements)
    }

    /// Splits of a source.
    @usableFromInline
    static func splits(_ splits: [[UInt8]], type: String, _ sharing: SplitSharing) -> SnapshotPart {
        .elements(name: "splits", kind: sharing.kind, type: type, splits)
    }
}

/// The state from which an operator instance starts: its part of a snapshot, for its subtask.
@usableFromInline
struct OperatorRestore {
    let snapshot: LoadedSnapshot
    let state: OperatorState
    let context: SubtaskContext

    /// Elements of a split list, as bytes.
    @usableFromInline
    func elements(named name: String, type: String) throws -> [[UInt8]] {
        try elements(named: name, kind: .listSplit, accepting: [type]) { $1 }
    }

    /// Elements of a list, union list or broadcast state for this subtask (rule 4.3).
    /// - Parameters:
    ///   - shapes: element shapes that `decode` reads; the present one first.
    ///   - decode: decodes one element of the given stored shape.
    func elements<Element>(
        named name: String, kind: StateHandle.Kind, accepting shapes: [String],
        _ decode: (String, [UInt8]) throws(StateDecodingError) -> Element
    ) throws -> [Element] {
        let handles = try self.handles(named: name, kind: kind, accepting: shapes)
        var own: [Element] = []
        for (handle, range) in parts(of: handles, named: name, kind) {
            let elements = try snapshot.elements(of: handle)
            for index in range ?? elements.indices where elements.indices.contains(index) {
                do throws(StateDecodingError) { own.append(try decode(handle.valueType, elements[index])) } catch {
                    throw JobError.unreadableState(
                        path: snapshot.path, operatorUID: state.uid, state: name, detail: "element \(index): \(error)")
                }
            }
        }
        return own
    }

    /// Elements of each handle for this subtask; nil = all of them.
    private func parts(
        of handles: [(subtask: Int, handle: StateHandle)], named name: String, _ kind: StateHandle.Kind
    ) -> [(StateHandle, Range<Int>?)] {
        guard !handles.isEmpty else { return [] }
        switch kind {
        case .listUnion: return handles.map { ($0.handle, nil) }
        case .broadcast: return [(handles[context.index % handles.count].handle, nil)]
        default: break
        }
        if state.parallelism == context.parallelism { return handles.filter { $0.subtask == context.index }.map { ($0.handle, nil) } }
        let wanted = range(ofSplit: name)
        var first = 0
        return handles.compactMap { _, handle in
            let count = handle.elements?.count ?? 1
            defer { first += count }
            let overlap = wanted.clamped(to: first..<first + count)
            return overlap.isEmpty ? nil : (handle, overlap.lowerBound - first..<overlap.upperBound - first)
        }
    }

    /// Range of this subtask's run. It depends on the preceding split lists: they are redistributed together.
    private func range(ofSplit name: String) -> Range<Int> {
        var names: [String] = [], totals: [Int] = []
        for handle in state.subtasks.lazy.flatMap(\.states) where handle.kind == .listSplit {
            let count = handle.elements?.count ?? 1
            if let index = names.firstIndex(of: handle.name) {
                totals[index] += count
            } else {
                names.append(handle.name)
                totals.append(count)
            }
        }
        guard let index = names.firstIndex(of: name) else { return 0..<0 }
        return OperatorStateDistribution.split(totals, parallelism: context.parallelism)[index][context.index]
    }

    /// Splits of a source. Any other sharing would read them twice, or not at all.
    @usableFromInline
    func splits(type: String, _ sharing: SplitSharing) throws -> [[UInt8]] {
        try elements(named: "splits", kind: sharing.kind, accepting: [type]) { $1 }
    }

    /// Passes the entries of this subtask's key groups to the loader of the stored shape.
    @usableFromInline
    func keyed(named name: String, _ loader: KeyedLoader) throws {
        let handles = try self.handles(named: name, kind: .keyed, accepting: loader.shapes)
        try KeyedStateReader(snapshot: snapshot, operatorUID: state.uid, state: name, groups: context.keyGroups)
            .read(handles.map(\.handle), into: loader)
    }

    private func handles(
        named name: String, kind: StateHandle.Kind, accepting shapes: [String]
    ) throws -> [(subtask: Int, handle: StateHandle)] {
        try state.subtasks.flatMap { subtask in
            try subtask.states.filter { $0.name == name }.map { handle in
                guard handle.kind == kind, shapes.contains(handle.valueType) else {
                    throw JobError.stateTypeChanged(
                        path: snapshot.path, operatorUID: state.uid, state: name, stored: handle.kind.words(handle.valueType),
                        wanted: kind.words(shapes.first ?? "nothing"))
                }
                return (subtask.index, handle)
            }
        }
    }
}

extension StateHandle.Kind {
    /// Description of a state with this kind and shape, for messages.
    func words(_ shape: String) -> String {
        switch self {
        case .keyed: shape
        case .listSplit: "list of \(shape)"
        case .listUnion: "union list of \(shape)"
        case .broadcast: "broadcast \(shape)"
        case .scalar: "single \(shape)"
        }
    }
}

extension SplitSharing {
    fileprivate var kind: StateHandle.Kind { self == .dealtOut ? .listSplit : .listUnion }
}

/// Loads entries back into a table, by their stored shape.
@usableFromInline
struct KeyedLoader {
    /// Reads this many entries of a key group.
    @usableFromInline typealias Load = (_ entries: Int, _ group: Int, _ reader: inout StateReader) throws(StateDecodingError) -> Void

    /// Readable shapes, the state's own first.
    let shapes: [String]
    private let loads: [Load]
    /// Announces the total number of entries of a key group, before they come.
    let reserve: (_ entries: Int, _ group: Int) -> Void

    @usableFromInline
    init(_ loads: [(shape: String, load: Load)], reserve: @escaping (Int, Int) -> Void) {
        shapes = loads.map(\.shape)
        self.loads = loads.map(\.load)
        self.reserve = reserve
    }

    func load(_ shape: String) -> Load? { shapes.firstIndex(of: shape).map { loads[$0] } }
}

/// Reads keyed state back: each file from front to back in large pieces, only the wanted key groups.
struct KeyedStateReader {
    let snapshot: LoadedSnapshot
    let operatorUID: String
    let state: String
    let groups: Range<Int>

    /// Maximum size of a read that combines neighbouring sections.
    private static let pieceLength: UInt64 = 1 << 20
    /// Maximum gap read in vain to avoid a second read.
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
                // An entry has at least a byte: a larger count is refused below, and gets no memory here.
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

    /// - Parameter start: file offset of the bytes from which the section counts.
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
    /// List elements of a handle, each with its own bytes.
    func elements(of handle: StateHandle) throws -> [[UInt8]] {
        let bytes = try read(handle)
        var start = 0
        return (handle.elements ?? [UInt32(bytes.count)]).map { length in
            defer { start += Int(length) }
            return Array(bytes[start..<min(start + Int(length), bytes.count)])
        }
    }
}
