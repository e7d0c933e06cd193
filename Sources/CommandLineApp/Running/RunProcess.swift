internal import CellGrid
internal import CheckpointStore
internal import ConsoleCore
internal import ControlProtocol
internal import ControlSocket
internal import EngineClients
internal import EngineHost
internal import Glibc
public import HostEnvironment
internal import StreamModel

/// One job on its own engine, in the foreground, until the job ends. Started again after a kill, it resumes where it was.
public enum RunProcess {
    /// Runs until the job has ended. Call it on the main thread before any other thread is started. Returns the exit status.
    public static func run(_ options: RunOptions, output: Output = .standard) -> Int32 {
        let signals = EndSignals()
        if let problem = options.problem {
            output.say(problem)
            return ExitStatus.usage.rawValue
        }
        guard OpenFiles.suffice(for: "weir run", OpenFileLimit.neededByEngine, output) else { return ExitStatus.failed.rawValue }
        do throws(RunningEngine.Failure) {
            let run = try JobRun(options, output: output)
            defer { run.host.close() }
            let job = try run.begin()
            return run.follow(job, signals: signals).rawValue
        } catch {
            output.say(error.description)
            return error.status.rawValue
        }
    }
}

/// A run under way. Used on the main thread.
private struct JobRun {
    let options: RunOptions
    let output: Output
    let host: RunningEngine
    private let socketPath: String

    init(_ options: RunOptions, output: Output) throws(RunningEngine.Failure) {
        self.options = options
        self.output = output
        let state = options.stateDirectory ?? StandardPaths.runState(for: options.identity)
        let standard = SocketPath.standard()
        func engine(at socket: String) -> EngineOptions {
            EngineOptions(name: options.program, socketPath: socket, stateDirectory: state, maxParallelism: options.maxParallelism)
        }
        let wanted = engine(at: options.socketPath ?? standard)
        do throws(RunningEngine.Failure) {
            host = try RunningEngine.open(wanted, output: output)
            socketPath = wanted.socketPath
        } catch {
            // The standard place may belong to another engine: then this one has its own socket beside it.
            guard options.socketPath == nil, error.isSocketTaken else { throw error }
            let own = Self.ownSocket(beside: standard, identity: options.identity)
            output.say("another engine listens at \(standard): this run listens at \(own)")
            host = try RunningEngine.open(engine(at: own), output: output)
            socketPath = own
        }
    }

    private static func ownSocket(beside standard: String, identity: String) -> String {
        let directory = standard[..<(standard.lastIndex(of: "/") ?? standard.startIndex)]
        return "\(directory)/run-\(OperatorID(uid: identity).short).sock"
    }

    // MARK: The beginning

    /// The job of this run: the one that had not ended, a restart of it from the chosen snapshot, or a new one.
    func begin() throws(RunningEngine.Failure) -> JobID {
        try refuseOtherWork()
        let unfinished = host.service.currentReport().jobs.first { !$0.state.isTerminal }
        // A run that was killed is repeated as it was written: what it had begun from the snapshot goes on, and does not begin there again.
        let goesOn = options.from == nil || unfinished.map { beganFromChoice($0.id) } == true
        host.service.recover(holding: goesOn ? nil : "a run from a chosen snapshot takes its place", afresh: true)
        output.say("engine listens at \(socketPath), state in \(host.service.info.stateDirectory) (pid \(getpid()))")
        if let job = host.service.currentReport().jobs.first(where: { !$0.state.isTerminal }) {
            guard !goesOn, let from = options.from else {
                output.say("resuming job \(job.id.short)\(options.from.map { ", which started from \($0)" } ?? "")")
                return job.id
            }
            return try restart(job, from: from)
        }
        if let done = finishedBefore() {
            output.say("already finished by job \(done.short): its output is in \(options.arguments["output"] ?? "")")
            return done
        }
        if let problem = PathCheck(input: options.arguments["input"], output: options.arguments["output"]).problem {
            throw RunningEngine.Failure(description: problem, status: .failed)
        }
        try refuseForeignOutput()
        return try submit()
    }

