internal import FoundationEssentials
internal import GRDB
internal import Glibc
public import StreamModel

/// The durable record of operator actions: one SQLite file per user, in WAL mode with full synchronisation, so that an
/// action is on disk before it is sent and its outcome can be asked for after the console that sent it is gone.
///
/// Every call does disk work and may wait for another console's write (at most the busy timeout): call it from a worker
/// thread, never from the thread that paints. Calls from several threads are serialised; several processes may share a file.
public final class Ledger: Sendable {
    /// How long a call waits for another process to finish its write.
    public static let busyTimeout: Milliseconds = 2000

    public let path: String
    private let queue: DatabaseQueue
    let claims: OperationClaims

    private init(path: String, queue: DatabaseQueue) {
        self.path = path
        self.queue = queue
        claims = OperationClaims(beside: path)
    }

    /// Opens the ledger at `path`, making directories, file and tables as needed.
    public static func open(path: String) throws(LedgerError) -> Ledger {
        try LedgerFile.prepare(path)
        var waited: Milliseconds = 0
        while true {
            do {
                return try attempt(path: path)
            } catch .locked where waited < busyTimeout {
                // Switching a new file to WAL answers "busy" at once when two consoles start together.
                usleep(20_000)
                waited = waited + 20
            }
        }
    }

    private static func attempt(path: String) throws(LedgerError) -> Ledger {
        var configuration = Configuration()
        configuration.label = "ledger"
        configuration.busyMode = .timeout(Double(busyTimeout.count) / 1000)
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;")
        }
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let migrator = LedgerSchema.migrator
            let foreign = try applied(queue, migrator).subtracting(migrator.migrations)
            guard foreign.isEmpty else { throw LedgerError.newer(path: path, migrations: foreign.sorted()) }
            try migrate(queue, migrator)
            return Ledger(path: path, queue: queue)
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// The migrations that the file has had. Another console may make their table between the question and the look whether there is one,
    /// which then is an error: the second time it is there.
    private static func applied(_ queue: DatabaseQueue, _ migrator: DatabaseMigrator) throws -> Set<String> {
        do { return try queue.read { try migrator.appliedIdentifiers($0) } } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR {
            return try queue.read { try migrator.appliedIdentifiers($0) }
        }
    }

    /// Two consoles may begin on one file at the same moment: what the other has done meanwhile is not done again.
    private static func migrate(_ queue: DatabaseQueue, _ migrator: DatabaseMigrator) throws {
        while true {
            let before = try applied(queue, migrator)
            do { return try migrator.migrate(queue) } catch {
                guard try applied(queue, migrator) != before else { throw error }
            }
        }
    }

    /// Writes down an action that is about to be sent; when this returns, it is on disk. Writing the same request again does
    /// nothing but name its new carrier; another request under the same id is a conflict.
    /// - Parameter carrier: the process that carries it out step by step; nil = the engine does.
    public func recordIntent(
        _ request: OperationRequest, context: String, address: String, at sentAt: WallTime, carrier: String? = nil
    ) throws(LedgerError) {
        let entry = LedgerEntry(request: request, context: context, address: address, sentAt: sentAt, carrier: carrier)
        try write { [path] database in
            if let known = try Row.fetchOne(database, sql: "SELECT * FROM operation WHERE id = ?", arguments: [request.id.description]) {
                guard try LedgerEntry(row: known).request == request else { throw LedgerError.conflict(path: path, operation: request.id) }
                try database.execute(
                    sql: "UPDATE operation SET carrier = coalesce(?, carrier) WHERE id = ?", arguments: [carrier, request.id.description])
                return
            }
            try entry.insert(database)
        }
    }

    /// Takes in what the engine says about an operation. Operations of other consoles' users are not in the file and are
    /// passed over; a terminal outcome stands, unless it was `unknown`. Returns whether a row changed.
    @discardableResult
    public func recordOutcome(_ report: OperationReport) throws(LedgerError) -> Bool {
        let isNews = try update(
            report.request.id, outcome: LedgerEntry.Outcome(report.state), endedAt: report.endedAt, checkpoint: report.checkpoint,
            path: report.path, newJob: report.newJob, error: report.error, reference: report.reference, inference: report.inference, jar: report.jar)
        if isNews { _ = try recordStep(report) }
        if isNews, report.state == .completed, case .restart = report.request.kind { try settleInterrupted(replacedBy: report) }
        return isNews
    }

