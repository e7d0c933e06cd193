internal import Glibc

/// How a seed is run.
public struct SimulationOptions: Sendable {
    public var mode = SimulationMode.job
    public var canary: Canary?
    /// Keep the trace as text; the run is the same.
    public var keepsTrace = false
    /// A run that takes more scheduling points than this does not end.
    public var stepLimit: Int?
    public init() {}
}

/// What a run showed.
public struct SimulationReport: Sendable {
    public let seed: UInt64
    /// Over everything that happened, in order: the same for the same seed, program and options.
    public let hash: UInt64
    /// Scheduling points.
    public let steps: Int
    /// In nanoseconds.
    public let simulatedTime: Int64
    /// Processes that were started.
    public let processes: Int
    public let faults: FaultCounts
    /// The promise that was broken; nil = all held.
    public let failure: String?
    /// Lines, oldest first; empty unless asked for.
    public let trace: [String]
    /// What the seed had decided beforehand.
    public let scenario: String
}

/// Runs the engine on a simulated machine.
public enum Simulation {
    /// Blocks until the run is over. Several may run at once, each on threads of its own.
    public static func run(seed: UInt64, options: SimulationOptions = SimulationOptions()) -> SimulationReport {
        switch options.mode {
        case .job: run(seed: seed, scenario: Scenario(seed: seed), options: options)
        case .service: run(seed: seed, scenario: ServiceScenario(seed: seed), options: options)
        }
    }

    /// - Parameter scenario: what happens; the seed then decides in which order.
    static func run(seed: UInt64, scenario: Scenario, options: SimulationOptions = SimulationOptions()) -> SimulationReport {
        let machine = makeMachine(seed, options)
        let supervisor = Supervisor(seed: seed, scenario: scenario, machine: machine)
        return run(seed, on: machine, scenario.summary, { supervisor.run() }, violation: { supervisor.oracle.violation })
    }

    /// Whole engine processes with their operators.
    static func run(seed: UInt64, scenario: ServiceScenario, options: SimulationOptions = SimulationOptions()) -> SimulationReport {
        let machine = makeMachine(seed, options)
        let driver = ServiceDriver(seed: seed, scenario: scenario, machine: machine)
        return run(seed, on: machine, scenario.summary, { driver.run() }, violation: { driver.office.violation })
    }

    private static func makeMachine(_ seed: UInt64, _ options: SimulationOptions) -> SimulatedMachine {
        let limit = options.stepLimit ?? (options.mode == .service ? 600_000 : 150_000)
        return SimulatedMachine(seed: seed, trace: Trace(keepsText: options.keepsTrace), canary: options.canary, stepLimit: limit)
    }

    private static func run(
        _ seed: UInt64, on machine: SimulatedMachine, _ summary: String, _ body: @escaping @Sendable () -> Void, violation: () -> String?
    ) -> SimulationReport {
        var failure: String?
        do {
            try machine.scheduler.run(body)
            failure = violation()
        } catch {
            failure = violation() ?? String(describing: error)
        }
        return SimulationReport(
            seed: seed, hash: machine.trace.hash, steps: machine.scheduler.steps, simulatedTime: machine.scheduler.now,
            processes: machine.process.number, faults: machine.counts, failure: failure, trace: machine.trace.lines, scenario: summary)
    }

    /// Keeps the calling thread, and the threads that it starts from now on, on the processor that it is on: passing the baton then wakes
    /// nobody on another processor, which takes many times as long. A machine that refuses is only slower.
    public static func stayOnThisProcessor(_ processor: Int? = nil) {
        guard let library = dlopen(nil, RTLD_NOW) else { return }
        defer { dlclose(library) }
        guard let symbol = dlsym(library, "sched_setaffinity"), let asking = dlsym(library, "sched_getcpu") else { return }
        typealias SetAffinity = @convention(c) (Int32, Int, UnsafeRawPointer) -> Int32
        typealias GetProcessor = @convention(c) () -> Int32
        let number = processor ?? Int(unsafeBitCast(asking, to: GetProcessor.self)())
        guard (0..<1024).contains(number) else { return }
        var mask = [UInt64](repeating: 0, count: 16)
        mask[number / 64] |= 1 << UInt64(number % 64)
        _ = unsafeBitCast(symbol, to: SetAffinity.self)(0, 128, mask)
    }
}
