import StreamModel
import Synchronization
import TestKit
import Testing

@testable import Dataflow

// Goal: every kind of window gives what a plain computation over the whole input gives, in event and in processing time, with late data
// accounted for to the record, across restores at another parallelism and stops. Method: seeded out-of-order input; results written exactly
// once and compared with sets and dictionaries that know no watermark.

/// A record of a seeded input: disordered in time by at most `disorder` ms, unless it is one of the late ones.
struct Event: EventTimed, StateCodable, Hashable {
    var key: UInt64
    var eventTime: EventTime
    var number: UInt64

    static var stateTypeName: String { "Event" }
    init(key: UInt64, at time: Int64, number: UInt64) {
        self.key = key
        eventTime = EventTime(milliseconds: time)
        self.number = number
    }
    func encode(into writer: inout StateWriter) {
        writer.write(key)
        eventTime.encode(into: &writer)
        writer.write(number)
    }
    init(from reader: inout StateReader) throws(StateDecodingError) {
        key = try reader.read()
        eventTime = try EventTime(from: &reader)
        number = try reader.read()
    }
}

/// A function of the record's number, so that every run has the same input.
struct EventInput: Sendable {
    var seed: UInt64 = 1
    var count: UInt64 = 6000
    var keys: UInt64 = 7
    /// Milliseconds of event time between two records.
    var step: Int64 = 10
    var disorder: Int64 = 300
    /// One in so many comes later than the disorder allows; 0 = none.
    var lateEvery: UInt64 = 0

    func event(_ number: UInt64) -> Event {
        var random = SeededGenerator(seed: seed &* 0x1_0000_01b3 &+ number)
        let time = Int64(number) * step - Int64.random(in: 0...max(disorder, 0), using: &random)
        let key = UInt64.random(in: 0..<keys, using: &random)
        let isLate = lateEvery > 0 && UInt64.random(in: 0..<lateEvery, using: &random) == 0
        // Keys rest from time to time, so that sessions end.
        let rests = (time / 2000 + Int64(key)) % 3 == 0
        return Event(key: rests ? key + 100 : key, at: isLate ? time - .random(in: 500...5000, using: &random) : time, number: number)
    }

    var events: [Event] { (0..<count).map(event) }
}

extension WindowResult where Key == UInt64, Value == UInt64 {
    var line: String { "\(key) \(window.start.milliseconds)..\(window.end.milliseconds) \(value)" }
}

/// How a test describes a window job and its result.
struct WindowJob: StreamJob {
    enum Kind: Sendable, CustomStringConvertible {
        case grid(WindowGrid)
        case session(Milliseconds)
        case contents(WindowGrid)
        case sessionContents(Milliseconds)
        var description: String {
            switch self {
            case .grid(let grid): grid.description
            case .session(let gap): "session \(gap.count) ms"
            case .contents(let grid): "contents of " + grid.description
            case .sessionContents(let gap): "contents of session \(gap.count) ms"
            }
        }
    }

    static let late = OutputTag<Event>("late")

    var kind: Kind
    var input = EventInput()
    var rate: Double?
    var directory: String
    var output: String
    var bound: Milliseconds = 300
    var lateness: Milliseconds = 0
    var splits = 1
    var uid = "window"
    var watermarkInterval: Milliseconds = 0
    var name: String { "windows" }

    func build(_ environment: StreamEnvironment) throws {
        environment.checkpoints.interval = 20
        environment.checkpoints.storageDirectory = directory
        environment.checkpoints.retention = .retainOnCancellation
        environment.checkpoints.retainedCheckpoints = 100
        environment.restartStrategy = .fixedDelay(attempts: 10, delay: 10)
        environment.allowsFaults = true
        environment.watermarkInterval = watermarkInterval
        let input = self.input
        let events = environment.read(GeneratorSource<Event>(count: input.count, rate: rate, splits: splits) { input.event($0.sequence) }, name: "events")
            .uid("events")
            .assignWatermarks(.boundedOutOfOrderness(bound)).uid("watermarks")
            .key(by: \.key)
        let lines: DataStream<String>, lateEvents: DataStream<Event>
        switch kind {
        case .grid(let grid):
            let results = events.window(grid).allowedLateness(lateness).lateData(to: Self.late).aggregate(Count<Event>()).uid(uid)
            (lines, lateEvents) = (results.map(\.line), results.sideOutput(Self.late))
        case .session(let gap):
            let results = events.sessionWindow(gap: gap).allowedLateness(lateness).lateData(to: Self.late).aggregate(Count<Event>()).uid(uid)
            (lines, lateEvents) = (results.map(\.line), results.sideOutput(Self.late))
        case .contents(let grid):
            lines = events.window(grid).allowedLateness(lateness).lateData(to: Self.late).process(to: String.self, Self.describe).uid(uid)
            lateEvents = lines.sideOutput(Self.late)
        case .sessionContents(let gap):
            lines = events.sessionWindow(gap: gap).allowedLateness(lateness).lateData(to: Self.late).process(to: String.self, Self.describe).uid(uid)
            lateEvents = lines.sideOutput(Self.late)
        }
        lines.union(lateEvents.map { "late \($0.number)" }).uid("union").write(to: .lines(directory: output) { $0 }).uid("sink")
    }

