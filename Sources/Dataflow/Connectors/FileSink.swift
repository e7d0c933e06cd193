public import CheckpointStore
public import StreamModel

/// Conditions for a new file, in addition to every checkpoint.
public struct FileRolling: Sendable, Hashable {
    /// Length at which a file ends with the current record. nil = any length.
    public var maximumBytes: UInt64?
    /// Age of its first record at which a file takes no more (the engine's clock, read once per batch). nil = any age.
    public var maximumAge: Milliseconds?

    public init(maximumBytes: UInt64? = nil, maximumAge: Milliseconds? = nil) {
        self.maximumBytes = maximumBytes
        self.maximumAge = maximumAge
    }
}

/// Files with exactly-once output.
///
/// Records go to a hidden pending file. The file is sealed at a barrier and by `rolling`. Sealed files are made durable with the snapshot, listed in
/// the manifest, and renamed to `part-<uid>-<subtask>-<checkpoint>[.<number>]-<job>` once the manifest is durable. A restore finishes the renames
/// listed in the manifest, deletes later pending files, and sets aside (in `.superseded`) the parts outside the past of the chosen checkpoint,
/// because the job will write their records again. Parts of that past that were set aside before come back: switching between branches of
/// restarts is exact too. A directory belongs to one job and its restarts: output of another job there is an error. One job of the lineage owns it
/// at a time (a lock and an epoch, see `OutputOwnership`).
public struct FileSink<Element: Sendable>: TwoPhaseSink {
    public let directory: String
    public let rolling: FileRolling
    @usableFromInline let encode: @Sendable (Element, inout StateWriter) -> Void

    public init(directory: String, rolling: FileRolling = FileRolling(), encode: @escaping @Sendable (Element, inout StateWriter) -> Void) {
        self.directory = directory
        self.rolling = rolling
        self.encode = encode
    }

    public static var committableType: String { FilePart.type }
    public static var stateType: String? { SinkTimeline.stateType }

    public func claim(_ claim: SinkClaim) throws -> OutputOwnership {
        try FileSinkDirectory(directory, filesystem: claim.host.filesystem).claim(claim)
    }

    public func prepare(_ preparation: SinkPreparation) throws -> SinkTimeline {
        try FileSinkDirectory(directory, filesystem: preparation.host.filesystem).prepare(preparation)
    }

    public func published(_ inquiry: SinkInquiry) throws -> PublishedOutput {
        try FileSinkDirectory(directory, filesystem: inquiry.host.filesystem).published(inquiry)
    }

    @inlinable
    public func makeWriter(_ subtask: SinkSubtask, _ shared: SinkTimeline) throws -> Writer {
        Writer(files: PendingFileWriter(directory: directory, rolling: rolling, subtask: subtask, timeline: shared), encode: encode)
    }

    public func commit(_ committables: [Committable], _ context: CommitContext) throws {
        try FilePartCommitter.commit(committables, context, owned: directory)
    }

    public struct Writer: TwoPhaseWriter {
        @usableFromInline let files: PendingFileWriter
        @usableFromInline let encode: @Sendable (Element, inout StateWriter) -> Void

        @usableFromInline
        init(files: PendingFileWriter, encode: @escaping @Sendable (Element, inout StateWriter) -> Void) {
            self.files = files
            self.encode = encode
        }

        @inlinable
        public func write(_ records: UnsafeMutableBufferPointer<Element>) throws {
            try files.beganBatch()
            for index in records.indices {
                encode(records[index], &files.buffer)
                if files.buffer.count >= files.room { try files.spill() }
            }
        }

        public func prepareCommit(at checkpoint: CheckpointID) throws -> [PreparedOutput] { try files.seal(at: checkpoint) }
        public func state(at checkpoint: CheckpointID) -> [[UInt8]] { files.timeline.segments(until: checkpoint).map(\.encoded) }
        public func close() { files.close() }
    }
}

extension FileSink {
    /// Writes one line per record.
    public static func lines(
        directory: String, rolling: FileRolling = FileRolling(), _ text: @escaping @Sendable (Element) -> String
    ) -> FileSink {
        FileSink(directory: directory, rolling: rolling) { record, writer in
            writer.write(utf8: text(record))
            writer.write(UInt8(10))
        }
    }
}

extension DataStream {
    /// Writes every record to the files, exactly once with checkpoints in exactly-once mode.
    @inlinable
    @discardableResult
    public func write(to sink: FileSink<Element>) -> DataStream<Never> { write(to: sink, name: "files") }
}

/// Pending files of one sink subtask. Used on the subtask's thread; sealed ones are made durable on the job's file worker.
@usableFromInline
final class PendingFileWriter {
    /// Encoded records not yet in the file.
    @usableFromInline var buffer = StateWriter(capacity: 256 << 10)
    /// Size in bytes at which the buffer is passed on.
    @usableFromInline private(set) var room: Int
    let timeline: SinkTimeline
    private let directory: String
    private let rolling: FileRolling
    private let subtask: SinkSubtask
    private var current: SealedFile?
    /// Time of the first record of the current or next file. Kept only for files with a maximum age.
    private var begunAt: EngineInstant?
    /// Files ended since the last barrier.
    private var rolled: [SealedFile] = []
    private var fileNumber = 0

