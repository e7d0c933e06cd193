/// Writes one state file of a checkpoint: header, state, trailer, fsync. Made by `CheckpointAttempt.createStateFile`, used by one thread, ended
/// by `finish` or `abandon` (or by its release, which abandons). Only `abandon` is allowed after an error.
public final class StateFileWriter {
    /// Name of the file in the checkpoint directory, as used in `StateHandle.Location.file`.
    public let name: String
    /// Bytes written so far, including the header: the file offset of the next byte.
    public private(set) var offset: UInt64

    private enum Phase { case open, failed, ended }
    private static let capacity = 1 << 20

    private let path: String
    private let role: String
    private let filesystem: any Filesystem
    private let file: OpenFile
    private let buffer: UnsafeMutableRawBufferPointer
    private let onFinish: @Sendable (StateFileEntry) throws(StoreError) -> Void
    private var filled = 0
    private var checksum = CRC32C()
    private var phase = Phase.open

    init(
        path: String, identity: StateFileFormat.Identity, filesystem: any Filesystem,
        onFinish: @escaping @Sendable (StateFileEntry) throws(StoreError) -> Void
    ) throws(StoreError) {
        do throws(FilesystemError) { file = try filesystem.createExclusive(path) } catch { throw StoreError(path, error) }
        self.path = path
        self.filesystem = filesystem
        self.onFinish = onFinish
        name = identity.name
        role = identity.role
        buffer = .allocate(byteCount: Self.capacity, alignment: 4096)
        offset = 0
        try append(StateFileFormat.header(identity))
    }

    deinit {
        abandon()
        buffer.deallocate()
    }

    public func append(_ bytes: [UInt8]) throws(StoreError) {
        // `withUnsafeBytes` does not pass typed errors on, so the result carries the error out.
        let result = bytes.withUnsafeBytes { pointer in Result { () throws(StoreError) in try append(pointer) } }
        try result.get()
    }

    /// Appends bytes, buffering up to 1 MiB; a larger piece is written directly.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        try requireOpen()
        if bytes.count > Self.capacity - filled { try flush() }
        if bytes.count >= Self.capacity {
            try write(bytes)
        } else if let source = bytes.baseAddress {
            (buffer.baseAddress! + filled).copyMemory(from: source, byteCount: bytes.count)
            filled += bytes.count
        }
        offset += UInt64(bytes.count)
    }

    /// Makes the file durable and closes it. A failed fsync is final: the file is given up.
    public func finish() throws(StoreError) -> StateFileEntry {
        try requireOpen()
        let length = offset + UInt64(StateFileFormat.trailerLength)
        try append(StateFileFormat.trailerStart(fileLength: length))
        try flush()
        let sum = checksum.value
        try append(StateFileFormat.trailerEnd(checksum: sum))
        try flush()
        try attempt { () throws(FilesystemError) in
            do throws(FilesystemError) { try filesystem.sync(file) } catch { if !filesystem.has(.ignoresSyncError) { throw error } }
        }
        phase = .ended
        do throws(FilesystemError) { try filesystem.close(file) } catch { throw StoreError(path, error) }
        let entry = StateFileEntry(name: name, role: role, length: length, crc32c: sum)
        try onFinish(entry)
        return entry
    }

    /// Closes the file and leaves its removal to the attempt, or to the next sweep. Has no effect once ended.
    public func abandon() {
        guard phase != .ended else { return }
        phase = .ended
        // The bytes are given up, so an error of close is irrelevant.
        do throws(FilesystemError) { try filesystem.close(file) } catch {}
    }

    private func flush() throws(StoreError) {
        guard filled > 0 else { return }
        try write(UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        filled = 0
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        checksum.update(bytes)
        try attempt { () throws(FilesystemError) in try filesystem.write(bytes, to: file) }
    }

    private func requireOpen() throws(StoreError) {
        guard phase == .open else { throw .closed(path: path) }
    }

    private func attempt(_ call: () throws(FilesystemError) -> Void) throws(StoreError) {
        do throws(FilesystemError) { try call() } catch {
            phase = .failed
            throw StoreError(path, error)
        }
    }
}
