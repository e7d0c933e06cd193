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
            case .outcomes: isLate ? "what became of actions waits to be recorded" : "what became of actions is not recorded"
            case .checkpoints: isLate ? "checkpoints wait to be recorded" : "checkpoints are not recorded; actions are"
            case .audit: "the record of actions cannot be read"
            case .recipe: "how the job was launched cannot be read from the record"
            case .history: "the checkpoints of the past cannot be read"
            case .jars: "what was uploaded to the cluster is not on record: jars are sent anew"
            case .openActions: "what became of actions of earlier runs cannot be looked for"
            }
        return "\(words): \(error)"
    }
}
