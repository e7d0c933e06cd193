internal import CellGrid
public import ConsoleCore

/// An engine that a console or a command is to talk to, as the operator's configuration names it.
public struct ConsoleContext: Sendable, Equatable {
    /// 1 to 40 letters, digits, "-", "_" and "."; unique in a console.
    public var name: String
    public var `class`: ContextClass
    public var address: EngineAddress
    /// Nothing is ever sent that changes a job.
    public var isReadOnly: Bool
    /// The class whose guard rules hold; nil = its own. Never laxer than its own.
    public var guardClass: ContextClass?
    /// A colour of the context's own, "#rrggbb" or one of the sixteen names, for its badge and title.
    public var accent: String?

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
    public init(name: String, class: ContextClass, socket: String, isReadOnly: Bool = false) {
        self.init(name: name, class: `class`, address: .socket(socket), isReadOnly: isReadOnly)
    }

    /// What the console shows of it. No secret is in it.
    var description: ContextDescription {
        ContextDescription(
            name: name, class: `class`, address: address.text, isReadOnly: isReadOnly, guardClass: guardClass, accent: accent)
    }
}

/// Where an engine is.
public enum EngineAddress: Sendable, Equatable {
    /// The path of a control socket.
    case socket(String)
    /// The REST API of a Flink cluster.
    case flink(FlinkAddress)

    /// For people and for the ledger: the path, or the URL. Never a secret: a URL with a password is refused when it is read.
    public var text: String {
        switch self {
        case .socket(let path): path
        case .flink(let address): address.url
        }
    }
}

/// A Flink cluster's REST API and how to be let in. Secrets are named here by where they are, not held.
public struct FlinkAddress: Sendable, Equatable {
    /// "https://host:8081/prefix", without a slash at its end.
    public var url: String
    /// PEM file of the authorities to trust; nil = the system's.
    public var authorityPath: String?
    /// PEM files of the client's certificate and its key; both or neither.
    public var certificatePath: String?
    public var keyPath: String?
    /// The name that the certificate must carry; nil = the host of the URL.
    public var serverName: String?
    /// Sent with every request, in this order.
    public var headers: [Header]
    /// Sent as a bearer token.
    public var token: SecretSource?

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: SecretSource

        public init(name: String, value: SecretSource) {
            self.name = name
            self.value = value
        }
    }

    public init(
        url: String, authorityPath: String? = nil, certificatePath: String? = nil, keyPath: String? = nil, serverName: String? = nil,
        headers: [Header] = [], token: SecretSource? = nil
    ) {
        self.url = url
        self.authorityPath = authorityPath
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.serverName = serverName
        self.headers = headers
        self.token = token
    }
}

/// Where the text of a header or a token comes from.
public enum SecretSource: Sendable, Equatable {
    /// Written in the configuration: not a secret.
    case text(String)
    case environment(String)
    /// The first line of a file.
    case file(String)

    /// "env:NAME", "file:/path", or the text itself.
    init(_ text: String) {
        if text.hasPrefix("env:") {
            self = .environment(String(text.dropFirst(4)))
        } else if text.hasPrefix("file:") {
            self = .file(String(text.dropFirst(5)))
        } else {
            self = .text(text)
        }
    }

    /// Where it is, without saying what it is.
    public var place: String {
        switch self {
        case .text: "in the configuration"
        case .environment(let name): "env:\(name)"
        case .file(let path): "file:\(path)"
        }
    }

    /// A secret that cannot be had: one line that names its place.
    public struct Missing: Error, Equatable, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Reads it. Control characters cannot stand in a header and are refused.
    public func resolve() throws(Missing) -> String {
        let value: String
        switch self {
        case .text(let text): value = text
        case .environment(let name):
            guard let found = Surroundings.variable(name) else { throw Missing(description: "the variable \(SafeText(name)) is not set or empty") }
            value = found
        case .file(let path):
            do throws(SmallFile.Failure) {
                let bytes = try SmallFile.read(path, limit: 16 << 10)
                value = String(decoding: bytes.prefix { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
            } catch {
                throw Missing(description: "\(SafeText(path)): \(error.reason)")
            }
        }
        guard !value.isEmpty, value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw Missing(description: "\(SafeText(place)) is empty or holds control characters")
        }
        return value
    }
}
