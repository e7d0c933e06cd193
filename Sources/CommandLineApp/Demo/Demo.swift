internal import ConsoleCore
internal import ControlProtocol
internal import ControlSocket
internal import Dispatch
internal import EngineClients
internal import EngineHost
internal import Glibc
public import HostEnvironment
public import StreamModel

/// `weir demo`: a private engine with two jobs, and the console on it; without a terminal the restore loop, unattended.
public enum Demo {
    /// - Parameter console: opens the console on the socket path, and returns its exit status when the operator leaves.
    public static func run(
        isAttended: Bool, play: DemoPlay = .jobs, limit: Milliseconds = .minutes(3), output: Output = .standard, console: (_ socketPath: String) -> Int32
    ) -> Int32 {
        // The console has handlers of its own for these; without one they must not leave the engine's directory behind.
        let signals = isAttended ? nil : EndSignals()
        guard OpenFiles.suffice(for: "weir demo", OpenFileLimit.neededByEngine, output) else { return ExitStatus.failed.rawValue }
        do throws(ClientFailure) {
            guard let executable = executablePath() else { throw ClientFailure(.failed, "cannot find this program's own file: is /proc mounted?") }
            let child = try ChildEngine.start(executable: executable) { socket, state in
                ["engine", "--name", "demo", "--socket", socket, "--state", state, "--end-with-input"]
            }
            defer { child.end() }
            let link = try child.connect(name: "weir demo")
            let orders = try begin(play, on: link, at: child.socketPath)
            guard let signals else {
                link.client.close()
                return console(child.socketPath)
            }
            var loop = RestoreLoop(link: link, job: orders, signals: signals, limit: limit, output: output)
            return try loop.run().rawValue
        } catch {
            if let message = error.message { output.say(message) }
            return error.status.rawValue
        }
    }

    /// Submits the jobs; the first one is what the demo is about.
    private static func begin(_ play: DemoPlay, on link: EngineLink, at socketPath: String) throws(ClientFailure) -> JobReport {
        switch play {
        case .jobs:
            let orders = try submit("orders", to: link)
            _ = try submit("shaky", to: link)
            return orders
        case .script:
            let orders = try submit("orders", settings: ["faults": "yes", "interval": "2s", "timeout": "5s"], to: link)
            _ = try submit("shaky", to: link)
            return orders
        case .incident(let incident):
            let job = try submit("shaky", settings: incident.settings, to: link)
            let trouble = Trouble(incident: incident, job: job.id, socketPath: socketPath)
            DispatchQueue(label: "weir.demo.incident").async { trouble.make() }
            return job
        }
    }

    private static func submit(_ program: String, settings: [String: String] = [:], to link: EngineLink) throws(ClientFailure) -> JobReport {
        try link.submit(
            SubmitRequest(
                operation: OperationID(random: .random(in: .min ... .max)), program: program, arguments: settings, reason: "demo",
                by: OperatorIdentity.current()))
    }
}

/// Plays an incident on a job, on its own thread and link, while the operator watches.
private struct Trouble: Sendable {
    let incident: DemoIncident
    let job: JobID
    let socketPath: String

    /// Ends with the last fault, or with the engine.
    func make() {
        do throws(ClientFailure) {
            let link = try EngineLink(path: socketPath, name: "weir demo incident")
            try link.subscribe()
            var hasCheckpoint = false
            while !hasCheckpoint {
                hasCheckpoint =
                    try link.watch(for: .seconds(1)) { report in
                        report.jobs.contains { $0.id == job && $0.counts.completed > 0 } ? true : nil
                    } ?? false
            }
            let start = EngineInstant.now()
            for fault in incident.faults {
                while EngineInstant.now() < start + fault.after { pause(milliseconds: 20) }
                _ = try link.operate(
                    JobCommand(
                        operation: OperationID(random: .random(in: .min ... .max)), job: JobReference(job), action: .fault(fault.spec),
                        reason: "incident \(incident.rawValue)", by: OperatorIdentity.current()), before: Deadline(after: .seconds(30)))
            }
        } catch {
            // The demo has ended under it, or its engine has; the console shows the latter.
        }
    }
}

/// The restore loop without an operator: checkpoints, savepoint, cancel and keep, restart from an older checkpoint, proof. Prints
/// each step as plain text.
struct RestoreLoop {
    private let link: EngineLink
    private let job: JobReport
    private let signals: EndSignals
    private let output: Output
    private let end: EngineInstant
    private var step = 0

