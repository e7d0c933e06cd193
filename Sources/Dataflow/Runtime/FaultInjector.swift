internal import Glibc
internal import StreamModel
internal import Synchronization

/// Injects faults into a demonstration job. Shared by the threads of one job.
final class FaultInjector: Sendable {
    private struct Faults {
        /// Additional duration of a checkpoint's asynchronous part.
        var delay: Milliseconds = 0
        /// The delayed checkpoint and the end of its delay: its other parts do not wait again.
        var delayed: (checkpoint: CheckpointID, until: EngineInstant)?
        /// Checkpoints still to fail in their asynchronous part.
        var failures = Countdown()
        /// Checkpoints still to fail in their synchronous part.
        var syncFailures = Countdown()
        var crashes = false
        /// Whether sources read nothing.
        var isStalled = false
        /// Time after which a task fails, repeatedly.
        var crashInterval: Milliseconds?
        var crashesAt: EngineInstant?
    }

    /// Counts failing checkpoints: all parts of one fail together, and the next checkpoint counts as one more.
    private struct Countdown {
        var left = 0
        var current: CheckpointID?

        mutating func hits(_ checkpoint: CheckpointID) -> Bool {
            if checkpoint == current { return true }
            guard left > 0 else { return false }
            left -= 1
            current = checkpoint
            return true
        }
    }

    let isAllowed: Bool
    private let host: any EngineHost
    private let faults = Mutex(Faults())
    private let generation = Atomic<UInt64>(0)

    init(isAllowed: Bool, host: any EngineHost) {
        self.isAllowed = isAllowed
        self.host = host
    }

    /// Parses "slow 5s", "slow 200ms", "fail 3", "sync-fail 1", "stall", "crash", "crash-loop 5s", "off".
    func apply(_ text: String, jobName: String) throws(JobError) {
        guard isAllowed else { throw .faultsNotAllowed(jobName) }
        let words = text.split(separator: " ").map(String.init)
        let count = words.count > 1 ? Int(words[1]) : 1
        switch (words.first, count) {
        case ("slow", _) where words.count == 2:
            guard let delay = Self.duration(words[1]) else { throw Self.unknown(text) }
            faults.withLock { $0.delay = delay }
        case ("fail", let count?) where (1...1000).contains(count): faults.withLock { $0.failures = Countdown(left: count) }
        case ("sync-fail", let count?) where (1...1000).contains(count): faults.withLock { $0.syncFailures = Countdown(left: count) }
        case ("crash-loop", _) where words.count == 2:
            guard let interval = Self.duration(words[1]), interval > 0 else { throw Self.unknown(text) }
            let now = host.now()
            faults.withLock { ($0.crashInterval, $0.crashesAt) = (interval, now + interval) }
        case ("stall", _): faults.withLock { $0.isStalled = true }
        case ("crash", _): faults.withLock { $0.crashes = true }
        case ("off", _): faults.withLock { $0 = Faults() }
        default: throw Self.unknown(text)
        }
        generation.wrappingAdd(1, ordering: .relaxed)
    }

    private static func unknown(_ text: String) -> JobError {
        .configuration(
            "fault \"\(text)\" is not known: use slow DURATION, fail N, sync-fail N, stall, crash, crash-loop DURATION or off (for example: slow 5s)")
    }

    private static func duration(_ text: String) -> Milliseconds? {
        let isMilliseconds = text.hasSuffix("ms")
        guard let number = Int64(text.dropLast(isMilliseconds ? 2 : 1)), (0...600_000).contains(number) else { return nil }
        if isMilliseconds { return Milliseconds(number) }
        return text.hasSuffix("s") && number <= 600 ? .seconds(number) : nil
    }

    /// Injects faults into the synchronous part of a snapshot.
    func checkSync(_ checkpoint: CheckpointID) throws {
        guard isAllowed else { return }
        if faults.withLock({ $0.syncFailures.hits(checkpoint) }) { throw JobError.injected("synchronous part of the snapshot") }
    }

    /// Injects faults into the asynchronous part of a snapshot, on the writer thread: waits, then fails, as configured. The wait ends early when
    /// the faults change or `isAbandoned` returns true.
    func checkAsync(_ checkpoint: CheckpointID, isAbandoned: () -> Bool) throws {
        guard isAllowed else { return }
        let now = host.now(), began = generation.load(ordering: .relaxed)
        let until = faults.withLock { faults in
            if let delayed = faults.delayed, delayed.checkpoint == checkpoint { return delayed.until }
            faults.delayed = (checkpoint, now + faults.delay)
            return now + faults.delay
        }
        let parker = host.makeParker()
        while host.now() < until, generation.load(ordering: .relaxed) == began, !isAbandoned() {
            parker.park(until: host.now() + 20) { false }
        }
        if faults.withLock({ $0.failures.hits(checkpoint) }) { throw JobError.injected("asynchronous part of the snapshot") }
    }

    /// Whether sources are stalled, checked before they read.
    var isStalled: Bool { isAllowed && faults.withLock { $0.isStalled } }

    /// Injects crashes; called once per batch.
    func checkCrash() throws {
        guard isAllowed else { return }
        let now = host.now()
        let isDue = faults.withLock { faults in
            if let interval = faults.crashInterval, let at = faults.crashesAt, now >= at {
                faults.crashesAt = now + interval
                return true
            }
            defer { faults.crashes = false }
            return faults.crashes
        }
        guard isDue else { return }
        throw JobError.injected("crash of a task")
    }
}
