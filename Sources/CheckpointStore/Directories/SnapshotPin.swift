internal import Synchronization

/// Prevents the deletion of a snapshot while it is read: a shared lock on its `_metadata`. A deletion takes the exclusive lock first, and retries
/// when it is busy, but a pin holds for about ten minutes only. It works across processes and dies with its own. It has no effect on a
/// filesystem without locks. A damaged checkpoint may still be renamed.
public final class SnapshotPin: Sendable {
    /// The snapshot's directory: absolute, without links and trailing slash.
    public let path: String
    private let disk: Disk
    private let lock: Mutex<OpenFile?>

    /// Pins a snapshot.
    /// - Parameter path: the directory, or the `_metadata` file in it.
    public static func take(path: String, filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) -> SnapshotPin {
        try SnapshotPin(try Snapshot.locate(path, Disk(filesystem: filesystem)))
    }

    init(_ snapshot: SnapshotDirectory) throws(StoreError) {
        path = snapshot.path
        disk = snapshot.disk
        lock = Mutex(try Self.lock(snapshot))
    }

    deinit { release() }

    /// Allows the deletion of the snapshot. Idempotent.
    public func release() {
        let file = lock.withLock { lock in
            defer { lock = nil }
            return lock
        }
        if let file { disk.closeQuietly(file) }
    }

    /// Takes the shared lock; nil = there are no locks here.
    private static func lock(_ snapshot: SnapshotDirectory) throws(StoreError) -> OpenFile? {
        let disk = snapshot.disk, path = snapshot.manifestPath
        guard let file = try disk.open(path) else { throw snapshot.withoutManifest }
        var isPinned = false
        defer { if !isPinned { disk.closeQuietly(file) } }
        let isLocked: Bool
        do throws(FilesystemError) { isLocked = try disk.filesystem.tryLockShared(file) } catch {
            if SystemErrorNumber.meansNoLocks(error.errno) { return nil }
            throw StoreError(path, error)
        }
        // Busy: it is being deleted right now, or was deleted between the opening and the lock.
        guard isLocked, try disk.status(path) != nil else { throw .noManifest(path: snapshot.path) }
        isPinned = true
        return file
    }
}
