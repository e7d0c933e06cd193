internal import HostEnvironment

/// Where a JobManager's REST API (or the proxy before it) is: scheme, host, port and path prefix. It holds no secret: a user name or a
/// password in a URL is refused.
public struct FlinkAddress: Hashable, Sendable, CustomStringConvertible {
    public let isSecure: Bool
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    public let host: String
    public let port: Int
    /// Segments before the API's own path, as they were written.
    public let prefix: [String]

    /// One line: what is wrong with a URL and how to write it.
    public struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
        public let description: String
    }

    public init(_ text: String) throws(Problem) {
        func problem(_ what: String) -> Problem { Problem(description: "'\(shortened(text, to: 200))' \(what)") }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !text.isEmpty else {
            throw problem("is not a URL: it is empty, or has spaces or characters that a URL writes with %")
        }
        let (scheme, rest) = try Self.scheme(of: text, problem)
        isSecure = scheme == "https"
        guard !rest.contains("?"), !rest.contains("#") else { throw problem("has a '?' or '#': give only scheme, host, port and path prefix") }
        let authority = rest.prefix { $0 != "/" }
        guard !authority.contains("@") else {
            // What stands there may be a password: it is not repeated.
            throw Problem(description: "the URL must hold no user and no password, which everybody could read; use a token file or a header")
        }
        let (name, port) = try Self.hostAndPort(authority, problem)
        host = name
        self.port = port ?? (isSecure ? 443 : 80)
        prefix = try Self.prefix(of: rest.dropFirst(authority.count), problem)
    }

    private static func scheme(of text: String, _ problem: (String) -> Problem) throws(Problem) -> (String, Substring) {
        guard let separator = text.firstRange(of: "://") else {
            throw problem("has no scheme: write http://\(shortened(text, to: 100)) or https://\(shortened(text, to: 100))")
        }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { throw problem("begins with \(scheme)://; Flink's REST API is http:// or https://") }
        return (scheme, text[separator.upperBound...])
    }

    private static func hostAndPort(_ authority: Substring, _ problem: (String) -> Problem) throws(Problem) -> (String, Int?) {
        let name: Substring, rest: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw problem("has a '[' without ']'") }
            name = authority[authority.index(after: authority.startIndex)..<end]
            rest = authority[authority.index(after: end)...]
            guard !name.isEmpty, name.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { throw problem("has no IPv6 address in its brackets") }
        } else {
            name = authority.prefix { $0 != ":" }
            rest = authority.dropFirst(name.count)
            let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_") }
            guard !name.isEmpty, name.utf8.count <= 253, isPlain else { throw problem("has no host name: write http://host:8081") }
        }
        guard !rest.isEmpty else { return (String(name), nil) }
        guard rest.hasPrefix(":"), let port = Int(rest.dropFirst()), (1...65535).contains(port), !rest.dropFirst().hasPrefix("+") else {
            throw problem("has no port after ':': it is a number from 1 to 65535, and Flink's is usually 8081")
        }
        return (String(name), port)
    }

    private static func prefix(of path: Substring, _ problem: (String) -> Problem) throws(Problem) -> [String] {
        var segments: [String] = []
        for segment in path.split(separator: "/") {
            let isPlain = segment.allSatisfy { $0.isLetter || $0.isNumber || "-._~%!$&'()*+,;=:@".contains($0) }
            guard isPlain, segment != ".", segment != ".." else { throw problem("has a path prefix that is none: '\(segment)'") }
            segments.append(String(segment))
        }
        return segments
    }

    public var description: String { text(host: nil) }

    /// The URL, with another name for the host.
    func text(host name: String?) -> String {
        let name = name ?? host
        let origin = "\(isSecure ? "https" : "http")://\(name.contains(":") ? "[\(name)]" : name):\(port)"
        return prefix.isEmpty ? origin : origin + "/" + prefix.joined(separator: "/")
    }
}

/// The beginning of a text, for messages.
func shortened(_ text: String, to limit: Int) -> String {
    text.utf8.count <= limit ? text : String(text.prefix(limit)) + "..."
}

extension FlinkAddress {
    /// Whether a host is this machine, whose files are the cluster's, too. By name alone: nothing is looked up in the network.
    public static func isThisMachine(_ host: String) -> Bool {
        let name = host.lowercased()
        if name == "localhost" || name == "::1" || name == "0.0.0.0" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if parts.count == 4, parts.first == "127", parts.allSatisfy({ UInt8($0) != nil }) { return true }
        return name == OperatorIdentity.host()?.lowercased()
    }
}
