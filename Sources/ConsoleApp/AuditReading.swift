internal import ConsoleCore
internal import Ledger

extension AuditRecord {
    /// How many actions of the record are shown.
    private static let max = 500

    /// The record of actions as screens show it, the newest first. Does disk work.
    static func newest(of ledger: Ledger) throws(LedgerError) -> [AuditRecord] { try ledger.recent(limit: max).map(AuditRecord.init(_:)) }

    private init(_ entry: LedgerEntry) {
        self.init(
            request: entry.request, context: entry.context, jobName: "", at: entry.sentAt, endedAt: entry.endedAt, outcome: entry.outcome.rawValue,
            result: entry.error ?? entry.path ?? entry.newJob.map { "new job \($0)" } ?? "")
    }
}
