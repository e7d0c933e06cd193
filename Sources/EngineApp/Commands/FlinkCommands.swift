internal import ControlProtocol
internal import FlinkREST
internal import Ledger
public import StreamModel

/// The commands that only a Flink cluster knows: its jars, its savepoints, and what was done to it. Each returns the exit status.
public enum FlinkCommands {
    private static func run(_ options: CommandOptions, _ body: (FlinkLink) throws(CommandFailure) -> ExitStatus) -> Int32 {
        guard let flink = options.flink else {
            options.output.say("this command is for Flink clusters: name one with --flink http://host:8081, or a context that is one")
            return ExitStatus.usage.rawValue
        }
        return EngineCommands.onFlink(options, flink, body)
    }

    private static func chores(_ link: FlinkLink) -> FlinkChores {
        FlinkChores(client: link.client, pause: { pause(milliseconds: Int32(clamping: $0.count)) })
    }

    private static func done<Value>(_ body: () throws(FlinkChores.Failure) -> Value) throws(CommandFailure) -> Value {
        do throws(FlinkChores.Failure) { return try body() } catch {
            switch error {
            case .refused(let message): throw CommandFailure(.refused, message)
            case .failed(let message): throw CommandFailure(.failed, message)
            case .unknown(let message): throw CommandFailure(.unproven, message)
            }
        }
    }

    // MARK: Jars

    private struct JarRecord: Encodable {
        var id, name: String
        var uploadedAt: WallTime
        var entryClasses: [String]
    }

