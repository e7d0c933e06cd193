public import StreamModel

/// How long a state lives after it was last used, by processing time (the clock of the host, read once a batch).
///
/// What has expired is never given out, also if it is still there (Flink's NeverReturnExpired). It goes when it is met, when the table is
/// cleaned (some places a batch), and with every full snapshot and every restore, which leave it out.
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

/// A time to live at work, with the subtask's clock.
@usableFromInline
struct Lifetime {
    @usableFromInline let milliseconds: Int64
    @usableFromInline let refreshesOnRead: Bool
    /// The subtask's, which outlives its operators' states.
    @usableFromInline let clock: UnsafeMutablePointer<TaskMoment>

    @usableFromInline
    init(_ timeToLive: TimeToLive, clock: UnsafeMutablePointer<TaskMoment>) {
        milliseconds = timeToLive.duration.count
        refreshesOnRead = timeToLive.renewal == .onReadAndWrite
        self.clock = clock
    }

    @inlinable var now: WallTime { clock.pointee.wall }

    /// A value lives until `duration` after its last use; at that very moment it is dead, as in Flink.
    @inlinable @inline(__always)
    func isAlive<Value>(_ stored: Expiring<Value>, at now: WallTime) -> Bool {
        let (end, overflows) = stored.accessedAt.milliseconds.addingReportingOverflow(milliseconds)
        return overflows || end > now.milliseconds
    }

    /// Whether reading it now is to be noted.
    @inlinable @inline(__always)
    func refreshes<Value>(_ stored: Expiring<Value>, at now: WallTime) -> Bool { refreshesOnRead && stored.accessedAt != now }
}

/// What of a stored value is dead.
@usableFromInline
struct Expiry<Stored> {
    /// All of it.
    @usableFromInline let isDead: (Stored, WallTime) -> Bool
    /// What is left of it; nil = nothing. Called on writer threads too.
    @usableFromInline let prune: (Stored, WallTime) -> Stored?

    @inlinable
    init(isDead: @escaping (Stored, WallTime) -> Bool, prune: @escaping (Stored, WallTime) -> Stored?) {
        self.isDead = isDead
        self.prune = prune
    }
}
