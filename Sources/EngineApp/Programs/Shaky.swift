internal import ControlProtocol
internal import Dataflow
internal import StreamModel

/// A small counting job that takes injected faults, so that failing checkpoints and the failure budget can be shown.
struct Shaky: StreamJob {
    var name = "shaky"
    var rate: Double?
    var interval: Milliseconds

    static let program = Program(
        description: ProgramDescription(
            name: "shaky", help: "Counts sensor readings, and fails its snapshots when told to (fault \"slow 5s\", \"fail 3\", \"crash\", \"off\").",
            arguments: [
                .init(name: "rate", help: "Readings a second.", defaultValue: "500"),
                .init(name: "interval", help: "Time between checkpoints.", defaultValue: "2s"),
            ]),
        parallelism: 2
    ) { arguments throws(ProgramError) in
        Shaky(rate: try arguments.rate("rate"), interval: try arguments.duration("interval", in: 10...86_400_000) ?? .seconds(2))
    }

    func build(_ environment: StreamEnvironment) throws {
        environment.allowsFaults = true
        environment.enableCheckpointing(every: interval)
        environment.checkpoints.timeout = .seconds(10)
        environment.checkpoints.tolerableFailures = 3
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 5
        environment.restartStrategy = .fixedDelay(attempts: 20, delay: .seconds(2))
        environment
            .read(GeneratorSource(rate: rate, splits: 4) { $0.sequence % 100 }, name: "sensors").uid("sensors")
            .key { $0 }
            .aggregate(Count()).uid("count").name("count")
            .discard().uid("sink").name("sink")
    }
}
