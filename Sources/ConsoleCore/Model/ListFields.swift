import CellGrid
import StreamModel

/// The columns of the lists, as filters and orders name them.
extension ConsoleModel {
    private typealias Names = [(name: String, isNumeric: Bool)]

    private static let names: [ListKind: Names] = [
        .overview: [
            ("context", false), ("link", false), ("job", false), ("state", false), ("in", true), ("age", true), ("duration", true),
            ("failures", true), ("condition", false),
        ],
        .checkpoints: [
            ("id", true), ("kind", false), ("status", false), ("trigger", true), ("duration", true), ("size", true), ("ack", true),
            ("kept", false), ("cause", false), ("by", false), ("path", false),
        ],
        .failures: [("when", true), ("what", false), ("message", false), ("count", true), ("host", false), ("kind", false)],
        .operations: [
            ("when", true), ("op", false), ("who", false), ("what", false), ("job", false), ("stage", false), ("result", false),
            ("reason", false),
        ],
        .operators: [
            ("operator", false), ("parallelism", true), ("acked", true), ("size", true), ("delay", true), ("align", true), ("sync", true),
            ("async", true),
        ],
        .subtasks: [
            ("sub", true), ("delay", true), ("align", true), ("sync", true), ("async", true), ("size", true), ("state", false), ("host", false),
        ],
        .configuration: [("name", false), ("value", false)],
        .contexts: [("context", false), ("class", false), ("link", false), ("age", true), ("jobs", true), ("address", false)],
        .history: [
            ("when", true), ("context", false), ("job", false), ("id", true), ("kind", false), ("status", false), ("duration", true), ("size", true),
            ("fate", false), ("seen", true), ("cause", false), ("by", false), ("path", false),
        ],
        .log: [("when", true), ("level", false), ("about", false), ("job", false), ("message", false)],
        .audit: [
            ("when", true), ("op", false), ("who", false), ("what", false), ("job", false), ("outcome", false), ("reason", false),
            ("result", false),
        ],
    ]

    func fieldNames(_ kind: ListKind) -> [String] { Self.names[kind]?.map(\.name) ?? [] }

    func isNumeric(_ kind: ListKind, _ field: String) -> Bool { Self.names[kind]?.first { $0.name == field }?.isNumeric ?? false }

    private static func time(_ time: WallTime?) -> FieldValue { number(time.map { Double($0.milliseconds) }, "") }

    private static func number(_ value: Double?, _ text: String) -> FieldValue { .number(value.flatMap { $0.isNaN ? nil : $0 } ?? -1, text) }

    private func clock(_ time: WallTime) -> String { Figures.clock(time, offset: options.utcOffsetSeconds).string }

    var overviewFields: [ListField<OverviewRow>] {
        let shown = shown, now = shownAt, keys = options.keyMap
        func job(_ row: OverviewRow) -> JobReport? { shown.job(row.key) }
        return [
            ListField("context") { .text($0.id.context) },
            ListField("link") { row in .text(shown.context(row.id.context)?.linkWord(at: now) ?? "") },
            ListField("job") { .text(SafeText($0.jobName).string) },
            ListField("state", { .text(job($0)?.state.rawValue ?? "") }, shown: { SafeText(job($0)?.stateText ?? "") }),
            ListField("in") { Self.number(job($0)?.throughput.recordsReadPerSecond, "") },
            ListField("age") { row in
                let newest = job(row).flatMap { Condition.newestRestorable($0, in: shown.context(row.id.context)) }
                return Self.number(newest.map { Double((now - ($0.endedAt ?? $0.triggeredAt)).count) }, "")
            },
            ListField("duration") { Self.number(job($0)?.latestCompleted?.duration.map { Double($0.count) }, "") },
            ListField("failures") { row in
                let budget = job(row)?.budget
                return Self.number(budget.map { Double($0.counted) }, budget.map { "\($0.counted)" } ?? "")
            },
            ListField("restarts") { row in
                let restarts = job(row)?.restarts
                return Self.number(restarts.map(Double.init), restarts.map { "\($0)" } ?? "")
            },
            ListField("condition") { .text($0.condition.text(at: now, keys: keys).string) },
        ]
    }

