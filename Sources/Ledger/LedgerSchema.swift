internal import GRDB
internal import StreamModel

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
        // What an operation is called by the engine that runs it, and how an outcome was concluded that no engine told.
        migrator.registerMigration("operation references") { database in
            try database.execute(sql: "ALTER TABLE operation ADD COLUMN reference TEXT; ALTER TABLE operation ADD COLUMN inference TEXT;")
            try database.execute(sql: "CREATE INDEX operation_by_new_job ON operation (new_job) WHERE new_job IS NOT NULL")
        }
        // What operators do to a cluster itself and not to a job: jars that they upload and delete, savepoints that they dispose of.
        migrator.registerMigration("chores") { database in
            try database.execute(
                sql: """
                    CREATE TABLE chore (
                        id TEXT PRIMARY KEY NOT NULL,
                        context TEXT NOT NULL,
                        address TEXT NOT NULL,
                        verb TEXT NOT NULL,
                        subject TEXT NOT NULL,
                        reason TEXT NOT NULL,
                        by TEXT NOT NULL,
                        sent_at INTEGER NOT NULL,
                        outcome TEXT NOT NULL,
                        ended_at INTEGER,
                        result TEXT,
                        error TEXT
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX chore_by_time ON chore (sent_at);
                    """)
        }
        // Checkpoints of all jobs, as they were last reported. `fate` holds a word of `RememberedCheckpoint.Fate`, `failure` JSON; times and
        // durations are milliseconds, sizes bytes.
        migrator.registerMigration("checkpoints") { database in
            try database.execute(
                sql: """
                    CREATE TABLE checkpoint (
                        job TEXT NOT NULL,
                        id INTEGER NOT NULL,
                        context TEXT NOT NULL,
                        job_name TEXT NOT NULL,
                        kind TEXT NOT NULL,
                        status TEXT NOT NULL,
                        fate TEXT NOT NULL,
                        triggered_at INTEGER NOT NULL,
                        ended_at INTEGER,
                        duration INTEGER,
                        timeout_at INTEGER NOT NULL,
                        acknowledged INTEGER NOT NULL,
                        total INTEGER NOT NULL,
                        state_size INTEGER NOT NULL,
                        checkpointed_size INTEGER,
                        path TEXT,
                        discarded INTEGER NOT NULL,
                        requested_by TEXT,
                        failure TEXT,
                        first_seen_at INTEGER NOT NULL,
                        last_seen_at INTEGER NOT NULL,
                        PRIMARY KEY (job, id)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX checkpoint_by_time ON checkpoint (triggered_at);
                    CREATE INDEX checkpoint_by_name ON checkpoint (job_name, triggered_at);
                    CREATE INDEX checkpoint_by_job_time ON checkpoint (job, triggered_at);
                    CREATE INDEX checkpoint_by_path ON checkpoint (path) WHERE path IS NOT NULL;
                    """)
        }
        // Those that may be there still: few of many, and looked for with every list of an engine.
        migrator.registerMigration("checkpoints that may be there") { database in
            try database.execute(sql: "CREATE INDEX checkpoint_kept ON checkpoint (job, id) WHERE fate IN ('kept', 'running')")
        }
        // A first launch was filed as a restart of the very job that it launched. A request that is no JSON is left to whoever reads it.
        migrator.registerMigration("launches") { database in
            try database.execute(
                sql: """
                    UPDATE operation SET kind = 'launch', request = json_set(request, '$.kind.verb', 'launch')
                    WHERE kind = 'restart' AND iif(json_valid(request), new_job = job OR json_extract(request, '$.kind.options.empty') = 1, 0)
                    """)
        }
        // What files were uploaded to clusters as which jars, so that the same is not sent twice; and what a launch ran.
        migrator.registerMigration("jars") { database in
            try database.execute(
                sql: """
                    CREATE TABLE jar (
                        address TEXT NOT NULL,
                        id TEXT NOT NULL,
                        content TEXT NOT NULL,
                        uploaded_at INTEGER NOT NULL,
                        PRIMARY KEY (address, id)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX jar_by_content ON jar (address, content, uploaded_at);
                    ALTER TABLE operation ADD COLUMN jar TEXT;
                    """)
        }
        // Who carries an operation out, and how far it has come with it. What was done to clusters themselves is among the operations now; the
        // table in which it stood stays as it is, and nothing is added to it.
        migrator.registerMigration("steps") { database in
            try database.execute(
                sql: """
                    ALTER TABLE operation ADD COLUMN carrier TEXT;
                    ALTER TABLE operation ADD COLUMN step TEXT;
                    ALTER TABLE operation ADD COLUMN step_at INTEGER;
                    """)
            try database.execute(sql: copyOfClusterActions, arguments: [JobID.none.description, JobID.none.description])
        }
        // How far a restart was proven. A job that ends later takes nothing of that back.
        migrator.registerMigration("verdicts") { database in
            try database.execute(sql: "ALTER TABLE operation ADD COLUMN verdict TEXT")
        }
        // Who comes after a JobManager has forgotten its jobs learns from here that there were some.
        migrator.registerMigration("live jobs") { database in
            try database.execute(
                sql: """
                    CREATE TABLE live_job (
                        address TEXT NOT NULL,
                        job TEXT NOT NULL,
                        job_name TEXT NOT NULL,
                        seen_at INTEGER NOT NULL,
                        PRIMARY KEY (address, job)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        // Upgrades: `document` is the whole as JSON; an abort is another process's word, and is in a column of its own.
        migrator.registerMigration("upgrades") { database in
            try database.execute(
                sql: """
                    CREATE TABLE upgrade (
                        id TEXT PRIMARY KEY NOT NULL,
                        address TEXT NOT NULL,
                        context TEXT NOT NULL,
                        job TEXT NOT NULL,
                        job_name TEXT NOT NULL,
                        stage TEXT NOT NULL,
                        started_at INTEGER NOT NULL,
                        document TEXT NOT NULL,
                        aborted_by TEXT
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX upgrade_by_time ON upgrade (address, started_at);
                    """)
        }
        return migrator
    }

    /// A savepoint has a path, a jar an id on the cluster.
    private static let copyOfClusterActions = """
        INSERT OR IGNORE INTO operation (id, context, address, job, kind, request, reason, by, sent_at, outcome, ended_at, path, jar, error)
        SELECT id, context, address, ?, kind,
            json_object('by', by, 'id', id, 'job', ?, 'kind', json_object('verb', kind, field, subject), 'reason', reason),
            reason, by, sent_at, outcome, ended_at, iif(kind = 'dispose', subject, NULL), result, error
        FROM (
            SELECT *, CASE verb WHEN 'upload jar' THEN 'upload_jar' WHEN 'delete jar' THEN 'delete_jar' ELSE 'dispose' END AS kind,
                CASE verb WHEN 'upload jar' THEN 'file' WHEN 'delete jar' THEN 'jar' ELSE 'path' END AS field
            FROM chore)
        """
}
