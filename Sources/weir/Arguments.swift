public import ArgumentParser
import EngineApp
public import StreamModel

/// Which engine, and how to print.
struct LinkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The engine's control socket.", valueName: "path"), completion: .file())
    var socket: String?

    @Flag(help: "Print the records as one line of JSON.")
    var json = false

    var options: CommandOptions { CommandOptions(socketPath: socket, printsJSON: json) }
}

/// What every command that acts on a job takes.
struct ActingOptions: ParsableArguments {
    @Argument(help: "The job: its name, its id, or at least four digits of it.")
    var job: String

    @Option(help: "Why, for the record.")
    var reason = ""

    @Option(help: ArgumentHelp("Id of the operation; the same id again is the same operation.", valueName: "id"))
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
