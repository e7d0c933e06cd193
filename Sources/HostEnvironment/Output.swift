internal import CellGrid
internal import Glibc

/// Output of a command: data to standard output, everything else to standard error. Outside text passes through `printable`, so that only plain
/// lines reach a terminal or a pipe.
public struct Output: Sendable {
    public init() {}

    public static let standard = Output()

    public var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Writes a line of data. False = the reader has gone.
    @discardableResult
    public func data(_ line: String) -> Bool { write(line, to: STDOUT_FILENO) }

    /// Writes a line for the waiting operator.
    public func say(_ line: String) { write("weir: " + line, to: STDERR_FILENO) }

    /// Writes several lines unchanged: help and usage.
    public func explain(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write(String(line), to: STDERR_FILENO) }
    }

    /// Writes text made safe cell by cell, with the escape sequences that colour it. False = the reader has gone.
    public func screen(_ text: String) -> Bool { write(Array(text.utf8), to: STDOUT_FILENO) }

    @discardableResult
    private func write(_ line: String, to descriptor: Int32) -> Bool { write(Array((clean(line) + "\n").utf8), to: descriptor) }

    private func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // The reader has gone: nobody is left to notify.
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    /// Replaces control characters in data, except tabs.
    private func clean(_ line: String) -> String {
        line.split(separator: "\t", omittingEmptySubsequences: false).map { printable(String($0), limit: .max) }.joined(separator: "\t")
    }
}

/// The terminal of this process.
public enum Terminal {
    /// Whether a user can look and type.
    public static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }
}
