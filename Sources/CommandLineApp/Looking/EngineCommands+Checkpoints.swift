internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import Ledger
internal import StreamModel

/// The snapshots that a restart of a job can use.
extension EngineCommands {
    /// Number of earlier runs that are searched.
    private static let runsMax = 8

    public static func checkpoints(_ options: CommandOptions, job: String, limit: Int?) -> Int32 {
        look(options) { (link) throws(ClientFailure) in
            let all = try lineage(of: job, on: link, options)
            let rows = limit.map { Array(all.prefix($0)) } ?? all
            if options.printsJSON {
                try print(rows, options)
                return .ok
            }
            for line in table(rows, options.times).lines { options.output.data(line) }
            return .ok
        }
    }

    private static func table(_ rows: [LineageCheckpoint], _ times: TimeColumns) -> TextTable {
        var table = TextTable(
            ["ID", "KIND", "STATUS", "WHEN", "AGE", "RUN", "RESTART", "DURATION", "SIZE", "ACKED", "PATH"], numeric: [0, 3, 4, 7, 8, 9])
        for row in rows {
            let report = row.report, time = report.triggeredAt
            table.add([
                "\(report.id)", report.kind.rawValue, report.discarded ? "DISCARDED" : report.status.rawValue, times.when(time), times.age(time), run(row),
                row.problem.map { "no: \($0)" } ?? (row.isKnownToBeThere ? "yes" : "not looked at"), report.duration.map { Figures.duration($0).string } ?? "-",
                Figures.bytes(report.stateSize).string, "\(report.acknowledgedSubtasks)/\(report.totalSubtasks)",
                report.failure.map { "\($0.reasonName): \($0.message)" } ?? report.path ?? "-",
            ])
        }
        return table
    }

    /// The run that it belongs to, and where it is known.
    private static func run(_ row: LineageCheckpoint) -> String {
        if row.source == .ledger { return "\(row.job.short) (ledger)" }
        return row.run == 0 ? row.job.short : "\(row.job.short) (earlier)"
    }

    /// The checkpoints of a job and of its earlier runs, from the engine and from the ledger.
    static func lineage(of job: String, on link: some LookingLink, _ options: CommandOptions) throws(ClientFailure) -> [LineageCheckpoint] {
        let runs: [Lineage.Run]
        do throws(ClientFailure) { runs = try listedRuns(of: job, on: link) } catch {
            // An engine that was started anew has forgotten its jobs.
            guard error.status == .refused, try !link.lists(JobReference(job)) else { throw error }
            let past = remembered(of: job, listed: [], options), message = error.message ?? "the engine does not know it"
            guard past.foreign == 0 || !past.own.isEmpty else {
                throw ClientFailure(
                    .refused, "\(message); what the ledger has of that name may be of another engine: see 'weir checkpoints \(printable(job)) --history'")
            }
            guard !past.own.isEmpty else { throw error }
            options.output.say("\(message); as the ledger has it:")
            return Lineage([]).rows(remembered: past.own, isThere: isThere(options))
        }
        let past = runs.first.map { remembered(of: $0.job.name, listed: Set(runs.map(\.job.id)), options).own } ?? []
        return Lineage(runs).rows(remembered: past, isThere: isThere(options))
    }

    /// The job and its earlier runs, each with all that the engine lists of it.
    private static func listedRuns(of job: String, on link: some LookingLink) throws(ClientFailure) -> [Lineage.Run] {
        var runs: [Lineage.Run] = []
        for (index, run) in try link.runs(of: JobReference(job)).prefix(runsMax).enumerated() {
            do throws(ClientFailure) {
                runs.append(Lineage.Run(run, checkpoints: try link.checkpoints(JobReference(run.id), limit: nil)))
            } catch {
                // An engine may have forgotten the list of an old run.
                if index == 0 { throw error }
            }
        }
        return runs
    }

    /// Whether the files of a snapshot exist; nil = unknown, since a cluster's paths are not this machine's.
    private static func isThere(_ options: CommandOptions) -> (String) -> Bool? {
        let isOurs = options.flink == nil
        return { path in isOurs && path.hasPrefix("/") ? access(SnapshotLocation(path).text + "/_metadata", F_OK) == 0 : nil }
    }

