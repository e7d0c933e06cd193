internal import ControlProtocol
internal import ControlSocket
internal import StreamModel
internal import Synchronization

/// A command's connection to the engine: calls that either give what was asked for or end the command.
struct EngineLink: Sendable {
    let client: ControlClient
    /// The newest report, once `watch` was called.
    private let inbox: ReportInbox

    init(path: String, name: String, trust: EngineTrust = .own) throws(CommandFailure) {
        let inbox = ReportInbox()
        do throws(ControlClientError) {
            client = try ControlClient.connectAndWait(path: path, client: name, trust: trust, onReport: { inbox.take($0.report) })
        } catch {
            throw CommandFailure(error)
        }
        self.inbox = inbox
    }

    func call(_ request: ControlRequest, timeout: Milliseconds = .seconds(30)) throws(CommandFailure) -> ControlReply {
        do throws(ControlClientError) { return try client.callAndWait(request, timeout: timeout) } catch { throw CommandFailure(error) }
    }

    private func unexpected(_ verb: ControlVerb) -> CommandFailure {
        CommandFailure(.noLink, "the engine answered \(verb.rawValue) with something else: use a matching client")
    }

    func jobs() throws(CommandFailure) -> [JobReport] {
        guard case .jobs(let jobs) = try call(.jobs) else { throw unexpected(.jobs) }
        return jobs
    }

    func job(_ reference: JobReference) throws(CommandFailure) -> JobReport {
        guard case .job(let job) = try call(.job(reference)) else { throw unexpected(.job) }
        return job
    }

    func checkpoints(_ reference: JobReference, limit: Int? = nil) throws(CommandFailure) -> [CheckpointReport] {
        guard case .checkpoints(let rows) = try call(.checkpoints(reference, limit: limit)) else { throw unexpected(.checkpoints) }
        return rows
    }

    func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(CommandFailure) -> CheckpointReport {
        guard case .checkpoint(let row) = try call(.checkpoint(reference, id)) else { throw unexpected(.checkpoint) }
        return row
    }

    func operations(limit: Int? = nil) throws(CommandFailure) -> [OperationReport] {
        guard case .operations(let operations) = try call(.operations(limit: limit)) else { throw unexpected(.operations) }
        return operations
    }

    func operation(_ id: OperationID) throws(CommandFailure) -> OperationReport {
        guard case .operation(let operation) = try call(.operation(id)) else { throw unexpected(.operation) }
        return operation
    }

    func inspect(_ path: String) throws(CommandFailure) -> SnapshotInspection {
        // Every byte is read.
        guard case .inspection(let inspection) = try call(.inspect(path: path), timeout: .minutes(60)) else { throw unexpected(.inspect) }
        return inspection
    }

    func submit(_ request: SubmitRequest) throws(CommandFailure) -> JobReport {
        guard case .submitted(let job) = try call(.submit(request), timeout: .minutes(60)) else { throw unexpected(.submit) }
        return job
    }

    func operate(_ command: JobCommand) throws(CommandFailure) -> OperationReport {
        // Before a restart is accepted every byte of its snapshot is read.
        let limit: Milliseconds = if case .restart = command.action { .minutes(60) } else { .seconds(30) }
        guard case .operation(let operation) = try call(.operate(command), timeout: limit) else { throw unexpected(command.verb) }
        return operation
    }

    // MARK: Watching

    func subscribe() throws(CommandFailure) { _ = try call(.subscribe(interval: nil)) }

    /// Subscribes, unless that was done already.
    func startWatching() throws(CommandFailure) {
        if inbox.isAwaited { return }
        inbox.await()
        try subscribe()
    }

    func next(within limit: Milliseconds) -> EngineReport? { inbox.next(before: EngineInstant.now() + limit) }

    /// Calls `look` with each new report until it returns a value; nil = the limit passed first. Needs a subscription.
    func watch<Value>(for limit: Milliseconds, _ look: (EngineReport) -> Value?) throws(CommandFailure) -> Value? {
        let end = EngineInstant.now() + limit
        while EngineInstant.now() < end {
            guard let report = inbox.next(before: end) else { return nil }
            if let value = look(report) { return value }
        }
        return nil
    }

    /// Waits until an operation has ended; nil = the limit passed first. `progress` is told of every report on the way.
    func wait(
        for id: OperationID, limit: Milliseconds, progress: (OperationReport) -> Void = { _ in }
    ) throws(CommandFailure) -> OperationReport? {
        try subscribe()
        let ended: OperationReport? = try watch(for: limit) { report in
            guard let operation = report.operations.first(where: { $0.request.id == id }) else { return nil }
            progress(operation)
            return operation.state.isTerminal ? operation : nil
        }
        // Among very many operations it may not be in the reports: the last word is the verb's.
        if let ended { return ended }
        let last = try operation(id)
        return last.state.isTerminal ? last : nil
    }
}

/// The newest report that was not looked at yet; older ones are dropped. Filled on the event loop, emptied by the command's thread.
final class ReportInbox: Sendable {
    private let newest = Mutex<EngineReport?>(nil)
    private let awaited = Mutex(false)

    /// Reports were subscribed to.
    var isAwaited: Bool { awaited.withLock { $0 } }
    func await() { awaited.withLock { $0 = true } }

    func take(_ report: EngineReport) { newest.withLock { $0 = report } }

    func next(before end: EngineInstant) -> EngineReport? {
        while true {
            let report = newest.withLock { newest in
                defer { newest = nil }
                return newest
            }
            if let report { return report }
            guard EngineInstant.now() < end else { return nil }
            pause(milliseconds: 10)
        }
    }
}
