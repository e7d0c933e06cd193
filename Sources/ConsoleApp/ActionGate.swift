internal import ConsoleCore
internal import Dispatch
internal import Ledger
internal import StreamModel
internal import Synchronization

/// An operation that went through the record of actions. Made in this file only, and `ActingSession` takes nothing else: what was not
/// written down cannot be sent.
struct RecordedOperation: Sendable {
    let request: OperationRequest
    fileprivate init(_ request: OperationRequest) { self.request = request }
}

/// The one way to the engines: every context can be looked at, and where it may be acted in there is a second session for that. No
/// action passes that is not written down first.
///
/// Actions are recorded and sent by a worker thread, one after the other; the thread of the terminal never waits for the disk.
/// Everything that engines say passes through here too, so that the ledger learns the outcomes. When a link comes up, the
/// operations of that context whose end nobody saw are asked for.
final class ActionGate: Sendable {
    /// By context. One can be added; none is taken away.
    private let sessions: Mutex<[String: Sessions]>
    private let makeEngine: ConsoleLaunch.EngineFactory
    private let deliver: @Sendable (ConsoleEvent) -> Void
    private let worker = DispatchQueue(label: "weir.ledger")
    /// Actions that were let through and not yet answered; quitting waits for them a little.
    private let unanswered = DispatchGroup()
    private let book = Mutex(Book())
    /// nil = nothing is remembered, as of what is played back.
    private let historian: CheckpointHistorian?

    private struct Sessions: Sendable {
        var looking: LookingSession
        /// nil where nothing may be done.
        var acting: ActingSession?

        init(_ context: ConsoleContext, _ engine: any Engine) {
            looking = LookingSession(context, engine)
            acting = ActingSession(context, engine)
        }
    }

    private struct Book {
        /// nil = not open yet, or not usable.
        var ledger: Ledger?
        /// Where it is to be opened, until that was tried and the answer was not "locked".
        var unopened: String?
        /// Contexts whose unfinished operations are to be asked for once it is open.
        var owed: Set<String> = []
        /// What is to be written once another process lets go of the ledger, in order.
        var backlog: [(LedgerMatter, @Sendable (Ledger) throws(LedgerError) -> Void)] = []
        /// What the operator was told of already.
        var complaints: Set<LedgerMatter> = []
        /// Operations whose end the ledger does not know, with the last state written.
        var open: [OperationID: OperationReport.State?] = [:]
        var waiting: Set<OperationID> = []
        /// Contexts whose link was up at the last word.
        var linked: Set<String> = []
        /// Contexts whose first report since then has not come.
        var unseen: Set<String> = []
    }

