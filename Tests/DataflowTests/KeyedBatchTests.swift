import Synchronization
import TestKit
import Testing

@testable import Dataflow

@Suite(.serialized) struct KeyedBatchTests {
    /// A key that tells how many of its kind are alive.
    struct CountedKey: StreamKey {
        final class Life: Sendable {
            static let alive = Mutex(0)
            init() { Self.alive.withLock { $0 += 1 } }
            deinit { Self.alive.withLock { $0 -= 1 } }
        }

        let number: UInt64
        let life = Life()
        var stableHash: UInt64 { number.stableHash }
        static func == (left: Self, right: Self) -> Bool { left.number == right.number }
        func hash(into hasher: inout Hasher) { hasher.combine(number) }
        static var stateTypeName: String { "CountedKey" }
        func encode(into writer: inout StateWriter) { writer.write(number) }
        init(from reader: inout StateReader) throws(StateDecodingError) { number = try reader.read() }
        init(_ number: UInt64) { self.number = number }
    }

    private struct Stop: Error {}

    /// Runs over a batch and returns what the body saw, and every hash that was fetched.
    private func walk(_ records: [UInt64], stopAt: Int? = nil) -> (seen: [(Int, UInt64)], fetched: [UInt64], threw: Bool) {
        let batch = KeyedBatch<CountedKey, UInt64>()
        defer { batch.release() }
        var records = records
        var seen: [(Int, UInt64)] = []
        var fetched: [UInt64] = []
        var threw = false
        records.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            do {
                try batch.forEach(
                    base, buffer.count, by: { CountedKey($0) }, prefetch: { fetched += UnsafeBufferPointer(start: $0, count: $1) }, prefetchTexts: { _, _ in }
                ) {
                    index, key, hash in
                    #expect(hash == key.stableHash)
                    if index == stopAt { throw Stop() }
                    seen.append((index, key.number))
                }
            } catch { threw = true }
        }
        return (seen, fetched, threw)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 16, 1023, 1024, 1025, 5000])
    func everyRecordComesOnceInOrderAfterItsPrefetch(count: Int) {
        let records = (0..<UInt64(count)).map { $0 &* 7919 }
        let (seen, fetched, threw) = walk(records)
        #expect(!threw)
        #expect(seen.map(\.0) == Array(0..<count))
        #expect(seen.map(\.1) == records)
        #expect(fetched == records.map(\.stableHash), "each place is fetched once")
    }

    @Test func keysAreReleasedWhenTheBodyThrows() {
        let before = CountedKey.Life.alive.withLock { $0 }
        let (seen, _, threw) = walk(Array(0..<2000), stopAt: 1500)
        #expect(threw)
        #expect(seen.count == 1500)
        #expect(CountedKey.Life.alive.withLock { $0 } == before)
    }
}

@Suite struct PageArenaTests {
    /// Random allocations and frees; every page keeps the bytes that were written to it.
    @Test(arguments: [UInt64](1...8))
    func pagesDoNotOverlap(seed: UInt64) {
        var state = seed
        func next(_ bound: Int) -> Int {
            state = KeyGroups.mix(state &+ 0x9e37_79b9_7f4a_7c15)
            return Int(state % UInt64(bound))
        }
        let size = 66_048
        let arena = PageArena(pageBytes: size)
        var live: [(page: UnsafeMutableRawPointer, mark: UInt8)] = []
        for round in 0..<2000 {
            if live.isEmpty || next(100) < (round < 1000 ? 60 : 40) {
                let page = arena.allocate()
                #expect(UInt(bitPattern: page) % 64 == 0)
                let mark = UInt8(truncatingIfNeeded: round)
                page.storeBytes(of: mark, as: UInt8.self)
                page.storeBytes(of: mark, toByteOffset: size - 1, as: UInt8.self)
                live.append((page, mark))
            } else {
                let item = live.remove(at: next(live.count))
                #expect(item.page.load(as: UInt8.self) == item.mark, "seed \(seed) round \(round)")
                #expect(item.page.load(fromByteOffset: size - 1, as: UInt8.self) == item.mark, "seed \(seed) round \(round)")
                arena.free(item.page)
            }
        }
        let pages = live.map { UInt(bitPattern: $0.page) }.sorted()
        for (first, second) in zip(pages, pages.dropFirst()) { #expect(second - first >= UInt(size)) }
        for item in live { arena.free(item.page) }
        #expect(arena.chunkCount <= 1, "empty chunks go back to the system")
    }
}
