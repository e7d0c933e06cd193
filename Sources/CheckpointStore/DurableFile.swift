internal import StreamModel

/// Small records that are replaced as a whole: a reader sees the old bytes or the new ones, also after a power loss.
/// One writer a path.
public enum DurableFile {
    /// Writes a draft beside the file, makes it durable, and renames it over the file.
    public static func replace(path: String, bytes: [UInt8], filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        let disk = Disk(filesystem: filesystem)
        let draft = path + ".tmp"
        // Left over from an engine that died here.
        try disk.unlink(draft)
        do throws(StoreError) {
            try disk.create(draft, bytes, isDurable: !filesystem.has(.replacesUnsynced))
            try disk.rename(draft, to: path, replacing: true)
        } catch {
            // The first error is the one to report; a draft that stays is removed by the next call.
            do throws(StoreError) { try disk.unlink(draft) } catch {}
            throw error
        }
        try disk.syncDirectory(StorePath.parent(path))
    }

    /// nil = there is no such file.
    public static func read(
        path: String, maximum: UInt64, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) -> [UInt8]? {
        try Disk(filesystem: filesystem).readWhole(path, maximum: maximum)
    }
}

/// Directories that a power loss does not take away.
public enum DurableDirectory {
    /// Makes a directory and those above it as far as they are missing, and makes all their names durable, also of those that were there.
    public static func make(path: String, filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        try Disk(filesystem: filesystem).makeDirectories(path)
    }
}
