import ArgumentParser
import ConsoleApp
import ConsoleCore
import EngineClients
import FlinkREST

/// A Flink cluster named on the command line. Secrets are not: what stands there can be read by everybody, so a token comes from a file or
/// a variable, and headers that hold secrets from the config file.
struct FlinkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The REST API of a Flink cluster, instead of an engine of Weir.", valueName: "url"))
    var flink: String?

    @Option(help: ArgumentHelp("With --flink: a file with the bearer token.", valueName: "path"), completion: .file())
    var tokenFile: String?

    @Option(help: ArgumentHelp("With --flink: the variable that holds the bearer token.", valueName: "name"))
    var tokenEnv: String?

    @Option(help: ArgumentHelp("With --flink: the certificates of the authorities to trust.", valueName: "path"), completion: .file())
    var caFile: String?

    @Option(help: ArgumentHelp("With --flink: our own certificate; needs --client-key.", valueName: "path"), completion: .file())
    var clientCertificate: String?

    @Option(help: ArgumentHelp("With --flink: the key of our certificate.", valueName: "path"), completion: .file())
    var clientKey: String?

    var isGiven: Bool { flink != nil || tokenFile != nil || tokenEnv != nil || caFile != nil || clientCertificate != nil || clientKey != nil }

    func validate() throws { _ = try context() }

    /// The cluster as a context; nil = none is named. What is not in the config file counts as production.
    func context() throws -> ConsoleContext? {
        guard let flink else {
            if isGiven { throw ValidationError("a token or certificate is for a cluster: name it with --flink http://host:8081") }
            return nil
        }
        var connection: FlinkConnection
        do throws(FlinkAddress.Problem) { connection = FlinkConnection(try FlinkAddress(flink)) } catch {
            throw ValidationError("--flink: \(error.description)")
        }
        if tokenFile != nil, tokenEnv != nil { throw ValidationError("--token-file and --token-env exclude each other") }
        connection.token = tokenFile.map { .file($0) } ?? tokenEnv.map { .environment($0) }
        connection.authorityFile = caFile
        switch (clientCertificate, clientKey) {
        case (nil, nil): break
        case (let chain?, let key?): connection.clientCertificate = .init(chainFile: chain, keyFile: key)
        default: throw ValidationError("--client-certificate and --client-key go together")
        }
        return ConsoleContext(name: FlinkConnection.sharedContext, class: .prod, address: .flink(connection))
    }
}

/// The options that name an engine may stand before the command too: `weir --flink http://host:8081 status`.
enum CommandLineOrder {
    private static let names = ["flink", "token-file", "token-env", "ca-file", "client-certificate", "client-key", "context", "socket"]

    /// The same command line with those options behind the command; as it was where no command follows them.
    static func afterCommand(_ arguments: [String]) -> [String] {
        var index = 0
        while index < arguments.count, arguments[index].hasPrefix("--") {
            let parts = arguments[index].dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = parts.first, names.contains(String(name)) else { return arguments }
            index += parts.count == 2 ? 1 : 2
        }
        guard index > 0, index < arguments.count, !arguments[index].hasPrefix("-") else { return arguments }
        // `jars run` is one command in two words.
        let isNested = arguments[index] == JarsCommand.configuration.commandName && index + 1 < arguments.count && !arguments[index + 1].hasPrefix("-")
        let end = index + (isNested ? 2 : 1)
        return Array(arguments[index..<end] + arguments[..<index] + arguments[end...])
    }
}
