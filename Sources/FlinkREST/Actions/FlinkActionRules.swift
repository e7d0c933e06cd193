public import StreamModel

/// Why nothing was sent, or why the cluster did not take it: one line that says what to do.
public struct FlinkRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    public var message: String
    /// Nobody waits for the operation any more: it stays where it is.
    public private(set) var isHalted = false
    /// Nobody has decided anything: the cluster could not be asked, or was just being taken over. The same request may do better later.
    public private(set) var mayPass = false
    public init(_ message: String, mayPass: Bool = false) { (self.message, self.mayPass) = (message, mayPass) }

    /// Before anything was sent.
    init(_ failure: FlinkFailure, _ before: String = "") { self.init(before + failure.message, mayPass: failure.isOfLink) }

    static var halted: FlinkRefusal {
        var refusal = FlinkRefusal("nobody waits for it any more: nothing was sent")
        refusal.isHalted = true
        return refusal
    }

    public var description: String { message }
}

/// Decides what may be sent to a job of a cluster, from facts read just before. Pure.
public enum FlinkActionRules {
    /// The fate of the completed checkpoints after a cancel. Flink follows the job's retention and nothing else, so any other wish is refused.
    /// - Parameter retention: nil = it could not be read.
    /// - Returns: what will happen.
    public static func cancel(_ asked: CancelRetention, retention: CheckpointConfiguration.Retention?) throws(FlinkRefusal) -> String {
        switch (asked, retention) {
        case (.byPolicy, .retainOnCancellation), (.keep, .retainOnCancellation): return "the newest checkpoint is retained"
        case (.discard, .deleteOnCancellation), (.discard, .some(.none)): return "the checkpoints are deleted, as asked for"
        case (.discard, nil): return "the checkpoints are deleted, unless the job's retention, which could not be read, says otherwise"
        case (.byPolicy, .deleteOnCancellation), (.keep, .deleteOnCancellation):
            throw FlinkRefusal(
                "the job deletes its checkpoints on cancellation, and Flink has no other way: take a savepoint first, stop it with a savepoint, or discard its state on purpose"
            )
        case (.byPolicy, .some(.none)), (.keep, .some(.none)):
            throw FlinkRefusal(
                "the job keeps no checkpoint when it ends, and Flink has no other way: take a savepoint first, stop it with a savepoint, or discard its state on purpose"
            )
        case (.byPolicy, nil), (.keep, nil):
            throw FlinkRefusal("cannot read whether the job keeps its checkpoints: take a savepoint first, or discard its state on purpose")
        case (.discard, .retainOnCancellation):
            throw FlinkRefusal("the job retains its checkpoints on cancellation, and Flink has no other way: cancel it, then dispose of them by their paths")
        }
    }

    /// Whether a job may be canceled to be launched again from `chosen`.
    /// - Parameter chosen: the row of the path, when it is one of the job's own; nil = a path from elsewhere.
    public static func cancelBeforeRestart(
        from chosen: FlinkCheckpoint?, retention: CheckpointConfiguration.Retention?
    ) throws(FlinkRefusal) {
        // A savepoint, or another job's checkpoint, is not touched by the cancel.
        guard let chosen, !chosen.isSavepoint else { return }
        _ = try cancel(.keep, retention: retention)
    }

    public static func expect(_ state: FlinkWord<JobState>, toBe expected: JobState?) throws(FlinkRefusal) {
        // A word of a later version says nothing about what was expected.
        if let expected, let nearest = state.nearest, nearest != expected {
            throw FlinkRefusal("the job is \(state.text) now, not \(expected.rawValue): nothing was sent")
        }
    }

    public static func expectRunning(_ state: FlinkWord<JobState>, for what: String) throws(FlinkRefusal) {
        guard state.known == .running else { throw FlinkRefusal("the job is \(state.text): \(what) needs a RUNNING job; nothing was sent") }
    }

