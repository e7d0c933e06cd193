import ArgumentParser
import CommandLineApp
import EngineClients
import StreamModel

struct UpgradeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Replace a job's program on a Flink cluster: check, stop with a savepoint, launch, prove, watch, or roll back.",
        discussion: Examples.text(
            "upgrade",
            after: """
                The check asks the cluster for the new program's plan, which runs its main method there, and compares the operators with the state of \
                the running job. Nothing is stopped when the state does not fit. A new program that is refused, not proven in time, whose \
                checkpoints fail or that is in a crash loop is canceled, and the old one launched again from the same savepoint.

                Exit codes: 0 upgraded, proven and watched; 3 refused, the old job runs; 4 not known yet, `weir resume` goes on; 5 rolled back, or \
                neither program runs: the line says which, and why. \
                Class, parallelism and arguments are those of the running job unless they are given.
                """))
    @Argument(help: "The job: its name, its id, or at least four digits of it.")
    var job: String
    @Option(help: "The new program: a jar file, or the id of a jar on the cluster.", completion: .file(extensions: ["jar"]))
    var jar: String?
    @Option(name: .customLong("class"), help: ArgumentHelp("Its entry class.", valueName: "name"))
    var entryClass: String?
    @Option(help: ArgumentHelp("Subtasks of each operator.", valueName: "number"))
    var parallelism: Int?
    @Flag(help: "Check, and do nothing to the job: 0 fits, 3 does not, 4 cannot be told.")
    var checkOnly = false
    @Option(help: ArgumentHelp("How long the new job is watched after its proof: checkpoints (2), or a time (10m).", valueName: "number|span"))
    var watch = "2"
    @Option(help: ArgumentHelp("How long the new job may take until it is proven; at least two checkpoint intervals and 1 min.", valueName: "span"))
    var patience: Milliseconds = .minutes(3)
    @Option(help: ArgumentHelp("Where the savepoint goes; by default as the cluster is configured.", valueName: "path"), completion: .directory)
    var directory: String?
    @Flag(help: "Drop state that the new program has no operator for.")
    var allowUnmatched = false
    @Flag(help: "Go on although the check says that the state does not fit: plans do not show setUidHash.")
    var ignoreCheck = false
    @Option(help: ArgumentHelp("What the job runs, where that is not on record: JAR [--class NAME] [--parallelism N] [-- ARGUMENT...].", valueName: "recipe"))
    var oldRecipe: String?
    @Flag(help: "Have the old program back: ends an upgrade that is under way.")
    var abort = false
    @Option(help: "Why, for the record.")
    var reason = ""
    @Option(help: ArgumentHelp("Id of the upgrade; the same id again is the same upgrade.", valueName: "id"))
    var operation: OperationID?
    @Option(help: ArgumentHelp("How long it may take in all; after it the upgrade stays where it is.", valueName: "span"))
    var timeout: Milliseconds = .minutes(60)
    @Argument(parsing: .postTerminator, help: "Arguments of the program.")
    var arguments: [String] = []
    @OptionGroup var link: LinkOptions

    func validate() throws {
        if !abort, jar == nil { throw ValidationError("--jar names the new program") }
        if abort, jar != nil || checkOnly { throw ValidationError("--abort excludes --jar and --check-only") }
        if let problem = parallelism.flatMap({ Parallelism.problem($0) }) { throw ValidationError("--parallelism: \(problem)") }
        if let id = operation, id.description.utf8.count > 50 { throw ValidationError("--operation: the id of an upgrade has at most 50 characters") }
        _ = try (parsedWatch(), parsedRecipe())
    }

    private func parsedWatch() throws -> Upgrade.Watch {
        if let count = Int(watch), (0...1000).contains(count) { return .checkpoints(count) }
        guard let span = Milliseconds(text: watch) else { throw ValidationError("--watch takes a number of checkpoints (2) or a time (10m), not '\(watch)'") }
        return .span(span)
    }

    private func parsedRecipe() throws -> JarRecipe? {
        guard let oldRecipe else { return nil }
        do throws(JarRecipe.Problem) { return try JarRecipe(line: oldRecipe) } catch { throw ValidationError("--old-recipe: \(error.description)") }
    }

    func run() throws {
        let action = ActionOptions(job: job, reason: reason, operation: operation, waits: true, limit: timeout)
        guard let jar else { return try end(UpgradeCommands.abort(link.actingOptions, action)) }
        let target = UpgradeTarget(
            jar: JarRecipe.jar(jar), entryClass: entryClass, arguments: arguments.isEmpty ? nil : arguments, parallelism: parallelism)
        let asked = UpgradeOptions(
            target: target, old: try parsedRecipe(), directory: directory, allowsUnmatched: allowUnmatched, watch: try parsedWatch(), patience: patience,
            checksOnly: checkOnly, ignoresCheck: ignoreCheck)
        try end(UpgradeCommands.upgrade(link.actingOptions, action, asked))
    }
}

struct UpgradesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrades", abstract: "List the upgrades on a Flink cluster, newest first, and how each stands.", discussion: Examples.text("upgrades"))
    @Option(help: ArgumentHelp("How many at most.", valueName: "number"))
    var limit: Int?
    @OptionGroup var link: LinkOptions
    func run() throws { try end(UpgradeCommands.upgrades(link.options, limit: limit)) }
}

struct VersionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "versions", abstract: "List the programs that a job has run: when, by whom, which jar, from which snapshot.",
        discussion: Examples.text("versions"))
    @Argument(help: "The job: its name, its id, or at least four digits of it.")
    var job: String
    @OptionGroup var link: LinkOptions
    func run() throws { try end(UpgradeCommands.versions(link.options, job: job)) }
}
