import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: timers fire when their time has come and not before, once, in order, with their key's state, also while nothing comes in, after a
// restore and at another parallelism; one that throws fails the job. Method: a clock and an input that the test moves; for the rest, jobs
// whose output is compared with what the timers should have said.

/// What a test's function is told to do.
private enum Order: Sendable {
    case setEvent(key: UInt64, at: Int64, namespace: Int64)
    case setProcessing(key: UInt64, at: Int64, namespace: Int64)
    case deleteProcessing(key: UInt64, at: Int64, namespace: Int64)
    case add(key: UInt64)

    var key: UInt64 {
        switch self {
        case .setEvent(let key, _, _), .setProcessing(let key, _, _), .deleteProcessing(let key, _, _), .add(let key): key
        }
    }
}

private struct Obedient: KeyedProcessFunction {
    let feed: Feed<Order>
    let said: @Sendable (String) -> Void
    var timers: Timers<UInt64>?
    var sum: ValueState<UInt64, UInt64>?

    mutating func open(_ context: KeyedContext<UInt64>) throws {
        timers = try context.timers()
        sum = try context.states.value("sum")
    }
    mutating func process(_ order: Order, key: UInt64, out: Emitter<Int>) {
        switch order {
        case .setEvent(_, let at, let namespace): timers?.register(at: EventTime(milliseconds: at), namespace: namespace)
        case .setProcessing(_, let at, let namespace): timers?.register(at: WallTime(milliseconds: at), namespace: namespace)
        case .deleteProcessing(_, let at, let namespace): timers?.delete(at: WallTime(milliseconds: at), namespace: namespace)
        case .add: sum?.update(initial: 0) { $0 += 1 }
        }
        feed.noteProcessed()
    }
    mutating func onTimer(_ timer: Timer, key: UInt64, out: Emitter<Int>) throws {
        if timer.namespace == 13 { throw JobError.task("timer 13 throws") }
        switch timer.time {
        case .event(let time): said("event \(time.milliseconds) key \(key) space \(timer.namespace) sum \(sum?.value ?? 0)")
        case .processing(let time): said("processing \(time.milliseconds) key \(key) space \(timer.namespace) sum \(sum?.value ?? 0)")
        }
    }
}

@Suite struct TimerTests {
    let place: Sandbox
    private let host = ManualHost(at: 1000)
    private let feed = Feed<Order>()
    private let heard = Heard()

