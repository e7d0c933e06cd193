import CheckpointStore
import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: every kind of keyed state does what its name says for the current key, and with a time to live nothing expired is ever seen,
// written or kept for long. Method: states on a context of the test's own, whose clock the test sets.

/// The machine, but for its wall clock.
final class WallHost: EngineHost {
    private let machine = MachineHost()
    private let time = Mutex(WallTime(milliseconds: 1_000_000))

    func advance(by span: Milliseconds) { time.withLock { $0 = $0 + span } }
    func now() -> EngineInstant { machine.now() }
    func wall() -> WallTime { time.withLock { $0 } }
    func random() -> UInt64 { machine.random() }
    var filesystem: any Filesystem { machine.filesystem }
    func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(JobError) { try machine.startThread(named: name, body) }
    func makeParker() -> any Parker { machine.makeParker() }
}

@Suite struct KeyedStateTests {
    let host: WallHost
    let context: SubtaskContext
    let states: KeyedStates<UInt64>

    init() {
        let host = WallHost()
        self.host = host
        context = SubtaskContext(
            id: SubtaskID(vertex: 0, index: 0), parallelism: 1, maxParallelism: 128,
            job: JobIdentity(id: JobID(high: 0, low: 1), lineage: JobID(high: 0, low: 1), name: "test"), audit: AuditCounters(),
            faults: FaultInjector(isAllowed: false, host: host), host: host)
        states = KeyedStates(context: context)
    }

    func select(_ key: UInt64) { states.select(key, hash: key.stableHash) }

    /// Time goes on, and the subtask looks at the clock.
    func advance(_ span: Milliseconds) {
        host.advance(by: span)
        context.moment.pointee.wall = host.wall()
    }

    /// The entries of a state as the next full checkpoint would have them.
    func written<Value: StateCodable>(_ name: String, as type: Value.Type) throws -> [UInt64: Value] {
        let registered = try #require(states.registered.first { $0.name == name })
        guard case .keyed(_, _, let table, _) = registered.snapshot(CheckpointID(1)) else { return [:] }
        defer { table.finish() }
        var writer = StateWriter()
        defer { writer.release() }
        var result: [UInt64: Value] = [:]
        for group in 0..<table.groupCount {
            writer.removeAll()
            let entries = table.encode(groupAt: group, into: &writer)
            var reader = StateReader(writer.bytes)
            for _ in 0..<entries { result[try UInt64(from: &reader)] = try Value(from: &reader) }
            #expect(reader.isAtEnd)
        }
        return result
    }

    @Test func reducingStateCombinesItsValues() throws {
        let longest = try states.reducing("longest", of: String.self) { $0.count >= $1.count ? $0 : $1 }
        for (key, word) in [(1, "a"), (2, "weir"), (1, "abc"), (1, "xy")] as [(UInt64, String)] {
            select(key)
            longest.add(word)
        }
        select(1)
        #expect(longest.value == "abc")
        longest.clear()
        #expect(longest.value == nil)
        select(2)
        #expect(longest.value == "weir")
    }

    @Test func aggregatingStateHasOneAccumulatorPerKey() throws {
        let count = try states.aggregating("count", Count<String>())
        for key in [1, 2, 1, 1] as [UInt64] {
            select(key)
            count.add("x")
        }
        select(1)
        #expect(count.result == 3)
        count.clear()
        #expect(count.result == nil)
    }

    @Test func listsAndMapsAreReadChangedAndCleared() throws {
        let list = try states.list("list", of: Int.self), map = try states.map("map", from: String.self, to: Int.self)
        select(1)
        list.append(1)
        list.append(contentsOf: [2, 3])
        map["a"] = 1
        map["b"] = 2
        #expect(list.elements == [1, 2, 3])
        #expect(map.contains("a") && !map.contains("c") && map.count == 2 && map.keys.sorted() == ["a", "b"])
        var sum = 0
        map.forEach { sum += $1 }
        #expect(sum == 3)
        map.remove("a")
        map["c"] = nil
        #expect(map.entries == ["b": 2])
        select(2)
        #expect(list.elements.isEmpty && map.isEmpty)
        map["nothing"] = nil
        select(1)
        map.remove("b")
        list.elements = []
        #expect(states.registered.allSatisfy { $0.bytes() >= 0 })
        #expect(try written("map", as: [String: Int].self).isEmpty, "an empty map takes no place")
        #expect(try written("list", as: [Int].self).isEmpty)
    }

    @Test func twoStatesOfOneNameAreRefused() throws {
        _ = try states.value("x", of: Int.self)
        #expect { try states.list("x", of: Int.self) } throws: { "\($0)".contains("two states named \"x\"") }
    }

    // MARK: Time to live

