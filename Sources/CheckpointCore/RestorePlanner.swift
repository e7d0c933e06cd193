public import StreamModel

/// A snapshot on disk and the result of reading it.
public struct RestoreCandidate: Sendable, Hashable {
    public let id: CheckpointID
    public let kind: CheckpointKind
    public let path: String
    /// Reason why it is unusable, naming the file; nil = it was verified.
    public let problem: String?
    /// Whether the read itself failed (a refused call, another version of the format), so that the snapshot may be intact. Such a candidate is
    /// never passed over.
    public let isUnreadable: Bool

    public init(id: CheckpointID, kind: CheckpointKind, path: String, problem: String? = nil, isUnreadable: Bool = false) {
        self.id = id
        self.kind = kind
        self.path = path
        self.problem = problem
        self.isUnreadable = isUnreadable
    }
}

/// The choice of a snapshot to recover from. Never silent: `skipped` or the refusal lists the ones passed over.
public enum RestorePlan: Sendable, Equatable {
    public struct Skipped: Sendable, Hashable {
        public let candidate: RestoreCandidate
        public let reason: String
    }

    /// No snapshot exists and none was ever committed: the job starts with empty state.
    case startEmpty
    /// `skipped`: the preferred candidates that were passed over, with their problems.
    case restore(RestoreCandidate, skipped: [Skipped])
    case refused(Refusal, skipped: [Skipped])

    public enum Refusal: Sendable, Hashable, CustomStringConvertible {
        /// Snapshots exist, but all of them are damaged.
        case allDamaged(count: Int)
        /// The next candidate could not be read now. It is retried, never passed over.
        case unreadable(RestoreCandidate)
        /// `damaged` would be next, but the job must not continue from the older `newest` without permission.
        case asks(damaged: RestoreCandidate, newest: RestoreCandidate)
        /// Outputs up to `lastCommitted` may have been published; going back to `newest`, the best readable snapshot, would publish them again.
        /// nil = there is none.
        case olderThanCommitted(newest: RestoreCandidate?, lastCommitted: CheckpointID)

        public var description: String {
            switch self {
            case .allDamaged(let count):
                "all \(count) snapshots are damaged; repair the storage, or submit the job anew to start with empty state"
            case .unreadable(let candidate):
                "\(candidate.kind.rawValue) \(candidate.id) cannot be read now: \(candidate.problem ?? "no reason is known")"
            case .asks(let damaged, let newest):
                "\(damaged.kind.rawValue) \(damaged.id) is damaged or gone and the job asks before it falls back: repair it, "
                    + "or restart from \(newest.kind.rawValue) \(newest.id) at \(newest.path) by name"
            case .olderThanCommitted(let newest?, let lastCommitted):
                "the newest readable snapshot is \(newest.id) at \(newest.path), but outputs up to \(lastCommitted) may be published; "
                    + "going back would publish them twice: repair \(lastCommitted), or restart from \(newest.path) by name"
            case .olderThanCommitted(nil, let lastCommitted):
                "no snapshot is readable, but outputs up to \(lastCommitted) may be published; "
                    + "repair \(lastCommitted), or submit the job anew to start with empty state"
            }
        }
    }
}

/// Chooses the snapshot that a job recovers from after a failure. A pure function of the files on disk and of the last epoch whose outputs may have
/// been published.
public struct RestorePlanner: Sendable, Hashable {
    /// Whether a checkpoint goes before a newer savepoint (rule 3.5). Bounded by the last committed epoch unless older ones are allowed: the
    /// danger of going behind it made Flink remove the switch.
    public let prefersCheckpoint: Bool
    /// Whether the operator accepts duplicate output.
    public let allowsOlderThanCommitted: Bool
    public let fallback: RecoveryFallback

    public init(prefersCheckpoint: Bool, allowsOlderThanCommitted: Bool = false, fallback: RecoveryFallback = .newestValid) {
        self.prefersCheckpoint = prefersCheckpoint
        self.allowsOlderThanCommitted = allowsOlderThanCommitted
        self.fallback = fallback
    }

    public init(_ configuration: CheckpointConfiguration, fallback: RecoveryFallback = .newestValid) {
        self.init(prefersCheckpoint: configuration.prefersCheckpointForRecovery, fallback: fallback)
    }

    /// Plans a recovery. `candidates` may be in any order. `lastCommittedEpoch`: newest id whose sinks may have committed; nil = none, or unknown.
    public func plan(_ candidates: [RestoreCandidate], lastCommittedEpoch: CheckpointID?) -> RestorePlan {
        var skipped: [RestorePlan.Skipped] = []
        var newestReadable: RestoreCandidate?
        for candidate in candidates.sorted(by: precedes) {
            if let problem = candidate.problem {
                if candidate.isUnreadable { return .refused(.unreadable(candidate), skipped: skipped) }
                skipped.append(RestorePlan.Skipped(candidate: candidate, reason: problem))
            } else if let lastCommittedEpoch, candidate.id < lastCommittedEpoch, !allowsOlderThanCommitted {
                if newestReadable.map({ $0.id < candidate.id }) ?? true { newestReadable = candidate }
                let reason = "older than \(lastCommittedEpoch), whose outputs may be published"
                skipped.append(RestorePlan.Skipped(candidate: candidate, reason: reason))
            } else if fallback == .ask, let damaged = skipped.first(where: { $0.candidate.problem != nil })?.candidate {
                return .refused(.asks(damaged: damaged, newest: candidate), skipped: skipped)
            } else {
                return .restore(candidate, skipped: skipped)
            }
        }
        if let lastCommittedEpoch {
            return .refused(.olderThanCommitted(newest: newestReadable, lastCommitted: lastCommittedEpoch), skipped: skipped)
        }
        return candidates.isEmpty ? .startEmpty : .refused(.allDamaged(count: candidates.count), skipped: skipped)
    }

    /// Orders candidates newest first; all checkpoints before all savepoints with the preference. The rest makes the order total.
    private func precedes(_ left: RestoreCandidate, _ right: RestoreCandidate) -> Bool {
        let isLeftSavepoint = left.kind.isSavepoint, isRightSavepoint = right.kind.isSavepoint
        if prefersCheckpoint, isLeftSavepoint != isRightSavepoint { return isRightSavepoint }
        if left.id != right.id { return left.id > right.id }
        if isLeftSavepoint != isRightSavepoint { return isRightSavepoint }
        return left.path < right.path
    }
}
