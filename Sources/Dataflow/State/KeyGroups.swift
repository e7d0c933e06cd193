/// A key by which records are partitioned. Its hash decides the key group and the table slot and is written into checkpoints by name
/// (`KeyGroups.hashName`), so it must never change: unlike `Hasher`, it is the same in every process.
public protocol StreamKey: Hashable, StateCodable {
    var stableHash: UInt64 { get }
}

extension UInt64: StreamKey { @inlinable public var stableHash: UInt64 { KeyGroups.mix(self) } }
extension Int64: StreamKey { @inlinable public var stableHash: UInt64 { KeyGroups.mix(UInt64(bitPattern: self)) } }
extension UInt32: StreamKey { @inlinable public var stableHash: UInt64 { KeyGroups.mix(UInt64(self)) } }
extension Int32: StreamKey { @inlinable public var stableHash: UInt64 { KeyGroups.mix(UInt64(bitPattern: Int64(self))) } }
extension Int: StreamKey { @inlinable public var stableHash: UInt64 { KeyGroups.mix(UInt64(bitPattern: Int64(self))) } }

extension String: StreamKey {
    /// Hashes eight bytes per round over the UTF-8, then the length. Strings that are canonically equal but differ in bytes have different hashes:
    /// keys are compared as text, so normalise such input before keying by it.
    @inlinable
    public var stableHash: UInt64 {
        var text = self
        return text.withUTF8 { utf8 in KeyGroups.hash(bytes: UnsafeRawBufferPointer(utf8)) }
    }
}

/// The assignment of keys to subtasks.
public enum KeyGroups {
    /// Name of the hash in every manifest; a checkpoint written with another one is refused.
    public static let hashName = "weir-mix64-1"

    /// Spreads all 64 bits: the high half picks the key group, the low half the slot.
    @inlinable @inline(__always)
    public static func mix(_ value: UInt64) -> UInt64 {
        var x = value
        x ^= x >> 32
        x &*= 0xd6e8_feb8_6659_fd93
        x ^= x >> 32
        return x
    }

    @inlinable
    public static func hash(bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15 ^ UInt64(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            state = mix(state ^ word) &+ 0x9e37_79b9_7f4a_7c15
            offset += 8
        }
        var tail: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count {
            tail |= UInt64(bytes[offset]) << shift
            shift += 8
            offset += 1
        }
        return mix(mix(state ^ tail) &* 0xff51_afd7_ed55_8ccd)
    }

    /// The key group, in 0 ..< maxParallelism.
    @inlinable @inline(__always)
    public static func group(ofHash hash: UInt64, maxParallelism: Int) -> Int {
        Int(truncatingIfNeeded: ((hash >> 32) &* UInt64(truncatingIfNeeded: maxParallelism)) >> 32)
    }

    /// The subtask that owns a key group (Flink's KeyGroupRangeAssignment).
    public static func subtask(ofGroup group: Int, parallelism: Int, maxParallelism: Int) -> Int { group * parallelism / maxParallelism }

    /// The key groups of a subtask; empty when there are fewer groups than subtasks.
    public static func range(ofSubtask index: Int, parallelism: Int, maxParallelism: Int) -> Range<Int> {
        let start = (index * maxParallelism + parallelism - 1) / parallelism
        let end = ((index + 1) * maxParallelism - 1) / parallelism + 1
        return start..<max(start, end)
    }

    /// Flink's default: 1.5 x parallelism, rounded up to a power of two, within 128...32768.
    public static func defaultMaxParallelism(parallelism: Int) -> Int {
        var power = 1
        while power < parallelism + parallelism / 2 { power *= 2 }
        return min(max(power, 128), 32768)
    }
}
