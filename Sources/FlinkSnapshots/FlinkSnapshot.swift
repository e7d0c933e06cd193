public import FlinkFormats
public import StreamModel

/// A checkpoint or savepoint of Flink as this machine finds it: its metadata, and which of its files are there. Reading changes nothing.
///
/// Files are looked at, not read: Flink keeps no checksums. What an object store or HDFS keeps is looked at there, where `RemoteFiles` leads to
/// it; what cannot be looked at is neither whole nor damaged from here: it is unreachable, and said to be.
public struct FlinkSnapshot: Sendable {
    /// As it was asked for.
    public var path: String
    /// Its directory, absolute on this machine or a URL; nil where it cannot be reached or nothing is there.
    public var directory: String?
    public var verdict: SnapshotInspection.Verdict
    /// One line; nil when all is well.
    public var problem: String?
    public var metadata: FlinkMetadata?
    /// When the metadata was written.
    public var writtenAt: WallTime?
    public var files: [CheckedFile] = []
    public var neighbours: [Neighbour] = []
    public var kafka: [KafkaPosition] = []
    /// What could not be looked at, a line each.
    public var notes: [String] = []

    /// A file that the metadata names.
    public struct CheckedFile: Sendable {
        public enum State: Sendable, Equatable {
            case present(ByteCount)
            case missing
            case wrongLength(found: ByteCount)
            case notPlain
            case unreachable(reason: String)

            public var isDamage: Bool {
                switch self {
                case .missing, .wrongLength, .notPlain: true
                case .present, .unreachable: false
                }
            }
        }
        public var file: FlinkMetadata.File
        /// Where it was looked for, or where it is if it is elsewhere.
        public var location: String
        public var state: State
    }

    /// Another directory that holds files which this snapshot needs: it is whole only as long as they are left alone there.
    public struct Neighbour: Sendable, Equatable {
        public var directory: String
        /// The owner of the directory; nil = no job.
        public var job: JobID?
        public var files: Int
        public var bytes: ByteCount
    }

    public struct KafkaPosition: Sendable, Equatable {
        public var offset: KafkaOffset
        public var source: KafkaOffsetState.Source
        public var owner: OperatorID
        public var subtask: Int
    }

    init(path: String, verdict: SnapshotInspection.Verdict, problem: String? = nil) {
        self.path = path
        self.verdict = verdict
        self.problem = problem
    }

    /// The job that made it, as far as its place says.
    public var job: JobID? { directory.flatMap(FlinkLocation.job) }

    /// nil = nobody says. The State Processor API writes no properties.
    public var kind: CheckpointKind? {
        switch metadata?.properties?.kind {
        case .checkpoint: return .checkpoint
        case .savepoint(_, let action): return action == "NONE" || action.isEmpty ? .savepoint : .synchronousSavepoint
        case nil: return directory.flatMap { FlinkLocation.kind(ofDirectory: LocalFile.name($0)) }
        }
    }

    /// Version of Flink's format; nil where it was not read.
    public var formatVersion: Int? { metadata?.version }

    public var damaged: [CheckedFile] { files.filter(\.state.isDamage) }

    public var unreachable: [CheckedFile] {
        files.filter { if case .unreachable = $0.state { true } else { false } }
    }

    /// What the restart chooser shows, under the path that was asked for.
    public var inspection: SnapshotInspection {
        SnapshotInspection(
            path: path, verdict: verdict, problem: problem, checkpoint: metadata?.checkpoint, kind: kind, job: job, stateSize: metadata?.stateSize,
            checkpointedSize: metadata?.checkpointedSize, completedAt: writtenAt, maxParallelism: metadata?.maxParallelism,
            operators: metadata?.operators.map { $0.uid ?? $0.name ?? $0.id.description } ?? [],
            keyedLimit: metadata?.narrowest.map { .init(operatorName: $0.uid ?? $0.name ?? $0.id.short, maxParallelism: $0.maxParallelism) })
    }
}
