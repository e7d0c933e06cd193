import StreamModel

/// The console's memory of a job, in addition to its last report.
struct JobMemory: Sendable {
    /// One sample a second of each metric.
    private(set) var series: [Metric: Series] = [:]
    private(set) var sampleCount = 0
    /// The engine's time of the first sample; sample n is n seconds later.
    private(set) var sampledFrom: WallTime?

    /// The checkpoints of the job, newest first: what the engine answered, corrected by what the newer report says.
    private(set) var checkpoints: [CheckpointReport] = []
    /// The list as the engine last sent it, newest first.
    private var answered: [CheckpointReport] = []
    /// The part of the report that is in `checkpoints`.
    private var merged: [CheckpointID: CheckpointReport]?
    /// `checkpointsRevision` of the report that made us ask for the list.
    var revision: UInt64?
    /// A request for the list is under way since.
    var checkpointsAskedAt: WallTime?
    /// With operators and subtasks.
    var details: [CheckpointID: CheckpointReport] = [:]
    var detailAskedAt: [CheckpointID: WallTime] = [:]
    /// Newest first, as the engine answered.
    var failures: [FailureReport] = []
    /// Failures as the reports told them, without a question.
    var trail = FailureTrail()
    /// What the texts of its failures say.
    var readings = FailureReadings()
    var failuresAskedAt: WallTime?
    /// `restarts` and time of the last failure when the failures were last asked for.
    var failuresMark: FailuresMark?

    struct FailuresMark: Sendable, Equatable {
        var restarts: Int
        var last: WallTime?
    }

    private static let detailsMax = 32
    /// A report that comes this much later than the one before leaves a gap in the series.
    private static let gap = Milliseconds.seconds(5)

    /// Takes in the numbers of a report: one sample for each second since the one before. `metrics` are those worth remembering.
    mutating func sample(_ job: JobReport, at time: WallTime, metrics: [Metric] = Metric.allCases) {
        var start = sampledFrom ?? time
        // The engine's clock was set back: its time begins anew.
        if (time - start).count < Int64(sampleCount - 60) * 1000 { start = WallTime(milliseconds: time.milliseconds - Int64(sampleCount) * 1000) }
        sampledFrom = start
        let missing = (time - start).count.addingClamped(500) / 1000 + 1 - Int64(sampleCount)
        guard missing > 0 else { return }
        let isGap = missing > Self.gap.count / 1000 && sampleCount > 0
        // Of a long absence more samples than are kept need not be made up; the count says how long it was.
        let made = min(missing, Int64(SampleSpan.samplesMax * Series.ratio + 1))
        for metric in metrics {
            let value = metric.value(job)
            series[metric, default: Series()].skip(Int(missing - made))
            for sample in 1...made {
                series[metric, default: Series()].append(isGap && sample < made ? nil : value, keepsWorst: metric.keepsWorst)
            }
        }
        sampleCount += Int(missing)
    }

    /// Forgets the samples after the first `count`.
    mutating func trimSeries(to count: Int) {
        guard count < sampleCount else { return }
        series = series.mapValues { $0.asOf(count) }
        sampleCount = count
    }

    /// The samples of a metric, the newest last, and how many there have been.
    func samples(_ metric: Metric, _ span: SampleSpan = .fine) -> (values: [Float], count: Int) {
        series[metric]?.samples(span) ?? ([], 0)
    }

    /// Records a second over the last samples in which the job ran; 0 if it never did.
    var typicalRate: Double {
        let busy = samples(.read).values.suffix(60).filter { $0 > 0 }
        return busy.isEmpty ? 0 : Double(busy.reduce(0, +)) / Double(busy.count)
    }

    /// The most records a second that it was seen to read.
    var bestRate: Double { Double((samples(.read).values + samples(.read, .coarse).values).filter { !$0.isNaN }.max() ?? 0) }

    mutating func keep(detail: CheckpointReport) {
        details[detail.id] = detail
        detailAskedAt[detail.id] = nil
        while details.count > Self.detailsMax, let oldest = details.keys.min() { details[oldest] = nil }
    }

    /// Takes in the list that the engine sent.
    mutating func take(list: [CheckpointReport], job: JobReport?) {
        answered = list.sorted { $0.id > $1.id }
        checkpointsAskedAt = nil
        merged = nil
        merge(job)
    }

    /// Corrects the list by what a newer report says. Does nothing while neither has changed.
    mutating func merge(_ job: JobReport?) {
        var newer: [CheckpointID: CheckpointReport] = [:]
        for checkpoint in [job?.latestCompleted, job?.latestSavepoint, job?.latestFailed].compactMap({ $0 }) { newer[checkpoint.id] = checkpoint }
        for checkpoint in job?.inProgress ?? [] { newer[checkpoint.id] = checkpoint }
        guard newer != merged else { return }
        merged = newer
        // An in-flight row that is no longer in the report has ended: it comes back with the next answer.
        checkpoints = answered.filter { $0.status != .inProgress && newer[$0.id]?.status != .inProgress }
        for checkpoint in newer.values {
            if let index = index(of: checkpoint.id) {
                // The answer knows more (what was discarded) than the report's copy of the same ended checkpoint.
                if checkpoint.status == .inProgress { checkpoints[index] = checkpoint }
            } else {
                checkpoints.insert(checkpoint, at: checkpoints.firstIndex { $0.id < checkpoint.id } ?? checkpoints.count)
            }
        }
    }

    /// A checkpoint of the list.
    subscript(id: CheckpointID) -> CheckpointReport? { index(of: id).map { checkpoints[$0] } }

    private func index(of id: CheckpointID) -> Int? {
        var low = 0
        var high = checkpoints.count - 1
        while low <= high {
            let middle = (low + high) / 2
            if checkpoints[middle].id == id { return middle }
            if checkpoints[middle].id > id { low = middle + 1 } else { high = middle - 1 }
        }
        return nil
    }

    // MARK: Questions

    /// Forgets unanswered questions, so that they are asked again.
    mutating func forgetQuestions() {
        if checkpointsAskedAt != nil { revision = nil }
        if failuresAskedAt != nil { failuresMark = nil }
        (checkpointsAskedAt, failuresAskedAt) = (nil, nil)
        detailAskedAt = [:]
    }

    /// Lists are asked for again, whether or not the report tells of a change.
    mutating func askAgain() {
        (revision, checkpointsAskedAt) = (nil, nil)
        (failuresMark, failuresAskedAt) = (nil, nil)
    }
}
