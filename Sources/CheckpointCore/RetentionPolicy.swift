public import StreamModel

/// An event that may end the life of a completed checkpoint (the columns of rule 3.1).
public enum RetentionEvent: Sendable, Hashable, CaseIterable {
    case subsumed, finished, canceled, failed, suspended

    /// The event for a job's state; nil while the job lives.
    public init?(_ state: JobState) {
        switch state {
        case .finished: self = .finished
        case .canceled: self = .canceled
        case .failed: self = .failed
        case .suspended: self = .suspended
        case .initializing, .running, .restarting, .failing, .cancelling: return nil
        }
    }
}

/// Decides whether a completed checkpoint is deleted: rule 3.1, the table of Flink's `CheckpointProperties`.
public struct RetentionPolicy: Sendable, Hashable {
    public let retention: CheckpointConfiguration.Retention
    /// Whether a suspension keeps all checkpoints, since the job resumes later. true = as in Flink's high-availability store; false = by the
    /// table's column for SUSPENDED, as in its standalone store.
    public let keepsOnSuspension: Bool

    public init(_ retention: CheckpointConfiguration.Retention, keepsOnSuspension: Bool = true) {
        self.retention = retention
        self.keepsOnSuspension = keepsOnSuspension
    }

    /// Whether the event deletes the files. `kind` is the ownership: savepoints and unclaimed restored snapshots are never deleted, even by an
    /// operator's `discard`, which affects only CANCELED.
    public func discards(_ kind: CheckpointKind, on event: RetentionEvent, override: CancelRetention = .byPolicy) -> Bool {
        if kind.isSavepoint { return false }
        if event == .suspended && keepsOnSuspension { return false }
        if event == .canceled {
            switch override {
            case .keep: return false
            case .discard: return true
            case .byPolicy: break
            }
        }
        return discardsByTable(event)
    }

    private func discardsByTable(_ event: RetentionEvent) -> Bool {
        switch (retention, event) {
        case (_, .subsumed), (_, .finished): true
        case (.none, .canceled), (.none, .failed), (.none, .suspended): true
        case (.deleteOnCancellation, .canceled), (.deleteOnCancellation, .suspended): true
        case (.deleteOnCancellation, .failed): false
        case (.retainOnCancellation, .canceled), (.retainOnCancellation, .failed), (.retainOnCancellation, .suspended): false
        }
    }
}
