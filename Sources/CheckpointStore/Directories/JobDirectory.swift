public import StreamModel
internal import Synchronization

/// The checkpoints of one job, `<root>/<job>/`, owned by one engine at a time: the lock on `<root>/<job>/.lock` is held from `init` to `close` (or
/// release). Called concurrently by the job's thread and by writer threads.
///
///     <root>/<job id>/.lock                     the owner
///     <root>/<job id>/.highest-checkpoint-id    numbers up to this one were used
///     <root>/<job id>/chk-<n>/_metadata         the manifest; without it the checkpoint does not exist
///     <root>/<job id>/chk-<n>/<name>.state      state files
///     <root>/<job id>/shared/<n>-<name>.state   state files that checkpoint n wrote and later ones may refer to
///     <root>/<job id>/taskowned                 as in Flink; this format puts nothing there
public final class JobDirectory: Sendable {
    public let job: JobID
    /// Path `<root>/<job>`, absolute and without links.
    public let path: String

    private struct State {
        var lock: OpenFile?
        /// Attempts neither committed nor abandoned, with the shared files that each wrote or may refer to.
        var inFlight: [CheckpointID: SharedPins] = [:]
        /// Counter of begun and ended attempts.
        var changes = 0
    }

    let disk: Disk
    private let freeSpaceFloor: UInt64
    private let state: Mutex<State>

    /// Creates missing parts of the directory, durably, and takes its lock.
    /// - Parameter freeSpaceFloor: bytes that must be free for a checkpoint to begin; 0 = no check.
    public init(
        root: String, job: JobID, freeSpaceFloor: UInt64 = 0, filesystem: any Filesystem = PosixFilesystem()
    ) throws(StoreError) {
        let disk = Disk(filesystem: filesystem)
        try disk.makeDirectories(root)
        let path = StorePath.join(try disk.canonicalPath(root), job.description)
        for directory in [path, StorePath.join(path, StorePath.shared), StorePath.join(path, StorePath.taskOwned)] {
            try disk.makeDirectoryDurably(directory)
        }
        self.job = job
        self.path = path
        self.disk = disk
        self.freeSpaceFloor = freeSpaceFloor
        state = Mutex(State(lock: try OwnerLock.take(StorePath.join(path, StorePath.lock), disk)))
    }

    deinit { close() }

    /// Releases the directory to other engines. Attempts must have ended.
    public func close() {
        let lock = state.withLock { state in
            defer { state.lock = nil }
            return state.lock
        }
        if let lock { disk.closeQuietly(lock) }
    }

    func requireOpen() throws(StoreError) {
        guard state.withLock({ $0.lock != nil }) else { throw .closed(path: path) }
    }

    // MARK: Writing

    /// Makes `chk-<id>` for a new checkpoint and records its number durably as used; the name of the directory becomes durable with the commit.
    /// Removes the remains of a failed attempt of this number; a complete checkpoint of it is an error.
    /// - Parameters:
    ///   - sharesFiles: whether later checkpoints may refer to its files.
    ///   - base: a completed checkpoint of this directory; the new one may refer to its shared files. If it was removed meanwhile, the attempt has
    ///     no base.
    public func begin(_ id: CheckpointID, sharesFiles: Bool = false, base: CheckpointManifest? = nil) throws(StoreError) -> CheckpointAttempt {
        try requireOpen()
        try requireFreeSpace(path)
        let directory = StorePath.join(path, StorePath.checkpointDirectory(id))
        let pins = SharedPins(base?.sharedFiles ?? [])
        try enter(id, directory, pins)
        var base = base
        do throws(StoreError) {
            // Checked after the pins are set: a removal begun earlier is visible here, a later one sees the pins.
            if let known = base, try !isComplete(known) { base = nil }
            try clearLeftover(directory)
            try recordHighestID(id)
            guard try disk.makeDirectory(directory) else {
                throw .inputOutput(path: directory, operation: .makeDirectory, errno: SystemErrorNumber.exists)
            }
        } catch {
            leave(id)
            throw error
        }
        return attempt(id, directory, isSavepoint: false, sharesFiles: sharesFiles || base != nil, base, pins)
    }

    private func isComplete(_ manifest: CheckpointManifest) throws(StoreError) -> Bool {
        guard manifest.job == job, !manifest.kind.isSavepoint else { return false }
        let directory = StorePath.join(path, StorePath.checkpointDirectory(manifest.checkpoint))
        return try disk.status(SnapshotDirectory(path: directory, disk: disk).manifestPath) != nil
    }

    /// Makes `savepoint-<first six digits of the job>-<twelve random digits>` in a directory, which is created if missing.
    /// - Parameter random: 64 random bits per call; called at most ten times.
    public func beginSavepoint(_ id: CheckpointID, in directory: String, random: () -> UInt64) throws(StoreError) -> CheckpointAttempt {
        try requireOpen()
        try disk.makeDirectories(directory)
        let directory = try disk.canonicalPath(directory)
        try requireFreeSpace(directory)
        let pins = SharedPins([])
        try enter(id, directory, pins)
        do throws(StoreError) {
            try recordHighestID(id)
            return attempt(id, try makeSavepointDirectory(in: directory, random: random), isSavepoint: true, sharesFiles: false, nil, pins)
        } catch {
            leave(id)
            throw error
        }
    }

