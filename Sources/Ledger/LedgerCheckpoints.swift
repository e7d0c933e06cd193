internal import GRDB
public import StreamModel

/// How much of the past a ledger keeps.
public struct LedgerLimits: Sendable, Equatable {
    /// Checkpoints older than this are forgotten, but for savepoints that may still be there.
    public var days: Int
    /// Actions that have ended, the same.
    public var actionDays: Int
    /// The oldest checkpoints are forgotten while the file uses more.
    public var size: ByteCount

    public init(days: Int = 90, actionDays: Int = 400, size: ByteCount = ByteCount(256 << 20)) {
        self.days = days
        self.actionDays = actionDays
        self.size = size
    }
}

/// Which checkpoints are asked for. All that is given must hold.
public struct CheckpointQuery: Sendable, Equatable {
    public var context: String?
    /// A name, or an id of 32 digits.
    public var job: String?
    /// Triggered then or before.
    public var until: WallTime?
    public var limit: Int

    public init(context: String? = nil, job: String? = nil, until: WallTime? = nil, limit: Int = 1000) {
        self.context = context
        self.job = job
        self.until = until
        self.limit = limit
    }
}

/// A job as the ledger files its checkpoints.
public struct JobOrigin: Sendable, Hashable {
    /// Name of the context.
    public var context: String
    public var job: JobID
    public var jobName: String

    public init(context: String, job: JobID, jobName: String) {
        self.context = context
        self.job = job
        self.jobName = jobName
    }
}

/// Something that was learned of checkpoints.
public enum CheckpointNews: Sendable, Equatable {
    /// Some of a job's, as its engine reports them now.
    case reported([CheckpointReport], of: JobOrigin, at: WallTime)
    /// All that its engine still has: what it kept before and does not list now is `unlisted`.
    case listed([CheckpointReport], of: JobOrigin, at: WallTime)
    /// Until then the engine had all that it kept when it was last heard of.
    case unchanged(JobID, until: WallTime)
    /// Somebody looked for a snapshot's files: nothing is there.
    case missing(path: String)
}

extension Ledger {
    /// Takes news in, in their order and all of them or none. What is the same as before is not written again; what had ended does not go
    /// back to being in flight, and what was discarded does not come back.
    public func remember(_ news: [CheckpointNews]) throws(LedgerError) {
        guard !news.isEmpty else { return }
        try write { database in
            for item in news {
                switch item {
                case .reported(let reports, let origin, let time):
                    for report in reports { try Self.upsert(report, origin, time, database) }
                case .listed(let reports, let origin, let time): try Self.takeList(reports, origin, time, database)
                case .unchanged(let job, let time):
                    try database.execute(
                        sql: "UPDATE checkpoint SET last_seen_at = ? WHERE job = ? AND fate IN ('kept', 'running') AND last_seen_at < ?",
                        arguments: [time.milliseconds, job.description, time.milliseconds])
                case .missing(let path):
                    try database.execute(sql: "UPDATE checkpoint SET fate = 'gone' WHERE path = ? AND fate IN ('kept', 'unlisted')", arguments: [path])
                }
            }
        }
    }

    private static func takeList(_ reports: [CheckpointReport], _ origin: JobOrigin, _ time: WallTime, _ database: Database) throws {
        let job = origin.job.description
        let numbers = reports.compactMap { Int64(exactly: $0.id.rawValue) }
        for report in reports { try upsert(report, origin, time, database) }
        // What is newer than the whole list was reported since it was put together.
        let newest = numbers.max() ?? .max
        let known = try Int64.fetchSet(
            database, sql: "SELECT id FROM checkpoint WHERE job = ? AND fate IN ('kept', 'running') AND id <= ?", arguments: [job, newest])
        for number in known.subtracting(numbers) {
            try database.execute(sql: "UPDATE checkpoint SET fate = 'unlisted' WHERE job = ? AND id = ?", arguments: [job, number])
        }
        for number in numbers {
            try database.execute(
                sql: "UPDATE checkpoint SET last_seen_at = ? WHERE job = ? AND id = ? AND last_seen_at < ?",
                arguments: [time.milliseconds, job, number, time.milliseconds])
        }
    }