    /// Whether the job was launched from exactly the snapshot that this run names.
    private func beganFromChoice(_ job: JobID) -> Bool {
        guard let from = options.from, case .success(let found) = SnapshotManifest.read(at: from, filesystem: PosixFilesystem()) else { return false }
        return host.service.origin(of: job) == found.path
    }

    /// The newest job, if it did just this and its output is still there: a kill between its end and this process's leaves no more to do.
    private func finishedBefore() -> JobID? {
        guard options.from == nil, let directory = options.arguments["output"], let job = host.service.currentReport().jobs.first,
            job.state == .finished, let recipe = job.recipe, recipe.program == options.program, recipe.arguments == options.arguments,
            // FilesystemError, such as ENOENT: there is no earlier output to tell about.
            let names = try? PosixFilesystem().list(directory), names.contains(where: { $0.hasPrefix(".weir-sink-") })
        else { return nil }
        return job.id
    }

    private func refused(_ problem: String) -> RunningEngine.Failure { RunningEngine.Failure(description: problem, status: .refused) }

    /// An unfinished job with other arguments is not ours to resume, nor to drop.
    private func refuseOtherWork() throws(RunningEngine.Failure) {
        for job in host.service.currentReport().jobs where !job.state.isTerminal {
            guard let recipe = job.recipe, recipe.program != options.program || recipe.arguments != options.arguments else { continue }
            let differing = Set(recipe.arguments.keys).union(options.arguments.keys).sorted().filter { recipe.arguments[$0] != options.arguments[$0] }
            throw refused(
                "\(host.service.info.stateDirectory) holds the unfinished job \(job.id.short) (\(recipe.program)) with other arguments "
                    + "(\(differing.joined(separator: ", "))): repeat its command to finish it, or name another --state")
        }
    }

    /// The sink would refuse it too, but only after the job had begun.
    private func refuseForeignOutput() throws(RunningEngine.Failure) {
        guard let directory = options.arguments["output"] else { return }
        // FilesystemError: ENOENT before the first run; the sink tells about the others.
        guard let names = try? PosixFilesystem().list(directory) else { return }
        let expected: JobID?
        if let from = options.from {
            guard case .success(let found) = SnapshotManifest.read(at: from, filesystem: PosixFilesystem()) else { return }
            expected = found.manifest.lineage
        } else {
            expected = nil
        }
        for name in names where name.hasPrefix(".weir-sink-") {
            // StoreError: a marker that cannot be read names no owner.
            let bytes = (try? DurableFile.read(path: directory + "/" + name, maximum: 4096)) ?? []
            let owner = JobID(String(decoding: bytes, as: UTF8.self))
            guard owner == nil || owner != expected else { continue }
            throw refused(
                "\(directory) holds the output of \(owner.map { "job \($0.short)" } ?? "another job"): name an empty directory, or restart that job with --from"
            )
        }
        if expected == nil, let part = names.first(where: { $0.hasPrefix("part-") }) {
            throw refused("\(directory) holds \(part), which no job here has written: name an empty directory")
        }
    }

    private func submit() throws(RunningEngine.Failure) -> JobID {
        var request = SubmitRequest(
            operation: OperationID(random: .random(in: .min ... .max)), program: options.program, arguments: options.arguments,
            parallelism: options.parallelism, reason: "weir run", by: OperatorIdentity.current())
        request.from = options.from.map { RestartOptions(path: $0) }
        guard case .submitted(let job) = try ask(.submit(request)) else { throw refused("submit was answered with something else") }
        return job.id
    }

