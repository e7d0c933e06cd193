/// A value that can be part of a checkpoint. The encoding is the type's own, little-endian, and stable across processes and builds.
public protocol StateCodable: Sendable {
    /// Name of the shape in the manifest; state of another shape is refused on restore.
    static var stateTypeName: String { get }
    func encode(into writer: inout StateWriter)
    init(from reader: inout StateReader) throws(StateDecodingError)
}

/// An unreadable record: the offset within its bytes and the reason.
public struct StateDecodingError: Error, Hashable, Sendable, CustomStringConvertible {
    public let offset: Int
    public let problem: String
    public init(offset: Int, problem: String) { (self.offset, self.problem) = (offset, problem) }
    public var description: String { "\(problem) at offset \(offset)" }
}

/// A growing buffer for encoding state. Owned by one thread; `release()` frees it.
public struct StateWriter {
    @usableFromInline var base: UnsafeMutablePointer<UInt8>
    @usableFromInline var capacity: Int
    @usableFromInline var length: Int
    /// Number of bytes written so far.
    @inlinable public var count: Int { length }

    public init(capacity: Int = 4096) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
        length = 0
    }

    public mutating func release() {
        base.deallocate()
        capacity = 0
        length = 0
    }

    public mutating func removeAll() { length = 0 }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Makes room for `extra` bytes and returns their address; the caller fills all of them.
    @inlinable
    public mutating func extend(by extra: Int) -> UnsafeMutablePointer<UInt8> {
        if length + extra > capacity { grow(to: length + extra) }
        let place = base + length
        length += extra
        return place
    }

    @usableFromInline @inline(never)
    mutating func grow(to needed: Int) {
        let larger = max(needed, capacity * 2)
        let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        fresh.update(from: base, count: count)
        base.deallocate()
        base = fresh
        capacity = larger
    }

    @inlinable
    public mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        let place = extend(by: MemoryLayout<Integer>.size)
        UnsafeMutableRawPointer(place).storeBytes(of: value.littleEndian, as: Integer.self)
    }

    public mutating func write(bytes source: UnsafeRawBufferPointer) {
        guard let start = source.baseAddress else { return }
        let place = extend(by: source.count)
        place.update(from: start.assumingMemoryBound(to: UInt8.self), count: source.count)
    }

    /// Writes the UTF-8 bytes of a string, without a length.
    public mutating func write(utf8 text: String) {
        var text = text
        text.withUTF8 { write(bytes: UnsafeRawBufferPointer($0)) }
    }
}

/// Decodes state; every read is bounds-checked and throws `StateDecodingError`.
public struct StateReader {
    @usableFromInline let buffer: UnsafeRawBufferPointer
    @usableFromInline var position = 0
    /// Number of bytes read so far.
    @inlinable public var offset: Int { position }
    private var depth = 0
    /// Maximum nesting of records: deeper than any sensible program, and shallow enough for the stack of a subtask.
    private static let maximumDepth = 128

    public init(_ buffer: UnsafeRawBufferPointer) { self.buffer = buffer }

    public var isAtEnd: Bool { offset == buffer.count }
    public var remaining: Int { buffer.count - offset }

    @inlinable @inline(__always)
    mutating func take(_ size: Int) throws(StateDecodingError) -> Int {
        let start = position
        guard size >= 0, size <= buffer.count &- start else { throw shortage(of: size) }
        position = start &+ size
        return start
    }

    @usableFromInline @inline(never)
    func shortage(of size: Int) -> StateDecodingError {
        StateDecodingError(offset: offset, problem: "\(size) bytes wanted, \(remaining) left")
    }

    /// Reads a value that may contain values of its own type: unlimited nesting is an error.
    public mutating func nested<Value>(
        _ read: (inout StateReader) throws(StateDecodingError) -> Value
    ) throws(StateDecodingError) -> Value {
        guard depth < Self.maximumDepth else { throw StateDecodingError(offset: offset, problem: "records nested more than \(Self.maximumDepth) deep") }
        depth += 1
        defer { depth -= 1 }
        return try read(&self)
    }

