internal import CheckpointStore
internal import ControlProtocol
internal import Dataflow
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
        case .system(let operation, let path, let errno): "cannot \(operation) \(path): \(FilesystemError.text(errno))"
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
    let path: String
    var checkpointRoot: String { path + "/checkpoints" }
    /// The jobs found at opening.
    let jobs: [JobRecord]
    /// The operations found at opening, oldest first.
    let operations: [OperationEntry]
    /// What could not be read, each in one line; nothing of it was changed.
    let problems: [String]

    private let filesystem: any Filesystem
    private let lock: OpenFile
    private let log: OperationLogBox
    /// Of records, and of the log.
    private let recordTurn, logTurn: Turn

    /// Makes the directory where it is missing, takes its lock and reads what is there.
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
        // The lock is given up even where close reports an error; nothing was written through it that matters.
        do throws(FilesystemError) { try filesystem.close(lock) } catch {}
    }

    /// Writes the newest state of a job's record, which `current` reads once it is this call's turn; nil = nothing to write.
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

    /// Removes the record of a job that never came to be, or was pushed out.
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
        do throws(FilesystemError) { names = try filesystem.list(directory) } catch {
            throw .system(operation: "list", path: directory, errno: error.errno)
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
                // A job that is there and not known could be launched a second time: better no engine than one without it.
                if case .inputOutput = error { throw .storage("\(error.description) The job in it may live: the engine does not start without it") }
                problems.append(error.description)
            }
        }
        return jobs.sorted { ($0.submittedAt, $0.id) < ($1.submittedAt, $1.id) }
    }
}

/// The log is used in its turn only.
private struct OperationLogBox: @unchecked Sendable {
    // Sound: the one instance is touched by whoever has `logTurn`.
    let log: OperationLog
}
