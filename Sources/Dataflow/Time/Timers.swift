public import StreamModel

/// A due timer, as passed to a function's `onTimer`.
public struct Timer: Sendable, Hashable {
    public enum Time: Sendable, Hashable {
        /// The watermark has reached this time.
        case event(EventTime)
        /// The wall clock has reached this time.
        case processing(WallTime)
    }
    public let time: Time
    /// Namespace of its registration.
    public let namespace: Int64

    @usableFromInline init(time: Time, namespace: Int64) { (self.time, self.namespace) = (time, namespace) }
}

/// Timers for the current key: registered in `process` and `onTimer`, part of the checkpoint. There is at most one timer per key, time and namespace:
/// registering it again has no effect.
///
/// An event-time timer for t fires when the watermark reaches t; one registered behind the watermark fires with the next watermark. A
/// processing-time timer for t fires when the wall clock shows t or later, never earlier, even without records. Timers of a time domain fire in the
/// order of their times. Processing-time timers still pending at the end of the input do not fire.
public final class Timers<Key: StreamKey> {
    @usableFromInline let event: TimerQueue<Key>
    @usableFromInline let processing: TimerQueue<Key>
    @usableFromInline let cursor: KeyedStates<Key>.CursorPointer
    private let moment: UnsafeMutablePointer<TaskMoment>
    /// Event time of the operator. `.min` before the first watermark, also after a restore.
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
    /// Deletes a timer, if it exists.
    @inlinable
    public func delete(at time: EventTime, namespace: Int64 = 0) { event.delete(timer(time.milliseconds, namespace)) }
    @inlinable
    public func delete(at time: WallTime, namespace: Int64 = 0) { processing.delete(timer(time.milliseconds, namespace)) }

    @inlinable
    func timer(_ time: Int64, _ namespace: Int64) -> TimerKey<Key> {
        guard let current = cursor.pointee else { preconditionFailure("a timer was used before the first record: there is no key yet") }
        return TimerKey(key: current.key, time: time, namespace: namespace)
    }

    /// Rebuilds the heaps after a restore of the tables.
    func rebuild() {
        event.rebuild()
        processing.rebuild()
    }
}

/// Pending timers of one time domain: a checkpointed table holds them, a heap finds the next. Deleting leaves the heap's node behind, which is
/// skipped when its time comes.
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

    /// Time of the next timer.
    var next: Int64? {
        while let first = heap.first {
            if table.find(first.element, hash: first.element.stableHash) != nil { return first.time }
            _ = heap.removeFirst()
        }
        return nil
    }

    /// Takes the earliest due timer, which is then no longer pending.
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

/// Value type of a table used as a set.
@usableFromInline
struct Presence: StateCodable {
    @inlinable init() {}
    @usableFromInline static var stateTypeName: String { "set" }
    @usableFromInline func encode(into writer: inout StateWriter) {}
    @usableFromInline init(from reader: inout StateReader) throws(StateDecodingError) {}
}

extension KeyGroups {
    /// Hash of a composite key: in the key group of `hash`, with a slot that depends on `other` too.
    @inlinable @inline(__always)
    static func hash(within hash: UInt64, _ other: UInt64) -> UInt64 { hash ^ (other & 0xffff_ffff) }
}
