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
        counter.recordFailure(of: CheckpointID(id), kind: .checkpoint, reason: .checkpointExpired, task: nil)
    }

    @Test(arguments: [0, 1, 3, 10]) func theJobFailsWhenTheCounterExceedsTheTolerable(_ tolerable: Int) {
        var counter = FailureCounter(tolerable: tolerable)
        for round in 0..<3 {
            for failure in 1...(tolerable + 1) {
                let verdict = expire(UInt64(round * 100 + failure), &counter)
                #expect(verdict == (failure > tolerable ? .exceeded : .counted))
            }
            #expect(counter.count == 0, "the counter is cleared before the job fails")
        }
    }

    @Test func anIDCountsOnce() {
        var counter = FailureCounter(tolerable: 1)
        #expect(expire(1, &counter) == .counted)
        #expect(expire(1, &counter) == .ignored)
        #expect(counter.count == 1)
        #expect(expire(2, &counter) == .exceeded)
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

    @Test func nothingIsCountedWithoutALimit() {
        var counter = FailureCounter(tolerable: nil)
        for id in 1...1000 { #expect(expire(UInt64(id), &counter) == .ignored) }
        #expect(counter.count == 0)
    }
}
