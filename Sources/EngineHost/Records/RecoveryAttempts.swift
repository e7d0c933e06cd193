internal import StreamModel

/// Consecutive recoveries of a job without progress, to distinguish a crash loop from a crash. Part of the job's record, written before each
/// start, so that it survives an engine that the job takes down with it. Pure: the wall clock is passed in.
///
/// A start counts until the job has completed a checkpoint, has run for `settledAfter`, or the engine was shut down in order. A start that the
/// engine did not survive is still open in the record that the next engine reads: after `free` of them the job stays down. Starts that failed in
/// a living engine are repeated for ever: `free` at once, each further one after a wait twice as long.
struct RecoveryAttempts: Codable, Sendable, Equatable {
    static let free = 3
    static let firstDelay = Milliseconds.seconds(1), longestDelay = Milliseconds.minutes(5)
    static let settledAfter = Milliseconds.seconds(60)

    /// Consecutive unsuccessful starts.
    private(set) var count = 0
    private(set) var lastAt: WallTime?
    /// Earlier starts that the engine did not survive. nil in records of older engines, like `isOpen`.
    private var died: Int?
    /// Whether the outcome of the last start is unknown.
    private var isOpen: Bool?

    /// Starts that the engine did not survive, as read by the next one.
    var deaths: Int { (died ?? 0) + (isOpen == true ? 1 : 0) }

    /// Whether the job stays down.
    var isExhausted: Bool { deaths >= Self.free }

    /// Whether one more death keeps the job down. Such jobs are started one at a time.
    var isSuspect: Bool { deaths == Self.free - 1 }

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
        died = deaths
        isOpen = true
        count += 1
        lastAt = now
    }

    /// The last start failed, and the engine lives.
    mutating func failed() { isOpen = false }

    /// Reason of the wait, for the operator.
    var reason: String { "the engine ended, or could not bring the job back, \(count) times in a row before the job had completed a checkpoint" }

    /// Reason why the job stays down, for the operator.
    var verdict: String { "the engine died \(deaths) times in a row while recovering the job; the job stays down until it is restarted" }
}

/// Starts the suspects of a crash loop one at a time: if the engine dies again, only one of them is to blame. Pure.
struct RecoveryTrials {
    /// Started, and without progress so far.
    private(set) var current: JobID?
    private var waiting: [JobID] = []

    /// Whether the suspect may start now; otherwise it waits for its turn.
    mutating func admits(_ job: JobID) -> Bool {
        if current == nil { current = job }
        if current != job, !waiting.contains(job) { waiting.append(job) }
        return current == job
    }

    /// Ends the trial and begins the next, whose job is returned.
    mutating func next() -> JobID? {
        current = waiting.isEmpty ? nil : waiting.removeFirst()
        return current
    }
}
