import Foundation
import JSON
import StreamModel

@testable import FlinkREST

/// Answers of real clusters, recorded by version.
enum Fixture {
    static let versions = ["1.14.3", "1.20.5", "2.3.0"]
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static func bytes(_ version: String, _ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: version).appending(path: name + ".json")))
    }

    static func json(_ version: String, _ name: String) throws -> JSONValue { try JSONValue.parse(bytes(version, name), maximumDepth: 64) }

    static func names(_ version: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: version).path)
            .filter { $0.hasSuffix(".json") && $0 != "requests.json" }.map { String($0.dropLast(5)) }.sorted()
    }

    /// Status and path of a recorded request.
    static func request(_ version: String, _ name: String) throws -> (status: Int, path: String, method: String) {
        guard let entry = try json(version, "requests")[name], let status = entry["status"]?.smallCount, let path = entry["path"]?.text else {
            throw Missing(name: name)
        }
        return (status, path, entry["method"]?.text ?? "GET")
    }

    struct Missing: Error { var name: String }
}

extension FlinkVersion {
    init(fixture: String) { self = FlinkVersion(fixture) ?? FlinkVersion(0, 0) }
}
