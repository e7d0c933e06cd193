internal import Glibc

/// Reason why no full-screen terminal is available. The command ends with exit code 1 and this sentence.
public enum TerminalError: Error, Equatable, Sendable {
    /// "standard input" or "standard output" is a pipe or a file.
    case notATerminal(stream: String)
    /// TERM is unset or empty.
    case typeUnset
    /// TERM names a terminal without cursor addressing.
    case typeTooSimple(String)
    /// Neither TERM nor the types tried instead are in the terminfo database.
    case typeUnknown(String)
    /// A call on the terminal failed.
    case device(call: String, errno: Int32)
}

extension TerminalError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notATerminal(let stream):
            "\(stream) is not a terminal, which the console needs; `weir status` prints the same as plain text"
        case .typeUnset:
            "TERM is not set, so the console cannot draw; set it (TERM=xterm-256color), or use `weir status`"
        case .typeTooSimple(let name):
            "the terminal type TERM=\(printable(name)) cannot place its cursor, which the console needs; use `weir status`"
        case .typeUnknown(let name):
            "no terminfo entry for TERM=\(printable(name)), xterm-256color or vt100; install ncurses-base, or use `weir status`"
        case .device(let call, let code):
            "the terminal refused \(call) (\(String(cString: strerror(code)))); try `reset`, or use `weir status`"
        }
    }

    /// Replaces non-ASCII characters by "?": TERM comes from outside.
    private func printable(_ name: String) -> String {
        String(String.UnicodeScalarView(name.unicodeScalars.prefix(40).map { (33...126).contains($0.value) ? $0 : "?" }))
    }
}
