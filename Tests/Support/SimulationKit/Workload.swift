internal import Dataflow
internal import StreamModel

/// What the job reads: numbered records, so that every record that a sink shows can be told from every other.
struct SimulatedRecord: EventTimed {
    let key: UInt64
    let split: Int
    /// 0, 1, 2, ... within the key and the split.
    let ordinal: UInt64
    /// Rises within a split; the splits of one subtask may be far apart after a restore, so some records are late.
    var eventTime = EventTime(milliseconds: 0)
}

/// The state of a key: how many records it had, and a sum over their identities that does not depend on their order.
struct KeyTotals: StateCodable, Equatable {
    var count: UInt64 = 0
    var digest: UInt64 = 0

    mutating func add(_ record: SimulatedRecord) {
        count += 1
        digest &+= Self.identity(split: UInt64(record.split), ordinal: record.ordinal)
    }

    static func identity(split: UInt64, ordinal: UInt64) -> UInt64 {
        var mixer = SimulationRandom(seed: split << 40 ^ ordinal)
        return mixer.next()
    }

    static var stateTypeName: String { "KeyTotals" }
    func encode(into writer: inout StateWriter) {
        writer.write(count)
        writer.write(digest)
    }
    init() {}
    init(from reader: inout StateReader) throws(StateDecodingError) {
        count = try reader.read()
        digest = try reader.read()
    }
}

/// One record of the output: the input, and the state of its key after it.
struct OutputRecord: Sendable, Equatable {
    var key, split, ordinal, count, digest: UInt64
    static let length = 40

    init(_ record: SimulatedRecord, _ totals: KeyTotals) {
        (key, split, ordinal) = (record.key, UInt64(record.split), record.ordinal)
        (count, digest) = (totals.count, totals.digest)
    }

    @Sendable static func encode(_ record: OutputRecord, into writer: inout StateWriter) {
        for word in [record.key, record.split, record.ordinal, record.count, record.digest] { writer.write(word) }
    }

    /// nil = not a whole number of records.
    static func decode(_ bytes: [UInt8]) -> [OutputRecord]? {
        guard bytes.count % length == 0 else { return nil }
        return stride(from: 0, to: bytes.count, by: length).map { start in
            func word(_ index: Int) -> UInt64 {
                bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: start + index * 8, as: UInt64.self)) }
            }
            var record = OutputRecord(SimulatedRecord(key: word(0), split: 0, ordinal: word(2)), KeyTotals())
            (record.split, record.count, record.digest) = (word(1), word(3), word(4))
            return record
        }
    }
}

/// Counts and sums by key, and says after each record where its key stands.
private struct Totalizer: KeyedProcessFunction {
    private var totals: ValueState<UInt64, KeyTotals>?

    mutating func open(_ states: KeyedStates<UInt64>) throws { totals = try states.value("totals") }

    mutating func process(_ record: SimulatedRecord, key: UInt64, out: Emitter<OutputRecord>) throws {
        guard let totals else { return }
        let now = totals.update(initial: KeyTotals()) { value in
            value.add(record)
            return value
        }
        out.emit(OutputRecord(record, now))
    }
}

/// The same sums as an aggregate that speaks once, at the end.
private struct Summary: AggregateFunction {
    func makeAccumulator() -> KeyTotals { KeyTotals() }
    func add(_ record: SimulatedRecord, to totals: inout KeyTotals) { totals.add(record) }
    func result(of totals: KeyTotals) -> KeyTotals { totals }
}

/// Where a line of restarts has its files.
struct SimulatedPlace: Sendable {
    let output, summaries, windows: String
    let storage: String
    let savepoints = "/state/savepoints"

    /// - Parameter name: tells the output of one line from that of the others.
    init(_ name: String = "", storage: String = "/state/checkpoints") {
        (output, summaries, windows) = ("/out\(name)/records", "/out\(name)/summaries", "/out\(name)/windows")
        self.storage = storage
    }

    var outputs: [String] { [output, summaries, windows] }
}

/// The job of a scenario: generator, key by, keyed state, exactly-once files.
struct SimulatedJob: StreamJob {
    let scenario: Scenario
    private var place: SimulatedPlace { scenario.place }
    /// Passed by every record that the job reads.
    var probe: (@Sendable () -> Void)?
    let name = "simulated"

    func build(_ environment: StreamEnvironment) throws {
        let scenario = scenario
        environment.checkpoints = scenario.checkpoints
        environment.restartStrategy = scenario.restartStrategy
        environment.maxParallelism = scenario.maxParallelism
        environment.allowsFaults = true
        let keys = UInt64(scenario.keys), probe = probe
        let source = GeneratorSource(count: UInt64(scenario.records), rate: scenario.rate, splits: scenario.splits) { place in
            probe?()
            return SimulatedRecord(
                key: place.ordinal % keys, split: place.split, ordinal: place.ordinal / keys, eventTime: EventTime(milliseconds: Int64(place.ordinal) * 10))
        }
        var numbers = environment.read(source, name: "numbers").uid("numbers")
        if let bound = scenario.windows?.outOfOrderness { numbers = numbers.assignWatermarks(.boundedOutOfOrderness(Milliseconds(bound))).uid("watermarks") }
        var keyed = numbers.key { $0.key }
        if scenario.hasAudit { keyed = keyed.verifySequence(uid: "audit", split: { $0.split }, ordinal: { $0.ordinal }) }
        let rolling = FileRolling(maximumBytes: scenario.rollsAt.bytes, maximumAge: scenario.rollsAt.age.map { Milliseconds($0) })
        keyed.process { Totalizer() }.uid("totals").write(to: FileSink(directory: place.output, rolling: rolling, encode: OutputRecord.encode)).uid("sink")
        if let windows = scenario.windows { addWindows(keyed, size: Milliseconds(windows.size)) }
        guard scenario.hasSummary else { return }
        keyed.aggregate(Summary(), emit: .endOfInput).uid("summary").write(
            to: FileSink(directory: place.summaries) { summary, writer in
                for word in [summary.key, summary.value.count, summary.value.digest] { writer.write(word) }
            }
        ).uid("summaries")
    }

    /// Sums by window, and what came too late for its window beside them: together all records, each once.
    private func addWindows(_ keyed: KeyedStream<UInt64, SimulatedRecord>, size: Milliseconds) {
        let late = OutputTag<SimulatedRecord>("late")
        let windows = keyed.window(.tumbling(size)).lateData(to: late).aggregate(Summary()).uid("windows")
        windows.write(
            to: FileSink(directory: place.windows) { result, writer in
                for word in [result.key, result.value.count, result.value.digest] { writer.write(word) }
            }
        ).uid("sums")
        windows.sideOutput(late).write(
            to: FileSink(directory: place.windows) { record, writer in
                var totals = KeyTotals()
                totals.add(record)
                for word in [record.key, totals.count, totals.digest] { writer.write(word) }
            }
        ).uid("late")
    }
}

/// What a run without faults would write, computed without the engine.
struct Reference {
    /// By key: how many records each split has of it.
    private(set) var counts: [UInt64: [UInt64]] = [:]
    private(set) var totals: [UInt64: KeyTotals] = [:]

    init(_ scenario: Scenario) {
        for number in 0..<scenario.records {
            let split = number % scenario.splits, place = UInt64(number / scenario.splits), keys = UInt64(scenario.keys)
            let record = SimulatedRecord(key: place % keys, split: split, ordinal: place / keys)
            counts[record.key, default: [UInt64](repeating: 0, count: scenario.splits)][split] += 1
            totals[record.key, default: KeyTotals()].add(record)
        }
    }
}
