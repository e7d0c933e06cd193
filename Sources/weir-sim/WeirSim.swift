public import ArgumentParser
internal import Glibc
public import SimulationKit
internal import Synchronization

@main
struct WeirSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir-sim",
        abstract: "Runs the embedded engine on a simulated machine, one seed a run, and checks that its output is exactly once whatever fails.",
        discussion:
            "Build with: swift build -c release --product weir-sim. Exit status 1: a seed failed; its trace and the command that repeats it are printed.")

    @Option(help: "How many seeds to run.")
    var seeds = 2_000
    @Option(help: "The first seed.")
    var from: UInt64 = 1
    @Option(help: "Run this seed alone, twice, and compare.")
    var seed: UInt64?
    @Flag(help: "With --seed: print the whole trace, whatever the outcome.")
    var trace = false
    @Flag(help: "Print the hash of every seed, to compare builds and processes.")
    var hashes = false
    @Option(help: "What is simulated: job (one job, its engine played), service (whole engine processes, several jobs, operators).")
    var mode = SimulationMode.job
    @Option(help: "Put a defect into the machine or the engine: \(Canary.allCases.map(\.rawValue).joined(separator: ", ")).")
    var canary: Canary?
    @Option(help: "Simulations at once; as many as there are processors if left out.")
    var jobs: Int?
    @Option(help: "With --seed: scheduling points after which the run counts as one without end.")
    var steps: Int?
    @Option(help: "Lines of the trace of a failed seed.")
    var lines = 300

    func run() throws {
        if let seed { return try runAlone(seed) }
        guard seeds >= 1 else { throw ValidationError("--seeds must be at least 1") }
        let batch = Batch(first: from, count: seeds, mode: mode, canary: canary, printsHashes: hashes)
        batch.run(jobs: max(1, jobs ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        print(batch.summary)
        guard let failed = batch.failed.first else { return }
        report(failed)
        throw ExitCode(1)
    }

    private func options(keepsTrace: Bool) -> SimulationOptions {
        var options = SimulationOptions()
        options.canary = canary
        options.mode = mode
        if let steps { options.stepLimit = steps }
        options.keepsTrace = keepsTrace
        return options
    }

    private func runAlone(_ seed: UInt64) throws {
        Simulation.stayOnThisProcessor()
        let first = Simulation.run(seed: seed, options: options(keepsTrace: true)), second = Simulation.run(seed: seed, options: options(keepsTrace: true))
        if trace { first.trace.forEach { print($0) } }
        print(
            "seed \(seed): hash \(String(first.hash, radix: 16)), \(first.steps) steps, \(first.processes) processes, \(first.simulatedTime / 1_000_000) ms simulated"
        )
        print("  \(first.scenario)")
        guard first.hash == second.hash else {
            let index = zip(first.trace, second.trace).prefix { $0 == $1 }.count
            print("the second run differs at line \(index):\n  \(first.trace.dropFirst(index).first ?? "-")\n  \(second.trace.dropFirst(index).first ?? "-")")
            throw ExitCode(1)
        }
        if first.failure != nil {
            report(first)
            throw ExitCode(1)
        }
    }

    /// Reports a failed seed, running it again for its trace.
    private func report(_ failed: SimulationReport) {
        let told = trace ? failed : Simulation.run(seed: failed.seed, options: options(keepsTrace: true))
        print("seed \(failed.seed) FAILED: \(failed.failure ?? "")")
        print("  \(told.scenario)")
        if !trace { told.trace.suffix(lines).forEach { print("  \($0)") } }
        if told.hash != failed.hash { print("the run with a trace took another course (\(told.failure ?? "no failure")): the simulation is not deterministic") }
        print(
            "repeat it: weir-sim --seed \(failed.seed) --trace\(mode == .job ? "" : " --mode \(mode.rawValue)")\(canary.map { " --canary \($0.rawValue)" } ?? "")"
        )
    }
}

extension Canary: ExpressibleByArgument {}
extension SimulationMode: ExpressibleByArgument {}