    /// The newest first, by the time of their triggers.
    public func checkpoints(_ query: CheckpointQuery = CheckpointQuery()) throws(LedgerError) -> [RememberedCheckpoint] {
        let (condition, arguments) = Self.condition(query)
        do {
            return try inspect { database in
                let rows = try Row.fetchCursor(
                    database, sql: "\(Self.selection) \(condition) ORDER BY triggered_at DESC LIMIT ?", arguments: arguments + [max(0, query.limit)])
                var found: [RememberedCheckpoint] = []
                while let row = try rows.next() { found.append(try RememberedCheckpoint(row: row)) }
                return found
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// How many there are, whatever the limit of the query.
    public func countCheckpoints(_ query: CheckpointQuery = CheckpointQuery()) throws(LedgerError) -> Int {
        let (condition, arguments) = Self.condition(query)
        do {
            return try inspect { try Int.fetchOne($0, sql: "SELECT count(*) FROM checkpoint \(condition)", arguments: arguments) ?? 0 }
        } catch {
            throw LedgerError(error, path: path)
        }
    }

    /// How SQLite finds what a query asks for; for tests.
    func plan(of query: CheckpointQuery) throws -> [String] {
        let (condition, arguments) = Self.condition(query)
        return try inspect { database in
            try Row.fetchAll(
                database, sql: "EXPLAIN QUERY PLAN \(Self.selection) \(condition) ORDER BY triggered_at DESC LIMIT 10", arguments: arguments
            ).map { $0["detail"] }
        }
    }

    private static func condition(_ query: CheckpointQuery) -> (String, StatementArguments) {
        var terms: [String] = []
        var arguments = StatementArguments()
        if let job = query.job {
            terms.append(JobID(job) == nil ? "job_name = ?" : "job = ?")
            arguments += [job]
        }
        if let context = query.context {
            terms.append("context = ?")
            arguments += [context]
        }
        if let until = query.until {
            terms.append("triggered_at <= ?")
            arguments += [until.milliseconds]
        }
        return (terms.isEmpty ? "" : "WHERE " + terms.joined(separator: " AND "), arguments)
    }

    // MARK: Limits

    /// One step of forgetting what is beyond the limits, short enough to let others write in between. Returns whether there may be more.
    public func forget(beyond limits: LedgerLimits, at time: WallTime) throws(LedgerError) -> Bool {
        let day: Int64 = 86_400_000
        let oldest = time.milliseconds - Int64(clamping: max(1, limits.days)) * day
        let oldestAction = time.milliseconds - Int64(clamping: max(1, limits.actionDays)) * day
        return try write { database in
            var removed = 0
            func remove(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
                try database.execute(sql: sql, arguments: arguments)
                removed += database.changesCount
            }
            try remove(
                """
                DELETE FROM checkpoint WHERE (job, id) IN (
                    SELECT job, id FROM checkpoint WHERE triggered_at < ? AND NOT (kind <> 'checkpoint' AND fate IN ('kept', 'unlisted'))
                    ORDER BY triggered_at LIMIT \(Self.step))
                """, [oldest])
            try remove(
                """
                DELETE FROM operation WHERE id IN (
                    SELECT id FROM operation WHERE sent_at < ? AND outcome NOT IN ('intended', 'accepted', 'running') LIMIT \(Self.step))
                """, [oldestAction])
            try remove("DELETE FROM chore WHERE id IN (SELECT id FROM chore WHERE sent_at < ? LIMIT \(Self.step))", [oldestAction])
            if try Self.usedBytes(database) > max(limits.size.count, 1 << 20) {
                try remove(
                    "DELETE FROM checkpoint WHERE (job, id) IN (SELECT job, id FROM checkpoint ORDER BY triggered_at LIMIT \(Self.step))")
            }
            return removed > 0
        }
    }

    /// Rows that one step forgets at most, of each kind.
    private static let step = 1000

    /// Of the file, without what was freed in it: free pages are used again before the file grows.
    private static func usedBytes(_ database: Database) throws -> Int64 {
        func number(_ pragma: String) throws -> Int64 { try Int64.fetchOne(database, sql: "PRAGMA \(pragma)") ?? 0 }
        return (try number("page_count") - number("freelist_count")) * (try number("page_size"))
    }

    // MARK: Rows

    private static let selection = """
        SELECT context, job, job_name, id, kind, status, fate, triggered_at, ended_at, duration, timeout_at, acknowledged, total, state_size,
            checkpointed_size, path, discarded, requested_by, failure, first_seen_at, last_seen_at FROM checkpoint
        """

    private static func upsert(
        _ report: CheckpointReport, _ origin: JobOrigin, _ time: WallTime, _ database: Database
    ) throws {
        // A number beyond SQLite's is none that any engine counts to.
        guard let number = Int64(exactly: report.id.rawValue) else { return }
        let arguments: StatementArguments = [
            origin.context, origin.job.description, origin.jobName, number, report.kind.rawValue, report.status.rawValue, report.fate.rawValue,
            report.triggeredAt.milliseconds, report.endedAt?.milliseconds, report.duration?.count, report.timeoutAt.milliseconds,
            report.acknowledgedSubtasks, report.totalSubtasks, report.stateSize.count, report.checkpointedSize?.count, report.path,
            report.discarded, report.requestedBy, try report.failure.map { try FailureColumn.encode($0) }, time.milliseconds,
            time.milliseconds,
        ]
        let statement = try database.cachedStatement(
            sql: """
                INSERT INTO checkpoint (context, job, job_name, id, kind, status, fate, triggered_at, ended_at, duration, timeout_at,
                    acknowledged, total, state_size, checkpointed_size, path, discarded, requested_by, failure, first_seen_at, last_seen_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (job, id) DO UPDATE SET
                    kind = excluded.kind, status = excluded.status, fate = excluded.fate, triggered_at = excluded.triggered_at,
                    ended_at = excluded.ended_at, duration = excluded.duration, timeout_at = excluded.timeout_at,
                    acknowledged = excluded.acknowledged, total = excluded.total, state_size = excluded.state_size,
                    checkpointed_size = coalesce(excluded.checkpointed_size, checkpointed_size), path = coalesce(excluded.path, path),
                    discarded = excluded.discarded, requested_by = coalesce(excluded.requested_by, requested_by),
                    failure = coalesce(excluded.failure, failure), last_seen_at = max(last_seen_at, excluded.last_seen_at)
                WHERE (excluded.status <> 'IN_PROGRESS' OR status = 'IN_PROGRESS')
                    AND (excluded.discarded OR NOT discarded)
                    AND (status <> excluded.status OR fate <> excluded.fate OR acknowledged <> excluded.acknowledged
                        OR state_size <> excluded.state_size OR (path IS NULL AND excluded.path IS NOT NULL)
                        OR (failure IS NULL AND excluded.failure IS NOT NULL))
                """)
        try statement.execute(arguments: arguments)
    }
}

extension RememberedCheckpoint {
    /// Reads a row of `selection` back. A row that no ledger wrote is damage, never a trap.
    fileprivate init(row: Row) throws {
        // By position: names cost more than all the rest, with many rows.
        func text(_ index: Int) -> String? { String.fromDatabaseValue(row[index] as DatabaseValue) }
        func number(_ index: Int) -> Int64? { Int64.fromDatabaseValue(row[index] as DatabaseValue) }
        func time(_ index: Int) -> WallTime? { number(index).map(WallTime.init(milliseconds:)) }
        guard let context = text(0), let job = text(1).flatMap(JobID.init), let jobName = text(2), let id = number(3), id >= 0,
            let kind = text(4).flatMap(CheckpointKind.init(rawValue:)), let status = text(5).flatMap(CheckpointReport.Status.init(rawValue:)),
            let fate = text(6).flatMap(Fate.init(rawValue:)), let triggeredAt = time(7), let timeoutAt = time(10), let acknowledged = number(11),
            let total = number(12), let size = number(13), let discarded = number(16), let firstSeenAt = time(19), let lastSeenAt = time(20)
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a row of another shape") }
        var report = CheckpointReport(
            id: CheckpointID(UInt64(id)), kind: kind, status: status, triggeredAt: triggeredAt, endedAt: time(8), timeoutAt: timeoutAt,
            acknowledgedSubtasks: Int(clamping: acknowledged), totalSubtasks: Int(clamping: total), stateSize: ByteCount(size), path: text(15))
        report.duration = number(9).map { Milliseconds($0) }
        report.checkpointedSize = number(14).map { ByteCount($0) }
        report.discarded = discarded != 0 || fate == .gone
        report.requestedBy = text(17)
        if let failure = text(18) { report.failure = try FailureColumn.decode(failure) }
        self.init(context: context, job: job, jobName: jobName, report: report, fate: fate, firstSeenAt: firstSeenAt, lastSeenAt: lastSeenAt)
    }
}
