internal import CheckpointStore
internal import EngineClients
internal import FlinkFormats
internal import FlinkSnapshots
internal import HostEnvironment
internal import SnapshotStorage
internal import StreamModel

/// Inspects a snapshot without an engine, whoever made it.
enum LocalInspection {
    case weir(SnapshotInspection)
    case flink(FlinkSnapshot)

    /// Takes a path or a URL of a directory or of a `_metadata` file.
    static func inspect(_ path: String, _ storage: StorageSettings?) -> LocalInspection {
        let remote = storage.map { StoredFiles($0) }
        if FlinkSnapshot.isAt(path) { return .flink(FlinkSnapshot.read(path, remote: remote)) }
        // What is nothing of Flink is Weir's to judge, also when it is nothing at all.
        guard case .local(let local) = FlinkLocation(path) else { return .flink(FlinkSnapshot.read(path, remote: remote)) }
        return .weir(Snapshot.inspect(path: StandardPaths.absolute(local)))
    }
}

/// The output of `weir inspect --json`: the fields of the control protocol's inspection, and further facts.
struct InspectionRecord: Encodable {
    struct Operator: Encodable {
        var id: OperatorID
        var name: String?
        var uid: String?
        var parallelism: Int
        var maxParallelism: Int
        var stateSize: ByteCount
        var operatorStateSize: ByteCount
        var keyedStateSize: ByteCount
        var channelStateSize: ByteCount
        var coordinatorStateSize: ByteCount
        var finishedSubtasks: Int
        var states: [String]
    }
    struct File: Encodable {
        var path: String
        /// present, missing, wrongLength, notPlain, unreachable
        var state: String
        var role: String
        /// nil = unknown.
        var expectedSize: Int64?
        /// A longer file is not damaged.
        var isMinimum: Bool
        var foundSize: ByteCount?
        var reason: String?
        var operatorID: OperatorID
    }
    struct Neighbour: Encodable {
        var directory: String
        /// nil = the directory is no job's.
        var job: JobID?
        var files: Int
        var bytes: ByteCount
    }
    struct Kafka: Encodable {
        var topic: String
        var partition: Int
        /// nil = reading begins where `start` says.
        var nextOffset: Int64?
        /// earliest, latest, committed
        var start: String?
        var source: String
        var operatorID: OperatorID
        var subtask: Int
    }
    struct Uids: Encodable {
        var matched: [String: OperatorID]
        var withoutState: [String]
        var unclaimedOperators: [OperatorID]
    }
    struct Properties: Encodable {
        var name: String
        var format: String?
        var action: String?
        var isUnclaimed: Bool
        var discardedWhen: [String]
    }
    struct Flink: Encodable {
        var metadataVersion: Int
        var directory: String?
        var properties: Properties?
        var masterStates: [String]
        var operators: [Operator]
        var files: [File]
        var neighbours: [Neighbour]
        var kafka: [Kafka]
        var uids: Uids?
        var notes: [String]
    }
    var inspection: SnapshotInspection
    /// weir, flink
    var format: String
    var flink: Flink?

    private enum Key: String, CodingKey { case format, flink }

    func encode(to encoder: any Encoder) throws {
        try inspection.encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(format, forKey: .format)
        try container.encodeIfPresent(flink, forKey: .flink)
    }
}

extension InspectionRecord {
    init(_ found: LocalInspection, uids: [String]) {
        switch found {
        case .weir(let inspection): self.init(inspection: inspection, format: "weir")
        case .flink(let snapshot):
            self.init(inspection: snapshot.inspection, format: "flink", flink: snapshot.metadata.map { Flink(snapshot, $0, uids: uids) })
        }
    }
}

