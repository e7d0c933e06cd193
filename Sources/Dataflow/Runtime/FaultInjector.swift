internal import Glibc
internal import StreamModel
internal import Synchronization

/// Makes a demonstration job misbehave on purpose. Shared by the threads of one job.
final class FaultInjector: Sendable {
    private struct Faults {
        /// The asynchronous part of a checkpoint takes this much longer.
        var delay: Milliseconds = 0
        /// The checkpoint that is being delayed, and until when: its other parts do not wait again.
        var delayed: (checkpoint: CheckpointID, until: EngineInstant)?
        /// So many checkpoints still fail in their asynchronous part.
        var failures = Countdown()
        /// So many checkpoints still fail in their synchronous part.
        var syncFailures = Countdown()
        var crashes = false
        /// Sources read nothing.
        var isStalled = false
        /// A task fails whenever this much time has passed.
        var crashInterval: Milliseconds?
        var crashesAt: EngineInstant?
    }

    /// All parts of a checkpoint that is to fail fail; the next checkpoint counts as one more.
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

    /// "slow 5s", "slow 200ms", "fail 3", "sync-fail 1", "stall", "crash", "crash-loop 5s", "off".
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
        .configuration("fault \"\(text)\" is not known: use slow DURATION, fail N, sync-fail N, stall, crash, crash-loop DURATION or off (for example: slow 5s)")
    }

    private static func duration(_ text: String) -> Milliseconds? {
        let isMilliseconds = text.hasSuffix("ms")
        guard let number = Int64(text.dropLast(isMilliseconds ? 2 : 1)), (0...600_000).contains(number) else { return nil }
        if isMilliseconds { return Milliseconds(number) }
        return text.hasSuffix("s") && number <= 600 ? .seconds(number) : nil
    }

    /// Called in the synchronous part of a snapshot.
    func checkSync(_ checkpoint: CheckpointID) throws {
        guard isAllowed else { return }
        if faults.withLock({ $0.syncFailures.hits(checkpoint) }) { throw JobError.injected("synchronous part of the snapshot") }
    }

    /// Called in the asynchronous part of a snapshot, on the writer thread: waits, then fails, as told. The wait ends early when the
    /// faults change or `isAbandoned` says that nobody needs the snapshot any more.
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

    /// Asked by sources before they read.
    var isStalled: Bool { isAllowed && faults.withLock { $0.isStalled } }

    /// Called once a batch.
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
