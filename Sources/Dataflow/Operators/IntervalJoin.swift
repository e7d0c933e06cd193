public import StreamModel

/// Two records of the same key whose times lie close together. Its time is the later of the two.
public struct Joined<First: EventTimed, Second: EventTimed>: EventTimed {
    public var first: First
    public var second: Second
    @inlinable public init(first: First, second: Second) { (self.first, self.second) = (first, second) }
    @inlinable public var eventTime: EventTime { max(first.eventTime, second.eventTime) }
}

extension KeyedStream where Element: EventTimed & StateCodable {
    /// Emits every pair of a record of this stream and one of the other with the same key and
    /// `first.eventTime + lower <= second.eventTime <= first.eventTime + upper`, once, as soon as both are present. A record behind the watermark
    /// is late: it joins nothing, and goes to its side output, if any. A record is kept until the watermark rules out partners.
    @inlinable
    public func intervalJoin<Second: EventTimed & StateCodable>(
        _ other: KeyedStream<Key, Second>, from lower: Milliseconds, through upper: Milliseconds, lateFirst: OutputTag<Element>? = nil,
        lateSecond: OutputTag<Second>? = nil
    ) -> DataStream<Joined<Element, Second>> {
        if lower > upper { environment.refuse("an interval join from \(lower.count) ms through \(upper.count) ms joins nothing") }
        let selectors = (selector, other.selector)
        return environment.addOperator(name: "interval join", inputs: (edge, other.edge)) { site, out, hooks in
            let states = KeyedStates<Key>(context: site.context)
            let store = try JoinStore<Key, Element, Second>(lower: lower, upper: upper, states: states)
            let late = (try lateFirst.map { try site.sideOutputs.emitter($0) }, try lateSecond.map { try site.sideOutputs.emitter($0) })
            let batches = (KeyedBatch<Key, Element>(), KeyedBatch<Key, Second>())
            hooks.close = {
                batches.0.release()
                batches.1.release()
            }
            hooks.keep(
                states, shape: "interval from \(lower.count) ms through \(upper.count) ms", of: "join buffers", restored: { store.rebuild() })
            let forward = hooks.advance
            hooks.advance = { time in
                if case .watermark(let watermark) = time { store.advance(to: watermark) }
                forward(time)
            }
            return TwoInputConsumers<Element, Second>(
                first: { base, count in
                    batches.0.forEach(
                        base, count, by: selectors.0, prefetch: { states.prefetch($0, $1) }, prefetchTexts: { states.prefetchTexts($0, $1) }
                    ) { index, key, hash in
                        if !store.addFirst(base[index], key: key, hash: hash, out: out) { late.0?.emit(base[index]) }
                    }
                    out.flush()
                    late.0?.flush()
                },
                second: { base, count in
                    batches.1.forEach(
                        base, count, by: selectors.1, prefetch: { states.prefetch($0, $1) }, prefetchTexts: { states.prefetchTexts($0, $1) }
                    ) { index, key, hash in
                        if !store.addSecond(base[index], key: key, hash: hash, out: out) { late.1?.emit(base[index]) }
                    }
                    out.flush()
                    late.1?.flush()
                })
        }
    }
}

/// A key's records that wait for partners, each side in time order.
@usableFromInline
struct JoinBuffer<First: EventTimed & StateCodable, Second: EventTimed & StateCodable>: StateCodable {
    @usableFromInline var first: [First] = []
    @usableFromInline var second: [Second] = []
    /// Time of the next expiry check; `.max` = none is scheduled.
    @usableFromInline var wakesAt = EventTime.max
    @inlinable init() {}

    @inlinable static var stateTypeName: String { "Join<\(First.stateTypeName),\(Second.stateTypeName)>" }

    @inlinable
    func encode(into writer: inout StateWriter) {
        wakesAt.encode(into: &writer)
        first.encode(into: &writer)
        second.encode(into: &writer)
    }

    @inlinable
    init(from reader: inout StateReader) throws(StateDecodingError) {
        wakesAt = try EventTime(from: &reader)
        first = try [First](from: &reader)
        second = try [Second](from: &reader)
    }
}

/// Buffers of one subtask's keys. Owned by its thread. A key is scheduled once, for the first expiry in its buffer, which also finds later ones, so
/// the heap has at most one operation per key and watermark.
@usableFromInline
final class JoinStore<Key: StreamKey, First: EventTimed & StateCodable, Second: EventTimed & StateCodable> {
    @usableFromInline typealias Buffer = JoinBuffer<First, Second>
    @usableFromInline let lower: Milliseconds
    @usableFromInline let upper: Milliseconds
    @usableFromInline let buffers: PagedTable<Key, Buffer>
    @usableFromInline var schedule = TimeHeap<Key>()
    @usableFromInline var time = EventTime.min

