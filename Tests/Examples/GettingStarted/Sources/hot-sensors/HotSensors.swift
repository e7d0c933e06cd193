import Dataflow
import StreamModel

/// A line of the input: "SENSOR MILLISECONDS CELSIUS".
struct Reading: EventTimed {
    let sensor: ShortText
    let eventTime: EventTime
    let celsius: Double

    init?(_ line: String) {
        let fields = line.split(separator: " ")
        guard fields.count == 3, let sensor = ShortText(String(fields[0])), let time = Int64(fields[1]), let celsius = Double(fields[2]) else { return nil }
        self.sensor = sensor
        eventTime = EventTime(milliseconds: time)
        self.celsius = celsius
    }
}

struct Hottest: AggregateFunction {
    func makeAccumulator() -> Double { -.infinity }
    func add(_ record: Reading, to accumulator: inout Double) { accumulator = max(accumulator, record.celsius) }
    func result(of accumulator: Double) -> Double { accumulator }
}

/// The hottest reading of each sensor and minute.
struct HotSensors: StreamJob {
    let name = "hot-sensors"
    let input: String, output: String

    func build(_ env: StreamEnvironment) throws {
        env.enableCheckpointing(every: .seconds(3))
        env.checkpoints.tolerableFailures = 3
        env.checkpoints.retention = .retainOnCancellation
        env.restartStrategy = .exponentialDelay()

        env.read(TextFileSource(paths: [input])).uid("lines")
            .flatMap(to: Reading.self) { line, out in
                if let reading = Reading(line) { out.emit(reading) }
            }.uid("readings")
            .assignWatermarks(.boundedOutOfOrderness(.seconds(5))).uid("watermarks")
            .key(by: { $0.sensor })
            .window(.tumbling(.seconds(60)))
            .aggregate(Hottest()).uid("hottest")
            .map { "\($0.window.start.milliseconds) \($0.key) \($0.value)" }.uid("text")
            .write(to: .lines(directory: output) { $0 }).uid("sink")
    }
}
