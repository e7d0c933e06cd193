/// What Flink knows of a snapshot's purpose; written as a Java object since version 4.
public struct FlinkCheckpointProperties: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        case checkpoint
        /// `format` is CANONICAL or NATIVE, `action` NONE, SUSPEND or TERMINATE.
        case savepoint(format: String, action: String)
    }
    /// When the files are deleted with the job, or by newer checkpoints.
    public struct Discards: Sendable, Equatable {
        public var whenSubsumed = false, whenFinished = false, whenCancelled = false, whenFailed = false, whenSuspended = false
        public init() {}
    }
    public var kind: Kind
    /// Flink's own name of the kind: "Checkpoint", "Full Checkpoint", "Savepoint", "Suspend Savepoint", ...
    public var name: String
    public var discards: Discards
    public var isForced: Bool
    /// Restored without being claimed: it belongs to somebody else.
    public var isUnclaimed: Bool
    /// The object as the file holds it.
    public var bytes: [UInt8]

    public init(
        kind: Kind, name: String, discards: Discards = Discards(), isForced: Bool = false, isUnclaimed: Bool = false, bytes: [UInt8] = []
    ) {
        self.kind = kind
        self.name = name
        self.discards = discards
        self.isForced = isForced
        self.isUnclaimed = isUnclaimed
        self.bytes = bytes
    }
}

/// Reads the part of Java's object serialisation that `CheckpointProperties` needs: objects, enumeration constants, strings, and
/// references to what came before.
struct JavaObjectReader {
    private(set) var reader: JavaDataReader
    private let start: Int
    private let whole: JavaDataReader
    private var known: [Value] = []
    private static let depthMax = 16

    indirect enum Value {
        case null
        case boolean(Bool)
        /// A number: nothing here needs its value.
        case number
        case text(String)
        case constant(type: String, name: String)
        case object(type: String, fields: [String: Value])
        case description(Description)
    }

    struct Description {
        struct Field { var type: UInt8, name: String }
        var name: String
        var fields: [Field]
        indirect enum Parent { case none, of(Description) }
        var parent: Parent
    }

    init(_ reader: JavaDataReader) {
        self.reader = reader
        whole = reader
        start = reader.offset
    }

    /// nil = Java's null: whoever wrote the snapshot did not say.
    mutating func checkpointProperties() throws(FlinkFormatError) -> FlinkCheckpointProperties? {
        let magic: UInt32 = try reader.integer("the start of a Java object")
        guard magic == 0xACED_0005 else { throw reader.failure("the start of a Java object, 0xaced0005", found: "0x" + String(magic, radix: 16), at: start) }
        let object = try value(depth: 0)
        if case .null = object { return nil }
        guard case .object(let type, let fields) = object, type == "org.apache.flink.runtime.checkpoint.CheckpointProperties" else {
            throw reader.failure("an object of the class CheckpointProperties", found: "another value", at: start)
        }
        func truth(_ name: String) throws(FlinkFormatError) -> Bool {
            guard case .boolean(let value) = fields[name] else { throw reader.failure("the field \(name) of CheckpointProperties", found: "none", at: start) }
            return value
        }
        var discards = FlinkCheckpointProperties.Discards()
        discards.whenSubsumed = try truth("discardSubsumed")
        discards.whenFinished = try truth("discardFinished")
        discards.whenCancelled = try truth("discardCancelled")
        discards.whenFailed = try truth("discardFailed")
        discards.whenSuspended = try truth("discardSuspended")
        let (kind, name) = try kind(fields["checkpointType"])
        var copy = whole
        let bytes = Array(try copy.take(reader.offset - start, "a Java object"))
        // The field came with version 1.15's claim modes; an object without it was claimed.
        let isUnclaimed = if case .boolean(true) = fields["unclaimed"] { true } else { false }
        return FlinkCheckpointProperties(
            kind: kind, name: name, discards: discards, isForced: try truth("forced"), isUnclaimed: isUnclaimed, bytes: bytes)
    }

    private func kind(_ value: Value?) throws(FlinkFormatError) -> (FlinkCheckpointProperties.Kind, name: String) {
        guard case .object(let type, let fields) = value, case .text(let name) = fields["name"] else {
            throw reader.failure("the field checkpointType of CheckpointProperties", found: "none", at: start)
        }
        func constant(_ name: String) -> String { if case .constant(_, let name) = fields[name] { name } else { "" } }
        switch type {
        case "org.apache.flink.runtime.checkpoint.CheckpointType": return (.checkpoint, name)
        case "org.apache.flink.runtime.checkpoint.SavepointType":
            return (.savepoint(format: constant("formatType"), action: constant("postCheckpointAction")), name)
        default: throw reader.failure("a checkpoint's or a savepoint's type", found: "another class", at: start)
        }
    }

    // MARK: The stream

    private static let null: UInt8 = 0x70, reference: UInt8 = 0x71, description: UInt8 = 0x72, object: UInt8 = 0x73, text: UInt8 = 0x74
    private static let endOfBlock: UInt8 = 0x78, constant: UInt8 = 0x7E
    private static let firstHandle: UInt32 = 0x7E_0000

