public import ConsoleCore
public import Ledger
internal import StreamModel

extension AuditRecord {
    /// How many actions of the record are shown.
    private static let max = 500

    /// The record of actions as screens show it, the newest first. Does disk work.
    public static func newest(of ledger: Ledger) throws(LedgerError) -> [AuditRecord] { try ledger.recent(limit: max).map(AuditRecord.init(_:)) }

    private init(_ entry: LedgerEntry) {
        let report = OperationReport(entry)
        // Refused, and intended, are words of the record alone.
        let outcome = entry.outcome == .completed ? report.stage : entry.outcome.rawValue
        self.init(
            request: entry.request, context: entry.context, jobName: "", at: entry.sentAt, endedAt: entry.endedAt, outcome: outcome,
            result: report.result ?? "", report: report)
    }
}