    /// Why checkpoints of the job on the screen are gone.
    var losses: LossWords? {
        guard let key = currentJob else { return nil }
        return LossWords(shown.memory(key).checkpoints, of: shown.job(key))
    }

    var checkpointFields: [ListField<CheckpointReport>] {
        let losses = losses
        return [
            ListField("id") { .number(Double($0.id.rawValue), "#\($0.id)") },
            ListField("kind", { .text($0.kind.rawValue) }, shown: { CheckpointTable.kind($0) }),
            ListField("status", { .text($0.status.rawValue) }, shown: { statusWords($0, remembered: remembered($0.id)) }),
            ListField("trigger") { .number(Double($0.triggeredAt.milliseconds), clock($0.triggeredAt)) },
            ListField("duration") { Self.number($0.duration.map { Double($0.count) }, $0.duration.map { Figures.duration($0).string } ?? "") },
            ListField("size") { .number(Double($0.stateSize.count), Figures.bytes($0.stateSize).string) },
            ListField("ack") { .number(Double($0.acknowledgedSubtasks), "\($0.acknowledgedSubtasks)/\($0.totalSubtasks)") },
            ListField("kept") { .text(kept($0).string) },
            ListField("cause") { .text(CheckpointTable.cause($0, losses).string) },
            ListField("by") { .text($0.requestedBy ?? "") },
            ListField("path") { .text($0.path ?? "") },
        ]
    }

    /// "SP done", as the tables show it.
    private func statusWords(_ checkpoint: CheckpointReport, remembered: RememberedCheckpoint?) -> SafeText {
        let status = CheckpointTable.status(checkpoint, remembered: remembered)
        return "\(theme.mark(status.role)) \(status.word)"
    }

    /// As the table shows it.
    private func kept(_ checkpoint: CheckpointReport) -> SafeText { CheckpointTable.kept(checkpoint, remembered: remembered(checkpoint.id)) }

    var historyFields: [ListField<RememberedCheckpoint>] {
        [
            ListField("when") { .number(Double($0.report.triggeredAt.milliseconds), clock($0.report.triggeredAt)) },
            ListField("context") { .text($0.context) },
            ListField("job") { .text("\($0.jobName) \($0.job)") },
            ListField("id") { .number(Double($0.report.id.rawValue), "#\($0.report.id)") },
            ListField("kind", { .text($0.report.kind.rawValue) }, shown: { CheckpointTable.kind($0.report) }),
            ListField("status", { .text($0.report.status.rawValue) }, shown: { statusWords($0.report, remembered: $0) }),
            ListField("duration") { Self.number($0.report.duration.map { Double($0.count) }, $0.report.duration.map { Figures.duration($0).string } ?? "") },
            ListField("size") { .number(Double($0.report.stateSize.count), Figures.bytes($0.report.stateSize).string) },
            ListField("fate") { .text($0.fate.rawValue) },
            ListField("seen") { .number(Double($0.lastSeenAt.milliseconds), "") },
            ListField("cause") { .text(CheckpointTable.cause($0.report).string) },
            ListField("by") { .text($0.report.requestedBy ?? "") },
            ListField("path") { .text($0.report.path ?? "") },
        ]
    }

    var failureFields: [ListField<FailureRow>] {
        [
            ListField("when") { .number(Double($0.at.milliseconds), clock($0.at)) },
            ListField("what") { .text($0.subject.string) },
            ListField("message") { .text($0.message.string) },
            ListField("count") { .number(Double($0.failures.count), "\($0.failures.count)") },
            ListField("host") { .text($0.hosts.joined(separator: " ")) },
            ListField("kind") { .text($0.isCheckpoint ? "checkpoint" : "task") },
        ]
    }

