internal import ControlProtocol
internal import Dataflow
internal import Glibc
internal import StreamModel

/// A small counting job that takes injected faults, so that failing checkpoints and the failure budget can be shown.
struct Shaky: StreamJob {
    var name = "shaky"
    var rate: Double?
    var interval: Milliseconds
    var timeout: Milliseconds
    /// So many of a hundred readings are of one sensor.
    var hot: Int
    /// Microseconds that counting one reading takes.
    var cost: Int

    static let program = Program(
        description: ProgramDescription(
            name: "shaky", help: "Counts sensor readings, and fails its snapshots when told to (fault \"slow 5s\", \"fail 3\", \"stall\", \"crash\", \"off\").",
            arguments: [
                .init(name: "rate", help: "Readings a second.", defaultValue: "500"),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "2s"),
                .init(name: "timeout", help: "Time that a checkpoint may take.", defaultValue: "10s"),
                .init(name: "hot", help: "So many of a hundred readings are of one sensor.", defaultValue: "0"),
                .init(name: "cost", help: "Microseconds that counting a reading takes.", defaultValue: "0"),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        Shaky(rate: try arguments.rate("rate"), interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(2),
            timeout: try arguments.duration("timeout", in: 10...86_400_000) ?? .seconds(10), hot: try arguments.integer("hot", in: 0...100) ?? 0,
            cost: try arguments.integer("cost", in: 0...1_000_000) ?? 0)
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.allowsFaults = true
        environment.enableCheckpointing(every: interval)
        environment.checkpoints.timeout = timeout
        environment.checkpoints.tolerableFailures = 3
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 5
        environment.restartStrategy = .fixedDelay(attempts: 20, delay: .seconds(2))
        let hot = UInt64(hot)
        environment
            .read(GeneratorSource(rate: rate, splits: 4) { $0.sequence % 100 }, name: "sensors").uid("sensors")
            .key { $0 < hot ? 0 : $0 }
            .aggregate(SlowCount(cost: cost)).uid("count").name("count")
            .discard().uid("sink").name("sink")
    }
}

/// Counts, and takes its time for each: as a job that asks somebody else about every record.
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
