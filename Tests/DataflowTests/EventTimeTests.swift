import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: watermarks say what the strategy promises, travel behind their records, wait for every input but idle ones, and are seen in
// reports; the interval join pairs what lies close and frees the rest. Method: inputs and a clock that the test moves; joins against all pairs.

@Suite struct EventTimeTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    /// Tells the test every event-time timer that fires: how far an operator's time has come.
    private struct Metronome: KeyedProcessFunction {
        let feed: Feed<Int64>
        let tick: @Sendable (Int64) -> Void
        var timers: Timers<UInt64>?
        mutating func open(_ context: KeyedContext<UInt64>) throws { timers = try context.timers() }
        mutating func process(_ record: Timestamped<Int64>, key: UInt64, out: Emitter<Int>) {
            timers?.register(at: record.eventTime)
            feed.noteProcessed()
        }
        mutating func onTimer(_ timer: Timer, key: UInt64, out: Emitter<Int>) {
            if case .event(let time) = timer.time { tick(time.milliseconds) }
        }
    }

    private final class Ticks: Sendable {
        private let times = Mutex<[Int64]>([])
        func add(_ time: Int64) { times.withLock { $0.append(time) } }
        var all: [Int64] { times.withLock { $0 } }
    }

    // Two inputs; the second falls silent. Without idleness the first cannot advance time; with it, only until the timeout.
    @Test func anIdleInputDoesNotHoldTimeBack() throws {
        let host = ManualHost(), feeds = (Feed<Int64>(), Feed<Int64>()), ticks = Ticks()
        let job = ClosureJob { environment in
            func timed(_ feed: Feed<Int64>, _ name: String) -> DataStream<Timestamped<Int64>> {
                environment.read(FeedSource(feed: feed), name: name).uid(name)
                    .assignTimestamps(by: { EventTime(milliseconds: $0) }, watermarks: .boundedOutOfOrderness(10).withIdleness(1000)).uid(name + " times")
            }
            environment.watermarkInterval = 0
            timed(feeds.0, "first").union(timed(feeds.1, "second")).uid("union").key { _ in UInt64(0) }
                .process { Metronome(feed: feeds.0, tick: ticks.add) }.uid("metronome").discard()
        }
        var launch = job.launch(in: place, parallelism: 1)
        launch.host = host
        let probe = try JobProbe(launch)
        feeds.1.give([100], waking: host)
        feeds.0.give([100, 200, 300], waking: host)
        try poll("the records") { feeds.0.processedCount == 4 }
        // The second input's watermark is 89.
        #expect(ticks.all.isEmpty)
        // The first goes on, the second is silent for a second.
        host.advance(by: 999)
        feeds.0.give([400], waking: host)
        try poll("the record") { feeds.0.processedCount == 5 }
        #expect(ticks.all.isEmpty)
        host.advance(by: 1)
        try poll("the idle input to be left out") { ticks.all == [100, 200, 300] }
        // It comes back, behind: it holds nothing back, and its record is not lost.
        feeds.1.give([150], waking: host)
        try poll("the late record") { feeds.0.processedCount == 6 }
        feeds.0.give([500], waking: host)
        try poll("the next watermark") { ticks.all == [100, 200, 300, 150, 400] }
        // Caught up, it is waited for again.
        feeds.1.give([1000], waking: host)
        try poll("its record") { feeds.0.processedCount == 8 }
        feeds.0.give([700], waking: host)
        try poll("time to follow the slower input") { ticks.all.suffix(1) == [500] && ticks.all.count == 6 }
        feeds.0.end(waking: host)
        feeds.1.end(waking: host)
        #expect(try probe.waitForEnd().state == .finished)
        #expect(ticks.all.suffix(2) == [700, 1000])
    }

    // A watermark must not overtake records: in the operator behind, nothing on time may seem late.
    @Test func watermarksFollowTheirRecords() throws {
        struct NeverLate: KeyedProcessFunction {
            let late: @Sendable () -> Void
            var timers: Timers<UInt64>?
            mutating func open(_ context: KeyedContext<UInt64>) throws { timers = try context.timers() }
            mutating func process(_ event: Event, key: UInt64, out: Emitter<Int>) {
                if let timers, event.eventTime <= timers.watermark { late() }
            }
        }
        let lateCount = Mutex<Int>(0)
        let late: @Sendable () -> Void = { lateCount.withLock { $0 += 1 } }
        let input = EventInput(seed: 3, count: 100_000, disorder: 300)
        let job = ClosureJob { environment in
            environment.watermarkInterval = 0
            environment.restartStrategy = RestartStrategy.none
            environment.read(GeneratorSource<Event>(count: input.count, splits: 3) { input.event($0.sequence) }, name: "events")
                .assignWatermarks(.boundedOutOfOrderness(300))
                .rebalance().key(by: \.key).process { NeverLate(late: late) }.discard()
        }
        #expect(try JobProbe(job.launch(in: place, parallelism: 3)).waitForEnd().state == .finished)
        #expect(lateCount.withLock { $0 } == 0)
    }

    private struct EveryHundred: WatermarkGenerator {
        var watermark = EventTime.min
        mutating func observe(_ record: Timestamped<Int64>) {
            if record.value % 100 == 0 { watermark = record.eventTime }
        }
    }

    @Test(arguments: [
        ("bounded", WatermarkStrategy<Timestamped<Int64>>.boundedOutOfOrderness(50), [100, 249]), ("monotonous", .monotonous, [100, 249, 250, 299]),
        ("custom", .custom { EveryHundred() }, [100, 249, 250, 299, 300]), ("at the end", .atEndOnly, []),
    ])
    func strategiesSayWhatTheyPromise(name: String, strategy: WatermarkStrategy<Timestamped<Int64>>, ticked: [Int64]) throws {
        let host = ManualHost(), feed = Feed<Int64>(), ticks = Ticks()
        let job = ClosureJob { environment in
            environment.watermarkInterval = 0
            environment.read(FeedSource(feed: feed), name: "feed")
                .assignTimestamps(by: { EventTime(milliseconds: $0) }, watermarks: strategy)
                .key { _ in UInt64(0) }.process { Metronome(feed: feed, tick: ticks.add) }.discard()
        }
        var launch = job.launch(in: place, parallelism: 1)
        launch.host = host
        let probe = try JobProbe(launch)
        feed.give([100, 250, 249, 299, 300], waking: host)
        try poll("the records") { feed.processedCount == 5 }
        try poll("\(ticked)") { ticks.all == ticked }
        feed.end(waking: host)
        #expect(try probe.waitForEnd().state == .finished)
        #expect(ticks.all == [100, 249, 250, 299, 300], "the end fires the rest, in order")
    }

    // Every 200 ms of the clock, not with every batch.
    @Test func watermarksAreSentAtTheirInterval() throws {
        let host = ManualHost(), feed = Feed<Int64>(), ticks = Ticks()
        let job = ClosureJob { environment in
            environment.read(FeedSource(feed: feed), name: "feed").uid("feed")
                .assignTimestamps(by: { EventTime(milliseconds: $0) }, watermarks: .monotonous)
                .key { _ in UInt64(0) }.process { Metronome(feed: feed, tick: ticks.add) }.uid("metronome").discard()
        }
        var launch = job.launch(in: place, parallelism: 1)
        launch.host = host
        let probe = try JobProbe(launch)
        feed.give([100, 300], waking: host)
        try poll("the records") { feed.processedCount == 2 }
        host.advance(by: 199)
        feed.give([400], waking: host)
        try poll("the record") { feed.processedCount == 3 }
        #expect(ticks.all.isEmpty)
        host.advance(by: 1)
        try poll("the watermark, though nothing comes") { ticks.all == [100, 300] }
        // The report shows it, and how far it is behind the wall clock.
        host.advance(by: 2000)
        let report = try probe.wait("the watermark in the reports") { $0.vertices.allSatisfy { $0.watermark == EventTime(milliseconds: 399) } }
        #expect(report.vertices.count == 2 && report.vertices.allSatisfy { $0.watermarkLag == Milliseconds(1_002_200 - 399) })
        feed.end(waking: host)
        _ = try probe.waitForEnd()
    }

    // MARK: Interval join

    private struct JoinJob: Sendable {
        var first = EventInput(seed: 11, count: 4000, keys: 5, step: 20)
        var second = EventInput(seed: 12, count: 6000, keys: 5, step: 12)
        var rate: Double?
        var lower: Milliseconds = -40
        var upper: Milliseconds = 90
        var bound: Milliseconds = 300

        static let late = (OutputTag<Event>("late first"), OutputTag<Event>("late second"))

        func launch(in place: Sandbox, parallelism: Int) -> JobLaunch {
            let output = place("out"), job = self
            return ClosureJob { environment in
                environment.checkpoints.interval = 20
                environment.checkpoints.retention = .retainOnCancellation
                environment.checkpoints.retainedCheckpoints = 100
                environment.watermarkInterval = 0
                func events(_ input: EventInput, _ name: String) -> KeyedStream<UInt64, Event> {
                    environment.read(GeneratorSource<Event>(count: input.count, rate: job.rate, splits: 1) { input.event($0.sequence) }, name: name).uid(name)
                        .assignWatermarks(.boundedOutOfOrderness(job.bound)).uid(name + " watermarks").key(by: \.key)
                }
                let joined = events(job.first, "first").intervalJoin(
                    events(job.second, "second"), from: job.lower, through: job.upper, lateFirst: Self.late.0, lateSecond: Self.late.1
                ).uid("join")
                joined.map { "\($0.first.number) \($0.second.number)" }
                    .union(joined.sideOutput(Self.late.0).map { "late first \($0.number)" }, joined.sideOutput(Self.late.1).map { "late second \($0.number)" })
                    .uid("union").write(to: .lines(directory: output) { $0 }).uid("sink")
            }.launch(in: place, parallelism: parallelism)
        }

        /// All pairs, tried one by one; without records that were late.
        func expected(late: Set<String> = []) -> [String] {
            let seconds = Dictionary(grouping: second.events.filter { !late.contains("late second \($0.number)") }, by: \.key)
            return first.events.filter { !late.contains("late first \($0.number)") }.flatMap { left in
                (seconds[left.key] ?? []).compactMap { right in
                    let difference = right.eventTime.milliseconds - left.eventTime.milliseconds
                    return (lower.count...upper.count).contains(difference) ? "\(left.number) \(right.number)" : nil
                }
            }.sorted()
        }
    }

    @Test(arguments: [(-40, 90), (-200, -10), (5, 5), (0, 300)] as [(Milliseconds, Milliseconds)])
    func anIntervalJoinEqualsTheNestedLoop(lower: Milliseconds, upper: Milliseconds) throws {
        var job = JoinJob()
        (job.lower, job.upper) = (lower, upper)
        #expect(try JobProbe(job.launch(in: place, parallelism: 2)).waitForEnd().state == .finished)
        let found = try place.lines("out"), expected = job.expected()
        let isSame = found == expected
        #expect(isSame, "\(found.count) lines for \(expected.count)")
        #expect(!expected.isEmpty)
    }

    @Test func lateRecordsOfAnIntervalJoinAreAccountedFor() throws {
        var job = JoinJob()
        (job.first.lateEvery, job.bound, job.rate) = (7, 20, 20_000)
        #expect(try JobProbe(job.launch(in: place, parallelism: 2)).waitForEnd().state == .finished)
        let found = try place.lines("out")
        let late = Set(found.filter { $0.hasPrefix("late") })
        #expect(!late.isEmpty)
        // What was on time is paired in full, what was late not at all.
        let isSame = found.filter { !$0.hasPrefix("late") } == job.expected(late: late)
        #expect(isSame)
    }

    @Test(arguments: [(2, 3), (3, 1)])
    func anIntervalJoinIsExactAcrossARestore(before: Int, after: Int) throws {
        var job = JoinJob()
        job.rate = 8000
        let first = try JobProbe(job.launch(in: place, parallelism: before))
        try first.wait("checkpoints with records waiting") { $0.counts.completed >= 3 && $0.throughput.recordsRead > 1500 }
        try first.cancel()
        job.rate = nil
        var launch = job.launch(in: place, parallelism: after)
        launch.lineage = first.job.id
        launch.restore = RestoreRequest(path: try #require(first.job.checkpoints(limit: 100).filter(\.isRestorable).dropFirst().first?.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        let found = try place.lines("out"), expected = job.expected()
        let isSame = found == expected
        #expect(isSame, "\(found.count) lines for \(expected.count)")
    }
}
