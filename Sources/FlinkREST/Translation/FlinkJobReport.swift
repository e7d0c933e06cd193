public import StreamModel

// From what is known of a job to a report of it.
extension FlinkJobPicture {
    /// - Parameter clockAhead: the cluster's clock less ours; dates that are ours are shifted by it, as a report is on the engine's clock.
    func report(version: FlinkVersion?, clockAhead: Milliseconds, settings: FlinkClusterSettings? = nil) -> JobReport {
        let configuration = reportConfiguration(settings)
        var report = JobReport(
            id: id, name: name, state: reportState(), stateSince: stateSince(), submittedAt: submittedAt(), parallelism: parallelism(),
            maxParallelism: maxParallelism(), configuration: configuration, budget: budget(version))
        if state?.known == nil { report.stateWord = state?.text }
        report.restarts = restarts?.value ?? 0
        if checkpoints?.value.lacksHistory == true { report.lacksCheckpointList = true }
        report.attempt = report.restarts &+ 1
        report.vertices = vertices(clockAhead)
        report.throughput = throughput(clockAhead)
        if let words = execution?.value.restartStrategy {
            let strategy = FlinkRestartStrategy(words)
            report.restartStrategy = strategy.strategy ?? .none
            if strategy.strategy == nil { report.restartStrategyWords = words }
        } else {
            report.restartStrategyWords = "not known yet"
        }
        let failures = failures()
        report.lastFailure = failures.first
        report.lastFailure?.fullText = nil
        report.checkpointsRevision = revision
        report.freshness = ReportFreshness(
            state: [listing?.at, details?.at].compactMap { $0 }.max()?.shifted(clockAhead), checkpoints: checkpoints?.at.shifted(clockAhead),
            flow: flowDate()?.shifted(clockAhead), configuration: self.configuration?.at.shifted(clockAhead), failures: exceptions?.at.shifted(clockAhead))
        takeCheckpoints(into: &report, version)
        return report
    }

    /// All that the history still has, newest first.
    public func checkpointReports(version: FlinkVersion?) -> [CheckpointReport] {
        guard let known = checkpoints?.value else { return [] }
        var rows = known.history
        let extra = [known.latestCompleted, known.latestSavepoint, known.latestFailed].compactMap { $0 }
        for row in extra where !rows.contains(where: { $0.id == row.id }) { rows.append(row) }
        return rows.sorted { $0.id > $1.id }.map { report($0, version: version) }
    }

    // MARK: State

    private func reportState() -> JobState {
        guard let state else { return .initializing }
        if let nearest = state.nearest { return nearest }
        // A word of a later version: what the tasks do says the most.
        return (listing?.value.tasks.running ?? 0) > 0 ? .running : listing?.value.endedAt != nil ? .finished : .initializing
    }

    private func submittedAt() -> WallTime { details?.value.startedAt ?? listing?.value.startedAt ?? WallTime(milliseconds: 0) }

    private func stateSince() -> WallTime {
        if !stateLag, let state = state?.known, let since = details?.value.timestamps[state] { return since }
        return listing?.value.endedAt ?? listing?.value.modifiedAt ?? submittedAt()
    }

    private func parallelism() -> Int {
        let widest = details?.value.vertices.map(\.parallelism).max()
        return widest ?? execution?.value.parallelism ?? max(1, listing?.value.tasks.total ?? 1)
    }

    private func maxParallelism() -> Int {
        details?.value.maxParallelism ?? details?.value.vertices.compactMap(\.maxParallelism).min() ?? parallelism()
    }

    // MARK: Flow

    /// When the oldest of the rates that are shown was asked for; nil = none is known.
    private func flowDate() -> WallTime? {
        guard isFlowing else { return nil }
        let seen = (details?.value.vertices ?? []).filter { $0.isSource }.compactMap { flows[$0.id]?.measuredAt }
        return seen.min() ?? flows.values.compactMap(\.measuredAt).min()
    }

