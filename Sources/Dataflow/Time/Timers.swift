public import StreamModel

/// A timer that is due: what a function's `onTimer` gets.
public struct Timer: Sendable, Hashable {
    public enum Time: Sendable, Hashable {
        /// The watermark has reached it.
        case event(EventTime)
        /// The wall clock has reached it.
        case processing(WallTime)
    }
    public let time: Time
    /// The number that it was registered with.
    public let namespace: Int64

    @usableFromInline init(time: Time, namespace: Int64) { (self.time, self.namespace) = (time, namespace) }
}

/// Timers for the current key: registered from `process` and `onTimer`, part of the checkpoint. A key has at most one timer a time and
/// namespace: registering it again changes nothing.
///
/// An event-time timer for t fires when the watermark reaches t; one that is registered behind the watermark fires with the next watermark.
/// A processing-time timer for t fires when the wall clock shows t or later, never before, also while no records come. Timers of a
/// time domain fire in the order of their times. Timers in processing time that are pending when the input ends do not fire.
public final class Timers<Key: StreamKey> {
    @usableFromInline let event: TimerQueue<Key>
    @usableFromInline let processing: TimerQueue<Key>
    @usableFromInline let cursor: KeyedStates<Key>.CursorPointer
    private let moment: UnsafeMutablePointer<TaskMoment>
    /// The event time that the operator has come to. `.min` before the first watermark, also after a restore.
    public internal(set) var watermark = EventTime.min

    init(states: KeyedStates<Key>) throws {
        event = TimerQueue(table: try states.table("event-time timers", by: TimerKey<Key>.self))
        processing = TimerQueue(table: try states.table("processing-time timers", by: TimerKey<Key>.self))
        cursor = states.cursor
        moment = states.context.moment
    }

    /// The wall clock as of the running batch.
    public var processingTime: WallTime { moment.pointee.wall }

    @inlinable
    public func register(at time: EventTime, namespace: Int64 = 0) { event.register(timer(time.milliseconds, namespace)) }
    @inlinable
    public func register(at time: WallTime, namespace: Int64 = 0) { processing.register(timer(time.milliseconds, namespace)) }
    /// Does nothing when there is no such timer.
    @inlinable
    public func delete(at time: EventTime, namespace: Int64 = 0) { event.delete(timer(time.milliseconds, namespace)) }
    @inlinable
    public func delete(at time: WallTime, namespace: Int64 = 0) { processing.delete(timer(time.milliseconds, namespace)) }

    @inlinable
    func timer(_ time: Int64, _ namespace: Int64) -> TimerKey<Key> {
        guard let current = cursor.pointee else { preconditionFailure("a timer was used before the first record: there is no key yet") }
        return TimerKey(key: current.key, time: time, namespace: namespace)
    }

    /// After a restore of the tables.
    func rebuild() {
        event.rebuild()
        processing.rebuild()
    }
}

/// The pending timers of one time domain: a table that is checkpointed says which there are, a heap says which is next. Deleting leaves
/// the heap's node behind; it is skipped when its time comes.
@usableFromInline
final class TimerQueue<Key: StreamKey> {
    private let table: PagedTable<TimerKey<Key>, Presence>
    private var heap = TimeHeap<TimerKey<Key>>()

    init(table: PagedTable<TimerKey<Key>, Presence>) { self.table = table }

    @usableFromInline
    func register(_ timer: TimerKey<Key>) {
        let before = table.count
        _ = table.upsert(timer, hash: timer.stableHash) { Presence() }
        guard table.count > before else { return }
        heap.insert(timer, at: timer.time)
    }

    @usableFromInline
    func delete(_ timer: TimerKey<Key>) {
        guard table.remove(timer, hash: timer.stableHash), heap.count > 2 * table.count + 64 else { return }
        rebuild()
    }

    /// When the next one is due.
    var next: Int64? {
        while let first = heap.first {
            if table.find(first.element, hash: first.element.stableHash) != nil { return first.time }
            _ = heap.removeFirst()
        }
        return nil
    }

    /// Takes the earliest timer that is due; it is not pending any more.
    func take(dueBy limit: Int64) -> TimerKey<Key>? {
        while let node = heap.removeFirst(dueBy: limit) {
            if table.remove(node.element, hash: node.element.stableHash) { return node.element }
        }
        return nil
    }

    func rebuild() {
        heap.removeAll()
        table.forEach { heap.insert($0.key, at: $0.key.time) }
    }
}

/// A pending timer, in the key group of its key.
@usableFromInline
struct TimerKey<Key: StreamKey>: StreamKey {
    @usableFromInline let key: Key
    @usableFromInline let time: Int64
    @usableFromInline let namespace: Int64
    @inlinable
    init(key: Key, time: Int64, namespace: Int64) {
        self.key = key
        self.time = time
        self.namespace = namespace
    }

    @usableFromInline static var stateTypeName: String { "Timer<\(Key.stateTypeName)>" }

    @usableFromInline
    var stableHash: UInt64 {
        KeyGroups.hash(
            within: key.stableHash, KeyGroups.mix(UInt64(bitPattern: time)) ^ (UInt64(bitPattern: namespace) &* 0x9e37_79b9_7f4a_7c15))
    }

    @usableFromInline
    func encode(into writer: inout StateWriter) {
        writer.write(time)
        writer.write(namespace)
        key.encode(into: &writer)
    }

    @usableFromInline
    init(from reader: inout StateReader) throws(StateDecodingError) {
        time = try reader.read()
        namespace = try reader.read()
        key = try Key(from: &reader)
    }
}

/// The value of a table that is a set.
@usableFromInline
struct Presence: StateCodable {
    @inlinable init() {}
    @usableFromInline static var stateTypeName: String { "set" }
    @usableFromInline func encode(into writer: inout StateWriter) {}
    @usableFromInline init(from reader: inout StateReader) throws(StateDecodingError) {}
}

extension KeyGroups {
    /// The hash of a composite key: the key group is that of `hash`, the place in the table depends on `other` too.
    @inlinable @inline(__always)
    static func hash(within hash: UInt64, _ other: UInt64) -> UInt64 { hash ^ (other & 0xffff_ffff) }
}
