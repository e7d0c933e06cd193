public import ConsoleCore
public import FlinkREST
public import StreamModel
internal import Synchronization

/// A Flink cluster behind its REST API. A thread of its own decides what to ask, and never waits for an answer: answers, requests of the
/// console and the time wake it up. A JobManager that hangs delays nothing but its own answers.
///
/// Only what the operator looks at is asked for: one question a poll on the overview, three at most for one job. What else the console asks
/// is answered from what is known already, or takes the place of the third question.
public final class FlinkEngine: ActingEngine {
    /// Time between polls.
    static let period: Milliseconds = .seconds(2)
    /// The same while the first answers are still missing, for a little while after the link came up.
    static let eagerPeriod: Milliseconds = 250
    static let eagerFor: Milliseconds = .seconds(20)
    /// How long a poll waits for its answers.
    let patience: Milliseconds
    let threads = OperationThreads()

    let client: FlinkClient
    let inspector: FlinkInspector
    /// What the ledger knows of the cluster's jars, once it is open.
    let jars = Mutex(JarMemory.none)
    private let inbox = Mutex(Inbox())
    /// Rung when something is in the inbox.
    private let bell = Bell()
    /// Held while an event is handed over, so that nothing is delivered after `stop` has returned.
    private let outlet = Mutex<(@Sendable (EngineEvent) -> Void)?>(nil)

    /// What waits for the engine's thread.
    private struct Inbox {
        var answers: [Answer] = []
        var requests: [EngineQuestion] = []
        var operations: [OperationReport] = []
        var focus: EngineFocus?
        var wantsRetry = false
        var isStopped = false
    }

    private struct Answer {
        var question: FlinkQuestion
        var result: Result<FlinkReply, FlinkFailure>
        var roundTrip: Milliseconds
    }

    public init(_ connection: FlinkConnection, patience: Milliseconds = .seconds(8)) {
        client = FlinkClient(connection)
        inspector = FlinkInspector(clusterHost: connection.address.host)
        self.patience = patience
    }

    // MARK: Engine

