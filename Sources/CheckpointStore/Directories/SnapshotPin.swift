internal import Synchronization

/// Keeps a snapshot from being deleted while somebody reads it: a shared lock on its `_metadata`. Whoever deletes snapshots takes the
/// exclusive one first, and comes back later when it is busy, but not for ever: a pin has about ten minutes. It holds across processes
/// and dies with its own. On a filesystem without locks it keeps nothing. A damaged checkpoint may still be renamed.
public final class SnapshotPin: Sendable {
    /// The snapshot's directory: absolute, without links and without a slash at the end.
    public let path: String
    private let disk: Disk
    private let lock: Mutex<OpenFile?>

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

    /// Lets the snapshot be deleted. Saying it twice is saying it once.
    public func release() {
        let file = lock.withLock { lock in
            defer { lock = nil }
            return lock
        }
        if let file { disk.closeQuietly(file) }
    }

    /// nil = there are no locks here.
    private static func lock(_ snapshot: SnapshotDirectory) throws(StoreError) -> OpenFile? {
        let disk = snapshot.disk, path = snapshot.manifestPath
        guard let file = try disk.open(path) else { throw .noManifest(path: snapshot.path) }
        var isPinned = false
        defer { if !isPinned { disk.closeQuietly(file) } }
        let isLocked: Bool
        do throws(FilesystemError) { isLocked = try disk.filesystem.tryLockShared(file) } catch {
            if SystemErrorNumber.meansNoLocks(error.errno) { return nil }
            throw StoreError(path, error)
        }
        // Busy: it is being deleted at this moment. Or it was, between the opening and the lock.
        guard isLocked, try disk.status(path) != nil else { throw .noManifest(path: snapshot.path) }
        isPinned = true
        return file
    }
}
