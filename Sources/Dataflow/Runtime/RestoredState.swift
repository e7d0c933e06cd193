internal import CheckpointStore
internal import StreamModel

/// The snapshot from which an attempt starts, by operator.
struct RestoredState: Sendable {
    let snapshot: LoadedSnapshot
    let operators: [String: OperatorState]
}