    @Sendable static func describe(_ contents: WindowContents<UInt64, Event>, _ out: Emitter<String>) {
        out.emit(line(contents.key, contents.window.start.milliseconds, contents.window.end.milliseconds, contents.elements.map(\.number)))
    }

    static func line(_ key: UInt64, _ start: Int64, _ end: Int64, _ numbers: [UInt64]) -> String {
        "\(key) \(start)..\(end) \(numbers.sorted().map(String.init).joined(separator: ","))"
    }

    func launch(parallelism: Int = 2, lineage: JobID? = nil) -> JobLaunch {
        JobLaunch(id: .random, lineage: lineage, job: self, parallelism: parallelism, storageRoot: directory, submittedAt: WallTime(milliseconds: 0))
    }

    /// What the windows come to when nothing is late: by filtering the whole input, window by window.
    var expected: [String] {
        let byKey = Dictionary(grouping: input.events, by: \.key)
        return byKey.flatMap { key, events in
            let times = events.map(\.eventTime.milliseconds)
            switch kind {
            case .grid(let grid), .contents(let grid):
                // Every start that the grid has in reach of the data.
                let first = Int((Double((times.min() ?? 0) - grid.size - grid.offset) / Double(grid.slide)).rounded(.down))
                let last = Int((Double((times.max() ?? 0) - grid.offset) / Double(grid.slide)).rounded(.up))
                return (first...last).compactMap { number -> String? in
                    let start = Int64(number) * grid.slide + grid.offset
                    return line(key, start, start + grid.size, events.filter { (start..<start + grid.size).contains($0.eventTime.milliseconds) })
                }
            case .session(let gap), .sessionContents(let gap):
                // Sorted, then cut where nothing came for longer than the gap.
                var sessions: [[Event]] = []
                for event in events.sorted(by: { $0.eventTime < $1.eventTime }) {
                    if let last = sessions.last?.last, event.eventTime.milliseconds - last.eventTime.milliseconds <= gap.count {
                        sessions[sessions.count - 1].append(event)
                    } else {
                        sessions.append([event])
                    }
                }
                return sessions.compactMap { session in
                    guard let first = session.first, let last = session.last else { return nil }
                    return line(key, first.eventTime.milliseconds, last.eventTime.milliseconds + gap.count, session)
                }
            }
        }.sorted()
    }

    private func line(_ key: UInt64, _ start: Int64, _ end: Int64, _ events: [Event]) -> String? {
        if events.isEmpty { return nil }
        switch kind {
        case .grid, .session: return "\(key) \(start)..\(end) \(events.count)"
        case .contents, .sessionContents: return Self.line(key, start, end, events.map(\.number))
        }
    }
}

/// Counts, and tells the test.
struct CountFed: AggregateFunction {
    let feed: Feed<UInt64>
    func makeAccumulator() -> UInt64 { 0 }
    func add(_ record: UInt64, to accumulator: inout UInt64) {
        accumulator += 1
        feed.noteProcessed()
    }
    func result(of accumulator: UInt64) -> UInt64 { accumulator }
}

@Suite struct WindowTests {
    let place: Sandbox

    init() throws { place = Sandbox() }

    func job(_ kind: WindowJob.Kind) -> WindowJob { WindowJob(kind: kind, directory: place("checkpoints"), output: place("out")) }

    func expectSame(_ found: [String], _ expected: [String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
        let foundSet = Set(found), expectedSet = Set(expected)
        let isSame = found == expected
        #expect(
            isSame,
            "\(what): \(found.count) lines for \(expected.count); extra \(found.filter { !expectedSet.contains($0) }.prefix(4)), missing \(expected.filter { !foundSet.contains($0) }.prefix(4))",
            sourceLocation: sourceLocation)
    }

    static let kinds: [WindowJob.Kind] = [
        .grid(.tumbling(1000)), .grid(.tumbling(777, offset: 100)), .grid(.tumbling(1000, offset: -250)), .grid(.sliding(1000, every: 250)),
        .grid(.sliding(900, every: 400, offset: 50)), .grid(.sliding(300, every: 1000)), .session(250), .contents(.tumbling(1500)),
        .contents(.sliding(2000, every: 1500)), .sessionContents(400),
    ]

