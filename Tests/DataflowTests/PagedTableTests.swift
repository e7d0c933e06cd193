import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: the table is a dictionary, and a snapshot is that dictionary at one moment, whatever is written afterwards.
// Method: seeded random operations against a Dictionary; snapshots are encoded late and in any order, and compared with a copy.

@Suite struct PagedTableTests {
    /// A key whose hash has few low bits, so that runs of occupied places are long and wrap around.
    struct CrowdedKey: StreamKey {
        let id: UInt32
        static var stateTypeName: String { "CrowdedKey" }
        var stableHash: UInt64 { KeyGroups.mix(UInt64(id)) & 0xffff_ffff_0000_000f }
        func encode(into writer: inout StateWriter) { writer.write(id) }
        init(id: UInt32) { self.id = id }
        init(from reader: inout StateReader) throws(StateDecodingError) { id = try reader.read() }
    }

    struct Taken<Key: StreamKey, Value: StateCodable & Equatable> {
        let snapshot: TableSnapshot
        let expected: [Key: Value]
    }

    func decode<Key: StreamKey, Value: StateCodable>(_ snapshot: TableSnapshot, as: (Key, Value).Type) throws -> [Key: Value] {
        var writer = StateWriter()
        defer { writer.release() }
        var result: [Key: Value] = [:]
        for index in 0..<snapshot.groupCount {
            writer.removeAll()
            let entries = snapshot.encode(groupAt: index, into: &writer)
            var reader = StateReader(writer.bytes)
            for _ in 0..<entries {
                let key = try Key(from: &reader)
                #expect(KeyGroups.group(ofHash: key.stableHash, maxParallelism: 128) == snapshot.firstGroup + index)
                #expect(result.updateValue(try Value(from: &reader), forKey: key) == nil, "a key twice in one snapshot")
            }
            #expect(reader.isAtEnd)
        }
        return result
    }

