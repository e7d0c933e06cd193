import ArgumentParser
import CheckpointStore
import FoundationEssentials
import Glibc

/// The files that a snapshot consists of, also those that it shares with others.
struct SnapshotFiles {
    let paths: [String]

    init(of path: String) throws {
        let snapshot = try Snapshot.load(path: path)
        paths = snapshot.manifest.files.map { "\(path)/\($0.name)" }
    }
}

/// Appends to a file.
final class FileWriter {
    private let descriptor: Int32
    private let path: String

    init?(_ path: String) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_APPEND)
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    func append(_ data: Data) throws {
        let written = data.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == data.count else { throw ValidationError("cannot write \(path): \(String(cString: strerror(errno)))") }
    }
}
