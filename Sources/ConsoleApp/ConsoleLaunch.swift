public import CellGrid
public import ConsoleCore
internal import FlinkREST
internal import StreamModel
internal import Synchronization

/// What `runConsole` is told: which engines, how to look, where to keep records. Flags of the command line come here; what they
/// leave open, the config file says, and then the defaults.
public struct ConsoleLaunch: Sendable {
    /// Makes the engine of a context. The default connects to its address; tests supply another.
    public typealias EngineFactory = @Sendable (ConsoleContext) -> any Engine

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
    case .socket(let path): SocketEngine(path: path)
    case .flink(let address):
        UnreachableEngine(reason: "\(address.address) is a Flink cluster: this build has no client for it")
    }
}

/// Stands in for an engine that cannot even be tried: its link is down, and says why.
final class UnreachableEngine: Engine {
    private let reason: String
    private let outlet = Mutex<(@Sendable (EngineEvent) -> Void)?>(nil)

    init(reason: String) { self.reason = reason }

    func start(_ deliver: @escaping @Sendable (EngineEvent) -> Void) {
        outlet.withLock { $0 = deliver }
        retryNow()
    }

    func send(_ request: EngineRequest) {
        guard case .operate(let operation) = request else { return }
        outlet.withLock { $0?(.refused(operation.id, message: "nothing was sent: \(reason)")) }
    }

    func retryNow() { outlet.withLock { $0?(.link(.down(reason: reason, retryAt: nil, attempts: 0))) } }

    func stop() { outlet.withLock { $0 = nil } }
}
