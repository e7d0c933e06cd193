public import ArgumentParser
import ConsoleApp
public import ControlSocket
public import CommandLineApp
import EngineClients
import FlinkREST
import HostEnvironment
public import StreamModel

/// Which engine, and how to print.
struct LinkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The engine's control socket.", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: ArgumentHelp("A context of the config file, instead of a socket.", valueName: "name"), completion: .contexts)
    var context: String?

    @Option(help: .trustOwner)
    var trustOwner: EngineTrust?

    @OptionGroup var flink: FlinkOptions

    @Flag(help: "Print the records as one line of JSON; times in it are milliseconds since 1970.")
    var json = false

    @Flag(help: "Print times in UTC; `utc = true` in the config file makes this the default.")
    var utc = false

    var options: CommandOptions {
        get throws { try options(resolved()) }
    }

    /// For commands that change a job: a context that is read-only is refused.
    var actingOptions: CommandOptions {
        get throws {
            let found = try resolved()
            guard let found, found.isReadOnly else { return try options(found) }
            Output.standard.say("\(found.name) is read-only: nothing was sent")
            throw ExitCode(ExitStatus.refused.rawValue)
        }
    }

    private func options(_ found: ConsoleContext?) throws -> CommandOptions {
        switch found?.address {
        case nil:
            var options = CommandOptions(
                socketPath: socket, trust: trustOwner ?? .own, contextName: "local", ledgerPath: Self.quietLedgerPath, printsJSON: json, usesUTC: usesUTC)
            options.isNamedByPath = socket.map { $0 != SocketPath.standard() } ?? false
            return options
        case .socket(let path):
            return CommandOptions(
                socketPath: path, trust: trustOwner ?? found?.trust ?? .own, contextName: found?.name ?? "local", ledgerPath: Self.quietLedgerPath,
                printsJSON: json, usesUTC: usesUTC)
        case .flink(let connection):
            for warning in found?.warnings ?? [] { Output.standard.say(warning) }
            var options = CommandOptions(
                flink: connection, contextName: found?.name ?? FlinkConnection.sharedContext, ledgerPath: Self.ledgerPath, printsJSON: json, usesUTC: usesUTC)
            options.storage = Contexts.storage()
            return options
        }
    }

    var usesUTC: Bool { utc || ConfigurationFile.load(BaseDirectories().configurationPath).usesUTC }

    /// Where the console keeps it. A configuration that cannot be read stops no command in an incident: it is told, as the console does.
    private static var ledgerPath: String {
        do throws(ConfigurationError) { return try LedgerPlace.path() } catch {
            Output.standard.say("\(error.description); actions are recorded in \(BaseDirectories().ledgerPath)")
            return BaseDirectories().ledgerPath
        }
    }

    /// For engines that keep their own record: the ledger only adds to what they list.
    private static var quietLedgerPath: String {
        do throws(ConfigurationError) { return try LedgerPlace.path() } catch { return BaseDirectories().ledgerPath }
    }

    private func resolved() throws -> ConsoleContext? {
        if let found = try flink.context() {
            if socket != nil || context != nil { throw ValidationError("--flink excludes --socket and --context") }
            return found
        }
        guard let context else { return nil }
        if socket != nil { throw ValidationError("--socket and --context exclude each other") }
        do throws(Contexts.Failure) { return try Contexts.named(context) } catch { throw ValidationError(error.description) }
    }
}

/// What every command that acts on a job takes.
struct ActingOptions: ParsableArguments {
    @Argument(help: "The job: its name, its id, or at least four digits of it.", completion: .jobs)
    var job: String

    @Option(help: "Why, for the record.")
    var reason = ""

    @Option(help: ArgumentHelp("Id of the operation; repeating it starts no second one.", valueName: "id"))
    var operation: OperationID?

    @Flag(help: "Wait until the operation has ended.")
    var wait = false

    @Option(help: ArgumentHelp("How long to wait: 200ms, 30s, 10m.", valueName: "span"))
    var timeout: Milliseconds = .minutes(10)

    var options: ActionOptions { ActionOptions(job: job, reason: reason, operation: operation, waits: wait, limit: timeout) }
}

extension OperationID: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension Milliseconds: ExpressibleByArgument {
    public init?(argument: String) { self.init(text: argument) }
    public var defaultValueDescription: String { "\(count / 1000)s" }
}

extension DemoIncident: ExpressibleByArgument {}

extension EngineTrust: ExpressibleByArgument {
    public init?(argument: String) { self.init(owner: argument) }
}

/// Values that an engine or the configuration is asked for when Tab is pressed.
extension CompletionKind {
    static var jobs: CompletionKind { .custom { words, _, _ in ShellCompletion.jobs(words) } }
    static var snapshots: CompletionKind { .custom { words, _, prefix in ShellCompletion.snapshots(words, prefix: prefix) } }
    static var contexts: CompletionKind { .custom { _, _, _ in ShellCompletion.contexts() } }
}

extension ArgumentHelp {
    static let trustOwner = ArgumentHelp("Trust an engine of this user; by default only your own and root's.", valueName: "user")
}
