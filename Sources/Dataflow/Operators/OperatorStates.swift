internal import CheckpointStore

/// The states of one operator or source instance that belong to the subtask, not to a key. Obtained in `open`; restored before the first record. Used
/// on the subtask's thread.
///
/// Redistribution at another parallelism: `list` in contiguous runs, `unionList` whole to every subtask (even at the same parallelism), `broadcast`
/// as one copy to every subtask.
public final class OperatorStates {
    private struct Registered {
        let name: String
        let snapshot: () -> SnapshotPart
        let restore: (OperatorRestore) throws -> Void
    }

    private var registered: [Registered] = []

    @usableFromInline init() {}

    /// A list whose elements are redistributed at another parallelism; at the same one each subtask gets its own back.
    public func list<Element: StateCodable>(
        _ name: String, of type: Element.Type = Element.self, migration: StateMigration<Element> = .none
    ) throws -> OperatorListState<Element> { try list(name, .listSplit, migration) }

    /// A list restored whole to every subtask, which keeps its own elements. Small by nature: n subtasks read n lists.
    public func unionList<Element: StateCodable>(
        _ name: String, of type: Element.Type = Element.self, migration: StateMigration<Element> = .none
    ) throws -> OperatorListState<Element> { try list(name, .listUnion, migration) }

    /// A map that is the same in every subtask; the operator must keep it so.
    public func broadcast<MapKey: StateCodable & Hashable & Comparable, Value: StateCodable>(
        _ name: String, from keyType: MapKey.Type = MapKey.self, to type: Value.Type = Value.self, migration: StateMigration<Value> = .none
    ) throws -> BroadcastState<MapKey, Value> {
        let state = BroadcastState<MapKey, Value>()
        let codec = ElementCodec<[MapKey: Value]>(migration.shapes.map { $0.dictionary() })
        try register(name, .broadcast, codec) {
            [state.entries]
        } set: {
            state.entries = $0.first ?? [:]
        }
        return state
    }

    private func list<Element: StateCodable>(
        _ name: String, _ kind: StateHandle.Kind, _ migration: StateMigration<Element>
    ) throws -> OperatorListState<Element> {
        let state = OperatorListState<Element>()
        try register(name, kind, ElementCodec(migration.shapes)) {
            state.elements
        } set: {
            state.elements = $0
        }
        return state
    }

    private func register<Element: StateCodable>(
        _ name: String, _ kind: StateHandle.Kind, _ codec: ElementCodec<Element>, get: @escaping () -> [Element],
        set: @escaping ([Element]) -> Void
    ) throws {
        guard !registered.contains(where: { $0.name == name }) else {
            throw JobError.invalidGraph("an operator asks for two states named \"\(name)\"")
        }
        registered.append(
            Registered(
                name: name,
                snapshot: { .elements(name: name, kind: kind, type: Element.stateTypeName, get().map(codec.encode)) },
                restore: { restore in
                    set(
                        try restore.elements(named: name, kind: kind, accepting: codec.shapes) { shape, bytes throws(StateDecodingError) in
                            try codec.decode(shape, bytes)
                        })
                }))
    }

    var isEmpty: Bool { registered.isEmpty }
    var parts: [SnapshotPart] { registered.map { $0.snapshot() } }
    func restore(_ state: OperatorRestore) throws { for registered in registered { try registered.restore(state) } }

    /// Registers the states for checkpoints and restores, in addition to the existing hooks.
    @usableFromInline
    func install(in hooks: inout OperatorHooks) {
        guard !isEmpty else { return }
        let (snapshot, restore) = (hooks.snapshot, hooks.restore)
        hooks.snapshot = { id in try snapshot(id) + self.parts }
        hooks.restore = { state in
            try restore(state)
            try self.restore(state)
        }
    }
}

/// A list of an operator. A class, shared by the function that obtained it and the snapshot.
public final class OperatorListState<Element: StateCodable> {
    public var elements: [Element] = []
}

/// A map that is the same in every subtask of an operator.
public final class BroadcastState<MapKey: StateCodable & Hashable & Comparable, Value: StateCodable> {
    public var entries: [MapKey: Value] = [:]

    public subscript(key: MapKey) -> Value? {
        get { entries[key] }
        set { entries[key] = newValue }
    }
}

/// Encodes and decodes elements of a list state, also from older shapes.
private struct ElementCodec<Element: StateCodable> {
    private let older: [StoredShape<Element>]

    init(_ older: [StoredShape<Element>]) { self.older = older }

    var shapes: [String] { [Element.stateTypeName] + older.map(\.name) }

    func encode(_ element: Element) -> [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        element.encode(into: &writer)
        return Array(writer.bytes)
    }

    func decode(_ shape: String, _ bytes: [UInt8]) throws(StateDecodingError) -> Element {
        let result: Result<Element, StateDecodingError> = bytes.withUnsafeBytes { buffer in
            var reader = StateReader(buffer)
            do throws(StateDecodingError) {
                let stored = shape == Element.stateTypeName ? nil : older.first { $0.name == shape }
                let element = if let stored { try stored.read(&reader) } else { try Element(from: &reader) }
                guard reader.isAtEnd else { throw StateDecodingError(offset: reader.offset, problem: "\(reader.remaining) bytes too many") }
                return .success(element)
            } catch { return .failure(error) }
        }
        return try result.get()
    }
}
