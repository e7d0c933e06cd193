/// Folders of the XDG base directory specification. Ignores a relative path in a variable, as specified.
public struct BaseDirectories: Sendable {
    public let configuration: String
    public let state: String
    /// Data folders: the user's, then the system's.
    public let data: [String]

    public init(_ variable: (String) -> String? = ProcessEnvironment.variable) {
        func absolute(_ name: String) -> String? { variable(name).flatMap { $0.hasPrefix("/") ? $0 : nil } }
        let home = absolute("HOME") ?? OperatorIdentity.home() ?? "/"
        let under = { (path: String) in home == "/" ? "/" + path : home + "/" + path }
        configuration = absolute("XDG_CONFIG_HOME") ?? under(".config")
        state = absolute("XDG_STATE_HOME") ?? under(".local/state")
        let system = (variable("XDG_DATA_DIRS") ?? "/usr/local/share:/usr/share").split(separator: ":").map(String.init)
        data = [absolute("XDG_DATA_HOME") ?? under(".local/share")] + system.filter { $0.hasPrefix("/") }
    }

    public var ledgerPath: String { state + "/weir/ledger.sqlite" }
    /// Folder of files written at the operator's request.
    public var reportsPath: String { state + "/weir/reports" }
    public var logPath: String { state + "/weir/console.log" }
    public var configurationPath: String { configuration + "/weir/config.toml" }
}
