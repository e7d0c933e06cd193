import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: a channel between two threads loses nothing, repeats nothing, keeps the order, wakes whoever sleeps, and gives its memory back,
// also when it is cancelled while full. Method: two threads, tiny rings, records whose number and lifetime can be counted.

@Suite struct RingTests {
    private static func context(_ vertex: Int) -> SubtaskContext {
        let id = JobID(high: 0, low: 0)
        return SubtaskContext(
            id: SubtaskID(vertex: vertex, index: 0), parallelism: 1, maxParallelism: 128,
            job: JobIdentity(id: id, lineage: id, name: "ring"), audit: AuditCounters(), faults: FaultInjector(isAllowed: false, host: MachineHost()),
            host: MachineHost())
    }

    /// Takes everything until the end of the channel, sleeping when there is nothing; stops early when told.
    private static func drain<Element>(
        _ ring: Ring<Element>, _ context: SubtaskContext, _ body: (UnsafeMutablePointer<Element>, Int) -> Void
    ) {
        while !context.isCancelled {
            let item = ring.takeNext { base, count in body(base.assumingMemoryBound(to: Element.self), count) }
            switch item {
            case .channelEnd: return
            case nil: context.parker.park(until: nil) { ring.hasItem || context.isCancelled }
            default: break
            }
        }
    }

    private final class Done: Sendable {
        private let count = Atomic<Int>(0)
        private let parker = ThreadParker()
        func signal() {
            count.wrappingAdd(1, ordering: .releasing)
            parker.unpark()
        }
        /// False when it took longer than 30 s: a lost wake-up.
        func wait(for wanted: Int) -> Bool {
            let deadline = MachineHost().now() + .seconds(30)
            while count.load(ordering: .acquiring) < wanted {
                if MachineHost().now() >= deadline { return false }
                parker.park(until: deadline) { count.load(ordering: .acquiring) >= wanted }
            }
            return true
        }
    }

    // Random flushes make batches of every size; a slow consumer fills the ring, a slow producer empties it.
    @Test(arguments: [2, 4, 64], [1, 42] as [UInt64])
    func stringsArriveOnceAndInOrder(slots: Int, seed: UInt64) throws {
        let producer = Self.context(0), consumer = Self.context(1), done = Done()
        let ring = Ring<String>(slotCount: slots, producer: producer, consumer: consumer)
        let total = 200_000
        try MachineHost().startThread(named: "producer") {
            var random = SeededGenerator(seed: seed)
            for number in 0..<total {
                ring.append("record number \(number)")
                if UInt8.random(in: 0...255, using: &random) < 8 { ring.flush() }
            }
            ring.send(.channelEnd)
            done.signal()
        }
        var wrong = 0, taken = 0
        Self.drain(ring, consumer) { base, count in
            for index in 0..<count {
                if base[index] != "record number \(taken)" { wrong += 1 }
                taken += 1
            }
        }
        #expect(done.wait(for: 1))
        #expect(taken == total && wrong == 0, "seed \(seed), \(slots) slots")
        #expect(!ring.hasItem)
    }

    @Test func aCancelledProducerLeavesAFullRingAndFreesEveryRecord() throws {
        let living = Living(), done = Done()
        do {
            let producer = Self.context(0), consumer = Self.context(1)
            let ring = Ring<Living.Token>(slotCount: 4, producer: producer, consumer: consumer)
            try MachineHost().startThread(named: "producer") {
                while !producer.isCancelled { ring.append(Living.Token(living)) }
                done.signal()
            }
            // A few batches are taken, then nobody takes any more: the producer sleeps on a full ring.
            var batches = 0
            while batches < 10 {
                if ring.takeNext({ _, _ in }) != nil { batches += 1 } else { consumer.parker.park(until: MachineHost().now() + 10) { ring.hasItem } }
            }
            producer.cancel()
            #expect(done.wait(for: 1))
        }
        let deadline = MachineHost().now() + .seconds(30)
        let parker = ThreadParker()
        // The thread's own reference to the ring goes when it has ended.
        while !living.isEmpty, MachineHost().now() < deadline { parker.park(until: MachineHost().now() + 1) { false } }
        #expect(living.isEmpty)
    }

    @Test func itemsFollowTheOpenBatch() {
        let producer = Self.context(0), consumer = Self.context(1)
        let ring = Ring<Int>(slotCount: 8, producer: producer, consumer: consumer)
        ring.append(1)
        ring.append(2)
        ring.send(.endOfData)
        ring.send(.channelEnd)
        var seen: [String] = []
        while let item = ring.takeNext({ base, count in
            seen += UnsafeBufferPointer(start: base.assumingMemoryBound(to: Int.self), count: count).map(String.init)
        }) { seen.append("\(item)") }
        #expect(seen == ["1", "2", "data", "endOfData", "channelEnd"])
    }

    // Many sleepers woken many times: one lost wake-up, and the test ends at its deadline.
    @Test func aParkerLosesNoWakeUp() throws {
        let ping = ThreadParker(), pong = ThreadParker(), done = Done()
        let turn = Atomic<Int>(0)
        let rounds = 20_000
        try MachineHost().startThread(named: "pong") {
            for round in 0..<rounds {
                while turn.load(ordering: .acquiring) != 2 * round + 1 {
                    pong.park(until: nil) { turn.load(ordering: .acquiring) == 2 * round + 1 }
                }
                turn.store(2 * round + 2, ordering: .releasing)
                ping.unpark()
            }
            done.signal()
        }
        try MachineHost().startThread(named: "ping") {
            for round in 0..<rounds {
                turn.store(2 * round + 1, ordering: .releasing)
                pong.unpark()
                while turn.load(ordering: .acquiring) != 2 * round + 2 {
                    ping.park(until: nil) { turn.load(ordering: .acquiring) == 2 * round + 2 }
                }
            }
            done.signal()
        }
        #expect(done.wait(for: 2))
    }

    @Test func aClosedMailboxTakesNoMessages() {
        let mailbox = Mailbox<Int>(host: MachineHost())
        #expect(mailbox.post(1) && mailbox.post(2))
        #expect(mailbox.close() == [1, 2])
        #expect(!mailbox.post(3) && mailbox.close().isEmpty)
    }
}
