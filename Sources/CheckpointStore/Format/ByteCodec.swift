/// Appends little-endian values to a byte array.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func byte(_ value: UInt8) { bytes.append(value) }
    mutating func flag(_ value: Bool) { bytes.append(value ? 1 : 0) }
    mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

    mutating func integer<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// Appends a number of elements or bytes, as 32 bits.
    mutating func count(_ value: Int) {
        precondition(value <= UInt32.max, "a record of \(value) parts cannot be encoded")
        integer(UInt32(value))
    }

    mutating func text(_ value: String) {
        count(value.utf8.count)
        bytes.append(contentsOf: value.utf8)
    }

    mutating func array<Element>(_ elements: [Element], _ write: (inout ByteWriter, Element) -> Void) {
        count(elements.count)
        for element in elements { write(&self, element) }
    }
}

/// Reads little-endian values from untrusted bytes: every length is checked against the remaining bytes before any allocation, and everything
/// impossible is a typed error with path and offset.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private let path: String
    /// Format version of the bytes.
    let version: UInt32
    private(set) var offset: Int

    init(_ bytes: ArraySlice<UInt8>, path: String, version: UInt32 = 0) {
        self.bytes = bytes
        self.path = path
        self.version = version
        offset = bytes.startIndex
    }

    var remaining: Int { bytes.endIndex - offset }

    func malformed(_ reason: String) -> StoreError { .malformed(path: path, offset: offset, reason: reason) }

    mutating func raw(_ count: Int) throws(StoreError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw malformed("\(count) bytes are announced, \(remaining) are left") }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    mutating func byte() throws(StoreError) -> UInt8 { try integer() }

    mutating func flag() throws(StoreError) -> Bool {
        let value = try byte()
        guard value <= 1 else { throw malformed("a flag is \(value)") }
        return value == 1
    }

    mutating func integer<Value: FixedWidthInteger>(as type: Value.Type = Value.self) throws(StoreError) -> Value {
        let slice = try raw(MemoryLayout<Value>.size)
        return Value(littleEndian: slice.withUnsafeBytes { $0.loadUnaligned(as: Value.self) })
    }

    /// Reads a non-negative number stored in 32 bits.
    mutating func small() throws(StoreError) -> Int { Int(try integer(as: UInt32.self)) }

    mutating func text() throws(StoreError) -> String {
        let count = try small()
        let slice = try raw(count)
        guard let text = String(validating: slice, as: UTF8.self) else { throw malformed("a text is not UTF-8") }
        return text
    }

    /// Reads an array whose elements have at least `minimum` bytes each.
    mutating func array<Element>(
        minimum: Int, _ read: (inout ByteReader) throws(StoreError) -> Element
    ) throws(StoreError) -> [Element] {
        let count = try small()
        guard count <= remaining / minimum else { throw malformed("\(count) elements are announced, \(remaining) bytes are left") }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    func end() throws(StoreError) {
        guard remaining == 0 else { throw malformed("\(remaining) bytes are left over") }
    }
}