    /// Writes down the step that an operation is about to take; when this returns, it is on disk. An older one than the last is passed over.
    @discardableResult
    public func recordStep(_ report: OperationReport) throws(LedgerError) -> Bool {
        guard let step = report.step else { return false }
        return try write { database in
            try database.execute(
                sql: """
                    UPDATE operation
                    SET step = ?, step_at = ?, path = coalesce(?, path), checkpoint = coalesce(?, checkpoint), jar = coalesce(?, jar),
                        reference = coalesce(?, reference)
                    WHERE id = ? AND coalesce(step_at, 0) <= ?
                    """,
                arguments: [
                    step.name.rawValue, step.at.milliseconds, report.path, report.checkpoint?.description, report.jar, report.reference,
                    report.request.id.description,
                    step.at.milliseconds,
                ])
            return database.changesCount > 0
        }
    }

    /// Writes down that a restart was proven. The first word stands.
    @discardableResult
    public func recordVerdict(_ verdict: RestartProof.Verdict, of id: OperationID) throws(LedgerError) -> Bool {
        try write { database in
            try database.execute(
                sql: "UPDATE operation SET verdict = ? WHERE id = ? AND verdict IS NULL", arguments: [verdict.rawValue, id.description])
            return database.changesCount > 0
        }
    }

