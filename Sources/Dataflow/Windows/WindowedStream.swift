internal import CheckpointStore
public import StreamModel

/// A keyed stream cut into windows. The contents of a window are emitted when its time has passed, and freed with it (later by the allowed
/// lateness). All contents are checkpointed and restore at any parallelism.
public struct WindowedStream<Key: StreamKey, Element: Sendable> {
    @usableFromInline let stream: KeyedStream<Key, Element>
    @usableFromInline let grid: WindowGrid
    /// Event time of a record; nil = processing time.
    @usableFromInline let time: (@Sendable (Element) -> EventTime)?
    @usableFromInline var lateness = LatePolicy<Element>()

    @usableFromInline
    init(stream: KeyedStream<Key, Element>, grid: WindowGrid, time: (@Sendable (Element) -> EventTime)?) {
        self.stream = stream
        self.grid = grid
        self.time = time
        if let problem = grid.problem { stream.environment.refuse(problem) }
    }
}

/// Treatment of records that come after their window has fired.
@usableFromInline
struct LatePolicy<Element: Sendable>: Sendable {
    /// Milliseconds for which a window is kept after it has fired.
    @usableFromInline var allowed: Int64 = 0
    @usableFromInline var tag: OutputTag<Element>?
    @inlinable init() {}
}

extension KeyedStream where Element: EventTimed {
    /// Event-time windows: by the records' times, fired by watermarks.
    @inlinable
    public func window(_ grid: WindowGrid) -> WindowedStream<Key, Element> { WindowedStream(stream: self, grid: grid) { $0.eventTime } }

    /// Event-time sessions: records of a key within the gap of each other belong together.
    @inlinable
    public func sessionWindow(gap: Milliseconds) -> SessionWindowedStream<Key, Element> { SessionWindowedStream(stream: self, gap: gap) }
}

extension KeyedStream {
    /// Processing-time windows: by the wall clock when a record comes, fired by the wall clock. Windows still open at the end of the input are not
    /// emitted.
    @inlinable
    public func processingTimeWindow(_ grid: WindowGrid) -> WindowedStream<Key, Element> { WindowedStream(stream: self, grid: grid, time: nil) }
}

extension WindowedStream {
    /// Keeps a window for this long after it has fired; a record that comes in this time emits it again. Event time only.
    @inlinable
    public func allowedLateness(_ lateness: Milliseconds) -> Self {
        if time == nil { stream.environment.refuse("a window in processing time has no late records: it takes no allowed lateness") }
        if lateness < 0 { stream.environment.refuse("an allowed lateness of \(lateness.count) ms is negative") }
        var copy = self
        copy.lateness.allowed = lateness.count
        return copy
    }

    /// Sends records whose windows are all gone to this side output of the result instead of dropping them.
    @inlinable
    public func lateData(to tag: OutputTag<Element>) -> Self {
        var copy = self
        copy.lateness.tag = tag
        return copy
    }

    /// Keeps one accumulator per key and window.
    @inlinable
    public func aggregate<Function: AggregateFunction>(_ function: Function) -> DataStream<WindowResult<Key, Function.Output>>
    where Function.Input == Element {
        run(AggregatingWindow<Key, Function>(function))
    }

