/// What every command of Weir tells its caller.
public enum ExitStatus: Int32, Sendable {
    case ok = 0
    /// The command line was wrong.
    case usage = 1
    /// No engine was reached.
    case noLink = 2
    /// A guard said no; nothing was changed.
    case refused = 3
    /// Accepted, but what came of it was not seen.
    case unproven = 4
    case failed = 5
}
