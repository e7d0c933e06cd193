import StreamModel
import TestKit
import Testing

@testable import Dataflow

// Goal: what a window or join store holds goes when its time has passed, whatever came in which order: nothing is kept for ever, and
// nothing goes early. Method: seeded walks over the stores themselves, their tables compared with what must be there.

@Suite struct WindowStoreTests {
    private let context: SubtaskContext
    private let out: Emitter<WindowResult<UInt64, UInt64>>
    private let emitted: Emitted

    private final class Emitted {
        var results: [(key: UInt64, window: TimeWindow, value: UInt64)] = []
    }

    init() {
        let id = JobID(high: 0, low: 0), host = MachineHost()
        context = SubtaskContext(
            id: SubtaskID(vertex: 0, index: 0), parallelism: 1, maxParallelism: 128, job: JobIdentity(id: id, lineage: id, name: "windows"),
            audit: AuditCounters(), faults: FaultInjector(isAllowed: false, host: host), host: host)
        let emitted = Emitted()
        self.emitted = emitted
        out = Emitter { base, count in
            for index in 0..<count { emitted.results.append((base[index].key, base[index].window, base[index].value)) }
        }
    }

    /// A record that stands for its key; the time is given to the store.
    private typealias Counting = AggregatingWindow<UInt64, Count<UInt64>>

    private func add(_ key: UInt64, _ start: Int64, to store: WindowStore<Counting>) throws -> Bool {
        let pane = WindowKey(key: key, start: start), hash = pane.stableHash
        if start > store.progress.pointee.slowStart {
            let entry = store.panes.upsert(pane, hash: hash) {
                store.opened(pane)
                return 0
            }
            entry.pointee.value += 1
            return true
        }
        return try store.addSlowly(key, to: pane, hash: hash, out: out)
    }

    @Test(arguments: [0, 250] as [Int64], Array(1...12) as [UInt64])
    func windowsAreKeptExactlyUntilTheirTime(lateness: Int64, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let store = try WindowStore(
            Counting(Count<UInt64>()), grid: .tumbling(100), lateness: lateness, states: KeyedStates<UInt64>(context: context))
        var watermark: Int64 = 0, taken = 0, late = 0
        var held: [Int64: [UInt64: UInt64]] = [:]
        try store.advance(to: watermark, out: out)
        for step in 0..<3000 {
            if UInt8.random(in: 0..<10, using: &random) == 0 {
                watermark += .random(in: 0...120, using: &random)
                try store.advance(to: watermark, out: out)
                held = held.filter { $0.key + 99 + lateness > watermark }
            } else {
                let key = UInt64.random(in: 0..<9, using: &random)
                let time = watermark + .random(in: -600...400, using: &random)
                let start = store.grid.lastStart(time)
                let isTaken = try add(key, start, to: store)
                #expect(isTaken == (start + 99 + lateness > watermark), "seed \(seed), step \(step)")
                if isTaken {
                    taken += 1
                    held[start, default: [:]][key, default: 0] += 1
                } else {
                    late += 1
                }
            }
            #expect(store.panes.count == held.values.reduce(0) { $0 + $1.count }, "seed \(seed), step \(step)")
            #expect(store.buckets.count == held.count && store.schedule.count == held.count)
        }
        try store.advance(to: .max, out: out)
        out.flush()
        #expect(store.panes.count == 0 && store.fired.count == 0 && store.buckets.isEmpty && store.schedule.count == 0)
        #expect(taken > 0 && late > 0)
        // The fullest result of each window: with lateness it was emitted again for each late record, each time with one more.
        var fullest: [TimeWindow: [UInt64: UInt64]] = [:]
        for result in emitted.results {
            let known = fullest[result.window]?[result.key]
            #expect(known.map { lateness > 0 && result.value == $0 + 1 } ?? true, "seed \(seed): \(result)")
            fullest[result.window, default: [:]][result.key] = result.value
        }
        #expect(fullest.values.reduce(0) { $0 + $1.values.reduce(0, +) } == taken)
    }

