internal import Dispatch
public import FlinkREST
internal import FlinkSnapshots
public import StreamModel

/// Inspects a Flink cluster's snapshots, on this machine's file systems and in the stores within reach, so that the restart chooser shows a verdict
/// before a key is pressed. Runs one inspection at a time on its own queue: a hung file server delays nothing else.
public final class FlinkInspector: Sendable {
    private let queue = DispatchQueue(label: "weir.flink.files")
    private let clusterIsHere: Bool
    private let stored: StoredFiles?

    /// - Parameter host: host of the cluster's URL. Only a cluster on this machine is certain to have the same files: a path that does not exist here
    ///   may exist on another machine.
    public init(clusterHost host: String, stored: StoredFiles? = nil) {
        clusterIsHere = FlinkAddress.isThisMachine(host)
        self.stored = stored
    }

    /// `completion` is called on the inspector's queue, with the path as it was given.
    /// - Parameter version: of the cluster; nil = not known.
    public func inspect(_ path: String, _ version: FlinkVersion? = nil, completion: @escaping @Sendable (SnapshotInspection) -> Void) {
        queue.async { [clusterIsHere, stored] in completion(Self.inspect(path, clusterIsHere: clusterIsHere, version, stored)) }
    }

    /// Reads disks and stores. An unreachable snapshot is reported as such, not as damaged. An intact one in a later format than the cluster's is too
    /// new.
    public static func inspect(_ path: String, clusterIsHere: Bool, _ version: FlinkVersion? = nil, _ stored: StoredFiles? = nil) -> SnapshotInspection {
        let snapshot = FlinkSnapshot.read(path, clusterIsHere: clusterIsHere, remote: stored, .files)
        var inspection = snapshot.inspection
        if inspection.verdict.allowsRestore, let format = snapshot.formatVersion, let problem = version?.problem(ofMetadata: format) {
            (inspection.verdict, inspection.problem) = (.tooNew, problem)
        }
        return inspection
    }
}
