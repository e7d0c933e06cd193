internal import StreamModel
internal import Synchronization

/// Computes records per second and shares of time from the tasks' counters at two ticks. Compares counters only of the same task in the same attempt:
/// those of another attempt say nothing about this one. Pure; owned by the job's thread.
struct RateMeter {
    /// Counters of one task at one moment.
    struct Reading {
        let id: SubtaskID
        let parallelism: Int
        let isSource: Bool
        var recordsIn, recordsOut, written: UInt64
        var times: TaskTimes.Reading
    }

    /// Rates of a vertex between the two newest ticks, per second.
    struct Rates: Equatable {
        var recordsIn = 0.0, recordsOut = 0.0, written = 0.0
        /// Shares in 1/1000, averaged over the subtasks.
        var busy = 0, backPressured = 0, idle = 1000
        var isSource = false
    }

    /// Subtask with the highest smoothed rate, and the sum of all.
    private struct Hottest { var index: Int, rate = 0.0, busy = 0.0, total = 0.0 }

    private var attempt: Int?
    private var last: [SubtaskID: Reading] = [:]
    private var lastAt: EngineInstant?
    private var rates: [Int: Rates] = [:]
    /// Records per second and busy share of each subtask, smoothed over a few periods because slow work comes in bursts.
    private var loads: [SubtaskID: (rate: Double, busy: Double)] = [:]
    private var hottest: [Int: Hottest] = [:]

    /// Takes in the counters at a tick. The first tick of an attempt gives no rate.
    mutating func take(_ readings: [Reading], attempt number: Int, at now: EngineInstant) {
        if number != attempt { forget() }
        attempt = number
        let seconds = lastAt.map { Double(now.nanoseconds.subtractingClamped($0.nanoseconds)) * 1e-9 } ?? 0
        (rates, hottest) = ([:], [:])
        if seconds > 0 {
            for reading in readings {
                if let before = last[reading.id] { add(reading, before, seconds: seconds) }
            }
        }
        last = Dictionary(readings.map { ($0.id, $0) }) { $1 }
        loads = loads.filter { last[$0.key] != nil }
        lastAt = now
    }

    /// Drops all rates because nothing runs; the next tick is a first one.
    mutating func forget() { self = RateMeter() }

    private mutating func add(_ now: Reading, _ before: Reading, seconds: Double) {
        let vertex = now.id.vertex
        var sum = rates[vertex] ?? Rates()
        sum.isSource = now.isSource
        let rate = Self.counted(now.recordsIn, since: before.recordsIn) / seconds
        sum.recordsIn += rate
        sum.recordsOut += Self.counted(now.recordsOut, since: before.recordsOut) / seconds
        sum.written += Self.counted(now.written, since: before.written) / seconds
        let busy = Self.part(now.times.busy.subtractingClamped(before.times.busy), of: seconds)
        let backPressured = min(1 - busy, Self.part(now.times.backPressured.subtractingClamped(before.times.backPressured), of: seconds))
        let weight = 1000 / Double(max(1, now.parallelism))
        sum.busy += Int(clamping: (busy * weight).rounded())
        sum.backPressured += Int(clamping: (backPressured * weight).rounded())
        // The missing part of the period, as before a task has begun, counts as idle.
        sum.idle = max(0, 1000 - sum.busy - sum.backPressured)
        rates[vertex] = sum
        addLoad(now.id, rate: rate, busy: busy)
    }

    /// Increase of a counter. One that went back has restarted, so its whole value is new.
    private static func counted(_ now: UInt64, since before: UInt64) -> Double { Double(now >= before ? now - before : now) }

    private mutating func addLoad(_ id: SubtaskID, rate: Double, busy: Double) {
        let before = loads[id] ?? (rate, busy)
        let load = (rate: before.rate * 0.75 + rate * 0.25, busy: before.busy * 0.75 + busy * 0.25)
        loads[id] = load
        var top = hottest[id.vertex] ?? Hottest(index: id.index)
        if load.rate > top.rate { (top.index, top.rate, top.busy) = (id.index, load.rate, load.busy) }
        top.total += load.rate
        hottest[id.vertex] = top
    }

    /// Share of nanoseconds in a number of seconds.
    private static func part(_ nanoseconds: Int64, of seconds: Double) -> Double { min(1, max(0, Double(nanoseconds) / (seconds * 1e9))) }

    /// Rates of a vertex; nil = not measured (yet).
    func rates(of vertex: Int) -> Rates? { rates[vertex] }

    /// Rates through the whole job: read by sources, written by sinks.
    var total: (read: Double, written: Double) {
        rates.values.reduce((0, 0)) { ($0.0 + ($1.isSource ? $1.recordsIn : 0), $0.1 + $1.written) }
    }

    func hottestSubtask(of vertex: Int) -> HottestSubtask? {
        guard let hottest = hottest[vertex], hottest.total >= 1 else { return nil }
        return HottestSubtask(
            index: hottest.index, recordsPermille: Int(clamping: (hottest.rate / hottest.total * 1000).rounded()),
            busyPermille: Int(clamping: (hottest.busy * 1000).rounded()))
    }
}

extension RateMeter {
    mutating func sample(_ attempt: JobAttempt, at now: EngineInstant) {
        take(attempt.subtasks.map { Reading($0.context, isSource: attempt.vertices[$0.context.id.vertex].isSource, at: now) }, attempt: attempt.number, at: now)
    }
}

extension RateMeter.Reading {
    fileprivate init(_ context: SubtaskContext, isSource: Bool, at now: EngineInstant) {
        let metrics = context.metrics
        self.init(
            id: context.id, parallelism: context.parallelism, isSource: isSource, recordsIn: context.recordsIn,
            recordsOut: metrics.recordsOut.load(ordering: .relaxed), written: metrics.recordsWritten.load(ordering: .relaxed),
            times: metrics.times.reading(at: now))
    }
}

extension SubtaskContext {
    /// Records taken from channels, or read by the source since the attempt began.
    var recordsIn: UInt64 {
        // The task's thread sets both while it restores; a half-done update is a position before the start.
        let position = metrics.position.load(ordering: .relaxed), start = metrics.startPosition.load(ordering: .relaxed)
        return metrics.recordsIn.load(ordering: .relaxed).addingClamped(position.subtractingClamped(start))
    }
}
