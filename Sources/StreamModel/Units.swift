// Units saturate instead of trapping, because their values also come from files and from the wire.

/// Milliseconds on the wall clock since 1970-01-01T00:00:00Z. For display and records only; durations come from `EngineInstant`.
public struct WallTime: Hashable, Comparable, Codable, Sendable {
    public let milliseconds: Int64
    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    public static func - (left: Self, right: Self) -> Milliseconds { Milliseconds(left.milliseconds.subtractingClamped(right.milliseconds)) }
    public static func + (left: Self, right: Milliseconds) -> Self { Self(milliseconds: left.milliseconds.addingClamped(right.count)) }
    public init(from decoder: any Decoder) throws { self.init(milliseconds: try decoder.singleValueContainer().decode(Int64.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }
}

/// A reading of the monotonic clock, in nanoseconds. Meaningful only within one process (or one simulation).
public struct EngineInstant: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public init(milliseconds: Int64) { nanoseconds = milliseconds.multipliedClamped(by: 1_000_000) }
    public static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }
    /// Whole milliseconds from `right` to `left`, rounded down.
    public static func - (left: Self, right: Self) -> Milliseconds { Milliseconds(left.nanoseconds.subtractingClamped(right.nanoseconds) / 1_000_000) }
    public static func + (left: Self, right: Milliseconds) -> Self {
        Self(nanoseconds: left.nanoseconds.addingClamped(right.count.multipliedClamped(by: 1_000_000)))
    }
}

/// Milliseconds of event time, as carried by the records. Since 1970-01-01T00:00:00Z when the records mean wall time.
public struct EventTime: Hashable, Comparable, Codable, Sendable, BitwiseCopyable {
    public let milliseconds: Int64
    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }
    /// Before all times: the watermark of a stream that has none yet.
    @inlinable public static var min: Self { Self(milliseconds: .min) }
    /// After all times: the watermark of a stream that has ended.
    @inlinable public static var max: Self { Self(milliseconds: .max) }
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.milliseconds < right.milliseconds }
    /// The sum, clamped to the range.
    @inlinable
    public static func + (left: Self, right: Milliseconds) -> Self {
        let (sum, overflows) = left.milliseconds.addingReportingOverflow(right.count)
        return overflows ? (right.count > 0 ? .max : .min) : Self(milliseconds: sum)
    }
    @inlinable
    public static func - (left: Self, right: Milliseconds) -> Self {
        let (difference, overflows) = left.milliseconds.subtractingReportingOverflow(right.count)
        return overflows ? (right.count > 0 ? .min : .max) : Self(milliseconds: difference)
    }
    public init(from decoder: any Decoder) throws { self.init(milliseconds: try decoder.singleValueContainer().decode(Int64.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }
}

/// A span of time in whole milliseconds, a plain number on the wire.
public struct Milliseconds: Hashable, Comparable, Codable, Sendable, ExpressibleByIntegerLiteral {
    public let count: Int64
    @inlinable public init(_ count: Int64) { self.count = count }
    @inlinable public init(integerLiteral value: Int64) { count = value }
    public static func seconds(_ count: Int64) -> Self { Self(count.multipliedClamped(by: 1000)) }
    public static func minutes(_ count: Int64) -> Self { Self(count.multipliedClamped(by: 60_000)) }
    public static func < (left: Self, right: Self) -> Bool { left.count < right.count }
    public static func + (left: Self, right: Self) -> Self { Self(left.count.addingClamped(right.count)) }
    public static func - (left: Self, right: Self) -> Self { Self(left.count.subtractingClamped(right.count)) }
    public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(Int64.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(count)
    }
}

/// A number of bytes, a plain number on the wire.
public struct ByteCount: Hashable, Comparable, Codable, Sendable, ExpressibleByIntegerLiteral {
    public let count: Int64
    public init(_ count: Int64) { self.count = count }
    public init(integerLiteral value: Int64) { count = value }
    public static func < (left: Self, right: Self) -> Bool { left.count < right.count }
    public static func + (left: Self, right: Self) -> Self { Self(left.count.addingClamped(right.count)) }
    public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(Int64.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(count)
    }
}