    public static func checkpointNow(on version: FlinkVersion) throws(FlinkRefusal) {
        guard version.has(.checkpointTrigger) else {
            throw FlinkRefusal(
                "Flink \(version) cannot begin a checkpoint on request (\(FlinkVersion.Feature.checkpointTrigger.since.major).\(FlinkVersion.Feature.checkpointTrigger.since.minor) and later can): take a savepoint"
            )
        }
    }

    /// The checkpoint that a restart uses; nil = the path is not one of the job's.
    public static func row(of path: String, in checkpoints: FlinkCheckpoints?) -> FlinkCheckpoint? {
        checkpoints?.rows.first { $0.path.map(SnapshotLocation.init) == SnapshotLocation(path) }
    }

    public static func mayRestore(_ row: FlinkCheckpoint) throws(FlinkRefusal) {
        if row.isDiscarded { throw FlinkRefusal("the files of checkpoint \(row.id) were deleted: choose another") }
        guard row.status.known == .completed else { throw FlinkRefusal("checkpoint \(row.id) is \(row.status.text), not complete: choose another") }
    }

    /// The newest row that can be restored.
    public static func newest(in checkpoints: FlinkCheckpoints) -> FlinkCheckpoint? {
        checkpoints.rows.filter { $0.status.known == .completed && !$0.isDiscarded && $0.path != nil }.max { $0.id < $1.id }
    }
}

extension FlinkCheckpoints {
    /// The history, and the newest of each kind, which outlive it.
    public var rows: [FlinkCheckpoint] {
        var rows = history
        for row in [latestCompleted, latestSavepoint, latestFailed] {
            if let row, !rows.contains(where: { $0.id == row.id }) { rows.append(row) }
        }
        return rows
    }

    public var highestID: CheckpointID? { rows.map(\.id).max() }
}

/// Finds the savepoint or checkpoint of a request when the cluster cannot name it: its answer was lost, or its result has expired or did not survive
/// a restart. Pure.
public struct FlinkHistorySearch: Sendable, Equatable {
    public enum Finding: Sendable, Equatable {
        case completed(FlinkCheckpoint)
        case inProgress(FlinkCheckpoint)
        case failed(FlinkCheckpoint)
        case none
    }
    public var wantsSavepoint: Bool
    /// Numbers above this came after the request; nil = not known, then `window` counts.
    public var after: CheckpointID?
    /// Times of the JobManager's clock within which it was triggered.
    public var window: ClosedRange<WallTime>?

    /// Uncertainty of the two clocks, and of a request's time on the way.
    public static let slack: Milliseconds = .seconds(5)
    public static let reach: Milliseconds = .minutes(2)

    public init(wantsSavepoint: Bool, after: CheckpointID?) { (self.wantsSavepoint, self.after, window) = (wantsSavepoint, after, nil) }

    /// - Parameters:
    ///   - sentAt: by our clock.
    ///   - skew: what the JobManager's clock is ahead of ours.
    public init(wantsSavepoint: Bool, sentAt: WallTime, skew: Milliseconds) {
        self.wantsSavepoint = wantsSavepoint
        after = nil
        let sent = sentAt + skew
        window = (sent + (0 - Self.slack))...(sent + Self.reach)
    }

    /// The oldest that can be meant.
    public func find(in checkpoints: FlinkCheckpoints) -> Finding {
        let candidates = checkpoints.rows.filter { row in
            guard row.isSavepoint == wantsSavepoint else { return false }
            if let after { return row.id > after }
            return window?.contains(row.triggeredAt) ?? false
        }
        guard let row = candidates.min(by: { $0.id < $1.id }) else { return .none }
        switch row.status.known {
        case .completed: return .completed(row)
        case .failed: return .failed(row)
        default: return .inProgress(row)
        }
    }

    /// How the match was made, for people.
    public var basis: String {
        after.map { "the first after #\($0) in the checkpoint history" } ?? "the one in the checkpoint history whose trigger time fits"
    }
}
