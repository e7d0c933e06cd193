public import ConsoleCore
internal import Dispatch
internal import HostEnvironment
internal import Ledger
public import StreamModel
internal import Synchronization

/// The only way to the engines. Every context has a session to look at it, and a second one to act in it where that is allowed. No action passes
/// before it is recorded.
///
/// A worker thread records and sends actions one by one, so that the terminal's thread never waits for the disk. Everything the engines say passes
/// through here too, so that the ledger learns the outcomes. When a link comes up, operations of that context whose end nobody saw are looked up.
public final class ActionGate: Sendable {
    /// By context. One can be added; none is taken away.
    let sessions: Mutex<[String: Sessions]>
    private let makeEngine: EngineFactory
    let deliver: @Sendable (ConsoleEvent) -> Void
    let queue: LedgerQueue
    /// Actions without an answer; quitting waits for them briefly.
    private let unanswered = DispatchGroup()
    let book = Mutex(Book())
    /// nil = nothing is remembered, as in a playback.
    let recorder: CheckpointRecorder?
    /// An action younger than this may still be on its way from another console: that the engine does not know it proves nothing.
    let settlingTime: Milliseconds

    struct Sessions: Sendable {
        var looking: LookingSession
        /// nil = acting is not allowed.
        var acting: ActingSession?

        init(_ context: ConsoleContext, _ engine: any Engine) {
            looking = LookingSession(context, engine)
            acting = ActingSession(context, engine)
        }
    }

    struct Book {
        /// Contexts whose unfinished operations are to be asked for once the ledger is open.
        var owed: Set<String> = []
        var isFinished = false
        /// Operations whose end the ledger does not know.
        var open: [OperationID: OperationProgress] = [:]
        var waiting: Set<OperationID> = []
        /// Contexts whose link was up at the last word.
        var linked: Set<String> = []
        /// Contexts whose first report since then has not come.
        var unseen: Set<String> = []
        /// What was last told of the upgrades of a context.
        var upgrades: [String: [UpgradeReport]] = [:]
    }

