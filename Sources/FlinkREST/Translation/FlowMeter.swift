internal import StreamModel

/// The moment at which the metrics of a vertex were read on its TaskManagers, as the answer itself tells it.
struct MetricClock: Sendable, Equatable {
    /// Time that its tasks have run by then, on their own clock.
    var elapsed: Double
    /// Subtasks that have told their metrics.
    var subtasks: Int
}

/// Records a second, from a counter that Flink itself reads only every ten seconds. Pure.
///
/// Where the answer tells when it was read (`MetricClock`), the rate is that between the last two readings. Elsewhere it is that between
/// moments at which the counter was seen to change, over as many intervals as it takes, two at least: a change is known no better than the
/// time between two looks, and nothing is told that may be wrong by more than a fifth. A counter or a clock that runs backwards is a new beginning, and nothing is told until
/// there are two readings of it.
struct FlowMeter: Sendable, Equatable {
    private struct Reading: Sendable, Equatable {
        var count: Int64
        /// When it was first seen.
        var at: WallTime
        /// How much earlier it may have been read; nil = nobody knows.
        var doubt: Milliseconds?
        var clock: MetricClock?
    }

    /// The newest last.
    private var readings: [Reading] = []
    private(set) var rate: Double?
    private var seenAt: WallTime?

    var count: Int64? { readings.last?.count }

    /// Without a change for this long nothing flows.
    private static let stillAfter: Milliseconds = .seconds(25)

    /// Takes in a value; nil = there is none at present.
    mutating func take(_ value: Int64?, clock: MetricClock? = nil, at now: WallTime) {
        guard let value else { return }
        if let seenAt, now - seenAt > Milliseconds.minutes(2) { self = FlowMeter() }
        let pause = seenAt.map { now - $0 }
        seenAt = now
        guard let last = readings.last, !isNewBeginning(value, clock, after: last) else {
            self = FlowMeter()
            (readings, seenAt) = ([Reading(count: value, at: now, clock: clock)], now)
            return
        }
        if let clock, let before = last.clock { return take(value, clock, after: before, last, at: now) }
        guard value > last.count else {
            if now - last.at >= Self.stillAfter { rate = 0 }
            return
        }
        // Before a standstill has ended nothing was known of when it did.
        readings = (rate == 0 ? [] : readings.suffix(Self.readingsMax - 1)) + [Reading(count: value, at: now, doubt: pause, clock: clock)]
        rate = vagueRate
    }

    private static let readingsMax = 9

    /// The rate over the fewest intervals that tell it well enough.
    private var vagueRate: Double? {
        guard let last = readings.last, let doubt = last.doubt else { return nil }
        for first in readings.dropLast(2).reversed() {
            guard let begin = first.doubt, case let span = (last.at - first.at).count, span > 0 else { return nil }
            if max(begin.count, doubt.count).multipliedClamped(by: 6) <= span { return Double(last.count - first.count) * 1000 / Double(span) }
        }
        return nil
    }

    private mutating func take(_ value: Int64, _ clock: MetricClock, after before: MetricClock, _ last: Reading, at now: WallTime) {
        let span = clock.elapsed - before.elapsed
        guard span >= 1000 else {
            // The same reading again; if there is none for long, the TaskManagers tell nothing any more.
            if now - last.at >= Self.stillAfter { rate = nil }
            return
        }
        rate = Double(value - last.count) * 1000 / span
        readings = [Reading(count: value, at: now, clock: clock)]
    }

    private func isNewBeginning(_ value: Int64, _ clock: MetricClock?, after last: Reading) -> Bool {
        if value < last.count || (clock == nil) != (last.clock == nil) { return true }
        guard let clock, let before = last.clock else { return false }
        return clock.elapsed < before.elapsed || clock.subtasks != before.subtasks
    }
}
