internal import StreamModel

/// Files in `<job>/shared`, which several checkpoints may list. All manifests are read each time to find those in use; references are not
/// counted, because a count could be wrong after a crash.
struct SharedFiles {
    /// Path of the job's directory.
    let path: String
    let disk: Disk

    /// Paths of the files that no manifest lists. An unreadable manifest may list any file written by its checkpoint or an older one: those stay.
    /// - Parameter pinned: names (`shared/...`) that an attempt in flight wrote or may refer to.
    func unreferenced(pinned: Set<String>) throws(StoreError) -> [String] {
        let directory = StorePath.join(path, StorePath.shared)
        guard let status = try disk.status(directory), status.kind == .directory else { return [] }
        // Listed before the manifests are read: files written later are no candidates.
        var candidates = Set(try disk.list(directory).map { StorePath.shared + "/" + $0 }.filter(StorePath.isSharedFile)).subtracting(pinned)
        guard !candidates.isEmpty else { return [] }
        var unreadable = CheckpointID(0)
        let names = try disk.list(path), newest = names.compactMap(StorePath.usedCheckpointID).max()
        for name in names {
            guard let id = StorePath.usedCheckpointID(name) else { continue }
            if id != newest, disk.filesystem.has(.removesListedShared) { continue }
            let snapshot = SnapshotDirectory(path: StorePath.join(path, name), disk: disk)
            do throws(StoreError) {
                if let manifest = try snapshot.readManifest() { candidates.subtract(manifest.sharedFiles) }
            } catch {
                unreadable = max(unreadable, id)
            }
        }
        return candidates.filter { (StorePath.sharedFileWriter($0) ?? unreadable) > unreadable }.sorted().map { StorePath.join(path, $0) }
    }

    /// Makes the removal of deleted manifests durable: until then, a power loss may bring one back, along with the need for its files.
    func settleRemovals(exceptIn live: Set<CheckpointID>) throws(StoreError) {
        for name in try disk.list(path) {
            guard let id = StorePath.checkpointID(name), !live.contains(id) else { continue }
            let snapshot = SnapshotDirectory(path: StorePath.join(path, name), disk: disk)
            guard let status = try disk.status(snapshot.path), status.kind == .directory else { continue }
            if try disk.status(snapshot.manifestPath) == nil { try disk.syncDirectory(snapshot.path) }
        }
        try disk.syncDirectory(path)
    }
}
