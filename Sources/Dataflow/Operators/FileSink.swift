internal import CheckpointStore
public import StreamModel

/// Files that hold every record exactly once.
///
/// Records go to a hidden pending file. At a barrier the file is sealed: it is made durable with the snapshot, listed in the manifest, and
/// renamed to `part-<uid>-<subtask>-<checkpoint>-<job>` once the manifest is durable. A restore finishes the renames that the manifest
/// lists, deletes what was pending since, and sets aside (in `.superseded`) the parts that do not belong to the past of the chosen
/// checkpoint, because the job will write their records again. Parts that were set aside before, and belong to it, come back: going from
/// one branch of restarts to another is exact too. A directory belongs to one job and its restarts: output of another job there is an error.
public struct FileSink<Element>: Sendable {
    public let directory: String
    @usableFromInline let encode: @Sendable (Element, inout StateWriter) -> Void

    public init(directory: String, encode: @escaping @Sendable (Element, inout StateWriter) -> Void) {
        self.directory = directory
        self.encode = encode
    }
}

extension FileSink {
    /// One line a record.
    public static func lines(directory: String, _ text: @escaping @Sendable (Element) -> String) -> FileSink {
        FileSink(directory: directory) { record, writer in
            writer.write(utf8: text(record))
            writer.write(UInt8(10))
        }
    }
}

extension DataStream {
    /// Writes every record to the sink, exactly once with checkpoints in exactly-once mode.
    @inlinable
    @discardableResult
    public func write(to sink: FileSink<Element>) -> DataStream<Never> {
        let past = SinkPast()
        let stream: DataStream<Never> = environment.addOperator(
            name: "files", input: forward, prepare: { past.timeline = try FileSinkDirectory(sink.directory, filesystem: $0.filesystem).prepare($0) }
        ) { site, _, hooks in
            let writer = PendingFileWriter(directory: sink.directory, site: site, timeline: past.timeline)
            hooks.snapshot = { checkpoint in [writer.seal(at: checkpoint), writer.timeline(at: checkpoint)] }
            hooks.completed = { writer.committed($0) }
            hooks.close = { writer.close() }
            let encode = sink.encode
            return { base, count in
                for index in 0..<count { encode(base[index], &writer.buffer) }
                writer.wroteBatch()
            }
        }
        return stream
    }
}

/// The pending file of one sink subtask. Used on the subtask's thread; what it seals is made durable on the writer thread.
@usableFromInline
final class PendingFileWriter {
    @usableFromInline var buffer = StateWriter(capacity: 256 << 10)
    private let directory: String
    private let site: OperatorSite
    private let timeline: SinkTimeline
    private let filesystem: any Filesystem
    private var current: SealedFile?
    private var fileNumber = 0
    /// Sealed at a barrier whose checkpoint is not known to be complete: listed again by the next one.
    private var uncommitted: [SealedFile] = []

    @usableFromInline
    init(directory: String, site: OperatorSite, timeline: SinkTimeline) {
        self.directory = directory
        self.site = site
        self.timeline = timeline
        filesystem = site.context.host.filesystem
    }

    /// Called after each batch: passes large buffers on to the file.
    @usableFromInline
    func wroteBatch() {
        if buffer.count >= 128 << 10 { spill() }
    }

    private func spill() {
        guard buffer.count > 0 else { return }
        do {
            let file = try current ?? openFile()
            current = file
            try file.append(buffer.bytes)
        } catch {
            site.context.fail(error)
        }
        buffer.removeAll()
    }

    private func openFile() throws -> SealedFile {
        fileNumber += 1
        let name = SinkNames(uid: site.uid).pending(
            subtask: site.context.index, job: site.context.job.id, attempt: site.attempt, number: fileNumber)
        return try SealedFile(directory: directory, name: name, site: site, filesystem: filesystem)
    }

    /// Ends the current file at this barrier. All files that no complete checkpoint lists yet are listed.
    @usableFromInline
    func seal(at checkpoint: CheckpointID) -> SnapshotPart {
        spill()
        if let file = current {
            file.seal(at: checkpoint)
            uncommitted.append(file)
            current = nil
        }
        let files = uncommitted
        return .pendingFiles { try files.map { try $0.makeDurable() } }
    }

    /// Which parts make up the output as of this checkpoint.
    @usableFromInline
    func timeline(at checkpoint: CheckpointID) -> SnapshotPart {
        .elements(
            name: SinkTimeline.stateName, kind: .listUnion, type: SinkTimeline.stateType, timeline.segments(until: checkpoint).map(\.encoded))
    }

    @usableFromInline
    func committed(_ checkpoint: CheckpointID) {
        uncommitted.removeAll { ($0.sealedAt ?? checkpoint) <= checkpoint }
    }

    @usableFromInline
    func close() {
        current?.closeQuietly()
        buffer.release()
    }
}

/// One file of a sink on its way from pending to part.
private final class SealedFile: @unchecked Sendable {
    // Sound: written by the subtask's thread until it is sealed, then used by the job's writer thread only.
    private let filesystem: any Filesystem
    private let file: OpenFile
    private let directory: String
    private let pendingPath: String
    private let uid: String
    private let subtask: Int
    private let job: JobID
    private var length: UInt64 = 0
    private var checksum = CRC32C()
    private(set) var sealedAt: CheckpointID?
    private var outcome: Result<PendingCommit, JobError>?
    private var isOpen = true

    init(directory: String, name: String, site: OperatorSite, filesystem: any Filesystem) throws {
        self.directory = directory
        uid = site.uid
        subtask = site.context.index
        job = site.context.job.id
        self.filesystem = filesystem
        pendingPath = directory + "/" + name
        do {
            file = try filesystem.createExclusive(pendingPath)
        } catch {
            throw JobError.sink("cannot create \(directory)/\(name): \(errorText(error.errno)); check the output directory and its free space")
        }
    }

    // Sealed for a checkpoint that failed, and no later one came to take it over.
    deinit { closeQuietly() }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            try filesystem.write(bytes, to: file)
        } catch {
            throw JobError.sink("cannot write \(pendingPath): \(errorText(error.errno)); free space or fix the disk, the job restarts from its checkpoint")
        }
        checksum.update(bytes)
        length += UInt64(bytes.count)
    }

    func seal(at checkpoint: CheckpointID) { sealedAt = checkpoint }

    /// A failed fsync is final: the pages may be gone, so this file is never trusted again and the task has to fail.
    func makeDurable() throws -> PendingCommit {
        if let outcome { return try outcome.get() }
        do throws(FilesystemError) {
            try finish()
        } catch {
            let failure = JobError.sink("cannot make \(pendingPath) durable: \(errorText(error.errno)); the job restarts from its checkpoint")
            outcome = .failure(failure)
            throw failure
        }
        let name = SinkNames(uid: uid).part(subtask: subtask, checkpoint: sealedAt ?? CheckpointID(0), job: job)
        let commit = PendingCommit(
            uid: uid, subtask: subtask, pendingPath: pendingPath, finalPath: directory + "/" + name, length: length, crc32c: checksum.value)
        outcome = .success(commit)
        return commit
    }

    private func finish() throws(FilesystemError) {
        try filesystem.sync(file)
        isOpen = false
        try filesystem.close(file)
        try filesystem.syncDirectory(directory)
    }

    func closeQuietly() {
        guard isOpen else { return }
        isOpen = false
        // The file is abandoned: it is deleted when the next attempt starts, so an error of close says nothing more.
        try? filesystem.close(file)
    }
}
