import CheckpointCore
import StreamModel

/// The states of the table: each is reached by events from the beginning, with the oracle watching.
struct CoordinatorState {
    static let first = SubtaskID(vertex: 0, index: 0)
    static let second = SubtaskID(vertex: 1, index: 0)
    static let foreign = SubtaskID(vertex: 9, index: 9)

    let name: String
    /// The checkpoint that the events of the table are about.
    let subject: CheckpointID
    var coordinator: CheckpointCoordinator
    var oracle: CoordinatorOracle
    /// In milliseconds.
    var now: Int64 = 0

    init(_ name: String, subject: UInt64 = 1, concurrent: Int = 1, _ events: [CoordinatorEvent]) throws {
        self.name = name
        self.subject = CheckpointID(subject)
        var configuration = CheckpointConfiguration()
        configuration.interval = 1000
        configuration.timeout = 5000
        configuration.minimumPause = 100
        configuration.maximumConcurrent = concurrent
        configuration.tolerableFailures = 1
        coordinator = try CheckpointCoordinator(
            configuration: configuration, tasks: [Self.first, Self.second], nextID: CheckpointID(1), seed: 1)
        oracle = CoordinatorOracle(configuration: configuration, tasks: [Self.first, Self.second])
        for event in events { _ = try feed(event) }
    }

    /// One event, ten milliseconds after the last one; a tick at its instant.
    mutating func feed(_ event: CoordinatorEvent) throws(CoordinatorOracle.Violation) -> [CoordinatorAction] {
        now += 10
        if event == .triggerTimerFired, let due = coordinator.nextTriggerAt {
            now = max(now, due.nanoseconds / 1_000_000)
        }
        return try oracle.feed(event, to: &coordinator, at: EngineInstant(milliseconds: now))
    }

    // MARK: The way to the states

    private static let running: [CoordinatorEvent] = [
        .jobStateChanged(.running), .taskStateChanged(first, .running), .taskStateChanged(second, .running),
    ]

    private static func acknowledged(_ id: UInt64) -> [CoordinatorEvent] {
        [.acknowledged(CheckpointID(id), first), .acknowledged(CheckpointID(id), second)]
    }

    private static func begun(_ id: UInt64, _ request: CoordinatorEvent) -> [CoordinatorEvent] {
        [request, .locationPrepared(CheckpointID(id))]
    }

    private static func done(_ id: UInt64, _ request: CoordinatorEvent) -> [CoordinatorEvent] {
        begun(id, request) + acknowledged(id) + [.committed(CheckpointID(id))]
    }

