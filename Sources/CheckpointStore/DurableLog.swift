internal import StreamModel

/// An append-only log of one-line records, each durable when `append` returns. A line is eight hexadecimal digits of CRC32C, a space, and the
/// record. A torn last line (a power loss during its write) is cut off at opening; damage before the last line is an error and changes nothing.
/// Used by one thread at a time; one writer per path.
public final class DurableLog {
    /// Records found at opening, oldest first.
    public let recovered: [String]
    /// Bytes of a torn last line cut off at opening.
    public let droppedBytes: UInt64

    private let path: String
    private let disk: Disk
    private let file: OpenFile
    /// Offset of the end of the last complete record.
    private var end: UInt64
    /// Closed, or given up after a failed fsync.
    package private(set) var isEnded = false

    public init(path: String, maximum: UInt64 = 1 << 30, filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        self.path = path
        disk = Disk(filesystem: filesystem)
        let disk = disk
        let file = try disk.run(path) { () throws(FilesystemError) in try filesystem.openForUpdating(path) }
        do throws(StoreError) {
            let length = try disk.size(of: file, path)
            guard length <= maximum else { throw .tooLarge(path: path, length: length, maximum: maximum) }
            let bytes = try disk.read(file, path, offset: 0, length: Int(length))
            let parsed = try LogFormat.parse(bytes, path: path)
            try disk.run(path) { () throws(FilesystemError) in
                try filesystem.truncate(file, to: UInt64(parsed.end))
                try filesystem.sync(file)
            }
            try disk.syncDirectory(StorePath.parent(path))
            recovered = parsed.records
            droppedBytes = length - UInt64(parsed.end)
            end = UInt64(parsed.end)
        } catch {
            disk.closeQuietly(file)
            throw error
        }
        self.file = file
    }

    deinit { close() }

    /// Replaces the log at the path by one with only these records: a reader finds the old one or the new one, even after a power loss. An open
    /// log of that path must not be used again, even if this throws.
    public static func replace(path: String, records: [String], filesystem: any Filesystem = PosixFilesystem()) throws(StoreError) {
        var bytes: [UInt8] = []
        for record in records {
            guard let line = LogFormat.line(record) else {
                throw .malformed(path: path, offset: bytes.count, reason: "a record has a line break")
            }
            bytes += line
        }
        try DurableFile.replace(path: path, bytes: bytes, filesystem: filesystem)
    }

    /// Appends a record durably.
    /// - Parameter record: one line, without line breaks.
    public func append(_ record: String) throws(StoreError) {
        guard !isEnded else { throw .closed(path: path) }
        guard let line = LogFormat.line(record) else { throw .malformed(path: path, offset: Int(end), reason: "a record has a line break") }
        do throws(StoreError) {
            try disk.write(line, to: file, path)
        } catch {
            takeBack()
            throw error
        }
        do throws(FilesystemError) { try disk.filesystem.sync(file) } catch {
            // The line may or may not be on disk: no other may follow it.
            close()
            throw StoreError(path, error)
        }
        end += UInt64(line.count)
    }

    public func close() {
        guard !isEnded else { return }
        isEnded = true
        disk.closeQuietly(file)
    }

    /// Cuts a half-written line off, so that the next record does not continue it.
    private func takeBack() {
        do throws(FilesystemError) { try disk.filesystem.truncate(file, to: end) } catch { close() }
    }
}

/// Encodes records as lines and back. Pure.
enum LogFormat {
    static func line(_ record: String) -> [UInt8]? {
        let bytes = Array(record.utf8)
        guard !bytes.contains(0x0A) else { return nil }
        return sum(bytes) + [0x20] + bytes + [0x0A]
    }

    /// Parses the records up to the last complete one, and finds its end.
    static func parse(_ bytes: [UInt8], path: String) throws(StoreError) -> (records: [String], end: Int) {
        var records: [String] = []
        var start = 0
        while let newline = bytes[start...].firstIndex(of: 0x0A) {
            guard let record = record(bytes[start..<newline]) else {
                if newline + 1 == bytes.count { break }
                throw .damagedRecord(path: path, offset: start, reason: "record \(records.count + 1) has a wrong checksum")
            }
            records.append(record)
            start = newline + 1
        }
        return (records, start)
    }

    private static func record(_ line: ArraySlice<UInt8>) -> String? {
        guard line.count >= 9, line[line.startIndex + 8] == 0x20 else { return nil }
        let body = Array(line.dropFirst(9))
        guard Array(line.prefix(8)) == sum(body) else { return nil }
        return String(validating: body, as: UTF8.self)
    }

    private static func sum(_ bytes: [UInt8]) -> [UInt8] {
        let digits = String(CRC32C.checksum(bytes), radix: 16)
        return Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
}
