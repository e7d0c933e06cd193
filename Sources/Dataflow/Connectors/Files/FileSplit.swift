internal import StreamModel

/// Read position in one file, as checkpointed.
@usableFromInline
struct FileSplit: Sendable, Hashable {
    /// The first version ended with `lines`; its name stayed, and it is still readable.
    static let type = "text-file-split-1"

    @usableFromInline let path: String
    /// Bytes before the next record, of the decompressed data in a compressed file.
    var offset: UInt64
    /// Lines before it.
    var lines: UInt64
    /// Records before it, without skipped ones.
    var records: UInt64
    /// Number of skipped bad records.
    var skipped: UInt64
    /// Whether it was read to its end.
    var isFinished = false
    var isCompressed = false

    init(path: String, offset: UInt64 = 0, lines: UInt64 = 0, records: UInt64? = nil, skipped: UInt64 = 0) {
        self.path = path
        self.offset = offset
        self.lines = lines
        self.records = records ?? lines
        self.skipped = skipped
    }

    @usableFromInline
    var encoded: [UInt8] {
        var writer = StateWriter()
        defer { writer.release() }
        path.encode(into: &writer)
        writer.write(offset)
        writer.write(lines)
        writer.write(records)
        writer.write(skipped)
        writer.write(UInt8((isFinished ? 1 : 0) | (isCompressed ? 2 : 0)))
        return Array(writer.bytes)
    }

    @usableFromInline
    init(encoded: [UInt8]) throws(StateDecodingError) {
        let result: Result<FileSplit, StateDecodingError> = encoded.withUnsafeBytes { bytes in
            var reader = StateReader(bytes)
            do throws(StateDecodingError) { return .success(try FileSplit(from: &reader)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private init(from reader: inout StateReader) throws(StateDecodingError) {
        self.init(path: try String(from: &reader), offset: try reader.read(), lines: try reader.read())
        if reader.isAtEnd { return }
        records = try reader.read()
        skipped = try reader.read()
        let flags = try reader.read(UInt8.self)
        guard flags < 4, reader.isAtEnd else { throw StateDecodingError(offset: reader.offset, problem: "bytes after a file's position") }
        (isFinished, isCompressed) = (flags & 1 != 0, flags & 2 != 0)
    }

    /// The subtask that reads this path when files are discovered: a function of the path, so that all subtasks agree without communication, now
    /// and at any other parallelism. FNV-1a, then mixed: it must not change during a job's life.
    static func owner(of path: String, parallelism: Int) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        hash ^= hash >> 32
        return Int(hash % UInt64(max(parallelism, 1)))
    }
}
