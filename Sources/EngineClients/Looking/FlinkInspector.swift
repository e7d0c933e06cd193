internal import Dispatch
public import FlinkREST
internal import FlinkSnapshots
public import StreamModel

/// Looks at the snapshots that a Flink cluster names, on the file systems of this machine, so that the restart chooser shows a verdict before
/// a key is pressed. One after the other, on a queue of its own: a file server that hangs keeps nothing else waiting.
public final class FlinkInspector: Sendable {
    private let queue = DispatchQueue(label: "weir.flink.files")
    private let clusterIsHere: Bool

    /// - Parameter host: of the cluster's URL. Only a cluster on this machine has surely the same files: on another one a path that does not
    ///   exist here may well exist there.
    public init(clusterHost host: String) { clusterIsHere = FlinkAddress.isThisMachine(host) }

    /// `completion` is called on the inspector's queue, with the path as it was given.
    /// - Parameter version: of the cluster; nil = not known.
    public func inspect(_ path: String, _ version: FlinkVersion? = nil, completion: @escaping @Sendable (SnapshotInspection) -> Void) {
        queue.async { [clusterIsHere] in completion(Self.inspect(path, clusterIsHere: clusterIsHere, version)) }
    }

    /// Does disk work. What is not reachable from here says so, and is not damaged. What is whole and in a later format than the cluster's is too new.
    public static func inspect(_ path: String, clusterIsHere: Bool, _ version: FlinkVersion? = nil) -> SnapshotInspection {
        let snapshot = FlinkSnapshot.read(path, clusterIsHere: clusterIsHere)
        var inspection = snapshot.inspection
        if inspection.verdict.allowsRestore, let format = snapshot.formatVersion, let problem = version?.problem(ofMetadata: format) {
            (inspection.verdict, inspection.problem) = (.tooNew, problem)
        }
        return inspection
    }
}
