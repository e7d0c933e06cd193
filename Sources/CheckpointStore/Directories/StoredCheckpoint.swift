public import StreamModel

/// A `chk-<n>` directory as a scan found it.
public struct StoredCheckpoint: Sendable, Equatable {
    public enum Condition: Sendable, Equatable {
        /// Restorable as far as the scan looked.
        case valid(CheckpointSummary)
        /// It has a manifest, but something of it is damaged, missing or could not be read.
        case damaged(StoreError)
        /// Without manifest: in flight, or failed.
        case incomplete
    }

    /// How far a scan looks.
    public enum Verification: Sendable {
        /// The manifest, and that every listed file has its length.
        case lengths
        /// Every byte of every file.
        case contents
    }

    public var id: CheckpointID
    /// Its directory.
    public var path: String
    public var condition: Condition

    public var summary: CheckpointSummary? {
        if case .valid(let summary) = condition { summary } else { nil }
    }

    /// All `chk-<n>` directories of a job directory, by number, without taking its lock: also for jobs that have ended, or
    /// that another engine runs. Never removes or moves anything.
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

    /// The complete savepoints of a job that lie in a directory, by their manifests: what a recovery finds of savepoints that nobody wrote
    /// down. What does not read back, and what belongs to others, is left out; a directory that is not there holds none.
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
                // One of a name that only begins alike may be anything. One that cannot be read now must not be taken for nothing.
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

/// The head of a manifest: what lists of checkpoints show.
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
    /// uids, in the order of the manifest.
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
