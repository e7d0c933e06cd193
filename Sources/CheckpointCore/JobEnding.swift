package import StreamModel

/// Decides on the restart and the end of one job: cancel, suspend, stop, failure, end of input, record, release, conclusion. A value without clock,
/// files or threads. The engine's job thread owns it, hands it every event and performs the returned actions in order. Every event has an answer in
/// every phase; one that does not fit is answered with no action. Every request is answered once.
///
///     INITIALIZING ──attemptBegan──► RUNNING ◄──────────────────────attemptBegan────────────────────┐
///          │                           │                                                            │
///          └──────failed(restart)──────┴──► RESTARTING: waiting ──restartDue──► due ──settled──► beginning
///                                               ▲                                  beginAttempt     │
///                                               └────────failed(restart), restartPostponed──────────┘
///
///     INITIALIZING, RUNNING, beginning ──failed(end), failed(stayDown)──► FAILING
///     INITIALIZING, RUNNING, RESTARTING, unrecorded FINISHED ──cancelRequested──► CANCELLING
///     any of these, CANCELLING, FAILING, unrecorded ──suspendRequested──► suspending
///
///     RUNNING ────settled──► recording FINISHED ─┐
///     CANCELLING ─settled──► recording CANCELED ─┼─recorded─► released ──settled──► over
///     FAILING ────settled──► recording FAILED ───┘            enter, release        answers, conclude
///     suspending ─settled──────────────────────────────────►
///
///     recording ──notRecorded: scheduleRecord──► unrecorded ──recordDue: record──► recording
///
/// `settled` advances a phase once so little is in progress that the decision of the phase can no longer change: see `Activity`. The job
/// releases nothing before its end is recorded, because a recovery without that record continues the job and needs its checkpoints.
package struct JobEnding: Sendable {
    package enum Phase: Sendable, Hashable {
        /// The first attempt is beginning.
        case initializing
        case running
        case restarting(Restart)
        case failing
        case cancelling
        /// The displayed state stays until the threads are gone.
        case suspending(JobState)
        /// The answer to `record` is outstanding.
        case recording(JobState)
        /// The end could not be recorded. All checkpoints are kept.
        case unrecorded(JobState)
        /// The retention is being applied.
        case released(JobState)
        case over(JobState)
    }

    package enum Restart: Sendable, Hashable {
        case waiting, due, beginning
    }

    /// A stop whose savepoint is complete and whose tasks are finishing.
    private struct Stop {
        let token: TriggerToken
        let savepoint: CheckpointID
    }

    package private(set) var phase = Phase.initializing
    private var stop: Stop?
    private var cancels: [TriggerToken] = []
    private var retention = CancelRetention.byPolicy
    private var suspends: [TriggerToken] = []
    /// Whether the retention is skipped because an operator will choose among the snapshots.
    private var keepsSnapshots = false
    /// End whose missing record has been noted.
    private var notedEnd: JobState?
    /// Actions collected while handling one event.
    private var actions: [Action] = []

    package init() {}

    /// State shown in reports.
    package var state: JobState {
        switch phase {
        case .initializing: .initializing
        case .running: .running
        case .restarting: .restarting
        case .failing: .failing
        case .cancelling: .cancelling
        case .suspending(let shown): shown
        case .recording(let end), .unrecorded(let end): Self.state(before: end)
        case .released(let end), .over(let end): end
        }
    }

    private static func state(before end: JobState) -> JobState {
        switch end {
        case .canceled: .cancelling
        case .failed: .failing
        default: .running
        }
    }

    /// Whether a failure ends the attempt; other phases have none, or one that is ending already.
    package var takesFailures: Bool {
        switch phase {
        case .initializing, .running, .restarting(.beginning): true
        default: false
        }
    }

    package var isOver: Bool {
        if case .over = phase { true } else { false }
    }

    /// Handles one event and returns its actions.
    package mutating func handle(_ event: Event) -> [Action] {
        take(event)
        defer { actions = [] }
        return actions
    }

    private mutating func take(_ event: Event) {
        switch event {
        case .attemptBegan: attemptBegan()
        case .foundFinished: if isBeginning { phase = .running }
        case .failed(let consequence): fail(consequence)
        case .restartDue: if phase == .restarting(.waiting) { phase = .restarting(.due) }
        case .restartPostponed: if phase == .restarting(.beginning) { phase = .restarting(.waiting) }
        case .inputEnded: if phase == .running { actions.append(stop == nil ? .requestFinalCheckpoint : .exitTasks) }
        case .checkpointRequested(let token): admit(token)
        case .stopCompleted(let token, let savepoint): finishStop(Stop(token: token, savepoint: savepoint))
        case .cancelRequested(let token, let retention): cancel(token, retention)
        case .suspendRequested(let token): suspend(token)
        case .settled(let activity): settle(activity)
        case .recorded: if case .recording(let end) = phase { release(as: end) }
        case .notRecorded(let why): if case .recording(let end) = phase { postpone(end, why) }
        case .recordDue: if case .unrecorded(let end) = phase { record(end) }
        }
    }

    // MARK: Attempts

    private var isBeginning: Bool { phase == .initializing || phase == .restarting(.beginning) }

    private mutating func attemptBegan() {
        guard isBeginning else { return }
        phase = .running
        actions.append(.enter(.running))
    }

    private mutating func fail(_ consequence: Consequence) {
        guard takesFailures else { return }
        loseStop()
        switch consequence {
        case .restart: phase = .restarting(.waiting)
        case .end: phase = .failing
        case .stayDown:
            keepsSnapshots = true
            phase = .failing
        }
        actions += [.enter(state), .cancelTasks]
    }

    // MARK: Requests

    private mutating func admit(_ token: TriggerToken) {
        switch phase {
        // The coordinator refuses it while the job is being suspended, and reports why.
        case .running, .suspending(.running): actions.append(.admit(token))
        case .recording(let end), .unrecorded(let end): actions.append(.answer(token, .notRunning(end)))
        default: actions.append(.answer(token, .notRunning(state)))
        }
    }

    /// Handles a savepoint that becomes durable, even after its attempt has failed or was cancelled.
    private mutating func finishStop(_ new: Stop) {
        guard phase == .running, stop == nil else { return actions.append(.answer(new.token, .stopFailed(new.savepoint))) }
        stop = new
        actions.append(.finishSources)
    }

    private mutating func loseStop() {
        guard let lost = stop else { return }
        stop = nil
        actions.append(.answer(lost.token, .stopFailed(lost.savepoint)))
    }

    private mutating func cancel(_ token: TriggerToken, _ retention: CancelRetention) {
        switch phase {
        case .initializing, .running, .restarting, .unrecorded(.finished):
            cancels = [token]
            self.retention = retention
            phase = .cancelling
            actions.append(.forgetRestart)
            loseStop()
            actions += [.enter(.cancelling), .cancelTasks]
        case .cancelling, .suspending(.cancelling), .recording(.canceled), .unrecorded(.canceled): cancels.append(token)
        default: actions.append(.answer(token, .notRunning(state)))
        }
    }

    private mutating func suspend(_ token: TriggerToken) {
        switch phase {
        case .recording, .released, .over: actions.append(.answer(token, .notRunning(state)))
        case .suspending: suspends.append(token)
        default:
            suspends = [token]
            phase = .suspending(state)
            actions += [.forgetRestart, .pauseCheckpoints, .cancelTasks]
        }
    }

    // MARK: The end

    private mutating func settle(_ activity: Activity) {
        switch phase {
        // Only the tasks of a finished attempt leave while the job runs.
        case .running where activity < .executing: record(.finished)
        case .cancelling where activity < .executing: record(.canceled)
        case .failing where activity < .executing: record(.failed)
        case .suspending where activity < .executing: release(as: .suspended)
        case .restarting(.due) where activity < .abandoning:
            phase = .restarting(.beginning)
            actions.append(.beginAttempt)
        case .released(let end) where activity < .tidying: conclude(end)
        default: break
        }
    }

    private mutating func record(_ end: JobState) {
        phase = .recording(end)
        actions.append(.record(end))
    }

    private mutating func postpone(_ end: JobState, _ why: String) {
        phase = .unrecorded(end)
        if notedEnd != end {
            actions.append(.note("the job is \(end.rawValue), but that cannot be written down: \(why); its checkpoints are kept until it can"))
        }
        notedEnd = end
        actions.append(.scheduleRecord)
    }

    private mutating func release(as end: JobState) {
        phase = .released(end)
        actions += [.enter(end), .release(keepsSnapshots ? nil : retention)]
    }

    private mutating func conclude(_ end: JobState) {
        phase = .over(end)
        actions += cancels.map { .answer($0, end == .canceled ? .ended : .notRunning(end)) }
        actions += suspends.map { .answer($0, .ended) }
        if end == .finished, let done = stop {
            stop = nil
            actions.append(.answer(done.token, .stopped(done.savepoint)))
        }
        loseStop()
        actions.append(.conclude)
    }
}
