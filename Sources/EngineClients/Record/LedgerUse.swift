public import Ledger

/// What the ledger is used for: what goes without when it fails.
public enum LedgerUse: Sendable {
    case everything
    case actions, outcomes, checkpoints
    case audit, recipe, history, openActions, jars

    /// One line for the operator: what is missing, and why.
    public func notice(_ error: LedgerError) -> String {
        // What was locked is written when it is free again, unless the console ends before.
        let isLate = if case .locked = error { true } else { false }
        let words =
            switch self {
            case .everything: isLate ? "actions and checkpoints wait to be recorded" : "actions and checkpoints are not recorded"
            case .actions: isLate ? "actions wait to be recorded" : "actions are not recorded"
            case .outcomes: isLate ? "the outcomes of actions wait to be recorded" : "the outcomes of actions are not recorded"
            case .checkpoints: isLate ? "checkpoints wait to be recorded" : "checkpoints are not recorded; actions are"
            case .audit: "the record of actions cannot be read"
            case .recipe: "the job's launch recipe cannot be read from the record"
            case .history: "past checkpoints cannot be read"
            case .jars: "uploaded jars are not on record: they are sent again"
            case .openActions: "the outcomes of earlier actions cannot be looked up"
            }
        return "\(words): \(error)"
    }
}
