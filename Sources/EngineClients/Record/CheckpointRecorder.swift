public import ConsoleCore
public import Ledger
public import StreamModel
internal import Synchronization

/// Records every checkpoint that an engine of either kind reports, and the live jobs of clusters, in the ledger.
///
/// It takes in reports on the engines' threads, at the price of a comparison, and hands out work: changes to write, for all jobs together and at most
/// every `rest`; lists to ask for, when the counts of a report show ended checkpoints that no report had. It has no thread and no timer: pending work
/// goes out with a later report, or with `finish`.
public final class CheckpointRecorder: Sendable {
    /// Pause between two writes. Savepoints, lost links and vanished jobs do not wait for it.
    public static let rest: Milliseconds = .seconds(5)
    /// Pause between requests for a list when nothing was missed: the list shows the fate of older checkpoints.
    public static let listPeriod: Milliseconds = .seconds(60)
    /// The same when something was missed.
    public static let missedPeriod: Milliseconds = .seconds(5)
    /// Lists asked for after one report.
    public static let questionsMax = 2
    public static let forgetPeriod: Milliseconds = .minutes(10)

    /// Something to do away from the engines' threads.
    public struct HistoryWork: Sendable, Equatable {
        public var news: [CheckpointNews] = []
        /// Jobs whose lists are to be asked for.
        public var questions: [JobID] = []
        /// The ledger's limits are to be held.
        public var forgets = false
        public var live: LiveJobs?

        public var isEmpty: Bool { news.isEmpty && questions.isEmpty && live == nil }
        /// There is something to write down.
        public var writes: Bool { !news.isEmpty || live != nil }
    }

    /// The jobs of a cluster by a report; the cluster forgets them with its JobManager.
    public struct LiveJobs: Sendable, Equatable {
        public var address: String
        public var live: [LiveJob]
        public var ended: [JobID]
    }

    /// Pause between two records of the same live jobs.
    public static let livePeriod: Milliseconds = .seconds(60)

    private let limits: LedgerLimits
    /// Contexts whose engines end with the console and take their checkpoints along.
    private let passing: Set<String>
    /// Of clusters, by context.
    private let addresses: [String: String]
    private let book = Mutex(HistoryBook())

    public init(contexts: [ConsoleContext], limits: LedgerLimits = LedgerLimits()) {
        self.limits = limits
        passing = Set(contexts.filter { $0.class == .demo }.map(\.name))
        let clusters = contexts.filter { if case .flink = $0.address { true } else { false } }
        addresses = Dictionary(clusters.map { ($0.name, $0.address.text) }) { first, _ in first }
    }

    /// Takes in what an engine told. Never blocks.
    /// - Parameter time: monotonic milliseconds.
    public func took(_ event: EngineEvent, from context: String, now: WallTime, time: Int64) -> HistoryWork? {
        guard !passing.contains(context) else { return nil }
        return book.withLock { book in
            var work = HistoryWork()
            switch event {
            case .report(let report, let receivedAt):
                work.questions = book.take(report, context, at: receivedAt, time)
                if let address = addresses[context] { work.live = book.live(report, context, address, at: now, time) }
            case .checkpoints(let job, let list): book.take(list: list, of: job, context, at: now)
            case .checkpoint(let job, let report): book.take(report, of: job, context, at: now)
            case .inspection(let found) where found.verdict == .missing: book.take(missing: found.path)
            case .link(.down): book.leave(context)
            default: break
            }
            work.news = book.dueNews(time)
            if !work.news.isEmpty { work.forgets = book.mayForget(time) }
            return work.isEmpty ? nil : work
        }
    }

    /// Whatever waits, before the console ends.
    public func finish() -> HistoryWork? {
        book.withLock { book in
            for context in book.contexts.keys { book.leave(context) }
            let work = HistoryWork(news: book.takeNews())
            return work.isEmpty ? nil : work
        }
    }

    /// Writes the work to disk. What cannot be written is handed out again when an engine reports it again.
    public func carryOut(_ work: HistoryWork, _ ledger: Ledger, at now: WallTime) throws(LedgerError) {
        do throws(LedgerError) {
            try ledger.remember(work.news)
            if let jobs = work.live { try ledger.rememberLive(jobs.live, ended: jobs.ended, address: jobs.address, at: now) }
            var steps = work.forgets ? 4 : 0
            while steps > 0, try ledger.forget(beyond: limits, at: now) { steps -= 1 }
        } catch {
            book.withLock { $0.contexts = [:] }
            throw error
        }
    }
}

/// What was handed out, and what waits to be.
private struct HistoryBook {
    var contexts: [String: [JobID: JobHistoryBook]] = [:]
    /// The jobs of clusters as they were last handed out, and when (monotonic milliseconds).
    private var handedOut: [String: (live: [JobID: String], ended: Set<JobID>, at: Int64)] = [:]
    /// What is said of jobs that the book has left.
    private var farewells: [CheckpointNews] = []
    private var hasNews = false
    private var isUrgent = false
    /// Monotonic milliseconds; nil = never.
    private var wroteAt: Int64?
    private var forgotAt: Int64?

