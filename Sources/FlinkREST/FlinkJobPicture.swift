public import StreamModel

/// What is known of one job of a cluster.
public struct FlinkJobPicture: Sendable {
    public let id: JobID
    public private(set) var listing: Dated<FlinkJobListing>?
    public private(set) var details: Dated<FlinkJobDetails>?
    public private(set) var checkpoints: Dated<FlinkCheckpoints>?
    /// `.some(nil)` inside: the job has no checkpoints.
    public private(set) var configuration: Dated<FlinkCheckpointConfiguration?>?
    public private(set) var execution: Dated<FlinkExecutionConfiguration>?
    public private(set) var exceptions: Dated<FlinkExceptions>?
    public private(set) var restarts: Dated<Int>?
    /// By vertex.
    private(set) var flows: [OperatorID: VertexFlow] = [:]
    /// Where the subtasks of each vertex run.
    private(set) var hosts: [OperatorID: Dated<FlinkVertexSubtasks>] = [:]
    /// The newest completed checkpoint, of which it was said that it is discarded although no newer one was named, and since when.
    private var doubted: Dated<CheckpointID>?
    /// Rises with every change of the checkpoints.
    private(set) var revision: UInt64 = 0
    /// Questions that could not be answered, and when: they are not asked again at once.
    private var failedAt: [FlinkQuestion: WallTime] = [:]

    init(id: JobID) { self.id = id }

    public var name: String { details?.value.name ?? listing?.value.name ?? id.short }

    var hasEnded: Bool { Self.isTerminal(state) }

    /// The newest word on the state.
    var state: FlinkWord<JobState>? {
        switch (listing, details) {
        case (let listing?, let details?): listing.at > details.at ? listing.value.state : details.value.state
        case (let listing?, nil): listing.value.state
        case (nil, let details?): details.value.state
        case (nil, nil): nil
        }
    }

    private static func isTerminal(_ state: FlinkWord<JobState>?) -> Bool { state?.known?.isTerminal ?? false }

    // MARK: Answers

    mutating func take(_ listing: FlinkJobListing, at now: WallTime) { self.listing = Dated(value: listing, at: now) }

    mutating func take(_ details: FlinkJobDetails, at now: WallTime) {
        self.details = Dated(value: details, at: now)
        for vertex in details.vertices {
            flows[vertex.id, default: VertexFlow()].networkIn.take(vertex.recordsRead, at: now)
            flows[vertex.id, default: VertexFlow()].networkOut.take(vertex.recordsWritten, at: now)
        }
    }

    public mutating func take(_ checkpoints: FlinkCheckpoints, at now: WallTime) {
        if self.checkpoints?.value != checkpoints { revision &+= 1 }
        self.checkpoints = Dated(value: checkpoints, at: now)
        if let newest = checkpoints.latestCompleted, newest.isDiscarded, !checkpoints.hasRestorable(after: newest.id) {
            if doubted?.value != newest.id { doubted = Dated(value: newest.id, at: now) }
        } else {
            doubted = nil
        }
    }

    /// For so long a JobManager may answer about checkpoints from its memory (`web.refresh-interval`, 3 s), and the way of an answer.
    static let statisticsLast: Milliseconds = .seconds(4)

    /// The newest completed checkpoint. A JobManager that answers from its memory does not know of a checkpoint that has completed since, and
    /// yet says of the one before that it is discarded: it was subsumed by the newer one. What a restart would go back to is no older than
    /// that, so it stands until an answer that was surely made after the first such one says the same.
    var newestCompleted: FlinkCheckpoint? {
        guard var newest = checkpoints?.value.latestCompleted else { return nil }
        if let doubted, doubted.value == newest.id, let at = checkpoints?.at, at - doubted.at < Self.statisticsLast, !hasEnded { newest.isDiscarded = false }
        return newest
    }

    /// nil = the job has no checkpoints.
    public mutating func take(_ configuration: FlinkCheckpointConfiguration?, at now: WallTime) {
        if self.configuration?.value != configuration { revision &+= 1 }
        self.configuration = Dated(value: configuration, at: now)
    }

    public mutating func take(_ execution: FlinkExecutionConfiguration, at now: WallTime) { self.execution = Dated(value: execution, at: now) }

