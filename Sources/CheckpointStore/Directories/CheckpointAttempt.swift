public import StreamModel
internal import Synchronization

/// A checkpoint or savepoint being written, in its own directory. Subtasks' writer threads make state files in it; the job thread ends it once,
/// with `commit` or `abandon`. All methods may be called from any thread; only the disk blocks.
///
///     open --commit--> committed          a durable manifest: the checkpoint exists
///     open --commit fails--> failed       only abandon is left
///     open, failed --abandon--> abandoned the directory is removed
public final class CheckpointAttempt: Sendable {
    public let id: CheckpointID
    /// Absolute path of its directory, which a restore names after the commit.
    public let path: String
    /// Whether its keyed state goes to the job's `shared` directory, so that later checkpoints may refer to it.
    public let sharesFiles: Bool
    /// Completed checkpoint whose shared files this one may refer to; nil = it is self-contained.
    public let base: CheckpointManifest?

    private enum Phase { case open, committing, committed, failed, abandoned }
    private struct State {
        var phase = Phase.open
        var finished: [String: StateFileEntry] = [:]
        /// Shared files that were begun: a failed attempt removes them.
        var begunShared: Set<String> = []
        var hasLeft = false
    }

    private let jobPath: String
    private let job: JobID
    private let requiresSavepoint: Bool
    private let baseEntries: [String: StateFileEntry]
    private let pins: SharedPins
    private let disk: Disk
    private let state = Mutex(State())
    /// Notifies the job directory of the end of the attempt.
    private let onEnd: @Sendable (CheckpointID) -> Void

    init(
        id: CheckpointID, path: String, jobPath: String, job: JobID, isSavepoint: Bool, sharesFiles: Bool, base: CheckpointManifest?, pins: SharedPins,
        disk: Disk,
        onEnd: @escaping @Sendable (CheckpointID) -> Void
    ) {
        self.id = id
        self.path = path
        self.jobPath = jobPath
        self.job = job
        self.sharesFiles = sharesFiles
        self.base = base
        self.pins = pins
        baseEntries = Dictionary(base?.files.filter(\.isShared).map { ($0.name, $0) } ?? []) { first, _ in first }
        requiresSavepoint = isSavepoint
        self.disk = disk
        self.onEnd = onEnd
    }

    deinit { leave() }

    /// Ends the attempt, once only: the number may be in use again afterwards.
    private func leave() {
        let isFirst = state.withLock { state in
            defer { state.hasLeft = true }
            return !state.hasLeft
        }
        if isFirst { onEnd(id) }
    }

    /// Makes the file `<name>.state` and writes its header.
    /// - Parameters:
    ///   - role: kind of content ("keyed-state", "operator-state"); checked against the manifest on restore.
    ///   - name: unique in the checkpoint; letters, digits, dot, dash and underscore, at most 100 of them.
    ///   - isShared: puts it into the job's `shared` directory, so that later checkpoints may refer to it. Not in a savepoint.
    public func createStateFile(role: String, name: String, isShared: Bool = false) throws(StoreError) -> StateFileWriter {
        let plainName = name + StorePath.stateFileSuffix
        let fileName = isShared ? StorePath.sharedFile(plainName, writtenBy: id) : plainName
        guard StorePath.isStateFile(plainName), isShared ? !requiresSavepoint && StorePath.isSharedFile(fileName) : true, role.utf8.count <= 128
        else { throw .invalidName(path: path, name: name) }
        if isShared { pins.insert(fileName) }
        let isOpen = state.withLock { state in
            if isShared && state.phase == .open { state.begunShared.insert(fileName) }
            return state.phase == .open
        }
        guard isOpen else { throw .closed(path: path) }
        let identity = StateFileFormat.Identity(job: job, checkpoint: id, role: role, name: fileName)
        return try StateFileWriter(path: StorePath.file(fileName, ofSnapshot: path), identity: identity, filesystem: disk.filesystem) {
            [weak self] (entry) throws(StoreError) in try self?.recordFinished(entry)
        }
    }

    private func recordFinished(_ entry: StateFileEntry) throws(StoreError) {
        let isLate = state.withLock { state in
            guard state.phase == .open else { return true }
            state.finished[entry.name] = entry
            return false
        }
        if isLate { throw .closed(path: path) }
    }

    /// Publishes the checkpoint: makes the names of its state files durable, then writes the manifest as a draft, makes it durable, renames it,
    /// and makes its name durable. After an error the checkpoint does not exist for the caller, who calls `abandon` next.
    public func commit(_ manifest: CheckpointManifest) throws(StoreError) {
        let finished = try state.withLock { (state) throws(StoreError) in
            guard state.phase == .open else { throw StoreError.closed(path: path) }
            state.phase = .committing
            return state.finished
        }
        do throws(StoreError) {
            try validate(manifest, finished)
            try writeManifest(manifest)
        } catch {
            state.withLock { $0.phase = .failed }
            throw error
        }
        state.withLock { $0.phase = .committed }
        leave()
    }

    private func validate(_ manifest: CheckpointManifest, _ finished: [String: StateFileEntry]) throws(StoreError) {
        if let reason = contradiction(manifest, finished) { throw .invalidManifest(path: path, reason: reason) }
    }

    private func contradiction(_ manifest: CheckpointManifest, _ finished: [String: StateFileEntry]) -> String? {
        if manifest.job != job { return "it is of job \(manifest.job), the directory of job \(job)" }
        if manifest.checkpoint != id { return "it is of checkpoint \(manifest.checkpoint), the directory of checkpoint \(id)" }
        if manifest.kind.isSavepoint != requiresSavepoint { return "it is a \(manifest.kind.rawValue)" }
        for entry in manifest.files where finished[entry.name] != entry && baseEntries[entry.name] != entry {
            return "\(entry.name) was not finished as it is listed"
        }
        return manifest.contradiction
    }

    private func writeManifest(_ manifest: CheckpointManifest) throws(StoreError) {
        let draft = StorePath.join(path, StorePath.manifestDraft)
        if state.withLock({ !$0.begunShared.isEmpty }) { try disk.syncDirectory(StorePath.join(jobPath, StorePath.shared)) }
        try disk.syncDirectory(path)
        try disk.create(draft, ManifestCodec.encode(manifest))
        try disk.rename(draft, to: StorePath.join(path, StorePath.manifest), replacing: false)
        try disk.syncDirectory(path)
        try disk.syncDirectory(StorePath.parent(path))
    }

    /// Removes the directory, starting with any manifest left by a failed commit. Does nothing once committed or abandoned. May be called again
    /// after an error; the next sweep finds the rest incomplete.
    public func abandon() throws(StoreError) {
        let isOver = try state.withLock { (state) throws(StoreError) in
            switch state.phase {
            case .open, .failed:
                state.phase = .failed
                return false
            case .committed, .abandoned: return true
            case .committing: throw StoreError.inFlight(path: path)
            }
        }
        if isOver { return }
        try SnapshotDirectory(path: path, disk: disk).remove()
        // Last, when no manifest that lists them can appear. A late writer leaves its file for `collectShared`.
        for name in state.withLock({ $0.begunShared }).sorted() { try disk.unlink(StorePath.join(jobPath, name)) }
        state.withLock { $0.phase = .abandoned }
        leave()
    }
}
