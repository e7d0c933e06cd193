internal import CellGrid
internal import ConsoleCore
internal import ControlProtocol
internal import EngineClients
internal import FlinkREST
internal import HostEnvironment
public import StreamModel

/// Savepoints at regular times.
extension EngineCommands {
    /// Takes a savepoint every so often, until the process is ended, and keeps the newest.
    /// - Parameters:
    ///   - period: nil = one savepoint, and the exit status says how it ended.
    ///   - kept: nil = none is deleted.
    public static func savepoints(_ options: CommandOptions, _ action: ActionOptions, directory: String?, every period: Milliseconds?, kept: Int?) -> Int32 {
        while true {
            let begun = EngineInstant.now()
            let status = savepoint(options, action, directory: directory, kept: kept)
            guard let period else { return status }
            if status != ExitStatus.ok.rawValue { options.output.say("the next try is in \(Figures.duration(max(0, period - (EngineInstant.now() - begun))))") }
            while EngineInstant.now() - begun < period { pause(milliseconds: Int32(clamping: min(1000, max(1, period - (EngineInstant.now() - begun))).count)) }
        }
    }

    private static func savepoint(_ options: CommandOptions, _ action: ActionOptions, directory: String?, kept: Int?) -> Int32 {
        guard let kept else {
            var waiting = action
            waiting.waits = true
            return savepoint(options, waiting, directory: directory)
        }
        return FlinkCommands.run(options, action.limit) { (link, deadline) throws(ClientFailure) in
            let (job, state) = try link.target(JobReference(action.job))
            guard let name = link.picture.job(job)?.name else {
                throw ClientFailure(.refused, "the cluster does not know '\(printable(action.job))': nothing was sent")
            }
            let floor = SavepointFloor(of: name, kept: kept)
            let command = JobCommand(
                operation: floor.operation(random: .random(in: .min ... .max)), job: JobReference(job),
                action: .savepoint(directory: directory.map(StandardPaths.location)), expectedState: state, reason: action.reason,
                by: OperatorIdentity.current())
            let taken = try ended(command, on: link, before: deadline)
            try show(taken, options)
            guard taken.state == .completed, let path = taken.path else { return status(of: taken, hasEnded: true) }
            return try delete(try link.surplus(of: floor, after: path), action, on: link, options, before: deadline)
        }
    }

    private static func delete(
        _ surplus: [String], _ action: ActionOptions, on link: FlinkLink, _ options: CommandOptions, before deadline: Deadline
    ) throws(ClientFailure) -> ExitStatus {
        for path in surplus {
            let command = JobCommand(
                operation: OperationID(random: .random(in: .min ... .max)), job: JobReference(JobID.none), action: .dispose(path: path),
                reason: action.reason, by: OperatorIdentity.current())
            do throws(ClientFailure) {
                let deleted = try ended(command, on: link, before: deadline)
                let words = deleted.state == .completed ? "is deleted" : "is not deleted: \(deleted.error ?? deleted.state.rawValue)"
                options.output.say("\(printable(path, limit: 1000)) \(printable(words, limit: 1000))")
            } catch {
                // A live job may need it: it is kept, and the next round tries again.
                guard error.status == .refused else { throw error }
                options.output.say("kept: \(printable(error.message ?? path, limit: 1000))")
            }
        }
        return .ok
    }

    private static func ended(_ command: JobCommand, on link: FlinkLink, before deadline: Deadline) throws(ClientFailure) -> OperationReport {
        let report = try link.operate(command, before: deadline)
        if report.state.isTerminal { return report }
        guard let end = try link.wait(for: command.operation, before: deadline, progress: { _ in }) else {
            throw ClientFailure(.unproven, "operation \(command.operation) still runs: 'weir operations' shows it")
        }
        return end
    }
}
