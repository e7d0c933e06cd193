internal import JSON
public import StreamModel

/// `/jobs/:id/checkpoints`.
public struct FlinkCheckpoints: Sendable, Equatable {
    public var counts: CheckpointCounts
    public var latestCompleted: FlinkCheckpoint?
    public var latestSavepoint: FlinkCheckpoint?
    public var latestFailed: FlinkCheckpoint?
    public var restored: FlinkRestore?
    /// The last ones (`web.checkpoints.history`, usually 10), newest first.
    public var history: [FlinkCheckpoint]
    /// The answer has no list at all: it tells nothing of single checkpoints.
    public var lacksHistory = false

    /// A newer one than this can be gone back to.
    func hasRestorable(after id: CheckpointID) -> Bool {
        ([latestCompleted, latestSavepoint].compactMap { $0 } + history).contains { $0.id > id && $0.status.known == .completed && !$0.isDiscarded }
    }

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let counts = json["counts"], counts.members != nil else { throw FlinkReadingProblem("has no 'counts'") }
        let history = json["history"]?.items
        lacksHistory = history == nil
        func count(_ name: String) -> Int { counts[name]?.smallCount ?? 0 }
        self.counts = CheckpointCounts(
            total: count("total"), inProgress: count("in_progress"), completed: count("completed"), failed: count("failed"), restored: count("restored"))
        let latest = json["latest"]
        latestCompleted = latest?["completed"].flatMap(FlinkCheckpoint.init(lenient:))
        latestSavepoint = latest?["savepoint"].flatMap(FlinkCheckpoint.init(lenient:))
        latestFailed = latest?["failed"].flatMap(FlinkCheckpoint.init(lenient:))
        restored = latest?["restored"].flatMap(FlinkRestore.init(lenient:))
        self.history = (history ?? []).compactMap(FlinkCheckpoint.init(lenient:)).sorted { $0.id > $1.id }
    }
}

/// `latest.restored`.
public struct FlinkRestore: Sendable, Equatable {
    public var id: CheckpointID
    public var at: WallTime
    public var path: String?
    /// A path that was given at the launch; false = the cluster's own recovery. The API calls it `is_savepoint`, and says true of a checkpoint too.
    public var isChosen: Bool

    init?(lenient json: JSONValue) {
        guard let id = json["id"]?.count else { return nil }
        self.id = CheckpointID(UInt64(id))
        isChosen = json["is_savepoint"]?.flag ?? false
        at = WallTime(milliseconds: json["restore_timestamp"]?.count ?? 0)
        path = json["external_path"]?.text.flatMap { $0.hasPrefix("<") || $0.isEmpty ? nil : shortened($0, to: FlinkCheckpoint.pathMax) }
    }
}

/// One checkpoint or savepoint.
public struct FlinkCheckpoint: Sendable, Equatable {
    public var id: CheckpointID
    public var status: FlinkWord<CheckpointReport.Status>
    /// nil = a version that does not say; then `isSavepoint` tells.
    public var type: String?
    public var isSavepoint: Bool
    public var triggeredAt: WallTime
    /// nil = no acknowledgement yet.
    public var lastAckAt: WallTime?
    /// Trigger to the last acknowledgement (not to the end of the metadata). nil = no acknowledgement yet.
    public var duration: Milliseconds?
    public var stateSize: ByteCount?
    /// nil before 1.15, where `stateSize` of an incremental checkpoint is the increment.
    public var checkpointedSize: ByteCount?
    public var processedData: ByteCount?
    public var persistedData: ByteCount?
    public var subtasks: Int
    public var acknowledged: Int
    public var path: String?
    public var isDiscarded: Bool
    public var failedAt: WallTime?
    /// Only the text of the reason ("Checkpoint expired before completing."); the cause is in the exceptions.
    public var failureMessage: String?
    /// Only in details.
    public var tasks: [OperatorID: FlinkVertexCheckpoint]

    static let pathMax = 4096

