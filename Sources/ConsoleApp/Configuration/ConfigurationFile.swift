internal import CellGrid
internal import ConsoleCore
internal import ControlSocket
internal import FlinkREST
internal import TOMLKit

/// The operator's `config.toml`:
///
///     theme  = "slate"          # name or path
///     ascii  = false
///     colors = "256"            # none, 8, 16, 256, direct
///     mouse  = false            # `m` turns it on and off
///
///     [keys]                    # the keys of a command, in place of those it has; `:keys` names the commands
///     savepoint = "W"
///     move_down = ["j", "down", "ctrl-n"]
///     themes    = []            # none: `:themes` is left
///
///     [alerts]                  # when a job has become bad; `:mute` silences one
///     bell = true
///     osc9 = false              # a notification of the desktop, from terminals that know OSC 9
///
///     [ledger]                  # what operators did, and every checkpoint that a console saw
///     days = 90                 # so long a checkpoint is remembered, and an action that has ended
///     action_days = 400
///     size_mb = 256             # the oldest checkpoints are forgotten while the file is larger
///     path = "/home/ana/weir/ledger.sqlite"
///
///     [contexts.lab]
///     socket = "/run/user/1000/weir/engine.sock"
///     class  = "lab"            # lab, staging, prod, demo; prod where nothing is said
///     guard  = "staging"        # guard rules of a more careful class
///     readonly = false
///     owner = "weir"            # the user that runs the engine, unless that is you or root: a name or a number
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
    var usesMouse = false
    var alerts = AlertOptions()
    var ledger = LedgerSettings()
    var keyMap = KeyMap.standard
    /// Why the keys are the standard ones although the file asks for others. The rest of the file holds all the same: who cannot have a key
    /// of his own still wants his contexts.
    var keysProblem: ConfigurationError?
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
        try root.checkKeys(["theme", "ascii", "colors", "mouse", "keys", "alerts", "ledger", "contexts"])
        file.theme = try root.text("theme")
        file.usesASCII = try root.truth("ascii")
        file.colorDepth = try root.choice("colors", ColorDepth.allCases.map { ($0.rawValue, $0) })
        file.usesMouse = try root.truth("mouse") ?? false
        if let ledger = try root.section("ledger") { file.ledger = try LedgerSettings(ledger) }
        if let alerts = try root.section("alerts") {
            try alerts.checkKeys(["bell", "osc9"])
            file.alerts = AlertOptions(rings: try alerts.truth("bell") ?? true, notifies: try alerts.truth("osc9") ?? false)
        }
        do throws(ConfigurationError) {
            if let keys = try root.section("keys") { file.keyMap = try keyMap(keys) }
        } catch {
            file.keysProblem = error
            file.keysProblem?.consequence = "all keys are the standard ones"
        }
        if let contexts = try root.section("contexts") {
            for name in contexts.keys { file.contexts.append(try context(name, contexts)) }
            try checkConflicts(file.contexts, contexts)
        }
        return file
    }

    private static func keyMap(_ section: ConfigurationSection) throws(ConfigurationError) -> KeyMap {
        var entries: [KeyRemapping] = []
        for name in section.keys { entries.append(KeyRemapping(command: name, keys: try section.texts(name) ?? [])) }
        do throws(KeyRemappingError) { return try KeyMap(remapping: entries) } catch {
            throw section.failure(error.command, error.problem)
        }
    }

    // MARK: Contexts

    private static let contextKeys = ["socket", "url", "class", "guard", "readonly", "accent", "tls", "headers", "token_file", "token_env", "owner"]

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
        context.trust = try trust(section)
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

    /// A context as an operator types it, under the rules of the file; `others` are those that there are.
    static func context(named name: String, at address: String, class word: String?, beside others: [ConsoleContext]) throws(ConfigurationError) -> ConsoleContext {
        // The text becomes a file, so that there is one set of rules. What would need more than quotes is no address.
        for text in [name, address, word ?? ""] where text.unicodeScalars.contains(where: { $0 == "\"" || $0 == "\\" || $0.value < 0x20 }) {
            throw ConfigurationError(file: "connect", problem: "quotes and backslashes belong in no name and no address")
        }
        let kind = address.contains("://") ? "url" : "socket"
        let lines = ["[contexts.\"\(name)\"]", "\(kind) = \"\(address)\""] + (word.map { ["class = \"\($0)\""] } ?? [])
        guard let context = try parse(lines.joined(separator: "\n"), name: "connect").contexts.first else {
            throw ConfigurationError(file: "connect", problem: "that is no context")
        }
        for other in others where other.address.text == context.address.text && other.class != context.class {
            throw ConfigurationError(file: "connect", problem: "\(other.name) is the same engine, as \(other.class.rawValue)")
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

    /// `owner`: the user whose engine is behind the socket, where that is neither the operator nor root.
    private static func trust(_ section: ConfigurationSection) throws(ConfigurationError) -> EngineTrust {
        guard let owner = try section.text("owner") else { return .own }
        if section.has("url") { throw section.failure("owner", "owner is for a socket; a url is trusted by its certificate") }
        guard let trust = EngineTrust(owner: owner) else {
            throw section.failure("owner", "owner: there is no user \"\(SafeText(owner, limit: 40))\" on this machine; write a name or a number in quotes")
        }
        return trust
    }

    private static func flink(_ text: String, _ section: ConfigurationSection) throws(ConfigurationError) -> FlinkConnection {
        var connection: FlinkConnection
        do throws(FlinkAddress.Problem) { connection = FlinkConnection(try FlinkAddress(text)) } catch {
            throw section.failure("url", "url: \(SafeText(error.description))")
        }
        if let tls = try section.section("tls") {
            guard connection.address.isSecure else { throw section.failure("tls", "tls needs a url that begins with https://") }
            try tls.checkKeys(["ca", "certificate", "key", "server_name"])
            connection.authorityFile = try tls.absolutePath("ca")
            switch (try tls.absolutePath("certificate"), try tls.absolutePath("key")) {
            case (let chain?, let key?): connection.clientCertificate = .init(chainFile: chain, keyFile: key)
            case (nil, nil): break
            case (_, let key): throw tls.failure(key == nil ? "certificate" : "key", "tls.certificate and tls.key go together")
            }
            connection.serverName = try tls.text("server_name")
        }
        if let headers = try section.section("headers") {
            for name in headers.keys { connection.headers.append(try header(name, headers)) }
        }
        connection.token = try token(section)
        if connection.token != nil, let other = connection.headers.first(where: { $0.name.lowercased() == "authorization" }) {
            throw section.failure("headers", "the header \(other.name) and a token exclude each other")
        }
        return connection
    }

    private static func header(_ name: String, _ headers: ConfigurationSection) throws(ConfigurationError) -> FlinkHeader {
        guard let text = try headers.text(name) else { throw headers.failure(name, "\(name) must be a text in quotes") }
        do throws(FlinkAddress.Problem) { return try FlinkHeader(name: name, value: FlinkSecret(text)) } catch {
            throw headers.failure(name, "\(SafeText(error.description))")
        }
    }

    private static func token(_ section: ConfigurationSection) throws(ConfigurationError) -> FlinkSecret? {
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
