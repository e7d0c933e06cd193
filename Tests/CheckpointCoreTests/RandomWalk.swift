import CheckpointCore
import StreamModel

/// One random schedule: a coordinator with a random configuration, an engine that answers what it owes in any order, and events
/// that make no sense in between. Everything follows from the seed.
struct RandomWalk {
    /// What a set of walks has seen, so that a test can tell that they were not idle.
    struct Coverage {
        var steps = 0
        var completed = 0
        var actions: [String: Int] = [:]
        var reasons: Set<CheckpointFailureReason> = []
    }

    private var coordinator: CheckpointCoordinator
    private var oracle: CoordinatorOracle
    private var random: WalkRandom
    private let tasks: [SubtaskID]
    private var now = EngineInstant(milliseconds: 1000)
    /// Answers that the engine owes.
    private var owed: [CoordinatorEvent] = []
    private var nextToken: UInt64 = 1
    private(set) var history: [CoordinatorEvent] = []
    private(set) var coverage = Coverage()

    init(seed: UInt64) throws {
        var random = WalkRandom(state: seed)
        var configuration = CheckpointConfiguration()
        configuration.interval = random.chance(of: 10) ? nil : Milliseconds(10 + Int64(random.below(40)))
        configuration.timeout = Milliseconds(20 + Int64(random.below(60)))
        configuration.minimumPause = random.chance(of: 2) ? 0 : Milliseconds(Int64(random.below(60)))
        configuration.maximumConcurrent = 1 + random.below(3)
        configuration.tolerableFailures = random.chance(of: 5) ? nil : random.below(4)
        configuration.retainedCheckpoints = 1 + random.below(3)
        configuration.retention = CheckpointConfiguration.Retention.allCases[random.below(3)]
        tasks = (0...random.below(3)).map { SubtaskID(vertex: $0, index: 0) }
        coordinator = try CheckpointCoordinator(
            configuration: configuration, tasks: tasks, nextID: CheckpointID(1), seed: random.next())
        oracle = CoordinatorOracle(configuration: configuration, tasks: tasks)
        self.random = random
    }

    /// Starts the job, takes that many random steps, ends the job and looks whether everything that began has ended.
    mutating func run(steps: Int) throws {
        try startTasks()
        for _ in 0..<steps { try step() }
        try end()
    }

    private mutating func send(_ event: CoordinatorEvent) throws {
        coverage.steps += 1
        history.append(event)
        for action in try oracle.feed(event, to: &coordinator, at: now) { take(action) }
    }

    /// The engine's side: what it will have to answer, well or badly.
    private mutating func take(_ action: CoordinatorAction) {
        switch action {
        case .prepareLocation(let id, _, _):
            note("prepareLocation")
            owed.append(random.chance(of: 12) ? .locationFailed(id, message: "full") : .locationPrepared(id))
        case .injectBarrier(let id, _):
            note("injectBarrier")
            oweAcknowledgements(id)
        case .commit(let id, _):
            note("commit")
            owed.append(random.chance(of: 12) ? .commitFailed(id, message: "full") : .committed(id))
        case .discardPending(let id), .discardCompleted(let id):
            note(action == .discardCompleted(id) ? "discardCompleted" : "discardPending")
            owed.append(.cleanupFinished(id))
        case .checkpointCompleted: coverage.completed += 1
        case .checkpointFailed(_, let reason, _, _, _): coverage.reasons.insert(reason)
        case .forget: note("forget")
        case .failJob: note("failJob")
        case .notifyComplete: note("notifyComplete")
        case .notifyAborted: note("notifyAborted")
        case .requestFailed: note("requestFailed")
        case .requestCompleted: note("requestCompleted")
        case .scheduleTrigger, .cancelTrigger, .scheduleTimeout, .cancelTimeout: break
        }
    }

    private mutating func oweAcknowledgements(_ id: CheckpointID) {
        for task in tasks {
            let isDeclined = random.chance(of: 15)
            owed.append(isDeclined ? .declined(id, task, anyReason(), message: "no") : .acknowledged(id, task))
        }
    }

    private mutating func note(_ name: String) { coverage.actions[name, default: 0] += 1 }

    // MARK: Steps

    private mutating func step() throws {
        if random.chance(of: 3) { pass(Int64(random.below(12))) }
        switch random.below(24) {
        case 0..<12: try answer()
        case 12..<15: try fireTrigger()
        case 15: try fireTimeout()
        case 16: try request()
        case 17: try disturb()
        case 18: try send(anyEvent())
        case 19: try send(.taskStateChanged(anyTask(), random.chance(of: 4) ? .finished : .running))
        default: try answer()
        }
        if coordinator.finalCheckpoint.map({ id in coordinator.pending.contains { $0.id == id } }) ?? false, random.chance(of: 3) {
            oweAcknowledgements(coordinator.finalCheckpoint ?? CheckpointID(0))
        }
    }

