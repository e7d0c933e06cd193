internal import ControlProtocol
internal import StreamModel

/// A mutating request and its outcome: a line of the operation log and of the audit.
struct OperationEntry: Codable, Sendable, Equatable {
    var operation: OperationID
    var verb: ControlVerb
    /// The request as sent, to distinguish a repetition from another request with the same id.
    var frame: String
    var by: String
    var reason: String
    var userID: UInt32
    var processID: Int32
    var acceptedAt: WallTime
    var job: JobID?
    var jobName: String
    /// Report of every verb except submit.
    var report: OperationReport?
    var state: OperationReport.State
    var error: String?

    var auditEntry: AuditEntry {
        AuditEntry(
            at: acceptedAt, operation: operation, verb: verb, job: job, jobName: jobName, by: by, reason: reason, userID: userID,
            processID: processID, state: state, outcome: outcome, title: report?.request.kind.title, stage: report?.stage)
    }

    private var outcome: String? {
        if let error { return error }
        guard state.isTerminal else { return nil }
        return report == nil ? job.map { "job \($0.short)" } ?? state.rawValue : report?.result ?? state.rawValue
    }

    /// Advances the operation in both the report and this entry.
    mutating func update(_ change: (inout OperationReport) -> Void) {
        guard var report else { return }
        change(&report)
        self.report = report
        (state, error) = (report.state, report.error)
    }
}
