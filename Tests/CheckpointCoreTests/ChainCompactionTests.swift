import CheckpointCore
import Testing

// Goal: a chain of incremental checkpoints stays bounded in files and bytes, at a bounded cost. Method: tables, and a seeded walk.

@Suite struct ChainCompactionTests {
    typealias File = ChainCompaction.File

    @Test func aFileWithLittleStateIsRewritten() {
        let files = [
            File(name: "dense", length: 100, live: 100), File(name: "half", length: 100, live: 50), File(name: "sparse", length: 100, live: 49),
            File(name: "dead", length: 100, live: 0),
        ]
        #expect(ChainCompaction.rewritten(files) == ["sparse"], "a dead file is referred to by nobody")
    }

    @Test func manySmallFilesAreMerged() {
        let files = (1...40).map { File(name: "\($0)", length: 1000, live: UInt64(960 + $0)) }
        let rewritten = ChainCompaction.rewritten(files)
        #expect(rewritten == Set((1...24).map(String.init)), "the smallest")
        #expect(ChainCompaction.rewritten(Array(files.prefix(31))) == [])
    }

    // Ten thousand checkpoints that each write some pages anew: files and bytes stay bounded, and what is copied too.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func theChainStaysBounded(seed: UInt64) {
        var random = WalkRandom(state: seed)
        let pages = 400, pageBytes: UInt64 = 1000
        var holder = [Int](repeating: 0, count: pages), lengths: [Int: UInt64] = [0: UInt64(pages) * pageBytes]
        var written: UInt64 = 0, dirtied: UInt64 = 0
        for checkpoint in 1...10_000 {
            let dirty = Set((0..<Int(random.next() % 12)).map { _ in Int(random.next() % UInt64(pages)) })
            var live: [Int: UInt64] = [:]
            for page in 0..<pages where !dirty.contains(page) { live[holder[page], default: 0] += pageBytes }
            let rewritten = ChainCompaction.rewritten(live.map { File(name: "\($0)", length: lengths[$0] ?? 0, live: $1) })
            var own: UInt64 = 0
            for page in 0..<pages where dirty.contains(page) || rewritten.contains("\(holder[page])") {
                holder[page] = checkpoint
                own += pageBytes
            }
            lengths[checkpoint] = own
            written += own
            dirtied += UInt64(dirty.count) * pageBytes
            let files = Set(holder)
            #expect(files.count <= ChainCompaction.maximumFiles)
            let total = files.reduce(0) { $0 + (lengths[$1] ?? 0) }
            #expect(total <= 2 * UInt64(pages) * pageBytes + own, "seed \(seed), checkpoint \(checkpoint): \(total) bytes")
        }
        #expect(written < 8 * dirtied, "seed \(seed): \(written) bytes written for \(dirtied) that changed")
    }
}
