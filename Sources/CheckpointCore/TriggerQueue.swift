public import StreamModel

/// A request for a checkpoint, by the timer, by a user, or by a job whose input has ended.
public struct TriggerRequest: Sendable, Equatable {
    public enum Origin: Sendable, Hashable {
        case timer
        case user(TriggerToken)
        case endOfInput
    }
    public let origin: Origin
    public let kind: CheckpointKind
    public let arrivedAt: EngineInstant
    /// Sequence number, unique in one coordinator; distinguishes requests of the same instant.
    public let sequence: UInt64

    public init(origin: Origin, kind: CheckpointKind, arrivedAt: EngineInstant, sequence: UInt64) {
        self.origin = origin
        self.kind = kind
        self.arrivedAt = arrivedAt
        self.sequence = sequence
    }

    public var isPeriodic: Bool { origin == .timer }
    public var isFinal: Bool { origin == .endOfInput }
    /// Whether it bypasses the concurrency limit: savepoints (rule 1.7, aligned), and the final checkpoint.
    public var isForced: Bool { kind.isSavepoint || isFinal }
    public var token: TriggerToken? {
        if case .user(let token) = origin { token } else { nil }
    }

    /// Orders requests by rule 1.3: savepoints, then forced ones, then those of users, older ones first. The final checkpoint comes first of all.
    func precedes(_ other: Self) -> Bool {
        if isFinal != other.isFinal { return isFinal }
        if kind.isSavepoint != other.kind.isSavepoint { return kind.isSavepoint }
        if isForced != other.isForced { return isForced }
        if isPeriodic != other.isPeriodic { return !isPeriodic }
        if arrivedAt != other.arrivedAt { return arrivedAt < other.arrivedAt }
        return sequence < other.sequence
    }
}

/// Queued requests, best first (rule 1.3). At most `capacity`, with at most one tick: Flink lets blocked ticks accumulate and runs them back to
/// back, which helps nobody.
public struct TriggerQueue: Sendable, Equatable {
    /// Flink's `MAX_QUEUED_REQUESTS`.
    public static let capacity = 1000

    private var requests: [TriggerRequest] = []

    public init() {}

    public var count: Int { requests.count }
    public var head: TriggerRequest? { requests.first }

    /// Inserts a request. Returns the one without room: the new one, or the last in order; nil = all have room. A tick that finds another
    /// waiting has no room, and nobody to notify.
    public mutating func insert(_ request: TriggerRequest) -> TriggerRequest? {
        if request.isPeriodic, requests.contains(where: \.isPeriodic) { return request }
        if requests.count >= Self.capacity, let worst = requests.last, !worst.isPeriodic, !request.isFinal { return request }
        let index = requests.firstIndex { request.precedes($0) } ?? requests.endIndex
        requests.insert(request, at: index)
        return requests.count > Self.capacity ? requests.removeLast() : nil
    }

    public mutating func removeHead() -> TriggerRequest? { requests.isEmpty ? nil : requests.removeFirst() }

    /// Empties the queue, best first.
    public mutating func removeAll() -> [TriggerRequest] {
        defer { requests = [] }
        return requests
    }
}
