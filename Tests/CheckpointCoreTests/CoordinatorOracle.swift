import CheckpointCore
import StreamModel

/// Watches a coordinator from outside: sees each event and its actions, keeps books of its own, and tells the first rule that was
/// broken. Shared by the scenarios, the state x event table and the random walks.
struct CoordinatorOracle {
    struct Violation: Error, CustomStringConvertible {
        let description: String
    }

    /// An id in flight, as the actions told.
    struct Attempt {
        let kind: CheckpointKind
        let token: TriggerToken?
        var isFinal = false
        var awaitsLocation = true
        var waitsFor: Set<SubtaskID>
        var hasTimeout = false
        var isCommitting = false
        /// Its attempt of the job was replaced while it was committing.
        var isOrphaned = false
    }

    let configuration: CheckpointConfiguration
    private(set) var attempts: [CheckpointID: Attempt] = [:]
    private(set) var completed: [CheckpointID: CheckpointKind] = [:]
    private(set) var failed: Set<CheckpointID> = []
    /// Completed or restored ones that the job can go back to, as the rules treat them, oldest first.
    private(set) var restorable: [(id: CheckpointID, kind: CheckpointKind)] = []
    private(set) var cleaning: Set<CheckpointID> = []
    private(set) var trigger: EngineInstant?
    private(set) var state = JobState.initializing
    private(set) var tasks: [SubtaskID: TaskState]
    private(set) var openTokens: [TriggerToken] = []
    private(set) var periodicTriggers = 0
    private var newestID: CheckpointID?
    private var lastCompletion: EngineInstant?
    private var stopToken: TriggerToken?
    private var isFinalAsked = false
    private var counter = 0
    private var lastSucceeded: CheckpointID?

    init(configuration: CheckpointConfiguration, tasks: [SubtaskID]) {
        self.configuration = configuration
        self.tasks = Dictionary(uniqueKeysWithValues: tasks.map { ($0, .initializing) })
    }

    /// Feeds one event and checks everything.
    mutating func feed(
        _ event: CoordinatorEvent, to coordinator: inout CheckpointCoordinator, at now: EngineInstant
    ) throws(Violation) -> [CoordinatorAction] {
        observe(event)
        let actions = coordinator.handle(event, at: now)
        var timerActions = 0
        for action in actions {
            switch action {
            case .scheduleTrigger, .cancelTrigger: timerActions += 1
            default: break
            }
            try observe(action, of: event, coordinator, now)
        }
        if timerActions > 1 { throw Violation(description: "\(timerActions) timer actions in one answer") }
        try checkCompletion(event, actions)
        settleStop(event, actions)
        try check(coordinator, now)
        return actions
    }

    // MARK: Events

    private mutating func observe(_ event: CoordinatorEvent) {
        switch event {
        case .jobStateChanged(let new) where new != state && !state.isTerminal:
            state = new
            stopToken = nil
            isFinalAsked = false
        case .tasksReset(let new):
            tasks = Dictionary(uniqueKeysWithValues: new.map { ($0, .initializing) })
            for id in attempts.keys { attempts[id]?.isOrphaned = true }
            stopToken = nil
            isFinalAsked = false
        case .taskStateChanged(let task, let new) where tasks[task] != nil: tasks[task] = new
        case .taskFailed(let task, _) where tasks[task] != nil: tasks[task] = .initializing
        case .triggerTimerFired: trigger = nil
        case .timeoutFired(let id): attempts[id]?.hasTimeout = false
        case .requested(let token, _): openTokens.append(token)
        case .finalCheckpointRequested where state == .running: isFinalAsked = true
        case .locationPrepared(let id): attempts[id]?.awaitsLocation = false
        case .acknowledged(let id, let task):
            if let attempt = attempts[id], !attempt.awaitsLocation { attempts[id]?.waitsFor.remove(task) }
        case .cleanupFinished(let id): cleaning.remove(id)
        case .restored(let id, _, let claimed):
            if attempts[id] == nil || attempts[id]?.isCommitting == true { newestID = max(newestID ?? id, id) }
            if attempts[id] == nil { remember(id, claimed ? .checkpoint : .savepoint) }
        case .lost(let id): restorable.removeAll { $0.id == id }
        default: break
        }
    }