    public mutating func take(_ exceptions: FlinkExceptions, at now: WallTime) { self.exceptions = Dated(value: exceptions, at: now) }

    public mutating func take(jobMetrics: FlinkMetrics, at now: WallTime) {
        let value = jobMetrics.values["numRestarts"]?.sum ?? jobMetrics.values["fullRestarts"]?.sum
        restarts = Dated(value: value.flatMap { $0 >= 0 && $0 < 1e9 ? Int(clamping: $0) : nil } ?? restarts?.value ?? 0, at: now)
    }

    public mutating func take(metricNames: FlinkMetrics, vertex: OperatorID, at now: WallTime) {
        let place = details?.value.vertices.first { $0.id == vertex }
        flows[vertex, default: VertexFlow()].take(names: metricNames.names, isSource: place?.isSource ?? false, isSink: place?.isSink ?? false, at: now)
    }

    public mutating func take(metrics: FlinkMetrics, vertex: OperatorID, at now: WallTime) {
        flows[vertex, default: VertexFlow()].take(metrics, at: now)
    }

    mutating func take(hosts answer: FlinkVertexSubtasks, vertex: OperatorID, at now: WallTime) { hosts[vertex] = Dated(value: answer, at: now) }

    public mutating func note(failure question: FlinkQuestion, at now: WallTime) { failedAt[question] = now }

    // MARK: What to ask

    static let jobMetricNames = ["numRestarts", "fullRestarts"]

    /// What the Job screen cannot do without.
    func standing(at now: WallTime) -> [FlinkQuestion] {
        let patience: Milliseconds = hasEnded ? .seconds(10) : 0
        var questions: [FlinkQuestion] = []
        if isDue(details?.at, .job(id), patience, now) { questions.append(.job(id)) }
        if hasCheckpoints, isDue(checkpoints?.at, .checkpoints(id), patience, now) { questions.append(.checkpoints(id)) }
        return questions
    }

    private var hasCheckpoints: Bool { configuration.map { $0.value != nil } ?? true }

    private func isDue(_ at: WallTime?, _ question: FlinkQuestion, _ period: Milliseconds, _ now: WallTime) -> Bool {
        if let failed = failedAt[question], now - failed < .seconds(10) { return false }
        return at.map { (now - $0).count >= period.count } ?? true
    }

    var isKnownForOverview: Bool { details != nil && configuration != nil && (checkpoints != nil || !hasCheckpoints) }

    /// Vertices whose hosts are known.
    public var verticesWithHosts: Set<OperatorID> { Set(hosts.keys) }

    func wantedForOverview(at now: WallTime) -> [FlinkWish] {
        var wishes: [FlinkWish] = []
        func wish(_ question: FlinkQuestion, _ at: WallTime?, _ period: Milliseconds) {
            guard isDue(at, question, 0, now) else { return }
            guard hasEnded else { return wishes.append(FlinkWish(question, age: at.map { now - $0 }, period: period)) }
            // Of jobs that have ended what is known stays true, and what is not comes after all that is overdue of those that run.
            if at == nil { wishes.append(FlinkWish(question, urgency: 0.9)) }
        }
        wish(.checkpointConfiguration(id), configuration?.at, .minutes(5))
        if hasCheckpoints { wish(.checkpoints(id), checkpoints?.at, .seconds(5)) }
        wish(.job(id), details?.at, .seconds(10))
        return wishes
    }

    func wantedBeside(at now: WallTime) -> [FlinkWish] {
        var wishes: [FlinkWish] = []
        func wish(_ question: FlinkQuestion, _ at: WallTime?, _ period: Milliseconds, weight: Double = 1) {
            guard isDue(at, question, 0, now) else { return }
            wishes.append(FlinkWish(question, age: at.map { now - $0 }, period: period, weight: weight))
        }
        // The budget cannot be told without the configuration: it comes first.
        wish(.checkpointConfiguration(id), configuration?.at, .minutes(2), weight: 100)
        wish(.exceptions(id), exceptions?.at, isTroubled ? .seconds(4) : .seconds(20), weight: 10)
        wish(.executionConfiguration(id), execution?.at, .minutes(60))
        guard !hasEnded else { return wishes }
        wish(.jobMetrics(id), restarts?.at, .seconds(10))
        for vertex in details?.value.vertices ?? [] {
            let flow = flows[vertex.id]
            if let names = flow?.names(at: now) {
                wish(.vertexMetrics(id, vertex.id, names), flow?.measuredAt, .seconds(10))
            } else {
                wish(.metricNames(id, vertex.id), nil, .seconds(10), weight: 0.5)
            }
        }
        return wishes
    }

