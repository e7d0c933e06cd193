internal import ControlProtocol
internal import Dataflow
internal import Glibc
internal import StreamModel

/// A small counting job with fault injection, to demonstrate failing checkpoints and the failure budget.
struct Shaky: StreamJob {
    var name = "shaky"
    var rate: Double?
    var interval: Milliseconds
    var timeout: Milliseconds
    /// Percentage of readings from one sensor.
    var hot: Int
    /// Microseconds to count one reading.
    var cost: Int
    /// Number of the reading that kills the engine; nil = none does.
    var killAt: UInt64?

    static let program = Program(
        description: ProgramDescription(
            name: "shaky", help: "Counts sensor readings; fails its snapshots on request (fault \"slow 5s\", \"fail 3\", \"stall\", \"crash\", \"off\").",
            arguments: [
                .init(name: "rate", help: "Readings per second.", defaultValue: "500"),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "2s"),
                .init(name: "timeout", help: "Longest time for a checkpoint.", defaultValue: "10s"),
                .init(name: "hot", help: "Percentage of readings from one sensor.", defaultValue: "0"),
                .init(name: "cost", help: "Microseconds to count one reading.", defaultValue: "0"),
                .init(name: "kill-at", help: "Number of the reading that kills the engine's process; none if omitted."),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        Shaky(
            rate: try arguments.rate("rate"), interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(2),
            timeout: try arguments.duration("timeout", in: 10...86_400_000) ?? .seconds(10), hot: try arguments.integer("hot", in: 0...100) ?? 0,
            cost: try arguments.integer("cost", in: 0...1_000_000) ?? 0,
            killAt: try arguments.integer("kill-at", in: 0...Int.max).map { UInt64($0) })
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.allowsFaults = true
        environment.enableCheckpointing(every: interval)
        environment.checkpoints.timeout = timeout
        environment.checkpoints.tolerableFailures = 3
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 5
        environment.restartStrategy = .fixedDelay(attempts: 20, delay: .seconds(2))
        let hot = UInt64(hot), killAt = killAt
        environment
            .read(GeneratorSource(rate: rate, splits: 4) { Self.reading($0, killAt: killAt) }, name: "sensors").uid("sensors")
            .key { $0 < hot ? 0 : $0 }
            .aggregate(SlowCount(cost: cost)).uid("count").name("count")
            .discard().uid("sink").name("sink")
    }

    private static func reading(_ place: GeneratorPlace, killAt: UInt64?) -> UInt64 {
        // As the kernel kills a process that needs too much memory: nothing is cleaned up.
        if place.sequence == killAt { kill(getpid(), SIGKILL) }
        return place.sequence % 100
    }
}

/// Counts with a fixed time per record, like a job that queries a service for every record.
struct SlowCount: AggregateFunction {
    var cost: Int

    func makeAccumulator() -> UInt64 { 0 }

    func add(_ reading: UInt64, to count: inout UInt64) {
        count &+= 1
        guard cost > 0 else { return }
        var pause = timespec(tv_sec: cost / 1_000_000, tv_nsec: cost % 1_000_000 * 1000)
        nanosleep(&pause, nil)
    }

    func result(of count: UInt64) -> UInt64 { count }
}
