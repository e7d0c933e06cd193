import CheckpointCore
import StreamModel
import Testing

// Goal: the order and the limits of the queue (rule 1.3), and each condition of the decision at its edge (rules 1.3, 1.4).
@Suite struct TriggerQueueTests {
    private func request(
        _ origin: TriggerRequest.Origin, _ kind: CheckpointKind = .checkpoint, at milliseconds: Int64 = 0, number sequence: UInt64
    ) -> TriggerRequest {
        TriggerRequest(origin: origin, kind: kind, arrivedAt: EngineInstant(milliseconds: milliseconds), sequence: sequence)
    }

    @Test func theOrderIsFinalSavepointUserOlder() {
        var queue = TriggerQueue()
        let requests = [
            request(.timer, at: 0, number: 1),
            request(.user(TriggerToken(2)), at: 9, number: 2),
            request(.user(TriggerToken(3)), at: 5, number: 3),
            request(.user(TriggerToken(4)), .savepoint, at: 9, number: 4),
            request(.user(TriggerToken(5)), .synchronousSavepoint, at: 8, number: 5),
            request(.endOfInput, at: 10, number: 6),
            request(.user(TriggerToken(7)), at: 5, number: 7),
        ]
        for request in requests { #expect(queue.insert(request) == nil) }
        #expect(queue.removeAll().map(\.sequence) == [6, 5, 4, 3, 7, 2, 1])
        #expect(queue.count == 0)
    }

    @Test func oneTickWaits() {
        var queue = TriggerQueue()
        #expect(queue.insert(request(.timer, number: 1)) == nil)
        let second = request(.timer, number: 2)
        #expect(queue.insert(second) == second)
        #expect(queue.count == 1)
    }

    @Test func aFullQueueOfUsersRefusesTheNewOne() {
        var queue = TriggerQueue()
        for sequence in 0..<1000 { #expect(queue.insert(request(.user(TriggerToken(1)), number: UInt64(sequence))) == nil) }
        let late = request(.user(TriggerToken(2)), .savepoint, number: 1000)
        #expect(queue.insert(late) == late)
        #expect(queue.count == TriggerQueue.capacity)
    }

    @Test func aFullQueueDropsTheTickForAUser() {
        var queue = TriggerQueue()
        let tick = request(.timer, number: 0)
        _ = queue.insert(tick)
        for sequence in 1..<1000 { #expect(queue.insert(request(.user(TriggerToken(1)), number: UInt64(sequence))) == nil) }
        #expect(queue.insert(request(.user(TriggerToken(2)), number: 1000)) == tick)
        #expect(queue.count == 1000)
    }

    @Test func theFinalCheckpointAlwaysHasRoom() {
        var queue = TriggerQueue()
        for sequence in 0..<1000 { _ = queue.insert(request(.user(TriggerToken(1)), number: UInt64(sequence))) }
        #expect(queue.insert(request(.endOfInput, number: 1000))?.sequence == 999)
        #expect(queue.head?.isFinal == true)
    }
}

@Suite struct TriggerPolicyTests {
    static let pause: Milliseconds = 500

    private func decide(
        _ origin: TriggerRequest.Origin, _ kind: CheckpointKind = .checkpoint, maximumConcurrent: Int = 2, at now: Int64 = 10_000,
        _ adjust: (inout TriggerPolicy.Situation) -> Void
    ) -> (decision: TriggerPolicy.Decision, left: Int, request: TriggerRequest) {
        let request = TriggerRequest(origin: origin, kind: kind, arrivedAt: EngineInstant(milliseconds: 0), sequence: 1)
        var queue = TriggerQueue()
        _ = queue.insert(request)
        var situation = TriggerPolicy.Situation()
        adjust(&situation)
        let policy = TriggerPolicy(maximumConcurrent: maximumConcurrent, minimumPause: Self.pause)
        return (policy.decide(&queue, situation, at: EngineInstant(milliseconds: now)), queue.count, request)
    }

    @Test func nothingStartsFromAnEmptyQueue() {
        var queue = TriggerQueue()
        let policy = TriggerPolicy(maximumConcurrent: 1, minimumPause: 0)
        #expect(policy.decide(&queue, TriggerPolicy.Situation(), at: EngineInstant(milliseconds: 0)) == .wait)
    }

    @Test(arguments: [CheckpointKind.checkpoint, .savepoint]) func oneIsSetUpAtATime(_ kind: CheckpointKind) {
        let result = decide(.user(TriggerToken(1)), kind) { $0.isTriggering = true }
        #expect(result.decision == .wait)
        #expect(result.left == 1)
    }

    @Test(arguments: [(1, true), (2, true), (3, false)]) func slowDeletionsDelayAllRequests(_ cleaning: Int, _ starts: Bool) {
        for kind in [CheckpointKind.checkpoint, .savepoint] {
            let result = decide(.user(TriggerToken(1)), kind) { $0.cleaningCount = cleaning }
            #expect(result.decision == (starts ? .start(result.request) : .wait))
        }
    }

    @Test(arguments: [(1, true), (2, false), (3, false)]) func concurrentCheckpointsAreLimited(_ pending: Int, _ starts: Bool) {
        for origin in [TriggerRequest.Origin.timer, .user(TriggerToken(1))] {
            let result = decide(origin) { $0.pendingCount = pending }
            #expect(result.decision == (starts ? .start(result.request) : .wait))
            #expect(result.left == (starts ? 0 : 1))
        }
        for (origin, kind) in [(TriggerRequest.Origin.user(TriggerToken(1)), CheckpointKind.savepoint), (.endOfInput, .checkpoint)] {
            let result = decide(origin, kind) { $0.pendingCount = pending }
            #expect(result.decision == .start(result.request), "forced")
        }
    }

    /// Completed at 10,000: the pause ends at 10,500.
    @Test(arguments: [(10_499, false), (10_500, true), (10_501, true)]) func thePauseDelaysTicks(_ now: Int64, _ starts: Bool) {
        let tick = decide(.timer, at: now) { $0.lastCompletion = EngineInstant(milliseconds: 10_000) }
        #expect(tick.decision == (starts ? .start(tick.request) : .postpone(until: EngineInstant(milliseconds: 10_500))))
        #expect(tick.left == 0, "a tick that is too early leaves the queue")
        for kind in [CheckpointKind.checkpoint, .savepoint, .synchronousSavepoint] {
            let user = decide(.user(TriggerToken(1)), kind, at: now) { $0.lastCompletion = EngineInstant(milliseconds: 10_000) }
            #expect(user.decision == .start(user.request), "users do not wait for the pause")
        }
    }

    @Test func thePauseIsExactBelowAMillisecond() {
        var queue = TriggerQueue()
        let completion = EngineInstant(nanoseconds: 1_000_000_001)
        var situation = TriggerPolicy.Situation()
        situation.lastCompletion = completion
        let policy = TriggerPolicy(maximumConcurrent: 1, minimumPause: 1)
        let tick = TriggerRequest(origin: .timer, kind: .checkpoint, arrivedAt: completion, sequence: 1)
        _ = queue.insert(tick)
        let due = EngineInstant(nanoseconds: 1_001_000_001)
        #expect(policy.decide(&queue, situation, at: EngineInstant(nanoseconds: 1_001_000_000)) == .postpone(until: due))
        _ = queue.insert(tick)
        #expect(policy.decide(&queue, situation, at: due) == .start(tick))
    }

    @Test func theLimitsAreTestedBeforeThePause() {
        let result = decide(.timer) {
            $0.pendingCount = 2
            $0.lastCompletion = EngineInstant(milliseconds: 10_000)
        }
        #expect(result.decision == .wait)
        #expect(result.left == 1, "a tick that finds no free place stays")
    }
}
