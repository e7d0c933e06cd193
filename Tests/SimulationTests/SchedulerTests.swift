import StreamModel
import Testing

@testable import SimulationKit

// Goal: the scheduler moves one thread at a time, jumps over idle time, and says who waits where when nobody can go on.

/// What simulated threads share; they move one at a time.
private final class Shared: @unchecked Sendable {
    var order: [String] = []
    var active = 0
    var ready = false
    var number = 0
}

private func scheduler(_ seed: UInt64 = 1, stepLimit: Int = 10_000) -> Scheduler {
    Scheduler(random: SimulationRandom(seed: seed), trace: Trace(keepsText: false), stepLimit: stepLimit)
}

@Suite struct SchedulerTests {
    @Test func oneThreadRunsAtATime() throws {
        for seed: UInt64 in 1...20 {
            let scheduler = scheduler(seed), shared = Shared()
            try scheduler.run {
                for number in 0..<5 {
                    // Starting threads cannot fail here.
                    try? scheduler.start("worker \(number)", process: 1) {
                        for _ in 0..<20 {
                            shared.active += 1
                            if shared.active != 1 { shared.order.append("two at once") }
                            shared.number += 1
                            shared.active -= 1
                            scheduler.point("work")
                        }
                    }
                }
            }
            #expect(shared.order == [] && shared.number == 100)
        }
    }

    @Test func seedsChooseDifferentOrders() throws {
        var orders: Set<[String]> = []
        for seed: UInt64 in 1...30 {
            let scheduler = scheduler(seed), shared = Shared()
            try scheduler.run {
                for name in ["a", "b", "c"] {
                    // Starting threads cannot fail here.
                    try? scheduler.start(name, process: 1) { shared.order.append(name) }
                }
            }
            orders.insert(shared.order)
        }
        #expect(orders.count == 6)
    }

    @Test func idleTimeIsSkipped() throws {
        let scheduler = scheduler()
        let before = scheduler.now
        try scheduler.run { scheduler.sleep(3_600_000_000_000, "an hour") }
        #expect(scheduler.now - before >= 3_600_000_000_000)
    }

    @Test func anUnparkBeforeTheSleepIsNotLost() throws {
        for seed: UInt64 in 1...50 {
            let scheduler = scheduler(seed), shared = Shared()
            let parker = SimulatedParker(scheduler)
            try scheduler.run {
                // Starting threads cannot fail here.
                try? scheduler.start("waker", process: 1) {
                    shared.ready = true
                    parker.unpark()
                }
                while !shared.ready { parker.park(until: nil) { shared.ready } }
            }
        }
    }

    @Test func aDeadlockNamesTheThreadsAndTheirPositions() {
        let scheduler = Scheduler(random: SimulationRandom(seed: 3), trace: Trace(keepsText: false), stepLimit: 50)
        let parker = SimulatedParker(scheduler)
        let stop = #expect(throws: Scheduler.Stop.self) {
            try scheduler.run {
                // Starting threads cannot fail here.
                try? scheduler.start("sleeper", process: 1) { while true { parker.park(until: nil) { false } } }
            }
        }
        #expect(stop?.description.contains("sleeper") == true)
    }

    @Test func anEndlessRunIsStopped() {
        let scheduler = scheduler(stepLimit: 200)
        let stop = #expect(throws: Scheduler.Stop.self) { try scheduler.run { while true { scheduler.point("for ever") } } }
        #expect(stop?.description.contains("no end after 200 steps") == true)
    }
}