    /// `deliver` is called from any thread and must not block.
    init(
        contexts: [ConsoleContext], makeEngine: @escaping ConsoleLaunch.EngineFactory, historian: CheckpointHistorian? = nil,
        deliver: @escaping @Sendable (ConsoleEvent) -> Void
    ) {
        let byName = Dictionary(contexts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        sessions = Mutex(byName.mapValues { Sessions($0, makeEngine($0)) })
        self.makeEngine = makeEngine
        self.deliver = deliver
        self.historian = historian
    }

    /// Opens the ledger and starts the engines, both away from the calling thread.
    func start(ledgerPath: String) {
        book.withLock { $0.unopened = ledgerPath }
        worker.async { self.workOff() }
        for session in allLooking { start(session) }
    }

    private func start(_ session: LookingSession) {
        session.start { [weak self] event in self?.took(event, from: session.context.name) }
    }

    /// Starts the engine of another context. A name that there is already is left alone.
    func add(_ context: ConsoleContext) {
        let added: LookingSession? = sessions.withLock { sessions in
            guard sessions[context.name] == nil else { return nil }
            let new = Sessions(context, makeEngine(context))
            sessions[context.name] = new
            return new.looking
        }
        if let added { start(added) }
        worker.async {
            if let ledger = self.book.withLock({ $0.ledger }), let session = self.acting(context.name) { self.remember(ledger, session) }
        }
    }

    private func remember(_ ledger: Ledger, _ session: ActingSession) {
        session.remember(ledger) { [weak self] error in self?.complain(error, of: .jars) }
    }

    private var allLooking: [LookingSession] { sessions.withLock { $0.values.map(\.looking) } }
    private func looking(_ context: String) -> LookingSession? { sessions.withLock { $0[context]?.looking } }
    private func acting(_ context: String) -> ActingSession? { sessions.withLock { $0[context]?.acting } }

    /// Hands a request to an engine. Never blocks.
    func send(_ request: EngineRequest, to context: String) {
        switch request {
        case .ask(let question): looking(context)?.send(question)
        case .operate(let operation): operate(operation, in: context)
        }
    }

    private func operate(_ operation: OperationRequest, in context: String) {
        guard let session = acting(context) else {
            let cause = looking(context)?.context.isReadOnly ?? true ? "\(context) is read-only here" : "\(context) takes no operations"
            return deliver(.engine(context: context, .refused(operation.id, message: "\(cause): nothing was sent")))
        }
        if book.withLock({ $0.waiting.insert(operation.id).inserted }) { unanswered.enter() }
        let now = Surroundings.wallTime()
        worker.async {
            guard let recorded = self.record(operation, session.context, at: now) else { return }
            session.operate(recorded)
        }
    }

    /// Reads the record of actions; it is delivered as `.audit`. An unreadable one has been complained about.
    func loadAudit() {
        worker.async {
            guard let ledger = self.book.withLock({ $0.ledger }) else { return self.deliver(.audit([])) }
            do throws(LedgerError) {
                self.deliver(.audit(try AuditRecord.newest(of: ledger)))
            } catch {
                self.complain(error, of: .audit)
            }
        }
    }

    /// Looks in the record for what a job was launched with; it is delivered as `.recipe`, none when nobody launched it through Weir.
    func loadRecipe(of job: JobID, in context: String) {
        worker.async {
            guard let ledger = self.book.withLock({ $0.ledger }) else { return self.deliver(.recipe(context: context, job, nil)) }
            do throws(LedgerError) {
                self.deliver(.recipe(context: context, job, try ledger.recipe(of: job)))
            } catch {
                self.complain(error, of: .recipe)
                self.deliver(.recipe(context: context, job, nil))
            }
        }
    }

    /// Reads remembered checkpoints; they are delivered as `.history`. Where nothing is remembered there are none.
    func loadHistory(_ question: HistoryQuestion) {
        worker.async {
            guard self.historian != nil, let ledger = self.book.withLock({ $0.ledger }) else { return self.deliver(.history(question, [], total: 0)) }
            let query = CheckpointQuery(question)
            do throws(LedgerError) {
                self.deliver(.history(question, try ledger.checkpoints(query), total: try ledger.countCheckpoints(CheckpointQuery(HistoryQuestion(question.scope)))))
            } catch {
                self.complain(error, of: .history)
                self.deliver(.history(question, [], total: 0))
            }
        }
    }

    func look(at focus: EngineFocus, of context: String) { looking(context)?.look(at: focus) }

    func rest(_ isResting: Bool) {
        for session in allLooking { session.rest(isResting) }
    }

    func retryNow(_ context: String) { looking(context)?.retryNow() }

    /// Waits, at most `limit`, until what was let through has been answered and written down; then stops the engines. Returns
    /// the operations of which nothing was heard.
    func finish(within limit: Milliseconds) -> [OperationID] {
        let deadline = DispatchTime.now() + .milliseconds(Int(limit.count))
        _ = unanswered.wait(timeout: deadline)
        for session in allLooking { session.stop() }
        run(historian?.finish(), nil)
        let written = DispatchSemaphore(value: 0)
        worker.async {
            self.workOff()
            written.signal()
        }
        _ = written.wait(timeout: deadline + .milliseconds(100))
        return book.withLock { $0.waiting.sorted { $0.description < $1.description } }
    }

    // MARK: The ledger, on the worker

    /// More than this is not kept for a ledger that stays locked.
    private static let backlogMax = 1000

    /// Opens the ledger if it is not open yet, and writes what waits. What another process has locked is tried again a second later.
    private func workOff() {
        var matter = historian == nil ? LedgerMatter.actions : .everything
        do throws(LedgerError) {
            if let path = book.withLock({ $0.unopened }) {
                // Engines that have reported by now have their question waiting behind this in the worker's queue.
                let ledger = try Ledger.open(path: path)
                let owed = book.withLock { book in
                    defer { (book.ledger, book.unopened, book.owed) = (ledger, nil, []) }
                    return book.owed
                }
                for session in sessions.withLock({ $0.values.compactMap(\.acting) }) { remember(ledger, session) }
                for context in owed { reattach(context) }
            }
            while let (ledger, (next, body)) = book.withLock({ book in book.ledger.flatMap { ledger in book.backlog.first.map { (ledger, $0) } } }) {
                matter = next
                do throws(LedgerError) { try body(ledger) } catch {
                    if case .locked = error { throw error }
                    complain(error, of: matter)
                }
                book.withLock { _ = $0.backlog.removeFirst() }
            }
        } catch {
            complain(error, of: matter)
            guard case .locked = error else { return book.withLock { ($0.unopened, $0.backlog) = (nil, []) } }
            worker.asyncAfter(deadline: .now() + 1) { [weak self] in self?.workOff() }
        }
    }

    /// On the worker: writes now, or behind what waits already.
    private func writeInOrder(
        _ matter: LedgerMatter, _ body: @escaping @Sendable (Ledger) throws(LedgerError) -> Void
    ) throws(LedgerError) {
        let (ledger, mustWait) = book.withLock { ($0.ledger, $0.unopened != nil || !$0.backlog.isEmpty) }
        if mustWait { return book.withLock { if $0.backlog.count < Self.backlogMax { $0.backlog.append((matter, body)) } } }
        guard let ledger else { return }
        do throws(LedgerError) { try body(ledger) } catch {
            guard case .locked = error else { throw error }
            complain(error, of: matter)
            book.withLock { $0.backlog.append((matter, body)) }
            worker.asyncAfter(deadline: .now() + 1) { [weak self] in self?.workOff() }
        }
    }

    /// Writes an action down. nil = it must not be sent. Without a usable ledger, which was complained about, actions go on; those that
    /// were sent while another process held it are written down later.
    private func record(_ operation: OperationRequest, _ place: ConsoleContext, at now: WallTime) -> RecordedOperation? {
        do throws(LedgerError) {
            let (name, address) = (place.name, place.address.text)
            try writeInOrder(.actions) { ledger throws(LedgerError) in try ledger.recordIntent(operation, context: name, address: address, at: now) }
            book.withLock { $0.open[operation.id] = .some(nil) }
        } catch .conflict(let path, let id) {
            answered(id)
            let message = LedgerError.conflict(path: path, operation: id).description
            deliver(.engine(context: place.name, .refused(id, message: message)))
            return nil
        } catch {
            complain(error, of: .actions)
        }
        return RecordedOperation(operation)
    }

    /// One banner for each thing that goes unrecorded, however often the ledger fails: a console without a ledger is still a console.
    private func complain(_ error: LedgerError, of matter: LedgerMatter) {
        let isNews = book.withLock { book in !book.complaints.contains(.everything) && book.complaints.insert(matter).inserted }
        if isNews { deliver(.notice(matter.notice(error))) }
    }

    private func write(_ matter: LedgerMatter, _ body: @escaping @Sendable (Ledger) throws(LedgerError) -> Void) {
        worker.async {
            do throws(LedgerError) { try self.writeInOrder(matter, body) } catch { self.complain(error, of: matter) }
        }
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
            if book.withLock({ $0.unseen.remove(context) != nil }) { worker.async { self.reattach(context) } }
        case .refused(let id, let message): refused(id, message)
        default: break
        }
        run(historian?.took(event, from: context, now: Surroundings.wallTime(), time: Surroundings.monotonicMilliseconds()), context)
    }

