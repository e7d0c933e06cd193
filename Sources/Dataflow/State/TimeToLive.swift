public import StreamModel

/// Time to live of a state after its last use, by processing time. The host's clock is read once per batch.
///
/// Expired state is never returned, even if still present (Flink's NeverReturnExpired). It is removed when it is accessed, when the table is
/// cleaned (some slots per batch), and by every full snapshot and every restore, which leave it out.
public struct TimeToLive: Sendable, Hashable {
    public enum Renewal: Sendable, Hashable {
        case onCreateAndWrite
        case onReadAndWrite
    }

    public var duration: Milliseconds
    public var renewal: Renewal

    public init(_ duration: Milliseconds, renewal: Renewal = .onCreateAndWrite) {
        self.duration = duration
        self.renewal = renewal
    }
}

/// A value with the time of its last use.
public struct Expiring<Value: StateCodable>: StateCodable {
    @usableFromInline var value: Value
    @usableFromInline var accessedAt: WallTime

    @inlinable init(value: Value, accessedAt: WallTime) { (self.value, self.accessedAt) = (value, accessedAt) }

    @inlinable public static var stateTypeName: String { "expiring \(Value.stateTypeName)" }

    @inlinable
    public func encode(into writer: inout StateWriter) {
        writer.write(accessedAt.milliseconds)
        value.encode(into: &writer)
    }

    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        accessedAt = WallTime(milliseconds: try reader.read(Int64.self))
        value = try Value(from: &reader)
    }
}

/// A time to live with the subtask's clock.
@usableFromInline
struct Lifetime {
    @usableFromInline let milliseconds: Int64
    @usableFromInline let refreshesOnRead: Bool
    /// The subtask's clock, which outlives its operators' states.
    @usableFromInline let clock: UnsafeMutablePointer<TaskMoment>

    @usableFromInline
    init(_ timeToLive: TimeToLive, clock: UnsafeMutablePointer<TaskMoment>) {
        milliseconds = timeToLive.duration.count
        refreshesOnRead = timeToLive.renewal == .onReadAndWrite
        self.clock = clock
    }

    @inlinable var now: WallTime { clock.pointee.wall }

    /// Whether a value is alive: until `duration` after its last use, exclusive, as in Flink.
    @inlinable @inline(__always)
    func isAlive<Value>(_ stored: Expiring<Value>, at now: WallTime) -> Bool {
        let (end, overflows) = stored.accessedAt.milliseconds.addingReportingOverflow(milliseconds)
        return overflows || end > now.milliseconds
    }

    /// Whether a read now updates the time of use.
    @inlinable @inline(__always)
    func refreshes<Value>(_ stored: Expiring<Value>, at now: WallTime) -> Bool { refreshesOnRead && stored.accessedAt != now }
}

/// Expiry of a stored value.
@usableFromInline
struct Expiry<Stored> {
    /// Whether all of it has expired.
    @usableFromInline let isDead: (Stored, WallTime) -> Bool
    /// The living rest of it, or nil. Called on writer threads too.
    @usableFromInline let prune: (Stored, WallTime) -> Stored?

    @inlinable
    init(isDead: @escaping (Stored, WallTime) -> Bool, prune: @escaping (Stored, WallTime) -> Stored?) {
        self.isDead = isDead
        self.prune = prune
    }
}
