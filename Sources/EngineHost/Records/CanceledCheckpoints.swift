internal import CheckpointStore
internal import StreamModel

/// The checkpoints that a canceled job owned and has no thread to delete: its own, and the snapshot that it began from if that was given to it.
/// Savepoints stay, and so does everything that is being read.
struct CanceledCheckpoints: Sendable {
    struct Outcome: Sendable {
        var deleted = 0
        /// The first one; the rest may remain.
        var problem: String?
    }

    private let record: JobRecord
    private let root: String
    private let filesystem: any Filesystem

    init(_ record: JobRecord, root: String, filesystem: any Filesystem) {
        self.record = record
        self.root = record.report.configuration.storageDirectory ?? root
        self.filesystem = filesystem
    }

    /// Idempotent. Reads and writes the disk.
    func remove() -> Outcome {
        var outcome = Outcome()
        do throws(StoreError) {
            let directory = try JobDirectory(root: root, job: record.id, filesystem: filesystem)
            defer { directory.close() }
            for stored in try directory.completed(verification: .lengths) where stored.summary != nil {
                try leavingThoseInUse {
                    () throws(StoreError) in
                    try directory.discard(stored.id)
                    outcome.deleted += 1
                }
            }
            try directory.collectShared()
            if let restore = record.restore, restore.claim == .claim {
                try leavingThoseInUse { () throws(StoreError) in try Snapshot.remove(path: restore.path, filesystem: filesystem) }
            }
        } catch { outcome.problem = error.description }
        return outcome
    }

    private func leavingThoseInUse(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        do throws(StoreError) { try body() } catch {
            if case .inUse = error { return }
            throw error
        }
    }
}
