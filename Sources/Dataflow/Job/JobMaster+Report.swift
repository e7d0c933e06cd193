internal import CheckpointCore
internal import StreamModel
internal import Synchronization

extension JobMaster {
    func makeReport() -> JobReport {
        let launch = blueprint.launch
        let now = host.wall(), instant = host.now()
        var counts = coordinator.counters
        counts.restored = record.restored
        var report = JobReport(
            id: launch.id, name: launch.name, state: state, stateSince: stateSince, submittedAt: launch.submittedAt, attempt: max(1, attemptNumber),
            restarts: restarts, lastFailure: failures.last, restartsAt: plannedRestart?.at, restartDelay: plannedRestart?.delay,
            restartReason: plannedRestart?.reason, parallelism: launch.parallelism,
            maxParallelism: blueprint.plan.maxParallelism, configuration: blueprint.configuration, restartStrategy: blueprint.restartStrategy,
            counts: counts, budget: coordinator.failureBudget())
        report.vertices = blueprint.plan.vertices.map { vertexReport($0) }
        report.throughput = attempt?.throughput(before: recordsBefore) ?? recordsBefore
        // Rates are those of a job that runs: between attempts, and while one ends, there are none.
        if state == .running { (report.throughput.recordsReadPerSecond, report.throughput.recordsWrittenPerSecond) = rates.total }
        report.inProgress = record.inProgress
        report.latestCompleted = record.latest { $0.status == .completed }
        report.latestSavepoint = record.latest { $0.status == .completed && $0.kind.isSavepoint }
        report.latestFailed = record.latest { $0.status == .failed }
        report.nextTriggerAt = coordinator.nextTriggerAt.map { now + ($0 - instant) }
        report.checkpointsRevision = record.revision
        report.restored = restored
        report.recipe = launch.recipe
        if audit.isUsed.load(ordering: .relaxed) {
            report.audit = SequenceAudit(
                verified: audit.verified.load(ordering: .relaxed), duplicates: audit.duplicates.load(ordering: .relaxed),
                lost: audit.lost.load(ordering: .relaxed), replayed: replay.replayed(attempt), toReplay: replay.toReplay)
        }
        return report
    }

    private func vertexReport(_ vertex: ExecutionPlan.Vertex) -> VertexReport {
        var report = VertexReport(
            id: OperatorID(uid: vertex.uid), uid: vertex.uid, name: vertex.name, parallelism: vertex.parallelism)
        guard let attempt else {
            if state == .finished { report.finishedSubtasks = vertex.parallelism }
            return report
        }
        fill(&report, vertex: vertex.index, from: attempt)
        report.watermark = attempt.watermark(of: vertex.index)
        report.watermarkLag = report.watermark.flatMap { watermark in
            watermark == .max ? nil : Milliseconds((EventTime(milliseconds: host.wall().milliseconds) - Milliseconds(watermark.milliseconds)).milliseconds)
        }
        report.runningSubtasks = attempt.running.subtracting(attempt.ended).subtracting(attempt.exited).count { $0.vertex == vertex.index }
        report.finishedSubtasks = attempt.ended.count { $0.vertex == vertex.index }
        return report
    }

    private func fill(_ report: inout VertexReport, vertex: Int, from attempt: JobAttempt) {
        let contexts = attempt.contexts(of: vertex)
        report.recordsIn = contexts.map(\.recordsIn).sumClamped()
        report.recordsOut = contexts.map {
            $0.metrics.recordsOut.load(ordering: .relaxed).addingClamped($0.metrics.recordsWritten.load(ordering: .relaxed))
        }.sumClamped()
        report.stateBytes = ByteCount(contexts.map { Int64($0.metrics.stateBytes.load(ordering: .relaxed)) }.sumClamped())
        guard state == .running, let rates = rates.rates(of: vertex) else { return }
        (report.recordsInPerSecond, report.recordsOutPerSecond) = (rates.recordsIn, rates.recordsOut + rates.written)
        (report.busyPermille, report.backPressuredPermille, report.idlePermille) = (rates.busy, rates.backPressured, rates.idle)
        if report.parallelism > 1 { report.hottest = self.rates.hottestSubtask(of: vertex) }
    }
}

