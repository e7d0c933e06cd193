internal import StreamModel

/// What flows through a vertex.
struct VertexFlow: Sendable, Equatable {
    /// Over the network, into and out of the whole chain.
    private(set) var networkIn = FlowMeter()
    private(set) var networkOut = FlowMeter()
    /// What sources emit and sinks take, inside the chain.
    private(set) var sourceMeter = FlowMeter()
    private(set) var sinkMeter = FlowMeter()
    /// Metrics that the vertex has and that are asked for. One that it has not would empty the whole answer.
    private var known: [String]?
    private var namedAt: WallTime?
    /// "Source__numbers.numRecordsOut" and the like: what a source emits and a sink takes, inside the chain.
    private(set) var sourceCounters: [String] = []
    private(set) var sinkCounters: [String] = []
    private(set) var metrics: [String: FlinkMetrics.Value] = [:]
    private(set) var measuredAt: WallTime?
    /// The attempt that the counters belong to, by the start of its tasks.
    private var startedAt: WallTime?

    /// Times of which each task spends all its life: their sum is how long it has run. Flink 1.15 brought them.
    private static let lifeTimes = ["accumulateBusyTimeMs", "accumulateIdleTimeMs", "accumulateBackPressuredTimeMs"]
    private static let taskNames =
        [
            "numRecordsInPerSecond", "numRecordsOutPerSecond", "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "idleTimeMsPerSecond",
            "currentInputWatermark",
        ] + lifeTimes
    /// A list that is this old is asked for again.
    private static let namesLast: Milliseconds = .minutes(10)

    /// Which metrics the vertex has is known.
    var isNamed: Bool { known != nil }

    func names(at now: WallTime) -> [String]? {
        guard let known, let namedAt, !known.isEmpty, now - namedAt < Self.namesLast else { return nil }
        return known
    }

    /// Takes in the names of its metrics. The first answers often have none yet: that tells nothing.
    mutating func take(names: [String], isSource: Bool, isSink: Bool, at now: WallTime) {
        let all = Set(names)
        let wanted = Self.taskNames.filter(all.contains)
        guard !wanted.isEmpty else { return }
        var sources = isSource ? Self.counters(names, ending: ".numRecordsOut") { $0.hasPrefix("Source") } : []
        // Where no operator counts, the network beside it is the nearest.
        if isSource, sources.isEmpty, all.contains("numRecordsOut") { sources = ["numRecordsOut"] }
        // Since 1.15 a sink is a writer and a committer; only the writer takes records.
        let writers = Self.counters(names, ending: ".numRecordsIn") { $0.hasSuffix("Writer") }
        let plain = Self.counters(names, ending: ".numRecordsIn") { $0.hasPrefix("Sink") && !$0.hasSuffix("Committer") }
        var sinks = !writers.isEmpty ? writers : isSink ? plain : []
        if isSink, sinks.isEmpty, all.contains("numRecordsIn") { sinks = ["numRecordsIn"] }
        if sources != sourceCounters { (sourceCounters, sourceMeter) = (sources, FlowMeter()) }
        if sinks != sinkCounters { (sinkCounters, sinkMeter) = (sinks, FlowMeter()) }
        let counters = sourceCounters + sinkCounters
        let rates = counters.map { $0 + "PerSecond" }.filter { all.contains($0) && !wanted.contains($0) }
        let watermarks = sourceCounters.map { String($0.dropLast("numRecordsOut".count)) + "currentOutputWatermark" }.filter {
            $0.contains(".") && all.contains($0)
        }
        known = wanted + counters + rates + watermarks
        namedAt = now
    }

    private static func counters(_ names: [String], ending: String, _ isWanted: (Substring) -> Bool) -> [String] {
        // An operator's name has no dot: Flink writes "_" for it.
        names.filter { $0.hasSuffix(ending) && !$0.dropLast(ending.count).contains(".") && isWanted($0.dropLast(ending.count)) }.sorted().prefix(8).map { $0 }
    }

    /// Takes in the counters of a job's details.
    mutating func take(_ vertex: FlinkVertex, at now: WallTime) {
        if vertex.startedAt != startedAt {
            // Another attempt counts from nothing.
            if startedAt != nil { forgetFlow() }
            startedAt = vertex.startedAt
        }
        let clock = vertex.clock
        networkIn.take(vertex.recordsRead, clock: clock, at: now)
        networkOut.take(vertex.recordsWritten, clock: clock, at: now)
    }

    mutating func take(_ answer: FlinkMetrics, parallelism: Int?, at now: WallTime) {
        // The names have changed, or the tasks have gone: ask for them anew.
        guard !answer.values.isEmpty else {
            (known, metrics) = (nil, [:])
            return
        }
        measuredAt = now
        metrics = answer.values
        let clock = clock
        // Some of the subtasks have not told their counters yet: their sum is none.
        if let clock, let parallelism, clock.subtasks != parallelism { return forgetMeters() }
        sourceMeter.take(sum(sourceCounters).map { Int64(min($0, 1e18)) }, clock: clock, at: now)
        sinkMeter.take(sum(sinkCounters).map { Int64(min($0, 1e18)) }, clock: clock, at: now)
    }

    var lacksClock: Bool { measuredAt != nil && clock == nil }

    private var clock: MetricClock? {
        let times = Self.lifeTimes.compactMap { metrics[$0] }
        guard times.count == Self.lifeTimes.count else { return nil }
        let means = times.compactMap(\.avg), sums = times.compactMap(\.sum)
        guard means.count == times.count, sums.count == times.count, case let mean = means.reduce(0, +), mean > 0 else { return nil }
        return MetricClock(elapsed: mean, subtasks: Int(clamping: (min(sums.reduce(0, +) / mean, 1e9)).rounded()))
    }

    /// Nothing flows, and what is measured next belongs to another attempt.
    mutating func forgetFlow() {
        forgetMeters()
        (networkIn, networkOut, metrics, measuredAt) = (FlowMeter(), FlowMeter(), [:], nil)
    }

    private mutating func forgetMeters() { (sourceMeter, sinkMeter) = (FlowMeter(), FlowMeter()) }

    func sum(_ names: [String]) -> Double? {
        let values = names.compactMap { metrics[$0]?.sum }
        return values.count < names.count || values.isEmpty ? nil : values.reduce(0, +)
    }

    func permille(_ name: String) -> Int? {
        (metrics[name]?.avg).flatMap { $0 >= 0 ? Int(clamping: min($0, 1000).rounded()) : nil }
    }

    /// The slowest subtask's; nil = none yet.
    var watermark: EventTime? {
        let outputs = metrics.filter { $0.key.hasSuffix(".currentOutputWatermark") }.compactMap(\.value.min)
        guard let value = metrics["currentInputWatermark"]?.min ?? outputs.min(), value > -9.2e18 else { return nil }
        return value >= 9.2e18 ? .max : EventTime(milliseconds: Int64(clamping: value))
    }
}
