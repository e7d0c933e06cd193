import StreamModel
import Testing

@testable import SimulationKit

// Goal: each defect that the simulation has found stays fixed, also when the scenarios that seeds draw have changed. Method: the situation of
// each by hand, in forty orders of events.

@Suite(.serialized) struct NamedScenarioTests {
    struct Story: Sendable, CustomTestStringConvertible {
        let testDescription: String
        /// Must have happened, or the story shows nothing.
        let needs: [FaultKind]
        let make: @Sendable (_ number: Int) -> Scenario
    }

    private static func scenario(_ steps: [(Int, Scenario.Action)], _ change: (inout Scenario) -> Void = { _ in }) -> Scenario {
        var scenario = Scenario()
        scenario.steps = steps.map { Scenario.Step(delay: $0, action: $1) }
        change(&scenario)
        return scenario
    }

    static let stories: [Story] = [
        Story(testDescription: "a job that claimed its snapshot, and has deleted it since, comes back", needs: [.cancelAndRestart, .powerLoss]) { number in
            scenario([
                (60, .cancelAndRestart(.newest, parallelism: 1 + number % 3, claims: true)), (100 + number, .crashNow(survival: .nothing)),
            ])
        },
        Story(testDescription: "a manifest that only the cache has justifies nothing", needs: [.kill, .powerLoss]) { number in
            scenario([
                (50, .crashAtManifest(delay: number % 3, survival: nil)), (40 + number, .crash(after: 1 + number, survival: .nothing)),
            ]) { $0.crashesInRecovery = number % 2 * 500_000 }
        },
        Story(testDescription: "a directory whose first sync failed is synced again", needs: [.failedDirectorySync, .powerLoss]) { number in
            scenario([(60, .crashNow(survival: .nothing)), (60, .crashNow(survival: .anything))]) { $0.rates.failedDirectorySync = 40_000 + number * 2_000 }
        },
        Story(testDescription: "a savepoint that recovery began from stays its owner's", needs: [.savepoint, .cleanEngineRestart]) { number in
            scenario([(40, .savepoint), (6 + number % 12, .suspend), (100, .crashNow(survival: nil))])
        },
        Story(testDescription: "a savepoint that nobody had written down is found", needs: [.savepoint, .kill]) { number in
            scenario([(40, .savepoint), (2 + number % 16, .crashNow(survival: nil))]) { $0.recordLag = 15_000_000 }
        },
        Story(testDescription: "a checkpoint that cannot be read for a while is waited for", needs: [.failedRead, .kill]) { number in
            scenario([(70 + number, .crashNow(survival: nil)), (30, .crashNow(survival: .nothing))]) { $0.rates.failedRead = 30_000 }
        },
        Story(testDescription: "a damaged checkpoint is refused or passed over aloud", needs: [.flippedBit, .unreadableFile, .failedLaunch]) { number in
            scenario([(90 + number, .crashNow(survival: nil)), (30, .crashNow(survival: .nothing))]) {
                $0.damages = 800_000
                $0.checkpoints.retainedCheckpoints = 1 + number % 3
            }
        },
        Story(testDescription: "kill at every operation of a checkpoint and its output", needs: [.kill, .crashBeforeOutput]) { number in
            scenario([(40, .crashAtManifest(delay: number % 20, survival: nil)), (50, .crashAtManifest(delay: number % 7, survival: nil))])
        },
        Story(testDescription: "power loss at every operation of a checkpoint and its output", needs: [.powerLoss, .crashBeforeOutput]) { number in
            let survival = DiskModel.Survival.allCases[number % 4]
            return scenario([(40, .crashAtManifest(delay: number % 20, survival: survival)), (50, .crashAtManifest(delay: number % 7, survival: survival))])
        },
    ]

    @Test(arguments: stories) func isSurvivedInEveryOrder(_ story: Story) {
        Simulation.stayOnThisProcessor()
        var faults = FaultCounts()
        for number in 0..<40 {
            let seed = UInt64(number + 1), scenario = story.make(number)
            let report = Simulation.run(seed: seed, scenario: scenario)
            faults += report.faults
            guard let failure = report.failure else { continue }
            var options = SimulationOptions()
            options.keepsTrace = true
            let told = Simulation.run(seed: seed, scenario: scenario, options: options)
            Issue.record("order \(number): \(failure)\n\(told.scenario)\n\(told.trace.suffix(80).joined(separator: "\n"))")
            return
        }
        for kind in story.needs { #expect(faults[kind] > 0, "\(kind.rawValue) never happened") }
    }
}