    /// Takes a report in, and tells whose lists are wanted.
    mutating func take(_ report: EngineReport, _ context: String, at now: WallTime, _ time: Int64) -> [JobID] {
        // Taken out while it is changed, so that nothing is copied.
        var jobs = contexts.removeValue(forKey: context) ?? [:]
        var questions: [JobID] = []
        for job in report.jobs {
            jobs[job.id, default: JobHistoryBook()].origin = JobOrigin(context: context, job: job.id, jobName: job.name)
            let missed = jobs[job.id]?.take(job, at: now) ?? 0
            if questions.count < CheckpointRecorder.questionsMax, jobs[job.id]?.wantsList(job, missed: missed, time) ?? false { questions.append(job.id) }
            note(jobs[job.id])
        }
        if jobs.count > report.jobs.count {
            let present = Set(report.jobs.map(\.id))
            for id in jobs.keys.filter({ !present.contains($0) }) { leave(jobs.removeValue(forKey: id)) }
        }
        contexts[context] = jobs
        return questions
    }

    /// The live jobs of a report, when they are others than before, or a while has passed.
    mutating func live(_ report: EngineReport, _ context: String, _ address: String, at now: WallTime, _ time: Int64) -> CheckpointRecorder.LiveJobs? {
        let live = Dictionary(report.jobs.filter { !$0.state.isTerminal }.map { ($0.id, $0.name) }) { first, _ in first }
        let ended = Set(report.jobs.filter(\.state.isTerminal).map(\.id))
        if let last = handedOut[context], last.live == live, last.ended == ended, time - last.at < CheckpointRecorder.livePeriod.count { return nil }
        handedOut[context] = (live, ended, time)
        let jobs = live.map { LiveJob(id: $0.key, name: $0.value, seenAt: now) }.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
        return .init(address: address, live: jobs, ended: ended.sorted())
    }

    mutating func take(list: [CheckpointReport], of job: JobID, _ context: String, at now: WallTime) {
        contexts[context]?[job]?.take(list: list, at: now)
        note(contexts[context]?[job])
    }

    mutating func take(_ report: CheckpointReport, of job: JobID, _ context: String, at now: WallTime) {
        contexts[context]?[job]?.take(report, at: now)
        note(contexts[context]?[job])
    }

    mutating func take(missing path: String) {
        farewells.append(.missing(path: path))
        hasNews = true
    }

    /// The engine of a context is heard of no more.
    mutating func leave(_ context: String) {
        for (_, job) in contexts.removeValue(forKey: context) ?? [:] { leave(job) }
    }

    private mutating func leave(_ job: JobHistoryBook?) {
        guard var job else { return }
        let last = job.takeNews() + job.lastSeen
        guard !last.isEmpty else { return }
        farewells += last
        (hasNews, isUrgent) = (true, true)
    }

    private mutating func note(_ job: JobHistoryBook?) {
        guard let job else { return }
        if job.hasNews { hasNews = true }
        if job.hasSavepoint { isUrgent = true }
    }

    /// What waits, when it is time.
    mutating func dueNews(_ time: Int64) -> [CheckpointNews] {
        guard hasNews, isUrgent || wroteAt.map({ time - $0 >= CheckpointRecorder.rest.count }) ?? true else { return [] }
        wroteAt = time
        return takeNews()
    }

    mutating func takeNews() -> [CheckpointNews] {
        var news: [CheckpointNews] = []
        for context in contexts.keys {
            for job in contexts[context, default: [:]].keys where contexts[context]?[job]?.hasNews ?? false {
                news += contexts[context]?[job]?.takeNews() ?? []
            }
        }
        news += farewells
        (farewells, hasNews, isUrgent) = ([], false, false)
        return news
    }

    mutating func mayForget(_ time: Int64) -> Bool {
        guard forgotAt.map({ time - $0 >= CheckpointRecorder.forgetPeriod.count }) ?? true else { return false }
        forgotAt = time
        return true
    }
}

/// The same of one job.
private struct JobHistoryBook {
    var origin = JobOrigin(context: "", job: JobID(high: 0, low: 0), jobName: "")
    /// How each checkpoint was when it was last handed out, or waits to be.
    private var known: [CheckpointID: Stamp] = [:]
    private var waiting: [CheckpointID: CheckpointReport] = [:]
    private var waitingSince = WallTime(milliseconds: 0)
    private var waitingList: (reports: [CheckpointReport], at: WallTime)?
    /// Whether an ended savepoint waits.
    private(set) var hasSavepoint = false
    /// When the engine last listed all that it has, and what of that may be there.
    private var listedAt: WallTime?
    private var listed: Set<CheckpointID> = []
    /// Checkpoints that had ended by the last report.
    private var ended: Int?
    /// Of the report that the list was last asked for, and when (monotonic milliseconds).
    private var revision: UInt64?
    private var askedAt: Int64?
    /// Something was missed since.
    private var isOwed = false

