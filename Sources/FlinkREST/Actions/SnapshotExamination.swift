public import StreamModel

/// The outcome of a look at a snapshot before a job is ended for it.
public enum SnapshotFinding: Sendable, Equatable {
    case usable
    /// No problem is known, but the files were not seen.
    case unchecked(String)
    case refused(String)
}

/// Looks at the snapshots of a cluster from this machine, as far as its file systems show them. Does disk work.
public struct SnapshotSight: Sendable {
    /// Whether a job with these options can be restored from a path.
    public var examine: @Sendable (_ path: String, _ options: RestartOptions) -> SnapshotFinding
    /// The files that a snapshot names, each in one spelling; nil = its metadata cannot be read.
    public var files: @Sendable (_ path: String) -> Set<String>?

    public init(
        examine: @escaping @Sendable (_ path: String, _ options: RestartOptions) -> SnapshotFinding = { path, _ in .unchecked("\(path) is not checked") },
        files: @escaping @Sendable (_ path: String) -> Set<String>? = { _ in nil }
    ) {
        self.examine = examine
        self.files = files
    }
}
