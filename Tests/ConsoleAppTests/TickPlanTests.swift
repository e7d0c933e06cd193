// Goal: the console's clock goes on when it is due, and with the reports of engines where it may, so that an idle console wakes up once a
// second. Method: times by hand.

import StreamModel
import Testing

@testable import ConsoleApp

@Suite struct TickPlanTests {
    /// A wall clock that shows zero, or stands still.
    private struct Clock: ConsoleClock {
        var stands = false
        func now() -> WallTime { WallTime(milliseconds: 0) }
        func delay(until time: WallTime) -> Int64? { stands ? nil : time.milliseconds }
        func offset() -> Milliseconds { 0 }
    }

    private func next(_ due: Int64?, now: Int64 = 1000, report: Int64? = nil, waits: Bool = true, _ clock: Clock = Clock()) -> Int64? {
        var plan = TickPlan()
        if let report { plan.reportCame(at: report) }
        plan.plan(due.map { WallTime(milliseconds: $0) }, clock, now: now, mayWaitForReport: waits)
        return plan.next
    }

    @Test func `without a wish, or on a clock that stands still, there is no tick`() {
        #expect(next(nil) == nil && next(300, Clock(stands: true)) == nil)
    }

    @Test func `a tick comes when it is due`() {
        #expect(next(300) == 1300)
        #expect(next(300, report: 900, waits: false) == 1300)
    }

    @Test func `where nothing counts down it comes with the next report, or where a later one would`() {
        #expect(next(300, report: 900) == 2050)
        #expect(next(3000, report: 900) == 4050)
    }

    @Test func `it is taken once, and a report makes a new plan`() {
        var plan = TickPlan()
        plan.plan(WallTime(milliseconds: 300), Clock(), now: 1000, mayWaitForReport: true)
        #expect(!plan.take(at: 1299) && plan.take(at: 1300) && !plan.take(at: 1400))
        plan.plan(WallTime(milliseconds: 300), Clock(), now: 1500, mayWaitForReport: true)
        plan.plan(WallTime(milliseconds: 300), Clock(), now: 1600, mayWaitForReport: true)
        #expect(plan.next == 1800, "what is planned already stays")
        plan.reportCame(at: 1700)
        #expect(plan.next == nil)
    }
}
