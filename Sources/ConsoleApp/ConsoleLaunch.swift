public import CellGrid
public import ConsoleCore

/// An engine that a console is to watch.
public struct ConsoleContext: Sendable, Equatable {
    public var name: String
    public var `class`: ContextClass
    /// Path of its control socket.
    public var socket: String
    public var isReadOnly: Bool

    public init(name: String, class: ContextClass, socket: String, isReadOnly: Bool = false) {
        self.name = name
        self.class = `class`
        self.socket = socket
        self.isReadOnly = isReadOnly
    }

    var description: ContextDescription {
        ContextDescription(name: name, class: `class`, address: socket, isReadOnly: isReadOnly)
    }
}

/// What `runConsole` is told: which engines, how to look, where to keep records. Flags of the command line come here; what they
/// leave open, the config file says, and then the defaults.
public struct ConsoleLaunch: Sendable {
    /// Makes the engine of a context. The default talks to its control socket; tests supply another.
    public typealias EngineFactory = @Sendable (ConsoleContext) -> any Engine

    /// The contexts to show; empty = those of the config file, or else the standard socket.
    public var contexts: [ConsoleContext]
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

    public init(
        contexts: [ConsoleContext] = [], theme: String? = nil, colorDepth: ColorDepth? = nil, usesASCII: Bool? = nil,
        isReadOnly: Bool = false, ledgerPath: String? = nil, configurationPath: String? = nil, executablePath: String? = nil,
        makeEngine: @escaping EngineFactory = { SocketEngine(path: $0.socket) }
    ) {
        self.contexts = contexts
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
