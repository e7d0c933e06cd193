import CellGrid
import StreamModel

/// The probable cause of a job's trouble: patterns that are otherwise spread over several screens. Each needs evidence
/// that nothing else explains as well; without it nothing is said. Reports alone are enough, so that a job that nobody has opened is judged
/// like any other; answers to questions make the words more precise.
enum Diagnosis: Sendable, Equatable {
    /// Most of the time of the newest completed checkpoint went into writing.
    case slowStorage(CheckpointID, duration: Milliseconds, asyncPermille: Int)
    /// The newest completed checkpoint took as long as its interval; where the time went is not known.
    case slowCheckpoint(CheckpointID, duration: Milliseconds, interval: Milliseconds)
    /// One subtask takes much more than its share and cannot keep up.
    case hotKey(vertex: String, HottestSubtask)
    /// The source reads nothing, and nothing holds it back.
    case stalledSource(vertex: String, since: Milliseconds)
    /// The job fails again and again soon after it was restarted.
    case crashLoop(failures: Int, within: Milliseconds, cause: String)

    static func of(_ job: JobReport, in context: ContextState, at now: WallTime) -> Diagnosis? {
        guard !job.state.isTerminal else { return nil }
        // Only where the report gives reason to look at it: of most jobs it gives none, and there is a great deal in it.
        func memory() -> JobMemory { context.memories[job.id] ?? JobMemory() }
        let time = context.engineTime(at: now), limits = context.thresholds
        return crashLoop(job, memory, at: time, limits) ?? stalledSource(job, memory, limits) ?? hotKey(job, limits) ?? slowCheckpoint(job, memory, limits)
    }

    /// A crash loop lasts until the last failure is no longer recent: that the job runs between two of them is part of it.
    private static func crashLoop(_ job: JobReport, _ memory: () -> JobMemory, at now: WallTime, _ limits: DiagnosisThresholds) -> Diagnosis? {
        // A cluster tells its failures at once, and its count of restarts ten seconds later.
        guard job.restarts >= 2 || job.freshness != nil, let last = job.lastFailure, now - last.at < limits.crashLoopRecent else { return nil }
        let memory = memory()
        func recent(_ times: [WallTime]) -> [WallTime] { times.filter { now - $0 < limits.crashLoopWindow && $0 <= last.at } }
        let listed = recent(memory.failures.map(\.at).filter { $0 != last.at } + [last.at]), told = recent(memory.trail.times)
        let times = listed.count >= told.count ? listed : told
        guard times.count >= limits.crashLoopFailures, let first = times.min() else { return nil }
        let message = memory.readings.of(last.message, job).cause
        let cause = last.vertex.map { vertex in "\(vertex)\(last.subtask.map { " sub \($0)" } ?? ""): \(message)" } ?? message
        return .crashLoop(failures: times.count, within: now - first, cause: cause)
    }

    /// Some seconds without a record, after there had been some. An input that has ended is no stalled one, and a source that is held back
    /// is not to blame.
    private static func stalledSource(_ job: JobReport, _ memory: () -> JobMemory, _ limits: DiagnosisThresholds) -> Diagnosis? {
        guard job.state == .running, job.throughput.recordsReadPerSecond == 0, job.throughput.recordsRead > 0,
            job.throughput.inputFraction.map({ $0 < 1 }) ?? true,
            let source = job.vertices.first, source.backPressuredPermille ?? 0 < 100, source.finishedSubtasks == 0
        else { return nil }
        // One a second; a gap in them, when there were no reports, is no silence.
        let samples = memory().samples(.read).values
        let silent = samples.reversed().prefix { $0 == 0 }.count
        // A cluster tells means of ten seconds: one of them without a record may be a pause.
        let least = job.freshness == nil ? limits.sourceSilence : max(limits.sourceSilence, .seconds(15))
        guard silent >= least.count / 1000, silent < samples.count else { return nil }
        return .stalledSource(vertex: source.name, since: .seconds(Int64(silent)))
    }

    private static func hotKey(_ job: JobReport, _ limits: DiagnosisThresholds) -> Diagnosis? {
        guard job.state == .running else { return nil }
        for vertex in job.vertices {
            guard vertex.parallelism > 1, let hottest = vertex.hottest, hottest.busyPermille >= limits.hotBusyPermille else { continue }
            if hottest.recordsPermille.multipliedClamped(by: vertex.parallelism) >= limits.hotSharePermille { return .hotKey(vertex: vertex.name, hottest) }
        }
        return nil
    }

    /// The duration against the interval. A savepoint writes all state and may take its time.
    private static func slowCheckpoint(_ job: JobReport, _ memory: () -> JobMemory, _ limits: DiagnosisThresholds) -> Diagnosis? {
        guard let newest = job.latestCompleted, !newest.kind.isSavepoint, let duration = newest.duration, duration >= limits.slowCheckpointLeast
        else { return nil }
        let interval = job.configuration.interval
        func takes(_ permille: Int) -> Bool { duration.count.multipliedClamped(by: 1000) >= (interval?.count ?? 0).multipliedClamped(by: Int64(permille)) }
        if takes(limits.slowStoragePermille), let share = writingPermille(memory().details[newest.id]), share >= limits.writingPermille {
            return .slowStorage(newest.id, duration: duration, asyncPermille: share)
        }
        guard let interval, takes(limits.slowCheckpointPermille) else { return nil }
        return .slowCheckpoint(newest.id, duration: duration, interval: interval)
    }

    /// The part of writing in the time of the slowest subtask; nil = not known.
    private static func writingPermille(_ checkpoint: CheckpointReport?) -> Int? {
        guard let slowest = checkpoint?.operators?.flatMap(\.subtasks).max(by: { PhaseSpan.total($0) < PhaseSpan.total($1) }) else { return nil }
        let total = PhaseSpan.total(slowest)
        return total > 0 ? Int(min(max(slowest.asyncMicroseconds, 0), total).multipliedClamped(by: 1000) / total) : nil
    }

    /// In words, for the operator.
    var text: SafeText {
        switch self {
        case .slowStorage(let id, let duration, let share):
            "STORAGE slow? #\(id) took \(Figures.duration(duration)), \(Figures.percent(permille: share)) of it writing"
        case .slowCheckpoint(let id, let duration, let interval):
            "CKPT slow: #\(id) took \(Figures.duration(duration)); the interval is \(Figures.setting(interval))"
        case .hotKey(let vertex, let hottest):
            "HOT KEY? \(SafeText(vertex).prefix(columns: 20, ending: .cut)) sub \(hottest.index) gets \(Figures.percent(permille: hottest.recordsPermille)) of the records, busy \(Figures.percent(permille: hottest.busyPermille))"
        case .stalledSource(let vertex, let since):
            "SOURCE \(SafeText(vertex).prefix(columns: 24, ending: .cut)) has read nothing for \(Figures.age(since)), without back pressure"
        case .crashLoop(let failures, let within, let cause):
            "CRASH LOOP \(failures) failures in \(Figures.age(within)): \(cause)"
        }
    }
}

extension Condition {
    /// A possible cause of a condition that does not name one itself.
    func cause(of job: JobReport, in context: ContextState, at now: WallTime) -> Diagnosis? {
        switch self {
        case .suspect, .blocked, .linkDown: nil
        default: Diagnosis.of(job, in: context, at: now)
        }
    }
}
