import SimulationKit
import StreamModel
import Testing

// Goal: the engine keeps its promises on a machine that fails in every way, and the simulation that says so can be believed. Method: whole
// runs from seeds. The 5,000 seeds of a commit and the defects that seeds must find run in the release build (EndToEndTests); some seeds run
// here in the debug build, with its checks.

/// What a seed showed, for a failed test.
private func story(_ report: SimulationReport, _ mode: SimulationMode = .job) -> Comment {
    var options = SimulationOptions()
    options.mode = mode
    options.keepsTrace = true
    let told = report.trace.isEmpty ? Simulation.run(seed: report.seed, options: options) : report
    return
        "seed \(report.seed): \(report.failure ?? "")\n\(report.scenario)\n\(told.trace.suffix(80).joined(separator: "\n"))\nrepeat it: weir-sim --mode \(mode.rawValue) --seed \(report.seed) --trace"
}

@Suite(.serialized) struct SimulationTests {
    init() { Simulation.stayOnThisProcessor() }

    @Test(arguments: SimulationMode.allCases) func aSeedRepeatsExactly(_ mode: SimulationMode) {
        var options = SimulationOptions(), hashes: Set<UInt64> = []
        options.mode = mode
        let count: UInt64 = mode == .job ? 25 : 8
        for seed in 1...count {
            let first = Simulation.run(seed: seed, options: options), second = Simulation.run(seed: seed, options: options)
            #expect(first.hash == second.hash && first.steps == second.steps && first.faults == second.faults, "seed \(seed)")
            hashes.insert(first.hash)
        }
        #expect(hashes.count == count, "every seed takes a course of its own")
    }

    @Test func aTraceDoesNotChangeTheRun() {
        var options = SimulationOptions()
        options.keepsTrace = true
        let told = Simulation.run(seed: 5, options: options)
        #expect(told.hash == Simulation.run(seed: 5).hash)
        #expect(told.trace.count > 100)
    }

    @Test func theOutputIsExactlyOnceUnderAllFaults() {
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

    @Test func theServiceIsSoundUnderArbitraryOperators() {
        var options = SimulationOptions(), faults = FaultCounts()
        options.mode = .service
        for seed: UInt64 in 100_001...100_030 {
            let report = Simulation.run(seed: seed, options: options)
            faults += report.faults
            #expect(report.failure == nil, story(report, .service))
        }
        for kind in [FaultKind.kill, .powerLoss, .cancelAndRestart, .stopWithSavepoint, .cancel, .lostAnswer, .repeatedRequest, .refusedOperation] {
            #expect(faults[kind] > 0, "\(kind.rawValue) never happened: the runs show nothing about it")
        }
    }

    /// Seeds that once found a defect, or a mistake of the simulation.
    @Test(arguments: Regressions.all) func pastFailuresStayFixed(_ regression: Regressions.Seed) {
        var options = SimulationOptions()
        options.mode = regression.mode
        let report = Simulation.run(seed: regression.seed, options: options)
        #expect(report.failure == nil, story(report, regression.mode))
    }
}
