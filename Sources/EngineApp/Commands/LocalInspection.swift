internal import CheckpointStore
internal import StreamModel

/// Inspects a snapshot without an engine.
enum LocalInspection {
    static func inspect(_ path: String) -> SnapshotInspection { Snapshot.inspect(path: path) }
}
