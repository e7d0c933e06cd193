import FlinkFormats
import FlinkSnapshots
import Foundation
import StreamModel
import Testing

// Goal: a snapshot in a version that is not known is never called damaged, and whatever its writer did not tell is not told. Method: the
// smallest files of each version; and samples of real Flinks, written again in another version or without their properties.

@Suite struct OtherVersionsTests {
    let disk = SampleDisk()

    /// Magic number, version, checkpoint 5, and none of whatever follows.
    private func smallest(version: UInt8) -> [UInt8] { [0x49, 0x60, 0x67, 0x2D, 0, 0, 0, version, 0, 0, 0, 0, 0, 0, 0, 5] + [UInt8](repeating: 0, count: 8) }

    private func read(_ bytes: [UInt8]) -> FlinkSnapshot {
        disk.write(disk.root + "/copy/_metadata", bytes)
        return FlinkSnapshot.read(disk.root + "/copy")
    }

    @Test func versionTwoIsRead() throws {
        let smallest = read(smallest(version: 2))
        #expect(smallest.verdict == .ok && smallest.metadata?.version == 2 && smallest.metadata?.checkpoint == CheckpointID(5))
        let sample = try #require(Sample.named("1.14.3", "heap"))
        var metadata = try sample.decoded()
        let directory = disk.layOut(sample)
        metadata.version = 2
        for index in metadata.operators.indices { metadata.operators[index].coordinatorState = nil }
        disk.write(directory + "/_metadata", MetadataEncoder.encode(metadata))
        let snapshot = FlinkSnapshot.read(directory)
        #expect(snapshot.verdict == .ok && snapshot.files.count == metadata.files.count && !snapshot.files.isEmpty)
        #expect(snapshot.metadata == metadata)
        disk.remove(disk.path(of: try #require(metadata.files.first), in: directory))
        #expect(FlinkSnapshot.read(directory).verdict == .damaged, "its files are looked at like those of any other")
    }

    @Test func versionTwoCutOrFlippedIsAValueOrAnError() throws {
        var metadata = try #require(Sample.named("1.14.3", "incremental")).decoded()
        metadata.version = 2
        for index in metadata.operators.indices { metadata.operators[index].coordinatorState = nil }
        var bytes = MetadataEncoder.encode(metadata)
        for length in 8..<bytes.count where (try? FlinkMetadata.decode(Array(bytes[..<length]), file: "f")) != nil {  // FlinkFormatError: as it should be
            Issue.record("cut at \(length) it is read")
        }
        for index in bytes.indices {
            bytes[index] ^= 0xFF
            _ = try? FlinkMetadata.decode(bytes, file: "f")  // FlinkFormatError or a value: no trap
            bytes[index] ^= 0xFF
        }
    }

    @Test func stateOfFlinkOneOneIsRestoredByNobody() throws {
        var bytes = MetadataEncoder.encode(
            FlinkMetadata(
                version: 2, checkpoint: CheckpointID(5),
                operators: [.init(id: OperatorID(uid: "a"), parallelism: 1, maxParallelism: 128, subtasks: [.init(index: 0)])]))
        // The number of those states is before the last ten bytes: two numbers and two empty handles.
        bytes[bytes.count - 11] = 1
        let snapshot = read(bytes)
        #expect(snapshot.verdict == .abandoned && snapshot.problem?.contains("no supported cluster reads it") == true, "\(snapshot.problem ?? "")")
    }

    @Test(arguments: [7, 8, 200] as [UInt8]) func aLaterVersionIsUnchecked(_ version: UInt8) {
        for bytes in [smallest(version: version), [0x49, 0x60, 0x67, 0x2D, 0, 0, 0, version] + Array("whatever comes then".utf8)] {
            let snapshot = read(bytes)
            #expect(snapshot.verdict == .unchecked && snapshot.verdict.allowsRestore)
            #expect(snapshot.problem?.contains("version \(version)") == true && snapshot.problem?.contains("a later version, unchecked") == true)
        }
    }

    @Test(arguments: [0, 1] as [UInt8]) func anAbandonedVersionIsRefusedAndNotDamaged(_ version: UInt8) {
        let snapshot = read(smallest(version: version))
        #expect(snapshot.verdict == .abandoned && !snapshot.verdict.allowsRestore)
        #expect(snapshot.problem?.contains("no supported cluster reads it") == true)
    }

    @Test func aNumberThatIsNoVersionIsDamage() {
        for version in [[0xFF, 0xFF, 0xFF, 0xFB], [0x7F, 0, 0, 4]] as [[UInt8]] {
            #expect(read([0x49, 0x60, 0x67, 0x2D] + version + [UInt8](repeating: 0, count: 16)).verdict == .damaged)
        }
    }

    @Test func propertiesThatAreNullAreNotTold() throws {
        let smallest = read([0x49, 0x60, 0x67, 0x2D, 0, 0, 0, 4] + [UInt8](repeating: 0, count: 16) + [0xAC, 0xED, 0x00, 0x05, 0x70])
        #expect(smallest.verdict == .ok && smallest.kind == nil && smallest.metadata?.properties == nil)
        for version in ["1.20.5", "2.3.0"] {
            let sample = try #require(Sample.named(version, "heap"))
            var metadata = try sample.decoded()
            metadata.properties = nil
            let directory = disk.layOut(sample)
            disk.write(directory + "/_metadata", MetadataEncoder.encode(metadata))
            let snapshot = FlinkSnapshot.read(directory)
            #expect(snapshot.verdict == .ok && snapshot.metadata == metadata)
        }
    }

    // MARK: Directories

    @Test func aJobsDirectoryNamesItsNewestWholeCheckpoint() throws {
        let job = disk.root + "/00000000000000000000000000000001"
        for name in ["chk-9", "shared", "taskowned"] { try FileManager.default.createDirectory(atPath: job + "/" + name, withIntermediateDirectories: true) }
        #expect(FlinkSnapshot.read(job).problem?.contains("none of its 1 checkpoints is whole") == true)
        disk.write(job + "/chk-8/_metadata", smallest(version: 3))
        disk.write(job + "/chk-10/_metadata", Array(smallest(version: 3).dropLast(3)))
        let snapshot = FlinkSnapshot.read(job)
        #expect(!snapshot.verdict.allowsRestore && FlinkSnapshot.isAt(job))
        #expect(
            snapshot.problem == "\(job) is the directory of a job, not a snapshot: its newest whole one is chk-8, \(job)/chk-8", "\(snapshot.problem ?? "")")
        disk.write(job + "/chk-10/_metadata", smallest(version: 3))
        #expect(FlinkSnapshot.read(job + "/").problem?.contains("chk-10") == true, "by number, not by name")
    }

    @Test func anEmptyJobsDirectoryIsOneToo() throws {
        let job = disk.root + "/0123456789abcdef0123456789abcdef"
        for name in ["shared", "taskowned"] { try FileManager.default.createDirectory(atPath: job + "/" + name, withIntermediateDirectories: true) }
        #expect(FlinkSnapshot.read(job).problem == "\(job) is the directory of a job, not a snapshot: no checkpoint is in it")
    }

    @Test func aMovedSnapshotSaysWhereItsFilesAre() throws {
        // A savepoint whose files have absolute names, in no job's directory.
        let old = disk.root + "/old/savepoint-1a2b3c-0123456789ab", new = disk.root + "/new/savepoint-1a2b3c-0123456789ab"
        disk.make(old + "/one", size: 5)
        let groups = FlinkMetadata.KeyGroups(form: .plain, range: .init(start: 0, count: 0), offsets: [], stream: .file(path: "file:" + old + "/one", size: 5))
        let bytes = MetadataEncoder.encode(Synthetic.metadata(version: 3, keyed: .keyGroups(groups)))
        for directory in [old, new] { disk.write(directory + "/_metadata", bytes) }
        #expect(FlinkSnapshot.read(old).neighbours.isEmpty)
        let neighbours = FlinkSnapshot.read(new).neighbours
        #expect(neighbours.map(\.directory) == [old] && neighbours.map(\.job) == [nil] && neighbours.map(\.files) == [1] && neighbours.map(\.bytes) == [5])
        // A job's directory that was copied whole: the files that count are those of the first.
        let sample = try #require(Sample.named("1.14.3", "incremental"))
        let first = URL(filePath: disk.layOut(sample)).deletingLastPathComponent().path
        let second = disk.root + "/second/" + URL(filePath: first).lastPathComponent
        try FileManager.default.createDirectory(atPath: disk.root + "/second", withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: first, toPath: second)
        let name = URL(filePath: sample.directory).lastPathComponent
        #expect(FlinkSnapshot.read("\(first)/\(name)").neighbours.isEmpty)
        #expect(FlinkSnapshot.read("\(second)/\(name)").neighbours.map(\.directory) == [first])
    }

    @Test func filesOfASnapshotThatAnotherOneNamesAreFound() throws {
        let sample = try #require(Sample.named("1.14.3", "incremental"))
        let first = disk.layOut(sample)
        let second = disk.root + "/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/chk-41"
        try FileManager.default.createDirectory(atPath: second, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: first + "/_metadata", toPath: second + "/_metadata")
        // Through a link the same files have another name.
        try FileManager.default.createSymbolicLink(atPath: disk.root + "/link", withDestinationPath: first)
        let own = try #require(FlinkSnapshot.fileNames(at: "file:" + disk.root + "/link", clusterIsHere: true))
        let theirs = try #require(FlinkSnapshot.fileNames(at: second, clusterIsHere: true))
        let shared = try sample.decoded().files.filter { !$0.isRelative }
        #expect(!shared.isEmpty && own.intersection(theirs).count == shared.count)
        #expect(own.count == (try sample.decoded().files.count))
        #expect(FlinkSnapshot.fileNames(at: disk.root + "/nothing", clusterIsHere: true) == nil)
    }

    // MARK: Operators

    @Test func aUidHashClaimsItsOperator() throws {
        let metadata = try #require(Sample.named("1.20.5", "heap")).decoded()
        let hash = OperatorID(uid: "count").description
        for uid in [hash, hash.uppercased()] {
            let match = metadata.match(uids: ["orders", "legacy", "sink", uid])
            #expect(match.unclaimed.isEmpty && match.withoutState.isEmpty, "\(match)")
        }
        // Digits that are no operator's id may still be a uid.
        let digits = "53bcd0c8f1295aec33a5bce30dc7358d"
        let named = FlinkMetadata(
            version: 3, checkpoint: CheckpointID(1),
            operators: [.init(id: OperatorID(uid: digits), parallelism: 1, maxParallelism: 128, subtasks: [.init(index: 0)])])
        #expect(named.match(uids: [digits]).matched == [digits: 0])
        #expect(metadata.match(uids: [digits]).withoutState == [digits])
    }

    @Test func theNarrowestOperatorWithKeyedStateBoundsTheParallelism() throws {
        let keyed = FlinkMetadata.Keyed.changes(.init(range: .init(start: 0, count: 1), from: 0, to: 0, changes: [], handleID: nil))
        func state(_ uid: String, _ maximum: Int, _ keyed: FlinkMetadata.Keyed?) -> FlinkMetadata.Operator {
            .init(id: OperatorID(uid: uid), parallelism: 1, maxParallelism: maximum, subtasks: [.init(index: 0, managedKeyedState: keyed)])
        }
        let metadata = FlinkMetadata(
            version: 3, checkpoint: CheckpointID(1), operators: [state("list", 16, nil), state("wide", 4096, keyed), state("narrow", 128, keyed)])
        let inspection = read(MetadataEncoder.encode(metadata)).inspection
        #expect(inspection.keyedLimit == .init(operatorName: OperatorID(uid: "narrow").short, maxParallelism: 128))
        #expect(read(smallest(version: 2)).inspection.keyedLimit == nil)
    }
}