    private mutating func remember(_ id: CheckpointID, _ kind: CheckpointKind) {
        guard !restorable.contains(where: { $0.id == id }) else { return }
        restorable.append((id, kind))
        restorable.sort { $0.id < $1.id }
    }

    /// A stop counts as under way from its request until the request failed.
    private mutating func settleStop(_ event: CoordinatorEvent, _ actions: [CoordinatorAction]) {
        if case .requested(let token, .synchronousSavepoint) = event, stopToken == nil, openTokens.contains(token) {
            stopToken = token
        }
        guard let stopToken else { return }
        for case .requestFailed(stopToken, _, _) in actions { self.stopToken = nil }
    }

    // MARK: Actions

    private mutating func observe(
        _ action: CoordinatorAction, of event: CoordinatorEvent, _ coordinator: CheckpointCoordinator, _ now: EngineInstant
    ) throws(Violation) {
        switch action {
        case .scheduleTrigger(let at):
            if at < now { throw Violation(description: "a tick in the past") }
            trigger = at
        case .cancelTrigger: trigger = nil
        case .scheduleTimeout(let id, let at):
            if at <= now { throw Violation(description: "timeout of \(id) is not in the future") }
            attempts[id]?.hasTimeout = true
        case .cancelTimeout(let id): attempts[id]?.hasTimeout = false
        case .prepareLocation(let id, let kind, let token): try begin(id, kind, token, coordinator, now)
        case .injectBarrier(let id, let kind): try inject(id, kind, event)
        case .commit(let id, let kind): try commit(id, kind)
        case .checkpointCompleted(let id): try complete(id, event, now)
        case .checkpointFailed(let id, let reason, _, let counted, _): try fail(id, reason, counted, event)
        case .notifyComplete(let id):
            guard event == .committed(id), completed[id] != nil else { throw Violation(description: "notifyComplete \(id) before it is committed") }
        case .notifyAborted(let id):
            guard failed.contains(id) else { throw Violation(description: "notifyAborted \(id), which has not failed") }
        case .discardPending(let id):
            guard failed.contains(id), completed[id] == nil else { throw Violation(description: "discardPending \(id) has not failed") }
            cleaning.insert(id)
        case .discardCompleted(let id): try discard(id, coordinator)
        case .forget(let id):
            guard restorable.contains(where: { $0.id == id }) else { throw Violation(description: "forget \(id), which is unknown") }
            if !state.isTerminal, id == restorable.last?.id { throw Violation(description: "the newest, \(id), is forgotten while the job lives") }
            restorable.removeAll { $0.id == id }
        case .requestFailed(let token, _, _), .requestCompleted(let token, _): try close(token)
        case .failJob(let message): try failJob(message)
        }
    }

    private mutating func begin(
        _ id: CheckpointID, _ kind: CheckpointKind, _ token: TriggerToken?, _ coordinator: CheckpointCoordinator, _ now: EngineInstant
    ) throws(Violation) {
        if let newestID, id <= newestID { throw Violation(description: "id \(id) after \(newestID)") }
        if attempts.values.contains(where: \.awaitsLocation) { throw Violation(description: "\(id): two are being set up") }
        if cleaning.count > configuration.maximumConcurrent { throw Violation(description: "\(id): begun while deletes pile up") }
        if state != .running { throw Violation(description: "\(id): begun while the job is \(state.rawValue)") }
        let isFinal = coordinator.finalCheckpoint == id
        let isForced = kind.isSavepoint || isFinal
        if !isForced, attempts.count >= configuration.maximumConcurrent { throw Violation(description: "\(id): too many concurrent") }
        if !isFinal, tasks.isEmpty || tasks.values.contains(where: { $0 != .running }) {
            throw Violation(description: "\(id): not all tasks are running")
        }
        if token == nil, !isFinal {
            periodicTriggers += 1
            if let lastCompletion, now < lastCompletion + configuration.effectiveMinimumPause {
                throw Violation(description: "\(id): within the minimum pause")
            }
            if isFinalAsked || stopToken != nil { throw Violation(description: "\(id): a tick while the scheduler rests") }
        }
        newestID = id
        attempts[id] = Attempt(kind: kind, token: token, isFinal: isFinal, waitsFor: Set(tasks.keys))
    }

