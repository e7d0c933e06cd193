import ArgumentParser
import CommandLineApp
import StreamModel

struct JarsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jars", abstract: "The jars of a Flink cluster: list, upload, delete, run.",
        discussion: Examples.text("jars"),
        subcommands: [List.self, Upload.self, Delete.self, Run.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the jars on the cluster.", discussion: Examples.text("jars list"))
        @OptionGroup var link: LinkOptions
        func run() throws { try end(FlinkCommands.jars(link.options)) }
    }

    struct Upload: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "upload", abstract: "Upload a jar; prints its id on the cluster.", discussion: Examples.text("jars upload"))
        @Argument(help: "The jar file.", completion: .file(extensions: ["jar"]))
        var file: String
        @Option(help: "Why, for the record.")
        var reason = ""
        @Option(help: ArgumentHelp("How long it may take: 200ms, 30s, 10m.", valueName: "span"))
        var timeout: Milliseconds = .minutes(10)
        @OptionGroup var link: LinkOptions
        func run() throws { try end(FlinkCommands.upload(link.actingOptions, jar: file, reason: reason, limit: timeout)) }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete a jar. Running jobs are not affected.", discussion: Examples.text("jars delete"))
        @Argument(help: "Its id, as `weir jars list` shows it.")
        var id: String
        @Option(help: "Why, for the record.")
        var reason = ""
        @Option(help: ArgumentHelp("How long it may take: 200ms, 30s, 10m.", valueName: "span"))
        var timeout: Milliseconds = .minutes(10)
        @OptionGroup var link: LinkOptions
        func run() throws { try end(FlinkCommands.delete(link.actingOptions, jar: id, reason: reason, limit: timeout)) }
    }

    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Launch a new job from a jar, and record how.",
            discussion: Examples.text("jars run", after: "Arguments of the program come last, after --."))
        @Argument(help: "A jar file, which is uploaded, or the id of a jar on the cluster.")
        var jar: String
        @Option(name: .customLong("class"), help: ArgumentHelp("The program; by default what the jar's manifest names.", valueName: "name"))
        var entryClass: String?
        @Option(help: ArgumentHelp("Subtasks of each operator.", valueName: "number"))
        var parallelism: Int?
        @Option(help: ArgumentHelp("Start from this checkpoint or savepoint.", valueName: "path"))
        var from: String?
        @Flag(help: "The new job owns the snapshot, and deletes it when it is subsumed.")
        var claim = false
        @Flag(help: "Start even if the snapshot has state that the job does not use.")
        var allowUnmatched = false
        @Option(help: "Why, for the record.")
        var reason = ""
        @Option(help: ArgumentHelp("Id of the operation; repeating it starts no second one.", valueName: "id"))
        var operation: OperationID?
        @Flag(help: "Wait until the job runs; with --from, until it is proven to have resumed.")
        var wait = false
        @Option(help: ArgumentHelp("How long to wait: 200ms, 30s, 10m.", valueName: "span"))
        var timeout: Milliseconds = .minutes(10)
        @Argument(parsing: .postTerminator, help: "Arguments of the program.")
        var arguments: [String] = []
        @OptionGroup var link: LinkOptions

        func validate() throws {
            if let problem = parallelism.flatMap({ Parallelism.problem($0) }) { throw ValidationError("--parallelism: \(problem)") }
        }

        func run() throws {
            let recipe = JarRecipe(jar: JarRecipe.jar(jar), entryClass: entryClass, arguments: arguments, parallelism: parallelism)
            try end(
                FlinkCommands.launch(
                    link.actingOptions, recipe, from: from, claims: claim, allowsUnmatched: allowUnmatched, reason: reason, operation: operation,
                    waits: wait, limit: timeout))
        }
    }
}

struct DisposeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispose", abstract: "Delete a savepoint or retained checkpoint of a Flink cluster, with its files. This cannot be undone.",
        discussion: Examples.text("dispose", after: "A checkpoint that a live job counts on is left alone."))
    @Argument(help: "Its path, as the cluster sees it.")
    var path: String
    @Option(help: "Why, for the record.")
    var reason = ""
    @Option(help: ArgumentHelp("How long to wait: 200ms, 30s, 10m.", valueName: "span"))
    var timeout: Milliseconds = .minutes(10)
    @OptionGroup var link: LinkOptions
    func run() throws { try end(FlinkCommands.dispose(link.actingOptions, path: path, reason: reason, limit: timeout)) }
}
