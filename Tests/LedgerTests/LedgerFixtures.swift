// What the ledger's tests share: requests, reports, a directory that removes itself, and a second SQLite connection that
// does what a foreign program could do to the file.

import GRDB
import Glibc
import StreamModel
import TestKit

@testable import Ledger

func request(_ id: String, _ kind: OperationRequest.Kind = .savepoint(directory: nil)) -> OperationRequest {
    OperationRequest(
        id: OperationID(id)!, kind: kind, job: JobID(high: 1, low: 2), expectedState: .running, reason: "INC-7 \"quoted\"; --", by: "ana@host")
}

func report(_ id: String, _ state: OperationReport.State, path: String? = nil) -> OperationReport {
    OperationReport(
        request: request(id), jobName: "orders", state: state, acceptedAt: WallTime(milliseconds: 2),
        endedAt: state.isTerminal ? WallTime(milliseconds: 9) : nil, path: path)
}

extension Ledger {
    func remember(_ reports: [CheckpointReport], context: String, job: JobID, jobName: String, at time: WallTime) throws(LedgerError) {
        try remember([.reported(reports, of: JobOrigin(context: context, job: job, jobName: jobName), at: time)])
    }

    func rememberList(_ reports: [CheckpointReport], context: String, job: JobID, jobName: String, at time: WallTime) throws(LedgerError) {
        try remember([.listed(reports, of: JobOrigin(context: context, job: job, jobName: jobName), at: time)])
    }
}

func mode(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o777 : 0
}

func write(_ path: String, _ text: String) { write(path, Array(text.utf8)) }

func write(_ path: String, _ bytes: [UInt8]) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(descriptor >= 0 && Glibc.write(descriptor, bytes, bytes.count) == bytes.count, "cannot write \(path)")
    close(descriptor)
}

func read(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
}

/// Runs SQL on a connection of its own, and `during` before that connection closes.
func execute(_ path: String, _ sql: String, during: () throws -> Void = {}) throws {
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: path, configuration: configuration)
    try other.inDatabase { try $0.execute(sql: sql) }
    try during()
    if sql.hasPrefix("BEGIN") { try other.inDatabase { try $0.execute(sql: "ROLLBACK") } }
    try other.close()
}

/// The rows of a query on a connection of its own, as text.
func execute(_ path: String, reading sql: String) throws -> [String] {
    let other = try DatabaseQueue(path: path)
    defer { try? other.close() }  // DatabaseError: a test's connection that is busy closes with the test.
    return try other.read { try Row.fetchAll($0, sql: sql).map(\.description) }
}

extension Ledger {
    func pragma(_ name: String) throws -> String? {
        try inspect { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }
}