    @Test(arguments: kinds, [1, 9] as [UInt64])
    func windowsOfDisorderedInputEqualAPlainComputation(kind: WindowJob.Kind, seed: UInt64) throws {
        var job = job(kind)
        job.input.seed = seed
        #expect(try JobProbe(job.launch(parallelism: 1 + Int(seed % 3))).waitForEnd().state == .finished)
        expectSame(try place.lines("out"), job.expected, "\(kind), seed \(seed)")
    }

    // Several sources, each with its own watermark: the lowest counts, so that nothing is late.
    @Test(arguments: [WindowJob.Kind.grid(.tumbling(1000)), .session(250)])
    func separateWatermarksOfSeveralSourcesMakeNothingLate(kind: WindowJob.Kind) throws {
        var job = job(kind)
        job.splits = 3
        #expect(try JobProbe(job.launch(parallelism: 3)).waitForEnd().state == .finished)
        expectSame(try place.lines("out"), job.expected, "\(kind)")
    }

    // On time and late together are all: with a lone split and a watermark after every batch, what is late is determined too, but the test
    // does not want to know it.
    @Test(arguments: [0, 200, 1500] as [Milliseconds], [WindowJob.Kind.grid(.tumbling(500)), .session(60)])
    func lateAndOnTimeRecordsAddUp(lateness: Milliseconds, kind: WindowJob.Kind) throws {
        var job = job(kind)
        job.input.lateEvery = 9
        job.input.disorder = 100
        job.bound = 50
        job.lateness = lateness
        // So that batches, and with them watermarks, are small against the lateness.
        job.rate = 20_000
        #expect(try JobProbe(job.launch()).waitForEnd().state == .finished)
        let lines = try place.lines("out")
        let late = lines.filter { $0.hasPrefix("late") }
        #expect(!late.isEmpty && Set(late).count == late.count)
        // With lateness a window is emitted again for every late record; the last, fullest result of each counts.
        var counted: [String: Int] = [:]
        for line in lines where !line.hasPrefix("late") {
            let words = line.split(separator: " ")
            let window = "\(words[0]) \(words[1])"
            #expect(lateness > 0 || counted[window] == nil, "emitted twice: \(line)")
            counted[window] = max(counted[window] ?? 0, Int(words[2]) ?? 0)
        }
        guard case .grid = kind else {
            // Sessions that grow are emitted under other bounds, so only the sum without lateness can be taken.
            if lateness == 0 { #expect(counted.values.reduce(0, +) + late.count == Int(job.input.count)) }
            return
        }
        #expect(counted.values.reduce(0, +) + late.count == Int(job.input.count))
    }

    // The contents of windows are in the checkpoint: half-full ones go on at another parallelism.
    @Test(
        arguments: [(2, 3), (3, 1), (1, 2)],
        [
            (WindowJob.Kind.grid(.tumbling(20_000)), 0), (.contents(.sliding(9000, every: 4000)), 0), (.sessionContents(900), 0),
            (.grid(.tumbling(3000)), 20_000), (.session(300), 20_000),
        ] as [(WindowJob.Kind, lateness: Milliseconds)])
    func aRestoreDuringOpenWindowsIsExact(parallelism: (Int, Int), of restored: (WindowJob.Kind, lateness: Milliseconds)) throws {
        let (kind, lateness) = restored
        var job = job(kind)
        job.input.count = 8000
        job.rate = 20_000
        // Windows that have fired are kept for a while, and must not fire again for the restore.
        job.lateness = lateness
        let first = try JobProbe(job.launch(parallelism: parallelism.0))
        try first.wait("checkpoints with something in them") { $0.counts.completed >= 3 && $0.throughput.recordsRead > 2500 }
        try first.cancel()
        let completed = first.job.checkpoints(limit: 100).filter(\.isRestorable)
        let chosen = try #require(completed.dropFirst().first)
        job.rate = nil
        var launch = job.launch(parallelism: parallelism.1, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(chosen.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        expectSame(try place.lines("out"), job.expected, "\(kind), \(parallelism)")
    }

    @Test func aCrashDuringOpenWindowsIsExact() throws {
        var job = job(.grid(.tumbling(700)))
        job.rate = 6000
        let probe = try JobProbe(job.launch())
        try probe.wait("two checkpoints") { $0.counts.completed >= 2 && $0.throughput.recordsRead > 1000 }
        try probe.job.fault("crash")
        #expect(try probe.waitForEnd().state == .finished)
        #expect(probe.report.restarts == 1)
        expectSame(try place.lines("out"), job.expected, "after a crash")
    }

    // Drained: all windows fire, also those that are not over. Not drained: they stay in the savepoint and go on with the next job.
    @Test(arguments: [false, true])
    func aStopFiresTheWindowsOnlyWithDrain(drain: Bool) throws {
        var job = job(.grid(.tumbling(1_000_000, offset: -500_000)))
        job.rate = 5000
        let first = try JobProbe(job.launch())
        try first.wait("records") { $0.counts.completed >= 1 && $0.throughput.recordsRead > 500 }
        let savepoint = try first.stop(drain: drain)
        #expect(try first.waitForEnd().state == .finished)
        let counted = try place.lines("out").reduce(0) { $0 + (Int($1.split(separator: " ")[2]) ?? 0) }
        #expect(counted == (drain ? Int(first.job.sourcePosition()) : 0))
        guard !drain else { return }
        job.rate = nil
        var launch = job.launch(parallelism: 3, lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(savepoint.path))
        #expect(try JobProbe(launch).waitForEnd().state == .finished)
        expectSame(try place.lines("out"), job.expected, "after the stop")
    }

    @Test func aChangedWindowIsRefusedByName() throws {
        var job = job(.grid(.tumbling(20_000)))
        job.rate = 20_000
        let first = try JobProbe(job.launch())
        try first.wait("a checkpoint") { $0.counts.completed >= 2 && $0.throughput.recordsRead > 500 }
        try first.cancel()
        job.kind = .grid(.tumbling(30_000))
        var launch = job.launch(lineage: first.job.id)
        launch.restore = RestoreRequest(path: try #require(first.report.latestCompleted?.path))
        let second = try JobProbe(launch)
        let report = try second.wait("the refusal") { $0.lastFailure != nil }
        let message = try #require(report.lastFailure?.message)
        #expect(message.contains("\"windows\"") && message.contains("tumbling 20000 ms in event time") && message.contains("tumbling 30000 ms in event time"))
        try second.cancel()
    }

    @Test func windowErrorsNameTheirCause() {
        func refusal(_ body: @escaping @Sendable (KeyedStream<UInt64, Event>) -> Void) -> String {
            do {
                let job = ClosureJob { environment in
                    body(environment.read(GeneratorSource<Event>(count: 1) { EventInput().event($0.sequence) }).key(by: \.key))
                }
                _ = try JobProbe(job.launch(in: place)).waitForEnd()
                return "launched"
            } catch { return String(describing: error) }
        }
        #expect(refusal { $0.window(.tumbling(0)).aggregate(Count()).discard() }.contains("at least 1 ms, not 0 ms"))
        #expect(refusal { $0.window(.tumbling(10, offset: 10)).aggregate(Count()).discard() }.contains("10 ms is not less than 10 ms"))
        #expect(refusal { $0.sessionWindow(gap: 0).aggregate(Count()).discard() }.contains("gap of a session window is at least 1 ms"))
        #expect(refusal { $0.window(.tumbling(10)).allowedLateness(-1).aggregate(Count()).discard() }.contains("-1 ms is negative"))
        #expect(refusal { $0.processingTimeWindow(.tumbling(10)).allowedLateness(1).aggregate(Count()).discard() }.contains("no late records"))
    }

    // The boundaries of processing time: a window [0, 100) gets what comes at 99, is not emitted before 100, and is at 100 although nothing comes.
    @Test func processingTimeWindowsFollowTheClockAndFireWhileTheInputIsIdle() throws {
        let host = ManualHost(at: 1_000_000), results = Mutex<[String]>([]), feed = Feed<UInt64>()
        let collect: @Sendable (String) -> Void = { line in results.withLock { $0.append(line) } }
        let job = ClosureJob { environment in
            environment.read(FeedSource(feed: feed), name: "feed").key { $0 % 2 }
                .processingTimeWindow(.tumbling(100)).aggregate(CountFed(feed: feed))
                .map { result in
                    collect("\(result.key) \(result.window.start.milliseconds - 1_000_000) \(result.value)")
                    return 0
                }.discard()
        }
        var launch = job.launch(in: place, parallelism: 1)
        launch.host = host
        let probe = try JobProbe(launch)
        func give(_ values: [UInt64], at time: Int64) throws {
            let before = feed.processedCount
            host.set(to: 1_000_000 + time)
            feed.give(values, waking: host)
            try poll("the records") { feed.processedCount == before + values.count }
        }
        try give([1, 2, 3], at: 10)
        try give([4], at: 99)
        #expect(results.withLock { $0 }.isEmpty)
        host.set(to: 1_000_100)
        try poll("the window") { results.withLock { $0.count } == 2 }
        #expect(results.withLock { $0.sorted() } == ["0 0 2", "1 0 2"])
        try give([5], at: 100)
        host.set(to: 1_000_199)
        try give([7], at: 199)
        #expect(results.withLock { $0.count } == 2)
        host.set(to: 1_000_200)
        try poll("the second window") { results.withLock { $0.count } == 3 }
        #expect(results.withLock { $0.last } == "1 100 2")
        try probe.cancel()
    }
}
