public import StreamModel
internal import Synchronization

/// Owner of a place on disk, from the durable record there.
public struct PlaceOwner: Hashable, Sendable, CustomStringConvertible {
    /// Epoch, which grows with every owner of the place.
    public let epoch: UInt64
    public let job: JobID
    public let lineage: JobID
    public let processID: Int32
    /// Name of the machine; nil = unknown.
    public let host: String?
    public let since: WallTime
    /// Distinguishes two owners with the same epoch, possible only on a filesystem without locks.
    let token: UInt64

    public var description: String { "job \(job.short) (process \(processID)\(host.map { " on \($0)" } ?? ""))" }

    private static let format = "weir-owner-1"

    var record: String {
        let fields = [
            Self.format, "epoch=\(epoch)", "job=\(job)", "lineage=\(lineage)", "pid=\(processID)", "since=\(since.milliseconds)", "token=\(token)",
        ]
        return (fields + [host.map { "host=" + $0.filter { !$0.isWhitespace } }].compactMap(\.self)).joined(separator: " ")
    }

    init(epoch: UInt64, job: JobID, lineage: JobID, processID: Int32, host: String?, since: WallTime, token: UInt64) {
        (self.epoch, self.job, self.lineage, self.processID) = (epoch, job, lineage, processID)
        (self.host, self.since, self.token) = (host.map { $0.filter { !$0.isWhitespace } }, since, token)
    }

    /// Parses a record, ignoring fields of later versions.
    init?(record: String) {
        let words = record.split(separator: " ")
        guard words.first == Self.format[...] else { return nil }
        var fields: [Substring: String] = [:]
        for word in words.dropFirst() {
            guard let sign = word.firstIndex(of: "=") else { return nil }
            fields[word[..<sign]] = String(word[word.index(after: sign)...])
        }
        guard let epoch = fields["epoch"].flatMap(UInt64.init), let job = fields["job"].flatMap({ JobID($0) }),
            let lineage = fields["lineage"].flatMap({ JobID($0) }), let processID = fields["pid"].flatMap({ Int32($0) }),
            let since = fields["since"].flatMap({ Int64($0) }), let token = fields["token"].flatMap({ UInt64($0) })
        else { return nil }
        self.init(
            epoch: epoch, job: job, lineage: lineage, processID: processID, host: fields["host"], since: WallTime(milliseconds: since), token: token)
    }
}

/// The right to write to a place on disk, against everybody who shares the disk.
///
/// A lock keeps others out while the claim lives, and dies with the process. A durable record beside it holds the epoch, which grows with every
/// owner: `check` detects a later owner where the lock was lost or the filesystem has none. Without locks, another owner may still come between a
/// check and the action it protects.
///
///     <directory>/.weir-lock-<name>    locked by the owner
///     <directory>/.weir-owner-<name>   epoch, job, process: of the present or the last owner
public final class PlaceClaim: Sendable {
    private struct State {
        var lock: OpenFile?
        var owner: PlaceOwner?
    }

    private static let maximumRecordLength: UInt64 = 4096

    /// The path as given.
    public let directory: String
    private let recordPath: String
    private let disk: Disk
    private let state: Mutex<State>

    /// Takes the lock without other changes. If it is taken, the error names the owner.
    public init(directory: String, name: String, filesystem: any Filesystem) throws(StoreError) {
        self.directory = directory
        recordPath = StorePath.join(directory, ".weir-owner-\(name)")
        disk = Disk(filesystem: filesystem)
        state = Mutex(State(lock: try Self.lock(StorePath.join(directory, ".weir-lock-\(name)"), recordPath, directory, disk)))
    }

    deinit { release() }

    /// Releases the place to others. The record stays: it determines the next epoch.
    public func release() {
        let lock = state.withLock { state in
            defer { state = State() }
            return state.lock
        }
        if let lock { disk.closeQuietly(lock) }
    }

    /// Records the new owner durably, with the next epoch. No older owner is fenced before that.
    /// - Parameter token: 64 random bits.
    public func begin(job: JobID, lineage: JobID, at now: WallTime, token: UInt64) throws(StoreError) -> PlaceOwner {
        let last = try Self.recorded(recordPath, disk)
        let owner = PlaceOwner(
            epoch: (last?.epoch ?? 0).addingSaturating(1), job: job, lineage: lineage, processID: disk.filesystem.processID,
            host: disk.filesystem.hostName, since: now, token: token)
        guard let line = LogFormat.line(owner.record) else { throw .invalidName(path: directory, name: owner.record) }
        try DurableFile.replace(path: recordPath, bytes: line, filesystem: disk.filesystem)
        state.withLock { $0.owner = owner }
        return owner
    }

    /// Throws `StoreError.outputTaken` if the record differs from the one written by `begin`.
    public func check() throws(StoreError) {
        let found = try Self.recorded(recordPath, disk)
        guard let found, found == state.withLock({ $0.owner }) else { throw .outputTaken(path: directory, owner: found) }
    }

    /// The recorded owner; nil = the place has had none yet, or is of a version without owners.
    private static func recorded(_ path: String, _ disk: Disk) throws(StoreError) -> PlaceOwner? {
        guard let bytes = try disk.readWhole(path, maximum: maximumRecordLength) else { return nil }
        let parsed = try LogFormat.parse(bytes, path: path)
        guard parsed.end == bytes.count, parsed.records.count == 1, let owner = PlaceOwner(record: parsed.records[0]) else {
            throw .damagedRecord(path: path, offset: parsed.end, reason: "it does not hold one owner")
        }
        return owner
    }

    /// Takes the lock; nil = the filesystem has no locks, and only the epoch fences.
    private static func lock(_ path: String, _ recordPath: String, _ directory: String, _ disk: Disk) throws(StoreError) -> OpenFile? {
        let file = try disk.run(path) { () throws(FilesystemError) in try disk.filesystem.openForUpdating(path) }
        var isLocked = false
        defer { if !isLocked { disk.closeQuietly(file) } }
        do throws(FilesystemError) { isLocked = try disk.filesystem.tryLock(file) } catch {
            if SystemErrorNumber.meansNoLocks(error.errno) { return nil }
            throw StoreError(path, error)
        }
        guard isLocked else {
            let owner: PlaceOwner?
            // The owner only decorates a message that is given in any case.
            do throws(StoreError) { owner = try recorded(recordPath, disk) } catch { owner = nil }
            throw .outputOwned(path: directory, owner: owner)
        }
        return file
    }
}
