internal import CellGrid
internal import ConsoleCore
internal import TOMLKit

/// The operator's `config.toml`:
///
///     theme  = "slate"          # name or path
///     ascii  = false
///     colors = "256"            # none, 8, 16, 256, direct
///
///     [contexts.lab]
///     socket = "/run/user/1000/weir/engine.sock"
///     class  = "lab"            # lab, staging, prod, demo; prod where nothing is said
///     guard  = "staging"        # guard rules of a more careful class
///     readonly = false
///     accent = "cyan"           # a colour of its own: a name, or "#rrggbb"
///
///     [contexts.prod-eu]
///     url = "https://flink.example.org:8081/prefix"
///     token_file = "/home/ana/.flink-token"      # or token_env = "FLINK_TOKEN"
///     tls.ca = "/etc/ssl/flink-ca.pem"
///     tls.certificate = "/home/ana/client.pem"   # with tls.key
///     tls.key = "/home/ana/client.key"
///     tls.server_name = "flink.internal"
///     headers.X-Team = "ops"                     # or "env:NAME", or "file:/path"
struct ConfigurationFile: Equatable {
    var theme: String?
    var usesASCII: Bool?
    var colorDepth: ColorDepth?
    /// By name.
    var contexts: [ConsoleContext] = []

    static let bytesMax = 64 << 10

    /// Reads the file; a missing one is an empty one, a bad one is an error as a whole.
    static func load(_ path: String) throws(ConfigurationError) -> ConfigurationFile {
        let bytes: [UInt8]
        do throws(SmallFile.Failure) {
            bytes = try SmallFile.read(path, limit: bytesMax)
        } catch .missing {
            return ConfigurationFile()
        } catch {
            throw ConfigurationError(file: path, problem: error.reason)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError(file: path, problem: "is not UTF-8; save it as UTF-8")
        }
        return try parse(text, name: path)
    }

    static func parse(_ text: String, name: String) throws(ConfigurationError) -> ConfigurationFile {
        let source = ConfigurationSource(text: text, name: name)
        let root = try source.root()
        var file = ConfigurationFile()
        try root.checkKeys(["theme", "ascii", "colors", "contexts"])
        file.theme = try root.text("theme")
        file.usesASCII = try root.truth("ascii")
        file.colorDepth = try root.choice("colors", ColorDepth.allCases.map { ($0.rawValue, $0) })
        if let contexts = try root.section("contexts") {
            for name in contexts.keys { file.contexts.append(try context(name, contexts)) }
            try checkConflicts(file.contexts, contexts)
        }
        return file
    }

    // MARK: Contexts

    private static let contextKeys = ["socket", "url", "class", "guard", "readonly", "accent", "tls", "headers", "token_file", "token_env"]

    private static func context(_ name: String, _ contexts: ConfigurationSection) throws(ConfigurationError) -> ConsoleContext {
        guard (1...40).contains(name.utf8.count), name.utf8.allSatisfy(isNameByte) else {
            throw contexts.failure(name, "\"\(SafeText(name, limit: 40))\" is no name for a context: 1 to 40 letters, digits, - _ .")
        }
        guard let section = try contexts.section(name) else { throw contexts.failure(name, "a context must be a table: [contexts.NAME]") }
        try section.checkKeys(contextKeys)
        // Without a class the console is as careful as can be.
        let contextClass = try section.choice("class", ContextClass.allCases.map { ($0.rawValue, $0) }) ?? .prod
        var context = ConsoleContext(name: name, class: contextClass, address: try address(section))
        context.isReadOnly = try section.truth("readonly") ?? false
        context.guardClass = try section.choice("guard", [("lab", .lab), ("staging", .staging), ("prod", .prod)])
        if let careful = context.guardClass, careful.caution < contextClass.caution {
            throw section.failure("guard", "guard = \"\(careful.rawValue)\" is laxer than class \"\(contextClass.rawValue)\"; it can only be stricter")
        }
        context.accent = try section.text("accent")
        if let accent = context.accent, !Theme.isColor(accent) {
            throw section.failure("accent", "accent must be \"#rrggbb\" or one of \(Theme.colorNames.joined(separator: ", "))")
        }
        return context
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "-_.".utf8.contains(byte)
    }

    private static func address(_ section: ConfigurationSection) throws(ConfigurationError) -> EngineAddress {
        switch (try section.text("socket"), try section.text("url")) {
        case (nil, nil): throw section.failure("", "[\(section.path)] needs socket = \"/absolute/path\" or url = \"http://host:8081\"")
        case (_?, _?): throw section.failure("url", "[\(section.path)] has both socket and url; take one of them out")
        case (let path?, nil):
            for key in ["tls", "headers", "token_file", "token_env"] where section.has(key) {
                throw section.failure(key, "\(key) is for a url; a socket has no use for it")
            }
            guard path.hasPrefix("/") else { throw section.failure("socket", "[\(section.path)] needs socket = \"/absolute/path\"") }
            return .socket(path)
        case (nil, let url?): return .flink(try flink(url, section))
        }
    }