    /// The records of this engine alone, never of another context. An unreadable ledger is reported and hides nothing else.
    private static func remembered(of name: String, listed: Set<JobID>, _ options: CommandOptions) -> EngineRecord.Found {
        guard access(options.ledgerPath, F_OK) == 0 else { return EngineRecord.Found() }
        do throws(LedgerError) {
            return try options.record.checkpoints(of: name, in: try Ledger.open(path: options.ledgerPath), listed: listed)
        } catch {
            options.output.say("the ledger could not be read: \(error)")
            return EngineRecord.Found()
        }
    }

    // MARK: The beginning of a restart

    /// - Parameter text: "latest", "savepoint", the number of a checkpoint, or a path.
    /// - Returns: the path; nil = the newest that can be restored.
    static func start(
        _ text: String, of job: String, on link: some ActingLink, _ options: CommandOptions
    ) throws(ClientFailure) -> String? {
        switch text {
        case "latest": return nil
        case "savepoint": return try newestSavepoint(of: job, on: link, options)
        default:
            guard let number = UInt64(text) else { return StandardPaths.location(text) }
            return try numbered(CheckpointID(number), of: job, on: link, options)
        }
    }

    private static func newestSavepoint(of job: String, on link: some ActingLink, _ options: CommandOptions) throws(ClientFailure) -> String {
        let savepoints = try lineage(of: job, on: link, options).filter { $0.report.kind.isSavepoint && $0.problem == nil }
        guard let newest = savepoints.max(by: { $0.report.triggeredAt < $1.report.triggeredAt }), let path = newest.report.path else {
            throw ClientFailure(.refused, "'\(printable(job))' has no savepoint that can be restored: take one with 'weir savepoint \(printable(job)) --wait'")
        }
        options.output.say("from savepoint #\(newest.report.id), \(options.times.age(newest.report.triggeredAt)) ago: \(printable(path, limit: 1000))")
        return path
    }

    /// A checkpoint of the job or, if the job has no such number, of the one earlier run that the engine lists with it.
    private static func numbered(
        _ id: CheckpointID, of job: String, on link: some ActingLink, _ options: CommandOptions
    ) throws(ClientFailure) -> String {
        let own: CheckpointReport
        do throws(ClientFailure) { own = try link.checkpoint(JobReference(job), id) } catch {
            guard error.status == .refused, let found = try earlier(id, of: job, on: link) else { throw error }
            let path = try path(of: found.row, of: job)
            options.output.say("checkpoint #\(id) belongs to the earlier run \(found.run.short): \(printable(path, limit: 1000))")
            return path
        }
        return try path(of: own, of: job)
    }

    private static func path(of row: CheckpointReport, of job: String) throws(ClientFailure) -> String {
        if row.isRestorable, let path = row.path { return path }
        let why = row.discarded ? "its files were deleted" : row.status == .completed ? "its path is not known" : "it is \(row.status.rawValue)"
        throw ClientFailure(.refused, "checkpoint #\(row.id) cannot be restored: \(why); \(advice(job))")
    }

    private static func advice(_ job: String) -> String { "'weir checkpoints \(printable(job))' lists what can be restored" }

    /// The checkpoint of this number among the earlier runs. If there are several, the operator must choose.
    private static func earlier(
        _ id: CheckpointID, of job: String, on link: some ActingLink
    ) throws(ClientFailure) -> (run: JobID, row: CheckpointReport)? {
        let runs: [Lineage.Run]
        // The engine does not know the job, and has said so.
        do throws(ClientFailure) { runs = try listedRuns(of: job, on: link) } catch  where error.status == .refused { return nil }
        let found = runs.dropFirst().flatMap { run in run.checkpoints.filter { $0.id == id }.map { (run: run.job.id, row: $0) } }
        guard found.count <= 1 else {
            let names = found.map(\.run.short).joined(separator: ", ")
            throw ClientFailure(.refused, "checkpoint #\(id) belongs to \(found.count) earlier runs, \(names): give its path; \(advice(job))")
        }
        return found.first
    }
}
