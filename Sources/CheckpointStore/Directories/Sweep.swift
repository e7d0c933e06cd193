internal import StreamModel

/// A file that a sweep removed, or would remove.
public struct SweptFile: Hashable, Sendable {
    public enum Reason: String, Sendable {
        /// The directory of a checkpoint without manifest.
        case incomplete
        /// Not listed by the manifest of its checkpoint.
        case unlisted
        /// In `shared`, but listed by no manifest.
        case unreferenced
    }
    public var path: String
    /// Size in bytes.
    public var size: UInt64
    public var reason: Reason

    public init(path: String, size: UInt64, reason: Reason) {
        self.path = path
        self.size = size
        self.reason = reason
    }
}

/// Mark and sweep of one job directory. The live set is computed from the manifests each time, never counted.
struct Sweep {
    struct Garbage {
        var files: [SweptFile] = []
        /// Incomplete checkpoints, removed if their directories are empty.
        var incomplete: [CheckpointID] = []
    }

    let path: String
    let disk: Disk
    let cutoff: WallTime
    /// Attempts in flight, queried after the directory was listed, so that every listed attempt is known.
    let live: () -> Set<CheckpointID>
    /// Paths of unneeded files in `shared`.
    let unreferenced: () throws(StoreError) -> [String]

    func mark() throws(StoreError) -> Garbage {
        var garbage = Garbage()
        let names = try disk.list(path)
        let live = live()
        for id in names.compactMap(StorePath.checkpointID) where !live.contains(id) {
            // An unreadable checkpoint is kept, and so are all files it might refer to.
            do throws(StoreError) { try mark(id, &garbage) } catch {}
        }
        for file in try unreferenced() {
            guard let status = try disk.status(file), status.kind == .file, status.modifiedAt < cutoff else { continue }
            garbage.files.append(SweptFile(path: file, size: status.size, reason: .unreferenced))
        }
        return garbage
    }

    private func directory(_ id: CheckpointID) -> SnapshotDirectory {
        SnapshotDirectory(path: StorePath.join(path, StorePath.checkpointDirectory(id)), disk: disk)
    }

    private func mark(_ id: CheckpointID, _ garbage: inout Garbage) throws(StoreError) {
        let snapshot = directory(id)
        guard let status = try disk.status(snapshot.path), status.kind == .directory else { return }
        if let manifest = try snapshot.readManifest() {
            let listed = Set(manifest.files.lazy.filter { !$0.isShared }.map(\.name))
            garbage.files += try removable(in: snapshot.path, reason: .unlisted, listed.contains)
        } else if status.modifiedAt < cutoff {
            garbage.files += try removable(in: snapshot.path, reason: .incomplete) { _ in false }
            garbage.incomplete.append(id)
        }
    }

    private func removable(
        in directory: String, reason: SweptFile.Reason, _ isListed: (String) -> Bool
    ) throws(StoreError) -> [SweptFile] {
        guard let status = try disk.status(directory), status.kind == .directory else { return [] }
        var files: [SweptFile] = []
        for name in try disk.list(directory) where StorePath.isRemovable(name) && !isListed(name) {
            let path = StorePath.join(directory, name)
            guard let status = try disk.status(path), status.kind == .file, status.modifiedAt < cutoff else { continue }
            files.append(SweptFile(path: path, size: status.size, reason: reason))
        }
        return files
    }

    func remove(_ garbage: Garbage) throws(StoreError) {
        if garbage.files.contains(where: { $0.reason == .unreferenced }) {
            try SharedFiles(path: path, disk: disk).settleRemovals(exceptIn: live())
        }
        for file in garbage.files { try disk.unlink(file.path) }
        for id in garbage.incomplete { try directory(id).removeIfEmpty() }
        if !garbage.incomplete.isEmpty { try disk.syncDirectory(path) }
    }
}
