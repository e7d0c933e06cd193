internal import CChecksum

/// The Castagnoli checksum (polynomial 0x1EDC6F41, reflected, as in iSCSI and ext4), fed incrementally. Uses the processor's instruction if
/// available, otherwise tables, sixteen bytes a step. A value: copying it forks the sum.
public struct CRC32C: Sendable {
    private var state: UInt32 = 0xFFFF_FFFF

    public init() {}

    /// Checksum of all bytes fed so far.
    public var value: UInt32 { ~state }

    public static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var sum = CRC32C()
        sum.update(bytes)
        return sum.value
    }

    public static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum = CRC32C()
        bytes.withUnsafeBytes { sum.update($0) }
        return sum.value
    }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard Self.hasInstruction else { return updateByTables(bytes) }
        state = crc32c_with_instruction(state, bytes.baseAddress, bytes.count)
    }

    private static let hasInstruction = crc32c_instruction_exists() != 0

    mutating func updateByTables(_ bytes: UnsafeRawBufferPointer) {
        guard var cursor = bytes.baseAddress else { return }
        let table = Self.tables
        var crc = state
        var left = bytes.count
        while left >= 16 {
            let a = cursor.loadUnaligned(fromByteOffset: 0, as: UInt64.self).littleEndian ^ UInt64(crc)
            let b = cursor.loadUnaligned(fromByteOffset: 8, as: UInt64.self).littleEndian
            crc = Self.fold(a, table + 8 * 256) ^ Self.fold(b, table)
            cursor += 16
            left -= 16
        }
        while left > 0 {
            crc = table[Int((crc ^ UInt32(cursor.load(as: UInt8.self))) & 0xFF)] ^ (crc >> 8)
            cursor += 1
            left -= 1
        }
        state = crc
    }

    /// Eight bytes, the first of them seven table rows further from the end than the last.
    @inline(__always)
    private static func fold(_ word: UInt64, _ rows: UnsafePointer<UInt32>) -> UInt32 {
        let low =
            rows[7 * 256 + Int(word & 0xFF)] ^ rows[6 * 256 + Int((word >> 8) & 0xFF)]
            ^ rows[5 * 256 + Int((word >> 16) & 0xFF)] ^ rows[4 * 256 + Int((word >> 24) & 0xFF)]
        let high =
            rows[3 * 256 + Int((word >> 32) & 0xFF)] ^ rows[2 * 256 + Int((word >> 40) & 0xFF)]
            ^ rows[256 + Int((word >> 48) & 0xFF)] ^ rows[Int(word >> 56)]
        return low ^ high
    }

    /// Sixteen rows of 256: row r, entry b = the sum of byte b followed by r zero bytes. Written once before it is shared, and never freed, so
    /// sharing the pointer between threads is safe.
    nonisolated(unsafe) private static let tables: UnsafePointer<UInt32> = {
        let rows = UnsafeMutablePointer<UInt32>.allocate(capacity: 16 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
            (rows + byte).initialize(to: crc)
        }
        for entry in 256..<16 * 256 {
            let previous = rows[entry - 256]
            (rows + entry).initialize(to: rows[Int(previous & 0xFF)] ^ (previous >> 8))
        }
        return UnsafePointer(rows)
    }()
}
