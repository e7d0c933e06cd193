/// A text of at most 31 bytes of UTF-8, stored in place. A record or key of this type is plain memory: no allocation, no reference counting, no
/// second memory access to compare keys. Most identifiers fit, and suit a hot path in this form; `String` is for longer ones.
///
/// Two texts are equal when their bytes are.
public struct ShortText: BitwiseCopyable, Sendable {
    public static var maximumBytes: Int { 31 }

    /// The bytes in order, padded with zeros; the last byte is their number.
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    /// Creates a text; nil = longer than 31 bytes.
    @inlinable
    public init?(_ text: String) {
        var text = text
        guard let short = text.withUTF8({ ShortText(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = short
    }

    /// Creates a text from bytes of UTF-8, unchecked: invalid ones show as U+FFFD. nil = more than 31 bytes.
    @inlinable
    public init?(utf8 bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= Self.maximumBytes else { return nil }
        words = (0, 0, 0, 0)
        withUnsafeMutableBytes(of: &words) { place in
            place.copyMemory(from: bytes)
            place[Self.maximumBytes] = UInt8(truncatingIfNeeded: bytes.count)
        }
    }

    /// Number of bytes of UTF-8.
    @inlinable public var count: Int { Int(truncatingIfNeeded: UInt64(littleEndian: words.3) &>> 56) }

    /// Calls the closure with the bytes, valid during the call.
    @inlinable
    public func withUTF8<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withUnsafeBytes(of: words) { try body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }
}

extension ShortText: Hashable {
    @inlinable @inline(__always)
    public static func == (left: ShortText, right: ShortText) -> Bool {
        (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1) | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3) == 0
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

extension ShortText: Comparable {
    /// Compares by bytes.
    public static func < (left: ShortText, right: ShortText) -> Bool {
        left.withUTF8 { left in right.withUTF8 { right in left.lexicographicallyPrecedes(right) } }
    }
}

extension ShortText: StreamKey {
    /// Hashes one round per word, all four: the length is in the last one.
    @inlinable @inline(__always)
    public var stableHash: UInt64 {
        let step: UInt64 = 0x9e37_79b9_7f4a_7c15
        var state = KeyGroups.mix(UInt64(littleEndian: words.0) &+ step)
        state = KeyGroups.mix((state ^ UInt64(littleEndian: words.1)) &+ step)
        state = KeyGroups.mix((state ^ UInt64(littleEndian: words.2)) &+ step)
        return KeyGroups.mix((state ^ UInt64(littleEndian: words.3)) &+ step)
    }

    @inlinable public static var stateTypeName: String { "ShortText" }

    @inlinable
    public func encode(into writer: inout StateWriter) {
        writer.write(UInt8(truncatingIfNeeded: count))
        withUTF8 { writer.write(bytes: $0) }
    }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let at = reader.offset
        let count = Int(try reader.read(UInt8.self))
        guard let text = ShortText(utf8: try reader.readBytes(count)) else {
            throw StateDecodingError(offset: at, problem: "a short text of \(count) bytes, at most \(Self.maximumBytes) fit")
        }
        self = text
    }
}

extension ShortText: CustomStringConvertible {
    public var description: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }
}
