// The states of a keyed function. Each is used only in the function that obtained it, for the current key.

/// Storage of one value per key.
@usableFromInline
enum ValuePlace<Key: StreamKey, Value: StateCodable> {
    case plain(StateCell<Key, Value>)
    case expiring(StateCell<Key, Expiring<Value>>, Lifetime)

    /// Value of the current key; nil = none, or expired.
    @inlinable @inline(__always)
    var value: Value? {
        switch self {
        case .plain(let cell): cell.value
        case .expiring(let cell, let life): Self.read(cell, life)
        }
    }

    @inlinable
    static func read(_ cell: StateCell<Key, Expiring<Value>>, _ life: Lifetime) -> Value? {
        guard let stored = cell.value else { return nil }
        let now = life.now
        guard life.isAlive(stored, at: now) else {
            cell.clear()
            return nil
        }
        if life.refreshes(stored, at: now) { cell.update(initial: { stored }) { $0.accessedAt = now } }
        return stored.value
    }

    @inlinable @inline(__always)
    func update<Result>(initial: () throws -> Value, _ body: (inout Value) throws -> Result) rethrows -> Result {
        switch self {
        case .plain(let cell): return try cell.update(initial: initial, body)
        case .expiring(let cell, let life):
            let now = life.now
            return try cell.update(initial: { Expiring(value: try initial(), accessedAt: now) }) { stored in
                if !life.isAlive(stored, at: now) { stored.value = try initial() }
                stored.accessedAt = now
                return try body(&stored.value)
            }
        }
    }

    @inlinable
    func clear() {
        switch self {
        case .plain(let cell): cell.clear()
        case .expiring(let cell, _): cell.clear()
        }
    }
}

/// One value for the current key.
public struct ValueState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let place: ValuePlace<Key, Value>

    @inlinable init(place: ValuePlace<Key, Value>) { self.place = place }

    /// Value of the current key; nil = none, and setting nil clears it.
    @inlinable
    public var value: Value? {
        get { place.value }
        nonmutating set {
            if let newValue { place.update(initial: { newValue }) { $0 = newValue } } else { place.clear() }
        }
    }

    /// Changes the value in place with one look-up; it starts as `initial`.
    @inlinable @inline(__always)
    public func update<Result>(initial: @autoclosure () -> Value, _ body: (inout Value) throws -> Result) rethrows -> Result {
        try place.update(initial: initial, body)
    }

    @inlinable
    public func clear() { place.clear() }
}

/// The combination of all values added for the current key.
public struct ReducingState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline let place: ValuePlace<Key, Value>
    @usableFromInline let reduce: @Sendable (Value, Value) -> Value

    @inlinable
    init(place: ValuePlace<Key, Value>, reduce: @escaping @Sendable (Value, Value) -> Value) {
        self.place = place
        self.reduce = reduce
    }

    /// Combined value; nil = nothing was added.
    @inlinable
    public var value: Value? { place.value }

    @inlinable
    public func add(_ value: Value) {
        var isFirst = false
        place.update(
            initial: {
                isFirst = true
                return value
            }
        ) { if !isFirst { $0 = reduce($0, value) } }
    }

    @inlinable
    public func clear() { place.clear() }
}

/// An accumulator of all values added for the current key.
public struct AggregatingState<Key: StreamKey, Function: AggregateFunction> {
    @usableFromInline let place: ValuePlace<Key, Function.Accumulator>
    @usableFromInline let function: Function

    @inlinable
    init(place: ValuePlace<Key, Function.Accumulator>, function: Function) {
        self.place = place
        self.function = function
    }

    /// Result of the accumulator; nil = nothing was added.
    @inlinable
    public var result: Function.Output? { place.value.map { function.result(of: $0) } }

    @inlinable
    public func add(_ record: Function.Input) {
        place.update(initial: { function.makeAccumulator() }) { function.add(record, to: &$0) }
    }

    @inlinable
    public func clear() { place.clear() }
}

/// A list for the current key.
public struct ListState<Key: StreamKey, Value: StateCodable> {
    @usableFromInline
    enum Place {
        case plain(StateCell<Key, [Value]>)
        case expiring(StateCell<Key, [Expiring<Value>]>, Lifetime)
    }
    @usableFromInline let place: Place

    @inlinable init(place: Place) { self.place = place }

    /// Elements that have not expired. Setting an empty list clears it.
    @inlinable
    public var elements: [Value] {
        get {
            switch place {
            case .plain(let cell): return cell.value ?? []
            case .expiring(let cell, let life): return Self.read(cell, life)
            }
        }
        nonmutating set {
            if newValue.isEmpty { return clear() }
            switch place {
            case .plain(let cell): cell.update(initial: { [] }) { $0 = newValue }
            case .expiring(let cell, let life):
                let now = life.now
                cell.update(initial: { [] }) { $0 = newValue.map { Expiring(value: $0, accessedAt: now) } }
            }
        }
    }