    private final class Heard: Sendable {
        private let lines = Mutex<[String]>([])
        func hear(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    init() throws { place = Sandbox() }

    private func launch(parallelism: Int = 1, retains: Bool = false) -> JobLaunch {
        let job = ClosureJob { [feed, heard] environment in
            environment.checkpoints.retention = .retainOnCancellation
            environment.restartStrategy = RestartStrategy.none
            environment.read(FeedSource(feed: feed), name: "feed").uid("feed")
                .key(by: \.key).process { Obedient(feed: feed, said: heard.hear) }.uid("obedient").discard()
        }
        var launch = job.launch(in: place, parallelism: parallelism)
        launch.host = host
        return launch
    }

    private func give(_ orders: Order...) throws {
        let before = feed.processedCount
        feed.give(orders, waking: host)
        try poll("the orders") { feed.processedCount == before + orders.count }
    }

    // FLINK-9857: a timer that fired a millisecond early let records in that belonged to the window before.
    @Test func aProcessingTimeTimerFiresExactlyAtItsTime() throws {
        let probe = try JobProbe(launch())
        try give(.add(key: 1), .setProcessing(key: 1, at: 2000, namespace: 0))
        host.set(to: 1999)
        // A round trip: whatever was to fire at 1999 has fired.
        try give(.add(key: 1))
        #expect(heard.all.isEmpty)
        host.set(to: 2000)
        try poll("the timer") { !heard.all.isEmpty }
        #expect(heard.all == ["processing 2000 key 1 space 0 sum 2"])
        host.set(to: 2001)
        try give(.add(key: 1))
        #expect(heard.all.count == 1, "it fires once")
        try probe.cancel()
    }

    @Test func pastTimersFireAtOnceAndInOrder() throws {
        let probe = try JobProbe(launch())
        try give(
            .setProcessing(key: 3, at: 1300, namespace: 0), .setProcessing(key: 1, at: 1100, namespace: 0), .setProcessing(key: 2, at: 1200, namespace: 0))
        host.set(to: 5000)
        try poll("three timers") { heard.all.count == 3 }
        #expect(heard.all.map { $0.prefix(15) } == ["processing 1100", "processing 1200", "processing 1300"])
        try give(.setProcessing(key: 1, at: 10, namespace: 0))
        try poll("the past one") { heard.all.count == 4 }
        try probe.cancel()
    }

    @Test func timersAreDeduplicatedAndDeletedByTimeAndNamespace() throws {
        let probe = try JobProbe(launch())
        try give(
            .setProcessing(key: 1, at: 2000, namespace: 0), .setProcessing(key: 1, at: 2000, namespace: 0), .setProcessing(key: 1, at: 2000, namespace: 1),
            .setProcessing(key: 1, at: 2001, namespace: 2), .setProcessing(key: 2, at: 2000, namespace: 0), .deleteProcessing(key: 1, at: 2001, namespace: 2),
            // Deleted and set again; deleted without having been set.
            .deleteProcessing(key: 2, at: 2000, namespace: 0), .setProcessing(key: 2, at: 2000, namespace: 0), .deleteProcessing(key: 5, at: 1, namespace: 0))
        host.set(to: 3000)
        try poll("the timers") { heard.all.count >= 3 }
        try give(.add(key: 1))
        #expect(heard.all.sorted() == ["processing 2000 key 1 space 0 sum 0", "processing 2000 key 1 space 1 sum 0", "processing 2000 key 2 space 0 sum 0"])
        try probe.cancel()
    }

    // FLINK-34921: a callback that threw ended silently.
    @Test func aThrowingTimerFailsTheJob() throws {
        let probe = try JobProbe(launch())
        try give(.setProcessing(key: 1, at: 1500, namespace: 13))
        host.set(to: 1500)
        let report = try probe.waitForEnd()
        #expect(report.state == .failed)
        #expect(report.lastFailure?.message.contains("timer 13 throws") == true)
        #expect(report.lastFailure?.vertex == "obedient")
    }

    // In both domains; what was deleted stays deleted. The restored job is wider, so that the keys go to other subtasks.
    @Test(arguments: [(1, 3), (3, 2), (2, 1)])
    func timersSurviveARestoreAtAnotherParallelism(before: Int, after: Int) throws {
        let first = try JobProbe(launch(parallelism: before))
        for key in 0..<20 as Range<UInt64> {
            try give(
                .setProcessing(key: key, at: 10_000 + Int64(key), namespace: 0), .setEvent(key: key, at: Int64(key), namespace: 7),
                .setProcessing(key: key, at: 9000, namespace: 1), .deleteProcessing(key: key, at: 9000, namespace: 1), .add(key: key))
        }
        let savepoint = try first.savepoint()
        try first.cancel()
        #expect(heard.all.isEmpty)
        var launch = launch(parallelism: after)
        launch.restore = RestoreRequest(path: try #require(savepoint.path))
        let second = try JobProbe(launch)
        try second.wait("the restore") { $0.restored != nil }
        host.set(to: 10_009)
        try poll("half of the timers") { heard.all.count >= 10 }
        try give(.add(key: 100))
        #expect(heard.all.sorted() == (0..<10).map { "processing \(10_000 + $0) key \($0) space 0 sum 1" }.sorted())
        // The end of the input is the end of event time. Timers in processing time that are pending do not fire.
        feed.end(waking: host)
        #expect(try second.waitForEnd().state == .finished)
        let events = heard.all.dropFirst(10)
        #expect(events.sorted() == (0..<20).map { "event \($0) key \($0) space 7 sum 1" }.sorted())
        if after == 1 { #expect(Array(events) == (0..<20).map { "event \($0) key \($0) space 7 sum 1" }, "in the order of their times") }
    }

    // MARK: Event time

    /// Emits each record again a second of event time later, by a timer; a timer sets another one that is due at once.
    private struct Echo: KeyedProcessFunction {
        var timers: Timers<UInt64>?
        mutating func open(_ context: KeyedContext<UInt64>) throws { timers = try context.timers() }
        mutating func process(_ event: Event, key: UInt64, out: Emitter<String>) {
            timers?.register(at: event.eventTime + 1000, namespace: Int64(event.number))
        }
        mutating func onTimer(_ timer: Timer, key: UInt64, out: Emitter<String>) {
            guard case .event(let time) = timer.time, let timers else { return }
            if timers.watermark < time { out.emit("early") }
            if timer.namespace < 0 {
                out.emit("again \(key) \(-timer.namespace)")
            } else {
                out.emit("\(key) \(time.milliseconds) \(timer.namespace)")
                if timer.namespace > 0 { timers.register(at: time, namespace: -timer.namespace) }
            }
        }
    }

    @Test func eventTimeTimersAreExactAcrossARestore() throws {
        let input = EventInput(seed: 5, count: 8000)
        func launch(rate: Double?, parallelism: Int) -> JobLaunch {
            let output = place("out")
            let job = ClosureJob { environment in
                environment.checkpoints.interval = 20
                environment.checkpoints.retention = .retainOnCancellation
                environment.checkpoints.retainedCheckpoints = 100
                environment.watermarkInterval = 0
                environment.read(GeneratorSource<Event>(count: input.count, rate: rate, splits: 2) { input.event($0.sequence) }, name: "events").uid("events")
                    .assignWatermarks(.boundedOutOfOrderness(300)).uid("watermarks")
                    .key(by: \.key).process { Echo() }.uid("echo").write(to: .lines(directory: output) { $0 }).uid("sink")
            }
            return job.launch(in: place, parallelism: parallelism)
        }
        let first = try JobProbe(launch(rate: 15_000, parallelism: 2))
        try first.wait("checkpoints with timers") { $0.counts.completed >= 3 && $0.throughput.recordsRead > 2000 }
        try first.cancel()
        var second = launch(rate: nil, parallelism: 3)
        second.lineage = first.job.id
        second.restore = RestoreRequest(path: try #require(first.job.checkpoints(limit: 100).filter(\.isRestorable).dropFirst().first?.path))
        #expect(try JobProbe(second).waitForEnd().state == .finished)
        let expected = input.events.flatMap { event -> [String] in
            let line = "\(event.key) \(event.eventTime.milliseconds + 1000) \(event.number)"
            return event.number > 0 ? [line, "again \(event.key) \(event.number)"] : [line]
        }.sorted()
        let found = try place.lines("out")
        let isSame = found == expected
        #expect(isSame, "\(found.count) lines for \(expected.count)")
    }

    // MARK: The heap

    @Test(arguments: Array(1...20) as [UInt64])
    func theHeapGivesTheEarliestFirst(seed: UInt64) {
        var random = SeededGenerator(seed: seed), heap = TimeHeap<Int>(), reference: [Int64] = []
        for step in 0..<500 {
            if UInt8.random(in: 0..<3, using: &random) > 0 {
                let time = Int64.random(in: -50...50, using: &random)
                heap.insert(step, at: time)
                reference.append(time)
            } else {
                let limit = Int64.random(in: -60...60, using: &random)
                let due = reference.min().flatMap { $0 <= limit ? $0 : nil }
                #expect(heap.removeFirst(dueBy: limit)?.time == due, "seed \(seed), step \(step)")
                if let due, let index = reference.firstIndex(of: due) { reference.remove(at: index) }
            }
        }
        #expect(heap.count == reference.count)
        while let node = heap.removeFirst() {
            #expect(node.time == reference.min())
            if let index = reference.firstIndex(of: node.time) { reference.remove(at: index) }
        }
        #expect(reference.isEmpty)
    }
}
