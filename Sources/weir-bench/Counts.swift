import ArgumentParser
import Dataflow
import StreamModel

/// sequence -> mix -> shuffle by key -> running count: the job of the budgets.
struct KeyedCountJob: StreamJob {
    let records: UInt64
    let keys: UInt64
    let interval: Milliseconds?
    let directory: String
    /// Number of `map`s between the source and the shuffle, each of which adds nothing.
    var operators = 0

    var name: String { "keyed-count" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        let keys = self.keys
        var numbers = environment.read(GeneratorSource<UInt64>(count: records) { mixed($0.sequence) % keys }).uid("gen")
        for index in 0..<operators { numbers = numbers.map { $0 }.uid("map \(index)") }
        numbers.key(by: { $0 }).process { RunningCount<UInt64>() }.uid("count").discard().uid("sink")
    }
}

/// The keyed count with keys of 21-byte texts such as `customer-000000123456`: stored in place, or each on the heap.
struct StringCountJob: StreamJob {
    let type: StringCount.TextType
    let records: UInt64
    let keys: UInt64
    let interval: Milliseconds?
    let directory: String

    var name: String { "string-count" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        // Concrete types here, so that the whole path is specialised for them.
        switch type {
        case .short: describe(environment, ShortText.self)
        case .string: describe(environment, String.self)
        }
    }

    @inline(__always)
    private func describe<Text: CustomerText>(_ environment: StreamEnvironment, _ type: Text.Type) {
        let keys = self.keys
        environment.read(GeneratorSource<Text>(count: records) { Text(customer: mixed($0.sequence) % keys) }).uid("gen")
            .key(by: { $0 })
            .process { RunningCount<Text>() }.uid("count")
            .discard().uid("sink")
    }
}

/// A text of "customer-" and twelve digits.
protocol CustomerText: StreamKey {
    init(customer number: UInt64)
}

extension ShortText: CustomerText {
    init(customer number: UInt64) {
        self = withUnsafeTemporaryAllocation(byteCount: 21, alignment: 1) { buffer in
            writeCustomer(number, to: buffer)
            // 21 bytes always fit.
            return ShortText(utf8: UnsafeRawBufferPointer(buffer))!
        }
    }
}

extension String: CustomerText {
    init(customer number: UInt64) {
        self.init(unsafeUninitializedCapacity: 21) { buffer in
            writeCustomer(number, to: UnsafeMutableRawBufferPointer(buffer))
            return 21
        }
    }
}

@inline(__always)
private func writeCustomer(_ number: UInt64, to buffer: UnsafeMutableRawBufferPointer) {
    buffer.storeBytes(of: 0x72_65_6d_6f_74_73_75_63, as: UInt64.self)  // "customer", little endian
    buffer[8] = UInt8(ascii: "-")
    var rest = number
    for index in stride(from: 20, through: 9, by: -1) {
        buffer[index] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
    }
}

/// The sequence of the C loop and the Flink job.
@inline(__always)
func mixed(_ sequence: UInt64) -> UInt64 { (sequence &* 0x9e37_79b9_7f4a_7c15) >> 1 }

/// Emits every 1,024th count of a key, as the Flink job does.
struct RunningCount<Key: StreamKey>: KeyedProcessFunction {
    private var count: ValueState<Key, UInt64>?

    mutating func open(_ states: KeyedStates<Key>) throws { count = try states.value("count") }

    func process(_ record: Key, key: Key, out: Emitter<UInt64>) throws {
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
        commandName: "keyed-count", abstract: "Counts numbers by key, with checkpoints.",
        discussion: "Example: weir-bench keyed-count --records 200000000 --keys 1000000 --parallelism 2 --interval 3s")

    @Option(help: "Records to read.") var records: UInt64 = 200_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints, such as 3s or 500ms; off = none.") var interval = Interval(argument: "3s")!
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        let measurement = try BenchDirectory.with(directory) { root in
            try BenchJob(KeyedCountJob(records: records, keys: keys, interval: interval.span, directory: root), parallelism: parallelism, root: root)
                .finish(records: records)
        }
        print("keyed-count keys \(keys) parallelism \(parallelism) interval \(interval) \(measurement.line)")
    }
}

struct StringCount: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "string-count", abstract: "Counts texts of 21 bytes by key, with checkpoints.",
        discussion: "Example: weir-bench string-count --records 50000000 --keys 1000000 --parallelism 2 --interval 3s --type string")

    enum TextType: String, ExpressibleByArgument, CaseIterable { case short, string }

    @Option(help: "The type of the keys: short (ShortText, stored in place) or string (String, on the heap).") var type = TextType.short
    @Option(help: "Records to read.") var records: UInt64 = 50_000_000
    @Option(help: "Distinct keys.") var keys: UInt64 = 1_000_000
    @Option(help: "Subtasks of each operator.") var parallelism = 2
    @Option(help: "Time between checkpoints, such as 3s or 500ms; off = none.") var interval = Interval(argument: "3s")!
    @Option(help: "Directory for checkpoints; default: a temporary one, deleted at the end.") var directory: String?

    func run() throws {
        let measurement = try BenchDirectory.with(directory) { root in
            let job = StringCountJob(type: type, records: records, keys: keys, interval: interval.span, directory: root)
            return try BenchJob(job, parallelism: parallelism, root: root).finish(records: records)
        }
        print("string-count type \(type) keys \(keys) parallelism \(parallelism) interval \(interval) \(measurement.line)")
    }
}
