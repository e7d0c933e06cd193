public import ConsoleCore
internal import ControlProtocol
public import ControlSocket
internal import HostEnvironment
public import Ledger
public import StreamModel
internal import Synchronization

/// Looks up operations whose end was not seen.
public protocol OperationLookup: Sendable {
    /// `completion` gets the operation as the engine knows it, nil when the engine never heard of it; it is not called when the
    /// link failed. Called from any thread.
    func lookUp(_ sent: SentOperation, completion: @escaping @Sendable (OperationReport?) -> Void)
}

/// Keeps a record of its own in the ledger: what it has uploaded, and the steps of its operations.
public protocol RecordKeeping: Sendable {
    /// From now on. `address` is what the ledger calls the cluster; `onFailure` is called from any thread.
    func keepRecord(in ledger: Ledger, as address: String, onFailure: @escaping @Sendable (LedgerError, LedgerUse) -> Void)
    /// Resumes an operation whose process ended before it was done. Never blocks.
    func goOn(_ sent: SentOperation)
}

/// An engine behind its control socket. Connects on its own thread and retries forever; a hung engine delays nobody else. Without a link, requests
/// are answered at once.
public final class SocketEngine: ActingEngine, OperationLookup {
    /// After this long without a word the engine counts as silent; reports come every second, heartbeats are answered at once.
    public static let silenceLimit: Milliseconds = .seconds(6)
    /// After this long without a word the connection is dropped and a new one tried.
    public static let givingUpLimit: Milliseconds = .seconds(15)
    /// Interval of round-trip measurements while reports come: the reports themselves show that the engine lives.
    public static let heartbeatInterval: Milliseconds = .seconds(20)
    /// Interval of reports while the operator is away; otherwise they come as often as the engine publishes them.
    public static let restInterval: Milliseconds = .seconds(2)
    /// After this long without a word the engine is asked for one.
    public static let quietInterval: Milliseconds = .seconds(4)

    private let path: String
    private let trust: EngineTrust
    private let client: String
    private let link = Mutex(Link())
    /// Ends a pause of the connecting thread. Each report postpones that thread's next health check.
    private let wakeTimer = WakeTimer()
    /// Held while an event is handed over, so that nothing is delivered after `stop` has returned.
    private let delivery = Mutex<(@Sendable (EngineEvent) -> Void)?>(nil)

    private struct Link {
        var client: ControlClient?
        /// Counts connections; callbacks of an older one are ignored.
        var generation = 0
        var closeReason: ControlClientError?
        var lastHeard: Int64 = 0
        var isSilent = false
        var roundTrip: Milliseconds?
        /// The screen has not been told of it.
        var isRoundTripNews = false
        /// When the round trip was last measured, and how often on this connection.
        var askedAt: Int64 = .min / 2
        var asked = 0
        /// Unanswered questions: asking twice would only pile up behind a slow engine.
        var questions: [EngineQuestion] = []
        var isStopped = false
        var wantsRetry = false
        var isResting = false
    }

    public init(path: String, trust: EngineTrust = .own, client: String = "weir console") {
        self.path = path
        self.trust = trust
        self.client = client
    }

    // MARK: Engine

