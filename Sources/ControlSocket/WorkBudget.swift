public import StreamModel

/// A client's processor time: a long-term share of one core, and a burst.
public struct WorkShare: Sendable, Equatable {
    /// Share in thousandths of a core.
    public var permille: Int64
    /// Time available at once after a rest.
    public var burst: Milliseconds

    public init(permille: Int64, burst: Milliseconds) {
        self.permille = permille
        self.burst = burst
    }
}

/// Processor time that refills as time passes. The cost of work is known only afterwards, so it is done on credit and delays the next piece.
/// Pure: the caller supplies the clock.
struct WorkBudget: Sendable, Equatable {
    private let share: WorkShare
    /// Balance in nanoseconds; negative: a debt.
    private var balance: Int64
    private var asOf: EngineInstant

    init(_ share: WorkShare, at now: EngineInstant) {
        self.share = share
        balance = share.burst.count * 1_000_000
        asOf = now
    }

    private var most: Int64 { share.burst.count * 1_000_000 }

    private func balance(at now: EngineInstant) -> Int64 {
        let elapsed = max(0, now.nanoseconds - asOf.nanoseconds)
        // Dividing last drops a fraction of a nanosecond; a year of nanoseconds times a thousand still fits.
        let (refill, overflows) = elapsed.multipliedReportingOverflow(by: share.permille)
        return overflows ? most : min(most, balance + refill / 1000)
    }

    func isFull(at now: EngineInstant) -> Bool { balance(at: now) == most }

    /// Time when the next piece of work may begin: now, or once the debt is paid.
    func readyAt(_ now: EngineInstant) -> EngineInstant {
        let balance = balance(at: now)
        guard balance <= 0 else { return now }
        let wait = ((1 - balance) * 1000 + share.permille - 1) / max(1, share.permille)
        return EngineInstant(nanoseconds: now.nanoseconds + wait)
    }

    /// Charges work. A debt never exceeds the burst, so that one costly reply does not block forever.
    mutating func charge(_ nanoseconds: Int64, at now: EngineInstant) {
        balance = max(-most, balance(at: now) - nanoseconds)
        asOf = max(asOf, now)
    }
}