    private func makeSavepointDirectory(in directory: String, random: () -> UInt64) throws(StoreError) -> String {
        for _ in 0..<10 {
            let digits = String(random() & 0xFFFF_FFFF_FFFF, radix: 16)
            let suffix = String(repeating: "0", count: 12 - digits.count) + digits
            let path = StorePath.join(directory, "savepoint-\(job.description.prefix(6))-\(suffix)")
            if try disk.makeDirectory(path) { return path }
        }
        throw .savepointNamesExhausted(directory: directory)
    }

    private func attempt(
        _ id: CheckpointID, _ directory: String, isSavepoint: Bool, sharesFiles: Bool, _ base: CheckpointManifest?, _ pins: SharedPins
    ) -> CheckpointAttempt {
        CheckpointAttempt(
            id: id, path: directory, jobPath: path, job: job, isSavepoint: isSavepoint, sharesFiles: sharesFiles, base: base, pins: pins, disk: disk
        ) { [weak self] in self?.leave($0) }
    }

    private func enter(_ id: CheckpointID, _ directory: String, _ pins: SharedPins) throws(StoreError) {
        let isNew = state.withLock { state in
            guard state.inFlight[id] == nil else { return false }
            state.inFlight[id] = pins
            state.changes += 1
            return true
        }
        guard isNew else { throw .inFlight(path: directory) }
    }

    private func leave(_ id: CheckpointID) {
        state.withLock { state in
            state.inFlight[id] = nil
            state.changes += 1
        }
    }

    /// Files that attempts in flight wrote or may refer to.
    private var pinned: (changes: Int, live: Set<CheckpointID>, names: Set<String>) {
        let (changes, inFlight) = state.withLock { ($0.changes, $0.inFlight) }
        return (changes, Set(inFlight.keys), inFlight.values.reduce(into: []) { $0.formUnion($1.names) })
    }

    private func requireFreeSpace(_ directory: String) throws(StoreError) {
        guard freeSpaceFloor > 0 else { return }
        let free = try disk.run(directory) { () throws(FilesystemError) in try disk.filesystem.freeBytes(directory) }
        guard free >= freeSpaceFloor else { throw .belowFreeSpaceFloor(directory: directory, free: free, floor: freeSpaceFloor) }
    }

    /// Removes files of the store. Anything else stays, under the name `chk-<n>.aside-<k>`.
    private func clearLeftover(_ directory: String) throws(StoreError) {
        let snapshot = SnapshotDirectory(path: directory, disk: disk)
        guard try snapshot.isDirectory() else { return }
        guard try disk.status(snapshot.manifestPath) == nil else { throw .checkpointExists(path: directory) }
        try snapshot.remove()
        guard try disk.status(directory) != nil else { return }
        for number in 1...100 {
            let aside = "\(directory).aside-\(number)"
            guard try disk.status(aside) == nil else { continue }
            return try disk.rename(directory, to: aside, replacing: true)
        }
        throw .inputOutput(path: directory, operation: .rename, errno: SystemErrorNumber.exists)
    }

    // MARK: Numbers

    /// Highest number ever begun here: of all directories, even failed ones, and of the record of `begin`, which includes savepoints and discarded
    /// checkpoints. nil = none.
    public func highestID() throws(StoreError) -> CheckpointID? {
        try requireOpen()
        let directories = try disk.list(path).compactMap(StorePath.usedCheckpointID)
        return ([try recordedHighestID()].compactMap(\.self) + directories).max()
    }

    private var highestIDPath: String { StorePath.join(path, StorePath.highestID) }

    private func recordedHighestID() throws(StoreError) -> CheckpointID? {
        guard let bytes = try disk.readWhole(highestIDPath, maximum: 64) else { return nil }
        let parsed = try LogFormat.parse(bytes, path: highestIDPath)
        guard parsed.end == bytes.count, parsed.records.count == 1, let number = UInt64(parsed.records[0]) else {
            throw .damagedRecord(path: highestIDPath, offset: parsed.end, reason: "it does not hold one checkpoint number")
        }
        return CheckpointID(number)
    }

    private func recordHighestID(_ id: CheckpointID) throws(StoreError) {
        if let recorded = try recordedHighestID(), recorded >= id { return }
        guard let line = LogFormat.line(id.description) else { return }
        try DurableFile.replace(path: highestIDPath, bytes: line, filesystem: disk.filesystem)
    }

    // MARK: Reading and removing

    /// All `chk-<n>`, by number. Reads every byte unless only lengths are requested. Removes nothing; throws only if the job's directory cannot be
    /// listed.
    public func completed(verification: StoredCheckpoint.Verification = .contents) throws(StoreError) -> [StoredCheckpoint] {
        try requireOpen()
        return try StoredCheckpoint.scan(jobDirectory: path, job: job, verification: verification, filesystem: disk.filesystem)
    }

