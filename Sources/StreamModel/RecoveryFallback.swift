/// What a recovery does when the snapshot that it should go on from is damaged or gone. Whatever is chosen, a recovery never goes back past
/// a checkpoint whose output may have been published, and never passes over a snapshot that merely could not be read.
public enum RecoveryFallback: String, Codable, Sendable, CaseIterable {
    /// The job stays down; its failure says what is damaged and what there is to restart from.
    case ask = "ASK"
    /// The job goes on from the newest snapshot that reads back, and its failure list says what was passed over.
    case newestValid = "NEWEST_VALID"
}