    @inlinable
    init(lower: Milliseconds, upper: Milliseconds, states: KeyedStates<Key>) throws {
        self.lower = lower
        self.upper = upper
        buffers = try states.table("join buffers")
    }

    /// Latest possible time of a partner of a first record, which is kept until the watermark reaches it.
    @inlinable func expiry(_ first: First) -> EventTime { first.eventTime + upper }
    @inlinable func expiry(_ second: Second) -> EventTime { second.eventTime - lower }

    /// Adds a first record; false when it is late.
    @inlinable
    func addFirst(_ record: First, key: Key, hash: UInt64, out: Emitter<Joined<First, Second>>) -> Bool {
        let at = record.eventTime
        guard at > time else { return false }
        let buffer = buffers.upsert(key, hash: hash) { Buffer() }
        let partners = buffer.pointee.value.second, from = at + lower, through = at + upper
        for index in partners.place(of: from)..<partners.count where partners[index].eventTime <= through {
            out.emit(Joined(first: record, second: partners[index]))
        }
        if expiry(record) > time { buffer.pointee.value.first.insert(record, at: buffer.pointee.value.first.place(after: at)) }
        arrange(buffer, key: key, hash: hash)
        return true
    }

    /// Adds a second record; false when it is late.
    @inlinable
    func addSecond(_ record: Second, key: Key, hash: UInt64, out: Emitter<Joined<First, Second>>) -> Bool {
        let at = record.eventTime
        guard at > time else { return false }
        let buffer = buffers.upsert(key, hash: hash) { Buffer() }
        let partners = buffer.pointee.value.first, from = at - upper, through = at - lower
        for index in partners.place(of: from)..<partners.count where partners[index].eventTime <= through {
            out.emit(Joined(first: partners[index], second: record))
        }
        if expiry(record) > time { buffer.pointee.value.second.insert(record, at: buffer.pointee.value.second.place(after: at)) }
        arrange(buffer, key: key, hash: hash)
        return true
    }

    /// Schedules the first expiry, or removes an empty buffer.
    @inlinable
    func arrange(_ entry: UnsafeMutablePointer<PagedTable<Key, Buffer>.Entry>, key: Key, hash: UInt64) {
        let first = entry.pointee.value.first.first.map { expiry($0) }, second = entry.pointee.value.second.first.map { expiry($0) }
        if first == nil, second == nil {
            buffers.remove(key, hash: hash)
            return
        }
        let next = min(first ?? .max, second ?? .max)
        guard entry.pointee.value.wakesAt > next else { return }
        entry.pointee.value.wakesAt = next
        schedule.insert(key, at: next.milliseconds)
    }

    /// Frees records without possible partners.
    @inlinable
    func advance(to time: EventTime) {
        guard time > self.time else { return }
        self.time = time
        while let (at, key) = schedule.removeFirst(dueBy: time.milliseconds) {
            let hash = key.stableHash
            // Scheduled before an earlier record came: the buffer was checked, or removed, in the meantime.
            guard let found = buffers.find(key, hash: hash), found.pointee.value.wakesAt.milliseconds == at else { continue }
            let buffer = buffers.upsert(key, hash: hash) { Buffer() }
            buffer.pointee.value.first.removeFirst(buffer.pointee.value.first.prefix { expiry($0) <= time }.count)
            buffer.pointee.value.second.removeFirst(buffer.pointee.value.second.prefix { expiry($0) <= time }.count)
            buffer.pointee.value.wakesAt = .max
            arrange(buffer, key: key, hash: hash)
        }
    }

    /// Schedules all buffers after the table was restored.
    @inlinable
    func rebuild() {
        buffers.forEach { schedule.insert($0.key, at: $0.value.wakesAt.milliseconds) }
    }
}

extension Array where Element: EventTimed {
    /// The first element not before `time`; elements are in time order.
    @inlinable
    func place(of time: EventTime) -> Int { firstPlace { $0.eventTime >= time } }
    /// The first element after `time`.
    @inlinable
    func place(after time: EventTime) -> Int { firstPlace { $0.eventTime > time } }

    @inlinable
    func firstPlace(where isBehind: (Element) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
