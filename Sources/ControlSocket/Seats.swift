internal import ControlProtocol
internal import StreamModel

/// One connection as the plan of the seats sees it.
struct Seat: Equatable, Sendable {
    var number: UInt64
    var level: AccessLevel
    var userID: UInt32
    var processID: Int32
    /// It said hello.
    var hasGreeted = false
    /// It subscribed, or waits for a reply.
    var isBusy = false
    /// When it was last heard of.
    var heardAt: EngineInstant
}

/// Who gets a seat when all are taken. Pure.
///
/// A connection that never said hello gives way first, then the one that idles longest, of whoever holds most seats; one at work gives way
/// only where its owner would still hold more than the newcomer's. A viewer never takes an operator's seat, and some seats no viewer takes.
struct SeatPlan: Equatable, Sendable {
    enum Decision: Equatable {
        case admit
        /// This one has to leave.
        case replace(UInt64)
        case refuse
    }

    /// All seats.
    var total: Int
    /// Of these, viewers leave so many to operators.
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

    /// The smallest leaves.
    private func rank(_ seat: Seat, _ holdings: Holdings) -> [Int64] {
        let work: Int64 = !seat.hasGreeted ? 0 : !seat.isBusy ? 1 : 2
        return [
            work, seat.level == .viewer ? 0 : 1, -Int64(holdings.ofUser(seat)), -Int64(holdings.ofProcess(seat)), seat.heardAt.nanoseconds, Int64(clamping: seat.number),
        ]
    }
}

/// How many seats users and their processes hold.
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

    /// Also when one of them has gone to the newcomer.
    func owns(_ seat: Seat, moreThan newcomer: Seat) -> Bool {
        if seat.userID != newcomer.userID { return ofUser(seat) > ofUser(newcomer) + 1 }
        return seat.processID != newcomer.processID && ofProcess(seat) > ofProcess(newcomer) + 1
    }
}
