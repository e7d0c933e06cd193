import CheckpointStore
import ConnectorConformance
import FoundationEssentials
import Glibc
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: the kit passes connectors that keep the contract and names the rule that a broken one breaks. Method: our own connectors, a small sink in
// memory, and for every rule a variant that breaks it and nothing else on purpose.

// MARK: A sink in memory

/// A store with transactions, as a database has them: it outlives the processes that use it.
private final class MemoryStore: Sendable {
    struct State {
        var prepared: [UInt64: [Int]] = [:]
        var committed: [UInt64: [Int]] = [:]
        /// In the order of their commits.
        var visible: [UInt64] = []
        var next: UInt64 = 1
        var dirty: [Int] = []
        /// Of the newest owner; 0 = nobody.
        var epoch: UInt64 = 0
        var isOwned = false
    }
    let state = Mutex(State())
    var records: [Int] { state.withLock { state in state.dirty + state.visible.flatMap { state.committed[$0] ?? [] } } }
}

private enum SinkFault: CaseIterable {
    case none
    case visibleAtOnce, losesRecords, commitsEverything, commitsTwice, forgetsOnPrepare, neverAborts, takesUnknown, takesForeign, takesGone, rotatesLate,
        reverses
    /// Of owners.
    case keepsNone, neverChecks, clearsBeforeItRefuses, refusesAndKeeps
}

private struct MemorySink: TwoPhaseSink {
    let store: MemoryStore
    var fault = SinkFault.none

    static let committableType = "memory-transaction-1"

    /// The newest owner fences those before it, as a database with epochs does; two faulty ones lock instead.
    func claim(_ claim: SinkClaim) throws -> OutputOwnership {
        if fault == .keepsNone { return .none }
        let locks = fault == .clearsBeforeItRefuses || fault == .refusesAndKeeps
        let epoch: UInt64 = try store.state.withLock { state in
            if locks, state.isOwned {
                if fault == .clearsBeforeItRefuses { state.prepared = [:] }
                throw JobError.outputOwned("another job has it")
            }
            state.epoch += 1
            state.isOwned = true
            return state.epoch
        }
        return OutputOwnership(
            epoch: epoch,
            check: { [store, fault] in
                guard fault != .neverChecks, store.state.withLock({ $0.epoch }) != epoch else { return }
                throw JobError.outputTaken("another job has it now")
            }, release: { [store, fault] in if fault != .refusesAndKeeps { store.state.withLock { $0.isOwned = false } } })
    }

    func prepare(_ preparation: SinkPreparation) throws {
        try preparation.ownership.check()
        guard fault != .neverAborts else {
            // What lies about is committed: "it was prepared, so it must be wanted".
            store.state.withLock { state in
                for id in state.prepared.keys.sorted() { Self.show(id, &state) }
            }
            return
        }
        let listed = fault == .forgetsOnPrepare ? [] : Set(try preparation.uncommitted.map(id(of:)))
        store.state.withLock { state in state.prepared = state.prepared.filter { listed.contains($0.key) } }
    }

    func makeWriter(_ subtask: SinkSubtask, _ shared: Void) throws -> Writer { Writer(store: store, fault: fault) }

    func commit(_ committables: [Committable], _ context: CommitContext) throws {
        try context.ownership.check()
        for committable in committables {
            guard fault == .takesForeign || (committable.uid == context.uid && committable.type == Self.committableType) else {
                throw JobError.sink("not mine")
            }
            let id: UInt64
            do { id = try self.id(of: committable) } catch {
                if fault == .takesUnknown { continue }
                throw error
            }
            try store.state.withLock { state in
                if fault == .commitsTwice, let records = state.committed[id] {
                    state.dirty += records
                    return
                }
                if fault == .commitsEverything { for other in state.prepared.keys.sorted() { Self.show(other, &state) } }
                if state.committed[id] != nil { return }
                guard state.prepared[id] != nil else {
                    // "It must have been committed before."
                    if fault == .takesGone { return }
                    throw JobError.sink("transaction \(id) is not there")
                }
                Self.show(id, &state)
            }
        }
    }

