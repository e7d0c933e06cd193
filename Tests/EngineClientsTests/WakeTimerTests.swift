import Glibc
import StreamModel
import Synchronization
import Testing

@testable import HostEnvironment

@Suite struct WakeTimerTests {
    private let wakeTimer = WakeTimer()

    private func now() -> Int64 { MonotonicClock.milliseconds() }

    /// Waits on a thread of its own; when it was over.
    private func waiting(_ begin: @escaping @Sendable (WakeTimer) -> Void) -> Waiter {
        let waiter = Waiter()
        let wakeTimer = wakeTimer
        startThread {
            begin(wakeTimer)
            waiter.endedAt.withLock { $0 = MonotonicClock.milliseconds() }
        }
        return waiter
    }

    private final class Waiter: Sendable {
        let endedAt = Mutex<Int64?>(nil)

        func end(within milliseconds: Int64) -> Int64? {
            let deadline = MonotonicClock.milliseconds() + milliseconds
            while MonotonicClock.milliseconds() < deadline {
                if let end = endedAt.withLock({ $0 }) { return end }
                poll(nil, 0, 2)
            }
            return nil
        }
    }

    @Test func aWaitEndsAtItsMoment() {
        let start = now()
        wakeTimer.wait(atMost: 50)
        #expect(now() - start >= 49)
        wakeTimer.wait(atMost: 0)
        wakeTimer.wait(atMost: -5)
    }

    @Test func aRingEndsAWaitThatHasNoEnd() throws {
        let waiter = waiting { $0.wait(atMost: nil) }
        #expect(waiter.end(within: 30) == nil)
        wakeTimer.wake()
        #expect(waiter.end(within: 10_000) != nil)
    }

    @Test func aRingBeforeTheWaitIsHeardOnce() {
        wakeTimer.wake()
        // No moment puts it off.
        wakeTimer.set(.seconds(600))
        wakeTimer.set(nil)
        let start = now()
        wakeTimer.wait()
        #expect(now() - start < 5000)
        wakeTimer.wait(atMost: 40)
        #expect(now() - start >= 39)
    }

    @Test func theMomentMovesWhileSomebodyWaits() throws {
        let start = now()
        let waiter = waiting { $0.wait(atMost: 150) }
        for _ in 0..<10 {
            poll(nil, 0, 30)
            wakeTimer.set(150)
        }
        let put = now()
        let end = try #require(waiter.end(within: 10_000))
        // A machine that is late with a move lets the wait end before it; what was in time held.
        #expect(end >= min(put + 149, start + 149))
        let other = waiting { $0.wait(atMost: .seconds(600)) }
        #expect(other.end(within: 30) == nil)
        wakeTimer.set(0)
        #expect(other.end(within: 10_000) != nil)
    }

    @Test func centuriesAreNoTrap() {
        wakeTimer.set(Milliseconds(.max))
        #expect(!wakeTimer.isWoken(within: 1))
        wakeTimer.set(Milliseconds(.min))
        #expect(wakeTimer.isWoken(within: 1000))
    }

    @Test func manyMayAskWhetherItWasRung() {
        #expect(!wakeTimer.isWoken(within: 20))
        let waiters = (0..<8).map { _ in waiting { _ = $0.isWoken(within: .seconds(600)) } }
        wakeTimer.wake()
        #expect(waiters.allSatisfy { $0.end(within: 10_000) != nil })
        #expect(wakeTimer.isWoken(within: 0))
    }
}
