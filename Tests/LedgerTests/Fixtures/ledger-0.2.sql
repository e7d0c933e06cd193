-- A ledger as weir 0.2.0 wrote it before operations had steps.
BEGIN TRANSACTION;
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
INSERT INTO "chore" VALUES('bbbb000000000001','c1','http://h:8081','upload jar','/home/ana/count.jar','tidy "up"','ana@ops',3000,'completed',3100,'u1_count.jar',NULL);
INSERT INTO "chore" VALUES('bbbb000000000002','c1','http://h:8081','delete jar','u1_count.jar','tidy "up"','ana@ops',3000,'refused',3100,NULL,'there is no jar u1_count.jar on the cluster');
INSERT INTO "chore" VALUES('bbbb000000000003','c1','http://h:8081','dispose savepoint','file:/sp/1','tidy "up"','ana@ops',3000,'failed',3100,NULL,'file:/sp/1 was not deleted: gone');
INSERT INTO "chore" VALUES('bbbb000000000004','c1','http://h:8081','dispose savepoint','file:/sp/2','tidy "up"','ana@ops',3000,'intended',NULL,NULL,NULL);
CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
INSERT INTO "grdb_migrations" VALUES('operations');
INSERT INTO "grdb_migrations" VALUES('operation references');
INSERT INTO "grdb_migrations" VALUES('chores');
INSERT INTO "grdb_migrations" VALUES('checkpoints');
INSERT INTO "grdb_migrations" VALUES('checkpoints that may be there');
INSERT INTO "grdb_migrations" VALUES('launches');
INSERT INTO "grdb_migrations" VALUES('jars');
CREATE TABLE jar (
    address TEXT NOT NULL,
    id TEXT NOT NULL,
    content TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    PRIMARY KEY (address, id)
) STRICT, WITHOUT ROWID;
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
, reference TEXT, inference TEXT, jar TEXT) STRICT, WITHOUT ROWID;
INSERT INTO "operation" VALUES('aaaa000000000001','c1','http://h:8081','000000000000000100000000000000a2','savepoint','{"by":"ana@ops","expectedState":"RUNNING","id":"aaaa000000000001","job":"000000000000000100000000000000a2","kind":{"verb":"savepoint"},"reason":"INC-7"}','INC-7','ana@ops',1000,'completed',2000,'27','/sp/1',NULL,NULL,'00000000000000000000000000000001',NULL,NULL);
INSERT INTO "operation" VALUES('aaaa000000000002','c1','http://h:8081','000000000000000100000000000000a2','restart','{"by":"ana@ops","id":"aaaa000000000002","job":"000000000000000100000000000000a2","kind":{"options":{"allowUnmatched":false,"cancelFirst":true,"claim":"noClaim","recipe":{"arguments":["--a","b"],"jar":{"uploaded":{"_0":"x_count.jar"}}}},"verb":"restart"},"reason":"INC-7"}','INC-7','ana@ops',1000,'accepted',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE INDEX operation_by_time ON operation (sent_at);
CREATE INDEX operation_open ON operation (context) WHERE outcome IN ('intended', 'accepted', 'running');
CREATE INDEX operation_by_new_job ON operation (new_job) WHERE new_job IS NOT NULL;
CREATE INDEX chore_by_time ON chore (sent_at);
CREATE INDEX checkpoint_by_time ON checkpoint (triggered_at);
CREATE INDEX checkpoint_by_name ON checkpoint (job_name, triggered_at);
CREATE INDEX checkpoint_by_job_time ON checkpoint (job, triggered_at);
CREATE INDEX checkpoint_by_path ON checkpoint (path) WHERE path IS NOT NULL;
CREATE INDEX checkpoint_kept ON checkpoint (job, id) WHERE fate IN ('kept', 'running');
CREATE INDEX jar_by_content ON jar (address, content, uploaded_at);
COMMIT;
