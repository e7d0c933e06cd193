internal import CheckpointStore
internal import StreamModel

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
