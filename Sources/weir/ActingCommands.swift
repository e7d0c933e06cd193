import ArgumentParser
import CommandLineApp
import StreamModel

struct SubmitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Launch a program of the engine as a new job.",
        discussion: Examples.text("submit"))
    @Argument(help: "The program: orders, shaky or wordcount.", completion: .list(["orders", "shaky", "wordcount"]))
    var program: String
    @Option(parsing: .singleValue, help: ArgumentHelp("An argument of the program.", valueName: "name=value"))
    var set: [String] = []
    @Option(help: "Name of the job; the program's by default.")
    var name: String?
    @Option(help: ArgumentHelp("Subtasks of each operator.", valueName: "number"))
    var parallelism: Int?
    @Option(help: ArgumentHelp("Start from this checkpoint or savepoint.", valueName: "path"), completion: .directory)
    var from: String?
    @Option(help: "Why, for the record.")
    var reason = ""
    @Option(help: ArgumentHelp("Id of the operation; repeating it starts no second one.", valueName: "id"))
    var operation: OperationID?
    @OptionGroup var link: LinkOptions

    func validate() throws {
        for pair in set where !pair.contains("=") { throw ValidationError("--set takes NAME=VALUE, not '\(pair)'") }
    }

    func run() throws {
        try end(
            EngineCommands.submit(
                link.actingOptions, program: program, settings: set, name: name, parallelism: parallelism, from: from, reason: reason,
                operation: operation))
    }
}

struct SavepointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "savepoint", abstract: "Take a savepoint and keep running.",
        discussion: Examples.text(
            "savepoint",
            after: """
                --keep counts the savepoints of this job that were taken with --keep, of earlier runs of its name too. The oldest are deleted once a \
                new one is there, but never one whose files a live job needs.
                """))
    @OptionGroup var acting: ActingOptions
    @Option(help: ArgumentHelp("Directory of the savepoint; by default as the job is configured.", valueName: "path"), completion: .directory)
    var directory: String?
    @Option(help: ArgumentHelp("Take one every so often, until the command is ended: 10m, 6h.", valueName: "span"))
    var every: Milliseconds?
    @Option(help: ArgumentHelp("On a Flink cluster: keep so many of them, and delete older ones.", valueName: "number"))
    var keep: Int?
    @OptionGroup var link: LinkOptions

    func validate() throws {
        if let every, every < .seconds(1) { throw ValidationError("--every is at least 1s") }
        if let keep, !(1...1000).contains(keep) { throw ValidationError("--keep is a number from 1 to 1000") }
        if every != nil || keep != nil, acting.operation != nil { throw ValidationError("--operation names one savepoint: it excludes --every and --keep") }
    }

    func run() throws {
        guard every != nil || keep != nil else { return try end(EngineCommands.savepoint(link.actingOptions, acting.options, directory: directory)) }
        try end(EngineCommands.savepoints(link.actingOptions, acting.options, directory: directory, every: every, kept: keep))
    }
}

struct CheckpointCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Take a checkpoint now.", discussion: Examples.text("checkpoint"))
    @OptionGroup var acting: ActingOptions
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.checkpoint(link.actingOptions, acting.options)) }
}

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Take a savepoint and finish, in one step.", discussion: Examples.text("stop"))
    @OptionGroup var acting: ActingOptions
    @Flag(help: "Emit the end of the input first. A job that resumes from this savepoint has seen its input end.")
    var drain = false
    @Option(help: ArgumentHelp("Directory of the savepoint.", valueName: "path"), completion: .directory)
    var directory: String?
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.stop(link.actingOptions, acting.options, drain: drain, directory: directory)) }
}

