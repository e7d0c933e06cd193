internal import StreamModel

/// Small records that are replaced as a whole: a reader sees the old bytes or the new ones, even after a power loss. One writer per path.
public enum DurableFile {
    /// Writes a draft beside the file, makes it durable, and renames it over the file.
    public static func replace(path: String, bytes: [UInt8], filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        let disk = Disk(filesystem: filesystem)
        let draft = path + ".tmp"
        // Left by an engine that died here.
        try disk.unlink(draft)
        do throws(StoreError) {
            try disk.create(draft, bytes, isDurable: !filesystem.has(.replacesUnsynced))
            try disk.rename(draft, to: path, replacing: true)
        } catch {
            // The first error is the one to report; the next call removes a leftover draft.
            do throws(StoreError) { try disk.unlink(draft) } catch {}
            throw error
        }
        try disk.syncDirectory(StorePath.parent(path))
    }

    /// All bytes of a file; nil = no such file.
    public static func read(
        path: String, maximum: UInt64, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) -> [UInt8]? {
        try Disk(filesystem: filesystem).readWhole(path, maximum: maximum)
    }
}

/// Directories that survive a power loss.
public enum DurableDirectory {
    /// Makes a directory and its missing parents, and makes all their names durable, even of existing ones.
    public static func make(path: String, filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        try Disk(filesystem: filesystem).makeDirectories(path)
    }
}