    private func vertices(_ clockAhead: Milliseconds) -> [VertexReport] {
        let now = details?.at.shifted(clockAhead)
        guard let details else {
            // Until the details are there, the whole job stands for its vertices.
            guard let listing = listing?.value, listing.tasks.total > 0 else { return [] }
            return [
                VertexReport(
                    id: OperatorID(high: id.high, low: id.low), uid: "", name: "all tasks", parallelism: listing.tasks.total,
                    runningSubtasks: listing.tasks.running, finishedSubtasks: listing.tasks.finished, recordsInPerSecond: nil, recordsOutPerSecond: nil)
            ]
        }
        return details.value.vertices.map { vertex in
            let flow = flows[vertex.id] ?? VertexFlow()
            let recordsIn = vertex.isSource ? flow.sum(flow.sourceCounters) : vertex.recordsRead.map(Double.init)
            let recordsOut = vertex.takesOutput ? flow.sum(flow.sinkCounters) : vertex.recordsWritten.map(Double.init)
            var report = VertexReport(
                id: vertex.id, uid: vertex.name, name: vertex.name, parallelism: vertex.parallelism, runningSubtasks: running(vertex, details),
                finishedSubtasks: vertex.tasks.finished, recordsIn: whole(recordsIn ?? 0), recordsOut: whole(recordsOut ?? 0),
                recordsInPerSecond: rateIn(vertex, flow, clockAhead), recordsOutPerSecond: rateOut(vertex, flow, clockAhead))
            report.busyPermille = flow.permille("busyTimeMsPerSecond")
            report.backPressuredPermille = flow.permille("backPressuredTimeMsPerSecond")
            report.idlePermille = flow.permille("idleTimeMsPerSecond")
            // A legacy source is not measured: its busy time is "NaN" and its idle time a 0 that means nothing.
            if report.busyPermille == nil { report.idlePermille = nil }
            report.watermark = flow.watermark
            if let watermark = report.watermark, watermark != .max, let now {
                let (lag, overflows) = now.milliseconds.subtractingReportingOverflow(watermark.milliseconds)
                report.watermarkLag = overflows ? nil : Milliseconds(lag)
            }
            return report
        }
    }

    /// The subtasks of a vertex that run, by its details. The list of jobs is asked more often: where a later one says that all tasks of the job
    /// run, or that none does, it is so of each vertex.
    private func running(_ vertex: FlinkVertex, _ details: Dated<FlinkJobDetails>) -> Int {
        guard let listing, listing.at > details.at else { return vertex.tasks.running }
        let tasks = listing.value.tasks
        if tasks.running == 0 { return 0 }
        return tasks.running == tasks.total ? vertex.parallelism : vertex.tasks.running
    }

    private func rateIn(_ vertex: FlinkVertex, _ flow: VertexFlow, _ clockAhead: Milliseconds) -> Double? {
        guard isFlowing else { return nil }
        return vertex.isSource
            ? sourceRate(flow, clockAhead) : flow.networkIn.rate ?? minuteMean(["numRecordsIn"], flow, clockAhead)
    }

    private func rateOut(_ vertex: FlinkVertex, _ flow: VertexFlow, _ clockAhead: Milliseconds) -> Double? {
        guard isFlowing else { return nil }
        return vertex.takesOutput ? sinkRate(flow, clockAhead) : flow.networkOut.rate ?? minuteMean(["numRecordsOut"], flow, clockAhead)
    }

    private func sourceRate(_ flow: VertexFlow, _ clockAhead: Milliseconds) -> Double? {
        flow.sourceCounters.isEmpty ? nil : flow.sourceMeter.rate ?? minuteMean(flow.sourceCounters, flow, clockAhead)
    }

    private func sinkRate(_ flow: VertexFlow, _ clockAhead: Milliseconds) -> Double? {
        flow.sinkCounters.isEmpty ? nil : flow.sinkMeter.rate ?? minuteMean(flow.sinkCounters, flow, clockAhead)
    }

    /// Flink's own rate is a mean over the last minute. It is one only once the tasks have run for as long, and it hides a standstill: it
    /// serves until two readings of the counter are known.
    private func minuteMean(_ counters: [String], _ flow: VertexFlow, _ clockAhead: Milliseconds) -> Double? {
        guard !stateLag, let measuredAt = flow.measuredAt, let since = runningSince else { return nil }
        guard measuredAt.shifted(clockAhead) - since >= Self.minuteMeanAfter else { return nil }
        return flow.sum(counters.map { $0 + "PerSecond" })
    }

    /// A minute, and the ten seconds that a reading may be old.
    private static let minuteMeanAfter: Milliseconds = .seconds(75)

    /// The start of the youngest tasks.
    private var runningSince: WallTime? {
        guard let details = details?.value, let running = details.timestamps[.running] else { return nil }
        return details.vertices.compactMap(\.startedAt).max().map { max($0, running) } ?? running
    }

