public import ConsoleCore
public import FlinkREST
internal import HostEnvironment
public import StreamModel
public import Synchronization

/// A Flink cluster behind its REST API. Its own thread sends the scheduler's questions and never waits for an answer: answers, requests of the
/// console and timers wake it. A hung JobManager delays nothing but its own answers.
///
/// What is on the screen is refreshed most often. Other questions of the console are answered from memory, or wait for their turn.
public final class FlinkEngine: ActingEngine {
    /// Between two reports; while the first answers are missing, for a little while after the link came up; and of a checkpoint's details.
    static let reportPause: Milliseconds = .seconds(1), eagerPause: Milliseconds = 250, detailPause: Milliseconds = 500
    static let eagerFor: Milliseconds = .seconds(20)
    /// How long a question waits for its answer.
    public let patience: Milliseconds
    public let threads = OperationThreads()

    public let client: FlinkClient
    public let inspector: FlinkInspector
    /// nil = stores are not asked.
    let stored: StoredFiles?
    /// What the ledger knows of the cluster's jars, once it is open.
    public let jars = Mutex(JarMemory.none)
    /// The operations that threads of this engine carry out or look after.
    let carried = Mutex<Set<OperationID>>([])
    /// Where their steps are written down; nil = the ledger is not open.
    let record = Mutex<StepRecord?>(nil)
    private let inbox = Mutex(Inbox())
    /// Rung when something is in the inbox.
    private let wakeTimer = WakeTimer()
    /// Held while an event is handed over, so that nothing is delivered after `stop` has returned. Taken last: the engine holds no other lock
    /// then, and the receiver only locks what is its own.
    private let delivery = Mutex<(@Sendable (EngineEvent) -> Void)?>(nil)

    /// What waits for the engine's thread.
    private struct Inbox {
        var answers: [Answer] = []
        var requests: [EngineQuestion] = []
        var operations: [OperationReport] = []
        var focus: EngineFocus?
        var settings: FlinkClusterSettings?
        var wantsRetry = false
        var isStopped = false
    }

    private struct Answer {
        /// The link that it was asked on.
        var link: Int
        var question: FlinkQuestion
        var result: Result<FlinkReply, FlinkFailure>
        var sentAt: Int64
        var roundTrip: Milliseconds
    }

    public init(_ connection: FlinkConnection, patience: Milliseconds = .seconds(8), stored: StoredFiles? = nil) {
        client = FlinkClient(connection)
        inspector = FlinkInspector(clusterHost: connection.address.host, stored: stored)
        self.stored = stored
        self.patience = patience
    }

    // MARK: Engine

