internal import ControlProtocol
internal import StreamModel

/// Decides whose request is served next: operators before viewers, clients of one level in turn, and nobody beyond the budget of the
/// connection, of its user, and of its level. A client beyond it waits; its requests stay in place. Pure: no clock, no socket.
struct ServingOrder: Sendable {
    /// Owner of the shared budget of connections. Outlives the connection: reconnecting refills nothing.
    struct Owner: Hashable, Sendable {
        var level: AccessLevel
        var userID: UInt32
    }

    enum Turn: Equatable {
        case serve(UInt64)
        /// All who ask are beyond their budget until this time.
        case wait(until: EngineInstant)
        case idle
    }

    private struct Member: Sendable {
        var owner: Owner
        var budget: WorkBudget
    }

    private let shares: ControlShares
    private var members: [UInt64: Member] = [:]
    private var owners: [Owner: WorkBudget] = [:]
    private var levels: [AccessLevel: WorkBudget] = [:]
    /// Connections with requests, longest waiting first.
    private var asking: [UInt64] = []

    init(_ shares: ControlShares) { self.shares = shares }

    mutating func join(_ connection: UInt64, _ owner: Owner, at now: EngineInstant) {
        members[connection] = Member(owner: owner, budget: WorkBudget(shares[owner.level].connection, at: now))
        if owners[owner] == nil { owners[owner] = WorkBudget(shares[owner.level].user, at: now) }
        if levels[owner.level] == nil { levels[owner.level] = WorkBudget(shares[owner.level].level, at: now) }
    }

    mutating func leave(_ connection: UInt64, at now: EngineInstant) {
        asking.removeAll { $0 == connection }
        members[connection] = nil
        // A full budget is the same as none.
        owners = owners.filter { owner, budget in !budget.isFull(at: now) || members.values.contains { $0.owner == owner } }
    }

    /// Queues a connection with a request. It keeps its place if it asked before.
    mutating func ask(_ connection: UInt64) {
        guard members[connection] != nil, !asking.contains(connection) else { return }
        asking.append(connection)
    }

    /// The next connection to serve; it has to ask again for another turn.
    mutating func next(at now: EngineInstant) -> Turn {
        guard !asking.isEmpty else { return .idle }
        var earliest: EngineInstant?
        for level in AccessLevel.allCases.sorted(by: >) {
            for (place, connection) in asking.enumerated() {
                guard let member = members[connection], member.owner.level == level else { continue }
                let ready = readyAt(member, now)
                if ready <= now {
                    asking.remove(at: place)
                    return .serve(connection)
                }
                earliest = earliest.map { min($0, ready) } ?? ready
            }
        }
        return earliest.map { .wait(until: $0) } ?? .idle
    }

    private func readyAt(_ member: Member, _ now: EngineInstant) -> EngineInstant {
        [member.budget, owners[member.owner], levels[member.owner.level]].compactMap { $0?.readyAt(now) }.max() ?? now
    }

    /// Charges work done for a connection.
    mutating func charge(_ nanoseconds: Int64, to connection: UInt64, at now: EngineInstant) {
        guard nanoseconds > 0, let owner = members[connection]?.owner else { return }
        members[connection]?.budget.charge(nanoseconds, at: now)
        owners[owner]?.charge(nanoseconds, at: now)
        levels[owner.level]?.charge(nanoseconds, at: now)
    }
}

/// Processor time for requests and replies, by level.
public struct ControlShares: Sendable, Equatable {
    public struct Shares: Sendable, Equatable {
        public var connection: WorkShare
        /// Share of all connections of a user.
        public var user: WorkShare
        /// Share of all connections of the level.
        public var level: WorkShare

        public init(connection: WorkShare, user: WorkShare, level: WorkShare) {
            self.connection = connection
            self.user = user
            self.level = level
        }
    }

    public var operators = Shares(
        connection: WorkShare(permille: 40, burst: 300), user: WorkShare(permille: 80, burst: 600), level: WorkShare(permille: 100, burst: 800))
    public var viewers = Shares(
        connection: WorkShare(permille: 20, burst: 150), user: WorkShare(permille: 30, burst: 250), level: WorkShare(permille: 40, burst: 300))
    /// Share for making and sending reports.
    public var reports = WorkShare(permille: 40, burst: 200)

    public init() {}

    subscript(_ level: AccessLevel) -> Shares { level == .operator ? operators : viewers }
}
