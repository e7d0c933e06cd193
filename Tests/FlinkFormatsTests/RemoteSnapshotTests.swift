import FlinkFormats
import FlinkSnapshots
import Foundation
import StreamModel
import Testing

// Goal: a snapshot in an object store gets the verdict that it would get on a disk; what the store does not tell is unreachable, never damage.
// Method: samples of real Flinks under a URL as long as the path that they had, in a store that is a dictionary.

@Suite struct RemoteSnapshotTests {
    @Test(arguments: Sample.all) func whatIsWholeOnADiskIsWholeInAStore(_ sample: Sample) throws {
        let store = SampleStore(sample)
        for path in [store.directory, store.directory + "/", store.directory + "/_metadata"] {
            let snapshot = FlinkSnapshot.read(path, clusterIsHere: false, remote: store)
            #expect(snapshot.verdict == .ok && snapshot.path == path, "\(snapshot.verdict) \(snapshot.problem ?? "")")
            #expect(snapshot.files.count == (try sample.decoded().files.count) && snapshot.neighbours.isEmpty)
            #expect(snapshot.writtenAt == SampleStore.writtenAt && snapshot.job == FlinkLocation.job(inPath: sample.directory))
        }
        #expect(FlinkSnapshot.read(store.directory).verdict == .unreachable, "without a way there")
    }

    @Test(arguments: Sample.all) func aMissingFileIsDamageAndNamed(_ sample: Sample) throws {
        for file in try sample.decoded().files {
            let store = SampleStore(sample), url = store.url(of: file)
            store.files[url] = nil
            let snapshot = FlinkSnapshot.read(store.directory, remote: store)
            #expect(snapshot.verdict == .damaged && snapshot.damaged.map(\.state) == [.missing])
            #expect(snapshot.problem?.contains("\(url) is missing") == true, "\(snapshot.problem ?? "")")
        }
    }

    @Test func whatTheStoreDoesNotTellIsUnreachable() throws {
        let sample = try #require(Sample.named("2.3.0", "incremental"))
        let store = SampleStore(sample)
        let file = try #require(try sample.decoded().files.first { $0.role == .shared })
        store.secret = [store.url(of: file)]
        let hidden = FlinkSnapshot.read(store.directory, remote: store)
        #expect(hidden.verdict == .unreachable && hidden.damaged.isEmpty && hidden.unreachable.count == 1)
        #expect(hidden.problem?.contains("access denied (403)") == true, "\(hidden.problem ?? "")")
        store.secret = [store.directory + "/_metadata"]
        let all = FlinkSnapshot.read(store.directory, remote: store)
        #expect(all.verdict == .unreachable && all.problem == "not reachable from here: access denied (403)")
        // A path on another machine's disk is in no store.
        #expect(FlinkSnapshot.read("file://elsewhere/cp/chk-1", remote: store).problem == "not reachable from here: it is on the host elsewhere")
    }

    @Test func aLengthThatIsNotTheOneIsDamage() throws {
        let sample = try #require(Sample.named("1.14.3", "heap"))
        let store = SampleStore(sample)
        let file = try #require(try sample.decoded().files.first)
        store.files[store.url(of: file)]?.size += 1
        #expect(FlinkSnapshot.read(store.directory, remote: store).verdict == .damaged)
        // A store that tells no length proves nothing.
        store.files[store.url(of: file)]?.isSizeTold = false
        #expect(FlinkSnapshot.read(store.directory, remote: store).verdict == .unreachable)
    }

    @Test func whatIsNoSnapshotIsToldApart() throws {
        let sample = try #require(Sample.named("2.3.0", "heap"))
        let store = SampleStore(sample)
        let job = store.directory.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
        let found = FlinkSnapshot.read(job, remote: store)
        #expect(found.verdict == .foreign && found.problem?.contains("its newest whole one is chk-") == true, "\(found.problem ?? "")")
        #expect(FlinkSnapshot.read(job + "/nothing", remote: store).verdict == .missing)
        store.files[store.directory + "/_metadata"] = nil
        let begun = FlinkSnapshot.read(store.directory, remote: store)
        #expect(begun.verdict == .damaged && begun.problem?.contains("was never completed") == true, "\(begun.problem ?? "")")
        store.hidesNames = true
        #expect(FlinkSnapshot.read(store.directory, remote: store).verdict == .missing, "the metadata is certainly not there")
        store.put(store.directory + "/_metadata", Array("hello".utf8))
        #expect(FlinkSnapshot.read(store.directory, remote: store).verdict == .foreign)
    }

    @Test func aFileHasOneNameInAllSpellingsOfItsStore() throws {
        let store = SampleStore(try #require(Sample.named("2.3.0", "heap")))
        let names = try #require(FlinkSnapshot.fileNames(at: store.directory, clusterIsHere: false, remote: store))
        #expect(!names.isEmpty && names.allSatisfy { $0.hasPrefix("one:") })
    }
}

/// A store that holds one sample. Touched by one test at a time.
private final class SampleStore: RemoteFiles, @unchecked Sendable {
    struct File {
        var size: Int64
        var bytes: [UInt8]?
        var isSizeTold = true
    }

    static let writtenAt = WallTime(milliseconds: 1_764_400_000_000)
    private static let original = "file:\(SampleDisk.original)", root = "s3://bucket-1234/xy"

    let directory: String
    var files: [String: File] = [:]
    /// What nobody is told about.
    var secret: Set<String> = []
    var hidesNames = false

    init(_ sample: Sample) {
        precondition(Self.original.utf8.count == Self.root.utf8.count)
        directory = Self.moved(sample.directory)
        for (path, size) in sample.files { files[Self.moved(path)] = File(size: size) }
        var data = Data(sample.bytes), start = data.startIndex
        while let range = data.range(of: Data(Self.original.utf8), in: start..<data.endIndex) {
            data.replaceSubrange(range, with: Data(Self.root.utf8))
            start = range.upperBound
        }
        put(directory + "/_metadata", Array(data))
    }

    func put(_ url: String, _ bytes: [UInt8]) { files[url] = File(size: Int64(bytes.count), bytes: bytes) }

    func url(of file: FlinkMetadata.File) -> String { file.isRelative ? directory + "/" + file.path : Self.moved(file.path) }

    private static func moved(_ path: String) -> String {
        let bare = path.hasPrefix("file:") ? String(path.dropFirst(5)) : path
        return bare.hasPrefix(SampleDisk.original) ? root + bare.dropFirst(SampleDisk.original.count) : path
    }

    func look(at urls: [String]) -> [RemoteFile] {
        urls.map { url in
            if secret.contains(url) { return .unknown(reason: "access denied (403)") }
            return files[url].map { .file($0.isSizeTold ? ByteCount($0.size) : nil, modified: Self.writtenAt) } ?? .missing
        }
    }

    func read(_ url: String, from offset: Int64, count: Int64?, limit: Int64) throws(RemoteFileFailure) -> [UInt8] {
        guard let file = files[url] else { throw .missing }
        // Contents of most samples' files were not kept.
        guard let bytes = file.bytes else { throw .unknown(reason: "no content was kept") }
        return Array(bytes.dropFirst(Int(offset)).prefix(Int(count ?? .max)))
    }

    func names(in url: String) throws(RemoteFileFailure) -> [String] {
        if hidesNames { throw .unknown(reason: "access denied (403)") }
        return Set(files.keys.filter { $0.hasPrefix(url + "/") }.compactMap { $0.dropFirst(url.count + 1).split(separator: "/").first.map(String.init) })
            .sorted()
    }

    func spelling(of url: String) -> String { "one:" + url }
}
