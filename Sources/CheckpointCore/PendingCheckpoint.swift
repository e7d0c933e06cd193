public import StreamModel

/// A checkpoint or savepoint in flight, from its id to its completion or failure. The phases are those of the diagram at
/// `CheckpointCoordinator`. Only the coordinator changes it; reports read it.
public struct PendingCheckpoint: Sendable, Equatable {
    public enum Phase: Sendable, Hashable, CaseIterable {
        /// Its directory is being made.
        case preparing
        /// Barriers are flowing; subtasks acknowledge.
        case acknowledging
        /// All subtasks have acknowledged; another checkpoint is being committed.
        case acknowledged
        /// Its manifest is being written. Only the answer ends this phase.
        case committing
    }

    public let id: CheckpointID
    public let kind: CheckpointKind
    public let token: TriggerToken?
    /// Whether it is the final checkpoint of a job whose input has ended.
    public let isFinal: Bool
    public let triggeredAt: EngineInstant
    public let timeoutAt: EngineInstant
    public let totalSubtasks: Int
    public internal(set) var phase = Phase.preparing
    /// Subtasks that have not acknowledged yet.
    public internal(set) var awaited: Set<SubtaskID>
    /// Whether its attempt ended during the commit.
    var isOrphaned = false

    init(
        id: CheckpointID, kind: CheckpointKind, token: TriggerToken?, isFinal: Bool, triggeredAt: EngineInstant, timeout: Milliseconds,
        tasks: Set<SubtaskID>
    ) {
        self.id = id
        self.kind = kind
        self.token = token
        self.isFinal = isFinal
        self.triggeredAt = triggeredAt
        timeoutAt = triggeredAt + timeout
        totalSubtasks = tasks.count
        awaited = tasks
    }

    public var acknowledgedSubtasks: Int { totalSubtasks - awaited.count }

    /// Progress such as "3 of 4 subtasks have acknowledged; waiting for 2.0", with at most three names.
    var progress: String {
        let names = awaited.sorted().prefix(3).map(\.description).joined(separator: ", ")
        let more = awaited.count > 3 ? " and \(awaited.count - 3) more" : ""
        let waiting = awaited.isEmpty ? "" : "; waiting for \(names)\(more)"
        return "\(acknowledgedSubtasks) of \(totalSubtasks) subtasks have acknowledged\(waiting)"
    }
}
