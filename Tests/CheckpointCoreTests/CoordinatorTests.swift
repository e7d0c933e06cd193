import CheckpointCore
import StreamModel
import Testing

// Goal: the behaviour of the coordinator that has a name: stop with savepoint, the final checkpoint, restarts, late answers, the
// clean-up brake, restored snapshots, the end of the job. Each runs in virtual time under the oracle.
@Suite struct CoordinatorTests {
    static let stop = TriggerToken(1)

    private func configuration(_ adjust: (inout CheckpointConfiguration) -> Void = { _ in }) -> CheckpointConfiguration {
        var configuration = CheckpointConfiguration()
        configuration.interval = 1000
        configuration.timeout = 5000
        configuration.tolerableFailures = 3
        adjust(&configuration)
        return configuration
    }

    private func runningJob(_ configuration: CheckpointConfiguration? = nil, tasks: Int = 2) throws -> SimulatedJob {
        var job = try SimulatedJob(configuration ?? self.configuration(), tasks: tasks)
        try job.start()
        return job
    }

    private func id(_ raw: UInt64) -> CheckpointID { CheckpointID(raw) }

    // MARK: The scheduler

    @Test func withoutAnIntervalOnlyUsersTrigger() throws {
        var job = try runningJob(configuration { $0.interval = nil })
        try job.run(until: 100_000)
        #expect(job.triggers.isEmpty)
        try job.send(.requested(TriggerToken(5), .checkpoint))
        try job.run(until: 100_010)
        #expect(job.count(of: .requestCompleted(TriggerToken(5), id(1))) == 1)
    }

    @Test func theTickKeepsItsPhaseAndSkipsMissedOnes() throws {
        var job = try runningJob()
        let first = try #require(job.coordinator.nextTriggerAt)
        let late = EngineInstant(nanoseconds: first.nanoseconds + 3_400_000_000)
        let actions = job.coordinator.handle(.triggerTimerFired, at: late)
        #expect(actions.contains(.scheduleTrigger(at: EngineInstant(nanoseconds: first.nanoseconds + 4_000_000_000))))
        #expect(actions.count { if case .prepareLocation = $0 { true } else { false } } == 1)
    }