    init(link: EngineLink, job: JobReport, signals: EndSignals, limit: Milliseconds, output: Output) {
        self.link = link
        self.job = job
        self.signals = signals
        self.output = output
        end = .now() + limit
    }

    mutating func run() throws(ClientFailure) -> ExitStatus {
        try link.subscribe()
        tell(
            "job '\(job.name)' \(job.id.short) submitted, parallelism \(job.parallelism), a checkpoint every \(Figures.duration(job.configuration.interval ?? 0))"
        )
        let running = try awaitReport("3 completed checkpoints") { report in
            report.jobs.first { $0.id == job.id && $0.counts.completed >= 3 }
        }
        tell(
            "\(running.counts.completed) checkpoints completed, newest \(running.latestCompleted?.id.description ?? "?"), \(running.throughput.recordsRead) records read"
        )
        let savepoint = try perform(.savepoint(directory: nil))
        tell("savepoint \(savepoint.checkpoint?.description ?? "?") completed: \(savepoint.path ?? "?")")
        _ = try perform(.cancel(.keep))
        let canceled = try link.job(JobReference(job.id))
        tell("job \(job.id.short) is \(canceled.state.rawValue), its checkpoints are kept")
        return try restart(from: try olderCheckpoint())
    }

    private mutating func tell(_ text: String) {
        step += 1
        output.data("step \(step): \(text)")
    }

    /// An older one on purpose: neither the savepoint nor the newest checkpoint.
    private func olderCheckpoint() throws(ClientFailure) -> CheckpointReport {
        let kept = try link.checkpoints(JobReference(job.id)).filter { $0.isRestorable && !$0.kind.isSavepoint }
        guard kept.count > 1 else { throw ClientFailure(.failed, "only \(kept.count) checkpoints were kept, 2 are needed to choose an older one") }
        return kept[1]
    }

    private mutating func restart(from chosen: CheckpointReport) throws(ClientFailure) -> ExitStatus {
        let path = chosen.path ?? ""
        tell("chosen checkpoint \(chosen.id), older than the newest: \(path)")
        let operation = try link.operate(command(.restart(RestartOptions(path: path))), before: Deadline(after: remaining))
        tell("restart asked for, operation \(operation.request.id)")
        let output = output
        var watch = ProofWatch(operation, chosen: chosen.id, say: { output.data("  \($0)") })
        let last = try watch.follow(operation.request.id, on: link, before: Deadline(after: remaining)) { job in
            guard let audit = job.audit, let toReplay = audit.toReplay else { return false }
            return audit.replayed >= toReplay
        }
        for line in watch.summary { output.data(line) }
        guard let audit = last?.audit else { throw ClientFailure(.unproven, "the restored job was not observed to count its records") }
        output.data(
            "counted by the engine: replayed \(audit.replayed) of \(audit.toReplay.map(String.init) ?? "?") records, "
                + "\(audit.duplicates) duplicates, \(audit.lost) lost in \(audit.verified)")
        guard watch.status == .ok else { return watch.status }
        guard audit.duplicates == 0, audit.lost == 0 else { return .failed }
        guard audit.toReplay == audit.replayed, audit.replayed > 0 else { return .unproven }
        output.data("proven: the job resumed from checkpoint \(chosen.id), nothing lost, nothing counted twice")
        return .ok
    }

    private func command(_ kind: OperationRequest.Kind) -> JobCommand {
        JobCommand(
            operation: OperationID(random: .random(in: .min ... .max)), job: JobReference(job.id), action: kind, reason: "demo",
            by: OperatorIdentity.current())
    }

    private func perform(_ kind: OperationRequest.Kind) throws(ClientFailure) -> OperationReport {
        let accepted = try link.operate(command(kind), before: Deadline(after: remaining))
        let ended = try awaitReport("the \(kind.verb) to end") { report in
            report.operations.first { $0.request.id == accepted.request.id && $0.state.isTerminal }
        }
        guard ended.state == .completed else { throw ClientFailure(.failed, "the \(kind.verb) failed: \(ended.error ?? "?")") }
        return ended
    }

    private var remaining: Milliseconds { max(0, end - .now()) }

    private func awaitReport<Value>(_ what: String, _ look: (EngineReport) -> Value?) throws(ClientFailure) -> Value {
        while EngineInstant.now() < end {
            if signals.wait(0) != nil { throw ClientFailure(.failed, "interrupted while waiting for \(what)") }
            if let found = try link.watch(for: min(200, remaining), look) { return found }
        }
        throw ClientFailure(.unproven, "timed out waiting for \(what)")
    }
}