    func exercise<Key: StreamKey, Value: StateCodable & Equatable>(
        seed: UInt64, steps: Int, pageBytes: Int, key: (UInt64) -> Key, value: (UInt64) -> Value
    ) throws {
        var random = SeededGenerator(seed: seed)
        let table = PagedTable<Key, Value>(range: 0..<128, maxParallelism: 128, pageBytes: pageBytes)
        var model: [Key: Value] = [:]
        var taken: [Taken<Key, Value>] = []
        for step in 0..<steps {
            let picked = key(random.next())
            switch random.next() % 100 {
            case 0..<60:
                let new = value(random.next())
                table.upsert(picked, hash: picked.stableHash) { new }.pointee.value = new
                model[picked] = new
            case 60..<85:
                #expect(table.remove(picked, hash: picked.stableHash) == (model.removeValue(forKey: picked) != nil), "seed \(seed) step \(step)")
            case 85..<98:
                #expect(table.find(picked, hash: picked.stableHash)?.pointee.value == model[picked], "seed \(seed) step \(step)")
            case 98 where taken.count < 4:
                taken.append(Taken(snapshot: table.snapshot(), expected: model))
            default:
                guard !taken.isEmpty else { continue }
                let one = taken.remove(at: Int(random.next() % UInt64(taken.count)))
                #expect(try decode(one.snapshot, as: (Key, Value).self) == one.expected, "seed \(seed) step \(step)")
                one.snapshot.finish()
                table.reclaim()
            }
            #expect(table.count == model.count)
        }
        for one in taken { #expect(try decode(one.snapshot, as: (Key, Value).self) == one.expected, "seed \(seed), at the end") }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func numbersBehaveAsInADictionary(seed: UInt64) throws {
        try exercise(seed: seed, steps: 30_000, pageBytes: 2048, key: { $0 % 3000 }, value: { $0 })
    }

    @Test(arguments: [4, 5] as [UInt64])
    func stringsBehaveAsInADictionary(seed: UInt64) throws {
        try exercise(
            seed: seed, steps: 10_000, pageBytes: 2048, key: { "key number \($0 % 500) that is on the heap" },
            value: { [$0, $0 &* 3] })
    }

    @Test(arguments: [6, 7] as [UInt64])
    func crowdedKeysBehaveAsInADictionary(seed: UInt64) throws {
        try exercise(seed: seed, steps: 20_000, pageBytes: 1024, key: { CrowdedKey(id: UInt32($0 % 400)) }, value: { UInt32(truncatingIfNeeded: $0) })
    }

    /// Pages as an incremental checkpoint keeps them: the bytes of each page, taken over from the base where it is not dirty.
    final class StoredPages {
        var groups: [[(bytes: [UInt8], entries: Int)]] = []
        var written = 0

        init(_ snapshot: TableSnapshot, base: (pages: StoredPages, epoch: UInt64)?) {
            var writer = StateWriter()
            defer { writer.release() }
            for group in 0..<snapshot.groupCount {
                groups.append(
                    (0..<snapshot.pageCount(groupAt: group)).map { page in
                        if let base, !snapshot.isDirty(page: page, groupAt: group, since: base.epoch) { return base.pages.groups[group][page] }
                        writer.removeAll()
                        written += 1
                        let entries = snapshot.encode(page: page, groupAt: group, into: &writer)
                        return (Array(writer.bytes), entries)
                    })
            }
        }

        func decode<Key: StreamKey, Value: StateCodable>(as: (Key, Value).Type) throws -> [Key: Value] {
            var result: [Key: Value] = [:]
            for (bytes, entries) in groups.joined() {
                try bytes.withUnsafeBytes { buffer in
                    var reader = StateReader(buffer)
                    for _ in 0..<entries { result[try Key(from: &reader)] = try Value(from: &reader) }
                }
            }
            return result
        }
    }

    // Each snapshot is stored over a base chosen among the older ones (as a completed checkpoint is among failed ones), at a time when
    // later writes and other snapshots have gone on.
    @Test(arguments: [11, 12, 13, 14] as [UInt64])
    func dirtyPagesOnAnOlderSnapshotGiveTheTable(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let table = PagedTable<UInt64, UInt64>(range: 0..<128, maxParallelism: 128, pageBytes: 1024)
        var model: [UInt64: UInt64] = [:]
        var stored: [(pages: StoredPages, epoch: UInt64)] = []
        var open: [(snapshot: TableSnapshot, model: [UInt64: UInt64])] = []
        for round in 0..<60 {
            for _ in 0..<random.next() % 3000 {
                let key = random.next() % 20_000
                switch random.next() % 50 {
                case 0..<14: #expect(table.remove(key, hash: key.stableHash) == (model.removeValue(forKey: key) != nil))
                case 49 where random.next() % 2000 == 0:
                    table.removeAll()
                    model = [:]
                default:
                    let value = random.next()
                    table.upsert(key, hash: key.stableHash) { value }.pointee.value = value
                    model[key] = value
                }
            }
            open.append((table.snapshot(), model))
            while open.count > 2 || (random.next() % 2 == 0 && !open.isEmpty) {
                let (snapshot, expected) = open.removeFirst()
                let base = random.next() % 8 == 0 ? nil : stored.randomElement(using: &random)
                let pages = StoredPages(snapshot, base: base)
                #expect(try pages.decode(as: (UInt64, UInt64).self) == expected, "seed \(seed) round \(round)")
                stored.append((pages, snapshot.epoch))
                snapshot.finish()
            }
        }
    }

    @Test func onlyWrittenPagesAreDirty() {
        let table = PagedTable<UInt64, UInt64>(range: 0..<128, maxParallelism: 128)
        for key in 0..<100_000 as Range<UInt64> { _ = table.upsert(key, hash: key.stableHash) { key } }
        let first = table.snapshot()
        let all = StoredPages(first, base: nil)
        #expect(all.written > 100)
        for finishesBefore in [true, false] {
            if finishesBefore { first.finish() }
            table.upsert(5, hash: UInt64(5).stableHash) { 0 }.pointee.value = 6
            table.upsert(5, hash: UInt64(5).stableHash) { 0 }.pointee.value = 7
            #expect(StoredPages(table.snapshot(), base: (all, first.epoch)).written == 1)
        }
    }

    @Test func aSnapshotCopiesOnlyWrittenPages() {
        let table = PagedTable<UInt64, UInt64>(range: 0..<128, maxParallelism: 128)
        for key in 0..<100_000 as Range<UInt64> { _ = table.upsert(key, hash: key.stableHash) { key } }
        let before = table.bytes
        let snapshot = table.snapshot()
        #expect(table.retired.isEmpty)
        table.upsert(5, hash: UInt64(5).stableHash) { 0 }.pointee.value = 6
        #expect(table.retired.count == 1)
        table.upsert(5, hash: UInt64(5).stableHash) { 0 }.pointee.value = 7
        #expect(table.retired.count == 1, "the copied page is the table's own")
        #expect(table.bytes == before)
        snapshot.finish()
        table.reclaim()
        #expect(table.retired.isEmpty)
        table.upsert(9, hash: UInt64(9).stableHash) { 0 }.pointee.value = 1
        #expect(table.retired.isEmpty, "nobody reads the pages any more")
    }

    @Test func aTableRefusesKeysOfOtherGroups() throws {
        let table = PagedTable<UInt64, UInt64>(range: 0..<64, maxParallelism: 128)
        let foreign = try #require((0..<1000 as Range<UInt64>).first { KeyGroups.group(ofHash: $0.stableHash, maxParallelism: 128) >= 64 })
        var writer = StateWriter()
        defer { writer.release() }
        foreign.encode(into: &writer)
        UInt64(1).encode(into: &writer)
        var reader = StateReader(writer.bytes)
        #expect(throws: StateDecodingError.self) { try table.load(entries: 1, group: 3, from: &reader) }
    }
}

@Suite struct KeyGroupsTests {
    @Test(arguments: [(1, 128), (2, 128), (3, 128), (7, 128), (128, 128), (5, 7), (300, 512)])
    func everyGroupHasExactlyOneOwner(parallelism: Int, maxParallelism: Int) {
        var owners = [Int](repeating: 0, count: maxParallelism)
        for subtask in 0..<parallelism {
            for group in KeyGroups.range(ofSubtask: subtask, parallelism: parallelism, maxParallelism: maxParallelism) {
                owners[group] += 1
                #expect(KeyGroups.subtask(ofGroup: group, parallelism: parallelism, maxParallelism: maxParallelism) == subtask)
            }
        }
        #expect(owners.allSatisfy { $0 == 1 })
    }

