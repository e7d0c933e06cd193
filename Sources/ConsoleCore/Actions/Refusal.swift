import CellGrid
import StreamModel

/// Why a key that acts cannot act now.
enum Refusal: Sendable, Equatable {
    case tooSmall(Size)
    case frozen
    case noJob
    case readOnly(context: String)
    case viewer(context: String)
    case noLink(context: String)
    case notReported(context: String)
    /// `engine` names it with its version.
    case cannotCheckpoint(engine: String)
    /// `engine` names it with its version.
    case cannotDispose(engine: String)
    case noSnapshot
    case notRunning(job: String, JobState)
    case ended(job: String, JobState)

    /// For the message row.
    func text(_ keys: KeyMap) -> SafeText {
        switch self {
        case .tooSmall(let size): "actions need a terminal of 80x24; this one is \(size.columns)x\(size.rows)"
        case .frozen: "the screen is frozen: \(keys.label(.freeze)) returns to live"
        case .noJob: "there is no job here"
        case .readOnly(let context): "\(context) is read-only here"
        case .viewer(let context): "this link to \(context) may only look"
        case .noLink(let context): "there is no link to \(context)"
        case .notReported(let context): "the job is not in the last report of \(context)"
        case .cannotCheckpoint(let engine): "\(engine) cannot begin a checkpoint on request: take a savepoint"
        case .cannotDispose(let engine): "\(engine) deletes no savepoints on request: remove the directory when no job needs it"
        case .noSnapshot: "no savepoint is selected here: choose one on \(keys.label(.checkpoints)), or type :dispose PATH"
        case .notRunning(let job, let state): "\(job) is \(state.rawValue), not RUNNING"
        case .ended(let job, let state): "\(job) is \(state.rawValue) already"
        }
    }

    /// For the action row.
    var short: SafeText {
        switch self {
        case .tooSmall: "too small"
        case .frozen: "frozen"
        case .noJob: "no job"
        case .readOnly: "read-only"
        case .viewer: "viewer"
        case .noLink: "no link"
        case .notReported: "job unknown"
        case .cannotCheckpoint, .cannotDispose: "not here"
        case .noSnapshot: "none selected"
        case .notRunning(_, let state), .ended(_, let state): SafeText(state.rawValue)
        }
    }
}