    @Test func aValueExpiresExactlyAtItsTime() throws {
        let value = try states.value("v", of: Int.self, timeToLive: TimeToLive(100))
        select(1)
        value.value = 5
        advance(99)
        #expect(value.value == 5)
        #expect(try written("v", as: Expiring<Int>.self).count == 1)
        advance(1)
        #expect(try written("v", as: Expiring<Int>.self).isEmpty, "full snapshots leave the dead out")
        #expect(value.value == nil, "read once more it is not renewed")
        value.update(initial: 1) { $0 += 1 }
        #expect(value.value == 2)
    }

    @Test func anExpiredValueRestartsOnWrite() throws {
        let sum = try states.reducing("s", of: Int.self, timeToLive: TimeToLive(100)) { $0 + $1 }
        select(1)
        sum.add(5)
        advance(60)
        sum.add(5)
        advance(60)
        #expect(sum.value == 10, "the write renewed it")
        advance(60)
        sum.add(1)
        #expect(sum.value == 1)
    }

    @Test func readingRenewsOnlyIfConfigured() throws {
        let written = try states.value("w", of: Int.self, timeToLive: TimeToLive(100))
        let read = try states.value("r", of: Int.self, timeToLive: TimeToLive(100, renewal: .onReadAndWrite))
        select(1)
        written.value = 1
        read.value = 1
        for _ in 0..<3 {
            advance(60)
            #expect(read.value == 1)
            _ = written.value
        }
        #expect(written.value == nil)
        advance(100)
        #expect(read.value == nil)
    }

    @Test func elementsAndEntriesExpireIndividually() throws {
        let list = try states.list("l", of: Int.self, timeToLive: TimeToLive(100))
        let map = try states.map("m", from: String.self, to: Int.self, timeToLive: TimeToLive(100, renewal: .onReadAndWrite))
        select(1)
        list.append(1)
        map["a"] = 1
        map["b"] = 2
        advance(60)
        list.append(2)
        #expect(map["a"] == 1)
        advance(60)
        #expect(list.elements == [2])
        #expect(map["b"] == nil && map.entries == ["a": 1])
        #expect(try written("l", as: [Expiring<Int>].self)[1]?.count == 1)
        #expect(try written("m", as: [String: Expiring<Int>].self)[1]?.count == 1)
        advance(200)
        #expect(try written("l", as: [Expiring<Int>].self).isEmpty && written("m", as: [String: Expiring<Int>].self).isEmpty)
        #expect(list.elements.isEmpty && map.isEmpty)
    }

    @Test func aTimeToLiveBeyondTheClockNeverEnds() throws {
        let value = try states.value("v", of: Int.self, timeToLive: TimeToLive(Milliseconds(.max)))
        select(1)
        value.value = 5
        advance(1_000_000_000)
        #expect(value.value == 5)
    }

    // Two million keys pass, of which twenty thousand are alive at a time; nobody ever reads the dead ones.
    @Test func expiredStateIsCleanedAndMemoryStaysBounded() throws {
        let value = try states.value("v", of: UInt64.self, timeToLive: TimeToLive(100))
        var most = 0
        let batch = 1000 as UInt64
        for round in 0..<2000 as Range<UInt64> {
            for key in round * batch..<(round + 1) * batch {
                select(key)
                value.value = key
            }
            states.clean(afterRecords: Int(batch))
            advance(5)
            most = max(most, states.registered[0].bytes())
        }
        let alive = 20 * Int(batch), entry = MemoryLayout<PagedTable<UInt64, Expiring<UInt64>>.Entry>.stride
        #expect(most < 8 * alive * entry, "\(most) bytes for \(alive) living entries of \(entry) bytes")
        // The batch of 100 ms ago has just died.
        #expect(try written("v", as: Expiring<UInt64>.self).count == alive - Int(batch))
    }

    // Cleaning removes exactly the dead, whatever places entries move to meanwhile.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func cleaningRemovesExactlyTheExpired(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let table = PagedTable<UInt64, UInt64>(range: 0..<128, maxParallelism: 128, pageBytes: 1024)
        var model: [UInt64: UInt64] = [:]
        var cursor = CleaningCursor()
        for _ in 0..<400 {
            for _ in 0..<random.next() % 200 {
                let key = random.next() % 4000, value = random.next() % 100
                table.upsert(key, hash: key.stableHash) { value }.pointee.value = value
                model[key] = value
            }
            let limit = random.next() % 30, before = table.count
            table.clean(places: Int(random.next() % 3000), from: &cursor) { $0 < limit }
            let gone = model.filter { table.find($0.key, hash: $0.key.stableHash) == nil }
            #expect(gone.allSatisfy { $0.value < limit } && gone.count == before - table.count, "seed \(seed)")
            for key in gone.keys { model[key] = nil }
        }
        table.clean(places: 1_000_000, from: &cursor) { $0 < 50 }
        #expect(table.count == model.values.count { $0 >= 50 })
    }
}
