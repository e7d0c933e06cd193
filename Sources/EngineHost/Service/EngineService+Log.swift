internal import CellGrid
internal import ControlProtocol
internal import Dataflow
internal import StreamModel
internal import Synchronization

/// The engine's log: what operators ask for when they want to know why.
extension EngineService {
    /// Lines in memory, and those that wait to be written.
    struct LogLines {
        var ring: LogRing
        var unwritten: [EngineLogEntry] = []
        /// The last line of this run is among them.
        var isEnded = false
    }

    /// Tells the operator who started the engine, and the log.
    func tell(
        _ message: String, _ level: EngineLogEntry.Level = .info, _ subject: EngineLogEntry.Subject = .engine, job: JobID? = nil, named name: String? = nil
    ) {
        say(message)
        log(message, level, subject, job: job, named: name)
    }

    /// Adds a line to the log; nothing is written behind the last one of a run. From any thread, but not while `state` is held.
    func log(
        _ message: String, _ level: EngineLogEntry.Level = .info, _ subject: EngineLogEntry.Subject = .engine, job: JobID? = nil, named name: String? = nil,
        isLast: Bool = false
    ) {
        let name = name ?? job.flatMap { id in state.withLock { $0.jobs[id]?.record.name } }
        let entry = EngineLogEntry(
            sequence: 0, at: host.wall(), level: level, subject: subject, job: job, jobName: name, message: printable(message, limit: 4000))
        let isFirst = logLines.withLock { lines in
            let numbered = lines.ring.add(entry)
            guard logFile != nil, !lines.isEnded else { return false }
            lines.unwritten.append(numbered)
            lines.isEnded = isLast
            return lines.unwritten.count == 1
        }
        if isFirst { decisions.async { self.writeLog() } }
    }

    /// The last line of an engine that was not killed.
    static let endWords = "ended; its jobs are suspended"

    /// The first line of this run; an engine that was killed could not say so itself.
    func logStart(after last: EngineLogEntry?) {
        let start = "started: version \(info.version), pid \(info.processID), state in \(info.stateDirectory)"
        guard let last, last.subject != .engine || last.message != Self.endWords else { return log(start) }
        log("\(start); the engine before did not end by itself: it was killed, or the machine went down", .warning)
    }

    /// Writes the waiting lines. On `decisions`.
    func writeLog() {
        guard let logFile else { return }
        let waiting = logLines.withLock { lines in
            defer { lines.unwritten = [] }
            return lines.unwritten
        }
        if !waiting.isEmpty, let problem = logFile.file.append(waiting) { say(problem) }
    }

    /// Writes the last line of this run. On `decisions`, which may have news of jobs left.
    func endLog() {
        log(Self.endWords, isLast: true)
        writeLog()
        logFile?.file.close()
    }

    /// Sequence number of the newest line.
    var logEnd: UInt64 { logLines.withLock { $0.ring.end } }

    func logTail(_ job: EngineState.HostedJob?, after: UInt64?, limit: Int) -> [EngineLogEntry] {
        logLines.withLock { lines in
            lines.ring.tail(after: after, limit: limit) { entry in job.map { entry.isAbout($0.record.id, named: $0.record.name) } ?? true }
        }
    }

    /// Tells the news of a job. On `decisions`.
    func noteNews(of id: JobID, _ report: JobReport) {
        let lines = state.withLock { state -> [JobNews.Line] in
            guard var job = state.jobs[id], let running = job.running else { return [] }
            var news = job.news ?? JobNews(failures: job.record.failures.reversed(), checkpoints: job.record.checkpoints.suffix(JobNews.rows).reversed())
            let lines = news.take(report, failures: running.failures, checkpoints: { running.checkpoints(limit: JobNews.rows) })
            job.news = news
            state.jobs[id] = job
            return lines
        }
        for line in lines { log(line.message, line.level, line.subject, job: id, named: report.name) }
    }

    /// Tells of a new operation, or of the end of one.
    func noteOperation(_ entry: OperationEntry) {
        let what = "\(entry.report?.request.kind.title ?? entry.verb.rawValue) of '\(entry.jobName)', op \(entry.operation)"
        let reason = entry.reason.isEmpty ? "" : " (\(entry.reason))"
        let name = entry.jobName.isEmpty ? nil : entry.jobName
        switch entry.state {
        case .failed: log("\(what) FAILED: \(entry.error ?? "no cause is known")", .error, .operation, job: entry.job, named: name)
        case .unknown: log("\(what): its outcome is unknown: \(entry.error ?? "no cause is known")", .warning, .operation, job: entry.job, named: name)
        case .completed:
            let result = entry.report?.result.map { ": \($0)" } ?? ""
            log("\(what) is completed\(result)", .info, .operation, job: entry.job, named: name)
        default: log("\(what) by \(entry.by.isEmpty ? "-" : entry.by)\(reason)", .info, .operation, job: entry.job, named: name)
        }
    }
}
