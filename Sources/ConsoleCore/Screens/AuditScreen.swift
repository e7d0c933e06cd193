import CellGrid
public import StreamModel

/// One action of an operator, as the console's own records or an engine's tell of it.
public struct AuditRecord: Sendable, Equatable {
    public var request: OperationRequest
    public var context: String
    /// Empty where only the id is known.
    public var jobName: String
    /// When it was sent.
    public var at: WallTime
    public var endedAt: WallTime?
    /// "completed", "refused", "unknown": a word for how far it is known to have come.
    public var outcome: String
    /// Path, new job or error: what came of it; may be empty.
    public var result: String
    /// As an engine would report it, where the record says enough.
    public var report: OperationReport?

    public init(
        request: OperationRequest, context: String, jobName: String, at: WallTime, endedAt: WallTime? = nil, outcome: String, result: String,
        report: OperationReport? = nil
    ) {
        self.report = report
        self.request = request
        self.context = context
        self.jobName = jobName
        self.at = at
        self.endedAt = endedAt
        self.outcome = outcome
        self.result = result
    }

    var id: OperationID { request.id }
    var verb: SafeText { TrackedOperation.verb(request.kind) }

    init(_ operation: TrackedOperation) {
        self.init(
            request: operation.request, context: operation.context, jobName: operation.jobName, at: operation.since,
            endedAt: operation.report?.endedAt, outcome: operation.stage.rawValue, result: operation.result.string)
    }
}

extension ConsoleModel {
    /// Operations, newest first: those that engines report now, and earlier ones on record.
    var auditRows: [AuditRecord] {
        let live = shown.operations.map(AuditRecord.init)
        let known = Set(live.map(\.id))
        let earlier = (auditRecords ?? []).filter { !known.contains($0.id) }.map { record in
            var record = record
            if record.jobName.isEmpty { record.jobName = shown.context(record.context)?.job(record.request.job)?.name ?? "" }
            return record
        }
        let rows = (live + earlier).sorted { $0.at > $1.at }
        return arranged(rows, .audit, auditFields)
    }

    var selectedAudit: AuditRecord? {
        let rows = auditRows
        return rows.first { $0.id == cursors.audit } ?? rows.first
    }
}

/// Operations with author, place, reason and outcome: across contexts and runs of the console.
struct AuditScreen {
    let model: ConsoleModel

    func draw(_ canvas: inout Canvas) {
        let rows = model.auditRows
        Chrome(model).plainTitle("audit \(rows.count)", &canvas)
        let cursor = model.listPosition.index
        let stack = RowStack.list(canvas.size.rows, detail: .fixed(5))
        canvas.inside(stack[.list]) { list(rows, cursor, &$0) }
        canvas.inside(stack[.detail]) { inner in
            guard rows.indices.contains(cursor) else { return inner.rule("", row: 0) }
            detail(rows[cursor], &inner)
        }
        Chrome(model).footer(&canvas)
    }

    private func list(_ rows: [AuditRecord], _ cursor: Int, _ canvas: inout Canvas) {
        canvas.rule(
            "\(model.options.keyMap.title(.audit, "audit"))\(model.listNote(.audit))", row: 0,
            note: model.auditRecords != nil ? "engines and this user's records" : "reading this user's records")
        let isWide = canvas.size.columns >= 100, isNarrow = canvas.size.columns < 80
        // Who it was stands below the list too.
        let places = isWide ? (what: 32, job: 47, outcome: 76) : isNarrow ? (what: 13, job: 28, outcome: 48) : (what: 26, job: 41, outcome: 62)
        canvas.header(
            [(3, "WHEN", "when")] + (isNarrow ? [] : [(13, "WHO", "who")])
                + [(places.what, "WHAT", "what"), (places.job, "JOB", "job"), (places.outcome, "OUTCOME", "outcome")]
                + (isWide ? [(87, "REASON", "reason")] : []), of: .audit, model)
        if rows.isEmpty {
            canvas.put(
                "   nothing on record\(model.listViews[.audit].filter == nil ? "" : " matches the filter; \(model.options.keyMap.label(.back)) clears it")",
                column: 0, row: 2, role: .textDim)
        }
        canvas.list(rows.count, cursor: cursor, from: 2) { index, y, canvas in
            let row = rows[index]
            canvas.put(
                Figures.moment(row.at, now: model.wall(model.shownAt), offset: model.options.utcOffsetSeconds), column: 3, row: y, role: .textDim, columns: 9)
            if !isNarrow { canvas.put(SafeText(row.request.by).prefix(columns: isWide ? 18 : 12, ending: .cut), column: 13, row: y) }
            canvas.put(row.verb, column: places.what, row: y, columns: 14)
            let job = row.jobName.isEmpty ? row.request.job == .none ? "-" : row.request.job.short : row.jobName
            canvas.put(SafeText("\(row.context)/\(job)").middle(columns: places.outcome - places.job - 1), column: places.job, row: y)
            canvas.put(SafeText(row.outcome), column: places.outcome, row: y, role: Self.role(row.outcome), columns: 10)
            if isWide { canvas.put(SafeText(row.request.reason), column: 87, row: y, role: .textDim) }
        }
    }

    private static func role(_ outcome: String) -> StyleRole {
        switch outcome {
        case "completed", "observed", "proven": .severityOK
        case "failed", "refused": .severityCrit
        case "unknown", "intended": .severityUnknown
        default: .severityRun
        }
    }

    private func detail(_ row: AuditRecord, _ canvas: inout Canvas) {
        let offset = model.options.utcOffsetSeconds
        canvas.rule("op \(row.id)", row: 0)
        let ended = row.endedAt.map { ", ended \(Figures.clock($0, offset: offset))" } ?? ""
        canvas.put(" \(model.preview(row.request, in: row.context).line)", column: 0, row: 1)
        canvas.put(" by \(row.request.by) at \(Figures.clock(row.at, offset: offset))\(ended)", column: 0, row: 2)
        canvas.put(
            " reason: \(row.request.reason.isEmpty ? "none given" : SafeText(row.request.reason))", column: 0, row: 3,
            role: row.request.reason.isEmpty ? .textDim : .text)
        canvas.put(" result: \(row.result.isEmpty ? "-" : SafeText(row.result))", column: 0, row: 4)
    }
}
