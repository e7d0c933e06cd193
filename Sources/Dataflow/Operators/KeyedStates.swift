/// The states of one keyed operator instance, by name. Asked for in `open`, before the first record; used on the subtask's thread.
public final class KeyedStates<Key: StreamKey> {
    /// The key of the record that is being processed.
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
    @usableFromInline let cursor: UnsafeMutablePointer<Cursor>
    @usableFromInline var registered: [Registered] = []
    @usableFromInline var hasCursor = false

    @inlinable
    init(context: SubtaskContext) {
        self.context = context
        cursor = .allocate(capacity: 1)
    }

    deinit {
        if hasCursor { cursor.deinitialize(count: 1) }
        cursor.deallocate()
    }

    /// One value a key.
    @inlinable
    public func value<Value: StateCodable>(_ name: String, of type: Value.Type = Value.self) throws -> ValueState<Key, Value> {
        ValueState(table: try table(name), cursor: cursor)
    }

    /// A list a key.
    @inlinable
    public func list<Value: StateCodable>(_ name: String, of type: Value.Type = Value.self) throws -> ListState<Key, Value> {
        ListState(table: try table(name), cursor: cursor)
    }

    /// A map a key.
    @inlinable
    public func map<MapKey: StateCodable & Hashable & Comparable, Value: StateCodable>(
        _ name: String, from keyType: MapKey.Type = MapKey.self, to type: Value.Type = Value.self
    ) throws -> MapState<Key, MapKey, Value> {
        MapState(table: try table(name), cursor: cursor)
    }

    @inlinable @inline(__always)
    func select(_ key: Key, hash: UInt64) {
        if hasCursor {
            cursor.pointee = Cursor(key: key, hash: hash)
        } else {
            cursor.initialize(to: Cursor(key: key, hash: hash))
            hasCursor = true
        }
    }

    @inlinable
    func table<Value: StateCodable>(_ name: String) throws -> PagedTable<Key, Value> {
        guard !registered.contains(where: { $0.name == name }) else {
            throw JobError.invalidGraph("an operator asks for two states named \"\(name)\"")
        }
        let table = PagedTable<Key, Value>(range: context.keyGroups, maxParallelism: context.maxParallelism)
        registered.append(.table(table, name: name))
        return table
    }
}

extension KeyedStates.Registered {
    @inlinable
    static func table<Value>(_ table: PagedTable<Key, Value>, name: String) -> Self {
        let type = "\(Key.stateTypeName) -> \(Value.stateTypeName)"
        return Self(
            name: name, snapshot: { .keyed(name: name, type: type, table.snapshot()) },
            restore: { state in
                try state.keyed(named: name, type: type) { count, group, reader throws(StateDecodingError) in
                    try table.load(entries: count, group: group, from: &reader)
                }
            }, bytes: { table.bytes })
    }
}

/// One value for the current key.
public struct ValueState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let table: PagedTable<Key, Value>
    @usableFromInline let cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>

    @inlinable
    init(table: PagedTable<Key, Value>, cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>) {
        self.table = table
        self.cursor = cursor
    }

    /// nil = none; setting nil clears it.
    @inlinable
    public var value: Value? {
        get { table.find(cursor.pointee.key, hash: cursor.pointee.hash)?.pointee.value }
        nonmutating set {
            if let newValue {
                table.upsert(cursor.pointee.key, hash: cursor.pointee.hash) { newValue }.pointee.value = newValue
            } else {
                table.remove(cursor.pointee.key, hash: cursor.pointee.hash)
            }
        }
    }

    /// Changes the value in place, one look-up; it starts as `initial`.
    @inlinable @inline(__always)
    public func update<Result>(initial: @autoclosure () -> Value, _ body: (inout Value) throws -> Result) rethrows -> Result {
        try body(&table.upsert(cursor.pointee.key, hash: cursor.pointee.hash, initial: initial).pointee.value)
    }

    @inlinable
    public func clear() { table.remove(cursor.pointee.key, hash: cursor.pointee.hash) }
}

/// A list for the current key.
public struct ListState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let table: PagedTable<Key, [Value]>
    @usableFromInline let cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>

    @inlinable
    init(table: PagedTable<Key, [Value]>, cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>) {
        self.table = table
        self.cursor = cursor
    }

    @inlinable
    public var elements: [Value] {
        get { table.find(cursor.pointee.key, hash: cursor.pointee.hash)?.pointee.value ?? [] }
        nonmutating set { table.upsert(cursor.pointee.key, hash: cursor.pointee.hash) { [] }.pointee.value = newValue }
    }

    @inlinable
    public func append(_ value: Value) { table.upsert(cursor.pointee.key, hash: cursor.pointee.hash) { [] }.pointee.value.append(value) }

    @inlinable
    public func clear() { table.remove(cursor.pointee.key, hash: cursor.pointee.hash) }
}

/// A map for the current key.
public struct MapState<Key: StreamKey, MapKey: StateCodable & Hashable & Comparable, Value: StateCodable> {
    @usableFromInline let table: PagedTable<Key, [MapKey: Value]>
    @usableFromInline let cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>

    @inlinable
    init(table: PagedTable<Key, [MapKey: Value]>, cursor: UnsafeMutablePointer<KeyedStates<Key>.Cursor>) {
        self.table = table
        self.cursor = cursor
    }

    @inlinable
    public subscript(key: MapKey) -> Value? {
        get { table.find(cursor.pointee.key, hash: cursor.pointee.hash)?.pointee.value[key] }
        nonmutating set { table.upsert(cursor.pointee.key, hash: cursor.pointee.hash) { [:] }.pointee.value[key] = newValue }
    }

    @inlinable
    public var entries: [MapKey: Value] { table.find(cursor.pointee.key, hash: cursor.pointee.hash)?.pointee.value ?? [:] }

    @inlinable
    public func clear() { table.remove(cursor.pointee.key, hash: cursor.pointee.hash) }
}
