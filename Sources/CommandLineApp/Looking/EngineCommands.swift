internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
public import ControlSocket
internal import EngineClients
internal import EngineHost
public import FlinkREST
public import HostEnvironment
public import SnapshotStorage
public import StreamModel

/// Options of all commands that talk to an engine.
public struct CommandOptions: Sendable {
    public var socketPath: String
    /// The users whose engine is trusted.
    public var trust: EngineTrust
    /// A Flink cluster instead of an engine of ours.
    public var flink: FlinkConnection?
    /// Its name in the record of actions.
    public var contextName: String
    /// Whether the engine is not the user's usual one, though recorded under the same name.
    public var isNamedByPath = false
    /// The record of actions, of engines that keep none themselves.
    public var ledgerPath: String
    /// Access to the stores of snapshots; nil = they are not asked.
    public var storage: StorageSettings?
    /// Print the records as JSON, one line.
    public var printsJSON: Bool
    /// Print times in UTC instead of the zone of the process.
    public var usesUTC: Bool
    public var output: Output

    public init(
        socketPath: String? = nil, trust: EngineTrust = .own, flink: FlinkConnection? = nil, contextName: String = FlinkConnection.sharedContext,
        ledgerPath: String? = nil, printsJSON: Bool = false, usesUTC: Bool = false, output: Output = .standard
    ) {
        self.contextName = contextName
        self.ledgerPath = ledgerPath ?? BaseDirectories().ledgerPath
        self.socketPath = socketPath ?? SocketPath.standard()
        self.trust = trust
        self.flink = flink
        self.printsJSON = printsJSON
        self.usesUTC = usesUTC
        self.output = output
    }

    /// The ledger's records of the engine.
    var record: EngineRecord {
        let sharedAt: String? =
            if let flink { contextName == FlinkConnection.sharedContext ? flink.address.description : nil } else { isNamedByPath ? socketPath : nil }
        return EngineRecord(context: contextName, sharedAt: sharedAt)
    }

    var times: TimeColumns { TimeColumns(usesUTC: usesUTC) }
}

/// Further options of the acting commands.
public struct ActionOptions: Sendable {
    public var job: String
    public var reason: String
    /// nil = a random one. Repeating an id means the same operation.
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
    static func run(
        _ options: CommandOptions, before deadline: Deadline? = nil, _ body: (EngineLink) throws(ClientFailure) -> ExitStatus
    ) -> Int32 {
        do throws(ClientFailure) {
            if let flink = options.flink {
                throw ClientFailure(.usage, "this command talks to engines of Weir only, and \(flink.address) is a Flink cluster")
            }
            let link = try EngineLink(path: options.socketPath, name: clientName, trust: options.trust, before: deadline)
            defer { link.client.close() }
            return try body(link).rawValue
        } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
    }

    /// As `act`, and everything on the way, from the connection on, shares the limit.
    static func act(
        _ options: CommandOptions, within limit: Milliseconds, _ body: (any ActingLink, Deadline) throws(ClientFailure) -> ExitStatus
    ) -> Int32 {
        let deadline = Deadline(after: limit)
        guard let flink = options.flink else {
            return run(options, before: deadline) { (link) throws(ClientFailure) in try body(link, deadline) }
        }
        return onFlink(options, flink, before: deadline) { (link) throws(ClientFailure) in try body(link, deadline) }
    }

    /// As `run`, on an engine of either kind.
    static func act(_ options: CommandOptions, _ body: (any ActingLink) throws(ClientFailure) -> ExitStatus) -> Int32 {
        guard let flink = options.flink else { return run(options) { (link) throws(ClientFailure) in try body(link) } }
        return onFlink(options, flink) { (link) throws(ClientFailure) in try body(link) }
    }

    static func onFlink(
        _ options: CommandOptions, _ flink: FlinkConnection, before deadline: Deadline? = nil, _ body: (FlinkLink) throws(ClientFailure) -> ExitStatus
    ) -> Int32 {
        let ledger = CommandLedger(
            path: options.ledgerPath, context: options.contextName, address: flink.address.description, output: options.output)
        // A store has what the command has left of its time, and no more than a look may take.
        let limit = min(StoredFiles.lookLimit, deadline?.left ?? StoredFiles.lookLimit)
        let link = FlinkLink(flink, ledger: ledger, stored: options.storage.map { StoredFiles($0, limit: limit) })
        if let deadline { link.client.bound(until: deadline.end) }
        defer { link.close() }
        do throws(ClientFailure) { return try body(link).rawValue } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
    }

    /// As `act`, for commands that only look.
    static func look(_ options: CommandOptions, _ body: (any LookingLink) throws(ClientFailure) -> ExitStatus) -> Int32 {
        act(options) { (link) throws(ClientFailure) in try body(link) }
    }

    @discardableResult
    static func print(_ value: some Encodable, _ options: CommandOptions) throws(ClientFailure) -> Bool {
        do throws(ControlCodecError) { return options.output.data(try ControlCodec.json(value)) } catch {
            throw ClientFailure(.failed, error.problem)
        }
    }

    // MARK: Looking

    public static func status(_ options: CommandOptions) -> Int32 {
        look(options) { (link) throws(ClientFailure) in
            let report = try link.report()
            if let shortcoming = link.shortcoming { options.output.say(shortcoming) }
            if options.printsJSON {
                try print(report, options)
                return .ok
            }
            options.output.data(link.headline(report))
            for job in report.jobs where !job.state.isTerminal || isDown(job, in: report) {
                options.output.data(statusLine(job, at: report.at))
                if job.state != .restarting, let failure = job.lastFailure {
                    options.output.data(
                        "          last failure \(Figures.duration(max(0, report.at - failure.at))) ago: \(printable(failure.message, limit: 400))")
                }
            }
            return .ok
        }
    }

