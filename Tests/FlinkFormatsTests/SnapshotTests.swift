import FlinkFormats
import FlinkSnapshots
import Foundation
import StreamModel
import Testing

// Goal: the verdict on a snapshot is that of a restore: whole, damaged, or not to be told from here. Method: samples of real Flinks laid out
// on a real disk under another root (of the same length, so that the metadata stays the file that Flink wrote), with their files in the sizes
// they had; then files are removed, cut, moved.

@Suite struct SnapshotTests {
    let disk = SampleDisk()

    @Test(arguments: Sample.all) func whatStandsWhereItStoodIsWhole(_ sample: Sample) throws {
        let directory = disk.layOut(sample)
        let snapshot = FlinkSnapshot.read(directory)
        #expect(snapshot.verdict == .ok, "\(snapshot.problem ?? "")")
        #expect(snapshot.files.count == (try sample.decoded().files.count))
        #expect(snapshot.neighbours.isEmpty)
        #expect(snapshot.path == directory)
        #expect(snapshot.kind == (sample.variant.hasPrefix("savepoint") ? (sample.version == "1.14.3" ? .savepoint : .synchronousSavepoint) : .checkpoint))
        #expect(snapshot.job == FlinkLocation.job(inPath: sample.directory))
        let inspection = snapshot.inspection
        #expect(inspection.checkpoint == snapshot.metadata?.checkpoint && inspection.completedAt != nil && inspection.maxParallelism == 128)
    }

    @Test(arguments: Sample.all) func aMissingFileIsDamageAndNamed(_ sample: Sample) throws {
        let directory = disk.layOut(sample)
        for file in try sample.decoded().files {
            let path = disk.path(of: file, in: directory)
            let size = disk.remove(path)
            let snapshot = FlinkSnapshot.read(directory)
            #expect(snapshot.verdict == .damaged && snapshot.damaged.map(\.state) == [.missing])
            #expect(snapshot.problem?.contains(path) == true && snapshot.problem?.contains("missing") == true)
            disk.make(path, size: size)
        }
        #expect(FlinkSnapshot.read(directory).verdict == .ok)
    }

    @Test func aShortFileIsDamageAndALongOneToo() throws {
        let sample = try #require(Sample.named("2.3.0", "incremental"))
        let directory = disk.layOut(sample)
        let file = try #require(try sample.decoded().files.first { $0.role == .shared })
        let path = disk.path(of: file, in: directory)
        for change in [-1, 1] as [Int64] {
            disk.make(path, size: file.length.bytes + change)
            let snapshot = FlinkSnapshot.read(directory)
            #expect(snapshot.damaged.map(\.state) == [.wrongLength(found: ByteCount(file.length.bytes + change))])
            #expect(snapshot.problem?.contains("instead of \(file.length.bytes)") == true)
        }
        // A segment's file may go on behind it.
        let merged = try #require(Sample.named("2.3.0", "merged"))
        let other = disk.layOut(merged)
        let segments = try #require(try merged.decoded().files.first)
        disk.make(disk.path(of: segments, in: other), size: segments.length.bytes + 1000)
        #expect(FlinkSnapshot.read(other).verdict == .ok)
        disk.make(disk.path(of: segments, in: other), size: segments.length.bytes - 1)
        #expect(FlinkSnapshot.read(other).verdict == .damaged)
    }

