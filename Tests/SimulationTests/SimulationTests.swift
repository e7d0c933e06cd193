import SimulationKit
import StreamModel
import Testing

// Goal: the engine keeps its promises on a machine that fails in every way, and the simulation that says so can be believed. Method: whole
// runs from seeds. The 2,000 seeds of a commit run in the release build (EndToEndTests); here run some in the debug build, with its checks.

/// What a seed showed, for a failed test.
private func story(_ report: SimulationReport) -> Comment {
    var options = SimulationOptions()
    options.keepsTrace = true
    let told = report.trace.isEmpty ? Simulation.run(seed: report.seed, options: options) : report
    return "seed \(report.seed): \(report.failure ?? "")\n\(report.scenario)\n\(told.trace.suffix(80).joined(separator: "\n"))\nrepeat it: weir-sim --seed \(report.seed) --trace"
}

@Suite(.serialized) struct SimulationTests {
    init() { Simulation.stayOnThisProcessor() }

    @Test func aSeedIsRepeatedExactly() {
        var hashes: Set<UInt64> = []
        for seed: UInt64 in 1...25 {
            let first = Simulation.run(seed: seed), second = Simulation.run(seed: seed)
            #expect(first.hash == second.hash && first.steps == second.steps && first.faults == second.faults, "seed \(seed)")
            hashes.insert(first.hash)
        }
        #expect(hashes.count == 25, "every seed takes a course of its own")
    }

    @Test func aTraceDoesNotChangeTheRun() {
        var options = SimulationOptions()
        options.keepsTrace = true
        let told = Simulation.run(seed: 5, options: options)
        #expect(told.hash == Simulation.run(seed: 5).hash)
        #expect(told.trace.count > 100)
    }

    @Test func theOutputIsExactlyOnceWhateverFails() {
        var faults = FaultCounts()
        for seed: UInt64 in 100_001...100_150 {
            let report = Simulation.run(seed: seed)
            faults += report.faults
            #expect(report.failure == nil, story(report))
        }
        for kind in [FaultKind.kill, .powerLoss, .crashInRecovery, .crashBeforeOutput, .failedSync, .diskFull, .savepoint, .stopWithSavepoint, .rescale] {
            #expect(faults[kind] > 0, "\(kind.rawValue) never happened: the runs show nothing about it")
        }
    }

    /// Seeds that once found a defect, or a mistake of the simulation.
    @Test(arguments: Regressions.seeds) func aSeedThatOnceFailedStaysSound(_ seed: UInt64) {
        let report = Simulation.run(seed: seed)
        #expect(report.failure == nil, story(report))
    }

    /// The test of the test: a machine, or an engine, with a defect must be found out, soon.
    @Test(arguments: Canary.allCases) func aDefectIsFound(_ canary: Canary) throws {
        var options = SimulationOptions()
        options.canary = canary
        let found = (1...500).lazy.map { Simulation.run(seed: $0, options: options) }.first { $0.failure != nil }
        let report = try #require(found, "500 seeds did not notice \(canary.rawValue)")
        print("canary \(canary.rawValue): seed \(report.seed), \(report.failure ?? "")")
        // The same seed on a sound machine.
        #expect(Simulation.run(seed: report.seed).failure == nil)
    }
}
