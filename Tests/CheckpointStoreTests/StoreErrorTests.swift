@testable import CheckpointStore
import TestKit
import Testing

/// What operators read.
@Suite struct StoreErrorTests {
    private static let path = "/ck/0123/chk-7/_metadata"

    static let all: [StoreError] = [
        .notFound(path: path), .noManifest(path: path), .foreignFormat(path: path, looksLike: "a snapshot of Apache Flink"),
        .unsupportedVersion(path: path, found: 2, supported: 1), .wrongLength(path: path, expected: 10, found: 9),
        .checksumMismatch(path: path, expected: 1, found: 0xDEAD_BEEF), .malformed(path: path, offset: 20, reason: "a flag is 7"),
        .damagedRecord(path: path, offset: 0, reason: "record 1 has a wrong checksum"),
        .misdirected(path: path, field: "job", expected: "a", found: "b"), .missingFile(path: path, manifest: "/m"),
        .tooLarge(path: path, length: 2, maximum: 1), .notAFile(path: path, found: .pipe), .inUse(path: path),
        .outputOwned(path: path, owner: nil), .outputTaken(path: path, owner: nil), .owned(path: path, processID: 77), .checkpointExists(path: path),
        .inFlight(path: path), .savepointNamesExhausted(directory: path), .invalidName(path: path, name: "../x"),
        .invalidManifest(path: path, reason: "it is of job b"), .closed(path: path),
        .belowFreeSpaceFloor(directory: path, free: 1, floor: 2), .syncFailed(path: path, errno: 5),
        .inputOutput(path: path, operation: .write, errno: 28), .inputOutput(path: path, operation: .create, errno: 999),
    ]

    @Test("Every error is one line that names the path and ends as a sentence", arguments: all)
    func sentences(_ error: StoreError) {
        #expect(error.path == Self.path)
        #expect(error.description.contains(Self.path))
        #expect(error.description.hasSuffix("."))
        #expect(!error.description.contains("\n"))
    }

    @Test(
        "Refusals of the disk say what to do about the directory",
        arguments: [
            (28, "Cannot write /d/f: no space left on device (errno 28); the disk of /d is full: free some space there."),
            (30, "Cannot write /d/f: read-only filesystem (errno 30); /d is on a read-only filesystem: mount it for writing or use another directory."),
            (13, "Cannot write /d/f: permission denied (errno 13); give the engine's user access to /d or use another directory."),
            (999, "Cannot write /d/f: errno 999."),
        ] as [(Int32, String)])
    func advice(_ errno: Int32, _ text: String) {
        #expect(StoreError.inputOutput(path: "/d/f", operation: .write, errno: errno).description == text)
    }
}
