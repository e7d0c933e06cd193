internal import StreamModel

/// What the log has told of a job, and so what is news: changes of its state, failures of its tasks, and failures of its checkpoints. Reports are
/// looked at when they change, not at each step; the lists of failures and checkpoints make up for steps that no report has shown.
struct JobNews {
    struct Line: Equatable {
        var level: EngineLogEntry.Level
        var subject: EngineLogEntry.Subject
        var message: String
    }

    private var state: JobState?
    private var attempt = 0
    private var revision: UInt64?
    private var lastFailure: FailureReport?
    /// The newest failures that were told, newest first.
    private var failures: [FailureReport] = []
    private var lastMessage: String?
    private var repeated = 0
    /// The newest checkpoints that were told as failed, and those that have failed since the last complete one.
    private var failed: [CheckpointID] = []
    private var inARow = 0
    private var completed: CheckpointID?

    /// Begins with what is on record: that was told by an earlier run.
    init(failures: [FailureReport] = [], checkpoints: [CheckpointReport] = []) {
        self.failures = Array(failures.prefix(Self.kept))
        failed = checkpoints.filter { $0.status == .failed }.prefix(Self.kept).map(\.id)
        completed = checkpoints.filter { $0.status == .completed }.map(\.id).max()
    }

    private static let kept = 16
    /// Rows of checkpoints to hand over.
    static let rows = 64

    /// Takes in a report and returns the lines that are due, in the order of what happened. Both lists are newest first, and
    /// are asked for only if they have changed.
    mutating func take(_ report: JobReport, failures: () -> [FailureReport], checkpoints: () -> [CheckpointReport]) -> [Line] {
        var lines: [Line] = []
        if lastFailure != report.lastFailure {
            lastFailure = report.lastFailure
            lines = told(failures())
        }
        if revision != report.checkpointsRevision {
            revision = report.checkpointsRevision
            lines = told(checkpoints()) + lines
        }
        if state != report.state || attempt != report.attempt, let line = line(report) { lines.append(line) }
        (state, attempt) = (report.state, report.attempt)
        return lines
    }

    private mutating func told(_ rows: [FailureReport]) -> [Line] {
        let known = failures
        let new = rows.prefix { !known.contains($0) }
        guard !new.isEmpty else { return [] }
        failures = Array(rows.prefix(Self.kept))
        return new.reversed().compactMap { failure in
            repeated = failure.message == lastMessage ? repeated + 1 : 1
            lastMessage = failure.message
            // A shortage is checked for again and again: 1, 2, 4, 8, ... of its lines say as much as all.
            guard repeated & (repeated - 1) == 0 else { return nil }
            let place = failure.vertex.map { vertex in "\(vertex)\(failure.subtask.map { "/\($0)" } ?? ""): " } ?? ""
            let count = repeated > 1 ? " (\(repeated) times in a row)" : ""
            return Line(level: .error, subject: failure.vertex == nil ? .job : .task, message: "\(place)\(failure.message)\(count)")
        }
    }

    private mutating func told(_ rows: [CheckpointReport]) -> [Line] {
        var lines: [Line] = []
        for row in rows.reversed() {
            switch row.status {
            case .failed where !failed.contains(row.id) && row.id > (failed.last ?? CheckpointID(0)):
                failed.insert(row.id, at: 0)
                if failed.count > Self.kept { failed.removeLast() }
                inARow += 1
                let cause = row.failure.map { "\($0.reasonName): \($0.message)" } ?? "no cause is known"
                lines.append(
                    Line(level: .warning, subject: .checkpoint, message: "\(row.kind.isSavepoint ? "savepoint" : "checkpoint") #\(row.id) failed: \(cause)"))
            case .completed where row.id > (completed ?? CheckpointID(0)):
                completed = row.id
                if inARow > 0 {
                    let count = inARow == 1 ? "a failed one" : "\(inARow) failed ones"
                    lines.append(Line(level: .info, subject: .checkpoint, message: "checkpoint #\(row.id) is complete, after \(count)"))
                }
                inARow = 0
            default: break
            }
        }
        return lines
    }

    private func line(_ report: JobReport) -> Line? {
        switch report.state {
        case .running:
            let origin = report.restored.map { ", restored from #\($0.checkpoint)" } ?? ""
            return Line(level: .info, subject: .job, message: "RUNNING, attempt \(report.attempt)\(origin)")
        case .restarting:
            let delay = report.restartDelay.map { " in \($0.count) ms" } ?? ""
            return Line(
                level: .warning, subject: .job,
                message: "RESTARTING, attempt \(report.attempt + 1)\(delay): \(report.restartReason ?? report.lastFailure?.message ?? "no cause is known")")
        case .failed: return Line(level: .error, subject: .job, message: "FAILED: \(report.lastFailure?.message ?? "no cause is known")")
        case .canceled, .finished, .suspended: return Line(level: .info, subject: .job, message: report.state.rawValue)
        case .initializing, .failing, .cancelling: return nil
        }
    }
}
