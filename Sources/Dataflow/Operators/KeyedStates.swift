public import StreamModel

/// The states of one keyed operator instance, by name. Obtained in `open`, before the first record; used on the subtask's thread.
public final class KeyedStates<Key: StreamKey> {
    /// Pointer to the key of the current record; its value is nil before the first record.
    @usableFromInline typealias CursorPointer = UnsafeMutablePointer<Cursor?>
    @usableFromInline
    struct Cursor {
        @usableFromInline var key: Key
        @usableFromInline var hash: UInt64
        @inlinable init(key: Key, hash: UInt64) { (self.key, self.hash) = (key, hash) }
    }

    /// A registered state, without its value type.
    @usableFromInline
    struct Registered {
        @usableFromInline let name: String
        @usableFromInline let snapshot: (CheckpointID) -> SnapshotPart
        @usableFromInline let restore: (OperatorRestore) throws -> Void
        @usableFromInline let bytes: () -> Int
        @usableFromInline
        init(
            name: String, snapshot: @escaping (CheckpointID) -> SnapshotPart, restore: @escaping (OperatorRestore) throws -> Void,
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
    /// Cleaners that examine this many slots of a table with a time to live.
    @usableFromInline var cleaners: [(Int) -> Void] = []
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

    /// A state with one value per key.
    /// - Parameters:
    ///   - timeToLive: nil = unlimited.
    ///   - migration: reads state of older shapes.
    @inlinable
    public func value<Value: StateCodable>(
        _ name: String, of type: Value.Type = Value.self, timeToLive: TimeToLive? = nil, migration: StateMigration<Value> = .none
    ) throws -> ValueState<Key, Value> { ValueState(place: try place(name, timeToLive, migration)) }

    /// A state with one value per key, possibly stored in an older shape.
    @inlinable
    public func value<Value: StateCodable, Old: StateCodable>(
        _ name: String, of type: Value.Type = Value.self, timeToLive: TimeToLive? = nil, migrating old: Old.Type,
        by convert: @escaping @Sendable (Old) throws -> Value
    ) throws -> ValueState<Key, Value> {
        try value(name, of: type, timeToLive: timeToLive, migration: .from(old, convert))
    }

    /// A state with one value per key that combines all added values.
    @inlinable
    public func reducing<Value: StateCodable>(
        _ name: String, of type: Value.Type = Value.self, timeToLive: TimeToLive? = nil, migration: StateMigration<Value> = .none,
        by reduce: @escaping @Sendable (Value, Value) -> Value
    ) throws -> ReducingState<Key, Value> { ReducingState(place: try place(name, timeToLive, migration), reduce: reduce) }

    /// A state with one accumulator per key.
    @inlinable
    public func aggregating<Function: AggregateFunction>(
        _ name: String, _ function: Function, timeToLive: TimeToLive? = nil, migration: StateMigration<Function.Accumulator> = .none
    ) throws -> AggregatingState<Key, Function> {
        AggregatingState(place: try place(name, timeToLive, migration), function: function)
    }

    /// A state with a list per key. Each element has its own time to live.
    /// - Parameter migration: for an element.
    @inlinable
    public func list<Value: StateCodable>(
        _ name: String, of type: Value.Type = Value.self, timeToLive: TimeToLive? = nil, migration: StateMigration<Value> = .none
    ) throws -> ListState<Key, Value> {
        guard let timeToLive else {
            return ListState(place: .plain(StateCell(table: try table(name, by: Key.self, stored: migration.shapes.map { $0.array() }), cursor: cursor)))
        }
        let life = Lifetime(timeToLive, clock: context.moment)
        let expiry = Expiry<[Expiring<Value>]>(
            isDead: { elements, now in !elements.contains { life.isAlive($0, at: now) } },
            prune: { elements, now in
                let alive = elements.filter { life.isAlive($0, at: now) }
                return alive.isEmpty ? nil : alive
            })
        let table: PagedTable<Key, [Expiring<Value>]> = try table(
            name, by: Key.self, stored: migration.shapes.map { $0.expiring().array() }, expiry: expiry)
        return ListState(place: .expiring(StateCell(table: table, cursor: cursor), life))
    }

    /// A state with a map per key. Each entry has its own time to live.
    /// - Parameter migration: for an entry's value.
    @inlinable
    public func map<MapKey: StateCodable & Hashable & Comparable, Value: StateCodable>(
        _ name: String, from keyType: MapKey.Type = MapKey.self, to type: Value.Type = Value.self, timeToLive: TimeToLive? = nil,
        migration: StateMigration<Value> = .none
    ) throws -> MapState<Key, MapKey, Value> {
        guard let timeToLive else {
            let table: PagedTable<Key, [MapKey: Value]> = try table(name, by: Key.self, stored: migration.shapes.map { $0.dictionary() })
            return MapState(place: .plain(StateCell(table: table, cursor: cursor)))
        }
        let life = Lifetime(timeToLive, clock: context.moment)
        let expiry = Expiry<[MapKey: Expiring<Value>]>(
            isDead: { entries, now in !entries.contains { life.isAlive($0.value, at: now) } },
            prune: { entries, now in
                let alive = entries.filter { life.isAlive($0.value, at: now) }
                return alive.isEmpty ? nil : alive
            })
        let table: PagedTable<Key, [MapKey: Expiring<Value>]> = try table(
            name, by: Key.self, stored: migration.shapes.map { $0.expiring().dictionary() }, expiry: expiry)
        return MapState(place: .expiring(StateCell(table: table, cursor: cursor), life))
    }

    @inlinable
    func place<Value: StateCodable>(
        _ name: String, _ timeToLive: TimeToLive?, _ migration: StateMigration<Value>
    ) throws -> ValuePlace<Key, Value> {
        guard let timeToLive else {
            return .plain(StateCell(table: try table(name, by: Key.self, stored: migration.shapes), cursor: cursor))
        }
        let life = Lifetime(timeToLive, clock: context.moment)
        let expiry = Expiry<Expiring<Value>>(
            isDead: { !life.isAlive($0, at: $1) }, prune: { life.isAlive($0, at: $1) ? $0 : nil })
        let table: PagedTable<Key, Expiring<Value>> = try table(
            name, by: Key.self, stored: migration.shapes.map { $0.expiring() }, expiry: expiry)
        return .expiring(StateCell(table: table, cursor: cursor), life)
    }

    /// Removes some expired entries; called once per batch. It examines four times as many slots as the batch can fill, so at most a quarter of a
    /// table expired since its last visit: a table at most three quarters full has four slots or fewer, by powers of two, for each living entry.
    @inlinable @inline(__always)
    func clean(afterRecords count: Int) {
        guard !cleaners.isEmpty else { return }
        for clean in cleaners { clean(4 * count + 64) }
    }

    /// Whether some state expires: the subtask must then read the clock before every batch.
    var expires: Bool { !cleaners.isEmpty }

    /// Prefetches the slots of these hashes in all states.
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

    /// A table by a composite key, whose hash is in the key group of its key.
    @inlinable
    func table<TableKey: StreamKey, Value: StateCodable>(
        _ name: String, by type: TableKey.Type, stored shapes: [StoredShape<Value>] = [], expiry: Expiry<Value>? = nil
    ) throws -> PagedTable<TableKey, Value> {
        guard !registered.contains(where: { $0.name == name }) else {
            throw JobError.invalidGraph("an operator asks for two states named \"\(name)\"")
        }
        let table = PagedTable<TableKey, Value>(range: context.keyGroups, maxParallelism: context.maxParallelism)
        registered.append(.table(table, name: name, stored: shapes, expiry: expiry, clock: { [context] in context.wall }))
        // The others are not located by the key's own hash.
        if TableKey.self == Key.self { tables.pointee.append(table.header) }
        guard let expiry else { return table }
        var cursor = CleaningCursor()
        let moment = context.moment
        cleaners.append { places in
            let now = moment.pointee.wall
            table.clean(places: places, from: &cursor) { expiry.isDead($0, now) }
        }
        return table
    }
}

extension KeyedStates.Registered {
    /// - Parameters:
    ///   - shapes: older readable shapes.
    ///   - expiry: decides which entries are neither written nor restored.
    ///   - clock: the time of that decision, read once per snapshot and restore.
    @inlinable
    static func table<TableKey, Value>(
        _ table: PagedTable<TableKey, Value>, name: String, stored shapes: [StoredShape<Value>] = [], expiry: Expiry<Value>? = nil,
        clock: @escaping () -> WallTime = { WallTime(milliseconds: 0) }
    ) -> Self {
        let keyType = TableKey.stateTypeName, type = "\(keyType) -> \(Value.stateTypeName)"
        let history = SnapshotHistory()
        let current: KeyedLoader.Load = { count, group, reader throws(StateDecodingError) in
            guard let expiry else { return try table.load(entries: count, group: group, from: &reader) }
            let now = clock()
            try table.load(entries: count, group: group, from: &reader) { reader throws(StateDecodingError) in
                expiry.prune(try Value(from: &reader), now)
            }
        }
        let older = shapes.map { stored in
            let load: KeyedLoader.Load = { count, group, reader throws(StateDecodingError) in
                let now = clock()
                try table.load(entries: count, group: group, from: &reader) { reader throws(StateDecodingError) in
                    let value = try stored.read(&reader)
                    return if let expiry { expiry.prune(value, now) } else { value }
                }
            }
            return (shape: "\(keyType) -> \(stored.name)", load: load)
        }
        return Self(
            name: name,
            snapshot: { id in
                guard let expiry else { return history.part(id, table.snapshot(), name: name, type: type) }
                let now = clock()
                return history.part(id, table.snapshot(prune: { expiry.prune($0, now) }), name: name, type: type)
            },
            restore: { state in
                try state.keyed(
                    named: name, KeyedLoader([(type, current)] + older, reserve: { table.reserve(entries: $0, group: $1) }))
            }, bytes: { table.bytes })
    }
}

/// The checkpoint that ended each epoch of a table: an incremental one then knows the dirty pages since its base.
@usableFromInline
final class SnapshotHistory {
    /// More than can be in flight or fail consecutively without failing the job; an older base only means a full checkpoint.
    private static let maximum = 256
    private var epochs: [CheckpointID: UInt64] = [:]

    @usableFromInline init() {}

    /// Not generic, so that the table's own closures stay specialised.
    @usableFromInline
    func part(_ id: CheckpointID, _ snapshot: TableSnapshot, name: String, type: String) -> SnapshotPart {
        let earlier = epochs
        epochs[id] = snapshot.epoch
        if epochs.count > Self.maximum, let oldest = epochs.keys.min() { epochs[oldest] = nil }
        return .keyed(name: name, type: type, snapshot, epochs: earlier)
    }
}

/// Location of the current key's value. Plain pointers, so that using a state costs no reference counting: both belong to the operator's
/// `KeyedStates` and live as long as the operator.
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
