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
        report.throughput = rates.throughput(before: recordsBefore, attempt)
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
        rates.fill(&report, vertex: vertex.index, from: attempt)
        report.watermark = attempt.watermark(of: vertex.index)
        report.watermarkLag = report.watermark.flatMap { watermark in
            watermark == .max ? nil : Milliseconds((EventTime(milliseconds: host.wall().milliseconds) - Milliseconds(watermark.milliseconds)).milliseconds)
        }
        report.runningSubtasks = attempt.running.subtracting(attempt.ended).subtracting(attempt.exited).count { $0.vertex == vertex.index }
        report.finishedSubtasks = attempt.ended.count { $0.vertex == vertex.index }
        return report
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

/// Differences of counters between two ticks, by subtask. Owned by the job's thread.
struct RateMeter {
    private struct Sample {
        var recordsIn, recordsOut, written: UInt64
        var times: TaskTimes.Reading

        init(_ context: SubtaskContext, at now: EngineInstant) {
            let metrics = context.metrics
            recordsIn = context.recordsIn
            recordsOut = metrics.recordsOut.load(ordering: .relaxed)
            written = metrics.recordsWritten.load(ordering: .relaxed)
            times = metrics.times.reading(at: now)
        }
    }

    private var last: [ObjectIdentifier: Sample] = [:]
    private var lastAt: EngineInstant?
    /// Per vertex and second, from the two newest samples.
    private var recordsIn: [Int: Double] = [:], recordsOut: [Int: Double] = [:], written: [Int: Double] = [:]
    private var shares: [Int: (busy: Int, backPressured: Int, idle: Int)] = [:]
    private var sourceVertices: Set<Int> = []
    /// Records a second and busy part of each subtask, smoothed over a few periods: slow work comes in bursts.
    private var loads: [ObjectIdentifier: (rate: Double, busy: Double)] = [:]
    /// By vertex, the subtask with the highest smoothed rate, and the sum of all.
    private var hottest: [Int: (index: Int, rate: Double, busy: Double, total: Double)] = [:]

    mutating func sample(_ attempt: JobAttempt, at now: EngineInstant) {
        let samples = attempt.subtasks.map { ($0.context, Sample($0.context, at: now)) }
        let seconds = lastAt.map { Double(now.nanoseconds - $0.nanoseconds) * 1e-9 } ?? 0
        (recordsIn, recordsOut, written, shares, hottest) = ([:], [:], [:], [:], [:])
        sourceVertices = Set(attempt.vertices.filter(\.isSource).map(\.index))
        if seconds > 0 {
            for (context, sample) in samples {
                guard let before = last[ObjectIdentifier(context)] else { continue }
                let vertex = context.id.vertex
                let rate = Double(sample.recordsIn &- before.recordsIn) / seconds
                recordsIn[vertex, default: 0] += rate
                addLoad(context, rate: rate, busy: part(sample.times.busy - before.times.busy, of: seconds))
                recordsOut[vertex, default: 0] += Double(sample.recordsOut &- before.recordsOut) / seconds
                written[vertex, default: 0] += Double(sample.written &- before.written) / seconds
                addShares(vertex, parallelism: context.parallelism, before, sample, seconds: seconds)
            }
        }
        loads = loads.filter { known in samples.contains { ObjectIdentifier($0.0) == known.key } }
        last = Dictionary(uniqueKeysWithValues: samples.map { (ObjectIdentifier($0.0), $0.1) })
        lastAt = now
    }

    private mutating func addLoad(_ context: SubtaskContext, rate: Double, busy: Double) {
        let before = loads[ObjectIdentifier(context)] ?? (rate, busy)
        let load = (rate: before.rate * 0.75 + rate * 0.25, busy: before.busy * 0.75 + busy * 0.25)
        loads[ObjectIdentifier(context)] = load
        var top = hottest[context.id.vertex] ?? (context.id.index, 0, 0, 0)
        if load.rate > top.rate { (top.index, top.rate, top.busy) = (context.id.index, load.rate, load.busy) }
        top.total += load.rate
        hottest[context.id.vertex] = top
    }

