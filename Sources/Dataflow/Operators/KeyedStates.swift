/// The states of one keyed operator instance, by name. Asked for in `open`, before the first record; used on the subtask's thread.
public final class KeyedStates<Key: StreamKey> {
    /// The key of the record that is being processed. The pointer is to nil before the first record.
    @usableFromInline typealias CursorPointer = UnsafeMutablePointer<Cursor?>
    @usableFromInline
    struct Cursor {
        @usableFromInline var key: Key
        @usableFromInline var hash: UInt64
        @inlinable init(key: Key, hash: UInt64) { (self.key, self.hash) = (key, hash) }
    }

    /// One registered state, without its value type.
    @usableFromInline
    struct Registered {
        @usableFromInline let name: String
        @usableFromInline let snapshot: () -> SnapshotPart
        @usableFromInline let restore: (OperatorRestore) throws -> Void
        @usableFromInline let bytes: () -> Int
        @usableFromInline
        init(
            name: String, snapshot: @escaping () -> SnapshotPart, restore: @escaping (OperatorRestore) throws -> Void,
            bytes: @escaping () -> Int
        ) {
            self.name = name
            self.snapshot = snapshot
            self.restore = restore
            self.bytes = bytes
        }
    }

    @usableFromInline let context: SubtaskContext
    @usableFromInline let cursor: CursorPointer
    @usableFromInline var registered: [Registered] = []
    @usableFromInline let tables: UnsafeMutablePointer<TableList>

    @inlinable
    init(context: SubtaskContext) {
        self.context = context
        cursor = .allocate(capacity: 1)
        cursor.initialize(to: nil)
        tables = .allocate(capacity: 1)
        tables.initialize(to: TableList())
    }

    deinit {
        cursor.deinitialize(count: 1)
        cursor.deallocate()
        tables.pointee.release()
        tables.deallocate()
    }

    /// One value a key.
    @inlinable
    public func value<Value: StateCodable>(_ name: String, of type: Value.Type = Value.self) throws -> ValueState<Key, Value> {
        ValueState(cell: StateCell(table: try table(name), cursor: cursor))
    }

    /// A list a key.
    @inlinable
    public func list<Value: StateCodable>(_ name: String, of type: Value.Type = Value.self) throws -> ListState<Key, Value> {
        ListState(cell: StateCell(table: try table(name), cursor: cursor))
    }

    /// A map a key.
    @inlinable
    public func map<MapKey: StateCodable & Hashable & Comparable, Value: StateCodable>(
        _ name: String, from keyType: MapKey.Type = MapKey.self, to type: Value.Type = Value.self
    ) throws -> MapState<Key, MapKey, Value> {
        MapState(cell: StateCell(table: try table(name), cursor: cursor))
    }

    /// Begins to fetch where the states of these hashes lie.
    @inlinable @inline(__always)
    func prefetch(_ hashes: UnsafePointer<UInt64>, _ count: Int) { tables.pointee.prefetch(hashes, count) }

    @inlinable @inline(__always)
    func prefetchTexts(_ hashes: UnsafePointer<UInt64>, _ count: Int) { tables.pointee.prefetchTexts(hashes, count) }

    @inlinable @inline(__always)
    func select(_ key: Key, hash: UInt64) {
        cursor.pointee = Cursor(key: key, hash: hash)
    }

    @inlinable
    func table<Value: StateCodable>(_ name: String) throws -> PagedTable<Key, Value> { try table(name, by: Key.self) }

    /// A table by a composite key, whose hash is in the key group of the key it belongs to.
    @inlinable
    func table<TableKey: StreamKey, Value: StateCodable>(_ name: String, by type: TableKey.Type) throws -> PagedTable<TableKey, Value> {
        guard !registered.contains(where: { $0.name == name }) else {
            throw JobError.invalidGraph("an operator asks for two states named \"\(name)\"")
        }
        let table = PagedTable<TableKey, Value>(range: context.keyGroups, maxParallelism: context.maxParallelism)
        registered.append(.table(table, name: name))
        // The others lie elsewhere than the key's own hash says.
        if TableKey.self == Key.self { tables.pointee.append(table.header) }
        return table
    }
}