    static func all() throws -> [CoordinatorState] {
        let tick = CoordinatorEvent.triggerTimerFired
        let savepoint = CoordinatorEvent.requested(TriggerToken(70), .savepoint)
        let checkpoint = CoordinatorEvent.requested(TriggerToken(71), .checkpoint)
        let stop = CoordinatorEvent.requested(TriggerToken(72), .synchronousSavepoint)
        let final = CoordinatorEvent.finalCheckpointRequested
        let id = CheckpointID(1)
        return [
            try CoordinatorState("initializing", []),
            try CoordinatorState("RUNNING, tasks not yet", [.jobStateChanged(.running)]),
            try CoordinatorState("running, nothing pending", running),
            try CoordinatorState("one task finished", running + [.taskStateChanged(first, .finished)]),
            try CoordinatorState("checkpoint preparing", running + [tick]),
            try CoordinatorState("checkpoint acknowledging", running + begun(1, tick)),
            try CoordinatorState("checkpoint half acknowledged", running + begun(1, tick) + [.acknowledged(id, first)]),
            try CoordinatorState("checkpoint committing", running + begun(1, tick) + acknowledged(1)),
            try CoordinatorState(
                "checkpoint acknowledged, an older one commits", subject: 2, concurrent: 2,
                running + begun(1, checkpoint) + begun(2, tick) + acknowledged(1) + acknowledged(2)),
            try CoordinatorState("checkpoint completed", running + done(1, tick)),
            try CoordinatorState("checkpoint subsumed, being deleted", running + done(1, tick) + done(2, tick)),
            try CoordinatorState("user savepoint acknowledging", running + begun(1, savepoint)),
            try CoordinatorState("user savepoint beside an older checkpoint", subject: 2, running + begun(1, tick) + begun(2, savepoint)),
            try CoordinatorState("user checkpoint queued behind another", running + begun(1, tick) + [checkpoint]),
            try CoordinatorState("tick queued behind another", running + begun(1, tick) + [tick]),
            try CoordinatorState(
                "checkpoint failed once, budget used up", running + begun(1, tick) + [.declined(id, first, .checkpointDeclined, message: "no")]),
            try CoordinatorState("checkpoint aborted while preparing", running + [tick, .taskFailed(first, message: "boom")]),
            try CoordinatorState(
                "savepoint held back by two deletes", subject: 3,
                running + begun(1, checkpoint) + [.taskFailed(first, message: "boom"), .taskStateChanged(first, .running)]
                    + begun(2, checkpoint) + [.taskFailed(first, message: "boom"), .taskStateChanged(first, .running), savepoint]),
            try CoordinatorState("stop with savepoint preparing", running + [stop]),
            try CoordinatorState("stop with savepoint acknowledging", running + begun(1, stop)),
            try CoordinatorState("stop with savepoint committing", running + begun(1, stop) + acknowledged(1)),
            try CoordinatorState("stop with savepoint completed", running + done(1, stop)),
            try CoordinatorState("final checkpoint preparing", running + [final]),
            try CoordinatorState("final checkpoint acknowledging", running + begun(1, final)),
            try CoordinatorState("final checkpoint failed", running + [final, .locationFailed(id, message: "full")]),
            try CoordinatorState("final checkpoint completed", running + done(1, final)),
            try CoordinatorState("RESTARTING, a commit in flight", running + begun(1, tick) + acknowledged(1) + [.jobStateChanged(.restarting)]),
            try CoordinatorState(
                "new attempt, a commit of the old one in flight",
                running + begun(1, tick) + acknowledged(1) + [.jobStateChanged(.restarting), .tasksReset(tasks: [first, second])] + running),
            try CoordinatorState("restored from 1", [.restored(id, kind: .checkpoint, claimed: false)] + running),
            try CoordinatorState("SUSPENDED", running + done(1, tick) + [.jobStateChanged(.suspended)]),
            try CoordinatorState("CANCELED", running + done(1, tick) + [.jobStateChanged(.canceled)]),
            try CoordinatorState("CANCELED, a commit in flight", running + begun(1, tick) + acknowledged(1) + [.jobStateChanged(.canceled)]),
            try CoordinatorState(
                "CANCELED and released, a commit in flight",
                running + begun(1, tick) + acknowledged(1) + [.jobStateChanged(.canceled), .jobEnded(.keep)]),
        ]
    }

    /// Every event, in every form that makes a difference. Users' requests have that token: one names one request.
    static func events(about id: CheckpointID, token: UInt64 = 80) -> [CoordinatorEvent] {
        let unknown = CheckpointID(99)
        return JobState.allCases.map { .jobStateChanged($0) }
            + [TaskState.initializing, .running, .finished].map { .taskStateChanged(first, $0) }
            + [CheckpointKind.checkpoint, .savepoint, .synchronousSavepoint].map { .requested(TriggerToken(token), $0) }
            + [CancelRetention.byPolicy, .keep, .discard].map { .jobEnded($0) }
            + [
                .taskStateChanged(foreign, .running), .tasksReset(tasks: [first, second]), .tasksReset(tasks: []),
                .triggerTimerFired, .timeoutFired(id), .timeoutFired(unknown), .finalCheckpointRequested,
                .locationPrepared(id), .locationPrepared(unknown), .locationFailed(id, message: "full"), .locationFailed(unknown, message: "full"),
                .acknowledged(id, first), .acknowledged(id, second), .acknowledged(id, foreign), .acknowledged(unknown, first),
                .declined(id, first, .checkpointDeclined, message: "no"), .declined(id, second, .checkpointDeclinedTaskNotReady, message: "no"),
                .declined(id, second, .ioException, message: "no"), .declined(id, foreign, .checkpointDeclined, message: "no"),
                .declined(unknown, first, .checkpointDeclined, message: "no"),
                .taskFailed(first, message: "boom"), .taskFailed(second, message: "boom"), .taskFailed(foreign, message: "boom"),
                .committed(id), .committed(unknown), .commitFailed(id, message: "full"), .commitFailed(unknown, message: "full"),
                .cleanupFinished(id), .cleanupFinished(unknown),
                .restored(id, kind: .checkpoint, claimed: true), .restored(CheckpointID(50), kind: .savepoint, claimed: false),
                .restored(CheckpointID(.max), kind: .checkpoint, claimed: true), .lost(id), .lost(unknown),
            ]
    }
}
