internal import StreamModel

/// A filesystem that throws `StoreError`s, with the durable steps that take several calls.
struct Disk: Sendable {
    let filesystem: any Filesystem

    func run<Value>(_ path: String, _ call: () throws(FilesystemError) -> Value) throws(StoreError) -> Value {
        do throws(FilesystemError) { return try call() } catch { throw StoreError(path, error) }
    }

    func status(_ path: String) throws(StoreError) -> FileStatus? {
        try run(path) { () throws(FilesystemError) in try filesystem.status(path) }
    }

    func list(_ path: String) throws(StoreError) -> [String] {
        try run(path) { () throws(FilesystemError) in try filesystem.list(path).sorted() }
    }

    func unlink(_ path: String) throws(StoreError) {
        try run(path) { () throws(FilesystemError) in
            do throws(FilesystemError) { try filesystem.unlink(path) } catch {
                if error.errno != SystemErrorNumber.noEntry { throw error }
            }
        }
    }

    func rename(_ old: String, to new: String, replacing: Bool) throws(StoreError) {
        try run(new) { () throws(FilesystemError) in try filesystem.rename(old, to: new, replacing: replacing) }
    }

    func syncDirectory(_ path: String) throws(StoreError) {
        try run(path) { () throws(FilesystemError) in try filesystem.syncDirectory(path) }
    }

    func canonicalPath(_ path: String) throws(StoreError) -> String {
        do throws(FilesystemError) { return try filesystem.canonicalPath(path) } catch {
            throw error.errno == SystemErrorNumber.noEntry ? .notFound(path: path) : StoreError(path, error)
        }
    }

    /// Makes a directory; false = the name exists already.
    func makeDirectory(_ path: String) throws(StoreError) -> Bool {
        try run(path) { () throws(FilesystemError) in
            do throws(FilesystemError) { try filesystem.makeDirectory(path) } catch {
                if error.errno == SystemErrorNumber.exists { return false }
                throw error
            }
            return true
        }
    }

    /// Makes a directory and its missing parents, and makes all their names durable, even of existing ones: an engine that died before a sync may
    /// have left a name that a power loss removes with everything below it.
    func makeDirectories(_ path: String) throws(StoreError) {
        let isNew = try makeMissing(path)
        var directory = path, wasMade = isNew
        while true {
            let parent = StorePath.parent(directory)
            guard parent != directory else { return }
            try syncParent(of: directory, isNew: wasMade)
            (directory, wasMade) = (parent, false)
        }
    }

    /// Makes one directory if missing, and its name durable in either case.
    func makeDirectoryDurably(_ path: String) throws(StoreError) {
        let isNew = try makeDirectory(path)
        try syncParent(of: path, isNew: isNew)
    }

    /// Makes a directory if missing; false = it existed.
    private func makeMissing(_ path: String) throws(StoreError) -> Bool {
        do throws(StoreError) { return try makeDirectory(path) } catch {
            guard case .inputOutput(_, .makeDirectory, SystemErrorNumber.noEntry) = error else { throw error }
        }
        let parent = StorePath.parent(path)
        guard parent != path else { throw .inputOutput(path: path, operation: .makeDirectory, errno: SystemErrorNumber.noEntry) }
        _ = try makeMissing(parent)
        return try makeDirectory(path)
    }

    /// Syncs a directory's parent, except an unreadable one, whose directories belong to others.
    private func syncParent(of path: String, isNew: Bool) throws(StoreError) {
        do throws(StoreError) { try syncDirectory(StorePath.parent(path)) } catch {
            if !isNew, case .inputOutput(_, .open, SystemErrorNumber.accessDenied) = error { return }
            throw error
        }
    }

    /// Makes a new file and its bytes durable; its name becomes durable when the directory is synced.
    func create(_ path: String, _ bytes: [UInt8], isDurable: Bool = true) throws(StoreError) {
        let file = try run(path) { () throws(FilesystemError) in try filesystem.createExclusive(path) }
        do throws(StoreError) {
            try write(bytes, to: file, path)
            if isDurable { try run(path) { () throws(FilesystemError) in try filesystem.sync(file) } }
        } catch {
            closeQuietly(file)
            throw error
        }
        try run(path) { () throws(FilesystemError) in try filesystem.close(file) }
    }

    func write(_ bytes: [UInt8], to file: OpenFile, _ path: String) throws(StoreError) {
        let result = bytes.withUnsafeBytes { pointer in
            Result { () throws(FilesystemError) in try filesystem.write(pointer, to: file) }
        }
        try run(path) { () throws(FilesystemError) in try result.get() }
    }

    /// All bytes of a file; nil = no such file.
    func readWhole(_ path: String, maximum: UInt64) throws(StoreError) -> [UInt8]? {
        guard let file = try open(path) else { return nil }
        defer { closeQuietly(file) }
        let length = try size(of: file, path)
        guard length <= maximum else { throw .tooLarge(path: path, length: length, maximum: maximum) }
        return try read(file, path, offset: 0, length: Int(length))
    }

    /// Opens a file; nil = no such file.
    func open(_ path: String) throws(StoreError) -> OpenFile? {
        try run(path) { () throws(FilesystemError) in
            do throws(FilesystemError) { return try filesystem.openForReading(path) } catch {
                if error.errno == SystemErrorNumber.noEntry { return nil }
                throw error
            }
        }
    }

    /// Throws the kind of an entry that is not a regular file.
    func requireRegular(_ path: String, _ status: FileStatus) throws(StoreError) {
        switch status.kind {
        case .file: return
        case .directory: throw .notAFile(path: path, found: .directory)
        case .link: throw .notAFile(path: path, found: .link)
        case .other:
            // Opening it reports its kind.
            if let file = try open(path) { closeQuietly(file) }
            throw .notAFile(path: path, found: .unknown)
        }
    }

    func size(of file: OpenFile, _ path: String) throws(StoreError) -> UInt64 {
        try run(path) { () throws(FilesystemError) in try filesystem.size(of: file) }
    }

    /// Reads exactly this many bytes; fewer is an error.
    func read(_ file: OpenFile, _ path: String, offset: UInt64, length: Int) throws(StoreError) -> [UInt8] {
        var failure: FilesystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            do throws(FilesystemError) {
                count = try filesystem.read(into: UnsafeMutableRawBufferPointer(buffer), from: file, at: offset)
            } catch {
                failure = error
            }
        }
        if let failure { throw StoreError(path, failure) }
        guard bytes.count == length else {
            throw .wrongLength(path: path, expected: offset.addingSaturating(UInt64(length)), found: offset + UInt64(bytes.count))
        }
        return bytes
    }

    /// Closes a file that was only read or is given up: an error of close is irrelevant.
    func closeQuietly(_ file: OpenFile) {
        do throws(FilesystemError) { try filesystem.close(file) } catch {}
    }
}