extension JobAttempt {
    /// The lowest over the subtasks that are waited for; the highest of all when they are idle. nil = one has none yet.
    func watermark(of vertex: Int) -> EventTime? {
        let metrics = contexts(of: vertex).map(\.metrics)
        let busy = metrics.filter { !$0.isTimeIdle.load(ordering: .relaxed) }
        let times = (busy.isEmpty ? metrics : busy).map { $0.watermark.load(ordering: .relaxed) }
        guard let time = busy.isEmpty ? times.max() : times.min(), time > .min else { return nil }
        return EventTime(milliseconds: time)
    }
}

extension JobAttempt {
    /// What its tasks have counted, on top of what the attempts before it had.
    func throughput(before: Throughput) -> Throughput {
        var total = before
        total.recordsRead = total.recordsRead.addingClamped(sources.map(\.recordsIn).sumClamped())
        total.recordsWritten = total.recordsWritten.addingClamped(subtasks.map { $0.context.metrics.recordsWritten.load(ordering: .relaxed) }.sumClamped())
        total.inputFraction = inputFraction
        return total
    }

    /// By source, because sources count in units of their own, then the mean; nil when none is bounded.
    private var inputFraction: Double? {
        let fractions = vertices.filter(\.isSource).compactMap { vertex -> Double? in
            let contexts = contexts(of: vertex.index)
            let total = contexts.map { $0.metrics.inputTotal.load(ordering: .relaxed) }.sumClamped()
            let read = contexts.map { $0.metrics.inputRead.load(ordering: .relaxed) }.sumClamped()
            return total == 0 ? nil : min(1, Double(read) / Double(total))
        }
        return fractions.isEmpty ? nil : fractions.reduce(0, +) / Double(fractions.count)
    }
}

/// How many records are read again after a restore, from the sources' positions.
struct ReplayCount {
    /// Where the execution before had come to; nil = unknown.
    private var previousPosition: UInt64?
    private var restoredPosition: UInt64?
    /// Where the last attempt of this run had come to.
    private var lastPosition: UInt64?
    /// All tasks of the running attempt have their state; before that its positions mean nothing.
    private var hasBegun = false

    init(previousPosition: UInt64?) { self.previousPosition = previousPosition }

    mutating func attemptBegan(_ attempt: JobAttempt) {
        if let lastPosition { previousPosition = max(lastPosition, previousPosition ?? 0) }
        restoredPosition = attempt.sources.map { $0.metrics.startPosition.load(ordering: .relaxed) }.sumClamped()
        hasBegun = true
    }

    mutating func attemptEnded(_ attempt: JobAttempt) {
        // Sources that were restored early may have read on before the last task was ready; never forget what was read before.
        lastPosition = hasBegun ? current(attempt) : max(lastPosition ?? 0, current(attempt))
        hasBegun = false
    }

    func position(of attempt: JobAttempt?) -> UInt64 {
        if hasBegun, let attempt { return current(attempt) }
        return lastPosition ?? 0
    }

    var toReplay: UInt64? {
        guard let previousPosition, let restoredPosition else { return nil }
        return previousPosition > restoredPosition ? previousPosition - restoredPosition : 0
    }

    func replayed(_ attempt: JobAttempt?) -> UInt64 {
        guard let restoredPosition, let toReplay else { return 0 }
        let read = position(of: attempt)
        return min(read > restoredPosition ? read - restoredPosition : 0, toReplay)
    }

    private func current(_ attempt: JobAttempt) -> UInt64 {
        attempt.sources.map { $0.metrics.position.load(ordering: .relaxed) }.sumClamped()
    }
}
