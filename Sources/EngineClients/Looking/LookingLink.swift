internal import ConsoleCore
internal import CellGrid
public import ControlProtocol
internal import ControlSocket
public import FlinkREST
internal import HostEnvironment
public import StreamModel

/// An engine of either kind, as read-only commands use it. A call without an answer ends the command.
public protocol LookingLink {
    /// One line about the engine itself, for people.
    func headline(_ report: EngineReport) -> String
    func report() throws(ClientFailure) -> EngineReport
    func checkpoints(_ reference: JobReference, limit: Int?) throws(ClientFailure) -> [CheckpointReport]
    /// The referenced job, then the earlier ones of its name, newest first.
    func runs(of reference: JobReference) throws(ClientFailure) -> [JobReport]
    /// Whether the reference may mean any job of the engine, by name or by the start of its id.
    func lists(_ reference: JobReference) throws(ClientFailure) -> Bool
    /// Waits for the newest report that was not returned yet. With a job, that job's part of it is as fresh as possible.
    func nextReport(of job: JobReference?) throws(ClientFailure) -> EngineReport
    /// The parts missing from the last report because nobody answered in time; nil = it is complete.
    var shortcoming: String? { get }
    func close()
}

extension LookingLink {
    public var shortcoming: String? { nil }
}

extension JobReport {
    fileprivate func mayBe(_ reference: JobReference) -> Bool { name == reference.text || id.description.hasPrefix(reference.text.lowercased()) }
}

extension [JobReport] {
    /// A job, then the earlier ones of its name, newest first.
    func runs(upTo job: JobReport) -> [JobReport] {
        let earlier = filter { $0.name == job.name && $0.id != job.id && $0.submittedAt <= job.submittedAt }
        return [job] + earlier.sorted { ($1.submittedAt, $1.id) < ($0.submittedAt, $0.id) }
    }
}

extension EngineLink: LookingLink {
    public func headline(_ report: EngineReport) -> String {
        let engine = report.engine
        return
            "engine '\(printable(engine.name))' \(printable(engine.version)), pid \(engine.processID), up \(Figures.duration(report.at - engine.startedAt)), "
            + "\(Figures.plural(report.jobs.count { !$0.state.isTerminal }, "job")), state in \(printable(engine.stateDirectory))"
    }

    public func report() throws(ClientFailure) -> EngineReport {
        EngineReport(engine: client.hello.engine, at: .now(), jobs: try jobs(), operations: try operations(limit: 20))
    }

    public func nextReport(of job: JobReference?) throws(ClientFailure) -> EngineReport {
        try startWatching()
        if let report = next(within: .seconds(30)) { return report }
        throw ClientFailure(.noLink, "no report came within 30 s: the engine may hang")
    }

    public func lists(_ reference: JobReference) throws(ClientFailure) -> Bool { try jobs().contains { $0.mayBe(reference) } }

    public func runs(of reference: JobReference) throws(ClientFailure) -> [JobReport] { try jobs().runs(upTo: try job(reference)) }

    public func close() { client.close() }
}

/// A command's connection to a Flink cluster.
public final class FlinkLink: LookingLink {
    public let client: FlinkClient
    public let ledger: CommandLedger
    /// nil = stores are not asked.
    let stored: StoredFiles?
    public var picture = FlinkPicture()
    /// The operations of this command.
    public var followed: [OperationID: FollowedOperation] = [:]
    /// Names of jobs that the cluster may have forgotten.
    var knownNames: [JobID: String] = [:]
    private var lastReportAt: EngineInstant?

    private var scheduler = FlinkScheduler()
    public private(set) var shortcoming: String?

    /// Rounds of questions until a report must be whole: version and list, job, names of metrics, metrics.
    private static let roundsMax = 8
    private static let period: Milliseconds = .seconds(2)
    /// A report of all jobs takes no longer than this, and no longer than so many round trips where they are slow.
    private static let reportLimit: (shortest: Milliseconds, longest: Milliseconds, roundTrips: Int64) = (1900, .seconds(19), 9)
    private static let questionLimit: Milliseconds = .minutes(10)

    public init(_ connection: FlinkConnection, ledger: CommandLedger, stored: StoredFiles? = nil) {
        client = FlinkClient(connection)
        self.stored = stored
        self.ledger = ledger
    }

    public func close() { client.close() }

    public func headline(_ report: EngineReport) -> String {
        "\(printable(report.engine.version)) at \(printable(report.engine.name)), \(Figures.plural(report.jobs.count { !$0.state.isTerminal }, "job"))"
    }

    public func report() throws(ClientFailure) -> EngineReport {
        try complete(nil)
        return current()
    }

    public func checkpoints(_ reference: JobReference, limit: Int?) throws(ClientFailure) -> [CheckpointReport] {
        let id = try find(reference)
        for question in [FlinkQuestion.checkpointConfiguration(id), .checkpoints(id)] { try ask([question]) }
        guard let job = picture.job(id), job.checkpoints != nil else {
            throw ClientFailure(.failed, "the cluster reports no checkpoints of \(reference)")
        }
        let rows = job.checkpointReports(version: picture.cluster?.version)
        return limit.map { Array(rows.prefix($0)) } ?? rows
    }

