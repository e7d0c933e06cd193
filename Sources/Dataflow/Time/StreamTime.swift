public import StreamModel

/// What a channel says about event time, in band, behind the records that were sent before it.
@usableFromInline
enum StreamTime: Sendable, Equatable {
    /// No record with this time or an earlier one is expected any more. Also says that the channel is active.
    case watermark(EventTime)
    /// Nothing comes for now: do not wait for this channel.
    case idle
    /// Records come again; a watermark will follow.
    case active
}

/// A moment on both clocks of the host, read once for the batches that follow.
@usableFromInline
struct TaskMoment {
    @usableFromInline var instant: EngineInstant
    @usableFromInline var wall: WallTime
    @inlinable init(instant: EngineInstant, wall: WallTime) { (self.instant, self.wall) = (instant, wall) }

    /// The instant at which the wall clock will show `time`, if it is not set anew until then. Never early: the wall clock's reading
    /// is rounded down, so that the difference is rounded up.
    @usableFromInline
    func instant(of time: WallTime) -> EngineInstant {
        let (wait, overflows) = time.milliseconds.subtractingReportingOverflow(wall.milliseconds)
        return instant + Milliseconds(overflows ? Self.longest : min(wait, Self.longest))
    }

    /// A year, in ms: nobody waits longer without looking at the clock again.
    private static let longest: Int64 = 31_536_000_000
}

/// What an operator wants done at a time, rather than at a record: processing-time timers, periodic watermarks, idleness. Called between
/// batches, on the subtask's thread.
@usableFromInline
struct Alarm {
    /// When to ring next; nil = not now. Asked anew after every batch.
    @usableFromInline let due: (TaskMoment) -> EngineInstant?
    /// Does everything that is due at the moment. Errors go to the subtask's context.
    @usableFromInline let ring: (TaskMoment) -> Void
    @usableFromInline
    init(due: @escaping (TaskMoment) -> EngineInstant?, ring: @escaping (TaskMoment) -> Void) {
        self.due = due
        self.ring = ring
    }
}

/// A record that knows when it happened. What has event-time windows, joins and watermarks.
public protocol EventTimed: Sendable {
    var eventTime: EventTime { get }
}

/// A record with the time that `assignTimestamps(by:)` gave it.
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
