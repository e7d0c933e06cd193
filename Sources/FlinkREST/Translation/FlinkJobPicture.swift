public import StreamModel

/// What is known of one job of a cluster.
public struct FlinkJobPicture: Sendable {
    public let id: JobID
    public private(set) var listing: Dated<FlinkJobListing>?
    public private(set) var details: Dated<FlinkJobDetails>?
    public private(set) var checkpoints: Dated<FlinkCheckpoints>?
    /// nil = no answer has told it; that the job has none only an answer says.
    public private(set) var configuration: Dated<FlinkCheckpointConfiguration>?
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
    /// When it was first seen to have ended.
    private(set) var endedSeenAt: WallTime?
    /// Questions that had no answer the last time.
    private(set) var unanswered: Set<FlinkQuestion> = []
    /// When the list first said something else of the tasks, and of the state.
    private var changedAt: WallTime?, stateChangedAt: WallTime?

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

    /// Its tasks run, so that something can flow.
    var isFlowing: Bool {
        guard state?.known == .running else { return false }
        guard let tasks = listing?.value.tasks, tasks.total > 0 else { return true }
        return tasks.running > 0
    }

    // MARK: Answers

    mutating func take(_ listing: FlinkJobListing, at now: WallTime) {
        if let before = self.listing?.value, ListMark(before) != ListMark(listing) {
            changedAt = now
            if before.state != listing.state { stateChangedAt = now }
        }
        self.listing = Dated(value: listing, at: now)
        noteState(at: now)
    }

    mutating func take(_ details: FlinkJobDetails, at now: WallTime) {
        self.details = Dated(value: details, at: now)
        noteState(at: now)
        let known = Set(details.vertices.map(\.id))
        if flows.keys.contains(where: { !known.contains($0) }) { flows = flows.filter { known.contains($0.key) } }
        guard isFlowing else { return }
        for vertex in details.vertices { flows[vertex.id, default: VertexFlow()].take(vertex, at: now) }
    }

    private mutating func noteState(at now: WallTime) {
        endedSeenAt = hasEnded ? endedSeenAt ?? now : nil
        // What was measured is of tasks that are gone.
        if !isFlowing { for id in flows.keys { flows[id]?.forgetFlow() } }
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

    public mutating func take(_ configuration: FlinkCheckpointConfiguration, at now: WallTime) {
        if self.configuration?.value != configuration { revision &+= 1 }
        self.configuration = Dated(value: configuration, at: now)
    }

    public mutating func take(_ execution: FlinkExecutionConfiguration, at now: WallTime) { self.execution = Dated(value: execution, at: now) }

    public mutating func take(_ exceptions: FlinkExceptions, at now: WallTime) {
        self.exceptions = Dated(value: exceptions, at: now)
    }

    /// Metrics that are not there yet tell nothing.
    public mutating func take(jobMetrics: FlinkMetrics, at now: WallTime) {
        guard let value = jobMetrics.values["numRestarts"]?.sum ?? jobMetrics.values["fullRestarts"]?.sum, value >= 0, value < 1e9 else { return }
        restarts = Dated(value: Int(clamping: value), at: now)
    }

    public mutating func take(metricNames: FlinkMetrics, vertex: OperatorID, at now: WallTime) {
        let place = details?.value.vertices.first { $0.id == vertex }
        flows[vertex, default: VertexFlow()].take(names: metricNames.names, isSource: place?.isSource ?? false, isSink: place?.takesOutput ?? false, at: now)
    }

    public mutating func take(metrics: FlinkMetrics, vertex: OperatorID, at now: WallTime) {
        guard isFlowing else { return }
        let parallelism = details?.value.vertices.first { $0.id == vertex }?.parallelism
        flows[vertex, default: VertexFlow()].take(metrics, parallelism: parallelism, at: now)
    }

    mutating func take(hosts answer: FlinkVertexSubtasks, vertex: OperatorID, at now: WallTime) { hosts[vertex] = Dated(value: answer, at: now) }

    mutating func note(_ question: FlinkQuestion, isAnswered: Bool) {
        switch question {
        case .checkpoint, .checkpointVertex, .hosts: return
        default: break
        }
        if isAnswered { unanswered.remove(question) } else { unanswered.insert(question) }
    }

    var isKnownForOverview: Bool {
        (configuration != nil || unanswered.contains(.checkpointConfiguration(id)))
            && (checkpoints != nil || unanswered.contains(.checkpoints(id)))
    }

    public var vertexNames: [OperatorID: String] {
        Dictionary((details?.value.vertices ?? []).map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first })
    }

    /// Vertices whose hosts are known.
    public var verticesWithHosts: Set<OperatorID> { Set(hosts.keys) }

    // MARK: What has changed

    /// The list has said something new, and a JobManager may have answered from its memory since.
    var detailsLag: Bool { lags(details?.at, changedAt, Self.statisticsLast) }
    var exceptionsLag: Bool { lags(exceptions?.at, changedAt, Self.statisticsLast) }
    /// Metrics are read every ten seconds.
    var restartsLag: Bool { lags(restarts?.at, changedAt, .seconds(14)) }
    /// The details may tell of the state before this one.
    var stateLag: Bool { lags(details?.at, stateChangedAt, Self.statisticsLast) }

    private func lags(_ at: WallTime?, _ change: WallTime?, _ memory: Milliseconds) -> Bool {
        guard let at, let change else { return false }
        return at - change < memory
    }
}

/// What changes in the list of jobs when something happens to the tasks of one.
private struct ListMark: Sendable, Equatable {
    var state: FlinkWord<JobState>
    var modifiedAt: WallTime?
    var tasks: FlinkTaskCounts

    init(_ listing: FlinkJobListing) { (state, modifiedAt, tasks) = (listing.state, listing.modifiedAt, listing.tasks) }
}
