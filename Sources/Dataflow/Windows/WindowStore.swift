public import StreamModel

/// Progress of a window operator's time, as bounds on the starts of windows. Behind a pointer; changes only between batches.
@usableFromInline
struct WindowProgress {
    @usableFromInline var time = EventTime.min.milliseconds
    /// Latest start of the fired windows.
    @usableFromInline var firedStart = Int64.min
    /// Latest start of the freed windows, whose records are late.
    @usableFromInline var goneStart = Int64.min
    /// Latest start of the windows that need a closer check: they have fired, or a restored one may have.
    @usableFromInline var slowStart = Int64.min
    @inlinable init() {}
}

/// Contents of the windows of one subtask. Owned by its thread.
///
/// Invariants:
/// 1. `panes` has an entry for a key and window exactly if the key is once in that window's bucket.
/// 2. Every bucket is once in `schedule`: at its window's last millisecond until it has fired; then, with allowed lateness, at the time when
///    its contents are freed.
/// 3. `fired` has the panes that were emitted and have no later record to be emitted at the window's end; empty without lateness.
///
/// Costs: a record takes one look-up of its pane; a new pane is appended to its bucket; the schedule has an entry per window, not per pane. The
/// steady state allocates nothing: buckets are reused.
@usableFromInline
final class WindowStore<Function: WindowFunction> {
    @usableFromInline typealias Key = Function.Key

    @usableFromInline
    final class Bucket {
        @usableFromInline var start: Int64 = 0
        @usableFromInline var keys: [Key] = []
        @usableFromInline var hasFired = false
        @inlinable init() {}
    }

    @usableFromInline let function: Function
    @usableFromInline let grid: WindowGrid
    @usableFromInline let lateness: Int64
    @usableFromInline let panes: PagedTable<WindowKey<Key>, Function.Accumulator>
    @usableFromInline let fired: PagedTable<WindowKey<Key>, Presence>
    @usableFromInline let progress: UnsafeMutablePointer<WindowProgress>
    @usableFromInline var buckets: [Int64: Bucket] = [:]
    @usableFromInline var schedule = TimeHeap<Int64>()
    @usableFromInline var spare: [Bucket] = []
    @usableFromInline var recent: Bucket?
    @usableFromInline let walk = KeyedBatch<WindowKey<Key>, Key>()

    @inlinable
    init(_ function: Function, grid: WindowGrid, lateness: Int64, states: KeyedStates<Key>) throws {
        self.function = function
        self.grid = grid
        self.lateness = lateness
        panes = try states.table("windows", by: WindowKey<Key>.self)
        fired = try states.table("fired windows", by: WindowKey<Key>.self)
        progress = .allocate(capacity: 1)
        progress.initialize(to: WindowProgress())
    }

    deinit {
        progress.deallocate()
        walk.release()
    }

    // MARK: Records

    /// Notes a new pane, which will fire, or be freed, with its window.
    @inlinable @inline(never)
    func opened(_ pane: WindowKey<Key>) {
        if let recent, recent.start == pane.start {
            recent.keys.append(pane.key)
            return
        }
        let bucket = buckets[pane.start] ?? makeBucket(pane.start)
        recent = bucket
        bucket.keys.append(pane.key)
    }

    @inlinable
    func makeBucket(_ start: Int64) -> Bucket {
        let bucket = spare.popLast() ?? Bucket()
        bucket.start = start
        bucket.hasFired = start <= progress.pointee.firedStart
        buckets[start] = bucket
        schedule.insert(start, at: bucket.hasFired ? freeTime(start) : lastTime(start))
        return bucket
    }

