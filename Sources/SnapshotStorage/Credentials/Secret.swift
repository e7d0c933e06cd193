/// A text that no description, dump or message shows.
public struct Secret: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let value: String

    public init(_ value: String) { self.value = value }

    /// The text itself: for a header, a signature or a query that is on its way out.
    func reveal() -> String { value }

    public var isEmpty: Bool { value.isEmpty }
    public var description: String { "(hidden)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a secret is kept. Read anew when it is needed, so that one that is renewed goes on working.
public enum SecretReference: Hashable, Sendable, CustomStringConvertible {
    case file(String)
    case environment(String)
    /// A program and its arguments; it writes the secret to its standard output.
    case command([String])

    public var description: String {
        switch self {
        case .file(let path): "the file \(path)"
        case .environment(let name): "the variable \(name)"
        case .command(let words): "the command \(words.first ?? "")"
        }
    }
}
