// Goal: 5,000 seeds of the simulator are clean on every run of the tests, every kind of fault really happened in them, defects are found, and a seed
// takes the same course in another process and another build. Method: the release build of `weir-sim`, and the debug build beside the tests.

import SimulationKit
import TestKit
import Testing

extension EndToEnd {
    @Suite(.enabled(if: Requirement.sim.isMet, "needs the release build of weir-sim"))
    struct Simulation {
        let home = TestHome()
        private let sim: String

        init() throws { sim = try #require(Binaries.sim) }

        private func run(_ binary: String, _ arguments: String..., within seconds: Double) throws -> ChildProcess {
            try run(binary, arguments, within: seconds)
        }

        private func run(_ binary: String, _ arguments: [String], within seconds: Double) throws -> ChildProcess {
            let process = ChildProcess(binary, arguments, environment: home.environment())
            try process.finish(within: seconds)
            return process
        }

        /// One process a mode, side by side: a processor each.
        @Test func `5,000 seeds are clean, and every kind of fault happened in them`() throws {
            let runs = [("job", 3_800), ("service", 1_200)].map { mode, seeds in
                (seeds, ChildProcess(sim, ["--mode", mode, "--seeds", "\(seeds)", "--jobs", "1"], environment: home.environment()))
            }
            for (seeds, process) in runs {
                try process.finish(within: 900)
                let summary = process.output
                print(summary)
                #expect(process.pollEnd() == .exited(0), "\(process.transcript)")
                #expect(summary.hasPrefix("\(seeds) seeds in "))
                let counts = summary.split(separator: "\n").dropFirst().map { $0.split(separator: "\t") }
                #expect(counts.count > 25)
                for row in counts { #expect(row.count == 2 && row[0].trimmingPrefix("  ") != "0", "it never happened: \(row.last ?? "")") }
            }
        }

        /// The test of the test: a machine, or an engine, with a defect must be found out, soon. The same seed is clean on a sound one.
        @Test(arguments: Canary.allCases) func `500 seeds find a defect`(_ canary: Canary) throws {
            let mode = ["--mode", canary.mode.rawValue]
            let process = try run(sim, mode + ["--seeds", "500", "--canary", canary.rawValue], within: 120)
            #expect(process.pollEnd() == .exited(1), "500 seeds did not notice \(canary.rawValue): \(process.transcript)")
            let failed = try #require(process.output.firstMatch(of: /seed (\d+) FAILED: .*/), "\(process.transcript)")
            print("canary \(canary.rawValue): \(failed.output.0)")
            let sound = try run(sim, mode + ["--seed", String(failed.output.1)], within: 60)
            #expect(sound.pollEnd() == .exited(0), "\(sound.transcript)")
        }

        @Test(arguments: ["job", "service"]) func `a seed takes the same course in every process and build`(_ mode: String) throws {
            let count = mode == "job" ? 100 : 40, arguments = ["--mode", mode, "--seeds", "\(count)", "--hashes"]
            let first = try run(sim, arguments, within: 120), second = try run(sim, arguments, within: 120)
            #expect(hashes(first) == hashes(second) && hashes(first).count == count)
            let debug = try #require(Binaries.weir).dropLast("weir".count) + "weir-sim"
            #expect(hashes(try run(String(debug), arguments, within: 240)) == hashes(first), "the debug build takes another course")
        }

        private func hashes(_ process: ChildProcess) -> [String] {
            process.output.split(separator: "\n").map(String.init).filter { $0.split(separator: " ").count == 2 && !$0.hasPrefix(" ") }.sorted()
        }

        @Test func `a failed seed is told with its trace and how to repeat it`() throws {
            let process = try run(sim, "--seeds", "200", "--canary", "directory-sync", within: 120)
            #expect(process.pollEnd() == .exited(1))
            #expect(process.output.contains("FAILED: "))
            let command = try #require(process.output.split(separator: "\n").last { $0.hasPrefix("repeat it: weir-sim ") })
            #expect(process.output.contains(" begins"))
            let arguments = command.dropFirst("repeat it: weir-sim ".count).split(separator: " ").map(String.init)
            let again = ChildProcess(sim, arguments, environment: home.environment())
            try again.finish(within: 60)
            #expect(again.pollEnd() == .exited(1) && again.output.contains("FAILED: "))
        }

        @Test func `nonsense on the command line is refused`() throws {
            #expect(try run(sim, "--seeds", "0", within: 10).pollEnd() == .exited(64))
            #expect(try run(sim, "--canary", "nothing", within: 10).pollEnd() == .exited(64))
        }
    }
}
