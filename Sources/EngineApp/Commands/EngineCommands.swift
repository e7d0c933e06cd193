internal import ControlProtocol
public import ControlSocket
internal import EngineHost
public import FlinkREST
public import StreamModel

/// What all commands that talk to an engine are told.
public struct CommandOptions: Sendable {
    public var socketPath: String
    /// Whose engine may be there.
    public var trust: EngineTrust
    /// A Flink cluster instead of an engine of ours.
    public var flink: FlinkConnection?
    /// What the record of actions calls it.
    public var contextName: String
    /// The record of actions, of engines that keep none themselves.
    public var ledgerPath: String
    /// Print the records as JSON, one line.
    public var printsJSON: Bool
    public var output: Output

    public init(
        socketPath: String? = nil, trust: EngineTrust = .own, flink: FlinkConnection? = nil, contextName: String = "flink", ledgerPath: String? = nil, printsJSON: Bool = false,
        output: Output = .standard
    ) {
        self.contextName = contextName
        self.ledgerPath = ledgerPath ?? StandardPaths.stateRoot + "/ledger.sqlite"
        self.socketPath = socketPath ?? SocketPath.standard()
        self.trust = trust
        self.flink = flink
        self.printsJSON = printsJSON
        self.output = output
    }
}

/// What the commands that act are told besides.
public struct ActionOptions: Sendable {
    public var job: String
    public var reason: String
    /// nil = a random one. The same id again is the same operation.
    public var operation: OperationID?
    /// Wait until the operation has ended.
    public var waits: Bool
    public var limit: Milliseconds

    public init(job: String, reason: String = "", operation: OperationID? = nil, waits: Bool = false, limit: Milliseconds = .minutes(10)) {
        self.job = job
        self.reason = reason
        self.operation = operation
        self.waits = waits
        self.limit = limit
    }
}

/// The commands that talk to an engine over its control socket. Each returns the exit status.
public enum EngineCommands {
    static let clientName = "weir " + WeirVersion.current

    /// Connects to an engine of ours, runs a command and says why it failed.
    static func run(_ options: CommandOptions, _ body: (EngineLink) throws(CommandFailure) -> ExitStatus) -> Int32 {
        do throws(CommandFailure) {
            if let flink = options.flink {
                throw CommandFailure(.usage, "this command talks to engines of Weir only, and \(flink.address) is a Flink cluster")
            }
            let link = try EngineLink(path: options.socketPath, name: clientName, trust: options.trust)
            defer { link.client.close() }
            return try body(link).rawValue
        } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
    }

    /// As `run`, on an engine of either kind.
    static func act(_ options: CommandOptions, _ body: (any ActingLink) throws(CommandFailure) -> ExitStatus) -> Int32 {
        guard let flink = options.flink else { return run(options) { (link) throws(CommandFailure) in try body(link) } }
        return onFlink(options, flink) { (link) throws(CommandFailure) in try body(link) }
    }

    static func onFlink(_ options: CommandOptions, _ flink: FlinkConnection, _ body: (FlinkLink) throws(CommandFailure) -> ExitStatus) -> Int32 {
        let ledger = CommandLedger(
            path: options.ledgerPath, context: options.contextName, address: flink.address.description, output: options.output)
        let link = FlinkLink(flink, ledger: ledger)
        defer { link.close() }
        do throws(CommandFailure) { return try body(link).rawValue } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
    }

    /// As `act`, for commands that only look.
    private static func look(_ options: CommandOptions, _ body: (any LookingLink) throws(CommandFailure) -> ExitStatus) -> Int32 {
        act(options) { (link) throws(CommandFailure) in try body(link) }
    }

    @discardableResult
    static func print(_ value: some Encodable, _ options: CommandOptions) throws(CommandFailure) -> Bool {
        do throws(ControlCodecError) { return options.output.data(try ControlCodec.json(value)) } catch {
            throw CommandFailure(.failed, error.problem)
        }
    }

    // MARK: Looking

    public static func status(_ options: CommandOptions) -> Int32 {
        look(options) { (link) throws(CommandFailure) in
            let report = try link.report()
            if options.printsJSON {
                try print(report, options)
                return .ok
            }
            options.output.data(link.headline(report))
            for job in report.jobs where !job.state.isTerminal {
                options.output.data(statusLine(job, at: report.at))
                if job.state != .restarting, let failure = job.lastFailure {
                    options.output.data("          last failure \(Figures.duration(max(0, report.at - failure.at))) ago: \(printable(failure.message, limit: 400))")
                }
            }
            return .ok
        }
    }

    /// Prints a report whenever one comes, until nobody reads it (or `limit` of them).
    /// - Parameter job: only this one.
    public static func watch(_ options: CommandOptions, job: String?, limit: Int?) -> Int32 {
        look(options) { (link) throws(CommandFailure) in
            let reference = job.map { JobReference($0) }
            var left = limit ?? .max
            while left > 0 {
                left -= 1
                var report = try link.nextReport(of: reference)
                if let reference {
                    report.jobs = report.jobs.filter { $0.name == reference.text || $0.id.description.hasPrefix(reference.text.lowercased()) }
                    if report.jobs.isEmpty { throw CommandFailure(.refused, "there is no job '\(printable(reference.text))'") }
                }
                let isRead: Bool
                if options.printsJSON {
                    isRead = try print(report, options)
                } else {
                    let jobs = reference == nil ? report.jobs.filter { !$0.state.isTerminal } : report.jobs
                    isRead = jobs.allSatisfy { options.output.data(statusLine($0, at: report.at)) }
                }
                if !isRead { return .ok }
            }
            return .ok
        }
    }