    public func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) {
        delivery.withLock { $0 = deliver }
        startThread { self.run() }
    }

    public func stop() {
        delivery.withLock { $0 = nil }
        inbox.withLock { $0.isStopped = true }
        threads.stop()
        client.close()
        wakeTimer.wake()
    }

    public func retryNow() { put { $0.wantsRetry = true } }

    public func look(at focus: EngineFocus) { put { $0.focus = focus } }

    public func send(_ question: EngineQuestion) {
        put { if !$0.requests.contains(question) { $0.requests.append(question) } }
    }

    /// Takes in the progress of an operation and passes it on, at once and with every later report.
    public func note(_ operation: OperationReport) {
        put { $0.operations.append(operation) }
        emit(.operation(operation))
    }

    public func emit(_ event: EngineEvent) { delivery.withLock { $0?(event) } }

    private func put(_ change: (inout Inbox) -> Void) {
        inbox.withLock { change(&$0) }
        wakeTimer.wake()
    }

    // MARK: The engine's thread

    private func run() {
        var state = Looking()
        emit(.link(.connecting))
        while true {
            let news = inbox.withLock { inbox in
                defer { inbox.settings = nil }
                defer { (inbox.answers, inbox.requests, inbox.operations, inbox.focus, inbox.wantsRetry) = ([], [], [], nil, false) }
                return inbox
            }
            if news.isStopped { return }
            let now = MonotonicClock.milliseconds()
            if let focus = news.focus { state.look(at: focus) }
            if let settings = news.settings { state.picture.take(settings: settings) }
            if news.wantsRetry { state.restUntil = nil }
            for operation in news.operations { state.take(operation) }
            for answer in news.answers { take(answer, &state, now: now) }
            for request in news.requests { take(request, &state) }
            ask(&state, now: now)
            report(&state, now: now)
            wakeTimer.wait(atMost: Milliseconds(max(1, state.wakeAt(now) - now)))
        }
    }

    /// State of the engine's thread. Plain numbers are monotonic milliseconds.
    private struct Looking {
        var picture = FlinkPicture()
        var scheduler = FlinkScheduler()
        var focus = EngineFocus.overview
        /// Rises with every lost link; answers from before are ignored.
        var link = 0
        var linkedAt: Int64?
        /// Until when nothing is asked.
        var restUntil: Int64?
        var lastSuccessAt: Int64?
        /// Whether the list of jobs failed too, after another question had failed.
        var isSuspected = false
        var backoff = Backoff()
        var attempts = 0
        var generator = SystemRandomNumberGenerator()
        /// Whether answers wait for the next report.
        var hasNews = false
        var reportedAt: Int64?
        var roundTrip: Milliseconds?
        var toldRoundTrip: Milliseconds?
        /// Checkpoints that were asked for, the first is served.
        var quests: [CheckpointDetailRequest] = []
        /// Newest first.
        var operations: [OperationProgress] = []

        var isLookedAt: Bool { focus != .elsewhere }

        mutating func look(at focus: EngineFocus) {
            guard self.focus != focus else { return }
            self.focus = focus
            // What was asked for another job is in nobody's sight any more, and would keep the one that is waiting.
            if let job = focus.job { quests.removeAll { $0.job != job } }
            // What comes into view is asked for at once.
            scheduler.replan()
            if case .subtasks(let job, let id, let uid) = focus { quests.insert(CheckpointDetailRequest(job, id, first: uid), at: 0) }
            // Until the job that is looked at is in the list, the list comes first.
            if let job = focus.job, picture.hasList, picture.job(job) == nil { scheduler.hurry(.jobs) }
        }

        mutating func take(_ operation: OperationReport) {
            let index = operations.firstIndex { $0.report?.request.id == operation.request.id }
            var progress = index.map { operations.remove(at: $0) } ?? OperationProgress()
            progress.take(.reported(operation))
            operations.insert(progress, at: 0)
            if operations.count > 50 { operations.removeLast() }
        }

        var pictureFocus: FlinkPicture.Focus {
            switch focus {
            case .overview: .overview
            case .rows(let rows): .rows(Set(rows))
            case .job(let id), .checkpoint(let id, _), .subtasks(let id, _, _): .job(id)
            case .elsewhere: .elsewhere
            }
        }

        /// All that is wanted; details of checkpoints are wanted at once, and take no more than their turn.
        func wishes(at now: WallTime) -> [FlinkWish] {
            var wishes = picture.wishes(pictureFocus, at: now)
            guard picture.hasList, let quest = quests.first, picture.job(quest.job) != nil else { return wishes }
            wishes.insert(contentsOf: quest.open.prefix(8).map { FlinkWish($0, every: focus.shows(quest) ? 300 : 2000) }, at: min(1, wishes.count))
            return wishes
        }

        var reportPause: Milliseconds {
            let isEager = (reportedAt ?? 0) - (linkedAt ?? 0) < FlinkEngine.eagerFor.count && picture.isIncomplete(pictureFocus)
            return isEager ? FlinkEngine.eagerPause : FlinkEngine.reportPause
        }

        var nextReportAt: Int64? {
            guard hasNews, linkedAt != nil, picture.hasList else { return nil }
            return (reportedAt ?? 0) + reportPause.count
        }

        func wakeAt(_ now: Int64) -> Int64 {
            if let restUntil { return restUntil }
            return min(scheduler.wakeAt(now, isLookedAt: isLookedAt) ?? .max, nextReportAt ?? .max, now + 60_000)
        }
    }

    private func ask(_ state: inout Looking, now: Int64) {
        if let rest = state.restUntil {
            guard rest <= now else { return }
            state.restUntil = nil
        }
        let time = WallTime.steady()
        // Taken out, so that the picture can be looked at while it is changed.
        var scheduler = state.scheduler
        defer { state.scheduler = scheduler }
        while let question = scheduler.next(at: now, isLookedAt: state.isLookedAt, wishes: { state.wishes(at: time) }) {
            let link = state.link
            client.ask(question, timeout: patience) { [weak self] result in
                let end = MonotonicClock.milliseconds()
                let answer = Answer(link: link, question: question, result: result, sentAt: now, roundTrip: Milliseconds(end - now))
                self?.put { $0.answers.append(answer) }
            }
        }
    }

    private func take(_ answer: Answer, _ state: inout Looking, now: Int64) {
        guard answer.link == state.link else { return }
        state.scheduler.end(answer.question)
        switch answer.result {
        case .success(let reply):
            (state.lastSuccessAt, state.isSuspected, state.hasNews) = (now, false, true)
            state.roundTrip = max(state.roundTrip ?? 0, answer.roundTrip)
            state.picture.take(reply, to: answer.question, at: WallTime.steady())
            if state.linkedAt == nil, let cluster = state.picture.cluster { connect(cluster, &state, now: now) }
        case .failure(let failure):
            state.picture.takeNoAnswer(to: answer.question)
            if isLost(failure, answer, &state, now: now) { return rest(failure, &state, now: now) }
        }
        if let index = state.quests.firstIndex(where: { $0.awaits(answer.question) }) { advance(index, answer, &state, now: now) }
        if case .exceptions(let id) = answer.question, case .success = answer.result, let job = state.picture.job(id) {
            emit(.failures(id, job.failures()))
        }
    }

    private func connect(_ cluster: FlinkClusterConfiguration, _ state: inout Looking, now: Int64) {
        state.backoff.reset()
        (state.attempts, state.linkedAt, state.reportedAt) = (0, now, nil)
        emit(.capabilities(Self.capabilities(of: cluster)))
        if !cluster.isHistoryServer { askSettings() }
    }

    /// Whether a failure means that the link is lost. One failed question does not: the list of jobs is asked for at once, and the link is lost only
    /// if that fails too, or if nothing at all was answered while a question waited long.
    private func isLost(_ failure: FlinkFailure, _ answer: Answer, _ state: inout Looking, now: Int64) -> Bool {
        let isOfLink = failure.isOfLink || answer.question == .cluster
        guard isOfLink || answer.question == .jobs else { return false }
        guard state.linkedAt != nil else { return true }
        let heardNothing = (state.lastSuccessAt ?? 0) < answer.sentAt
        if heardNothing, answer.roundTrip >= min(patience, .seconds(3)) { return true }
        if state.isSuspected, answer.question == .jobs, heardNothing { return true }
        state.isSuspected = true
        state.scheduler.hurry(.jobs)
        return false
    }

    private func rest(_ problem: FlinkFailure, _ state: inout Looking, now: Int64) {
        let pause = state.backoff.next(using: &state.generator)
        state.attempts += 1
        state.link += 1
        (state.linkedAt, state.toldRoundTrip, state.roundTrip, state.isSuspected, state.hasNews) = (nil, nil, nil, false, false)
        state.quests = []
        state.scheduler.reset()
        // What answers next may be another cluster, or a newer version of it.
        state.picture.forgetConnection()
        state.restUntil = now + pause.count
        emit(.link(.down(reason: problem.message, retryAt: WallTime.steady() + pause, attempts: state.attempts)))
    }

    /// Reports the news when it is time.
    private func report(_ state: inout Looking, now: Int64) {
        guard let due = state.nextReportAt, due <= now else { return }
        (state.hasNews, state.reportedAt) = (false, now)
        if let roundTrip = state.roundTrip, state.toldRoundTrip != roundTrip {
            state.toldRoundTrip = roundTrip
            emit(.link(.up(roundTrip: roundTrip)))
        }
        state.roundTrip = nil
        let time = WallTime.steady()
        let report = EngineReport(
            engine: state.picture.engineInfo(client.connection.address), at: state.picture.clusterTime(at: time), jobs: state.picture.reports(at: time),
            operations: state.operations.compactMap(\.report))
        emit(.report(report, receivedAt: time))
    }

    private func advance(_ index: Int, _ answer: Answer, _ state: inout Looking, now: Int64) {
        var reply: FlinkReply?
        if case .success(let found) = answer.result { reply = found }
        let job = state.picture.job(state.quests[index].job)
        state.quests[index].take(reply, to: answer.question, knownHosts: job?.verticesWithHosts ?? [], names: job?.vertexNames ?? [:])
        // Of many vertices each answer changes little.
        if state.quests[index].isToldDue(at: now, every: Self.detailPause.count), let job {
            let report = state.quests[index].report(job, version: state.picture.cluster?.version)
            if let report { emit(.checkpoint(state.quests[index].job, report)) }
        }
        if state.quests[index].isDone { state.quests.remove(at: index) }
    }

    /// Where snapshots go seldom changes: it is asked once a link.
    private func askSettings() {
        var endpoint = FlinkEndpoint<FlinkClusterSettings>.settings
        endpoint.timeout = patience
        client.send(endpoint) { [weak self] result in
            // Where a proxy hides it, it stays untold.
            if case .success(let settings) = result { self?.put { $0.settings = settings } }
        }
    }

    public static func capabilities(of cluster: FlinkClusterConfiguration) -> EngineCapabilities {
        EngineCapabilities(
            canCheckpointNow: cluster.version.has(.checkpointTrigger), canFault: false, exactBudget: false, verifiesFiles: true, hasChecksums: false,
            canOverrideRetention: false, canClaim: cluster.version.has(.restoreMode), needsJarRecipe: true, canDispose: true, dialect: .flinkREST,
            isHistoryServer: cluster.isHistoryServer, versionWarning: cluster.versionWarning, savesBesideCheckpoints: false)
    }

    // MARK: Questions of the console

    private func take(_ request: EngineQuestion, _ state: inout Looking) {
        let version = state.picture.cluster?.version
        switch request {
        case .checkpoints(let id):
            // What is known is the newest.
            if let job = state.picture.job(id), job.checkpoints != nil { emit(.checkpoints(id, job.checkpointReports(version: version))) }
        case .failures(let id):
            if let job = state.picture.job(id), job.exceptions != nil { emit(.failures(id, job.failures())) }
        case .checkpoint(let job, let id):
            if let shown = state.focus.job, shown != job { return }
            guard !state.quests.contains(where: { $0.job == job && $0.id == id }) else { return }
            let quest = CheckpointDetailRequest(job, id)
            if state.focus.shows(quest) {
                state.quests.insert(quest, at: 0)
            } else if state.quests.count < 12 {
                state.quests.append(quest)
            }
            state.scheduler.replan()
        case .inspect(let path): inspect(path, version)
        case .inspectForDeletion(let path): inspectForDeletion(path, version)
        // Clusters have no log that this API tells.
        case .log: break
        }
    }
}

extension EngineFocus {
    fileprivate func shows(_ quest: CheckpointDetailRequest) -> Bool {
        switch self {
        case .checkpoint(let job, let id), .subtasks(let job, let id, _): job == quest.job && id == quest.id
        case .overview, .rows, .job, .elsewhere: false
        }
    }

    fileprivate var job: JobID? {
        switch self {
        case .overview, .rows, .elsewhere: nil
        case .job(let id), .checkpoint(let id, _), .subtasks(let id, _, _): id
        }
    }
}
