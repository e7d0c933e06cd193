internal import CellGrid
internal import EngineHost
internal import HostEnvironment
internal import StreamModel

/// Options of `weir run PROGRAM`. Paths are absolute.
public struct RunOptions: Sendable {
    public var program: String
    public var arguments: [String: String]
    public var parallelism: Int?
    /// nil = the usual limit of an engine.
    public var maxParallelism: Int?
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
        program: String, input: [String], output: String?, rate: String?, interval: String?, settings: [String], parallelism: Int?,
        maxParallelism: Int? = nil, from: String?, stateDirectory: String?, socketPath: String?
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
        self.maxParallelism = maxParallelism
    }

    /// The identity of a run's work.
    var identity: String {
        arguments["output"] ?? ([program] + arguments.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(separator: "\n")
    }

    /// Why no engine would run this, in the words of the command line; nil = no reason is known.
    var problem: String? {
        let recipe = JobRecipe(program: program, arguments: arguments, parallelism: parallelism ?? 1)
        do throws(ProgramError) { try ProgramRegistry.standard.check(recipe) } catch {
            switch error {
            case .missingArgument(let program, let name): return "\(program) needs \(Self.flag(name))"
            case .unknownArgument(let program, let name, let known):
                let flags = known.isEmpty ? "none" : known.map(Self.flag).joined(separator: ", ")
                return "\(program) has no argument '\(SafeText(name, limit: 40))'; it takes \(flags)"
            case .badArgument(let program, let name, let value, let expected):
                return "\(program): \(Self.flag(name)) must be \(expected), not '\(SafeText(value, limit: 100))'"
            case .unknownProgram: return error.description
            }
        }
        return nil
    }

    /// As it is written on the command line.
    private static func flag(_ name: String) -> String {
        ["input", "output", "rate", "interval"].contains(name) ? "--\(name)" : "--set \(name)=..."
    }
}
