internal import StreamModel

/// Records a second, from a counter that is read now and then and that Flink itself refreshes only every ten seconds: the rate between
/// the last two moments at which it was seen to change. How old the first value is nobody knows (it may be one of before anybody looked, or
/// a 0 that means "not fetched"), so nothing is told before the second change. Pure.
struct FlowMeter: Sendable, Equatable {
    private(set) var count: Int64?
    /// When `count` was first seen; nil = its age is not known.
    private var changedAt: WallTime?
    private var firstSeenAt: WallTime?
    private(set) var rate: Double?

    /// Without a change for this long nothing flows.
    private static let stillAfter: Milliseconds = .seconds(25)

    mutating func take(_ value: Int64?, at now: WallTime) {
        guard let value else { return }
        guard let count, value >= count else {
            // The first value, or a restart that set the counter to 0.
            (self.count, changedAt, firstSeenAt, rate) = (value, nil, now, nil)
            return
        }
        if value > count {
            if let changedAt, (now - changedAt).count > 0 { rate = Double(value - count) * 1000 / Double((now - changedAt).count) }
            (self.count, changedAt) = (value, now)
        } else if let since = changedAt ?? firstSeenAt, (now - since).count >= Self.stillAfter.count {
            rate = 0
        }
    }
}