    private mutating func inject(_ id: CheckpointID, _ kind: CheckpointKind, _ event: CoordinatorEvent) throws(Violation) {
        guard event == .locationPrepared(id), let attempt = attempts[id], attempt.kind == kind, !attempt.isFinal else {
            throw Violation(description: "injectBarrier \(id) without a location")
        }
    }

    private mutating func commit(_ id: CheckpointID, _ kind: CheckpointKind) throws(Violation) {
        guard let attempt = attempts[id], attempt.kind == kind, !attempt.isCommitting, attempt.waitsFor.isEmpty else {
            throw Violation(description: "commit \(id), which is not acknowledged")
        }
        if attempts.values.contains(where: \.isCommitting) { throw Violation(description: "two commits at a time") }
        attempts[id]?.isCommitting = true
    }

    private mutating func complete(_ id: CheckpointID, _ event: CoordinatorEvent, _ now: EngineInstant) throws(Violation) {
        guard let attempt = attempts.removeValue(forKey: id), attempt.isCommitting else {
            throw Violation(description: "\(id) completed without a commit")
        }
        switch event {
        case .committed(id) where !attempt.isOrphaned: break
        case .restored(id, _, _): break
        default: throw Violation(description: "\(id) completed by \(event)")
        }
        if attempt.hasTimeout { throw Violation(description: "\(id) completed with its timeout set") }
        completed[id] = attempt.kind
        lastCompletion = now
        remember(id, attempt.kind)
        if lastSucceeded.map({ $0 < id }) ?? true {
            lastSucceeded = id
            counter = 0
        }
    }

    private mutating func fail(
        _ id: CheckpointID, _ reason: CheckpointFailureReason, _ counted: Bool, _ event: CoordinatorEvent
    ) throws(Violation) {
        guard let attempt = attempts.removeValue(forKey: id) else { throw Violation(description: "\(id) failed, but is not in flight") }
        if completed[id] != nil { throw Violation(description: "\(id) failed after it completed") }
        if attempt.hasTimeout { throw Violation(description: "\(id) failed with its timeout set") }
        if attempt.isCommitting, event != .committed(id) || !attempt.isOrphaned {
            guard case .commitFailed(id, _) = event else { throw Violation(description: "\(id) failed while it was committed") }
        }
        if reason == .checkpointSubsumed {
            let isOvertaken = completed.keys.contains { $0 > id && (event == .committed($0) || isRestore(event, of: $0)) }
            // A task may give the same reason.
            guard isOvertaken && !attempt.kind.isSavepoint || isDecline(event) else { throw Violation(description: "\(id) is not subsumed") }
        }
        if counted {
            counter += 1
            if let lastSucceeded, id <= lastSucceeded { throw Violation(description: "\(id) is counted, and \(lastSucceeded) succeeded") }
            if !reason.isCounted { throw Violation(description: "\(reason.rawValue) was counted") }
        }
        failed.insert(id)
    }

    private func isRestore(_ event: CoordinatorEvent, of id: CheckpointID) -> Bool {
        if case .restored(id, _, _) = event { true } else { false }
    }

    private func isDecline(_ event: CoordinatorEvent) -> Bool {
        if case .declined = event { true } else { false }
    }

