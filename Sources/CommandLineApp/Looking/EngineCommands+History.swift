internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
internal import EngineClients
internal import Glibc
internal import HostEnvironment
internal import Ledger
internal import StreamModel

extension EngineCommands {
    /// Prints the checkpoints that the ledger remembers, the newest first. Needs no engine.
    /// - Parameters:
    ///   - job: a name, or an id of 32 digits; nil = of all jobs.
    ///   - context: only those that were first seen in this context.
    public static func history(_ options: CommandOptions, ledger path: String, job: String?, context: String?, limit: Int?) -> Int32 {
        do throws(ClientFailure) {
            let rows = try remembered(CheckpointQuery(context: context, job: job, limit: limit ?? 1000), path)
            if options.printsJSON {
                try print(rows, options)
                return ExitStatus.ok.rawValue
            }
            if rows.isEmpty { options.output.say("nothing is remembered\(job.map { " of '\(printable($0))'" } ?? ""); consoles write the record, to \(path)") }
            var table = TextTable(
                ["WHEN", "AGE", "CONTEXT", "JOB", "ID", "KIND", "STATUS", "FATE", "SEEN", "DURATION", "SIZE", "PATH"], numeric: [0, 1, 4, 8, 9, 10])
            let times = options.times
            for row in rows {
                let report = row.report
                table.add([
                    times.when(report.triggeredAt), times.age(report.triggeredAt), row.context, row.jobName, "\(report.id)", report.kind.rawValue,
                    report.status.rawValue, row.fate.rawValue, "\(times.age(row.lastSeenAt)) ago",
                    report.duration.map { Figures.duration($0).string } ?? "-", Figures.bytes(report.stateSize).string,
                    report.failure.map { "\($0.reasonName): \($0.message)" } ?? report.path ?? "-",
                ])
            }
            if !rows.isEmpty { for line in table.lines { options.output.data(line) } }
            return ExitStatus.ok.rawValue
        } catch {
            if let message = error.message { options.output.say(message) }
            return error.status.rawValue
        }
    }

    /// A ledger that does not exist yet is an empty one, and stays unmade.
    private static func remembered(_ query: CheckpointQuery, _ path: String) throws(ClientFailure) -> [RememberedCheckpoint] {
        guard access(path, F_OK) == 0 || errno != ENOENT else { return [] }
        do throws(LedgerError) { return try Ledger.open(path: path).checkpoints(query) } catch { throw ClientFailure(.failed, error.description) }
    }
}