extension InspectionRecord.Flink {
    init(_ snapshot: FlinkSnapshot, _ metadata: FlinkMetadata, uids: [String]) {
        self.init(
            metadataVersion: metadata.version, directory: snapshot.directory, properties: metadata.properties.map(InspectionRecord.Properties.init),
            masterStates: metadata.masterStates.map(\.name), operators: metadata.operators.map(InspectionRecord.Operator.init),
            files: snapshot.files.map(InspectionRecord.File.init),
            neighbours: snapshot.neighbours.map { InspectionRecord.Neighbour(directory: $0.directory, job: $0.job, files: $0.files, bytes: $0.bytes) },
            kafka: snapshot.kafka.map(InspectionRecord.Kafka.init),
            uids: uids.isEmpty ? nil : InspectionRecord.Uids(metadata.match(uids: uids), metadata), notes: snapshot.notes)
    }
}

extension InspectionRecord.Properties {
    init(_ properties: FlinkCheckpointProperties) {
        self.init(name: properties.name, isUnclaimed: properties.isUnclaimed, discardedWhen: properties.discards.words)
        if case .savepoint(let format, let action) = properties.kind { (self.format, self.action) = (format, action) }
    }
}

extension FlinkCheckpointProperties.Discards {
    /// The events that delete the files.
    var words: [String] {
        [(whenSubsumed, "subsumed"), (whenFinished, "finished"), (whenCancelled, "cancelled"), (whenFailed, "failed"), (whenSuspended, "suspended")]
            .filter(\.0).map(\.1)
    }
}

extension InspectionRecord.Operator {
    init(_ state: FlinkMetadata.Operator) {
        self.init(
            id: state.id, name: state.name, uid: state.uid, parallelism: state.parallelism, maxParallelism: state.maxParallelism,
            stateSize: state.stateSize, operatorStateSize: Self.sum(state.subtasks.map(\.operatorSize)),
            keyedStateSize: Self.sum(state.subtasks.map(\.keyedSize)), channelStateSize: Self.sum(state.subtasks.map(\.channelSize)),
            coordinatorStateSize: state.coordinatorState?.size ?? 0, finishedSubtasks: state.finishedSubtasks,
            states: Set(state.subtasks.flatMap { ($0.managedOperatorState?.states ?? []).map(\.name) }).sorted())
    }

    private static func sum(_ sizes: [ByteCount]) -> ByteCount {
        ByteCount(sizes.reduce(0 as Int64) { $0.addingReportingOverflow($1.count).overflow ? .max : $0 + $1.count })
    }
}

extension InspectionRecord.File {
    init(_ checked: FlinkSnapshot.CheckedFile) {
        let expected: (Int64?, isMinimum: Bool) =
            switch checked.file.length {
            case .exactly(let size): (size.count, false)
            case .atLeast(let size): (size.count, true)
            case .unknown: (nil, true)
            }
        self.init(
            path: checked.location, state: "", role: checked.file.role.rawValue, expectedSize: expected.0, isMinimum: expected.isMinimum,
            operatorID: checked.file.owner)
        switch checked.state {
        case .present(let size): (state, foundSize) = ("present", size)
        case .missing: state = "missing"
        case .wrongLength(let size): (state, foundSize) = ("wrongLength", size)
        case .notPlain: state = "notPlain"
        case .unreachable(let reason): (state, self.reason) = ("unreachable", reason)
        }
    }
}

extension InspectionRecord.Kafka {
    init(_ position: FlinkSnapshot.KafkaPosition) {
        self.init(
            topic: position.offset.topic, partition: position.offset.partition, source: position.source.rawValue, operatorID: position.owner,
            subtask: position.subtask)
        switch position.offset.position {
        case .next(let offset): nextOffset = offset
        case .earliest: start = "earliest"
        case .latest: start = "latest"
        case .committed: start = "committed"
        }
    }
}

extension InspectionRecord.Uids {
    init(_ match: FlinkMetadata.UidMatch, _ metadata: FlinkMetadata) {
        self.init(
            matched: match.matched.mapValues { metadata.operators[$0].id }, withoutState: match.withoutState,
            unclaimedOperators: match.unclaimed.map { metadata.operators[$0].id })
    }
}