    private mutating func discard(_ id: CheckpointID, _ coordinator: CheckpointCoordinator) throws(Violation) {
        guard let entry = restorable.first(where: { $0.id == id }) else { throw Violation(description: "discard \(id), which is unknown") }
        if entry.kind.isSavepoint { throw Violation(description: "discard of savepoint \(id)") }
        if !state.isTerminal {
            if id == restorable.last?.id { throw Violation(description: "the newest, \(id), is discarded while the job lives") }
            let newestCheckpoint = restorable.last { !$0.kind.isSavepoint }?.id
            if id == newestCheckpoint, restorable.last?.kind != .synchronousSavepoint {
                throw Violation(description: "the newest checkpoint, \(id), is discarded while the job lives")
            }
        }
        restorable.removeAll { $0.id == id }
        cleaning.insert(id)
    }

    private mutating func close(_ token: TriggerToken) throws(Violation) {
        guard let index = openTokens.firstIndex(of: token) else { throw Violation(description: "\(token) ended twice") }
        openTokens.remove(at: index)
    }

    private mutating func failJob(_ message: String) throws(Violation) {
        guard message.hasPrefix("Exceeded checkpoint tolerable failure threshold.") else { return }
        let tolerable = configuration.tolerableFailures ?? 0
        if counter != tolerable + 1 { throw Violation(description: "the job fails after \(counter) of \(tolerable) failures") }
        counter = 0
    }

    // MARK: After each event

    /// What completes is told to the tasks, and nothing older stays pending but savepoints.
    private func checkCompletion(_ event: CoordinatorEvent, _ actions: [CoordinatorAction]) throws(Violation) {
        for case .checkpointCompleted(let id) in actions {
            if event == .committed(id), !actions.contains(.notifyComplete(id)) {
                throw Violation(description: "\(id) completed and the tasks do not hear of it")
            }
            if attempts.contains(where: { $0.key < id && !$0.value.kind.isSavepoint }) {
                throw Violation(description: "\(id) completed and an older checkpoint is still pending")
            }
        }
    }

    private func check(_ coordinator: CheckpointCoordinator, _ now: EngineInstant) throws(Violation) {
        if coordinator.nextTriggerAt != trigger { throw Violation(description: "the timer is at \(trigger as Any), the view says otherwise") }
        let rests = stopToken != nil || isFinalAsked || configuration.interval == nil || state != .running
        if rests != (trigger == nil) {
            throw Violation(description: rests ? "the scheduler runs where it should rest" : "the scheduler has stopped for good")
        }
        if coordinator.failureBudget().counted != counter { throw Violation(description: "the counter is not \(counter)") }
        if counter > configuration.tolerableFailures ?? 0 { throw Violation(description: "the counter exceeds the tolerable") }
        if coordinator.pending.count != attempts.count || coordinator.pending.contains(where: { attempts[$0.id] == nil }) {
            throw Violation(description: "pending are \(coordinator.pending.map(\.id)), prepared and not ended \(attempts.keys.sorted())")
        }
        if coordinator.completed.count != restorable.count || zip(coordinator.completed, restorable).contains(where: { $0.id != $1.id }) {
            throw Violation(description: "the store holds \(coordinator.completed.map(\.id)), not \(restorable.map(\.id))")
        }
        for (id, attempt) in attempts where attempt.hasTimeout == attempt.isCommitting {
            // A timeout that fired early is set again; while a manifest is written there is none.
            throw Violation(description: "timeout of \(id) is \(attempt.hasTimeout ? "set" : "not set")")
        }
        if attempts.isEmpty, cleaning.count <= configuration.maximumConcurrent, coordinator.queuedRequests > 0 {
            throw Violation(description: "\(coordinator.queuedRequests) requests wait for nothing")
        }
        let counters = coordinator.counters
        if counters.completed != completed.count || counters.failed != failed.count || counters.inProgress != attempts.count {
            throw Violation(description: "counters \(counters)")
        }
        if state != .running, attempts.values.contains(where: { !$0.isCommitting }) {
            throw Violation(description: "something is pending while the job is \(state.rawValue)")
        }
    }

    /// After the job has ended and the last commit was answered: everything that began has ended.
    func checkEnded() throws(Violation) {
        if !attempts.isEmpty { throw Violation(description: "never ended: \(attempts.keys.sorted())") }
        if !openTokens.isEmpty { throw Violation(description: "never answered: \(openTokens)") }
    }
}
