internal import GRDB
public import StreamModel

/// Something that an operator does to a cluster itself and not to a job, with what became of it.
public struct LedgerChore: Sendable, Equatable {
    public enum Verb: String, Sendable, CaseIterable { case uploadJar = "upload jar", deleteJar = "delete jar", disposeSavepoint = "dispose savepoint" }

    public var id: OperationID
    public var verb: Verb
    /// The jar's file or id, or the path of the savepoint.
    public var subject: String
    public var reason: String
    public var by: String
    public var context: String
    public var address: String
    public var sentAt: WallTime
    public var outcome: LedgerEntry.Outcome
    public var endedAt: WallTime?
    /// The id of an uploaded jar.
    public var result: String?
    public var error: String?

    public init(
        id: OperationID, verb: Verb, subject: String, reason: String, by: String, context: String, address: String, sentAt: WallTime,
        outcome: LedgerEntry.Outcome = .intended, endedAt: WallTime? = nil, result: String? = nil, error: String? = nil
    ) {
        self.id = id
        self.verb = verb
        self.subject = subject
        self.reason = reason
        self.by = by
        self.context = context
        self.address = address
        self.sentAt = sentAt
        self.outcome = outcome
        self.endedAt = endedAt
        self.result = result
        self.error = error
    }
}

extension Ledger {
    /// Writes a chore down before it is done; when this returns, it is on disk.
    public func record(_ chore: LedgerChore) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: """
                    INSERT INTO chore (id, context, address, verb, subject, reason, by, sent_at, outcome, ended_at, result, error)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    chore.id.description, chore.context, chore.address, chore.verb.rawValue, chore.subject, chore.reason, chore.by,
                    chore.sentAt.milliseconds, chore.outcome.rawValue, chore.endedAt?.milliseconds, chore.result, chore.error,
                ])
        }
    }

    /// Takes in what became of a chore.
    public func recordOutcome(
        ofChore id: OperationID, _ outcome: LedgerEntry.Outcome, at time: WallTime, result: String? = nil, error: String? = nil
    ) throws(LedgerError) {
        try write { database in
            try database.execute(
                sql: "UPDATE chore SET outcome = ?, ended_at = ?, result = ?, error = ? WHERE id = ?",
                arguments: [outcome.rawValue, time.milliseconds, result, error, id.description])
        }
    }

    /// The newest chores, newest first.
    public func recentChores(limit: Int) throws(LedgerError) -> [LedgerChore] {
        do {
            return try inspect { database in
                try Row.fetchAll(database, sql: "SELECT * FROM chore ORDER BY sent_at DESC, id LIMIT ?", arguments: [max(0, limit)]).map(LedgerChore.init(row:))
            }
        } catch {
            throw LedgerError(error, path: path)
        }
    }
}

extension LedgerChore {
    /// Reads a row back. A row that no ledger wrote is damage, never a trap.
    fileprivate init(row: Row) throws {
        func value<Stored>(_ column: String) -> Stored? { (row[column] as (any DatabaseValueConvertible)?) as? Stored }
        guard let id = (value("id") as String?).flatMap(OperationID.init), let verb = (value("verb") as String?).flatMap(Verb.init(rawValue:)),
            let subject: String = value("subject"), let reason: String = value("reason"), let by: String = value("by"),
            let context: String = value("context"), let address: String = value("address"), let sentAt: Int64 = value("sent_at"),
            let outcome = (value("outcome") as String?).flatMap(LedgerEntry.Outcome.init(rawValue:))
        else { throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a row of another shape") }
        self.init(
            id: id, verb: verb, subject: subject, reason: reason, by: by, context: context, address: address, sentAt: WallTime(milliseconds: sentAt),
            outcome: outcome, endedAt: (value("ended_at") as Int64?).map(WallTime.init(milliseconds:)), result: value("result"), error: value("error"))
    }
}
