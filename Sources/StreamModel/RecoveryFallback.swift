/// Policy for a recovery whose snapshot is damaged or missing. No policy goes back past a checkpoint whose output may have been published, or
/// passes over a snapshot that merely could not be read.
public enum RecoveryFallback: String, Codable, Sendable, CaseIterable {
    /// The job stays down; its failure names the damage and the snapshots to restart from.
    case ask = "ASK"
    /// The job continues from the newest readable snapshot; its failure list names those passed over.
    case newestValid = "NEWEST_VALID"
}