    var operationFields: [ListField<TrackedOperation>] {
        [
            ListField("when") { .number(Double($0.since.milliseconds), clock($0.since)) },
            ListField("op") { .text($0.id.description) },
            ListField("who") { .text($0.request.by) },
            ListField("what") { .text($0.verb.string) },
            ListField("job") { .text("\($0.context)/\($0.jobName)") },
            ListField("stage") { .text($0.stage.rawValue) },
            ListField("result") { .text($0.result.string) },
            ListField("reason") { .text($0.request.reason) },
        ]
    }

    var operatorFields: [ListField<OperatorCheckpointReport>] {
        func longest(_ part: OperatorCheckpointReport, _ phase: Int) -> FieldValue {
            .number(Double(part.subtasks.map { PhaseSpan.all($0)[phase].microseconds }.max() ?? -1), "")
        }
        return [
            ListField("operator") { .text("\($0.name) \($0.uid)") },
            ListField("parallelism") { .number(Double($0.parallelism), "\($0.parallelism)") },
            ListField("acked") { .number(Double($0.acknowledged), "\($0.acknowledged)/\($0.subtasks.count)") },
            ListField("size") { .number(Double($0.stateSize.count), Figures.bytes($0.stateSize).string) },
            ListField("delay") { longest($0, 0) }, ListField("align") { longest($0, 1) }, ListField("sync") { longest($0, 2) },
            ListField("async") { longest($0, 3) },
        ]
    }

    var subtaskFields: [ListField<SubtaskCheckpointReport>] {
        func phase(_ subtask: SubtaskCheckpointReport, _ phase: Int) -> FieldValue {
            .number(Double(PhaseSpan.all(subtask)[phase].microseconds), "")
        }
        return [
            ListField("sub") { .number(Double($0.index), "\($0.index)") },
            ListField("delay") { phase($0, 0) }, ListField("align") { phase($0, 1) }, ListField("sync") { phase($0, 2) },
            ListField("async") { phase($0, 3) },
            ListField("size") { .number(Double($0.stateSize.count), Figures.bytes($0.stateSize).string) },
            ListField("state") { .text($0.acknowledgedAt == nil ? "late" : "ok") },
            ListField("host") { .text($0.host ?? "") },
        ]
    }

    var configurationFields: [ListField<ConfigurationRow>] {
        [ListField("name") { .text($0.name) }, ListField("value") { .text($0.value.string) }]
    }

    var contextFields: [ListField<ContextState>] {
        let now = shownAt
        return [
            ListField("context") { .text($0.name) },
            ListField("class") { .text($0.description.class.rawValue) },
            ListField("link") { .text($0.linkWord(at: now)) },
            ListField("age") { Self.number($0.age(at: now).map { Double($0.count) }, "") },
            ListField("jobs") { .number(Double($0.report?.jobs.count ?? -1), "\($0.report?.jobs.count ?? 0)") },
            ListField("address") { .text($0.description.address) },
        ]
    }

    var logFields: [ListField<EngineLogEntry>] {
        [
            ListField("when") { .number(Double($0.sequence), clock($0.at)) },
            ListField("level", { .text($0.level.rawValue) }, shown: { $0.level == .warning ? "WARN" : "" }),
            ListField("about") { .text($0.subject.rawValue) },
            ListField("job") { .text(SafeText($0.jobName ?? "").string) },
            ListField("message") { .text(SafeText($0.message, limit: 4000).string) },
        ]
    }

    var auditFields: [ListField<AuditRecord>] {
        [
            ListField("when") { .number(Double($0.at.milliseconds), clock($0.at)) },
            ListField("op") { .text($0.id.description) },
            ListField("who") { .text($0.request.by) },
            ListField("what") { .text($0.verb.string) },
            ListField("job") { .text("\($0.context)/\($0.jobName)") },
            ListField("outcome") { .text($0.outcome) },
            ListField("reason") { .text($0.request.reason) },
            ListField("result") { .text($0.result) },
        ]
    }
}
