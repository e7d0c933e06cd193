import Dataflow
import Foundation
import StreamModel
import TestKit
import Testing

// The job that the article "A first job" shows, compiled and run.

/// "SENSOR MILLISECONDS CELSIUS"
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

// article begins
struct HotSensors: StreamJob {
    let name = "hot-sensors"
    let input: String, output: String

    func build(_ env: StreamEnvironment) throws {
        env.enableCheckpointing(every: .seconds(3))
        env.checkpoints.minimumPause = .seconds(1)
        env.checkpoints.tolerableFailures = 3
        env.checkpoints.retention = .retainOnCancellation
        env.checkpoints.incremental = true
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
// article ends

@Suite struct ReadmeJobTests {
    @Test func theArticleShowsThisJob() throws {
        let source = try String(contentsOf: URL(filePath: #filePath), encoding: .utf8)
        let article = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Sources/Dataflow/Dataflow.docc/FirstJob.md"), encoding: .utf8)
        let begin = try #require(source.range(of: "// article begins\n")), end = try #require(source.range(of: "// article ends\n"))
        #expect(article.contains("```swift\n\(source[begin.upperBound..<end.lowerBound])```"))
    }

    @Test func theJobFindsTheHottestReadingOfEachMinute() throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "weir-readme-\(UInt64.random(in: .min ... .max))").path
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: home) }  // A leftover in the temporary directory harms nobody.
        try "a 1000 20.5\nb 2000 19\na 59999 23.5\nnonsense\na 60000 18\nb 61000 30\n".write(toFile: home + "/in", atomically: true, encoding: .utf8)
        let id = JobID(high: 7, low: 7)
        let ended = DispatchSemaphore(value: 0)
        let job = try RunningJob.launch(
            JobLaunch(
                id: id, job: HotSensors(input: home + "/in", output: home + "/out"), parallelism: 2, storageRoot: home + "/checkpoints",
                submittedAt: WallTime(milliseconds: 0))
        ) { if $0.hasEnded { ended.signal() } }
        #expect(ended.wait(timeout: .now() + 60) == .success)
        #expect(job.report().state == .finished, "\(job.report().lastFailure?.message ?? "")")
        let parts = try FileManager.default.contentsOfDirectory(atPath: home + "/out").filter { $0.hasPrefix("part-") }
        let lines = try parts.flatMap { try String(contentsOfFile: home + "/out/" + $0, encoding: .utf8).split(separator: "\n").map(String.init) }
        #expect(lines.map { $0.split(separator: " ").dropFirst().joined(separator: " ") }.sorted() == ["a 18.0", "a 23.5", "b 19.0", "b 30.0"])
    }
}
