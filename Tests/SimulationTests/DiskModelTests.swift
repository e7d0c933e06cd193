import Testing

@testable import SimulationKit

// Goal: the simulated disk loses what a real one may lose, and nothing that was made durable. Method: a table of short stories, each with
// every state that a power loss may leave; many seeds must show all of them and no other.

/// What can be seen after a boot: `name=bytes`, sorted.
private func picture(_ disk: DiskModel) -> String {
    disk.walk().filter { !disk[$0.node].isDirectory }.map { "\($0.path)=\(String(decoding: disk[$0.node].bytes, as: UTF8.self))" }.sorted().joined(
        separator: " ")
}

private func write(_ text: String, _ node: Int, at offset: Int = 0, _ disk: inout DiskModel) {
    disk.change(node, .write(offset: offset, Array(text.utf8)), at: 0)
}

private func outcomes(_ survival: DiskModel.Survival, _ disk: DiskModel) -> Set<String> {
    var random = SimulationRandom(seed: 1)
    return Set((0..<300).map { _ in picture(disk.afterPowerLoss(survival, random: &random)) })
}

@Suite struct DiskModelTests {
    struct Story: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var tell: @Sendable (inout DiskModel) throws -> Void
        /// Possible after a power loss, under any survival.
        var possible: Set<String>
        /// The one outcome when nothing survives that was not synced.
        var certain: String
    }

    static let stories: [Story] = [
        Story(
            testDescription: "neither synced",
            tell: { disk in write("new", try disk.create("/f", isDirectory: false, at: 0), &disk) },
            possible: ["", "/f=", "/f=new", "/f=\0\0\0"], certain: ""),
        Story(
            testDescription: "the bytes synced, the name not",
            tell: { disk in
                let file = try disk.create("/f", isDirectory: false, at: 0)
                write("new", file, &disk)
                disk.sync(file)
            }, possible: ["", "/f=new"], certain: ""),
        Story(
            testDescription: "the name synced, the bytes not",
            tell: { disk in
                write("new", try disk.create("/f", isDirectory: false, at: 0), &disk)
                disk.syncDirectory(0)
            }, possible: ["/f=", "/f=new", "/f=\0\0\0"], certain: "/f="),
        Story(
            testDescription: "both synced",
            tell: { disk in
                let file = try disk.create("/f", isDirectory: false, at: 0)
                write("new", file, &disk)
                disk.sync(file)
                disk.syncDirectory(0)
            }, possible: ["/f=new"], certain: "/f=new"),
        Story(
            testDescription: "a rename that replaces is whole or not at all",
            tell: { disk in
                for (name, text) in [("/f", "old"), ("/f.tmp", "new")] {
                    let file = try disk.create(name, isDirectory: false, at: 0)
                    write(text, file, &disk)
                    disk.sync(file)
                }
                disk.syncDirectory(0)
                try disk.rename("/f.tmp", to: "/f", replacing: true, at: 0)
            }, possible: ["/f.tmp=new /f=old", "/f=new"], certain: "/f.tmp=new /f=old"),
        Story(
            testDescription: "a rename that does not replace is a link and a removal, in that order",
            tell: { disk in
                let file = try disk.create("/a", isDirectory: false, at: 0)
                write("x", file, &disk)
                disk.sync(file)
                disk.syncDirectory(0)
                try disk.rename("/a", to: "/b", replacing: false, at: 0)
            }, possible: ["/a=x", "/a=x /b=x", "/b=x"], certain: "/a=x"),
        Story(
            testDescription: "fsync of a directory does not reach the directory above",
            tell: { disk in
                let directory = try disk.create("/d", isDirectory: true, at: 0)
                let file = try disk.create("/d/f", isDirectory: false, at: 0)
                write("x", file, &disk)
                disk.sync(file)
                disk.syncDirectory(directory)
            }, possible: ["", "/d/f=x"], certain: ""),
        Story(
            testDescription: "a move between directories is whole, and synced by either",
            tell: { disk in
                let (from, to) = (try disk.create("/a", isDirectory: true, at: 0), try disk.create("/b", isDirectory: true, at: 0))
                let file = try disk.create("/a/f", isDirectory: false, at: 0)
                write("x", file, &disk)
                disk.sync(file)
                for directory in [0, from] { disk.syncDirectory(directory) }
                try disk.rename("/a/f", to: "/b/f", replacing: true, at: 0)
                disk.syncDirectory(to)
            }, possible: ["/b/f=x"], certain: "/b/f=x"),
        Story(
            testDescription: "a failed fsync loses the bytes, and the next one says that all is well",
            tell: { disk in
                let file = try disk.create("/f", isDirectory: false, at: 0)
                disk.syncDirectory(0)
                write("new", file, &disk)
                disk.failSync(file, readsOld: false)
                disk.sync(file)
            }, possible: ["/f="], certain: "/f="),
        Story(
            testDescription: "a removal that was not synced may come back",
            tell: { disk in
                let file = try disk.create("/f", isDirectory: false, at: 0)
                write("x", file, &disk)
                disk.sync(file)
                disk.syncDirectory(0)
                try disk.remove("/f", isDirectory: false, at: 0)
            }, possible: ["/f=x", ""], certain: "/f=x"),
    ]

    @Test(arguments: stories) func powerLossLeavesAnAllowedState(_ story: Story) throws {
        var disk = DiskModel()
        try story.tell(&disk)
        #expect(outcomes(.nothing, disk) == [story.certain])
        #expect(outcomes(.everything, disk) == [picture(disk)] || story.testDescription.contains("failed fsync"))
        let any = outcomes(.anything, disk).union(outcomes(.journal, disk))
        #expect(any.isSubset(of: story.possible))
        #expect(any.union([story.certain]) == story.possible, "all that may happen does, with enough seeds")
    }

    @Test func aTornWriteKeepsWholeSectors() throws {
        var disk = DiskModel()
        let file = try disk.create("/f", isDirectory: false, at: 0)
        disk.syncDirectory(0)
        disk.change(file, .write(offset: 0, [UInt8](repeating: 1, count: 4 * DiskModel.sector)), at: 0)
        var random = SimulationRandom(seed: 2)
        var shapes: Set<[UInt8]> = []
        for _ in 0..<200 {
            let bytes = disk.afterPowerLoss(.anything, random: &random)[file].bytes
            for start in stride(from: 0, to: bytes.count, by: DiskModel.sector) {
                #expect(Set(bytes[start..<min(bytes.count, start + DiskModel.sector)]).count == 1, "a sector is old or new as a whole")
            }
            shapes.insert(stride(from: 0, to: bytes.count, by: DiskModel.sector).map { bytes[$0] })
        }
        #expect(shapes.contains([1, 1, 1, 1]) && shapes.contains([]) && shapes.contains([0, 1, 0, 1]))
    }

    @Test func theUnseenPatternIsUnseenByTheChecksum() {
        var bytes = (0..<100).map { UInt8($0) }
        let before = DamageProbe.checksum(bytes)
        for (index, byte) in DamageProbe.pattern.enumerated() { bytes[40 + index] ^= byte }
        #expect(bytes != (0..<100).map { UInt8($0) } && DamageProbe.checksum(bytes) == before)
        bytes[7] ^= 1
        #expect(DamageProbe.checksum(bytes) != before)
    }
}