    private static func statusLine(_ job: JobReport, at now: WallTime) -> String {
        let checkpoint = job.latestCompleted.map { "checkpoint \($0.id) \(Figures.duration(now - ($0.endedAt ?? $0.triggeredAt))) ago" } ?? "no checkpoint yet"
        return "\(job.id.short)  \(printable(job.name))  \(printable(job.stateText)) for \(Figures.duration(now - job.stateSince)), "
            + "\(Figures.fixed(job.throughput.recordsReadPerSecond, decimals: 0)) records/s, \(checkpoint), failures \(Figures.budget(job.budget))"
            + restart(job, at: now)
    }

    /// Which attempt comes when and why, while the job waits for it; else how many restarts there were.
    static func restart(_ job: JobReport, at now: WallTime) -> String {
        guard job.state == .restarting else { return job.restarts == 0 ? "" : ", restarts \(job.restarts)" }
        let wait = job.restartsAt.map { " in \(Figures.duration(max(0, $0 - now)))" } ?? ""
        let delay = job.restartDelay.map { " (delay \(Figures.duration($0)))" } ?? ""
        let reason = job.restartReason ?? job.lastFailure?.message ?? "no cause is known"
        return ", attempt \(job.attempt + 1)\(wait)\(delay): \(printable(reason, limit: 400))"
    }

    public static func jobs(_ options: CommandOptions) -> Int32 {
        look(options) { (link) throws(CommandFailure) in
            let jobs = try link.report().jobs
            if options.printsJSON {
                try print(jobs, options)
                return .ok
            }
            var table = TextTable(
                ["JOB", "NAME", "STATE", "TASKS", "RECORDS/S", "CHECKPOINTS", "FAILED", "BUDGET", "RESTARTS"], numeric: [3, 4, 5, 6, 7, 8])
            for job in jobs {
                table.add([
                    job.id.short, job.name, job.stateText, "\(job.runningSubtasks)/\(job.totalSubtasks)",
                    Figures.fixed(job.throughput.recordsReadPerSecond, decimals: 0), "\(job.counts.completed)", "\(job.counts.failed)",
                    Figures.budget(job.budget), "\(job.restarts)",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func checkpoints(_ options: CommandOptions, job: String, limit: Int?) -> Int32 {
        look(options) { (link) throws(CommandFailure) in
            let rows = try link.checkpoints(JobReference(job), limit: limit)
            if options.printsJSON {
                try print(rows, options)
                return .ok
            }
            var table = TextTable(["ID", "KIND", "STATUS", "DURATION", "SIZE", "ACKED", "PATH"], numeric: [0, 3, 4, 5])
            for row in rows {
                table.add([
                    "\(row.id)", row.kind.rawValue, row.discarded ? "DISCARDED" : row.status.rawValue, row.duration.map(Figures.duration) ?? "-",
                    Figures.bytes(row.stateSize), "\(row.acknowledgedSubtasks)/\(row.totalSubtasks)",
                    row.failure.map { "\($0.reasonName): \($0.message)" } ?? row.path ?? "-",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func operations(_ options: CommandOptions, limit: Int?) -> Int32 {
        act(options) { (link) throws(CommandFailure) in
            let operations = try link.operations(limit: limit)
            if options.printsJSON {
                try print(operations, options)
                return .ok
            }
            var table = TextTable(["OPERATION", "VERB", "JOB", "STATE", "BY", "RESULT"])
            for operation in operations {
                table.add([
                    operation.request.id.description, operation.request.kind.verb, operation.jobName, operation.state.rawValue,
                    operation.request.by, result(of: operation),
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    static func result(of operation: OperationReport) -> String {
        if let error = operation.error { return error }
        if let job = operation.newJob { return "job \(job)\(operation.path.map { " from \($0)" } ?? "")" }
        return operation.path ?? operation.checkpoint.map { "checkpoint \($0)" } ?? "-"
    }

    public static func audit(_ options: CommandOptions, limit: Int?) -> Int32 {
        if let flink = options.flink { return FlinkCommands.audit(options, flink, limit: limit) }
        return run(options) { (link) throws(CommandFailure) in
            guard case .audit(let entries) = try link.call(.audit(limit: limit)) else { throw CommandFailure(.noLink, "no audit") }
            if options.printsJSON {
                try print(entries, options)
                return .ok
            }
            var table = TextTable(["OPERATION", "VERB", "JOB", "BY", "UID", "STATE", "REASON", "OUTCOME"], numeric: [4])
            for entry in entries {
                table.add([
                    entry.operation.description, entry.verb.rawValue, entry.jobName, entry.by, "\(entry.userID)", entry.state.rawValue, entry.reason,
                    entry.outcome ?? "-",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }
}