    /// Deletes a completed checkpoint: the manifest first, then its files, then the directory. Idempotent. A manifest that is unreadable or of
    /// another checkpoint is an error, and nothing is removed; so is one in use (`StoreError.inUse`), which the caller retries.
    /// - Parameter evenIfInUse: deletes it even under a reader.
    public func discard(_ id: CheckpointID, evenIfInUse: Bool = false) throws(StoreError) {
        try requireOpen()
        let snapshot = SnapshotDirectory(path: StorePath.join(path, StorePath.checkpointDirectory(id)), disk: disk)
        guard state.withLock({ $0.inFlight[id] == nil }) else { throw .inFlight(path: snapshot.path) }
        guard try snapshot.isDirectory() else { return }
        if let manifest = try snapshot.readManifest() {
            try StateFileFormat.compare("job", job, manifest.job, snapshot.manifestPath)
            try StateFileFormat.compare("checkpoint", id, manifest.checkpoint, snapshot.manifestPath)
        }
        try snapshot.removeUnlessPinned(evenIfInUse: evenIfInUse)
    }

    /// Removes shared files that no manifest lists and no attempt in flight needs. An unreadable manifest keeps the files it may refer to.
    /// Called after checkpoints were removed; harmless at any time.
    /// - Returns: paths of the removed files.
    @discardableResult
    public func collectShared() throws(StoreError) -> [String] {
        try requireOpen()
        let garbage = try unreferencedShared()
        guard !garbage.isEmpty else { return [] }
        try SharedFiles(path: path, disk: disk).settleRemovals(exceptIn: pinned.live)
        for file in garbage { try disk.unlink(file) }
        return garbage
    }

    /// Finds unneeded files, which are never needed again: an attempt refers only to its own files and to those of a complete checkpoint.
    private func unreferencedShared() throws(StoreError) -> [String] {
        for _ in 0..<3 {
            let before = pinned
            let garbage = try SharedFiles(path: path, disk: disk).unreferenced(pinned: before.names)
            // An attempt that began or ended while the manifests were read may have needed, or listed, one of them: check again.
            if garbage.isEmpty || pinned.changes == before.changes { return garbage }
        }
        // Attempts change too fast; the next call finds the same files.
        return []
    }

    /// Removes files that no manifest and no attempt needs: incomplete checkpoints, and unlisted state files under `chk-<n>` and `shared`. Only
    /// names given by the store, never through links. An unreadable checkpoint is kept whole, and `shared` with it.
    /// - Parameters:
    ///   - live: attempts in flight elsewhere; those of this object are known.
    ///   - cutoff: limits it to files last changed before.
    ///   - dryRun: only lists them.
    public func sweep(live: Set<CheckpointID>, olderThan cutoff: WallTime, dryRun: Bool) throws(StoreError) -> [SweptFile] {
        try requireOpen()
        let sweep = Sweep(
            path: path, disk: disk, cutoff: cutoff, live: { [self] in live.union(pinned.live) },
            unreferenced: { [self] () throws(StoreError) in try unreferencedShared() })
        let garbage = try sweep.mark()
        if !dryRun { try sweep.remove(garbage) }
        return garbage.files
    }
}

/// Shared files that an attempt wrote or may refer to, by name: not removed while it is in flight.
final class SharedPins: Sendable {
    private let state: Mutex<Set<String>>
    init(_ names: Set<String>) { state = Mutex(names) }

    var names: Set<String> { state.withLock { $0 } }
    func insert(_ name: String) { state.withLock { _ = $0.insert(name) } }
}

/// The lock of a directory: a file locked while its owner lives, containing the owner's process id.
public enum OwnerLock {
    /// Takes the lock, which is released by closing the file.
    public static func take(path: String, filesystem: any Filesystem) throws(StoreError) -> OpenFile { try take(path, Disk(filesystem: filesystem)) }

    static func take(_ path: String, _ disk: Disk) throws(StoreError) -> OpenFile {
        let file = try disk.run(path) { () throws(FilesystemError) in try disk.filesystem.openForUpdating(path) }
        do throws(StoreError) {
            guard try disk.run(path, { () throws(FilesystemError) in try disk.filesystem.tryLock(file) }) else {
                throw .owned(path: path, processID: ownerWritten(in: file, path, disk))
            }
            try disk.run(path) { () throws(FilesystemError) in try disk.filesystem.truncate(file, to: 0) }
            try disk.write(Array("\(disk.filesystem.processID)\n".utf8), to: file, path)
        } catch {
            disk.closeQuietly(file)
            throw error
        }
        return file
    }

    private static func ownerWritten(in file: OpenFile, _ path: String, _ disk: Disk) -> Int32? {
        do throws(StoreError) {
            let length = try disk.size(of: file, path)
            let bytes = try disk.read(file, path, offset: 0, length: Int(min(length, 16)))
            return Int32(String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self))
        } catch {
            // The number only decorates a message that is given in any case.
            return nil
        }
    }
}
