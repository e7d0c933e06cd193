import FlinkFormats
import FlinkSnapshots
import Foundation
import StreamModel
import Testing

// Goal: snapshots of whole clusters are read as those clusters count them. Method: what the harness of the cluster tests recorded, with the
// size of the state that the REST API named for each.

/// A snapshot in Fixtures/VERSION, and what the cluster said of it.
struct ClusterSample: CustomStringConvertible, Sendable {
    struct Answer: Decodable {
        var checkpoint: UInt64?
        var job: String
        var path: String
        var savepoint: Bool
        var state_size: Int64?
    }
    let version: String
    let name: String
    let answer: Answer

    var description: String { "\(version)/\(name)" }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static let all: [ClusterSample] = ["1.14.3", "1.20.5", "2.3.0"].flatMap { version -> [ClusterSample] in
        // A version without recordings: a test says so.
        guard let data = try? Data(contentsOf: folder.appending(path: "\(version)/samples.json")),
            let answers = try? JSONDecoder().decode([String: Answer].self, from: data)  // as above
        else { return [] }
        return answers.sorted { $0.key < $1.key }.map { ClusterSample(version: version, name: $0, answer: $1) }
    }

    /// Its directory in this repository.
    var directory: String {
        let original = answer.path.hasPrefix("file:") ? String(answer.path.dropFirst(5)) : answer.path
        let below = original.split(separator: "/").drop { $0 != name }.dropFirst().joined(separator: "/")
        return Self.folder.appending(path: "\(version)/\(name)/\(below)").path
    }
}

@Suite struct ClusterSampleTests {
    @Test func everyVersionIsThere() {
        #expect(ClusterSample.all.count >= 12)
        #expect(Set(ClusterSample.all.map(\.version)) == ["1.14.3", "1.20.5", "2.3.0"])
    }

    @Test(arguments: ClusterSample.all) func theSizeIsTheClusters(_ sample: ClusterSample) throws {
        let bytes = Array(try Data(contentsOf: URL(filePath: sample.directory + "/_metadata")))
        let metadata = try FlinkMetadata.decode(bytes, file: sample.description)
        #expect(MetadataEncoder.encode(metadata) == bytes)
        #expect(metadata.checkpoint.rawValue == sample.answer.checkpoint ?? metadata.checkpoint.rawValue)
        // The cluster sums what tasks report; a coordinator is none.
        let coordinators = metadata.operators.reduce(0 as Int64) { $0 + ($1.coordinatorState?.size.count ?? 0) }
        if let size = sample.answer.state_size { #expect(metadata.stateSize.count - coordinators == size) }
        if let kind = metadata.properties?.kind { #expect((kind != .checkpoint) == sample.answer.savepoint) }
    }

    @Test(arguments: ClusterSample.all) func relativeFilesAreWhereTheyBelong(_ sample: ClusterSample) throws {
        let snapshot = FlinkSnapshot.read(sample.directory)
        let relative = snapshot.files.filter(\.file.isRelative)
        #expect(relative.allSatisfy { if case .present = $0.state { true } else { false } }, "\(snapshot.problem ?? "")")
        if snapshot.files.allSatisfy(\.file.isRelative) { #expect(snapshot.verdict == .ok) }
    }
}
