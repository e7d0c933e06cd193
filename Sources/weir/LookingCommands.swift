import ArgumentParser
import ConsoleApp
import EngineApp

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the engine and its live jobs, a line each.", discussion: "EXAMPLE\n  weir status --json | jq .jobs[0].state")
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.status(link.options)) }
}

struct JobsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List jobs, running and ended.", discussion: "EXAMPLE\n  weir jobs")
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.jobs(link.options)) }
}

struct CheckpointsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoints", abstract: "List a job's checkpoints and savepoints, newest first.",
        discussion: """
            With --history those that the ledger remembers of the name (of every run of the job that a console of this user saw) or of the whole id,
            also of jobs and engines that are gone. That asks no engine.

            EXAMPLES
              weir checkpoints orders --limit 10
              weir checkpoints orders --history --json | jq -r '.[] | select(.fate == "unlisted") | .report.path'
            """)
    @Argument(help: "The job: its name, its id, or at least four digits of it.")
    var job: String
    @Flag(help: "Those that the ledger remembers.")
    var history = false
    @Option(help: ArgumentHelp("At most so many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws {
        guard history else { return try end(EngineCommands.checkpoints(link.options, job: job, limit: limit)) }
        if link.socket != nil { throw ValidationError("--history asks no engine: it takes no --socket") }
        let place: String
        do throws(ConfigurationError) { place = try LedgerPlace.path() } catch { throw ValidationError(error.description) }
        try end(EngineCommands.history(CommandOptions(printsJSON: link.json), ledger: place, job: job, context: link.context, limit: limit))
    }
}

struct OperationsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operations", abstract: "List operations and what became of them, newest first.",
        discussion: "EXAMPLE\n  weir operations --limit 5 --json")
    @Option(help: ArgumentHelp("At most so many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.operations(link.options, limit: limit)) }
}

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "List who asked the engine for what, newest first.", discussion: "EXAMPLE\n  weir audit --limit 20")
    @Option(help: ArgumentHelp("At most so many.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.audit(link.options, limit: limit)) }
}

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Read a checkpoint or savepoint, Weir's or Flink's, and say whether it is whole. Needs no engine.",
        discussion: """
            Of Flink's, every file that the metadata names is looked for: Flink keeps no checksums. Exit codes: 0 whole, 3 whole but
            with state that no uid of --uids claims, 4 not reachable from here (s3:, another host), 5 damaged, missing or foreign.

            EXAMPLES
              weir inspect /var/lib/weir/checkpoints/<job>/chk-12
              weir inspect file:/var/lib/flink/checkpoints/<job>/chk-12 --uids lines,words,count
            """)
    @Argument(help: "Its directory or its _metadata file, as a path or a URL.", completion: .directory)
    var path: String
    @Option(help: ArgumentHelp("The uids of a job's operators, with commas: which state would they not claim? (Flink)", valueName: "uid,..."))
    var uids: String?
    @Flag(help: "Print the record as one line of JSON.")
    var json = false
    func run() throws { try end(EngineCommands.inspect(CommandOptions(printsJSON: json), path: path, uids: names)) }

    func validate() throws {
        if uids != nil, names.isEmpty { throw ValidationError("--uids needs at least one uid") }
    }

    private var names: [String] { (uids ?? "").split(separator: ",").map(String.init) }
}

struct WatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch", abstract: "Print a line a job (or a record) whenever the engine reports, until interrupted.",
        discussion: "EXAMPLES\n  weir watch orders\n  weir --flink http://host:8081 watch --json | jq .jobs[0].throughput")
    @Argument(help: "Only this job: its name, its id, or at least four digits of it.")
    var job: String?
    @Option(help: ArgumentHelp("End after so many reports.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func validate() throws { try checkLimit(limit) }
    func run() throws { try end(EngineCommands.watch(link.options, job: job, limit: limit)) }
}

struct ContextsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contexts", abstract: "List the engines that the config file names. Asks none of them.",
        discussion: "EXAMPLE\n  weir contexts --json | jq -r .[].name")
    @Flag(help: "Print the records as one line of JSON.")
    var json = false
    func run() throws { try end(Contexts.list(asJSON: json)) }
}

private func checkLimit(_ limit: Int?) throws {
    if let limit, !(1...10_000).contains(limit) { throw ValidationError("--limit must be 1 to 10000, not \(limit)") }
}
