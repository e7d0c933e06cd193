/// A deliberate defect of the engine that the simulator must detect, as a test of its checks. A real machine has none. Queried only on cold
/// paths.
package enum EngineDefect: String, Sendable, CaseIterable {
    /// One checkpoint more than configured is kept.
    case retainsOneMore = "retains-one-more"
    /// Small records are replaced without making the new bytes durable first.
    case replacesUnsynced = "replaces-unsynced"
    /// A failed fsync of a state file or an output file counts as a success.
    case ignoresSyncError = "ignores-sync-error"
    /// Output is renamed before the manifest that lists it is written.
    case commitsOutputEarly = "commits-output-early"
    /// Shared files still listed by older manifests are removed.
    case removesListedShared = "removes-listed-shared"
    /// Sources start from the beginning after a restore.
    case forgetsOffsets = "forgets-offsets"
    /// A source's offset in a checkpoint is one step ahead of the barrier.
    case placeOneStepAhead = "place-one-step-ahead"
    /// Restored windows never fire.
    case forgetsWindows = "forgets-windows"
    /// Parts that do not belong to the restored past stay visible.
    case keepsSuperseded = "keeps-superseded"
    /// An expired checkpoint is completed nevertheless.
    case completesExpired = "completes-expired"
    /// A completed checkpoint does not reset the failure count.
    case countsOverSuccess = "counts-over-success"
    /// A restart uses the snapshot before the newest.
    case restoresOlder = "restores-older"
    // Defects of the service.
    /// A restart launches the new job beside the one it should end.
    case launchesWithoutCancel = "launches-without-cancel"
    /// A job is launched before its record is written.
    case launchesUnrecorded = "launches-unrecorded"
    /// An operation is answered before it is in the log.
    case answersBeforeLog = "answers-before-log"
    /// An engine does not read its predecessor's log.
    case forgetsOperations = "forgets-operations"
    /// A job is started again although its cancel is on record.
    case startsCanceled = "starts-canceled"
    /// A repeated id is treated as a new operation.
    case repeatsOperations = "repeats-operations"
}

/// A filesystem whose machine carries a defect.
package protocol DefectiveFilesystem: Filesystem {
    var defect: EngineDefect? { get }
}

extension Filesystem {
    package func has(_ defect: EngineDefect) -> Bool { (self as? any DefectiveFilesystem)?.defect == defect }
}