    @Test(arguments: [(-1, false), (0, true), (1, true)]) func aTickIsDueAtItsInstant(_ offset: Int64, _ triggers: Bool) throws {
        var job = try runningJob()
        let due = try #require(job.coordinator.nextTriggerAt)
        let actions = job.coordinator.handle(.triggerTimerFired, at: EngineInstant(nanoseconds: due.nanoseconds + offset))
        #expect(actions.contains(.prepareLocation(id(1), .checkpoint, token: nil)) == triggers)
        if !triggers { #expect(actions == [.scheduleTrigger(at: due)], "a timer that fires early is set again") }
    }

    @Test(arguments: [(-1, false), (0, true), (1, true)]) func aCheckpointExpiresAtItsInstant(_ offset: Int64, _ expires: Bool) throws {
        var job = try runningJob()
        try job.send(.requested(TriggerToken(1), .checkpoint))
        let due = try #require(job.coordinator.pending.first?.timeoutAt)
        #expect(due == EngineInstant(milliseconds: 5000))
        let actions = job.coordinator.handle(.timeoutFired(id(1)), at: EngineInstant(nanoseconds: due.nanoseconds + offset))
        #expect(job.coordinator.pending.isEmpty == expires)
        if !expires { #expect(actions == [.scheduleTimeout(id(1), at: due)]) }
    }

    @Test func aRestartDrawsANewPhaseAndIDsContinue() throws {
        var job = try runningJob()
        job.fate = { _, _ in .ignored }
        try job.run(until: 1000)
        let before = job.coordinator.nextTriggerAt
        try job.restartAttempt()
        #expect(job.failures.map(\.reason) == [.checkpointCoordinatorSuspend])
        #expect(job.coordinator.nextTriggerAt != before)
        try job.run(until: 2000)
        #expect(job.coordinator.pending.map(\.id) == [id(2)])
    }

    @Test func theCounterSurvivesARestart() throws {
        var job = try runningJob()
        job.fate = { _, _ in .declined(after: 10) }
        try job.run(until: 2500)
        let counted = job.coordinator.failureBudget().counted
        #expect(counted > 0)
        try job.restartAttempt()
        #expect(job.coordinator.failureBudget().counted == counted)
    }

    @Test func aMissingDirectoryCounts() throws {
        var job = try runningJob()
        job.fate = { _, _ in .withoutLocation }
        try job.run(until: 1000)
        #expect(job.failures.map(\.reason) == [.ioException])
        #expect(job.coordinator.failureBudget().counted == 1)
        #expect(job.count(of: .notifyAborted(id(1))) == 0, "no task has heard of it")
    }

    @Test func triggersWaitForAllTasks() throws {
        var job = try SimulatedJob(configuration())
        try job.send(.jobStateChanged(.running))
        try job.send(.taskStateChanged(job.tasks[0], .running))
        try job.run(until: 3000)
        #expect(job.triggers.isEmpty)
        try job.send(.requested(TriggerToken(9), .savepoint))
        let message = "1 of 2 subtasks are not running; 0.1 is initializing"
        #expect(job.count(of: .requestFailed(TriggerToken(9), .notAllRequiredTasksRunning, message: message)) == 1)
        #expect(job.coordinator.counters == CheckpointCounts(), "no id, no row, no count")
        try job.send(.taskStateChanged(job.tasks[1], .running))
        try job.run(until: 4000)
        #expect(job.triggers.count == 1)
    }

    @Test func afterATaskFinishesNoCheckpointBegins() throws {
        var job = try runningJob()
        try job.send(.taskStateChanged(job.tasks[0], .finished))
        try job.run(until: 10_000)
        #expect(job.triggers.isEmpty)
        #expect(job.coordinator.failureBudget().cumulative == 0)
    }

    @Test func slowDeletionsDelayNewCheckpoints() throws {
        var job = try runningJob(configuration { $0.interval = nil })
        let now = EngineInstant(milliseconds: 0)
        for token in 1...2 {
            // Driven by hand: the clean-up is never answered.
            _ = job.coordinator.handle(.requested(TriggerToken(UInt64(token)), .checkpoint), at: now)
            _ = job.coordinator.handle(.taskFailed(job.tasks[0], message: "x"), at: now)
            _ = job.coordinator.handle(.taskStateChanged(job.tasks[0], .running), at: now)
        }
        #expect(job.coordinator.cleanupsInFlight == 2)
        #expect(job.coordinator.handle(.requested(TriggerToken(3), .savepoint), at: now).isEmpty)
        #expect(job.coordinator.queuedRequests == 1)
        let freed = job.coordinator.handle(.cleanupFinished(id(1)), at: now)
        #expect(freed.first == .prepareLocation(id(3), .savepoint, token: TriggerToken(3)))
    }

    @Test func theThousandAndFirstUserIsRefused() throws {
        var job = try runningJob(configuration { $0.interval = nil })
        job.fate = { _, _ in .ignored }
        for token in 0...1001 { try job.send(.requested(TriggerToken(UInt64(token)), .checkpoint)) }
        #expect(job.coordinator.queuedRequests == 1000)
        let reason = CheckpointFailureReason.tooManyCheckpointRequests
        #expect(job.count(of: .requestFailed(TriggerToken(1001), reason, message: "1000 requests are waiting already")) == 1)
    }

    // MARK: Acknowledgements and commits

    @Test func lateDuplicateAndForeignAnswersChangeNothing() throws {
        var job = try runningJob()
        job.fate = { _, _ in .ignored }
        try job.run(until: 1000)
        try job.send(.acknowledged(id(1), job.tasks[0]))
        let logged = job.log.count
        try job.send(.acknowledged(id(1), job.tasks[0]))
        try job.send(.acknowledged(id(1), SubtaskID(vertex: 7, index: 7)))
        try job.send(.acknowledged(id(99), job.tasks[1]))
        try job.send(.declined(id(1), SubtaskID(vertex: 7, index: 7), .checkpointDeclined, message: ""))
        try job.send(.committed(id(1)))
        #expect(job.log.count == logged)
        #expect(job.coordinator.pending.first?.acknowledgedSubtasks == 1)
        try job.send(.acknowledged(id(1), job.tasks[1]))
        #expect(job.coordinator.commitInFlight == id(1))
    }

    @Test func commitsRunOneAtATimeOldestFirst() throws {
        var job = try runningJob(configuration { $0.maximumConcurrent = 2 })
        let now = EngineInstant(milliseconds: 10)
        for raw in 1...2 as ClosedRange<UInt64> {
            _ = job.coordinator.handle(.requested(TriggerToken(raw), .checkpoint), at: now)
            _ = job.coordinator.handle(.locationPrepared(id(raw)), at: now)
        }
        _ = job.coordinator.handle(.acknowledged(id(1), job.tasks[0]), at: now)
        _ = job.coordinator.handle(.acknowledged(id(2), job.tasks[0]), at: now)
        _ = job.coordinator.handle(.acknowledged(id(1), job.tasks[1]), at: now)
        #expect(job.coordinator.commitInFlight == id(1))
        #expect(job.coordinator.handle(.acknowledged(id(2), job.tasks[1]), at: now).isEmpty)
        #expect(job.coordinator.pending.map(\.phase) == [.committing, .acknowledged])
        let actions = job.coordinator.handle(.committed(id(1)), at: now)
        #expect(actions.suffix(2) == [.cancelTimeout(id(2)), .commit(id(2), .checkpoint)])
    }

    @Test func aFailedCommitIsNotCounted() throws {
        var job = try runningJob()
        job.fate = { _, _ in .ignored }
        try job.run(until: 1000)
        for task in job.tasks { try job.sendHoldingCommit(.acknowledged(id(1), task)) }
        try job.send(.commitFailed(id(1), message: "fsync: Input/output error"))
        #expect(job.failures.map(\.reason) == [.finalizeCheckpointFailure])
        #expect(job.failures.first?.counted == false)
        #expect(job.count(of: .notifyAborted(id(1))) == 1)
        #expect(job.count(of: .discardPending(id(1))) == 1)
    }

    @Test func completionActsInOrder() throws {
        var job = try runningJob()
        try job.run(until: 1000)
        try job.run(until: 1900)
        try job.run(until: 2500)
        let second = job.log.drop { $0.action != .checkpointCompleted(id(2)) }.map(\.action)
        #expect(second.prefix(3) == [.checkpointCompleted(id(2)), .notifyComplete(id(2)), .discardCompleted(id(1))])
    }

    @Test func aLateLocationIsDeletedAgain() throws {
        var job = try runningJob(configuration { $0.interval = nil })
        let now = EngineInstant(milliseconds: 1)
        _ = job.coordinator.handle(.requested(TriggerToken(1), .checkpoint), at: now)
        let aborted = job.coordinator.handle(.jobStateChanged(.failing), at: now)
        #expect(aborted.contains(.discardPending(id(1))))
        #expect(job.coordinator.handle(.locationPrepared(id(1)), at: now) == [.discardPending(id(1))])
        #expect(job.coordinator.handle(.locationPrepared(id(1)), at: now).isEmpty)
    }

    @Test func anOvertakenSavepointIsNotTheNewest() throws {
        var job = try runningJob(configuration { $0.maximumConcurrent = 2 })
        job.fate = { _, kind in .acknowledged(after: kind.isSavepoint ? 100 : 10) }
        try job.send(.requested(TriggerToken(1), .savepoint))
        try job.run(until: 1)
        try job.send(.requested(TriggerToken(2), .checkpoint))
        try job.run(until: 101)
        #expect(job.completions == [id(2), id(1)])
        #expect(job.coordinator.latestCompleted?.id == id(2))
        #expect(job.count(of: .forget(id(1))) == 1)
    }

    // MARK: Stop with savepoint

    @Test func aStopPausesTheSchedulerAndAbortsPendingCheckpoints() throws {
        var job = try runningJob()
        job.fate = { _, _ in .ignored }
        try job.run(until: 1000)
        try job.send(.requested(Self.stop, .synchronousSavepoint))
        #expect(job.failures.map(\.reason) == [.checkpointCoordinatorSuspend])
        #expect(job.coordinator.nextTriggerAt == nil)
        #expect(job.coordinator.pending.map(\.kind) == [.synchronousSavepoint])
    }

    /// Ways for a stop with savepoint to fail (FLINK-7067: the scheduler stayed off).
    enum StopFailure: CaseIterable, Sendable { case location, expiry, task, commit, decline }

    @Test(arguments: StopFailure.allCases) func theSchedulerResumesAfterAFailedStop(_ failure: StopFailure) throws {
        var job = try runningJob()
        job.fate = { _, kind in kind == .synchronousSavepoint && failure == .location ? .withoutLocation : .ignored }
        try job.send(.requested(Self.stop, .synchronousSavepoint))
        try job.run(until: 100)
        switch failure {
        case .location: break
        case .expiry: try job.run(until: 5000)
        case .task: try job.send(.taskFailed(job.tasks[0], message: "boom"))
        case .decline: try job.send(.declined(id(1), job.tasks[0], .checkpointDeclinedTaskNotReady, message: "busy"))
        case .commit:
            for task in job.tasks { try job.sendHoldingCommit(.acknowledged(id(1), task)) }
            try job.send(.commitFailed(id(1), message: "full"))
        }
        #expect(job.log.count { if case .requestFailed(Self.stop, _, _) = $0.action { true } else { false } } == 1)
        #expect(job.coordinator.nextTriggerAt != nil)
        #expect(job.coordinator.failureBudget().counted == 0)
        #expect(job.jobFailures.count == (failure == .decline ? 1 : 0), "a declined stop fails the job at once")
    }

    @Test func aCompletedStopLeavesTheSchedulerOff() throws {
        var job = try runningJob()
        try job.run(until: 1500)
        try job.send(.requested(Self.stop, .synchronousSavepoint))
        try job.run(until: 60_000)
        let savepoint = try #require(job.completions.last)
        #expect(job.count(of: .requestCompleted(Self.stop, savepoint)) == 1)
        #expect(job.coordinator.nextTriggerAt == nil)
        try job.send(.requested(TriggerToken(2), .synchronousSavepoint))
        let message = "the job has been stopped with savepoint \(savepoint)"
        #expect(job.count(of: .requestFailed(TriggerToken(2), .tooManyConcurrentCheckpoints, message: message)) == 1)
        // The job fails over after all: the new attempt ticks again.
        try job.restartAttempt()
        #expect(job.coordinator.nextTriggerAt != nil)
    }

    @Test func aSecondStopDoesNotDisturbTheFirst() throws {
        var job = try runningJob()
        job.fate = { _, _ in .ignored }
        try job.send(.requested(Self.stop, .synchronousSavepoint))
        try job.send(.requested(TriggerToken(2), .synchronousSavepoint))
        #expect(job.coordinator.pending.map(\.token) == [Self.stop])
        #expect(job.coordinator.nextTriggerAt == nil)
    }

    @Test func aRefusedStopDisturbsNothing() throws {
        var job = try runningJob()
        try job.send(.taskStateChanged(job.tasks[0], .finished))
        let due = job.coordinator.nextTriggerAt
        try job.send(.requested(Self.stop, .synchronousSavepoint))
        #expect(job.coordinator.nextTriggerAt == due)
    }

    // MARK: The final checkpoint

    @Test func theFinalCheckpointIsTakenInAnyCase() throws {
        var job = try runningJob(configuration { $0.minimumPause = 800 })
        job.fate = { id, _ in id == CheckpointID(1) ? .acknowledged(after: 10) : .ignored }
        try job.run(until: 2700)
        #expect(job.coordinator.pending.map(\.id) == [id(2)], "one is pending, with a concurrency of 1")
        for task in job.tasks { try job.send(.taskStateChanged(task, .finished)) }
        try job.send(.finalCheckpointRequested)
        #expect(job.coordinator.finalCheckpoint == id(3))
        #expect(job.coordinator.nextTriggerAt == nil)
        try job.run(until: 2700)
        #expect(job.count(of: .injectBarrier(id(3), .checkpoint)) == 0)
        for task in job.tasks { try job.send(.acknowledged(id(3), task)) }
        try job.run(until: 60_000)
        #expect(job.completions == [id(1), id(3)])
        #expect(job.failures.map(\.reason) == [.checkpointSubsumed])
        #expect(job.coordinator.finalCheckpoint == id(3))
        #expect(job.triggers.count == 3)
    }

    @Test func aFailedFinalCheckpointIsRequestedAgain() throws {
        var job = try runningJob()
        job.fate = { id, _ in id == CheckpointID(1) ? .withoutLocation : .ignored }
        try job.send(.finalCheckpointRequested)
        try job.send(.finalCheckpointRequested)
        try job.run(until: 100)
        #expect(job.failures.map(\.id) == [id(1)])
        #expect(job.coordinator.finalCheckpoint == nil)
        #expect(job.coordinator.nextTriggerAt == nil)
        try job.send(.finalCheckpointRequested)
        #expect(job.coordinator.finalCheckpoint == id(2))
        try job.send(.requested(TriggerToken(4), .savepoint))
        try job.run(until: 100)
        let message = "all tasks have reached the end of their input"
        #expect(job.count(of: .requestFailed(TriggerToken(4), .notAllRequiredTasksRunning, message: message)) == 1)
    }

    // MARK: Restarts, restored ones, the end

    /// A job that fails while checkpoint 1 is being committed.
    private func jobFailingInACommit() throws -> SimulatedJob {
        var job = try runningJob(configuration { $0.interval = nil })
        job.fate = { _, _ in .ignored }
        try job.send(.requested(TriggerToken(1), .savepoint))
        try job.run(until: 0)
        for task in job.tasks { try job.sendHoldingCommit(.acknowledged(id(1), task)) }
        try job.send(.jobStateChanged(.restarting))
        #expect(job.coordinator.commitInFlight == id(1))
        return job
    }

    @Test func aCommitOutlivesItsAttempt() throws {
        var job = try jobFailingInACommit()
        try job.send(.committed(id(1)))
        #expect(job.completions == [id(1)])
        #expect(job.coordinator.latestCompleted?.id == id(1))
    }

    @Test func aCommitNotUsedByTheNewAttemptIsDropped() throws {
        var job = try jobFailingInACommit()
        try job.send(.tasksReset(tasks: job.tasks))
        try job.start()
        try job.send(.committed(id(1)))
        #expect(job.completions.isEmpty)
        #expect(job.failures.map(\.reason) == [.checkpointCoordinatorSuspend])
        #expect(job.count(of: .notifyComplete(id(1))) == 0)
        #expect(job.count(of: .discardPending(id(1))) == 1)
    }

    @Test func aCommitUsedByTheNewAttemptCounts() throws {
        var job = try jobFailingInACommit()
        try job.send(.tasksReset(tasks: job.tasks))
        try job.send(.restored(id(1), kind: .savepoint, claimed: false))
        #expect(job.completions == [id(1)])
        let logged = job.log.count
        try job.send(.committed(id(1)))
        #expect(job.log.count == logged)
    }

    @Test(arguments: [(false, CoordinatorAction.forget(CheckpointID(7))), (true, .discardCompleted(CheckpointID(7)))])
    func aRestoredSnapshotIsDeletedOnlyIfClaimed(_ claimed: Bool, _ ending: CoordinatorAction) throws {
        var job = try SimulatedJob(configuration())
        try job.send(.restored(id(7), kind: .checkpoint, claimed: claimed))
        try job.start()
        #expect(job.coordinator.nextID == id(8))
        #expect(job.coordinator.latestCompleted?.id == id(7))
        #expect(job.coordinator.counters.restored == 1)
        try job.run(until: 1100)
        #expect(job.completions == [id(8)])
        #expect(job.count(of: ending) == 1)
    }

    @Test func anAutomaticRestartKeepsTheOwnership() throws {
        var job = try runningJob()
        try job.run(until: 1100)
        try job.send(.jobStateChanged(.restarting))
        try job.send(.tasksReset(tasks: job.tasks))
        try job.send(.restored(id(1), kind: .checkpoint, claimed: false))
        try job.start()
        try job.run(until: 2200)
        #expect(job.count(of: .discardCompleted(id(1))) == 1)
    }

    // A damaged one takes no place in the store, is not offered again, and nobody deletes it.
    @Test func aLostCheckpointLeavesTheStore() throws {
        var job = try runningJob(configuration { $0.retainedCheckpoints = 3 })
        try job.run(until: 4000)
        let lost = try #require(job.coordinator.latestCompleted?.id)
        let before = job.coordinator.completed.map(\.id).filter { $0 != lost }
        #expect(before.count == 2)
        let logged = job.log.count
        try job.send(.lost(lost))
        #expect(job.log.count == logged, "nothing is to be done")
        #expect(job.coordinator.completed.map(\.id) == before)
        try job.run(until: 5000)
        #expect(job.coordinator.completed.map(\.id) == before + [lost.next], "the place is free")
        #expect(job.count(of: .discardCompleted(lost)) == 0)
    }

    @Test func idsNeverGoBackAndDoNotOverflow() throws {
        var job = try runningJob()
        try job.send(.restored(id(40), kind: .savepoint, claimed: false))
        try job.send(.restored(id(3), kind: .savepoint, claimed: false))
        #expect(job.coordinator.nextID == id(41))
        try job.send(.restored(id(.max), kind: .savepoint, claimed: false))
        try job.send(.requested(TriggerToken(1), .savepoint))
        #expect(job.count(of: .requestFailed(TriggerToken(1), .triggerCheckpointFailure, message: "all checkpoint ids are used up")) == 1)
    }

    @Test(arguments: CheckpointConfiguration.Retention.allCases, [JobState.finished, .canceled, .failed, .suspended])
    func theEndAppliesTheRetention(_ retention: CheckpointConfiguration.Retention, _ state: JobState) throws {
        for override in [CancelRetention.byPolicy, .keep, .discard] {
            var job = try runningJob(configuration { $0.retention = retention })
            try job.send(.restored(id(1), kind: .savepoint, claimed: false))
            try job.send(.requested(TriggerToken(1), .checkpoint))
            try job.run(until: 10)
            #expect(job.coordinator.completed.map(\.id) == [id(2)])
            try job.send(.jobEnded(override))
            #expect(job.coordinator.completed.count == 1, "a job that runs keeps everything")
            try job.send(.jobStateChanged(state))
            try job.send(.jobEnded(override))
            let event = try #require(RetentionEvent(state))
            let isDiscarded = RetentionPolicy(retention).discards(.checkpoint, on: event, override: override)
            #expect(job.count(of: .discardCompleted(id(2))) == (isDiscarded ? 1 : 0), "\(retention) \(state) \(override)")
            #expect(job.count(of: .discardCompleted(id(1))) == 0)
            #expect(job.coordinator.completed.isEmpty == (state != .suspended))
        }
    }

    @Test func anEndedJobRefusesAndStaysEnded() throws {
        var job = try runningJob()
        try job.send(.jobStateChanged(.finished))
        try job.send(.jobStateChanged(.running))
        #expect(job.coordinator.jobState == .finished)
        #expect(job.coordinator.nextTriggerAt == nil)
        try job.send(.requested(TriggerToken(3), .savepoint))
        #expect(job.count(of: .requestFailed(TriggerToken(3), .checkpointCoordinatorShutdown, message: "the job is FINISHED")) == 1)
    }
}
