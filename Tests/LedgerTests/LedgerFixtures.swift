// What the ledger's tests share: requests, reports, a directory that removes itself, and a second SQLite connection that
// does what a foreign program could do to the file.

import GRDB
import Glibc
import StreamModel

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

final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/weir-ledger-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil, "no temporary directory")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { removeTree(path) }
}

/// Removes a directory and what is below it; what cannot be removed stays, which fails no test.
private func removeTree(_ path: String) {
    if let directory = opendir(path) {
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { removeTree(path + "/" + name) }
        }
        closedir(directory)
    }
    _ = remove(path)
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

extension Ledger {
    func pragma(_ name: String) throws -> String? {
        try inspect { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }
}
