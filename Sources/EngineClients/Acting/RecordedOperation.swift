internal import ConsoleCore
internal import HostEnvironment
internal import Ledger
public import StreamModel
internal import Synchronization

/// An operation that went through the record of actions. Made in this file only, and `ActingSession` takes nothing else: no path around
/// the record leads to an engine.
public struct RecordedOperation: Sendable {
    /// How far the record has come when the operation is sent. An operator in an incident is never kept from acting by a broken ledger: what
    /// is not on disk was complained about.
    public enum Standing: Sendable, Equatable {
        /// On disk.
        case written
        /// Another process holds the ledger: it follows, in order.
        case waiting
        /// There is no usable ledger, or too much waits for it.
        case unrecorded
    }
    public let request: OperationRequest
    public let standing: Standing

    fileprivate init(_ request: OperationRequest, _ standing: Standing) {
        self.request = request
        self.standing = standing
    }
}

extension ActionGate {
    /// Writes an action down. nil = it must not be sent.
    /// - Parameter isCarried: this process carries it out, and not the engine.
    func record(_ operation: OperationRequest, _ place: ConsoleContext, isCarried: Bool, at now: WallTime) -> RecordedOperation? {
        let isFirst = book.withLock { book in
            guard book.open[operation.id] == nil else { return false }
            book.open[operation.id] = OperationProgress()
            return true
        }
        do throws(LedgerError) {
            let (name, address) = (place.name, place.address.text)
            let standing = try queue.writeInOrder(.actions) { ledger throws(LedgerError) in
                if isCarried { _ = ledger.claim(operation.id) }
                let carrier = isCarried ? OperatorIdentity.process() : nil
                try ledger.recordIntent(operation, context: name, address: address, at: now, carrier: carrier)
            }
            return RecordedOperation(operation, standing)
        } catch .conflict(let path, let id) {
            if isFirst { book.withLock { $0.open[id] = nil } }
            answered(id)
            let message = LedgerError.conflict(path: path, operation: id).description
            deliver(.engine(context: place.name, .refused(id, message: message)))
            return nil
        } catch {
            book.withLock { $0.open[operation.id] = nil }
            queue.complain(error, of: .actions)
            return RecordedOperation(operation, .unrecorded)
        }
    }
}
