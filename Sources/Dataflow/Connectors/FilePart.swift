internal import CheckpointStore
internal import StreamModel

/// A durable file of a sink that becomes visible by a rename: the committable of a file sink.
struct FilePart: Hashable, StateCodable {
    static let type = Committable.filePartType
    static var stateTypeName: String { type }

    var pendingPath: String
    var finalPath: String
    /// Length in bytes.
    var length: UInt64
    var crc32c: UInt32

    var encoded: [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        encode(into: &writer)
        return Array(writer.bytes)
    }

    func encode(into writer: inout StateWriter) {
        pendingPath.encode(into: &writer)
        finalPath.encode(into: &writer)
        writer.write(length)
        writer.write(crc32c)
    }

    init(pendingPath: String, finalPath: String, length: UInt64, crc32c: UInt32) {
        self.pendingPath = pendingPath
        self.finalPath = finalPath
        self.length = length
        self.crc32c = crc32c
    }

    init(from reader: inout StateReader) throws(StateDecodingError) {
        pendingPath = try String(from: &reader)
        finalPath = try String(from: &reader)
        length = try reader.read()
        crc32c = try reader.read()
    }

    init(encoded: [UInt8]) throws(StateDecodingError) {
        let result: Result<FilePart, StateDecodingError> = encoded.withUnsafeBytes { bytes in
            var reader = StateReader(bytes)
            do throws(StateDecodingError) {
                let part = try FilePart(from: &reader)
                guard reader.isAtEnd else { throw StateDecodingError(offset: reader.offset, problem: "\(reader.remaining) bytes too many") }
                return .success(part)
            } catch { return .failure(error) }
        }
        self = try result.get()
    }

    /// Directory where it becomes visible.
    var directory: String { String(finalPath[..<(finalPath.lastIndex(of: "/") ?? finalPath.startIndex)]) }

    static func name(of path: String) -> String { String(path.split(separator: "/").last ?? "") }
}

/// The second phase of a file sink: renames the files listed in a durable manifest. Idempotent, so recovery repeats it.
struct FilePartCommitter {
    let filesystem: any Filesystem

    /// - Parameter owned: directory covered by the context's ownership; nil = none. Others are locked during the commit.
    static func commit(_ committables: [Committable], _ context: CommitContext, owned: String?) throws(JobError) {
        let names = SinkNames(uid: context.uid)
        var parts: [FilePart] = []
        for committable in committables {
            guard committable.type == FilePart.type, committable.uid == context.uid else {
                throw .sink("sink \(context.uid) was asked to commit output of \(committable.uid) (\(committable.type)): it is not its own")
            }
            do throws(StateDecodingError) {
                let part = try FilePart(encoded: committable.payload)
                guard names.parse(FilePart.name(of: part.finalPath)) != nil, names.isPending(FilePart.name(of: part.pendingPath)) else {
                    throw StateDecodingError(offset: 0, problem: "\(part.finalPath) is no file of this sink")
                }
                parts.append(part)
            } catch { throw .sink("checkpoint \(context.checkpoint) lists output of sink \(context.uid) that does not read back (\(error))") }
        }
        let committer = FilePartCommitter(filesystem: context.host.filesystem)
        let claims = try committer.lockOthers(of: parts, uid: context.uid, owned: owned)
        defer { for claim in claims { claim.release() } }
        try context.ownership.check()
        try committer.commit(parts, verifies: context.isRecovery)
    }

    /// Locks other directories with parts of an earlier job or of a removed sink, where no other job may be at work.
    private func lockOthers(of parts: [FilePart], uid: String, owned: String?) throws(JobError) -> [PlaceClaim] {
        var claims: [PlaceClaim] = []
        for directory in Set(parts.map(\.directory)).sorted() where directory != owned {
            if let owned, canonical(directory) == canonical(owned) { continue }
            let isThere: Bool
            do throws(FilesystemError) {
                // A directory that is missing, or has nothing left to rename, needs no lock; the commit reports any problem.
                isThere = try isPending(in: directory, parts)
            } catch { throw .sink("cannot look for output in \(directory) (\(error.operation.rawValue)): \(error.reason)") }
            guard isThere else { continue }
            do throws(StoreError) { claims.append(try PlaceClaim(directory: directory, name: uid, filesystem: filesystem)) } catch {
                throw JobError.output(error)
            }
        }
        return claims
    }

    private func isPending(in directory: String, _ parts: [FilePart]) throws(FilesystemError) -> Bool {
        for part in parts where part.directory == directory {
            if try filesystem.status(part.pendingPath) != nil { return true }
        }
        return false
    }

    /// Canonical spelling of a directory; an inaccessible one keeps its own.
    private func canonical(_ directory: String) -> String {
        do throws(FilesystemError) { return try filesystem.canonicalPath(directory) } catch { return directory }
    }

    /// - Parameter verifies: whether the content of an existing part is checked.
    func commit(_ parts: [FilePart], verifies: Bool) throws(JobError) {
        var directories: Set<String> = []
        for part in parts {
            do {
                try commit(part, verifies: verifies)
            } catch let error as FilesystemError {
                throw JobError.sink("cannot commit \(part.finalPath) (\(error.operation.rawValue)): \(error.reason)")
                    .because(error.errno, at: part.finalPath)
            } catch let error as JobError { throw error } catch { throw .sink("cannot commit \(part.finalPath): \(error)") }
            directories.insert(part.directory)
        }
        for directory in directories.sorted() {
            do {
                try filesystem.syncDirectory(directory)
            } catch {
                throw JobError.sink("cannot make the files of \(directory) durable: \(errorText(error.errno))").because(error.errno, at: directory)
            }
        }
    }

    private func commit(_ part: FilePart, verifies: Bool) throws {
        if let found = try filesystem.status(part.finalPath) {
            var isSame = found.kind == .file && found.size == part.length
            if isSame && verifies { isSame = try checksum(of: part.finalPath) == part.crc32c }
            guard isSame else {
                throw JobError.sink("\(part.finalPath) is not what the checkpoint lists (\(found.size) bytes, \(part.length) expected): move it away")
            }
            return
        }
        guard let pending = try filesystem.status(part.pendingPath) else {
            throw JobError.sink("\(part.pendingPath) is gone although the checkpoint lists it as output: choose an older checkpoint, or the output has a gap")
        }
        guard pending.kind == .file else {
            throw JobError.sink("\(part.pendingPath) is not the regular file that the checkpoint lists: move it away")
        }
        try filesystem.rename(part.pendingPath, to: part.finalPath, replacing: false)
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