    private static func show(_ id: UInt64, _ state: inout MemoryStore.State) {
        guard let records = state.prepared.removeValue(forKey: id) else { return }
        state.committed[id] = records
        state.visible.append(id)
    }

    private func id(of committable: Committable) throws -> UInt64 {
        guard committable.payload.count == 8 else { throw JobError.sink("no transaction") }
        return committable.payload.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    struct Writer: TwoPhaseWriter {
        let store: MemoryStore
        let fault: SinkFault
        var records: [Int] = []

        mutating func write(_ batch: UnsafeMutableBufferPointer<Int>) throws {
            records += fault == .reverses ? batch.reversed() : Array(batch)
            if fault == .losesRecords, records.count > 3 { records.removeLast() }
            if fault == .visibleAtOnce { store.state.withLock { $0.dirty += batch } }
        }

        mutating func prepareCommit(at checkpoint: CheckpointID) throws -> [PreparedOutput] {
            guard !records.isEmpty else { return [] }
            let id = store.state.withLock { state in
                defer { state.next += 1 }
                return state.next
            }
            let payload = withUnsafeBytes(of: id.littleEndian) { Array($0) }
            if fault == .rotatesLate {
                // The records are looked at when the file worker comes: the next ones may be among them.
                let box = LateBox(records)
                late = box
                records = []
                return [
                    PreparedOutput { [store] in
                        store.state.withLock { $0.prepared[id] = box.take() }; return [payload]
                    }
                ]
            }
            store.state.withLock { $0.prepared[id] = records }
            records = []
            return [PreparedOutput([payload])]
        }

        var late: LateBox?
    }

    final class LateBox: Sendable {
        private let records: Mutex<[Int]>
        init(_ records: [Int]) { self.records = Mutex(records) }
        func add(_ more: [Int]) { records.withLock { $0 += more } }
        func take() -> [Int] { records.withLock { $0 } }
    }
}

private func conformance(_ fault: SinkFault = .none) -> SinkConformance<MemorySink> {
    SinkConformance(record: { $0 }) {
        let store = MemoryStore()
        return .init(
            sink: { MemorySink(store: store, fault: fault) }, visible: { store.records },
            destroyPrepared: { store.state.withLock { $0.prepared = [:] } })
    }
}

@Suite struct SinkConformanceTests {
    @Test func aConformingSinkPasses() { #expect(conformance().violations() == []) }

    @Test func ourFileSinkPasses() throws {
        for rolling in [FileRolling(), FileRolling(maximumBytes: 8), FileRolling(maximumBytes: 30, maximumAge: 1)] {
            let kit = SinkConformance(record: { $0 }) {
                let place = Sandbox()
                return .init(
                    sink: { FileSink<Int>.lines(directory: place("out"), rolling: rolling) { String($0) } },
                    visible: {
                        let names = SinkNames(uid: "sink")
                        guard access(place("out"), F_OK) == 0 else { return [] }
                        return try place.names("out").compactMap(names.parse).sorted { ($0.checkpoint, $0.number) < ($1.checkpoint, $1.number) }
                            .flatMap { try String(contentsOfFile: place("out") + "/" + $0.name, encoding: .utf8).split(separator: "\n").compactMap { Int($0) } }
                    },
                    destroyPrepared: {
                        for name in try place.names("out") where name.hasSuffix(".pending") { unlink(place("out") + "/" + name) }
                    })
            }
            #expect(kit.violations() == [], "\(rolling)")
        }
    }

    @Test(
        arguments: [
            (.visibleAtOnce, .invisibleBeforeCommit), (.losesRecords, .commitShowsExactlyThat), (.commitsTwice, .commitIsIdempotent),
            (.forgetsOnPrepare, .recoversBetweenPhases), (.forgetsOnPrepare, .recoversHalfDoneCommits), (.neverAborts, .abortsWhatIsNotListed),
            (.commitsTwice, .listedAgainIsCommittedOnce), (.takesUnknown, .unknownIsAnError), (.takesForeign, .unknownIsAnError),
            (.takesGone, .unknownIsAnError), (.reverses, .keepsOrder), (.forgetsOnPrepare, .survivesRescale), (.rotatesLate, .rotatesAtTheBarrier),
            (.keepsNone, .hasOneOwner), (.neverChecks, .hasOneOwner), (.clearsBeforeItRefuses, .hasOneOwner), (.refusesAndKeeps, .hasOneOwner),
        ] as [(SinkFault, Violation.Rule)])
    private func aBrokenRuleIsNamed(fault: SinkFault, rule: Violation.Rule) {
        let violations = fault == .rotatesLate ? late() : conformance(fault).violations()
        #expect(violations.contains { $0.rule == rule }, "\(fault): \(violations)")
    }

    /// The records of a batch join the transaction that is still being prepared.
    private func late() -> [Violation] {
        SinkConformance(record: { $0 }) {
            let store = MemoryStore()
            return .init(sink: { LateSink(inner: MemorySink(store: store, fault: .rotatesLate)) }, visible: { store.records })
        }.violations()
    }
}

/// Lets records behind the barrier into the transaction before it.
private struct LateSink: TwoPhaseSink {
    let inner: MemorySink
    static let committableType = MemorySink.committableType
    func prepare(_ preparation: SinkPreparation) throws { try inner.prepare(preparation) }
    func makeWriter(_ subtask: SinkSubtask, _ shared: Void) throws -> Writer { Writer(inner: try inner.makeWriter(subtask, ())) }
    func commit(_ committables: [Committable], _ context: CommitContext) throws { try inner.commit(committables, context) }

