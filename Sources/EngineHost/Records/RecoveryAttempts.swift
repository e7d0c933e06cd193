internal import StreamModel

/// Consecutive recoveries of a job without progress, to distinguish a crash loop from a crash. Part of the job's record, written before each
/// start, so that it survives an engine that the job takes down with it. Pure: the wall clock is passed in.
///
/// A start counts until the job has completed a checkpoint, has run for `settledAfter`, or the engine was shut down in order. The first `free`
/// starts are immediate; each further one waits, twice as long every time.
struct RecoveryAttempts: Codable, Sendable, Equatable {
    static let free = 3
    static let firstDelay = Milliseconds.seconds(1), longestDelay = Milliseconds.minutes(5)
    static let settledAfter = Milliseconds.seconds(60)

    /// Consecutive unsuccessful starts.
    private(set) var count = 0
    private(set) var lastAt: WallTime?

    /// Wait before the next start: 0, or 1 s, 2 s, 4 s, ... up to 5 min.
    var delay: Milliseconds {
        guard count >= Self.free else { return 0 }
        // The maximum is reached by the tenth doubling.
        let doublings = min(count - Self.free, 10)
        return min(Self.longestDelay, Milliseconds(Self.firstDelay.count << Int64(doublings)))
    }

    /// Remaining delay since the last start, at most the whole delay even if the wall clock was set back.
    func remaining(at now: WallTime) -> Milliseconds {
        guard let lastAt else { return 0 }
        return max(0, min(delay, delay - (now - lastAt)))
    }

    mutating func began(at now: WallTime) {
        count += 1
        lastAt = now
    }

    /// Reason of the wait, for the operator.
    var reason: String { "the engine ended, or could not bring the job back, \(count) times in a row before the job had completed a checkpoint" }
}
