import Glibc
import StreamModel
import Synchronization
import Testing

@testable import ConsoleApp

@Suite struct BellTests {
    private let bell = Bell()

    private func now() -> Int64 { Surroundings.monotonicMilliseconds() }

    /// Waits on a thread of its own; when it was over.
    private func waiting(_ begin: @escaping @Sendable (Bell) -> Void) -> Waiter {
        let waiter = Waiter()
        let bell = bell
        startThread {
            begin(bell)
            waiter.endedAt.withLock { $0 = Surroundings.monotonicMilliseconds() }
        }
        return waiter
    }

    private final class Waiter: Sendable {
        let endedAt = Mutex<Int64?>(nil)

        func end(within milliseconds: Int64) -> Int64? {
            let deadline = Surroundings.monotonicMilliseconds() + milliseconds
            while Surroundings.monotonicMilliseconds() < deadline {
                if let end = endedAt.withLock({ $0 }) { return end }
                poll(nil, 0, 2)
            }
            return nil
        }
    }

    @Test func aWaitEndsAtItsMoment() {
        let start = now()
        bell.wait(atMost: 50)
        #expect(now() - start >= 49)
        bell.wait(atMost: 0)
        bell.wait(atMost: -5)
    }

    @Test func aRingEndsAWaitThatHasNoEnd() throws {
        let waiter = waiting { $0.wait(atMost: nil) }
        #expect(waiter.end(within: 30) == nil)
        bell.ring()
        #expect(waiter.end(within: 10_000) != nil)
    }

    @Test func aRingBeforeTheWaitIsHeardOnce() {
        bell.ring()
        // No moment puts it off.
        bell.set(.seconds(600))
        bell.set(nil)
        let start = now()
        bell.wait()
        #expect(now() - start < 5000)
        bell.wait(atMost: 40)
        #expect(now() - start >= 39)
    }

    @Test func theMomentMovesWhileSomebodyWaits() throws {
        let start = now()
        let waiter = waiting { $0.wait(atMost: 150) }
        for _ in 0..<10 {
            poll(nil, 0, 30)
            bell.set(150)
        }
        let put = now()
        let end = try #require(waiter.end(within: 10_000))
        // A machine that is late with a move lets the wait end before it; what was in time held.
        #expect(end >= min(put + 149, start + 149))
        let other = waiting { $0.wait(atMost: .seconds(600)) }
        #expect(other.end(within: 30) == nil)
        bell.set(0)
        #expect(other.end(within: 10_000) != nil)
    }

    @Test func centuriesAreNoTrap() {
        bell.set(Milliseconds(.max))
        #expect(!bell.isRung(within: 1))
        bell.set(Milliseconds(.min))
        #expect(bell.isRung(within: 1000))
    }

    @Test func manyMayAskWhetherItWasRung() {
        #expect(!bell.isRung(within: 20))
        let waiters = (0..<8).map { _ in waiting { _ = $0.isRung(within: .seconds(600)) } }
        bell.ring()
        #expect(waiters.allSatisfy { $0.end(within: 10_000) != nil })
        #expect(bell.isRung(within: 0))
    }
}
