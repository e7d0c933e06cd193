internal import GRDB

/// The tables of the ledger and the order in which they came to be. A migration, once released, never changes:
/// a new need is a new migration at the end.
enum LedgerSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        // Operator actions. `request` is the whole request as JSON; the columns beside it are for searching and reading by hand.
        // `outcome` holds a word of `LedgerEntry.Outcome`, times are milliseconds since 1970.
        migrator.registerMigration("operations") { database in
            try database.execute(
                sql: """
                    CREATE TABLE operation (
                        id TEXT PRIMARY KEY NOT NULL,
                        context TEXT NOT NULL,
                        address TEXT NOT NULL,
                        job TEXT NOT NULL,
                        kind TEXT NOT NULL,
                        request TEXT NOT NULL,
                        reason TEXT NOT NULL,
                        by TEXT NOT NULL,
                        sent_at INTEGER NOT NULL,
                        outcome TEXT NOT NULL,
                        ended_at INTEGER,
                        checkpoint TEXT,
                        path TEXT,
                        new_job TEXT,
                        error TEXT
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX operation_by_time ON operation (sent_at);
                    CREATE INDEX operation_open ON operation (context) WHERE outcome IN ('intended', 'accepted', 'running');
                    """)
        }
        return migrator
    }
}