    public func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) {
        delivery.withLock { $0 = deliver }
        startThread { self.run() }
    }

    public func stop() {
        delivery.withLock { $0 = nil }
        let client = link.withLock { link in
            link.isStopped = true
            defer { link.client = nil }
            return link.client
        }
        client?.close()
        wakeTimer.wake()
    }

    public func rest(_ isResting: Bool) {
        let client = link.withLock { link in
            link.isResting = isResting
            return link.client
        }
        if let client { subscribe(client) }
    }

    public func retryNow() {
        link.withLock { $0.wantsRetry = true }
        wakeTimer.wake()
    }

    public func send(_ question: EngineQuestion) {
        let client = link.withLock { link -> ControlClient? in
            guard let client = link.client, !link.questions.contains(question) else { return nil }
            link.questions.append(question)
            return client
        }
        // Without a link nothing is said: the screen shows that already, and asks again with the next report.
        client?.call(Self.request(question)) { [weak self] result in
            guard let self else { return }
            link.withLock { link in link.questions.removeAll { $0 == question } }
            answer(question, result)
        }
    }

    public func lookUp(_ sent: SentOperation, completion: @escaping @Sendable (OperationReport?) -> Void) {
        link.withLock { $0.client }?.call(.operation(sent.request.id)) { result in
            switch result {
            case .success(.operation(let report)): completion(report)
            case .failure(.failure(let failure)) where failure.kind == .unknownOperation: completion(nil)
            default: break
            }
        }
    }

    // MARK: Requests

    public func operate(_ operation: OperationRequest) {
        guard let client = link.withLock({ $0.client }) else {
            return emit(.refused(operation.id, message: "no link to the engine: nothing was sent; try again when it is back"))
        }
        client.call(.operate(JobCommand(operation))) { [weak self] result in
            switch result {
            case .success(.operation(let report)): self?.emit(.operation(report))
            case .success: self?.emit(.requestFailed("the engine's answer to operation \(operation.id) does not match it"))
            case .failure(.failure(let failure)): self?.emit(.refused(operation.id, message: failure.message))
            // It may have arrived: its fate is asked for when the link is back.
            case .failure(let error): self?.emit(.requestFailed(error.description))
            }
        }
    }

    private static func request(_ question: EngineQuestion) -> ControlRequest {
        switch question {
        case .checkpoints(let job): .checkpoints(JobReference(job), limit: nil)
        case .checkpoint(let job, let id): .checkpoint(JobReference(job), id)
        case .failures(let job): .exceptions(JobReference(job))
        case .inspect(let path), .inspectForDeletion(let path): .inspect(path: path)
        case .log(let after): .log(nil, after: after, limit: EngineQuestion.logLinesMax)
        }
    }

    private func answer(_ question: EngineQuestion, _ result: Result<ControlReply, ControlClientError>) {
        switch (question, result) {
        case (.checkpoints(let job), .success(.checkpoints(let list))): emit(.checkpoints(job, list))
        case (.checkpoint(let job, _), .success(.checkpoint(let report))): emit(.checkpoint(job, report))
        case (.failures(let job), .success(.exceptions(let list))): emit(.failures(job, list))
        case (.log, .success(.log(let entries))): emit(.log(entries))
        case (.inspect, .success(.inspection(let inspection))), (.inspectForDeletion, .success(.inspection(let inspection))): emit(.inspection(inspection))
        case (.inspect(let path), .failure(.failure(let failure))) where failure.kind == .unknownPath:
            emit(.inspection(SnapshotInspection(path: path, verdict: .missing, problem: failure.message)))
        case (_, .success): emit(.requestFailed("the engine's answer does not match the question"))
        case (_, .failure(let error)): emit(.requestFailed(error.description))
        }
    }

    private func emit(_ event: EngineEvent) { delivery.withLock { $0?(event) } }

    // MARK: The connecting thread

    private func run() {
        var backoff = Backoff(), generator = SystemRandomNumberGenerator(), attempts = 0
        emit(.link(.connecting))
        while !link.withLock({ $0.isStopped }) {
            let reason: ControlClientError
            switch connect() {
            case .success(let client):
                (attempts, backoff) = (0, Backoff())
                reason = watch(client)
            case .failure(let error): reason = error
            }
            attempts += 1
            let pause = backoff.next(using: &generator)
            emit(.link(.down(reason: reason.description, retryAt: WallTime.steady() + pause, attempts: attempts)))
            rest(pause)
        }
    }

    private func connect() -> Result<ControlClient, ControlClientError> {
        let generation = link.withLock { link in
            link.generation += 1
            (link.closeReason, link.isSilent, link.roundTrip, link.isRoundTripNews, link.wantsRetry) = (nil, false, nil, false, false)
            (link.askedAt, link.asked, link.questions) = (.min / 2, 0, [])
            return link.generation
        }
        do {
            return .success(
                try ControlClient.connectAndWait(
                    path: path, client: client, trust: trust,
                    onReport: { [weak self] in self?.take($0, generation) }, onClose: { [weak self] in self?.closed($0, generation) }))
        } catch {
            return .failure(error)
        }
    }

    /// Uses a connection until it ends or is given up; returns why.
    private func watch(_ client: ControlClient) -> ControlClientError {
        let isWanted = link.withLock { link in
            guard !link.isStopped else { return false }
            (link.client, link.lastHeard) = (client, MonotonicClock.milliseconds())
            return true
        }
        defer { leave(client) }
        guard isWanted else { return .closed(path: path) }
        emit(.capabilities(EngineCapabilities(canFault: true, isViewer: client.hello.level == .viewer)))
        emit(.link(.up(roundTrip: nil)))
        subscribe(client)
        measureRoundTrip(client)
        while true {
            let now = MonotonicClock.milliseconds()
            let (lastHeard, askedAt) = link.withLock { ($0.lastHeard, $0.askedAt) }
            var nextHeartbeat = max(askedAt, lastHeard) + Self.quietInterval.count
            if now >= nextHeartbeat {
                measureRoundTrip(client)
                nextHeartbeat = now + Self.quietInterval.count
            }
            wakeTimer.wait(atMost: Milliseconds(min(nextHeartbeat, nextSilenceCheck(after: now)) - now))
            if let reason = reasonToLeave() { return reason }
        }
    }

    /// A second time it changes how often reports come.
    private func subscribe(_ client: ControlClient) {
        let interval = link.withLock { $0.isResting } ? Self.restInterval : nil
        client.call(.subscribe(interval: interval)) { [weak self] result in
            if case .failure(let error) = result { self?.emit(.requestFailed(error.description)) }
        }
    }

    private func nextSilenceCheck(after now: Int64) -> Int64 {
        link.withLock { link in
            let limit = link.isSilent ? Self.givingUpLimit : Self.silenceLimit
            return max(now + 1, link.lastHeard + limit.count)
        }
    }

    private func leave(_ client: ControlClient) {
        link.withLock { $0.client = nil }
        client.close()
    }

    /// Looks at the connection's health; nil = go on.
    private func reasonToLeave() -> ControlClientError? {
        let now = MonotonicClock.milliseconds()
        let (reason, silence, becameSilent) = link.withLock { link -> (ControlClientError?, Int64, Bool) in
            if link.isStopped { return (.closed(path: path), 0, false) }
            let silence = now - link.lastHeard
            let becameSilent = silence >= Self.silenceLimit.count && !link.isSilent
            if becameSilent { link.isSilent = true }
            return (link.closeReason, silence, becameSilent)
        }
        if let reason { return reason }
        if silence >= Self.givingUpLimit.count { return .connectTimedOut(path: path, silence) }
        if becameSilent {
            let retry = WallTime.steady() + Milliseconds(Self.givingUpLimit.count - silence)
            emit(.link(.down(reason: "no word from the engine for \(silence / 1000) s: it may hang", retryAt: retry, attempts: 0)))
        }
        return nil
    }

    /// Without a time-out of its own: an engine that does not answer is silent, and its connection is given up.
    private func measureRoundTrip(_ client: ControlClient) {
        let start = MonotonicClock.milliseconds()
        link.withLock { ($0.askedAt, $0.asked) = (start, $0.asked + 1) }
        client.call(.operations(limit: 1), timeout: nil) { [weak self] result in
            guard let self, case .success = result else { return }
            let now = MonotonicClock.milliseconds()
            let roundTrip = Milliseconds(now - start)
            let isNews = link.withLock { link in
                guard link.client === client else { return false }
                // The first one, and the word that an engine is back, are told at once; else the next report takes it along.
                let isNews = link.isSilent || link.roundTrip == nil
                link.isRoundTripNews = !isNews && (link.isRoundTripNews || link.roundTrip != roundTrip)
                (link.roundTrip, link.lastHeard, link.isSilent) = (roundTrip, now, false)
                return isNews
            }
            if isNews { emit(.link(.up(roundTrip: roundTrip))) }
        }
    }

    /// The pause before the next attempt; `retryNow` and `stop` end it.
    private func rest(_ pause: Milliseconds) {
        let end = MonotonicClock.milliseconds() + pause.count
        while true {
            let left = end - MonotonicClock.milliseconds()
            let isOver = link.withLock { link in
                defer { link.wantsRetry = false }
                return link.wantsRetry || link.isStopped
            }
            if isOver || left <= 0 { return }
            wakeTimer.wait(atMost: Milliseconds(left))
        }
    }

    // MARK: Callbacks of the connection

    private func take(_ notification: ReportNotification, _ generation: Int) {
        let now = MonotonicClock.milliseconds()
        let (client, isNews, roundTrip, isDue) = link.withLock { link in
            guard link.generation == generation, let client = link.client else { return (nil as ControlClient?, false, nil as Milliseconds?, false) }
            defer { (link.lastHeard, link.isSilent, link.isRoundTripNews) = (now, false, false) }
            // The first answers come while both ends are still starting.
            let interval = link.asked < 2 ? Self.quietInterval : Self.heartbeatInterval
            return (client, link.isSilent || link.isRoundTripNews, link.roundTrip, now - link.askedAt >= interval.count)
        }
        guard let client else { return }
        wakeTimer.set(Self.quietInterval)
        if isNews { emit(.link(.up(roundTrip: roundTrip))) }
        emit(.report(notification.report, receivedAt: WallTime.steady()))
        if isDue { measureRoundTrip(client) }
    }

    private func closed(_ reason: ControlClientError, _ generation: Int) {
        link.withLock { if $0.generation == generation { $0.closeReason = reason } }
        wakeTimer.wake()
    }
}
