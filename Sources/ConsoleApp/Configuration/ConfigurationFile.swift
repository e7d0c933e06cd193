public import CellGrid
public import ConsoleCore
internal import ControlSocket
public import EngineClients
internal import FlinkREST
internal import HostEnvironment
public import SnapshotStorage
internal import TOMLKit

/// The operator's `config.toml`:
///
///     theme  = "slate"          # name or path
///     ascii  = false
///     colors = "256"            # none, 8, 16, 256, direct
///     mouse  = false            # `m` turns it on and off
///     utc    = false            # clocks of the console and times of the commands in UTC
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
///     [overview]                # columns that are not shown; `c` chooses
///     hide = ["link", "restarts"]
///
///     [diagnosis]               # from where on figures are a problem; the article Conditions names all
///     crash_loop_failures = 3
///     source_silence_s = 15
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
///
///     [storage."s3://bucket/prefix"]             # snapshots below it; the longest prefix counts
///     endpoint = "https://minio.example.org:9000"
///     profile = "lab"                            # of ~/.aws; or access_key with secret_env, secret_file or secret_command
///     ca = "/etc/ssl/minio-ca.pem"
public struct ConfigurationFile: Equatable {
    public var theme: String?
    public var usesASCII: Bool?
    public var colorDepth: ColorDepth?
    public var usesMouse = false
    public var usesUTC = false
    public var alerts = AlertOptions()
    public var thresholds = DiagnosisThresholds()
    public var hiddenColumns: Set<OverviewColumn> = []
    public var ledger = LedgerSettings()
    public var keyMap = KeyMap.standard
    /// By name. One with a mistake is read-only.
    public var contexts: [ConsoleContext] = []
    /// Mistakes, in the order of the file's sections. Everything beside them is in force: a mistake must not weaken the guard of another context.
    public var problems: [ConfigurationError] = []
    /// The file may describe contexts that are not in `contexts`.
    public var hidesContexts = false
    /// Why the place of the ledger is not known.
    public var ledgerProblem: ConfigurationError?
    /// Where snapshots are kept, and how they are reached.
    public var storage = StorageSettings()

    public init() {}

    static let bytesMax = 64 << 10

