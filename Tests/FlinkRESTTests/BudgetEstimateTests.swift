import JSON
import StreamModel
import Testing

@testable import FlinkREST

/// Goal: the estimate holds the true counter between its bounds, and is exact whenever the history shows all. Method: histories of a
/// simulated counter that follows Flink's rules, cut to ten rows; and recorded ones.
@Suite struct BudgetEstimateTests {
    private static let asyncText = "Asynchronous task checkpoint failed."
    private static let declined = "Checkpoint was declined (tasks not ready)"

    private func list(_ rows: [(id: UInt64, failure: String?)], total: Int? = nil, window: Int = 10) throws -> FlinkCheckpoints {
        let history = rows.map { row -> JSONValue in
            var members: [String: JSONValue] = ["id": .integer(Int64(row.id)), "status": .string(row.failure == nil ? "COMPLETED" : "FAILED")]
            if let failure = row.failure { members["failure_message"] = .string(failure) }
            return .object(members)
        }
        let completed = Array(zip(rows, history)).last { $0.0.failure == nil }?.1 ?? .null
        let latest: [String: JSONValue] = ["completed": completed]
        return try FlinkCheckpoints(
            reading: .object([
                "counts": .object(["total": .integer(Int64(total ?? rows.count)), "failed": .integer(Int64(rows.count { $0.failure != nil }))]),
                "latest": .object(latest), "history": .array(Array(history.suffix(window).reversed())),
            ]))
    }

    private func estimate(_ rows: [(id: UInt64, failure: String?)], tolerable: Int = 3) throws -> BudgetEstimate {
        BudgetEstimate(try list(rows), tolerable: tolerable, version: FlinkVersion(1, 14, 3))
    }

    @Test func failuresSinceTheLastSuccessCount() throws {
        #expect(try estimate([]).bounds == 0...0)
        #expect(try estimate([(1, nil)]).bounds == 0...0)
        #expect(try estimate([(1, Self.asyncText), (2, nil), (3, Self.asyncText), (4, Self.declined), (5, Self.asyncText)]).bounds == 2...2)
        #expect(try estimate([(1, nil), (2, "something new")]).bounds == 0...1, "what is not known may have counted")
    }

    @Test func beyondTheTolerableNumberTheJobFailsAndTheCounterStartsAnew() throws {
        #expect(try estimate([(1, nil)] + (2...4).map { ($0, Self.asyncText) }).bounds == 3...3)
        #expect(try estimate([(1, nil)] + (2...5).map { ($0, Self.asyncText) }).bounds == 0...0)
        #expect(try estimate([(1, nil)] + (2...6).map { ($0, Self.asyncText) }).bounds == 1...1)
        #expect(try estimate([(1, Self.asyncText)], tolerable: 0).bounds == 0...0, "none tolerated: the first fails the job")
    }

    @Test func aCutHistoryLeavesBounds() throws {
        let rows: [(id: UInt64, failure: String?)] = [(1, nil)] + (2...20).map { ($0, $0 % 2 == 0 ? Self.declined : Self.asyncText) }
        let estimate = try estimate(rows, tolerable: 30)
        #expect(estimate.hidden == 9)
        #expect(estimate.bounds == 5...14)
        #expect(estimate.bounds.contains(estimate.likely))
    }

    @Test(arguments: 0..<400 as Range<UInt64>) func theTruthLiesBetweenTheBounds(seed: UInt64) throws {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func random(_ below: UInt64) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state % below
        }
        let tolerable = Int(random(6)), success = random(12)
        var rows: [(id: UInt64, failure: String?)] = [], counter = 0
        for id in 1...(1 + random(40)) {
            switch random(12) {
            case ..<(success / 3): (counter, _) = (0, rows.append((id, nil)))
            case 10: rows.append((id, Self.declined))
            default:
                rows.append((id, Self.asyncText))
                counter += 1
                if counter > tolerable { counter = 0 }
            }
        }
        let estimate = try estimate(rows, tolerable: tolerable)
        #expect(estimate.bounds.contains(counter), "seed \(seed): \(counter) not in \(estimate.bounds), \(rows.count) rows")
        #expect(estimate.bounds.contains(estimate.likely), "seed \(seed)")
        if estimate.hidden == 0 { #expect(estimate.bounds == counter...counter, "seed \(seed)") }
    }

    @Test func whichReasonsCountDependsOnTheVersion() {
        let finalize = "Failure to finalize checkpoint."
        func counting(_ text: String, savepoint: Bool = false, _ version: FlinkVersion?) -> FlinkFailureReason.Counting {
            FlinkFailureReason.counting(text, isSavepoint: savepoint, version: version)
        }
        #expect(counting(finalize, FlinkVersion(1, 14, 3)) == .no)
        #expect(counting(finalize, FlinkVersion(1, 17)) == .unknown && counting(finalize, nil) == .unknown)
        #expect(counting(finalize, FlinkVersion(1, 20, 5)) == .yes && counting(finalize, FlinkVersion(2, 3)) == .yes)
        for version in [FlinkVersion(1, 14, 3), FlinkVersion(2, 3)] {
            #expect(counting(Self.asyncText, version) == .yes && counting("Checkpoint expired before completing.", version) == .yes)
            #expect(counting("Checkpoint was declined.", version) == .yes && counting(Self.declined, version) == .no)
            #expect(counting("Task has failed.", version) == .no && counting("Trigger checkpoint failure.", version) == .no)
            #expect(counting("Checkpoint expired before completing.", savepoint: true, version) == .no, "an expired savepoint never counts")
            #expect(counting(Self.asyncText, savepoint: true, version) == .yes)
            #expect(counting("Blocking output edge exists in running tasks.", version) == .no)
            #expect(counting("Could not materialize it. Failure reason: Checkpoint was declined.", version) == .yes)
            #expect(counting("", version) == .unknown && counting("Eine Ausnahme", version) == .unknown)
        }
    }

    /// Three failures are tolerated in the recordings; the fourth failed the job, which recovered.
    @Test(arguments: Fixture.versions) func recordedBudgets(version: String) throws {
        func budget(_ name: String) throws -> FailureBudget {
            FailureBudget(
                try FlinkCheckpoints(reading: Fixture.json(version, name)),
                configuration: try FlinkCheckpointConfiguration(reading: Fixture.json(version, "checkpoints-config")), version: FlinkVersion(version))
        }
        let failed = try budget("checkpoints-async-failed")
        #expect(failed.counted >= 1 && failed.tolerable == 3 && failed.source == .estimated && failed.bounds == nil)
        #expect(failed.lastReason == .checkpointAsyncException && failed.cumulative == 2)
        let recovered = try budget("checkpoints-recovered")
        #expect(recovered.counted == 0 && recovered.cumulative >= 4, "never the cumulative count")
        #expect(try budget("checkpoints-expired").counted >= 1)
        #expect(try budget("checkpoints-sync-failed").counted == 0, "a task that fails does not count")
    }

    @Test func countingSwitchedOffIsSaid() throws {
        let configuration = try FlinkCheckpointConfiguration(
            reading: .object(["mode": .string("exactly_once"), "tolerable_failed_checkpoints": .integer(2_147_483_647)]))
        let budget = FailureBudget(try list([(1, Self.asyncText)]), configuration: configuration, version: nil)
        #expect(budget.tolerable == nil && !budget.isExhausted && budget.cumulative == 1)
    }
}
