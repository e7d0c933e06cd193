/// A user's type whose state consists of named fields. Its shape, the names and types of all fields, is in every checkpoint; state of another shape
/// is refused on restore unless a `StateMigration` is declared.
///
///     struct Account: StateRecord {
///         var owner: String
///         var balance: Int64
///         static let stateSchema = StateSchema("Account", .field("owner", \.owner), .field("balance", \.balance), make: Account.init(owner:balance:))
///     }
///
/// The bytes are those of the fields, one after the other, in the order of the schema.
public protocol StateRecord: StateCodable {
    static var stateSchema: StateSchema<Self> { get }
}

extension StateRecord {
    @inlinable public static var stateTypeName: String { stateSchema.shape }
    @inlinable public func encode(into writer: inout StateWriter) { Self.stateSchema.encode(self, &writer) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) {
        self = try reader.nested { (reader: inout StateReader) throws(StateDecodingError) in try Self.stateSchema.decode(&reader) }
    }
}

/// A field: its name in checkpoints and its key path.
public struct StateField<Record, Value: StateCodable>: Sendable {
    public let name: String
    @usableFromInline let get: @Sendable (Record) -> Value

    @inlinable
    public static func field(_ name: String, _ get: @escaping @Sendable (Record) -> Value) -> Self { Self(name: name, get: get) }

    @inlinable
    init(name: String, get: @escaping @Sendable (Record) -> Value) {
        self.name = name
        self.get = get
    }
}

/// The fields of a record, in the order of its bytes.
public struct StateSchema<Record>: Sendable {
    public let name: String
    @usableFromInline let encode: @Sendable (Record, inout StateWriter) -> Void
    @usableFromInline let decode: @Sendable (inout StateReader) throws(StateDecodingError) -> Record
    /// Fields, computed when the shape is needed and not with the schema: a record may have fields of its own type.
    private let fields: @Sendable () -> [(name: String, type: String)]

    /// - Parameter make: makes a record from the fields' values.
    public init<each Value: StateCodable>(
        _ name: String, _ fields: repeat StateField<Record, each Value>, make: @escaping @Sendable (repeat each Value) -> Record
    ) {
        self.name = name
        self.fields = {
            var result: [(name: String, type: String)] = []
            repeat result.append(((each fields).name, (each Value).stateTypeName))
            return result
        }
        encode = { record, writer in repeat (each fields).get(record).encode(into: &writer) }
        decode = { (reader: inout StateReader) throws(StateDecodingError) in make(repeat try (each Value)(from: &reader)) }
    }

    /// Shape such as `Account{owner: String, balance: Int64}`; a record within itself is only its name.
    public var shape: String {
        if StateShape.enclosing.contains(name) { return name }
        return StateShape.$enclosing.withValue(StateShape.enclosing.union([name])) {
            "\(name){\(fields().map { "\($0.name): \($0.type)" }.joined(separator: ", "))}"
        }
    }
}

/// Records whose shapes are being made.
private enum StateShape {
    @TaskLocal static var enclosing: Set<String> = []
}

extension Optional: StateCodable where Wrapped: StateCodable {
    @inlinable public static var stateTypeName: String { "\(Wrapped.stateTypeName)?" }

    @inlinable
    public func encode(into writer: inout StateWriter) {
        writer.write(UInt8(self == nil ? 0 : 1))
        self?.encode(into: &writer)
    }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        self = try Bool(from: &reader) ? try Wrapped(from: &reader) : nil
    }
}

/// State of an enumeration with raw values: its raw value.
extension RawRepresentable where Self: StateCodable, RawValue: StateCodable {
    @inlinable public static var stateTypeName: String { "\(Self.self)(\(RawValue.stateTypeName))" }
    @inlinable public func encode(into writer: inout StateWriter) { rawValue.encode(into: &writer) }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let at = reader.offset
        let raw = try RawValue(from: &reader)
        guard let value = Self(rawValue: raw) else { throw StateDecodingError(offset: at, problem: "\(raw) is not a \(Self.self)") }
        self = value
    }
}

extension UInt8: StateCodable {}
extension Int8: StateCodable {}
extension UInt16: StateCodable {}
extension Int16: StateCodable {}

extension Float: StateCodable {
    @inlinable public static var stateTypeName: String { "Float" }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(bitPattern) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) {
        self = Float(bitPattern: try reader.read(UInt32.self))
    }
}
