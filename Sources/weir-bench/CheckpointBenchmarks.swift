import ArgumentParser
import Dataflow
import Glibc
import StreamModel

struct CheckpointCost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint-cost", abstract: "The keyed count with checkpoints and without, in turn; prints the ratio of the medians.",
        discussion: "Example: weir-bench checkpoint-cost --rounds 5 --interval 3s")

    @Option(help: "Records of each run.") var records: UInt64 = 300_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints.") var interval = Interval(argument: "3s")!
    @Option(help: "Runs of each kind.") var rounds = 3
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        var with: [Double] = [], without: [Double] = []
        for _ in 0..<max(rounds, 1) {
            without.append(try rate(nil))
            with.append(try rate(interval.span))
        }
        let ratio = median(with) / median(without)
        print(
            "checkpoint-cost keys \(keys) parallelism \(parallelism) interval \(interval) rounds \(rounds) "
                + "records_per_s_without \(Int(median(without))) records_per_s_with \(Int(median(with))) cost_percent \(rounded((1 - ratio) * 100))")
    }

    private func rate(_ interval: Milliseconds?) throws -> Double {
        try BenchDirectory.with(directory) { root in
            try BenchJob(KeyedCountJob(records: records, keys: keys, interval: interval, directory: root), parallelism: parallelism, root: root)
                .finish(records: records).recordsPerSecond
        }
    }
}

/// A state row of 64 bytes with its key.
struct WideRow: StateCodable {
    var fields: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)

    static var stateTypeName: String { "WideRow" }

    init() {}

    func encode(into writer: inout StateWriter) {
        writer.write(fields.0)
        writer.write(fields.1)
        writer.write(fields.2)
        writer.write(fields.3)
        writer.write(fields.4)
        writer.write(fields.5)
        writer.write(fields.6)
    }

    init(from reader: inout StateReader) throws(StateDecodingError) {
        fields = (
            try reader.read(), try reader.read(), try reader.read(), try reader.read(), try reader.read(), try reader.read(), try reader.read()
        )
    }
}

/// Fills the state with a row for every key, then keeps changing rows at random.
struct WideStateJob: StreamJob {
    let rows: UInt64
    let rate: Double?
    let interval: Milliseconds?
    let isIncremental: Bool
    let directory: String

    var name: String { "wide-state" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.incremental = isIncremental
        environment.checkpoints.timeout = .seconds(300)
        let rows = self.rows
        environment.read(GeneratorSource<UInt64>(rate: rate) { place in place.sequence < rows ? place.sequence : mixed(place.sequence) % rows }).uid("gen")
            .key(by: { $0 })
            .process { Touch() }.uid("rows")
            .discard().uid("sink")
    }

    private struct Touch: KeyedProcessFunction {
        private var row: ValueState<UInt64, WideRow>?

        mutating func open(_ states: KeyedStates<UInt64>) throws { row = try states.value("row") }

        func process(_ record: UInt64, key: UInt64, out: Emitter<UInt64>) throws {
            row?.update(initial: WideRow()) { $0.fields.0 += 1 }
        }
    }
}

struct BarrierPause: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "barrier-pause",
        abstract: "How long a barrier stops a subtask with large state, and how long a restore of it takes against reading the files.",
        discussion: """
            Fills rows of 64 bytes until the state has the size, goes on changing rows at random, and takes checkpoints. Then restores the \
            newest checkpoint and reads the same files as they are, in turn, each time from the disk and not from the page cache.
            Example: weir-bench barrier-pause --mebibytes 1024
            """)

    @Option(help: "Size of the state, in MiB.") var mebibytes: UInt64 = 256
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints.") var interval = Interval(argument: "1s")!
    @Option(help: "Checkpoints to take once the state is full.") var checkpoints = 30
    @Option(help: "Restores to time.") var restores = 3
    @Flag(help: "Incremental checkpoints: only pages that changed.") var incremental = false
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        let rows = mebibytes << 20 / 64
        try BenchDirectory.with(directory) { root in
            let snapshot = try pause(rows: rows, root)
            try restore(rows: rows, snapshot, root)
        }
    }

    /// Measures the pauses and returns the path of the newest checkpoint.
    private func pause(rows: UInt64, _ root: String) throws -> String {
        let job = try BenchJob(
            WideStateJob(rows: rows, rate: nil, interval: interval.span, isIncremental: incremental, directory: root), parallelism: parallelism,
            root: root)
        try job.wait { $0.throughput.recordsRead > rows }
        let filled = try job.wait { _ in true }.counts.completed
        try job.wait { $0.counts.completed >= filled + checkpoints + 1 }
        let completed = job.running.checkpoints(limit: 1000).filter { $0.status == .completed }.prefix(checkpoints)
        // The record keeps the detail of the newest fifty checkpoints.
        let pauses = Pauses(of: completed.compactMap { job.running.checkpoint($0.id) })
        let size = completed.first?.stateSize.count ?? 0
        job.cancel()
        print(
            "barrier-pause state_mib \(size >> 20) incremental \(incremental) parallelism \(parallelism) interval \(interval) checkpoints \(completed.count) "
                + "pause_p50_us \(pauses.quantile(0.5)) pause_p99_us \(pauses.quantile(0.99)) pause_max_us \(pauses.maximum) "
                + "longest_ms \(completed.compactMap { $0.duration?.count }.max() ?? 0) rss_peak_mib \(peakResidentMiB())")
        guard let path = job.running.checkpoints(limit: 1000).first(where: { $0.isRestorable })?.path else {
            throw ValidationError("no checkpoint was retained")
        }
        return path
    }

    private func restore(rows: UInt64, _ snapshot: String, _ root: String) throws {
        var restoring: [Double] = [], reading: [Double] = []
        let files = try SnapshotFiles(of: snapshot)
        for _ in 0..<max(restores, 1) {
            try files.dropFromCache()
            reading.append(try files.secondsToRead())
            try files.dropFromCache()
            let job = try BenchJob(
                WideStateJob(rows: rows, rate: 1000, interval: nil, isIncremental: incremental, directory: root), parallelism: parallelism, root: root,
                restore: snapshot)
            try job.wait { $0.restored != nil }
            restoring.append(job.elapsed)
            job.cancel()
        }
        print(
            "restore state_mib \(mebibytes) parallelism \(parallelism) restore_s \(rounded(median(restoring))) "
                + "read_s \(rounded(median(reading))) ratio \(rounded(median(restoring) / median(reading)))")
    }
}

struct Growth: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "growth", abstract: "The keyed count with parallelism 1, 2 and 4, and with 1, 10 and 100 operators in a chain.",
        discussion: "Example: weir-bench growth --records 50000000")

    @Option(help: "Records of each run.") var records: UInt64 = 50_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Time between checkpoints.") var interval = Interval(argument: "3s")!

    func run() throws {
        for parallelism in [1, 2, 4] { try measure(parallelism: parallelism, operators: 0) }
        for operators in [1, 10, 100] { try measure(parallelism: 2, operators: operators) }
    }

    private func measure(parallelism: Int, operators: Int) throws {
        let measurement = try BenchDirectory.with(nil) { root in
            try BenchJob(
                KeyedCountJob(records: records, keys: keys, interval: interval.span, directory: root, operators: operators),
                parallelism: parallelism, root: root
            ).finish(records: records)
        }
        print("growth parallelism \(parallelism) operators \(operators) \(measurement.line)")
    }
}
