import CheckpointStore
import FoundationEssentials
import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: list, union and broadcast state of an operator come back as Flink hands them out, and a changed shape is one clear error or a
// declared migration. Method: real jobs, cancelled and restarted at other parallelisms.

/// Keeps every record in a split list, its subtask's number in a union list and a broadcast map, and tells all at the end.
private struct Keeper: ProcessFunction {
    var subtask = 0
    var kept: OperatorListState<UInt64>?
    var union: OperatorListState<Int>?
    var copy: BroadcastState<String, Int>?

    mutating func open(_ context: ProcessContext) throws {
        subtask = context.subtask
        kept = try context.operatorStates.list("kept")
        union = try context.operatorStates.unionList("union")
        copy = try context.operatorStates.broadcast("copy")
    }

    mutating func process(_ record: UInt64, out: Emitter<String>) throws {
        kept?.elements.append(record)
        if union?.elements.isEmpty == true { union?.elements = [subtask] }
        if copy?["from"] == nil { copy?["from"] = subtask }
    }

    mutating func endOfInput(out: Emitter<String>) throws {
        for element in kept?.elements ?? [] { out.emit("kept \(element)") }
        kept?.elements = []
        out.emit("union of \(subtask): \((union?.elements ?? []).sorted())")
        out.emit("copy of \(subtask): \(copy?["from"] ?? -1)")
    }
}

private struct KeeperJob: StreamJob {
    var directory: String
    var output: String
    var records: UInt64 = 8000
    var splits = 12
    let name = "keeper"

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 100
        environment.checkpoints.tolerableFailures = 1000
        environment.restartStrategy = .fixedDelay(attempts: 10, delay: 10)
        environment.allowsFaults = true
        environment.read(GeneratorSource<UInt64>(count: records, rate: 4000, splits: splits) { $0.sequence }).uid("numbers")
            .process { Keeper() }.uid("keeper")
            .write(to: .lines(directory: output) { $0 }).uid("sink")
    }

    func launch(parallelism: Int) -> JobLaunch {
        JobLaunch(id: .random, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
    }
}

/// Counts by key in a state of a chosen shape, and emits every new count.
private struct Ledger<Shape: StateRecord>: KeyedProcessFunction {
    let migration: StateMigration<Shape>
    let make: @Sendable (UInt64) -> Shape
    let cents: @Sendable (Shape) -> UInt64
    var state: ValueState<UInt64, Shape>?

    mutating func open(_ states: KeyedStates<UInt64>) throws { state = try states.value("price", migration: migration) }

    mutating func process(_ record: UInt64, key: UInt64, out: Emitter<String>) throws {
        let next = (state?.value).map(cents) ?? 0
        state?.value = make(next + 1)
        out.emit("\(key) \(next + 1)")
    }
}

private struct LedgerJob: StreamJob {
    typealias Tests = StateRecordTests
    var directory: String
    var output: String
    var version: Int
    var migrates = true
    let name = "ledger"
    static let records: UInt64 = 6000

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 100
        environment.restartStrategy = RestartStrategy.none
        let keyed = environment.read(GeneratorSource<UInt64>(count: Self.records, rate: 3000, splits: 4) { $0.sequence }).uid("numbers").key { $0 % 61 }
        let counted: DataStream<String>
        switch version {
        case 1: counted = keyed.process { Ledger(migration: .none, make: { Tests.V1(cents: UInt32($0)) }, cents: { UInt64($0.cents) }) }
        case 2:
            let migration = StateMigration.from(Tests.V1.self) { Tests.V2(cents: UInt64($0.cents)) }
            counted = keyed.process { [migrates] in
                Ledger(migration: migrates ? migration : .none, make: { Tests.V2(cents: $0) }, cents: { $0.cents })
            }
        default:
            let migration = StateMigration.from(Tests.V1.self) { Tests.V2(cents: UInt64($0.cents)) }
                .then { Tests.V3(cents: $0.cents, currency: "EUR") }
            counted = keyed.process { Ledger(migration: migration, make: { Tests.V3(cents: $0, currency: "EUR") }, cents: { $0.cents }) }
        }
        counted.uid("ledger").write(to: .lines(directory: output) { $0 }).uid("sink")
    }

    static var expected: [String] {
        (0..<61 as Range<UInt64>).flatMap { key in (1...(records - key + 60) / 61).map { "\(key) \($0)" } }.sorted()
    }
}

