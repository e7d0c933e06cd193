internal import StreamModel

/// When the loop wakes up for the next tick that the model asked for. Times are monotonic.
struct TickPlan {
    private var tick: (at: Int64, due: WallTime)?
    private var lastReport: Int64?
    /// How much later than usual a report may come and still bring the clock's next second along.
    private static let reportSlack: Int64 = 150

    /// The time of the next tick; nil = there is none.
    var next: Int64? { tick?.at }

    /// - Parameters:
    ///   - due: when the model wants it; nil = it wants none.
    ///   - mayWaitForReport: nothing on the screen counts seconds down.
    mutating func plan(_ due: WallTime?, _ clock: any ConsoleClock, now: Int64, mayWaitForReport: Bool) {
        guard let due else { return tick = nil }
        if tick?.due == due { return }
        // A clock that stands still has no next tick; the director's keys let it go on.
        guard let wait = clock.delay(until: due) else { return tick = nil }
        tick = (mayWaitForReport ? withReport(now + wait) : now + wait, due)
    }

    /// Whether the tick is due; it is over then.
    mutating func take(at now: Int64) -> Bool {
        guard let tick, now >= tick.at else { return false }
        self.tick = nil
        return true
    }

    /// The next plan starts from this report: the one made before it would wake the loop a moment after each report in the last tenths of a
    /// second.
    mutating func reportCame(at now: Int64) { (lastReport, tick) = (now, nil) }

    /// Engines report every second, at any moment of it. Where nothing counts seconds down, the clock goes on with the next report instead
    /// of waking the process a second time; without a report it goes on where that would have come, a little later.
    private func withReport(_ due: Int64) -> Int64 {
        guard let lastReport else { return due }
        let next = lastReport + 1000 + Self.reportSlack
        return next >= due ? next : next + (due - next + 999) / 1000 * 1000
    }
}
