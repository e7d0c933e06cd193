public import StreamModel

/// A keyed stream cut into sessions: event-time windows that grow with their records and merge when a record joins them.
public struct SessionWindowedStream<Key: StreamKey, Element: EventTimed> {
    @usableFromInline let stream: KeyedStream<Key, Element>
    @usableFromInline let gap: Milliseconds
    @usableFromInline var lateness = LatePolicy<Element>()

    @usableFromInline
    init(stream: KeyedStream<Key, Element>, gap: Milliseconds) {
        self.stream = stream
        self.gap = gap
        if gap < 1 { stream.environment.refuse("the gap of a session window is at least 1 ms, not \(gap.count) ms") }
    }

    /// Keeps a session for this long after it has fired; a record that joins it in this time emits it again.
    @inlinable
    public func allowedLateness(_ lateness: Milliseconds) -> Self {
        if lateness < 0 { stream.environment.refuse("an allowed lateness of \(lateness.count) ms is negative") }
        var copy = self
        copy.lateness.allowed = lateness.count
        return copy
    }

    /// Sends records without a kept session, whose own would be over, to this side output of the result.
    @inlinable
    public func lateData(to tag: OutputTag<Element>) -> Self {
        var copy = self
        copy.lateness.tag = tag
        return copy
    }

    /// Keeps one accumulator per session.
    @inlinable
    public func aggregate<Function: MergingAggregateFunction>(_ function: Function) -> DataStream<WindowResult<Key, Function.Output>>
    where Function.Input == Element {
        run(AggregatingWindow<Key, Function>(function))
    }

    @inlinable
    func run<Function: MergingWindowFunction>(_ function: Function) -> DataStream<Function.Output>
    where Function.Key == Key, Function.Element == Element {
        let selector = stream.selector, gap = self.gap, lateness = self.lateness
        return stream.environment.addOperator(name: "session window", input: stream.edge) { site, out, hooks in
            let states = KeyedStates<Key>(context: site.context)
            let store = try SessionStore(function, gap: gap, lateness: Milliseconds(lateness.allowed), states: states)
            let late = try LateRecords(lateness, site: site)
            let batch = KeyedBatch<Key, Element>()
            let context = site.context
            hooks.close = { batch.release() }
            hooks.keep(states, shape: "session gap \(gap.count) ms in event time", of: "sessions", restored: { store.rebuild() })
            let forward = hooks.advance
            hooks.advance = { time in
                if case .watermark(let watermark) = time {
                    do { try store.advance(to: watermark, out: out) } catch { context.fail(error) }
                    out.flush()
                }
                forward(time)
            }
            return { base, count in
                do {
                    try batch.forEach(
                        base, count, by: selector, prefetch: { states.prefetch($0, $1) }, prefetchTexts: { states.prefetchTexts($0, $1) }
                    ) { index, key, hash in
                        if try !store.add(base[index], at: base[index].eventTime, key: key, hash: hash, out: out) { late.emit(base[index]) }
                    }
                } catch { context.fail(error) }
                out.flush()
                late.flush()
            }
        }
    }
}

extension SessionWindowedStream where Element: StateCodable {
    /// Processes all records of a session, with its bounds. Holds every record until then. Records of merged sessions come session by session.
    @inlinable
    public func process<Output: Sendable>(
        to type: Output.Type = Output.self, _ body: @escaping @Sendable (WindowContents<Key, Element>, Emitter<Output>) throws -> Void
    ) -> DataStream<Output> {
        run(CollectingWindow<Key, Element, Output>(body))
    }
}

/// A session of a key.
@usableFromInline
struct Session<Accumulator: StateCodable>: StateCodable {
    @usableFromInline var window: TimeWindow
    /// Time of the next check by the store, not after it is due.
    @usableFromInline var wakesAt: EventTime
    /// Whether it was emitted, and has no later record to be emitted at its end.
    @usableFromInline var hasFired: Bool
    @usableFromInline var accumulator: Accumulator

    @inlinable
    init(window: TimeWindow, wakesAt: EventTime, accumulator: Accumulator) {
        self.window = window
        self.wakesAt = wakesAt
        hasFired = false
        self.accumulator = accumulator
    }

    @inlinable static var stateTypeName: String { "Session<\(Accumulator.stateTypeName)>" }

    @inlinable
    func encode(into writer: inout StateWriter) {
        window.start.encode(into: &writer)
        window.end.encode(into: &writer)
        wakesAt.encode(into: &writer)
        hasFired.encode(into: &writer)
        accumulator.encode(into: &writer)
    }

    @inlinable
    init(from reader: inout StateReader) throws(StateDecodingError) {
        let start = try EventTime(from: &reader)
        window = TimeWindow(start: start, end: try EventTime(from: &reader))
        wakesAt = try EventTime(from: &reader)
        hasFired = try Bool(from: &reader)
        accumulator = try Accumulator(from: &reader)
    }
}

/// Sessions of one subtask's keys. Owned by its thread.
///
/// A session is scheduled when it begins, for its present end. If it has grown by then, it is rescheduled: a heap operation per gap, not per
/// record. The time of a session that has merged into another finds nothing due.
@usableFromInline
final class SessionStore<Function: MergingWindowFunction> {
    @usableFromInline typealias Key = Function.Key

