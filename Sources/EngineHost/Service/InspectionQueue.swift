internal import ControlProtocol

/// Decides which snapshot is read next. Pure: reads nothing itself.
///
/// Three lanes work side by side, so that a manifest does not wait for gigabytes, nor an operator's restart for a viewer. Within a lane operators
/// come before viewers, and the connections of one level take turns, each with one read at a time.
struct InspectionQueue<Work> {
    enum Lane: CaseIterable, Sendable {
        /// Reads of a manifest alone, for any client.
        case manifest
        /// Reads of whole snapshots for operators, including those before a restart.
        case verification
        /// Reads of whole snapshots for viewers.
        case viewing

        init(level: AccessLevel, isWhole: Bool) { self = !isWhole ? .manifest : level == .operator ? .verification : .viewing }
    }

    struct Ticket {
        let number: UInt64
        let lane: Lane
        let level: AccessLevel
        /// The waiting client; 0 = the engine itself.
        let connection: UInt64
        let work: Work
    }

    private var waiting: [Ticket] = []
    private var running: [Lane: Ticket] = [:]
    private var lastNumber: UInt64 = 0
    /// Last ticket of each connection.
    private var servedAt: [UInt64: UInt64] = [:]

    var isEmpty: Bool { waiting.isEmpty && running.isEmpty }

    @discardableResult
    mutating func add(_ work: Work, level: AccessLevel, connection: UInt64, isWhole: Bool) -> Ticket {
        lastNumber += 1
        let ticket = Ticket(number: lastNumber, lane: Lane(level: level, isWhole: isWhole), level: level, connection: connection, work: work)
        waiting.append(ticket)
        return ticket
    }

    /// Next read of a lane, which is then busy until `finish`; nil = it is busy, or has no work.
    mutating func next(_ lane: Lane) -> Ticket? {
        guard running[lane] == nil else { return nil }
        let candidates = waiting.indices.filter { waiting[$0].lane == lane }
        guard let place = candidates.min(by: { isBefore(waiting[$0], waiting[$1]) }) else { return nil }
        let ticket = waiting.remove(at: place)
        running[lane] = ticket
        lastNumber += 1
        servedAt[ticket.connection] = lastNumber
        return ticket
    }

    private func isBefore(_ left: Ticket, _ right: Ticket) -> Bool {
        if left.level != right.level { return left.level > right.level }
        let leftTurn = servedAt[left.connection] ?? 0, rightTurn = servedAt[right.connection] ?? 0
        return leftTurn != rightTurn ? leftTurn < rightTurn : left.number < right.number
    }

    mutating func finish(_ ticket: Ticket) {
        if running[ticket.lane]?.number == ticket.number { running[ticket.lane] = nil }
        if !waiting.contains(where: { $0.connection == ticket.connection }) { servedAt[ticket.connection] = nil }
    }

    /// Drops the waiting reads of this connection. Returns the numbers of its running ones, and the dropped tickets.
    mutating func drop(connection: UInt64) -> (running: [UInt64], dropped: [Ticket]) {
        let dropped = waiting.filter { $0.connection == connection }
        waiting.removeAll { $0.connection == connection }
        servedAt[connection] = nil
        return (running.values.filter { $0.connection == connection }.map(\.number), dropped)
    }

    /// Whether viewers' reads pause because an operator waits for one.
    var viewersRest: Bool { running[.verification] != nil }
}

extension InspectionQueue: Sendable where Work: Sendable {}
extension InspectionQueue.Ticket: Sendable where Work: Sendable {}
