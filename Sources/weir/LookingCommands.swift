import ArgumentParser
import ConsoleApp
import CommandLineApp

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the engine and its live jobs, a line each.", discussion: Examples.text("status"))
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.status(link.options)) }
}

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List jobs, running and ended.", discussion: Examples.text("jobs"))
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.jobs(link.options)) }
}

struct CheckpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoints", abstract: "List the checkpoints and savepoints that a restart of a job can use, newest first.",
        discussion: Examples.text(
            "checkpoints",
            after: """
                The job's own checkpoints and savepoints, those that are left of its earlier runs, and those that only the ledger knows, by the time of \
                their triggers. RUN names the job that wrote it, RESTART says whether a restart can begin with it, or why not; 'not looked at': nobody \
                has looked for its files.

                With --history: those that the ledger remembers of the name (of every run of the job that a console of this user saw) or of the whole \
                id, also of jobs and engines that are gone. That asks no engine.
                """))
    @Argument(help: "The job: its name, its id, or at least four digits of it.", completion: .jobs)
    var job: String
    @Flag(help: "List the checkpoints that the ledger remembers.")
    var history = false
    @Option(help: ArgumentHelp("Show at most this many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws {
        guard history else { return try end(EngineCommands.checkpoints(link.options, job: job, limit: limit)) }
        if link.socket != nil { throw ValidationError("--history asks no engine: it takes no --socket") }
        let place: String
        do throws(ConfigurationError) { place = try LedgerPlace.path() } catch { throw ValidationError(error.description) }
        try end(
            EngineCommands.history(CommandOptions(printsJSON: link.json, usesUTC: link.usesUTC), ledger: place, job: job, context: link.context, limit: limit))
    }
}

struct OperationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operations", abstract: "List operations and their outcomes, newest first.",
        discussion: Examples.text("operations"))
    @Option(help: ArgumentHelp("Show at most this many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.operations(link.options, limit: limit)) }
}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "List the requests to the engine and their authors, newest first.", discussion: Examples.text("audit"))
    @Option(help: ArgumentHelp("Show at most this many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.audit(link.options, limit: limit)) }
}

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Show what the engine has logged lately, newest last.",
        discussion: Examples.text(
            "log",
            after: """
                Failures of tasks and checkpoints, restarts, recoveries and operations, with times. With a job: what is about it, or another run of its \
                name. The engine keeps the lines in engine.log of its state directory, too. For engines of Weir only.
                """))
    @Argument(help: "Only this job: its name, its id, or at least four digits of it.", completion: .jobs)
    var job: String?
    @Flag(help: "Go on with the lines that come, until interrupted.")
    var follow = false
    @Option(help: ArgumentHelp("At most so many; 50 by default.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.log(link.options, job: job, limit: limit, follows: follow)) }
}

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Check whether a checkpoint or savepoint of Weir or Flink is intact. Needs no engine.",
        discussion: Examples.text(
            "inspect",
            after: """
                Flink keeps no checksums: every file that its metadata names is looked for, on this machine or in the store of its URL (s3:, gs:, abfs:, \
                hdfs:; [storage] in config.toml says how to reach one). Exit codes: 0 whole, 3 whole but with state that no uid \
                of --uids claims, 4 not reachable from here or in a later version, 5 damaged, missing, foreign or abandoned.
                """))
    @Argument(help: "Its directory or its _metadata file, as a path or a URL.", completion: .directory)
    var path: String
    @Option(
        help: ArgumentHelp(
            "The uids of a job's operators, or their ids (32 digits), with commas: which state would they not claim? (Flink)", valueName: "uid,..."))
    var uids: String?
    @Flag(help: "Print the record as one line of JSON.")
    var json = false
    func run() throws {
        var options = CommandOptions(printsJSON: json)
        options.storage = Contexts.storage()
        try end(EngineCommands.inspect(options, path: path, uids: names))
    }

    func validate() throws {
        if uids != nil, names.isEmpty { throw ValidationError("--uids needs at least one uid") }
    }

    private var names: [String] { (uids ?? "").split(separator: ",").map(String.init) }
}

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print a line for each job at every change and once a second, until interrupted.",
        discussion: Examples.text("watch", after: "With --json, each report is printed as it comes."))
    @Argument(help: "Only this job: its name, its id, or at least four digits of it.", completion: .jobs)
    var job: String?
    @Option(help: ArgumentHelp("End after this many reports.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.watch(link.options, job: job, limit: limit)) }
}

struct ContextsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contexts", abstract: "List the engines in the config file, without contacting them.",
        discussion: Examples.text("contexts"))
    @Flag(help: "Print the records as one line of JSON.")
    var json = false
    func run() throws { try end(Contexts.list(asJSON: json)) }
}

private func checkLimit(_ limit: Int?) throws {
    if let limit, !(1...10_000).contains(limit) { throw ValidationError("--limit must be 1 to 10000, not \(limit)") }
}
