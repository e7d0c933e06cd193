/// Every checkpoint parameter of Flink 1.14.3's `CheckpointConfig`, with its defaults. Ranges are checked by
/// `CheckpointConfiguration.validate()` in CheckpointCore; a value here may still be out of range.
public struct CheckpointConfiguration: Hashable, Codable, Sendable {
    /// Alignment of barriers.
    public enum Mode: String, Codable, Sendable, CaseIterable { case exactlyOnce = "EXACTLY_ONCE", atLeastOnce = "AT_LEAST_ONCE" }

    /// Fate of completed checkpoints at the end of the job (`ExternalizedCheckpointCleanup`).
    public enum Retention: String, Codable, Sendable, CaseIterable {
        case none = "NO_EXTERNALIZED_CHECKPOINTS"
        case deleteOnCancellation = "DELETE_ON_CANCELLATION"
        case retainOnCancellation = "RETAIN_ON_CANCELLATION"
    }

    /// Time between triggers; nil = no periodic checkpoints. At least 10 ms.
    public var interval: Milliseconds?
    /// Time after which an incomplete checkpoint expires. At least 10 ms.
    public var timeout: Milliseconds = .minutes(10)
    /// Time from the last successful checkpoint or savepoint to the next periodic trigger. At least 0.
    public var minimumPause: Milliseconds = 0
    /// Checkpoints allowed in flight at once. At least 1.
    public var maximumConcurrent: Int = 1
    /// Tolerated consecutive counted failures; one more fails the job. nil = 0 in effect.
    public var tolerableFailures: Int?
    public var mode: Mode = .exactlyOnce
    public var retention: Retention = .none
    /// Completed checkpoints kept while the job runs (`state.checkpoints.num-retained`). At least 1.
    public var retainedCheckpoints: Int = 1
    /// Whether checkpoints write only the changes since the newest complete one, and refer to its files for the rest
    /// (`state.backend.incremental`). Savepoints are always full. false as in Flink: a full checkpoint directory is self-contained and can be
    /// copied away.
    public var incremental: Bool {
        get { incrementalChoice ?? false }
        set { incrementalChoice = newValue }
    }
    /// The stored choice; nil in records of older engines.
    private var incrementalChoice: Bool?
    /// Whether recovery prefers the newest checkpoint over a newer savepoint (Flink up to 1.13). Dangerous: it may fall back past output that the
    /// savepoint committed.
    public var prefersCheckpointForRecovery = false
    /// Unaligned checkpoints; refused by this engine.
    public var unaligned = false
    /// Directory for `<job-id>/chk-<n>`; nil = none configured.
    public var storageDirectory: String?
    /// Directory for `savepoint-<job>-<random>`; nil = `storageDirectory`.
    public var savepointDirectory: String?

    /// Settings that an engine may not tell.
    public enum Setting: String, Codable, Sendable { case storageDirectory, savepointDirectory, retainedCheckpoints }
    /// Settings that the engine does not tell: their values here are none of its own. nil = it tells all.
    public var untold: Set<Setting>?

    public func tells(_ setting: Setting) -> Bool { !(untold?.contains(setting) ?? false) }

    public init() {}

    private enum CodingKeys: String, CodingKey {
        case interval, timeout, minimumPause, maximumConcurrent, tolerableFailures, mode, retention, retainedCheckpoints
        case incrementalChoice = "incremental"
        case prefersCheckpointForRecovery, unaligned, storageDirectory, savepointDirectory, untold
    }
}
