public import StreamModel

/// The limits beyond which a job's figures are a condition. One value, so that tests, the configuration and the article about conditions
/// name the same numbers.
public struct DiagnosisThresholds: Sendable, Equatable {
    /// So many failures within the window, the last of them recent, are a crash loop.
    public var crashLoopFailures = 3
    public var crashLoopWindow = Milliseconds.minutes(2)
    public var crashLoopRecent = Milliseconds.minutes(1)
    /// A source without a record for so long has stalled.
    public var sourceSilence = Milliseconds.seconds(8)
    /// A subtask is hot from this busy time and this multiple of its even share of the records on.
    public var hotBusyPermille = 800
    public var hotSharePermille = 1500
    /// A subtask with this share of all records has most of them from one key. Of two or three subtasks it needs more: see `oneKey(of:)`.
    public var oneKeyPermille = 600
    /// Checkpoints below this duration are never slow; others are from this part of their interval on.
    public var slowCheckpointLeast = Milliseconds.seconds(1)
    public var slowCheckpointPermille = 1000
    /// Storage is slow where a checkpoint takes this part of its interval, and so much of it is writing.
    public var slowStoragePermille = 500
    public var writingPermille = 700
    /// The newest checkpoint is old after so many intervals, and at least after one interval and this margin.
    public var oldCheckpointIntervals = 3
    public var oldCheckpointMargin = Milliseconds.seconds(10)
    /// A checkpoint in flight is late from this part of its timeout on.
    public var latePermille = 800
    public var backPressurePermille = 500
    /// A failover of a cluster is said for so long.
    public var restartNews = Milliseconds.minutes(1)

    public init() {}

    /// The share from which the records of a subtask are probably those of one key: two or three keys of few may meet on one subtask.
    func oneKey(of parallelism: Int) -> Int { parallelism <= 3 ? max(oneKeyPermille, 900) : oneKeyPermille }

    /// Age from which the newest checkpoint is old.
    func oldCheckpoint(_ interval: Milliseconds) -> Milliseconds {
        Milliseconds(
            max(interval.count.multipliedClamped(by: Int64(oldCheckpointIntervals)), interval.count.addingClamped(oldCheckpointMargin.count)))
    }
}
