internal import StreamModel

/// The files in `<job>/shared`, which several checkpoints may list. Which of them are needed is read from all manifests each time, never
/// counted: a count could be wrong after a crash, a set of manifests cannot.
struct SharedFiles {
    /// The job's directory.
    let path: String
    let disk: Disk

    /// Paths of the files that no manifest lists. A manifest that cannot be read may list any file that its checkpoint or an older one
    /// wrote: those stay.
    /// - Parameter pinned: names (`shared/...`) that an attempt in flight wrote or may refer to.
    func unreferenced(pinned: Set<String>) throws(StoreError) -> [String] {
        let directory = StorePath.join(path, StorePath.shared)
        guard let status = try disk.status(directory), status.kind == .directory else { return [] }
        // Listed before the manifests are read: what is written later is no candidate.
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

    /// Makes durable that the manifests which are gone are gone: until then, a loss of power may bring one back, and with it the need for
    /// the files that it lists.
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
