import FlinkFormats
import Foundation
import StreamModel

/// A `_metadata` that a Flink wrote, with what stood beside it. See Fixtures/sample-job/README.md.
struct Sample: CustomStringConvertible, Sendable {
    let version: String
    let variant: String
    let bytes: [UInt8]
    /// Where the snapshot stood.
    let directory: String
    /// Sizes of the files below the job's directory, by absolute path.
    let files: [String: Int64]

    var description: String { "\(version)/\(variant)" }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/sample-job")

    /// All of them: those that `record` wrote (they say where they stood).
    static let all: [Sample] = {
        let versions = ["1.14.3", "1.20.5", "2.3.0"]
        return versions.flatMap { version -> [Sample] in
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: version).path)) ?? []  // none: a test says so
            return names.sorted().compactMap { Sample(version: version, variant: $0) }
        }
    }()

    static func named(_ version: String, _ variant: String) -> Sample? { all.first { $0.version == version && $0.variant == variant } }

    init?(version: String, variant: String) {
        let folder = Self.folder.appending(path: "\(version)/\(variant)")
        // A folder without these is none of ours.
        guard let data = try? Data(contentsOf: folder.appending(path: "_metadata")),
            let directory = try? String(contentsOf: folder.appending(path: "directory.txt"), encoding: .utf8),  // as above
            let list = try? String(contentsOf: folder.appending(path: "files.txt"), encoding: .utf8)  // as above
        else { return nil }
        self.version = version
        self.variant = variant
        bytes = Array(data)
        self.directory = directory.trimmingCharacters(in: .whitespacesAndNewlines)
        files = Dictionary(
            uniqueKeysWithValues: list.split(separator: "\n").compactMap { line in
                let parts = line.split(separator: " ", maxSplits: 1)
                return Int64(parts[0]).map { (String(parts[1]), $0) }
            })
    }

    /// The bytes of a handle; nil where the sample does not have them.
    func content(of stream: FlinkMetadata.Stream) throws -> [UInt8]? {
        switch stream {
        case .bytes(_, let bytes): return bytes
        case .relativeFile(let path, _):
            let file = Self.folder.appending(path: "\(version)/\(variant)/\(path)")
            return FileManager.default.fileExists(atPath: file.path) ? Array(try Data(contentsOf: file)) : nil
        default: return nil
        }
    }

    func decoded() throws -> FlinkMetadata { try FlinkMetadata.decode(bytes, file: "_metadata") }
}
