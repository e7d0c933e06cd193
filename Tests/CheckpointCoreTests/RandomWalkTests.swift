import CheckpointCore
import StreamModel
import Testing

// Goal: no schedule of events, sensible or not, breaks a rule. Method: 100,000 short random walks and some long ones, each checked
// after every event by the oracle. A failure prints its seed; put it into `keptSeeds` and it is walked for ever.
@Suite struct RandomWalkTests {
    static let blocks = 20
    static let walksPerBlock = 5000
    static let keptSeeds: [UInt64] = []

    /// Walks once; records what broke, with the seed and the last events.
    private func walk(seed: UInt64, steps: Int, _ coverage: inout [RandomWalk.Coverage]) throws -> Bool {
        var walk = try RandomWalk(seed: seed)
        do {
            try walk.run(steps: steps)
        } catch {
            let events = walk.history.suffix(12).map { "  \($0)" }.joined(separator: "\n")
            Issue.record("seed \(seed), \(steps) steps, after event \(walk.history.count): \(error)\n\(events)")
            return false
        }
        coverage.append(walk.coverage)
        return true
    }

    @Test(arguments: 0..<blocks) func shortWalks(_ block: Int) throws {
        var coverage: [RandomWalk.Coverage] = []
        for index in 0..<Self.walksPerBlock {
            let seed = UInt64(block * Self.walksPerBlock + index)
            guard try walk(seed: seed, steps: 8 + index % 16, &coverage) else { return }
        }
        #expect(coverage.count == Self.walksPerBlock)
        try expectVariety(coverage)
    }

    @Test(arguments: 0..<4) func longWalks(_ block: Int) throws {
        var coverage: [RandomWalk.Coverage] = []
        for index in 0..<40 {
            guard try walk(seed: 1_000_000 + UInt64(block * 40 + index), steps: 600, &coverage) else { return }
        }
        try expectVariety(coverage)
    }

    @Test(arguments: keptSeeds) func keptSeed(_ seed: UInt64) throws {
        var coverage: [RandomWalk.Coverage] = []
        _ = try walk(seed: seed, steps: 24, &coverage)
    }

    /// The walks are worth nothing if they never get anywhere: every action and every reason that the coordinator itself gives.
    private func expectVariety(_ coverage: [RandomWalk.Coverage]) throws {
        let actions = coverage.reduce(into: [String: Int]()) { $0.merge($1.actions, uniquingKeysWith: +) }
        let reasons = coverage.reduce(into: Set<CheckpointFailureReason>()) { $0.formUnion($1.reasons) }
        let expectedActions = [
            "prepareLocation", "injectBarrier", "commit", "discardPending", "discardCompleted", "forget", "failJob", "notifyComplete",
            "notifyAborted", "requestFailed", "requestCompleted",
        ]
        for name in expectedActions { #expect(actions[name, default: 0] > 20, "\(name)") }
        let expectedReasons: Set<CheckpointFailureReason> = [
            .ioException, .checkpointExpired, .checkpointSubsumed, .checkpointCoordinatorSuspend, .taskFailure, .finalizeCheckpointFailure,
        ]
        #expect(reasons.isSuperset(of: expectedReasons))
        #expect(coverage.reduce(0) { $0 + $1.completed } > coverage.count / 4)
    }
}
