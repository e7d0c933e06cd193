public import StreamModel

/// Corrects a job's recorded checkpoints by the files on disk, after the engine that wrote the record has ended: the record may lack its last
/// lines, and everything in flight is over.
public struct CheckpointReview {
    /// Result of a scan of the job's directory.
    private let stored: [StoredCheckpoint]
    /// The job's timeout, for rows made here.
    private let timeout: Milliseconds
    private let now: WallTime
    private let filesystem: any Filesystem

    public init(stored: [StoredCheckpoint], timeout: Milliseconds, at now: WallTime, filesystem: any Filesystem = PosixFilesystem()) {
        self.stored = stored
        self.timeout = timeout
        self.now = now
        self.filesystem = filesystem
    }

    /// Corrects a record, oldest first. Checkpoints in flight become completed if their manifest exists, otherwise failed; missing ones become
    /// discarded; those completed after the last record are added.
    public func corrected(_ record: [CheckpointReport]) -> [CheckpointReport] {
        var rows = record
        for found in stored {
            guard let row = row(found) else { continue }
            guard let index = rows.lastIndex(where: { $0.id == row.id }) else {
                if isMadeDurable(found.path) { rows.append(row) }
                continue
            }
            guard rows[index].status == .inProgress, isMadeDurable(found.path) else { continue }
            var completed = row
            (completed.totalSubtasks, completed.acknowledgedSubtasks) = (rows[index].totalSubtasks, rows[index].totalSubtasks)
            (completed.kind, completed.requestedBy) = (rows[index].kind, rows[index].requestedBy)
            rows[index] = completed
        }
        return rows.map(corrected).sorted { ($0.id, $0.triggeredAt) < ($1.id, $1.triggeredAt) }
    }

    /// Makes an unrecorded complete checkpoint durable. It may exist only in the cache, if the engine died between the rename of the manifest and
    /// the sync of its directory; a power loss would then contradict the record.
    private func isMadeDurable(_ path: String) -> Bool {
        let disk = Disk(filesystem: filesystem)
        do throws(StoreError) {
            try disk.syncDirectory(path)
            try disk.syncDirectory(StorePath.parent(path))
            return true
        } catch {
            // Not a checkpoint for now; a later review may find it durable.
            return false
        }
    }

    private func row(_ found: StoredCheckpoint) -> CheckpointReport? {
        found.summary.map { summary in
            // The wall clock may have been set back in between; the duration is then unknown.
            let took = summary.completedAt - summary.triggeredAt
            return CheckpointReport(
                id: summary.checkpoint, kind: summary.kind, status: .completed, triggeredAt: summary.triggeredAt, endedAt: summary.completedAt,
                duration: took < 0 ? nil : took, timeoutAt: summary.triggeredAt + timeout, totalSubtasks: 0,
                stateSize: summary.stateSize, checkpointedSize: summary.checkpointedSize, path: found.path)
        }
    }

    private func corrected(_ row: CheckpointReport) -> CheckpointReport {
        var row = row
        switch row.status {
        case .inProgress:
            row.status = .failed
            row.endedAt = now
            row.failure = CheckpointReport.Failure(
                reason: .checkpointCoordinatorSuspend, message: "the engine ended while it was in progress", counted: false, at: now)
        case .completed:
            guard !row.discarded, let path = row.path else { break }
            row.discarded = isGone(path)
        case .failed: break
        }
        return row
    }

    /// Whether its files are certainly missing; an unreadable one may still exist.
    private func isGone(_ path: String) -> Bool {
        do throws(StoreError) { return try Disk(filesystem: filesystem).status(path) == nil } catch { return false }
    }
}