    /// A restart that was broken off needs nobody any more once the job was launched by another.
    private func settleInterrupted(replacedBy report: OperationReport) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: """
                    UPDATE operation SET outcome = 'failed', ended_at = ?, error = ?
                    WHERE outcome = 'interrupted' AND kind = 'restart' AND job = ? AND id <> ?
                        AND address = (SELECT address FROM operation WHERE id = ?)
                    """,
                arguments: [
                    report.endedAt?.milliseconds, "never launched; operation \(report.request.id) launched the job instead",
                    report.request.job.description, report.request.id.description, report.request.id.description,
                ])
        }
    }

    /// Takes in that an action will not happen: the engine refused it, or it could not be sent.
    @discardableResult
    public func recordRefusal(_ id: OperationID, message: String, at time: WallTime) throws(LedgerError) -> Bool {
        try update(id, outcome: .refused, endedAt: time, error: message)
    }

    /// Takes in that the engine has no memory of the action.
    @discardableResult
    public func recordUnknown(_ id: OperationID, message: String, at time: WallTime) throws(LedgerError) -> Bool {
        try update(id, outcome: .unknown, endedAt: time, error: message)
    }

    /// Actions sent to the engine at `address` whose end was never heard of, oldest first. By the address and not by the context's name: a
    /// command may have called the same cluster otherwise, and a name may have come to mean another cluster.
    public func unfinished(address: String) throws(LedgerError) -> [LedgerEntry] {
        try entries(
            """
            SELECT * FROM operation WHERE address = ? AND outcome IN ('intended', 'accepted', 'running', 'interrupted')
            ORDER BY sent_at, id
            """, [address])
    }

    /// The newest actions sent to the engine at `address`, newest first.
    public func recent(address: String, limit: Int) throws(LedgerError) -> [LedgerEntry] {
        try entries("SELECT * FROM operation WHERE address = ? ORDER BY sent_at DESC, id DESC LIMIT ?", [address, max(0, limit)])
    }

    /// Jobs that were there for sure: the engine carried something out on them, or launched them.
    public func jobs(at address: String) throws(LedgerError) -> Set<JobID> {
        do {
            let ids = try queue.read { database in
                try String.fetchSet(
                    database,
                    sql: """
                        SELECT job FROM operation
                        WHERE address = ?1 AND kind IN ('savepoint', 'checkpoint', 'stop', 'cancel') AND outcome IN ('accepted', 'running', 'completed')
                        UNION SELECT new_job FROM operation WHERE address = ?1 AND new_job IS NOT NULL AND outcome = 'completed'
                        """, arguments: [address])
            }
            return Set(ids.compactMap { JobID($0) })
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// One action; nil = it is not on record.
    public func entry(_ id: OperationID) throws(LedgerError) -> LedgerEntry? {
        try entries("SELECT * FROM operation WHERE id = ?", [id.description]).first
    }

    /// The newest actions of all contexts, newest first.
    public func recent(limit: Int) throws(LedgerError) -> [LedgerEntry] {
        try entries("SELECT * FROM operation ORDER BY sent_at DESC, id DESC LIMIT ?", [max(0, limit)])
    }

    /// What a job was launched with, when it was launched through Weir.
    public func recipe(of job: JobID) throws(LedgerError) -> JarRecipe? { try launch(of: job)?.request.kind.launch?.recipe }

    /// The operation that launched a job, when it was launched through Weir.
    public func launch(of job: JobID) throws(LedgerError) -> LedgerEntry? {
        try entries("SELECT * FROM operation WHERE new_job = ? ORDER BY sent_at DESC, id LIMIT 1", [job.description]).first
    }

    /// Changes whenever another process, or another open ledger, has written to the file.
    public func versionOfOthers() throws(LedgerError) -> Int64 {
        do { return try queue.read { try Int64.fetchOne($0, sql: "PRAGMA data_version") ?? 0 } } catch { throw LedgerError(error, path: path) }
    }

    /// Reads through the ledger's own connection; for tests of its settings.
    func inspect<Value>(_ body: (Database) throws -> Value) throws -> Value { try queue.read(body) }

    private func update(
        _ id: OperationID, outcome: LedgerEntry.Outcome, endedAt: WallTime?, checkpoint: CheckpointID? = nil, path: String? = nil,
        newJob: JobID? = nil, error: String?, reference: String? = nil, inference: String? = nil, jar: String? = nil
    ) throws(LedgerError) -> Bool {
        let arguments: StatementArguments = [
            outcome.rawValue, endedAt?.milliseconds, checkpoint?.description, path, newJob?.description, error, reference, inference, jar,
            id.description,
        ]
        return try write { database in
            try database.execute(
                sql: """
                    UPDATE operation
                    SET outcome = ?, ended_at = ?, checkpoint = coalesce(?, checkpoint), path = coalesce(?, path),
                        new_job = coalesce(?, new_job), error = ?, reference = coalesce(?, reference), inference = ?, jar = coalesce(?, jar)
                    WHERE id = ? AND outcome NOT IN ('completed', 'failed', 'refused')
                    """, arguments: arguments)
            return database.changesCount > 0
        }
    }

    func entries(_ sql: String, _ arguments: StatementArguments) throws(LedgerError) -> [LedgerEntry] {
        do {
            return try queue.read { database in
                try Row.fetchAll(database, sql: sql, arguments: arguments).map { try LedgerEntry(row: $0) }
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    func write<Value>(_ body: (Database) throws -> Value) throws(LedgerError) -> Value {
        do {
            return try queue.write(body)
        } catch {
            throw LedgerError(error, path: path)
        }
    }
}

extension LedgerEntry {
    fileprivate func insert(_ database: Database) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = String(decoding: try encoder.encode(request), as: UTF8.self)
        try database.execute(
            sql: """
                INSERT INTO operation (id, context, address, job, kind, request, reason, by, sent_at, outcome, carrier)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                request.id.description, context, address, request.job.description, request.kind.ledgerWord, json, request.reason, request.by,
                sentAt.milliseconds, outcome.rawValue, carrier,
            ])
    }

    /// Reads a row back. A row that no ledger wrote is damage, never a trap.
    fileprivate init(row: Row) throws {
        func value<Stored>(_ column: String) -> Stored? { (row[column] as (any DatabaseValueConvertible)?) as? Stored }
        guard let json: String = value("request"), let word: String = value("outcome"), let context: String = value("context"),
            let address: String = value("address"), let sentAt: Int64 = value("sent_at"), let outcome = Outcome(rawValue: word)
        else {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a row of another shape")
        }
        let request: OperationRequest
        do {
            request = try JSONDecoder().decode(OperationRequest.self, from: Data(json.utf8))
        } catch {
            throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "unreadable request: \(error)")
        }
        let checkpoint: String? = value("checkpoint")
        let newJob: String? = value("new_job")
        let endedAt: Int64? = value("ended_at")
        let step = (value("step") as String?).flatMap(OperationStep.Name.init(rawValue:)).map {
            OperationStep($0, at: WallTime(milliseconds: value("step_at") ?? sentAt))
        }
        self.init(
            request: request, context: context, address: address, sentAt: WallTime(milliseconds: sentAt), outcome: outcome,
            endedAt: endedAt.map(WallTime.init(milliseconds:)), checkpoint: checkpoint.flatMap(UInt64.init).map(CheckpointID.init),
            path: value("path"), newJob: newJob.flatMap(JobID.init), error: value("error"), reference: value("reference"),
            inference: value("inference"), jar: value("jar"), carrier: value("carrier"), step: step,
            verdict: (value("verdict") as String?).flatMap(RestartProof.Verdict.init(rawValue:)))
    }
}
