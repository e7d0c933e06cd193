internal import ConsoleCore
internal import HostEnvironment
internal import Ledger
public import StreamModel
internal import Synchronization

/// An operation that has passed the record of actions. Only this file makes one, and `ActingSession` takes nothing else: no request bypasses the
/// record.
public struct RecordedOperation: Sendable {
    /// State of the record when the operation is sent. A broken ledger never stops an operator in an incident; what is not on disk has been reported.
    public enum Standing: Sendable, Equatable {
        /// On disk.
        case written
        /// Queued: another process holds the ledger.
        case waiting
        /// Not recorded: the ledger is unusable, or its queue is full.
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
    /// Records an action; nil = it must not be sent.
    /// - Parameter isCarried: whether this process, not the engine, carries it out.
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
