internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
internal import HostEnvironment
internal import StreamModel
internal import Synchronization

/// Reason why the engine's own records are unusable.
public enum EngineStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another engine holds the directory.
    case owned(path: String, processID: Int32?)
    case system(operation: String, path: String, errno: Int32)
    /// An unreadable record, left unchanged.
    case damaged(path: String, problem: String)
    case storage(String)

    public var description: String {
        switch self {
        case .owned(let path, let processID):
            "state directory \(path) is in use by another engine\(processID.map { " (pid \($0))" } ?? ""): stop it or name another with --state"
        case .system(let operation, let path, let errno): "cannot \(operation) \(path): \(FilesystemError.text(errno))"
        case .damaged(let path, let problem): "\(path) is damaged (\(problem)); it was left unchanged: move it away to start without it"
        case .storage(let problem): problem
        }
    }
}

/// The engine's state directory: its owner, one record per job, and the log of operations.
///
///     <state>/lock               held while the engine lives, with its pid
///     <state>/jobs/<job>.json    one record per submission, replaced as a whole
///     <state>/operations.log     one line per change of an operation, durable before it is acted on
///     <state>/engine.log         what has happened, for operators; no promise, see `LogFile`
///     <state>/checkpoints/       checkpoints, one directory per job
///
/// May be called from any thread; writes are serialised.
final class EngineStore: Sendable {
    let path: String
    var checkpointRoot: String { path + "/checkpoints" }
    /// Jobs found at opening.
    let jobs: [JobRecord]
    /// Operations found at opening, oldest first.
    let operations: [OperationEntry]
    /// Files that could not be read, one line each; none of them was changed.
    let problems: [String]

    private let filesystem: any Filesystem
    private let lock: OpenFile
    private let log: OperationLogBox
    /// Turns for records and for the log.
    private let recordTurn, logTurn: Turn

    /// Makes a missing directory, takes its lock and reads its records.
    init(path: String, host: any EngineHost) throws(EngineStoreError) {
        let filesystem = host.filesystem
        self.path = path
        self.filesystem = filesystem
        (recordTurn, logTurn) = (Turn(host: host), Turn(host: host))
        lock = try Self.run { () throws(StoreError) in
            try DurableDirectory.make(path: path, filesystem: filesystem)
            return try OwnerLock.take(path: path + "/lock", filesystem: filesystem)
        }
        do throws(EngineStoreError) {
            try Self.run { () throws(StoreError) in try DurableDirectory.make(path: path + "/jobs", filesystem: filesystem) }
            var problems: [String] = []
            jobs = try Self.readJobs(path + "/jobs", filesystem, &problems)
            let log = try Self.run { () throws(StoreError) in try OperationLog(path: path + "/operations.log", filesystem: filesystem) }
            operations = log.entries
            self.problems = problems + log.problems
            self.log = OperationLogBox(log: log)
        } catch {
            Self.release(lock, filesystem)
            throw error
        }
    }

    func close() {
        logTurn.take { log.log.close() }
        Self.release(lock, filesystem)
    }

    private static func release(_ lock: OpenFile, _ filesystem: any Filesystem) {
        // The lock is released even if close reports an error; nothing important was written through it.
        do throws(FilesystemError) { try filesystem.close(lock) } catch {}
    }

    /// Writes the newest state of a job's record, read by `current` once it is this call's turn; nil = nothing to write.
    func write(_ current: () -> JobRecord?) throws(EngineStoreError) {
        try recordTurn.take { () throws(EngineStoreError) in
            guard let record = current() else { return }
            let json: String
            do throws(ControlCodecError) { json = try ControlCodec.json(record) } catch { throw .storage(error.problem) }
            try Self.run { () throws(StoreError) in
                try DurableFile.replace(path: recordPath(record.id), bytes: Array(json.utf8), filesystem: filesystem)
            }
        }
    }

    /// Removes the record of a job that never ran, or of one evicted as too old.
    func remove(_ job: JobID) throws(EngineStoreError) {
        let directory = path + "/jobs"
        do throws(FilesystemError) {
            if try filesystem.status(recordPath(job)) != nil { try filesystem.unlink(recordPath(job)) }
            try filesystem.syncDirectory(directory)
        } catch { throw .system(operation: error.operation.rawValue, path: recordPath(job), errno: error.errno) }
    }

    /// Appends the state of an operation; durable on return.
    func append(_ entry: OperationEntry) throws(EngineStoreError) {
        try logTurn.take { () throws(EngineStoreError) in try Self.run { () throws(StoreError) in try log.log.append(entry) } }
    }

    private func recordPath(_ job: JobID) -> String { "\(path)/jobs/\(job).json" }

    // MARK: Opening

    private static func run<Value>(_ body: () throws(StoreError) -> Value) throws(EngineStoreError) -> Value {
        do throws(StoreError) { return try body() } catch {
            if case .owned(let path, let processID) = error, path.hasSuffix("/lock") {
                throw .owned(path: String(path.dropLast("/lock".count)), processID: processID)
            }
            throw .storage(error.description)
        }
    }

    private static func readJobs(
        _ directory: String, _ filesystem: any Filesystem, _ problems: inout [String]
    ) throws(EngineStoreError) -> [JobRecord] {
        let names: [String]
        do throws(FilesystemError) {
            // The records read may exist only in the cache, if the last engine died while replacing one; this engine is about to act on them.
            try filesystem.syncDirectory(directory)
            names = try filesystem.list(directory)
        } catch {
            throw .system(operation: error.operation.rawValue, path: directory, errno: error.errno)
        }
        var jobs: [JobRecord] = []
        for name in names.sorted() where name.hasSuffix(".json") {
            let path = directory + "/" + name
            do throws(StoreError) {
                guard let bytes = try DurableFile.read(path: path, maximum: 1 << 30, filesystem: filesystem) else { continue }
                do throws(ControlCodecError) { jobs.append(try ControlCodec.decode(JobRecord.self, from: bytes)) } catch {
                    problems.append(EngineStoreError.damaged(path: path, problem: error.problem).description)
                }
            } catch {
                // An unknown live job could be launched a second time: no engine is better than one without that job.
                if case .inputOutput = error { throw .storage("\(error.description) The job in it may be live: the engine does not start without it") }
                problems.append(error.description)
            }
        }
        return jobs.sorted { ($0.submittedAt, $0.id) < ($1.submittedAt, $1.id) }
    }
}

/// Box for the log, which is used only in its turn.
private struct OperationLogBox: @unchecked Sendable {
    // Sound: only the holder of `logTurn` touches the one instance.
    let log: OperationLog
}
