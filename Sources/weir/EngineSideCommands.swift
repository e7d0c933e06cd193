import ArgumentParser
import ConsoleApp
import ConsoleCore
import ControlSocket
import CommandLineApp
import EngineClients
internal import EngineHost
import HostEnvironment
import StreamModel

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Start a private engine with two jobs and open the console on it.",
        discussion: Examples.text(
            "demo",
            after: """
                On a terminal the console opens; leaving it ends the engine and removes its files. Without a terminal the restore loop runs \
                unattended: checkpoints, savepoint, cancel and keep, restart from an older checkpoint, proof. It ends with 0 only if the \
                resume was proven.
                """))

    @Flag(help: "Play the scripted demonstration. Any key takes over; `:demo next` continues.")
    var script = false

    @Option(help: ArgumentHelp("Play an incident to practise on: slow-storage, hot-key, stalled-source or crash-loop.", valueName: "name"))
    var incident: DemoIncident?

    @Option(help: ArgumentHelp("How fast the script is played: 0.5 to 16 times.", valueName: "factor"))
    var speed = 1.0

    @OptionGroup var look: LookOptions
    @OptionGroup var recording: RecordOptions

    @Option(help: ArgumentHelp("How long the unattended loop may take.", valueName: "span"))
    var timeout: Milliseconds = .minutes(3)

    func validate() throws {
        if script, incident != nil { throw ValidationError("--script and --incident exclude each other") }
        guard (0.5...16).contains(speed) else { throw ValidationError("--speed must be 0.5 to 16") }
    }

    func run() throws {
        if script || incident != nil, !Terminal.isInteractive { throw ValidationError("--script and --incident need a terminal") }
        let play: DemoPlay = script ? .script : incident.map { .incident($0) } ?? .jobs
        let status = Demo.run(isAttended: Terminal.isInteractive, play: play, limit: timeout) { socket in
            var launch = recording.recorded(look.launch(contexts: [ConsoleContext(name: "demo", class: .demo, socket: socket)]))
            if script { launch.script = DemoScript(speed: speed) }
            return runConsole(launch)
        }
        try end(status)
    }
}

struct EngineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine", abstract: "Host jobs and serve the control socket until SIGTERM or SIGINT.",
        discussion: Examples.text(
            "engine", after: "The jobs of the last run come back from their newest checkpoints, also after kill -9. SIGTERM suspends them."))

    @Option(help: ArgumentHelp("Where to listen.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: ArgumentHelp("A second, read-only socket for the group.", valueName: "path"), completion: .file())
    var viewerSocket: String?

    @Option(help: ArgumentHelp("Where the engine keeps its records and checkpoints.", valueName: "directory"), completion: .directory)
    var state: String?

    @Option(help: "Name of the engine.")
    var name = "local"

    @Flag(help: "End when standard input ends.")
    var endWithInput = false

    @Option(help: .maxParallelism)
    var maxParallelism: Int?

    func validate() throws { try requireParallelism(maxParallelism) }

    func run() throws {
        try end(
            EngineProcess.run(
                EngineOptions(
                    name: name, socketPath: socket, viewerSocketPath: viewerSocket, stateDirectory: state, endsWithInput: endWithInput,
                    maxParallelism: maxParallelism)))
    }
}

extension ArgumentHelp {
    fileprivate static let maxParallelism = ArgumentHelp("Most subtasks of an operator; 64 a core by default.", valueName: "number")
}

private func requireParallelism(_ limit: Int?) throws {
    if let limit, !(1...32_768).contains(limit) { throw ValidationError("--max-parallelism must be 1 to 32768, not \(limit)") }
}

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run one program on an engine of its own until it ends.",
        discussion: Examples.text(
            "run", after: "After a kill, the same command goes on where the program was. Progress is on standard error."))

    @Argument(help: "The program: wordcount, orders or shaky.", completion: .list(["wordcount", "orders", "shaky"]))
    var program: String

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Text files to read.", valueName: "file"), completion: .file())
    var input: [String] = []

    @Option(
        help: ArgumentHelp(
            "Directory for the output: new, empty, or with that of this run. Files of other names in it are left alone.", valueName: "directory"),
        completion: .directory)
    var output: String?

    @Option(help: ArgumentHelp("Records per second; by default as fast as possible.", valueName: "number"))
    var rate: String?

    @Option(help: ArgumentHelp("Time between checkpoints: 200ms, 3s.", valueName: "span"))
    var interval: String?

    @Option(parsing: .singleValue, help: ArgumentHelp("Another argument of the program.", valueName: "name=value"))
    var set: [String] = []

    @Option(help: ArgumentHelp("Subtasks of each operator.", valueName: "number"))
    var parallelism: Int?

    @Option(help: .maxParallelism)
    var maxParallelism: Int?

    @Option(help: ArgumentHelp("Start from this checkpoint or savepoint.", valueName: "path"), completion: .directory)
    var from: String?

    @Option(help: ArgumentHelp("State directory; by default one for each output directory.", valueName: "directory"), completion: .directory)
    var state: String?

    @Option(help: ArgumentHelp("Where to listen.", valueName: "path"), completion: .file())
    var socket: String?

    func validate() throws {
        try requireParallelism(maxParallelism)
        for pair in set where !pair.contains("=") { throw ValidationError("--set takes NAME=VALUE, not '\(pair)'") }
    }

    func run() throws {
        try end(
            RunProcess.run(
                RunOptions(
                    program: program, input: input, output: output, rate: rate, interval: interval, settings: set, parallelism: parallelism,
                    maxParallelism: maxParallelism, from: from, stateDirectory: state, socketPath: socket)))
    }
}

struct ConsoleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console", abstract: "Open the console.",
        discussion: Examples.text("console"))

    @Option(help: ArgumentHelp("The engine's control socket; by default the contexts of the config file.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: .trustOwner)
    var trustOwner: EngineTrust?

    @OptionGroup var flink: FlinkOptions

    @Option(parsing: .singleValue, help: ArgumentHelp("Only this context of the config file; repeatable.", valueName: "name"), completion: .contexts)
    var context: [String] = []

    @Flag(help: "Read-only: nothing that changes a job can be sent.")
    var readOnly = false

    @OptionGroup var look: LookOptions
    @OptionGroup var recording: RecordOptions

    func validate() throws {
        if flink.isGiven, socket != nil || !context.isEmpty { throw ValidationError("--flink excludes --socket and --context") }
        guard !context.isEmpty else { return }
        if socket != nil { throw ValidationError("--socket and --context exclude each other") }
        for name in context {
            do throws(Contexts.Failure) { _ = try Contexts.named(name) } catch { throw ValidationError(error.description) }
        }
    }

    func run() throws {
        let cluster = try flink.context()
        let contexts = cluster.map { [$0] } ?? socket.map { [ConsoleContext(name: "local", class: .lab, socket: $0, trust: trustOwner ?? .own)] } ?? []
        var launch = recording.recorded(look.launch(contexts: contexts))
        launch.contextNames = context
        launch.isReadOnly = readOnly
        try end(runConsole(launch))
    }
}
