internal import ConsoleCore
internal import CellGrid
internal import ControlProtocol
internal import EngineClients
internal import HostEnvironment
public import StreamModel

/// The commands that act on a job.
extension EngineCommands {
    public static func savepoint(_ options: CommandOptions, _ action: ActionOptions, directory: String?) -> Int32 {
        act(options, action, .savepoint(directory: directory.map(StandardPaths.location)))
    }

    public static func checkpoint(_ options: CommandOptions, _ action: ActionOptions) -> Int32 { act(options, action, .checkpoint) }

    public static func stop(_ options: CommandOptions, _ action: ActionOptions, drain: Bool, directory: String?) -> Int32 {
        act(options, action, .stop(drain: drain, directory: directory.map(StandardPaths.location)))
    }

    public static func cancel(_ options: CommandOptions, _ action: ActionOptions, retention: CancelRetention) -> Int32 {
        act(options, action, .cancel(retention))
    }

    public static func fault(_ options: CommandOptions, _ action: ActionOptions, spec: String) -> Int32 { act(options, action, .fault(spec)) }

    /// Looks at the job first, then acts on that job in that state only: a name cannot come to mean another job in between.
    private static func act(_ options: CommandOptions, _ action: ActionOptions, _ kind: OperationRequest.Kind) -> Int32 {
        act(options, within: action.limit) { (link, deadline) throws(ClientFailure) in
            let operation = try link.operate(try command(action, kind, on: link), before: deadline)
            return try conclude(operation, options, action, link, before: deadline)
        }
    }

    private static func command(_ action: ActionOptions, _ kind: OperationRequest.Kind, on link: some ActingLink) throws(ClientFailure) -> JobCommand {
        // A repetition must be the same request to the letter, whatever the job has become.
        if let id = action.operation {
            return JobCommand(operation: id, job: JobReference(action.job), action: kind, reason: action.reason, by: OperatorIdentity.current())
        }
        let (job, state) = try link.target(JobReference(action.job))
        return JobCommand(
            operation: OperationID(random: .random(in: .min ... .max)), job: JobReference(job), action: kind, expectedState: state,
            reason: action.reason, by: OperatorIdentity.current())
    }

    private static func conclude(
        _ accepted: OperationReport, _ options: CommandOptions, _ action: ActionOptions, _ link: some ActingLink, before deadline: Deadline
    ) throws(ClientFailure) -> ExitStatus {
        guard action.waits, !accepted.state.isTerminal else {
            try show(accepted, options, isFollowed: action.waits)
            return status(of: accepted, hasEnded: accepted.state.isTerminal)
        }
        options.output.say("operation \(accepted.request.id) accepted")
        var last = ""
        let ended = try link.wait(for: accepted.request.id, before: deadline) { operation in
            if let activity = operation.activity, activity != last {
                options.output.say(printable(activity, limit: 400))
                last = activity
            }
            guard let checkpoint = operation.checkpoint, let acknowledged = operation.acknowledgedSubtasks, let total = operation.totalSubtasks else { return }
            let line = "checkpoint \(checkpoint): \(acknowledged)/\(total) acknowledged"
            if line != last { options.output.say(line) }
            last = line
        }
        guard let ended else {
            options.output.say("operation \(accepted.request.id) still runs after \(Figures.duration(action.limit)): 'weir operations' shows it")
            return .unproven
        }
        try show(ended, options)
        return status(of: ended, hasEnded: true)
    }

    static func status(of operation: OperationReport, hasEnded: Bool) -> ExitStatus {
        switch operation.state {
        case .completed: .ok
        case .failed, .interrupted: .failed
        case .unknown: .unproven
        case .accepted, .running: hasEnded ? .unproven : .ok
        }
    }

    /// - Parameter isFollowed: whether the command has waited for its end. If not, it is only known that the engine has accepted it.
    static func show(_ operation: OperationReport, _ options: CommandOptions, isFollowed: Bool = true) throws(ClientFailure) {
        if options.printsJSON {
            try print(operation, options)
            return
        }
        // A launch that came to nothing has no job that could have a name.
        let subject = operation.jobName.isEmpty ? "" : " of \(printable(operation.jobName))"
        let stage = isFollowed || operation.state.isTerminal ? operation.stage : OperationProgress.Stage.accepted.rawValue
        let line = "\(operation.request.id)  \(operation.request.kind.title)\(subject): \(stage)"
        options.output.data(operation.result.map { line + ", " + printable($0, limit: 4096) } ?? line)
        if let inference = operation.inference { options.output.say("inferred: \(inference)") }
    }

