public import CellGrid
public import ConsoleCore
public import EngineClients

/// What `runConsole` is told: which engines, how to look, where to keep records. Flags of the command line come here; what they
/// leave open, the config file says, and then the defaults.
public struct ConsoleLaunch: Sendable {
    /// The contexts to show; empty = those of the config file, or else the standard socket.
    public var contexts: [ConsoleContext]
    /// The only contexts of the config file to show; empty = all.
    public var contextNames: [String]
    /// Name or path of a theme; nil = as configured.
    public var theme: String?
    /// nil = as configured, or else what NO_COLOR and terminfo say.
    public var colorDepth: ColorDepth?
    /// nil = as configured.
    public var usesASCII: Bool?
    /// Refuse every action.
    public var isReadOnly: Bool
    /// nil = `$XDG_STATE_HOME/weir/ledger.sqlite`.
    public var ledgerPath: String?
    /// nil = `$XDG_CONFIG_HOME/weir/config.toml`.
    public var configurationPath: String?
    /// The executable, from whose place the themes of a checkout are found; nil = this process's.
    public var executablePath: String?
    public var makeEngine: EngineFactory
    /// A new file for what is shown, as an asciicast.
    public var castPath: String?
    /// A new file for what is taken in; `replayConsole` plays it back.
    public var eventsPath: String?
    /// Drives the console until its operator presses a key.
    public var script: DemoScript?

    public init(
        contexts: [ConsoleContext] = [], contextNames: [String] = [], theme: String? = nil, colorDepth: ColorDepth? = nil, usesASCII: Bool? = nil,
        isReadOnly: Bool = false, ledgerPath: String? = nil, configurationPath: String? = nil, executablePath: String? = nil,
        makeEngine: @escaping EngineFactory = { connect($0) }
    ) {
        self.contexts = contexts
        self.contextNames = contextNames
        self.theme = theme
        self.colorDepth = colorDepth
        self.usesASCII = usesASCII
        self.isReadOnly = isReadOnly
        self.ledgerPath = ledgerPath
        self.configurationPath = configurationPath
        self.executablePath = executablePath
        self.makeEngine = makeEngine
    }
}

/// The engine of a context: the one place that knows which kinds there are.
public func connect(_ context: ConsoleContext) -> any Engine {
    switch context.address {
    case .socket(let path): SocketEngine(path: path, trust: context.trust)
    case .flink(let connection): FlinkEngine(connection, stored: context.storage.map { StoredFiles($0) })
    }
}
