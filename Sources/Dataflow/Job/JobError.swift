internal import CheckpointStore
public import StreamModel

/// Reason why a job could not be built, launched, restored or queried. The description is one sentence for the operator: the problem, its place, the
/// remedy.
public enum JobError: Error, Hashable, Sendable, CustomStringConvertible {
    case invalidGraph(String)
    case parallelism(Int, maximum: Int)
    case configuration(String)
    case storage(String)
    /// A read was refused now and may succeed later. Nothing was passed over or moved.
    case unreadable(String)
    /// The job cannot continue automatically without going back too far: it stays down until an operator decides.
    case recoveryRefused(String)
    case foreignSnapshot(path: String, reason: String)
    case unmatchedState(path: String, operators: [String])
    case maxParallelismMismatch(path: String, stored: Int, wanted: Int)
    case hashMismatch(path: String, stored: String)
    case stateTypeChanged(path: String, operatorUID: String, state: String, stored: String, wanted: String)
    case unreadableState(path: String, operatorUID: String, state: String, detail: String)
    case source(String)
    case sink(String)
    /// Input or output of a kind that no restart makes right.
    case unusable(String)
    /// Another job owns the place of a sink.
    case outputOwned(String)
    /// Another job has taken over the place of a sink: this one must not write there again automatically.
    case outputTaken(String)
    case notRunning(JobState)
    case checkpointFailed(CheckpointFailureReason, String)
    case noSavepointDirectory
    case faultsNotAllowed(String)
    case injected(String)
    case task(String)
    case threads(String)
    /// An error caused by a shortage of the machine: the job waits for its end without using up a restart. A connector may throw it too.
    indirect case lacking(Shortage, JobError)

    /// Converts a store error. A damaged snapshot stays damaged; a refused call may succeed later.
    init(_ error: StoreError) {
        let plain = error.isLoss ? JobError.storage(error.description) : .unreadable(error.description)
        self = plain.because(error.shortage)
    }

    public var description: String {
        switch self {
        case .invalidGraph(let problem): "the job graph is not valid: \(problem)"
        case .parallelism(let value, let maximum): "parallelism \(value) is out of range: give 1 to \(maximum) (the maximum parallelism)"
        case .configuration(let problem): problem
        case .storage(let problem), .unreadable(let problem), .recoveryRefused(let problem): problem
        case .foreignSnapshot(let path, let reason): "\(path) belongs to another job (\(reason)): choose a checkpoint of this one"
        case .unmatchedState(let path, let operators):
            "\(path) has state of operators that the job does not have (\(operators.joined(separator: ", "))): "
                + "give them their uid back, or allow unmatched state to drop it"
        case .maxParallelismMismatch(let path, let stored, let wanted):
            "\(path) was written with maximum parallelism \(stored), the job asks for \(wanted): remove the job's setting or choose another checkpoint"
        case .hashMismatch(let path, let stored): "\(path) distributes keys by \"\(stored)\", which is unknown to this engine: use the engine that wrote it"
        case .stateTypeChanged(let path, let uid, let state, let stored, let wanted):
            "state \"\(state)\" of operator \"\(uid)\" in \(path) has the shape \(stored), the job wants \(wanted): declare a migration, start the program that wrote it, or drop the state"
        case .unreadableState(let path, let uid, let state, let detail):
            "state \"\(state)\" of operator \"\(uid)\" in \(path) does not read back (\(detail)): choose another checkpoint"
        case .source(let problem), .sink(let problem), .unusable(let problem), .outputOwned(let problem), .outputTaken(let problem), .threads(let problem):
            problem
        case .notRunning(let state): "the job is \(state.rawValue), not RUNNING: wait until it runs, or restart it"
        case .checkpointFailed(let reason, let message): message.isEmpty ? reason.rawValue : "\(message) (\(reason.rawValue))"
        case .noSavepointDirectory: "no directory for savepoints is configured: name one in the request"
        case .faultsNotAllowed(let name): "job \"\(name)\" does not allow fault injection: only demonstration jobs do"
        case .injected(let what): "injected fault: \(what)"
        case .task(let message): message
        case .lacking(_, let error): error.description
        }
    }
}
