public import StreamModel

/// One completed checkpoint or savepoint that the job can go back to.
public struct CompletedCheckpoint: Sendable, Hashable {
    public let id: CheckpointID
    /// Kind of the snapshot.
    public let kind: CheckpointKind
    /// Kind under the rules: a restored snapshot counts as a savepoint, or as the job's own checkpoint if it was claimed (rule 3.4).
    public let treatedAs: CheckpointKind

    /// A checkpoint made by the job itself.
    public init(id: CheckpointID, kind: CheckpointKind) {
        self.id = id
        self.kind = kind
        treatedAs = kind
    }

    /// A snapshot that the job was restored from.
    public init(restored id: CheckpointID, kind: CheckpointKind, claimed: Bool) {
        self.id = id
        self.kind = kind
        treatedAs = claimed ? .checkpoint : .savepoint
    }
}

/// The store of completed checkpoints and savepoints of one job, with their subsumption (rule 3.2). Owned by the coordinator. Deletes nothing
/// itself.
///
/// Ordered by id. Flink orders by time of completion; a savepoint overtaken by a newer checkpoint would then become the one to recover from,
/// and the output between the two would be written twice.
public struct CompletedCheckpoints: Sendable, Equatable {
    public let retained: Int
    /// Entries, oldest first.
    public private(set) var entries: [CompletedCheckpoint] = []

    /// Creates a store that retains at least one checkpoint.
    public init(retained: Int) { self.retained = max(1, retained) }

    public var latest: CompletedCheckpoint? { entries.last }

    public func contains(_ id: CheckpointID) -> Bool { entries.contains { $0.id == id } }

    /// Inserts a restored snapshot without subsuming anything: the snapshots it replaces leave at the next completion. An existing entry stays
    /// unchanged, so an automatic restart does not change its ownership.
    public mutating func insert(_ checkpoint: CompletedCheckpoint) {
        guard !contains(checkpoint.id) else { return }
        let index = entries.lastIndex { $0.id < checkpoint.id }.map { $0 + 1 } ?? 0
        entries.insert(checkpoint, at: index)
    }

    /// Adds a new checkpoint and removes the ones it subsumes, oldest first.
    public mutating func add(_ checkpoint: CompletedCheckpoint) -> [CompletedCheckpoint] {
        insert(checkpoint)
        return subsume()
    }

    /// Removes a checkpoint that is no longer restorable.
    public mutating func remove(_ id: CheckpointID) { entries.removeAll { $0.id == id } }

    /// Removes all entries (the job has ended).
    public mutating func removeAll() -> [CompletedCheckpoint] {
        defer { entries = [] }
        return entries
    }

    /// Subsumes by rule 3.2, `CheckpointSubsumeHelper`: savepoints take up places, but a newer savepoint never removes the newest checkpoint
    /// unless it ends the job.
    private mutating func subsume() -> [CompletedCheckpoint] {
        guard entries.count > retained, let latest else { return [] }
        let newestCheckpoint = entries.last { !$0.treatedAs.isSavepoint }
        var excess = entries.count - retained
        var removed: [CompletedCheckpoint] = []
        entries.removeAll { entry in
            let isSuperfluous =
                entry.id != latest.id
                && (entry.treatedAs.isSavepoint || latest.treatedAs == .synchronousSavepoint || entry.id != newestCheckpoint?.id)
            guard excess > 0, isSuperfluous else { return false }
            excess -= 1
            removed.append(entry)
            return true
        }
        return removed
    }
}