    public func runs(of reference: JobReference) throws(ClientFailure) -> [JobReport] {
        let id = try find(reference), all = picture.reports(at: .now())
        guard let job = all.first(where: { $0.id == id }) else { throw ClientFailure(.refused, "\(reference) is not a job of the cluster") }
        return all.runs(upTo: job)
    }

    public func lists(_ reference: JobReference) throws(ClientFailure) -> Bool {
        if !picture.hasList { try ask([.cluster, .jobs]) }
        return picture.reports(at: .now()).contains { $0.mayBe(reference) }
    }

    public func nextReport(of reference: JobReference?) throws(ClientFailure) -> EngineReport {
        guard let last = lastReportAt else {
            try complete(try reference.map { (reference) throws(ClientFailure) in try find(reference) })
            return current()
        }
        let focus = try reference.map { (reference) throws(ClientFailure) in FlinkPicture.Focus.job(try find(reference)) } ?? .overview
        try watch(focus, for: Self.period - (EngineInstant.now() - last), atMost: Self.questionLimit)
        return current()
    }

    /// Asks what is due for a time, as a console does, and waits for the last answers within a limit.
    func watch(_ focus: FlinkPicture.Focus, for span: Milliseconds, atMost limit: Milliseconds) throws(ClientFailure) {
        let end = MonotonicClock.milliseconds().addingClamped(max(1, min(span.count, limit.count)))
        var watching = Watching(picture, scheduler, focus, until: end)
        client.pursue(&watching, before: EngineInstant.now() + max(1, limit))
        (picture, scheduler) = (watching.picture, FlinkScheduler(resuming: watching.scheduler))
        if watching.answered == 0, let problem = watching.problem { throw ClientFailure(.noLink, problem.message) }
    }

    public func current() -> EngineReport {
        lastReportAt = .now()
        let now = WallTime.now()
        return EngineReport(
            engine: picture.engineInfo(client.connection.address), at: picture.clusterTime(at: now), jobs: picture.reports(at: now), operations: [])
    }

    /// The one job that is meant, by the rules of the control protocol. All submissions of one name count as continuing one another.
    public func find(_ reference: JobReference) throws(ClientFailure) -> JobID {
        if !picture.hasList { try ask([.cluster, .jobs]) }
        var lineages: [String: JobID] = [:]
        let candidates = picture.reports(at: .now()).map { job in
            let lineage = lineages[job.name] ?? job.id
            lineages[job.name] = lineage
            return JobReference.Candidate(
                id: job.id, name: job.name, lineage: lineage, isLive: !job.state.isTerminal, submittedAt: job.submittedAt)
        }
        do throws(ControlFailure) { return try reference.resolve(among: candidates) } catch { throw ClientFailure(.refused, error.message) }
    }

    /// Asks until one job, or every running job, is complete, or until the time runs out.
    private func complete(_ id: JobID?) throws(ClientFailure) {
        let start = EngineInstant.now()
        try ask([.cluster, .jobs])
        let roundTrip = EngineInstant.now() - start, limits = Self.reportLimit
        let limit = min(max(limits.shortest, Milliseconds(roundTrip.count.multipliedClamped(by: limits.roundTrips))), limits.longest)
        let end = start + (id == nil ? limit : max(limit, .seconds(10)))
        var unanswered: Set<FlinkQuestion> = []
        for _ in 0..<Self.roundsMax {
            let missing = picture.missingQuestions(id, at: .now())
            if missing.isEmpty || EngineInstant.now() >= end { break }
            unanswered.formUnion(try ask(missing, needsAll: false, before: end))
        }
        shortcoming = shortcoming(unanswered.union(picture.missingQuestions(id, at: .now())), within: limit)
    }

    /// What of a report is missing because nobody answered in time.
    private func shortcoming(_ missing: Set<FlinkQuestion>, within limit: Milliseconds) -> String? {
        func count(_ isWanted: (FlinkQuestion) -> Bool) -> Int { Set(missing.filter(isWanted).compactMap(\.job)).count }
        let parts = [
            ("checkpoints", count { if case .checkpoints = $0 { true } else { false } }),
            ("budget", count { if case .checkpointConfiguration = $0 { true } else { false } }),
            ("failures", count { if case .exceptions = $0 { true } else { false } }),
            ("tasks", count { if case .job = $0 { true } else { false } }),
        ].filter { $0.1 > 0 }
        guard !parts.isEmpty else { return nil }
        let words = parts.map { "\($0.0) of \(Figures.plural($0.1, "job"))" }.joined(separator: ", ")
        return "not answered within \(Figures.duration(limit)): \(words)"
    }

    /// Asks a few questions at a time and takes in the answers. Without a link the command ends.
    public func ask(_ questions: [FlinkQuestion]) throws(ClientFailure) {
        _ = try ask(questions, needsAll: true, before: EngineInstant.now() + Self.questionLimit)
    }

    /// - Returns: The unanswered questions.
    private func ask(_ questions: [FlinkQuestion], needsAll: Bool, before end: EngineInstant) throws(ClientFailure) -> Set<FlinkQuestion> {
        var list = QuestionList(questions, picture, needsAll: needsAll)
        client.pursue(&list, before: end)
        picture = list.picture
        if let problem = list.problem { throw ClientFailure(.noLink, problem.message) }
        return list.unanswered
    }
}
