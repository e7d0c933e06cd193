public import StreamModel

/// A channel's report of event time, in band, behind the records sent before it.
@usableFromInline
enum StreamTime: Sendable, Equatable {
    /// No more records with this time or earlier are expected. Also marks the channel as active.
    case watermark(EventTime)
    /// No data for now: do not wait for this channel.
    case idle
    /// Records come again; a watermark will follow.
    case active
}

/// A reading of both clocks of the host, taken once for the following batches.
@usableFromInline
struct TaskMoment {
    @usableFromInline var instant: EngineInstant
    @usableFromInline var wall: WallTime
    @inlinable init(instant: EngineInstant, wall: WallTime) { (self.instant, self.wall) = (instant, wall) }

    /// The instant when the wall clock will show `time`, unless it is set before. Never early: the wall clock's reading is rounded down, so the
    /// difference is rounded up.
    @usableFromInline
    func instant(of time: WallTime) -> EngineInstant {
        let (wait, overflows) = time.milliseconds.subtractingReportingOverflow(wall.milliseconds)
        return instant + Milliseconds(overflows ? Self.longest : min(wait, Self.longest))
    }

    /// A year, in ms: the longest wait without reading the clock again.
    private static let longest: Int64 = 31_536_000_000
}

/// An operator's work due at a time instead of a record: processing-time timers, periodic watermarks, idleness. Called between batches, on the
/// subtask's thread.
@usableFromInline
struct Alarm {
    /// Time of the next ring; nil = none for now. Queried after every batch.
    @usableFromInline let due: (TaskMoment) -> EngineInstant?
    /// Does all work due at the moment. Errors go to the subtask's context.
    @usableFromInline let ring: (TaskMoment) -> Void
    @usableFromInline
    init(due: @escaping (TaskMoment) -> EngineInstant?, ring: @escaping (TaskMoment) -> Void) {
        self.due = due
        self.ring = ring
    }
}

/// A record with event time. Required for event-time windows, joins and watermarks.
public protocol EventTimed: Sendable {
    var eventTime: EventTime { get }
}

/// A record with the time assigned by `assignTimestamps(by:)`.
public struct Timestamped<Value: Sendable>: EventTimed {
    public var value: Value
    public var eventTime: EventTime
    @inlinable public init(_ value: Value, at eventTime: EventTime) { (self.value, self.eventTime) = (value, eventTime) }
}

extension EventTime: StateCodable {
    @inlinable public static var stateTypeName: String { "EventTime" }
    @inlinable public func encode(into writer: inout StateWriter) { writer.write(milliseconds) }
    @inlinable public init(from reader: inout StateReader) throws(StateDecodingError) { self.init(milliseconds: try reader.read()) }
}

extension Timestamped: StateCodable where Value: StateCodable {
    @inlinable public static var stateTypeName: String { "Timestamped<\(Value.stateTypeName)>" }
    @inlinable
    public func encode(into writer: inout StateWriter) {
        eventTime.encode(into: &writer)
        value.encode(into: &writer)
    }
    @inlinable
    public init(from reader: inout StateReader) throws(StateDecodingError) {
        let time = try EventTime(from: &reader)
        self.init(try Value(from: &reader), at: time)
    }
}

extension Timestamped: BitwiseCopyable where Value: BitwiseCopyable {}