    private var isTroubled: Bool { state?.known != .running && state?.known != .finished && state?.known != .canceled }

    /// For whole reports.
    func missing(at now: WallTime) -> [FlinkQuestion] {
        var questions: [FlinkQuestion] = []
        func ask(_ question: FlinkQuestion, _ isKnown: Bool) { if !isKnown, failedAt[question] == nil { questions.append(question) } }
        ask(.job(id), details != nil)
        ask(.checkpointConfiguration(id), configuration != nil)
        if hasCheckpoints { ask(.checkpoints(id), checkpoints != nil) }
        ask(.executionConfiguration(id), execution != nil)
        ask(.exceptions(id), exceptions != nil)
        guard !hasEnded else { return questions }
        ask(.jobMetrics(id), restarts != nil)
        for vertex in details?.value.vertices ?? [] {
            if let names = flows[vertex.id]?.names(at: now) {
                ask(.vertexMetrics(id, vertex.id, names), flows[vertex.id]?.measuredAt != nil)
            } else {
                ask(.metricNames(id, vertex.id), false)
            }
        }
        return questions
    }
}

/// What flows through a vertex.
struct VertexFlow: Sendable, Equatable {
    /// Over the network, into and out of the whole chain.
    var networkIn = FlowMeter()
    var networkOut = FlowMeter()
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

    private static let taskNames = [
        "numRecordsInPerSecond", "numRecordsOutPerSecond", "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond", "idleTimeMsPerSecond",
        "currentInputWatermark",
    ]
    /// A list that had nothing in it yet (the first answer often has not), or that is this old, is asked for again.
    private static let namesLast: Milliseconds = .minutes(2)

    func names(at now: WallTime) -> [String]? {
        guard let known, let namedAt, !known.isEmpty, now - namedAt < Self.namesLast else { return nil }
        return known
    }

    mutating func take(names: [String], isSource: Bool, isSink: Bool, at now: WallTime) {
        let all = Set(names)
        sourceCounters = isSource ? Self.counters(names, ending: ".numRecordsOut") { $0.hasPrefix("Source") } : []
        // Since 1.15 a sink is a writer and a committer; only the writer takes records.
        let writers = Self.counters(names, ending: ".numRecordsIn") { $0.hasSuffix("Writer") }
        let sinks = Self.counters(names, ending: ".numRecordsIn") { $0.hasPrefix("Sink") && !$0.hasSuffix("Committer") }
        sinkCounters = !writers.isEmpty ? writers : isSink ? sinks : []
        var wanted = Self.taskNames.filter(all.contains)
        for counter in sourceCounters + sinkCounters {
            wanted.append(counter)
            if all.contains(counter + "PerSecond") { wanted.append(counter + "PerSecond") }
        }
        let watermarks = sourceCounters.map { String($0.dropLast("numRecordsOut".count)) + "currentOutputWatermark" }
        wanted += watermarks.filter { all.contains($0) }
        known = wanted
        namedAt = now
    }

    private static func counters(_ names: [String], ending: String, _ isWanted: (Substring) -> Bool) -> [String] {
        // An operator's name has no dot: Flink writes "_" for it.
        names.filter { $0.hasSuffix(ending) && !$0.dropLast(ending.count).contains(".") && isWanted($0.dropLast(ending.count)) }.sorted().prefix(8).map { $0 }
    }

    mutating func take(_ answer: FlinkMetrics, at now: WallTime) {
        measuredAt = now
        metrics = answer.values
        sourceMeter.take(sum(sourceCounters).map { Int64(min($0, 1e18)) }, at: now)
        sinkMeter.take(sum(sinkCounters).map { Int64(min($0, 1e18)) }, at: now)
        // The names have changed: ask for them anew.
        if answer.values.isEmpty { known = nil }
    }

    func sum(_ names: [String]) -> Double? {
        let values = names.compactMap { metrics[$0]?.sum }
        return values.isEmpty ? nil : values.reduce(0, +)
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