@Suite struct OperatorStateTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    private func interrupted(_ launch: JobLaunch) throws -> (JobProbe, CheckpointReport) {
        let probe = try JobProbe(launch)
        try probe.wait("checkpoints") { $0.counts.completed >= 4 && $0.throughput.recordsRead > 2000 }
        try probe.cancel()
        return (probe, try #require(probe.job.checkpoints(limit: 100).first { $0.isRestorable }))
    }

    @Test(arguments: [(2, 2), (2, 3), (3, 2), (3, 1), (1, 4)])
    func operatorStateIsDistributedAsInFlink(before: Int, after: Int) throws {
        let job = KeeperJob(directory: place("checkpoints"), output: place("out"))
        let (first, chosen) = try interrupted(job.launch(parallelism: before))
        var launch = job.launch(parallelism: after)
        launch.lineage = first.job.id
        launch.restore = RestoreRequest(path: try #require(chosen.path))
        let second = try JobProbe(launch)
        if after == 3 {
            try second.wait("a checkpoint of its own") { $0.counts.completed >= 1 }
            try second.job.fault("crash")
        }
        #expect(try second.waitForEnd().state == .finished)
        let lines = try place.lines("out")
        #expect(lines.filter { $0.hasPrefix("kept") } == (0..<job.records).map { "kept \($0)" }.sorted(), "every element is in exactly one list")
        // After a second restore the lists have been united twice; each number is still in all of them.
        let union = lines.filter { $0.hasPrefix("union") }.map { Set($0.drop { $0 != "[" }.filter { $0.isNumber }) }
        #expect(union == Array(repeating: Set((0..<before).flatMap { String($0) }), count: after))
        #expect(lines.filter { $0.hasPrefix("copy") } == (0..<after).map { "copy of \($0): \($0 % before)" })
    }

    // flink.md 1.7: one split, so the second subtask of the chain has ended from the start.
    @Test func aPartlyFinishedVertexWithAUnionListFailsItsCheckpoints() throws {
        var job = KeeperJob(directory: place("checkpoints"), output: place("out"))
        job.splits = 1
        job.records = 4000
        let probe = try JobProbe(job.launch(parallelism: 2))
        try probe.wait("failures") { $0.counts.failed >= 2 }
        let failure = try #require(probe.job.checkpoints(limit: 10).compactMap(\.failure).last)
        #expect(failure.message.contains("operator \"keeper\" has a union list"), "\(failure.message)")
        #expect(try probe.waitForEnd().state == .finished, "once all have ended the last checkpoint is complete")
        #expect(try place.lines("out").filter { $0.hasPrefix("kept") }.count == 4000)
    }

    private func ledger(_ version: Int, migrates: Bool = true, from chosen: CheckpointReport? = nil, parallelism: Int = 2) throws -> JobLaunch {
        let job = LedgerJob(directory: place("checkpoints"), output: place("out"), version: version, migrates: migrates)
        var launch = JobLaunch(id: .random, job: job, parallelism: parallelism, storageRoot: place("checkpoints"), submittedAt: WallTime(milliseconds: 0))
        launch.restore = try chosen.map { RestoreRequest(path: try #require($0.path)) }
        return launch
    }

    @Test func aChangedShapeIsOneClearErrorOrAMigration() throws {
        let (first, chosen) = try interrupted(try ledger(1))
        let manifest = try Snapshot.load(path: try #require(chosen.path)).manifest
        let handle = try #require(manifest.operators.first { $0.uid == "ledger" }?.subtasks.first?.states.first)
        #expect(handle.valueType == "UInt64 -> Price{cents: UInt32}")

        var unwilling = try ledger(2, migrates: false, from: chosen)
        unwilling.lineage = first.job.id
        let refused = try JobProbe(unwilling)
        let message = try refused.waitForEnd().lastFailure?.message ?? ""
        #expect(
            message.contains("state \"price\" of operator \"ledger\" in")
                && message.contains("has the shape UInt64 -> Price{cents: UInt32}, the job wants UInt64 -> Price{cents: UInt64}: declare a migration"),
            "\(message)")

        var launch = try ledger(3, from: chosen, parallelism: 3)
        launch.lineage = first.job.id
        let migrated = try JobProbe(launch)
        #expect(try migrated.waitForEnd().state == .finished)
        #expect(try place.lines("out") == LedgerJob.expected)
    }
}