    /// `deliver` is called from any thread and must not block.
    public init(
        contexts: [ConsoleContext], makeEngine: @escaping EngineFactory, recorder: CheckpointRecorder? = nil,
        settlingTime: Milliseconds = .seconds(15), deliver: @escaping @Sendable (ConsoleEvent) -> Void
    ) {
        let byName = Dictionary(contexts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        sessions = Mutex(byName.mapValues { Sessions($0, makeEngine($0)) })
        self.makeEngine = makeEngine
        self.deliver = deliver
        self.recorder = recorder
        self.settlingTime = settlingTime
        queue = LedgerQueue(for: recorder == nil ? .actions : .everything) { deliver(.notice($0)) }
    }

    /// Opens the ledger and starts the engines, both away from the calling thread.
    public func start(ledgerPath: String) {
        queue.open(path: ledgerPath) { [weak self] ledger in self?.opened(ledger) }
        for session in allLooking { start(session) }
    }

    /// Engines that have reported by now have their question waiting behind this in the queue.
    private func opened(_ ledger: Ledger) {
        for session in sessions.withLock({ $0.values.compactMap(\.acting) }) { remember(ledger, session) }
        let owed = book.withLock { book in
            defer { book.owed = [] }
            return book.owed
        }
        for context in owed { reattach(context) }
        watch(ledger, since: nil)
    }

    private func start(_ session: LookingSession) {
        session.start { [weak self] event in self?.took(event, from: session.context.name) }
    }

    /// Adds a context and starts its engine. An existing name is left alone.
    public func add(_ context: ConsoleContext) {
        let added: LookingSession? = sessions.withLock { sessions in
            guard sessions[context.name] == nil else { return nil }
            let new = Sessions(context, makeEngine(context))
            sessions[context.name] = new
            return new.looking
        }
        if let added { start(added) }
        queue.run {
            if let ledger = self.queue.ledger, let session = self.acting(context.name) { self.remember(ledger, session) }
        }
    }

    private func remember(_ ledger: Ledger, _ session: ActingSession) {
        session.keepRecord(in: ledger) { [queue] error, use in queue.complain(error, of: use) }
    }

    private var allLooking: [LookingSession] { sessions.withLock { $0.values.map(\.looking) } }
    func looking(_ context: String) -> LookingSession? { sessions.withLock { $0[context]?.looking } }
    func acting(_ context: String) -> ActingSession? { sessions.withLock { $0[context]?.acting } }

    /// Hands a request to an engine. Never blocks.
    public func send(_ request: EngineRequest, to context: String) {
        switch request {
        case .ask(let question): looking(context)?.send(question)
        case .operate(let operation): operate(operation, in: context)
        case .goOn(let operation): goOn(operation, in: context)
        }
    }

    private func operate(_ operation: OperationRequest, in context: String) {
        guard let session = actingOrRefused(operation, context) else { return }
        if book.withLock({ $0.waiting.insert(operation.id).inserted }) { unanswered.enter() }
        let now = WallTime.now()
        queue.run {
            guard let recorded = self.record(operation, session.context, isCarried: session.keeper != nil, at: now) else { return }
            self.book.withLock { _ = $0.open[operation.id]?.take(.sent) }
            session.operate(recorded)
        }
    }

    private func actingOrRefused(_ operation: OperationRequest, _ context: String) -> ActingSession? {
        if let session = acting(context) { return session }
        let cause = looking(context)?.context.isReadOnly ?? true ? "\(context) is read-only here" : "\(context) takes no operations"
        deliver(.engine(context: context, .refused(operation.id, message: "\(cause): nothing was sent")))
        return nil
    }

    /// Resumes an interrupted operation from the record.
    private func goOn(_ operation: OperationRequest, in context: String) {
        guard let session = actingOrRefused(operation, context) else { return }
        queue.run {
            func refuse(_ cause: String) { self.deliver(.engine(context: context, .refused(operation.id, message: "\(cause): nothing was sent"))) }
            guard let ledger = self.queue.ledger else { return refuse("the record is not open") }
            do throws(LedgerError) {
                guard let entry = try ledger.entry(operation.id) else { return refuse("the operation is not on record") }
                guard ledger.claim(operation.id) else { return refuse("it is being carried out by \(entry.carrier ?? "another process")") }
                self.book.withLock { $0.open[operation.id] = OperationProgress(OperationReport(entry)) }
                guard let recorded = self.record(operation, session.context, isCarried: true, at: WallTime.now()) else { return }
                session.goOn(recorded, as: entry.sent)
            } catch {
                self.queue.complain(error, of: .openActions)
                refuse("the record cannot be read")
            }
        }
    }

    /// Writes down that a restart was proven.
    public func recordVerdict(_ verdict: RestartProof.Verdict, of id: OperationID) {
        queue.write(.outcomes) { ledger throws(LedgerError) in try ledger.recordVerdict(verdict, of: id) }
    }

    public func look(at focus: EngineFocus, of context: String) { looking(context)?.look(at: focus) }

    public func rest(_ isResting: Bool) {
        for session in allLooking { session.rest(isResting) }
    }

    public func retryNow(_ context: String) { looking(context)?.retryNow() }

    /// Waits up to `limit` until all actions are answered and recorded, then stops the engines. Returns the unanswered operations.
    public func finish(within limit: Milliseconds) -> [OperationID] {
        let deadline = DispatchTime.now() + .milliseconds(Int(limit.count))
        _ = unanswered.wait(timeout: deadline)
        for session in allLooking { session.stop() }
        book.withLock { $0.isFinished = true }
        run(recorder?.finish(), nil)
        let written = DispatchSemaphore(value: 0)
        queue.run {
            self.queue.workOff()
            written.signal()
        }
        _ = written.wait(timeout: deadline + .milliseconds(100))
        return book.withLock { $0.waiting.sorted { $0.description < $1.description } }
    }

    // MARK: What engines say, on their threads

    private func took(_ event: EngineEvent, from context: String) {
        deliver(.engine(context: context, event))
        switch event {
        case .link(let state): linkChanged(state, context)
        case .operation(let report): learn(report)
        case .report(let report, _):
            for operation in report.operations { learn(operation) }
            // After the first report, so that the console knows the jobs that the answers speak of.
            if book.withLock({ $0.unseen.remove(context) != nil }) { queue.run { self.reattach(context) } }
        case .refused(let id, let message): refused(id, message)
        default: break
        }
        run(recorder?.took(event, from: context, now: WallTime.now(), time: MonotonicClock.milliseconds()), context)
    }

    /// Does the recorder's work. An engine is not asked on the thread that it calls from.
    private func run(_ work: CheckpointRecorder.HistoryWork?, _ context: String?) {
        guard let work, let recorder else { return }
        queue.run { for job in work.questions { context.flatMap { self.looking($0) }?.send(.checkpoints(job)) } }
        if work.writes { queue.write(.checkpoints) { ledger throws(LedgerError) in try recorder.carryOut(work, ledger, at: WallTime.now()) } }
    }

    func learn(_ report: OperationReport) {
        answered(report.request.id)
        let isNews = book.withLock { book in
            guard let change = book.open[report.request.id]?.take(.reported(report)), change == .stage else { return false }
            if report.state.isTerminal { book.open[report.request.id] = nil }
            return true
        }
        if isNews { queue.write(.outcomes) { ledger throws(LedgerError) in try ledger.recordOutcome(report) } }
    }

    private func refused(_ id: OperationID, _ message: String) {
        answered(id)
        let isNews = book.withLock { book in
            guard book.open[id]?.take(.refused(message)) == .stage else { return false }
            book.open[id] = nil
            return true
        }
        guard isNews else { return }
        let now = WallTime.now()
        queue.write(.outcomes) { ledger throws(LedgerError) in try ledger.recordRefusal(id, message: message, at: now) }
    }

    func answered(_ id: OperationID) {
        if book.withLock({ $0.waiting.remove(id) != nil }) { unanswered.leave() }
    }

    private func linkChanged(_ state: LinkState, _ context: String) {
        book.withLock { book in
            guard state.isUp else {
                book.linked.remove(context)
                return
            }
            if book.linked.insert(context).inserted { book.unseen.insert(context) }
        }
    }
}
