internal import StreamModel

/// How often in a row the engine brought a job back without the job getting anywhere: what tells a crash loop from a crash. Part of the job's
/// record, written before each start, so that it survives an engine that the job takes down with it. Pure: the wall clock comes in.
///
/// A start counts until the job has completed a checkpoint, has run for `settledAfter`, or the engine was shut down in order. The first
/// `free` starts are made at once; before each further one the engine waits, twice as long every time.
struct RecoveryAttempts: Codable, Sendable, Equatable {
    static let free = 3
    static let firstDelay = Milliseconds.seconds(1), longestDelay = Milliseconds.minutes(5)
    static let settledAfter = Milliseconds.seconds(60)

    /// Starts in a row that came to nothing.
    private(set) var count = 0
    private(set) var lastAt: WallTime?

    /// The wait before the next start: 0, or 1 s, 2 s, 4 s, ... up to 5 min.
    var delay: Milliseconds {
        guard count >= Self.free else { return 0 }
        // From the tenth doubling on it is the longest anyhow.
        let doublings = min(count - Self.free, 10)
        return min(Self.longestDelay, Milliseconds(Self.firstDelay.count << Int64(doublings)))
    }

    /// How much of the delay is left, counted from the last start. A wall clock that was set back makes it no longer than the delay.
    func remaining(at now: WallTime) -> Milliseconds {
        guard let lastAt else { return 0 }
        return max(0, min(delay, delay - (now - lastAt)))
    }

    mutating func began(at now: WallTime) {
        count += 1
        lastAt = now
    }

    /// For the operator: why the job waits.
    var reason: String { "the engine ended, or could not bring the job back, \(count) times in a row before the job had completed a checkpoint" }
}