    /// Cancels the unfinished job, keeps its checkpoints, and continues from the snapshot instead: one recorded operation, so that a kill in the
    /// middle leaves one of the two jobs.
    private func restart(_ job: JobReport, from path: String) throws(RunningEngine.Failure) -> JobID {
        var choice = RestartOptions(path: path)
        (choice.cancelsFirst, choice.parallelism) = (true, options.parallelism)
        let id = OperationID(random: .random(in: .min ... .max))
        _ = try ask(
            .operate(
                JobCommand(
                    operation: id, job: JobReference(job.id), action: .restart(choice), reason: "weir run --from", by: OperatorIdentity.current())))
        while true {
            guard case .operation(let report) = try ask(.operation(id)) else { throw refused("the restart was answered with something else") }
            if let new = report.newJob, report.state == .completed { return new }
            if report.state.isTerminal { throw refused("the run from \(path) did not begin: \(report.error ?? report.state.rawValue)") }
            pause(milliseconds: 20)
        }
    }

    private func ask(_ request: ControlRequest) throws(RunningEngine.Failure) -> ControlReply {
        do throws(ClientFailure) {
            let link = try EngineLink(path: socketPath, name: "weir run")
            defer { link.close() }
            // Verifying a large snapshot takes its time.
            return try link.call(request, timeout: .minutes(60))
        } catch {
            throw RunningEngine.Failure(description: error.message ?? "", status: error.status == .noLink ? .failed : error.status)
        }
    }

    // MARK: The rest

    /// Records of the whole work, and how many of them were read since the snapshot that this attempt began from.
    private func read(by job: JobReport) -> String {
        let own = job.throughput.recordsRead
        guard let all = host.service.position(of: job.id), all > own else { return "\(own) read" }
        return "\(all) read (\(own) since the restore)"
    }

    /// Shows the progress until no job of this engine is live.
    func follow(_ first: JobID, signals: EndSignals) -> ExitStatus {
        var progress = ProgressLine(output: output)
        while true {
            if signals.wait(50) != nil {
                output.say("interrupted: the job is suspended; repeat the command to resume it")
                return .failed
            }
            let report = host.service.currentReport()
            guard let job = report.jobs.first(where: { !$0.state.isTerminal }) ?? report.jobs.first else { continue }
            progress.show(job, at: report.at)
            let isBusy = report.operations.contains { !$0.state.isTerminal }
            guard job.state.isTerminal, !isBusy else { continue }
            switch job.state {
            case .finished:
                output.say("job \(job.id.short) FINISHED: \(read(by: job)), \(job.throughput.recordsWritten) written")
                return .ok
            default:
                // Somebody who watches may restart it from the console.
                guard host.server.subscriberCount == 0 else { continue }
                output.say("job \(job.id.short) is \(job.state.rawValue)\(job.lastFailure.map { ": \($0.message)" } ?? "")")
                return .failed
            }
        }
    }
}

/// A line on standard error now and then.
private struct ProgressLine {
    let output: Output
    private var lastAt: WallTime?
    private var lastState: JobState?

    init(output: Output) { self.output = output }

    mutating func show(_ job: JobReport, at now: WallTime) {
        guard job.state != lastState || lastAt.map({ now - $0 >= .seconds(2) }) ?? true else { return }
        (lastAt, lastState) = (now, job.state)
        guard !job.state.isTerminal else { return }
        let fraction = job.throughput.inputFraction.map { " \(Int(clamping: min(max($0, 0), 1) * 100)) %," } ?? ""
        let checkpoint = job.latestCompleted.map { ", checkpoint #\($0.id)" } ?? ""
        // Without the reason a wait for space would look like an engine that hangs.
        if let reason = job.restartReason { return output.say("\(job.name) \(job.state.rawValue): \(printable(reason, limit: 400))") }
        output.say(
            "\(job.name) \(job.state.rawValue)\(fraction) \(job.throughput.recordsRead) read (\(Figures.rate(job.throughput.recordsReadPerSecond))/s)\(checkpoint)"
        )
    }
}
