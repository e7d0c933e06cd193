internal import CheckpointStore
internal import ControlProtocol
internal import Glibc
internal import StreamModel
internal import Synchronization

/// Why the engine's own records cannot be used.
public enum EngineStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another engine has the directory.
    case owned(path: String, processID: Int32?)
    case system(operation: String, path: String, errno: Int32)
    /// A record that does not read back; it was left as it is.
    case damaged(path: String, problem: String)
    case storage(String)

    public var description: String {
        switch self {
        case .owned(let path, let processID):
            "state directory \(path) is in use by another engine\(processID.map { " (pid \($0))" } ?? ""): stop it or name another with --state"
        case .system(let operation, let path, let errno): "cannot \(operation) \(path): \(String(cString: strerror(errno)))"
        case .damaged(let path, let problem): "\(path) is damaged (\(problem)); it was left as it is: move it away to start without it"
        case .storage(let problem): problem
        }
    }
}

/// The engine's state directory: who owns it, a record a job, and the log of operations.
///
///     <state>/lock               held while the engine lives, with its pid
///     <state>/jobs/<job>.json    one record a submission, replaced as a whole
///     <state>/operations.log     one line a change of an operation, durable before it is acted on
///     <state>/checkpoints/       where checkpoints go, a directory a job
///
/// Any thread may call it; writes are serialised here.
final class EngineStore: Sendable {
    /// Log lines at which it is written anew with only the newest state of each operation.
    private static let longestLog = 5000
    /// Operations that are remembered over a restart.
    private static let keptOperations = 1000

    let path: String
    var checkpointRoot: String { path + "/checkpoints" }
    /// The jobs found at opening.
    let jobs: [JobRecord]
    /// The operations found at opening, oldest first.
    let operations: [OperationEntry]
    /// What could not be read, each in one line; nothing of it was changed.
    let problems: [String]

    private let lock: Int32
    private let log: Mutex<DurableLogBox>
    private let recordWrites = Mutex(())

    /// Makes the directory where it is missing, takes its lock and reads what is there.
    init(path: String) throws(EngineStoreError) {
        try Self.makeDirectories(path)
        self.path = path
        lock = try Self.takeLock(path)
        do throws(EngineStoreError) {
            try Self.makeDirectories(path + "/jobs")
            var problems: [String] = []
            jobs = try Self.readJobs(path + "/jobs", &problems)
            let opened = try Self.openLog(path + "/operations.log", &problems)
            operations = opened.entries
            log = Mutex(DurableLogBox(log: opened.log))
            self.problems = problems
        } catch {
            Glibc.close(lock)
            throw error
        }
    }

    func close() {
        log.withLock { $0.log.close() }
        Glibc.close(lock)
    }

    /// Writes the newest state of a job's record, which `current` reads once it is this call's turn; nil = nothing to write.
    func write(_ current: () -> JobRecord?) throws(EngineStoreError) {
        let result: Result<Void, EngineStoreError> = recordWrites.withLock { _ in
            guard let record = current() else { return .success(()) }
            return Result { () throws(EngineStoreError) in
                let json: String
                do throws(ControlCodecError) { json = try ControlCodec.json(record) } catch { throw .storage(error.problem) }
                try Self.run { () throws(StoreError) in try DurableFile.replace(path: recordPath(record.id), bytes: Array(json.utf8)) }
            }
        }
        try result.get()
    }

    /// Removes the record of a job that never came to be, or was pushed out.
    func remove(_ job: JobID) {
        // A record that stays is read again at the next start, and shows a job that failed.
        unlink(recordPath(job))
    }

    /// Appends the state of an operation; durable on return.
    func append(_ entry: OperationEntry) throws(EngineStoreError) {
        let json: String
        do throws(ControlCodecError) { json = try ControlCodec.json(entry) } catch { throw .storage(error.problem) }
        let result: Result<Void, EngineStoreError> = log.withLock { box in
            Result { () throws(EngineStoreError) in try Self.run { () throws(StoreError) in try box.log.append(json) } }
        }
        try result.get()
    }

    private func recordPath(_ job: JobID) -> String { "\(path)/jobs/\(job).json" }

    // MARK: Opening