    /// Reads the file; a missing one is an empty one.
    public static func load(_ path: String) -> ConfigurationFile {
        do throws(SmallFile.Failure) {
            let bytes = try SmallFile.read(path, limit: bytesMax)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                return unreadable(ConfigurationError(file: path, problem: "is not UTF-8; save it as UTF-8"))
            }
            return read(text, name: path)
        } catch .missing {
            return ConfigurationFile()
        } catch {
            return unreadable(ConfigurationError(file: path, problem: error.reason))
        }
    }

    /// The file without a mistake, or its first mistake.
    public static func parse(_ text: String, name: String) throws(ConfigurationError) -> ConfigurationFile {
        let file = read(text, name: name)
        if let problem = file.problems.first { throw problem }
        return file
    }

    private static func unreadable(_ error: ConfigurationError) -> ConfigurationFile {
        var file = ConfigurationFile(), error = error
        error.consequence = "the whole file is ignored until this is fixed"
        (file.problems, file.hidesContexts, file.ledgerProblem) = ([error], true, error)
        return file
    }

    public static func read(_ text: String, name: String) -> ConfigurationFile {
        let root: ConfigurationSection
        do throws(ConfigurationError) { root = try ConfigurationSource(text: text, name: name).root() } catch { return unreadable(error) }
        var file = ConfigurationFile()
        file.take("this line is ignored") { (_) throws(ConfigurationError) in
            try root.checkKeys(["theme", "ascii", "colors", "mouse", "utc", "keys", "alerts", "diagnosis", "overview", "ledger", "contexts", "storage"])
        }
        file.take("the standard theme is used") { (file) throws(ConfigurationError) in file.theme = try root.text("theme") }
        file.take("the terminal decides") { (file) throws(ConfigurationError) in file.usesASCII = try root.truth("ascii") }
        file.take("the terminal decides") { (file) throws(ConfigurationError) in
            file.colorDepth = try root.choice("colors", ColorDepth.allCases.map { ($0.rawValue, $0) })
        }
        file.take("the mouse is off") { (file) throws(ConfigurationError) in file.usesMouse = try root.truth("mouse") ?? false }
        file.take("times are local") { (file) throws(ConfigurationError) in file.usesUTC = try root.truth("utc") ?? false }
        file.take("the standard ledger is used by the console, and commands do not act") { (file) throws(ConfigurationError) in
            do throws(ConfigurationError) {
                if let ledger = try root.section("ledger") { file.ledger = try LedgerSettings(ledger) }
            } catch {
                file.ledgerProblem = error
                throw error
            }
        }
        file.take("alerts are the standard ones") { (file) throws(ConfigurationError) in
            guard let alerts = try root.section("alerts") else { return }
            try alerts.checkKeys(["bell", "osc9"])
            file.alerts = AlertOptions(rings: try alerts.truth("bell") ?? true, notifies: try alerts.truth("osc9") ?? false)
        }
        file.take("thresholds are the standard ones") { (file) throws(ConfigurationError) in
            if let diagnosis = try root.section("diagnosis") { file.thresholds = try DiagnosisThresholds(diagnosis) }
        }
        file.take("all columns are shown") { (file) throws(ConfigurationError) in
            if let overview = try root.section("overview") { file.hiddenColumns = try Set<OverviewColumn>(overview) }
        }
        file.take("all keys are the standard ones") { (file) throws(ConfigurationError) in
            if let keys = try root.section("keys") { file.keyMap = try keyMap(keys) }
        }
        file.takeContexts(root)
        file.take("no place of snapshots has settings") { (file) throws(ConfigurationError) in
            if let storage = try root.section("storage") { file.storage = try StorageConfiguration.settings(storage) }
        }
        return file
    }

    private mutating func take(_ consequence: String, _ read: (inout ConfigurationFile) throws(ConfigurationError) -> Void) {
        do throws(ConfigurationError) { try read(&self) } catch {
            var error = error
            error.consequence = consequence
            problems.append(error)
        }
    }

    private static func keyMap(_ section: ConfigurationSection) throws(ConfigurationError) -> KeyMap {
        var entries: [KeyRemapping] = []
        for name in section.keys { entries.append(KeyRemapping(command: name, keys: try section.texts(name) ?? [])) }
        do throws(KeyRemappingError) { return try KeyMap(remapping: entries) } catch {
            throw section.failure(error.command, error.problem)
        }
    }

    // MARK: Contexts

    private static let contextKeys = ["socket", "url", "urls", "class", "guard", "readonly", "accent", "tls", "headers", "token_file", "token_env", "owner"]

    private mutating func takeContexts(_ root: ConfigurationSection) {
        let section: ConfigurationSection?
        do throws(ConfigurationError) { section = try root.section("contexts") } catch {
            hidesContexts = true
            return take("no context is known") { (_) throws(ConfigurationError) in throw error }
        }
        guard let section else { return }
        for name in section.keys {
            do throws(ConfigurationError) { contexts.append(try Self.context(name, section)) } catch { takeBroken(name, section, error) }
        }
        markConflicts(section)
    }

    /// A context with a mistake is looked at all the same, if its address is known. Nothing is sent there until the mistake is mended.
    private mutating func takeBroken(_ name: String, _ section: ConfigurationSection, _ error: ConfigurationError) {
        var error = error
        if let context = Self.brokenContext(name, section) {
            error.consequence = "\(name) is read-only until this is fixed"
            contexts.append(context)
            contexts[contexts.count - 1].problem = error.description
        } else {
            error.consequence = "this context is ignored until it is fixed"
            hidesContexts = true
        }
        problems.append(error)
    }

    private static func brokenContext(_ name: String, _ contexts: ConfigurationSection) -> ConsoleContext? {
        guard isName(name) else { return nil }
        do throws(ConfigurationError) {
            guard let section = try contexts.section(name) else { return nil }
            return ConsoleContext(name: name, class: .prod, address: try address(section), isReadOnly: true)
        } catch {
            // The mistake is in the address, and is being told.
            return nil
        }
    }

    private static func isName(_ name: String) -> Bool { (1...40).contains(name.utf8.count) && name.utf8.allSatisfy(isNameByte) }

    private static func context(_ name: String, _ contexts: ConfigurationSection) throws(ConfigurationError) -> ConsoleContext {
        guard isName(name) else {
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
    public static func context(named name: String, at address: String, class word: String?, beside others: [ConsoleContext]) throws(ConfigurationError)
        -> ConsoleContext
    {
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
        if let urls = try section.texts("urls") { return .flink(try flink(urls, section)) }
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
        if section.has("url") || section.has("urls") { throw section.failure("owner", "owner is for a socket; a url is trusted by its certificate") }
        guard let trust = EngineTrust(owner: owner) else {
            throw section.failure("owner", "owner: there is no user \"\(SafeText(owner, limit: 40))\" on this machine; write a name or a number in quotes")
        }
        return trust
    }

    /// `urls`: a cluster with several JobManagers, of which one leads.
    private static func flink(_ urls: [String], _ section: ConfigurationSection) throws(ConfigurationError) -> FlinkConnection {
        for key in ["socket", "url"] where section.has(key) { throw section.failure(key, "[\(section.path)] has both urls and \(key); take one of them out") }
        guard let first = urls.first else {
            throw section.failure("urls", "urls names no JobManager: write urls = [\"http://host1:8081\", \"http://host2:8081\"]")
        }
        var connection = try flink(first, section, key: "urls")
        for text in urls.dropFirst() {
            let other = try address(text, section, key: "urls")
            guard other.isSecure == connection.address.isSecure else { throw section.failure("urls", "urls must all begin with http:// or all with https://") }
            connection.alternatives.append(other)
        }
        if connection.serverName != nil, !connection.alternatives.isEmpty {
            throw section.failure("urls", "tls.server_name is for one url: several have names of their own")
        }
        return connection
    }

    private static func address(_ text: String, _ section: ConfigurationSection, key: String) throws(ConfigurationError) -> FlinkAddress {
        do throws(FlinkAddress.Problem) { return try FlinkAddress(text) } catch { throw section.failure(key, "\(key): \(SafeText(error.description))") }
    }

    private static func flink(_ text: String, _ section: ConfigurationSection, key: String = "url") throws(ConfigurationError) -> FlinkConnection {
        var connection = FlinkConnection(try address(text, section, key: key))
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

    /// Two addresses of one engine: a JobManager in common is enough.
    private static func isSame(_ left: EngineAddress, _ right: EngineAddress) -> Bool {
        guard case .flink(let left) = left, case .flink(let right) = right else { return left.text == right.text }
        return !Set([left.address] + left.alternatives).isDisjoint(with: [right.address] + right.alternatives)
    }

    /// One engine under two classes would be as safe as the laxer one.
    private mutating func markConflicts(_ section: ConfigurationSection) {
        for (index, context) in contexts.enumerated() {
            guard let other = contexts[..<index].firstIndex(where: { Self.isSame($0.address, context.address) && $0.class != context.class }) else { continue }
            let theirs = contexts[other]
            var error = section.failure(
                context.name,
                "\(theirs.name) and \(context.name) are the same engine, \(SafeText(context.address.text)), as \(theirs.class.rawValue) and as \(context.class.rawValue)"
            )
            error.consequence = "both are read-only until this is fixed"
            for place in [other, index] { (contexts[place].isReadOnly, contexts[place].problem) = (true, error.description) }
            problems.append(error)
        }
    }
}