    private mutating func pass(_ milliseconds: Int64) {
        now = EngineInstant(nanoseconds: now.nanoseconds + milliseconds * 1_000_000 + Int64(random.below(3)))
    }

    private mutating func answer() throws {
        guard !owed.isEmpty else { return try fireTrigger() }
        let event = owed.remove(at: random.below(owed.count))
        if random.chance(of: 30) { owed.append(event) }  // it will come twice
        try send(event)
    }

    private mutating func fireTrigger() throws {
        if let due = coordinator.nextTriggerAt, due > now, !random.chance(of: 8) { now = due }
        if random.chance(of: 4) { pass(Int64(random.below(80))) }
        try send(.triggerTimerFired)
    }

    private mutating func fireTimeout() throws {
        guard !coordinator.pending.isEmpty else { return }
        let checkpoint = coordinator.pending[random.below(coordinator.pending.count)]
        if checkpoint.timeoutAt > now, random.chance(of: 2) { now = checkpoint.timeoutAt }
        try send(.timeoutFired(checkpoint.id))
    }

    private mutating func request() throws {
        let kinds: [CheckpointKind] = [.checkpoint, .savepoint, .savepoint, .synchronousSavepoint]
        try send(.requested(TriggerToken(nextToken), kinds[random.below(kinds.count)]))
        nextToken += 1
    }

    /// The job fails and comes back, or one of its tasks does, or its input ends.
    private mutating func disturb() throws {
        switch random.below(5) {
        case 0: try send(.taskFailed(anyTask(), message: "boom"))
        case 1: try send(.finalCheckpointRequested)
        default: try restart()
        }
    }

    private mutating func restart() throws {
        try send(.jobStateChanged(random.chance(of: 2) ? .failing : .restarting))
        // A good engine waits for the commit; the coordinator is to be safe with one that does not.
        if let id = coordinator.commitInFlight, random.chance(of: 2) { try send(.committed(id)) }
        try send(.tasksReset(tasks: tasks))
        let newest = random.chance(of: 3) ? coordinator.commitInFlight ?? coordinator.latestCompleted?.id : coordinator.latestCompleted?.id
        if let newest { try send(.restored(newest, kind: .checkpoint, claimed: random.chance(of: 2))) }
        try startTasks()
    }

    private mutating func startTasks() throws {
        try send(.jobStateChanged(.running))
        for task in tasks { try send(.taskStateChanged(task, .running)) }
    }

    private mutating func end() throws {
        try send(.jobStateChanged([.canceled, .finished, .failed][random.below(3)]))
        let isReleasedEarly = random.chance(of: 2)
        if isReleasedEarly { try send(.jobEnded(anyOverride())) }
        if let id = coordinator.commitInFlight { try send(random.chance(of: 2) ? .committed(id) : .commitFailed(id, message: "full")) }
        if !isReleasedEarly { try send(.jobEnded(anyOverride())) }
        try oracle.checkEnded()
        if !coordinator.completed.isEmpty { throw CoordinatorOracle.Violation(description: "the ended job still holds checkpoints") }
    }

    // MARK: Anything

    private mutating func anyTask() -> SubtaskID {
        random.chance(of: 8) ? SubtaskID(vertex: 9, index: 9) : tasks[random.below(tasks.count)]
    }

    private mutating func anyID() -> CheckpointID { CheckpointID(UInt64(random.below(Int(coordinator.nextID.rawValue) + 2))) }

    private mutating func anyReason() -> CheckpointFailureReason {
        CheckpointFailureReason.allCases[random.below(CheckpointFailureReason.allCases.count)]
    }

    private mutating func anyOverride() -> CancelRetention { [.byPolicy, .keep, .discard][random.below(3)] }

    private mutating func anyKind() -> CheckpointKind { [.checkpoint, .savepoint, .synchronousSavepoint][random.below(3)] }

    private mutating func anyEvent() -> CoordinatorEvent {
        switch random.below(17) {
        case 0: .jobStateChanged([.initializing, .running, .suspended, .cancelling][random.below(4)])
        case 1: .tasksReset(tasks: tasks)
        case 2: .taskStateChanged(anyTask(), .initializing)
        case 3: .triggerTimerFired
        case 4: .timeoutFired(anyID())
        case 5: .locationPrepared(anyID())
        case 6: .locationFailed(anyID(), message: "?")
        case 7, 8: .acknowledged(anyID(), anyTask())
        case 9, 10: .declined(anyID(), anyTask(), anyReason(), message: "?")
        case 11: .taskFailed(anyTask(), message: "?")
        case 12: .committed(anyID())
        case 13: .commitFailed(anyID(), message: "?")
        case 14: .cleanupFinished(anyID())
        case 15: .restored(anyID(), kind: anyKind(), claimed: random.chance(of: 2))
        default: .jobEnded(anyOverride())
        }
    }
}

/// SplitMix64 again, apart from the coordinator's own.
struct WalkRandom {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    /// True one time in `count`.
    mutating func chance(of count: Int) -> Bool { below(count) == 0 }
}
