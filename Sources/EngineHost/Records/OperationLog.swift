internal import CheckpointStore
internal import ControlProtocol
internal import HostEnvironment
internal import StreamModel

/// The log of operations: one line per change of an operation, durable before it is acted on. Once grown, it is rewritten with only the newest
/// state of each operation. Used by one thread at a time.
///
/// A log that can no longer be appended to (its fsync failed, or the disk filled up during a rewrite) is rewritten by the next append, without any
/// line that was never reported.
final class OperationLog {
    /// Number of lines that triggers a rewrite.
    static let longest = 5000
    /// Size in bytes that triggers a rewrite, once half of it is out of date.
    static let largest = 8 << 20
    /// Number of ended operations kept; unended ones are always kept.
    static let kept = 1000

    /// Newest state of each operation, oldest acceptance first.
    private(set) var entries: [OperationEntry] = []
    /// Problems in one line each: unreadable records, and files that were moved away.
    private(set) var problems: [String] = []
    private let path: String
    private let filesystem: any Filesystem
    /// The open log; nil = it must be rewritten before the next append.
    private var log: DurableLog?
    private var lines: [OperationID: String] = [:]
    private var lineCount = 0
    private var byteCount = 0
    /// Size in bytes of the log after a rewrite.
    private var neededBytes = 0

    init(path: String, filesystem: any Filesystem) throws(StoreError) {
        self.path = path
        self.filesystem = filesystem
        let log = try Self.open(path, filesystem, &problems)
        if log.droppedBytes > 0 { problems.append("\(path): a torn last line of \(log.droppedBytes) bytes was cut off") }
        for (index, line) in log.recovered.enumerated() {
            do throws(ControlCodecError) { take(try ControlCodec.decode(OperationEntry.self, from: line.utf8), line) } catch {
                problems.append("\(path): record \(index + 1) cannot be read (\(error.problem)); it was passed over")
            }
        }
        self.log = log
        entries.sort { ($0.acceptedAt, $0.operation.description) < ($1.acceptedAt, $1.operation.description) }
        if isLong { try rewrite() }
    }

    /// Opens the log. One too large to read is moved away whole: its operations are forgotten, the jobs are not.
    private static func open(_ path: String, _ filesystem: any Filesystem, _ problems: inout [String]) throws(StoreError) -> DurableLog {
        do throws(StoreError) { return try DurableLog(path: path, filesystem: filesystem) } catch {
            guard case .tooLarge(_, let length, let maximum) = error else { throw error }
            let aside = try moveAside(path, filesystem)
            problems.append("\(path) has \(length) bytes, more than the \(maximum) that are read; it was moved to \(aside), and its operations are forgotten")
            return try DurableLog(path: path, filesystem: filesystem)
        }
    }

    private static func moveAside(_ path: String, _ filesystem: any Filesystem) throws(StoreError) -> String {
        for number in 1...100 {
            let aside = "\(path).aside-\(number)"
            do throws(FilesystemError) {
                try filesystem.rename(path, to: aside, replacing: false)
                return aside
            } catch {
                // 17 is EEXIST: try the next number.
                if error.errno != 17 { throw .inputOutput(path: path, operation: error.operation, errno: error.errno) }
            }
        }
        throw .inputOutput(path: path, operation: .rename, errno: 17)
    }

    /// Appends the state of an operation; durable on return.
    func append(_ entry: OperationEntry) throws(StoreError) {
        let line: String
        do throws(ControlCodecError) { line = try ControlCodec.json(entry) } catch { throw .malformed(path: path, offset: byteCount, reason: error.problem) }
        if log == nil { try rewrite() }
        guard let log else { throw .closed(path: path) }
        do throws(StoreError) { try log.append(line) } catch {
            // The line may or may not be on disk; the log is rewritten without it.
            if log.isEnded { abandon() }
            throw error
        }
        take(entry, line)
        // The line is durable; the rewrite of a long log is retried with the next one.
        if isLong { do throws(StoreError) { try rewrite() } catch {} }
    }

    func close() { abandon() }

    private func abandon() {
        log?.close()
        log = nil
    }

    private var isLong: Bool { lineCount > max(Self.longest, 2 * entries.count) || byteCount > max(Self.largest, 2 * neededBytes) }

    private func take(_ entry: OperationEntry, _ line: String) {
        lineCount += 1
        byteCount += line.utf8.count + 10
        neededBytes += line.utf8.count + 10
        if let old = lines.updateValue(line, forKey: entry.operation) {
            neededBytes -= old.utf8.count + 10
            if let index = entries.lastIndex(where: { $0.operation == entry.operation }) { entries[index] = entry }
        } else {
            entries.append(entry)
        }
        forgetOld()
    }

    private func forgetOld() {
        guard entries.count > 2 * Self.kept else { return }
        var surplus = entries.count - Self.kept
        entries.removeAll { entry in
            guard surplus > 0, entry.state.isTerminal else { return false }
            surplus -= 1
            neededBytes -= (lines.removeValue(forKey: entry.operation)?.utf8.count ?? 0) + 10
            return true
        }
    }

    /// Replaces the file by one with the newest states only. The old handle is unusable until the new one is open: it may belong to a file without
    /// a name.
    private func rewrite() throws(StoreError) {
        abandon()
        let needed = entries.compactMap { lines[$0.operation] }
        try DurableLog.replace(path: path, records: needed, filesystem: filesystem)
        log = try DurableLog(path: path, filesystem: filesystem)
        lineCount = needed.count
        byteCount = needed.reduce(0) { $0 + $1.utf8.count + 10 }
        neededBytes = byteCount
    }
}
