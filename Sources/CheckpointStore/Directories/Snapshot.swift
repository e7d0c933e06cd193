public import StreamModel

/// Reads checkpoints and savepoints from any path without owning them. Never changes anything on disk.
public enum Snapshot {
    /// Reads the manifest and verifies every byte of every listed file.
    /// - Parameters:
    ///   - path: the directory, or the `_metadata` file in it.
    ///   - manifestRead: called between the two, with the expected contents of the files.
    public static func load(
        path: String, filesystem: any Filesystem = PosixFilesystem(), manifestRead: (CheckpointManifest) -> Void = { _ in }
    ) throws(StoreError) -> LoadedSnapshot {
        let snapshot = try locate(path, Disk(filesystem: filesystem))
        let pin = try SnapshotPin(snapshot)
        guard let manifest = try snapshot.readManifest() else { throw .noManifest(path: snapshot.path) }
        manifestRead(manifest)
        try snapshot.verifyContents(of: manifest)
        return LoadedSnapshot(path: snapshot.path, manifest: manifest, pin: pin, disk: snapshot.disk)
    }

    /// Loads a snapshot and returns the result as a report.
    public static func inspect(path: String, filesystem: any Filesystem = PosixFilesystem()) -> SnapshotInspection {
        let disk = Disk(filesystem: filesystem)
        do throws(StoreError) {
            let snapshot = try locate(path, disk)
            let pin = try SnapshotPin(snapshot)
            defer { pin.release() }
            guard let manifest = try snapshot.readManifest() else { throw snapshot.withoutManifest }
            do throws(StoreError) { try snapshot.verifyContents(of: manifest) } catch {
                return inspection(snapshot.path, manifest, problem: error)
            }
            return inspection(snapshot.path, manifest, problem: nil)
        } catch {
            return SnapshotInspection(path: path, verdict: error.verdict, problem: error.description)
        }
    }

    /// Deletes a snapshot that a job has claimed or an operator disposes of, manifest first. An unreadable snapshot, or one in use, is an error and
    /// stays. A missing one is no error.
    /// - Parameter evenIfInUse: deletes it even under a reader.
    public static func remove(
        path: String, evenIfInUse: Bool = false, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) {
        let snapshot: SnapshotDirectory
        do throws(StoreError) { snapshot = try locate(path, Disk(filesystem: filesystem)) } catch {
            if case .notFound = error { return }
            throw error
        }
        guard let manifest = try snapshot.readManifest() else { throw .noManifest(path: snapshot.path) }
        try snapshot.removeUnlessPinned(evenIfInUse: evenIfInUse)
        guard !manifest.sharedFiles.isEmpty else { return }
        try collectShared(besides: snapshot.path, job: manifest.job, filesystem)
    }

    /// Removes files that the deleted checkpoint shared within its job and that no other lists. Leaves them to an engine that runs the job.
    private static func collectShared(besides path: String, job: JobID, _ filesystem: any Filesystem) throws(StoreError) {
        let jobPath = StorePath.parent(path)
        // A copy of the checkpoint elsewhere has no job directory around it.
        guard StorePath.lastComponent(jobPath) == job.description, StorePath.checkpointID(StorePath.lastComponent(path)) != nil else { return }
        do throws(StoreError) {
            let directory = try JobDirectory(root: StorePath.parent(jobPath), job: job, filesystem: filesystem)
            defer { directory.close() }
            try directory.collectShared()
        } catch {
            if case .owned = error { return }
            throw error
        }
    }

    static func locate(_ path: String, _ disk: Disk) throws(StoreError) -> SnapshotDirectory {
        let canonical = try disk.canonicalPath(path)
        guard let status = try disk.status(canonical) else { throw .notFound(path: path) }
        if status.kind == .directory { return SnapshotDirectory(path: canonical, disk: disk) }
        try disk.requireRegular(canonical, status)
        guard StorePath.lastComponent(canonical) == StorePath.manifest else { throw .foreignFormat(path: canonical, looksLike: nil) }
        return SnapshotDirectory(path: StorePath.parent(canonical), disk: disk)
    }

