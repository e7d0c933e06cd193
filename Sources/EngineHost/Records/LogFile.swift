internal import CheckpointStore
internal import ControlProtocol
internal import StreamModel

/// The engine's log on disk: a line of JSON for each entry in `engine.log`, and the lines before those in `engine.log.1`. It is no promise: lines are
/// not synced, and lines that cannot be written are counted and left out. Used by one thread at a time.
final class LogFile {
    /// Size in bytes at which the file becomes `engine.log.1`.
    static let largest: UInt64 = 4 << 20
    /// Bytes at the end of each file that are read at the start.
    private static let readBack: UInt64 = 512 << 10

    /// Lines of earlier runs, oldest first.
    let recovered: [EngineLogEntry]
    private let path: String
    private let filesystem: any Filesystem
    private let largest: UInt64
    /// nil = it is opened by the next write.
    private var file: OpenFile?
    private var size: UInt64 = 0
    private var lost = 0

    init(path: String, filesystem: any Filesystem, largest: UInt64 = LogFile.largest) {
        (self.path, self.filesystem, self.largest) = (path, filesystem, largest)
        recovered = [path + ".1", path].flatMap { Self.tail(of: $0, filesystem) }
    }

    /// A damaged or torn line is passed over: nothing depends on it.
    private static func tail(of path: String, _ filesystem: any Filesystem) -> [EngineLogEntry] {
        do throws(FilesystemError) {
            guard try filesystem.status(path) != nil else { return [] }
            let file = try filesystem.openForReading(path)
            defer { do throws(FilesystemError) { try filesystem.close(file) } catch {} }
            let size = try filesystem.size(of: file), start = size - min(size, readBack)
            var bytes = [UInt8](repeating: 0, count: Int(size - start))
            // `withUnsafeMutableBytes` does not pass typed errors on.
            let result = bytes.withUnsafeMutableBytes { buffer in
                Result { () throws(FilesystemError) in try filesystem.read(into: buffer, from: file, at: start) }
            }
            let count = try result.get()
            return bytes.prefix(count).split(separator: UInt8(ascii: "\n")).compactMap { line in
                do throws(ControlCodecError) { return try ControlCodec.decode(EngineLogEntry.self, from: line) } catch { return nil }
            }
        } catch {
            return []
        }
    }

    /// Appends lines. Returns the reason if they could not be written, once until it works again.
    func append(_ entries: [EngineLogEntry]) -> String? {
        var text: [UInt8] = []
        for entry in entries {
            do throws(ControlCodecError) { text += Array(try ControlCodec.json(entry).utf8) + [UInt8(ascii: "\n")] } catch { lost += 1 }
        }
        do throws(FilesystemError) {
            try open()
            if size > 0, size + UInt64(text.count) > largest { try turnOver() }
            guard let file else { return nil }
            try text.withUnsafeBytes { bytes in Result { () throws(FilesystemError) in try filesystem.write(bytes, to: file) } }.get()
            size += UInt64(text.count)
            lost = 0
            return nil
        } catch {
            // Whatever was written of a line is ended by the next opening.
            close()
            defer { lost += entries.count }
            return lost == 0 ? "the log \(path) cannot be written (\(error.reason)); the newest lines are kept in memory" : nil
        }
    }

    private func open() throws(FilesystemError) {
        guard file == nil else { return }
        let opened = try filesystem.openForUpdating(path)
        file = opened
        size = try filesystem.size(of: opened)
        // The next write goes on behind the last byte.
        try filesystem.truncate(opened, to: size)
        guard size > 0 else { return }
        var last: UInt8 = 0
        _ = try withUnsafeMutableBytes(of: &last) { (byte) throws(FilesystemError) in try filesystem.read(into: byte, from: opened, at: size - 1) }
        guard last != UInt8(ascii: "\n") else { return }
        let newline = UInt8(ascii: "\n")
        try withUnsafeBytes(of: newline) { (byte) throws(FilesystemError) in try filesystem.write(byte, to: opened) }
        size += 1
    }

    private func turnOver() throws(FilesystemError) {
        close()
        try filesystem.rename(path, to: path + ".1", replacing: true)
        try open()
    }

    func close() {
        if let file { do throws(FilesystemError) { try filesystem.close(file) } catch {} }
        file = nil
    }
}

/// Box for the file, which is used on one queue only.
struct LogFileBox: @unchecked Sendable {
    // Sound: only the work on `EngineService.decisions` touches the one instance.
    let file: LogFile
}