    @usableFromInline let function: Function
    @usableFromInline let gap: Milliseconds
    @usableFromInline let lateness: Milliseconds
    /// Sessions of a key, in no order. No entry is empty between batches.
    @usableFromInline let sessions: PagedTable<Key, [Session<Function.Accumulator>]>
    @usableFromInline var schedule = TimeHeap<Key>()
    @usableFromInline var time = EventTime.min

    @inlinable
    init(_ function: Function, gap: Milliseconds, lateness: Milliseconds, states: KeyedStates<Key>) throws {
        self.function = function
        self.gap = gap
        self.lateness = lateness
        sessions = try states.table("sessions")
    }

    /// Adds a record; false when it is late: it joins no session, and its own would be gone.
    @inlinable
    func add(_ record: Function.Element, at eventTime: EventTime, key: Key, hash: UInt64, out: Emitter<Function.Output>) throws -> Bool {
        let own = TimeWindow(start: eventTime, end: eventTime + gap)
        var index: Int
        if let entry = sessions.find(key, hash: hash), let first = entry.pointee.value.firstIndex(where: { $0.window.touches(own) }) {
            index = first
        } else {
            guard own.maxTimestamp + lateness > time else { return false }
            index = sessions.find(key, hash: hash)?.pointee.value.count ?? 0
            sessions.upsert(key, hash: hash) { [] }.pointee.value.append(
                Session(window: own, wakesAt: .max, accumulator: function.makeAccumulator()))
        }
        let entry = sessions.upsert(key, hash: hash) { [] }
        entry.pointee.value[index].window.cover(own)
        function.add(record, to: &entry.pointee.value[index].accumulator)
        index = mergeOthers(into: index, of: &entry.pointee.value)
        if entry.pointee.value[index].window.maxTimestamp <= time {
            // Within the allowed lateness: the session is emitted again at once.
            entry.pointee.value[index].hasFired = true
            arrange(&entry.pointee.value[index], key: key)
            try function.emit(entry.pointee.value[index].accumulator, of: key, in: entry.pointee.value[index].window, to: out)
        } else {
            entry.pointee.value[index].hasFired = false
            arrange(&entry.pointee.value[index], key: key)
        }
        return true
    }

    /// Merges the sessions that this grown one touches. Returns its new index.
    @inlinable
    func mergeOthers(into index: Int, of all: inout [Session<Function.Accumulator>]) -> Int {
        guard all.count > 1 else { return index }
        var merged = all[index], others: [Session<Function.Accumulator>] = []
        for (other, session) in all.enumerated() where other != index {
            if session.window.touches(merged.window) {
                merged.window.cover(session.window)
                merged.wakesAt = min(merged.wakesAt, session.wakesAt)
                function.merge(session.accumulator, into: &merged.accumulator)
            } else {
                others.append(session)
            }
        }
        guard others.count + 1 < all.count else { return index }
        all = others + [merged]
        return others.count
    }

    @inlinable
    func arrange(_ session: inout Session<Function.Accumulator>, key: Key) {
        let wanted = session.hasFired ? session.window.maxTimestamp + lateness : session.window.maxTimestamp
        guard session.wakesAt > wanted else { return }
        session.wakesAt = wanted
        schedule.insert(key, at: wanted.milliseconds)
    }

    @inlinable
    func advance(to time: EventTime, out: Emitter<Function.Output>) throws {
        guard time > self.time else { return }
        self.time = time
        while let (_, key) = schedule.removeFirst(dueBy: time.milliseconds) {
            let hash = key.stableHash
            guard let entry = sessions.find(key, hash: hash), entry.pointee.value.contains(where: { $0.wakesAt <= time }) else { continue }
            try wake(key, hash: hash, out: out)
        }
    }

    @inlinable
    func wake(_ key: Key, hash: UInt64, out: Emitter<Function.Output>) throws {
        let entry = sessions.upsert(key, hash: hash) { [] }
        for index in entry.pointee.value.indices where entry.pointee.value[index].wakesAt <= time {
            if !entry.pointee.value[index].hasFired, entry.pointee.value[index].window.maxTimestamp <= time {
                entry.pointee.value[index].hasFired = true
                try function.emit(entry.pointee.value[index].accumulator, of: key, in: entry.pointee.value[index].window, to: out)
            }
            entry.pointee.value[index].wakesAt = .max
            if !isGone(entry.pointee.value[index]) { arrange(&entry.pointee.value[index], key: key) }
        }
        entry.pointee.value.removeAll { isGone($0) }
        if entry.pointee.value.isEmpty { sessions.remove(key, hash: hash) }
    }

    @inlinable
    func isGone(_ session: Session<Function.Accumulator>) -> Bool { session.hasFired && session.window.maxTimestamp + lateness <= time }

    /// Rebuilds the schedule after the table was restored.
    @inlinable
    func rebuild() {
        sessions.forEach { entry in
            for session in entry.value { schedule.insert(entry.key, at: session.wakesAt.milliseconds) }
        }
    }
}

extension TimeWindow {
    /// Whether they overlap, or one ends where the other begins (Flink's TimeWindow.intersects).
    @inlinable func touches(_ other: TimeWindow) -> Bool { start <= other.end && end >= other.start }
    @inlinable
    mutating func cover(_ other: TimeWindow) {
        start = min(start, other.start)
        end = max(end, other.end)
    }
}