    /// Flink counts 0 into sources and out of sinks, by design: the operators inside the chains count. Where a vertex has none that does, the
    /// network beside it is the nearest. Which of the two it is, is settled by the names of its metrics; before them nothing is told, and a
    /// sum of which a part is not known is none.
    private func throughput(_ clockAhead: Milliseconds) -> Throughput {
        var total = Throughput()
        var read: Double? = 0, written: Double? = 0
        let vertices = details?.value.vertices ?? []
        var hasOutput = false
        for vertex in vertices {
            let flow = flows[vertex.id] ?? VertexFlow()
            if vertex.isSource {
                total.recordsRead &+= whole(flow.sum(flow.sourceCounters) ?? 0)
                read = Self.sum(read, sourceRate(flow, clockAhead))
            }
            if flow.isNamed ? !flow.sinkCounters.isEmpty : vertex.takesOutput {
                hasOutput = true
                total.recordsWritten &+= whole(flow.sum(flow.sinkCounters) ?? 0)
                written = Self.sum(written, sinkRate(flow, clockAhead))
            }
        }
        let isKnown = isFlowing && !vertices.isEmpty
        (total.recordsReadPerSecond, total.recordsWrittenPerSecond) = (isKnown ? read : nil, isKnown && hasOutput ? written : nil)
        return total
    }

    private static func sum(_ left: Double?, _ right: Double?) -> Double? {
        guard let left, let right else { return nil }
        return left + right
    }

    // MARK: Configuration

    private func reportConfiguration(_ settings: FlinkClusterSettings?) -> CheckpointConfiguration {
        var report = CheckpointConfiguration()
        report.untold = settings == nil ? [.storageDirectory, .savepointDirectory, .retainedCheckpoints] : []
        report.savepointDirectory = settings?.savepointDirectory
        report.retainedCheckpoints = settings.map { $0.retainedCheckpoints ?? FlinkClusterSettings.retainedByDefault } ?? report.retainedCheckpoints
        guard let known = configuration?.value else { return report }
        report.interval = known.interval
        if let timeout = known.timeout { report.timeout = timeout }
        report.minimumPause = known.minimumPause ?? 0
        report.maximumConcurrent = known.maximumConcurrent ?? 1
        report.tolerableFailures = known.tolerableFailures
        report.mode = known.mode.known ?? .exactlyOnce
        report.retention = known.retention ?? .none
        report.unaligned = known.isUnaligned
        report.storageDirectory = storageDirectory(known, settings)
        let isInMemory = known.checkpointStorage.map { $0.contains("JobManager") || $0.contains("Memory") } ?? false
        if report.storageDirectory == nil, !isInMemory, known.checkpointStorage != nil { report.untold?.insert(.storageDirectory) }
        if report.storageDirectory != nil || isInMemory { report.untold?.remove(.storageDirectory) }
        return report
    }

    /// A job's API names the kind of the storage, not its place: the path of a checkpoint does, and else the cluster's configuration.
    private func storageDirectory(_ known: FlinkCheckpointConfiguration, _ settings: FlinkClusterSettings?) -> String? {
        let paths = (checkpoints?.value).map { [$0.latestCompleted] + $0.history.map(Optional.some) } ?? []
        for case let checkpoint? in paths where !checkpoint.isSavepoint {
            if let path = checkpoint.path, let end = path.firstRange(of: "/\(id)/") { return String(path[..<end.lowerBound]) }
        }
        let isInMemory = known.checkpointStorage.map { $0.contains("JobManager") || $0.contains("Memory") } ?? false
        return isInMemory ? nil : settings?.checkpointDirectory
    }

    private func budget(_ version: FlinkVersion?) -> FailureBudget {
        guard let checkpoints = checkpoints?.value, let configuration = configuration?.value else {
            return FailureBudget(counted: 0, tolerable: nil, source: .unknown, cumulative: checkpoints?.value.counts.failed ?? 0)
        }
        var budget = FailureBudget(checkpoints, configuration: configuration, version: version)
        if let tolerable = budget.tolerable, isFailedByBudget {
            budget.counted = tolerable + 1
            (budget.atLeast, budget.atMost) = (nil, nil)
        }
        return budget
    }

    /// Flink resets its counter as it fails the job; the exception tells that the budget was exceeded.
    private var isFailedByBudget: Bool {
        guard state?.known == .failed, let trace = exceptions?.value.entries.first?.stackTrace else { return false }
        let bytes = Array(trace.utf8.prefix(Self.scanned)), words = Array("Exceeded checkpoint tolerable failure threshold".utf8)
        return bytes.indices.dropLast(words.count - 1).contains { bytes[$0] == words[0] && bytes[$0..<$0 + words.count].elementsEqual(words) }
    }