struct CancelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End the job now.",
        discussion: Examples.text(
            "cancel", after: "The job's retention decides whether the completed checkpoints are kept, unless --keep or --discard does."))
    @OptionGroup var acting: ActingOptions
    @Flag(help: "Keep the checkpoints, whatever the job's retention is.")
    var keep = false
    @Flag(help: "Delete the checkpoints, whatever the job's retention is.")
    var discard = false
    @OptionGroup var link: LinkOptions
    func validate() throws {
        if keep, discard { throw ValidationError("--keep and --discard exclude each other") }
    }
    func run() throws {
        try end(EngineCommands.cancel(link.actingOptions, acting.options, retention: keep ? .keep : discard ? .discard : .byPolicy))
    }
}

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Launch a job again from a checkpoint or savepoint.",
        discussion: Examples.text(
            "restart",
            after: """
                With --wait each step of the proof is printed as it is seen; the command ends with 0 when the job has resumed from there and its \
                first new checkpoint is complete. `weir checkpoints JOB` lists what --from can name.
                """))
    @OptionGroup var acting: ActingOptions
    @Option(
        help: ArgumentHelp(
            "latest, savepoint (the newest one), the number of a checkpoint, or a path; the newest by default. A path of that name: ./savepoint.",
            valueName: "latest|savepoint|id|path"), completion: .snapshots)
    var from: String?
    @Flag(help: "The new job owns the snapshot, and deletes it when it is subsumed.")
    var claim = false
    @Flag(help: "Start even if the snapshot has state that the job does not use, or belongs to another program.")
    var allowUnmatched = false
    @Option(help: ArgumentHelp("Subtasks of each operator; as recorded by default.", valueName: "number"))
    var parallelism: Int?
    @Flag(help: "Cancel the job first if it runs, and keep its checkpoints.")
    var cancelFirst = false
    @Option(
        help: ArgumentHelp(
            "What is launched, on a Flink cluster: JAR [--class NAME] [--parallelism N] [-- ARGUMENT...], where JAR is a file or the id of a jar on the cluster. By default as recorded, for jobs that were launched through Weir.",
            valueName: "recipe"))
    var recipe: String?
    @OptionGroup var link: LinkOptions

    func validate() throws {
        _ = try parsedRecipe()
        if let problem = parallelism.flatMap({ Parallelism.problem($0) }) { throw ValidationError("--parallelism: \(problem)") }
    }

    private func parsedRecipe() throws -> JarRecipe? {
        guard let recipe else { return nil }
        do throws(JarRecipe.Problem) { return try JarRecipe(line: recipe) } catch { throw ValidationError("--recipe: \(error.description)") }
    }

    func run() throws {
        try end(
            EngineCommands.restart(
                link.actingOptions, acting.options, from: from, claims: claim, allowsUnmatched: allowUnmatched, parallelism: parallelism,
                cancelsFirst: cancelFirst, recipe: parsedRecipe()))
    }
}

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Resume a restart or an upgrade on a Flink cluster whose process ended in the middle of it.",
        discussion: Examples.text(
            "resume",
            after: """
                A restart is carried out by the process that was asked for it. If that process ended in the middle, `weir operations` shows the \
                operation as interrupted, and names it. The earlier choice of snapshot, jar and arguments holds. Nothing is launched while another \
                run of the job lives.
                """))
    @Argument(help: "The operation.")
    var operation: OperationID
    @Flag(help: "Wait until the job is proven to have resumed.")
    var wait = false
    @Option(help: ArgumentHelp("How long to wait: 200ms, 30s, 10m.", valueName: "span"))
    var timeout: Milliseconds = .minutes(60)
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.resume(link.actingOptions, operation: operation, waits: wait, limit: timeout)) }
}

struct FaultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault", abstract: "Make a demonstration job misbehave: slow 5s, fail 3, sync-fail 1, stall, crash, crash-loop 5s, off.",
        discussion: Examples.text("fault"))
    @OptionGroup var acting: ActingOptions
    @Argument(help: "What to do, and how: slow 5s.")
    var spec: [String]
    @OptionGroup var link: LinkOptions
    func run() throws { try end(EngineCommands.fault(link.actingOptions, acting.options, spec: spec.joined(separator: " "))) }
}
