import ArgumentParser
import ControlSocket
import EngineApp
import EngineHost
import Glibc

/// The command line of Weir: names, flags and help. What the commands do is in the modules below.
@main
struct WeirCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "weir",
        abstract: "An operations console and an embedded engine for checkpointed stream processing.",
        discussion: """
            Without a command, the console opens on the default context.

            EXAMPLES
              weir demo                              two jobs, and the console on them
              weir run wordcount --input a.txt --output out
                                                     count words, exactly once
              weir --context prod-eu                 the console on one named engine
              weir engine                            hosts jobs until it is told to end
              weir status                            how its jobs are
              weir savepoint orders --wait           take a savepoint, wait for it
              weir cancel orders --keep --wait       cancel, keep the checkpoints
              weir restart orders --from 12 --wait   start again from 12, and prove it
              weir --flink http://host:8081          the console on a Flink cluster
              weir --flink http://host:8081 status --json
              weir --flink http://host:8081 savepoint orders --wait

            Exit codes: 0 ok, 1 usage, 2 no link to an engine, 3 refused, 4 accepted but
            unproven, 5 failed.
            """,
        version: WeirVersion.current,
        subcommands: [
            DemoCommand.self, EngineCommand.self, RunCommand.self, SubmitCommand.self, ConsoleCommand.self, DumpCommand.self, StatusCommand.self, JobsCommand.self, CheckpointsCommand.self,
            SavepointCommand.self, CheckpointCommand.self, StopCommand.self, CancelCommand.self, RestartCommand.self, JarsCommand.self, DisposeCommand.self, OperationsCommand.self,
            AuditCommand.self, WatchCommand.self, FaultCommand.self, InspectCommand.self, ContextsCommand.self, ThemesCommand.self, ReplayCommand.self, DoctorCommand.self,
        ],
        defaultSubcommand: ConsoleCommand.self)

    /// A wrong command line ends with 1, not with the parser's own code.
    static func main() {
        // A file that has grown to its limit is an error of the call, told as a full disk is; the signal would end the process in the middle.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot(CommandLineOrder.afterCommand(Array(CommandLine.arguments.dropFirst())))
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