    /// Bytes of a trace that are looked at, in every report: the cause stands below the frames of a first exception.
    private static let scanned = 16_000

    // MARK: Checkpoints

    private func takeCheckpoints(into report: inout JobReport, _ version: FlinkVersion?) {
        guard let known = checkpoints?.value else { return }
        report.counts = known.counts
        report.inProgress = known.history.filter { $0.status.known == .inProgress }.sorted { $0.id < $1.id }.map { self.report($0, version: version) }
        report.latestCompleted = newestCompleted.map { self.report($0, version: version) }
        report.latestSavepoint = known.latestSavepoint.map { self.report($0, version: version) }
        report.latestFailed = known.latestFailed.map { self.report($0, version: version) }
        guard let restored = known.restored else { return }
        let path = restored.path ?? ""
        // The name of the directory tells which kind it is; the API does not.
        let isCheckpoint = path.split(separator: "/").last?.hasPrefix("chk-") ?? false
        let writer = path.split(separator: "/").reversed().lazy.compactMap { JobID(String($0)) }.first
        report.restored = RestoreReport(
            checkpoint: restored.id, path: path, kind: isCheckpoint ? .checkpoint : .savepoint, fromJob: writer ?? id, at: restored.at, stateSize: 0,
            chosen: restored.isChosen)
    }

    /// A row, or with operators when they are known.
    public func report(_ checkpoint: FlinkCheckpoint, version: FlinkVersion?) -> CheckpointReport {
        let kind: CheckpointKind =
            checkpoint.type == "SYNC_SAVEPOINT" ? .synchronousSavepoint : checkpoint.isSavepoint ? .savepoint : .checkpoint
        let status = checkpoint.status.known ?? (checkpoint.path != nil ? .completed : checkpoint.failedAt != nil ? .failed : .inProgress)
        let timeout = configuration?.value.timeout ?? CheckpointConfiguration().timeout
        var report = CheckpointReport(
            id: checkpoint.id, kind: kind, status: status, triggeredAt: checkpoint.triggeredAt, duration: checkpoint.duration,
            timeoutAt: checkpoint.triggeredAt.shifted(timeout), acknowledgedSubtasks: checkpoint.acknowledged, totalSubtasks: checkpoint.subtasks,
            stateSize: checkpoint.stateSize ?? 0, checkpointedSize: checkpoint.checkpointedSize, path: checkpoint.path, discarded: checkpoint.isDiscarded)
        switch status {
        case .inProgress: break
        case .completed: report.endedAt = checkpoint.lastAckAt ?? checkpoint.duration.map { checkpoint.triggeredAt.shifted($0) }
        case .failed:
            report.endedAt = checkpoint.failedAt
            let message = checkpoint.failureMessage ?? "no cause was given"
            report.failure = .init(
                reason: FlinkFailureReason.reason(of: message), message: message,
                counted: FlinkFailureReason.counting(message, isSavepoint: checkpoint.isSavepoint, version: version) == .yes,
                at: checkpoint.failedAt ?? checkpoint.triggeredAt)
        }
        return report
    }

