public import StreamModel

/// Damaged checkpoints: renamed, never deleted, so that an operator can inspect or repair them and rename them back.
extension JobDirectory {
    /// Renames `chk-<id>` to `chk-<id>.damaged` (`.damaged-2`, ... if taken), durably, and returns the new path; nil = no such checkpoint.
    public func quarantine(_ id: CheckpointID) throws(StoreError) -> String? {
        try requireOpen()
        let directory = StorePath.join(path, StorePath.checkpointDirectory(id))
        guard try disk.status(directory) != nil else { return nil }
        for number in 1...100 {
            let aside = directory + StorePath.damagedSuffix + (number == 1 ? "" : "-\(number)")
            guard try disk.status(aside) == nil else { continue }
            try disk.rename(directory, to: aside, replacing: true)
            try disk.syncDirectory(path)
            return aside
        }
        throw .inputOutput(path: directory, operation: .rename, errno: SystemErrorNumber.exists)
    }

    /// Checkpoints set aside by `quarantine`, by number.
    public func quarantined() throws(StoreError) -> [(id: CheckpointID, path: String)] {
        try requireOpen()
        return try disk.list(path).compactMap { name in
            StorePath.quarantinedCheckpointID(name).map { (id: $0, path: StorePath.join(path, name)) }
        }.sorted { $0.id < $1.id }
    }
}
