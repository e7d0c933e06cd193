import ArgumentParser
import Dataflow
import Dispatch
import FoundationEssentials
import Glibc
import StreamModel

/// A job from launch to end, observed from outside as by an operator.
final class BenchJob: Sendable {
    let running: RunningJob
    private let changed: DispatchSemaphore
    private let launchedAt: ContinuousClock.Instant

    /// Launches a job.
    /// - Parameter restore: a snapshot to start from.
    init(_ job: any StreamJob, parallelism: Int, root: String, restore: String? = nil) throws {
        let changed = DispatchSemaphore(value: 0)
        self.changed = changed
        launchedAt = .now
        var launch = JobLaunch(
            id: JobID(high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max)), job: job, parallelism: parallelism,
            storageRoot: root, submittedAt: WallTime(milliseconds: 0))
        launch.restore = restore.map { RestoreRequest(path: $0) }
        running = try RunningJob.launch(launch) { _ in changed.signal() }
    }

    /// Seconds since the launch.
    var elapsed: Double { (ContinuousClock.now - launchedAt) / .seconds(1) }

    /// Waits for a condition on the report; throws if the job ends first.
    @discardableResult
    func wait(until condition: (JobReport) -> Bool) throws -> JobReport {
        while true {
            let report = running.report()
            if condition(report) { return report }
            if running.hasEnded { throw BenchError(report) }
            changed.wait()
        }
    }

    /// Waits for the end of a bounded job.
    func finish(records: UInt64) throws -> Measurement {
        while !running.hasEnded { changed.wait() }
        let elapsed = elapsed
        let report = running.report()
        guard report.state == .finished else { throw BenchError(report) }
        return Measurement(records: records, seconds: elapsed, job: running)
    }

    /// Ends an unbounded job, keeping its checkpoints by its retention.
    func cancel() {
        running.cancel(.byPolicy) { _ in }
        while !running.hasEnded { changed.wait() }
    }
}

/// A job that did not end as expected.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ report: JobReport) { description = "the job ended \(report.state.rawValue): \(report.lastFailure?.message ?? "no reason given")" }
}

/// Result of a run.
struct Measurement {
    let records: UInt64
    let seconds: Double
    let checkpoints: Int
    /// Duration of the longest checkpoint.
    let longestMilliseconds: Int64
    let pauses: Pauses

    init(records: UInt64, seconds: Double, job: RunningJob) {
        self.records = records
        self.seconds = seconds
        let completed = job.checkpoints(limit: 10_000).filter { $0.status == .completed }
        checkpoints = completed.count
        longestMilliseconds = completed.compactMap { $0.duration?.count }.max() ?? 0
        pauses = Pauses(of: completed.compactMap { job.checkpoint($0.id) })
    }

    var recordsPerSecond: Double { Double(records) / seconds }

    /// One line of results. `records_per_s` comes right after the time, for scripts that cut it out.
    var line: String {
        "records \(records) elapsed_s \(rounded(seconds)) records_per_s \(Int(recordsPerSecond)) checkpoints \(checkpoints) "
            + "longest_ms \(longestMilliseconds) pause_max_us \(pauses.maximum) rss_peak_mib \(peakResidentMiB())"
    }
}

/// Pauses of the subtasks at barriers: one per subtask and checkpoint, in microseconds.
struct Pauses {
    private let sorted: [Int64]

    /// Creates the pauses.
    /// - Parameter checkpoints: with detail per operator; older ones without it do not count.
    init(of checkpoints: [CheckpointReport]) {
        sorted = checkpoints.flatMap { ($0.operators ?? []).flatMap { $0.subtasks.map(\.syncMicroseconds) } }.sorted()
    }

    var count: Int { sorted.count }
    var maximum: Int64 { sorted.last ?? 0 }
    /// A quantile: the smallest pause not exceeded by this share (0 ... 1) of the pauses.
    func quantile(_ share: Double) -> Int64 {
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int((Double(sorted.count) * share).rounded(.up)) - 1)]
    }
}

/// Directory for the checkpoints of a benchmark.
struct BenchDirectory {
    let path: String
    private let isTemporary: Bool

    /// Opens a named directory, which stays; nil = a temporary one, deleted by `remove`.
    init(_ named: String?) throws {
        if let named {
            (path, isTemporary) = (named, false)
            return
        }
        var template = Array("/tmp/weir-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ValidationError("cannot make a temporary directory: \(String(cString: strerror(errno)))") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        isTemporary = true
    }

    func remove() throws {
        if isTemporary { try FileManager.default.removeItem(atPath: path) }
    }

    /// Runs the body with the directory and removes it afterwards, even on an error.
    static func with<Result>(_ named: String?, _ body: (String) throws -> Result) throws -> Result {
        let directory = try BenchDirectory(named)
        do {
            let result = try body(directory.path)
            try directory.remove()
            return result
        } catch {
            // CocoaError: the first failure is the one to report.
            try? directory.remove()
            throw error
        }
    }
}

/// An interval such as "3s", "500ms", "off".
struct Interval: ExpressibleByArgument, CustomStringConvertible {
    let span: Milliseconds?
    let description: String

    init?(argument: String) {
        description = argument
        if argument == "off" {
            span = nil
        } else if argument.hasSuffix("ms"), let count = Int64(argument.dropLast(2)), count > 0 {
            span = Milliseconds(count)
        } else if argument.hasSuffix("s"), let count = Int64(argument.dropLast()), count > 0 {
            span = .seconds(count)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String { description }
}

func rounded(_ value: Double) -> String { String((value * 100).rounded() / 100) }

/// The median of several runs.
func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// Peak resident memory of this process in MiB. Not from `getrusage`, which includes the size of the parent process at the start.
func peakResidentMiB() -> Int {
    let descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return 0 }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(descriptor, &bytes, bytes.count)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return text.firstMatch(of: /VmHWM:\s+(\d+)/).flatMap { Int($0.1) }.map { $0 / 1024 } ?? 0
}
