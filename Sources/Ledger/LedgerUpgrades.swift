internal import FoundationEssentials
internal import GRDB
public import StreamModel

extension Ledger {
    /// Writes an upgrade down as it stands. A word of abort that another process has left stays.
    public func recordUpgrade(_ upgrade: Upgrade, context: String, address: String) throws(LedgerError) {
        let document = try encoded(upgrade)
        try write { database in
            try database.execute(
                sql: """
                    INSERT INTO upgrade (id, address, context, job, job_name, stage, started_at, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, document = excluded.document
                    """,
                arguments: [
                    upgrade.id.description, address, context, upgrade.job.description, upgrade.jobName, upgrade.stage.rawValue,
                    upgrade.startedAt.milliseconds, document,
                ])
        }
    }

    /// Asks whoever carries an upgrade out to have the old program back. False = there is no such upgrade, or it has ended.
    @discardableResult
    public func abortUpgrade(_ id: OperationID, by operator: String) throws(LedgerError) -> Bool {
        let final = Upgrade.Stage.allCases.filter(\.isFinal).map { "'\($0.rawValue)'" }.joined(separator: ", ")
        return try write { database in
            try database.execute(
                sql: "UPDATE upgrade SET aborted_by = coalesce(aborted_by, ?) WHERE id = ? AND stage NOT IN (\(final))",
                arguments: [`operator`, id.description])
            return database.changesCount > 0
        }
    }

    /// One upgrade; nil = it is not on record.
    public func upgrade(_ id: OperationID) throws(LedgerError) -> Upgrade? {
        try upgrades("SELECT document, aborted_by FROM upgrade WHERE id = ?", [id.description]).first
    }

    /// The newest upgrades on the cluster at `address`, newest first.
    public func upgrades(address: String, limit: Int) throws(LedgerError) -> [Upgrade] {
        try upgrades(
            "SELECT document, aborted_by FROM upgrade WHERE address = ? ORDER BY started_at DESC, id DESC LIMIT ?", [address, max(0, limit)])
    }

    private func upgrades(_ sql: String, _ arguments: StatementArguments) throws(LedgerError) -> [Upgrade] {
        let rows: [Row]
        do { rows = try inspect { try Row.fetchAll($0, sql: sql, arguments: arguments) } } catch { throw LedgerError(error, path: path) }
        return rows.compactMap { row in
            // DecodingError: a later version wrote it, and is the one to go on with it.
            guard let text: String = row["document"], var upgrade = try? JSONDecoder().decode(Upgrade.self, from: Data(text.utf8)) else { return nil }
            let abort: String? = row["aborted_by"]
            upgrade.isAborted = abort != nil
            return upgrade
        }
    }

    private func encoded(_ upgrade: Upgrade) throws(LedgerError) -> String {
        do { return String(decoding: try JSONEncoder().encode(upgrade), as: UTF8.self) } catch { throw LedgerError(error, path: path) }
    }
}
