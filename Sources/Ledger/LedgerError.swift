internal import GRDB
internal import Glibc
public import StreamModel

/// What can be wrong with a ledger. Every case names the file; none of them stops a console.
public enum LedgerError: Error, Equatable, Sendable {
    /// A directory on the way to the file cannot be made or entered.
    case directory(path: String, errno: Int32)
    /// The file itself cannot be created or opened.
    case file(path: String, errno: Int32)
    /// The name exists and is no plain file of this user.
    case notOurs(path: String)
    /// The file holds something else than a ledger, or is damaged.
    case damaged(path: String, detail: String)
    /// A newer console made it; these are the migrations that this one does not know.
    case newer(path: String, migrations: [String])
    /// Another process held it for longer than the busy timeout.
    case locked(path: String)
    case full(path: String)
    case readOnly(path: String)
    /// Another request was filed under the same operation id.
    case conflict(path: String, operation: OperationID)
    /// Any other refusal of SQLite, with its extended result code.
    case database(path: String, code: Int32, detail: String)
}

extension LedgerError: CustomStringConvertible {
    /// One sentence for the operator: what happened to which file, and what to do.
    public var description: String {
        switch self {
        case .directory(let path, let code):
            "ledger: cannot use the directory \(path) (\(reason(code))); make it writable or set XDG_STATE_HOME"
        case .file(let path, let code):
            "ledger: cannot open \(path) (\(reason(code))); check its owner and mode"
        case .notOurs(let path):
            "ledger: \(path) is not a plain file of this user; move it away"
        case .damaged(let path, let detail):
            "ledger: \(path) is damaged or no ledger (\(detail)); move it away and a new one is made"
        case .newer(let path, let migrations):
            "ledger: \(path) was written by a newer weir (\(migrations.joined(separator: ", "))); use that one"
        case .locked(let path):
            "ledger: \(path) is locked by another process; it is tried again"
        case .full(let path):
            "ledger: no space left for \(path); free some"
        case .readOnly(let path):
            "ledger: \(path) is read-only; make it writable"
        case .conflict(let path, let operation):
            "ledger: \(path) already holds another action with the id \(operation); try again with a new id"
        case .database(let path, let code, let detail):
            "ledger: \(path): SQLite error \(code) (\(detail))"
        }
    }

    private func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}

extension LedgerError {
    /// What SQLite's refusal means for this file.
    init(_ error: any Error, path: String) {
        if let known = error as? LedgerError {
            self = known
            return
        }
        guard let error = error as? DatabaseError else {
            self = .database(path: path, code: 0, detail: "\(error)")
            return
        }
        let detail = error.message ?? "no message"
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .locked(path: path)
        case .SQLITE_FULL: self = .full(path: path)
        case .SQLITE_READONLY: self = .readOnly(path: path)
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(path: path, detail: detail)
        default: self = .database(path: path, code: error.extendedResultCode.rawValue, detail: detail)
        }
    }
}
