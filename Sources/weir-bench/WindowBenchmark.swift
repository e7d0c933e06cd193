import ArgumentParser
import Dataflow
import StreamModel

/// A measurement with event time.
private struct Reading: EventTimed {
    let sensor: UInt64
    let eventTime: EventTime
}

/// readings out of order by up to 200 ms -> watermarks -> shuffle by sensor -> count per sensor and window of one second.
struct WindowsJob: StreamJob {
    let records: UInt64
    let keys: UInt64
    /// Number of records per second of event time.
    let recordsPerSecond: UInt64
    let interval: Milliseconds?
    let directory: String

    var name: String { "windows" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        let keys = self.keys, perSecond = recordsPerSecond
        environment.read(
            GeneratorSource<Reading>(count: records) { place in
                let mixed = mixed(place.sequence)
                let time = Int64(place.sequence &* 1000 / perSecond) &- Int64(mixed >> 50) % 200
                return Reading(sensor: mixed % keys, eventTime: EventTime(milliseconds: time))
            }
        ).uid("readings")
            .assignWatermarks(.boundedOutOfOrderness(200)).uid("watermarks")
            .key(by: { $0.sensor })
            .window(.tumbling(1000))
            .aggregate(Count()).uid("windows")
            .discard().uid("sink")
    }
}

struct Windows: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windows", abstract: "Counts readings by sensor in tumbling windows of event time.",
        discussion: "Example: weir-bench windows --records 100000000 --keys 10000 --parallelism 2 --interval 3s")

    @Option(help: "Records to read.") var records: UInt64 = 100_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 10_000
    @Option(help: "Records in a second of event time.") var recordsPerSecond: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints, such as 3s or 500ms; off = none.") var interval = Interval(argument: "3s")!
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        guard recordsPerSecond > 0 else { throw ValidationError("--records-per-second must be at least 1") }
        let measurement = try BenchDirectory.with(directory) { root in
            try BenchJob(
                WindowsJob(records: records, keys: keys, recordsPerSecond: recordsPerSecond, interval: interval.span, directory: root),
                parallelism: parallelism, root: root
            ).finish(records: records)
        }
        print("windows keys \(keys) parallelism \(parallelism) interval \(interval) \(measurement.line)")
    }
}