    /// Whether it has failed and no later run has its name.
    private static func isDown(_ job: JobReport, in report: EngineReport) -> Bool {
        job.state == .failed && report.jobs.first { $0.name == job.name }?.id == job.id
    }

    /// Prints a line for each job at every change and once a second (as JSON: each report as it comes), until nobody reads it or `limit` reports have
    /// come.
    /// - Parameter job: only this one.
    public static func watch(_ options: CommandOptions, job: String?, limit: Int?) -> Int32 {
        look(options) { (link) throws(ClientFailure) in
            let reference = job.map { JobReference($0) }
            let times = options.times
            var left = limit ?? .max
            var steady = SteadyLines()
            while left > 0 {
                left -= 1
                var report = try link.nextReport(of: reference)
                if let reference {
                    report.jobs = report.jobs.filter { $0.name == reference.text || $0.id.description.hasPrefix(reference.text.lowercased()) }
                    if report.jobs.isEmpty { throw ClientFailure(.refused, "there is no job '\(printable(reference.text))'") }
                }
                let isRead: Bool
                if options.printsJSON {
                    isRead = try print(report, options)
                } else {
                    let live = report.jobs.filter { !$0.state.isTerminal }
                    // The earlier runs of the name have nothing to tell any more.
                    let jobs = reference == nil || !live.isEmpty ? live : Array(report.jobs.prefix(1))
                    steady.keepOnly(jobs)
                    isRead = jobs.allSatisfy { job in
                        guard steady.tells(job, at: report.at) else { return true }
                        return options.output.data("\(times.when(report.at))  \(statusLine(job, at: report.at))")
                    }
                }
                if !isRead { return .ok }
            }
            return .ok
        }
    }

    private static func statusLine(_ job: JobReport, at now: WallTime) -> String {
        let checkpoint =
            job.latestCompleted.map { "checkpoint #\($0.id), \(Figures.duration(now - ($0.endedAt ?? $0.triggeredAt))) ago" } ?? withoutCheckpoint(job)
        return "\(job.id.short)  \(printable(job.name))  \(printable(job.stateText)) for \(Figures.duration(now - job.stateSince)), "
            + "\(Figures.rate(job.throughput.recordsReadPerSecond)) records/s, \(checkpoint), failures \(Figures.budget(job.budget))"
            + restart(job, at: now)
    }

    /// The snapshot that a job without a checkpoint of its own goes back to.
    private static func withoutCheckpoint(_ job: JobReport) -> String {
        if let restored = job.restored, restored.hasPlace {
            return "no checkpoint of its own, goes back to #\(restored.checkpoint), \(printable(restored.path, limit: 1000))"
        }
        if let freshness = job.freshness, freshness.checkpoints == nil { return "checkpoints not told" }
        return job.lacksCheckpointList == true && job.counts.completed > 0 ? "\(job.counts.completed) checkpoints, none listed" : "no checkpoint yet"
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
        look(options) { (link) throws(ClientFailure) in
            let jobs = try link.report().jobs
            if let shortcoming = link.shortcoming { options.output.say(shortcoming) }
            if options.printsJSON {
                try print(jobs, options)
                return .ok
            }
            var table = TextTable(
                ["JOB", "NAME", "STATE", "TASKS", "RECORDS/S", "CHECKPOINTS", "FAILED", "BUDGET", "RESTARTS"], numeric: [3, 4, 5, 6, 7, 8])
            for job in jobs {
                table.add([
                    job.id.short, job.name, job.stateText, "\(job.runningSubtasks)/\(job.totalSubtasks)",
                    Figures.rate(job.throughput.recordsReadPerSecond).string, "\(job.counts.completed)", "\(job.counts.failed)",
                    Figures.budget(job.budget).string, "\(job.restarts)",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func operations(_ options: CommandOptions, limit: Int?) -> Int32 {
        act(options) { (link) throws(ClientFailure) in
            let operations = try link.operations(limit: limit)
            if options.printsJSON {
                try print(operations, options)
                return .ok
            }
            var table = TextTable(["WHEN", "AGE", "OPERATION", "WHAT", "JOB", "STAGE", "BY", "RESULT"], numeric: [0, 1])
            let times = options.times
            for operation in operations {
                table.add([
                    times.when(operation.acceptedAt), times.age(operation.acceptedAt), operation.request.id.description, operation.request.kind.title,
                    operation.subject, operation.stage, operation.request.by, operation.result ?? "-",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func audit(_ options: CommandOptions, limit: Int?) -> Int32 {
        if let flink = options.flink { return FlinkCommands.audit(options, flink, limit: limit) }
        return run(options) { (link) throws(ClientFailure) in
            guard case .audit(let entries) = try link.call(.audit(limit: limit)) else { throw ClientFailure(.noLink, "no audit") }
            if options.printsJSON {
                try print(entries, options)
                return .ok
            }
            var table = TextTable(["WHEN", "AGE", "OPERATION", "WHAT", "JOB", "STAGE", "BY", "UID", "REASON", "RESULT"], numeric: [0, 1, 7])
            let times = options.times
            for entry in entries {
                table.add([
                    times.when(entry.at), times.age(entry.at), entry.operation.description, entry.title ?? entry.verb.rawValue, entry.jobName,
                    entry.stage ?? entry.state.rawValue, entry.by, "\(entry.userID)", entry.reason, entry.outcome ?? "-",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }
}