    // Windows that had fired and are kept for their lateness: after a restore event time begins anew. What got no record since is not emitted
    // again; what got one is, complete.
    @Test func aFiredWindowIsEmittedAgainAfterARestoreOnlyForANewRecord() throws {
        func make() throws -> WindowStore<Counting> {
            try WindowStore(Counting(Count<UInt64>()), grid: .tumbling(100), lateness: 1000, states: KeyedStates<UInt64>(context: context))
        }
        let before = try make()
        for key in 0..<4 as Range<UInt64> { _ = try add(key, 0, to: before) }
        _ = try add(9, 100, to: before)
        try before.advance(to: 150, out: out)
        out.flush()
        #expect(emitted.results.count == 4)
        let after = try make()
        before.panes.forEach { entry in _ = after.panes.upsert(entry.key, hash: entry.key.stableHash) { entry.value } }
        before.fired.forEach { entry in _ = after.fired.upsert(entry.key, hash: entry.key.stableHash) { Presence() } }
        after.rebuild()
        emitted.results = []
        _ = try add(2, 0, to: after)
        try after.advance(to: 500, out: out)
        out.flush()
        #expect(emitted.results.map(\.key) == [2, 9] && emitted.results.map(\.value) == [2, 1])
        try after.advance(to: 1200, out: out)
        #expect(after.panes.count == 0 && after.fired.count == 0)
    }

    @Test(arguments: [0, 300] as [Int64], Array(1...12) as [UInt64])
    func sessionsAreFreedAndScheduledSparingly(lateness: Int64, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let store = try SessionStore(
            Counting(Count<UInt64>()), gap: 50, lateness: Milliseconds(lateness), states: KeyedStates<UInt64>(context: context))
        var watermark: Int64 = 0, taken = 0
        try store.advance(to: EventTime(milliseconds: 0), out: out)
        for _ in 0..<3000 {
            if UInt8.random(in: 0..<10, using: &random) == 0 {
                watermark += .random(in: 0...60, using: &random)
                try store.advance(to: EventTime(milliseconds: watermark), out: out)
                store.sessions.forEach { entry in
                    #expect(!entry.value.isEmpty)
                    for (index, session) in entry.value.enumerated() {
                        #expect(session.window.maxTimestamp.milliseconds + lateness > watermark, "a session is kept too long")
                        #expect(session.wakesAt.milliseconds > watermark, "a session is forgotten")
                        #expect(!entry.value.dropFirst(index + 1).contains { $0.window.touches(session.window) }, "two sessions should be one")
                    }
                }
            } else {
                let key = UInt64.random(in: 0..<5, using: &random)
                let time = EventTime(milliseconds: watermark + .random(in: -200...150, using: &random))
                if try store.add(key, at: time, key: key, hash: key.stableHash, out: out) { taken += 1 }
            }
        }
        #expect(store.schedule.count < 200, "\(store.schedule.count) times for a few sessions")
        try store.advance(to: .max, out: out)
        out.flush()
        #expect(store.sessions.count == 0 && store.schedule.count == 0)
        if lateness == 0 { #expect(emitted.results.reduce(0) { $0 + Int($1.value) } == taken) }
    }

    @Test func aJoinKeepsARecordWhilePartnersArePossible() throws {
        let store = try JoinStore<UInt64, Event, Event>(lower: -20, upper: 50, states: KeyedStates<UInt64>(context: context))
        let joined = Emitter<Joined<Event, Event>> { _, _ in }
        defer { joined.release() }
        func count() -> Int {
            var count = 0
            store.buffers.forEach { count += $0.value.first.count + $0.value.second.count }
            return count
        }
        for number in 0..<100 as Range<UInt64> {
            let event = Event(key: number % 3, at: Int64(number) * 10, number: number)
            #expect(store.addFirst(event, key: event.key, hash: event.key.stableHash, out: joined))
            #expect(store.addSecond(event, key: event.key, hash: event.key.stableHash, out: joined))
        }
        // A first record at t waits until t + 50, a second one until t + 20.
        for watermark in stride(from: Int64(0), through: 1100, by: 7) {
            store.advance(to: EventTime(milliseconds: watermark))
            #expect(count() == (0..<100).count { Int64($0) * 10 + 50 > watermark } + (0..<100).count { Int64($0) * 10 + 20 > watermark })
        }
        #expect(store.buffers.count == 0 && store.schedule.count == 0)
    }
}
