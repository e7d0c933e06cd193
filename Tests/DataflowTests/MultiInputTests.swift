import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: graphs with several inputs lose and repeat nothing, cut checkpoints over all channels of all inputs, and end when all have ended.
// Method: real threads and files; results compared with ones computed without the engine.

/// Counts the records of two numbered streams by key, at the end: "key first second".
private struct PairCount: KeyedTwoInputFunction {
    var first: ValueState<UInt64, UInt64>?
    var second: ValueState<UInt64, UInt64>?
    var all: PagedTable<UInt64, UInt64>?
    var states: KeyedStates<UInt64>?

    mutating func open(_ context: KeyedContext<UInt64>) throws {
        states = context.states
        first = try context.states.value("first")
        second = try context.states.value("second")
        all = try context.states.table("all")
    }
    mutating func processFirst(_ record: UInt64, key: UInt64, out: Emitter<String>) throws {
        first?.update(initial: 0) { $0 += 1 }
        _ = all?.upsert(key, hash: key.stableHash) { 0 }
    }
    mutating func processSecond(_ record: UInt64, key: UInt64, out: Emitter<String>) throws {
        second?.update(initial: 0) { $0 += 1 }
        _ = all?.upsert(key, hash: key.stableHash) { 0 }
    }
    mutating func endOfInput(out: Emitter<String>) throws {
        guard let first, let second, let all else { return }
        var lines: [String] = []
        all.forEach { entry in
            states?.select(entry.key, hash: entry.key.stableHash)
            lines.append("\(entry.key) \(first.value ?? 0) \(second.value ?? 0)")
        }
        all.removeAll()
        for line in lines { out.emit(line) }
    }
}

/// Two generators of different length and speed, joined by key.
struct TwoInputJob: StreamJob {
    var directory: String
    var output: String
    var counts: (UInt64, UInt64) = (20_000, 10_000)
    var rates: (Double?, Double?) = (nil, nil)
    var interval: Milliseconds? = 20
    var mode = CheckpointConfiguration.Mode.exactlyOnce
    static let keys: UInt64 = 53

    var name: String { "two inputs" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = interval
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 100
        environment.checkpoints.mode = mode
        environment.restartStrategy = .fixedDelay(attempts: 10, delay: 10)
        environment.allowsFaults = true
        let first = environment.read(GeneratorSource<UInt64>(count: counts.0, rate: rates.0, splits: 4) { $0.sequence }, name: "first").uid("first")
        let second = environment.read(GeneratorSource<UInt64>(count: counts.1, rate: rates.1, splits: 4) { $0.sequence }, name: "second").uid("second")
        first.key { $0 % Self.keys }.connect(second.key { $0 % Self.keys })
            .process { PairCount() }.uid("pairs")
            .write(to: .lines(directory: output) { $0 }).uid("sink")
    }

    var expected: [String] {
        func count(_ total: UInt64, _ key: UInt64) -> UInt64 { total > key ? (total - key + Self.keys - 1) / Self.keys : 0 }
        return (0..<Self.keys).map { "\($0) \(count(counts.0, $0)) \(count(counts.1, $0))" }.sorted()
    }

    func launch(parallelism: Int = 2, id: JobID = .random, lineage: JobID? = nil) -> JobLaunch {
        JobLaunch(id: id, lineage: lineage, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
    }
}

@Suite struct MultiInputTests {
    let place: Sandbox
    let job: TwoInputJob

    init() throws {
        place = Sandbox()
        job = TwoInputJob(directory: place("checkpoints"), output: place("out"))
    }

    @Test(arguments: [1, 2, 3])
    func twoInputsAreCountedExactly(parallelism: Int) throws {
        let probe = try JobProbe(job.launch(parallelism: parallelism))
        #expect(try probe.waitForEnd().state == .finished)
        #expect(try place.lines("out") == job.expected)
    }

    // Exactly once over both inputs: the fast one is held back at the barrier until the slow one has brought it.
    @Test(arguments: [(2, 3), (3, 1)])
    func aRestoreIsExactWhenOneInputIsSlow(before: Int, after: Int) throws {
        var slow = job
        slow.counts = (40_000, 1_500)
        slow.rates = (40_000, 1_000)
        let first = try JobProbe(slow.launch(parallelism: before))
        try first.wait("three checkpoints") { $0.counts.completed >= 3 && $0.throughput.recordsRead > 4000 }
        try first.cancel()
        let chosen = try #require(first.job.checkpoints(limit: 100).filter(\.isRestorable).dropFirst().first)
        slow.rates = (nil, nil)
        var launch = slow.launch(parallelism: after, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path))
        let second = try JobProbe(launch)
        #expect(try second.waitForEnd().state == .finished)
        #expect(try place.lines("out") == slow.expected)
    }

