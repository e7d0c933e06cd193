internal import CheckpointStore
internal import StreamModel

/// A filesystem that asks for permission before each file read. A long read of a snapshot can so be paced, paused or ended between two chunks. Other
/// calls pass through.
struct PacedFilesystem: ForwardingFilesystem {
    let base: any Filesystem
    /// Called before each read with the number of bytes. May block. false = the result is no longer needed.
    let mayRead: @Sendable (_ count: Int) -> Bool

    /// ECANCELED.
    private static let cancelled: Int32 = 125

    func read(into buffer: UnsafeMutableRawBufferPointer, from file: OpenFile, at offset: UInt64) throws(FilesystemError) -> Int {
        guard mayRead(buffer.count) else { throw FilesystemError(.read, errno: Self.cancelled) }
        return try base.read(into: buffer, from: file, at: offset)
    }

    /// Disabled: the kernel would prefetch the whole file without pacing.
    func willRead(_ file: OpenFile) {}
}
