internal import FoundationEssentials
internal import GRDB
public import StreamModel

extension Ledger {
    /// Writes a new upgrade down, unless another one of the job on this cluster has not ended.
    /// - Returns: that one.
    public func beginUpgrade(_ upgrade: Upgrade, context: String, address: String) throws(LedgerError) -> OperationID? {
        let document = try encoded(upgrade)
        return try write { database in
            let other = try String.fetchOne(
                database, sql: "SELECT id FROM upgrade WHERE address = ? AND job_name = ? AND id <> ? AND stage NOT IN (\(Self.finalStages))",
                arguments: [address, upgrade.jobName, upgrade.id.description])
            if let other = other.flatMap({ OperationID($0) }) { return other }
            try Self.insert(upgrade, document, context: context, address: address, database)
            return nil
        }
    }

    /// Writes an upgrade down as it stands. A word of abort that another process has left stays.
    /// - Returns: false = it is aborted, and was not written down as one that has ended well.
    @discardableResult
    public func recordUpgrade(_ upgrade: Upgrade, context: String, address: String) throws(LedgerError) -> Bool {
        let document = try encoded(upgrade)
        return try write { database in
            let aborted = try String.fetchOne(database, sql: "SELECT aborted_by FROM upgrade WHERE id = ?", arguments: [upgrade.id.description])
            if upgrade.stage == .upgraded, aborted != nil { return false }
            try Self.insert(upgrade, document, context: context, address: address, database)
            return true
        }
    }

    private static let finalStages = Upgrade.Stage.allCases.filter(\.isFinal).map { "'\($0.rawValue)'" }.joined(separator: ", ")

    private static func insert(_ upgrade: Upgrade, _ document: String, context: String, address: String, _ database: Database) throws {
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

    /// Asks whoever carries an upgrade out to have the old program back. False = there is no such upgrade, or it has ended.
    @discardableResult
    public func abortUpgrade(_ id: OperationID, by operator: String) throws(LedgerError) -> Bool {
        try write { database in
            try database.execute(
                sql: "UPDATE upgrade SET aborted_by = coalesce(aborted_by, ?) WHERE id = ? AND stage NOT IN (\(Self.finalStages))",
                arguments: [`operator`, id.description])
            return database.changesCount > 0
        }
    }

    /// One upgrade on the cluster at `address`; nil = it is not on record.
    public func upgrade(_ id: OperationID, address: String) throws(LedgerError) -> Upgrade? {
        try upgrades("SELECT document, aborted_by FROM upgrade WHERE id = ? AND address = ?", [id.description, address]).first
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
