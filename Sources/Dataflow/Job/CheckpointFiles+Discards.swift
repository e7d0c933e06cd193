internal import CheckpointCore
internal import CheckpointStore
internal import StreamModel

/// Result of an attempt to delete a completed checkpoint.
enum DiscardOutcome: Sendable {
    case gone
    /// It is being read.
    case inUse
    /// The disk refused.
    case failed
}

/// A completed checkpoint that the job no longer needs. Counts as present until it is deleted.
struct PendingDiscard {
    /// Path of the checkpoint; nil = it has no row, only its number is known.
    let path: String?
    let since: EngineInstant
    var isUnderWay = true
    /// Whether it is the first attempt, which counts as a cleanup awaited by the coordinator.
    var isFirst = true
    var outcome = DiscardOutcome.failed
    /// Whether the job has gone back to it meanwhile.
    var isWanted = false
}

/// Deletes completed checkpoints at once, or after their readers have ended.
extension CheckpointFiles {
    /// Longest time that a reader prevents the deletion of a checkpoint.
    static let longestPin = Milliseconds.minutes(10)

    /// Deletes a checkpoint; false when the deletion is already in progress.
    mutating func discardCompleted(_ id: CheckpointID, path: String?) -> Bool {
        retryDiscards(of: [.inUse, .failed])
        guard discards[id] == nil else { return false }
        discards[id] = PendingDiscard(path: path, since: host.now())
        cleanups[id, default: 0] += 1
        discard(id)
        return true
    }

    /// Retries deletions whose last attempt had one of these outcomes.
    mutating func retryDiscards(of outcomes: Set<DiscardOutcome>) {
        for (id, pending) in discards.sorted(by: { $0.key < $1.key }) where !pending.isUnderWay && outcomes.contains(pending.outcome) {
            discards[id]?.isUnderWay = true
            discard(id)
        }
    }

    private func discard(_ id: CheckpointID) {
        guard let pending = discards[id] else { return }
        let isOverdue = host.now() >= pending.since + Self.longestPin
        worker.perform { [directory, filesystem = host.filesystem, report] in
            var outcome = DiscardOutcome.gone
            do throws(StoreError) {
                if let path = pending.path, !path.hasPrefix(directory.path + "/") {
                    try Snapshot.remove(path: path, evenIfInUse: isOverdue, filesystem: filesystem)
                } else {
                    try directory.discard(id, evenIfInUse: isOverdue)
                    try directory.collectShared()
                }
            } catch {
                // A checkpoint that cannot be deleted stays: the deletion is retried with the next one.
                if case .inUse = error { outcome = .inUse } else { outcome = .failed }
            }
            report(.discarded(id, outcome))
        }
    }

    /// Notes the outcome; returns whether it was the last deletion of the checkpoint.
    mutating func discarded(_ id: CheckpointID, _ outcome: DiscardOutcome) -> Bool {
        guard var pending = discards[id] else { return false }
        let isFirst = pending.isFirst
        (pending.isUnderWay, pending.isFirst, pending.outcome) = (false, false, outcome)
        discards[id] = outcome == .gone || pending.isWanted ? nil : pending
        return isFirst && cleaned(id)
    }

    /// Keeps a checkpoint from which the job continues: it is needed again.
    mutating func keep(_ id: CheckpointID) {
        if discards[id]?.isUnderWay == true { discards[id]?.isWanted = true } else { discards[id] = nil }
    }

    /// Subsumed checkpoints that stay because they are being read.
    var pinned: [(id: CheckpointID, path: String)] {
        discards.sorted { $0.key < $1.key }.filter { $0.value.outcome == .inUse }.map { id, pending in
            (id, pending.path ?? "\(directory.path)/chk-\(id)")
        }
    }
}
