/// A deviation from what the engine must do, for the test of its tests: the simulator puts one into its machine and has to find it out. A
/// real machine carries none. Asked at cold places only.
package enum EngineDefect: String, Sendable, CaseIterable {
    /// One more checkpoint is kept than is asked for.
    case retainsOneMore = "retains-one-more"
    /// Small records are replaced without making the new bytes durable first.
    case replacesUnsynced = "replaces-unsynced"
    /// A failed fsync of a state file or an output file counts as a success.
    case ignoresSyncError = "ignores-sync-error"
    /// Output is renamed before the manifest that lists it is written.
    case commitsOutputEarly = "commits-output-early"
    /// Shared files are removed that older manifests still list.
    case removesListedShared = "removes-listed-shared"
    /// Sources begin from the start after a restore.
    case forgetsOffsets = "forgets-offsets"
    /// A source's place in a checkpoint is one step ahead of the barrier.
    case placeOneStepAhead = "place-one-step-ahead"
    /// Windows that a restore brings back are never fired.
    case forgetsWindows = "forgets-windows"
    /// Parts that do not belong to the restored past stay in sight.
    case keepsSuperseded = "keeps-superseded"
    /// A checkpoint that has expired is completed all the same.
    case completesExpired = "completes-expired"
    /// A completed checkpoint does not begin a new series of failures.
    case countsOverSuccess = "counts-over-success"
    /// A restart goes on from the snapshot before the newest.
    case restoresOlder = "restores-older"
    // Of the service.
    /// A restart launches the new job beside the one that it was to end.
    case launchesWithoutCancel = "launches-without-cancel"
    /// A job is launched before its record is written.
    case launchesUnrecorded = "launches-unrecorded"
    /// An operation is answered before the log has it.
    case answersBeforeLog = "answers-before-log"
    /// An engine does not read the log of the one before.
    case forgetsOperations = "forgets-operations"
    /// The same id once more is another operation.
    case repeatsOperations = "repeats-operations"
}

/// A filesystem whose machine carries a defect.
package protocol DefectiveFilesystem: Filesystem {
    var defect: EngineDefect? { get }
}

extension Filesystem {
    package func has(_ defect: EngineDefect) -> Bool { (self as? any DefectiveFilesystem)?.defect == defect }
}