    private static func flink(_ text: String, _ section: ConfigurationSection) throws(ConfigurationError) -> FlinkAddress {
        let url: HTTPAddress
        do throws(HTTPAddress.Failure) { url = try HTTPAddress(text) } catch { throw section.failure("url", error.description) }
        var address = FlinkAddress(url: url.text)
        if let tls = try section.section("tls") {
            guard url.isSecure else { throw section.failure("tls", "tls needs a url that begins with https://") }
            try tls.checkKeys(["ca", "certificate", "key", "server_name"])
            address.authorityPath = try tls.absolutePath("ca")
            address.certificatePath = try tls.absolutePath("certificate")
            address.keyPath = try tls.absolutePath("key")
            address.serverName = try tls.text("server_name")
            if (address.certificatePath == nil) != (address.keyPath == nil) {
                throw tls.failure(address.keyPath == nil ? "certificate" : "key", "tls.certificate and tls.key go together")
            }
        }
        if let headers = try section.section("headers") {
            for name in headers.keys { address.headers.append(try header(name, headers)) }
        }
        address.token = try token(section)
        if address.token != nil, let other = address.headers.first(where: { $0.name.lowercased() == "authorization" }) {
            throw section.failure("headers", "the header \(other.name) and a token exclude each other")
        }
        return address
    }

    private static func header(_ name: String, _ headers: ConfigurationSection) throws(ConfigurationError) -> FlinkAddress.Header {
        let isName = !name.isEmpty && name.utf8.allSatisfy { isNameByte($0) }
        guard isName else { throw headers.failure(name, "\"\(SafeText(name, limit: 40))\" is no name of a header") }
        guard let text = try headers.text(name) else { throw headers.failure(name, "\(name) must be a text in quotes") }
        return FlinkAddress.Header(name: name, value: SecretSource(text))
    }

    private static func token(_ section: ConfigurationSection) throws(ConfigurationError) -> SecretSource? {
        let file = try section.absolutePath("token_file"), variable = try section.text("token_env")
        if file != nil, variable != nil { throw section.failure("token_env", "token_file and token_env exclude each other") }
        if let variable, !variable.utf8.allSatisfy({ isNameByte($0) && $0 != 0x2d && $0 != 0x2e }) {
            throw section.failure("token_env", "token_env names an environment variable; the token itself does not belong here")
        }
        return file.map { .file($0) } ?? variable.map { .environment($0) }
    }

    /// One engine under two classes would be as safe as the laxer one.
    private static func checkConflicts(_ contexts: [ConsoleContext], _ section: ConfigurationSection) throws(ConfigurationError) {
        for (index, context) in contexts.enumerated() {
            for other in contexts[..<index] where other.address.text == context.address.text && other.class != context.class {
                throw section.failure(
                    context.name,
                    "\(other.name) and \(context.name) are the same engine, \(SafeText(context.address.text)), as \(other.class.rawValue) and as \(context.class.rawValue)"
                )
            }
        }
    }
}

/// The base address of an HTTP API: scheme, host, port and prefix, and nothing that could hold a secret.
struct HTTPAddress: Equatable {
    let isSecure: Bool
    /// Without a slash at its end.
    let text: String

    struct Failure: Error, Equatable, CustomStringConvertible {
        let description: String
    }

    init(_ text: String) throws(Failure) {
        func failure(_ problem: String) -> Failure { Failure(description: "url \"\(SafeText(text, limit: 80))\" \(problem)") }
        guard let scheme = ["https://", "http://"].first(where: { text.lowercased().hasPrefix($0) }) else {
            throw failure("must begin with http:// or https://")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }) else { throw failure("has characters that no URL has") }
        guard !text.contains("?"), !text.contains("#") else { throw failure("must end with its path: no ? and no #") }
        let rest = text.dropFirst(scheme.count), authority = rest.prefix { $0 != "/" }
        // The text may hold a password: it is not repeated.
        guard !authority.contains("@") else { throw Failure(description: "url must hold no user and no password; use token_file or headers") }
        let parts = Self.split(authority)
        guard let parts, !parts.host.isEmpty else { throw failure("has no host") }
        if let port = parts.port, !(Int(port).map { (1...65535).contains($0) } ?? false) { throw failure("has no port between 1 and 65535") }
        isSecure = scheme == "https://"
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path = path.dropLast() }
        self.text = scheme + authority + path
    }

    /// "host:port", "[v6]:port".
    private static func split(_ authority: Substring) -> (host: Substring, port: Substring?)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let host = authority[authority.index(after: authority.startIndex)..<end], rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            return (host, rest.isEmpty ? nil : rest.dropFirst())
        }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let host = parts.first else { return nil }
        return (host, parts.count == 2 ? parts[1] : nil)
    }
}