    /// A checkpoint with its operators, and with the subtasks and hosts of those vertices that were asked for.
    public func report(
        _ checkpoint: FlinkCheckpoint, subtasks: [OperatorID: FlinkVertexCheckpoint], version: FlinkVersion?
    ) -> CheckpointReport {
        var report = report(checkpoint, version: version)
        let order = details?.value.vertices ?? []
        let places = Dictionary(order.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        report.operators = checkpoint.tasks.values.sorted { (places[$0.vertex] ?? .max, $0.vertex) < (places[$1.vertex] ?? .max, $1.vertex) }.map { task in
            let name = places[task.vertex].map { order[$0].name } ?? task.vertex.short
            var part = OperatorCheckpointReport(
                uid: name, name: name, operatorID: task.vertex, parallelism: task.parallelism, stateSize: task.stateSize ?? 0,
                checkpointedSize: task.checkpointedSize,
                subtasks: Self.subtasks(subtasks[task.vertex] ?? task, hosts[task.vertex]?.value))
            if part.subtasks.isEmpty { part.acknowledgedCount = task.acknowledged }
            return part
        }
        return report
    }

    private static func subtasks(_ task: FlinkVertexCheckpoint, _ hosts: FlinkVertexSubtasks?) -> [SubtaskCheckpointReport] {
        func microseconds(_ span: Milliseconds?) -> Int64 { min(span?.count ?? 0, .max / 1000) * 1000 }
        return task.subtasks.map { subtask in
            SubtaskCheckpointReport(
                index: subtask.index, acknowledgedAt: subtask.acknowledgedAt, stateSize: subtask.stateSize ?? 0, checkpointedSize: subtask.checkpointedSize,
                startDelayMicroseconds: microseconds(subtask.startDelay), alignmentMicroseconds: microseconds(subtask.alignment),
                syncMicroseconds: microseconds(subtask.sync), asyncMicroseconds: microseconds(subtask.async), host: hosts?.places[subtask.index])
        }
    }

    // MARK: Failures

    /// Newest first, each reduced to its root cause with the whole trace beside it.
    public func failures() -> [FailureReport] {
        (exceptions?.value.entries ?? []).map { entry in
            let cause = ErrorText.useful(entry.stackTrace)
            let place = entry.task.flatMap(FlinkTaskName.init)
            return FailureReport(
                at: entry.at, message: cause.isEmpty ? entry.name : cause, vertex: place?.vertex, subtask: place?.subtask,
                attempt: (place?.attempt ?? 0) &+ 1, host: entry.place.map { String($0.prefix { $0 != ":" }) },
                fullText: shortened(entry.stackTrace, to: 100_000))
        }
    }
}

/// "Source: gen -> Map (2/4) - execution #3": the task that failed.
struct FlinkTaskName: Equatable {
    var vertex: String
    /// Counted from 0, as everywhere.
    var subtask: Int?
    /// Counted from 0.
    var attempt: Int?

    init?(_ text: String) {
        guard let open = text.lastIndex(of: "("), let close = text[open...].firstIndex(of: ")") else {
            vertex = text
            return
        }
        let numbers = text[text.index(after: open)..<close].split(separator: "/")
        guard numbers.count == 2, let number = Int(numbers[0]), Int(numbers[1]) != nil else {
            vertex = text
            return
        }
        var name = text[..<open]
        while name.last?.isWhitespace == true { name = name.dropLast() }
        vertex = String(name)
        subtask = number > 0 ? number - 1 : nil
        if let mark = text[close...].lastIndex(of: "#") { attempt = Int(text[text.index(after: mark)...]) }
    }
}

/// Flink describes its restart strategy in words only.
struct FlinkRestartStrategy: Equatable {
    /// nil = words that are not understood, or a default that is not named.
    var strategy: RestartStrategy?

    init(_ words: String) {
        if words.hasPrefix("Restart deactivated") {
            strategy = RestartStrategy.none
        } else if let match = words.firstMatch(of: /Restart with fixed delay \((\S+?)(?: ms)?\)\. #(\d+) restart attempts/),
            let delay = Self.span(String(match.output.1)), let attempts = Int(match.output.2)
        {
            strategy = .fixedDelay(attempts: attempts, delay: delay)
        }
    }

    /// "1000" (ms) or ISO 8601: "PT1S", "PT1M30.5S".
    private static func span(_ text: String) -> Milliseconds? {
        if let milliseconds = Int64(text), milliseconds >= 0 { return Milliseconds(milliseconds) }
        guard let match = text.wholeMatch(of: /PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})(?:\.(\d{1,9}))?S)?/) else { return nil }
        func number(_ part: Substring?) -> Int64 { part.flatMap { Int64($0) } ?? 0 }
        let fraction = match.output.4.map { number(Substring(String($0).padding(to: 3))) } ?? 0
        return Milliseconds(number(match.output.1) * 3_600_000 + number(match.output.2) * 60_000 + number(match.output.3) * 1000 + fraction)
    }
}

extension String {
    /// Cut or filled with zeros to a length.
    fileprivate func padding(to count: Int) -> String {
        let start = String(prefix(count))
        return start + String(repeating: "0", count: count - start.count)
    }
}

extension WallTime {
    /// Stays at the ends of the range: spans and dates come from outside.
    func shifted(_ span: Milliseconds) -> WallTime {
        let (sum, overflows) = milliseconds.addingReportingOverflow(span.count)
        return WallTime(milliseconds: overflows ? (span.count > 0 ? .max : .min) : sum)
    }
}

/// A count that came as a floating-point number.
private func whole(_ value: Double) -> UInt64 { UInt64(clamping: min(value, 1e18)) }
