public import ConsoleCore
internal import Dispatch
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

/// The one way to the engines: every context can be looked at, and where it may be acted in there is a second session for that. No
/// action passes that is not written down first.
///
/// Actions are recorded and sent by a worker thread, one after the other; the thread of the terminal never waits for the disk.
/// Everything that engines say passes through here too, so that the ledger learns the outcomes. When a link comes up, the
/// operations of that context whose end nobody saw are asked for.
public final class ActionGate: Sendable {
    /// By context. One can be added; none is taken away.
    private let sessions: Mutex<[String: Sessions]>
    private let makeEngine: EngineFactory
    private let deliver: @Sendable (ConsoleEvent) -> Void
    private let worker = DispatchQueue(label: "weir.ledger")
    /// Actions that were let through and not yet answered; quitting waits for them a little.
    private let unanswered = DispatchGroup()
    private let book = Mutex(Book())
    /// nil = nothing is remembered, as of what is played back.
    private let recorder: CheckpointRecorder?
    /// An action this young may be on its way from another console: the engine not knowing it proves nothing yet.
    private let settlingTime: Milliseconds

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
        var backlog: [(LedgerUse, @Sendable (Ledger) throws(LedgerError) -> Void)] = []
        var isFinished = false
        /// Something was not kept, and the operator was told.
        var hasDropped = false
        /// What the operator was told of already.
        var complaints: Set<LedgerUse> = []
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
    }

    /// Opens the ledger and starts the engines, both away from the calling thread.
    public func start(ledgerPath: String) {
        book.withLock { $0.unopened = ledgerPath }
        worker.async { self.workOff() }
        for session in allLooking { start(session) }
    }

    private func start(_ session: LookingSession) {
        session.start { [weak self] event in self?.took(event, from: session.context.name) }
    }

    /// Starts the engine of another context. A name that there is already is left alone.
    public func add(_ context: ConsoleContext) {
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
        session.keepRecord(in: ledger) { [weak self] error, use in self?.complain(error, of: use) }
    }

    private var allLooking: [LookingSession] { sessions.withLock { $0.values.map(\.looking) } }
    private func looking(_ context: String) -> LookingSession? { sessions.withLock { $0[context]?.looking } }
    private func acting(_ context: String) -> ActingSession? { sessions.withLock { $0[context]?.acting } }

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
        worker.async {
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

    /// What is broken off is on record, or there is nothing to go on with.
    private func goOn(_ operation: OperationRequest, in context: String) {
        guard let session = actingOrRefused(operation, context) else { return }
        worker.async {
            func refuse(_ cause: String) { self.deliver(.engine(context: context, .refused(operation.id, message: "\(cause): nothing was sent"))) }
            guard let ledger = self.book.withLock({ $0.ledger }) else { return refuse("the record is not open") }
            do throws(LedgerError) {
                guard let entry = try ledger.entry(operation.id) else { return refuse("the operation is not on record") }
                guard ledger.claim(operation.id) else { return refuse("it is being carried out by \(entry.carrier ?? "another process")") }
                self.book.withLock { $0.open[operation.id] = OperationProgress(OperationReport(entry)) }
                guard let recorded = self.record(operation, session.context, isCarried: true, at: WallTime.now()) else { return }
                session.goOn(recorded, as: entry.sent)
            } catch {
                self.complain(error, of: .openActions)
                refuse("the record cannot be read")
            }
        }
    }

    /// Reads the record of actions; it is delivered as `.audit`. An unreadable one has been complained about.
    public func loadAudit() {
        worker.async {
            guard let ledger = self.book.withLock({ $0.ledger }) else { return self.deliver(.audit([])) }
            do throws(LedgerError) {
                self.deliver(.audit(try AuditRecord.newest(of: ledger)))
            } catch {
                self.complain(error, of: .audit)
            }
        }
    }

    /// Writes down that a restart was proven.
    public func recordVerdict(_ verdict: RestartProof.Verdict, of id: OperationID) {
        worker.async {
            do throws(LedgerError) {
                try self.writeInOrder(.outcomes) { ledger throws(LedgerError) in try ledger.recordVerdict(verdict, of: id) }
            } catch {
                self.complain(error, of: .outcomes)
            }
        }
    }

    /// Looks in the record for what a job was launched with; it is delivered as `.recipe`, none when nobody launched it through Weir.
    public func loadRecipe(of job: JobID, in context: String) {
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
    public func loadHistory(_ question: HistoryQuestion) {
        worker.async {
            guard self.recorder != nil, let ledger = self.book.withLock({ $0.ledger }) else { return self.deliver(.history(question, [], total: 0)) }
            let query = CheckpointQuery(question)
            do throws(LedgerError) {
                self.deliver(
                    .history(question, try ledger.checkpoints(query), total: try ledger.countCheckpoints(CheckpointQuery(HistoryQuestion(question.scope)))))
            } catch {
                self.complain(error, of: .history)
                self.deliver(.history(question, [], total: 0))
            }
        }
    }

    public func look(at focus: EngineFocus, of context: String) { looking(context)?.look(at: focus) }

    public func rest(_ isResting: Bool) {
        for session in allLooking { session.rest(isResting) }
    }

    public func retryNow(_ context: String) { looking(context)?.retryNow() }

    /// Waits, at most `limit`, until what was let through has been answered and written down; then stops the engines. Returns
    /// the operations of which nothing was heard.
    public func finish(within limit: Milliseconds) -> [OperationID] {
        let deadline = DispatchTime.now() + .milliseconds(Int(limit.count))
        _ = unanswered.wait(timeout: deadline)
        for session in allLooking { session.stop() }
        book.withLock { $0.isFinished = true }
        run(recorder?.finish(), nil)
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
        var use = recorder == nil ? LedgerUse.actions : .everything
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
                watch(ledger, since: nil)
            }
            while let (ledger, (next, body)) = book.withLock({ book in book.ledger.flatMap { ledger in book.backlog.first.map { (ledger, $0) } } }) {
                use = next
                do throws(LedgerError) { try body(ledger) } catch {
                    if case .locked = error { throw error }
                    complain(error, of: use)
                }
                book.withLock { _ = $0.backlog.removeFirst() }
            }
        } catch {
            complain(error, of: use)
            guard case .locked = error else { return book.withLock { ($0.unopened, $0.backlog) = (nil, []) } }
            worker.asyncAfter(deadline: .now() + 1) { [weak self] in self?.workOff() }
        }
    }

    /// On the worker: writes now, or behind what waits already.
    @discardableResult
    private func writeInOrder(
        _ use: LedgerUse, _ body: @escaping @Sendable (Ledger) throws(LedgerError) -> Void
    ) throws(LedgerError) -> RecordedOperation.Standing {
        let (ledger, mustWait) = book.withLock { ($0.ledger, $0.unopened != nil || !$0.backlog.isEmpty) }
        if mustWait { return queue(use, body) }
        guard let ledger else { return .unrecorded }
        do throws(LedgerError) {
            try body(ledger)
            return .written
        } catch {
            guard case .locked = error else { throw error }
            complain(error, of: use)
            let standing = queue(use, body)
            worker.asyncAfter(deadline: .now() + 1) { [weak self] in self?.workOff() }
            return standing
        }
    }

    /// Behind what waits for the ledger. Beyond the limit nothing is kept, and the operator is told once.
    private func queue(_ use: LedgerUse, _ body: @escaping @Sendable (Ledger) throws(LedgerError) -> Void) -> RecordedOperation.Standing {
        let (isKept, isNews) = book.withLock { book in
            guard book.backlog.count < Self.backlogMax else {
                defer { book.hasDropped = true }
                return (false, !book.hasDropped)
            }
            book.backlog.append((use, body))
            return (true, false)
        }
        if isNews { deliver(.notice("\(Self.backlogMax) records wait for the ledger: what comes now is not recorded")) }
        return isKept ? .waiting : .unrecorded
    }

    /// Writes an action down. nil = it must not be sent.
    /// - Parameter isCarried: this process carries it out, and not the engine.
    private func record(_ operation: OperationRequest, _ place: ConsoleContext, isCarried: Bool, at now: WallTime) -> RecordedOperation? {
        let isFirst = book.withLock { book in
            guard book.open[operation.id] == nil else { return false }
            book.open[operation.id] = OperationProgress()
            return true
        }
        do throws(LedgerError) {
            let (name, address) = (place.name, place.address.text)
            let standing = try writeInOrder(.actions) { ledger throws(LedgerError) in
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
            complain(error, of: .actions)
            return RecordedOperation(operation, .unrecorded)
        }
    }

    /// One banner for each thing that goes unrecorded, however often the ledger fails: a console without a ledger is still a console.
    private func complain(_ error: LedgerError, of use: LedgerUse) {
        let isNews = book.withLock { book in !book.complaints.contains(.everything) && book.complaints.insert(use).inserted }
        if isNews { deliver(.notice(use.notice(error))) }
    }

    private func write(_ use: LedgerUse, _ body: @escaping @Sendable (Ledger) throws(LedgerError) -> Void) {
        worker.async {
            do throws(LedgerError) { try self.writeInOrder(use, body) } catch { self.complain(error, of: use) }
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
        run(recorder?.took(event, from: context, now: WallTime.now(), time: MonotonicClock.milliseconds()), context)
    }

    /// Carries out what the recorder wants. An engine that is calling is not asked on its own thread.
    private func run(_ work: CheckpointRecorder.HistoryWork?, _ context: String?) {
        guard let work, let recorder else { return }
        worker.async { for job in work.questions { context.flatMap { self.looking($0) }?.send(.checkpoints(job)) } }
        if work.writes { write(.checkpoints) { ledger throws(LedgerError) in try recorder.carryOut(work, ledger, at: WallTime.now()) } }
    }

    private func learn(_ report: OperationReport) {
        answered(report.request.id)
        let isNews = book.withLock { book in
            guard let change = book.open[report.request.id]?.take(.reported(report)), change == .stage else { return false }
            if report.state.isTerminal { book.open[report.request.id] = nil }
            return true
        }
        if isNews { write(.outcomes) { ledger throws(LedgerError) in try ledger.recordOutcome(report) } }
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

    // MARK: Operations of other processes

    /// How often it is looked whether another process has written to the ledger.
    private static let ledgerPeriod: Milliseconds = .seconds(3)
    /// The same where every engine reports the operations of all by itself: a context may be added.
    private static let idleLedgerPeriod: Milliseconds = .seconds(30)
    /// So many of a cluster's operations are shown.
    private static let recordedMax = 50

    /// On the worker: tells what other processes have recorded, whenever they have, as long as the gate is open.
    private func watch(_ ledger: Ledger, since last: Int64?) {
        guard !book.withLock({ $0.isFinished }) else { return }
        let recorded = sessions.withLock { $0.values.filter { $0.acting?.keeper != nil } }
        var version = last
        do throws(LedgerError) {
            if !recorded.isEmpty {
                let now = try ledger.versionOfOthers()
                if now != last { for session in recorded { try tell(of: ledger, session.looking) } }
                for session in recorded { try tellUpgrades(of: ledger, session.looking, isChanged: now != last) }
                version = now
            }
        } catch {
            complain(error, of: .openActions)
        }
        let pause = recorded.isEmpty ? Self.idleLedgerPeriod : Self.ledgerPeriod
        worker.asyncAfter(deadline: .now() + .milliseconds(Int(pause.count))) { [weak self, version] in self?.watch(ledger, since: version) }
    }

    private func tell(of ledger: Ledger, _ session: LookingSession) throws(LedgerError) {
        let entries = try ledger.recent(address: session.context.address.text, limit: Self.recordedMax)
        let (mine, isLinked) = book.withLock { (Set($0.open.keys), $0.linked.contains(session.context.name) && !$0.unseen.contains(session.context.name)) }
        var reports: [OperationReport] = []
        for entry in entries where !mine.contains(entry.request.id) {
            var report = OperationReport(entry)
            if !entry.outcome.isTerminal {
                guard ledger.isCarriedOutElsewhere(entry.request.id) else {
                    // Its process has ended since.
                    if isLinked, entry.carrier != nil, entry.outcome != .interrupted, let lookup = session.lookup {
                        lookAfter(entry, ledger, session, lookup)
                    }
                    continue
                }
                report.activity = carriedOut(entry)
            }
            reports.append(report)
        }
        if !reports.isEmpty { deliver(.recorded(reports, context: session.context.name)) }
    }

    /// Tells of upgrades that have not ended well, when one has changed, or the process has ended that carried it out.
    private func tellUpgrades(of ledger: Ledger, _ session: LookingSession, isChanged: Bool) throws(LedgerError) {
        let context = session.context.name
        let known = book.withLock { $0.upgrades[context] }
        guard isChanged || known != [] else { return }
        let reports = try ledger.upgrades(address: session.context.address.text, limit: Self.recordedMax)
            .filter { !$0.stage.isFinal || $0.stage == .stranded }
            .map { UpgradeReport($0, isCarriedOut: ledger.isCarriedOutElsewhere($0.id)) }
        book.withLock { $0.upgrades[context] = reports }
        guard reports != known ?? [] else { return }
        deliver(.upgrades(reports, context: context))
    }

    private func carriedOut(_ entry: LedgerEntry) -> String { "being carried out by \(entry.carrier ?? "another process")" }

    // MARK: Operations whose end nobody saw

    private func reattach(_ context: String) {
        guard let session = looking(context), let lookup = session.lookup else { return }
        let known = book.withLock { book in
            if book.unopened != nil { book.owed.insert(context) }
            return book.ledger
        }
        guard let ledger = known else { return }
        let entries: [LedgerEntry]
        do throws(LedgerError) { entries = try ledger.unfinished(address: session.context.address.text) } catch { return complain(error, of: .openActions) }
        for entry in entries { lookAfter(entry, ledger, session, lookup) }
        remind(session, ledger)
    }

    /// On the worker: tells which jobs the cluster had live; it may have forgotten them.
    private func remind(_ session: LookingSession, _ ledger: Ledger) {
        guard case .flink = session.context.address else { return }
        do throws(LedgerError) {
            let jobs = try ledger.liveJobs(address: session.context.address.text, at: WallTime.now())
            if !jobs.isEmpty { deliver(.remembered(jobs, context: session.context.name)) }
        } catch { complain(error, of: .checkpoints) }
    }

    /// How often it is read what another process has recorded of an operation that it carries out.
    private static let elsewherePeriod: Milliseconds = .seconds(2)

    /// On the worker: follows an operation of another process by what that records, and finds out about one whose process is gone.
    private func lookAfter(_ entry: LedgerEntry, _ ledger: Ledger, _ session: LookingSession, _ lookup: any OperationLookup) {
        let id = entry.request.id
        guard ledger.isCarriedOutElsewhere(id) else {
            book.withLock { book in
                if book.open[id] == nil { book.open[id] = OperationProgress() }
            }
            lookup.lookUp(entry.sent) { [weak self] report in self?.found(report, for: entry, session, lookup) }
            return
        }
        var report = OperationReport(entry)
        report.activity = carriedOut(entry)
        deliver(.reattached([report], context: session.context.name))
        worker.asyncAfter(deadline: .now() + .milliseconds(Int(Self.elsewherePeriod.count))) { [weak self] in
            guard let self else { return }
            do throws(LedgerError) {
                guard let next = try ledger.entry(id) else { return }
                guard next.outcome.isTerminal else { return lookAfter(next, ledger, session, lookup) }
                deliver(.reattached([OperationReport(next)], context: session.context.name))
            } catch {
                complain(error, of: .openActions)
            }
        }
    }

    private func found(_ report: OperationReport?, for entry: LedgerEntry, _ session: LookingSession, _ lookup: any OperationLookup) {
        let context = session.context.name, age = WallTime.now() - entry.sentAt
        if let report, report.state != .unknown || age >= settlingTime {
            deliver(.reattached([report], context: context))
            return learn(report)
        }
        guard age >= settlingTime else { return lookAgain(at: entry, session, lookup, after: min(settlingTime, settlingTime - age)) }
        let now = WallTime.now()
        let message = "the engine does not know it: it never arrived, or the engine's records are gone"
        book.withLock { $0.open[entry.request.id] = nil }
        write(.outcomes) { ledger throws(LedgerError) in try ledger.recordUnknown(entry.request.id, message: message, at: now) }
        deliver(
            .reattached(
                [
                    OperationReport(
                        request: entry.request, jobName: "", state: .unknown, acceptedAt: entry.sentAt, endedAt: now, error: message)
                ], context: context))
    }

    /// The next look, unless the operation's end was told meanwhile.
    private func lookAgain(at entry: LedgerEntry, _ session: LookingSession, _ lookup: any OperationLookup, after pause: Milliseconds) {
        worker.asyncAfter(deadline: .now() + .milliseconds(Int(pause.count))) { [weak self] in
            guard let self, book.withLock({ !$0.isFinished && $0.open[entry.request.id] != nil }) else { return }
            lookup.lookUp(entry.sent) { [weak self] report in self?.found(report, for: entry, session, lookup) }
        }
    }
}
