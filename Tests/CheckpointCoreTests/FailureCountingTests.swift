import CheckpointCore
import StreamModel
import Testing

// Goal: rule 2 as tables. The list of counted reasons is written out here, apart from the code.
@Suite struct FailureCountingTests {
    static let countedReasons: Set<String> = ["CHECKPOINT_DECLINED", "CHECKPOINT_ASYNC_EXCEPTION", "CHECKPOINT_EXPIRED", "IO_EXCEPTION"]
    static let preflightReasons: Set<String> = [
        "PERIODIC_SCHEDULER_SHUTDOWN", "TOO_MANY_CONCURRENT_CHECKPOINTS", "TOO_MANY_CHECKPOINT_REQUESTS",
        "MINIMUM_TIME_BETWEEN_CHECKPOINTS", "NOT_ALL_REQUIRED_TASKS_RUNNING", "IO_EXCEPTION",
    ]
    static let task = SubtaskID(vertex: 1, index: 0)

    @Test(arguments: CheckpointFailureReason.allCases) func reason(_ reason: CheckpointFailureReason) {
        let isCounted = Self.countedReasons.contains(reason.rawValue)
        #expect(reason.isCounted == isCounted)
        #expect(reason.isPreflight == Self.preflightReasons.contains(reason.rawValue))
        for (kind, task, expected) in verdicts(reason, isCounted) {
            var counter = FailureCounter(tolerable: 3)
            let verdict = counter.recordFailure(of: CheckpointID(1), kind: kind, reason: reason, task: task)
            #expect(verdict == expected, "\(kind) \(task == nil ? "at the job" : "at a task")")
            #expect(counter.count == (expected == .counted ? 1 : 0))
        }
    }

    /// Rule 2.3, for each kind and level.
    private func verdicts(
        _ reason: CheckpointFailureReason, _ isCounted: Bool
    ) -> [(CheckpointKind, SubtaskID?, FailureCounter.Verdict)] {
        let byTable: FailureCounter.Verdict = isCounted ? .counted : .ignored
        let isJobLevel = reason.isPreflight
        return [
            (.checkpoint, nil, byTable),
            (.savepoint, nil, .ignored),
            (.synchronousSavepoint, nil, .ignored),
            (.checkpoint, Self.task, byTable),
            (.savepoint, Self.task, isJobLevel ? .ignored : byTable),
            (.synchronousSavepoint, Self.task, isJobLevel ? .ignored : .failsJob),
        ]
    }

    private func expire(_ id: UInt64, _ counter: inout FailureCounter) -> FailureCounter.Verdict {
        counter.recordFailure(of: CheckpointID(id), kind: .checkpoint, reason: .checkpointExpired, message: "late \(id)", task: nil)
    }

    private func isExceeded(_ verdict: FailureCounter.Verdict) -> Bool {
        if case .exceeded = verdict { true } else { false }
    }

    @Test(arguments: [0, 1, 3, 10]) func theJobFailsWhenTheCounterExceedsTheTolerable(_ tolerable: Int) {
        var counter = FailureCounter(tolerable: tolerable)
        for round in 0..<3 {
            for failure in 1...(tolerable + 1) {
                let verdict = expire(UInt64(round * 100 + failure), &counter)
                #expect(failure > tolerable ? isExceeded(verdict) : verdict == .counted)
            }
            #expect(counter.count == 0, "the counter is cleared before the job fails")
        }
    }

    @Test func `a job that its budget has failed keeps the count`() {
        var counter = FailureCounter(tolerable: 2)
        for id in 1...3 as ClosedRange<UInt64> { _ = expire(id, &counter) }
        #expect(counter.count == 0 && counter.exceededCount == 3)
        counter.recordSuccess(of: CheckpointID(4))
        #expect(counter.exceededCount == nil)
    }

    @Test func anIDCountsOnce() {
        var counter = FailureCounter(tolerable: 1)
        #expect(expire(1, &counter) == .counted)
        #expect(expire(1, &counter) == .ignored)
        #expect(counter.count == 1)
        #expect(isExceeded(expire(2, &counter)))
    }

    @Test func aSuccessResetsAndOlderFailuresAreIgnored() {
        var counter = FailureCounter(tolerable: 3)
        _ = expire(1, &counter)
        _ = expire(2, &counter)
        #expect(counter.lastReason == .checkpointExpired)
        counter.recordSuccess(of: CheckpointID(5))
        #expect(counter.count == 0)
        #expect(counter.lastReason == nil)
        #expect(expire(4, &counter) == .ignored)
        #expect(expire(5, &counter) == .ignored)
        #expect(expire(6, &counter) == .counted)
        // A success of an older one does not begin a new series.
        counter.recordSuccess(of: CheckpointID(3))
        #expect(counter.count == 1)
    }

    /// The job fails for all of them, so the message has all of them, each once, from the first since the last success.
    @Test func theMessageListsTheCountedFailuresSinceTheLastSuccess() {
        var counter = FailureCounter(tolerable: 2)
        _ = expire(1, &counter)
        counter.recordSuccess(of: CheckpointID(2))
        _ = expire(3, &counter)
        _ = counter.recordFailure(of: CheckpointID(4), kind: .checkpoint, reason: .taskFailure, message: "ignored", task: nil)
        _ = counter.recordFailure(of: CheckpointID(5), kind: .checkpoint, reason: .ioException, message: "disk full", task: nil)
        guard case .exceeded(let failures) = expire(6, &counter) else {
            Issue.record("the third counted failure of two tolerable ones must exceed")
            return
        }
        #expect(failures.count == 3)
        #expect(failures.list == "checkpoint 3 CHECKPOINT_EXPIRED: late 3; checkpoint 5 IO_EXCEPTION: disk full; checkpoint 6 CHECKPOINT_EXPIRED: late 6")
    }

    @Test func theListIsBounded() {
        var counter = FailureCounter(tolerable: 99)
        var verdict = FailureCounter.Verdict.ignored
        for id in 1...100 as ClosedRange<UInt64> {
            verdict = counter.recordFailure(
                of: CheckpointID(id), kind: .checkpoint, reason: .checkpointExpired, message: String(repeating: "x", count: 100_000), task: nil)
        }
        guard case .exceeded(let failures) = verdict else {
            Issue.record("the hundredth must exceed")
            return
        }
        #expect(failures.count == 100)
        #expect(failures.newest.map(\.checkpoint.rawValue) == Array(93...100))
        #expect(failures.list.hasPrefix("92 earlier ones; checkpoint 93 "))
        #expect(failures.list.count < 8 * 300)
    }

    @Test func nothingIsCountedWithoutALimit() {
        var counter = FailureCounter(tolerable: nil)
        for id in 1...1000 { #expect(expire(UInt64(id), &counter) == .ignored) }
        #expect(counter.count == 0)
    }
}