    /// What part of so many seconds some nanoseconds are.
    private func part(_ nanoseconds: Int64, of seconds: Double) -> Double { min(1, max(0, Double(nanoseconds) / (seconds * 1e9))) }

    /// What is missing of the period, as before a task has begun, is counted as idle.
    private mutating func addShares(_ vertex: Int, parallelism: Int, _ before: Sample, _ now: Sample, seconds: Double) {
        let busy = part(now.times.busy - before.times.busy, of: seconds)
        let backPressured = min(1 - busy, part(now.times.backPressured - before.times.backPressured, of: seconds))
        let weight = 1000 / Double(parallelism)
        var share = shares[vertex] ?? (0, 0, 0)
        share.busy += Int((busy * weight).rounded())
        share.backPressured += Int((backPressured * weight).rounded())
        share.idle = max(0, 1000 - share.busy - share.backPressured)
        shares[vertex] = share
    }

    func fill(_ report: inout VertexReport, vertex: Int, from attempt: JobAttempt) {
        for context in attempt.contexts(of: vertex) {
            report.recordsIn += context.recordsIn
            report.recordsOut += context.metrics.recordsOut.load(ordering: .relaxed) + context.metrics.recordsWritten.load(ordering: .relaxed)
            report.stateBytes = report.stateBytes + ByteCount(Int64(context.metrics.stateBytes.load(ordering: .relaxed)))
        }
        report.recordsInPerSecond = recordsIn[vertex] ?? 0
        report.recordsOutPerSecond = (recordsOut[vertex] ?? 0) + (written[vertex] ?? 0)
        if report.parallelism > 1, let hottest = hottest[vertex], hottest.total >= 1 {
            report.hottest = HottestSubtask(
                index: hottest.index, recordsPermille: Int((hottest.rate / hottest.total * 1000).rounded()), busyPermille: Int((hottest.busy * 1000).rounded()))
        }
        let share = shares[vertex] ?? (0, 0, 1000)
        (report.busyPermille, report.backPressuredPermille, report.idlePermille) = (share.busy, share.backPressured, share.idle)
    }

    func throughput(before: Throughput, _ attempt: JobAttempt?) -> Throughput {
        guard let attempt else {
            var ended = before
            (ended.recordsReadPerSecond, ended.recordsWrittenPerSecond) = (0, 0)
            return ended
        }
        let contexts = attempt.subtasks.map(\.context)
        var total = before
        total.recordsRead += attempt.sources.reduce(0) { $0 + $1.recordsIn }
        total.recordsWritten += contexts.reduce(0) { $0 + $1.metrics.recordsWritten.load(ordering: .relaxed) }
        total.recordsReadPerSecond = sourceVertices.reduce(0) { $0 + (recordsIn[$1] ?? 0) }
        total.recordsWrittenPerSecond = written.values.reduce(0, +)
        total.inputFraction = inputFraction(attempt)
        return total
    }

    /// By source, because sources count in units of their own, then the mean; nil when none is bounded.
    private func inputFraction(_ attempt: JobAttempt) -> Double? {
        let fractions = attempt.vertices.filter(\.isSource).compactMap { vertex -> Double? in
            let contexts = attempt.contexts(of: vertex.index)
            let total = contexts.reduce(0) { $0 + $1.metrics.inputTotal.load(ordering: .relaxed) }
            let read = contexts.reduce(0) { $0 + $1.metrics.inputRead.load(ordering: .relaxed) }
            return total == 0 ? nil : min(1, Double(read) / Double(total))
        }
        return fractions.isEmpty ? nil : fractions.reduce(0, +) / Double(fractions.count)
    }
}

extension SubtaskContext {
    /// Records taken from channels, or read by the source since the attempt began.
    var recordsIn: UInt64 {
        let position = metrics.position.load(ordering: .relaxed), start = metrics.startPosition.load(ordering: .relaxed)
        return metrics.recordsIn.load(ordering: .relaxed) &+ (position &- start)
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
        restoredPosition = attempt.sources.reduce(0) { $0 + $1.metrics.startPosition.load(ordering: .relaxed) }
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
        attempt.sources.reduce(0) { $0 + $1.metrics.position.load(ordering: .relaxed) }
    }
}
