internal import ControlProtocol
internal import Glibc

/// Where a command writes: data to standard output, everything else to standard error. Outside text passes through `printable`, so that
/// nothing but plain lines reaches a terminal or a pipe.
public struct Output: Sendable {
    public init() {}

    public static let standard = Output()

    public var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// A line of data. False = nobody reads any more.
    @discardableResult
    public func data(_ line: String) -> Bool { write(line, to: STDOUT_FILENO) }

    /// A line for the person who waits.
    public func say(_ line: String) { write("weir: " + line, to: STDERR_FILENO) }

    /// Several lines for the person at the keyboard, as they are: help and usage.
    public func explain(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) { write(String(line), to: STDERR_FILENO) }
    }

    @discardableResult
    private func write(_ line: String, to descriptor: Int32) -> Bool {
        let bytes = Array((clean(line) + "\n").utf8)
        var start = 0
        while start < bytes.count {
            let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // Nobody reads any more: there is nobody to tell.
            guard count > 0 else { return false }
            start += count
        }
        return true
    }

    /// Tabs are the only control characters that data may hold.
    private func clean(_ line: String) -> String {
        line.split(separator: "\t", omittingEmptySubsequences: false).map { printable(String($0), limit: .max) }.joined(separator: "\t")
    }
}

/// The terminal of this process.
public enum Terminal {
    /// Somebody can look and type.
    public static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }
}
