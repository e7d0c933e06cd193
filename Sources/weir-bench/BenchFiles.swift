import ArgumentParser
import CheckpointStore
import FoundationEssentials
import Glibc

/// The files of a snapshot, including those shared with others.
struct SnapshotFiles {
    let paths: [String]

    init(of path: String) throws {
        let snapshot = try Snapshot.load(path: path)
        // `shared/...` lies beside the checkpoint's own directory.
        paths = snapshot.manifest.files.map { $0.name.hasPrefix("shared/") ? "\(path)/../\($0.name)" : "\(path)/\($0.name)" }
    }

    /// Reads every file from start to end.
    func secondsToRead() throws -> Double {
        let start = ContinuousClock.now
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        try forEach { descriptor in
            while read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
        }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    /// Asks the kernel to drop the files from its cache.
    func dropFromCache() throws { try forEach { posix_fadvise($0, 0, 0, POSIX_FADV_DONTNEED) } }

    private func forEach(_ body: (Int32) -> Void) throws {
        for path in paths {
            let descriptor = open(path, O_RDONLY)
            guard descriptor >= 0 else { throw ValidationError("cannot read \(path): \(String(cString: strerror(errno)))") }
            body(descriptor)
            close(descriptor)
        }
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
