internal import Dispatch
internal import FlinkREST
internal import FlinkSnapshots
internal import StreamModel

/// Looks at the snapshots that a Flink cluster names, on the file systems of this machine, so that the restart chooser shows a verdict before
/// a key is pressed. One after the other, on a queue of its own: a file server that hangs keeps nothing else waiting.
final class FlinkInspector: Sendable {
    private let queue = DispatchQueue(label: "weir.flink.files")
    private let clusterIsHere: Bool

    /// - Parameter host: of the cluster's URL. Only a cluster on this machine has surely the same files: on another one a path that does not
    ///   exist here may well exist there.
    init(clusterHost host: String) { clusterIsHere = FlinkAddress.isThisMachine(host) }

    /// `completion` is called on the inspector's queue, with the path as it was given.
    func inspect(_ path: String, completion: @escaping @Sendable (SnapshotInspection) -> Void) {
        queue.async { [clusterIsHere] in completion(Self.inspect(path, clusterIsHere: clusterIsHere)) }
    }

    /// Does disk work. What is not reachable from here says so, and is not damaged.
    static func inspect(_ path: String, clusterIsHere: Bool) -> SnapshotInspection {
        FlinkSnapshot.read(path, clusterIsHere: clusterIsHere).inspection
    }
}