extension KeyedStates.Registered {
    @inlinable
    static func table<TableKey, Value>(_ table: PagedTable<TableKey, Value>, name: String) -> Self {
        let type = "\(TableKey.stateTypeName) -> \(Value.stateTypeName)"
        let load: KeyedLoader.Load = { count, group, reader throws(StateDecodingError) in
            try table.load(entries: count, group: group, from: &reader)
        }
        return Self(
            name: name, snapshot: { .keyed(name: name, type: type, table.snapshot()) },
            restore: { state in
                try state.keyed(named: name, KeyedLoader([(type, load)], reserve: { table.reserve(entries: $0, group: $1) }))
            }, bytes: { table.bytes })
    }
}

/// Where the value of the current key lies. Plain pointers, so that using a state costs no reference counting: both belong to the
/// `KeyedStates` of the operator, and live as long as the operator does.
@usableFromInline
struct StateCell<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let unmanaged: Unmanaged<PagedTable<Key, Value>>
    @usableFromInline let cursor: KeyedStates<Key>.CursorPointer

    @usableFromInline
    init(table: PagedTable<Key, Value>, cursor: KeyedStates<Key>.CursorPointer) {
        unmanaged = Unmanaged.passUnretained(table)
        self.cursor = cursor
    }

    @inlinable @inline(__always)
    var current: KeyedStates<Key>.Cursor {
        guard let current = cursor.pointee else { preconditionFailure("a keyed state was used before the first record: there is no key yet") }
        return current
    }

    @inlinable @inline(__always)
    var value: Value? {
        let current = self.current
        return unmanaged._withUnsafeGuaranteedRef { $0.find(current.key, hash: current.hash)?.pointee.value }
    }

    @inlinable @inline(__always)
    func update<Result>(initial: () throws -> Value, _ body: (inout Value) throws -> Result) rethrows -> Result {
        let current = self.current
        return try unmanaged._withUnsafeGuaranteedRef { try body(&$0.upsert(current.key, hash: current.hash, initial: initial).pointee.value) }
    }

    @inlinable
    func clear() {
        let current = self.current
        unmanaged._withUnsafeGuaranteedRef { _ = $0.remove(current.key, hash: current.hash) }
    }
}

/// One value for the current key. Used in the function that asked for it only.
public struct ValueState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let cell: StateCell<Key, Value>

    @inlinable init(cell: StateCell<Key, Value>) { self.cell = cell }

    /// nil = none; setting nil clears it.
    @inlinable
    public var value: Value? {
        get { cell.value }
        nonmutating set {
            if let newValue { cell.update(initial: { newValue }) { $0 = newValue } } else { cell.clear() }
        }
    }

    /// Changes the value in place, one look-up; it starts as `initial`.
    @inlinable @inline(__always)
    public func update<Result>(initial: @autoclosure () -> Value, _ body: (inout Value) throws -> Result) rethrows -> Result {
        try cell.update(initial: initial, body)
    }

    @inlinable
    public func clear() { cell.clear() }
}

/// A list for the current key. Used in the function that asked for it only.
public struct ListState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let cell: StateCell<Key, [Value]>

    @inlinable init(cell: StateCell<Key, [Value]>) { self.cell = cell }

    /// Setting an empty list clears it.
    @inlinable
    public var elements: [Value] {
        get { cell.value ?? [] }
        nonmutating set {
            if newValue.isEmpty { cell.clear() } else { cell.update(initial: { [] }) { $0 = newValue } }
        }
    }

    @inlinable
    public func append(_ value: Value) { cell.update(initial: { [] }) { $0.append(value) } }

    @inlinable
    public func clear() { cell.clear() }
}

/// A map for the current key. Used in the function that asked for it only.
public struct MapState<Key: StreamKey, MapKey: StateCodable & Hashable & Comparable, Value: StateCodable> {
    @usableFromInline let cell: StateCell<Key, [MapKey: Value]>

    @inlinable init(cell: StateCell<Key, [MapKey: Value]>) { self.cell = cell }

    /// Setting nil removes the entry.
    @inlinable
    public subscript(key: MapKey) -> Value? {
        get { cell.value?[key] }
        nonmutating set { cell.update(initial: { [:] }) { $0[key] = newValue } }
    }

    @inlinable
    public var entries: [MapKey: Value] { cell.value ?? [:] }

    @inlinable
    public func clear() { cell.clear() }
}
