internal import Glibc
internal import StreamModel

/// A file read by a source, the only place of such reads: opened, read from front to back and, if compressed, decompressed into a window of bytes for
/// the parsers.
final class InputFile {
    let path: String
    /// Whether it is gzip data, by its name or its first bytes.
    let isCompressed: Bool
    /// Offset of the first byte of the window in the decompressed file.
    private(set) var offset: UInt64 = 0
    /// Whether the window reaches the end of the file.
    private(set) var isAtEnd = false
    /// Word for a record in messages.
    private let recordName: String
    private let descriptor: Int32
    /// Next read offset in the file itself, ahead of the window.
    private(set) var fileOffset: UInt64 = 0
    private var buffer = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    /// Window: buffer[start..<end].
    private var start = 0, end = 0
    private var decoder: GzipDecoder?
    private var compressed = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var compressedStart = 0, compressedEnd = 0

    /// Maximum record length, so that a file without line ends cannot exhaust the memory.
    static let maximumRecordBytes = 64 << 20

    init(_ path: String, recordName: String) throws(JobError) {
        self.path = path
        self.recordName = recordName
        descriptor = try Self.open(path)
        var magic: [UInt8] = [0, 0]
        let got = pread(descriptor, &magic, 2, 0)
        isCompressed = path.hasSuffix(".gz") || (got == 2 && magic == [0x1F, 0x8B])
        // Everything is initialised by now, so `deinit` runs if the rest fails.
        buffer = .allocate(byteCount: 256 << 10, alignment: 16)
        if isCompressed {
            compressed = .allocate(byteCount: 128 << 10, alignment: 16)
            do throws(GzipDecoder.Fault) { decoder = try GzipDecoder() } catch { throw damaged(error) }
        }
    }

    private static func open(_ path: String) throws(JobError) -> Int32 {
        var status = stat()
        // Checked before it is opened, because opening a device may have an effect, and again after, because the name may have changed its target.
        if stat(path, &status) == 0 { try requireRegular(status, path) }
        // Non-blocking: a pipe without writer would block the thread forever.
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let number = errno
            throw JobError.source("cannot read input file \(path): \(errorText(number)); check the path and its permissions").because(number, at: path)
        }
        do throws(JobError) {
            guard fstat(descriptor, &status) == 0 else { throw .source("cannot examine input file \(path): \(errorText(errno))") }
            try requireRegular(status, path)
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func requireRegular(_ status: stat, _ path: String) throws(JobError) {
        let kind: String
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: kind = "a directory"
        case S_IFIFO: kind = "a named pipe"
        case S_IFSOCK: kind = "a socket"
        case S_IFCHR: kind = "a character device"
        case S_IFBLK: kind = "a block device"
        default: kind = "something else"
        }
        throw .unusable("input \(path) is not a regular file but \(kind): a restart could not read it again; copy its content to a file")
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
        compressed.deallocate()
    }

    /// Size on disk in bytes; nil = missing.
    static func size(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(max(0, status.st_size)) : nil
    }

    var window: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[start..<end]) }

    /// Drops the first bytes of the window.
    func advance(by count: Int) {
        start += count
        offset += UInt64(count)
    }

    /// Skips to an offset reached by an earlier reader of the file.
    func skip(to target: UInt64) throws(JobError) {
        if !isCompressed {
            let size = Self.size(of: path) ?? 0
            guard size >= target else { throw shrunk(size, target) }
            (start, end, isAtEnd) = (0, 0, false)
            (offset, fileOffset) = (target, target)
            return
        }
        while offset < target {
            let left = Int(min(target - offset, UInt64(end - start)))
            advance(by: left)
            if left == 0, try !fill() { throw shrunk(offset, target) }
        }
    }

    /// Checks that the file was not truncated below the bytes already read, which would look like a regular end.
    func checkLength() throws(JobError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .source("cannot examine input file \(path): \(errorText(errno))") }
        let size = UInt64(max(0, status.st_size))
        guard size >= fileOffset else {
            throw .source("input file \(path) has \(size) bytes, fewer than the \(fileOffset) that were read from it: it was cut while it was read; restore it")
        }
    }

    private func shrunk(_ size: UInt64, _ target: UInt64) -> JobError {
        .source(
            "input file \(path) has \(size) bytes\(isCompressed ? " of uncompressed data" : ""), fewer than the \(target) that the checkpoint "
                + "had read: restore the file")
    }

    /// Extends the window; false at the end of the file.
    func fill() throws(JobError) -> Bool {
        if isAtEnd { return false }
        if start > 0 {
            memmove(buffer.baseAddress!, buffer.baseAddress! + start, end - start)
            end -= start
            start = 0
        }
        if end == buffer.count { try grow() }
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
        let got = isCompressed ? try decompress(into: room) : try read(into: room)
        if got == 0 { isAtEnd = true }
        end += got
        return got > 0
    }

    private func grow() throws(JobError) {
        guard buffer.count < Self.maximumRecordBytes else {
            throw JobError.source("input file \(path) has a \(recordName) of more than \(Self.maximumRecordBytes) bytes at offset \(offset): split it")
        }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[0..<end]))
        buffer.deallocate()
        buffer = larger
    }

    private func read(into room: UnsafeMutableRawBufferPointer) throws(JobError) -> Int {
        var got: Int
        repeat { got = pread(descriptor, room.baseAddress, room.count, Int(fileOffset)) } while got < 0 && errno == EINTR
        guard got >= 0 else { throw JobError.source("cannot read input file \(path) at offset \(fileOffset): \(errorText(errno))") }
        fileOffset += UInt64(got)
        return got
    }

    /// Decompresses at least a byte, or 0 at the end.
    private func decompress(into room: UnsafeMutableRawBufferPointer) throws(JobError) -> Int {
        guard let decoder else { return 0 }
        while true {
            if compressedStart == compressedEnd {
                compressedStart = 0
                compressedEnd = try read(into: compressed)
                if compressedEnd == 0 {
                    guard decoder.isComplete else {
                        throw JobError.source(
                            "input file \(path) is cut off: its compressed data ends at byte \(fileOffset), in the middle; copy the whole file")
                    }
                    return 0
                }
            }
            do throws(GzipDecoder.Fault) {
                let (read, written) = try decoder.decode(UnsafeRawBufferPointer(rebasing: compressed[compressedStart..<compressedEnd]), into: room)
                compressedStart += read
                if written > 0 { return written }
            } catch { throw damaged(error) }
        }
    }

    private func damaged(_ fault: GzipDecoder.Fault) -> JobError {
        let place = fileOffset - UInt64(compressedEnd - compressedStart)
        return .source(
            "input file \(path) cannot be decompressed at byte \(place) (byte \(offset + UInt64(end - start)) uncompressed): \(fault.problem); restore the file"
        )
    }
}

/// Listing of a directory, for sources that discover files.
enum InputDirectory {
    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names of the regular files (links followed), sorted; nil when the path is not a directory.
    static func files(_ path: String) throws(JobError) -> [String]? {
        guard let directory = opendir(path) else {
            if errno == ENOTDIR { return nil }
            let number = errno
            throw JobError.source("cannot list input directory \(path): \(errorText(number)); check the path and its permissions")
                .because(number, at: path)
        }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            var status = stat()
            // A file that disappeared or is inaccessible is detected when it is opened.
            guard stat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            names.append(name)
        }
        guard errno == 0 else { throw JobError.source("cannot list input directory \(path): \(errorText(errno))") }
        return names.sorted()
    }
}

func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