    private mutating func value(depth: Int) throws(FlinkFormatError) -> Value {
        let place = reader.offset
        guard depth <= Self.depthMax else { throw reader.failure("objects nested at most \(Self.depthMax) deep", found: "one more", at: place) }
        let tag = try reader.byte("a value of a Java object")
        switch tag {
        case Self.null: return .null
        case Self.reference: return try referenced()
        case Self.text:
            let text = try reader.text("a string of a Java object")
            known.append(.text(text))
            return .text(text)
        case Self.constant:
            let type = try requiredDescription(depth: depth)
            let position = reserve()
            guard case .text(let name) = try value(depth: depth + 1) else { throw reader.failure("the name of a constant", found: "another value", at: place) }
            known[position] = .constant(type: type.name, name: name)
            return known[position]
        case Self.object:
            let type = try requiredDescription(depth: depth)
            let position = reserve()
            var fields: [String: Value] = [:]
            try read(fieldsOf: type, into: &fields, depth: depth)
            known[position] = .object(type: type.name, fields: fields)
            return known[position]
        default: throw reader.failure("an object, a constant, a string or nothing", found: "the tag \(tag)", at: place)
        }
    }

    /// A value's number is taken before its parts take theirs.
    private mutating func reserve() -> Int {
        known.append(.null)
        return known.count - 1
    }

    private mutating func referenced() throws(FlinkFormatError) -> Value {
        let place = reader.offset
        let handle: UInt32 = try reader.integer("a reference within a Java object")
        let index = Int(handle) - Int(Self.firstHandle)
        guard known.indices.contains(index) else { throw reader.failure("a reference to one of \(known.count) earlier values", found: "\(index)", at: place) }
        return known[index]
    }

    /// The fields of the ancestors come first.
    private mutating func read(fieldsOf type: Description, into fields: inout [String: Value], depth: Int) throws(FlinkFormatError) {
        if case .of(let parent) = type.parent { try read(fieldsOf: parent, into: &fields, depth: depth) }
        for field in type.fields { fields[field.name] = try read(field, depth: depth) }
    }

    private mutating func read(_ field: Description.Field, depth: Int) throws(FlinkFormatError) -> Value {
        switch field.type {
        case UInt8(ascii: "Z"): return .boolean(try reader.byte("the field \(field.name)") != 0)
        case UInt8(ascii: "B"): _ = try reader.take(1, "the field \(field.name)")
        case UInt8(ascii: "C"), UInt8(ascii: "S"): _ = try reader.take(2, "the field \(field.name)")
        case UInt8(ascii: "I"), UInt8(ascii: "F"): _ = try reader.take(4, "the field \(field.name)")
        case UInt8(ascii: "J"), UInt8(ascii: "D"): _ = try reader.take(8, "the field \(field.name)")
        default: return try value(depth: depth + 1)
        }
        return .number
    }

    // MARK: Classes

    private mutating func requiredDescription(depth: Int) throws(FlinkFormatError) -> Description {
        let place = reader.offset
        guard case .of(let description) = try classDescription(depth: depth) else { throw reader.failure("a class", found: "none", at: place) }
        return description
    }

    private mutating func classDescription(depth: Int) throws(FlinkFormatError) -> Description.Parent {
        let place = reader.offset
        guard depth <= Self.depthMax else { throw reader.failure("classes nested at most \(Self.depthMax) deep", found: "one more", at: place) }
        switch try reader.byte("a class of a Java object") {
        case Self.null: return .none
        case Self.reference:
            guard case .description(let description) = try referenced() else {
                throw reader.failure("a reference to a class", found: "another value", at: place)
            }
            return .of(description)
        case Self.description: return .of(try newDescription(depth: depth))
        case let tag: throw reader.failure("a class", found: "the tag \(tag)", at: place)
        }
    }

    private mutating func newDescription(depth: Int) throws(FlinkFormatError) -> Description {
        var description = Description(name: try reader.text("the name of a class"), fields: [], parent: .none)
        _ = try reader.long("the version of a class")
        let position = reserve()
        let place = reader.offset
        let flags = try reader.byte("the flags of a class")
        // Serialisable, and perhaps an enumeration; classes that write themselves are not among those of Flink's properties.
        guard flags & 0x02 != 0, flags & ~0x12 == 0 else { throw reader.failure("a plain serialisable class", found: "the flags \(flags)", at: place) }
        let count: UInt16 = try reader.integer("the number of fields")
        for _ in 0..<count { description.fields.append(try field(depth: depth)) }
        let end = reader.offset
        guard try reader.byte("the end of a class") == Self.endOfBlock else { throw reader.failure("the end of a class", found: "an annotation", at: end) }
        description.parent = try classDescription(depth: depth + 1)
        known[position] = .description(description)
        return description
    }

    private mutating func field(depth: Int) throws(FlinkFormatError) -> Description.Field {
        let place = reader.offset
        let type = try reader.byte("the type of a field")
        guard "BCDFIJSZL[".utf8.contains(type) else { throw reader.failure("the type of a field", found: "the byte \(type)", at: place) }
        let name = try reader.text("the name of a field")
        if type == UInt8(ascii: "L") || type == UInt8(ascii: "[") { _ = try value(depth: depth + 1) }
        return Description.Field(type: type, name: name)
    }
}