    /// Handles a record of a window that may not be open. False when it is late: the window is gone.
    @inlinable @inline(never)
    func addSlowly(_ record: Function.Element, to pane: WindowKey<Key>, hash: UInt64, out: Emitter<Function.Output>) throws -> Bool {
        guard pane.start > progress.pointee.goneStart else { return false }
        let entry = panes.upsert(pane, hash: hash) {
            opened(pane)
            return function.makeAccumulator()
        }
        function.add(record, to: &entry.pointee.value)
        if pane.start <= progress.pointee.firedStart {
            // Within the allowed lateness: the window is emitted again at once.
            _ = fired.upsert(pane, hash: hash) { Presence() }
            try function.emit(entry.pointee.value, of: pane.key, in: grid.window(startingAt: pane.start), to: out)
        } else {
            // It had fired before the restore; event time has restarted.
            fired.remove(pane, hash: hash)
        }
        return true
    }

    // MARK: Time

    /// Time of the next due window; nil = none is open.
    @inlinable
    var next: Int64? { schedule.first?.time }

    /// Advances time to `time`: emits and frees due windows, one by one.
    @inlinable
    func advance(to time: Int64, out: Emitter<Function.Output>) throws {
        guard time > progress.pointee.time else { return }
        setProgress(time)
        while let (_, start) = schedule.removeFirst(dueBy: time) {
            guard let bucket = buckets[start] else { continue }
            if !bucket.hasFired { try fire(bucket, out: out) }
            if freeTime(start) <= time { free(bucket) } else { schedule.insert(start, at: freeTime(start)) }
        }
    }

    @inlinable
    func setProgress(_ time: Int64) {
        let before = progress.pointee
        let firedStart = EventTime(milliseconds: time) - Milliseconds(grid.size - 1)
        progress.pointee.time = time
        progress.pointee.firedStart = firedStart.milliseconds
        progress.pointee.goneStart = (firedStart - Milliseconds(lateness)).milliseconds
        progress.pointee.slowStart = max(before.slowStart, firedStart.milliseconds)
    }

    @inlinable
    func fire(_ bucket: Bucket, out: Emitter<Function.Output>) throws {
        bucket.hasFired = true
        let start = bucket.start, window = grid.window(startingAt: start), frees = lateness == 0
        try bucket.keys.withUnsafeMutableBufferPointer { keys in
            guard let base = keys.baseAddress else { return }
            try walk.forEach(
                base, keys.count, by: { WindowKey(key: $0, start: start) }, prefetch: { panes.prefetch($0, $1) }
            ) { _, pane, hash in
                guard let entry = panes.find(pane, hash: hash) else { return }
                if fired.count > 0, fired.find(pane, hash: hash) != nil {
                    if frees { fired.remove(pane, hash: hash) }
                } else {
                    try function.emit(entry.pointee.value, of: pane.key, in: window, to: out)
                    if !frees { _ = fired.upsert(pane, hash: hash) { Presence() } }
                }
                if frees { panes.remove(pane, hash: hash) }
            }
        }
        if frees { bucket.keys.removeAll(keepingCapacity: true) }
    }

    @inlinable
    func free(_ bucket: Bucket) {
        for key in bucket.keys {
            let pane = WindowKey(key: key, start: bucket.start), hash = pane.stableHash
            panes.remove(pane, hash: hash)
            fired.remove(pane, hash: hash)
        }
        bucket.keys.removeAll(keepingCapacity: true)
        buckets[bucket.start] = nil
        if recent === bucket { recent = nil }
        if spare.count < 4 { spare.append(bucket) }
    }

    /// Last millisecond of the window.
    @inlinable
    func lastTime(_ start: Int64) -> Int64 { (EventTime(milliseconds: start) + Milliseconds(grid.size - 1)).milliseconds }
    @inlinable
    func freeTime(_ start: Int64) -> Int64 { (EventTime(milliseconds: lastTime(start)) + Milliseconds(lateness)).milliseconds }

    // MARK: Restore

    /// Rebuilds buckets and schedule after the tables were restored.
    @inlinable
    func rebuild() {
        panes.forEach { opened($0.key) }
        fired.forEach { progress.pointee.slowStart = max(progress.pointee.slowStart, $0.key.start) }
    }
}
