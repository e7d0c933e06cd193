public import StreamModel
internal import Synchronization

/// An operator instance's view of its subtask. One per subtask and attempt; the fields are the subtask thread's, except the atomics, which the job
/// thread and neighbours read.
public final class SubtaskContext: @unchecked Sendable {
    // Sound: `failure`, `hooks` and `outputs` are touched only by the subtask's thread (before its start by the thread that builds it, after its
    // end by none); the rest is immutable or atomic.
    let id: SubtaskID
    public let parallelism: Int
    public let maxParallelism: Int
    /// Key groups of this subtask.
    public let keyGroups: Range<Int>
    @usableFromInline let host: any EngineHost
    let parker: any Parker
    let metrics = SubtaskMetrics()
    @usableFromInline let audit: AuditCounters
    let faults: FaultInjector
    @usableFromInline let job: JobIdentity
    private let cancelled = Atomic<Bool>(false)
    private(set) var failure: (any Error)?
    private(set) var hooks: [OperatorHooks] = []
    var outputs: [any OutputChannel] = []
    /// The clocks at their last reading, before the current batches; kept only for operators with an alarm. Behind a pointer, so that reading it
    /// costs no exclusivity check.
    @usableFromInline let moment: UnsafeMutablePointer<TaskMoment>
    /// Whether event time comes from channels; a source has it from its own watermarks.
    var hasInputs = false
    /// Interval between watermarks of assigners.
    @usableFromInline let watermarkInterval: Milliseconds

    init(
        id: SubtaskID, parallelism: Int, maxParallelism: Int, job: JobIdentity, audit: AuditCounters, faults: FaultInjector,
        host: any EngineHost, watermarkInterval: Milliseconds = 200
    ) {
        self.id = id
        self.parallelism = parallelism
        self.maxParallelism = maxParallelism
        self.job = job
        self.audit = audit
        self.faults = faults
        self.host = host
        self.watermarkInterval = watermarkInterval
        parker = host.makeParker()
        moment = .allocate(capacity: 1)
        moment.initialize(to: TaskMoment(instant: host.now(), wall: host.wall()))
        keyGroups = KeyGroups.range(ofSubtask: id.index, parallelism: parallelism, maxParallelism: maxParallelism)
    }

    deinit { moment.deallocate() }

    /// Index in 0 ..< parallelism.
    public var index: Int { id.index }

    /// Fails the task at the end of the current batch. The first error counts.
    public func fail(_ error: any Error) {
        if failure == nil { failure = error }
    }

    /// Whether the job is ending; later output does not arrive.
    public var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// The wall clock, read now: for events once per snapshot or restore.
    @usableFromInline var wall: WallTime { host.wall() }

    /// Cancels the subtask, from the job thread.
    func cancel() {
        cancelled.store(true, ordering: .sequentiallyConsistent)
        parker.unpark()
    }

    /// Registers an operator of the chain, from the tail to the head.
    @usableFromInline
    func register(_ hooks: OperatorHooks) { self.hooks.append(hooks) }

    /// Ends every operator and breaks reference cycles, to free the state of a finished attempt. (The cycles are context -> operators and channels ->
    /// context.) Called once, as the last call, on the subtask's thread, or on the thread that built the chain of an attempt never started.
    func closeOperators() {
        for hooks in hooks { hooks.close() }
        hooks = []
        outputs = []
    }

    /// Publishes event time sent by an assigner of the chain.
    @usableFromInline
    func noteAssigned(_ time: StreamTime) {
        if !hasInputs { metrics.note(time) }
    }

    func countOut(_ records: Int) { metrics.countOut(records) }

    @usableFromInline
    func countWritten(_ records: Int) { metrics.countWritten(records) }

    /// Counts a wait for room downstream.
    func blocked(_ wait: () -> Void) {
        metrics.times.turn(to: .blocked, at: host.now())
        wait()
        metrics.times.turn(to: .working, at: host.now())
    }
}

/// Counters of one subtask: written by its thread once per batch, read by the job thread.
final class SubtaskMetrics: Sendable {
    let recordsIn = Atomic<UInt64>(0)
    let recordsOut = Atomic<UInt64>(0)
    let recordsWritten = Atomic<UInt64>(0)
    let times = TaskTimes()
    let stateBytes = Atomic<Int>(0)
    /// Sources: records emitted since the beginning of the lineage.
    let position = Atomic<UInt64>(0)
    /// Sources: `position` when the attempt began.
    let startPosition = Atomic<UInt64>(0)
    /// Sources with a bounded input: units read and in all. `inputTotal` 0 = nothing to read, or unbounded.
    let inputRead = Atomic<UInt64>(0)
    let inputTotal = Atomic<UInt64>(0)
    /// Event time of the subtask in milliseconds, from its input gate or a source's own watermarks. `Int64.min` = none yet.
    let watermark = Atomic<Int64>(.min)
    /// Whether the inputs are idle.
    let isTimeIdle = Atomic<Bool>(false)

    func note(_ time: StreamTime) {
        switch time {
        case .watermark(let time):
            watermark.store(time.milliseconds, ordering: .relaxed)
            isTimeIdle.store(false, ordering: .relaxed)
        case .idle: isTimeIdle.store(true, ordering: .relaxed)
        case .active: isTimeIdle.store(false, ordering: .relaxed)
        }
    }

    // Each counter has one writer, so a load and a store suffice; no read-modify-write is needed.
    func countIn(_ records: Int) { recordsIn.store(recordsIn.load(ordering: .relaxed) &+ UInt64(records), ordering: .relaxed) }
    func countWritten(_ records: Int) { recordsWritten.store(recordsWritten.load(ordering: .relaxed) &+ UInt64(records), ordering: .relaxed) }
    func countOut(_ records: Int) { recordsOut.store(recordsOut.load(ordering: .relaxed) &+ UInt64(records), ordering: .relaxed) }
}

/// Sequence-number accounting of one submission, summed over its subtasks.
@usableFromInline
final class AuditCounters: Sendable {
    let isUsed = Atomic<Bool>(false)
    let verified = Atomic<UInt64>(0)
    let duplicates = Atomic<UInt64>(0)
    let lost = Atomic<UInt64>(0)

    @usableFromInline
    func markUsed() { isUsed.store(true, ordering: .relaxed) }

    /// Adds counts, once per batch.
    @usableFromInline
    func count(verified: Int, duplicates: UInt64, lost: UInt64) {
        self.verified.wrappingAdd(UInt64(verified), ordering: .relaxed)
        if duplicates > 0 { self.duplicates.wrappingAdd(duplicates, ordering: .relaxed) }
        if lost > 0 { self.lost.wrappingAdd(lost, ordering: .relaxed) }
    }
}