    @inlinable
    func run<Function: WindowFunction>(_ function: Function) -> DataStream<Function.Output>
    where Function.Key == Key, Function.Element == Element {
        let selector = stream.selector, time = self.time, grid = self.grid, lateness = self.lateness
        let shape = grid.description + (time == nil ? " in processing time" : " in event time")
        return stream.environment.addOperator(name: "window", input: stream.edge) { site, out, hooks in
            let states = KeyedStates<Key>(context: site.context)
            let store = try WindowStore(function, grid: grid, lateness: lateness.allowed, states: states)
            let late = try LateRecords(lateness, site: site)
            let batch = KeyedBatch<WindowKey<Key>, Element>()
            let context = site.context
            hooks.close = { batch.release() }
            hooks.keep(states, shape: shape, of: "windows", restored: { store.rebuild() })
            let advance = { (limit: Int64) in
                do { try store.advance(to: limit, out: out) } catch { context.fail(error) }
                out.flush()
            }
            if time == nil {
                hooks.alarm = Alarm(
                    due: { moment in store.next.map { moment.instant(of: WallTime(milliseconds: $0 &+ 1)) } },
                    ring: { moment in advance(moment.wall.milliseconds &- 1) })
            } else {
                let forward = hooks.advance
                hooks.advance = { time in
                    if case .watermark(let watermark) = time { advance(watermark.milliseconds) }
                    forward(time)
                }
            }
            let panes = store.panes, progress = store.progress
            guard grid.slide == grid.size else {
                return { base, count in
                    let now = max(context.moment.pointee.wall.milliseconds, progress.pointee.time &+ 1)
                    do {
                        for index in 0..<count {
                            let key = selector(base[index]), at = time.map { $0(base[index]).milliseconds } ?? now
                            var start = grid.lastStart(at), isTaken = false
                            while at &- start < grid.size {
                                let pane = WindowKey(key: key, start: start), hash = pane.stableHash
                                if start > progress.pointee.slowStart {
                                    let entry = panes.upsert(pane, hash: hash) {
                                        store.opened(pane)
                                        return function.makeAccumulator()
                                    }
                                    function.add(base[index], to: &entry.pointee.value)
                                    isTaken = true
                                } else if try store.addSlowly(base[index], to: pane, hash: hash, out: out) {
                                    isTaken = true
                                }
                                start = start &- grid.slide
                            }
                            // A time between two windows (slide > size) belongs to none, and is not therefore late.
                            if !isTaken, at <= (EventTime(milliseconds: progress.pointee.time) - Milliseconds(lateness.allowed)).milliseconds {
                                late.emit(base[index])
                            }
                        }
                    } catch { context.fail(error) }
                    out.flush()
                    late.flush()
                }
            }
            return { base, count in
                let slowStart = progress.pointee.slowStart, size = UInt64(grid.size)
                // A wall clock that was set back does not make records late.
                let now = max(context.moment.pointee.wall.milliseconds, progress.pointee.time &+ 1)
                // Neighbours mostly lie in the same window, which saves the division.
                var start = grid.lastStart(now)
                do {
                    try batch.forEach(
                        base, count,
                        by: { record in
                            let at = time.map { $0(record).milliseconds } ?? now
                            if UInt64(bitPattern: at &- start) >= size { start = grid.lastStart(at) }
                            return WindowKey(key: selector(record), start: start)
                        }, prefetch: { panes.prefetch($0, $1) }
                    ) { index, pane, hash in
                        if pane.start > slowStart {
                            let entry = panes.upsert(pane, hash: hash) {
                                store.opened(pane)
                                return function.makeAccumulator()
                            }
                            function.add(base[index], to: &entry.pointee.value)
                        } else if try !store.addSlowly(base[index], to: pane, hash: hash, out: out) {
                            late.emit(base[index])
                        }
                    }
                } catch { context.fail(error) }
                out.flush()
                late.flush()
            }
        }
    }
}

extension WindowedStream where Element: StateCodable {
    /// Processes all records of a key and window, with the window's bounds. Holds every record until then.
    @inlinable
    public func process<Output: Sendable>(
        to type: Output.Type = Output.self, _ body: @escaping @Sendable (WindowContents<Key, Element>, Emitter<Output>) throws -> Void
    ) -> DataStream<Output> {
        run(CollectingWindow<Key, Element, Output>(body))
    }
}

/// Destination of a window operator's late records: their side output, or none.
@usableFromInline
struct LateRecords<Element: Sendable> {
    private let emitter: Emitter<Element>?

    @usableFromInline
    init(_ policy: LatePolicy<Element>, site: OperatorSite) throws { emitter = try policy.tag.map { try site.sideOutputs.emitter($0) } }

    @usableFromInline func emit(_ record: Element) { emitter?.emit(record) }
    @usableFromInline func flush() { emitter?.flush() }
}

extension OperatorHooks {
    /// Checkpoints and restores the states of an operator whose windows have a shape. State of another shape is refused: its times would be
    /// misinterpreted.
    @usableFromInline
    mutating func keep<Key>(_ states: KeyedStates<Key>, shape: String, of name: String, restored: @escaping () -> Void) {
        snapshot = { id in states.registered.map { $0.snapshot(id) } + [.splitList("shape", type: "window-shape-1", [Array(shape.utf8)])] }
        restore = { state in
            for stored in try state.elements(named: "shape", type: "window-shape-1") where stored != Array(shape.utf8) {
                throw JobError.stateTypeChanged(
                    path: state.snapshot.path, operatorUID: state.state.uid, state: name, stored: String(decoding: stored, as: UTF8.self),
                    wanted: shape)
            }
            for registered in states.registered { try registered.restore(state) }
            if !state.context.host.filesystem.has(.forgetsWindows) { restored() }
        }
        stateBytes = { states.registered.reduce(0) { $0 + $1.bytes() } }
    }
}
