internal import ControlProtocol
internal import ControlSocket
internal import FlinkREST
internal import StreamModel

/// What the commands that look need of an engine, of either kind. They end the command when there is no answer.
protocol LookingLink {
    /// One line about the engine itself, for people.
    func headline(_ report: EngineReport) -> String
    func report() throws(CommandFailure) -> EngineReport
    func checkpoints(_ reference: JobReference, limit: Int?) throws(CommandFailure) -> [CheckpointReport]
    /// The newest report that was not returned yet; waits for one. With a job, what is told of that job is the newest that can be had.
    func nextReport(of job: JobReference?) throws(CommandFailure) -> EngineReport
    func close()
}

extension EngineLink: LookingLink {
    func headline(_ report: EngineReport) -> String {
        let engine = report.engine
        return "engine '\(printable(engine.name))' \(printable(engine.version)), pid \(engine.processID), up \(Figures.duration(report.at - engine.startedAt)), "
            + "\(Figures.plural(report.jobs.count { !$0.state.isTerminal }, "job")), state in \(printable(engine.stateDirectory))"
    }

    func report() throws(CommandFailure) -> EngineReport {
        EngineReport(engine: client.hello.engine, at: .now(), jobs: try jobs(), operations: try operations(limit: 20))
    }

    func nextReport(of job: JobReference?) throws(CommandFailure) -> EngineReport {
        try startWatching()
        if let report = next(within: .seconds(30)) { return report }
        throw CommandFailure(.noLink, "no report came within 30 s: the engine may hang")
    }

    func close() { client.close() }
}

/// A command's connection to a Flink cluster.
final class FlinkLink: LookingLink {
    let client: FlinkClient
    let ledger: CommandLedger
    var picture = FlinkPicture()
    /// The operations of this command.
    var courses: [OperationID: Course] = [:]
    private var lastReportAt: EngineInstant?

    /// Questions under way at once.
    private static let width = 4
    /// Rounds of questions until a report must be whole: version, list, job, names of metrics, metrics.
    private static let roundsMax = 8
    private static let period: Milliseconds = .seconds(2)

    init(_ connection: FlinkConnection, ledger: CommandLedger) {
        client = FlinkClient(connection)
        self.ledger = ledger
    }

    func close() { client.close() }

    func headline(_ report: EngineReport) -> String {
        "\(printable(report.engine.version)) at \(printable(report.engine.name)), \(Figures.plural(report.jobs.count { !$0.state.isTerminal }, "job"))"
    }

    func report() throws(CommandFailure) -> EngineReport {
        try complete(nil)
        return current()
    }

    func checkpoints(_ reference: JobReference, limit: Int?) throws(CommandFailure) -> [CheckpointReport] {
        let id = try find(reference)
        for question in [FlinkQuestion.checkpointConfiguration(id), .checkpoints(id)] { try ask([question]) }
        guard let job = picture.job(id), job.checkpoints != nil else {
            throw CommandFailure(.failed, "\(reference) has no checkpoints that the cluster tells of")
        }
        let rows = job.checkpointReports(version: picture.cluster?.version)
        return limit.map { Array(rows.prefix($0)) } ?? rows
    }

    func nextReport(of reference: JobReference?) throws(CommandFailure) -> EngineReport {
        guard let last = lastReportAt else {
            try complete(try reference.map { (reference) throws(CommandFailure) in try find(reference) })
            return current()
        }
        let rest = Self.period.count - (EngineInstant.now() - last).count
        if rest > 0 { pause(milliseconds: Int32(clamping: rest)) }
        if let reference {
            try ask(picture.nextQuestions(.job(try find(reference)), at: .now()))
        } else {
            // As a console's overview: the list, and one job in turn.
            try ask([.jobs])
            try ask(picture.nextQuestions(.overview, at: .now()).filter { $0 != .jobs })
        }
        return current()
    }

    func current() -> EngineReport {
        lastReportAt = .now()
        let now = WallTime.now()
        return EngineReport(
            engine: picture.engineInfo(client.connection.address), at: picture.clusterTime(at: now), jobs: picture.reports(at: now), operations: [])
    }

    /// The one job that is meant, by the rules of the control protocol. All submissions of one name count as continuing one another.
    func find(_ reference: JobReference) throws(CommandFailure) -> JobID {
        if !picture.hasList { try ask([.cluster, .jobs]) }
        var lineages: [String: JobID] = [:]
        let candidates = picture.reports(at: .now()).map { job in
            let lineage = lineages[job.name] ?? job.id
            lineages[job.name] = lineage
            return JobReference.Candidate(
                id: job.id, name: job.name, lineage: lineage, isLive: !job.state.isTerminal, submittedAt: job.submittedAt)
        }
        do throws(ControlFailure) { return try reference.resolve(among: candidates) } catch { throw CommandFailure(.refused, error.message) }
    }

    /// Asks until nothing is missing of the jobs (or of one).
    private func complete(_ id: JobID?) throws(CommandFailure) {
        for _ in 0..<Self.roundsMax {
            let missing = picture.missingQuestions(id, at: .now())
            if missing.isEmpty { return }
            try ask(missing)
        }
    }

    /// Asks a few at a time and takes in what comes. What is no matter of the link leaves a gap in the report, not none.
    func ask(_ questions: [FlinkQuestion]) throws(CommandFailure) {
        var rest = questions[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.width))
            rest = rest.dropFirst(Self.width)
            for (question, result) in client.answers(to: batch) {
                switch result {
                case .success(let reply): picture.take(reply, to: question, at: .now())
                case .failure(let failure):
                    if failure.isOfLink || question == .cluster || question == .jobs { throw CommandFailure(.noLink, failure.message) }
                    picture.take(failure, to: question, at: .now())
                }
            }
        }
    }
}
