internal import ControlProtocol
internal import StreamModel

/// A connection as seen by the seat plan.
struct Seat: Equatable, Sendable {
    var number: UInt64
    var level: AccessLevel
    var userID: UInt32
    var processID: Int32
    /// Whether it said hello.
    var hasGreeted = false
    /// Whether it subscribed, or waits for a reply.
    var isBusy = false
    /// Time of its last activity.
    var heardAt: EngineInstant
}

/// Decides who gets a seat when all are taken. Pure.
///
/// A connection that never said hello gives way first, then the longest idle one of the client that holds most seats; a busy one gives way only if
/// its owner would still hold more than the newcomer's. A viewer never takes an operator's seat, and some seats are closed to viewers.
struct SeatPlan: Equatable, Sendable {
    enum Decision: Equatable {
        case admit
        /// This connection has to leave.
        case replace(UInt64)
        case refuse
    }

    /// Number of all seats.
    var total: Int
    /// Number of seats that viewers leave to operators.
    var forOperators: Int

    func decide(_ newcomer: Seat, taken: [Seat]) -> Decision {
        let viewers = taken.count { $0.level == .viewer }
        let hasRoom = taken.count < total && (newcomer.level == .operator || viewers < total - forOperators)
        guard !hasRoom else { return .admit }
        let holdings = Holdings(taken)
        let leaving = taken.filter { $0.level <= newcomer.level && (!$0.hasGreeted || !$0.isBusy || holdings.owns($0, moreThan: newcomer)) }
            .min { left, right in rank(left, holdings).lexicographicallyPrecedes(rank(right, holdings)) }
        return leaving.map { .replace($0.number) } ?? .refuse
    }

    /// Rank for leaving: the lowest leaves.
    private func rank(_ seat: Seat, _ holdings: Holdings) -> [Int64] {
        let work: Int64 = !seat.hasGreeted ? 0 : !seat.isBusy ? 1 : 2
        return [
            work, seat.level == .viewer ? 0 : 1, -Int64(holdings.ofUser(seat)), -Int64(holdings.ofProcess(seat)), seat.heardAt.nanoseconds,
            Int64(clamping: seat.number),
        ]
    }
}

/// Numbers of seats held by users and their processes.
private struct Holdings {
    private struct Process: Hashable { var userID: UInt32, processID: Int32 }
    private var users: [UInt32: Int] = [:]
    private var processes: [Process: Int] = [:]

    init(_ seats: [Seat]) {
        for seat in seats {
            users[seat.userID, default: 0] += 1
            processes[Process(userID: seat.userID, processID: seat.processID), default: 0] += 1
        }
    }

    func ofUser(_ seat: Seat) -> Int { users[seat.userID] ?? 0 }
    func ofProcess(_ seat: Seat) -> Int { processes[Process(userID: seat.userID, processID: seat.processID)] ?? 0 }

    /// Whether its owner would still hold more after giving one seat to the newcomer.
    func owns(_ seat: Seat, moreThan newcomer: Seat) -> Bool {
        if seat.userID != newcomer.userID { return ofUser(seat) > ofUser(newcomer) + 1 }
        return seat.processID != newcomer.processID && ofProcess(seat) > ofProcess(newcomer) + 1
    }
}