    private static func run<Value>(_ body: () throws(StoreError) -> Value) throws(EngineStoreError) -> Value {
        do throws(StoreError) { return try body() } catch { throw .storage(error.description) }
    }

    private static func makeDirectories(_ path: String) throws(EngineStoreError) {
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw .system(operation: "make the directory", path: path, errno: errno)
        }
        try makeDirectories(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system(operation: "make the directory", path: path, errno: errno) }
    }

    private static func takeLock(_ path: String) throws(EngineStoreError) -> Int32 {
        let lockPath = path + "/lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(operation: "open", path: lockPath, errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let problem = errno
            var bytes = [UInt8](repeating: 0, count: 16)
            let count = pread(descriptor, &bytes, bytes.count, 0)
            Glibc.close(descriptor)
            guard problem == EWOULDBLOCK else { throw .system(operation: "lock", path: lockPath, errno: problem) }
            let text = String(decoding: bytes[..<max(0, count)].prefix { $0 != 10 }, as: UTF8.self)
            throw .owned(path: path, processID: Int32(text))
        }
        // The pid only serves the message above.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
        return descriptor
    }

    private static func readJobs(_ directory: String, _ problems: inout [String]) throws(EngineStoreError) -> [JobRecord] {
        let names: [String]
        do throws(FilesystemError) { names = try PosixFilesystem().list(directory) } catch {
            throw .system(operation: "list", path: directory, errno: error.errno)
        }
        var jobs: [JobRecord] = []
        for name in names.sorted() where name.hasSuffix(".json") {
            let path = directory + "/" + name
            do throws(EngineStoreError) {
                let bytes = try run { () throws(StoreError) in try DurableFile.read(path: path, maximum: 1 << 30) }
                guard let bytes else { continue }
                do throws(ControlCodecError) { jobs.append(try ControlCodec.decode(JobRecord.self, from: bytes)) } catch {
                    throw .damaged(path: path, problem: error.problem)
                }
            } catch {
                problems.append(error.description)
            }
        }
        return jobs.sorted { ($0.submittedAt, $0.id) < ($1.submittedAt, $1.id) }
    }

    /// The log and the newest state of each operation in it. A log that has grown long is written anew.
    private static func openLog(
        _ path: String, _ problems: inout [String]
    ) throws(EngineStoreError) -> (log: DurableLog, entries: [OperationEntry]) {
        let log = try run { () throws(StoreError) in try DurableLog(path: path) }
        if log.droppedBytes > 0 { problems.append("\(path): a torn last line of \(log.droppedBytes) bytes was cut off") }
        var entries: [OperationID: OperationEntry] = [:]
        for (index, line) in log.recovered.enumerated() {
            do throws(ControlCodecError) {
                let entry = try ControlCodec.decode(OperationEntry.self, from: line.utf8)
                entries[entry.operation] = entry
            } catch {
                problems.append("\(path): record \(index + 1) cannot be read (\(error.problem)); it was passed over")
            }
        }
        let kept = Array(entries.values.sorted { ($0.acceptedAt, $0.operation.description) < ($1.acceptedAt, $1.operation.description) }.suffix(keptOperations))
        guard log.recovered.count > longestLog else { return (log, kept) }
        log.close()
        return (try rewriteLog(path, kept), kept)
    }

    private static func rewriteLog(_ path: String, _ entries: [OperationEntry]) throws(EngineStoreError) -> DurableLog {
        let draft = path + ".new"
        unlink(draft)
        let log = try run { () throws(StoreError) in try DurableLog(path: draft) }
        for entry in entries {
            let json: String
            do throws(ControlCodecError) { json = try ControlCodec.json(entry) } catch { throw .storage(error.problem) }
            try run { () throws(StoreError) in try log.append(json) }
        }
        log.close()
        guard rename(draft, path) == 0 else { throw .system(operation: "replace", path: path, errno: errno) }
        return try run { () throws(StoreError) in try DurableLog(path: path) }
    }
}

/// The log is used under its mutex only.
private struct DurableLogBox: @unchecked Sendable {
    // Sound: the one instance lives inside a Mutex and is never taken out of it.
    let log: DurableLog
}
