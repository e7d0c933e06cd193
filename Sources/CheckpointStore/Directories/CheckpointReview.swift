public import StreamModel

/// A job's recorded checkpoints, corrected by what lies on the disk, after the engine that wrote the record has ended: its last lines may
/// be missing, and what it had in flight is over.
public struct CheckpointReview {
    /// What a scan of the job's directory found.
    private let stored: [StoredCheckpoint]
    /// The job's time-out, for rows that are made here.
    private let timeout: Milliseconds
    private let now: WallTime
    private let filesystem: any Filesystem

    public init(stored: [StoredCheckpoint], timeout: Milliseconds, at now: WallTime, filesystem: any Filesystem = PosixFilesystem()) {
        self.stored = stored
        self.timeout = timeout
        self.now = now
        self.filesystem = filesystem
    }

    /// Those that were in flight have completed, if their manifest is there, and have failed otherwise; those that are gone are discarded;
    /// those that completed after the last record are added. Oldest first.
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

    /// What nobody has recorded as complete may lie in the cache alone: an engine that died between the rename of the manifest and the sync of
    /// its directory leaves such a one, and a power loss would take it away from a record that says it is there.
    private func isMadeDurable(_ path: String) -> Bool {
        let disk = Disk(filesystem: filesystem)
        do throws(StoreError) {
            try disk.syncDirectory(path)
            try disk.syncDirectory(StorePath.parent(path))
            return true
        } catch {
            // It is no checkpoint for now; the next look may find it durable.
            return false
        }
    }

    private func row(_ found: StoredCheckpoint) -> CheckpointReport? {
        found.summary.map { summary in
            // The clock of the wall may have been put back in between; then nobody knows.
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

    /// Only what is certainly not there is gone; what cannot be read now may be there.
    private func isGone(_ path: String) -> Bool {
        do throws(StoreError) { return try Disk(filesystem: filesystem).status(path) == nil } catch { return false }
    }
}