    /// Describes the snapshot by its intact manifest, even if one of its files is damaged.
    private static func inspection(_ path: String, _ manifest: CheckpointManifest, problem: StoreError?) -> SnapshotInspection {
        SnapshotInspection(
            path: path, verdict: problem == nil ? .ok : .damaged, problem: problem?.description, checkpoint: manifest.checkpoint,
            kind: manifest.kind, job: manifest.job, jobName: manifest.jobName, stateSize: manifest.stateSize,
            checkpointedSize: manifest.checkpointedSize, completedAt: manifest.completedAt, maxParallelism: manifest.maxParallelism,
            operators: manifest.operators.map(\.uid))
    }
}

/// A snapshot whose manifest and files were found intact. Reads go to the disk again, and throw if it changed since. Any thread may read.
public struct LoadedSnapshot: Sendable {
    /// Its directory: absolute, without links and trailing slash.
    public let path: String
    public let manifest: CheckpointManifest
    /// Prevents its deletion until released, or until the last copy of this value is gone.
    public let pin: SnapshotPin
    private let disk: Disk

    init(path: String, manifest: CheckpointManifest, pin: SnapshotPin, disk: Disk) {
        self.path = path
        self.manifest = manifest
        self.pin = pin
        self.disk = disk
    }

    /// All bytes of one state of this manifest.
    public func read(_ handle: StateHandle) throws(StoreError) -> [UInt8] {
        switch handle.location {
        case .inline(let bytes): return bytes
        case .file(let name, let offset, let length):
            let file = try open(file: name)
            return try file.read(offset: offset, length: try file.count(length))
        case .files(let names):
            var bytes: [UInt8] = []
            for section in handle.sections where section.length > 0 {
                let file = try open(file: names[section.file])
                bytes += try file.read(offset: section.offset, length: try file.count(section.length))
            }
            return bytes
        }
    }

    /// Makes the names leading to the manifest durable. It may have been read only from the system's cache: an engine killed between the rename of
    /// the manifest and the sync of its directory leaves one that a power loss would remove. Call this before any action that only this
    /// snapshot justifies. An unreadable directory belongs to others and is left to them.
    public func makeDurable() throws(StoreError) {
        for directory in [path, StorePath.parent(path)] {
            do throws(StoreError) { try disk.syncDirectory(directory) } catch {
                if case .inputOutput(_, .open, SystemErrorNumber.accessDenied) = error { continue }
                throw error
            }
        }
    }

    public func read(file: String, offset: UInt64, length: Int) throws(StoreError) -> [UInt8] {
        try open(file: file).read(offset: offset, length: length)
    }

    /// Opens a listed file for partial reads in any order.
    public func open(file name: String) throws(StoreError) -> SnapshotFile {
        guard let entry = manifest.files.first(where: { $0.name == name }) else {
            throw .invalidName(path: path, name: name)
        }
        let path = StorePath.file(name, ofSnapshot: path)
        guard let file = try disk.open(path) else {
            throw .missingFile(path: path, manifest: StorePath.join(self.path, StorePath.manifest))
        }
        return SnapshotFile(path: path, length: entry.length, file: file, disk: disk)
    }
}

/// An open state file of a snapshot; closed on release. Any thread may read.
public final class SnapshotFile: Sendable {
    public let path: String
    /// Length from the manifest.
    public let length: UInt64
    private let file: OpenFile
    private let disk: Disk

    init(path: String, length: UInt64, file: OpenFile, disk: Disk) {
        self.path = path
        self.length = length
        self.file = file
        self.disk = disk
    }

    deinit { disk.closeQuietly(file) }

    public func read(offset: UInt64, length: Int) throws(StoreError) -> [UInt8] {
        try require(offset, length)
        return try disk.read(file, path, offset: offset, length: length)
    }

    /// Fills the buffer; throws if the file ends sooner.
    public func read(into buffer: UnsafeMutableRawBufferPointer, offset: UInt64) throws(StoreError) {
        try require(offset, buffer.count)
        let count = try disk.run(path) { () throws(FilesystemError) in try disk.filesystem.read(into: buffer, from: file, at: offset) }
        guard count == buffer.count else { throw .wrongLength(path: path, expected: length, found: offset + UInt64(count)) }
    }

    func count(_ length: UInt64) throws(StoreError) -> Int {
        guard length <= self.length else { throw .wrongLength(path: path, expected: length, found: self.length) }
        return Int(length)
    }

    private func require(_ offset: UInt64, _ length: Int) throws(StoreError) {
        let end = offset.addingSaturating(UInt64(clamping: length))
        guard length >= 0, end <= self.length else { throw .wrongLength(path: path, expected: end, found: self.length) }
    }
}
