import CheckpointCore
import StreamModel
import Testing

// Goal: each restart strategy decides as Flink 1.14's class of that name, to the millisecond, and refuses parameters that Flink refuses.
// Method: failures at chosen instants; the expected waits are written out or computed apart from the code.
@Suite struct RestartBackoffTests {
    private func decisions(_ strategy: RestartStrategy, at times: [Int64], seed: UInt64 = 1) -> [RestartBackoff.Decision] {
        var backoff = RestartBackoff(strategy, seed: seed)
        return times.map { backoff.jobFailed(at: EngineInstant(milliseconds: $0)) }
    }

    private func waits(_ strategy: RestartStrategy, at times: [Int64], seed: UInt64 = 1) -> [Int64?] {
        decisions(strategy, at: times, seed: seed).map { if case .restart(let wait) = $0 { wait.count } else { nil } }
    }

    @Test func theDefaultsAreFlinks() {
        #expect(RestartStrategy.fixedDelay() == .fixedDelay(attempts: 1, delay: 1000))
        #expect(
            RestartStrategy.exponentialDelay()
                == .exponentialDelay(initialBackoff: 1000, maxBackoff: 300_000, backoffMultiplier: 2, resetBackoffThreshold: 3_600_000, jitterFactor: 0.1))
        #expect(RestartStrategy.failureRate() == .failureRate(maxFailuresPerInterval: 1, failureRateInterval: 60_000, delay: 1000))
        #expect(RestartStrategy.checkpointingDefault == .fixedDelay(attempts: 2_147_483_647, delay: 1000))
    }

    @Test func noneGivesUpAtOnce() {
        #expect(waits(.none, at: [0]) == [nil])
    }

    @Test func fixedDelayCountsItsAttempts() {
        #expect(waits(.fixedDelay(attempts: 3, delay: 70), at: [0, 1, 1_000_000_000, 1_000_000_001, 2_000_000_000]) == [70, 70, 70, nil, nil])
        #expect(waits(.fixedDelay(attempts: 0, delay: 70), at: [0]) == [nil])
    }

    @Test func exponentialDelayGrowsToItsMaximum() {
        let strategy = RestartStrategy.exponentialDelay(
            initialBackoff: 100, maxBackoff: 1000, backoffMultiplier: 2, resetBackoffThreshold: 60_000, jitterFactor: 0)
        #expect(waits(strategy, at: [0, 200, 500, 1000, 2000, 4000]) == [100, 200, 400, 800, 1000, 1000])
        let gentle = RestartStrategy.exponentialDelay(
            initialBackoff: 3, maxBackoff: 1000, backoffMultiplier: 1.5, resetBackoffThreshold: 60_000, jitterFactor: 0)
        // Whole milliseconds, rounded down after each step, as Flink's cast to long does.
        #expect(waits(gentle, at: [0, 1, 2, 3]) == [3, 4, 6, 9])
    }

    /// The threshold counts from the end of the last wait: a failure that comes `threshold + backoff` after the last one begins anew.
    @Test(arguments: [(1199, 400), (1200, 100), (1201, 100)] as [(Int64, Int64)])
    func exponentialDelayResetsAfterAQuietPeriod(_ gap: Int64, _ expected: Int64) {
        let strategy = RestartStrategy.exponentialDelay(
            initialBackoff: 100, maxBackoff: 10_000, backoffMultiplier: 2, resetBackoffThreshold: 1000, jitterFactor: 0)
        #expect(waits(strategy, at: [0, 50, 50 + gap]) == [100, 200, expected])
    }

    @Test func jitterStaysInItsRangeAndUsesIt() {
        let strategy = RestartStrategy.exponentialDelay(
            initialBackoff: 1000, maxBackoff: 300_000, backoffMultiplier: 2, resetBackoffThreshold: 3_600_000, jitterFactor: 0.25)
        var seen: [[Int64]] = [[], [], []]
        for seed in 1...300 as ClosedRange<UInt64> {
            for (index, wait) in waits(strategy, at: [0, 10, 20], seed: seed).enumerated() { seen[index].append(wait ?? -1) }
        }
        for (index, base) in [1000, 2000, 4000].enumerated() {
            let width = Int64(base / 4)
            #expect(seen[index].allSatisfy { abs($0 - Int64(base)) <= width })
            #expect((seen[index].min() ?? 0) < Int64(base) - width * 9 / 10, "the lower end is reached")
            #expect((seen[index].max() ?? 0) > Int64(base) + width * 9 / 10, "the upper end is reached")
        }
        #expect(waits(strategy, at: [0, 10, 20], seed: 7) == waits(strategy, at: [0, 10, 20], seed: 7), "the same seed, the same waits")
    }

    /// Flink cuts after the jitter: no wait is above the maximum.
    @Test func jitterNeverExceedsTheMaximum() {
        let strategy = RestartStrategy.exponentialDelay(
            initialBackoff: 1000, maxBackoff: 1000, backoffMultiplier: 2, resetBackoffThreshold: 3_600_000, jitterFactor: 1)
        let all = (1...200).flatMap { waits(strategy, at: [0, 1, 2], seed: $0).map { $0 ?? -1 } }
        #expect(all.allSatisfy { (0...1000).contains($0) })
        #expect(all.contains(1000) && all.contains { $0 < 200 })
    }

    /// The failure that fills the interval fails the job: three allowed failures are two restarts.
    @Test func failureRateGivesUpAtTheLastAllowedFailure() {
        let strategy = RestartStrategy.failureRate(maxFailuresPerInterval: 3, failureRateInterval: 1000, delay: 5)
        #expect(waits(strategy, at: [0, 1, 2]) == [5, 5, nil])
        #expect(waits(.failureRate(), at: [0]) == [nil], "Flink's default of one failure an interval allows no restart")
    }

    /// At the edge of the interval: Flink restarts when the earliest of the last three is more than the interval ago.
    @Test(arguments: [(999, false), (1000, false), (1001, true)] as [(Int64, Bool)])
    func failureRateForgetsFailuresOlderThanTheInterval(_ time: Int64, _ restarts: Bool) {
        let strategy = RestartStrategy.failureRate(maxFailuresPerInterval: 3, failureRateInterval: 1000, delay: 5)
        #expect(waits(strategy, at: [0, 500, time]) == [5, 5, restarts ? 5 : nil])
    }

    @Test func failureRateRestartsForeverBelowTheRate() {
        let strategy = RestartStrategy.failureRate(maxFailuresPerInterval: 2, failureRateInterval: 100, delay: 5)
        #expect(waits(strategy, at: (0..<50).map { Int64($0) * 101 }).allSatisfy { $0 == 5 })
    }

    @Test func givingUpStatesTheReason() {
        guard case .giveUp(let fixed)? = decisions(.fixedDelay(attempts: 1, delay: 1), at: [0, 1]).last,
            case .giveUp(let rate)? = decisions(.failureRate(maxFailuresPerInterval: 2, failureRateInterval: 500, delay: 1), at: [0, 1]).last
        else {
            Issue.record("both have to give up")
            return
        }
        #expect(fixed.contains("all 1 restarts"))
        #expect(rate.contains("2 failures within 500 ms"))
    }

    struct Refusal: Sendable {
        let strategy: RestartStrategy
        let parameter: RestartStrategyError.Parameter
        init(_ strategy: RestartStrategy, _ parameter: RestartStrategyError.Parameter) { (self.strategy, self.parameter) = (strategy, parameter) }
    }

    static let year = Milliseconds(365 * 24 * 60 * 60 * 1000)
    static let refusals = [
        Refusal(.fixedDelay(attempts: -1), .attempts), Refusal(.fixedDelay(attempts: Int(Int32.max) + 1), .attempts),
        Refusal(.fixedDelay(delay: -1), .fixedDelay), Refusal(.fixedDelay(delay: year + 1), .fixedDelay),
        Refusal(.exponentialDelay(initialBackoff: 0), .initialBackoff), Refusal(.exponentialDelay(initialBackoff: 2, maxBackoff: 1), .initialBackoff),
        Refusal(.exponentialDelay(maxBackoff: 0), .maxBackoff), Refusal(.exponentialDelay(maxBackoff: year + 1), .maxBackoff),
        Refusal(.exponentialDelay(backoffMultiplier: 1), .backoffMultiplier), Refusal(.exponentialDelay(backoffMultiplier: .nan), .backoffMultiplier),
        Refusal(.exponentialDelay(backoffMultiplier: .infinity), .backoffMultiplier),
        Refusal(.exponentialDelay(resetBackoffThreshold: 0), .resetBackoffThreshold),
        Refusal(.exponentialDelay(jitterFactor: -0.1), .jitterFactor), Refusal(.exponentialDelay(jitterFactor: 1.1), .jitterFactor),
        Refusal(.exponentialDelay(jitterFactor: .nan), .jitterFactor),
        Refusal(.failureRate(maxFailuresPerInterval: 0), .maxFailuresPerInterval), Refusal(.failureRate(failureRateInterval: 0), .failureRateInterval),
        Refusal(.failureRate(delay: -1), .failureRateDelay),
    ]

    @Test(arguments: refusals) func parametersOutOfRangeAreRefusedByName(_ refusal: Refusal) {
        #expect { try refusal.strategy.validate() } throws: { error in
            (error as? RestartStrategyError)?.parameter == refusal.parameter && String(describing: error).contains(refusal.parameter.rawValue)
        }
    }

    @Test func everyParameterHasARefusedValue() {
        #expect(Set(Self.refusals.map(\.parameter)) == Set(RestartStrategyError.Parameter.allCases))
    }

    @Test(arguments: [
        RestartStrategy.none, .checkpointingDefault, .fixedDelay(attempts: 0, delay: 0), .exponentialDelay(), .failureRate(),
        .exponentialDelay(initialBackoff: 1, maxBackoff: 1, backoffMultiplier: 1.01, resetBackoffThreshold: 1, jitterFactor: 1),
        .exponentialDelay(initialBackoff: year, maxBackoff: year, backoffMultiplier: 1_000_000, resetBackoffThreshold: year, jitterFactor: 1),
    ]) func valuesInRangeAreAcceptedWithoutTraps(_ strategy: RestartStrategy) throws {
        try strategy.validate()
        var backoff = RestartBackoff(strategy, seed: 3)
        for time in 0..<200 { _ = backoff.jobFailed(at: EngineInstant(milliseconds: Int64(time))) }
    }
}
