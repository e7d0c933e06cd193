import CheckpointStore
import StreamModel
import TestKit
import Testing

// Goal: what somebody reads is not deleted under their hands, and is deletable at once when they have ended. Method: readers and the deleter
// hold handles of their own on one real disk, as two processes do.
@Suite struct SnapshotPinTests {
    private let temporary = Sandbox()

    private func checkpoint(_ directory: JobDirectory, _ id: UInt64) throws -> String {
        let attempt = try directory.begin(CheckpointID(id))
        try Samples.write(attempt)
        return attempt.path
    }

    private func open() throws -> JobDirectory { try JobDirectory(root: temporary.path, job: Samples.job) }

    @Test("A pinned checkpoint stays until the last pin is released")
    func pinned() throws {
        let directory = try open(), path = try checkpoint(directory, 1)
        let first = try SnapshotPin.take(path: path), second = try SnapshotPin.take(path: path + "/_metadata")
        #expect(first.path == path && second.path == path)
        #expect(throws: StoreError.inUse(path: path)) { try directory.discard(CheckpointID(1)) }
        first.release()
        #expect(throws: StoreError.inUse(path: path)) { try directory.discard(CheckpointID(1)) }
        #expect(throws: StoreError.inUse(path: path)) { try Snapshot.remove(path: path) }
        #expect(try Snapshot.load(path: path).manifest.checkpoint == CheckpointID(1), "nothing of it was touched")
        second.release()
        second.release()
        try directory.discard(CheckpointID(1))
        #expect(!Plain.exists(path))
    }

    @Test("A pinned checkpoint is deleted after the limit, and its reader finds it missing")
    func overdue() throws {
        let directory = try open(), path = try checkpoint(directory, 1), other = try checkpoint(directory, 2)
        let pins = try [SnapshotPin.take(path: path), SnapshotPin.take(path: other)]
        try directory.discard(CheckpointID(1), evenIfInUse: true)
        try Snapshot.remove(path: other, evenIfInUse: true)
        #expect(!Plain.exists(path) && !Plain.exists(other))
        #expect(throws: StoreError.notFound(path: path)) { try SnapshotPin.take(path: path) }
        withExtendedLifetime(pins) {}
    }

    @Test("A loaded snapshot is pinned until it is released or dropped; an inspection pins only while it runs")
    func loaded() throws {
        let directory = try open(), path = try checkpoint(directory, 1), other = try checkpoint(directory, 2)
        let snapshot = try Snapshot.load(path: path)
        #expect(throws: StoreError.inUse(path: path)) { try directory.discard(CheckpointID(1)) }
        snapshot.pin.release()
        try directory.discard(CheckpointID(1))
        do { _ = try Snapshot.load(path: other) }
        #expect(Snapshot.inspect(path: other).verdict == .ok)
        try directory.discard(CheckpointID(2))
        #expect(!Plain.exists(other))
    }

    @Test("A directory without manifest cannot be pinned")
    func nothingToPin() throws {
        let directory = try open(), path = try checkpoint(directory, 1)
        Plain.remove(path + "/_metadata")
        #expect(throws: StoreError.noManifest(path: path)) { try SnapshotPin.take(path: path) }
        #expect(throws: StoreError.notFound(path: temporary.path + "/no")) { try SnapshotPin.take(path: temporary.path + "/no") }
        // An attempt that was taken away in the middle is finished whoever looks at it.
        try directory.discard(CheckpointID(1))
        #expect(!Plain.exists(path))
    }

    @Test("Shared files of a pinned checkpoint stay with it")
    func sharedFiles() throws {
        let directory = try open()
        let first = try directory.begin(CheckpointID(1), sharesFiles: true)
        let (_, writers) = try Samples.writeIncremental(first, older: nil)
        let second = try directory.begin(CheckpointID(2), sharesFiles: true)
        let (_, newer) = try Samples.writeIncremental(second, older: nil)
        let pin = try SnapshotPin.take(path: first.path)
        #expect(throws: StoreError.inUse(path: first.path)) { try directory.discard(CheckpointID(1)) }
        #expect(try directory.collectShared() == [])
        #expect(try directory.sweep(live: [], olderThan: WallTime(milliseconds: .max), dryRun: false) == [])
        #expect(try Samples.difference(try Snapshot.load(path: first.path), CheckpointID(1), writers) == nil)
        pin.release()
        try directory.discard(CheckpointID(1))
        #expect(try !directory.collectShared().isEmpty)
        #expect(try Samples.difference(try Snapshot.load(path: second.path), CheckpointID(2), newer) == nil)
    }
}