    @Test func aDirectoryInAFilesPlaceIsDamage() throws {
        let sample = try #require(Sample.named("1.20.5", "heap"))
        let directory = disk.layOut(sample)
        let path = disk.path(of: try #require(try sample.decoded().files.first), in: directory)
        disk.remove(path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(FlinkSnapshot.read(directory).damaged.map(\.state) == [.notPlain])
    }

    @Test func whatReachesIntoAnotherJobsDirectorySaysSo() throws {
        let sample = try #require(Sample.named("1.14.3", "incremental"))
        let directory = disk.layOut(sample)
        let first = try #require(FlinkLocation.job(inPath: directory))
        let moved = disk.root + "/other/0123456789abcdef0123456789abcdef/chk-4"
        try FileManager.default.createDirectory(atPath: disk.root + "/other/0123456789abcdef0123456789abcdef", withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: directory, toPath: moved)
        let snapshot = FlinkSnapshot.read(moved)
        #expect(snapshot.verdict == .ok)
        let shared = try sample.decoded().files.filter { !$0.isRelative }
        let neighbour = try #require(snapshot.neighbours.first)
        #expect(
            snapshot.neighbours.count == 1 && neighbour.job == first && neighbour.directory == disk.root + "/incremental/\(first)"
                && neighbour.files == shared.count && neighbour.files > 0)
        #expect(neighbour.bytes.count == shared.reduce(0) { $0 + $1.length.bytes })
        try FileManager.default.removeItem(atPath: disk.root + "/incremental/\(first)")
        #expect(FlinkSnapshot.read(moved).verdict == .damaged)
    }

    @Test func aHeapCheckpointCanBeMoved() throws {
        let directory = disk.layOut(try #require(Sample.named("1.20.5", "heap")))
        try FileManager.default.moveItem(atPath: directory, toPath: disk.root + "/elsewhere")
        let snapshot = FlinkSnapshot.read(disk.root + "/elsewhere")
        #expect(snapshot.verdict == .ok && snapshot.job == nil && snapshot.kind == .checkpoint)
    }

    @Test func pathsAreTakenInEveryForm() throws {
        let directory = disk.layOut(try #require(Sample.named("2.3.0", "heap")))
        for path in [
            directory, directory + "/", directory + "/_metadata", "file:" + directory, "file://" + directory, "file://localhost\(directory)/_metadata",
        ] {
            let snapshot = FlinkSnapshot.read(path)
            #expect(snapshot.verdict == .ok, "\(path): \(snapshot.problem ?? "")")
            #expect(snapshot.inspection.path == path, "as it was asked for")
            #expect(FlinkSnapshot.isAt(path))
        }
    }

    // MARK: Not from here

    @Test func otherFileSystemsAreNotReachable() {
        for (path, word) in [("s3://bucket/c/chk-1", "s3:"), ("hdfs://nn/c/chk-1", "hdfs:"), ("file://tm-7/c/chk-1", "host tm-7")] {
            let snapshot = FlinkSnapshot.read(path)
            #expect(snapshot.verdict == .unreachable)
            #expect(snapshot.problem?.contains(word) == true)
            #expect(FlinkSnapshot.isAt(path), "nobody else has such paths")
        }
    }

    @Test func nothingIsMissingOnlyWhereTheClusterIs() {
        let path = disk.root + "/nothing"
        #expect(FlinkSnapshot.read(path).verdict == .missing)
        #expect(FlinkSnapshot.read(path, clusterIsHere: false).verdict == .unreachable)
    }

    @Test func filesElsewhereAreNoDamage() throws {
        let groups = FlinkMetadata.KeyGroups(form: .plain, range: .init(start: 0, count: 0), offsets: [], stream: .file(path: "s3://b/c/chk-7/x", size: 5))
        let bytes = MetadataEncoder.encode(Synthetic.metadata(version: 4, keyed: .keyGroups(groups)))
        disk.write(disk.root + "/copied/_metadata", bytes)
        let snapshot = FlinkSnapshot.read(disk.root + "/copied")
        #expect(snapshot.verdict == .unreachable && snapshot.damaged.isEmpty && snapshot.unreachable.count == 1)
        #expect(snapshot.problem == "1 of 1 files: s3://b/c/chk-7/x is not reachable from here: it is in s3:")
    }

    // MARK: Not Flink's, or no longer

    @Test func metadataThatIsCutIsDamage() throws {
        let sample = try #require(Sample.named("2.3.0", "heap"))
        let directory = disk.layOut(sample)
        for length in stride(from: 4, to: sample.bytes.count, by: 97) {
            disk.write(directory + "/_metadata", Array(sample.bytes[..<length]))
            let snapshot = FlinkSnapshot.read(directory)
            #expect(snapshot.verdict == .damaged && snapshot.problem?.hasPrefix(directory + "/_metadata: at byte ") == true, "\(snapshot.problem ?? "")")
        }
    }

    @Test func otherThingsAreNamed() throws {
        let directory = disk.root + "/things"
        disk.write(directory + "/text/_metadata", Array("some text".utf8))
        #expect(FlinkSnapshot.read(directory + "/text").verdict == .foreign)
        #expect(!FlinkSnapshot.isAt(directory + "/text"))
        try FileManager.default.createDirectory(atPath: directory + "/empty", withIntermediateDirectories: true)
        let incomplete = FlinkSnapshot.read(directory + "/empty")
        #expect(incomplete.verdict == .damaged && incomplete.problem?.contains("never completed") == true)
        // A pipe would keep a reader waiting for ever.
        #expect(mkfifo(directory + "/empty/_metadata", 0o600) == 0)
        #expect(FlinkSnapshot.read(directory + "/empty").verdict == .foreign)
        #expect(!FlinkSnapshot.isAt(directory + "/empty"))
    }

    // MARK: Contents

    @Test(arguments: ["1.14.3", "1.20.5", "2.3.0"]) func kafkaOffsetsAreFoundInlineAndInFiles(_ version: String) throws {
        let directory = disk.layOut(try #require(Sample.named(version, "heap")))
        let snapshot = FlinkSnapshot.read(directory)
        let splits = snapshot.kafka.filter { $0.source == .splits }
        #expect(Set(splits.map { "\($0.offset.topic)-\($0.offset.partition)" }).count == 5 && splits.allSatisfy { $0.owner == OperatorID(uid: "orders") })
        guard version != "2.3.0" else {
            // Kryo of 2.x writes in another way; the consumer ended with 1.x.
            return
        }
        let legacy = snapshot.kafka.filter { $0.source == .legacy }
        #expect(legacy.count == 4 && legacy.allSatisfy { $0.owner == OperatorID(uid: "legacy") })
        #expect(legacy.first { $0.offset.topic == "clicks" }?.offset.position == .next(123_456_790))
    }

    @Test func offsetsThatCannotBeReadAreNoted() throws {
        let sample = try #require(Sample.named("1.20.5", "heap"))
        let directory = disk.layOut(sample)
        let state = try #require(try sample.decoded().kafkaOffsetStates.first { $0.source == .legacy })
        guard case .relativeFile(let name, let size) = state.stream else {
            Issue.record("the state is in a file of the snapshot")
            return
        }
        disk.make(directory + "/" + name, size: size)
        let snapshot = FlinkSnapshot.read(directory)
        #expect(snapshot.verdict == .ok)
        #expect(snapshot.notes.count == 1 && snapshot.notes[0].contains(OperatorID(uid: "legacy").description) && snapshot.notes[0].contains(name))
    }

    @Test func uidsThatClaimNothingAreFound() throws {
        let metadata = try #require(Sample.named("1.20.5", "heap")).decoded()
        let all = metadata.match(uids: ["orders", "legacy", "count", "sink"])
        #expect(all.unclaimed.isEmpty && all.withoutState.isEmpty && all.matched.count == 4)
        let renamed = metadata.match(uids: ["orders", "legacy", "counts"])
        #expect(renamed.unclaimed.map { metadata.operators[$0].id } == [OperatorID(uid: "count")], "without state, the sink is left over without harm")
        #expect(renamed.withoutState == ["counts"])
    }
}

/// A folder with a path as long as the one in which the samples were made.
final class SampleDisk: Sendable {
    static let original = "/var/lib/flink"
    let root: String

    init() {
        var template = Array("/tmp/wf-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary folder")
        root = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        precondition(root.utf8.count == Self.original.utf8.count)
    }

    deinit { _ = try? FileManager.default.removeItem(atPath: root) }  // what stays fails no test

    /// Puts a sample's files where they stood, below this root. Returns the snapshot's directory.
    func layOut(_ sample: Sample) -> String {
        for (path, size) in sample.files { make(moved(path), size: size) }
        let directory = moved(sample.directory)
        write(directory + "/_metadata", moved(sample.bytes))
        for file in (try? sample.decoded().files) ?? [] where file.isRelative {  // other tests tell what cannot be read
            let stream = FlinkMetadata.Stream.relativeFile(path: file.path, size: 0)
            if let bytes = try? sample.content(of: stream) { write(directory + "/" + file.path, bytes) }  // most samples have no contents
        }
        return directory
    }

    func path(of file: FlinkMetadata.File, in directory: String) -> String {
        guard !file.isRelative else { return directory + "/" + file.path }
        guard case .local(let path) = FlinkLocation(file.path) else { return file.path }
        return moved(path)
    }

    private func moved(_ path: String) -> String { path.hasPrefix(Self.original) ? root + path.dropFirst(Self.original.count) : path }

    private func moved(_ bytes: [UInt8]) -> [UInt8] {
        var data = Data(bytes)
        var start = data.startIndex
        while let range = data.range(of: Data(Self.original.utf8), in: start..<data.endIndex) {
            data.replaceSubrange(range, with: Data(root.utf8))
            start = range.upperBound
        }
        return Array(data)
    }

    func make(_ path: String, size: Int64) {
        write(path, [])
        precondition(truncate(path, off_t(size)) == 0, "cannot make \(path)")
    }

    func write(_ path: String, _ bytes: [UInt8]) {
        let folder = (path as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(bytes).write(to: URL(filePath: path))
        } catch {
            preconditionFailure("cannot write \(path): \(error)")
        }
    }

    @discardableResult
    func remove(_ path: String) -> Int64 {
        var status = stat()
        precondition(stat(path, &status) == 0 && unlink(path) == 0, "cannot remove \(path)")
        return Int64(status.st_size)
    }
}