    public static func jars(_ options: CommandOptions) -> Int32 {
        run(options) { (link) throws(CommandFailure) in
            let jars = try done { () throws(FlinkChores.Failure) in try chores(link).jars() }
            if options.printsJSON {
                let records = jars.map { JarRecord(id: $0.id, name: $0.name, uploadedAt: $0.uploadedAt, entryClasses: $0.entryClasses) }
                try EngineCommands.print(records, options)
                return .ok
            }
            var table = TextTable(["JAR", "NAME", "AGE", "ENTRY CLASSES"], numeric: [2])
            for jar in jars {
                table.add([jar.id, jar.name, Figures.duration(max(0, .now() - jar.uploadedAt)), jar.entryClasses.joined(separator: ", ")])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }

    public static func upload(_ options: CommandOptions, jar path: String, reason: String) -> Int32 {
        run(options) { (link) throws(CommandFailure) in
            let id = try link.ledger.doing(.uploadJar, path, reason: reason, by: CommandIdentity.operatorName, { () throws(CommandFailure) in
                try done { () throws(FlinkChores.Failure) in try chores(link).upload(jar: path, jars: link.ledger.jars) }
            }, result: { $0 })
            if options.printsJSON { try EngineCommands.print(["id": id], options) } else { options.output.data(printable(id, limit: 1000)) }
            return .ok
        }
    }

    public static func delete(_ options: CommandOptions, jar id: String, reason: String) -> Int32 {
        run(options) { (link) throws(CommandFailure) in
            try link.ledger.doing(.deleteJar, id, reason: reason, by: CommandIdentity.operatorName, { () throws(CommandFailure) in
                try done { () throws(FlinkChores.Failure) in try chores(link).delete(jar: id) }
            }, result: { _ in nil })
            options.output.say("\(printable(id)) is deleted")
            return .ok
        }
    }

    /// Launches a job that was none before.
    /// - Parameter from: checkpoint or savepoint; nil = it begins with no state.
    public static func launch(
        _ options: CommandOptions, _ recipe: JarRecipe, from: String?, claims: Bool, allowsUnmatched: Bool, reason: String, operation: OperationID?,
        waits: Bool, limit: Milliseconds
    ) -> Int32 {
        run(options) { (link) throws(CommandFailure) in
            let id = operation ?? OperationID(random: .random(in: .min ... .max))
            var launch = RestartOptions(path: from.map(StandardPaths.location))
            launch.claim = claims ? .claim : .noClaim
            launch.allowsUnmatchedState = allowsUnmatched
            launch.recipe = recipe
            let command = JobCommand(
                operation: id, job: JobReference(FlinkOperationNames.job(of: id)), action: .launch(launch), reason: reason, by: CommandIdentity.operatorName)
            let launched = try link.operate(command)
            if let jar = launched.jar { options.output.say("jar \(printable(jar, limit: 1000))") }
            guard waits, launched.state == .completed else {
                try EngineCommands.show(launched, options)
                return EngineCommands.status(of: launched, hasEnded: true)
            }
            if launched.path != nil { return try EngineCommands.prove(launched, on: link, options, limit: limit) }
            let job = try link.follow(id, for: limit) { report -> JobReport? in
                report.jobs.first { $0.id == launched.newJob && ($0.state.isTerminal || $0.state == .running && $0.runningSubtasks == $0.totalSubtasks && $0.totalSubtasks > 0) }
            }
            try EngineCommands.show(launched, options)
            guard let job else { return .unproven }
            options.output.say("\(printable(job.name)) is \(printable(job.stateText)), \(job.runningSubtasks)/\(job.totalSubtasks) tasks")
            return job.state == .failed || job.state == .canceled ? .failed : .ok
        }
    }

    // MARK: Savepoints

    public static func dispose(_ options: CommandOptions, path: String, reason: String, limit: Milliseconds) -> Int32 {
        run(options) { (link) throws(CommandFailure) in
            let place = StandardPaths.location(path)
            try link.ledger.doing(.disposeSavepoint, place, reason: reason, by: CommandIdentity.operatorName, { () throws(CommandFailure) in
                try done { () throws(FlinkChores.Failure) in try chores(link).dispose(savepoint: place, limit: limit) }
            }, result: { _ in nil })
            options.output.say("\(printable(place, limit: 1000)) is deleted")
            return .ok
        }
    }

    // MARK: The record

    /// What was done to a cluster, as the record of this user has it.
    private struct AuditRecord: Encodable {
        var at: WallTime
        var operation: OperationID
        var verb: String
        var subject: String
        var by: String
        var reason: String
        var outcome: String
        var result: String?

        init(_ entry: LedgerEntry) {
            (at, operation, by, reason) = (entry.sentAt, entry.request.id, entry.request.by, entry.request.reason)
            (verb, subject) = (entry.request.kind.verb, entry.request.job.description)
            (outcome, result) = (entry.outcome.rawValue, entry.error ?? entry.path ?? entry.newJob.map { "job \($0)" })
        }

        init(_ chore: LedgerChore) {
            (at, operation, by, reason) = (chore.sentAt, chore.id, chore.by, chore.reason)
            (verb, subject) = (chore.verb.rawValue, chore.subject)
            (outcome, result) = (chore.outcome.rawValue, chore.error ?? chore.result)
        }
    }

    static func audit(_ options: CommandOptions, _ flink: FlinkConnection, limit: Int?) -> Int32 {
        EngineCommands.onFlink(options, flink) { (link) throws(CommandFailure) in
            let limit = limit ?? 100
            let records = try link.ledger.recent(limit: limit).map(AuditRecord.init) + link.ledger.chores(limit: limit).map(AuditRecord.init)
            let newest = records.sorted { $0.at > $1.at }.prefix(limit)
            if options.printsJSON {
                try EngineCommands.print(Array(newest), options)
                return .ok
            }
            var table = TextTable(["OPERATION", "VERB", "SUBJECT", "BY", "REASON", "OUTCOME", "RESULT"])
            for record in newest {
                table.add([record.operation.description, record.verb, record.subject, record.by, record.reason, record.outcome, record.result ?? "-"])
            }
            for line in table.lines { options.output.data(line) }
            return .ok
        }
    }
}
