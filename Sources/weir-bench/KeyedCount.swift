import ArgumentParser
import Dataflow
import Dispatch
import FoundationEssentials
import Glibc
import StreamModel

/// sequence -> mix -> shuffle by key -> running count: the job that the budgets are stated for.
struct KeyedCountJob: StreamJob {
    let records: UInt64
    let keys: UInt64
    let interval: Milliseconds?
    let directory: String

    var name: String { "keyed-count" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        let keys = self.keys
        environment.read(GeneratorSource<UInt64>(count: records) { place in ((place.sequence &* 0x9e37_79b9_7f4a_7c15) >> 1) % keys })
            .uid("gen")
            .key(by: { $0 })
            .process { RunningCount() }.uid("count")
            .discard().uid("sink")
    }
}

/// Emits every 1,024th count of a key, as the Flink job does.
struct RunningCount: KeyedProcessFunction {
    private var count: ValueState<UInt64, UInt64>?

    mutating func open(_ states: KeyedStates<UInt64>) throws { count = try states.value("count") }

    func process(_ record: UInt64, key: UInt64, out: Emitter<UInt64>) throws {
        guard let count else { return }
        let new = count.update(initial: 0) { value in
            value += 1
            return value
        }
        if new & 1023 == 0 { out.emit(new) }
    }
}

struct KeyedCount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keyed-count", abstract: "Counts records by key, with checkpoints; prints records a second.",
        discussion: "Example: weir-bench keyed-count --records 200000000 --keys 1000000 --parallelism 2 --interval 3s")

    @Option(help: "Records to read.") var records: UInt64 = 200_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints, such as 3s or 500ms; off = none.") var interval = "3s"
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        let (root, isTemporary) = try directory.map { ($0, false) } ?? (temporaryDirectory(), true)
        let interval = try duration(interval)
        let id = JobID(high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max))
        let job = KeyedCountJob(records: records, keys: keys, interval: interval, directory: root)
        let ended = DispatchSemaphore(value: 0)
        let start = ContinuousClock.now
        let running = try RunningJob.launch(
            JobLaunch(id: id, job: job, parallelism: parallelism, storageRoot: root, submittedAt: WallTime(milliseconds: 0))
        ) { running in
            if running.hasEnded { ended.signal() }
        }
        ended.wait()
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        let report = running.report()
        guard report.state == .finished else {
            throw ValidationError("the job ended \(report.state.rawValue): \(report.lastFailure?.message ?? "no reason given")")
        }
        if isTemporary { try FileManager.default.removeItem(atPath: root) }
        let completed: [CheckpointReport] = running.checkpoints(limit: 10_000).filter { $0.status == .completed }
        let longest = completed.compactMap { $0.duration?.count }.max() ?? 0
        let operators = completed.compactMap { running.checkpoint($0.id)?.operators }.flatMap { $0 }
        let pauses = operators.flatMap(\.subtasks).map(\.syncMicroseconds)
        print(
            "records \(records) keys \(keys) parallelism \(parallelism) interval \(self.interval) elapsed_s \(rounded(elapsed)) "
                + "records_per_s \(Int(Double(records) / elapsed)) checkpoints \(completed.count) longest_ms \(longest) "
                + "pause_max_us \(pauses.max() ?? 0) rss_peak_mib \(peakResidentMiB())")
    }
}

private func duration(_ text: String) throws -> Milliseconds? {
    if text == "off" { return nil }
    if text.hasSuffix("ms"), let count = Int64(text.dropLast(2)) { return Milliseconds(count) }
    if text.hasSuffix("s"), let count = Int64(text.dropLast()) { return .seconds(count) }
    throw ValidationError("interval \"\(text)\" is no duration: write 3s, 500ms or off")
}

func temporaryDirectory() throws -> String {
    var template = Array("/tmp/weir-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ValidationError("cannot make a temporary directory: \(String(cString: strerror(errno)))") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

func rounded(_ value: Double) -> String { String((value * 100).rounded() / 100) }

/// The most memory this process had resident, in MiB.
func peakResidentMiB() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss / 1024
}
