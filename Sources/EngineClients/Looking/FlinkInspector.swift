internal import Dispatch
public import FlinkREST
internal import FlinkSnapshots
public import StreamModel

/// Looks at the snapshots that a Flink cluster names, on the file systems of this machine and in the stores that can be reached from it, so that
/// the restart chooser shows a verdict before a key is pressed. One after the other, on a queue of its own: a file server that hangs keeps nothing
/// else waiting.
public final class FlinkInspector: Sendable {
    private let queue = DispatchQueue(label: "weir.flink.files")
    private let clusterIsHere: Bool
    private let stored: StoredFiles?

    /// - Parameter host: of the cluster's URL. Only a cluster on this machine has surely the same files: on another one a path that does not
    ///   exist here may well exist there.
    public init(clusterHost host: String, stored: StoredFiles? = nil) {
        clusterIsHere = FlinkAddress.isThisMachine(host)
        self.stored = stored
    }

    /// `completion` is called on the inspector's queue, with the path as it was given.
    /// - Parameter version: of the cluster; nil = not known.
    public func inspect(_ path: String, _ version: FlinkVersion? = nil, completion: @escaping @Sendable (SnapshotInspection) -> Void) {
        queue.async { [clusterIsHere, stored] in completion(Self.inspect(path, clusterIsHere: clusterIsHere, version, stored)) }
    }

    /// Asks disks and stores. What is not reachable from here says so, and is not damaged. What is whole and in a later format than the cluster's is too new.
    public static func inspect(_ path: String, clusterIsHere: Bool, _ version: FlinkVersion? = nil, _ stored: StoredFiles? = nil) -> SnapshotInspection {
        let snapshot = FlinkSnapshot.read(path, clusterIsHere: clusterIsHere, remote: stored, .files)
        var inspection = snapshot.inspection
        if inspection.verdict.allowsRestore, let format = snapshot.formatVersion, let problem = version?.problem(ofMetadata: format) {
            (inspection.verdict, inspection.problem) = (.tooNew, problem)
        }
        return inspection
    }
}
