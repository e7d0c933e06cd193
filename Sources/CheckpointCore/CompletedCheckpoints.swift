public import StreamModel

/// One completed checkpoint or savepoint that the job can go back to.
public struct CompletedCheckpoint: Sendable, Hashable {
    public let id: CheckpointID
    /// What it is.
    public let kind: CheckpointKind
    /// How the rules treat it: a snapshot that the job was restored from counts as a savepoint unless it was claimed (rule 3.4),
    /// and as the job's own checkpoint if it was.
    public let treatedAs: CheckpointKind

    /// One that the job made itself.
    public init(id: CheckpointID, kind: CheckpointKind) {
        self.id = id
        self.kind = kind
        treatedAs = kind
    }

    /// One that the job was restored from.
    public init(restored id: CheckpointID, kind: CheckpointKind, claimed: Bool) {
        self.id = id
        self.kind = kind
        treatedAs = claimed ? .checkpoint : .savepoint
    }
}

/// The store of completed checkpoints and savepoints of one job, and rule 3.2: which of them a newer one makes superfluous.
/// Owned by the coordinator. Deletes nothing itself.
///
/// Ordered by id. Flink orders by time of completion; then a savepoint that was overtaken by a newer checkpoint would become
/// the one to recover from, and the outputs between the two would be written twice.
public struct CompletedCheckpoints: Sendable, Equatable {
    public let retained: Int
    /// Oldest first.
    public private(set) var entries: [CompletedCheckpoint] = []

    /// `retained`: at least 1.
    public init(retained: Int) { self.retained = max(1, retained) }

    public var latest: CompletedCheckpoint? { entries.last }

    public func contains(_ id: CheckpointID) -> Bool { entries.contains { $0.id == id } }

    /// Puts in a restored snapshot. Removes nothing: what it replaces leaves when the next one completes. One that is there
    /// already stays as it is, so that an automatic restart does not change who owns it.
    public mutating func insert(_ checkpoint: CompletedCheckpoint) {
        guard !contains(checkpoint.id) else { return }
        let index = entries.lastIndex { $0.id < checkpoint.id }.map { $0 + 1 } ?? 0
        entries.insert(checkpoint, at: index)
    }

    /// Puts in a new one and takes out what it subsumes, oldest first.
    public mutating func add(_ checkpoint: CompletedCheckpoint) -> [CompletedCheckpoint] {
        insert(checkpoint)
        return subsume()
    }

    /// Takes one out that cannot be gone back to.
    public mutating func remove(_ id: CheckpointID) { entries.removeAll { $0.id == id } }

    /// Takes all out (the job has ended).
    public mutating func removeAll() -> [CompletedCheckpoint] {
        defer { entries = [] }
        return entries
    }

    /// Rule 3.2, `CheckpointSubsumeHelper`: savepoints take up places, yet the newest checkpoint never goes because of a newer
    /// savepoint, unless that one ends the job.
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
