internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
internal import EngineClients
internal import FlinkREST
internal import HostEnvironment
internal import Ledger
public import StreamModel

/// Commands for Flink clusters only: jars, savepoints and the record of actions. Each returns the exit status.
public enum FlinkCommands {
    private static func run(_ options: CommandOptions, _ body: (FlinkLink) throws(ClientFailure) -> ExitStatus) -> Int32 {
        run(options, nil) { (link, _) throws(ClientFailure) in try body(link) }
    }

    /// - Parameter limit: for everything, from the connection on; nil = each answer has its own.
    static func run(
        _ options: CommandOptions, _ limit: Milliseconds?, _ body: (FlinkLink, Deadline) throws(ClientFailure) -> ExitStatus
    ) -> Int32 {
        let deadline = Deadline(after: limit ?? .minutes(10))
        guard let flink = options.flink else {
            options.output.say("this command is for Flink clusters: name one with --flink http://host:8081, or a context that is one")
            return ExitStatus.usage.rawValue
        }
        return EngineCommands.onFlink(options, flink, before: limit == nil ? nil : deadline) { (link) throws(ClientFailure) in try body(link, deadline) }
    }

    // MARK: Jars

    private struct JarRecord: Encodable {
        var id, name: String
        var uploadedAt: WallTime
        var entryClasses: [String]
    }

    public static func jars(_ options: CommandOptions) -> Int32 {
        run(options) { (link) throws(ClientFailure) in
            let jars = try link.jars()
            if options.printsJSON {
                let records = jars.map { JarRecord(id: $0.id, name: $0.name, uploadedAt: $0.uploadedAt, entryClasses: $0.entryClasses) }
                try EngineCommands.print(records, options)
                return .ok
            }
            var table = TextTable(["JAR", "NAME", "AGE", "ENTRY CLASSES"], numeric: [2])
            for jar in jars {
                table.add([jar.id, jar.name, options.times.age(jar.uploadedAt), jar.entryClasses.joined(separator: ", ")])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func upload(_ options: CommandOptions, jar path: String, reason: String, limit: Milliseconds) -> Int32 {
        act(options, .uploadJar(file: path), reason: reason, limit: limit) { (report) throws(ClientFailure) in
            let id = report.jar ?? ""
            if options.printsJSON { try EngineCommands.print(["id": id], options) } else { options.output.data(printable(id, limit: 1000)) }
        }
    }

    public static func delete(_ options: CommandOptions, jar id: String, reason: String, limit: Milliseconds) -> Int32 {
        act(options, .deleteJar(id: id), reason: reason, limit: limit) { _ in options.output.say("\(printable(id)) is deleted") }
    }

    /// Acts on the cluster itself and reports the outcome.
    private static func act(
        _ options: CommandOptions, _ kind: OperationRequest.Kind, reason: String, limit: Milliseconds,
        _ tell: (OperationReport) throws(ClientFailure) -> Void
    ) -> Int32 {
        run(options, limit) { (link, deadline) throws(ClientFailure) in
            let command = JobCommand(
                operation: OperationID(random: .random(in: .min ... .max)), job: JobReference(JobID.none), action: kind, reason: reason,
                by: OperatorIdentity.current())
            let report = try link.operate(command, before: deadline)
            switch report.state {
            case .completed: try tell(report)
            case .failed, .interrupted: throw ClientFailure(.failed, report.error)
            case .unknown, .accepted, .running: throw ClientFailure(.unproven, "operation \(report.request.id): \(report.error ?? "its outcome is unknown")")
            }
            return .ok
        }
    }

    /// Launches a new job.
    /// - Parameter from: checkpoint or savepoint; nil = it starts without state.
    public static func launch(
        _ options: CommandOptions, _ recipe: JarRecipe, from: String?, claims: Bool, allowsUnmatched: Bool, reason: String, operation: OperationID?,
        waits: Bool, limit: Milliseconds
    ) -> Int32 {
        run(options, limit) { (link, deadline) throws(ClientFailure) in
            let id = operation ?? OperationID(random: .random(in: .min ... .max))
            var launch = RestartOptions(path: from.map(StandardPaths.location))
            launch.claim = claims ? .claim : .noClaim
            launch.allowsUnmatchedState = allowsUnmatched
            launch.recipe = recipe
            let command = JobCommand(
                operation: id, job: JobReference(FlinkLink.launchedJob(of: id)), action: .launch(launch), reason: reason, by: OperatorIdentity.current())
            let launched = try link.operate(command, before: deadline)
            if let jar = launched.jar { options.output.say("jar \(printable(jar, limit: 1000))") }
            guard waits, launched.state == .completed else {
                try EngineCommands.show(launched, options)
                return EngineCommands.status(of: launched, hasEnded: true)
            }
            if launched.path != nil { return try EngineCommands.prove(launched, on: link, options, before: deadline) }
            let job = try link.follow(id, before: deadline) { report -> JobReport? in
                report.jobs.first {
                    $0.id == launched.newJob && ($0.state.isTerminal || $0.state == .running && $0.runningSubtasks == $0.totalSubtasks && $0.totalSubtasks > 0)
                }
            }
            try EngineCommands.show(launched, options)
            guard let job else { return .unproven }
            options.output.say("\(printable(job.name)) is \(printable(job.stateText)), \(job.runningSubtasks)/\(job.totalSubtasks) tasks")
            return job.state == .failed || job.state == .canceled ? .failed : .ok
        }
    }

    // MARK: Savepoints

    public static func dispose(_ options: CommandOptions, path: String, reason: String, limit: Milliseconds) -> Int32 {
        let place = StandardPaths.location(path)
        return act(options, .dispose(path: place), reason: reason, limit: limit) { _ in options.output.say("\(printable(place, limit: 1000)) is deleted") }
    }

    // MARK: The record

    /// Actions on a cluster, by this user's record.
    private struct AuditRecord: Encodable {
        var at: WallTime
        var operation: OperationID
        var verb: String
        var subject: String
        var by: String
        var reason: String
        var outcome: String
        /// "cancel+discard", "proven": as tables have them.
        var title, stage: String
        var result: String?

        init(_ entry: LedgerEntry) {
            (at, operation, by, reason) = (entry.sentAt, entry.request.id, entry.request.by, entry.request.reason)
            verb = entry.request.kind.verb
            subject =
                switch entry.request.kind {
                case .dispose(let path), .uploadJar(let path), .deleteJar(let path): path
                case .savepoint, .checkpoint, .stop, .cancel, .restart, .launch, .fault: entry.request.job.description
                }
            let report = OperationReport(entry)
            (outcome, result) = (entry.outcome.rawValue, report.result)
            (title, stage) = (entry.request.kind.title, report.verdict?.isProven == true ? report.stage : entry.outcome.rawValue)
        }
    }

    static func audit(_ options: CommandOptions, _ flink: FlinkConnection, limit: Int?) -> Int32 {
        EngineCommands.onFlink(options, flink) { (link) throws(ClientFailure) in
            let newest = try link.ledger.recent(limit: limit ?? 100).map(AuditRecord.init)
            if options.printsJSON {
                try EngineCommands.print(newest, options)
                return .ok
            }
            var table = TextTable(["WHEN", "AGE", "OPERATION", "WHAT", "SUBJECT", "STAGE", "BY", "REASON", "RESULT"], numeric: [0, 1])
            let times = options.times
            for record in newest {
                table.add([
                    times.when(record.at), times.age(record.at), record.operation.description, record.title, record.subject, record.stage, record.by,
                    record.reason, record.result ?? "-",
                ])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }
}
