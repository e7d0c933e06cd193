internal import HostEnvironment
public import Ledger
internal import StreamModel

/// `[ledger]` of the configuration: where the ledger is, and how much of the past it keeps.
public struct LedgerSettings: Equatable {
    /// nil = `$XDG_STATE_HOME/weir/ledger.sqlite`.
    public var path: String?
    public var limits = LedgerLimits()

    public init() {}

    public init(_ section: ConfigurationSection) throws(ConfigurationError) {
        try section.checkKeys(["days", "action_days", "size_mb", "path"])
        path = try section.absolutePath("path")
        limits.days = try section.count("days", 1...36_500) ?? limits.days
        limits.actionDays = try section.count("action_days", 1...36_500) ?? limits.actionDays
        if let size = try section.count("size_mb", 1...1_048_576) { limits.size = ByteCount(Int64(size) << 20) }
    }
}

/// The ledger that the console of this user writes.
public enum LedgerPlace {
    /// As configured; a mistake that may hide the place is an error.
    public static func path(configurationPath: String? = nil) throws(ConfigurationError) -> String {
        let directories = BaseDirectories()
        let file = ConfigurationFile.load(configurationPath ?? directories.configurationPath)
        if let problem = file.ledgerProblem { throw problem }
        return file.ledger.path ?? directories.ledgerPath
    }
}
