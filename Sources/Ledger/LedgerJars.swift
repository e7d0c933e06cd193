internal import GRDB
public import StreamModel

extension Ledger {
    /// So many jars of a cluster are remembered.
    static let jarsMax = 200

    /// Remembers that the cluster at `address` has this content under this id.
    public func rememberJar(_ id: String, content: String, address: String, at time: WallTime) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: "INSERT OR REPLACE INTO jar (address, id, content, uploaded_at) VALUES (?, ?, ?, ?)", arguments: [address, id, content, time.milliseconds])
            try database.execute(
                sql: "DELETE FROM jar WHERE address = ? AND id IN (SELECT id FROM jar WHERE address = ? ORDER BY uploaded_at DESC, id LIMIT -1 OFFSET ?)",
                arguments: [address, address, Self.jarsMax])
        }
    }

    /// The ids under which the cluster at `address` got this content, the newest first. Whether it has them still is for the cluster to say.
    public func jars(content: String, address: String) throws(LedgerError) -> [String] {
        do {
            return try inspect { database in
                try String.fetchAll(
                    database, sql: "SELECT id FROM jar WHERE address = ? AND content = ? ORDER BY uploaded_at DESC, id", arguments: [address, content])
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// SHA-256 of a jar that was uploaded through Weir; nil = it is not on record.
    public func content(ofJar id: String, address: String) throws(LedgerError) -> String? {
        do {
            return try inspect { database in
                try String.fetchOne(database, sql: "SELECT content FROM jar WHERE address = ? AND id = ?", arguments: [address, id])
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }
}
