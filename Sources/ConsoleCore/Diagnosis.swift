import CellGrid
import StreamModel

/// What is probably behind a job's trouble: patterns that an operator would otherwise have to find on several screens. Each needs evidence
/// that nothing else explains as well; without it nothing is said.
enum Diagnosis: Sendable, Equatable {
    /// Most of the time of the newest completed checkpoint went into writing.
    case slowStorage(CheckpointID, duration: Milliseconds, asyncPermille: Int)
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
        let time = context.engineTime(at: now)
        return crashLoop(job, memory, at: time) ?? stalledSource(job, memory) ?? hotKey(job) ?? slowStorage(job, memory)
    }

    /// Three failures in two minutes, the last within one.
    private static func crashLoop(_ job: JobReport, _ memory: () -> JobMemory, at now: WallTime) -> Diagnosis? {
        let window = Milliseconds.minutes(2)
        guard job.restarts >= 2, let last = job.lastFailure, now - last.at < .minutes(1) else { return nil }
        var times = memory().failures.map(\.at)
        if !times.contains(last.at) { times.append(last.at) }
        let recent = times.filter { now - $0 < window }
        guard recent.count >= 3, let first = recent.min() else { return nil }
        let cause = last.vertex.map { vertex in "\(vertex)\(last.subtask.map { " sub \($0)" } ?? ""): \(last.message)" } ?? last.message
        return .crashLoop(failures: recent.count, within: now - first, cause: cause)
    }

    /// Fifteen seconds without a record, after there had been some. An input that has ended is no stalled one, and a source that is held back
    /// is not to blame.
    private static func stalledSource(_ job: JobReport, _ memory: () -> JobMemory) -> Diagnosis? {
        guard job.state == .running, job.throughput.recordsReadPerSecond == 0, job.throughput.recordsRead > 0, job.throughput.inputFraction.map({ $0 < 1 }) ?? true,
            let source = job.vertices.first, source.backPressuredPermille ?? 0 < 100, source.finishedSubtasks == 0
        else { return nil }
        // One a second; a gap in them, when there were no reports, is no silence.
        let samples = memory().samples(.read).values
        let silent = samples.reversed().prefix { $0 == 0 }.count
        guard silent >= 15, silent < samples.count else { return nil }
        return .stalledSource(vertex: source.name, since: .seconds(Int64(silent)))
    }

    private static func hotKey(_ job: JobReport) -> Diagnosis? {
        guard job.state == .running else { return nil }
        for vertex in job.vertices {
            guard vertex.parallelism > 1, let hottest = vertex.hottest, hottest.busyPermille >= 800 else { continue }
            // More than half again its share.
            if hottest.recordsPermille.multipliedClamped(by: vertex.parallelism) >= 1500 { return .hotKey(vertex: vertex.name, hottest) }
        }
        return nil
    }

    /// Writing took most of it, and it took long for its interval.
    private static func slowStorage(_ job: JobReport, _ memory: () -> JobMemory) -> Diagnosis? {
        guard let newest = job.latestCompleted, let duration = newest.duration, duration >= .seconds(1),
            duration.count.multipliedClamped(by: 2) >= job.configuration.interval?.count ?? 0,
            let slowest = memory().details[newest.id]?.operators?.flatMap(\.subtasks).max(by: { PhaseSpan.total($0) < PhaseSpan.total($1) })
        else { return nil }
        let total = PhaseSpan.total(slowest)
        guard total > 0 else { return nil }
        let share = Int(min(max(slowest.asyncMicroseconds, 0), total) * 1000 / total)
        return share >= 700 ? .slowStorage(newest.id, duration: duration, asyncPermille: share) : nil
    }

    /// In words, for the operator.
    var text: SafeText {
        switch self {
        case .slowStorage(let id, let duration, let share):
            "STORAGE slow? #\(id) took \(Figures.duration(duration)), \(Figures.percent(permille: share)) of it writing"
        case .hotKey(let vertex, let hottest):
            "HOT KEY? \(SafeText(vertex).prefix(columns: 20, ending: "~")) sub \(hottest.index) gets \(Figures.percent(permille: hottest.recordsPermille)) of the records, busy \(Figures.percent(permille: hottest.busyPermille))"
        case .stalledSource(let vertex, let since):
            "SOURCE \(SafeText(vertex).prefix(columns: 24, ending: "~")) has read nothing for \(Figures.age(since)); nothing holds it back"
        case .crashLoop(let failures, let within, let cause):
            "CRASH LOOP \(failures) failures in \(Figures.age(within)): \(cause)"
        }
    }
}