    // Checkpoints on disk depend on these numbers: a change needs a new hash name.
    @Test func theHashNeverChanges() {
        #expect(KeyGroups.hashName == "weir-mix64-1")
        #expect(UInt64(0).stableHash == 0)
        #expect(UInt64(1).stableHash == 0xd6e8feb8b0b1032b)
        #expect("word".stableHash == 0x1c42944a160777ed)
        #expect("a longer word than that".stableHash == 0xa8606e50f26001d1)
    }

    @Test func flinksDefaultMaximumParallelism() {
        #expect(KeyGroups.defaultMaxParallelism(parallelism: 1) == 128)
        #expect(KeyGroups.defaultMaxParallelism(parallelism: 85) == 128)
        #expect(KeyGroups.defaultMaxParallelism(parallelism: 86) == 256)
        #expect(KeyGroups.defaultMaxParallelism(parallelism: 30000) == 32768)
    }
}

@Suite struct StateCodingTests {
    struct All: Equatable {
        var a: UInt64, b: Int, c: Double, d: Bool, e: String, f: [Int32], g: [String: UInt32]
    }

    func encode(_ value: All) -> [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        value.a.encode(into: &writer)
        value.b.encode(into: &writer)
        value.c.encode(into: &writer)
        value.d.encode(into: &writer)
        value.e.encode(into: &writer)
        value.f.encode(into: &writer)
        value.g.encode(into: &writer)
        return Array(writer.bytes)
    }

    func decode(_ bytes: [UInt8]) throws -> All {
        try bytes.withUnsafeBytes { buffer in
            var reader = StateReader(buffer)
            return All(
                a: try UInt64(from: &reader), b: try Int(from: &reader), c: try Double(from: &reader), d: try Bool(from: &reader),
                e: try String(from: &reader), f: try [Int32](from: &reader), g: try [String: UInt32](from: &reader))
        }
    }

    let value = All(a: .max, b: -5, c: .pi, d: true, e: "grüße", f: [1, -2, 3], g: ["b": 2, "a": 1])

    @Test func valuesRoundTrip() throws { #expect(try decode(encode(value)) == value) }

    @Test func everyPrefixIsRefused() {
        let bytes = encode(value)
        for length in 0..<bytes.count { #expect(throws: StateDecodingError.self) { try decode(Array(bytes[..<length])) } }
    }

    @Test func anImpossibleCountAllocatesNothing() {
        let bytes: [UInt8] = [255, 255, 255, 255, 1]
        bytes.withUnsafeBytes { buffer in
            var reader = StateReader(buffer)
            #expect(throws: StateDecodingError.self) { try [UInt64](from: &reader) }
        }
    }
}
