internal import StreamModel

/// A checkpoint or savepoint directory on disk: reading its manifest, verifying its files, removing it. All removals go through here.
struct SnapshotDirectory {
    /// Upper bound of manifest sizes; a manifest is read into memory whole.
    static let maximumManifestLength: UInt64 = 1 << 30
    private static let chunk = 256 << 10

    let path: String
    let disk: Disk

    var manifestPath: String { StorePath.join(path, StorePath.manifest) }

    /// The manifest; nil = missing, the checkpoint is incomplete.
    func readManifest() throws(StoreError) -> CheckpointManifest? {
        guard let bytes = try disk.readWhole(manifestPath, maximum: Self.maximumManifestLength) else { return nil }
        return try ManifestCodec.decode(bytes, path: manifestPath)
    }

    /// Reads every listed file to its end and checks length, checksum and names. The disk prefetches the next files meanwhile.
    func verifyContents(of manifest: CheckpointManifest) throws(StoreError) {
        var opened: [OpenFile] = []
        defer { for file in opened { disk.closeQuietly(file) } }
        for (index, entry) in manifest.files.enumerated() {
            while opened.count < manifest.files.count, opened.count <= index + Self.filesAhead {
                let path = StorePath.file(manifest.files[opened.count].name, ofSnapshot: path)
                guard let file = try disk.open(path) else { throw .missingFile(path: path, manifest: manifestPath) }
                opened.append(file)
                disk.filesystem.willRead(file)
            }
            try verify(opened[index], StorePath.file(entry.name, ofSnapshot: path), entry, manifest)
        }
    }

    private static let filesAhead = 2

    /// The error for a directory without a manifest: a job's directory is named as one.
    var withoutManifest: StoreError {
        // StoreError: a directory that cannot be listed is not known to be a job's.
        guard let names = try? disk.list(path) else { return .noManifest(path: path) }
        let numbers = names.compactMap(StorePath.checkpointID).sorted(by: >)
        guard !numbers.isEmpty else { return .noManifest(path: path) }
        let directories = numbers.map { SnapshotDirectory(path: StorePath.join(path, StorePath.checkpointDirectory($0)), disk: disk) }
        return .jobDirectory(path: path, newest: directories.first(where: \.isWhole)?.path)
    }

    /// Its manifest can be read, and its files have their lengths.
    private var isWhole: Bool {
        do throws(StoreError) {
            guard let manifest = try readManifest() else { return false }
            try verifyLengths(of: manifest)
            return true
        } catch {
            return false
        }
    }

    /// Checks the presence and length of every listed file without reading it.
    func verifyLengths(of manifest: CheckpointManifest) throws(StoreError) {
        for entry in manifest.files {
            let path = StorePath.file(entry.name, ofSnapshot: path)
            guard let status = try disk.status(path) else { throw .missingFile(path: path, manifest: manifestPath) }
            try disk.requireRegular(path, status)
            guard status.size == entry.length else {
                throw .wrongLength(path: path, expected: entry.length, found: status.size)
            }
        }
    }

    private func verify(
        _ file: OpenFile, _ path: String, _ entry: StateFileEntry, _ manifest: CheckpointManifest
    ) throws(StoreError) {
        let length = try disk.size(of: file, path)
        guard length == entry.length else { throw .wrongLength(path: path, expected: entry.length, found: length) }
        let identity = StateFileFormat.Identity(
            job: manifest.job, checkpoint: entry.writer(in: manifest), role: entry.role, name: entry.name)
        let start = try disk.read(file, path, offset: 0, length: Int(min(length, UInt64(StateFileFormat.maximumHeaderLength))))
        try StateFileFormat.verifyHeader(start[...], identity, path: path)
        let sum = try checksum(file, path, length: length - UInt64(StateFileFormat.unsummedLength))
        guard sum == entry.crc32c else { throw .checksumMismatch(path: path, expected: entry.crc32c, found: sum) }
        let trailerLength = StateFileFormat.trailerLength
        let end = try disk.read(file, path, offset: length - UInt64(trailerLength), length: trailerLength)
        try StateFileFormat.verifyTrailer(end, length: length, checksum: sum, path: path)
    }

    private func checksum(_ file: OpenFile, _ path: String, length: UInt64) throws(StoreError) -> UInt32 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunk, alignment: 4096)
        defer { buffer.deallocate() }
        var sum = CRC32C()
        var offset: UInt64 = 0
        while offset < length {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(UInt64(Self.chunk), length - offset))])
            let count = try disk.run(path) { () throws(FilesystemError) in
                try disk.filesystem.read(into: part, from: file, at: offset)
            }
            guard count == part.count else { throw .wrongLength(path: path, expected: length, found: offset + UInt64(count)) }
            sum.update(UnsafeRawBufferPointer(part))
            offset += UInt64(count)
        }
        return sum.value
    }

    /// Removes the snapshot unless it is being read.
    func removeUnlessPinned(evenIfInUse: Bool) throws(StoreError) {
        guard let manifest = try disk.open(manifestPath) else { return try remove() }
        // Held until the manifest is gone: a later reader finds nothing to pin.
        defer { disk.closeQuietly(manifest) }
        guard try lock(manifest) || evenIfInUse else { throw .inUse(path: path) }
        try remove()
    }

    private func lock(_ manifest: OpenFile) throws(StoreError) -> Bool {
        try disk.run(manifestPath) { () throws(FilesystemError) in
            do throws(FilesystemError) { return try disk.filesystem.tryLock(manifest) } catch {
                // No reader can have pinned it there.
                if SystemErrorNumber.meansNoLocks(error.errno) { return true }
                throw error
            }
        }
    }

    /// Removes the snapshot, manifest first, so that it ceases to exist as a whole before its parts. Names not given by the store stay, and with
    /// them the directory. Does nothing if there is no directory.
    func remove() throws(StoreError) {
        guard try isDirectory() else { return }
        if try disk.status(manifestPath) != nil { try disk.unlink(manifestPath) }
        // Even if the manifest is gone: an earlier call may have failed here, and the files count until its absence is durable.
        try disk.syncDirectory(path)
        for name in try disk.list(path) where StorePath.isRemovable(name) {
            try disk.unlink(StorePath.join(path, name))
        }
        try removeIfEmpty()
        try disk.syncDirectory(StorePath.parent(path))
    }

    /// Whether the directory exists. A link or a file of this name is a foreign entry and an error.
    func isDirectory() throws(StoreError) -> Bool {
        guard let status = try disk.status(path) else { return false }
        guard status.kind == .directory else {
            throw .inputOutput(path: path, operation: .examine, errno: SystemErrorNumber.notDirectory)
        }
        return true
    }

    func removeIfEmpty() throws(StoreError) {
        try disk.run(path) { () throws(FilesystemError) in
            do throws(FilesystemError) { try disk.filesystem.removeDirectory(path) } catch {
                // A foreign entry keeps the directory, as in Flink.
                if ![SystemErrorNumber.notEmpty, SystemErrorNumber.exists, SystemErrorNumber.noEntry].contains(error.errno) { throw error }
            }
        }
    }
}
