/// Reads what Java's `DataOutputStream` writes (big-endian numbers, strings in modified UTF-8) from bytes of unknown origin.
/// Every length is held against what is left before anything is allocated; everything impossible is an error with its offset.
struct JavaDataReader {
    private let bytes: ArraySlice<UInt8>
    let file: String
    private(set) var offset: Int

    init(_ bytes: ArraySlice<UInt8>, file: String) {
        self.bytes = bytes
        self.file = file
        offset = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - offset }

    func failure(_ expected: String, found: String, at place: Int? = nil) -> FlinkFormatError {
        FlinkFormatError(file: file, offset: place ?? offset, expected: expected, found: found)
    }

    /// The next `count` bytes; `what` names them in the error.
    mutating func take(_ count: Int, _ what: @autoclosure () -> String) throws(FlinkFormatError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw failure("\(what()) of \(count) bytes", found: "\(remaining) bytes and the end") }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    mutating func takeRest() -> ArraySlice<UInt8> {
        defer { offset = bytes.endIndex }
        return bytes[offset...]
    }

    mutating func byte(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> UInt8 { try integer(what()) }

    mutating func int(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> Int { Int(try integer(what()) as Int32) }

    mutating func long(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> Int64 { try integer(what()) }

    mutating func integer<Value: FixedWidthInteger>(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> Value {
        let slice = try take(MemoryLayout<Value>.size, what())
        return Value(bigEndian: slice.withUnsafeBytes { $0.loadUnaligned(as: Value.self) })
    }

    /// A size in bytes: -1 stands for an unknown one.
    mutating func size(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> Int64 {
        let place = offset
        let value = try long(what())
        guard value >= -1 else { throw failure("\(what()) that is not negative", found: "\(value)", at: place) }
        return value
    }

    /// A number of elements of at least `minimum` bytes each.
    mutating func count(of what: @autoclosure () -> String, minimum: Int) throws(FlinkFormatError) -> Int {
        let place = offset
        let count = try int("the number of \(what())")
        guard count >= 0, count <= remaining / minimum else {
            throw failure("a number of \(what()) that fits in the \(remaining) bytes left", found: "\(count)", at: place)
        }
        return count
    }

    /// Elements behind their number.
    mutating func array<Element>(
        of what: @autoclosure () -> String, minimum: Int, _ read: (inout JavaDataReader) throws(FlinkFormatError) -> Element
    ) throws(FlinkFormatError) -> [Element] {
        let count = try count(of: what(), minimum: minimum)
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    mutating func longs(of what: @autoclosure () -> String) throws(FlinkFormatError) -> [Int64] {
        let count = try count(of: what(), minimum: 8)
        return try longs(count, of: what())
    }

    mutating func longs(_ count: Int, of what: @autoclosure () -> String) throws(FlinkFormatError) -> [Int64] {
        let place = offset
        guard count >= 0, count <= remaining / 8 else { throw failure("\(count) \(what())", found: "\(remaining) bytes and the end", at: place) }
        let slice = try take(count * 8, what())
        return slice.withUnsafeBytes { raw in
            (0..<count).map { Int64(bigEndian: raw.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self)) }
        }
    }

    /// A string behind its length of two bytes.
    mutating func text(_ what: @autoclosure () -> String) throws(FlinkFormatError) -> String {
        let place = offset
        let length = Int(try integer("the length of \(what())") as UInt16)
        let slice = try take(length, what())
        guard let text = ModifiedUTF8.decode(slice) else { throw failure("\(what()) in modified UTF-8", found: "other bytes", at: place) }
        return text
    }
}

/// Java's form of UTF-8: NUL takes two bytes, and a character beyond the first plane is two surrogates of three bytes each.
enum ModifiedUTF8 {
    /// nil when the bytes are not in this form. A surrogate without its partner becomes U+FFFD.
    static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
        var units: [UInt16] = []
        units.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        /// The low six bits of the next byte, if it continues a character.
        func continuation(_ distance: Int) -> UInt16? {
            guard index + distance < bytes.endIndex, bytes[index + distance] & 0xC0 == 0x80 else { return nil }
            return UInt16(bytes[index + distance] & 0x3F)
        }
        while index < bytes.endIndex {
            let first = bytes[index]
            switch first {
            case 0..<0x80:
                units.append(UInt16(first))
                index += 1
            case 0xC0..<0xE0:
                guard let second = continuation(1) else { return nil }
                units.append(UInt16(first & 0x1F) << 6 | second)
                index += 2
            case 0xE0..<0xF0:
                guard let second = continuation(1), let third = continuation(2) else { return nil }
                units.append(UInt16(first & 0x0F) << 12 | second << 6 | third)
                index += 3
            default: return nil
            }
        }
        return String(decoding: units, as: UTF16.self)
    }
}
