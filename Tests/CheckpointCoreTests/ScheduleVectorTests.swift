import CheckpointCore
import StreamModel
import Testing

// Goal: the test vectors of rule 1.9, every row, driven through virtual time. The first trigger is random, so times are told from it.
@Suite struct ScheduleVectorTests {
    private func configuration(pause: Int64 = 0, concurrent: Int = 1, tolerable: Int? = nil) -> CheckpointConfiguration {
        var configuration = CheckpointConfiguration()
        configuration.interval = 1000
        configuration.minimumPause = Milliseconds(pause)
        configuration.maximumConcurrent = concurrent
        configuration.tolerableFailures = tolerable
        return configuration
    }

    /// The times of the triggers after the first one, of a job whose checkpoints all take that long.
    private func triggers(_ configuration: CheckpointConfiguration, take: Int64, seed: UInt64, for span: Int64) throws -> [Int64] {
        var job = try SimulatedJob(configuration, seed: seed)
        job.fate = { _, _ in .acknowledged(after: take) }
        try job.start()
        try job.run(until: 1000 + span)
        let first = try #require(job.triggers.first)
        return job.triggers.map { $0 - first }.filter { $0 <= span - 1000 }
    }

    @Test(arguments: 1...20) func slowCheckpointsRunBackToBack(_ seed: UInt64) throws {
        let times = try triggers(configuration(), take: 2500, seed: seed, for: 11_000)
        #expect(times == [0, 2500, 5000, 7500, 10_000])
    }

    @Test(arguments: 1...20) func aPauseThatNeverBinds(_ seed: UInt64) throws {
        #expect(try triggers(configuration(pause: 500), take: 100, seed: seed, for: 5000) == [0, 1000, 2000, 3000, 4000])
    }

    @Test(arguments: 1...20) func aPauseThatBindsShiftsThePhase(_ seed: UInt64) throws {
        #expect(try triggers(configuration(pause: 500), take: 800, seed: seed, for: 6500) == [0, 1300, 2600, 3900, 5200])
    }

    @Test(arguments: 1...20) func aLongPauseRaisesTheInterval(_ seed: UInt64) throws {
        var job = try SimulatedJob(configuration(pause: 5000), seed: seed)
        try job.start()
        try job.run(until: 9999)
        #expect(job.triggers == [5000])
    }

    @Test(arguments: 1...50) func theFirstTickIsWithinItsRange(_ seed: UInt64) throws {
        var job = try SimulatedJob(configuration(pause: 300), seed: seed)
        try job.start()
        try job.run(until: 1000)
        let first = try #require(job.triggers.first)
        #expect((300...1000).contains(first))
    }

    @Test func theFirstTickUsesTheWholeRange() throws {
        let firsts = try (1...400).map { (seed: UInt64) in
            var job = try SimulatedJob(configuration(pause: 980), seed: seed)
            try job.start()
            try job.run(until: 1000)
            return try #require(job.triggers.first)
        }
        #expect(Set(firsts) == Set(980...1000))
    }

    @Test func zeroTolerableFailsOnTheFirstExpiry() throws {
        var configuration = configuration()
        configuration.timeout = 100
        var job = try SimulatedJob(configuration)
        job.fate = { _, _ in .ignored }
        try job.start()
        try job.run(until: 1200)
        #expect(job.failures.map(\.reason) == [.checkpointExpired])
        #expect(job.jobFailures.count == 1)
        #expect(job.jobFailures.first?.hasPrefix("Exceeded checkpoint tolerable failure threshold. ") == true)
        #expect(job.jobFailures.first?.contains("CHECKPOINT_EXPIRED") == true)
    }

    @Test func aSuccessResetsTheCounter() throws {
        var job = try SimulatedJob(configuration(tolerable: 3))
        // fail, fail, ok, fail, fail, fail, then one more
        job.fate = { id, _ in id == CheckpointID(3) ? .acknowledged(after: 10) : .declined(after: 10) }
        try job.start()
        try job.run(until: 1000)
        while job.failures.count < 5 { try job.run(until: job.now + 100) }
        #expect(job.completions == [CheckpointID(3)])
        #expect(job.jobFailures.isEmpty)
        #expect(job.coordinator.failureBudget().counted == 3)
        #expect(job.coordinator.failureBudget().isExhausted)
        while job.failures.count < 6 { try job.run(until: job.now + 100) }
        #expect(job.jobFailures.count == 1)
        #expect(job.coordinator.failureBudget().counted == 0)
        #expect(job.coordinator.failureBudget().cumulative == 6)
    }

    @Test func expiredSavepointsAreNotCounted() throws {
        var configuration = CheckpointConfiguration()
        configuration.timeout = 100
        configuration.tolerableFailures = 3
        var job = try SimulatedJob(configuration)
        job.fate = { _, _ in .ignored }
        try job.start()
        for request in 1...10 {
            try job.send(.requested(TriggerToken(UInt64(request)), .savepoint))
            try job.run(until: job.now + 100)
        }
        #expect(job.failures.count == 10)
        #expect(job.failures.allSatisfy { $0.reason == .checkpointExpired && !$0.counted })
        #expect(job.jobFailures.isEmpty)
    }

    @Test func aFailedSynchronousSnapshotFailsTheTaskNotTheBudget() throws {
        var job = try SimulatedJob(configuration(tolerable: 100))
        job.fate = { _, _ in .ignored }
        try job.start()
        try job.run(until: 1000)
        try job.send(.taskFailed(job.tasks[1], message: "could not perform checkpoint 1 for operator count"))
        try job.restartAttempt()
        #expect(job.failures.map(\.reason) == [.taskFailure])
        #expect(job.coordinator.failureBudget().counted == 0)
        #expect(job.jobFailures.isEmpty)
    }

    @Test func aSavepointStartsAtOnceAndSubsumesTheOlderCheckpoint() throws {
        var job = try SimulatedJob(configuration())
        job.fate = { _, kind in .acknowledged(after: kind == .savepoint ? 50 : 5000) }
        try job.start()
        try job.run(until: 1000)
        let first = try #require(job.triggers.first)
        try job.send(.requested(TriggerToken(7), .savepoint))
        #expect(job.triggers == [first, 1000])
        #expect(job.coordinator.pending.map(\.kind) == [.checkpoint, .savepoint])
        try job.run(until: 1050)
        #expect(job.completions == [CheckpointID(2)])
        #expect(job.failures.map(\.reason) == [.checkpointSubsumed])
        #expect(job.count(of: .requestCompleted(TriggerToken(7), CheckpointID(2))) == 1)
    }
}
