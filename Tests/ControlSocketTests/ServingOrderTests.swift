// Goal: operators come before viewers, clients of one level in turn, nobody beyond a budget; and a full house makes room for who needs it.
// Method: tables over the pure values, with a clock that the test moves.

import StreamModel
import Testing

@testable import ControlProtocol
@testable import ControlSocket

@Suite struct WorkBudgetTests {
    private func at(_ milliseconds: Int64) -> EngineInstant { EngineInstant(milliseconds: milliseconds) }

    @Test(arguments: [
        // Spent milliseconds at once -> milliseconds until the next piece of work may begin, at 10 % and a burst of 100 ms.
        (0, 0), (50, 0), (99, 0), (101, 10), (150, 500), (200, 1000), (5000, 1000),
    ])
    func debtsDelayTheNextRequest(spent: Int64, wait: Int64) {
        var budget = WorkBudget(WorkShare(permille: 100, burst: 100), at: at(0))
        budget.charge(spent * 1_000_000, at: at(0))
        let ready = budget.readyAt(at(0))
        #expect(abs((ready - at(0)).count - wait) <= 1)
        #expect(budget.readyAt(ready) == ready, "when it is told to come it is served")
    }

    @Test func aBudgetRefillsToItsBurst() {
        var budget = WorkBudget(WorkShare(permille: 100, burst: 100), at: at(0))
        budget.charge(100_000_000, at: at(0))
        #expect(!budget.isFull(at: at(999)) && budget.isFull(at: at(1000)))
        budget.charge(101_000_000, at: at(86_400_000_000))
        #expect(budget.readyAt(at(86_400_000_000)) > at(86_400_000_000), "a thousand days of rest are one burst")
    }

    @Test func aClockThatStopsOrGoesBackDoesNotTrap() {
        var budget = WorkBudget(WorkShare(permille: 1000, burst: 1), at: at(1000))
        budget.charge(2_000_000, at: at(0))
        #expect(budget.readyAt(at(0)) > at(0))
        #expect(budget.isFull(at: EngineInstant(nanoseconds: .max)))
    }
}

@Suite struct ServingOrderTests {
    private func at(_ milliseconds: Int64) -> EngineInstant { EngineInstant(milliseconds: milliseconds) }

    private func order(_ members: [(UInt64, AccessLevel, UInt32)]) -> ServingOrder {
        var order = ServingOrder(ControlShares())
        for (number, level, user) in members { order.join(number, ServingOrder.Owner(level: level, userID: user), at: at(0)) }
        return order
    }

    private func turns(_ order: inout ServingOrder, at now: EngineInstant) -> [UInt64] {
        var served: [UInt64] = []
        while case .serve(let number) = order.next(at: now) { served.append(number) }
        return served
    }

    @Test func operatorsOvertakeViewers() {
        var order = order([(1, .viewer, 7), (2, .viewer, 7), (3, .operator, 0), (4, .viewer, 8), (5, .operator, 0)])
        for number: UInt64 in [1, 2, 4, 5, 3] { order.ask(number) }
        #expect(turns(&order, at: at(0)) == [5, 3, 1, 2, 4])
        #expect(order.next(at: at(0)) == .idle)
    }

    @Test func clientsOfALevelTakeTurns() {
        var order = order([(1, .operator, 0), (2, .operator, 0), (3, .operator, 0)])
        for number: UInt64 in [1, 2, 3] { order.ask(number) }
        var served: [UInt64] = []
        for _ in 0..<9 {
            guard case .serve(let number) = order.next(at: at(0)) else { break }
            served.append(number)
            order.ask(number)
            order.ask(number)
        }
        #expect(served == [1, 2, 3, 1, 2, 3, 1, 2, 3])
    }

    @Test func aClientBeyondItsBudgetWaitsWithoutDelayingOthers() {
        var order = order([(1, .operator, 0), (2, .viewer, 7), (3, .operator, 9)])
        order.charge(10_000_000_000, to: 1, at: at(0))
        for number: UInt64 in [1, 2] { order.ask(number) }
        // The operators' level as a whole is spent too, so the viewer comes first.
        #expect(order.next(at: at(0)) == .serve(2))
        guard case .wait(let until) = order.next(at: at(0)) else {
            Issue.record("the spent one is to wait")
            return
        }
        #expect(until > at(0) && until < at(10_000))
        #expect(order.next(at: until) == .serve(1))
    }

    @Test func oneConnectionDoesNotSpendItsUsersBudget() {
        let shares = ControlShares()
        var order = order([(1, .operator, 0), (2, .operator, 0)])
        order.charge(shares.operators.connection.burst.count * 1_000_000 + 1, to: 1, at: at(0))
        for number: UInt64 in [1, 2] { order.ask(number) }
        #expect(turns(&order, at: at(0)) == [2])
    }