    /// The facts of a checkpoint that matter to the ledger.
    private struct Stamp: Equatable {
        var status: CheckpointReport.Status
        var discarded: Bool
        var acknowledged: Int
        var size: ByteCount
        var hasPath: Bool

        init(_ report: CheckpointReport) {
            status = report.status
            discarded = report.discarded
            acknowledged = report.acknowledgedSubtasks
            size = report.stateSize
            hasPath = report.path != nil
        }

        /// Nothing goes back: reports overtake lists, and lists know what reports do not.
        func isBehind(_ other: Stamp) -> Bool { other.status != .inProgress && status == .inProgress || other.discarded && !discarded }
    }

    /// Of each job so many are told apart at least; more than reports and lists have of a job that is still young.
    private static let knownMax = 512

    var hasNews: Bool { !waiting.isEmpty || waitingList != nil }

    // MARK: Taking in

    /// Takes a report in; the number of checkpoints that have ended since the one before and are not in it. An engine that counts from the
    /// start again has lost some of its list.
    mutating func take(_ job: JobReport, at now: WallTime) -> Int {
        guard Self.hasCheckpoints(job) else { return 0 }
        var seen = 0
        for report in job.inProgress { take(report, at: now) }
        for case let report? in [job.latestCompleted, job.latestSavepoint, job.latestFailed] where take(report, at: now) { seen += 1 }
        let count = job.counts.completed &+ job.counts.failed
        defer { ended = count }
        return ended.map { count < $0 ? 1 : max(0, count &- $0 &- seen) } ?? 0
    }

    /// Whether it is the first word of its end.
    @discardableResult
    mutating func take(_ report: CheckpointReport, at now: WallTime) -> Bool {
        let stamp = Stamp(report), before = known[report.id]
        if let before, before == stamp || stamp.isBehind(before) { return false }
        known[report.id] = stamp
        if waiting.isEmpty { waitingSince = now }
        waiting[report.id] = report.withoutOperators
        let isEnd = report.status != .inProgress && (before.map { $0.status == .inProgress } ?? true)
        if isEnd, report.kind.isSavepoint { hasSavepoint = true }
        if known.count > Self.knownMax + listed.count, let oldest = known.keys.min() { known[oldest] = nil }
        return isEnd
    }

    mutating func take(list: [CheckpointReport], at now: WallTime) {
        let ids = Set(list.map(\.id))
        let isFirst = listedAt == nil, isShorter = !listed.isSubset(of: ids)
        var isNews = isFirst || isShorter
        for report in list {
            let stamp = Stamp(report), before = known[report.id]
            if let before, before == stamp || stamp.isBehind(before) { continue }
            known[report.id] = stamp
            isNews = true
            if report.status != .inProgress, report.kind.isSavepoint, !isFirst { hasSavepoint = true }
        }
        listedAt = now
        listed = Set(list.lazy.filter { $0.fate == .kept || $0.fate == .running }.map(\.id))
        if let newest = ids.max() { known = known.filter { ids.contains($0.key) || $0.key > newest } }
        if isNews { waitingList = (list.map(\.withoutOperators), now) }
    }

    /// Whether to ask the engine for its list after a report that lacked `missed` ends. True counts as asked.
    mutating func wantsList(_ job: JobReport, missed: Int, _ time: Int64) -> Bool {
        if missed > 0 { isOwed = true }
        guard Self.hasCheckpoints(job), revision != job.checkpointsRevision else { return false }
        // The end of a job may have deleted what it had.
        let period = isOwed || job.state.isTerminal ? CheckpointRecorder.missedPeriod : CheckpointRecorder.listPeriod
        if let askedAt, time - askedAt < period.count { return false }
        (revision, askedAt, isOwed) = (job.checkpointsRevision, time, false)
        return true
    }

    /// Of a cluster's job nothing may have been asked yet.
    private static func hasCheckpoints(_ job: JobReport) -> Bool { job.freshness.map { $0.checkpoints != nil } ?? true }

    // MARK: Handing out

    mutating func takeNews() -> [CheckpointNews] {
        var news: [CheckpointNews] = []
        if let waitingList { news.append(.listed(waitingList.reports, of: origin, at: waitingList.at)) }
        if !waiting.isEmpty { news.append(.reported(waiting.values.sorted { $0.id < $1.id }, of: origin, at: waitingSince)) }
        (waiting, waitingList, hasSavepoint) = ([:], nil, false)
        return news
    }

    /// Until when the engine had what it kept.
    var lastSeen: [CheckpointNews] { listedAt.map { [.unchanged(origin.job, until: $0)] } ?? [] }
}

extension CheckpointReport {
    /// As it stands in lists.
    fileprivate var withoutOperators: CheckpointReport {
        var copy = self
        copy.operators = nil
        return copy
    }
}

extension CheckpointQuery {
    public init(_ question: HistoryQuestion) {
        self.init(context: question.scope.context, job: question.scope.job, until: question.until, limit: question.limit)
    }
}