    public func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) {
        outlet.withLock { $0 = deliver }
        startThread { self.run() }
    }

    public func stop() {
        outlet.withLock { $0 = nil }
        inbox.withLock { $0.isStopped = true }
        threads.stop()
        client.close()
        bell.ring()
    }

    public func retryNow() { put { $0.wantsRetry = true } }

    public func look(at focus: EngineFocus) { put { $0.focus = focus } }

    public func send(_ question: EngineQuestion) {
        put { if !$0.requests.contains(question) { $0.requests.append(question) } }
    }

    /// Takes in what became of an operation: it is told at once, and with every report from now on.
    func note(_ operation: OperationReport) {
        put { $0.operations.append(operation) }
        emit(.operation(operation))
    }

    func emit(_ event: EngineEvent) { outlet.withLock { $0?(event) } }

    private func put(_ change: (inout Inbox) -> Void) {
        inbox.withLock { change(&$0) }
        bell.ring()
    }

    // MARK: The engine's thread

    private func run() {
        var state = Polling()
        emit(.link(.connecting))
        while true {
            let news = inbox.withLock { inbox in
                defer { (inbox.answers, inbox.requests, inbox.operations, inbox.focus, inbox.wantsRetry) = ([], [], [], nil, false) }
                return inbox
            }
            if news.isStopped { return }
            let now = Surroundings.monotonicMilliseconds()
            if let focus = news.focus { state.look(at: focus, now: now) }
            if news.wantsRetry { state.nextPollAt = min(state.nextPollAt, now) }
            for operation in news.operations { state.take(operation) }
            for answer in news.answers { take(answer, &state) }
            for request in news.requests { take(request, &state, now: now) }
            if state.isPollOver { end(&state, now: now) }
            if state.underWay.isEmpty, state.nextPollAt <= now { begin(&state, now: now) }
            let wake = state.underWay.isEmpty ? state.nextPollAt - Surroundings.monotonicMilliseconds() : patience.count * 2
            bell.wait(atMost: Milliseconds(wake))
        }
    }

    /// What the engine's thread keeps. Times without a date are of the monotonic clock, in milliseconds.
    private struct Polling {
        var picture = FlinkPicture()
        var focus = EngineFocus.overview
        var underWay: Set<FlinkQuestion> = []
        /// Answers of the poll under way have all come, and it has not been told of yet.
        var isPollOver = false
        /// Why the link is not usable, of the poll under way.
        var problem: FlinkFailure?
        var roundTrip: Milliseconds?
        var nextPollAt: Int64 = 0
        var linkedAt: Int64?
        var toldRoundTrip: Milliseconds?
        var backoff = Backoff()
        var attempts = 0
        var generator = SystemRandomNumberGenerator()
        /// Checkpoints that were asked for, the first is served.
        var quests: [FlinkDetailQuest] = []
        /// The last question of a full poll went to a quest: the next one is for what else is due.
        var wasTurnOfQuest = false
        /// Newest first.
        var operations: [OperationReport] = []

        mutating func look(at focus: EngineFocus, now: Int64) {
            guard self.focus != focus else { return }
            self.focus = focus
            // What was asked for another job is in nobody's sight any more, and would keep the one that is waiting.
            if let job = focus.job { quests.removeAll { $0.job != job } }
            // What comes into view is asked for at once, if the link is not at rest.
            if linkedAt != nil { nextPollAt = min(nextPollAt, now) }
        }

        mutating func take(_ operation: OperationReport) {
            operations.removeAll { $0.request.id == operation.request.id }
            operations.insert(operation, at: 0)
            if operations.count > 50 { operations.removeLast() }
        }

        var pictureFocus: FlinkPicture.Focus {
            switch focus {
            case .overview: .overview
            case .job(let id), .checkpoint(let id, _): .job(id)
            }
        }
    }

    private func begin(_ state: inout Polling, now: Int64) {
        var questions = state.picture.nextQuestions(state.pictureFocus, at: Surroundings.steadyTime())
        // Until the job that is looked at is in the list, the list comes first.
        let isKnown = state.focus.job.map { state.picture.job($0) != nil } ?? true
        if !state.picture.isEmpty, isKnown, let quest = state.quests.first {
            let limit = quest.job == state.focus.job ? FlinkPicture.questionsMax.job : FlinkPicture.questionsMax.overview
            let isFull = questions.count >= limit
            // Where checkpoints come faster than their details, the details would take every place: failures and busy times have their turn.
            if isFull, state.wasTurnOfQuest, state.focus != .checkpoint(quest.job, quest.id) {
                state.wasTurnOfQuest = false
            } else if let question = state.quests[0].next() {
                if isFull { questions.removeLast() }
                state.wasTurnOfQuest = isFull
                questions.append(question)
            }
        }
        guard !questions.isEmpty else {
            state.nextPollAt = now + Self.period.count
            return
        }
        state.underWay = Set(questions)
        (state.problem, state.roundTrip) = (nil, nil)
        for question in questions {
            let start = Surroundings.monotonicMilliseconds()
            client.ask(question, timeout: patience) { [weak self] result in
                let roundTrip = Milliseconds(Surroundings.monotonicMilliseconds() - start)
                self?.put { $0.answers.append(Answer(question: question, result: result, roundTrip: roundTrip)) }
            }
        }
    }

    private func take(_ answer: Answer, _ state: inout Polling) {
        guard state.underWay.remove(answer.question) != nil else { return }
        if state.underWay.isEmpty { state.isPollOver = true }
        state.roundTrip = max(state.roundTrip ?? 0, answer.roundTrip)
        let now = Surroundings.steadyTime()
        switch answer.result {
        case .success(let reply): state.picture.take(reply, to: answer.question, at: now)
        case .failure(let failure):
            if failure.isOfLink || answer.question == .cluster || answer.question == .jobs { state.problem = failure }
            state.picture.take(failure, to: answer.question, at: now)
        }
        if let index = state.quests.firstIndex(where: { $0.awaits(answer.question) }) { advance(index, answer, &state) }
        if case .exceptions(let id) = answer.question, case .success = answer.result, let job = state.picture.job(id) {
            emit(.failures(id, job.failures()))
        }
    }

    private func advance(_ index: Int, _ answer: Answer, _ state: inout Polling) {
        var reply: FlinkReply?
        // Without an answer there is no more to know of it.
        if case .success(let found) = answer.result { reply = found }
        let job = state.picture.job(state.quests[index].job)
        state.quests[index].take(reply, knownHosts: job?.verticesWithHosts ?? [])
        let quest = state.quests[index]
        if let job, let report = quest.report(job, version: state.picture.cluster?.version) { emit(.checkpoint(quest.job, report)) }
        if quest.isDone { state.quests.remove(at: index) }
    }

    /// Tells what a poll has brought, and when the next one is.
    private func end(_ state: inout Polling, now: Int64) {
        state.isPollOver = false
        if let problem = state.problem { return rest(problem, &state, now: now) }
        state.backoff.reset()
        state.attempts = 0
        if state.linkedAt == nil {
            guard let cluster = state.picture.cluster else { return }
            state.linkedAt = now
            emit(.capabilities(Self.capabilities(of: cluster)))
        }
        if state.toldRoundTrip != state.roundTrip {
            state.toldRoundTrip = state.roundTrip
            emit(.link(.up(roundTrip: state.roundTrip)))
        }
        state.nextPollAt = now + pause(state, now: now).count
        guard state.picture.hasList else { return }
        let time = Surroundings.steadyTime()
        let report = EngineReport(
            engine: state.picture.engineInfo(client.connection.address), at: state.picture.clusterTime(at: time), jobs: state.picture.reports(at: time),
            operations: state.operations)
        emit(.report(report, receivedAt: time))
    }

    private func pause(_ state: Polling, now: Int64) -> Milliseconds {
        // The list comes right after the version, and a checkpoint that somebody looks at without pauses.
        if !state.picture.hasList { return 0 }
        if case .checkpoint(let job, let id) = state.focus, state.quests.contains(where: { $0.job == job && $0.id == id }) { return 0 }
        let isEager = now - (state.linkedAt ?? now) < Self.eagerFor.count && state.picture.isIncomplete(state.pictureFocus)
        return isEager ? Self.eagerPeriod : Self.period
    }

    private func rest(_ problem: FlinkFailure, _ state: inout Polling, now: Int64) {
        let pause = state.backoff.next(using: &state.generator)
        state.attempts += 1
        (state.linkedAt, state.toldRoundTrip) = (nil, nil)
        state.quests = []
        // What answers next may be another cluster, or a newer version of it.
        state.picture.forgetConnection()
        state.nextPollAt = now + pause.count
        emit(.link(.down(reason: problem.message, retryAt: Surroundings.steadyTime() + pause, attempts: state.attempts)))
    }

    static func capabilities(of cluster: FlinkClusterConfiguration) -> EngineCapabilities {
        EngineCapabilities(
            canCheckpointNow: cluster.version.has(.checkpointTrigger), canFault: false, exactBudget: false, verifiesFiles: true, hasChecksums: false,
            canOverrideRetention: false, canClaim: cluster.version.has(.restoreMode), needsJarRecipe: true, dialect: .flinkREST)
    }

    // MARK: Questions of the console

    private func take(_ request: EngineQuestion, _ state: inout Polling, now: Int64) {
        let version = state.picture.cluster?.version
        switch request {
        case .checkpoints(let id):
            // The list comes with every poll of the job: what is known is the newest.
            if let job = state.picture.job(id), job.checkpoints != nil { emit(.checkpoints(id, job.checkpointReports(version: version))) }
        case .failures(let id):
            if let job = state.picture.job(id), job.exceptions != nil { emit(.failures(id, job.failures())) }
        case .checkpoint(let job, let id):
            if let shown = state.focus.job, shown != job { return }
            guard !state.quests.contains(where: { $0.job == job && $0.id == id }) else { return }
            let quest = FlinkDetailQuest(job, id)
            if case .checkpoint(job, id) = state.focus {
                state.quests.insert(quest, at: 0)
                if state.linkedAt != nil { state.nextPollAt = min(state.nextPollAt, now) }
            } else if state.quests.count < 12 {
                state.quests.append(quest)
            }
        case .inspect(let path): inspect(path)
        }
    }
}

extension EngineFocus {
    fileprivate var job: JobID? {
        switch self {
        case .overview: nil
        case .job(let id), .checkpoint(let id, _): id
        }
    }
}
