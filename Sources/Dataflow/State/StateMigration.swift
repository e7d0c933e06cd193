public import StreamModel

/// Reads state written by an older program in another shape. Used on restore only: the next checkpoint has the new shape.
///
///     states.value("account", of: Account3.self, migration: .from(Account1.self) { Account2($0) }.then { Account3($0) })
///
/// reads `Account1` and `Account2` in addition to `Account3`.
public struct StateMigration<Value: StateCodable>: Sendable {
    @usableFromInline let shapes: [StoredShape<Value>]

    @inlinable init(shapes: [StoredShape<Value>]) { self.shapes = shapes }

    /// No migration: only the present shape is readable.
    @inlinable public static var none: Self { Self(shapes: []) }

    /// Creates a migration that also reads `Old`. An error of `convert` fails the restore, with its text.
    @inlinable
    public static func from<Old: StateCodable>(_ old: Old.Type, _ convert: @escaping @Sendable (Old) throws -> Value) -> Self {
        Self(shapes: [StoredShape(name: Old.stateTypeName) { (reader: inout StateReader) throws(StateDecodingError) in try Old(from: &reader) }.map(convert)])
    }

    /// Extends this migration by a newer shape: its shapes and its own shape become readable.
    @inlinable
    public func then<New: StateCodable>(_ convert: @escaping @Sendable (Value) throws -> New) -> StateMigration<New> {
        StateMigration<New>(shapes: StateMigration<New>.from(Value.self, convert).shapes + shapes.map { $0.map(convert) })
    }

    /// Combines the readable shapes of both.
    @inlinable
    public func or(_ other: Self) -> Self { Self(shapes: shapes + other.shapes) }
}

/// A stored shape of state, and its conversion to `Value`.
@usableFromInline
struct StoredShape<Value: Sendable>: Sendable {
    @usableFromInline let name: String
    @usableFromInline let read: @Sendable (inout StateReader) throws(StateDecodingError) -> Value

    @inlinable
    init(name: String, read: @escaping @Sendable (inout StateReader) throws(StateDecodingError) -> Value) {
        self.name = name
        self.read = read
    }

    @inlinable
    func map<New>(_ convert: @escaping @Sendable (Value) throws -> New) -> StoredShape<New> {
        StoredShape<New>(name: name) { [name, read] (reader: inout StateReader) throws(StateDecodingError) in
            let at = reader.offset
            let old = try read(&reader)
            do { return try convert(old) } catch {
                throw StateDecodingError(offset: at, problem: "the migration from \(name) failed: \(error)")
            }
        }
    }
}

// The same for the stored forms of values in the states. Each reads exactly what the type's own `init(from:)` reads.
extension StoredShape where Value: StateCodable {
    @inlinable
    func array() -> StoredShape<[Value]> {
        StoredShape<[Value]>(name: "[\(name)]") { [read] (reader: inout StateReader) throws(StateDecodingError) in
            let count = try reader.readCount()
            var elements: [Value] = []
            for _ in 0..<count { elements.append(try read(&reader)) }
            return elements
        }
    }

    @inlinable
    func dictionary<MapKey: StateCodable & Hashable & Comparable>() -> StoredShape<[MapKey: Value]> {
        StoredShape<[MapKey: Value]>(name: "[\(MapKey.stateTypeName):\(name)]") { [read] (reader: inout StateReader) throws(StateDecodingError) in
            let count = try reader.readCount(minimumSize: 2)
            var entries: [MapKey: Value] = [:]
            for _ in 0..<count {
                let key = try MapKey(from: &reader)
                entries[key] = try read(&reader)
            }
            return entries
        }
    }

    @inlinable
    func expiring() -> StoredShape<Expiring<Value>> {
        StoredShape<Expiring<Value>>(name: "expiring \(name)") { [read] (reader: inout StateReader) throws(StateDecodingError) in
            let accessedAt = try reader.read(Int64.self)
            return Expiring(value: try read(&reader), accessedAt: WallTime(milliseconds: accessedAt))
        }
    }
}
