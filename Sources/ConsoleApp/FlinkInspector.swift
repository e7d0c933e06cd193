internal import Dispatch
internal import FlinkSnapshots
internal import Glibc
internal import StreamModel

/// Looks at the snapshots that a Flink cluster names, on the file systems of this machine, so that the restart chooser shows a verdict before
/// a key is pressed. One after the other, on a queue of its own: a file server that hangs keeps nothing else waiting.
final class FlinkInspector: Sendable {
    private let queue = DispatchQueue(label: "weir.flink.files")
    private let clusterIsHere: Bool

    /// - Parameter host: of the cluster's URL. Only a cluster on this machine has surely the same files: on another one a path that does not
    ///   exist here may well exist there.
    init(clusterHost host: String) { clusterIsHere = Self.isThisMachine(host) }

    /// `completion` is called on the inspector's queue, with the path as it was given.
    func inspect(_ path: String, completion: @escaping @Sendable (SnapshotInspection) -> Void) {
        queue.async { [clusterIsHere] in completion(Self.inspect(path, clusterIsHere: clusterIsHere)) }
    }

    /// Does disk work. What is not reachable from here says so, and is not damaged.
    static func inspect(_ path: String, clusterIsHere: Bool) -> SnapshotInspection {
        FlinkSnapshot.read(path, clusterIsHere: clusterIsHere).inspection
    }

    /// By name alone: nothing is looked up in the network.
    static func isThisMachine(_ host: String) -> Bool {
        let name = host.lowercased()
        if name == "localhost" || name == "::1" || name == "0.0.0.0" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.first == "127", parts.allSatisfy({ UInt8($0) != nil }) { return true }
        var own = [CChar](repeating: 0, count: 256)
        guard gethostname(&own, own.count - 1) == 0 else { return false }
        return name == String(decoding: own.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }
}
