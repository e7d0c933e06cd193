import CellGrid
import StreamModel

/// The reason that an action is unavailable.
enum Refusal: Sendable, Equatable {
    case tooSmall(Size)
    case frozen
    case noJob
    case readOnly(context: String)
    case viewer(context: String)
    case historyServer(context: String)
    case noLink(context: String)
    case notReported(context: String)
    /// The cluster's list has it no more.
    case missing(job: String)
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
        case .tooSmall(let size): "actions need a terminal of \(ConsoleModel.fullSize.text); this one is \(size.text)"
        case .frozen: "the screen is frozen: \(keys.label(.freeze)) returns to live"
        case .noJob: "there is no job here"
        case .readOnly(let context): "\(context) is read-only here"
        case .viewer(let context): "this link to \(context) is view-only"
        case .historyServer(let context): "\(context) is a history server: it runs no jobs"
        case .noLink(let context): "there is no link to \(context)"
        case .notReported(let context): "the job is not in the last report of \(context)"
        case .missing(let job): "\(job) is not in the list of its cluster: nothing can be sent to it"
        case .cannotCheckpoint(let engine): "\(engine) cannot trigger a checkpoint on request: take a savepoint"
        case .cannotDispose(let engine): "\(engine) cannot delete savepoints: remove the directory once no job needs it"
        case .noSnapshot: "no savepoint is selected: choose one on \(keys.label(.checkpoints)), or type :dispose PATH"
        case .notRunning(let job, let state): "\(job) is \(state.rawValue), not RUNNING"
        case .ended(let job, let state): "\(job) is already \(state.rawValue)"
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
        case .historyServer: "history"
        case .noLink: "no link"
        case .notReported: "job unknown"
        case .missing: "not listed"
        case .cannotCheckpoint, .cannotDispose: "not here"
        case .noSnapshot: "none selected"
        case .notRunning(_, let state), .ended(_, let state): SafeText(state.rawValue)
        }
    }
}
