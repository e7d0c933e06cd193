internal import CheckpointStore
public import StreamModel

/// Files that hold every record exactly once.
///
/// Records go to a hidden pending file. At a barrier the file is sealed: it is made durable with the snapshot, listed in the manifest, and
/// renamed to `part-<uid>-<subtask>-<checkpoint>` once the manifest is durable. A restore finishes the renames that the manifest lists,
/// deletes what was pending since, and sets aside (in `.superseded-<job>`) parts that were committed after the chosen checkpoint, because
/// the job will write them again. A directory belongs to one job and its restarts: output of another job there is an error.
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
        let stream: DataStream<Never> = environment.addOperator(
            name: "files", input: forward, prepare: { preparation in try FileSinkDirectory(sink.directory).prepare(preparation) }
        ) { site, _, hooks in
            let writer = PendingFileWriter(directory: sink.directory, site: site)
            hooks.snapshot = { checkpoint in [writer.seal(at: checkpoint)] }
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
    private let filesystem = PosixFilesystem()
    private var current: SealedFile?
    private var fileNumber = 0
    /// Sealed at a barrier whose checkpoint is not known to be complete: listed again by the next one.
    private var uncommitted: [SealedFile] = []

    @usableFromInline
    init(directory: String, site: OperatorSite) {
        self.directory = directory
        self.site = site
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
        let name = ".\(site.uid)-\(site.context.index)-\(site.context.job.id.short)-\(site.attempt)-\(fileNumber).pending"
        return try SealedFile(directory: directory, name: name, uid: site.uid, subtask: site.context.index, filesystem: filesystem)
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
    private let filesystem: PosixFilesystem
    private let file: OpenFile
    private let directory: String
    private let pendingPath: String
    private let uid: String
    private let subtask: Int
    private var length: UInt64 = 0
    private var checksum = CRC32C()
    private(set) var sealedAt: CheckpointID?
    private var outcome: Result<PendingCommit, JobError>?
    private var isOpen = true

    init(directory: String, name: String, uid: String, subtask: Int, filesystem: PosixFilesystem) throws {
        self.directory = directory
        self.uid = uid
        self.subtask = subtask
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
        let name = FileSinkDirectory.partName(uid: uid, subtask: subtask, checkpoint: sealedAt ?? CheckpointID(0))
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

/// What a sink needs to know before an attempt starts.
@usableFromInline
struct SinkPreparation {
    let uid: String
    let job: JobIdentity
    /// The checkpoint that the attempt starts from; nil = from the beginning.
    let restored: CheckpointID?
}

/// The output directory of a file sink: who owns it, and which of its files belong to the restored past.
@usableFromInline
struct FileSinkDirectory {
    private let path: String
    private let filesystem = PosixFilesystem()

    @usableFromInline init(_ path: String) { self.path = path }

    static func partName(uid: String, subtask: Int, checkpoint: CheckpointID) -> String {
        let digits = checkpoint.description
        return "part-\(uid)-\(subtask)-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// Runs after the renames of the restored manifest are finished.
    @usableFromInline
    func prepare(_ preparation: SinkPreparation) throws {
        do {
            try makeDirectory(path)
            let names = try filesystem.list(path)
            try claim(for: preparation, names: names)
            for name in names where name.hasPrefix(".\(preparation.uid)-") && name.hasSuffix(".pending") { try filesystem.unlink(path + "/" + name) }
            try setAside(names: names, preparation: preparation)
            try filesystem.syncDirectory(path)
        } catch let error as FilesystemError {
            throw JobError.sink("cannot prepare the output directory \(path) (\(error.operation.rawValue)): \(errorText(error.errno))")
        }
    }

    private func makeDirectory(_ path: String) throws {
        if let status = try filesystem.status(path) {
            guard status.kind == .directory || status.kind == .link else {
                throw JobError.sink("the output directory \(path) is a file: name a directory")
            }
            return
        }
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        let prefix = path.hasPrefix("/") ? "/" : ""
        if !parent.isEmpty { try makeDirectory(prefix + parent) }
        do throws(FilesystemError) {
            try filesystem.makeDirectory(path)
        } catch {
            // Another sink of the job was faster.
            guard error.errno == 17 else { throw error }
            return
        }
        try filesystem.syncDirectory(parent.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : prefix + parent)
    }

    /// A marker names the line of restarts that writes here; parts without one, or another's, are not ours to touch.
    private func claim(for preparation: SinkPreparation, names: [String]) throws {
        let marker = ".weir-sink-\(preparation.uid)"
        let markerPath = path + "/" + marker
        if names.contains(marker) {
            let owner = String(decoding: try DurableFile.read(path: markerPath, maximum: 4096, filesystem: filesystem) ?? [], as: UTF8.self)
            guard owner == preparation.job.lineage.description else {
                throw JobError.sink("the output directory \(path) holds the output of job \(owner.prefix(8)): name an empty one, or restart that job")
            }
            return
        }
        if let part = names.first(where: { $0.hasPrefix("part-\(preparation.uid)-") }) {
            throw JobError.sink("the output directory \(path) holds \(part), which this job did not write: name an empty one")
        }
        try DurableFile.replace(path: markerPath, bytes: Array(preparation.job.lineage.description.utf8), filesystem: filesystem)
    }

    private func setAside(names: [String], preparation: SinkPreparation) throws {
        let prefix = "part-\(preparation.uid)-"
        let newer = names.filter { name in
            guard name.hasPrefix(prefix), let number = name.split(separator: "-").last.flatMap({ UInt64($0) }) else { return false }
            return number > (preparation.restored?.rawValue ?? 0)
        }
        guard !newer.isEmpty else { return }
        let aside = path + "/.superseded-\(preparation.job.id.short)"
        if try filesystem.status(aside) == nil { try filesystem.makeDirectory(aside) }
        for name in newer { try filesystem.rename(path + "/" + name, to: aside + "/" + name, replacing: true) }
        try filesystem.syncDirectory(aside)
    }
}

/// Performs the second phase of a file sink: renames what a durable manifest lists. Idempotent, so recovery repeats it.
struct CommitPerformer {
    let filesystem: any Filesystem

    /// - Parameter verifies: recovery checks the content of a part that is already there.
    func commit(_ pending: [PendingCommit], verifies: Bool) throws(JobError) {
        var directories: Set<String> = []
        for file in pending {
            do {
                try commit(file, verifies: verifies)
            } catch let error as FilesystemError {
                throw .sink("cannot commit \(file.finalPath) (\(error.operation.rawValue)): \(errorText(error.errno))")
            } catch let error as JobError { throw error } catch { throw .sink("cannot commit \(file.finalPath): \(error)") }
            directories.insert(String(file.finalPath[..<(file.finalPath.lastIndex(of: "/") ?? file.finalPath.startIndex)]))
        }
        for directory in directories.sorted() {
            do {
                try filesystem.syncDirectory(directory)
            } catch { throw .sink("cannot make the files of \(directory) durable: \(errorText(error.errno))") }
        }
    }

    private func commit(_ file: PendingCommit, verifies: Bool) throws {
        if let found = try filesystem.status(file.finalPath) {
            var isSame = found.size == file.length
            if isSame && verifies { isSame = try checksum(of: file.finalPath) == file.crc32c }
            guard isSame else {
                throw JobError.sink("\(file.finalPath) is not what the checkpoint lists (\(found.size) bytes, \(file.length) expected): move it away")
            }
            return
        }
        guard try filesystem.status(file.pendingPath) != nil else {
            throw JobError.sink("\(file.pendingPath) is gone although the checkpoint lists it as output: choose an older checkpoint, or the output has a gap")
        }
        try filesystem.rename(file.pendingPath, to: file.finalPath, replacing: false)
    }

    private func checksum(of path: String) throws -> UInt32 {
        let file = try filesystem.openForReading(path)
        var checksum = CRC32C()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try filesystem.read(into: buffer, from: file, at: offset)
            if count == 0 { break }
            checksum.update(UnsafeRawBufferPointer(rebasing: buffer[0..<count]))
            offset += UInt64(count)
        }
        try filesystem.close(file)
        return checksum.value
    }
}
