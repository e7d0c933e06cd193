internal import Dispatch
internal import Ledger
internal import StreamModel
internal import Synchronization

/// A console's ledger, opened and written by a worker thread of its own, in order: the thread of the terminal never waits for the disk. What
/// another process has locked is tried again a second later. A console without a ledger is still a console: each thing that goes unrecorded is
/// told once.
final class LedgerQueue: Sendable {
    typealias Write = @Sendable (Ledger) throws(LedgerError) -> Void

    private struct State {
        /// nil = not open yet, or not usable.
        var ledger: Ledger?
        /// Where it is to be opened, until that was tried and the answer was not "locked".
        var unopened: String?
        var onOpen: (@Sendable (Ledger) -> Void)?
        /// What is to be written once another process lets go of the ledger, in order.
        var backlog: [(LedgerUse, Write)] = []
        /// Something was not kept, and the operator was told.
        var hasDropped = false
        /// What the operator was told of already.
        var complaints: Set<LedgerUse> = []
    }

    private let worker = DispatchQueue(label: "weir.ledger")
    private let state = Mutex(State())
    private let purpose: LedgerUse
    private let notify: @Sendable (String) -> Void

    /// - Parameters:
    ///   - purpose: what goes without where the ledger cannot be opened.
    ///   - notify: takes a line for the operator. Called from the worker and from others; must not block.
    init(for purpose: LedgerUse, notify: @escaping @Sendable (String) -> Void) {
        self.purpose = purpose
        self.notify = notify
    }

    /// The open ledger; nil = it is not open yet, or not usable.
    var ledger: Ledger? { state.withLock { $0.ledger } }
    /// Whether it may still come.
    var isAwaited: Bool { state.withLock { $0.unopened != nil } }

    /// Opens the ledger on the worker, and calls `onOpen` there before what waits is written.
    func open(path: String, onOpen: @escaping @Sendable (Ledger) -> Void) {
        state.withLock { ($0.unopened, $0.onOpen) = (path, onOpen) }
        run { self.workOff() }
    }

    /// Runs `body` on the worker, after all that was asked of it before.
    func run(after pause: Milliseconds = 0, _ body: @escaping @Sendable () -> Void) {
        if pause.count <= 0 { worker.async(execute: body) } else { worker.asyncAfter(deadline: .now() + .milliseconds(Int(pause.count)), execute: body) }
    }

    // MARK: Writing

    /// More than this is not kept for a ledger that stays locked.
    private static let backlogMax = 1000
    private static let retryPause: Milliseconds = .seconds(1)

    /// On the worker: opens the ledger if it is not open yet, and writes what waits.
    func workOff() {
        var use = purpose
        do throws(LedgerError) {
            if let path = state.withLock({ $0.unopened }) {
                // Whoever has asked for it by now waits behind this in the worker's queue.
                let ledger = try Ledger.open(path: path)
                let onOpen = state.withLock { state in
                    defer { (state.ledger, state.unopened, state.onOpen) = (ledger, nil, nil) }
                    return state.onOpen
                }
                onOpen?(ledger)
            }
            while let (ledger, (next, body)) = state.withLock({ state in state.ledger.flatMap { ledger in state.backlog.first.map { (ledger, $0) } } }) {
                use = next
                do throws(LedgerError) { try body(ledger) } catch {
                    if case .locked = error { throw error }
                    complain(error, of: use)
                }
                state.withLock { _ = $0.backlog.removeFirst() }
            }
        } catch {
            complain(error, of: use)
            guard case .locked = error else { return state.withLock { ($0.unopened, $0.onOpen, $0.backlog) = (nil, nil, []) } }
            tryAgain()
        }
    }

    private func tryAgain() {
        run(after: Self.retryPause) { [weak self] in self?.workOff() }
    }

    /// Writes on the worker, behind what waits.
    func write(_ use: LedgerUse, _ body: @escaping Write) {
        run {
            do throws(LedgerError) { try self.writeInOrder(use, body) } catch { self.complain(error, of: use) }
        }
    }

    /// On the worker: writes now, or behind what waits already.
    @discardableResult
    func writeInOrder(_ use: LedgerUse, _ body: @escaping Write) throws(LedgerError) -> RecordedOperation.Standing {
        let (ledger, mustWait) = state.withLock { ($0.ledger, $0.unopened != nil || !$0.backlog.isEmpty) }
        if mustWait { return queue(use, body) }
        guard let ledger else { return .unrecorded }
        do throws(LedgerError) {
            try body(ledger)
            return .written
        } catch {
            guard case .locked = error else { throw error }
            complain(error, of: use)
            let standing = queue(use, body)
            tryAgain()
            return standing
        }
    }

    /// Behind what waits for the ledger. Beyond the limit nothing is kept, and the operator is told once.
    private func queue(_ use: LedgerUse, _ body: @escaping Write) -> RecordedOperation.Standing {
        let (isKept, isNews) = state.withLock { state in
            guard state.backlog.count < Self.backlogMax else {
                defer { state.hasDropped = true }
                return (false, !state.hasDropped)
            }
            state.backlog.append((use, body))
            return (true, false)
        }
        if isNews { notify("\(Self.backlogMax) records wait for the ledger: further ones are not recorded") }
        return isKept ? .waiting : .unrecorded
    }

    /// One banner for each thing that goes unrecorded, however often the ledger fails.
    func complain(_ error: LedgerError, of use: LedgerUse) {
        let isNews = state.withLock { state in !state.complaints.contains(.everything) && state.complaints.insert(use).inserted }
        if isNews { notify(use.notice(error)) }
    }
}