    /// Carries out what the historian wants. An engine that is calling is not asked on its own thread.
    private func run(_ errand: CheckpointHistorian.Errand?, _ context: String?) {
        guard let errand, let historian else { return }
        worker.async { for job in errand.questions { context.flatMap { self.looking($0) }?.send(.checkpoints(job)) } }
        if !errand.news.isEmpty { write(.checkpoints) { ledger throws(LedgerError) in try historian.carryOut(errand, ledger, at: Surroundings.wallTime()) } }
    }

    private func learn(_ report: OperationReport) {
        answered(report.request.id)
        let isNews = book.withLock { book in
            guard let known = book.open[report.request.id], known != report.state else { return false }
            if report.state.isTerminal {
                book.open[report.request.id] = nil
            } else {
                book.open[report.request.id] = .some(report.state)
            }
            return true
        }
        if isNews { write(.outcomes) { ledger throws(LedgerError) in try ledger.recordOutcome(report) } }
    }

    private func refused(_ id: OperationID, _ message: String) {
        answered(id)
        guard book.withLock({ $0.open.removeValue(forKey: id) != nil }) else { return }
        let now = Surroundings.wallTime()
        write(.outcomes) { ledger throws(LedgerError) in try ledger.recordRefusal(id, message: message, at: now) }
    }

    private func answered(_ id: OperationID) {
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

    // MARK: Operations whose end nobody saw

    /// An action this young may be on its way from another console: the engine not knowing it proves nothing yet.
    private static let settlingTime: Milliseconds = .seconds(15)

    private func reattach(_ context: String) {
        guard let session = looking(context), let lookup = session.lookup else { return }
        let known = book.withLock { book in
            if book.unopened != nil { book.owed.insert(context) }
            return book.ledger
        }
        guard let ledger = known else { return }
        let entries: [LedgerEntry]
        do throws(LedgerError) { entries = try ledger.unfinished(address: session.context.address.text) } catch { return complain(error, of: .openActions) }
        for entry in entries {
            book.withLock { book in
                if book.open[entry.request.id] == nil { book.open[entry.request.id] = .some(nil) }
            }
            let sent = SentOperation(request: entry.request, reference: entry.reference, sentAt: entry.sentAt)
            lookup.lookUp(sent) { [weak self] report in self?.found(report, for: entry) }
        }
    }

    private func found(_ report: OperationReport?, for entry: LedgerEntry) {
        let now = Surroundings.wallTime()
        if let report, report.state != .unknown || now - entry.sentAt >= Self.settlingTime {
            deliver(.reattached([report]))
            return learn(report)
        }
        guard now - entry.sentAt >= Self.settlingTime else { return }
        let message = "the engine does not know it: it never arrived, or the engine's records are gone"
        book.withLock { $0.open[entry.request.id] = nil }
        write(.outcomes) { ledger throws(LedgerError) in try ledger.recordUnknown(entry.request.id, message: message, at: now) }
        deliver(
            .reattached([
                OperationReport(
                    request: entry.request, jobName: "", state: .unknown, acceptedAt: entry.sentAt, endedAt: now, error: message)
            ]))
    }
}
