public import ArgumentParser
import CellGrid
import CommandLineApp
import ConsoleApp
public import ConsoleCore
import ControlSocket
import EngineClients
import StreamModel

struct DumpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Draw one screen of the console once, without a terminal, and print it.",
        discussion: Examples.text(
            "dump",
            after: """
                Screens: \(ConsoleModel.screenNames.joined(separator: ", ")). Formats: txt, ansi, svg, json (the records behind the screen), csv (its \
                list).
                """))

    @Argument(help: "The screen.", completion: .list(ConsoleModel.screenNames))
    var screen = "overview"

    @Option(
        help: ArgumentHelp("The job to show: its name, or the start of its id; by default the worst.", valueName: "job"), completion: .jobs)
    var job: String?

    @Option(help: ArgumentHelp("Columns and rows.", valueName: "columns x rows"))
    var size = DumpSize(columns: 120, rows: 40)

    @Option(help: ArgumentHelp("txt, ansi, svg, json or csv.", valueName: "format"))
    var format = DumpFormat.text

    @Option(help: ArgumentHelp("How long engines may take to answer: 500ms, 5s.", valueName: "span"))
    var timeout: Milliseconds = .seconds(5)

    @Option(help: ArgumentHelp("The engine's control socket; by default the contexts of the config file.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: .trustOwner)
    var trustOwner: EngineTrust?

    @Option(parsing: .singleValue, help: ArgumentHelp("Only this context of the config file; repeatable.", valueName: "name"), completion: .contexts)
    var context: [String] = []

    @OptionGroup var flink: FlinkOptions
    @OptionGroup var look: LookOptions

    func validate() throws {
        if flink.isGiven, socket != nil || !context.isEmpty { throw ValidationError("--flink excludes --socket and --context") }
        if socket != nil, !context.isEmpty { throw ValidationError("--socket and --context exclude each other") }
        for name in context {
            do throws(Contexts.Failure) { _ = try Contexts.named(name) } catch { throw ValidationError(error.description) }
        }
        guard ConsoleModel.screenNames.contains(screen) else {
            throw ValidationError("there is no screen '\(screen)'; there are \(ConsoleModel.screenNames.joined(separator: ", "))")
        }
    }

    func run() throws {
        let cluster = try flink.context()
        let contexts = cluster.map { [$0] } ?? socket.map { [ConsoleContext(name: "local", class: .lab, socket: $0, trust: trustOwner ?? .own)] } ?? []
        var launch = look.launch(contexts: contexts)
        launch.contextNames = context
        launch.isReadOnly = true
        try end(dumpConsole(DumpLaunch(launch, screen: screen, job: job, size: size.size, format: format, patience: timeout)))
    }
}

/// "120x40".
struct DumpSize: ExpressibleByArgument {
    let size: Size

    init(columns: Int, rows: Int) { size = Size(columns: columns, rows: rows) }

    init?(argument: String) {
        let parts = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let columns = parts[0], let rows = parts[1], (1...500).contains(columns), (1...500).contains(rows) else { return nil }
        self.init(columns: columns, rows: rows)
    }

    var defaultValueDescription: String { "\(size.columns)x\(size.rows)" }
}

extension DumpFormat: ExpressibleByArgument {}
