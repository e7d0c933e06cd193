import ArgumentParser
import ControlSocket
import CommandLineApp
import EngineHost
import Glibc
import HostEnvironment

/// The command line of Weir: names, flags and help. What the commands do is in the modules below.
@main
struct WeirCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "An operations console and an embedded engine for checkpointed stream processing.",
        discussion: """
            Without a command, the console opens on the default context.

            \(Examples.block(Examples.tour))

            Exit codes: 0 ok, 1 usage, 2 no link to an engine, 3 refused, 4 accepted but
            unproven, 5 failed.
            """,
        version: WeirVersion.current,
        subcommands: [
            DemoCommand.self, EngineCommand.self, RunCommand.self, SubmitCommand.self, ConsoleCommand.self, DumpCommand.self, StatusCommand.self,
            JobsCommand.self, CheckpointsCommand.self,
            SavepointCommand.self, CheckpointCommand.self, StopCommand.self, CancelCommand.self, RestartCommand.self, ResumeCommand.self,
            UpgradeCommand.self, UpgradesCommand.self, VersionsCommand.self, JarsCommand.self,
            DisposeCommand.self,
            OperationsCommand.self,
            AuditCommand.self, LogCommand.self, WatchCommand.self, FaultCommand.self, InspectCommand.self, ContextsCommand.self, ThemesCommand.self,
            ReplayCommand.self,
            DoctorCommand.self,
        ],
        defaultSubcommand: ConsoleCommand.self)

    /// A wrong command line ends with 1, not with the parser's own code.
    static func main() {
        // A file that has grown to its limit is an error of the call, told as a full disk is; the signal would end the process in the middle.
        signal(SIGXFSZ, SIG_IGN)
        do {
            let words = CommandLineOrder.afterCommand(Array(CommandLine.arguments.dropFirst()))
            if let unknown = UnknownCommand(words.first, commands: configuration.subcommands.compactMap { $0.configuration.commandName }) {
                Output.standard.say(unknown.description)
                Self.exit(withError: ExitCode(ExitStatus.usage.rawValue))
            }
            var command = try parseAsRoot(words)
            try checkOpenFiles(for: command)
            try command.run()
        } catch let code as ExitCode {
            Self.exit(withError: code)
        } catch {
            guard exitCode(for: error) != .success else { Self.exit(withError: error) }
            Output.standard.explain(fullMessage(for: error))
            Self.exit(withError: ExitCode(ExitStatus.usage.rawValue))
        }
    }
}

/// Commands that host an engine look after themselves: they need more.
private func checkOpenFiles(for command: any ParsableCommand) throws {
    switch command {
    case is EngineCommand, is RunCommand, is DemoCommand: return
    default:
        let name = (type(of: command).configuration.commandName).map { "weir \($0)" } ?? "weir"
        guard OpenFiles.suffice(for: name, OpenFileLimit.neededByClient) else { throw ExitCode(ExitStatus.failed.rawValue) }
    }
}

/// Ends a command with an exit status that is not 0.
func end(_ status: Int32) throws {
    if status != 0 { throw ExitCode(status) }
}
