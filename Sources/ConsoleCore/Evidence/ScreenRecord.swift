import CellGrid
public import StreamModel

/// The format of a screen in a file, by the file's suffix.
public enum DumpFormat: String, Sendable, CaseIterable {
    /// Characters only.
    case text = "txt"
    /// With the sequences that colour them.
    case ansi
    case svg
    /// The records behind the screen.
    case json
    /// The list of the screen.
    case csv

    public init?(path: String) {
        guard let format = Self.allCases.first(where: { path.hasSuffix(".\($0.rawValue)") && path.utf8.count > $0.rawValue.utf8.count + 1 }) else { return nil }
        self = format
    }

    static let suffixes: SafeText = "\(allCases.map { ".\($0.rawValue)" }.joined(separator: ", "))"
}

/// The contents of a screen as records: the engine's own, with time and origin. `:dump FILE.json` writes them.
public struct ScreenRecord: Encodable, Sendable {
    public struct Context: Encodable, Sendable {
        public var name: String
        public var `class`: String
        public var address: String
        /// "connecting", "up" or "down".
        public var link: String
        public var reason: String?
        /// Since its last report came.
        public var age: Milliseconds?
    }

    /// An action of an operator. What it was launched with is left out: there may be secrets in it.
    public struct Action: Encodable, Sendable {
        public var at: WallTime
        public var endedAt: WallTime?
        public var operation: OperationID
        public var verb: String
        public var job: JobID
        /// Empty where only the id is known.
        public var jobName: String
        public var context: String
        public var by: String
        public var reason: String
        public var outcome: String
        public var result: String

        init(_ record: AuditRecord) {
            (at, endedAt, operation, verb) = (record.at, record.endedAt, record.id, record.request.kind.verb)
            (job, jobName, context) = (record.request.job, record.jobName, record.context)
            (by, reason, outcome, result) = (record.request.by, record.request.reason, record.outcome, record.result)
        }
    }

    public var schema = 1
    /// The moment that the screen shows.
    public var at: WallTime
    public var isFrozen: Bool
    public var screen: String
    public var contexts: [Context]
    /// The jobs of the screen: all on the overview, otherwise the one that it is about.
    public var jobs: [JobReport]
    /// Newest first; nil where the screen has no such list.
    public var checkpoints: [CheckpointReport]?
    public var failures: [FailureReport]?
    public var operations: [OperationReport]?
    /// Operations of the record and of the engines; nil but on the audit screen.
    public var audit: [Action]?
    /// The screen as text.
    public var lines: [String]
}