    private static let spillSize = 128 << 10
    /// Maximum number of sealed files left open for the file worker; the subtask makes earlier ones durable itself.
    private static let maximumOpenFiles = 8

    @usableFromInline
    init(directory: String, rolling: FileRolling, subtask: SinkSubtask, timeline: SinkTimeline) {
        self.directory = directory
        self.rolling = rolling
        self.subtask = subtask
        self.timeline = timeline
        room = Self.spillSize
        room = roomLeft
    }

    private var roomLeft: Int {
        guard let maximum = rolling.maximumBytes else { return Self.spillSize }
        return Int(min(UInt64(Self.spillSize), max(maximum, 1) - min(current?.length ?? 0, max(maximum, 1) - 1)))
    }

    /// Ends a file that is old enough, before each batch.
    @usableFromInline
    func beganBatch() throws {
        guard let maximum = rolling.maximumAge else { return }
        let now = subtask.host.now()
        if let begunAt, now >= begunAt + maximum { try roll() }
        begunAt = begunAt ?? now
    }

    /// Passes the buffer on to the file, and ends the file when it is long enough.
    @usableFromInline
    func spill() throws {
        guard buffer.count > 0 else { return }
        let file = try current ?? openFile()
        current = file
        try file.append(buffer.bytes)
        buffer.removeAll()
        if let maximum = rolling.maximumBytes, file.length >= maximum { try roll() }
        room = roomLeft
    }

    private func roll() throws {
        begunAt = nil
        if buffer.count > 0 {
            let file = try current ?? openFile()
            current = file
            try file.append(buffer.bytes)
            buffer.removeAll()
        }
        guard let file = current else { return }
        current = nil
        rolled.append(file)
        if rolled.count > Self.maximumOpenFiles { try rolled[rolled.count - 1 - Self.maximumOpenFiles].makeDurable() }
        room = roomLeft
    }

    private func openFile() throws -> SealedFile {
        fileNumber += 1
        let name = SinkNames(uid: subtask.uid).pending(
            subtask: subtask.index, job: subtask.job.id, attempt: subtask.attempt, number: fileNumber)
        return try SealedFile(directory: directory, name: name, filesystem: subtask.host.filesystem)
    }

    /// Ends the current file at this barrier and hands over all files ended since the last one.
    func seal(at checkpoint: CheckpointID) throws -> [PreparedOutput] {
        try roll()
        let files = rolled
        rolled = []
        let names = SinkNames(uid: subtask.uid)
        return files.enumerated().map { number, file in
            let part = names.part(subtask: subtask.index, checkpoint: checkpoint, number: number, job: subtask.job.id)
            let path = directory + "/" + part
            return PreparedOutput {
                try file.makeDurable()
                return [file.part(finalPath: path).encoded]
            }
        }
    }

    func close() {
        current?.closeQuietly()
        for file in rolled { file.closeQuietly() }
        buffer.release()
    }
}

/// A file of a sink on its way from pending to part.
private final class SealedFile: @unchecked Sendable {
    // Sound: used by the subtask's thread until it is handed over at a barrier, then only by the job's file worker.
    private let filesystem: any Filesystem
    private let file: OpenFile
    private let directory: String
    private let pendingPath: String
    private(set) var length: UInt64 = 0
    private var checksum = CRC32C()
    private var isOpen = true

    init(directory: String, name: String, filesystem: any Filesystem) throws {
        self.directory = directory
        self.filesystem = filesystem
        pendingPath = directory + "/" + name
        do {
            file = try filesystem.createExclusive(pendingPath)
        } catch {
            throw JobError.sink("cannot create \(directory)/\(name): \(errorText(error.errno)); check the output directory and its free space")
                .because(error.errno, at: directory)
        }
    }

    // Sealed for a failed checkpoint, without a later one to take it over.
    deinit { closeQuietly() }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        do {
            try filesystem.write(bytes, to: file)
        } catch {
            throw JobError.sink("cannot write \(pendingPath): \(errorText(error.errno)); free space or fix the disk, the job restarts from its checkpoint")
                .because(error.errno, at: directory)
        }
        checksum.update(bytes)
        length += UInt64(bytes.count)
    }

    /// Makes the file durable. A failed fsync is final: pages may be lost, so the file is never trusted again and the task must fail.
    func makeDurable() throws {
        guard isOpen else { return }
        isOpen = false
        do throws(FilesystemError) {
            do throws(FilesystemError) { try filesystem.sync(file) } catch {
                // FilesystemError: the sync has already failed, and its error is the one to report.
                try? filesystem.close(file)
                if filesystem.has(.ignoresSyncError) { return }
                throw error
            }
            try filesystem.close(file)
            try filesystem.syncDirectory(directory)
        } catch {
            throw JobError.sink("cannot make \(pendingPath) durable: \(errorText(error.errno)); the job restarts from its checkpoint")
                .because(error.errno, at: directory)
        }
    }

    func part(finalPath: String) -> FilePart {
        FilePart(pendingPath: pendingPath, finalPath: finalPath, length: length, crc32c: checksum.value)
    }

    func closeQuietly() {
        guard isOpen else { return }
        isOpen = false
        // FilesystemError: the file is abandoned, and the next attempt deletes it.
        try? filesystem.close(file)
    }
}