    init?(lenient json: JSONValue) {
        guard let id = json["id"]?.count, let status = json["status"]?.text else { return nil }
        self.id = CheckpointID(UInt64(id))
        self.status = FlinkWord(status)
        type = json["checkpoint_type"]?.text.map { shortened($0, to: 100) }
        isSavepoint = json["is_savepoint"]?.flag ?? type?.contains("SAVEPOINT") ?? false
        triggeredAt = WallTime(milliseconds: json["trigger_timestamp"]?.count ?? 0)
        lastAckAt = json["latest_ack_timestamp"]?.count.map { WallTime(milliseconds: $0) }
        duration = json["end_to_end_duration"]?.count.map { Milliseconds($0) }
        stateSize = json["state_size"]?.count.map { ByteCount($0) }
        checkpointedSize = json["checkpointed_size"]?.count.map { ByteCount($0) }
        processedData = json["processed_data"]?.count.map { ByteCount($0) }
        persistedData = json["persisted_data"]?.count.map { ByteCount($0) }
        subtasks = json["num_subtasks"]?.smallCount ?? 0
        acknowledged = json["num_acknowledged_subtasks"]?.smallCount ?? 0
        // Checkpoints in the JobManager's memory have a text instead of a path.
        path = json["external_path"]?.text.flatMap { $0.hasPrefix("<") || $0.isEmpty ? nil : shortened($0, to: Self.pathMax) }
        isDiscarded = json["discarded"]?.flag ?? false
        failedAt = json["failure_timestamp"]?.count.map { WallTime(milliseconds: $0) }
        failureMessage = json["failure_message"]?.text.map { shortened($0, to: 2000) }
        tasks = [:]
        for (name, task) in json["tasks"]?.members ?? [:] {
            if let vertex = OperatorID(name) { tasks[vertex] = FlinkVertexCheckpoint(lenient: task, vertex: vertex) }
        }
    }
}

/// One vertex's part of a checkpoint.
public struct FlinkVertexCheckpoint: Sendable, Equatable {
    public var vertex: OperatorID
    public var stateSize: ByteCount?
    public var checkpointedSize: ByteCount?
    public var duration: Milliseconds?
    public var lastAckAt: WallTime?
    public var parallelism: Int
    public var acknowledged: Int
    /// By index; empty where only the sums were asked for.
    public var subtasks: [Subtask]

    public struct Subtask: Sendable, Equatable {
        public var index: Int
        /// nil = pending, or failed.
        public var acknowledgedAt: WallTime?
        public var stateSize: ByteCount?
        public var checkpointedSize: ByteCount?
        public var startDelay: Milliseconds?
        public var alignment: Milliseconds?
        public var sync: Milliseconds?
        public var async: Milliseconds?
        public var isUnaligned: Bool
        public var isAborted: Bool

        init?(lenient json: JSONValue) {
            guard let index = json["index"]?.smallCount else { return nil }
            self.index = index
            acknowledgedAt = json["ack_timestamp"]?.count.map { WallTime(milliseconds: $0) }
            stateSize = json["state_size"]?.count.map { ByteCount($0) }
            checkpointedSize = json["checkpointed_size"]?.count.map { ByteCount($0) }
            func time(_ value: JSONValue?) -> Milliseconds? { value?.count.map { Milliseconds($0) } }
            startDelay = time(json["start_delay"])
            alignment = time(json["alignment"]?["duration"])
            sync = time(json["checkpoint"]?["sync"])
            async = time(json["checkpoint"]?["async"])
            isUnaligned = json["unaligned_checkpoint"]?.flag ?? false
            isAborted = json["aborted"]?.flag ?? false
        }
    }

    init(lenient json: JSONValue, vertex: OperatorID) {
        self.vertex = vertex
        stateSize = json["state_size"]?.count.map { ByteCount($0) }
        checkpointedSize = json["checkpointed_size"]?.count.map { ByteCount($0) }
        duration = json["end_to_end_duration"]?.count.map { Milliseconds($0) }
        lastAckAt = json["latest_ack_timestamp"]?.count.map { WallTime(milliseconds: $0) }
        parallelism = json["num_subtasks"]?.smallCount ?? 0
        acknowledged = json["num_acknowledged_subtasks"]?.smallCount ?? 0
        subtasks = (json["subtasks"]?.items ?? []).compactMap(Subtask.init(lenient:)).sorted { $0.index < $1.index }
    }
}

