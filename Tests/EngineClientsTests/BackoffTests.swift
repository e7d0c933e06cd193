// Goal: pauses between attempts grow from a quarter of a second to ten, and differ between consoles. Method: seeded draws.

import StreamModel
import TestKit
import Testing

@testable import EngineClients

@Suite struct BackoffTests {
    @Test func `pauses double up to ten seconds and stay within their bounds`() {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<100 {
            var backoff = Backoff()
            var ceiling: Int64 = 250
            for _ in 0..<12 {
                let pause = backoff.next(using: &generator).count
                #expect((ceiling / 2...ceiling).contains(pause))
                ceiling = min(ceiling * 2, 10_000)
            }
            backoff.reset()
            #expect(backoff.next(using: &generator).count <= 250)
        }
    }

    @Test func `two consoles do not keep step`() {
        var one = SeededGenerator(seed: 1), other = SeededGenerator(seed: 2)
        var first = Backoff(), second = Backoff()
        let pauses = (0..<8).map { _ in first.next(using: &one) == second.next(using: &other) }
        #expect(pauses.contains(false))
    }
}
