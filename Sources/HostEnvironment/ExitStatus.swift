/// Exit status of every command of Weir.
public enum ExitStatus: Int32, Sendable {
    case ok = 0
    /// The command line was wrong.
    case usage = 1
    /// No engine was reachable.
    case noLink = 2
    /// A guard refused; nothing was changed.
    case refused = 3
    /// Accepted, but the outcome was not observed.
    case unproven = 4
    case failed = 5
}
