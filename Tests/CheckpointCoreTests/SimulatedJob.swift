import CheckpointCore
import StreamModel

/// A job with virtual time around a coordinator: its timers, tasks that acknowledge after a set time, a disk that answers at once.
/// Every event goes through the oracle.
struct SimulatedJob {
    /// What becomes of one checkpoint.
    enum Fate {
        /// All tasks acknowledge that long after the barrier.
        case acknowledged(after: Int64)
        /// The first task declines it.
        case declined(after: Int64)
        /// No task answers.
        case ignored
        /// Its directory cannot be made.
        case withoutLocation
    }

    private struct Appointment {
        let at: Int64
        let order: Int
        let event: CoordinatorEvent
    }

    var coordinator: CheckpointCoordinator
    var oracle: CoordinatorOracle
    let tasks: [SubtaskID]
    /// In milliseconds.
    private(set) var now: Int64 = 0
    var fate: (CheckpointID, CheckpointKind) -> Fate = { _, _ in .acknowledged(after: 10) }
    /// Everything that the coordinator asked for, with its time.
    private(set) var log: [(at: Int64, action: CoordinatorAction)] = []
    private var agenda: [Appointment] = []
    private var appointments = 0
    private var triggerOrder: Int?
    private var timeoutOrders: [CheckpointID: Int] = [:]

    init(_ configuration: CheckpointConfiguration, tasks count: Int = 2, seed: UInt64 = 1) throws {
        tasks = (0..<count).map { SubtaskID(vertex: 0, index: $0) }
        coordinator = try CheckpointCoordinator(configuration: configuration, tasks: tasks, nextID: CheckpointID(1), seed: seed)
        oracle = CoordinatorOracle(configuration: configuration, tasks: tasks)
    }

    /// RUNNING, and all tasks run.
    mutating func start() throws {
        try send(.jobStateChanged(.running))
        for task in tasks { try send(.taskStateChanged(task, .running)) }
    }

    /// An attempt ends and the next one begins at once.
    mutating func restartAttempt() throws {
        try send(.jobStateChanged(.restarting))
        try send(.tasksReset(tasks: tasks))
        try start()
    }

    mutating func send(_ event: CoordinatorEvent) throws {
        let actions = try oracle.feed(event, to: &coordinator, at: EngineInstant(milliseconds: now))
        for action in actions {
            log.append((now, action))
            perform(action)
        }
    }

    /// As `send`, but a commit that begins is left for the caller to answer.
    mutating func sendHoldingCommit(_ event: CoordinatorEvent) throws {
        for action in try oracle.feed(event, to: &coordinator, at: EngineInstant(milliseconds: now)) {
            log.append((now, action))
            if case .commit = action { continue }
            perform(action)
        }
    }

    /// Lets time pass up to and with `end`.
    mutating func run(until end: Int64) throws {
        while let next = agenda.min(by: { ($0.at, $0.order) < ($1.at, $1.order) }), next.at <= end {
            agenda.removeAll { $0.order == next.order }
            now = max(now, next.at)
            try send(next.event)
        }
        now = end
    }

    mutating func schedule(_ event: CoordinatorEvent, at: Int64) {
        appointments += 1
        agenda.append(Appointment(at: at, order: appointments, event: event))
    }

    private mutating func cancel(_ order: Int?) { agenda.removeAll { $0.order == order } }

    private mutating func perform(_ action: CoordinatorAction) {
        switch action {
        case .scheduleTrigger(let at):
            cancel(triggerOrder)
            schedule(.triggerTimerFired, at: at.nanoseconds / 1_000_000)
            triggerOrder = appointments
        case .cancelTrigger: cancel(triggerOrder)
        case .scheduleTimeout(let id, let at):
            schedule(.timeoutFired(id), at: at.nanoseconds / 1_000_000)
            timeoutOrders[id] = appointments
        case .cancelTimeout(let id): cancel(timeoutOrders.removeValue(forKey: id))
        case .prepareLocation(let id, let kind, _):
            if case .withoutLocation = fate(id, kind) {
                schedule(.locationFailed(id, message: "mkdir: No space left on device"), at: now)
            } else {
                schedule(.locationPrepared(id), at: now)
            }
        case .injectBarrier(let id, let kind): answer(id, fate(id, kind))
        case .commit(let id, _): schedule(.committed(id), at: now)
        case .discardPending(let id), .discardCompleted(let id): schedule(.cleanupFinished(id), at: now)
        case .notifyComplete, .notifyAborted, .forget, .checkpointCompleted, .checkpointFailed, .requestFailed, .requestCompleted, .failJob:
            break
        }
    }

    private mutating func answer(_ id: CheckpointID, _ fate: Fate) {
        switch fate {
        case .acknowledged(let delay): for task in tasks { schedule(.acknowledged(id, task), at: now + delay) }
        case .declined(let delay):
            schedule(.declined(id, tasks[0], .checkpointAsyncException, message: "disk full"), at: now + delay)
        case .ignored, .withoutLocation: break
        }
    }

    // MARK: What happened

    /// When each checkpoint or savepoint began, in milliseconds.
    var triggers: [Int64] {
        log.compactMap { if case .prepareLocation = $0.action { $0.at } else { nil } }
    }

    var failures: [(id: CheckpointID, reason: CheckpointFailureReason, counted: Bool)] {
        log.compactMap { if case .checkpointFailed(let id, let reason, _, let counted, _) = $0.action { (id, reason, counted) } else { nil } }
    }

    var completions: [CheckpointID] {
        log.compactMap { if case .checkpointCompleted(let id) = $0.action { id } else { nil } }
    }

    var jobFailures: [String] {
        log.compactMap { if case .failJob(let message) = $0.action { message } else { nil } }
    }

    func count(of action: CoordinatorAction) -> Int { log.count { $0.action == action } }
}
