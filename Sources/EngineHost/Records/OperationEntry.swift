internal import ControlProtocol
internal import StreamModel

/// A mutating request and what became of it: a line of the operation log, and of the audit.
struct OperationEntry: Codable, Sendable, Equatable {
    var operation: OperationID
    var verb: ControlVerb
    /// The request as it was sent, to tell a repetition from another request with the same id.
    var frame: String
    var by: String
    var reason: String
    var userID: UInt32
    var processID: Int32
    var acceptedAt: WallTime
    var job: JobID?
    var jobName: String
    /// Of every verb but submit.
    var report: OperationReport?
    var state: OperationReport.State
    var error: String?

    var auditEntry: AuditEntry {
        AuditEntry(
            at: acceptedAt, operation: operation, verb: verb, job: job, jobName: jobName, by: by, reason: reason, userID: userID,
            processID: processID, state: state, outcome: outcome)
    }

    private var outcome: String? {
        if let error { return error }
        guard state.isTerminal else { return nil }
        if let new = report?.newJob { return "job \(new.short) from \(report?.path ?? "?")" }
        return report?.path ?? report?.checkpoint.map { "checkpoint \($0)" } ?? state.rawValue
    }

    /// Moves the operation on; the report and this entry say the same.
    mutating func update(_ change: (inout OperationReport) -> Void) {
        guard var report else { return }
        change(&report)
        self.report = report
        (state, error) = (report.state, report.error)
    }
}
