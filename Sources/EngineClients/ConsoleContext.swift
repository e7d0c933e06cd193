internal import CellGrid
public import ConsoleCore
public import ControlSocket
public import FlinkREST
public import SnapshotStorage

/// An engine that consoles and commands talk to, by the operator's configuration.
public struct ConsoleContext: Sendable, Equatable {
    /// 1 to 40 letters, digits, "-", "_" and "."; unique in a console.
    public var name: String
    public var `class`: ContextClass
    public var address: EngineAddress
    /// Nothing that changes a job is ever sent.
    public var isReadOnly: Bool
    /// The class whose guard rules hold; nil = its own. Never laxer than its own.
    public var guardClass: ContextClass?
    /// A colour of the context's own, "#rrggbb" or one of the sixteen names, for its badge and title.
    public var accent: String?
    /// Whose engine may be behind its socket.
    public var trust: EngineTrust = .own
    /// How the stores of its snapshots are reached; nil = they are not asked.
    public var storage: StorageSettings?
    /// A mistake in its configuration: why it is read-only.
    public var problem: String?

    public init(
        name: String, class: ContextClass, address: EngineAddress, isReadOnly: Bool = false, guardClass: ContextClass? = nil,
        accent: String? = nil
    ) {
        self.name = name
        self.class = `class`
        self.address = address
        self.isReadOnly = isReadOnly
        self.guardClass = guardClass
        self.accent = accent
    }

    /// An engine of ours behind its control socket.
    public init(name: String, class: ContextClass, socket: String, trust: EngineTrust = .own, isReadOnly: Bool = false) {
        self.init(name: name, class: `class`, address: .socket(socket), isReadOnly: isReadOnly)
        self.trust = trust
    }

    /// What the console shows of it. No secret is in it.
    public var description: ContextDescription {
        var description = ContextDescription(
            name: name, class: `class`, address: address.text, isReadOnly: isReadOnly, guardClass: guardClass, accent: accent)
        description.problem = problem.map { SafeText($0) }
        if case .flink(let connection) = address {
            description.isUnauthenticated = connection.isAnonymous
            description.dialect = .flinkREST
        }
        return description
    }
}

/// Where an engine is.
public enum EngineAddress: Sendable, Equatable {
    /// The path of a control socket.
    case socket(String)
    /// The REST API of a Flink cluster.
    case flink(FlinkConnection)

    /// For people and for the ledger: the path, or the URL. Never a secret: a URL with a password is refused when it is read.
    public var text: String {
        switch self {
        case .socket(let path): path
        case .flink(let connection): connection.address.description
        }
    }
}

/// Makes the engine of a context. Tests supply another than the one that connects to its address.
public typealias EngineFactory = @Sendable (ConsoleContext) -> any Engine
