internal import ConsoleCore
public import ControlProtocol
public import ControlSocket
internal import HostEnvironment
public import StreamModel
internal import Synchronization

/// A command's connection to the engine. Every call returns its answer or ends the command.
public struct EngineLink: Sendable {
    public let client: ControlClient
    /// The newest report, once `watch` was called.
    private let inbox: ReportInbox
    /// Deadline of every answer; nil = each has its own limit.
    private let deadline: Deadline?

    public init(path: String, name: String, trust: EngineTrust = .own, before deadline: Deadline? = nil) throws(ClientFailure) {
        self.deadline = deadline
        let inbox = ReportInbox()
        do throws(ControlClientError) {
            client = try ControlClient.connectAndWait(
                path: path, client: name, trust: trust, timeout: min(.seconds(5), deadline.map { max(1, $0.left) } ?? .seconds(5)),
                onReport: { inbox.take($0.report) })
        } catch {
            throw ClientFailure(error)
        }
        self.inbox = inbox
    }

    /// For requests that a live engine answers without reading state.
    private static let answerLimit: Milliseconds = .seconds(30)

    /// The last look of a command whose time is up.
    private static let lastLook: Milliseconds = 250

    public func call(_ request: ControlRequest, timeout: Milliseconds = .seconds(30)) throws(ClientFailure) -> ControlReply {
        let limit = min(timeout, deadline.map { max(Self.lastLook, $0.left) } ?? timeout)
        do throws(ControlClientError) { return try client.callAndWait(request, timeout: limit) } catch { throw ClientFailure(error) }
    }

    private func unexpected(_ verb: ControlVerb) -> ClientFailure {
        ClientFailure(.noLink, "the engine answered \(verb.rawValue) with something else: use a matching client")
    }

    public func jobs() throws(ClientFailure) -> [JobReport] {
        guard case .jobs(let jobs) = try call(.jobs) else { throw unexpected(.jobs) }
        return jobs
    }

    public func job(_ reference: JobReference) throws(ClientFailure) -> JobReport {
        guard case .job(let job) = try call(.job(reference)) else { throw unexpected(.job) }
        return job
    }

    public func checkpoints(_ reference: JobReference, limit: Int? = nil) throws(ClientFailure) -> [CheckpointReport] {
        guard case .checkpoints(let rows) = try call(.checkpoints(reference, limit: limit)) else { throw unexpected(.checkpoints) }
        return rows
    }

    public func checkpoint(_ reference: JobReference, _ id: CheckpointID) throws(ClientFailure) -> CheckpointReport {
        guard case .checkpoint(let row) = try call(.checkpoint(reference, id)) else { throw unexpected(.checkpoint) }
        return row
    }

    public func operations(limit: Int? = nil) throws(ClientFailure) -> [OperationReport] {
        guard case .operations(let operations) = try call(.operations(limit: limit)) else { throw unexpected(.operations) }
        return operations
    }

    public func operation(_ id: OperationID) throws(ClientFailure) -> OperationReport {
        guard case .operation(let operation) = try call(.operation(id)) else { throw unexpected(.operation) }
        return operation
    }

    /// The newest lines of the log, oldest first.
    public func log(_ reference: JobReference?, after: UInt64? = nil, limit: Int? = nil) throws(ClientFailure) -> [EngineLogEntry] {
        guard case .log(let entries) = try call(.log(reference, after: after, limit: limit)) else { throw unexpected(.log) }
        return entries
    }

    public func inspect(_ path: String) throws(ClientFailure) -> SnapshotInspection {
        // Every byte is read.
        guard case .inspection(let inspection) = try call(.inspect(path: path), timeout: .minutes(60)) else { throw unexpected(.inspect) }
        return inspection
    }

    public func submit(_ request: SubmitRequest) throws(ClientFailure) -> JobReport {
        guard case .submitted(let job) = try call(.submit(request), timeout: .minutes(60)) else { throw unexpected(.submit) }
        return job
    }

    public func operate(_ command: JobCommand, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        // The engine reads the whole snapshot before it accepts a restart. It answers everything else at once.
        let isLong = if case .restart = command.action { true } else { false }
        let limit = max(1, isLong ? deadline.left : min(deadline.left, Self.answerLimit))
        let reply: ControlReply
        do throws(ControlClientError) { reply = try client.callAndWait(.operate(command), timeout: limit) } catch {
            guard case .callTimedOut = error else { throw ClientFailure(error) }
            throw ClientFailure(
                .unproven,
                "operation \(command.operation) was sent and has no answer after \(Figures.duration(limit)); 'weir operations' shows its outcome"
            )
        }
        guard case .operation(let operation) = reply else { throw unexpected(command.verb) }
        return operation
    }

    // MARK: Watching

    public func subscribe() throws(ClientFailure) { _ = try call(.subscribe(interval: nil)) }

    /// Subscribes, unless that was done already.
    public func startWatching() throws(ClientFailure) {
        if inbox.isAwaited { return }
        inbox.await()
        try subscribe()
    }

    public func next(within limit: Milliseconds) -> EngineReport? { inbox.next(before: EngineInstant.now() + limit) }

    /// Calls `look` with each new report until it returns a value; nil = the limit passed first. Needs a subscription.
    public func watch<Value>(for limit: Milliseconds, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value? {
        let end = EngineInstant.now() + limit
        while EngineInstant.now() < end {
            guard let report = inbox.next(before: end) else { return nil }
            if let value = look(report) { return value }
        }
        return nil
    }

    /// Waits for the end of an operation; nil = the time ran out first. `progress` gets every report on the way.
    public func wait(
        for id: OperationID, before deadline: Deadline, progress: (OperationReport) -> Void = { _ in }
    ) throws(ClientFailure) -> OperationReport? {
        try subscribe()
        let ended: OperationReport? = try watch(for: deadline.left) { report in
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

/// The newest unread report; older ones are dropped. Filled on the event loop, read by the command's thread.
public final class ReportInbox: Sendable {
    private let newest = Mutex<EngineReport?>(nil)
    private let wakeTimer = WakeTimer()
    private let awaited = Mutex(false)

    /// Reports were subscribed to.
    public var isAwaited: Bool { awaited.withLock { $0 } }
    public func await() { awaited.withLock { $0 = true } }

    public func take(_ report: EngineReport) {
        newest.withLock { $0 = report }
        wakeTimer.wake()
    }

    public func next(before end: EngineInstant) -> EngineReport? {
        while true {
            let report = newest.withLock { newest in
                defer { newest = nil }
                return newest
            }
            if let report { return report }
            let left = end - EngineInstant.now()
            guard left > 0 else { return nil }
            wakeTimer.wait(atMost: left)
        }
    }
}