/// `/jobs/:id/checkpoints/config`.
public struct FlinkCheckpointConfiguration: Sendable, Equatable {
    public var mode: FlinkWord<CheckpointConfiguration.Mode>
    /// nil = no periodic checkpoints (Flink says Long.MAX_VALUE, or 0).
    public var interval: Milliseconds?
    public var timeout: Milliseconds?
    public var minimumPause: Milliseconds?
    public var maximumConcurrent: Int?
    public var retention: CheckpointConfiguration.Retention?
    public var stateBackend: String?
    public var checkpointStorage: String?
    public var isUnaligned: Bool
    /// nil = a version that does not say.
    public var tolerableFailures: Int?
    public var alignmentTimeout: Milliseconds?

    /// An interval beyond this means that there are no periodic checkpoints: 1,000 years.
    private static let intervalMax: Int64 = 31_557_600_000_000

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard let mode = json["mode"]?.text else { throw FlinkReadingProblem("has no 'mode'") }
        self.mode = FlinkWord(mode.uppercased())
        func time(_ name: String) -> Milliseconds? { json[name]?.count.map { Milliseconds(Swift.min($0, Self.intervalMax)) } }
        interval = json["interval"]?.count.flatMap { $0 > 0 && $0 < Self.intervalMax ? Milliseconds($0) : nil }
        timeout = time("timeout")
        minimumPause = time("min_pause")
        maximumConcurrent = json["max_concurrent"]?.smallCount
        let externalization = json["externalization"]
        switch (externalization?["enabled"]?.flag, externalization?["delete_on_cancellation"]?.flag) {
        case (false?, _): retention = CheckpointConfiguration.Retention.none
        case (true?, true?): retention = .deleteOnCancellation
        case (true?, false?): retention = .retainOnCancellation
        default: retention = nil
        }
        stateBackend = json["state_backend"]?.text.map { shortened($0, to: 200) }
        checkpointStorage = json["checkpoint_storage"]?.text.map { shortened($0, to: 200) }
        isUnaligned = json["unaligned_checkpoints"]?.flag ?? false
        tolerableFailures = json["tolerable_failed_checkpoints"]?.smallCount
        alignmentTimeout = time("aligned_checkpoint_timeout")
    }
}

/// `/jobs/:id/exceptions`.
public struct FlinkExceptions: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// Class of the exception.
        public var name: String
        public var stackTrace: String
        public var at: WallTime
        /// "Source: gen -> Map (1/2) - execution #3".
        public var task: String?
        /// "host:port".
        public var place: String?
    }
    /// Newest first.
    public var entries: [Entry]
    /// There were more.
    public var isTruncated: Bool

    init(reading json: JSONValue) throws(FlinkReadingProblem) {
        guard json.members != nil else { throw FlinkReadingProblem("is no object") }
        let history = json["exceptionHistory"]
        entries = (history?["entries"]?.items ?? []).map { entry in
            Entry(
                name: shortened(entry["exceptionName"]?.text ?? "", to: 300), stackTrace: entry["stacktrace"]?.text ?? "",
                at: WallTime(milliseconds: entry["timestamp"]?.count ?? 0), task: entry["taskName"]?.text.map { shortened($0, to: 1000) },
                place: (entry["endpoint"] ?? entry["location"])?.text.map { shortened($0, to: 300) })
        }
        // Flink before 1.13, and answers that were cut behind it.
        if entries.isEmpty, let root = json["root-exception"]?.text {
            entries = [Entry(name: "", stackTrace: root, at: WallTime(milliseconds: json["timestamp"]?.count ?? 0))]
        }
        entries.sort { $0.at > $1.at }
        isTruncated = history?["truncated"]?.flag ?? false
    }
}