    @inlinable
    static func read(_ cell: StateCell<Key, [Expiring<Value>]>, _ life: Lifetime) -> [Value] {
        guard let stored = cell.value else { return [] }
        let now = life.now
        var alive = stored.filter { life.isAlive($0, at: now) }
        if alive.isEmpty {
            cell.clear()
        } else if alive.count < stored.count || alive.contains(where: { life.refreshes($0, at: now) }) {
            if life.refreshesOnRead { for index in alive.indices { alive[index].accessedAt = now } }
            cell.update(initial: { [] }) { $0 = alive }
        }
        return alive.map(\.value)
    }

    @inlinable
    public func append(_ value: Value) {
        switch place {
        case .plain(let cell): cell.update(initial: { [] }) { $0.append(value) }
        case .expiring(let cell, let life): cell.update(initial: { [] }) { $0.append(Expiring(value: value, accessedAt: life.now)) }
        }
    }

    @inlinable
    public func append(contentsOf values: some Sequence<Value>) { for value in values { append(value) } }

    @inlinable
    public func clear() {
        switch place {
        case .plain(let cell): cell.clear()
        case .expiring(let cell, _): cell.clear()
        }
    }
}

/// A map for the current key. Iteration uses a copy of the present entries, in no order.
public struct MapState<Key: StreamKey, MapKey: StateCodable & Hashable & Comparable, Value: StateCodable> {
    @usableFromInline
    enum Place {
        case plain(StateCell<Key, [MapKey: Value]>)
        case expiring(StateCell<Key, [MapKey: Expiring<Value>]>, Lifetime)
    }
    @usableFromInline let place: Place

    @inlinable init(place: Place) { self.place = place }

    /// Value of a key of the map; nil = none, or expired. Setting nil removes the entry.
    @inlinable
    public subscript(key: MapKey) -> Value? {
        get {
            switch place {
            case .plain(let cell): return cell.value?[key]
            case .expiring(let cell, let life): return Self.read(key, cell, life)
            }
        }
        nonmutating set {
            guard let newValue else {
                remove(key)
                return
            }
            switch place {
            case .plain(let cell): cell.update(initial: { [:] }) { $0[key] = newValue }
            case .expiring(let cell, let life):
                let now = life.now
                cell.update(initial: { [:] }) { $0[key] = Expiring(value: newValue, accessedAt: now) }
            }
        }
    }

    @inlinable
    static func read(_ key: MapKey, _ cell: StateCell<Key, [MapKey: Expiring<Value>]>, _ life: Lifetime) -> Value? {
        guard let stored = cell.value?[key] else { return nil }
        let now = life.now
        guard life.isAlive(stored, at: now) else {
            drop(key, from: cell)
            return nil
        }
        if life.refreshes(stored, at: now) { cell.update(initial: { [:] }) { $0[key]?.accessedAt = now } }
        return stored.value
    }

    /// Stores a map, or removes an empty one.
    @inlinable
    static func drop<Stored>(_ key: MapKey, from cell: StateCell<Key, [MapKey: Stored]>) {
        guard cell.value?[key] != nil else { return }
        let isEmpty = cell.update(initial: { [:] }) { entries in
            entries[key] = nil
            return entries.isEmpty
        }
        if isEmpty { cell.clear() }
    }

    /// The present value, without expired entries.
    @inlinable
    public var entries: [MapKey: Value] {
        switch place {
        case .plain(let cell): return cell.value ?? [:]
        case .expiring(let cell, let life): return Self.read(cell, life)
        }
    }

    @inlinable
    static func read(_ cell: StateCell<Key, [MapKey: Expiring<Value>]>, _ life: Lifetime) -> [MapKey: Value] {
        guard let stored = cell.value else { return [:] }
        let now = life.now
        var alive = stored.filter { life.isAlive($0.value, at: now) }
        if alive.isEmpty {
            cell.clear()
        } else if alive.count < stored.count || alive.contains(where: { life.refreshes($0.value, at: now) }) {
            if life.refreshesOnRead { for key in alive.keys { alive[key]?.accessedAt = now } }
            cell.update(initial: { [:] }) { $0 = alive }
        }
        return alive.mapValues(\.value)
    }

    @inlinable
    public func contains(_ key: MapKey) -> Bool { self[key] != nil }

    @inlinable
    public var isEmpty: Bool { entries.isEmpty }

    @inlinable
    public var count: Int { entries.count }

    @inlinable
    public var keys: [MapKey] { Array(entries.keys) }

    @inlinable
    public func forEach(_ body: (MapKey, Value) throws -> Void) rethrows { for (key, value) in entries { try body(key, value) } }

    @inlinable
    public func remove(_ key: MapKey) {
        switch place {
        case .plain(let cell): Self.drop(key, from: cell)
        case .expiring(let cell, _): Self.drop(key, from: cell)
        }
    }

    @inlinable
    public func clear() {
        switch place {
        case .plain(let cell): cell.clear()
        case .expiring(let cell, _): cell.clear()
        }
    }
}