    struct Writer: TwoPhaseWriter {
        var inner: MemorySink.Writer
        mutating func write(_ batch: UnsafeMutableBufferPointer<Int>) throws {
            if let late = inner.late { late.add(Array(batch)) } else { try inner.write(batch) }
        }
        mutating func prepareCommit(at checkpoint: CheckpointID) throws -> [PreparedOutput] {
            inner.late = nil
            return try inner.prepareCommit(at: checkpoint)
        }
    }
}

// MARK: A source in memory

private enum SourceFault: CaseIterable { case none, repeats, skips, forgetsPosition, moves, startsAgain, takesHalf, everybodyReadsAll, changesOnRestore }

/// The numbers below `count`, in two splits.
private struct NumberSource: Source {
    var fault = SourceFault.none
    static let count: UInt64 = 50
    static let splitType = "numbers-1"

    func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
        let own = fault == .everybodyReadsAll ? [0, 1] : [UInt64(0), 1].filter { Int($0) % parallelism == subtask }
        return Reader(fault: fault, own: own.map { [$0, 0] })
    }

    struct Reader: SourceReader {
        let fault: SourceFault
        /// Number of the split, and how many of its records were read.
        var own: [[UInt64]]
        var count: UInt64 = 0

        mutating func read(into out: Emitter<UInt64>, at now: EngineInstant) throws -> SourceStatus {
            guard let index = own.firstIndex(where: { $0[1] < NumberSource.count / 2 }) else { return .ended }
            for _ in 0..<3 where own[index][1] < NumberSource.count / 2 {
                out.emit(own[index][1] * 2 + own[index][0])
                own[index][1] += 1
                count += 1
            }
            return .more
        }

        func splits() -> [[UInt8]] {
            own.map { split in
                var place = split[1]
                if fault == .repeats, place > 0 { place -= 1 }
                if fault == .skips, place > 0 { place += 1 }
                if fault == .startsAgain, place == NumberSource.count / 2 { place = 0 }
                return [split[0], place].flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
            }
        }