extension ConsoleModel {
    /// The screen as records.
    public var record: ScreenRecord {
        let key = currentJob
        let memory = key.map { shown.memory($0) }
        let isOverview = screen == .overview
        var canvas = Canvas(size: size, glyphs: glyphs)
        render(self, into: &canvas)
        return ScreenRecord(
            at: shownAt, isFrozen: frozen != nil, screen: screenName, contexts: shown.contexts.map(contextRecord),
            jobs: isOverview ? shown.contexts.flatMap { $0.report?.jobs ?? [] } : [key.flatMap { shown.job($0) }].compactMap { $0 },
            checkpoints: isOverview ? nil : memory?.checkpoints.map { detail($0.id) ?? $0 }, failures: isOverview ? nil : memory?.failures,
            operations: shown.operations.compactMap(\.report).map(Secrets.masked), audit: screen == .audit ? auditRows.map(ScreenRecord.Action.init) : nil,
            lines: FrameText.plain(canvas.buffer).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init))
    }

    private func contextRecord(_ context: ContextState) -> ScreenRecord.Context {
        var record = ScreenRecord.Context(
            name: context.name, class: context.description.class.rawValue, address: context.description.address, link: "connecting",
            age: context.age(at: shownAt))
        switch context.link {
        case .connecting: break
        case .up: record.link = "up"
        case .down(let reason, _, _): (record.link, record.reason) = ("down", reason)
        }
        return record
    }

    /// For file names and records.
    var screenName: String {
        switch screen {
        case .overview: "overview"
        case .job: "job"
        case .checkpoints: "checkpoints"
        case .checkpoint: "checkpoint"
        case .subtasks: "subtasks"
        case .failures: "failures"
        case .operations: "operations"
        case .operation: "operation"
        case .metrics: "metrics"
        case .configuration: "configuration"
        case .contexts: "contexts"
        case .audit: "audit"
        case .history: "history"
        case .log: "log"
        }
    }

    /// The list of the screen as comma-separated values (RFC 4180): a header and the rows in the order of the screen, under its filter. A
    /// screen without a list of its own gives that of what it is about.
    public var csv: String {
        var table = CSVText()
        switch screen {
        case .overview, .contexts: csvOfJobs(&table)
        case .job, .checkpoints, .metrics, .configuration: csvOfCheckpoints(&table)
        case .history: csvOfHistory(&table)
        case .checkpoint(let id), .subtasks(let id, _): csvOfSubtasks(id, &table)
        case .failures: csvOfFailures(&table)
        case .operations, .operation: csvOfOperations(&table)
        case .audit: csvOfAudit(&table)
        case .log: csvOfLog(&table)
        }
        return table.text
    }

    private func csvOfJobs(_ table: inout CSVText) {
        table.row(
            "context", "class", "job", "job_id", "state", "records_read_per_second", "newest_checkpoint", "newest_checkpoint_age_ms",
            "failures_counted", "failures_tolerable", "restarts", "condition")
        for row in overviewRows {
            guard let context = shown.context(row.id.context) else { continue }
            let job = row.id.job.flatMap { context.job($0) }
            let way = job.flatMap { WayBack.of($0, in: context) }
            let age = way?.own.map { context.engineTime(at: shownAt) - ($0.endedAt ?? $0.triggeredAt) }
            table.row(
                context.name, context.description.class.rawValue, row.jobName, row.id.job?.description, job?.state.rawValue,
                job?.throughput.recordsReadPerSecond.map { "\(Int($0.isFinite ? min(max($0, 0), 1e15) : 0))" },
                way?.id.description, age?.count.description, job?.budget.counted.description, job?.budget.tolerable?.description,
                job?.restarts.description, row.condition.text(at: shownAt, keys: options.keyMap).string)
        }
    }

    private func csvOfCheckpoints(_ table: inout CSVText) {
        table.row(
            "id", "kind", "status", "triggered_at_ms", "duration_ms", "state_bytes", "acknowledged", "subtasks", "discarded", "path",
            "failure", "counted", "requested_by")
        for row in checkpointRows {
            table.row(
                row.id.description, row.kind.rawValue, row.status.rawValue, row.triggeredAt.milliseconds.description, row.duration?.count.description,
                row.stateSize.count.description, row.acknowledgedSubtasks.description, row.totalSubtasks.description, row.discarded.description,
                row.path, row.failure?.reason?.rawValue, row.failure?.counted.description, row.requestedBy)
        }
    }

    private func csvOfHistory(_ table: inout CSVText) {
        table.row(
            "context", "job", "job_id", "id", "kind", "status", "fate", "triggered_at_ms", "duration_ms", "state_bytes", "path", "failure", "first_seen_at_ms",
            "last_seen_at_ms")
        for row in historyRows {
            let report = row.report
            table.row(
                row.context, row.jobName, row.job.description, report.id.description, report.kind.rawValue, report.status.rawValue, row.fate.rawValue,
                report.triggeredAt.milliseconds.description, report.duration?.count.description, report.stateSize.count.description, report.path,
                report.failure?.reasonName, row.firstSeenAt.milliseconds.description, row.lastSeenAt.milliseconds.description)
        }
    }

    private func csvOfSubtasks(_ id: CheckpointID, _ table: inout CSVText) {
        table.row(
            "checkpoint", "operator", "subtask", "acknowledged_at_ms", "delay_us", "alignment_us", "sync_us", "async_us", "state_bytes")
        for part in detail(id)?.operators ?? [] {
            for subtask in part.subtasks {
                table.row(
                    id.description, part.name, subtask.index.description, subtask.acknowledgedAt?.milliseconds.description,
                    subtask.startDelayMicroseconds.description, subtask.alignmentMicroseconds.description, subtask.syncMicroseconds.description,
                    subtask.asyncMicroseconds.description, subtask.stateSize.count.description)
            }
        }
    }

    private func csvOfFailures(_ table: inout CSVText) {
        table.row("at_ms", "subject", "message", "folded", "counted")
        for row in failureRows {
            table.row(row.at.milliseconds.description, row.subject.string, row.message.string, row.folded.description, row.isCounted?.description)
        }
    }

    private func csvOfLog(_ table: inout CSVText) {
        table.row("sequence", "at_ms", "level", "about", "job", "job_id", "message")
        for row in logRows {
            table.row(
                "\(row.sequence)", row.at.milliseconds.description, row.level.rawValue, row.subject.rawValue, row.jobName, row.job?.description, row.message)
        }
    }

    private func csvOfAudit(_ table: inout CSVText) {
        table.row("at_ms", "ended_at_ms", "operation", "verb", "job", "job_id", "context", "by", "reason", "outcome", "result")
        for row in auditRows {
            table.row(
                row.at.milliseconds.description, row.endedAt?.milliseconds.description, row.id.description, row.verb.string, row.jobName,
                row.request.job.description, row.context, row.request.by, row.request.reason, row.outcome, row.result)
        }
    }

    private func csvOfOperations(_ table: inout CSVText) {
        table.row("since_ms", "operation", "verb", "job", "context", "stage", "by", "reason", "path", "error")
        for row in operationRows {
            table.row(
                row.since.milliseconds.description, row.id.description, row.verb.string, row.jobName, row.context, row.stage.rawValue, row.request.by,
                row.request.reason, row.report?.path, row.report?.error)
        }
    }
}

/// Comma-separated values. What comes from outside cannot become a formula of a spreadsheet.
struct CSVText {
    private(set) var text = ""

    mutating func row(_ fields: String?...) {
        text += fields.map { Self.field($0 ?? "") }.joined(separator: ",") + "\r\n"
    }

    private static func field(_ value: String) -> String {
        var safe = SafeText(value).string
        // A number may begin with a minus.
        if let first = safe.first, "=+-@".contains(first), Double(safe) == nil { safe = "'" + safe }
        guard safe.contains(where: { $0 == "," || $0 == "\"" }) else { return safe }
        return "\"" + safe.replacing("\"", with: "\"\"") + "\""
    }
}
