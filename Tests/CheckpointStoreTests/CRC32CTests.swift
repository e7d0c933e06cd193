import TestKit
import Testing

@testable import CheckpointStore

/// The checksum against published vectors, and the fast path against the definition, bit by bit.
@Suite struct CRC32CTests {
    @Test("Published vectors (RFC 3720, appendix B.4)")
    func vectors() {
        #expect(CRC32C.checksum([UInt8]()) == 0)
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
        #expect(CRC32C.checksum(Array((0..<32).reversed())) == 0x113F_DB5C)
    }

    @Test("Every length and every split in two gives the checksum by definition")
    func pieces() {
        var random = SeededGenerator(seed: 1)
        let bytes = (0..<100).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        for length in 0...bytes.count {
            let input = Array(bytes[..<length])
            let expected = slow(input)
            #expect(CRC32C.checksum(input) == expected)
            var byTables = CRC32C()
            input.withUnsafeBytes { byTables.updateByTables($0) }
            #expect(byTables.value == expected, "by tables, length \(length)")
            for cut in 0...length {
                var sum = CRC32C()
                sum.update(Array(input[..<cut]))
                sum.update(Array(input[cut...]))
                #expect(sum.value == expected, "length \(length), cut at \(cut)")
            }
        }
    }

    private func slow(_ bytes: [UInt8]) -> UInt32 {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
        }
        return ~crc
    }
}