        mutating func restore(_ splits: [[UInt8]]) throws {
            own = try splits.map { bytes in
                guard bytes.count == 16 || fault == .takesHalf else { throw JobError.source("no split") }
                let words = [0, 8].map { start in bytes.dropFirst(start).prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
                return fault == .changesOnRestore ? [words[0], words[1] / 3 * 3] : words
            }
            if fault == .moves { own.reverse() }
            count = own.reduce(0) { $0 + $1[1] }
        }

        var position: UInt64 { fault == .forgetsPosition ? 0 : count }
        var progress: InputProgress? { nil }
    }
}

@Suite struct SourceConformanceTests {
    @Test func aConformingSourcePasses() throws { #expect(try SourceConformance { NumberSource() }.violations() == []) }

    @Test func ourSourcesPass() throws {
        #expect(try SourceConformance { GeneratorSource<UInt64>(count: 3000, splits: 3) { $0.sequence } }.violations() == [])
        #expect(try SourceConformance { GeneratorSource.elements(Array(0..<500)) }.violations() == [])
        let place = Sandbox()
        try FileManager.default.createDirectory(atPath: place("in"), withIntermediateDirectories: true)
        var paths: [String] = []
        for file in 0..<4 {
            paths.append(place("in/\(file)"))
            try (0..<700 * file).map { "\(file)-\($0),x\n" }.joined().write(toFile: paths[file], atomically: true, encoding: .utf8)
        }
        #expect(try SourceConformance { TextFileSource(paths: paths) }.violations() == [])
        #expect(try SourceConformance { TextFileSource.lines(.paths([place("in")])) }.violations() == [])
        let rows = CSVFormat(header: ["a", "b"]) { header in
            let a = try header.column("a", String.self)
            return { try $0[a] }
        }
        #expect(try SourceConformance { FileSource(.files(paths), format: rows) }.violations() == [])
    }

    @Test(
        arguments: [
            (.repeats, .readsOnFromEveryPlace), (.skips, .readsOnFromEveryPlace), (.forgetsPosition, .positionCountsRecords), (.moves, .restoreIsIdentity),
            (.startsAgain, .staysEnded), (.takesHalf, .refusesDamagedSplits), (.everybodyReadsAll, .rescaleReadsEverythingOnce),
            (.changesOnRestore, .restoreIsIdentity),
        ] as [(SourceFault, Violation.Rule)])
    private func aBrokenRuleIsNamed(fault: SourceFault, rule: Violation.Rule) throws {
        let violations = try SourceConformance { NumberSource(fault: fault) }.violations()
        #expect(violations.contains { $0.rule == rule }, "\(fault): \(violations)")
    }

    @Test func aSnapshotThatMovesTheReaderIsReported() throws {
        let violations = try SourceConformance { DisturbedSource() }.violations()
        #expect(violations.contains { $0.rule == .snapshotsDoNotDisturb }, "\(violations)")
    }

    private struct DisturbedSource: Source {
        static let splitType = "disturbed-1"
        func makeReader(subtask: Int, parallelism: Int) throws -> Reader {
            Reader(inner: try NumberSource().makeReader(subtask: subtask, parallelism: parallelism))
        }
        struct Reader: SourceReader {
            var inner: NumberSource.Reader
            let snapshots = Counter()
            final class Counter: Sendable { let value = Mutex(UInt64(0)) }
            mutating func read(into out: Emitter<UInt64>, at now: EngineInstant) throws -> SourceStatus { try inner.read(into: out, at: now) }
            func splits() -> [[UInt8]] {
                let count = snapshots.value.withLock { value in
                    value += 1
                    return value
                }
                return inner.splits().map { count % 2 == 0 ? Array($0.dropLast()) + [7] : $0 }
            }
            mutating func restore(_ splits: [[UInt8]]) throws { try inner.restore(splits.map { Array($0.dropLast()) + [0] }) }
            var position: UInt64 { inner.position }
            var progress: InputProgress? { nil }
        }
    }
}