    @inlinable
    public mutating func read<Integer: FixedWidthInteger>(_ type: Integer.Type = Integer.self) throws(StateDecodingError) -> Integer {
        let start = try take(MemoryLayout<Integer>.size)
        return Integer(littleEndian: buffer.loadUnaligned(fromByteOffset: start, as: Integer.self))
    }

    public mutating func readBytes(_ count: Int) throws(StateDecodingError) -> UnsafeRawBufferPointer {
        let start = try take(count)
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + count])
    }

    /// Reads a count of elements of at least `minimumSize` bytes each, so that a damaged count cannot request too much memory.
    public mutating func readCount(minimumSize: Int = 1) throws(StateDecodingError) -> Int {
        let at = offset
        let count = Int(try read(UInt32.self))
        guard count * max(minimumSize, 1) <= remaining else {
            throw StateDecodingError(offset: at, problem: "a count of \(count) does not fit the \(remaining) bytes left")
        }
        return count
    }
}

extension FixedWidthInteger where Self: StateCodable {
    @inlinable public static var stateTypeName: String { String(describing: Self.self) }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(self) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) { self = try reader.read(Self.self) }
}

extension UInt64: StateCodable {}
extension Int64: StateCodable {}
extension UInt32: StateCodable {}
extension Int32: StateCodable {}
extension Int: StateCodable {
    // The width is part of the format, not of the machine.
    @inlinable public static var stateTypeName: String { "Int64" }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(Int64(self)) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) { self = Int(try reader.read(Int64.self)) }
}

extension Double: StateCodable {
    @inlinable public static var stateTypeName: String { "Double" }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(bitPattern) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) {
        self = Double(bitPattern: try reader.read(UInt64.self))
    }
}

extension Bool: StateCodable {
    @inlinable public static var stateTypeName: String { "Bool" }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(UInt8(self ? 1 : 0)) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) {
        let at = reader.offset
        switch try reader.read(UInt8.self) {
        case 0: self = false
        case 1: self = true
        case let other: throw StateDecodingError(offset: at, problem: "\(other) is not a Bool")
        }
    }
}

extension String: StateCodable {
    @inlinable public static var stateTypeName: String { "String" }

    public func encode(into writer: inout StateWriter) {
        var text = self
        text.withUTF8 { utf8 in
            writer.write(UInt32(utf8.count))
            writer.write(bytes: UnsafeRawBufferPointer(utf8))
        }
    }

    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let at = reader.offset
        let count = try reader.readCount()
        let bytes = try reader.readBytes(count)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw StateDecodingError(offset: at, problem: "\(count) bytes that are not UTF-8")
        }
        self = text
    }
}

extension Array: StateCodable where Element: StateCodable {
    @inlinable public static var stateTypeName: String { "[\(Element.stateTypeName)]" }

    @inlinable
    public func encode(into writer: inout StateWriter) {
        writer.write(UInt32(count))
        for element in self { element.encode(into: &writer) }
    }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let count = try reader.readCount()
        self.init()
        reserveCapacity(count)
        for _ in 0..<count { append(try Element(from: &reader)) }
    }
}

extension Dictionary: StateCodable where Key: StateCodable & Comparable, Value: StateCodable {
    @inlinable public static var stateTypeName: String { "[\(Key.stateTypeName):\(Value.stateTypeName)]" }

    /// Writes entries sorted by key, so that equal dictionaries have equal bytes.
    @inlinable
    public func encode(into writer: inout StateWriter) {
        writer.write(UInt32(count))
        for (key, value) in sorted(by: { $0.key < $1.key }) {
            key.encode(into: &writer)
            value.encode(into: &writer)
        }
    }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let count = try reader.readCount(minimumSize: 2)
        self.init(minimumCapacity: count)
        for _ in 0..<count {
            let key = try Key(from: &reader)
            self[key] = try Value(from: &reader)
        }
    }
}
