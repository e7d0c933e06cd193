/// What `weir run PROGRAM` is told. Paths are absolute.
public struct RunOptions: Sendable {
    public var program: String
    public var arguments: [String: String]
    public var parallelism: Int?
    /// Start from this snapshot instead of where the last run stopped.
    public var from: String?
    /// nil = one for each output directory, below the standard state directory.
    public var stateDirectory: String?
    /// nil = the standard socket, or one beside it where that is taken.
    public var socketPath: String?

    public init(
        program: String, arguments: [String: String], parallelism: Int? = nil, from: String? = nil, stateDirectory: String? = nil,
        socketPath: String? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.parallelism = parallelism
        self.from = from.map(StandardPaths.absolute)
        self.stateDirectory = stateDirectory.map(StandardPaths.absolute)
        self.socketPath = socketPath.map(StandardPaths.absolute)
    }

    /// From the words of a command line: paths are made absolute, `settings` are NAME=VALUE.
    public init(
        program: String, input: [String], output: String?, rate: String?, interval: String?, settings: [String], parallelism: Int?, from: String?,
        stateDirectory: String?, socketPath: String?
    ) {
        var arguments: [String: String] = [:]
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { arguments[String(parts[0])] = String(parts[1]) }
        }
        if !input.isEmpty { arguments["input"] = input.map(StandardPaths.absolute).joined(separator: "\n") }
        // The same directory has to be the same work, however it was written.
        if let output { arguments["output"] = StandardPaths.canonical(output) }
        if let rate { arguments["rate"] = rate }
        if let interval { arguments["interval"] = interval }
        self.init(
            program: program, arguments: arguments, parallelism: parallelism, from: from, stateDirectory: stateDirectory, socketPath: socketPath)
    }

    /// What makes two runs the same work.
    var identity: String {
        arguments["output"] ?? ([program] + arguments.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(separator: "\n")
    }
}
