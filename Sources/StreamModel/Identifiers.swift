/// A 128-bit identifier printed as 32 lower-case hexadecimal digits, the shape Flink uses for jobs, vertices and operators.
public protocol HexIdentifier: Hashable, Comparable, Codable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    var high: UInt64 { get }
    var low: UInt64 { get }
    init(high: UInt64, low: UInt64)
}

extension HexIdentifier {
    public var description: String { hexadecimal(high) + hexadecimal(low) }

    /// The first eight digits, for screens without room for the whole.
    public var short: String { String(description.prefix(8)) }

    /// Parses exactly 32 hexadecimal digits; anything else is nil.
    public init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 32, digits.allSatisfy(isHexadecimalDigit) else { return nil }
        guard let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16) else { return nil }
        self.init(high: high, low: low)
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected 32 hexadecimal digits")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public static func < (left: Self, right: Self) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// A submission of a job. A restart from a chosen checkpoint is a new submission with a new id.
public struct JobID: HexIdentifier {
    /// Of an operation that is about no job. Neither engine draws it.
    public static let none = JobID(high: 0, low: 0)

    public let high, low: UInt64
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }
}

/// Identifies an operator across submissions: MurmurHash3 of its uid, as Flink computes it.
public struct OperatorID: HexIdentifier {
    public let high, low: UInt64
    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// Computes Flink's `StreamGraphHasherV2` of a user-specified uid: murmur3_128, seed 0, over the UTF-8 bytes; both halves printed
    /// little-endian. `OperatorID(uid: "gen")` is `6bf01baa9d2ca23a3ef7ce311722523d` there and here.
    public init(uid: String) {
        let (h1, h2) = murmur3x64(Array(uid.utf8))
        self.init(high: h1.byteSwapped, low: h2.byteSwapped)
    }
}

/// An asynchronous request of an operator (savepoint, stop, cancel, restart), named by the client so that repeated requests count once. 1 to 64
/// characters from `A-Z a-z 0-9 - _`.
public struct OperationID: Hashable, Codable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    public let description: String

    public init?(_ text: String) {
        let isPlain: (UInt8) -> Bool = { byte in
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 45 || byte == 95
        }
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(isPlain) else { return nil }
        description = text
    }

    /// Creates a fresh id from 64 random bits drawn by the caller.
    public init(random: UInt64) { description = hexadecimal(random) }

    /// The first four characters, for screens.
    public var short: String { String(description.prefix(4)) }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = OperationID(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "an operation id is 1 to 64 characters from A-Z a-z 0-9 - _")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// The number of a checkpoint or savepoint within its lineage: starts at 1, grows by 1 per trigger, continues after a restore.
public struct CheckpointID: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    public var next: CheckpointID { CheckpointID(rawValue + 1) }
    public var description: String { String(rawValue) }
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(UInt64.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

/// A parallel instance of a vertex (a chain of operators on one thread).
public struct SubtaskID: Hashable, Comparable, Codable, Sendable, CustomStringConvertible {
    /// Position of the vertex in the plan, in topological order.
    public let vertex: Int
    /// 0 ..< parallelism.
    public let index: Int
    public init(vertex: Int, index: Int) { (self.vertex, self.index) = (vertex, index) }
    public var description: String { "\(vertex).\(index)" }
    public static func < (left: Self, right: Self) -> Bool { (left.vertex, left.index) < (right.vertex, right.index) }
}

private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

private func isHexadecimalDigit(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
}

/// MurmurHash3_x64_128, seed 0 (Austin Appleby, public domain description).
private func murmur3x64(_ bytes: [UInt8]) -> (UInt64, UInt64) {
    let c1: UInt64 = 0x87c3_7b91_1142_53d5, c2: UInt64 = 0x4cf5_ad43_2745_937f
    func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { (value << by) | (value >> (64 - by)) }
    func finish(_ value: UInt64) -> UInt64 {
        var k = value
        k ^= k >> 33
        k &*= 0xff51_afd7_ed55_8ccd
        k ^= k >> 33
        k &*= 0xc4ce_b9fe_1a85_ec53
        k ^= k >> 33
        return k
    }
    /// Little-endian bytes `from ..< end`, at most eight.
    func load(_ from: Int, _ end: Int) -> UInt64 {
        var value: UInt64 = 0
        for offset in 0..<8 where from + offset < end { value |= UInt64(bytes[from + offset]) << UInt64(8 * offset) }
        return value
    }
    var h1: UInt64 = 0, h2: UInt64 = 0
    let blocks = bytes.count / 16
    for block in 0..<blocks {
        let k1 = rotate(load(block * 16, bytes.count) &* c1, 31) &* c2
        h1 = (rotate(h1 ^ k1, 27) &+ h2) &* 5 &+ 0x52dc_e729
        let k2 = rotate(load(block * 16 + 8, bytes.count) &* c2, 33) &* c1
        h2 = (rotate(h2 ^ k2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
    }
    let tail = blocks * 16
    if bytes.count > tail + 8 { h2 ^= rotate(load(tail + 8, bytes.count) &* c2, 33) &* c1 }
    if bytes.count > tail { h1 ^= rotate(load(tail, bytes.count) &* c1, 31) &* c2 }
    h1 ^= UInt64(bytes.count)
    h2 ^= UInt64(bytes.count)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    h1 = finish(h1)
    h2 = finish(h2)
    h1 = h1 &+ h2
    h2 = h2 &+ h1
    return (h1, h2)
}