    @Test func reconnectingRefillsNothing() {
        var order = order([(1, .viewer, 7)])
        order.charge(60_000_000_000, to: 1, at: at(0))
        order.leave(1, at: at(0))
        order.join(2, ServingOrder.Owner(level: .viewer, userID: 7), at: at(1))
        order.ask(2)
        guard case .wait = order.next(at: at(1)) else {
            Issue.record("a new connection of the same user has its budget again")
            return
        }
    }

    @Test func departedClientsAreNotServed() {
        var order = order([(1, .viewer, 7), (2, .viewer, 7)])
        order.ask(1)
        order.ask(2)
        order.leave(1, at: at(0))
        order.ask(1)
        #expect(turns(&order, at: at(0)) == [2])
    }
}

@Suite struct SeatPlanTests {
    private let plan = SeatPlan(total: 4, forOperators: 1)

    private func seat(
        _ number: UInt64, _ level: AccessLevel = .operator, user: UInt32 = 0, process: Int32 = 1, greeted: Bool = true, busy: Bool = false, heard: Int64 = 0
    ) -> Seat {
        Seat(
            number: number, level: level, userID: user, processID: process, hasGreeted: greeted, isBusy: busy, heardAt: EngineInstant(milliseconds: heard))
    }

    @Test func noConnectionLeavesWhileThereIsRoom() {
        #expect(plan.decide(seat(0), taken: [seat(1, greeted: false), seat(2), seat(3)]) == .admit)
        #expect(plan.decide(seat(0, .viewer), taken: [seat(1), seat(2), seat(3)]) == .admit)
    }

    @Test func connectionsWithoutHelloLeaveFirst() {
        let taken = [seat(1, heard: 1), seat(2, greeted: false, heard: 9), seat(3, greeted: false, heard: 8), seat(4, busy: true)]
        #expect(plan.decide(seat(0), taken: taken) == .replace(3))
    }

    @Test func theLongestIdleOfTheLargestHolderLeavesNext() {
        let taken = [seat(1, process: 5, heard: 1), seat(2, process: 6, heard: 3), seat(3, process: 6, heard: 2), seat(4, process: 6, busy: true, heard: 0)]
        #expect(plan.decide(seat(0, process: 7), taken: taken) == .replace(3))
        #expect(
            plan.decide(seat(0, process: 7), taken: taken.map { seat($0.number, process: Int32($0.number), heard: $0.heardAt.nanoseconds / 1_000_000) })
                == .replace(4))
    }

    @Test func aBusyConnectionLeavesOnlyIfItsOwnerHoldsMoreThanAShare() {
        let many = (1...4).map { seat(UInt64($0), process: 5, busy: true) }
        #expect(plan.decide(seat(0, process: 6), taken: many) == .replace(1))
        #expect(plan.decide(seat(0, process: 5), taken: many) == .refuse)
        let shared = [seat(1, process: 5, busy: true), seat(2, process: 5, busy: true), seat(3, process: 6, busy: true), seat(4, process: 6, busy: true)]
        #expect(plan.decide(seat(0, process: 6), taken: shared) == .refuse)
    }

    @Test func viewersNeverTakeAnOperatorsSeat() {
        let operators = (1...4).map { seat(UInt64($0), greeted: false) }
        #expect(plan.decide(seat(0, .viewer), taken: operators) == .refuse)
        let mixed = [seat(1, .viewer), seat(2, .viewer, heard: -1), seat(3, .viewer), seat(4, greeted: false)]
        #expect(plan.decide(seat(0, .viewer), taken: mixed) == .replace(2))
        #expect(plan.decide(seat(0, .viewer), taken: Array(mixed.prefix(3))) == .replace(2), "one seat is left to operators")
        #expect(plan.decide(seat(0), taken: Array(mixed.prefix(3))) == .admit)
    }

    @Test func aViewerLeavesBeforeAnEquallyIdleOperator() {
        let taken = [seat(1, heard: 1), seat(2, .viewer, user: 7, heard: 9), seat(3), seat(4)]
        #expect(plan.decide(seat(0), taken: taken) == .replace(2))
    }

    @Test(arguments: [(5, 4), (64, 9), (256, 57), (1024, 249), (1_000_000_000, 262_137)]) func clientsLeaveFilesToJobs(limit: Int, room: Int) {
        #expect(OpenFileLimit.roomForClients(limit: UInt64(limit)) == room)
    }
}
