public import StreamModel

/// A `chk-<n>` directory found by a scan.
public struct StoredCheckpoint: Sendable, Equatable {
    public enum Condition: Sendable, Equatable {
        /// Restorable, as far as the scan verified.
        case valid(CheckpointSummary)
        /// A manifest exists, but some part is damaged, missing or unreadable.
        case damaged(StoreError)
        /// Without manifest: in flight, or failed.
        case incomplete
    }

    /// Depth of a scan.
    public enum Verification: Sendable {
        /// The manifest, and the length of every listed file.
        case lengths
        /// Every byte of every file.
        case contents
    }

    public var id: CheckpointID
    /// Path of its directory.
    public var path: String
    public var condition: Condition

    public init(id: CheckpointID, path: String, condition: Condition) {
        self.id = id
        self.path = path
        self.condition = condition
    }

    public var summary: CheckpointSummary? {
        if case .valid(let summary) = condition { summary } else { nil }
    }

    /// Scans all `chk-<n>` directories of a job directory, by number, without taking its lock: even of ended jobs, and of jobs of another engine.
    /// Changes nothing.
    public static func scan(
        jobDirectory: String, job: JobID, verification: Verification, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) -> [StoredCheckpoint] {
        let disk = Disk(filesystem: filesystem)
        let directory = try disk.canonicalPath(jobDirectory)
        var found: [StoredCheckpoint] = []
        for name in try disk.list(directory) {
            guard let id = StorePath.checkpointID(name) else { continue }
            let snapshot = SnapshotDirectory(path: StorePath.join(directory, name), disk: disk)
            found.append(StoredCheckpoint(id: id, path: snapshot.path, condition: condition(snapshot, id, job, verification)))
        }
        return found.sorted { $0.id < $1.id }
    }

    /// Complete savepoints of a job in a directory, found by their manifests, so that a recovery also finds unrecorded ones. Omits those that are
    /// not intact or belong to others; a missing directory holds none.
    public static func savepoints(
        of job: JobID, in directory: String, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) -> [(summary: CheckpointSummary, path: String)] {
        let disk = Disk(filesystem: filesystem)
        guard try disk.status(directory) != nil else { return [] }
        let directory = try disk.canonicalPath(directory)
        var found: [(summary: CheckpointSummary, path: String)] = []
        for name in try disk.list(directory) where name.hasPrefix("savepoint-\(job.description.prefix(6))-") {
            let snapshot = SnapshotDirectory(path: StorePath.join(directory, name), disk: disk)
            do throws(StoreError) {
                guard let manifest = try snapshot.readManifest(), manifest.job == job else { continue }
                found.append((CheckpointSummary(manifest), snapshot.path))
            } catch {
                // A directory with only a similar name may be anything. One that is unreadable now must not be treated as absent.
                if !error.isLoss { throw error }
            }
        }
        return found.sorted { $0.summary.checkpoint < $1.summary.checkpoint }
    }

    private static func condition(
        _ snapshot: SnapshotDirectory, _ id: CheckpointID, _ job: JobID, _ verification: Verification
    ) -> Condition {
        do throws(StoreError) {
            guard let manifest = try snapshot.readManifest() else { return .incomplete }
            try StateFileFormat.compare("job", job, manifest.job, snapshot.manifestPath)
            try StateFileFormat.compare("checkpoint", id, manifest.checkpoint, snapshot.manifestPath)
            switch verification {
            case .lengths: try snapshot.verifyLengths(of: manifest)
            case .contents: try snapshot.verifyContents(of: manifest)
            }
            return .valid(CheckpointSummary(manifest))
        } catch {
            return .damaged(error)
        }
    }
}

/// The head of a manifest, for lists of checkpoints.
public struct CheckpointSummary: Sendable, Equatable {
    public var job: JobID
    public var jobName: String
    public var lineage: JobID
    public var checkpoint: CheckpointID
    public var kind: CheckpointKind
    public var triggeredAt: WallTime
    public var completedAt: WallTime
    public var generation: UInt64
    public var maxParallelism: Int
    public var isFinal: Bool
    public var stateSize: ByteCount
    public var checkpointedSize: ByteCount
    /// uids in the order of the manifest.
    public var operators: [String]

    public init(_ manifest: CheckpointManifest) {
        job = manifest.job
        jobName = manifest.jobName
        lineage = manifest.lineage
        checkpoint = manifest.checkpoint
        kind = manifest.kind
        triggeredAt = manifest.triggeredAt
        completedAt = manifest.completedAt
        generation = manifest.generation
        maxParallelism = manifest.maxParallelism
        isFinal = manifest.isFinal
        stateSize = manifest.stateSize
        checkpointedSize = manifest.checkpointedSize
        operators = manifest.operators.map(\.uid)
    }
}
