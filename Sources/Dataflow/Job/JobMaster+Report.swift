internal import CheckpointCore
internal import StreamModel
internal import Synchronization

extension JobMaster {
    func makeReport(as state: JobState, since stateSince: WallTime) -> JobReport {
        let launch = blueprint.launch
        let now = host.wall(), instant = host.now()
        var counts = coordinator.counters
        counts.restored = record.restored
        var report = JobReport(
            id: launch.id, name: launch.name, state: state, stateSince: stateSince, submittedAt: launch.submittedAt, attempt: max(1, attemptNumber),
            restarts: restarts, lastFailure: failures.rows.last, restartsAt: plannedRestart?.at, restartDelay: plannedRestart?.delay,
            restartReason: plannedRestart?.reason, parallelism: launch.parallelism,
            maxParallelism: blueprint.plan.maxParallelism, configuration: blueprint.configuration, restartStrategy: blueprint.restartStrategy,
            counts: counts, budget: coordinator.failureBudget(in: state))
        report.vertices = blueprint.plan.vertices.map { vertexReport($0, state) }
        report.throughput = attempt?.throughput(before: recordsBefore) ?? recordsBefore
        // Rates are those of a running job: there are none between attempts, or while one ends.
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

    private func vertexReport(_ vertex: ExecutionPlan.Vertex, _ state: JobState) -> VertexReport {
        var report = VertexReport(
            id: OperatorID(uid: vertex.uid), uid: vertex.uid, name: vertex.name, parallelism: vertex.parallelism)
        guard let attempt else {
            if state == .finished { report.finishedSubtasks = vertex.parallelism }
            return report
        }
        fill(&report, vertex: vertex.index, from: attempt, state)
        report.watermark = attempt.watermark(of: vertex.index)
        report.watermarkLag = report.watermark.flatMap { watermark in
            watermark == .max ? nil : Milliseconds((EventTime(milliseconds: host.wall().milliseconds) - Milliseconds(watermark.milliseconds)).milliseconds)
        }
        report.runningSubtasks = attempt.running.subtracting(attempt.ended).subtracting(attempt.exited).count { $0.vertex == vertex.index }
        report.finishedSubtasks = attempt.ended.count { $0.vertex == vertex.index }
        return report
    }

    private func fill(_ report: inout VertexReport, vertex: Int, from attempt: JobAttempt, _ state: JobState) {
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