    @Test func aCrashWithTwoInputsIsExact() throws {
        var slow = job
        slow.rates = (20_000, 10_000)
        let probe = try JobProbe(slow.launch())
        try probe.wait("two checkpoints") { $0.counts.completed >= 2 }
        try probe.job.fault("crash")
        try probe.wait("the restart") { $0.restarts >= 1 && $0.restored != nil }
        #expect(try probe.waitForEnd().state == .finished)
        #expect(try place.lines("out") == slow.expected)
    }

    // The other input goes on for a second; checkpoints go on with it, and one of those can be restored.
    @Test func checkpointsContinueAfterOneOfTwoInputsHasEnded() throws {
        var slow = job
        slow.counts = (500, 20_000)
        slow.rates = (nil, 15_000)
        let first = try JobProbe(slow.launch())
        try first.wait("checkpoints after the first input has ended") { report in
            report.vertices.first { $0.uid == "first" }?.finishedSubtasks == 2 && report.counts.completed >= 3
        }
        let completed = first.report.counts.completed
        try first.wait("three more") { $0.counts.completed >= completed + 3 }
        try first.cancel()
        slow.rates = (nil, nil)
        var launch = slow.launch(parallelism: 3, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(first.report.latestCompleted?.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        #expect(try place.lines("out") == slow.expected)
    }

    @Test(arguments: [false, true])
    func aStopReachesBothInputs(drain: Bool) throws {
        var slow = job
        slow.rates = (10_000, 5_000)
        let probe = try JobProbe(slow.launch())
        try probe.wait("a checkpoint") { $0.counts.completed >= 1 && $0.throughput.recordsRead > 500 }
        #expect(try probe.stop(drain: drain).kind == .synchronousSavepoint)
        #expect(try probe.waitForEnd().state == .finished)
        let counted = try place.lines("out").reduce(0) { sum, line in sum + line.split(separator: " ").dropFirst().reduce(0) { $0 + (Int($1) ?? 0) } }
        #expect(counted == (drain ? Int(probe.job.sourcePosition()) : 0))
    }

    private func lines(parallelism: Int = 2, _ body: @escaping @Sendable (StreamEnvironment, FileSink<String>) throws -> Void) throws -> [String] {
        let output = place("out")
        let job = ClosureJob { environment in
            environment.checkpoints.interval = 20
            environment.restartStrategy = RestartStrategy.none
            try body(environment, .lines(directory: output) { $0 })
        }
        let report = try JobProbe(job.launch(in: place, parallelism: parallelism)).waitForEnd()
        try #require(report.state == .finished, "\(report.lastFailure?.message ?? "no failure")")
        return try place.lines("out")
    }

    private static func numbers(_ environment: StreamEnvironment, _ count: UInt64, _ name: String) -> DataStream<UInt64> {
        environment.read(GeneratorSource<UInt64>(count: count, splits: 3) { $0.sequence }, name: name).uid(name)
    }

    // A stream with itself, a filtered copy and another one: a graph that branches and joins again.
    @Test(arguments: [1, 2, 3])
    func aUnionHasTheRecordsOfAll(parallelism: Int) throws {
        let found = try lines(parallelism: parallelism) { environment, sink in
            let a = Self.numbers(environment, 3000, "a"), b = Self.numbers(environment, 500, "b").parallelism(1)
            a.union(a, a.filter { $0 % 2 == 0 }, b).map { "\($0)" }.write(to: sink)
        }
        let numbers = (0..<3000).flatMap { $0 % 2 == 0 ? [$0, $0, $0] : [$0, $0] } + Array(0..<500)
        #expect(found == numbers.map(String.init).sorted())
    }

    private struct Collect: TwoInputFunction {
        var rules = 0, records = 0
        var ends: [String] = []
        mutating func processFirst(_ record: UInt64, out: Emitter<String>) { records += 1 }
        mutating func processSecond(_ record: UInt64, out: Emitter<String>) { rules += 1 }
        mutating func firstEnded(out: Emitter<String>) { ends.append("first") }
        mutating func secondEnded(out: Emitter<String>) { ends.append("second") }
        mutating func endOfInput(out: Emitter<String>) { out.emit("\(rules) rules, \(records > 0 ? "records" : "none"), ended: \(ends.sorted())") }
    }

    @Test func aBroadcastStreamReachesEverySubtask() throws {
        let found = try lines(parallelism: 3) { environment, sink in
            Self.numbers(environment, 3000, "records").connect(Self.numbers(environment, 100, "rules").broadcast()).process { Collect() }.write(to: sink)
        }
        #expect(found == [String](repeating: "100 rules, records, ended: [\"first\", \"second\"]", count: 3))
    }

    private struct Sort: ProcessFunction {
        static let odd = OutputTag<String>("odd")
        var odd: Emitter<String>?
        mutating func open(_ context: ProcessContext) throws { odd = try context.sideOutput(Self.odd) }
        mutating func process(_ record: UInt64, out: Emitter<UInt64>) {
            if record % 2 == 0 { out.emit(record) } else { odd?.emit("odd \(record)") }
        }
    }

    @Test(arguments: [1, 3])
    func aSideOutputHasTheRecordsOfItsTag(parallelism: Int) throws {
        let found = try lines(parallelism: 2) { environment, sink in
            let sorted = Self.numbers(environment, 2000, "numbers").process { Sort() }.uid("sort")
            // One of the side output's consumers is chained, the other is not; a tag that nobody takes drops its records.
            sorted.map { "even \($0)" }.union(sorted.sideOutput(Sort.odd), sorted.sideOutput(Sort.odd).map { $0 + "!" }.parallelism(parallelism))
                .write(to: sink)
        }
        let expected = (0..<2000).flatMap { $0 % 2 == 0 ? ["even \($0)"] : ["odd \($0)", "odd \($0)!"] }
        #expect(found == expected.sorted())
    }

    private func refusal(_ body: @escaping @Sendable (StreamEnvironment) throws -> Void) -> String {
        do {
            let probe = try JobProbe(ClosureJob(body: body).launch(in: place))
            let report = try probe.waitForEnd()
            return report.lastFailure?.message ?? "launched"
        } catch { return String(describing: error) }
    }

    @Test func sideOutputErrorsNameTheTag() {
        #expect(
            refusal { Self.numbers($0, 1, "n").process { Sort() }.uid("sort").sideOutput(Sort.odd).uid("mine").discard() }
                .contains("side output \"odd\" has no uid of its own: it is the output of \"sort\""))
        #expect(
            refusal { environment in
                let sorted = Self.numbers(environment, 1, "n").process { Sort() }.uid("sort")
                sorted.sideOutput(Sort.odd).discard()
                sorted.sideOutput(OutputTag<Int>("odd")).discard()
            }.contains("side output \"odd\" of operator \"sort\" is taken with two record types, String and Int"))
        #expect(
            refusal { environment in
                environment.restartStrategy = RestartStrategy.none
                Self.numbers(environment, 1, "n").process { Sort() }.uid("sort").sideOutput(OutputTag<Int>("odd")).discard()
            }.contains("side output \"odd\" of operator \"sort\" is used with two record types"))
    }

    // Records of one producer keep their order through a union; a forward edge joins subtasks of the same index.
    @Test func aUnionKeepsTheOrderPerProducer() throws {
        let wrong = Mutex<Int>(0), seen = Mutex<Int>(0)
        struct InOrder: ProcessFunction {
            let report: @Sendable (Bool) -> Void
            var last: [UInt64: UInt64] = [:]
            mutating func process(_ record: UInt64, out: Emitter<UInt64>) {
                report(last[record % 3].map { $0 < record } ?? true)
                last[record % 3] = record
            }
        }
        let report: @Sendable (Bool) -> Void = { isRight in
            seen.withLock { $0 += 1 }
            if !isRight { wrong.withLock { $0 += 1 } }
        }
        _ = try lines(parallelism: 3) { environment, sink in
            // sequence % 3 is the split, which is the subtask.
            let numbers = Self.numbers(environment, 60_000, "numbers")
            numbers.union(numbers.filter { _ in false }).process { InOrder(report: report) }.map { "\($0)" }.write(to: sink)
        }
        #expect(wrong.withLock { $0 } == 0 && seen.withLock { $0 } == 60_000)
    }
}