    /// - Parameter settings: NAME=VALUE, as the program takes them.
    public static func submit(
        _ options: CommandOptions, program: String, settings: [String], name: String?, parallelism: Int?, from: String?, reason: String,
        operation: OperationID?
    ) -> Int32 {
        run(options) { (link) throws(ClientFailure) in
            let run = RunOptions(
                program: program, input: [], output: nil, rate: nil, interval: nil, settings: settings, parallelism: parallelism, from: from,
                stateDirectory: nil, socketPath: nil)
            var request = SubmitRequest(
                operation: operation ?? OperationID(random: .random(in: .min ... .max)), program: program, arguments: run.arguments,
                parallelism: parallelism, name: name, reason: reason, by: OperatorIdentity.current())
            request.from = run.from.map { RestartOptions(path: $0) }
            let job = try link.submit(request)
            if options.printsJSON { try print(job, options) } else { options.output.data("\(job.id)  \(printable(job.name)): \(job.state.rawValue)") }
            return .ok
        }
    }

    // MARK: Restart

    /// - Parameter from: "latest", "savepoint", the number of a checkpoint, or a path; nil = the newest.
    public static func restart(
        _ options: CommandOptions, _ action: ActionOptions, from: String?, claims: Bool, allowsUnmatched: Bool, parallelism: Int?, cancelsFirst: Bool,
        recipe: JarRecipe? = nil
    ) -> Int32 {
        act(options, within: action.limit) { (link, deadline) throws(ClientFailure) in
            var restart = RestartOptions(path: try from.flatMap { (text) throws(ClientFailure) in try start(text, of: action.job, on: link, options) })
            restart.claim = claims ? .claim : .noClaim
            restart.allowsUnmatchedState = allowsUnmatched
            restart.parallelism = parallelism
            restart.cancelsFirst = cancelsFirst
            if options.flink != nil {
                restart.recipe = if let recipe { recipe } else { try link.recordedRecipe(of: link.target(JobReference(action.job)).job) }
            } else if recipe != nil {
                throw ClientFailure(.usage, "--recipe is for jobs of a Flink cluster: an engine of Weir knows its programs")
            }
            let operation = try link.operate(try command(action, .restart(restart), on: link), before: deadline)
            return try conclude(launch: operation, waits: action.waits, on: link, options, before: deadline)
        }
    }

    private static func conclude(
        launch operation: OperationReport, waits: Bool, on link: some ActingLink, _ options: CommandOptions, before deadline: Deadline
    ) throws(ClientFailure) -> ExitStatus {
        if let jar = operation.jar { options.output.say("jar \(printable(jar, limit: 1000))") }
        guard waits, operation.state == .completed || !operation.state.isTerminal else {
            try show(operation, options, isFollowed: waits)
            return status(of: operation, hasEnded: operation.state.isTerminal)
        }
        return try prove(operation, on: link, options, before: deadline)
    }

    /// Resumes a restart, a launch or an upgrade whose process ended in the middle of it.
    public static func resume(_ options: CommandOptions, operation id: OperationID, waits: Bool, limit: Milliseconds) -> Int32 {
        act(options, within: limit) { (link, deadline) throws(ClientFailure) in
            if let link = link as? FlinkLink, let status = try UpgradeCommands.resume(id, link, options, before: deadline) { return status }
            return try conclude(launch: try link.goOn(id, before: deadline), waits: waits, on: link, options, before: deadline)
        }
    }

    /// Watches a restart that was accepted, step by step.
    static func prove(
        _ operation: OperationReport, on link: some ActingLink, _ options: CommandOptions, before deadline: Deadline
    ) throws(ClientFailure) -> ExitStatus {
        options.output.say("operation \(operation.request.id) accepted: \(operation.request.kind.verb) from \(operation.path ?? "?")")
        var watch = ProofWatch(operation, say: { options.output.say($0) })
        _ = try watch.follow(operation.request.id, on: link, before: deadline)
        if options.printsJSON {
            try print(ProofRecord(watch.proof, operation: try link.operation(operation.request.id)), options)
        } else {
            for line in watch.summary { options.output.data(line) }
        }
        return watch.status
    }
}
